"""The point of a surface of facets that is nearest to a given one, for many points together.

`fem_rd.hybrid.feet_bins` remembers which facets are near, for those who ask again and again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from fem_rd.compiled import compiled

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
                look(self._corners, places, asked, members[near], distance - radius,
                     facet, weights, square)  # fmt: skip
                further = distance[:, -1] - radius < np.sqrt(square[asked])
                asked = asked[further] if width < len(members) else asked[:0]
                width = min(2 * width, len(members))
        return facet, weights, np.sqrt(square)

    def perhaps_within(self, points: Floats, distances: Floats) -> list[Indices]:
        """For each of the points (dim, n) all facets nearer than its distance, and some more."""
        found: list[list[Indices]] = [[] for _ in distances]
        for members, tree, radius in zip(self._classes, self._trees, self._radii, strict=True):
            near = tree.query_ball_point(points.T, distances + radius)
            for place, row in zip(found, near, strict=True):
                place.append(members[row])
        return [np.concatenate(row) for row in found]


@compiled
def look(
    corners: Floats,
    points: Floats,
    asked: Indices,
    candidates: Indices,
    least: Floats,
    facet: Indices,
    weights: Floats,
    square: Floats,
) -> None:
    """Take the nearest of the ``candidates`` (asked, k) of the points that are asked about.

    ``least`` (asked, k): what their distances exceed at least, rising along each row. ``facet``,
    ``weights`` and ``square`` of the distance are those of all points.
    """
    dim = points.shape[1]
    found = np.zeros(3)
    for row in range(len(asked)):
        point = asked[row]
        for column in range(candidates.shape[1]):
            if least[row, column] > 0.0 and least[row, column] ** 2 > square[point]:
                break
            candidate = candidates[row, column]
            distance = squared_distance(corners[candidate], points[point], found)
            nearer = distance < square[point]
            if nearer or (distance == square[point] and candidate < facet[point]):
                facet[point], square[point] = candidate, distance
                for corner in range(dim):
                    weights[point, corner] = found[corner]


@compiled
def squared_distance(corners: Floats, point: Floats, weights: Floats) -> float:
    """Of a point from a facet with ``corners`` (dim, dim); ``weights`` (3,) of the point of it."""
    dim = corners.shape[0]
    if dim == 3:
        _triangle(corners, point, weights)
    elif dim == 2:
        _segment(corners, point, weights)
    else:
        weights[0] = 1.0
    distance = 0.0
    for axis in range(dim):
        step = -point[axis]
        for corner in range(dim):
            step += weights[corner] * corners[corner, axis]
        distance += step * step
    return distance


@compiled
def _segment(corners: Floats, point: Floats, weights: Floats) -> None:
    """Weights of both ends at the nearest point of a segment."""
    along, length = 0.0, 0.0
    for axis in range(2):
        edge = corners[1, axis] - corners[0, axis]
        along += edge * (point[axis] - corners[0, axis])
        length += edge * edge
    weights[1] = min(max(along / length, 0.0), 1.0)
    weights[0] = 1.0 - weights[1]


@compiled
def _triangle(corners: Floats, point: Floats, weights: Floats) -> None:
    """Weights at the nearest point of a triangle: of its plane, or else of the nearest edge."""
    aa = ab = bb = ap = bp = 0.0
    for axis in range(3):
        a = corners[1, axis] - corners[0, axis]
        b = corners[2, axis] - corners[0, axis]
        p = point[axis] - corners[0, axis]
        aa += a * a
        ab += a * b
        bb += b * b
        ap += a * p
        bp += b * p
    area = aa * bb - ab * ab
    v, w = (bb * ap - ab * bp) / area, (aa * bp - ab * ap) / area
    if v >= 0.0 and w >= 0.0 and v + w <= 1.0:
        weights[0], weights[1], weights[2] = 1.0 - v - w, v, w
        return
    best, begin, part = np.inf, 0, 0.0
    for first in range(3):
        second = (first + 1) % 3
        along, length = 0.0, 0.0
        for axis in range(3):
            edge = corners[second, axis] - corners[first, axis]
            along += edge * (point[axis] - corners[first, axis])
            length += edge * edge
        share = min(max(along / length, 0.0), 1.0)
        square = 0.0
        for axis in range(3):
            foot = (1.0 - share) * corners[first, axis] + share * corners[second, axis]
            square += (foot - point[axis]) ** 2
        if square < best:
            best, begin, part = square, first, share
    weights[:] = 0.0
    weights[begin], weights[(begin + 1) % 3] = 1.0 - part, part
