"""Direct solution of the linear systems of jump processes, with refinement.

A system is an M-matrix that may be nearly singular (a process that waits long before it leaves a
well), where iterations stagnate. Factors with a few steps of refinement solve it as accurately as
its residual can be evaluated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from petsc4py import PETSc

from fem_rd.errors import NumericalError
from fem_rd.numerics.solver import CoupledSolver, SolverOptions

Residual = Callable[[PETSc.Vec, PETSc.Vec], None]

REFINEMENTS = 3
_ACCURATE = 1e-6  # relative: a last correction larger than this means that digits are missing
_SETTLED = 1e-15


class DirectSolver:
    """LU factors of an unsymmetric matrix; or GMRES where another preconditioner is named."""

    def __init__(self, matrix: PETSc.Mat, preconditioner: str = "lu") -> None:
        self._iterative: CoupledSolver | None = None
        self._ksp = ksp = PETSc.KSP().create(matrix.comm)
        if preconditioner not in ("auto", "lu"):
            options = SolverOptions(1e-13, preconditioner, prefix="markov_")
            self._iterative = CoupledSolver(matrix.comm.tompi4py(), options)
            self._iterative.set_operator(matrix)
            return
        ksp.setType("preonly")
        ksp.setOperators(matrix)
        pc = ksp.getPC()
        pc.setType("lu")
        if matrix.comm.size > 1:
            pc.setFactorSolverType("mumps")
        else:
            pc.setFactorPivot(0.0, False)  # M-matrices need no pivoting, and small pivots are right
        ksp.setUp()

    def solve(self, right_hand_side: PETSc.Vec, solution: PETSc.Vec) -> None:
        """Solve into ``solution``. Collective. Raises `NumericalError`."""
        if self._iterative is not None:
            self._iterative.solve(right_hand_side, solution)
            return
        self._ksp.solve(right_hand_side, solution)
        if self._ksp.getConvergedReason() < 0:
            raise NumericalError("a jump process has no unique solution", remedy=_REMEDY)

    def refined(self, right_hand_side: PETSc.Vec, residual: Residual) -> PETSc.Vec:
        """The solution, improved with ``residual``(solution, out). Collective.

        Raises `NumericalError` where the corrections do not become small.
        """
        solution, rest = right_hand_side.duplicate(), right_hand_side.duplicate()
        change = right_hand_side.duplicate()
        self.solve(right_hand_side, solution)
        relative = 0.0
        for _ in range(REFINEMENTS):
            residual(solution, rest)
            self.solve(rest, change)
            solution.axpy(1.0, change)
            size = solution.norm(PETSc.NormType.NORM_INFINITY)
            relative = change.norm(PETSc.NormType.NORM_INFINITY) / (size or 1.0)
            if relative < _SETTLED:
                break
        rest.destroy()
        change.destroy()
        if not relative < _ACCURATE or not np.isfinite(relative):
            raise NumericalError(
                f"the waiting times of the process leave double precision: the last correction "
                f"was {relative:.2g} of the solution",
                remedy=_REMEDY,
            )
        return solution


_REMEDY = (
    "lower barriers (in k_B T) between the sets, a coarser mesh where the potential is high, or "
    "the rate between two sets (committor), which does not wait in wells"
)
