"""A Lagrange space on a domain, with what the forms and the nodal values of a model need there."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from numpy.typing import ArrayLike
from petsc4py import PETSc

from fem_rd.equations.coefficients import Coefficients
from fem_rd.expressions.expression import Expression
from fem_rd.mesh.domain import Domain
from fem_rd.models.assembly import Array, OwnedVector, measures, owned_coordinates
from fem_rd.numerics.spaces import lagrange_space


class Place:
    """Space, measures, coefficients and nodes, made once and shared by all species.

    With ``lump`` the mass matrix is diagonal: the volume that belongs to each node, its row sums
    (degree 1 only).
    """

    def __init__(self, domain: Domain, degree: int, *, lump: bool = False) -> None:
        self.domain, self.degree, self.lump = domain, degree, lump
        self.space = lagrange_space(domain.mesh, degree)
        self.owned: int = self.space.dofmap.index_map.size_local
        self.coefficients = Coefficients(domain.mesh)
        self.dx, self.ds = measures(domain, degree)
        self.trial, self.test = ufl.TrialFunction(self.space), ufl.TestFunction(self.space)
        self.nodes = owned_coordinates(self.space)

    @property
    def positions(self) -> Array:
        """Where this rank's owned unknowns are, shape (owned, 3)."""
        positions: Array = self.space.tabulate_dof_coordinates()[: self.owned]
        return positions

    @property
    def unknowns(self) -> int:
        """Unknowns of one species, over all ranks."""
        return int(self.space.dofmap.index_map.size_global)

    def at_nodes(self, expression: Expression | None, time: float = 0.0) -> Array:
        """An expression at the owned unknowns, shape (owned,); zeros for None."""
        value = 0.0 if expression is None else expression.evaluate({**self.nodes, "t": time})
        return np.broadcast_to(np.asarray(value, dtype=float), (self.owned,))

    def in_region(self, region: str | None) -> Any:
        """The volume measure of a region, or of the whole domain."""
        return self.dx if region is None else self.dx(self.domain.regions[region])

    @cached_property
    def volumes(self) -> Array:
        """The integral of each owned basis function: what a nodal value counts for."""
        return self.volumes_in(None)

    def volumes_in(self, region: str | None) -> Array:
        """The same over a region. Collective."""
        return OwnedVector(self.test * self.in_region(region))()

    def share(self, region: str) -> Array:
        """The part of each node's volume that lies in a region, shape (owned,), 0 to 1."""
        share: Array = np.clip(self.volumes_in(region) / self.volumes, 0.0, 1.0)
        share[share < 1e-12] = 0.0
        share[share > 1 - 1e-12] = 1.0
        return share

    def interpolation(self) -> PETSc.Mat | None:
        """From the P1 space of the same mesh, for p-multigrid; None where this is P1."""
        if self.degree == 1:
            return None
        coarse = lagrange_space(self.domain.mesh, 1)
        interpolation = fem_petsc.interpolation_matrix(coarse, self.space)
        interpolation.assemble()
        return interpolation

    def function(self, name: str) -> fem.Function:
        """A function of the space."""
        return fem.Function(self.space, name=name)

    def fill(self, function: fem.Function, values: ArrayLike) -> None:
        """Give a function its owned nodal values. Collective."""
        function.x.array[: self.owned] = values
        function.x.scatter_forward()
