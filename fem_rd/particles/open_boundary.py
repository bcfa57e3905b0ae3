"""A reservoir at an interface: particles leave, and particles come in as its concentration says.

The schemes are `fem_rd.particles.open_boundary_schemes`, the interfaces
`fem_rd.particles.open_boundary_places`. Insertions are drawn by step and by the name of the
boundary: they do not depend on ranks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError, NumericalError
from fem_rd.particles.domains import Exits
from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.open_boundary_schemes import Insertion, Plan, Scheme
from fem_rd.particles.random import Purpose
from fem_rd.particles.state import Floats, System
from fem_rd.particles.walls import Wall


@dataclass(frozen=True)
class Profile:
    """A concentration that varies along the interface.

    ``value``: points on the interface (dimension, n) and the time, to (n,) (1/volume), never more
    than ``maximum``: insertions are drawn for that and accepted in proportion, which is exact.
    """

    value: Callable[[Floats, float], npt.ArrayLike]
    maximum: float


@dataclass(frozen=True)
class Potential:
    """A potential inside a reservoir layer, in units of k_B T, per particle.

    ``value``: points (dimension, n) to (n,). Insertion is weighted with exp(U_wall - U), without
    which equilibrium would be biased. ``depth``: the most by which U lies below its value on the
    wall, anywhere in the layer.
    """

    value: Callable[[Floats], npt.ArrayLike]
    depth: float = 0.0


Concentration = float | Callable[[float], float] | Profile


@dataclass
class OpenBoundary:
    """One species at one interface; a `Boundary` of the stepper.

    ``name``: as the ledger knows it, and the key of its random numbers; one of its own for each.
    ``diffusion``: of the species. ``concentration``: of the reservoir (1/volume): a number, a
    function of time, or a `Profile`. ``thermal_speed``: of inserted particles that have velocities.
    ``locate``: points to the cells they are in, -1 outside, for what has cells or corners: who
    would be put outside is not inserted.
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
    _plans: dict[float, Plan] = field(default_factory=dict, init=False, repr=False)

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
            self._plans[dt] = self.scheme.plan(self.opening, self.diffusion, dt)
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
        return {self.species: (self._insert(system, self.check(dt).after, 1, dt), 0)}

    def _thin(self, system: System, plan: Plan) -> int:
        population = system[self.species]
        if not plan.probability or not population.count:
            return 0
        within = np.flatnonzero(self.opening.depths(population.x) < plan.thinned)
        uniforms = system.streams.uniforms(
            population.id[within], system.step, Purpose.THIN, self._key % 256
        )
        gone = within[uniforms < plan.probability]
        population.remove(gone)
        return int(gone.size)

    def _insert(
        self, system: System, insertions: tuple[Insertion, ...], stage: int, dt: float
    ) -> int:
        total = 0
        for index, insertion in enumerate(insertions):
            draw = self._key * 16 + 4 * stage + index
            counting = system.streams.generator(system.step, Purpose.INSERT_COUNT, draw)
            placing = system.streams.generator(system.step, Purpose.INSERT_PLACE, draw)
            time = system.time + insertion.moment * dt
            weight = 1.0 if self.potential is None else np.exp(self.potential.depth)
            count = int(counting.poisson(self._highest(time) * insertion.volume * weight))
            total += self._put(system, insertion.depths(count, placing), placing, time)
        return total

    def _put(
        self, system: System, depths: Floats, generator: np.random.Generator, time: float
    ) -> int:
        points, feet = self.opening.place(depths, generator)
        if isinstance(self.concentration, Profile):
            kept = self._share(feet, time) > generator.random(feet.shape[1])
            points, feet = points[:, kept], feet[:, kept]
        if self.potential is not None:
            points = points[:, self._weights(points, feet) > generator.random(feet.shape[1])]
        cells = None
        if self.locate is not None:
            cells = self.locate(points)
            points, cells = points[:, cells >= 0], cells[cells >= 0]
        velocities = None
        if self.thermal_speed is not None:
            velocities = self.thermal_speed * generator.standard_normal(points.shape)
        system.add(self.species, points, velocities, cells)
        return points.shape[1]

    def _highest(self, time: float) -> float:
        """The concentration for which candidates are drawn."""
        c = self.concentration
        value = c.maximum if isinstance(c, Profile) else c(time) if callable(c) else c
        if not 0 <= value < np.inf:
            raise _bad_concentration(self.name, value, time)
        return float(value)

    def _share(self, feet: Floats, time: float) -> Floats:
        profile = self.concentration
        values = np.asarray(profile.value(feet, time), dtype=float)  # type: ignore[union-attr]
        highest = self._highest(time)
        wrong = ~((values >= 0) & (values <= highest * (1 + 1e-12)))
        if wrong.any():
            raise _bad_concentration(self.name, values[wrong][0], time, highest)
        return values / max(highest, 1e-300)

    def _weights(self, points: Floats, feet: Floats) -> Floats:
        potential = self.potential
        if potential is None:
            return np.ones(points.shape[1])
        fall = np.asarray(potential.value(feet)) - np.asarray(potential.value(points))
        if fall.size and fall.max() > potential.depth + 1e-9:
            raise NumericalError(
                f"{self.name}: the potential falls by {fall.max():.6g} k_B T within the layer, "
                f"more than the {potential.depth:.6g} that insertions are drawn for",
                remedy="a larger depth of the potential",
            )
        return np.exp(fall - potential.depth)

    @property
    def _key(self) -> int:
        return zlib.crc32(self.name.encode())


def _bad_concentration(
    name: str, value: float, time: float, highest: float = np.inf
) -> NumericalError:
    return NumericalError(
        f"{name}: the concentration of the reservoir is {value:.6g} at time {time:.6g}",
        remedy=f"values from 0 to {highest:.6g}",
    )
