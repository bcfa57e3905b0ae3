"""A mesh region as kernels see it: structs, and the arrays that they point to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fem_rd.particles.build import as_doubles, kernels, pointer
from fem_rd.particles.mesh_bins import bins_of
from fem_rd.particles.mesh_room import Room
from fem_rd.particles.mesh_walls import REACH, NearFacets, rims
from fem_rd.particles.simplices import Indices, Simplices
from fem_rd.particles.state import Floats
from fem_rd.particles.walls import Kind

_TOLERANCE = 1e-11  # of the size of the mesh: how far outside of its cell a particle is tolerated
_PER_BOX = 8  # units of distance from the boundary in the width of a box
_LANES = 4  # facets that kernels look at together


class MeshStructs:
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
        bins.boxes.fill(self.bins)
        self.bins.start = pointer("int32_t *", bins.start)
        self.bins.cells = pointer("int32_t *", bins.cells)


class RoomStruct:
    """The struct of how far the boundary is, and its arrays."""

    def __init__(self, room: Room, felt: npt.NDArray[np.bool_]) -> None:
        ffi, _ = kernels()
        self.room = ffi.new("fem_rd_room *")
        self.room.unit = float((1 / room.boxes.inverse).min()) / _PER_BOX
        free = self._units(room, np.ones(felt.size, dtype=bool))
        walls = self._units(room, felt) if felt.any() else None
        self._kept = free, walls
        room.boxes.fill(self.room)
        self.room.free = pointer("uint8_t *", free)
        self.room.felt = ffi.NULL if walls is None else pointer("uint8_t *", walls)

    def _units(self, room: Room, facets: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
        """Distances in whole units, as few bytes as can be: they are looked up for every step."""
        return np.minimum(room.distances(facets) / self.room.unit, 255.0).astype(np.uint8)


class WallStruct:
    """The struct of the facets of the boundary and what they do, and its arrays."""

    def __init__(
        self,
        mesh: Simplices,
        codes: Sequence[tuple[Kind, float]],
        near: NearFacets | None,
        reach: float,
        bends: Floats,
    ) -> None:
        ffi, _ = kernels()
        planes = as_doubles(mesh.planes[mesh.facet_cells, mesh.facet_places])
        corners = as_doubles(mesh.points[mesh.facets])
        kinds, rates = zip(*codes, strict=True)
        rim = rims(mesh, kinds)
        kind, rate = np.array(kinds, dtype=np.int32), as_doubles(rates)
        bend = as_doubles(np.clip(bends, -REACH / reach, REACH / reach) if reach else bends)
        balls = _balls(corners)
        self._kept = planes, corners, rim, kind, rate, bend, balls, near, mesh
        self.walls = ffi.new("fem_rd_mesh_walls *")
        self.walls.planes, self.walls.corners = (pointer("double *", a) for a in (planes, corners))
        self.walls.wall = pointer("int32_t *", mesh.facet_walls)
        self.walls.cell = pointer("int32_t *", mesh.facet_cells)
        self.walls.rim = pointer("uint8_t *", rim)
        self.walls.balls = pointer("double *", balls)
        self.walls.bend = pointer("double *", bend)
        self.walls.kind, self.walls.rate = pointer("int32_t *", kind), pointer("double *", rate)
        if near is not None:
            self.walls.start = pointer("int32_t *", near.start)
            self.walls.near = pointer("int32_t *", near.near)
            self.walls.gap = pointer("float *", near.gap)
        self.walls.takes = any(kind != Kind.REFLECTING for kind in kinds)
        self.walls.reach = reach


def _balls(corners: Floats) -> Floats:
    """Of balls that facets are in, (facets, 4): centre and radius."""
    middle = corners.mean(axis=1)
    balls = np.zeros((len(corners), 4))
    balls[:, : corners.shape[2]] = middle
    balls[:, 3] = (1 + 1e-9) * np.linalg.norm(corners - middle[:, None], axis=2).max(axis=1)
    return balls


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
