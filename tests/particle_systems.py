"""Systems of reacting particles for tests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fem_rd.particles.domains import Box, Mobility
from fem_rd.particles.random import Streams
from fem_rd.particles.reactions import Reactions
from fem_rd.particles.state import System
from fem_rd.particles.walls import Periodic


def cube(edge: float, dimension: int = 3) -> tuple[Box, dict[str, Periodic]]:
    """A periodic box and its walls."""
    box = Box((0.0,) * dimension, (edge,) * dimension)
    return box, {wall: Periodic() for wall in box.walls}


def system(
    network, counts: Mapping[str, int], domain, seed: int = 1, dimension: int | None = None
) -> System:
    """Particles at uniform places."""
    made = System(dimension or domain.dimension, network.species, Streams(seed))
    generator = np.random.default_rng(seed)
    for name, count in counts.items():
        made.add(name, domain.sample(count, generator))
    return made


def step(
    particles: System,
    domain,
    walls,
    reactions: Reactions,
    diffusion: Mapping[str, float],
    dt: float,
) -> np.ndarray:
    """One step M(dt) R(dt): the events."""
    for name, value in diffusion.items():
        mobility = Mobility(value, dt)
        domain.move(particles[name], mobility, walls, particles.streams, particles.step)
    events = reactions.apply(particles, particles.time, dt)
    particles.step += 1
    particles.time += dt
    return events


def clusters(network, counts: Mapping[str, int], number: int, seed: int, dimension: int = 1):
    """Many small systems in one: all within reach of 1 in each, none between them."""
    length = 4.0 * number
    box = Box((0.0,) * dimension, (length, *(1.0,) * (dimension - 1)))
    made = System(dimension, network.species, Streams(seed))
    generator = np.random.default_rng(seed)
    for name, count in counts.items():
        places = 0.5 * generator.random((dimension, number * count))
        places[0] += 4.0 * np.repeat(np.arange(number), count) + 1.0
        made.add(name, places)
    return box, made


def by_cluster(particles: System, species: str, number: int) -> np.ndarray:
    """How many of a species each of the small systems has."""
    return np.bincount((particles[species].x[0] // 4.0).astype(int), minlength=number)


def z_scores(samples: np.ndarray, mean: float, variance: float) -> tuple[float, float]:
    """Of the mean, and of the variance with the error that the fourth moment gives."""
    number = samples.size
    spread = (samples - samples.mean()) ** 2
    error = np.sqrt(max((spread**2).mean() - spread.mean() ** 2, 1e-300) / number)
    return (
        float((samples.mean() - mean) / np.sqrt(variance / number)),
        float((spread.sum() / (number - 1) - variance) / error),
    )
