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
from fem_rd.particles.open_boundary_insertion import Candidates, Insertion, Luck, Plan
from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.open_boundary_schemes import Scheme
from fem_rd.particles.open_boundary_supply import Concentration, Supply, WellMixed
from fem_rd.particles.random import Purpose, Streams
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
    _ahead: dict[int, list[Candidates]] = field(default_factory=dict, init=False, repr=False)

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
        taken = self._thin(system, plan)
        inserted = self._insert(system, plan.before, 0, dt)
        return {self.species: (inserted, taken)}

    def after(
        self, system: System, dt: float, exits: Mapping[str, Exits]
    ) -> Mapping[str, tuple[int, int]]:
        """Insert; who left has been removed and counted by the stepper."""
        inserted = self._insert(system, self.check(dt).after, 1, dt)
        gone = exits[self.species]
        if gone.points is not None:
            mine = gone.wall == self.opening.number
            self._left.append(gone.points if mine.all() else gone.points[:, mine])
        self._settle(system.dimension)
        return {self.species: (inserted, 0)}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What a run needs to go on, beside the system: the molecules of a finite reservoir."""
        finite = isinstance(self.concentration, WellMixed)
        return {"number": np.array(self.concentration.number)} if finite else {}  # type: ignore[union-attr]

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put back what `state` gave."""
        if isinstance(self.concentration, WellMixed):
            self.concentration.number = int(arrays["number"])
        self._ahead.clear()

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
        lasting = self._supply.lasting
        if lasting == 1 or self.thermal_speed is not None:
            new, generator = self._drawn(system, insertion, draw, dt, 1)
            if self.thermal_speed is None:
                return new, None
            return new, self.thermal_speed * generator.standard_normal(new.points.shape)
        left = lasting - system.step % lasting
        if left == lasting or not self._ahead.get(draw):
            new, generator = self._drawn(system, insertion, draw, dt, left)
            self._ahead[draw] = new.shared(left, generator)
        return self._ahead[draw].pop(), None

    def _drawn(
        self, system: System, insertion: Insertion, draw: int, dt: float, steps: int
    ) -> tuple[Candidates, np.random.Generator]:
        """Who comes in during so many steps from this one on."""
        counting = system.streams.generator(system.step, Purpose.INSERT_COUNT, draw)
        placing = system.streams.generator(system.step, Purpose.INSERT_PLACE, draw)
        time = system.time + insertion.moment * dt
        weight = 1.0 if self.potential is None else float(np.exp(self.potential.depth))
        count = self._supply.offered(steps * insertion.volume * weight, time, counting)
        trials = Streams(system.streams.seed, system.streams.replica, 1 + draw)
        drawn = insertion.draw(count, Luck(placing, trials, system.step))
        new = drawn.only(self._supply.accepted(drawn.feet, time, placing))
        if self.potential is not None:
            weights = self._weights(self.potential, new)
            new = new.only(weights > placing.random(weights.size))
        if self.locate is not None and new.cells is None:
            cells = self.locate(new.points)
            new = replace(new, cells=cells).only(cells >= 0)
        return new, placing

    def _settle(self, dimension: int) -> None:
        """At the end of a step, those who left are the reservoir's, and others are told."""
        came, left = _together(self._came, dimension), _together(self._left, dimension)
        self._supply.exchange(0, left.shape[1])
        self._came.clear()
        self._left.clear()
        if self.exchanged is not None:
            # of the other schemes, those who left are where they crossed
            self.exchanged(came, self.opening.feet(left) if self.scheme.layered else left)

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


def _together(parts: Sequence[Floats], dimension: int) -> Floats:
    """Points (dimension, n) from several arrays of them."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.empty((dimension, 0)), *parts], axis=1)
