"""The numbering of unknowns: faster products, the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from ranks import run_on_ranks

from fem_rd.numerics.spaces import lagrange_space


def stiffness(space: fem.FunctionSpace):
    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    matrix = fem_petsc.assemble_matrix(fem.form(ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx))
    matrix.assemble()
    return matrix


def bandwidth(matrix) -> int:
    starts, columns, _ = matrix.getValuesCSR()
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return int(np.abs(rows - columns).max())


@pytest.mark.parametrize("degree", [1, 2])
def test_numbering_reduces_the_bandwidth_and_keeps_the_matrix(degree: int) -> None:
    box = mesh.create_box(MPI.COMM_SELF, [[0, 0, 0], [1, 1, 1]], [9, 8, 7])
    ours, plain = lagrange_space(box, degree), fem.functionspace(box, ("Lagrange", degree))
    points = [space.tabulate_dof_coordinates() for space in (ours, plain)]
    first, second = (np.lexsort(np.round(p, 9).T) for p in points)
    assert np.allclose(points[0][first], points[1][second])
    a, b = stiffness(ours), stiffness(plain)
    assert bandwidth(a) < 0.8 * bandwidth(b)
    dense = [np.asarray(m.getValues(range(m.size[0]), range(m.size[0]))) for m in (a, b)]
    assert np.allclose(dense[0][np.ix_(first, first)], dense[1][np.ix_(second, second)], atol=1e-13)


SCRIPT = """
import numpy as np, ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from fem_rd.numerics.spaces import lagrange_space
box = mesh.create_box(MPI.COMM_WORLD, [[0, 0, 0], [1, 1, 1]], [5, 4, 3])
for degree in (1, 2):
    space = lagrange_space(box, degree)
    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    a = fem.form(ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx + u * v * ufl.dx)
    matrix = fem_petsc.assemble_matrix(a); matrix.assemble()
    f = fem.Function(space); f.interpolate(lambda x: np.sin(x[0]) + x[1] * x[2])
    energy = (matrix * f.x.petsc_vec).dot(f.x.petsc_vec)
    norm = matrix.norm()
    if box.comm.rank == 0:
        print(repr(float(energy)), repr(float(norm)))
"""


def test_numbering_is_right_on_every_number_of_ranks(tmp_path: Path) -> None:
    (tmp_path / "energy.py").write_text(SCRIPT)
    printed = []
    for ranks in (1, 2, 3):
        done = run_on_ranks(ranks, "energy.py", tmp_path)
        assert done.returncode == 0, done.stderr
        printed.append(np.array(done.stdout.split(), dtype=float))
    assert printed[1] == pytest.approx(printed[0], rel=1e-12)
    assert printed[2] == pytest.approx(printed[0], rel=1e-12)
