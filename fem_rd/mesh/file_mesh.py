"""A mesh as files have it: cells of all dimensions in blocks, with numbers and names of parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import Floats, Integers, corner_count, edges_of


class CellType(NamedTuple):
    """What meshio's name of a kind of cells means; ``edges``: of VTK's nodes behind the corners."""

    shape: str
    dim: int
    order: int = 1
    edges: tuple[tuple[int, int], ...] = ()


_TRIANGLE = ((0, 1), (1, 2), (0, 2))
CELL_TYPES = {
    "vertex": CellType("point", 0),
    "line": CellType("interval", 1),
    "line3": CellType("interval", 1, 2, ((0, 1),)),
    "triangle": CellType("triangle", 2),
    "triangle6": CellType("triangle", 2, 2, _TRIANGLE),
    "quad": CellType("quadrilateral", 2),
    "tetra": CellType("tetrahedron", 3),
    "tetra10": CellType("tetrahedron", 3, 2, (*_TRIANGLE, (0, 3), (1, 3), (2, 3))),
    "hexahedron": CellType("hexahedron", 3),
}
# corners of VTK, Gmsh and Abaqus in DOLFINx's order, where that is another
CORNERS = {"quadrilateral": [0, 1, 3, 2], "hexahedron": [0, 1, 3, 2, 4, 5, 7, 6]}


@dataclass(frozen=True)
class Block:
    """Cells of one kind: meshio's name of it, ``nodes`` (cells, nodes of a cell), ``tags``."""

    type: str
    nodes: Integers
    tags: Integers


@dataclass(frozen=True)
class FileMesh:
    """``points`` (nodes, 3), blocks of cells, and names of tags: dimension -> name -> tag."""

    points: Floats
    blocks: tuple[Block, ...]
    names: dict[int, dict[str, int]]


def node_order(kind: str) -> Integers:
    """Which of VTK's nodes come where in DOLFINx's order, shape (nodes of a cell,)."""
    cell = CELL_TYPES[kind]
    corners = corner_count(cell.shape)
    places = np.array(CORNERS.get(cell.shape, range(corners)))
    if cell.order == 1:
        return places
    middles = [cell.edges.index((int(a), int(b))) for a, b in edges_of(cell.shape)]
    return np.concatenate([places, corners + np.array(middles)])


def in_dimension(points: Floats, dim: int) -> Floats:
    """The first ``dim`` coordinates, shape (nodes, dim).

    Raises `CaseError` where the others say something.
    """
    rest = points[:, dim:]
    wrong = np.ptp(rest, axis=0) > 1e-12 * np.ptp(points, axis=0).max(initial=0.0)
    if wrong.any():
        axes = ", ".join(axis for axis, bent in zip("xyz"[dim:], wrong, strict=False) if bent)
        raise CaseError(f"a mesh of {dim}D cells must not extend along {axes}")
    return np.ascontiguousarray(points[:, :dim], dtype=np.float64)
