"""The Smoluchowski model: a concentration that diffuses, drifts and reacts at boundaries.

The unknown is the activity g = c exp(U) (`fem_rd.equations.smoluchowski`); everything that is
reported is the concentration c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.case.case import Case
from fem_rd.case.sections.smoluchowski import SmoluchowskiSection
from fem_rd.errors import NumericalError
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.models.budget import Budget
from fem_rd.models.marching import march_for
from fem_rd.models.place import Place
from fem_rd.models.protocol import Array, Exact, Field
from fem_rd.models.smoluchowski.checks import EVERYWHERE, check_section
from fem_rd.models.transport import Transport, is_zero
from fem_rd.numerics.march import March
from fem_rd.observables import Observable
from fem_rd.state import State

LEDGER_SCALE_FLOOR = 1e-300


class SmoluchowskiModel:
    """One run of the Smoluchowski equation, ready to advance."""

    def __init__(self, case: Case, domain: Domain, log: Log) -> None:
        self._case, self._domain = case, domain
        section: SmoluchowskiSection = case.section
        check_section(section, domain, steady=case.time is None)
        with log.phase("space"):
            self._place = Place(domain, section.degree)
        with log.phase("assembly"):
            self._transport = Transport(section, self._place)
            self._add_rates(section)
            problem = self._transport.problem(steady=case.time is None)
            self._amounts = self._amount_functionals()
        self._budget = Budget(domain.mesh.comm, problem, self._transport.channels)
        self._concentration = self._place.function("concentration")
        with log.phase("solve"):
            initial, measure = problem.vector(), problem.vector()
            initial.array[:] = self._transport.activity(self._place.at_nodes(section.initial))
            measure.array[:] = self._transport.boltzmann_at_nodes
            self._march: March = march_for(
                case, problem, self._budget.flows, initial, measure, self._place.interpolation()
            )
        self._initial_amount = self._amount(self._march.value)["amount"]

    def _add_rates(self, section: SmoluchowskiSection) -> None:
        """Reactions in regions, as channels after those of the boundaries; note what takes up."""
        self._sinks = self._transport.reactive_boundaries
        for name, rate in section.rates.items():
            measure = self._place.in_region(None if name == EVERYWHERE else name)
            self._transport.add_reaction(name, rate.degradation, rate.creation, measure)
            if not is_zero(rate.degradation) and is_zero(rate.creation):
                self._sinks.append(name)

    @property
    def time(self) -> float:
        """The time reached."""
        return self._march.time

    @property
    def steps(self) -> int:
        """Steps taken."""
        return self._march.steps

    def advance(self, limit: float) -> None:
        """One step, or the steady solve. Collective."""
        try:
            self._march.advance(limit)
        except NumericalError as error:
            place = self._first_not_finite()
            if place is None:
                raise
            raise NumericalError(
                f"a number that is not finite appeared in the step from time {self.time:.6g} on: "
                f"first in the concentration at ({place})",
                remedy="expressions of the case that are numbers everywhere and at all times "
                "there, or a smaller time.step",
            ) from error

    def _first_not_finite(self) -> str | None:
        """Where the last solve met what is not finite, on the lowest rank that has such a place."""
        place = None
        for vector in self._march.attempted():
            bad = np.flatnonzero(~np.isfinite(vector.array_r))
            if place is None and len(bad):
                place = ", ".join(f"{round(x, 12) + 0.0:.4g}" for x in self.positions()[bad[0]])
        return next((found for found in self._comm.allgather(place) if found), None)

    def fields(self) -> Mapping[str, Field]:
        """The concentration. Collective."""
        values = self._march.value.array_r * self._transport.boltzmann_at_nodes
        self._place.fill(self._concentration, values)
        return {"concentration": Field(self._concentration, self._unit("amount/volume"))}

    def observables(self) -> Sequence[Observable]:
        """Rates through boundaries and reactions, amounts, extremes, ledger. Collective."""
        rate_unit, amount_unit = self._unit("amount/time"), self._unit("amount")
        rates = self._rates()
        amounts = self._amount(self._march.value)
        smallest, largest = self._extremes()
        concentration = self._unit("amount/volume")
        found = [
            Observable(name, value, rate_unit, text) for name, (value, text) in rates.items()
        ]
        found += [
            Observable(name, value, amount_unit, "amount in the domain or region")
            for name, value in amounts.items()
        ]
        if self._case.time is not None:
            found += self._exchanged(amount_unit)
        return [
            *found,
            Observable("concentration_min", smallest, concentration, "smallest nodal value"),
            Observable("concentration_max", largest, concentration, "largest nodal value"),
            Observable(
                "ledger_residual",
                self._ledger_residual(amounts["amount"]),
                "1",
                "what the account of flows and amount misses, relative to what was exchanged",
            ),
        ]

    def state(self) -> State:
        """Everything that `restore` needs to go on as if nothing had happened."""
        start = State({}, {"initial_amount": np.array(self._initial_amount)})
        return start | self._march.state().within("march")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._initial_amount = state.number("initial_amount")
        self._march.restore(state.part("march"))

    def positions(self) -> Array:
        """Where this rank's owned unknowns are, shape (owned, 3)."""
        return self._place.positions

    def exact(self) -> Exact:
        """Closed forms where the geometry is a shell with constant coefficients."""
        from fem_rd.models.smoluchowski.exact import exact_for

        return exact_for(self._case)

    def unknowns(self) -> Mapping[str, int]:
        """Those of the concentration."""
        return {"concentration": self._place.unknowns}

    def describe(self) -> Mapping[str, str]:
        """Unknowns, elements, scheme."""
        time = self._case.time
        scheme = "steady state" if time is None else str(time.scheme)
        return {
            "unknowns": f"{self._place.unknowns}",
            "elements": f"Lagrange of degree {self._case.section.degree}",
            "scheme": scheme,
        }

    def _rates(self) -> dict[str, tuple[float, str]]:
        """Uptake per time: in total by what reacts, and through each boundary and region."""
        flows = dict(zip(self._transport.channel_names, self._march.flows, strict=True))
        sinks = self._sinks
        rates: dict[str, tuple[float, str]] = {}
        if sinks:
            text = f"amount taken up per time by {', '.join(sinks)}"
            rates["rate"] = (-sum(flows[name] for name in sinks), text)
        for name, flow in flows.items():
            rates[f"rate_{name}"] = (-flow, f"amount per time that leaves at {name}")
        return rates

    def _exchanged(self, unit: str) -> list[Observable]:
        """The account since the start, through each boundary and by each source."""
        entered = zip(self._transport.channel_names, self._march.exchanged, strict=True)
        return [
            Observable(f"exchanged_{name}", float(value), unit, f"amount that entered at {name}")
            for name, value in entered
        ]

    def _amount_functionals(self) -> dict[str, Array]:
        names = [None, *self._domain.regions] if len(self._domain.regions) > 1 else [None]
        return {
            "amount" if name is None else f"amount_{name}": self._transport.content(name)
            for name in names
        }

    def _amount(self, value: PETSc.Vec) -> dict[str, float]:
        array = value.array_r
        local = np.array([weights @ array for weights in self._amounts.values()])
        self._comm.Allreduce(MPI.IN_PLACE, local)
        return dict(zip(self._amounts, map(float, local), strict=True))

    def _extremes(self) -> tuple[float, float]:
        values = self._march.value.array_r * self._transport.boltzmann_at_nodes
        ends = np.array([-values.min(initial=np.inf), values.max(initial=-np.inf)])
        self._comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
        return -float(ends[0]), float(ends[1])

    def _ledger_residual(self, amount: float) -> float:
        """(amount now - amount at the start - what flowed in) / what was moved."""
        if self._case.time is None:
            missing, moved = self._march.flows.sum(), np.abs(self._march.flows).sum() / 2
        else:
            missing = amount - self._initial_amount - self._march.exchanged.sum()
            moved = max(abs(amount), np.abs(self._march.exchanged).max(initial=0.0))
        return float(missing / max(moved, LEDGER_SCALE_FLOOR))

    def _unit(self, dimension: str) -> str:
        return self._case.units.unit_name(dimension, space=self._domain.mesh.geometry.dim)

    @property
    def _comm(self) -> MPI.Comm:
        return self._domain.mesh.comm
