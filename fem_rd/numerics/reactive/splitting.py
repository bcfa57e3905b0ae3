"""Strang splitting: half a step of reactions, a step of transport, half a step of reactions.

Each half is a flow of its own that keeps amounts, and reports them: reactions at each node by
themselves, transport of each species by itself (Strang 1968).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.numerics.reactive.nodal import slope_between
from fem_rd.numerics.reactive.problem import Fields, ReactiveProblem
from fem_rd.numerics.reactive.transport import Transport
from fem_rd.numerics.schemes import SDIRK2
from fem_rd.numerics.stepping import Step
from fem_rd.state import State

Array = npt.NDArray[np.float64]

_FIRST_SCALE = 1e-3


class Movement(Protocol):
    """Transport alone."""

    def move(self, time: float, size: float, values: Fields) -> Array:
        """Bring ``values`` from ``time`` on by ``size``; the amounts by channel. Collective."""
        ...


class Reacting(Protocol):
    """Reactions alone."""

    def react(self, time: float, size: float, values: Array) -> Array:
        """Bring ``values`` on by ``size``; the events of each reaction, all ranks. Collective."""
        ...

    def state(self) -> State: ...

    def restore(self, state: State) -> None: ...


class Sdirk2Movement:
    """Transport by the L-stable scheme of two stages (Alexander 1977)."""

    def __init__(self, problem: ReactiveProblem, transport: Transport) -> None:
        self._problem, self._transport = problem, transport
        self._base, self._slope = np.zeros(problem.shape), Fields(problem)

    def move(self, time: float, size: float, values: Fields) -> Array:
        """Bring ``values`` from ``time`` on by ``size``; the amounts by channel. Collective."""
        shift = size * SDIRK2.diagonal
        slope, base = self._slope, self._base
        np.copyto(base, values.array)
        moved = np.zeros(self._problem.channels)
        for node, weight, row in zip(SDIRK2.nodes, SDIRK2.weights, SDIRK2.stages, strict=True):
            if len(row) > 1:  # the first slope, in the base of the second stage
                base += (size * row[0]) * slope.array
            stage = time + node * size
            self._transport.solve(stage, shift, base, values)
            slope_between(values.array.ravel(), base.ravel(), shift, slope.array.ravel())
            moved += size * weight * self._problem.flows(stage, values.vectors, slope.vectors)
        return moved


class StrangStepper:
    """Steps of the split system; the error is estimated from the slopes at both ends.

    The trapezoidal rule over the step differs from it in the third order, by the error of the
    parts and of their splitting; a factor (M + s K)^-1 M keeps stiff components out of it.
    """

    error_order = 3

    def __init__(
        self,
        problem: ReactiveProblem,
        transport: Transport,
        movement: Movement,
        reacting: Reacting,
    ) -> None:
        self.problem, self._transport = problem, transport
        self._movement, self._reacting = movement, reacting
        self._now, self._slope = Fields(problem), Fields(problem)
        self._new, self._new_slope = Fields(problem), Fields(problem)
        self._source, self._new_source = np.zeros(problem.shape), np.zeros(problem.shape)
        self._error = Fields(problem)

    @property
    def values(self) -> Fields:
        return self._now

    @property
    def proposed(self) -> Fields:
        """The values that the last proposed step ends with."""
        return self._new

    def start(self, time: float, values: Array) -> Array:
        """Take ``values`` as the state at ``time``; give the flows there. Collective."""
        self._now.array[:] = values
        self.problem.impose(self._now.array, time)
        return self._transport.look(time, self._now, self._source, self._slope, _FIRST_SCALE)

    def propose(self, time: float, size: float) -> Step:
        """The step from the accepted state; it changes nothing until `accept`. Collective."""
        new, half, end = self._new, size / 2, time + size
        np.copyto(new.array, self._now.array)
        events = self._reacting.react(time, half, new.array)
        moved = self._movement.move(time, size, new)
        events = events + self._reacting.react(time + half, half, new.array)
        moved += self._transport.prescribe(end, new)
        flows = self._transport.look(end, new, self._new_source, self._new_slope, size)
        return Step(time, size, flows, np.concatenate([moved, events]))

    def accept(self, step: Step) -> None:
        """Make the last proposed step the state."""
        self._now, self._new = self._new, self._now
        self._slope, self._new_slope = self._new_slope, self._slope
        self._source, self._new_source = self._new_source, self._source

    def error(self, step: Step, out: Array) -> None:
        """The estimated error of the last proposed step, into ``out``. Collective."""
        error = self._error.array
        np.subtract(self._now.array, self._new.array, out=error)
        for slope in (
            self._slope.array, self._new_slope.array, self._source, self._new_source
        ):  # fmt: skip
            error += (step.size / 2) * slope
        self._transport.filter(step.size * SDIRK2.diagonal, self._error)
        out[:] = error

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand sides and solutions of the last solves, and the new state."""
        return *self._transport.attempted(), *self._new.vectors

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        own = State(
            {
                "values": self._now.array.copy(),
                "slope": self._slope.array.copy(),
                "source": self._source.copy(),
            }
        )
        reacting = self._reacting.state().within("reacting")
        return own | reacting | self._transport.state().within("solves")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._now.array[:] = state.distributed["values"]
        self._slope.array[:] = state.distributed["slope"]
        self._source[:] = state.distributed["source"]
        self._reacting.restore(state.part("reacting"))
        self._transport.restore(state.part("solves"))
