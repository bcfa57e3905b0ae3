"""Expressions of a case as UFL, so that they enter forms without being interpolated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ufl
from dolfinx import fem
from dolfinx.mesh import Mesh

from fem_rd.case.quantities import Tensor
from fem_rd.expressions.expression import Expression

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": ufl.sin,
    "cos": ufl.cos,
    "tan": ufl.tan,
    "asin": ufl.asin,
    "acos": ufl.acos,
    "atan": ufl.atan,
    "atan2": ufl.atan2,
    "sinh": ufl.sinh,
    "cosh": ufl.cosh,
    "tanh": ufl.tanh,
    "exp": ufl.exp,
    "log": ufl.ln,
    "sqrt": ufl.sqrt,
    "abs": abs,
    "min": ufl.min_value,
    "max": ufl.max_value,
    "erf": ufl.erf,
    "where": ufl.conditional,
    "lt": ufl.lt,
    "le": ufl.le,
    "gt": ufl.gt,
    "ge": ufl.ge,
    "and": ufl.And,
    "or": ufl.Or,
    "not": ufl.Not,
}


class Coefficients:
    """Makes UFL expressions on one mesh, all with the same clock.

    Numbers become constants of the form and not of its code: another value of a parameter runs
    the compiled form again.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._position = ufl.SpatialCoordinate(mesh)
        self.time = fem.Constant(mesh, 0.0)

    def scalar(self, expression: Expression) -> Any:
        """The UFL expression of a scalar coefficient."""
        return expression.build(self._environment(), _FUNCTIONS, number=self.number)

    def tensor(self, value: Expression | Tensor) -> Any:
        """The UFL expression of a scalar or, shape (dimension, dimension), of a tensor."""
        if isinstance(value, Expression):
            return self.scalar(value)
        return ufl.as_tensor([[self.scalar(entry) for entry in row] for row in value])

    def number(self, value: float) -> Any:
        """A number that the compiled form reads when it runs."""
        return fem.Constant(self._mesh, float(value))

    def point(self, coordinates: tuple[float, ...]) -> Any:
        """A point of the mesh's dimension; coordinates beyond it are dropped."""
        dimension = self._mesh.geometry.dim
        return fem.Constant(self._mesh, [float(c) for c in coordinates[:dimension]])

    def _environment(self) -> dict[str, Any]:
        names = dict(zip("xyz", self._position, strict=False))
        radius = ufl.sqrt(ufl.dot(self._position, self._position))
        absent = dict.fromkeys("xyz"[len(names) :], 0.0)
        return {**names, **absent, "r": radius, "t": self.time}
