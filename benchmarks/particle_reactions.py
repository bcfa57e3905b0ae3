"""A + B -> C of particles: million particle steps per second, against ReaDDy and Smoldyn.

    ./with-env python3 benchmarks/particle_reactions.py [--particles 100000 1000000]
        [--peers PYTHON] [--repeat 3]

Half of the particles are A, half B, in a reflecting box with 0.2 B within the radius of each A;
a step moves all and lets them react, sqrt(2 D dt) = 0.3 radii. fem_rd takes whole steps of its
engine, of second order: half of the motion, reactions, half of the motion; peers move all, then let
them react, which is of first order. The peers run in an interpreter of
their own (PYTHON, with `pip install readdy smoldyn`), in turn with fem_rd, on one core each.
Times are processor time of one step, the smallest of the repetitions. ReaDDy's box is periodic,
since it has walls only as forces, which cost more; of its two ways to order reactions, Gillespie
is the default and "uncontrolled" the faster.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import time
from pathlib import Path

import numpy as np
from particle_reactions_peers import PROBABILITY, SPREAD, box_edge

from fem_rd.chemistry.equations import mass_action
from fem_rd.particles.domains import Box
from fem_rd.particles.dynamics import Brownian
from fem_rd.particles.random import Streams
from fem_rd.particles.reactions import Reactions
from fem_rd.particles.state import System
from fem_rd.particles.stepper import Stepper

PEERS = Path(__file__).with_name("particle_reactions_peers.py")
NAMES = ("readdy", "readdy-uncontrolled", "smoldyn")
PARTICLE_STEPS = 4_000_000  # of a measurement, by peers a tenth of it


def own_seconds(particles: int) -> tuple[float, float]:
    """Processor time of one step, and the part of it that is motion."""
    edge, dt = box_edge(particles), SPREAD**2 / 2
    box, generator = Box((0.0,) * 3, (edge,) * 3), np.random.default_rng(1)
    network = mass_action({"association": ("A + B -> C", -math.log1p(-PROBABILITY) / dt)})
    reactions = Reactions(network, box, {"association": 1.0})
    system = System(3, network.species, Streams(1))
    for name in "AB":
        system.add(name, box.sample(particles // 2, generator))
    dynamics = dict.fromkeys(network.species, Brownian(1.0))
    moving = Stepper(system, box, dynamics, {})
    whole = Stepper(system, box, dynamics, {}, reactions)
    return seconds(whole, dt, particles), 2 * seconds(moving, dt / 2, particles)


def seconds(stepper: Stepper, dt: float, particles: int) -> float:
    """Processor time of one step."""
    steps = max(3, PARTICLE_STEPS // particles)
    for _ in range(3):
        stepper.step(dt)
    begin = time.process_time()
    for _ in range(steps):
        stepper.step(dt)
    return (time.process_time() - begin) / steps


def peer_seconds(python: str, peer: str, particles: int) -> float:
    """Processor time of one step of a peer."""
    steps = max(2, PARTICLE_STEPS // particles // 10)
    command = [python, str(PEERS), peer, str(particles), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    return float(lines[-1].split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--particles", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--peers", help="a Python that has readdy and smoldyn")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    for particles in options.particles:
        own, peers = [], {name: [] for name in NAMES}
        for _ in range(options.repeat):
            own.append(own_seconds(particles))
            for peer in peers if options.peers else ():
                peers[peer].append(peer_seconds(options.peers, peer, particles))
        best, moving = min(own)
        rate = particles / best / 1e6
        print(
            f"{particles} particles: fem_rd {rate:.1f} M/s, motion {moving / best:.0%} of the time"
        )
        for peer, found in peers.items():
            if found:
                theirs = min(found)
                print(
                    f"  {peer} {particles / theirs / 1e6:.3f} M/s: {theirs / best:.1f} times slower"
                )


if __name__ == "__main__":
    main()
