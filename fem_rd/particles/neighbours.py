"""Cell lists: particles sorted by the cell of a grid they are in, to find who is near to whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError
from fem_rd.particles.build import kernels, pointer
from fem_rd.particles.domains import Box
from fem_rd.particles.domains_round import Ball, Shell
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.state import Population
from fem_rd.particles.walls import Periodic, Wall

Places = npt.NDArray[np.int32]
Array = npt.NDArray[Any]
Corners = tuple[tuple[float, ...], tuple[float, ...]]

PADDING = 8  # kernels read so many numbers at a time, past the end if need be
_MOST_CELLS = 4  # per particle: more cost more than they save


class Walled(Protocol):
    """A domain, as far as neighbours are concerned."""

    @property
    def dimension(self) -> int: ...

    @property
    def walls(self) -> tuple[str, ...]: ...


def extent(domain: Walled) -> Corners:
    """The lower and the upper corner of the box around a domain."""
    if isinstance(domain, Ball | Shell):
        radius = domain.radius if isinstance(domain, Ball) else domain.outer
        centre = domain.centre or (0.0,) * domain.dimension
        return tuple(x - radius for x in centre), tuple(x + radius for x in centre)
    if isinstance(domain, MeshRegion):
        corners = domain.mesh.points[np.unique(domain.mesh.cells)]
        return tuple(corners.min(axis=0).tolist()), tuple(corners.max(axis=0).tolist())
    if isinstance(domain, Box):
        return domain.lower, domain.upper
    raise TypeError(f"the extent of a {type(domain).__name__} is not known")


def periodic_axes(domain: Walled, walls: Mapping[str, Wall]) -> tuple[bool, ...]:
    """Along which axes the domain repeats itself; only boxes do."""
    kinds = [isinstance(walls.get(name), Periodic) for name in domain.walls]
    if not any(kinds):
        return (False,) * domain.dimension
    return tuple(kinds[0::2])


@dataclass(frozen=True)
class Grid:
    """Cells of one size that fill a box: ``lower`` and ``upper``, (dimension,), and how many.

    Two points within half an edge of each other are in the same cell or in neighbours, images of
    periodic axes included.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    periodic: tuple[bool, ...]
    cells: tuple[int, ...]

    @classmethod
    def fitting(
        cls, corners: Corners, periodic: Sequence[bool], radius: float, particles: int
    ) -> Grid:
        """The grid for pairs within ``radius``: edges of two radii, or longer for few particles.

        ``corners``: as `extent` gives them. Raises `CaseError` where a periodic axis is shorter
        than two radii: a particle would see two images of another.
        """
        lower, upper = corners
        sides = np.subtract(upper, lower)
        for side, repeats in zip(sides, periodic, strict=True):
            if repeats and side < 2 * radius:
                message = "a periodic box is at least two reaction radii long"
                raise CaseError(message, found=float(side), valid=f">= {2 * radius}")
        filled = float(sides.prod()) / (_MOST_CELLS * max(particles, 1))
        edge = max(2 * radius, filled ** (1 / len(lower)))
        cells = tuple(max(1, math.floor(side / edge)) for side in sides)
        return cls(lower, upper, tuple(periodic), cells)

    @property
    def size(self) -> int:
        """The number of cells."""
        return math.prod(self.cells)

    def fill(self, struct: Any) -> None:
        """Write the grid into a ``fem_rd_cells``."""
        struct.dimension = len(self.cells)
        for axis in range(3):
            given = axis < len(self.cells)
            length = self.upper[axis] - self.lower[axis] if given else 1.0
            struct.n[axis] = self.cells[axis] if given else 1
            struct.periodic[axis] = given and self.periodic[axis]
            struct.lower[axis] = self.lower[axis] if given else 0.0
            struct.length[axis] = length
            struct.inverse[axis] = struct.n[axis] / length


@dataclass(eq=False)
class Sorted:
    """The particles of one population in the order of their cells, and where each cell starts.

    ``start`` (cells + 1,); ``head`` (cells,), a list of newcomers by cell that kernels leave empty.
    """

    start: Places = field(default_factory=lambda: np.zeros(1, dtype=np.int32))
    head: Places = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    _place: Places = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    _spare: dict[str, Array] = field(default_factory=dict)

    def sort(self, population: Population, grid: Grid) -> None:
        """Put the particles in the order of their cells; those of one cell keep theirs.

        The arrays of the population change places with spare ones.
        """
        population.reserve(population.count + PADDING)
        if self.head.size != grid.size:
            self.start = np.zeros(grid.size + 1, dtype=np.int32)
            self.head = np.full(grid.size, -1, dtype=np.int32)
        if self._place.size < population.count:
            self._place = np.zeros(population.capacity, dtype=np.int32)
        ffi, lib = kernels()
        cells = ffi.new("fem_rd_cells *")
        grid.fill(cells)
        place, count = pointer("int32_t *", self._place), population.count
        positions = pointer("double *", population.positions)
        lib.fem_rd_cells_of(cells, positions, population.capacity, count, place)
        lib.fem_rd_cells_places(place, count, pointer("int32_t *", self.start), grid.size)
        self._move(population)

    def struct(self, population: Population) -> Any:
        """A ``fem_rd_sorted``, as long as the population stays as it is."""
        ffi, _ = kernels()
        found = ffi.new("fem_rd_sorted *")
        found.x = pointer("double *", population.positions)
        found.stride, found.count = population.capacity, population.count
        found.start = pointer("int32_t *", self.start)
        return found

    def _move(self, population: Population) -> None:
        population.positions = self._moved(population, "positions", population.positions)
        population.ids = self._moved(population, "ids", population.ids)
        if population.velocities is not None:
            population.velocities = self._moved(population, "velocities", population.velocities)
        if population.cells is not None:
            population.cells = self._moved(population, "cells", population.cells)

    def _moved(self, population: Population, name: str, array: Array) -> Array:
        """The array in its new order; the old one is kept for the next time."""
        target = self._spare.get(name)
        if target is None or target.shape != array.shape:
            target = np.zeros_like(array)
        _, lib = kernels()
        move = lib.fem_rd_cells_move_8 if array.itemsize == 8 else lib.fem_rd_cells_move_4
        place = pointer("int32_t *", self._place)
        for row, into in zip(np.atleast_2d(array), np.atleast_2d(target), strict=True):
            move(place, population.count, pointer("void *", row), pointer("void *", into))
        self._spare[name] = array
        return target
