"""Which facets of a surface can be the nearest ones, kept for each bin of space.

The particles of a run ask for the same places again and again: a bin finds its facets when it is
asked for the first time, and answers in a tenth of the time of a search.
"""

from __future__ import annotations

import numpy as np

from fem_rd.compiled import compiled
from fem_rd.hybrid.feet import FacetTrees, Floats, Indices, squared_distance

_MOST_BINS = 1_000_000
_MOST_OF_A_BIN = 48  # facets that can be the nearest; where there are more, trees are asked
_NEW, _CROWDED = -1, -2  # bins that nobody asked about, and those that are left to the trees
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
        self._begin = np.full(int(self._shape.prod()), _NEW)
        self._end = np.zeros_like(self._begin)
        self._members: Indices = np.empty(0, dtype=np.int64)
        self._least: Floats = np.empty(0)

    def __call__(self, points: Floats) -> tuple[Indices, Floats, Floats]:
        """Facet (n,), weights of its corners (n, dim) and distance (n,) of ``points`` (dim, n)."""
        points = np.ascontiguousarray(points)
        dim, count = points.shape
        facet, weights = np.empty(count, dtype=np.int64), np.empty((count, dim))
        square = np.empty(count)
        if self._look(points, facet, weights, square):
            if (new := facet[facet <= _CROWDED - 1]).size:
                self._fill(np.unique(_CROWDED - 1 - new))
                self._look(points, facet, weights, square)
            if (rest := np.flatnonzero(facet < 0)).size:
                facet[rest], weights[rest], distance = self._trees(points[:, rest])
                square[rest] = distance**2
        return facet, weights, np.sqrt(square)

    def _look(self, points: Floats, facet: Indices, weights: Floats, square: Floats) -> int:
        """In the bins; how many points have a negative ``facet`` now, as `_look_in_bins` says."""
        missed: int = _look_in_bins(
            self._corners, *self._frames, points, self._lower, self._size, self._shape, self._begin,
            self._end, self._members, self._least, facet, weights, square,
        )  # fmt: skip
        return missed

    def _fill(self, bins: Indices) -> None:
        """Find the facets of bins."""
        places = np.array(np.unravel_index(bins, tuple(self._shape)))
        middles = self._lower[:, None] + self._size * (places + 0.5)
        radius = (0.5 + _ROUND_OFF) * self._size * np.sqrt(len(middles))
        limits = self._trees(middles)[2] * (1 + _ROUND_OFF) + 2 * radius
        found = self._trees.perhaps_within(middles, limits)
        counts = np.array([len(perhaps) for perhaps in found])
        members: Indices = np.concatenate(found)
        least = np.empty(counts.sum())
        kept = _sift(
            self._corners, np.ascontiguousarray(middles.T), limits, radius, counts, members, least
        )
        chosen = least < np.inf
        ends = len(self._members) + np.cumsum(kept)
        crowded = kept == 0
        self._begin[bins] = np.where(crowded, _CROWDED, ends - kept)
        self._end[bins] = ends
        self._members = np.concatenate([self._members, members[chosen]])
        self._least = np.concatenate([self._least, least[chosen]])


def _frames(corners: Floats) -> tuple[Floats, Floats]:
    """Of facets: the unit normal and the gradients of the weights of corners 1, 2 in one array
    (facets, dim, dim), and the distance (facets, dim) of each corner from the opposite side."""
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
    return duals, heights


def _bin_size(extent: Floats, radius: float) -> float:
    """A third of the radius of a facet, more where there would be too many bins."""
    size = radius / 3 or float(extent.max(initial=0.0)) or 1.0
    while np.prod(np.ceil(extent / size) + 2) > _MOST_BINS:
        size *= 1.25
    return size


@compiled
def _look_in_bins(
    corners: Floats,
    duals: Floats,
    heights: Floats,
    points: Floats,
    lower: Floats,
    size: float,
    shape: Indices,
    begin: Indices,
    end: Indices,
    members: Indices,
    least: Floats,
    facet: Indices,
    weights: Floats,
    square: Floats,
) -> int:
    """Facet, weights and square of the distance of each point in a bin that knows its facets.

    Otherwise ``facet`` is -1: outside of the bins or in a crowded one; -3 - b: in the new bin b.
    """
    dim, count = points.shape
    found, point = np.zeros(3), np.zeros(dim)
    missed = 0
    for row in range(count):
        number, inside = 0, True
        for axis in range(dim):
            point[axis] = points[axis, row]
            place = np.floor((point[axis] - lower[axis]) / size)
            inside = inside and 0 <= place < shape[axis]
            number = number * shape[axis] + (int(place) if inside else 0)
        if not inside or begin[number] < 0:
            facet[row] = _CROWDED - 1 - number if inside and begin[number] == _NEW else -1
            missed += 1
            continue
        best, nearest = np.inf, -1
        for k in range(begin[number], end[number]):
            if least[k] > 0.0 and least[k] ** 2 > best:
                break
            candidate = members[k]
            outside, first, distance = 0.0, 1.0, 0.0
            for corner in range(dim):
                along = 0.0
                for axis in range(dim):
                    step = point[axis] - corners[candidate, 0, axis]
                    along += duals[candidate, corner, axis] * step
                if corner:
                    found[corner] = along
                    first -= along
                    outside = max(outside, -along * heights[candidate, corner])
                else:
                    distance = along * along
            outside = max(outside, -first * heights[candidate, 0])
            found[0] = first
            if outside > 0.0:  # no nearer than the plane and the line of an edge
                if (distance + outside * outside) * (1.0 - _ROUND_OFF) > best:
                    continue
                distance = squared_distance(corners[candidate], point, found)
            if distance < best or (distance == best and candidate < nearest):
                best, nearest = distance, candidate
                for corner in range(dim):
                    weights[row, corner] = found[corner]
        facet[row], square[row] = nearest, best
    return missed


@compiled
def _sift(
    corners: Floats,
    middles: Floats,
    limits: Floats,
    radius: float,
    counts: Indices,
    members: Indices,
    least: Floats,
) -> Indices:
    """How many of the ``counts`` facets of each bin can be the nearest, 0 where too many can.

    Those come first among ``members``, in the order of ``least``, what their distance exceeds in
    the bin; ``least`` is infinite for the others.
    """
    found, kept = np.zeros(3), np.zeros(len(counts), dtype=np.int64)
    begin = 0
    for row in range(len(counts)):
        end = begin + counts[row]
        for k in range(begin, end):
            distance = np.sqrt(squared_distance(corners[members[k]], middles[row], found))
            least[k] = distance - radius if distance <= limits[row] else np.inf
            kept[row] += distance <= limits[row]
        if kept[row] > _MOST_OF_A_BIN:
            least[begin:end], kept[row] = np.inf, 0
        order = np.argsort(least[begin:end])
        members[begin:end] = members[begin:end][order]
        least[begin:end] = least[begin:end][order]
        begin = end
    return kept
