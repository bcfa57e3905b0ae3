"""Seconds per step of ReaDDy or Smoldyn for diffusion in a box; run by particles.py.

    PYTHON benchmarks/particles_peers.py readdy|smoldyn PARTICLES STEPS

PYTHON is an interpreter that has the peer, which needs other libraries than fem_rd. Prints the
seconds of processor time per step: the difference of a long and a short run, so that neither
setting up nor loading counts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

SPREAD = 0.01  # sqrt(2 D dt) in edges of the box


def readdy_run(particles: int, steps: int) -> Callable[[], None]:
    """A prepared run: periodic, since ReaDDy has walls only as forces, which cost more."""
    import readdy

    system = readdy.ReactionDiffusionSystem([1.0] * 3, unit_system=None)
    system.add_species("A", diffusion_constant=0.5)
    simulation = system.simulation(kernel="SingleCPU")
    simulation.show_progress = False
    simulation.add_particles("A", np.random.default_rng(1).random((particles, 3)) - 0.5)
    return lambda: simulation.run(steps, SPREAD**2, show_summary=False)


def smoldyn_run(particles: int, steps: int) -> Callable[[], None]:
    """A prepared run between reflecting walls."""
    import smoldyn

    text = f"""dim 3
        species A
        difc A 0.5
        boundaries x 0 1 r
        boundaries y 0 1 r
        boundaries z 0 1 r
        time_start 0
        time_stop {steps * SPREAD**2}
        time_step {SPREAD**2}
        mol {particles} A u u u
        end_file
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        simulation = smoldyn.Simulation.fromFile(file.name, "q")
    return lambda: simulation.run(stop=steps * SPREAD**2, dt=SPREAD**2)


def seconds(run: Callable[[], None]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> None:
    peer, particles, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    prepared = {"readdy": readdy_run, "smoldyn": smoldyn_run}[peer]
    short, long = (seconds(prepared(particles, number)) for number in (steps, 3 * steps))
    print(f"RESULT {(long - short) / (2 * steps):.9g}")


if __name__ == "__main__":
    main()
