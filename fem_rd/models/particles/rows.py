"""Rows of observables, of which there is one after every so many steps of one length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fem_rd.errors import CaseError
from fem_rd.state import State

_ROWS = 200  # of a run whose case does not say how many
_MULTIPLE = 1e-6  # of the number of steps: what differs from a whole number by less is one


def whole_steps(duration: float, step: float, key: str) -> int:
    """Steps in a duration; `CaseError` where it is not a multiple of them."""
    steps = round(duration / step)
    if steps < 1 or abs(duration / step - steps) > _MULTIPLE * steps:
        raise CaseError(f"must be a multiple of time.step = {step:g}", key=key, found=duration)
    return steps


@dataclass
class Rows:
    """Where a run is: ``time``, and the number of rows after the first.

    ``step``: length of a step; ``every``: steps between rows, which also stand where a run stops.
    """

    step: float
    every: int
    time: float = 0.0
    count: int = 0

    @classmethod
    def of(cls, every: float | None, step: float, steps: int, key: str) -> Rows:
        """``every``: the interval that a case gives at ``key``; ``steps``: of the whole run."""
        if every is None:
            return cls(step, max(1, math.ceil(steps / _ROWS)))
        return cls(step, whole_steps(every, step, key))

    def next(self, done: int, limit: float) -> int:
        """The step at which the next row stands, with ``done`` taken, not beyond ``limit``."""
        return min((done // self.every + 1) * self.every, round(limit / self.step))

    def reach(self, done: int, limit: float) -> None:
        """A row after so many steps."""
        self.time = limit if done == round(limit / self.step) else done * self.step
        self.count += 1

    def state(self) -> State:
        """What `restore` needs."""
        return State({}, {"time": np.array(self.time), "rows": np.array(float(self.count))})

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        self.time, self.count = state.number("time"), int(state.number("rows"))
