"""Steps that are implicit in transport and explicit in reactions, with the account of both.

Each stage is one linear solve for each species. The sources of a stage never change the matrix, so
matrices and preconditioners last as long as the step size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.numerics.reactive.additive import Additive
from fem_rd.numerics.reactive.nodal import combine, slope_between
from fem_rd.numerics.reactive.problem import Fields, ReactiveProblem
from fem_rd.numerics.reactive.transport import Transport
from fem_rd.numerics.stepping import Step
from fem_rd.state import State

Array = npt.NDArray[np.float64]

_FIRST_SCALE = 1e-3  # of one unit of time, over which prescribed values are differenced at time 0


class AdditiveStepper:
    """Additive Runge-Kutta steps; the explicit first stage is the slope of the accepted state.

    ``_terms`` holds the accepted values, then the slopes by transport of each stage, then those by
    reactions, so that every combination of them is one pass.
    """

    def __init__(self, problem: ReactiveProblem, scheme: Additive, transport: Transport) -> None:
        self.problem, self.scheme, self._transport = problem, scheme, transport
        count = len(scheme.weights)
        self._terms = np.zeros((1 + 2 * count, *problem.shape))
        self._flat = self._terms.reshape(1 + 2 * count, -1)
        self._now = Fields(problem, self._terms[0])
        self._slopes = [Fields(problem, term) for term in self._terms[1 : count + 1]]
        self._sources = self._terms[count + 1 :]
        self._base, self._stage, self._new = (Fields(problem) for _ in range(3))
        self._new_slope = Fields(problem)
        self._flows_now: Array = np.zeros(0)

    @property
    def values(self) -> Fields:
        return self._now

    @property
    def slope(self) -> Fields:
        """du/dt by transport in the accepted state."""
        return self._slopes[0]

    @property
    def proposed(self) -> Fields:
        """The values that the last proposed step ends with."""
        return self._new

    @property
    def proposed_slope(self) -> Fields:
        """du/dt by transport there."""
        return self._new_slope

    @property
    def error_order(self) -> int:
        return self.scheme.embedded_order + 1

    def start(self, time: float, values: Array) -> Array:
        """Take ``values`` as the state at ``time``; give the flows there. Collective."""
        self._now.array[:] = values
        self.problem.impose(self._now.array, time)
        self._flows_now = self._transport.look(
            time, self._now, self._sources[0], self._slopes[0], _FIRST_SCALE
        )
        return self._flows_now

    def propose(self, time: float, size: float) -> Step:
        """The step from the accepted state; it changes nothing until `accept`. Collective."""
        scheme = self.scheme
        exchanged = size * scheme.weights[0] * self._flows_now
        for stage in range(1, len(scheme.weights)):
            flows = self._solve_stage(stage, time + scheme.nodes[stage] * size, size)
            exchanged += size * scheme.weights[stage] * flows
        end = time + size
        self._combine(scheme.weights, scheme.weights, size, self._new.array)
        exchanged[: self.problem.channels] += self._transport.prescribe(end, self._new)
        flows = self._transport.look(end, self._new, self._base.array, self._new_slope, size)
        return Step(time, size, flows, exchanged)

    def accept(self, step: Step) -> None:
        """Make the last proposed step the state."""
        self._now.array[:] = self._new.array
        self._slopes[0].array[:] = self._new_slope.array
        self._sources[0][:] = self._base.array
        self._flows_now = step.flows

    def error(self, step: Step, out: Array) -> None:
        """The embedded estimate of the error of the last proposed step, into ``out``."""
        pairs = zip(self.scheme.embedded, self.scheme.weights, strict=True)
        difference = tuple(other - ours for other, ours in pairs)
        self._combine(difference, difference, step.size, out, keep=0.0)

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand sides and solutions of the last solves."""
        return self._transport.attempted()

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        own = {"values": self._terms[0].copy(), "slopes": self._terms[1].copy()}
        own["sources"] = self._sources[0].copy()
        return State(own, {"flows": self._flows_now}) | self._transport.state().within("solves")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._terms[0] = state.distributed["values"]
        self._terms[1] = state.distributed["slopes"]
        self._sources[0][:] = state.distributed["sources"]
        self._flows_now = state.replicated["flows"]
        self._transport.restore(state.part("solves"))

    def _solve_stage(self, stage: int, time: float, size: float) -> Array:
        """(M + s K) U = M base + s f; gives the flows of the stage."""
        implicit, explicit = self.scheme.implicit[stage][:-1], self.scheme.explicit[stage][:-1]
        shift = size * self.scheme.diagonal
        self._combine(implicit, explicit, size, self._base.array)
        guess = (*implicit[:-1], implicit[-1] + self.scheme.diagonal)
        self._combine(guess, explicit, size, self._stage.array)
        self._transport.solve(time, shift, self._base.array, self._stage)
        slope, source = self._slopes[stage], self._sources[stage]
        slope_between(
            self._stage.array.ravel(), self._base.array.ravel(), shift, slope.array.ravel()
        )
        self.problem.sources.evaluate(time, self._stage.array, source)
        return self.problem.all_flows(time, self._stage, slope)

    def _combine(
        self,
        implicit: Sequence[float],
        explicit: Sequence[float],
        size: float,
        out: Array,
        keep: float = 1.0,
    ) -> None:
        """``out`` = keep u + size sum (implicit_j L_j + explicit_j S_j)."""
        count = len(self.scheme.weights)
        coefficients = np.zeros(1 + 2 * count)
        coefficients[0] = keep
        coefficients[1 : 1 + len(implicit)] = size * np.asarray(implicit)
        coefficients[1 + count : 1 + count + len(explicit)] = size * np.asarray(explicit)
        combine(coefficients, self._flat, out.ravel())
