"""The linear semi-discrete problem M du/dt = f(t) - K u with u = g(t) on constrained unknowns.

Everything that does not change is assembled once; a step is sparse products and a solve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

Array = npt.NDArray[np.float64]


@dataclass
class Load:
    """One named contribution to f(t): its vector on the owned unknowns, and its total.

    ``assemble`` gives the vector at a time; a load that does not change has ``varying`` false
    and is assembled once. The test functions sum to one, so the total amount per time that the
    load supplies is the sum of its entries.
    """

    name: str
    assemble: Callable[[float], Array]
    varying: bool
    _time: float = field(default=np.nan, init=False)
    _vector: Array = field(default_factory=lambda: np.zeros(0), init=False)
    _total: float = field(default=0.0, init=False)

    def at(self, time: float) -> Array:
        """The owned entries at ``time``, assembled again only where they vary."""
        if np.isnan(self._time) or (self.varying and time != self._time):
            self._vector, self._time = self.assemble(time), time
            self._total = float(self._vector.sum())
        return self._vector

    def total(self, time: float) -> float:
        """This rank's part of the amount per time that the load supplies at ``time``."""
        self.at(time)
        return self._total


@dataclass
class Constraint:
    """Prescribed values of some owned unknowns; ``values`` gives them at a time, shape (n,)."""

    unknowns: npt.NDArray[np.int32]
    values: Callable[[float], Array]
    varying: bool

    _time: float = field(default=np.nan, init=False)
    _values: Array = field(default_factory=lambda: np.zeros(0), init=False)

    def at(self, time: float) -> Array:
        """The prescribed values at ``time``, evaluated again only where they vary."""
        if np.isnan(self._time) or (self.varying and time != self._time):
            self._values, self._time = self.values(time), time
        return self._values

    def impose(self, vector: PETSc.Vec, time: float) -> None:
        """Write the prescribed values into ``vector``."""
        vector.array[self.unknowns] = self.at(time)


class SemiDiscrete:
    """Mass and stiffness matrices, loads and constraint of one linear problem.

    The rows of the constrained unknowns are kept apart: the residual in them is the amount per
    time that the constraint supplies, which is how rates through Dirichlet boundaries are
    measured without differentiating the solution. ``lumped`` is the diagonal of a mass matrix that
    has nothing else, on the owned unknowns; ``constrained``: whether any rank has a constraint.
    """

    def __init__(
        self,
        stiffness: PETSc.Mat,
        mass: PETSc.Mat | None,
        loads: Sequence[Load],
        constraint: Constraint,
    ) -> None:
        self.stiffness, self._mass = stiffness, mass
        self.comm: MPI.Comm = stiffness.comm.tompi4py()
        self.loads, self.constraint = tuple(loads), constraint
        start, end = stiffness.getOwnershipRange()
        self.rows = PETSc.IS().createGeneral(
            constraint.unknowns + np.int32(start), comm=stiffness.comm
        )
        columns = PETSc.IS().createStride(end - start, start, 1, comm=stiffness.comm)
        self.constrained = self.rows.getSize() > 0
        self.lumped = _diagonal(mass)
        self.stiffness_rows = stiffness.createSubMatrix(self.rows, columns)
        self.mass_rows = mass.createSubMatrix(self.rows, columns) if mass is not None else None

    @property
    def steady(self) -> bool:
        """Whether there is no M, and K u = f is all."""
        return self._mass is None

    @property
    def mass(self) -> PETSc.Mat:
        """M; `ValueError` where the problem is steady."""
        if self._mass is None:
            raise ValueError("a steady problem has no mass matrix")
        return self._mass

    def vector(self) -> PETSc.Vec:
        """A zero vector of the problem's size."""
        vector = self.stiffness.createVecRight()
        vector.set(0.0)
        return vector

    def constrained_mass(self) -> PETSc.Mat:
        """A copy of M with the constrained rows and columns replaced by the identity."""
        mass = self.mass.copy()
        mass.zeroRowsColumns(self.rows, 1.0)
        return mass

    def load(self, time: float, out: PETSc.Vec) -> None:
        """f(t) into ``out``."""
        out.set(0.0)
        for load in self.loads:
            out.array[:] += load.at(time)

    def supply(self, time: float, value: PETSc.Vec, slope: PETSc.Vec | None) -> Array:
        """Amount per time that the constraint supplies to each constrained unknown, shape (n,).

        M u' + K u - f in the constrained rows; ``slope`` is absent in a steady state. Collective.
        """
        residual = self.stiffness_rows.createVecLeft()
        self.stiffness_rows.mult(value, residual)
        if slope is not None and self.mass_rows is not None:
            self.mass_rows.multAdd(slope, residual, residual)
        supplied: Array = residual.array_r.copy()
        for load in self.loads:
            supplied -= load.at(time)[self.constraint.unknowns]
        residual.destroy()
        return supplied


class ShiftedOperator:
    """M + s K with the rows and columns of the constrained unknowns replaced by the identity.

    In a steady state (no mass matrix) it is K, constrained in place.
    """

    def __init__(self, problem: SemiDiscrete) -> None:
        self._problem = problem
        self.shift = np.nan
        self.matrix = problem.stiffness
        self._boundary = problem.vector()
        self._product = problem.vector()
        self._lifted_for: tuple[float, float] | None = None
        if problem.steady:
            self.shift = np.inf
            self._lift(0.0)
        else:
            self.matrix = problem.stiffness.duplicate(copy=False)
        self.matrix.setOption(PETSc.Mat.Option.SPD, True)
        self.matrix.setOption(PETSc.Mat.Option.KEEP_NONZERO_PATTERN, True)
        if problem.steady:
            self.matrix.zeroRowsColumns(problem.rows, 1.0)

    def set_shift(self, shift: float) -> None:
        """Make the matrix M + ``shift`` K. Collective."""
        problem, same = self._problem, PETSc.Mat.Structure.SAME_NONZERO_PATTERN
        problem.stiffness.copy(self.matrix, same)
        self.matrix.scale(shift)
        if problem.lumped is not None:
            diagonal = problem.mass.getDiagonal()
            self.matrix.setDiagonal(diagonal, PETSc.InsertMode.ADD_VALUES)
            diagonal.destroy()
        else:
            self.matrix.axpy(1.0, problem.mass, same)
        if problem.constrained:
            self.matrix.zeroRowsColumns(problem.rows, 1.0)
        self.shift = shift

    def constrain(self, right_hand_side: PETSc.Vec, time: float) -> None:
        """Take the prescribed values to the right-hand side: b - (M + s K) g, and g in its rows."""
        constraint = self._problem.constraint
        if not self._problem.constrained:
            return
        if self._lifted_for != (self.shift, time if constraint.varying else 0.0):
            self._lift(time)
        right_hand_side.axpy(-1.0, self._product)
        constraint.impose(right_hand_side, time)

    def _lift(self, time: float) -> None:
        """(M + s K) applied to the prescribed values alone."""
        problem = self._problem
        problem.constraint.impose(self._boundary, time)
        problem.stiffness.mult(self._boundary, self._product)
        if not problem.steady:
            self._product.scale(self.shift)
            problem.mass.multAdd(self._boundary, self._product, self._product)
        self._lifted_for = (self.shift, time if problem.constraint.varying else 0.0)


def _diagonal(mass: PETSc.Mat | None) -> Array | None:
    """The owned diagonal of a matrix without other entries; None for other matrices. Collective."""
    if mass is None or mass.getInfo(PETSc.Mat.InfoType.GLOBAL_SUM)["nz_used"] > mass.getSize()[0]:
        return None
    vector = mass.getDiagonal()
    diagonal: Array = vector.array_r.copy()
    vector.destroy()
    return diagonal
