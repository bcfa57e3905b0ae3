"""The solver of (M + s K) u = b for one species: the user's, or by how stiff the step is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.numerics.reactive.jacobi_cg import JacobiCG
from fem_rd.numerics.semidiscrete import SemiDiscrete, ShiftedOperator
from fem_rd.numerics.solver import KrylovSolver, SolverOptions

# s K_ii / M_ii up to which each is the fastest; beyond, multigrid (docs/time-stepping.md)
_MILD, _MODERATE = 50.0, 500.0


class ChosenSolver:
    """Fused Jacobi iterations, incomplete Cholesky or multigrid, chosen anew for each shift.

    A preconditioner that the user names is used always; ``name`` is the one in use.
    """

    def __init__(self, problem: SemiDiscrete, options: SolverOptions) -> None:
        self._comm, self._options = problem.comm, options
        self._fused = JacobiCG(self._comm, options.tolerance, options.max_iterations)
        self._krylov: dict[str, KrylovSolver] = {}
        self._in_use: JacobiCG | KrylovSolver = self._fused
        self.name = "jacobi"
        stiffness, mass = problem.stiffness.getDiagonal(), problem.mass.getDiagonal()
        ratio = float(np.max(stiffness.array_r / mass.array_r, initial=0.0))
        self._ratio = self._comm.allreduce(ratio, op=MPI.MAX)

    @property
    def iterations(self) -> int:
        """Of all solves so far."""
        others = (solver.iterations for solver in self._krylov.values())
        return self._fused.iterations + sum(others)

    def set_operator(self, operator: ShiftedOperator) -> None:
        """Use the operator's matrix from now on. Collective."""
        self.name = self._options.preconditioner
        if self.name == "auto":
            self.name = _suited(operator.shift * self._ratio)
        self._in_use = self._solver()
        self._in_use.set_operator(operator.matrix)

    def solve(self, rhs: PETSc.Vec, solution: PETSc.Vec, reduction: float) -> None:
        """Solve into ``solution``, which holds the initial guess. Collective."""
        if isinstance(self._in_use, JacobiCG):
            self._in_use.solve(rhs, solution, reduction)
        else:
            self._in_use.solve(rhs, solution)

    def _solver(self) -> JacobiCG | KrylovSolver:
        if self.name == "jacobi":
            return self._fused
        if self.name not in self._krylov:
            options = replace(self._options, preconditioner=self.name)
            self._krylov[self.name] = KrylovSolver(self._comm, options)
        return self._krylov[self.name]


def _suited(stiffness: float) -> str:
    """The preconditioner that is the fastest at this s K_ii / M_ii."""
    if stiffness <= _MILD:
        return "jacobi"
    return "icc" if stiffness <= _MODERATE else "gamg"
