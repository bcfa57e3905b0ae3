"""What a mesh is before any rank has it: plain arrays on one rank, and what shapes cells have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import basix
import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[Any]  # of 8 to 64 bits, as the place needs

SHAPES = {
    "interval": basix.CellType.interval,
    "triangle": basix.CellType.triangle,
    "quadrilateral": basix.CellType.quadrilateral,
    "tetrahedron": basix.CellType.tetrahedron,
    "hexahedron": basix.CellType.hexahedron,
}
SIMPLICES = ("interval", "triangle", "tetrahedron")


@dataclass(frozen=True)
class MeshArrays:
    """A mesh as its source gives it, with the nodes of a cell in DOLFINx's order.

    ``points`` (nodes, dim); ``cells`` (cells, nodes of a cell), corners first; ``cell_tags``
    (cells,); ``facets`` (tagged facets, corners of a facet) and ``facet_tags`` (tagged facets,);
    ``regions`` and ``boundaries``: name -> tag.
    """

    shape: str
    order: int
    points: Floats
    cells: Integers
    cell_tags: Integers
    facets: Integers
    facet_tags: Integers
    regions: dict[str, int]
    boundaries: dict[str, int]

    @property
    def corners(self) -> Integers:
        """The corner nodes of the cells, shape (cells, corners of a cell)."""
        return self.cells[:, : corner_count(self.shape)]


def corner_count(shape: str) -> int:
    """Number of corners of a cell."""
    return len(basix.topology(SHAPES[shape])[0])


def dimension(shape: str) -> int:
    """Dimension of a cell."""
    return len(basix.topology(SHAPES[shape])) - 1


def edges_of(shape: str) -> Integers:
    """Local corners of the edges, in the order of their nodes in an order-2 cell, shape (n, 2)."""
    return np.array(basix.topology(SHAPES[shape])[1], dtype=np.int64)


def facets_of(shape: str) -> Integers:
    """Local corners of the facets in their order, shape (facets, corners of a facet)."""
    return np.array(basix.topology(SHAPES[shape])[dimension(shape) - 1], dtype=np.int64)


def geometry_element(shape: str, order: int) -> Any:
    """The Lagrange element of a cell's geometry (basix)."""
    family, variant = basix.ElementFamily.P, basix.LagrangeVariant.gll_warped
    return basix.create_element(family, SHAPES[shape], order, variant)


def row_keys(rows: Integers, count: int) -> Integers:
    """One integer for each row of numbers below ``count`` that is the same for any order in a row.

    ``rows`` has shape (n, 1 to 4); of four numbers (a quadrilateral) the smallest three say all.
    """
    rows = np.sort(rows, axis=1)[:, :3].astype(np.int64)
    if count ** rows.shape[1] >= 2**63:
        raise CaseError("the mesh has too many nodes on its boundaries", found=count)
    keys = rows[:, 0].copy()
    for column in rows.T[1:]:
        keys = keys * count + column
    return keys
