"""Where a step may reach an interface from: places from which candidates are drawn uniformly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree

from fem_rd.compiled import compiled
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.mesh_walls import facet_distances
from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.open_boundary_schemes import layer_volume, uniform_depths
from fem_rd.particles.simplices import Indices
from fem_rd.particles.state import Floats, Integers

_ASKED = 6  # facets, with the nearest centres, of which one is the nearest
_ROUND_OFF = 1e-12
_SURFACE_PIECES = 6000  # into which a surface is cut at most: finer strips waste fewer candidates


class Near(Protocol):
    """A part of a domain with all that is near an interface."""

    @property
    def volume(self) -> float:
        """Length^dimension."""
        ...

    def sample(
        self, count: int, generator: np.random.Generator
    ) -> tuple[Floats, Indices | None]:
        """Uniform points (dimension, count), and the cells they are in where there are cells."""
        ...


@dataclass(frozen=True)
class Depth:
    """All that is less than ``width`` deep: of faces and spheres, in closed form."""

    opening: Opening
    width: float

    @property
    def volume(self) -> float:
        return layer_volume(self.opening, self.width)

    def sample(
        self, count: int, generator: np.random.Generator
    ) -> tuple[Floats, Indices | None]:
        depths = uniform_depths(self.opening, self.width)(count, generator)
        return self.opening.place(depths, generator)[0], None


@dataclass(frozen=True, eq=False)
class Pieces:
    """Simplices: ``corners`` (pieces, dimension + 1, dimension), ``cells`` they are part of."""

    corners: Floats
    cells: Indices

    @cached_property
    def volume(self) -> float:
        return float(self._ends[-1]) if self._ends.size else 0.0

    def sample(
        self, count: int, generator: np.random.Generator
    ) -> tuple[Floats, Indices | None]:
        chances = self.volume * generator.random(count)
        weights = generator.standard_exponential((count, self.corners.shape[1]))
        points, drawn = np.empty((self.corners.shape[2], count)), np.empty(count, dtype=np.int64)
        _place(chances, weights, self._ends, self._first, self.corners, points, drawn)
        return points, self.cells[drawn]

    @cached_property
    def _first(self) -> Integers:
        """The first piece that may be drawn in each of as many equal parts of the volume."""
        parts = np.arange(len(self.cells)) * ((1 - _ROUND_OFF) * self.volume / len(self.cells))
        return np.searchsorted(self._ends, parts, side="right")

    @cached_property
    def _ends(self) -> Floats:
        edges = self.corners[:, 1:] - self.corners[:, :1]
        dimension = self.corners.shape[2]
        return np.cumsum(np.abs(np.linalg.det(edges)) / math.factorial(dimension))


@compiled
def _place(
    chances: Floats,
    weights: Floats,
    ends: Floats,
    first: Integers,
    corners: Floats,
    points: Floats,
    drawn: Integers,
) -> None:
    """The pieces ``drawn`` by chances of the volume, and in each the point that weights make."""
    last, (parts, corners_each, dimension) = len(ends) - 1, corners.shape
    scale = parts / ends[last]
    for row in range(len(chances)):
        piece = first[min(int(chances[row] * scale), last)]
        while piece < last and ends[piece] <= chances[row]:
            piece += 1
        drawn[row] = piece
        total = 0.0
        for k in range(corners_each):
            total += weights[row, k]
        for axis in range(dimension):
            place = 0.0
            for k in range(corners_each):
                place += weights[row, k] / total * corners[piece, k, axis]
            points[axis, row] = place


def near_wall(region: MeshRegion, wall: str, reach: float) -> Pieces:
    """All of a region that is nearer than ``reach`` to the facets of a wall, and a little more.

    Cells that are partly nearer are halved while they are long, and those farther away left out.
    """
    mesh = region.mesh
    chosen = mesh.facet_walls == region.walls.index(wall)
    facets, area = mesh.points[mesh.facets[chosen]], float(mesh.facet_areas[chosen].sum())
    fineness = reach / 4
    if mesh.dimension > 1:
        fineness = max(fineness, (area / _SURFACE_PIECES) ** (1 / (mesh.dimension - 1)))
        while (long := _longest(facets)[0] > fineness).any():
            facets = np.concatenate([facets[~long], *_halves(facets[long])])
    nearest = _Nearest(facets)
    corners = mesh.points[mesh.cells]
    cells: Indices = np.arange(len(mesh.cells), dtype=np.int32)
    done: list[tuple[Floats, Indices]] = []
    while len(cells):
        size = _radii(corners)
        least, most = nearest.bounds(corners.mean(axis=1), reach + float(size.max()))
        within = (most + size <= reach) | (_longest(corners)[0] <= 2 * fineness)
        near = least <= reach + size
        done.append((corners[near & within], cells[near & within]))
        corners = np.concatenate(_halves(corners[near & ~within]))
        cells = np.asarray(np.tile(cells[near & ~within], 2))
    return Pieces(*(np.concatenate(parts) for parts in zip(*done, strict=True)))


class _Nearest:
    """Bounds of the distance of points from the nearest of some facets (n, dim, dim)."""

    def __init__(self, facets: Floats) -> None:
        self._facets, self._spread = facets, float(_radii(facets).max())
        self._tree = cKDTree(facets.mean(axis=1))

    def bounds(self, points: Floats, farthest: float) -> tuple[Floats, Floats]:
        """The least and the most (points,) that it can be, infinite where beyond ``farthest``."""
        limit = farthest + self._spread
        apart, facet = self._tree.query(points, _ASKED, distance_upper_bound=limit)
        point, place = np.nonzero(np.isfinite(apart))
        most = np.full(apart.shape, np.inf)
        most[point, place] = facet_distances(points[point], self._facets, facet[point, place])
        nearest = most.min(axis=1)
        return np.minimum(nearest, apart[:, -1] - self._spread), nearest


def _longest(corners: Floats) -> tuple[Floats, Integers]:
    """The length (n,) of the longest edge of each simplex, and which of the pairs it is."""
    pairs = list(combinations(range(corners.shape[1]), 2))
    if not pairs:
        return np.zeros(len(corners)), np.zeros(len(corners), dtype=np.int64)
    lengths = np.stack(
        [np.linalg.norm(corners[:, a] - corners[:, b], axis=1) for a, b in pairs], axis=1
    )
    return lengths.max(axis=1), lengths.argmax(axis=1)


def _halves(corners: Floats) -> tuple[Floats, Floats]:
    """Each simplex cut in two at the middle of its longest edge."""
    pairs = np.array(list(combinations(range(corners.shape[1]), 2)))
    ends, rows = pairs[_longest(corners)[1]], np.arange(len(corners))
    middle = (corners[rows, ends[:, 0]] + corners[rows, ends[:, 1]]) / 2
    one, other = corners.copy(), corners.copy()
    one[rows, ends[:, 0]] = middle
    other[rows, ends[:, 1]] = middle
    return one, other


def _radii(corners: Floats) -> Floats:
    """Of balls about the means of the corners that hold the simplices."""
    middle = corners.mean(axis=1, keepdims=True)
    return np.linalg.norm(corners - middle, axis=2).max(axis=1)
