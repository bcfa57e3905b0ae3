"""Forms to matrices and arrays of owned unknowns, with the quadrature said once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from petsc4py import PETSc

from fem_rd import compat
from fem_rd.mesh.domain import Domain

Array = npt.NDArray[np.float64]


def quadrature_degree(degree: int, geometry_order: int) -> int:
    """Exact for products of two basis functions; one more where the cells are curved."""
    return 2 * degree + geometry_order - 1


def measures(domain: Domain, degree: int) -> tuple[ufl.Measure, ufl.Measure]:
    """Volume and boundary measures that know the regions and boundaries by tag."""
    order = compat.geometry_degree(domain.mesh)
    metadata = {"quadrature_degree": quadrature_degree(degree, order)}
    volume = ufl.Measure(
        "dx", domain=domain.mesh, subdomain_data=domain.cell_tags, metadata=metadata
    )
    surface = ufl.Measure(
        "ds", domain=domain.mesh, subdomain_data=domain.facet_tags, metadata=metadata
    )
    return volume, surface


def matrix(form: ufl.Form) -> PETSc.Mat:
    """The assembled matrix of a bilinear form. Collective."""
    assembled = fem_petsc.assemble_matrix(fem.form(form))
    assembled.assemble()
    return assembled


def diagonal_matrix(diagonal: Array, like: PETSc.Mat) -> PETSc.Mat:
    """A matrix with these owned entries on its diagonal and no others, laid out as ``like``."""
    vector = like.createVecRight()
    vector.array[:] = diagonal
    made = PETSc.Mat().createAIJ(like.getSizes(), nnz=1, comm=like.comm)
    made.setDiagonal(vector)
    made.assemble()
    vector.destroy()
    return made


def add_to_diagonal(matrix: PETSc.Mat, entries: Array) -> None:
    """Add to the owned diagonal entries. Collective."""
    vector = matrix.createVecRight()
    vector.array[:] = entries
    matrix.setDiagonal(vector, PETSc.InsertMode.ADD_VALUES)
    matrix.assemble()
    vector.destroy()


class OwnedVector:
    """A linear form that is compiled once and assembled to this rank's owned entries."""

    def __init__(self, form: ufl.Form) -> None:
        self._form = fem.form(form)

    def __call__(self) -> Array:
        """Collective."""
        vector = fem_petsc.assemble_vector(self._form)
        vector.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
        owned: Array = vector.array_r.copy()
        vector.destroy()
        return owned


def owned_coordinates(space: fem.FunctionSpace) -> dict[str, Array]:
    """x, y, z and r of the owned unknowns of a Lagrange space, shape (owned,)."""
    owned = space.dofmap.index_map.size_local
    points = space.tabulate_dof_coordinates()[:owned]
    return coordinates_by_name(points)


def coordinates_by_name(points: Array) -> dict[str, Array]:
    """x, y, z and r of points, shape (n, 3)."""
    names: dict[str, Any] = dict(zip("xyz", points.T, strict=True))
    return {**names, "r": np.sqrt((points**2).sum(axis=1))}
