"""Diffusion of particles: million particle steps per second, against the random numbers alone.

    ./with-env python3 benchmarks/particles.py [--particles 10000 100000 1000000]
        [--peers PYTHON] [--repeat 5]

Three dimensions, sqrt(2 D dt) = 0.01 edges of the box or radii of the ball, one core. "normals"
draws what a step needs with the same generator and adds it up. Each is measured in turn; times are
processor time, the smallest of the repetitions. With --peers, ReaDDy (periodic, since it has walls
only as forces) and Smoldyn run in PYTHON, which has them by `pip install readdy smoldyn==2.73`.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from particles_peers import SPREAD

from fem_rd.particles.build import kernels, pointer
from fem_rd.particles.domains import Box, Domain, Mobility
from fem_rd.particles.domains_round import Ball
from fem_rd.particles.random import Streams
from fem_rd.particles.state import Population
from fem_rd.particles.walls import Absorbing, PartiallyAbsorbing, Periodic

PEERS = Path(__file__).with_name("particles_peers.py")
PARTICLE_STEPS = 20_000_000  # of one measurement
STREAMS = Streams(1)
BOX = Box((0.0,) * 3, (1.0,) * 3)
Step = Callable[[int], object]


def tasks(particles: int) -> dict[str, Step]:
    """One step of each, by name; who is absorbed stays, so that the numbers do not change."""
    mobility = Mobility(0.5, SPREAD**2)
    drift = Mobility(0.5, SPREAD**2, np.ones((3, particles)))
    everywhere = {face: Periodic() for face in BOX.walls}
    population = placed(BOX, particles)
    ids, lib = pointer("uint64_t *", population.ids), kernels()[1]
    key = STREAMS.key
    steps: dict[str, Step] = {
        "normals": lambda k: lib.fem_rd_sum_normals(3, particles, ids, key, k),
        "reflecting": lambda k: BOX.move(population, mobility, {}, STREAMS, k),
        "periodic": lambda k: BOX.move(population, mobility, everywhere, STREAMS, k),
        "with drift": lambda k: BOX.move(population, drift, {}, STREAMS, k),
    }
    ball = Ball(1.0)
    inside = placed(ball, particles)
    steps["ball"] = lambda k: ball.move(inside, mobility, {}, STREAMS, k)
    for name, wall in (("one absorbs", Absorbing()), ("one partly", PartiallyAbsorbing(1.0))):
        walls, some = {"left": wall}, placed(BOX, particles)
        start = some.x.copy()

        def absorbed(k: int, walls=walls, some=some, start=start) -> None:  # type: ignore[no-untyped-def]
            exits = BOX.move(some, mobility, walls, STREAMS, k)
            some.x[:, exits.particle] = start[:, exits.particle]

        steps[name] = absorbed
    return steps


def placed(domain: Domain, particles: int) -> Population:
    population = Population(3, capacity=particles)
    population.append(domain.sample(particles, np.random.default_rng(1)), np.arange(particles))
    return population


def own_seconds(step: Step, particles: int) -> float:
    """Processor time of one step."""
    steps = max(3, PARTICLE_STEPS // particles)
    step(0)
    begin = time.process_time()
    for k in range(steps):
        step(k)
    return (time.process_time() - begin) / steps


def peer_seconds(python: str, peer: str, particles: int) -> float:
    """Processor time of one step of a peer."""
    steps = max(2, PARTICLE_STEPS // particles // 20)
    command = [python, str(PEERS), peer, str(particles), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    return float(lines[-1].split()[1])


def compare(particles: int, repeat: int, python: str | None) -> dict[str, float]:
    """The smallest seconds per step of all, measured in turn."""
    found: dict[str, list[float]] = {}
    steps = tasks(particles)
    for _ in range(repeat):
        for name, step in steps.items():
            found.setdefault(name, []).append(own_seconds(step, particles))
    for peer in ("readdy", "smoldyn") if python else ():
        found[peer] = [peer_seconds(python or "", peer, particles)]
    return {name: min(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--particles", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    for particles in given.particles:
        found = compare(particles, given.repeat, given.peers)
        print(f"{particles} particles, million particle steps per second:")
        for name, seconds in found.items():
            rate = particles / seconds / 1e6
            share = found["normals"] / seconds
            print(
                f"  {name:12s} {rate:8.1f}   {share:5.2f} of normals,"
                f" reflecting is {seconds / found['reflecting']:.1f} times as fast"
            )


if __name__ == "__main__":
    main()
