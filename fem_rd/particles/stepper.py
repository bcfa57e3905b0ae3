"""One step of a system of particles, and the ledger of who came and went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.errors import FemRdError
from fem_rd.particles.domains import Exits
from fem_rd.particles.dynamics import Dynamics
from fem_rd.particles.state import Integers, System
from fem_rd.particles.walls import Wall

Exchange = Mapping[str, tuple[int, int]]
"""What a boundary did: for each species how many it put in and how many it took out."""


class Boundary(Protocol):
    """A reservoir at a wall or in a layer: `fem_rd.particles.open_boundary`."""

    @property
    def name(self) -> str:
        """By which the ledger knows it."""
        ...

    def before(self, system: System, dt: float) -> Exchange:
        """Before the motion."""
        ...

    def after(self, system: System, dt: float, exits: Mapping[str, Exits]) -> Exchange:
        """After the motion: those who left have been removed, ``exits.points`` has where."""
        ...


class Reacting(Protocol):
    """Reactions among particles that stay where they are."""

    @property
    def names(self) -> tuple[str, ...]:
        """The reactions."""
        ...

    @property
    def reach(self) -> float:
        """The largest distance of two that react with each other, 0 if nobody does."""
        ...

    def apply(self, system: System, begin: float, duration: float, stage: int = 0) -> Integers:
        """React for some time; how often each reaction happened."""
        ...


class LedgerError(FemRdError):
    """The numbers of particles do not add up: a defect of the program."""


@dataclass
class Ledger:
    """Who came and went since the start, in whole numbers, by species.

    ``left``: through each wall. ``inserted``, ``taken``: by each boundary. ``reacted``: gained less
    lost in reactions; ``events``: how often each reaction happened.
    """

    species: tuple[str, ...]
    walls: tuple[str, ...]
    boundaries: tuple[str, ...] = ()
    reactions: tuple[str, ...] = ()
    initial: Integers = field(init=False)
    left: Integers = field(init=False)
    inserted: Integers = field(init=False)
    taken: Integers = field(init=False)
    reacted: Integers = field(init=False)
    events: Integers = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.species)
        self.initial, self.reacted = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.left = np.zeros((n, len(self.walls)), dtype=np.int64)
        self.inserted = np.zeros((n, len(self.boundaries)), dtype=np.int64)
        self.taken = np.zeros_like(self.inserted)
        self.events = np.zeros(len(self.reactions), dtype=np.int64)

    @property
    def expected(self) -> Integers:
        """How many particles of each species there must be now."""
        gained = self.inserted.sum(axis=1) - self.taken.sum(axis=1)
        return self.initial + gained + self.reacted - self.left.sum(axis=1)

    def check(self, system: System) -> None:
        """`LedgerError` unless every particle is accounted for."""
        found = np.array(list(system.counts.values()))
        if not np.array_equal(found, self.expected):
            raise LedgerError(f"there are {found} particles; the ledger has {self.expected}")

    def exchange(self, boundary: int, exchanged: Exchange) -> None:
        """Enter what a boundary did."""
        for name, (inserted, taken) in exchanged.items():
            self.inserted[self.species.index(name), boundary] += inserted
            self.taken[self.species.index(name), boundary] += taken

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All entries as arrays by name."""
        return {name: getattr(self, name).copy() for name in _ENTRIES}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put back what `state` gave."""
        for name in _ENTRIES:
            getattr(self, name)[:] = arrays[name]


_ENTRIES = ("initial", "left", "inserted", "taken", "reacted", "events")


@dataclass
class Stepper:
    """Steps of a system: motion M, in which boundaries have their part, and reactions R.

    R(dt/2) M(dt) R(dt/2); where pairs react and no force has to be evaluated M(dt/2) R(dt) M(dt/2),
    which searches for neighbours once. Both are Strang's splitting, of second order in dt for as
    far as motion and reactions themselves are; repeated, they are the same but for their ends. Each
    M counts as a step of its own in ``system.step``, and boundaries are told its length.

    ``dynamics``, ``walls``: by species; the walls of one species by name, those that are not named
    reflect. The ledger begins with the particles that are there.
    """

    system: System
    domain: Any  # a Domain that the dynamics can move in
    dynamics: Mapping[str, Dynamics[Any]]
    walls: Mapping[str, Mapping[str, Wall]]
    reactions: Reacting | None = None
    boundaries: Sequence[Boundary] = ()
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        names = tuple(boundary.name for boundary in self.boundaries)
        reactions = self.reactions.names if self.reactions else ()
        self.ledger = Ledger(self.system.species, self.domain.walls, names, reactions)
        self.ledger.initial[:] = self._counts()

    def step(self, dt: float) -> Mapping[str, Exits]:
        """One step of length dt; who left, by species, with the points where.

        Where motion M is in two halves, ``particle`` of the exits are places at the time of each.
        """
        if not halves_motion(self.reactions, self.dynamics):
            return self._go(dt, dt / 2)
        begin = self.system.time
        first = self._go(dt / 2)
        self._react(begin, dt, 0)
        second = self._go(dt / 2)
        return {name: _joined(exits, second[name]) for name, exits in first.items()}

    def _go(self, dt: float, reacting: float = 0.0) -> Mapping[str, Exits]:
        """Motion and what boundaries do, with reactions for some time before and after it."""
        system, begin = self.system, self.system.time
        self._react(begin, reacting, 0)
        for index, boundary in enumerate(self.boundaries):
            self.ledger.exchange(index, boundary.before(system, dt))
        exits = {name: self._move(name, dt) for name in system.species}
        for index, boundary in enumerate(self.boundaries):
            self.ledger.exchange(index, boundary.after(system, dt, exits))
        self._react(begin + dt - reacting, reacting, 1)
        system.step += 1
        system.time += dt
        return exits

    def _move(self, species: str, dt: float) -> Exits:
        system, population = self.system, self.system[species]
        exits = self.dynamics[species].move(
            self.domain, population, self.walls.get(species, {}), system.streams, system.step, dt
        )
        exits = replace(exits, points=population.x[:, exits.particle])
        if exits.particle.size:
            population.remove(exits.particle)
            left = self.ledger.left[system.species.index(species)]
            left += exits.by_wall(len(self.domain.walls))
        return exits

    def _react(self, begin: float, duration: float, stage: int) -> None:
        if self.reactions is None or not duration:
            return
        before = self._counts()
        self.ledger.events += self.reactions.apply(self.system, begin, duration, stage)
        self.ledger.reacted += self._counts() - before

    def _counts(self) -> Integers:
        return np.array(list(self.system.counts.values()), dtype=np.int64)


def halves_motion(reactions: Reacting | None, dynamics: Mapping[str, Dynamics[Any]]) -> bool:
    """Whether it is better to search for pairs once in a step than to move once."""
    searches = reactions is not None and reactions.reach > 0
    return searches and not any(motion.pulls for motion in dynamics.values())


def _joined(first: Exits, second: Exits) -> Exits:
    """Who left in the first half of a step, then who left in the second."""
    names = [entry.name for entry in fields(first) if entry.name != "count"]
    pairs = {name: (getattr(first, name), getattr(second, name)) for name in names}
    return replace(first, **{name: np.concatenate(pair, -1) for name, pair in pairs.items()})
