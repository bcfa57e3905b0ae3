"""The rate equations of a case: concentrations, conserved totals, thermodynamics, period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.sections.well_mixed import WellMixedSection
from fem_rd.chemistry.limit_cycle import LimitCycle, limit_cycle
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.rate_equations import TOLERANCE, RateEquations
from fem_rd.chemistry.thermodynamics.macroscopic import Thermodynamics, thermodynamics_of
from fem_rd.errors import CaseError
from fem_rd.models.protocol import Array
from fem_rd.observables import Observable
from fem_rd.state import State

TINY = 1e-300
THERMODYNAMICS = {
    "phi": "free energy per volume, relative to the steady state",
    "sigma": "entropy production per volume",
    "cmf": "chemical motive force per volume",
    "dphi_dt": "rate of change of the free energy per volume: cmf - sigma",
}


class RateSystem:
    """Concentrations that follow the rate equations; the same on every rank."""

    def __init__(
        self, case: Case, section: WellMixedSection, chemistry: Chemistry, comm: MPI.Comm
    ) -> None:
        self._case, self._section, self._comm = case, section, comm
        self._equations = RateEquations(chemistry.network)
        given = {**chemistry.initial, **section.initial}
        self._initial = np.array([given.get(name, 0.0) for name in chemistry.network.species])
        self._x = self._initial
        self._thermodynamics = (
            _thermodynamics(chemistry.network, self._initial) if section.thermodynamics else None
        )
        _check(case, section, self._equations)

    def settle(self) -> None:
        """The steady state with the totals of the start. Raises `CaseError`, `NumericalError`."""
        self._x = self._equations.steady_state(self._initial)

    def advance(self, begin: float, end: float) -> None:
        """From time ``begin`` to ``end``. Raises `NumericalError`."""
        time = self._case.time
        tolerance = time.tolerance if time is not None else None
        self._x = self._equations.advance(self._x, begin, end, tolerance or TOLERANCE)

    def observables(self) -> Sequence[Observable]:
        """Concentrations and what follows from them."""
        unit, x = self._units["amount/volume"], self._x
        names = self._equations.network.species
        found = [
            Observable(name, float(value), unit, f"concentration of {name}")
            for name, value in zip(names, x, strict=True)
        ]
        if len(self._equations.laws):
            text = "largest relative change of a conserved total since the start"
            found.append(Observable("conservation_drift", self._drift(), "1", text))
        return [*found, *self._of_thermodynamics(), *self._of_cycle()]

    def state(self) -> State:
        """Concentrations now and at the start."""
        return State({}, {"x": self._x, "initial": self._initial})

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        self._x, self._initial = state.replicated["x"], state.replicated["initial"]

    def positions(self) -> Array:
        """One for the vessel, on rank 0; all that is saved is replicated."""
        return np.zeros((1 if self._comm.rank == 0 else 0, 3))

    def describe(self) -> Mapping[str, str]:
        """The method."""
        steady = self._case.time is None
        return {"scheme": "Newton" if steady else "Radau IIA of order 5, adaptive"}

    def _drift(self) -> float:
        laws = self._equations.laws
        scale = np.abs(laws) @ np.abs(self._initial)
        change = np.abs(laws @ (self._x - self._initial))
        return float(np.max(change / np.maximum(scale, TINY)))

    def _of_thermodynamics(self) -> list[Observable]:
        if self._thermodynamics is None:
            return []
        state = self._thermodynamics.at(self._x)
        density, rate = (f"k_B T {self._units[u]}" for u in ("amount/volume", "amount/volume/time"))
        found = [
            Observable(name, getattr(state, name), density if name == "phi" else rate, text)
            for name, text in THERMODYNAMICS.items()
        ]
        text = "dphi_dt - (cmf - sigma): round-off"
        return [*found, Observable("balance_residual", state.balance_residual, rate, text)]

    def _of_cycle(self) -> list[Observable]:
        if not self._section.cycle:
            return []
        text = "period of the limit cycle that the start leads to"
        period, error = self._cycle.period, self._cycle.gap * self._cycle.period
        return [Observable("period", period, self._units["time"], text, error)]

    @cached_property
    def _cycle(self) -> LimitCycle:
        """From the start, so that a resumed run has the same to the bit."""
        return limit_cycle(self._equations, self._initial)

    @cached_property
    def _units(self) -> Mapping[str, str]:
        space = self._case.space or 3
        wanted = ("amount/volume", "amount/volume/time", "time")
        return {name: self._case.units.unit_name(name, space=space) for name in wanted}


def _thermodynamics(network: Network, initial: Array) -> Thermodynamics:
    try:
        return thermodynamics_of(network, initial)
    except CaseError as error:
        raise error.at(key="well-mixed.thermodynamics") from None


def _check(case: Case, section: WellMixedSection, equations: RateEquations) -> None:
    """Raise `CaseError` for what the case asks for and cannot have."""
    species = set(equations.network.species)
    taken = {"conservation_drift", *(["period"] if section.cycle else [])}
    taken |= {*THERMODYNAMICS, "balance_residual"} if section.thermodynamics else set()
    if both := sorted(species & taken):
        message = "a species has the name of an observable: rename it"
        raise CaseError(message, key="chemistry", found=both[0])
    if section.cycle and case.time is None:
        raise CaseError("a limit cycle is no steady state: add [time]", key="well-mixed.cycle")
    if not equations.autonomous and (section.cycle or case.time is None):
        what = "limit cycle" if section.cycle else "steady state"
        message = f"a rate depends on time, so there is no {what} to look for"
        raise CaseError(message, key="chemistry")
