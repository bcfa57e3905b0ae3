"""Eigenvalues: the one file that makes EPS objects (SLEPc)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc
from slepc4py import SLEPc

from fem_rd.errors import NumericalError

Array = npt.NDArray[np.float64]


def smallest_eigenpairs(
    matrix: PETSc.Mat, count: int, shift: float, known: PETSc.Vec | None = None
) -> tuple[Array, list[PETSc.Vec]]:
    """The ``count`` smallest eigenvalues of a symmetric positive matrix, and unit eigenvectors.

    By Krylov-Schur iterations on the inverse of ``matrix`` + ``shift``. ``known``: an eigenvector
    that is left out. Eigenvectors have either sign, as the random start has it. Collective.
    Raises `NumericalError` where they do not converge.
    """
    solver = SLEPc.EPS().create(matrix.comm)
    solver.setOptionsPrefix("modes_")
    solver.setOperators(matrix)
    solver.setProblemType(SLEPc.EPS.ProblemType.HEP)
    solver.setDimensions(count)
    solver.setTarget(-shift)
    solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
    solver.setTolerances(1e-13, 1000)
    _invert(solver.getST(), parallel=matrix.comm.size > 1)
    if known is not None:
        solver.setDeflationSpace([known])
    solver.setFromOptions()
    solver.solve()
    found = solver.getConverged()
    if found < count:
        raise NumericalError(
            f"{found} of {count} modes converged",
            remedy="fewer modes, or a finer mesh where they differ",
        )
    vectors = [matrix.createVecRight() for _ in range(count)]
    values = [solver.getEigenpair(index, vector).real for index, vector in enumerate(vectors)]
    order = np.argsort(values)
    solver.destroy()
    return np.array(values)[order], [vectors[index] for index in order]


def _invert(transform: SLEPc.ST, *, parallel: bool) -> None:
    transform.setType("sinvert")
    ksp = transform.getKSP()
    ksp.setType("preonly")
    pc = ksp.getPC()
    pc.setType("lu" if parallel else "cholesky")
    if parallel:
        pc.setFactorSolverType("mumps")
