"""What particles do with a reservoir next to them in a stretch of time, drawn by thinning.

Candidates come as a Poisson process that is known to be too fast: of all particles that may be
near, at the rate of one next to the highest concentration, uniform in time and in the ball. One
counts with the ratio of what is there to what it was drawn for. So no rate is computed but where
there is a candidate, and where there is none, nothing is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.errors import NumericalError
from fem_rd.hybrid.across_roles import Role
from fem_rd.hybrid.doi_rates import ball_volume
from fem_rd.particles.state import Floats, Integers, Population, System

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


@dataclass(frozen=True)
class Stretch:
    """Time without motion: its ``middle``, at which rates are taken, and its ``duration``."""

    middle: float
    duration: float


@dataclass(frozen=True)
class Actors:
    """Particles of one species: their places in its population, and since when they are there."""

    who: Integers
    since: Floats

    def ordered(self, population: Population) -> Actors:
        """In the order of their identities, which no rank and no storage changes."""
        order = np.argsort(population.id[self.who])
        return Actors(self.who[order], self.since[order])


@dataclass(frozen=True)
class Events:
    """What happens when: ``role`` (a number), ``who`` (place in the population), ``time``, ``y``.

    ``y`` (dimension, n) are places in the reservoir.
    """

    role: Integers
    who: Integers
    time: Floats
    y: Floats

    def __getitem__(self, chosen: Mask | Integers) -> Events:
        return Events(self.role[chosen], self.who[chosen], self.time[chosen], self.y[:, chosen])


@dataclass(frozen=True)
class Draws:
    """Events of the ``roles`` of particles with the ``reservoir``; ``name``: for messages."""

    name: str
    roles: Sequence[Role]
    reservoir: Field

    def means(self, system: System, actors: Mapping[str, Actors], stretch: Stretch) -> list[float]:
        """How many candidates each role has in the mean."""
        means = [0.0] * len(self.roles)
        for index, role in enumerate(self.roles):
            if role.species in actors:
                who = actors[role.species].who
                fastest = _fastest(role, system[role.species].x, who, stretch.middle)
                most = fastest * role.share * self._most_partners(role, system.dimension)
                means[index] = most * who.size * stretch.duration
        return means

    def events(
        self,
        system: System,
        actors: Mapping[str, Actors],
        stretch: Stretch,
        means: Sequence[float],
        generator: np.random.Generator,
    ) -> Events:
        """In the order of time; also those of particles that are used up by earlier ones."""
        found: list[Events] = []
        for index, mean in enumerate(means):
            if number := int(generator.poisson(mean)):  # one by one: quicker than an array
                species = self.roles[index].species
                some = actors[species].ordered(system[species])
                found += self._of_role(index, some, system[species].x, stretch, number, generator)
        if not found:
            return _no_events(system.dimension)
        events = _joined(found)
        return events[np.argsort(events.time, kind="stable")]

    def _of_role(
        self,
        index: int,
        actors: Actors,
        x: Floats,
        stretch: Stretch,
        number: int,
        generator: np.random.Generator,
    ) -> Iterator[Events]:
        """What comes of ``number`` candidates, some of them at a time."""
        role = self.roles[index]
        fastest = _fastest(role, x, actors.who, stretch.middle)
        for start in range(0, number, _AT_ONCE):
            size = min(_AT_ONCE, number - start)
            chosen = (actors.who.size * generator.random(size)).astype(np.int64)
            who = actors.who[chosen]
            time = stretch.duration * generator.random(size)
            y = x[:, who] + role.radius * in_ball(len(x), size, generator)
            chances = self._chances(role, y)
            if not role.rate.uniform:
                chances *= role.rate.at(x[:, who], stretch.middle) / fastest
            kept = (generator.random(size) < chances) & (time >= actors.since[chosen])
            yield Events(np.full(np.count_nonzero(kept), index), who[kept], time[kept], y[:, kept])

    def _most_partners(self, role: Role, dimension: int) -> float:
        """No particle has more; where none is wanted, there is always one."""
        if role.partner is None:
            return 1.0
        return self.reservoir.highest(role.partner) * ball_volume(dimension, role.radius)

    def _chances(self, role: Role, y: Floats) -> Floats:
        """That a candidate finds a partner at y, or room for a product."""
        values, inside = self.reservoir.concentration_within(role.asked, y)
        if role.partner is None:
            return inside.astype(float)
        highest = self.reservoir.highest(role.partner)
        largest = float(values.max(where=inside, initial=0.0))
        if not largest <= highest * (1 + 1e-9):
            raise NumericalError(
                f"{self.name}: a concentration of the reservoir is {largest:.6g}, "
                f"more than the {highest:.6g} that candidates are drawn for",
                remedy="the largest value of the field as its highest",
            )
        chances: Floats = np.where(inside, values / highest, 0.0)
        return chances


def _fastest(role: Role, x: Floats, who: Integers, time: float) -> float:
    """No rate of these particles is larger."""
    if role.rate.uniform:
        return role.rate.value(time)
    return float(role.rate.at(x[:, who], time).max(initial=0.0))


def _no_events(dimension: int) -> Events:
    none = np.empty(0, dtype=np.int64)
    return Events(none, none, np.empty(0), np.empty((dimension, 0)))


def _joined(parts: Sequence[Events]) -> Events:
    """All of them, one after the other."""
    return Events(
        np.concatenate([each.role for each in parts]),
        np.concatenate([each.who for each in parts]),
        np.concatenate([each.time for each in parts]),
        np.concatenate([each.y for each in parts], axis=1),
    )


def in_ball(dimension: int, count: int, generator: np.random.Generator) -> Floats:
    """Uniform points of the unit ball, (dimension, count)."""
    if dimension == 1:
        return 2 * generator.random((1, count)) - 1
    directions = generator.standard_normal((dimension, count))
    directions /= np.sqrt((directions**2).sum(axis=0))
    return directions * generator.random(count) ** (1 / dimension)
