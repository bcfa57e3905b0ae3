"""The two-step IMEX formula of variable step: implicit transport, extrapolated reactions.

With h the new step, h/w the last one (w is the ratio),

    u_new = a u_0 - b u_1 + g h [L_new + (1 + w) S_0 - w S_1],
    a = (1 + w)^2/(1 + 2w),  b = w^2/(1 + 2w),  g = (1 + w)/(1 + 2w)

where L is the slope by transport and S that by reactions (Ascher, Ruuth and Wetton 1995 for w = 1).
One solve for each species and one evaluation of the sources in each step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.numerics.reactive.imex import AdditiveStepper
from fem_rd.numerics.reactive.nodal import combine_rows, slope_between
from fem_rd.numerics.reactive.problem import Fields, ReactiveProblem
from fem_rd.numerics.reactive.transport import Transport
from fem_rd.numerics.stepping import Step
from fem_rd.state import State

Array = npt.NDArray[np.float64]

_VALUES, _SOURCES, _SLOPES = (0, 1, 2), (3, 4, 5), (6, 7)
_REDUCTION = 1e-3  # of the residual of the first guess, which errs as much as the step itself


class ImexBdf2Stepper:
    """Steps of the two-step formula; an additive Runge-Kutta step makes the first.

    All arrays are slots of one stack, so that a combination is one pass. The slots of values,
    sources and slopes are listed newest first; the last of each is where the next step is made.
    """

    def __init__(
        self, problem: ReactiveProblem, starter: AdditiveStepper, transport: Transport
    ) -> None:
        self.problem, self._starter, self._transport = problem, starter, transport
        stack = np.zeros((8, *problem.shape))
        self._flat = stack.reshape(len(stack), -1)
        self._slots = [Fields(problem, slot) for slot in stack]
        self._base = np.zeros(problem.shape)
        self._values, self._sources, self._slopes = list(_VALUES), list(_SOURCES), list(_SLOPES)
        self._totals: list[Array] = []
        self._totals_new: Array = np.zeros(0)
        self._last_exchanged: Array = np.zeros(0)
        self._last_size = np.nan

    error_order = 3

    @property
    def values(self) -> Fields:
        return self._slots[self._values[0]]

    @property
    def proposed(self) -> Fields:
        """The values that the last proposed step ends with."""
        return self._slots[self._values[2]]

    def start(self, time: float, values: Array) -> Array:
        """Take ``values`` as the state at ``time``; give the flows there. Collective."""
        flows = self._starter.start(time, values)
        self.values.array[:] = self._starter.values.array
        self._last_size = np.nan
        self._evaluate(time, self._values[0], self._sources[0])
        self._totals = [self._totals_new]
        return flows

    def propose(self, time: float, size: float) -> Step:
        """The step from the accepted state; it changes nothing until `accept`. Collective."""
        first = np.isnan(self._last_size)
        return self._first_step(time, size) if first else self._step(time, size)

    def accept(self, step: Step) -> None:
        """Make the last proposed step the state."""
        for slots in (self._values, self._sources, self._slopes):
            slots.insert(0, slots.pop())
        self._totals = [self._totals_new, *self._totals][:2]
        self._last_exchanged, self._last_size = step.exchanged, step.size

    def error(self, step: Step, out: Array) -> None:
        """The estimated local error of the last proposed step, into ``out``.

        The difference d from the extrapolation of values and slope estimates u''', the sources at
        the new state their own extrapolation's error; the two make the error of the formula.
        """
        if np.isnan(self._last_size):
            self._starter.error(step, out)
            return
        w = step.size / self._last_size
        (u0, u1, new), (s0, s1, s_new) = self._values, self._sources
        d = -(1 + w) / (2 + 3 * w)
        r = (1 + w) / (1 + 2 * w) * step.size * (1 + d)
        ahead = d * step.size * (1 + w)
        extrapolated = (u0, -d * (1 - w * w)), (u1, -d * w * w), (self._slopes[0], -ahead)
        sources = (s_new, r), (s0, -r * (1 + w) - ahead), (s1, r * w)
        self._combine(((new, d), *extrapolated, *sources), out)

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand sides and solutions of the last solves."""
        return self._transport.attempted()

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        numbers = {
            "totals": np.array(self._totals),
            "exchanged": self._last_exchanged,
            "size": np.array(self._last_size),
        }
        kept = self._kept
        own = State({"slots": np.array([self._slots[slot].array for slot in kept])}, numbers)
        if np.isnan(self._last_size):
            return own | self._starter.state().within("starter")
        return own | self._transport.state().within("solves")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        for slot, saved in zip(self._kept, state.distributed["slots"], strict=True):
            self._slots[slot].array[:] = saved
        self._totals = list(state.replicated["totals"])
        self._last_exchanged = state.replicated["exchanged"]
        self._last_size = state.number("size")
        if np.isnan(self._last_size):
            self._starter.restore(state.part("starter"))
        else:
            self._transport.restore(state.part("solves"))

    @property
    def _kept(self) -> list[int]:
        """The slots from which steps go on."""
        return [*self._values[:2], *self._sources[:2], self._slopes[0]]

    def _first_step(self, time: float, size: float) -> Step:
        starter = self._starter
        step = starter.propose(time, size)
        self._slots[self._values[2]].array[:] = starter.proposed.array
        self._slots[self._slopes[1]].array[:] = starter.proposed_slope.array
        self._evaluate(step.end, self._values[2], self._sources[2])
        return step

    def _step(self, time: float, size: float) -> Step:
        w, end = size / self._last_size, time + size
        g, b = (1 + w) / (1 + 2 * w), w * w / (1 + 2 * w)
        (u0, u1, new), (s0, s1, s_new) = self._values, self._sources
        h = g * size
        # changes first, then u_0: near a steady state the other order rounds one way in each step
        changes = (u0, b), (u1, -b), (s0, h * (1 + w)), (s1, -h * w)
        self._combine((*changes, (u0, 1.0)), self._base)
        values, slope = self._slots[new], self._slots[self._slopes[1]]
        ahead = size * (1 + w)
        guess = (u0, 1 - w * w), (u1, w * w), (self._slopes[0], ahead), (s0, ahead)
        self._combine(guess, values.array)
        self._transport.solve(end, h, self._base, values, _REDUCTION)
        slope_between(values.array.ravel(), self._base.ravel(), h, slope.array.ravel())
        self._evaluate(end, new, s_new)
        moved = self.problem.flows(end, values.vectors, slope.vectors)
        reacted = (1 + w) * self._totals[0] - w * self._totals[1]
        exchanged = h * np.concatenate([moved, reacted]) + b * self._last_exchanged
        return Step(time, size, np.concatenate([moved, self._totals_new]), exchanged)

    def _evaluate(self, time: float, values: int, sources: int) -> None:
        array = self._slots[values].array
        self.problem.sources.evaluate(time, array, self._slots[sources].array)
        self._totals_new = self.problem.totals(time, array)

    def _combine(self, terms: Sequence[tuple[int, float]], out: Array) -> None:
        """``out`` = the sum of slots times coefficients, in the order given.

        Not in the order of the slots, which rotate: a resumed run must round as this one does.
        """
        rows = np.array([slot for slot, _ in terms])
        coefficients = np.array([coefficient for _, coefficient in terms])
        combine_rows(coefficients, rows, self._flat, out.ravel())
