"""Seconds per step of ReaDDy or Smoldyn for A + B -> C; run by particle_reactions.py.

    PYTHON benchmarks/particle_reactions_peers.py readdy|readdy-uncontrolled|smoldyn PARTICLES STEPS

PYTHON is an interpreter that has the peer, which needs other libraries than fem_rd. Prints the
seconds of processor time per step: the difference of a long and a short run, so that neither
setting up nor loading counts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

import numpy as np

IN_REACH = 0.2  # mean number of B within the radius of an A
SPREAD = 0.3  # sqrt(2 D dt) in radii
PROBABILITY = 1e-4  # of a pair to react in a step: the numbers hardly change


def box_edge(particles: int) -> float:
    """Edge of the cube, in radii, that holds half of the particles of either kind."""
    return float((particles / 2 * 4 * np.pi / 3 / IN_REACH) ** (1 / 3))


def readdy_run(particles: int, steps: int, handler: str = "Gillespie") -> Callable[[], None]:
    """A prepared run: periodic, since ReaDDy has walls only as forces, which cost more."""
    import readdy

    edge, generator = box_edge(particles), np.random.default_rng(1)
    system = readdy.ReactionDiffusionSystem([edge] * 3, unit_system=None)
    for name in "ABC":
        system.add_species(name, diffusion_constant=1.0)
    dt = SPREAD**2 / 2
    rate = -np.log1p(-PROBABILITY) / dt
    system.reactions.add_fusion("association", "A", "B", "C", rate=rate, educt_distance=1.0)
    simulation = system.simulation(kernel="SingleCPU")
    simulation.reaction_handler = handler  # of its two, the default or the faster
    simulation.show_progress = False
    for name in "AB":
        simulation.add_particles(name, edge * (generator.random((particles // 2, 3)) - 0.5))
    return lambda: simulation.run(steps, dt, show_summary=False)


def smoldyn_run(particles: int, steps: int) -> Callable[[], None]:
    """A prepared run between reflecting walls; only its text files take the radius of a pair."""
    import smoldyn

    edge, dt = box_edge(particles), SPREAD**2 / 2
    text = f"""dim 3
        species A B C
        difc all 1
        boundaries x 0 {edge} r
        boundaries y 0 {edge} r
        boundaries z 0 {edge} r
        time_start 0
        time_stop {steps * dt}
        time_step {dt}
        mol {particles // 2} A u u u
        mol {particles // 2} B u u u
        reaction association A + B -> C
        binding_radius association 1.0
        reaction_probability association {PROBABILITY}
        end_file
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        simulation = smoldyn.Simulation.fromFile(file.name, "q")
    return lambda: simulation.run(stop=steps * dt, dt=dt)


def seconds(run: Callable[[], None]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> None:
    peer, particles, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    prepared = {
        "readdy": readdy_run,
        "readdy-uncontrolled": partial(readdy_run, handler="UncontrolledApproximation"),
        "smoldyn": smoldyn_run,
    }[peer]
    short, long = (seconds(prepared(particles, number)) for number in (steps, 3 * steps))
    print(f"RESULT {(long - short) / (2 * steps):.9g}")


if __name__ == "__main__":
    main()
