"""The point of a surface of facets that is nearest to a given one, for many points together.

`fem_rd.hybrid.feet_bins` remembers which facets are near, for those who ask again and again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from fem_rd.particles.build import as_doubles, kernels, pointer

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_FIRST = 12  # facets that are looked at before it is asked whether a nearer one is possible
_CLASS = 2.0  # facets whose radii differ by less than this factor share a tree


class FacetTrees:
    """Facets with ``corners`` (facets, dim, dim): points, segments or triangles of any shape.

    A facet of radius R about the mean of its corners, at the distance d from a point, has no point
    nearer than d - R. So facets are asked in the order of d until no nearer one is possible; those
    of like size have a tree of their own, since one large facet would have all small ones asked.
    """

    def __init__(self, corners: Floats) -> None:
        self._corners = np.ascontiguousarray(corners)
        self.box = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
        middles = corners.mean(axis=1)
        radii = np.sqrt(((corners - middles[:, None]) ** 2).sum(axis=2)).max(axis=1, initial=0.0)
        least = radii[radii > 0].min(initial=np.inf)
        sizes = np.floor(np.log(np.maximum(radii / least, 1.0)) / np.log(_CLASS)).astype(int)
        self._classes = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
        self._trees = [cKDTree(middles[members]) for members in self._classes]
        self._radii = [float(radii[members].max()) for members in self._classes]
        self.typical_radius = float(np.median(radii))

    def __call__(self, points: Floats) -> tuple[Indices, Floats, Floats]:
        """Facet (n,), weights of its corners (n, dim) and distance (n,) of ``points`` (dim, n)."""
        places = np.ascontiguousarray(points.T)
        count, dim = places.shape
        facet, weights = np.full(count, -1), np.zeros((count, dim))
        square = np.full(count, np.inf)
        for members, tree, radius in zip(self._classes, self._trees, self._radii, strict=True):
            asked: Indices = np.arange(count)
            width = min(_FIRST, len(members))
            while len(asked):
                distance, near = tree.query(places[asked], k=np.arange(1, width + 1))
                self._look(places, asked, members[near], distance - radius,
                           facet, weights, square)  # fmt: skip
                further = distance[:, -1] - radius < np.sqrt(square[asked])
                asked = asked[further] if width < len(members) else asked[:0]
                width = min(2 * width, len(members))
        return facet, weights, np.sqrt(square)

    def _look(
        self,
        points: Floats,
        asked: Indices,
        candidates: Indices,
        least: Floats,
        facet: Indices,
        weights: Floats,
        square: Floats,
    ) -> None:
        """Take the nearest of the candidates of those that are asked about (kernels/feet.h)."""
        _, lib = kernels()
        lib.fem_rd_feet_nearest(
            points.shape[1], pointer("double *", self._corners), pointer("double *", points),
            len(asked), pointer("int64_t *", asked), candidates.shape[1],
            pointer("int64_t *", candidates), pointer("double *", as_doubles(least)),
            pointer("int64_t *", facet), pointer("double *", weights),
            pointer("double *", square),
        )  # fmt: skip

    def perhaps_within(self, points: Floats, distances: Floats) -> list[Indices]:
        """For each of the points (dim, n) all facets nearer than its distance, and some more."""
        found: list[list[Indices]] = [[] for _ in distances]
        for members, tree, radius in zip(self._classes, self._trees, self._radii, strict=True):
            near = tree.query_ball_point(points.T, distances + radius)
            for place, row in zip(found, near, strict=True):
                place.append(members[row])
        return [np.concatenate(row) for row in found]

