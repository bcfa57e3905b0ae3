"""Krylov solvers: every preconditioner solves, guesses learn, failures speak."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.errors import NumericalError
from fem_rd.numerics.guess import EarlierSolutions
from fem_rd.numerics.solver import PRECONDITIONERS, KrylovSolver, SolverOptions

SIZE = 60


def laplacian(shift: float = 0.1) -> PETSc.Mat:
    matrix = PETSc.Mat().createAIJ((SIZE, SIZE), nnz=3, comm=MPI.COMM_SELF)
    for row in range(SIZE):
        matrix.setValue(row, row, 2.0 + shift)
        for other in (row - 1, row + 1):
            if 0 <= other < SIZE:
                matrix.setValue(row, other, -1.0)
    matrix.assemble()
    return matrix


def vector(values: np.ndarray) -> PETSc.Vec:
    return PETSc.Vec().createWithArray(values.copy(), comm=MPI.COMM_SELF)


@pytest.mark.parametrize("name", sorted(set(PRECONDITIONERS) - {"auto", "pmg"}))
def test_every_preconditioner_solves(name: str) -> None:
    matrix, exact = laplacian(), vector(np.sin(np.arange(SIZE)))
    solver = KrylovSolver(MPI.COMM_SELF, SolverOptions(1e-12, name))
    solver.set_operator(matrix)
    found = vector(np.zeros(SIZE))
    solver.solve(matrix * exact, found)
    assert np.abs(found.array_r - exact.array_r).max() < 1e-10
    assert not PETSc.Options().getAll()  # nothing is left in the database


def test_divergence_is_said_in_words() -> None:
    solver = KrylovSolver(MPI.COMM_SELF, SolverOptions(1e-12, "jacobi", max_iterations=2))
    solver.set_operator(laplacian())
    with pytest.raises(NumericalError, match="iteration limit was reached") as caught:
        solver.solve(vector(np.ones(SIZE)), vector(np.zeros(SIZE)))
    assert "ksp_monitor" in caught.value.remedy


def test_what_lies_in_the_span_of_earlier_solutions_needs_no_iteration() -> None:
    matrix = laplacian()
    solver = KrylovSolver(MPI.COMM_SELF, SolverOptions(1e-10, "jacobi", guess_size=5))
    solver.set_operator(matrix)
    modes = [np.sin(k * np.arange(SIZE)) for k in (1, 2, 3)]
    for mode in modes:
        solver.solve(matrix * vector(mode), vector(np.zeros(SIZE)))
    before, found = solver.iterations, vector(np.ones(SIZE))
    solver.solve(matrix * vector(modes[0] - 2 * modes[1] + 0.3 * modes[2]), found)
    assert solver.iterations - before <= 1
    solver.solve(matrix * vector(np.cos(np.arange(SIZE) ** 2)), found)
    assert solver.iterations - before > 5


def test_basis_is_orthonormal_restarts_and_comes_back_to_the_bit() -> None:
    matrix, random = laplacian(), np.random.default_rng(5)
    earlier = EarlierSolutions(MPI.COMM_SELF, 4)
    sizes = []
    for _ in range(6):
        solution = vector(random.standard_normal(SIZE))
        guess = vector(np.zeros(SIZE))
        earlier.guess(matrix * solution, guess)
        earlier.learn(matrix, guess, solution)
        sizes.append(len(earlier.basis))
    assert sizes == [1, 2, 3, 4, 1, 2]
    dense = matrix.getValues(range(SIZE), range(SIZE))
    assert np.allclose(earlier.basis @ dense @ earlier.basis.T, np.eye(2), atol=1e-12)
    again = EarlierSolutions(MPI.COMM_SELF, 4)
    again.restore(earlier.basis.copy())
    rhs = vector(random.standard_normal(SIZE))
    one, two = vector(np.zeros(SIZE)), vector(np.zeros(SIZE))
    earlier.guess(rhs, one)
    again.guess(rhs, two)
    assert np.array_equal(one.array_r, two.array_r)
    assert np.abs(one.array_r).max() > 0
