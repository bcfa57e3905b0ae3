"""The well-mixed model: the network of a case without place, so without a mesh.

Where the case has no section [time], it is the steady state of the rate equations. Otherwise there
is a row of observables at the times of `output.times` or, where there are none, at 201 equally
spaced ones; and with `time.step` at its multiples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from mpi4py import MPI

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.sections.well_mixed import WellMixedSection
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE, Expression, shortened
from fem_rd.log import Log
from fem_rd.models.protocol import Array, Exact, Field
from fem_rd.models.well_mixed.events import EventSystem
from fem_rd.models.well_mixed.rates import RateSystem
from fem_rd.observables import Observable
from fem_rd.state import State

INTERVALS = 200
_ROUND_OFF = 1e-9


class System(Protocol):
    """What evolves: concentrations by rate equations, or numbers of molecules by events."""

    def settle(self) -> None:
        """Go to a steady state. Raises `CaseError` or `NumericalError`."""
        ...

    def advance(self, begin: float, end: float) -> None:
        """From time ``begin`` to ``end``. Raises `NumericalError`. Collective."""
        ...

    def observables(self) -> Sequence[Observable]:
        """What is measured at the present time. Collective."""
        ...

    def state(self) -> State:
        """All that `restore` needs. Collective."""
        ...

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        ...

    def positions(self) -> Array:
        """One for each unknown that is this rank's own, shape (owned, 3)."""
        ...

    def describe(self) -> Mapping[str, str]:
        """For people: method, sizes."""
        ...


class WellMixedModel:
    """One run of a network in a stirred vessel, ready to advance."""

    def __init__(self, case: Case, comm: MPI.Comm, log: Log) -> None:
        section: WellMixedSection = case.section
        chemistry = cast(Chemistry, case.chemistry)  # the model's kind requires it
        _check(case, chemistry)
        self._names = chemistry.network.species
        self._system: System
        if section.method == "stochastic":
            self._system = EventSystem(case, section, chemistry, comm, log)
        else:
            self._system = RateSystem(case, section, chemistry, comm)
        self._interval = _interval(case)
        self._time, self._steps = -math.inf if case.time is None else 0.0, 0

    @property
    def time(self) -> float:
        """The time reached; minus infinity before a steady state is solved for."""
        return self._time

    @property
    def steps(self) -> int:
        """Rows after the first."""
        return self._steps

    def advance(self, limit: float) -> None:
        """To the next row, not beyond ``limit``, or to the steady state. Collective."""
        if math.isinf(self._time):
            self._system.settle()
            end = limit
        else:
            end = self._following(limit)
            self._system.advance(self._time, end)
        self._time, self._steps = end, self._steps + 1

    def observables(self) -> Sequence[Observable]:
        """What is measured at the present time. Collective."""
        return self._system.observables()

    def fields(self) -> Mapping[str, Field]:
        """None: there is no place."""
        return {}

    def exact(self) -> Exact:
        """Nothing is known in closed form about networks in general."""
        return Exact()

    def state(self) -> State:
        """Everything that `restore` needs to go on as if nothing had happened. Collective."""
        now = {"time": np.array(self._time), "steps": np.array(self._steps)}
        return State({}, now) | self._system.state().within("system")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._time, self._steps = state.number("time"), int(state.number("steps"))
        self._system.restore(state.part("system"))

    def positions(self) -> Array:
        """One for each unknown that is this rank's own, shape (owned, 3): their numbers."""
        return self._system.positions()

    def unknowns(self) -> Mapping[str, int]:
        """One for each species."""
        return dict.fromkeys(self._names, 1)

    def describe(self) -> Mapping[str, str]:
        """Unknowns, method."""
        return {"unknowns": f"{len(self._names)}", **self._system.describe()}

    def _following(self, limit: float) -> float:
        """The time of the next row."""
        index = math.floor(self._time / self._interval + _ROUND_OFF) + 1
        multiple = index * self._interval
        return multiple if multiple < limit - _ROUND_OFF * self._interval else limit


def _check(case: Case, chemistry: Chemistry) -> None:
    """Raise `CaseError` for what has no meaning without place, or is chosen by the method."""
    for key, named in (("region", chemistry.regions), ("radius", chemistry.radii)):
        if named:
            message = "there is no place in a well-mixed volume"
            name = next(iter(named))
            raise CaseError(message, key=joined("chemistry.reactions", name) + f".{key}")
    for key, expression in _coefficients(chemistry):
        if place := expression.names.intersection(SPACE):
            message = f"a rate depends on {min(place)}: there is no place in a well-mixed volume"
            valid = "rates that depend on t only"
            raise CaseError(message, key=key, found=shortened(expression.text), valid=valid)
        if "t" in expression.names and case.section.method == "stochastic":
            message = "a rate depends on t: events need rates that are constant in time"
            raise CaseError(message, key=key, found=shortened(expression.text))
    if chemistry.net_laws and case.section.method == "stochastic":
        raise CaseError(
            "a reversible reaction has one law for both ways, and events need two",
            key=f"chemistry.sbml: reaction {chemistry.net_laws[0]}",
            valid="a law that is the difference of two rates, two reactions, or the method "
            "deterministic",
        )
    for key in ("initial_step", "max_step"):
        if case.time is not None and getattr(case.time, key) is not None:
            raise CaseError("well-mixed chooses its steps by itself", key=f"time.{key}")


def _coefficients(chemistry: Chemistry) -> Iterator[tuple[str, Expression]]:
    """Key and expression of every rate, law and chemostat."""
    for reaction in chemistry.network.reactions:
        for expression in (reaction.rate, reaction.law):
            if expression is not None:
                yield chemistry.key(reaction.name), expression
    for name, held in chemistry.network.chemostats.items():
        yield chemistry.key_of_chemostat(name), held


def _interval(case: Case) -> float:
    if case.time is None:
        return math.inf
    if case.time.step is not None:
        return case.time.step
    return math.inf if case.output.times else case.time.end / INTERVALS
