"""Which particles may be within a radius of an interface: cheap, and never one too few."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.compiled import compiled
from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.state import Floats, Integers

Near = Callable[[Floats, float], Integers]
"""Points (dimension, n) and a radius, to the places of those that may be within it."""

_MOST = 1 << 20  # boxes


def near_opening(opening: Opening) -> Near:
    """By depth below an interface in closed form."""

    def near(points: Floats, radius: float) -> Integers:
        return np.flatnonzero(opening.depths(points) < radius)

    return near


class NearFacets:
    """By a raster of boxes around facets of any shape: one look-up for each point.

    ``vertices``: (facets, dimension, dimension) as in `fem_rd.particles.open_boundary_places`;
    ``reach``: the largest radius that will be asked for. The boxes have edges of a quarter of it,
    or longer ones where that would be too many.
    """

    def __init__(self, vertices: Floats, reach: float) -> None:
        low, high = vertices.min(axis=1) - reach, vertices.max(axis=1) + reach
        self._lower, sides = low.min(axis=0), high.max(axis=0) - low.min(axis=0)
        finest = (float(sides.prod()) / _MOST) ** (1 / sides.size)
        self._edge, self._reach = max(reach / 4, finest), reach
        self._shape = (sides / self._edge).astype(np.int64) + 1
        self._marked = _covered(self._box(low.T), self._box(high.T), self._shape).ravel()

    def __call__(self, points: Floats, radius: float) -> Integers:
        """Places of the points (dimension, n) that may be so near; ``radius`` <= reach."""
        if radius > self._reach:
            raise ValueError(f"a radius of {radius!r} is more than the reach {self._reach!r}")
        return _places(points, self._lower, self._edge, self._shape, self._marked)

    def _box(self, points: Floats) -> Integers:
        return np.floor((points - self._lower[:, None]) / self._edge).astype(np.int64)


@compiled
def _places(
    points: Floats, lower: Floats, edge: float, shape: Integers, marked: npt.NDArray[np.bool_]
) -> Integers:
    """Which of the points (dimension, n) are in marked boxes, ascending."""
    found, count = np.empty(points.shape[1], dtype=np.int64), 0
    for point in range(points.shape[1]):
        box, inside = 0, True
        for axis in range(len(shape)):
            along = np.floor((points[axis, point] - lower[axis]) / edge)
            inside = inside and 0 <= along < shape[axis]
            box = box * shape[axis] + int(along) if inside else 0
        if inside and marked[box]:
            found[count] = point
            count += 1
    return found[:count].copy()


def _covered(low: Integers, high: Integers, shape: Integers) -> npt.NDArray[np.bool_]:
    """Boxes that lie in one of the ranges from ``low`` to ``high``, both (dimension, ranges)."""
    edges: npt.NDArray[Any] = np.zeros(shape + 1, dtype=np.int64)  # its sums count the ranges
    for ends in product((False, True), repeat=len(shape)):
        corner = [high[axis] + 1 if end else low[axis] for axis, end in enumerate(ends)]
        np.add.at(edges, tuple(corner), (-1) ** sum(ends))
    for axis in range(len(shape)):
        edges = edges.cumsum(axis=axis)
    return (edges > 0)[(slice(-1),) * len(shape)]
