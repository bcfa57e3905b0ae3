"""A region of a mesh as a place for particles, which walk through it from cell to cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, log2
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError, NumericalError
from fem_rd.particles.build import as_doubles, kernels, pointer
from fem_rd.particles.domains import (
    Exits,
    Flight,
    Mobility,
    complete_walls,
    flying_walls,
    shift_of,
)
from fem_rd.particles.mesh_bends import bends
from fem_rd.particles.mesh_room import Room, room_of
from fem_rd.particles.mesh_structs import MeshStructs, RoomStruct, WallStruct
from fem_rd.particles.mesh_walls import BRIDGED, REACH, NearFacets, near_facets
from fem_rd.particles.random import Purpose, Streams
from fem_rd.particles.simplices import Indices, Simplices
from fem_rd.particles.state import Floats, Integers, Population
from fem_rd.particles.walls import Kind, Periodic, Wall, wall_code

_KEPT = 32  # sets of walls, such as one per species
_BY_LINES = {Kind.ABSORBING: Kind.ABSORBING_END}  # paths with velocities are their lines


class LostParticlesError(NumericalError):
    """Particles that are in no cell: they were put, or drifted, outside of the region."""


@dataclass(frozen=True)
class FacetExits(Exits):
    """Who left in a step, and through which ``facet`` (a place in `Simplices.facets`)."""

    facet: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int32))


@dataclass(frozen=True)
class MeshRegion:
    """Intervals, triangles or tetrahedra that particles walk through; cells are straight.

    The rest of a step is mirrored at every reflecting facet that it meets. This is exact at plane
    walls and right-angled corners, and a uniform density stays uniform in any shape; a drift
    towards the wall makes it of order dt. Taking walls see both ends of a step and their distances
    x, y from the nearest facet of the wall, as far as 4 sqrt(2 D dt): the bridge exp(-x y/(D dt))
    and its kin in `walls`, exact for a plane. Facets that stand for a surface have its mean
    curvature (`mesh_bends`), with which partial absorption is as exact as for a sphere: within .3 %
    of what it takes from a uniform density in steps of up to a third of the radius. Where an
    absorbing wall ends in the plane of a reflecting one, the bridge is that against a half plane,
    exact for a straight rim that is the only one within reach; where other walls meet in one plane,
    the rim is known to some sqrt(2 D dt) only. Facets of one wall that differ by less than 60
    degrees are one wall, others are asked in turn: exact where they make a right angle. Steps must
    be short against gaps between parts of the boundary, since distances do not see what is in
    between.

    Particles with velocities fly along straight lines, which facets mirror: exact for plane facets.

    Populations are given ``cells`` where they have none. Who is too far from all walls to meet one
    in a step does not walk: the cell of such a particle becomes -1, not known, until it is wanted
    (`cells_of`); one that is wrong is put right. What a particle does is the same whether it walks
    or not, and depends on neither its place nor its rank.
    """

    mesh: Simplices
    _near: dict[tuple[Any, ...], NearFacets] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _kept: dict[tuple[Any, ...], WallStruct] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _distances: dict[tuple[int, ...], RoomStruct] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def dimension(self) -> int:
        return self.mesh.dimension

    @cached_property
    def volume(self) -> float:
        return float(self.mesh.volumes.sum())

    @property
    def walls(self) -> tuple[str, ...]:
        return self.mesh.walls

    def area(self, wall: str) -> float:
        index = self.walls.index(wall)
        return float(self.mesh.facet_areas[self.mesh.facet_walls == index].sum())

    def contains(self, points: Floats) -> npt.NDArray[np.bool_]:
        return self.locate(points) >= 0

    def locate(self, points: Floats) -> Indices:
        """The cells that the points (dimension, n) are in, -1 for those outside of all."""
        x = as_doubles(points)
        found = np.full(x.shape[1], -1, dtype=np.int32)
        self._locate(x, x.shape[1], found)
        return found

    def cells_of(self, population: Population) -> Indices:
        """The cell that each particle is in, (count,): a view of what the population now knows.

        Raises `LostParticlesError` where particles are in none.
        """
        self._give_cells(population)
        self._locate(population.positions, population.count, population.cell)
        lost = np.flatnonzero(population.cell < 0)
        if lost.size:
            raise _lost(population, lost.size, int(lost[0]))
        return population.cell

    def cell_counts(self, population: Population) -> Integers:
        """How many particles are in each cell, (cells,)."""
        return np.bincount(self.cells_of(population), minlength=len(self.mesh.cells))

    def _locate(self, x: Floats, count: int, cells: Indices) -> None:
        _, lib = kernels()
        lib.fem_rd_locate(
            self._kernel.mesh, self._kernel.bins, pointer("double *", x), x.shape[1], count,
            pointer("int32_t *", cells),
        )  # fmt: skip

    def _give_cells(self, population: Population) -> Indices:
        if population.cells is None:
            population.cells = np.full(population.capacity, -1, dtype=np.int32)
        return population.cells

    def sample(self, count: int, generator: np.random.Generator) -> Floats:
        shares = np.cumsum(self.mesh.volumes) / self.volume
        cells = np.minimum(np.searchsorted(shares, generator.random(count)), len(shares) - 1)
        return self.sample_in(cells, generator)

    def sample_in(self, cells: npt.ArrayLike, generator: np.random.Generator) -> Floats:
        """One uniform point in each of the cells (n,), shape (dimension, n)."""
        corners = self.mesh.points[self.mesh.cells[np.asarray(cells)]]
        weights = generator.standard_exponential(corners.shape[:2])
        weights /= weights.sum(axis=1, keepdims=True)
        return np.ascontiguousarray(np.einsum("nk,nka->an", weights, corners))

    def move(
        self,
        population: Population,
        mobility: Mobility,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
    ) -> FacetExits:
        """One step of all particles, in place; a wall that is not named reflects.

        Raises `LostParticlesError` if particles cannot be placed: these stay where they were, all
        others have moved.
        """
        codes = [wall_code(w, mobility.diffusion, mobility.dt) for w in self._complete(walls)]
        shift = shift_of(population, mobility)
        return self._walk(population, codes, mobility.spread, shift, streams, step)

    def fly(
        self,
        population: Population,
        flight: Flight,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
    ) -> FacetExits:
        """Flight, friction and noise, flight; facets mirror velocities, or take particles."""
        chosen = flying_walls(self._complete(walls))
        codes = [(_BY_LINES.get(kind, kind), rate) for kind, rate in
                 (wall_code(wall, 0.0, flight.half) for wall in chosen)]  # fmt: skip
        first = self._glide(population, flight.half, codes, streams, step)
        v = population.v
        last = v[:, first.particle]
        normals = streams.normals(self.dimension, population.id, step, Purpose.MOVE)
        v[:] = flight.decay * v + flight.noise * normals.astype(np.float64)
        v[:, first.particle] = 0.0  # who left stays where it is
        exits = _both(first, self._glide(population, flight.half, codes, streams, step))
        v[:, first.particle] = last
        return exits

    def _glide(
        self,
        population: Population,
        time: float,
        codes: Sequence[tuple[Kind, float]],
        streams: Streams,
        step: int,
    ) -> FacetExits:
        """Straight on, with velocities."""
        shift = shift_of(population, Mobility(0.0, time, population.v))
        return self._walk(
            population, codes, 0.0, shift, streams, step, pointer("double *", population.moving)
        )

    def _walk(
        self,
        population: Population,
        codes: Sequence[tuple[Kind, float]],
        spread: float,
        shift: tuple[Any, int, int],
        streams: Streams,
        step: int,
        velocities: Any = None,
    ) -> FacetExits:
        cells = self._give_cells(population)
        takes = any(kind != Kind.REFLECTING for kind, _ in codes)
        who = np.empty(population.count if takes else 0, dtype=np.int64)
        facet = np.empty(who.size, dtype=np.int32)
        ffi, lib = kernels()
        lost = ffi.new("int64_t[2]")
        gone = lib.fem_rd_walk(
            self._kernel.mesh, self._kernel.bins, self._boundary(codes, spread).walls,
            self._free(codes).room, population.count, population.capacity,
            pointer("double *", population.positions), velocities or ffi.NULL,
            pointer("int32_t *", cells), pointer("uint64_t *", population.ids),
            streams.key, step, spread, *shift, pointer("int64_t *", who),
            pointer("int32_t *", facet), lost, lost + 1,
        )  # fmt: skip
        if gone < 0:
            raise MemoryError("no memory for the walls of a mesh region")
        if lost[0]:
            raise _lost(population, lost[0], lost[1])
        through = facet[:gone].copy()
        return FacetExits(
            population.count, who[:gone].copy(), self.mesh.facet_walls[through], facet=through
        )

    def _complete(self, walls: Mapping[str, Wall]) -> tuple[Wall, ...]:
        for name, wall in walls.items():
            if isinstance(wall, Periodic):
                raise CaseError("a wall of a mesh region cannot be periodic", key=name)
        return complete_walls(self, walls)

    @cached_property
    def _kernel(self) -> MeshStructs:
        return MeshStructs(self.mesh)

    @cached_property
    def _bends(self) -> Floats:
        return bends(self.mesh)

    def _boundary(self, codes: Sequence[tuple[Kind, float]], spread: float) -> WallStruct:
        """What the last steps with the same walls used; few sets of walls are in use at a time."""
        key = (*codes, spread)
        if key not in self._kept:
            felt = tuple(index for index, (kind, _) in enumerate(codes) if kind in BRIDGED)
            near = self._near_facets(felt, REACH * spread) if felt and spread else None
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = WallStruct(self.mesh, codes, near, REACH * spread, self._bends)
        return self._kept[key]

    @cached_property
    def _room(self) -> Room:
        return room_of(self.mesh, self.locate)

    def _free(self, codes: Sequence[tuple[Kind, float]]) -> RoomStruct:
        """Kept for each set of walls that are felt from afar."""
        felt = tuple(index for index, (kind, _) in enumerate(codes) if kind in BRIDGED)
        if felt not in self._distances:
            self._distances[felt] = RoomStruct(self._room, np.isin(self.mesh.facet_walls, felt))
        return self._distances[felt]

    def _near_facets(self, walls: tuple[int, ...], reach: float) -> NearFacets:
        """Kept for reaches in steps of 2^(1/4), so that steps of changing length share them."""
        level = ceil(4 * log2(reach))
        if (walls, level) not in self._near:
            self._near[walls, level] = near_facets(self.mesh, walls, 2 ** (level / 4))
        return self._near[walls, level]


def _both(first: FacetExits, second: FacetExits) -> FacetExits:
    """Who left in two parts of a step: nobody in both."""
    particle = np.concatenate((first.particle, second.particle))
    order = np.argsort(particle)
    wall = np.concatenate((first.wall, second.wall))[order]
    facet = np.concatenate((first.facet, second.facet))[order]
    return FacetExits(first.count, particle[order], wall, facet=facet)


def _lost(population: Population, count: int, first: int) -> LostParticlesError:
    place, identity = population.x[:, first].tolist(), int(population.id[first])
    return LostParticlesError(
        f"{count} particles are in no cell of the mesh region; particle {identity} is one, "
        f"at {place}",
        remedy="put particles inside of the region, and let drift and dt be finite",
    )
