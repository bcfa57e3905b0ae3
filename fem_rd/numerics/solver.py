"""Krylov solvers: KSP objects are made here, by `direct` and (EPS) by `eigen`.

Users reach every PETSc option after ``--`` on the command line; what is set here are defaults,
chosen by measured cost (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.errors import CaseError, NumericalError
from fem_rd.numerics.guess import EarlierSolutions

_REASONS = {
    PETSc.KSP.ConvergedReason.DIVERGED_MAX_IT: "the iteration limit was reached",
    PETSc.KSP.ConvergedReason.DIVERGED_DTOL: "the residual grew without bound",
    PETSc.KSP.ConvergedReason.DIVERGED_BREAKDOWN: "the Krylov method broke down",
    PETSc.KSP.ConvergedReason.DIVERGED_INDEFINITE_PC: "the preconditioner is not positive definite",
    PETSc.KSP.ConvergedReason.DIVERGED_INDEFINITE_MAT: "the matrix is not positive definite",
    PETSc.KSP.ConvergedReason.DIVERGED_NANORINF: "a number that is not finite appeared",
    PETSc.KSP.ConvergedReason.DIVERGED_PCSETUP_FAILED: "the preconditioner could not be set up",
}
_REMEDY = (
    "a finer mesh or a smaller step if the solution is steep, -- -ksp_monitor to watch the "
    "residual, or another solver.preconditioner (hypre, icc, lu)"
)

PRECONDITIONERS = ("auto", "gamg", "hypre", "icc", "jacobi", "lu", "pmg", "sor")


@dataclass(frozen=True)
class SolverOptions:
    """Relative residual, preconditioner by name and the number of earlier solutions kept.

    The initial guess of a solve is the best one in the span of at most ``guess_size`` earlier
    solutions (`fem_rd.numerics.guess`); 0 keeps the vector handed in.
    """

    tolerance: float = 1e-10
    preconditioner: str = "icc"
    guess_size: int = 0
    max_iterations: int = 5000
    prefix: str = ""


class KrylovSolver:
    """Conjugate gradients for symmetric positive definite systems.

    ``interpolation`` maps the coarse P1 space to the P2 space (p-multigrid, ``pmg``).
    """

    def __init__(
        self, comm: MPI.Comm, options: SolverOptions, interpolation: PETSc.Mat | None = None
    ) -> None:
        self._options = options
        self.iterations = 0
        self.ksp = ksp = PETSc.KSP().create(comm)
        ksp.setOptionsPrefix(options.prefix)
        ksp.setType("cg")
        # no limit on growth: a large step may start far away, measured by a small right-hand side
        ksp.setTolerances(options.tolerance, 1e-300, 1e100, options.max_iterations)
        ksp.setInitialGuessNonzero(True)
        self.earlier = EarlierSolutions(comm, options.guess_size)
        self._guess: PETSc.Vec | None = None
        self._defaults = _precondition(ksp, options.preconditioner, interpolation)
        with _default_options(options.prefix, self._defaults), _users_options_understood():
            ksp.setFromOptions()

    def set_operator(self, matrix: PETSc.Mat) -> None:
        """Use ``matrix`` from now on and make its preconditioner. Collective."""
        self.earlier.clear()
        self.ksp.setOperators(matrix)
        with _default_options(self._options.prefix, self._defaults), _users_options_understood():
            self.ksp.setUp()

    def solve(self, right_hand_side: PETSc.Vec, solution: PETSc.Vec) -> None:
        """Solve into ``solution``, which holds the initial guess. Collective.

        Raises `NumericalError` with PETSc's reason in words when it does not converge.
        """
        self.earlier.guess(right_hand_side, solution)
        if self._options.guess_size:
            self._guess = solution.copy(self._guess)
        self.ksp.solve(right_hand_side, solution)
        self.iterations += self.ksp.getIterationNumber()
        reason = self.ksp.getConvergedReason()
        if reason < 0:
            words = _REASONS.get(reason, f"PETSc reason {reason}")
            raise NumericalError(
                f"the linear solver stopped after {self.ksp.getIterationNumber()} iterations "
                f"at residual {self.ksp.getResidualNorm():.3g}: {words}",
                remedy=_REMEDY,
            )
        if self._guess is not None:
            self.earlier.learn(self.ksp.getOperators()[0], self._guess, solution)

    @property
    def description(self) -> str:
        """Method and preconditioner in use, after the user's options."""
        return f"{self.ksp.getType()} + {self.ksp.getPC().getType()}"


class CoupledSolver:
    """GMRES for the unsymmetric systems of Newton's method, of all species together.

    Incomplete factors unless the options name another preconditioner; ``lu`` solves directly.
    """

    def __init__(self, comm: MPI.Comm, options: SolverOptions) -> None:
        self.iterations = 0
        self._options = options
        self.ksp = ksp = PETSc.KSP().create(comm)
        ksp.setOptionsPrefix(options.prefix)
        ksp.setType("gmres")
        ksp.setGMRESRestart(50)
        ksp.setTolerances(options.tolerance, 1e-300, 1e100, options.max_iterations)
        self._defaults = _precondition_coupled(ksp, options.preconditioner)
        with _default_options(options.prefix, self._defaults), _users_options_understood():
            ksp.setFromOptions()

    def set_operator(self, matrix: PETSc.Mat) -> None:
        """Use ``matrix`` from now on and make its preconditioner. Collective."""
        self.ksp.setOperators(matrix)
        with _default_options(self._options.prefix, self._defaults), _users_options_understood():
            self.ksp.setUp()

    def solve(self, right_hand_side: PETSc.Vec, solution: PETSc.Vec) -> None:
        """Solve into ``solution`` from zero. Collective. Raises `NumericalError`."""
        self.ksp.solve(right_hand_side, solution)
        self.iterations += self.ksp.getIterationNumber()
        reason = self.ksp.getConvergedReason()
        if reason < 0:
            words = _REASONS.get(reason, f"PETSc reason {reason}")
            raise NumericalError(
                f"the linear solver of Newton's method stopped: {words}",
                remedy="a smaller step, or solver.preconditioner = 'lu'",
            )


def _precondition_coupled(ksp: PETSc.KSP, name: str) -> dict[str, str]:
    """Set the preconditioner; symmetric ones give way to incomplete LU factors."""
    pc = ksp.getPC()
    parallel = ksp.comm.size > 1
    if name == "lu":
        pc.setType("lu")
        if parallel:
            pc.setFactorSolverType("mumps")
        return {}
    if name in ("auto", "icc", "pmg"):
        pc.setType("bjacobi" if parallel else "ilu")
        return {}
    pc.setType(name)
    return {}


def _precondition(
    ksp: PETSc.KSP, name: str, interpolation: PETSc.Mat | None
) -> dict[str, str]:
    """Set the preconditioner ``name``; give the options that have no call of their own."""
    pc = ksp.getPC()
    parallel = ksp.comm.size > 1
    if name == "lu":
        pc.setType("cholesky" if not parallel else "lu")
        if parallel:
            pc.setFactorSolverType("mumps")
        return {}
    if name == "icc":
        pc.setType("bjacobi" if parallel else "icc")
        return {"sub_pc_type": "icc"} if parallel else {}
    if name == "hypre":
        pc.setType("hypre")
        pc.setHYPREType("boomeramg")
        return {
            "pc_hypre_boomeramg_coarsen_type": "HMIS",
            "pc_hypre_boomeramg_interp_type": "ext+i",
            "pc_hypre_boomeramg_agg_nl": "1",
            "pc_hypre_boomeramg_P_max": "4",
        }
    if name == "pmg" and interpolation is not None:
        return _p_multigrid(pc, interpolation)
    pc.setType(name)
    return {"pc_sor_local_symmetric": "true"} if name == "sor" else {}


def _p_multigrid(pc: PETSc.PC, interpolation: PETSc.Mat) -> dict[str, str]:
    """Two levels: P2 smoothed by one symmetric SOR sweep, P1 by one algebraic multigrid cycle.

    More smoothing does not save iterations: it is the coarse cycle that limits them.
    """
    pc.setType("mg")
    pc.setMGLevels(2)
    pc.setMGInterpolation(1, interpolation)
    return {
        "pc_mg_galerkin": "both",
        "mg_levels_ksp_type": "richardson",
        "mg_levels_ksp_max_it": "1",
        "mg_levels_pc_type": "sor",
        "mg_levels_pc_sor_local_symmetric": "true",
        "mg_coarse_ksp_type": "preonly",
        "mg_coarse_pc_type": "gamg",
    }


@contextmanager
def _default_options(prefix: str, defaults: dict[str, str]) -> Iterator[None]:
    """Lend ``defaults`` to PETSc's database where the user gave nothing, and take them back."""
    database = PETSc.Options()
    added = [prefix + key for key in defaults if not database.hasName(prefix + key)]
    for key in added:
        database[key] = defaults[key.removeprefix(prefix)]
    try:
        yield
    finally:
        for key in added:
            database.delValue(key)


@contextmanager
def _users_options_understood() -> Iterator[None]:
    """Say what PETSc does not understand of the user's options, in one line."""
    try:
        yield
    except PETSc.Error as error:
        if not PETSc.Options().getAll():
            raise
        reason = str(error).strip().splitlines()[-1].split("] ", 1)[-1]
        raise CaseError(
            f"PETSc does not take an option given after --: {reason}", key="PETSc options"
        ) from None
