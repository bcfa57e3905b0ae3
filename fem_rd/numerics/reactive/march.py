"""From one state of all species to the next: a steady state, fixed steps, or adapted ones.

A march holds ``time``, the ``values`` of the species, the ``flows`` at that time and what was
``exchanged`` since the start: first by the channels of the transport, then by each reaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.errors import NumericalError
from fem_rd.numerics.control import AdaptiveSize
from fem_rd.numerics.march import account, restore_account, take
from fem_rd.numerics.reactive.norm import SpeciesNorm
from fem_rd.numerics.reactive.problem import Fields, ReactiveProblem
from fem_rd.numerics.stepping import Step
from fem_rd.state import State

Array = npt.NDArray[np.float64]


class ReactiveStepper(Protocol):
    """One step of all species; `fem_rd.numerics.stepping` has the words."""

    @property
    def values(self) -> Fields:
        """The accepted state."""
        ...

    @property
    def proposed(self) -> Fields:
        """The values that the last proposed step ends with."""
        ...

    @property
    def error_order(self) -> int:
        """The order of the estimated error in the step size."""
        ...

    def start(self, time: float, values: Array) -> Array: ...

    def propose(self, time: float, size: float) -> Step: ...

    def accept(self, step: Step) -> None: ...

    def error(self, step: Step, out: Array) -> None: ...

    def attempted(self) -> Sequence[PETSc.Vec]: ...

    def state(self) -> State: ...

    def restore(self, state: State) -> None: ...


class ReactiveMarch(Protocol):
    """What a model asks of its numerics."""

    time: float
    steps: int
    flows: Array
    exchanged: Array

    @property
    def values(self) -> Sequence[PETSc.Vec]:
        """The state at ``time``, one vector for each species."""
        ...

    def advance(self, limit: float) -> None:
        """One step, not beyond ``limit``. Raises `NumericalError`. Collective."""
        ...

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        ...

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        ...

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand sides and solutions of the last solves, to look for what went wrong."""
        ...


class RestartableMarch(ReactiveMarch, Protocol):
    """A march in steps, which can look again at where it is."""

    def restart(self) -> None:
        """Go on without history: what sources there are may have changed. Collective."""
        ...


class FixedReactiveMarch:
    """Steps of one size from time 0; times are multiples of it, without drift."""

    def __init__(self, stepper: ReactiveStepper, size: float, initial: Array) -> None:
        self._stepper, self._size = stepper, size
        self.time, self.steps = 0.0, 0
        self.flows = stepper.start(0.0, initial)
        self.exchanged: Array = np.zeros(len(self.flows))

    @property
    def values(self) -> Sequence[PETSc.Vec]:
        return self._stepper.values.vectors

    def advance(self, limit: float) -> None:
        """One step; a limit that is met to round-off is met exactly."""
        step = self._stepper.propose(self.steps * self._size, self._size)
        take(self, self._stepper, step)
        self.time = self.steps * self._size
        if abs(self.time - limit) < 1e-6 * self._size:
            self.time = limit

    def restart(self) -> None:
        """Look again at the state, whose sources may have changed. Collective."""
        self.flows = self._stepper.start(self.time, self._stepper.values.array.copy())

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand sides and solutions of the last solves."""
        return self._stepper.attempted()

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        return self._stepper.state().within("stepper") | State({}, account(self))

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._stepper.restore(state.part("stepper"))
        restore_account(self, state)


class AdaptiveReactiveMarch:
    """Steps whose estimated local error meets a tolerance.

    The error of each species counts relative to the largest value of that species, so that a
    species of low concentration is as accurate as the others.
    """

    def __init__(
        self,
        problem: ReactiveProblem,
        stepper: ReactiveStepper,
        control: AdaptiveSize,
        initial: Array,
    ) -> None:
        self._stepper, self._control = stepper, control
        self._norm = SpeciesNorm(problem)
        self._error = np.zeros(problem.shape)
        self._problem = problem
        self.time, self.steps = 0.0, 0
        self.flows = stepper.start(0.0, initial)
        self.exchanged: Array = np.zeros(len(self.flows))

    @property
    def values(self) -> Sequence[PETSc.Vec]:
        return self._stepper.values.vectors

    def advance(self, limit: float) -> None:
        """One accepted step; steps that err too much or fail are taken again, smaller."""
        failure: NumericalError | None = None
        while True:
            size = self._control.within(limit - self.time)
            try:
                step, error = self._attempt(size)
            except NumericalError as caught:
                failure, error = caught, np.inf
            if self._judge(size, error, failure):
                break
        take(self, self._stepper, step)
        self.time = limit if size == limit - self.time else step.end

    def restart(self) -> None:
        """Look again at the state, whose sources may have changed. Collective."""
        self.flows = self._stepper.start(self.time, self._stepper.values.array.copy())

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand sides and solutions of the last solves."""
        return self._stepper.attempted()

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        control = {"size": np.array(self._control.size)}
        own = State({}, {**account(self), **control})
        return self._stepper.state().within("stepper") | own

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._stepper.restore(state.part("stepper"))
        self._control.size = state.number("size")
        restore_account(self, state)

    def _attempt(self, size: float) -> tuple[Step, float]:
        step = self._stepper.propose(self.time, size)
        self._stepper.error(step, self._error)
        for species, row in zip(self._problem.species, self._error, strict=True):
            row[species.constraint.unknowns] = 0.0
        return step, self._norm.relative(self._error, self._stepper.proposed.array)

    def _judge(self, size: float, error: float, failure: NumericalError | None) -> bool:
        """Whether the step is good enough; a step size that collapsed tells the first reason."""
        try:
            return self._control.judge(size, error, self.time)
        except NumericalError as collapse:
            raise (failure or collapse) from collapse
