"""What is asked of the process as it stands: passage times, committors, rates, modes, transport."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fem_rd.case.sections.order_parameter import OrderParameterSection
from fem_rd.models.assembly import Array
from fem_rd.models.order_parameter.places import KEY, Points, apart
from fem_rd.models.order_parameter.space import OrderParameterSpace
from fem_rd.numerics import markov_solves
from fem_rd.numerics.markov import Generator
from fem_rd.numerics.markov_steps import OpenProcess
from fem_rd.observables import Observable

MODE, PASSAGE = "mode", "mfpt"


@dataclass(frozen=True)
class Units:
    """The units of what is measured."""

    time: str
    rate: str
    velocity: str
    diffusion: str


@dataclass(frozen=True)
class Findings:
    """Numbers, and functions of the nodes by the name of their field."""

    observables: tuple[Observable, ...]
    fields: Mapping[str, Array]


def field_units(section: OrderParameterSection, units: Units) -> dict[str, str]:
    """The names of the fields that the tasks will fill, with their units."""
    found = {f"{PASSAGE}_{name}": units.time for name in section.first_passage}
    if section.committor:
        found |= {"committor": "1", "reactive_density": ""}
    found |= {f"splitting_{name}": "1" for name in section.splitting}
    found |= {f"{MODE}_{number}": "1" for number in range(1, section.modes + 1)}
    return found


class Tasks:
    """The tasks of a section, ready to be done."""

    def __init__(
        self,
        section: OrderParameterSection,
        space: OrderParameterSpace,
        sets: Mapping[str, Array],
        shares: Mapping[str, Array],
        points: Points,
        preconditioner: str,
        units: Units,
    ) -> None:
        """Raises `CaseError` for sets that overlap. Collective."""
        self._section, self._space, self._points = section, space, points
        self._sets, self._shares = sets, shares
        self._preconditioner, self._units = preconditioner, units
        for key in ("committor", "splitting"):
            apart(getattr(section, key), sets, f"{KEY}.{key}", space.comm)

    def do(self, generator: Generator, process: OpenProcess, steps: Array, law: Array) -> Findings:
        """All of them, for the closed ``generator`` and its stationary ``law``. Collective.

        Modes are those of the ``process`` with its boundaries.
        """
        parts = [
            *self._passages(generator, law),
            *self._transitions(generator, law),
            *self._splitting(generator),
            *self._modes(process),
            *self._transport(generator, steps, law),
        ]
        numbers = tuple(number for part in parts for number in part.observables)
        return Findings(numbers, {k: v for part in parts for k, v in part.fields.items()})

    def _passages(self, generator: Generator, law: Array) -> Iterator[Findings]:
        for name in self._section.first_passage:
            target = self._sets[name]
            times = markov_solves.first_passage(generator, target, self._preconditioner)
            found = {point: (value, "") for point, value in self._points(times).items()}
            for other, share in self._shares.items():
                weights = law * np.minimum(share, 1.0 - self._shares[name])
                total = generator.edges.total(weights)
                if total and other != name:
                    mean = generator.edges.total(weights * times) / total
                    found[other] = (mean, " in equilibrium")
            text = "mean time to reach {} from {}{}"
            observables = tuple(
                Observable(f"{PASSAGE}_{name}_from_{start}", value, self._units.time,
                           text.format(name, start, how))
                for start, (value, how) in found.items()
            )  # fmt: skip
            yield Findings(observables, {f"{PASSAGE}_{name}": times})

    def _transitions(self, generator: Generator, law: Array) -> Iterator[Findings]:
        if not self._section.committor:
            return
        a, b = self._section.committor
        found = markov_solves.transitions(
            generator, self._sets[a], self._sets[b], law, self._preconditioner
        )
        rate = self._units.rate
        observables = [
            Observable(f"k_{a}_{b}", found.rate, rate, f"rate of transitions from {a} to {b}"),
            Observable(f"k_{b}_{a}", found.rate_back, rate, f"rate of transitions from {b} to {a}"),
            Observable("reactive_flux", found.flux, rate, f"transitions from {a} to {b} per time"),
        ]
        for point, value in self._points(found.committor).items():
            text = f"probability to reach {b} before {a} from {point}"
            observables.append(Observable(f"committor_{point}", value, "1", text))
        fields = {
            "committor": found.committor,
            "reactive_density": found.reactive / self._space.volumes,
        }
        yield Findings(tuple(observables), fields)

    def _splitting(self, generator: Generator) -> Iterator[Findings]:
        names = self._section.splitting
        for name in names:
            others = [self._sets[other] for other in names if other != name]
            found = markov_solves.hitting_probability(
                generator, self._sets[name], *others, preconditioner=self._preconditioner
            )
            text = "probability to reach {} first from {}"
            observables = tuple(
                Observable(f"splitting_{name}_from_{point}", value, "1", text.format(name, point))
                for point, value in self._points(found).items()
            )
            yield Findings(observables, {f"splitting_{name}": found})

    def _modes(self, process: OpenProcess) -> Iterator[Findings]:
        count = self._section.modes
        if not count:
            return
        golden = np.array([1.0, 0.6180339887, 0.3819660113])
        orient = self._space.positions @ golden
        orient = orient - process.generator.edges.total(orient * process.generator.boltzmann)
        found = markov_solves.modes(
            process.generator, count, process.held, process.loss, orient
        )
        observables = tuple(
            Observable(f"relaxation_rate_{number}", float(rate), self._units.rate,
                       f"rate at which mode {number} decays")
            for number, rate in enumerate(found.rates, start=1)
        )  # fmt: skip
        fields: dict[str, Array] = {f"{MODE}_{k + 1}": found.functions[k] for k in range(count)}
        yield Findings(observables, fields)

    def _transport(
        self, generator: Generator, steps: Array, law: Array
    ) -> Iterator[Findings]:
        if not self._section.transport:
            return
        angles = np.flatnonzero(np.isfinite(self._space.periods))
        found = markov_solves.transport(
            generator, steps[:, angles], law, self._preconditioner
        )
        names = [self._space.names[axis] for axis in angles]
        observables = [
            Observable(f"velocity_{name}", float(value), self._units.velocity,
                       f"mean velocity along {name}")
            for name, value in zip(names, found.drift, strict=True)
        ]  # fmt: skip
        for i, one in enumerate(names):
            for j, other in enumerate(names[: i + 1]):
                observables.append(
                    Observable(f"effective_diffusion_{other}{one}", float(found.diffusion[j, i]),
                               self._units.diffusion, "growth of half the variance in the long run")
                )  # fmt: skip
        yield Findings(tuple(observables), {})
