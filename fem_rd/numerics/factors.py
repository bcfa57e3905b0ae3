"""Direct solves in the place of iterations where matrices are those of a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.errors import NumericalError
from fem_rd.numerics.guess import EarlierSolutions
from fem_rd.numerics.solver import CoupledSolver, SolverOptions

_ROOM = {"mat_mumps_icntl_14": "300"}  # per cent more memory than foreseen: pivots move about


@contextmanager
def room_for_pivots(prefix: str = "") -> Iterator[None]:
    """While factors are made: leave MUMPS memory for pivots, where the user says nothing of it."""
    database = PETSc.Options()
    added = {prefix + key: value for key, value in _ROOM.items() if prefix + key not in database}
    for key, value in added.items():
        database[key] = value
    try:
        yield
    finally:
        for key in added:
            database.delValue(key)


class FactoredSolver:
    """LU factors, with the residual of each solve seen by GMRES: for the steps of a march.

    ``preconditioner``: another one for GMRES, by its name. ``pivoting``: for matrices that have
    zeros on their diagonal.
    """

    def __init__(
        self,
        comm: MPI.Comm,
        tolerance: float,
        preconditioner: str = "auto",
        *,
        pivoting: bool = False,
    ) -> None:
        name = "lu" if preconditioner == "auto" else preconditioner
        self._solver = CoupledSolver(comm, SolverOptions(tolerance, name))
        if pivoting and name == "lu":
            self._solver.ksp.getPC().setFactorSolverType("mumps")
        self.earlier = EarlierSolutions(comm, 0)

    @property
    def iterations(self) -> int:
        """Iterations so far."""
        return self._solver.iterations

    def set_operator(self, matrix: PETSc.Mat) -> None:
        """Use ``matrix`` from now on. Collective."""
        with room_for_pivots():
            self._solver.set_operator(matrix)

    def solve(self, right_hand_side: PETSc.Vec, solution: PETSc.Vec) -> None:
        """Solve into ``solution``. Collective. Raises `NumericalError`."""
        try:
            self._solver.solve(right_hand_side, solution)
        except NumericalError as error:
            raise NumericalError(
                f"a linear system of the phase space has no solution: {error.message}",
                remedy="solver.preconditioner = 'lu', or a smaller time.step",
            ) from error
