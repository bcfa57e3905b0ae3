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
from fem_rd.particles.domains import Exits, Mobility, complete_walls, shift_of
from fem_rd.particles.mesh_bins import bins_of
from fem_rd.particles.mesh_walls import BRIDGED, REACH, NearFacets, near_facets, rims
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import Indices, Simplices
from fem_rd.particles.state import Floats, Population
from fem_rd.particles.walls import Kind, Periodic, Wall, wall_code

_TOLERANCE = 1e-11  # of the size of the mesh: how far outside of its cell a particle is tolerated
_KEPT = 32  # sets of walls, such as one per species
_LANES = 4  # facets that kernels look at together


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
    and its kin in `walls`, exact for a plane. A wall that bends with radius R adds an error of
    order D dt/R^2, and facets that stand for it that of the mesh. Where an absorbing wall ends in
    the plane of a reflecting one, the bridge is that against a half plane, exact for a straight rim
    that is the only one within reach; where other walls meet in one plane, the rim is known to some
    sqrt(2 D dt) only. Facets of one wall that differ by less than 60 degrees are one wall, others
    are asked in turn: exact where they make a right angle. Steps must be short against gaps between
    parts of the boundary, since distances do not see what is in between.

    Populations are given ``cells`` where they have none, and a particle's cell is looked up where
    it is not the one it is in. What a particle does depends on neither its place nor its rank.
    """

    mesh: Simplices
    _near: dict[tuple[Any, ...], NearFacets] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _kept: dict[tuple[Any, ...], _Boundary] = field(
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
        found = np.empty(x.shape[1], dtype=np.int32)
        _, lib = kernels()
        lib.fem_rd_locate(
            self._kernel.mesh, self._kernel.bins, pointer("double *", x), x.shape[1], x.shape[1],
            pointer("int32_t *", found),
        )  # fmt: skip
        return found

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
        if population.cells is None:
            population.cells = np.full(population.capacity, -1, dtype=np.int32)
        takes = any(kind != Kind.REFLECTING for kind, _ in codes)
        who = np.empty(population.count if takes else 0, dtype=np.int64)
        facet = np.empty(who.size, dtype=np.int32)
        shift, row, each = shift_of(population, mobility)
        boundary = self._boundary(codes, mobility.spread)
        ffi, lib = kernels()
        lost = ffi.new("int64_t[2]")
        gone = lib.fem_rd_walk(
            self._kernel.mesh, self._kernel.bins, boundary.walls, population.count,
            population.capacity, pointer("double *", population.positions),
            pointer("int32_t *", population.cells), pointer("uint64_t *", population.ids),
            streams.key, step, mobility.spread, shift, row, each, pointer("int64_t *", who),
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
    def _kernel(self) -> _MeshData:
        return _MeshData(self.mesh)

    def _boundary(self, codes: Sequence[tuple[Kind, float]], spread: float) -> _Boundary:
        """What the last steps with the same walls used; few sets of walls are in use at a time."""
        key = (*codes, spread)
        if key not in self._kept:
            felt = tuple(index for index, (kind, _) in enumerate(codes) if kind in BRIDGED)
            near = self._near_facets(felt, REACH * spread) if felt and spread else None
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = _Boundary(self.mesh, codes, near, REACH * spread)
        return self._kept[key]

    def _near_facets(self, walls: tuple[int, ...], reach: float) -> NearFacets:
        """Kept for reaches in steps of 2^(1/4), so that steps of changing length share them."""
        level = ceil(4 * log2(reach))
        if (walls, level) not in self._near:
            self._near[walls, level] = near_facets(self.mesh, walls, 2 ** (level / 4))
        return self._near[walls, level]


def _lost(population: Population, count: int, first: int) -> LostParticlesError:
    place, identity = population.x[:, first].tolist(), int(population.id[first])
    return LostParticlesError(
        f"{count} particles are in no cell of the mesh region; particle {identity} is one, "
        f"at {place}",
        remedy="put particles inside of the region, and let drift and dt be finite",
    )


class _MeshData:
    """The structs of a mesh and its bins, and the arrays that they point to."""

    def __init__(self, mesh: Simplices) -> None:
        ffi, _ = kernels()
        bins = bins_of(mesh)
        planes, across = _in_lanes(mesh)
        size = float(np.linalg.norm(np.ptp(mesh.points[mesh.cells].reshape(-1, mesh.dimension), 0)))
        self._kept = planes, across, bins
        self.mesh = ffi.new("fem_rd_mesh *")
        self.mesh.dimension, self.mesh.cells = mesh.dimension, len(mesh.cells)
        self.mesh.planes = pointer("double *", planes)
        self.mesh.next = pointer("int32_t *", across)
        self.mesh.tolerance = _TOLERANCE * size
        self.bins = ffi.new("fem_rd_bins *")
        self.bins.n, self.bins.lower = bins.counts.tolist(), bins.lower.tolist()
        self.bins.inverse = bins.inverse.tolist()
        self.bins.start = pointer("int32_t *", bins.start)
        self.bins.cells = pointer("int32_t *", bins.cells)


class _Boundary:
    """The struct of the facets of the boundary and what they do, and its arrays."""

    def __init__(
        self,
        mesh: Simplices,
        codes: Sequence[tuple[Kind, float]],
        near: NearFacets | None,
        reach: float,
    ) -> None:
        ffi, _ = kernels()
        planes = as_doubles(mesh.planes[mesh.facet_cells, mesh.facet_places])
        corners = as_doubles(mesh.points[mesh.facets])
        kinds, rates = zip(*codes, strict=True)
        rim = rims(mesh, kinds)
        kind, rate = np.array(kinds, dtype=np.int32), as_doubles(rates)
        self._kept = planes, corners, rim, kind, rate, near, mesh
        self.walls = ffi.new("fem_rd_mesh_walls *")
        self.walls.planes, self.walls.corners = (pointer("double *", a) for a in (planes, corners))
        self.walls.wall = pointer("int32_t *", mesh.facet_walls)
        self.walls.cell = pointer("int32_t *", mesh.facet_cells)
        self.walls.rim = pointer("uint8_t *", rim)
        self.walls.kind, self.walls.rate = pointer("int32_t *", kind), pointer("double *", rate)
        if near is not None:
            self.walls.start = pointer("int32_t *", near.start)
            self.walls.near = pointer("int32_t *", near.near)
            self.walls.most = near.most
        self.walls.reach = reach


def _in_lanes(mesh: Simplices) -> tuple[Floats, Indices]:
    """Planes (cells, dim + 1 rows, 4 facets) that begin at a multiple of 64 bytes; neighbours."""
    cells, dim = len(mesh.cells), mesh.dimension
    raw = np.empty(cells * (dim + 1) * _LANES + 8)
    begin = (-raw.ctypes.data % 64) // 8
    planes = raw[begin : begin + cells * (dim + 1) * _LANES].reshape(cells, dim + 1, _LANES)
    planes[:, :dim], planes[:, dim] = 0.0, -1.0
    planes[:, :, : dim + 1] = mesh.planes.transpose(0, 2, 1)
    across = np.repeat(np.arange(cells, dtype=np.int32)[:, None], 2 * _LANES, axis=1)
    across[:, : dim + 1] = mesh.neighbours
    return planes, across
