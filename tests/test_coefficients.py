"""Expressions of a case enter forms with the values that they have as numbers."""

from __future__ import annotations

import numpy as np
import pytest
import ufl
from dolfinx import fem, mesh
from mpi4py import MPI

from fem_rd import compat
from fem_rd.equations.coefficients import Coefficients
from fem_rd.expressions.expression import SPACE_TIME, Expression
from fem_rd.expressions.functions import FUNCTIONS

TEXTS = [
    "1 + 2*x - y^3/z",
    "r",
    "x^-2 + y^0.5",
    "atan2(y - 2, x) + erf(z - 1)",
    "min(x, y, z) - 10*max(x, 1.4)",
    "where(x < 1.5, y, -z) + where(x >= y and not z > 1.2, 1, t)",
    "where(x <= 1.3 or y > 1.8, 3, 5)",
    "abs(x - 1.5)*t",
    "exp(-x)*sin(y)*cos(z)*tan(x/3) + log(y)",
    "sinh(x) + cosh(y) - tanh(z) + asin(x/3) - acos(y/3)*atan(z)",
    "sqrt(x*y)",
]


@pytest.mark.parametrize("text", TEXTS)
def test_form_and_arrays_agree(text: str) -> None:
    cube = mesh.create_box(MPI.COMM_SELF, [[1, 1, 1], [2, 2, 2]], [3, 2, 2])
    expression = Expression.parse(text, names=SPACE_TIME, where=None)
    coefficients = Coefficients(cube)
    coefficients.time.value = 0.7
    space = fem.functionspace(cube, ("Discontinuous Lagrange", 1))
    inside = 0.3 + 0.4 * compat.interpolation_points(space)  # clear of faces that conditions cut
    compiled = fem.Expression(coefficients.scalar(expression), inside)
    place = fem.Expression(ufl.SpatialCoordinate(cube), inside)
    cells = np.arange(cube.topology.index_map(3).size_local, dtype=np.int32)
    found = np.asarray(compiled.eval(cube, cells)).ravel()
    x, y, z = np.asarray(place.eval(cube, cells)).reshape(-1, 3).T
    env = {"x": x, "y": y, "z": z, "r": np.sqrt(x**2 + y**2 + z**2), "t": 0.7}
    assert found == pytest.approx(np.broadcast_to(expression.evaluate(env), found.shape), rel=1e-12)


def test_every_function_is_compared() -> None:
    compared = {name for name in FUNCTIONS if any(f"{name}(" in text for text in TEXTS)}
    assert compared == set(FUNCTIONS)


def test_other_numbers_run_the_same_code() -> None:
    """Numbers are constants of the form, so that a sweep compiles once."""
    line = mesh.create_interval(MPI.COMM_SELF, 4, [1.0, 2.0])
    signatures = set()
    for text in ("3*x^2 + 0.5", "7*x^2 + 0.25"):
        expression = Expression.parse(text, names=SPACE_TIME, where=None)
        form = Coefficients(line).scalar(expression) * ufl.dx(domain=line)
        signatures.add(form.signature())
    assert len(signatures) == 1
