"""The account of every species: amounts, ways in and out, reactions, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.chemistry.network import Integers, Network
from fem_rd.chemistry.structure import conservation_laws
from fem_rd.models.assembly import Array
from fem_rd.models.budget import Budget
from fem_rd.models.transport import Transport
from fem_rd.numerics.semidiscrete import SemiDiscrete
from fem_rd.observables import Observable

LEDGER_SCALE_FLOOR = 1e-300


@dataclass(frozen=True)
class Units:
    """Names of the units that observables are in."""

    amount: str
    rate: str
    concentration: str


class Account:
    """Amounts of the species of a network, and what changes them.

    Flows and what was exchanged are arrays over the channels of the transport of each species, one
    species after the other, and then over the reactions.
    """

    def __init__(
        self,
        network: Network,
        transports: Sequence[Transport],
        problems: Sequence[SemiDiscrete],
        regions: Sequence[str],
        *,
        fed: bool = False,
    ) -> None:
        """``fed``: whether amounts are added to the nodes from outside, by `enter`."""
        self._network = network
        self._comm: MPI.Comm = problems[0].comm
        self._budgets = [
            Budget(self._comm, problem, transport.channels)
            for problem, transport in zip(problems, transports, strict=True)
        ]
        self._channels = [
            (species, name)
            for species, transport in enumerate(transports)
            for name in transport.channel_names
        ]
        parts = [None, *regions] if len(regions) > 1 else [None]
        self._contents = [
            (species, part, transport.content(part))
            for species, transport in enumerate(transports)
            for part in parts
        ]
        self._laws = conservation_laws(network)
        self.initial: Array = np.zeros(0)
        self.entered: Array | None = np.zeros(len(network.species)) if fed else None

    def flows(
        self, time: float, values: Sequence[PETSc.Vec], slopes: Sequence[PETSc.Vec] | None
    ) -> Array:
        """Amount per time into the domain through each channel of each species. Collective."""
        return np.concatenate(
            [
                budget.flows(time, values[i], None if slopes is None else slopes[i])
                for i, budget in enumerate(self._budgets)
            ]
        )

    def amounts(self, values: Array) -> Array:
        """The amount of each species, in all and by region, from (species, nodes). Collective."""
        local = np.array([weights @ values[species] for species, _, weights in self._contents])
        self._comm.Allreduce(MPI.IN_PLACE, local)
        return local

    @property
    def weights(self) -> Array:
        """What the unknowns (species, nodes) count for in the amount of their species."""
        return np.array([weights for _, part, weights in self._contents if part is None])

    def enter(self, amounts: Array) -> None:
        """Count amounts (species, nodes) that are added from outside. Collective."""
        if self.entered is None:
            raise ValueError("this account was made without a place for what is added")
        total = amounts.sum(axis=1)
        self._comm.Allreduce(MPI.IN_PLACE, total)
        self.entered = self.entered + total

    def observables(
        self, amounts: Array, flows: Array, exchanged: Array | None, units: Units
    ) -> Iterator[Observable]:
        """``exchanged`` is None in a steady state; ``flows`` are empty before it is found."""
        if not len(flows):
            flows = np.zeros(len(self._channels) + len(self._network.reactions))
        names = self._network.species
        for (species, part, _), value in zip(self._contents, amounts, strict=True):
            place = f"_{part}" if part else ""
            where = f"in {part}" if part else "in the domain"
            name, text = f"amount_{names[species]}{place}", f"amount of {names[species]} {where}"
            yield Observable(name, float(value), units.amount, text)
        yield from self._moved("rate", -flows, units.rate, "per time")
        if exchanged is not None:
            yield from self._moved("left", -exchanged, units.amount, "since the start")
        if self.entered is not None:
            for each, value in zip(names, self.entered, strict=True):
                text = f"amount of {each} that came from the particles since the start"
                yield Observable(f"entered_{each}_interface", float(value), units.amount, text)
        yield from self._conserved(amounts, units)
        missing = self._missing(amounts, flows, exchanged)
        text = "what the accounts of flows, reactions and amounts miss, relative to what moved"
        yield Observable("ledger_residual", missing, "1", text)

    def _moved(self, word: str, values: Array, unit: str, when: str) -> Iterator[Observable]:
        """What left through each channel, and the events of each reaction."""
        names = self._network.species
        for (species, channel), value in zip(self._channels, values, strict=False):
            text = f"amount of {names[species]} that leaves at {channel} {when}"
            yield Observable(f"{word}_{names[species]}_{channel}", float(value), unit, text)
        events = "events" if word == "rate" else "total_events"
        for reaction, value in zip(
            self._network.reactions, -values[len(self._channels) :], strict=True
        ):
            text = f"events {when} of {reaction.equation}"
            yield Observable(f"{events}_{reaction.name}", float(value), unit, text)

    def _conserved(self, amounts: Array, units: Units) -> Iterator[Observable]:
        """What reactions do not change: only flows through boundaries can."""
        totals = self._totals(amounts)
        for index in range(len(self._laws)):
            law: Integers = self._laws[index]
            text = f"{_combination(self._network.species, law)}, which reactions conserve"
            yield Observable(f"conserved_{index + 1}", float(law @ totals), units.amount, text)

    def _missing(self, amounts: Array, flows: Array, exchanged: Array | None) -> float:
        """The largest of all species, relative to the largest thing that moved in its account."""
        steady = exchanged is None
        moved = flows if exchanged is None else exchanged
        change = np.zeros(len(self._network.species))
        scale = np.zeros(len(change))
        for (species, _), value in zip(self._channels, moved, strict=False):
            change[species] += value
            scale[species] = max(scale[species], abs(value))
        events = moved[len(self._channels) :] * self._network.stoichiometry
        change += events.sum(axis=1)
        scale = np.maximum(scale, np.abs(events).max(axis=1, initial=0.0))
        if self.entered is not None:
            change += self.entered
            scale = np.maximum(scale, np.abs(self.entered))
        if not steady:
            totals = self._totals(amounts)
            change -= totals - self.initial
            scale = np.maximum(scale, np.abs(totals))
        return float(np.max(np.abs(change) / np.maximum(scale, LEDGER_SCALE_FLOOR)))

    def _totals(self, amounts: Array) -> Array:
        whole = [part is None for _, part, _ in self._contents]
        totals: Array = amounts[whole]
        return totals

    def begin(self, values: Array) -> None:
        """Take the amounts of these values as those at the start. Collective."""
        self.initial = self._totals(self.amounts(values))


def _combination(species: Sequence[str], law: Integers) -> str:
    """As people write it: "A + 2 C", "A - B"."""
    text = ""
    for name, count in zip(species, map(int, law.flat), strict=True):
        term = name if abs(count) == 1 else f"{abs(count)} {name}"
        if count:
            sign = " - " if count < 0 else " + "
            text += f"{sign}{term}" if text else f"{'-' if count < 0 else ''}{term}"
    return text
