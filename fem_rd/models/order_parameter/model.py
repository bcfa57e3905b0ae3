"""The Smoluchowski equation of order parameters: densities, and the rates that it implies.

The unknowns are the probabilities of the nodes of a mesh (`fem_rd.numerics.markov`); what is
reported is the density W, the probability of a node over its volume.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import cast

import numpy as np
from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.schema import TimeSection
from fem_rd.case.sections.order_parameter import Initial, OrderParameterSection
from fem_rd.expressions.expression import Expression
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.models.marching import adaptive_size
from fem_rd.models.order_parameter.checks import check
from fem_rd.models.order_parameter.exits import open_process
from fem_rd.models.order_parameter.measures import Measures
from fem_rd.models.order_parameter.places import Points, levels, shares
from fem_rd.models.order_parameter.potential import potential_at_nodes
from fem_rd.models.order_parameter.space import OrderParameterSpace
from fem_rd.models.order_parameter.tasks import Findings, Tasks, Units, field_units
from fem_rd.models.protocol import Array, Exact, Field
from fem_rd.numerics.markov import Edges, Generator
from fem_rd.numerics.markov_solves import HeldSystem, stationary
from fem_rd.numerics.markov_steps import ProbabilityMarch
from fem_rd.numerics.schemes import RungeKutta, scheme_named
from fem_rd.observables import Observable
from fem_rd.state import State

ENERGY = "k_B T"
_FIRST_STEP = 1e-4  # of the end time, tried first: a start may be a point
_NOTABLE = 1e-3  # share of the conductances: more of it left out is said aloud


class OrderParameterModel:
    """One run in the space of some order parameters, ready to advance."""

    def __init__(self, case: Case, domain: Domain | MPI.Comm, log: Log) -> None:
        self._case, self._log = case, log
        self._section: OrderParameterSection = case.section
        with log.phase("space"):
            self._space = OrderParameterSpace(case, domain, log)
            check(case, self._space)
            self._potential = potential_at_nodes(self._section, self._space, case.path)
        with log.phase("assembly"):
            self._generator, self._steps = self._processes()
            self._sets = levels(self._section, self._space)
            self._shares = shares(self._sets, self._space)
            points = Points(self._section.points, self._space)
            self._process, self._held = open_process(
                self._section, self._space, self._generator, self._sets
            )
        self._tasks = Tasks(
            self._section, self._space, self._sets, self._shares, points,
            case.solver.preconditioner, self._units,
        )  # fmt: skip
        self._measures = Measures(self._space, self._process, self._shares, self._unit)
        self._march = None if case.time is None else self._transient(points)
        self._probability: Array = np.zeros(len(self._space.positions))
        self._time, self._start = -math.inf, 0.0
        if self._march is not None:
            self._time, self._start = 0.0, float(self._march.value.sum())
        self._functions = {name: self._space.place.function(name) for name in self._field_units}

    def _processes(self) -> tuple[Generator, Array]:
        """The closed process and the steps of its edges. Collective."""
        section, space = self._section, self._space
        positive = section.positive_rates
        edges = space.edges(section.diffusion, section.friction, positive=positive)
        steps = space.steps(edges)
        work = None
        if any(section.tilt):
            force = np.pad(section.tilt, (0, space.dimension - len(section.tilt)))
            work = np.asarray(steps @ force)
        self._warn(edges)
        return Generator(edges, space.volumes, self._potential.energy, work), steps

    def _warn(self, edges: Edges) -> None:
        """Say what it means where the mesh implies negative rates."""
        negative = edges.negative
        if negative.share <= _NOTABLE:
            return
        text = f"{negative.edges} edges of the mesh ({negative.share:.2g} of all conductance) "
        if self._section.positive_rates:
            text += "would have negative rates and were left out: diffusion is not what was asked "
            text += "for, on finer meshes too"
        else:
            text += "have negative rates: a density may become negative (positive_rates = true "
            text += "leaves them out, and changes the diffusion)"
        self._log.warning(f"{text}; a structured grid has none")

    def _transient(self, points: Points) -> ProbabilityMarch:
        """The march from the initial density. Collective."""
        time = cast(TimeSection, self._case.time)
        scheme = scheme_named(cast(str, time.scheme), adaptive=time.step is None)
        if not isinstance(scheme, RungeKutta):
            raise ValueError(f"{scheme.name} has more than one step")
        step = adaptive_size(time, scheme, _FIRST_STEP) if time.step is None else time.step
        preconditioner = self._case.solver.preconditioner
        start = self._initial(cast(Initial, self._section.initial), points)
        return ProbabilityMarch(self._process, scheme, start, step, preconditioner)

    def _initial(self, initial: Initial, points: Points) -> Array:
        """Probabilities of the nodes at time 0. Collective."""
        if initial.at is not None:
            start = points.delta(initial.at)
        elif initial.boltzmann is not None:
            start = self._shares[initial.boltzmann] * self._generator.boltzmann
            start = start / np.float64(self._generator.edges.total(start))
        else:
            density = self._space.at_nodes(cast(Expression, initial.density))
            start = self._space.volumes * density
        held = self._process.held
        start[held] = self._held[held]
        return start

    @property
    def time(self) -> float:
        """The time reached."""
        return self._time if self._march is None else self._march.time

    @property
    def steps(self) -> int:
        """Steps taken."""
        return int(self._time >= 0) if self._march is None else self._march.steps

    def advance(self, limit: float) -> None:
        """One step, or the stationary state. Collective."""
        if self._march is not None:
            self._march.advance(limit)
            return
        if self._process.closed:
            self._probability = self._law
        else:
            system = HeldSystem(
                self._process.generator, self._process.held, self._process.loss,
                self._case.solver.preconditioner,
            )  # fmt: skip
            held = self._held[self._process.held]
            self._probability = system.density(held, self._process.source)
        self._time = limit

    @cached_property
    def _law(self) -> Array:
        """The stationary law of the closed process: Boltzmann's where nothing tilts it."""
        if not any(self._section.tilt):
            return self._generator.boltzmann
        return stationary(self._generator, self._case.solver.preconditioner)

    @cached_property
    def _findings(self) -> Findings:
        with self._log.phase("tasks"):
            return self._tasks.do(self._generator, self._process, self._steps, self._law)

    def observables(self) -> Sequence[Observable]:
        """Densities, flows, and what was asked for. Collective."""
        found = [*self._findings.observables]
        if self._march is None:
            found += self._measures.steady(self._probability)
        else:
            found += self._measures.transient(self._march, self._start)
        negative = self._generator.edges.negative
        if negative.edges:
            done = "left out" if self._section.positive_rates else "kept"
            text = f"share of the conductances that stand for negative rates, {done}"
            found.append(Observable("negative_conductance", negative.share, "1", text))
        if self._potential.unseen:
            text = "bins of the histogram without samples"
            found.append(Observable("empty_bins", self._potential.unseen, "1", text))
        return found

    def fields(self) -> Mapping[str, Field]:
        """The density, the potential and the functions that were asked for. Collective."""
        space = self._space
        probability = self._probability if self._march is None else self._march.value.array_r
        values: dict[str, Array] = {
            "density": probability / space.volumes,
            "potential": self._potential.energy,
        }
        if self._potential.error is not None:
            values["potential_error"] = self._potential.error
        if self.time >= 0:
            values |= self._findings.fields
        for name, nodal in values.items():
            space.place.fill(self._functions[name], space.everywhere(nodal))
        return {
            name: Field(function, self._field_units[name])
            for name, function in self._functions.items()
        }

    @cached_property
    def _field_units(self) -> dict[str, str]:
        density = self._unit("1/volume")
        units = {"density": density, "potential": ENERGY}
        if self._potential.error is not None:
            units["potential_error"] = ENERGY
        asked = field_units(self._section, self._units)
        return units | {name: unit or density for name, unit in asked.items()}

    def exact(self) -> Exact:
        """What quadrature knows of a line or a circle."""
        from fem_rd.models.order_parameter.exact import exact_for

        return exact_for(self._case)

    def state(self) -> State:
        """Everything that `restore` needs to go on as if nothing had happened."""
        if self._march is None:
            numbers = {"time": np.array(self._time)}
            return State({"probability": self._probability.copy()}, numbers)
        return State({}, {"start": np.array(self._start)}) | self._march.state().within("march")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        if self._march is None:
            self._probability = state.distributed["probability"]
            self._time = state.number("time")
        else:
            self._start = state.number("start")
            self._march.restore(state.part("march"))

    def positions(self) -> Array:
        """Where this rank's own nodes are, shape (owned, 3)."""
        return self._space.positions

    def unknowns(self) -> Mapping[str, int]:
        """Those of the density."""
        return {"density": self._space.unknowns}

    def describe(self) -> Mapping[str, str]:
        """Unknowns, coordinates, scheme."""
        time, grid = self._case.time, self._section.grid
        coordinates = "a mesh" if grid is None else f"{grid.coordinates} ({self._space.names})"
        return {
            "unknowns": f"{self._space.unknowns}",
            "order parameters": coordinates,
            "scheme": "stationary state" if time is None else str(time.scheme),
        }

    def _unit(self, dimension: str) -> str:
        return self._case.units.unit_name(dimension, space=self._space.dimension)

    @property
    def _units(self) -> Units:
        dimensions = ("time", "1/time", "length/time", "length^2/time")
        return Units(*(self._unit(dimension) for dimension in dimensions))
