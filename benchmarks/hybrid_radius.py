"""What a radius of reaction changes, without noise: equations of the published cases with it.

    ./with-env python3 benchmarks/hybrid_radius.py

Prey and susceptible people who meet others at a distance of up to sigma (Doi), against the same
equations at a point, in the half x < 5. With "everywhere", all of them do; with "hybrid", those in
that half and those who meet one of that half, as in a hybrid run. Printed: the change of the
number, and the squared distance of the densities, relative: the plateau that the error of a hybrid
run comes to with ever more replicas. Independent of the suite: finite differences, the ball by FFT,
diffusion exact in cosines, Strang's splitting.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn, idctn, irfft2, rfft2

A = 10.0  # side of the square
EDGE = 0.2  # over which densities fall at the beginning, as in the cases
CELLS = 200
Array = npt.NDArray[Any]
Ball = Callable[[Array], Array]


@dataclass(frozen=True)
class Equations:
    """``start`` (species, n, n); ``rates``: of the densities and of the partners that are seen."""

    species: tuple[str, ...]
    diffusion: tuple[float, ...]
    start: Array
    rates: Callable[[Array, Array], Array]
    end: float
    step: float


def flat(distance: Array, half: float) -> Array:
    """1 within ``half``, 0 outside, linear over an edge."""
    return np.clip(0.5 + (half - distance) / EDGE, 0.0, 1.0)


def lotka_volterra(x: Array, y: Array) -> Equations:
    """cases/hybrid-lotka-volterra."""
    prey = 100 * flat(abs(x - 6.1), 1.0) * flat(abs(y - 5), 1.0)
    predators = 10 * flat(abs(x - 6.1), 0.5) * flat(abs(y - 5), 0.5)

    def rates(u: Array, seen: Array) -> Array:
        eaten = 0.05 * u[0] * seen
        return np.array([0.15 * u[0] - eaten, eaten - 0.1 * u[1]])

    return Equations(
        ("prey", "predator"), (0.3, 0.1), np.array([prey, predators]), rates, 9.0, 0.02
    )


def sir(x: Array, y: Array) -> Equations:
    """cases/hybrid-sir, a tenth as many people."""
    towns = np.min([abs(y - 2), abs(y - 5), abs(y - 8)], axis=0)
    susceptible = 700 * flat(abs(x - 5.6), 0.5) * flat(towns, 0.5)
    height = np.minimum(abs(y - 2.5), abs(y - 7.5))
    infected = 80 * flat(np.hypot(x - 6.5, height), 0.5)

    def rates(u: Array, seen: Array) -> Array:
        caught = 0.15 * u[0] * seen
        return np.array([-caught, caught - 0.5 * u[1], 0.5 * u[1]])

    start = np.array([susceptible, infected, 0 * x])
    return Equations(("S", "I", "R"), (0.8, 0.8, 0.8), start, rates, 1.5, 0.005)


def ball(sigma: float) -> Ball:
    """Means over the ball around each cell; nobody is outside of the square."""
    h, reach, parts = A / CELLS, int(sigma * CELLS / A) + 2, 16
    x = (np.arange((2 * reach + 1) * parts) + 0.5) * h / parts - (reach + 0.5) * h
    inside = np.hypot(x[:, None], x) <= sigma
    weights = inside.reshape(2 * reach + 1, parts, 2 * reach + 1, parts).mean(axis=(1, 3))
    kernel, around = np.zeros((2 * CELLS, 2 * CELLS)), np.arange(-reach, reach + 1)
    kernel[np.ix_(around, around)] = weights / weights.sum()
    transformed = rfft2(kernel)
    return lambda u: irfft2(rfft2(u, kernel.shape) * transformed, kernel.shape)[:CELLS, :CELLS]


def in_hybrid(mean: Ball, particles: Array) -> Ball:
    """Means over the ball for particles; of particles alone for others, the rest where they are."""
    share = 1.0 - mean(particles.astype(float))
    return lambda u: np.where(particles, mean(u), mean(np.where(particles, u, 0)) + share * u)


def solved(problem: Equations, seen: Ball) -> Array:
    """The densities at the end."""
    waves = (np.pi * np.arange(CELLS) / A) ** 2
    total = np.add.outer(waves, waves)
    decay = np.array([np.exp(-d * total * problem.step / 2) for d in problem.diffusion])

    def diffused(u: Array) -> Array:
        return np.asarray(idctn(dctn(u, axes=(1, 2)) * decay, axes=(1, 2)))

    def rates(u: Array) -> Array:
        return problem.rates(u, seen(u[1]))

    u, dt = problem.start, problem.step
    for _ in range(round(problem.end / dt)):
        u = diffused(u)
        first = rates(u)
        second = rates(u + dt / 2 * first)
        third = rates(u + dt / 2 * second)
        u = u + dt / 6 * (first + 2 * second + 2 * third + rates(u + dt * third))
        u = diffused(u)
    return u


def main() -> None:
    """Both cases with several radii."""
    middles = (np.arange(CELLS) + 0.5) * A / CELLS
    x, y = np.meshgrid(middles, middles, indexing="ij")
    particles = x < A / 2
    for problem, radii in ((lotka_volterra(x, y), (0.8, 0.4, 0.2)), (sir(x, y), (0.4, 0.2))):
        local = solved(problem, lambda u: u)[:, particles]
        for radius in radii:
            mean = ball(radius)
            for name, seen in (("everywhere", mean), ("hybrid", in_hybrid(mean, particles))):
                found = solved(problem, seen)[:, particles]
                for row, species in enumerate(problem.species):
                    change = found[row].sum() / local[row].sum() - 1
                    plateau = ((found[row] - local[row]) ** 2).sum() / (local[row] ** 2).sum()
                    sys.stdout.write(
                        f"{species:9} radius {radius} {name:10} {change:+8.2%} {plateau:9.2e}\n"
                    )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
