"""Reactions of particles with the molecules of a reservoir next to them.

A particle at x within the radius sigma of an interface reacts with what is beyond it at the rate

    lambda_hat(x) = lambda_0 integral of c(y) over the reservoir's part of the ball around x

(del Razo, Open reaction-diffusion systems (2024), sec. III A, for c that depends on place). Drawn
by thinning: candidates come at the rate lambda_0 V_sigma c_max, uniform in the ball; those in the
reservoir count with probability c(y)/c_max. The partner is taken from the reservoir at y, products
appear where the reactions of particles put them: `fem_rd.hybrid.across_roles`.

For particles that do not move and a field that does not change, the law is exact for any duration:
the first event of a particle that takes it is its last, and what it becomes reacts on. Half a step
before and half a step after motion makes a splitting of second order in dt.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.errors import NumericalError
from fem_rd.hybrid.across_near import Near
from fem_rd.hybrid.across_roles import Role, roles_of
from fem_rd.hybrid.doi_rates import ball_volume
from fem_rd.particles.domains import Exits
from fem_rd.particles.random import Purpose
from fem_rd.particles.reactions_table import Channel
from fem_rd.particles.state import Floats, Integers, System
from fem_rd.particles.stepper import Exchange

Mask = npt.NDArray[np.bool_]
_AT_ONCE = 1 << 20  # candidates


class Field(Protocol):
    """A reservoir as reactions see it (`fem_rd.hybrid.interface.Interface` is one)."""

    @property
    def species(self) -> Sequence[str]:
        """What it holds."""
        ...

    def concentration_within(self, species: str, points: Floats) -> tuple[Floats, Mask]:
        """Concentrations (n,) >= 0 at points (dimension, n), and which lie in the reservoir."""
        ...

    def highest(self, species: str) -> float:
        """No concentration is larger."""
        ...

    def deposit_within(self, species: str, points: Floats, amounts: npt.ArrayLike) -> None:
        """Add particles (n,) at points of the reservoir, or take them where ``amounts`` < 0.

        A reservoir that is only looked at does nothing.
        """
        ...


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


@dataclass(frozen=True)
class _Actors:
    """Particles of one species: their places in its population, and since when they are there."""

    who: Integers
    since: Floats


@dataclass(frozen=True)
class _Events:
    """What happens when: ``role`` (a number), ``who`` (place in the population), ``time``, ``y``.

    In the order of time; ``y`` (dimension, n) are places in the reservoir.
    """

    role: Integers
    who: Integers
    time: Floats
    y: Floats

    def __getitem__(self, chosen: Mask | Integers) -> _Events:
        return _Events(self.role[chosen], self.who[chosen], self.time[chosen], self.y[:, chosen])


def _joined(parts: Sequence[_Events], dimension: int) -> _Events:
    """All of them, one after the other."""
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return _Events(none, none, np.empty(0), np.empty((dimension, 0)))
    return _Events(
        np.concatenate([each.role for each in parts]),
        np.concatenate([each.who for each in parts]),
        np.concatenate([each.time for each in parts]),
        np.concatenate([each.y for each in parts], axis=1),
    )


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

    def __post_init__(self) -> None:
        self.roles = roles_of(self.channels, self.reservoir.species, self.multipliers)
        self.account = Account.empty(len(self.channels), len(self.reservoir.species))

    @property
    def reach(self) -> float:
        """The largest radius, 0 without a reaction."""
        return max((role.radius for role in self.roles), default=0.0)

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
        counted = {name: (0, 0) for name in dict.fromkeys(role.species for role in self.roles)}
        actors, generation = self._first(system), 0
        while actors:
            generator = self._generator(system, stage, generation)
            begin = system.time + stage * duration
            events = self._drawn(system, actors, (begin, duration), generator)
            actors = self._happen(system, self._possible(events), counted)
            generation += 1
        return counted

    def _first(self, system: System) -> dict[str, _Actors]:
        """All who are near, in the order of their identities."""
        found = {}
        for name in dict.fromkeys(role.species for role in self.roles):
            population = system[name]
            radius = max(role.radius for role in self.roles if role.species == name)
            who = self.near(population.x, radius) if population.count else np.empty(0, np.int64)
            if who.size:
                who = who[np.argsort(population.id[who])]
                found[name] = _Actors(who, np.zeros(who.size))
        return found

    def _generator(self, system: System, stage: int, generation: int) -> np.random.Generator:
        draw = zlib.crc32(self.name.encode()) << 24 | stage << 16 | generation
        return system.streams.generator(system.step, Purpose.ACROSS, draw)

    def _drawn(
        self,
        system: System,
        actors: Mapping[str, _Actors],
        span: tuple[float, float],
        generator: np.random.Generator,
    ) -> _Events:
        """Events in the order of time, none after one that took the particle."""
        drawn: list[_Events] = []
        for index, role in enumerate(self.roles):
            if role.species in actors:
                x = system[role.species].x
                drawn += self._of_role(index, actors[role.species], x, span, generator)
        events = _joined(drawn, system.dimension)
        return self._until_taken(events[np.argsort(events.time, kind="stable")], system)

    def _of_role(
        self,
        index: int,
        actors: _Actors,
        x: Floats,
        span: tuple[float, float],
        generator: np.random.Generator,
    ) -> Iterator[_Events]:
        """What happens by one role, some particles at a time."""
        role, (begin, duration) = self.roles[index], span
        most = role.share
        if role.partner is not None:
            most *= self.reservoir.highest(role.partner) * ball_volume(len(x), role.radius)
        rates = most * role.rate.at(x[:, actors.who], begin + duration / 2)
        means = rates * (duration - actors.since)
        for some in np.array_split(np.arange(means.size), int(means.sum() / _AT_ONCE) + 1):
            owner = np.repeat(some, generator.poisson(means[some]))
            left = duration - actors.since[owner]
            time = duration - left * generator.random(owner.size)
            who = actors.who[owner]
            y = x[:, who] + role.radius * in_ball(len(x), who.size, generator)
            kept = self._accepted(role, y, generator.random(who.size))
            count = int(np.count_nonzero(kept))
            yield _Events(np.full(count, index), who[kept], time[kept], y[:, kept])

    def _accepted(self, role: Role, y: Floats, lots: Floats) -> Mask:
        """Which candidates find a partner at y, or room for a product."""
        values, inside = self.reservoir.concentration_within(role.asked, y)
        if role.partner is None:
            return inside
        highest = self.reservoir.highest(role.partner)
        self._check(values[inside], highest)
        return inside & (lots * highest < values)

    def _check(self, values: Floats, highest: float) -> None:
        largest = float(values.max(initial=0.0))
        if not largest <= highest * (1 + 1e-9):
            raise NumericalError(
                f"{self.name}: a concentration of the reservoir is {largest:.6g}, "
                f"more than the {highest:.6g} that candidates are drawn for",
                remedy="the largest value of the field as its highest",
            )

    def _until_taken(self, events: _Events, system: System) -> _Events:
        """Without what a particle would do after it has been used up."""
        sizes = [system[name].count for name in system.species]
        start = dict(zip(system.species, np.cumsum([0, *sizes[:-1]]), strict=True))
        offsets = np.array([start[role.species] for role in self.roles], dtype=np.int64)
        key, last = offsets[events.role] + events.who, np.full(sum(sizes), np.inf)
        final = self._of_roles("consumed")[events.role]
        np.minimum.at(last, key[final], events.time[final])
        return events[events.time <= last[key]]

    def _possible(self, events: _Events) -> _Events:
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
        self, system: System, events: _Events, counted: dict[str, tuple[int, int]]
    ) -> dict[str, _Actors]:
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


def _born(system: System, parent: str, events: _Events) -> _Born:
    population = system[parent]
    cells = None if population.cells is None else population.cell[events.who]
    return _Born(events.time, population.x[:, events.who], cells)


def _put(
    system: System, name: str, born: Sequence[_Born], counted: dict[str, tuple[int, int]]
) -> _Actors:
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
    return _Actors(np.arange(count - order.size, count), time[order])


def _count(counted: dict[str, tuple[int, int]], name: str, made: int, used: int) -> None:
    before = counted.get(name, (0, 0))
    counted[name] = before[0] + made, before[1] + used


def in_ball(dimension: int, count: int, generator: np.random.Generator) -> Floats:
    """Uniform points of the unit ball, (dimension, count)."""
    if dimension == 1:
        return 2 * generator.random((1, count)) - 1
    directions = generator.standard_normal((dimension, count))
    directions /= np.sqrt((directions**2).sum(axis=0))
    return directions * generator.random(count) ** (1 / dimension)
