"""From one state to the next: a steady solve, steps of fixed size, or steps of adapted size.

A march holds ``time``, ``value``, the ``flows`` at that time and what was ``exchanged`` since the
start through each of them; `advance` brings it one step on, never beyond a limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.errors import NumericalError
from fem_rd.numerics.control import AdaptiveSize
from fem_rd.numerics.semidiscrete import SemiDiscrete, ShiftedOperator
from fem_rd.numerics.solver import KrylovSolver
from fem_rd.numerics.stepping import Flows, MultistepStepper, RungeKuttaStepper, Step
from fem_rd.state import State

Array = npt.NDArray[np.float64]
Stepper = RungeKuttaStepper | MultistepStepper


class March(Protocol):
    """What a model asks of its numerics."""

    time: float
    steps: int
    flows: Array
    exchanged: Array

    @property
    def value(self) -> PETSc.Vec:
        """The state at ``time``."""
        ...

    def advance(self, limit: float) -> None:
        """One step, not beyond ``limit``."""
        ...

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        ...

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        ...

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand side and solution of the last solve, to look for what went wrong."""
        ...


class SteadyMarch:
    """The state in which the loads balance: K u = f. It is reached in one step."""

    def __init__(self, problem: SemiDiscrete, solver: KrylovSolver, flows: Flows) -> None:
        self._problem, self._solver, self._flows = problem, solver, flows
        self._operator = ShiftedOperator(problem)
        self.value, self._rhs = problem.vector(), problem.vector()
        self.time, self.steps = -np.inf, 0
        self.flows: Array = np.zeros(0)
        self.exchanged: Array = np.zeros(0)

    def advance(self, limit: float) -> None:
        """Solve; the state holds at every time, so also at ``limit``."""
        rhs = self._rhs
        self._problem.load(limit, rhs)
        self._operator.constrain(rhs, limit)
        self._problem.constraint.impose(self.value, limit)
        self._solver.set_operator(self._operator.matrix)
        self._solver.solve(rhs, self.value)
        self._problem.constraint.impose(self.value, limit)
        self.flows = self._flows(limit, self.value, None)
        self.exchanged = np.zeros(len(self.flows))
        self.time, self.steps = limit, 1

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand side and solution."""
        return self._rhs, self.value

    def state(self) -> State:
        """The solution."""
        return State({"value": self.value.array_r.copy()}, account(self))

    def restore(self, state: State) -> None:
        """Take over a solution. Collective."""
        self.value.array[:] = state.distributed["value"]
        restore_account(self, state)


class FixedMarch:
    """Steps of one size from time 0; times are multiples of it, without drift."""

    def __init__(self, stepper: Stepper, size: float, initial: PETSc.Vec) -> None:
        self._stepper, self._size = stepper, size
        self.time, self.steps = 0.0, 0
        self.flows = stepper.start(0.0, initial)
        self.exchanged: Array = np.zeros(len(self.flows))

    @property
    def value(self) -> PETSc.Vec:
        return self._stepper.value

    def advance(self, limit: float) -> None:
        """One step; a limit that is met to round-off is met exactly."""
        step = self._stepper.propose(self.steps * self._size, self._size)
        take(self, self._stepper, step)
        self.time = self.steps * self._size
        if abs(self.time - limit) < 1e-6 * self._size:
            self.time = limit

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand side and solution of the last solve."""
        return self._stepper.attempted()

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        return self._stepper.state() | State({}, account(self))

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._stepper.restore(state)
        restore_account(self, state)


class AdaptiveMarch:
    """Steps whose estimated local error, relative to the largest value, meets a tolerance.

    ``measure`` multiplies the unknowns where they are not themselves what should be accurate.
    """

    def __init__(
        self,
        stepper: RungeKuttaStepper,
        control: AdaptiveSize,
        initial: PETSc.Vec,
        measure: PETSc.Vec | None = None,
    ) -> None:
        self._stepper, self._control, self._measure = stepper, control, measure
        self._error = initial.duplicate()
        self.time, self.steps = 0.0, 0
        self.flows = stepper.start(0.0, initial)
        self.exchanged: Array = np.zeros(len(self.flows))

    @property
    def value(self) -> PETSc.Vec:
        return self._stepper.value

    def advance(self, limit: float) -> None:
        """One accepted step; steps that err too much are taken again, smaller."""
        while True:
            size = self._control.within(limit - self.time)
            step = self._stepper.propose(self.time, size)
            self._stepper.error(step, self._error)
            if self._control.judge(size, self._relative_error(), self.time):
                break
        take(self, self._stepper, step)
        self.time = limit if size == limit - self.time else step.end

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand side and solution of the last solve."""
        return self._stepper.attempted()

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        control = {"size": np.array(self._control.size)}
        return self._stepper.state() | State({}, {**account(self), **control})

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._stepper.restore(state)
        self._control.size = state.number("size")
        restore_account(self, state)

    def _relative_error(self) -> float:
        largest = self._largest(self._stepper.value)
        return self._largest(self._error) / max(largest, np.finfo(float).tiny)

    def _largest(self, vector: PETSc.Vec) -> float:
        if self._measure is None:
            return float(vector.norm(PETSc.NormType.NORM_INFINITY))
        measured = vector.duplicate()
        measured.pointwiseMult(vector, self._measure)
        largest = float(measured.norm(PETSc.NormType.NORM_INFINITY))
        measured.destroy()
        return largest


class Account(Protocol):
    """What every march keeps."""

    time: float
    steps: int
    flows: Array
    exchanged: Array


class Accepting(Protocol):
    """What every stepper can do."""

    def accept(self, step: Step) -> None: ...


def take(march: Account, stepper: Accepting, step: Step) -> None:
    """Accept ``step`` and keep the account; raise where the numbers are no longer finite."""
    if not np.all(np.isfinite(step.flows)):
        raise NumericalError(
            f"a number that is not finite appeared in the step from time {step.start:.6g}",
            remedy="a smaller time.step, or adaptive steps (leave out time.step)",
        )
    stepper.accept(step)
    march.flows = step.flows
    march.exchanged = march.exchanged + step.exchanged
    march.steps += 1


def account(march: Account) -> dict[str, Array]:
    """The account as arrays, for `State`."""
    return {
        "time": np.array(march.time),
        "steps": np.array(march.steps),
        "now": march.flows,
        "exchanged_so_far": march.exchanged,
    }


def restore_account(march: Account, state: State) -> None:
    """Take a saved account back."""
    march.time, march.steps = state.number("time"), int(state.number("steps"))
    march.flows = state.replicated["now"]
    march.exchanged = state.replicated["exchanged_so_far"]
