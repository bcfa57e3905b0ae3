"""The reaction-diffusion model: species that diffuse, drift and react with each other.

The unknowns are the activities g_i = c_i exp(U_i) of `fem_rd.equations.smoluchowski`, which are the
concentrations where there is no potential; everything that is reported is concentrations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

import numpy as np
from mpi4py import MPI

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.sections.reaction_diffusion import Initial, ReactionDiffusionSection
from fem_rd.errors import CaseError, NumericalError
from fem_rd.expressions.expression import Expression
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.models.assembly import Array
from fem_rd.models.functionals import Derived, Integrals, Probes
from fem_rd.models.initial import initial_concentration, noise_at
from fem_rd.models.place import Place
from fem_rd.models.protocol import Exact, Field
from fem_rd.models.reaction_diffusion.account import Account, Units
from fem_rd.models.reaction_diffusion.checks import SECTION, check_section
from fem_rd.models.reaction_diffusion.marching import check_fed, march_for
from fem_rd.models.reaction_diffusion.sources import ReactionSources
from fem_rd.models.reaction_diffusion.thermodynamics import FieldThermodynamics
from fem_rd.models.transport import Transport
from fem_rd.numerics.reactive.march import RestartableMarch
from fem_rd.numerics.reactive.problem import ReactiveProblem
from fem_rd.observables import Observable
from fem_rd.state import State

NEGATIVE = -1e-12  # of the largest value: what is below is not round-off


class ReactionDiffusionModel:
    """One run of a reaction-diffusion system, ready to advance."""

    def __init__(
        self,
        case: Case,
        domain: Domain,
        log: Log,
        *,
        fed: bool = False,
        shares: Mapping[str, Array] = MappingProxyType({}),
    ) -> None:
        """``fed``: whether a caller will `deposit` before each step, which needs a one-step scheme.

        ``shares``, by the name of a reaction without a radius: the part of its rate with which it
        happens at each owned node, (owned,), where others make the rest.
        """
        self._case, self._domain = case, domain
        self._section: ReactionDiffusionSection = case.section
        chemistry = cast(Chemistry, case.chemistry)  # the model's kind requires it
        self._network, self._known_initial = chemistry.network, chemistry.initial
        check_section(case, self._section, chemistry, domain)
        if fed:
            check_fed(case, self._section)
        with log.phase("space"):
            self._place = Place(domain, self._section.degree, lump=self._section.degree == 1)
        with log.phase("assembly"):
            self._transports = [
                Transport(self._section.species[name], self._place)
                for name in self._network.species
            ]
            problems = [transport.problem(steady=False) for transport in self._transports]
            self._sources = ReactionSources(chemistry, self._place, self._transports, shares)
            self._account = Account(
                self._network, self._transports, problems, list(domain.regions), fed=fed
            )
        self._functions = [self._place.function(name) for name in self._network.species]
        problem = ReactiveProblem(
            problems, self._sources, self._account.flows, self._sources.measure, self._sources
        )
        with log.phase("solve"):
            self._march = march_for(case, problem, self._initial(), domain.dimension)
        self._account.begin(self._values())
        self._thermodynamics = self._with_thermodynamics() if self._section.thermodynamics else None
        self._add_functionals()

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
            if place is None and (self._case.time is None or self._case.time.step is None):
                raise
            raise NumericalError(
                error.message
                if place is None
                else f"a number that is not finite appeared in the step from time {self.time:.6g} "
                f"on: first in {place}",
                remedy="a smaller time.step, adaptive steps (leave out time.step), the scheme "
                "implicit for stiff reactions, or rates that are finite everywhere",
            ) from error

    def deposit(self, amounts: Array, duration: float) -> None:
        """Let amounts (species, owned) enter at the nodes, evenly over the next step. Collective.

        Negative ones leave. ``duration``: that of the step. Needs a model that is ``fed``, which is
        told before each of its steps. Added at once, they would shift the interface that they come
        through: `fem_rd.exact.hybrid_coupling.kick_shift`.
        """
        self._account.enter(amounts)
        self._sources.supply = amounts / (self._place.volumes * duration)
        cast(RestartableMarch, self._march).restart()  # a fed model marches in steps

    def concentrations(self) -> Array:
        """At the owned nodes, shape (species, owned)."""
        return self._sources.concentrations(self._values())

    @property
    def place(self) -> Place:
        """The nodes and their volumes."""
        return self._place

    @property
    def volumes(self) -> Array:
        """What belongs to each owned node, shape (owned,): amount / concentration there."""
        return self._place.volumes

    def fields(self) -> Mapping[str, Field]:
        """The concentrations of all species, and the densities of thermodynamics. Collective."""
        unit, values = self._unit("amount/volume"), self._values()
        concentrations = self._sources.concentrations(values)
        for function, row in zip(self._functions, concentrations, strict=True):
            self._place.fill(function, row)
        found = {function.name: Field(function, unit) for function in self._functions}
        if self._thermodynamics is not None:
            densities = self._thermodynamics.densities(values, concentrations)
            for name, function in self._thermodynamics.fields(densities).items():
                dimension = "amount/volume" if name == "free_energy" else "amount/volume/time"
                found[name] = Field(function, f"k_B T {self._unit(dimension)}")
        return found

    def observables(self) -> Sequence[Observable]:
        """Amounts, extremes, rates, accounts, and what the case asks for. Collective."""
        found = self._measured()
        return [*self._derived(found), *found]

    def state(self) -> State:
        """Everything that `restore` needs to go on as if nothing had happened."""
        account = {"initial_amounts": self._account.initial}
        if self._account.entered is not None:
            account["entered_amounts"] = self._account.entered
        return State({}, account) | self._march.state().within("march")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._account.initial = state.replicated["initial_amounts"]
        self._account.entered = state.replicated.get("entered_amounts")
        self._march.restore(state.part("march"))

    def positions(self) -> Array:
        """Where this rank's owned nodes are, shape (owned, 3)."""
        return self._place.positions

    def exact(self) -> Exact:
        """None is known in general: see `fem_rd.exact` and the cases."""
        return Exact()

    def unknowns(self) -> Mapping[str, int]:
        """Those of each species."""
        return dict.fromkeys(self._network.species, self._place.unknowns)

    def describe(self) -> Mapping[str, str]:
        """Unknowns, elements, reactions, scheme."""
        count, species = self._place.unknowns, len(self._network.species)
        mass = ", lumped mass" if self._place.lump else ""
        time = self._case.time
        return {
            "unknowns": f"{species * count} ({species} species at {count} nodes)",
            "elements": f"Lagrange of degree {self._section.degree}{mass}",
            "reactions": "; ".join(reaction.equation for reaction in self._network.reactions),
            "scheme": "steady state" if time is None else str(time.scheme),
        }

    def _initial(self) -> list[Array]:
        """Activities at time 0."""
        initial = []
        for name, transport in zip(self._network.species, self._transports, strict=True):
            species = self._section.species[name]
            given: Initial = species.initial
            if "initial" not in species.model_fields_set:  # an SBML file may say
                given = Expression.constant(self._known_initial.get(name, 0.0))
            values = initial_concentration(given, self._place)
            if species.noise:
                values *= 1.0 + species.noise * noise_at(self._place, self._section.seed, name)
            initial.append(transport.activity(values))
        return initial

    def _add_functionals(self) -> None:
        section, species = self._section, self._network.species
        self._integrals = Integrals(section.integrals, species, self._place)
        self._probes = Probes(section.probes, self._place, joined(SECTION, "probes"))
        names = [observable.name for observable in self._measured()]
        parameters = self._case.parameters
        self._derived = Derived(section.derived, names, parameters, joined(SECTION, "derived"))

    def _measured(self) -> list[Observable]:
        values = self._values()
        concentrations = self._sources.concentrations(values)
        units = Units(
            self._unit("amount"), self._unit("amount/time"), self._unit("amount/volume")
        )
        exchanged = self._march.exchanged if self._case.time is not None else None
        return [
            *self._further(concentrations, units.concentration),
            *self._dissipated(values, concentrations, units),
            *self._account.observables(
                self._account.amounts(values), self._march.flows, exchanged, units
            ),
            *self._extremes(concentrations, units.concentration),
        ]

    def _with_thermodynamics(self) -> FieldThermodynamics:
        """For the conserved totals at the start. Raises `CaseError` where it has no meaning."""
        mean = np.divide(self._account.initial, self._domain.volume(), dtype=np.float64)
        try:
            return FieldThermodynamics(self._network, self._transports, self._place, mean)
        except CaseError as error:
            raise error.at(key=joined(SECTION, "thermodynamics")) from None

    def _dissipated(self, values: Array, concentrations: Array, units: Units) -> list[Observable]:
        if self._thermodynamics is None:
            return []
        densities = self._thermodynamics.densities(values, concentrations)
        return self._thermodynamics.observables(densities, (units.amount, units.rate))

    def _extremes(self, concentrations: Array, unit: str) -> list[Observable]:
        low = concentrations.min(axis=1, initial=np.inf)
        high = concentrations.max(axis=1, initial=-np.inf)
        ends = np.array([-low, high])
        self._comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
        low, high = -ends[0], ends[1]
        below = np.where(low < NEGATIVE * high, NEGATIVE * high, -np.inf)
        count = np.count_nonzero(concentrations < below[:, None]) if np.any(below > -np.inf) else 0
        found = []
        for name, least, most in zip(self._network.species, low, high, strict=True):
            found += [
                Observable(f"{name}_min", float(least), unit, f"smallest nodal value of {name}"),
                Observable(f"{name}_max", float(most), unit, f"largest nodal value of {name}"),
            ]
        negative = float(self._comm.allreduce(count))
        text = "nodal values below zero by more than round-off; they are left as they are"
        return [*found, Observable("negative_values", negative, "1", text)]

    def _further(self, concentrations: Array, unit: str) -> list[Observable]:
        time = max(self._march.time, 0.0)
        integrals = self._integrals(time, concentrations)
        found = [
            Observable(name, value, "", f"integral of {self._section.integrals[name].text}")
            for name, value in integrals.items()
        ]
        for name, values in zip(self._network.species, concentrations, strict=True):
            found += [
                Observable(f"{name}_{point}", value, unit, f"concentration of {name} at {point}")
                for point, value in self._probes(values).items()
            ]
        return found

    def _values(self) -> Array:
        """The unknowns, shape (species, nodes)."""
        return np.array([vector.array_r for vector in self._march.values])

    def _first_not_finite(self) -> str | None:
        """Species and place of what is not finite in the last solve, on the lowest such rank."""
        found = None
        count = len(self._network.species)
        for index, vector in enumerate(self._march.attempted()):
            bad = np.flatnonzero(~np.isfinite(vector.array_r))
            if found is None and len(bad):
                point = self.positions()[bad[0]]
                place = ", ".join(f"{round(x, 12) + 0.0:.4g}" for x in point)
                found = f"{self._network.species[index % count]} at ({place})"
        return next((one for one in self._comm.allgather(found) if one), None)

    def _unit(self, dimension: str) -> str:
        return self._case.units.unit_name(dimension, space=self._domain.mesh.geometry.dim)

    @property
    def _comm(self) -> MPI.Comm:
        return self._domain.mesh.comm
