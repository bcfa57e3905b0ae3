"""Reactions alone, at all nodes together, by explicit Runge-Kutta steps as small as they need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.errors import NumericalError
from fem_rd.numerics.reactive.nodal import combine
from fem_rd.numerics.reactive.norm import SpeciesNorm
from fem_rd.numerics.reactive.problem import ReactiveProblem
from fem_rd.state import State

Array = npt.NDArray[np.float64]

# Bogacki and Shampine (1989): third order, first slope same as last, companion of second order
_STAGES = ((1 / 2,), (0.0, 3 / 4), (2 / 9, 1 / 3, 4 / 9))
_NODES = (1 / 2, 3 / 4, 1.0)
_WEIGHTS = (2 / 9, 1 / 3, 4 / 9, 0.0)
_ERRORS = (5 / 72, -1 / 12, -1 / 9, 1 / 8)  # companion less scheme, with the sign turned

_SAFETY, _GROWTH, _CUT = 0.9, 5.0, 0.2
_SMALLEST = 1e-5  # of a step: numbers that are not finite even then stay so
_MOST = 10_000  # sub-steps of one step: more are a case for an implicit scheme


class ExplicitReacting:
    """Sub-steps of one size for all nodes, whose estimated error meets ``tolerance``."""

    def __init__(self, problem: ReactiveProblem, tolerance: float) -> None:
        self._problem, self._tolerance = problem, tolerance
        self._terms = np.zeros((5, *problem.shape))  # values, then the slopes of the stages
        self._flat = self._terms.reshape(5, -1)
        self._stage, self._error = np.zeros(problem.shape), np.zeros(problem.shape)
        self._norm = SpeciesNorm(problem)
        self._size = np.inf

    def react(self, time: float, size: float, values: Array) -> Array:
        """Bring ``values`` on by ``size``; the events of each reaction, all ranks. Collective."""
        sources = self._problem.sources
        events = np.zeros(sources.reactions)
        end, now = time + size, time
        for _ in range(_MOST):
            if now >= end:
                self._problem.comm.Allreduce(MPI.IN_PLACE, events)
                return events
            step = min(self._size, end - now)
            last = step == end - now
            events_of_step, error = self._try(now, step, values)
            accepted = error <= self._tolerance
            if accepted:
                np.copyto(values, self._stage)
                events += events_of_step
                now = end if last else now + step
            self._resize(step, error, cut_short=last and accepted)
            if step < _SMALLEST * size and not np.isfinite(error):
                break
        raise NumericalError(
            f"the reactions from time {time:.6g} on need more than {_MOST} sub-steps, or are not "
            "finite",
            remedy="time.scheme = 'implicit', or smaller steps",
        )

    def state(self) -> State:
        """The size of the next sub-step."""
        return State({}, {"size": np.array(self._size)})

    def restore(self, state: State) -> None:
        """Take it back."""
        self._size = state.number("size")

    def _try(self, time: float, step: float, values: Array) -> tuple[Array, float]:
        """The new values into ``_stage``; this rank's events, and the error on all ranks."""
        sources, terms = self._problem.sources, self._terms
        np.copyto(terms[0], values)
        sources.evaluate(time, values, terms[1])
        events = (step * _WEIGHTS[0]) * np.asarray(sources.totals(time, values))
        for index, (node, row) in enumerate(zip(_NODES, _STAGES, strict=True)):
            coefficients = np.zeros(5)
            coefficients[0] = 1.0
            coefficients[1 : 1 + len(row)] = step * np.array(row)
            combine(coefficients, self._flat, self._stage.ravel())
            sources.evaluate(time + node * step, self._stage, terms[index + 2])
            if _WEIGHTS[index + 1]:
                totals = np.asarray(sources.totals(time + node * step, self._stage))
                events += (step * _WEIGHTS[index + 1]) * totals
        combine(step * np.array((0.0, *_ERRORS)), self._flat, self._error.ravel())
        return events, self._norm.relative(self._error, self._stage)

    def _resize(self, step: float, error: float, *, cut_short: bool) -> None:
        """The next size; one that was cut to end in time says little about what is possible."""
        ratio = error / self._tolerance
        if not np.isfinite(ratio):
            self._size = step * _CUT
            return
        growth = min(_GROWTH, max(_CUT, _SAFETY * max(ratio, 1e-10) ** (-1 / 3)))
        wanted = step * growth
        self._size = max(wanted, self._size) if cut_short and growth > 1.0 else wanted
