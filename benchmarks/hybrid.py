"""What the coupling of particles and a PDE costs, and what it saves; all ratios from one run.

    ./with-env python3 benchmarks/hybrid.py [--seconds 3]

Cost of the coupling (insertion at the interface, what is told to it, exchange with the PDE) over
that of the particles' own motion and of the PDE together, in processor time, for

- many small replicas in a shell in closed form, PDE around it
- 1e5 particles in one replica, in half of a rectangle of triangles
- a shell of tetrahedra whose outer facets are the interface, for two lengths of a step

Speed-up on Smoluchowski's problem (particles from 1 to 2, PDE from there to 5): processor time by
variance of the rate, of particles everywhere over that of the hybrid, with the same step.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpi4py import MPI

from fem_rd.case.case import read_case
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.models.hybrid.reservoirs import BesideReservoir
from fem_rd.models.protocol import Model
from fem_rd.models.reaction_diffusion.model import ReactionDiffusionModel
from fem_rd.models.registry import build_model
from fem_rd.particles.open_boundary import OpenBoundary

BATCH = 20  # steps of the PDE between two rows
WARM = 10  # rows before the first that counts
EXACT = 4 * math.pi / (1 + 1 / 1.25)  # k_S = 4 pi, k_D = 4 pi R/(R - 1)
SPHERE = """
title = "spheres"
model = "hybrid"
[mesh]
geometry = "spherical-shell"
order = 1
[mesh.parameters]
inner_radius = 1.0
outer_radius = 5.0
reactive_layer = 1.0
size = {size}
[hybrid]
region = "reactive_layer"
replicas = {replicas}
substeps = 4
{domain}
[hybrid.species.B]
diffusion = 1.0
initial = "{c}*(10 - 5/r)/9"
boundaries.reactive = {{type = "robin", kappa = "4*pi"}}
boundaries.reservoir = {{type = "dirichlet", concentration = {c}}}
[hybrid.measure]
begin = {begin}
flux = "reactive"
every = {every}
[time]
end = {end}
step = {step}
"""
CLOSED = 'domain = {type = "shell", inner = 1.0, outer = 2.0}\ninterface = "reservoir"'
HALF = """
title = "half of a rectangle"
model = "hybrid"
[mesh]
builtin = "rectangle"
upper = [4.0, 2.0]
cells = [64, 32]
[mesh.regions.inside]
upper = [2.0, 2.0]
[hybrid]
region = "inside"
substeps = 2
[hybrid.species.A]
diffusion = 1.0
initial = 25000.0
[hybrid.measure]
every = {every}
[time]
end = {end}
step = {step}
"""
EVERYWHERE = """
title = "particles everywhere"
model = "particles"
[particles]
replicas = {replicas}
domain = {{type = "shell", inner = 1.0, outer = 5.0}}
[particles.species.B]
diffusion = 1.0
concentration = "{c}*(10 - 5/r)/9"
[particles.walls.reactive]
type = "partially-absorbing"
kappa = "4*pi"
[particles.walls.reservoir]
type = "open"
concentration = {c}
[particles.measure]
begin = {begin}
flux = "reactive"
every = {every}
[time]
end = {end}
step = {step}
"""


class Clock:
    """Processor time within methods of classes."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    def watch(self, owner: type, method: str, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, method)

        @functools.wraps(original)
        def timed(*arguments: Any) -> Any:
            begin = time.process_time()
            result = original(*arguments)
            self.spent[name] += time.process_time() - begin
            return result

        setattr(owner, method, timed)


def model_of(text: str) -> Model:
    case = read_case(tomllib.loads(text), Path.cwd())
    comm = MPI.COMM_WORLD
    domain = build_domain(case.mesh, comm, case_dir=Path.cwd()) if case.mesh else None
    return build_model(case, domain, comm, Log(quiet=True))


def coupling(clock: Clock, text: str, step: float, seconds: float, **values: Any) -> str:
    """Milliseconds of a step of the PDE in its parts, and what coupling adds to the others."""
    every = BATCH * step
    numbers = {"step": step, "every": every, "begin": every, "end": 1000 * every}
    model = model_of(text.format(**numbers, **values))
    particles = sum(n for name, n in model.unknowns().items() if name.endswith("particles"))
    for batch in range(1, WARM + 1):  # kernels are compiled, bins are filled
        model.advance(batch * every)
    clock.spent.clear()
    begin, batches = time.process_time(), 0
    while time.process_time() - begin < seconds:
        batches += 1
        model.advance((WARM + batches) * every)
    total, spent = time.process_time() - begin, clock.spent
    pde = spent["pde"]
    coupled = spent["insertion"] + spent["exchange"] - pde
    parts = [total - coupled - pde, pde, spent["insertion"], spent["exchange"] - pde]
    row = " ".join(f"{part / (batches * BATCH) * 1e3:9.2f}" for part in parts)
    return f"{particles:8d} {row} {coupled / (total - coupled):9.2f}"


def cost(text: str, end: float, **values: Any) -> tuple[float, float, float]:
    """The rate, its standard error, and processor time while it was measured."""
    begin = 0.25 * end
    model = model_of(text.format(end=end, begin=begin, every=begin, **values))
    model.advance(begin)
    start = time.process_time()
    for row in range(2, 5):
        model.advance(row * begin)
    spent = time.process_time() - start
    rate = next(one for one in model.observables() if one.name == "rate")
    return rate.value, rate.error or math.nan, spent


def compare(concentration: float, end: float) -> None:
    """The hybrid and particles everywhere, on Smoluchowski's problem; rates by concentration."""
    common = {"end": end, "replicas": 60, "c": concentration}
    hybrid = cost(SPHERE, step=0.04, domain=CLOSED, size=0.15, **common)
    everywhere = cost(EVERYWHERE, step=0.01, **common)
    print(f"concentration {concentration:g}, rate {EXACT:.4f}")
    for name, (value, error, spent) in (("hybrid", hybrid), ("particles", everywhere)):
        scaled = f"{value / concentration:.4f} +- {error / concentration:.4f}"
        print(f"  {name:10s} {scaled} in {spent:.1f} s")
    gains = everywhere[2] / hybrid[2], (everywhere[1] / hybrid[1]) ** 2
    print(f"  {gains[0]:.2f} in time, {gains[1]:.2f} in variance: {gains[0] * gains[1]:.1f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    parser.add_argument("--end", type=float, default=40.0, help="time of Smoluchowski's problem")
    options = parser.parse_args()
    clock = Clock()
    for method in ("before", "after"):
        clock.watch(OpenBoundary, method, "insertion")
    for method in ("begin", "finish"):
        clock.watch(BesideReservoir, method, "exchange")
    clock.watch(ReactionDiffusionModel, "advance", "pde")
    heads = "particles    moving       PDE insertion  exchange    ratio"
    print(f"{'ms of a step of the PDE':33s} {heads}")
    shell = {"domain": CLOSED, "c": 1.0, "size": 0.3}
    cells = {"domain": "", "c": 100.0, "replicas": 4, "size": 0.3}
    for name, text, step, values in (
        ("shell, closed form, 40 replicas", SPHERE, 0.04, shell | {"replicas": 40}),
        ("the same, concentration 100", SPHERE, 0.04, shell | {"replicas": 40, "c": 100.0}),
        ("the same, steps of a quarter", SPHERE, 0.01, shell | {"replicas": 40, "c": 100.0}),
        ("half of a rectangle", HALF, 0.002, {}),
        ("the same, steps of a quarter", HALF, 0.000125, {}),
        ("shell of tetrahedra", SPHERE, 0.02, cells),
        ("the same, steps of a quarter", SPHERE, 0.00125, cells),
    ):
        print(f"{name:34s} {coupling(clock, text, step, options.seconds, **values)}", flush=True)
    compare(1.0, options.end)
    compare(50.0, 0.12 * options.end)


if __name__ == "__main__":
    main()
