"""A reservoir at an interface: particles leave, and particles come in as its concentration says.

The schemes are `fem_rd.particles.open_boundary_schemes`, the interfaces
`fem_rd.particles.open_boundary_places`, what a reservoir holds is
`fem_rd.particles.open_boundary_supply`. Insertions are drawn by step and by the name of the
boundary: they do not depend on ranks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError, NumericalError
from fem_rd.particles.domains import Exits
from fem_rd.particles.open_boundary_insertion import (
    Ahead,
    Candidates,
    Insertion,
    Luck,
    Passage,
    Plan,
    passed,
)
from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.open_boundary_schemes import Scheme
from fem_rd.particles.open_boundary_supply import Concentration, Profile, Supply, WellMixed
from fem_rd.particles.random import Purpose, branch
from fem_rd.particles.state import Floats, System
from fem_rd.particles.walls import Wall


@dataclass(frozen=True)
class Potential:
    """A potential inside a reservoir layer, in units of k_B T, per particle.

    ``value``: points (dimension, n) to (n,). Insertion is weighted with exp(U_wall - U), without
    which equilibrium would be biased. ``depth``: the most by which U lies below its value on the
    wall, anywhere in the layer.
    """

    value: Callable[[Floats], npt.ArrayLike]
    depth: float = 0.0


Exchanged = Callable[[Floats, Floats], None]
"""Told at the end of each step the feet (dimension, n) of those who came in and of those who left.

A foot is the point of the interface where a particle passed it; of layers, the nearest one.
"""


@dataclass
class OpenBoundary:
    """One species at one interface; a `Boundary` of the stepper.

    ``name``: as the ledger knows it, and the key of its random numbers; one of its own for each.
    ``diffusion``: of the species. ``concentration``: of the reservoir, a `Concentration`.
    ``thermal_speed``: of inserted particles that have velocities. ``locate``: points to the cells
    they are in, -1 outside, for what has cells or corners: who would be put outside is not
    inserted. ``exchanged``: whom to tell who passed and where.
    Raises `CaseError` where a scheme would be wrong for this interface or dt (`check`).
    """

    name: str
    scheme: Scheme
    opening: Opening
    species: str
    diffusion: float
    concentration: Concentration
    potential: Potential | None = None
    thermal_speed: float | None = None
    locate: Callable[[Floats], npt.NDArray[np.int32]] | None = None
    exchanged: Exchanged | None = None
    _plans: dict[float, Plan] = field(default_factory=dict, init=False, repr=False)
    _came: list[Floats] = field(default_factory=list, init=False, repr=False)
    _left: list[Floats] = field(default_factory=list, init=False, repr=False)
    _shares: dict[int, list[Candidates]] = field(default_factory=dict, init=False, repr=False)
    _ahead: Ahead | None = field(default=None, init=False, repr=False)
    _companions: Sequence[tuple[OpenBoundary, System]] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.scheme.layered and (self.potential or self.thermal_speed is not None):
            raise CaseError(
                f"{self.scheme.name} needs Brownian particles and a flat potential",
                valid="layer, layer-matched",
            )

    @property
    def wall(self) -> Wall:
        """What the domain must do with this species at the interface."""
        return self.scheme.wall

    def check(self, dt: float) -> Plan:
        """What a step of length dt does; `CaseError` if the scheme refuses it."""
        if dt not in self._plans:
            plan = self.scheme.plan(self.opening, self.diffusion, dt)
            self._supply.check(plan.swept)
            self._plans[dt] = plan
        return self._plans[dt]

    def before(self, system: System, dt: float) -> Mapping[str, tuple[int, int]]:
        """Thin the layer, then insert."""
        plan = self.check(dt)
        if plan.passage is not None:
            return {}
        taken = self._thin(system, plan)
        inserted = self._insert(system, plan.before, 0, dt)
        return {self.species: (inserted, taken)}

    def after(
        self, system: System, dt: float, exits: Mapping[str, Exits]
    ) -> Mapping[str, tuple[int, int]]:
        """Insert; who left has been removed and counted by the stepper."""
        plan = self.check(dt)
        left = self._mine(exits[self.species], system.dimension)
        if plan.passage is not None:
            new = self._pass(system, plan.passage, dt)
            inserted, came = new.points.shape[1], new.feet
        else:
            inserted = self._insert(system, plan.after, 1, dt)
            came = _together(self._came, system.dimension)
            left = _together([*self._left, left], system.dimension)
            self._came.clear()
            self._left.clear()
        self._supply.exchange(0, left.shape[1])
        if self.exchanged is not None:
            # of the other schemes, those who left are where they crossed
            self.exchanged(came, self.opening.feet(left) if self.scheme.layered else left)
        return {self.species: (inserted, 0)}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What a run needs to go on, beside the system: the molecules of a finite reservoir."""
        finite = isinstance(self.concentration, WellMixed)
        return {"number": np.array(self.concentration.number)} if finite else {}  # type: ignore[union-attr]

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put back what `state` gave."""
        if isinstance(self.concentration, WellMixed):
            self.concentration.number = int(arrays["number"])
        self._shares.clear()
        self._ahead = None

    def draw_with(self, companions: Sequence[tuple[OpenBoundary, System]]) -> None:
        """Draw insertions for others too, itself among them: the same boundary of other replicas.

        Only where their reservoir is one: `Profile.source`.
        """
        self._companions = companions

    def _pass(self, system: System, passage: Passage, dt: float) -> Candidates:
        """Insert who came in through a plane or a sphere in this step."""
        now = system.step
        ahead = self._ahead
        if ahead is None or not ahead.has(now):
            ahead = self._draw(system, passage, dt)
        new = ahead.at(now)
        self._ahead = ahead if ahead.has(now + 1) else None
        count = new.points.shape[1]
        if count:
            system.add(self.species, new.points, None, new.cells)
            self._supply.exchange(count, 0)
        return new

    def _draw(self, system: System, passage: Passage, dt: float) -> Ahead:
        """Who comes in while the reservoir stands still, here and in the replicas at this step."""
        supply, now = self._supply, system.step
        steps = (supply.lasting or 1) - now % (supply.lasting or 1)
        several = [pair for pair in self._companions if pair[1].step == now] or [(self, system)]
        keys = [branch(other.streams, 1 + 16 * self._key).key for _, other in several]
        if isinstance(self.concentration, WellMixed):
            counting = system.streams.generator(now, Purpose.INSERT_COUNT, 16 * self._key)
            mean, most = 0.0, supply.sent(passage.volume, counting)
        else:
            mean, most = supply.most(system.time, dt) * passage.volume, None
        arrivals = passage.doorway.draw(keys, now, mean, steps, most)
        accepted = supply.accepted_within(arrivals, system.time, dt)
        candidates, ends = passed(passage, arrivals, accepted, self.locate)
        found = [Ahead(now, candidates, row) for row in ends]
        for (boundary, _), ahead in zip(several, found, strict=True):
            boundary._ahead = ahead
        return found[[boundary is self for boundary, _ in several].index(True)]

    def _thin(self, system: System, plan: Plan) -> int:
        population = system[self.species]
        if not plan.probability or not population.count:
            return 0
        within = np.flatnonzero(self.opening.depths(population.x) < plan.thinned)
        uniforms = system.streams.uniforms(
            population.id[within], system.step, Purpose.THIN, self._key % 256
        )
        gone = within[uniforms < plan.probability]
        self._left.append(population.x[:, gone])
        population.remove(gone)
        return int(gone.size)

    def _insert(
        self, system: System, insertions: tuple[Insertion, ...], stage: int, dt: float
    ) -> int:
        total = 0
        for index, insertion in enumerate(insertions):
            draw = self._key * 16 + 4 * stage + index
            new, velocities = self._next(system, insertion, draw, dt)
            count = new.points.shape[1]
            if count:
                system.add(self.species, new.points, velocities, new.cells)
                self._supply.exchange(count, 0)
                self._came.append(new.feet)
            total += count
        return total

    def _next(
        self, system: System, insertion: Insertion, draw: int, dt: float
    ) -> tuple[Candidates, Floats | None]:
        """Who comes in now, with velocities where there are any."""
        lasting = self._supply.lasting or 1
        if lasting == 1 or self.thermal_speed is not None:
            new, generator = self._drawn(system, insertion, draw, dt, 1)
            if self.thermal_speed is None:
                return new, None
            return new, self.thermal_speed * generator.standard_normal(new.points.shape)
        left = lasting - system.step % lasting
        if left == lasting or not self._shares.get(draw):
            new, generator = self._drawn(system, insertion, draw, dt, left)
            self._shares[draw] = new.shared(left, generator)
        return self._shares[draw].pop(), None

    def _drawn(
        self, system: System, insertion: Insertion, draw: int, dt: float, steps: int
    ) -> tuple[Candidates, np.random.Generator]:
        """Who comes in during so many steps from this one on."""
        counting = system.streams.generator(system.step, Purpose.INSERT_COUNT, draw)
        placing = system.streams.generator(system.step, Purpose.INSERT_PLACE, draw)
        time = system.time + insertion.moment * dt
        weight = 1.0 if self.potential is None else float(np.exp(self.potential.depth))
        count = self._supply.offered(steps * insertion.volume * weight, time, counting)
        trials = branch(system.streams, 1 + draw)
        drawn = insertion.draw(count, Luck(placing, trials, system.step))
        chances = placing.random(drawn.feet.shape[1])
        new = drawn.only(self._supply.accepted(drawn.feet, time, chances))
        if self.potential is not None:
            weights = self._weights(self.potential, new)
            new = new.only(weights > placing.random(weights.size))
        if self.locate is not None and new.cells is None:
            cells = self.locate(new.points)
            new = replace(new, cells=cells).only(cells >= 0)
        return new, placing

    def _mine(self, gone: Exits, dimension: int) -> Floats:
        """Where particles left through this interface, (dimension, n)."""
        if gone.points is None:
            return np.empty((dimension, 0))
        mine = (gone.wall == self.opening.number).nonzero()[0]
        return gone.points if mine.size == gone.wall.size else gone.points.take(mine, axis=1)

    def _weights(self, potential: Potential, new: Candidates) -> Floats:
        fall = np.asarray(potential.value(new.feet)) - np.asarray(potential.value(new.points))
        if fall.size and fall.max() > potential.depth + 1e-9:
            raise NumericalError(
                f"{self.name}: the potential falls by {fall.max():.6g} k_B T within the layer, "
                f"more than the {potential.depth:.6g} that insertions are drawn for",
                remedy="a larger depth of the potential",
            )
        return np.exp(fall - potential.depth)

    @cached_property
    def _supply(self) -> Supply:
        return Supply(self.name, self.concentration)

    @cached_property
    def _key(self) -> int:
        return zlib.crc32(self.name.encode())


def draw_together(several: Sequence[tuple[OpenBoundary, System]]) -> None:
    """Let the same boundary of several replicas draw for all of them, where their reservoir is one.

    What comes in does not depend on it.
    """
    sources = {
        id(boundary.concentration.source) if isinstance(boundary.concentration, Profile) else None
        for boundary, _ in several
    }
    first = several[0][0].concentration
    if len(sources) == 1 and isinstance(first, Profile) and first.source is not None:
        for boundary, _ in several:
            boundary.draw_with(several)


def _together(parts: Sequence[Floats], dimension: int) -> Floats:
    """Points (dimension, n) from several arrays of them."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.empty((dimension, 0)), *parts], axis=1)
