"""How particles move: Brownian dynamics, and Langevin dynamics with velocities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError
from fem_rd.particles.domains import Domain, Exits, Flight, FlyingDomain, Mobility
from fem_rd.particles.random import Purpose, Streams
from fem_rd.particles.state import Floats, Population
from fem_rd.particles.walls import Wall

Field = Callable[[Floats], npt.ArrayLike]
"""A vector at each point: (dimension, n) -> (dimension, n), or (dimension,) if it is constant."""

Place = TypeVar("Place", bound=Domain, contravariant=True)


class Dynamics(Protocol[Place]):
    """How the particles of one species make a step."""

    @property
    def pulls(self) -> bool:
        """Whether a step has to evaluate a force."""
        ...

    def move(
        self,
        domain: Place,
        population: Population,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
        dt: float,
    ) -> Exits:
        """One step of length dt, in place; who left stays in the population, on the wall."""
        ...


@dataclass(frozen=True)
class Brownian:
    """dx = drift dt + sqrt(2 D) dW by Euler and Maruyama: first order in dt where drift varies.

    ``diffusion``: length^2/time; ``drift``: length/time, a constant or a function of place.
    """

    diffusion: float
    drift: Field | tuple[float, ...] | None = None

    @property
    def pulls(self) -> bool:
        """Whether the drift is a function of place."""
        return callable(self.drift)

    def move(
        self,
        domain: Domain,
        population: Population,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
        dt: float,
    ) -> Exits:
        drift = self.drift(population.x) if callable(self.drift) else self.drift
        mobility = Mobility(self.diffusion, dt, drift)
        return domain.move(population, mobility, walls, streams, step)


def in_potential(diffusion: float, force: Field, temperature: float) -> Brownian:
    """Brownian particles under a force (energy/length); ``temperature`` is k_B T, an energy."""
    if not temperature > 0:
        raise CaseError("a temperature", found=temperature, valid="more than 0")
    mobility = diffusion / temperature
    return Brownian(diffusion, lambda points: mobility * np.asarray(force(points)))


@dataclass(frozen=True)
class Langevin:
    """dx = v dt, m dv = F dt - m gamma v dt + sqrt(2 m gamma T) dW by BAOAB.

    ``mass``; ``friction`` gamma: 1/time; ``temperature`` T: k_B T, an energy; ``force``:
    energy/length. Second order in dt; in a harmonic potential positions have the exact stationary
    variance T/k (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34). D = T/(m gamma).
    """

    mass: float
    friction: float
    temperature: float
    force: Field | None = None

    def __post_init__(self) -> None:
        if not (self.mass > 0 and self.friction >= 0 and self.temperature >= 0):
            raise CaseError(
                "mass, friction and temperature",
                found=(self.mass, self.friction, self.temperature),
                valid="mass > 0; the others not negative",
            )

    @property
    def pulls(self) -> bool:
        """Whether there is a force."""
        return self.force is not None

    @property
    def thermal_speed(self) -> float:
        """The standard deviation of each component of the velocity in equilibrium, sqrt(T/m)."""
        return math.sqrt(self.temperature / self.mass)

    def start(self, population: Population, streams: Streams) -> None:
        """Give every particle a velocity of the equilibrium distribution."""
        normals = streams.normals(population.dimension, population.id, 0, Purpose.VELOCITY)
        population.v[:] = self.thermal_speed * normals

    def move(
        self,
        domain: FlyingDomain,
        population: Population,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
        dt: float,
    ) -> Exits:
        decay = math.exp(-self.friction * dt)
        noise = self.thermal_speed * math.sqrt(-math.expm1(-2 * self.friction * dt))
        self._kick(population, dt / 2)
        flight = Flight(dt / 2, decay, noise)
        exits = domain.fly(population, flight, walls, streams, step)
        self._kick(population, dt / 2)
        return exits

    def _kick(self, population: Population, duration: float) -> None:
        if self.force is None or not population.count:
            return
        force = np.asarray(self.force(population.x))
        kick = duration / self.mass * force
        population.v[:] += kick if kick.ndim == 2 else kick[:, None]
