"""Steps that are implicit in transport and reactions together, for stiff networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.numerics.reactive.newton import Newton
from fem_rd.numerics.reactive.nodal import combine, slope_between
from fem_rd.numerics.reactive.norm import SpeciesNorm
from fem_rd.numerics.reactive.problem import Fields, ReactiveProblem
from fem_rd.numerics.reactive.transport import Transport
from fem_rd.numerics.schemes import RungeKutta
from fem_rd.numerics.stepping import Step
from fem_rd.state import State

Array = npt.NDArray[np.float64]

_FIRST_SCALE = 1e-3
_FAR = 0.5  # relative change by which a stage is extrapolated


class ImplicitStepper:
    """Diagonally implicit Runge-Kutta steps; ``_terms``: the values, and the slopes of stages."""

    def __init__(
        self, problem: ReactiveProblem, scheme: RungeKutta, transport: Transport, newton: Newton
    ) -> None:
        self.problem, self.scheme = problem, scheme
        self._transport, self._newton = transport, newton
        count = len(scheme.stages)
        self._terms = np.zeros((1 + count, *problem.shape))
        self._flat = self._terms.reshape(1 + count, -1)
        self._now, self._stage = Fields(problem, self._terms[0]), Fields(problem)
        self._slope, self._moved, self._error = (Fields(problem) for _ in range(3))
        self._base = np.zeros(problem.shape)
        self._norm = SpeciesNorm(problem)
        self._flows_now: Array = np.zeros(0)

    @property
    def values(self) -> Fields:
        return self._now

    @property
    def proposed(self) -> Fields:
        """The values that the last proposed step ends with."""
        return self._stage

    @property
    def error_order(self) -> int:
        return self.scheme.embedded_order + 1

    def start(self, time: float, values: Array) -> Array:
        """Take ``values`` as the state at ``time``; give the flows there. Collective."""
        self._now.array[:] = values
        self.problem.impose(self._now.array, time)
        flows = self._transport.look(time, self._now, self._base, self._moved, _FIRST_SCALE)
        np.add(self._moved.array, self._base, out=self._slope.array)
        self._flows_now = flows
        return flows

    def propose(self, time: float, size: float) -> Step:
        """The step from the accepted state; it changes nothing until `accept`. Collective."""
        scheme = self.scheme
        exchanged: Array = np.zeros(len(self._flows_now))
        flows = self._flows_now
        for index, (node, weight) in enumerate(zip(scheme.nodes, scheme.weights, strict=True)):
            if index == 0 and scheme.explicit_first:
                self._terms[1] = self._slope.array
            else:
                flows = self._solve_stage(index, time + node * size, size)
            exchanged += size * weight * flows
        return Step(time, size, flows, exchanged)

    def accept(self, step: Step) -> None:
        """Make the last proposed step the state."""
        self._now.array[:] = self._stage.array
        self._slope.array[:] = self._terms[-1]
        self._flows_now = step.flows

    def error(self, step: Step, out: Array) -> None:
        """The embedded estimate of the error of the last proposed step, into ``out``. Collective.

        Filtered by the matrix of Newton's method, without which stiff components dominate it.
        """
        pairs = zip(self.scheme.embedded or (), self.scheme.weights, strict=True)
        difference = [other - ours for other, ours in pairs]
        combine(np.array([0.0, *difference]) * step.size, self._flat, self._error.array.ravel())
        self._newton.filter(self._error)
        out[:] = self._error.array

    def attempted(self) -> Sequence[PETSc.Vec]:
        """The last residuals and the last stage."""
        return *self._newton.attempted(), *self._stage.vectors

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        own = {"values": self._now.array.copy(), "slope": self._slope.array.copy()}
        return State(own, {"flows": self._flows_now}) | self._newton.state().within("newton")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._now.array[:] = state.distributed["values"]
        self._slope.array[:] = state.distributed["slope"]
        self._flows_now = state.replicated["flows"]
        self._newton.restore(state.part("newton"))

    def _solve_stage(self, index: int, time: float, size: float) -> Array:
        """The stage, its slope into ``_terms``; gives its flows."""
        row, shift = self.scheme.stages[index], size * self.scheme.diagonal
        coefficients = np.zeros(len(self._terms))
        coefficients[0] = 1.0
        coefficients[1 : len(row)] = size * np.array(row[:-1])
        combine(coefficients, self._flat, self._base.ravel())
        self._guess(shift, self._terms[index] if index else self._slope.array)
        sources = self._newton.solve(time, shift, self._base, self._stage)
        slope = self._terms[1 + index]
        slope_between(self._stage.array.ravel(), self._base.ravel(), shift, slope.ravel())
        np.subtract(slope, sources, out=self._moved.array)
        moved = self.problem.flows(time, self._stage.vectors, self._moved.vectors)
        return np.concatenate([moved, self._newton.totals])

    def _guess(self, shift: float, slope: Array) -> None:
        """Where Newton's method begins: ahead by the last slope, or here where that is far away.

        A slope of stiff components points far beyond the solution.
        """
        np.multiply(slope, shift, out=self._stage.array)
        self._stage.array += self._base
        ahead = self._stage.array - self._now.array
        if not self._norm.relative(ahead, self._now.array) <= _FAR:
            np.copyto(self._stage.array, self._now.array)
