"""Runs of independent particles with open boundaries, for the tests of the schemes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fem_rd.particles.domains import Box, Interval
from fem_rd.particles.dynamics import Brownian
from fem_rd.particles.open_boundary import OpenBoundary
from fem_rd.particles.open_boundary_places import Face
from fem_rd.particles.random import Streams
from fem_rd.particles.state import System
from fem_rd.particles.stepper import Stepper

UNIT = Interval(0.0, 1.0)


def stepper(
    boundaries: Sequence[OpenBoundary],
    domain: Any = UNIT,
    *,
    seed: int,
    walls: dict[str, Any] | None = None,
    dynamics: Any = None,
) -> Stepper:
    """A stepper of one species A with D = 1, without particles."""
    system = System(domain.dimension, ["A"], Streams(seed))
    open_walls = {boundary.opening.wall: boundary.wall for boundary in boundaries}
    moving = {"A": dynamics or Brownian(1.0)}
    return Stepper(system, domain, moving, {"A": open_walls | (walls or {})}, boundaries=boundaries)


def opened(
    scheme: Any, wall: str, concentration: Any, box: Box = UNIT, **more: Any
) -> OpenBoundary:
    """An open face of a box for species A with D = 1."""
    return OpenBoundary(wall, scheme, Face(box, wall), "A", 1.0, concentration, **more)


def start(run: Stepper, positions: Any) -> None:
    """Put particles in before the first step."""
    run.system.add("A", positions)
    run.ledger.initial[:] = run.system["A"].count


def crossed(run: Stepper, wall: str) -> int:
    """How many have gone out through a wall, less those who came in, up to now."""
    ledger = run.ledger
    out = int(ledger.left[0, ledger.walls.index(wall)])
    if wall in ledger.boundaries:
        column = ledger.boundaries.index(wall)
        out += int(ledger.taken[0, column] - ledger.inserted[0, column])
    return out


def advance(run: Stepper, steps: int, dt: float) -> None:
    """So many steps; the ledger must balance to the particle."""
    for _ in range(steps):
        run.step(dt)
    run.ledger.check(run.system)


def poisson(rng: np.random.Generator, density: float) -> np.ndarray:
    """Points of the unit interval with a Poisson number, (1, n)."""
    return rng.random((1, int(rng.poisson(density))))
