"""Which facets of a surface can be the nearest ones, kept for each bin of space.

The particles of a run ask for the same places again and again: a bin finds its facets when it is
asked for the first time, and answers in a tenth of the time of a search.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fem_rd.hybrid.feet import FacetTrees, Floats, Indices
from fem_rd.particles.build import as_doubles, kernels, pointer

_MOST_BINS = 4_000_000
_NEW, _CROWDED = -1, -2  # bins that nobody asked about, and those that are left to the trees
_FEW = 64  # new bins, of which others are then likely to be asked about one by one
_LIST = -3  # minus the number of a new bin, in the place of a facet
_ROUND_OFF = 1e-9


class NearestFacet:
    """Facets with ``corners`` (facets, dim, dim): points, segments or triangles of any shape.

    In a bin of radius r about its middle, none can be nearest that is farther from the middle than
    the nearest one by more than 2 r. Outside of the bins, trees are asked.
    """

    def __init__(self, corners: Floats) -> None:
        self._corners = np.ascontiguousarray(corners)
        self._trees = FacetTrees(self._corners)
        self._frames = _frames(self._corners)
        lower, upper = self._trees.box
        self._size = _bin_size(upper - lower, self._trees.typical_radius)
        self._shape = np.ceil((upper - lower) / self._size).astype(np.int64) + 2
        self._lower = (lower + upper - self._size * self._shape) / 2
        self._bins = np.full(int(self._shape.prod()), _NEW, dtype=np.int32)
        self._members: npt.NDArray[np.int32] = np.empty(0, dtype=np.int32)
        ffi, _ = kernels()
        self._surface = ffi.new("fem_rd_surface *")
        self._surface.dimension = dim = len(lower)
        self._surface.shape[0:dim] = self._shape.tolist()
        self._surface.lower[0:dim] = self._lower.tolist()
        self._surface.inverse = 1 / self._size
        self._surface.corners = pointer("double *", self._corners)
        self._surface.frames = pointer("double *", self._frames)
        self._surface.bins = pointer("int32_t *", self._bins)

    def __call__(self, points: Floats) -> tuple[Indices, Floats, Floats]:
        """Facet (n,), weights of its corners (n, dim) and distance (n,) of ``points`` (dim, n)."""
        points = as_doubles(points)
        dim, count = points.shape
        facet, weights = np.empty(count, dtype=np.int64), np.empty((count, dim))
        square = np.empty(count)
        if self._look(points, facet, weights, square):
            if (new := facet[facet <= _LIST]).size:
                self._fill(np.unique(_LIST - new))
                self._look(points, facet, weights, square)
            if (rest := np.flatnonzero(facet < 0)).size:
                facet[rest], weights[rest], distance = self._trees(points[:, rest])
                square[rest] = distance**2
        return facet, weights, np.sqrt(square)

    def values(self, points: Floats, nodes: Indices, nodal: Floats) -> Floats:
        """The P1 function with these values (nodes,) at the nearest points, (n,).

        ``nodes`` (facets, dim): those of each facet.
        """
        points, nodal = as_doubles(points), as_doubles(nodal)
        found = np.empty(points.shape[1])
        _, lib = kernels()

        def interpolate(missed: Indices) -> int:
            unknown: int = lib.fem_rd_feet_values(
                self._surface, len(found), len(found), pointer("double *", points),
                pointer("int64_t *", nodes), pointer("double *", nodal),
                pointer("double *", found), pointer("int64_t *", missed),
            )  # fmt: skip
            return unknown

        rest = self._unknown(points, interpolate)
        if rest.size:
            facet, weights, _ = self._trees(points[:, rest])
            found[rest] = (nodal[nodes[facet]] * weights).sum(axis=1)
        return found

    def deposit(self, points: Floats, nodes: Indices, amount: float, out: Floats) -> None:
        """Add the amount to ``out`` (nodes,) for each of the points, at the nearest one."""
        points, found = as_doubles(points), np.zeros(len(out))
        _, lib = kernels()

        def share_out(missed: Indices) -> int:
            found[:] = 0.0
            unknown: int = lib.fem_rd_feet_deposit(
                self._surface, len(missed), len(missed), pointer("double *", points),
                pointer("int64_t *", nodes), amount, pointer("double *", found),
                pointer("int64_t *", missed),
            )  # fmt: skip
            return unknown

        rest = self._unknown(points, share_out)
        if rest.size:
            facet, weights, _ = self._trees(points[:, rest])
            np.add.at(found, nodes[facet], amount * weights)
        out += found

    def _unknown(self, points: Floats, do: Callable[[Indices], int]) -> Indices:
        """Do what writes the points that it missed; again if these were in new bins.

        So the bits do not depend on which bins were known. Returns which are left to the trees.
        """
        missed = np.empty(points.shape[1], dtype=np.int64)
        rest = missed[: do(missed)]
        if rest.size and self._learn(points[:, rest]):
            rest = missed[: do(missed)]
        return rest

    def _learn(self, points: Floats) -> bool:
        """Fill the bins that points are in; whether there were any to fill."""
        facet, square = np.empty(points.shape[1], dtype=np.int64), np.empty(points.shape[1])
        self._look(as_doubles(points), facet, np.empty(points.shape[::-1]), square)
        new = np.unique(_LIST - facet[facet <= _LIST])
        if new.size:
            self._fill(self._around(new) if new.size < _FEW else new)
        return new.size > 0

    def _around(self, bins: Indices) -> Indices:
        """The bins and those beside them of which nothing is known."""
        dim = len(self._shape)
        beside = np.indices((3,) * dim).reshape(dim, 1, -1) - 1
        places = np.array(np.unravel_index(bins, tuple(self._shape)))[:, :, None] + beside
        inside = ((places >= 0) & (places < self._shape[:, None, None])).all(axis=0)
        found = np.unique(np.ravel_multi_index(tuple(places[:, inside]), tuple(self._shape)))
        return found[self._bins[found] == _NEW]

    def _look(self, points: Floats, facet: Indices, weights: Floats, square: Floats) -> int:
        """In the bins; how many points have a negative ``facet`` now (kernels/feet.h)."""
        _, lib = kernels()
        unknown: int = lib.fem_rd_feet(
            self._surface, len(facet), len(facet), pointer("double *", points),
            pointer("int64_t *", facet), pointer("double *", weights), pointer("double *", square),
        )  # fmt: skip
        return unknown

    def _fill(self, bins: Indices) -> None:
        """Find the facets of bins."""
        places = np.array(np.unravel_index(bins, tuple(self._shape)))
        middles = self._lower[:, None] + self._size * (places + 0.5)
        radius = (0.5 + _ROUND_OFF) * self._size * np.sqrt(len(middles))
        limits = self._trees(middles)[2] * (1 + _ROUND_OFF) + 2 * radius
        found = self._trees.perhaps_within(middles, limits)
        counts = np.array([len(perhaps) for perhaps in found])
        members = np.concatenate(found)
        kept = self._sift(as_doubles(middles.T), limits, counts, members)
        ends = np.cumsum(kept)
        places = np.arange(kept.sum()) + np.repeat(np.cumsum(counts) - counts - (ends - kept), kept)
        self._bins[bins] = np.where(kept, len(self._members) + ends - kept, _CROWDED)
        self._members = np.concatenate([self._members, members[places].astype(np.int32)])
        self._surface.members = pointer("int32_t *", self._members)

    def _sift(
        self, middles: Floats, limits: Floats, counts: Indices, members: Indices
    ) -> Indices:
        """How many of the facets of each bin can be nearest: they become its list
        (kernels/feet.h)."""
        kept = np.empty_like(counts)
        _, lib = kernels()
        lib.fem_rd_feet_sift(
            self._surface, len(counts), pointer("double *", middles), pointer("double *", limits),
            pointer("int64_t *", counts), pointer("int64_t *", members),
            pointer("int64_t *", kept),
        )  # fmt: skip
        return kept


def _frames(corners: Floats) -> Floats:
    """Of each facet the first corner, unit normal, gradients of the weights of corners 1 and 2, and
    the distance of each corner from the opposite side: (facets, dim (dim + 2))."""
    dim = corners.shape[2]
    edges = corners[:, 1:] - corners[:, :1]
    duals = np.ones_like(corners)
    heights = np.ones(corners.shape[:2])
    if dim > 1:
        duals[:, 1:] = np.swapaxes(np.linalg.pinv(edges), 1, 2)
        normal = np.linalg.svd(edges)[2][:, -1]
        duals[:, 0] = normal
        heights[:, 1:] = 1.0 / np.linalg.norm(duals[:, 1:], axis=2)
        heights[:, 0] = 1.0 / np.linalg.norm(duals[:, 1:].sum(axis=1), axis=1)
    return np.hstack([corners[:, 0], duals.reshape(len(corners), -1), heights])


def _bin_size(extent: Floats, radius: float) -> float:
    """A sixth of the radius of a facet, more where there would be too many bins."""
    size = radius / 6 or float(extent.max(initial=0.0)) or 1.0
    while np.prod(np.ceil(extent / size) + 2) > _MOST_BINS:
        size *= 1.25
    return size

