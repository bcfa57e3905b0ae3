"""Reactions of particles with the molecules of a reservoir next to them.

A particle at x within the radius sigma of an interface reacts with what is beyond it at the rate

    lambda_hat(x) = lambda_0 integral of c(y) over the reservoir's part of the ball around x

(del Razo, Open reaction-diffusion systems (2024), sec. III A, for c that depends on place). Drawn
by thinning: candidates come at the rate lambda_0 V_sigma c_max, uniform in the ball; those in the
reservoir count with probability c(y)/c_max (`fem_rd.hybrid.across_draws`). The partner is taken
from the reservoir at y, products appear where the reactions of particles put them
(`fem_rd.hybrid.across_roles`).

For particles that do not move and a field that does not change, the law is exact for any duration:
the first event of a particle that takes it is its last, and what it becomes reacts on. Half a step
before and half a step after motion makes a splitting of second order in dt.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.hybrid.across_draws import Actors, Draws, Events, Field, Mask, Stretch
from fem_rd.hybrid.across_near import Near
from fem_rd.hybrid.across_roles import Role, roles_of
from fem_rd.particles.domains import Exits
from fem_rd.particles.random import Purpose
from fem_rd.particles.reactions_table import Channel
from fem_rd.particles.state import Floats, Integers, System
from fem_rd.particles.stepper import Exchange


@dataclass
class Account:
    """What happened since the start, in whole numbers.

    ``events``: of each reaction; ``limited``: those that did not happen since the reservoir could
    not bear them; ``given``: particles put into the reservoir less those taken, by its species.
    """

    events: Integers
    limited: Integers
    given: Integers

    @classmethod
    def empty(cls, reactions: int, species: int) -> Account:
        """Nothing has happened."""
        sizes = reactions, reactions, species
        return cls(*(np.zeros(size, dtype=np.int64) for size in sizes))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All entries as arrays by name."""
        return {name: getattr(self, name).copy() for name in ("events", "limited", "given")}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put back what `state` gave."""
        for name in ("events", "limited", "given"):
            getattr(self, name)[:] = arrays[name]


@dataclass
class Across:
    """All reactions of the particles with one reservoir; a `Boundary` of the stepper.

    Put it last among the boundaries: what they insert reacts in its half of the step.

    ``name``: as the ledger knows it, and the key of its random numbers. ``channels``: as
    `fem_rd.particles.reactions.Reactions` has them. ``near``: who may be within a radius of the
    interface (`fem_rd.hybrid.across_near`). ``bears``: which debits of one molecule of a species,
    at points (dimension, n) and in this order, the reservoir can bear; all where it is None.
    ``multipliers``: those of `fem_rd.hybrid.doi_rates.DoiRates`. The reservoir does not know whose
    neighbours were used up: its molecules react at K/V_sigma, as in the equations.
    The ledger of the stepper has particles inserted and taken, ``account`` the rest.
    """

    name: str
    channels: Sequence[Channel]
    reservoir: Field
    near: Near
    bears: Callable[[str, Floats], Mask] | None = None
    multipliers: Mapping[str, float] = field(default_factory=dict)
    roles: tuple[Role, ...] = field(init=False)
    account: Account = field(init=False)
    _draws: Draws = field(init=False, repr=False)
    _reaches: dict[str, float] = field(init=False, repr=False)  # of each species that reacts

    def __post_init__(self) -> None:
        self.roles = roles_of(self.channels, self.reservoir.species, self.multipliers)
        self.account = Account.empty(len(self.channels), len(self.reservoir.species))
        self._draws = Draws(self.name, self.roles, self.reservoir)
        self._reaches = {}
        for role in self.roles:
            self._reaches[role.species] = max(role.radius, self._reaches.get(role.species, 0.0))

    @property
    def reach(self) -> float:
        """The largest radius, 0 without a reaction."""
        return max(self._reaches.values(), default=0.0)

    def before(self, system: System, dt: float) -> Exchange:
        """React for the first half of the step."""
        return self.react(system, dt / 2, 0)

    def after(self, system: System, dt: float, exits: Mapping[str, Exits]) -> Exchange:
        """React for the second half."""
        return self.react(system, dt / 2, 1)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The account, for `restore`."""
        return self.account.state()

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put back what `state` gave."""
        self.account.restore({name: part.astype(np.int64) for name, part in arrays.items()})

    def react(self, system: System, duration: float, stage: int) -> Exchange:
        """Let particles where they are react with the field as it is; ``stage`` 0 or 1 of a step.

        How many particles were made and used up, by species.
        """
        counted = dict.fromkeys(self._reaches, (0, 0))
        stretch = Stretch(system.time + (stage + 0.5) * duration, duration)
        actors, generation = self._first(system), 0
        while actors:
            means = self._draws.means(system, actors, stretch)
            if not any(means):
                break
            generator = self._generator(system, stage, generation)
            events = self._draws.events(system, actors, stretch, means, generator)
            if not events.role.size:
                break
            happening = self._possible(self._until_taken(events, system))
            actors = self._happen(system, happening, counted)
            generation += 1
        return counted

    def _first(self, system: System) -> dict[str, Actors]:
        """All who are near."""
        found = {}
        for name, radius in self._reaches.items():
            population = system[name]
            if population.count and (who := self.near(population.x, radius)).size:
                found[name] = Actors(who, np.zeros(who.size))
        return found

    def _generator(self, system: System, stage: int, generation: int) -> np.random.Generator:
        draw = zlib.crc32(self.name.encode()) << 24 | stage << 16 | generation
        return system.streams.generator(system.step, Purpose.ACROSS, draw)

    def _until_taken(self, events: Events, system: System) -> Events:
        """Without what a particle would do after it has been used up."""
        sizes = [system[name].count for name in system.species]
        start = dict(zip(system.species, np.cumsum([0, *sizes[:-1]]), strict=True))
        offsets = np.array([start[role.species] for role in self.roles], dtype=np.int64)
        key, last = offsets[events.role] + events.who, np.full(sum(sizes), np.inf)
        final = self._of_roles("consumed")[events.role]
        np.minimum.at(last, key[final], events.time[final])
        return events[events.time <= last[key]]

    def _possible(self, events: Events) -> Events:
        """Those whose partners the field can bear to lose."""
        if self.bears is None:
            return events
        partner = np.array([role.partner or "" for role in self.roles])[events.role]
        debited, kept = self._of_roles("debited")[events.role], np.ones(events.role.size, bool)
        for name in np.unique(partner[debited]):
            asking = np.flatnonzero(debited & (partner == name))
            kept[asking] = self.bears(str(name), events.y[:, asking])
        channel = np.array([role.channel for role in self.roles], dtype=np.int64)[events.role]
        self.account.limited += np.bincount(channel[~kept], minlength=len(self.channels))
        return events[kept]

    def _happen(
        self, system: System, events: Events, counted: dict[str, tuple[int, int]]
    ) -> dict[str, Actors]:
        """Change particles and field; who is new, by species."""
        used: dict[str, list[Integers]] = {}
        made: dict[str, list[_Born]] = {}
        for index, role in enumerate(self.roles):
            mine = events[events.role == index]
            if not mine.role.size:
                continue
            self.account.events[role.channel] += mine.role.size
            self._exchange(role, mine.y)
            if role.consumed:
                used.setdefault(role.species, []).append(mine.who)
            for name in role.made:
                made.setdefault(name, []).append(_born(system, role.species, mine))
        for name, gone in used.items():
            who = np.unique(np.concatenate(gone))
            system[name].remove(who)
            _count(counted, name, 0, who.size)
        return {name: _put(system, name, made[name], counted)
                for name in system.species if name in made}  # fmt: skip

    def _exchange(self, role: Role, y: Floats) -> None:
        """Take the partners out of the field, and put in what appears there."""
        changes = [(name, 1) for name in role.given]
        if role.partner is not None and role.debited:
            changes.append((role.partner, -1))
        for name, change in changes:
            self.reservoir.deposit_within(name, y, np.full(y.shape[1], float(change)))
            self.account.given[list(self.reservoir.species).index(name)] += change * y.shape[1]

    def _of_roles(self, what: str) -> Mask:
        return np.array([getattr(role, what) for role in self.roles], dtype=bool)


@dataclass(frozen=True)
class _Born:
    """New particles: when, where (dimension, n), and in which cells, if there are any."""

    time: Floats
    x: Floats
    cells: npt.NDArray[np.int32] | None


def _born(system: System, parent: str, events: Events) -> _Born:
    population = system[parent]
    cells = None if population.cells is None else population.cell[events.who]
    return _Born(events.time, population.x[:, events.who], cells)


def _put(
    system: System, name: str, born: Sequence[_Born], counted: dict[str, tuple[int, int]]
) -> Actors:
    """New particles at the end of their population, in the order of time."""
    time = np.concatenate([each.time for each in born])
    order = np.argsort(time, kind="stable")
    cells = [each.cells for each in born if each.cells is not None]
    system.add(
        name,
        np.concatenate([each.x for each in born], axis=1)[:, order],
        cells=np.concatenate(cells)[order] if cells else None,
    )
    _count(counted, name, order.size, 0)
    count = system[name].count
    return Actors(np.arange(count - order.size, count), time[order])


def _count(counted: dict[str, tuple[int, int]], name: str, made: int, used: int) -> None:
    before = counted.get(name, (0, 0))
    counted[name] = before[0] + made, before[1] + used
