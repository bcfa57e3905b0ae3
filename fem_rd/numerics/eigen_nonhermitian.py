"""The slowest modes of M dy/dt = -K y where K is not symmetric (SLEPc)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from petsc4py import PETSc
from slepc4py import SLEPc

from fem_rd.errors import NumericalError
from fem_rd.numerics.factors import room_for_pivots

_DIGITS = 1e-13  # of the eigenvalues of the inverse
_ITERATIONS = 2000


@dataclass(frozen=True)
class Mode:
    """exp(-``rate`` t) and its eigenvector (real part); the other of a conjugate pair is implied.

    The real part of the rate is how fast it decays, its imaginary part, not negative, turns.
    """

    rate: complex
    vector: PETSc.Vec


def slowest_modes(
    stiffness: PETSc.Mat, mass: PETSc.Mat, count: int, shift: float
) -> list[Mode]:
    """The ``count`` modes of smallest rate in absolute value, pairs counted once. Collective.

    By Krylov-Schur iterations with (K + ``shift`` M)^-1 M; ``shift`` > 0, of the order of the rates
    wanted or less, makes it regular where a rate is zero. Raises `NumericalError` where they do
    not converge.
    """
    solver = SLEPc.EPS().create(stiffness.comm)
    solver.setOptionsPrefix("modes_")
    solver.setOperators(stiffness, mass)
    solver.setProblemType(SLEPc.EPS.ProblemType.GNHEP)
    solver.setDimensions(2 * count)
    solver.setTarget(-shift)
    solver.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
    solver.setTolerances(_DIGITS, _ITERATIONS)
    transform = solver.getST()
    transform.setType("sinvert")
    ksp = transform.getKSP()
    ksp.setType("preonly")
    ksp.getPC().setType("lu")
    ksp.getPC().setFactorSolverType("mumps")
    solver.setFromOptions()
    start = stiffness.createVecRight()
    first, last = start.getOwnershipRange()
    start.array[:] = 1.0 + np.sin(np.arange(first, last))  # of no symmetry, the same on any ranks
    solver.setInitialSpace([start])
    with room_for_pivots("modes_st_"):
        solver.solve()
    modes = _pairs_once(solver, stiffness)
    solver.destroy()
    if len(modes) < count:
        raise NumericalError(
            f"{len(modes)} of {count} modes converged", remedy="fewer modes, or a finer line"
        )
    return sorted(modes, key=lambda mode: (abs(mode.rate), mode.rate.imag))[:count]


def _pairs_once(solver: SLEPc.EPS, matrix: PETSc.Mat) -> list[Mode]:
    found = []
    for index in range(solver.getConverged()):
        real, imaginary = matrix.createVecRight(), matrix.createVecRight()
        value = complex(solver.getEigenpair(index, real, imaginary))
        largest = _signed_largest(real)
        if largest:
            real.scale(1 / largest)
        if value.imag >= 0.0:
            found.append(Mode(value, real))
    return found


def _signed_largest(vector: PETSc.Vec) -> float:
    """The entry that is largest in size, so that eigenvectors have a sign."""
    high, low = vector.max()[1], vector.min()[1]
    return float(high if high >= np.abs(low) else low)
