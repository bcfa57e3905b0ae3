"""A rank's piece of a mesh and of its fields, as VTK wants them: owned cells, points from 0.

The points are the nodes of a Lagrange space of degree 1 or 2 on the mesh, so that order-2 geometry
is shown curved and quadratic fields are shown quadratic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from basix import ElementFamily
from dolfinx import fem
from dolfinx.mesh import CellType
from dolfinx.plot import vtk_mesh
from numpy.typing import NDArray

from fem_rd import compat
from fem_rd.output.grid_file import Part

# The quadratic types have the nodes of VTK's Lagrange cells of order 2 in the same order, and more
# filters know them.
_VTK_TYPES = {
    (CellType.interval, 1): 3,
    (CellType.triangle, 1): 5,
    (CellType.quadrilateral, 1): 9,
    (CellType.tetrahedron, 1): 10,
    (CellType.hexahedron, 1): 12,
    (CellType.interval, 2): 21,
    (CellType.triangle, 2): 22,
    (CellType.tetrahedron, 2): 24,
    (CellType.quadrilateral, 2): 28,
    (CellType.hexahedron, 2): 29,
}


class MeshPiece:
    """The owned cells of this rank and the points they use."""

    def __init__(self, space: fem.FunctionSpace) -> None:
        """Number the nodes of ``space`` that owned cells use. Not collective.

        Raises ValueError where the space is not continuous Lagrange of degree 1 or 2.
        """
        _check_lagrange(space)
        topology = space.mesh.topology
        owned = topology.index_map(topology.dim).size_local
        self._dofs = space.dofmap.list[:owned]
        used = np.zeros(space.dofmap.list.max(initial=-1) + 1, dtype=bool)
        used[self._dofs] = True
        self._number = np.cumsum(used) - 1
        self._nodes = compat.interpolation_points(space)
        self.part = self._part(space, used)

    def _part(self, space: fem.FunctionSpace, used: NDArray[np.bool_]) -> Part:
        width = self._dofs.shape[1]
        owned = np.arange(len(self._dofs), dtype=np.int32)
        topology, _, x = vtk_mesh(space, entities=owned)
        cells = self._number[topology.reshape(-1, width + 1)[:, 1:]]
        return Part(
            points=np.ascontiguousarray(x[: len(used)][used]),
            cells=np.ascontiguousarray(cells, dtype=np.int64),
            cell_type=_VTK_TYPES[_kind(space)],
        )

    def evaluation(self, space: fem.FunctionSpace) -> PointEvaluation:
        """How to evaluate functions of ``space``, on the same mesh, at the points of the piece."""
        _check_lagrange(space)
        cell, node = self._cell_and_node_of_points()
        basis = space.element.basix_element.tabulate(0, self._nodes)[0, :, :, 0]
        dofs, size = space.dofmap.list[cell], space.dofmap.bs
        if np.allclose(basis.max(axis=1), 1.0):  # every point is a node of the space
            nodal = basis.argmax(axis=1)[node]
            return PointEvaluation(dofs[np.arange(len(dofs)), nodal][:, None], None, size)
        return PointEvaluation(dofs, basis[node], size)

    def _cell_and_node_of_points(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One of the owned cells around each point, and which of its nodes the point is."""
        entry = np.empty(len(self.part.points), dtype=np.int64)
        entry[self._number[self._dofs.ravel()]] = np.arange(self._dofs.size)
        return np.divmod(entry, self._dofs.shape[1])


@dataclass(frozen=True)
class PointEvaluation:
    """Values at points as combinations of unknowns: ``dofs`` and ``weights``, shape (n, k).

    ``weights`` is None where each point takes the value of one unknown, k = 1. ``size`` is the
    number of unknowns per node: 1 for a scalar.
    """

    dofs: NDArray[np.int32]
    weights: NDArray[np.float64] | None
    size: int

    @property
    def components(self) -> int:
        """Numbers per point in the file: VTK knows vectors of three components only."""
        return 3 if self.size == 2 else self.size

    def __call__(self, function: fem.Function) -> NDArray[np.float64]:
        """Values at the points, shape (n,) for a scalar, else (n, components)."""
        unknowns = function.x.array.reshape(-1, self.size)
        values: NDArray[np.float64]
        if self.weights is None:
            values = unknowns[self.dofs[:, 0]]
        else:
            values = np.einsum("nk,nkc->nc", self.weights, unknowns[self.dofs])
        if self.size == 1:
            return values[:, 0]
        return np.pad(values, ((0, 0), (0, self.components - self.size)))


def output_space(space: fem.FunctionSpace) -> fem.FunctionSpace:
    """The space whose nodes the file shows: of the field's degree or the geometry's. Collective."""
    mesh = space.mesh
    geometry_degree = compat.geometry_degree(mesh)
    if space.element.basix_element.degree >= geometry_degree:
        return space
    return fem.functionspace(mesh, ("Lagrange", geometry_degree))


def _kind(space: fem.FunctionSpace) -> tuple[CellType, int]:
    return space.mesh.topology.cell_type, space.element.basix_element.degree


def _check_lagrange(space: fem.FunctionSpace) -> None:
    element = space.element.basix_element
    continuous = element.family is ElementFamily.P and not element.discontinuous
    if not continuous or _kind(space) not in _VTK_TYPES:
        raise ValueError(
            f"fields are written from continuous Lagrange spaces of degree 1 or 2, "
            f"not from {space.ufl_element()}"
        )
