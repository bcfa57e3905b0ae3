"""Reservoirs of a case: the engine's open boundaries, from what [particles] says of open walls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fem_rd.case.sections.particle_places import OpenWall
from fem_rd.expressions.expression import Expression
from fem_rd.particles.domains import Box
from fem_rd.particles.domains_round import Ball
from fem_rd.particles.open_boundary import OpenBoundary, Potential
from fem_rd.particles.open_boundary_places import Face, Opening, Sphere
from fem_rd.particles.open_boundary_schemes import (
    Crossing,
    Layer,
    MatchedLayer,
    Scheme,
    StrangLayer,
)
from fem_rd.particles.state import Floats

_TRIES = 1 << 12  # points at which a potential is looked at to bound it
_MARGIN = 1.1


def scheme_of(section: OpenWall, diffusion: float, dt: float) -> Scheme:
    """The scheme that a wall names; layer-strang without a width has the one it needs."""
    width = section.width or math.sqrt(2 * diffusion * dt)
    match section.scheme:
        case "crossing":
            return Crossing()
        case "layer":
            return Layer(width)
        case "layer-matched":
            return MatchedLayer(width)
        case "layer-strang":
            return StrangLayer(width)


def opening_of(domain: Any, wall: str) -> Opening:
    """The interface that is this wall of a domain."""
    if isinstance(domain, Box):
        return Face(domain, wall)
    if isinstance(domain, Ball):
        return Sphere(domain.radius, wall, domain.dimension)
    radius, opposite = domain.outer, domain.inner
    if wall == "reactive":
        radius, opposite = opposite, radius
    return Sphere(radius, wall, domain.dimension, opposite=opposite)


def concentration_of(expression: Expression) -> float | Callable[[float], float]:
    """A number, or a function of time."""
    if expression.is_constant:
        return expression.value
    return lambda time: float(expression.evaluate({"t": time}))


def potential_in(
    opening: Opening, width: float, value: Callable[[Floats], Floats]
) -> Potential:
    """The potential of a layer, with how far it lies below that on the wall."""
    generator = np.random.Generator(np.random.Philox(0))
    points, feet = opening.place(width * generator.random(_TRIES), generator)
    fall = float((value(feet) - value(points)).max())
    return Potential(value, max(fall, 0.0) * _MARGIN)


def open_boundary(
    name: str,
    section: OpenWall,
    opening: Opening,
    diffusion: float,
    dt: float,
    potential: Callable[[Floats], Floats] | None,
    thermal_speed: float | None,
) -> OpenBoundary:
    """The reservoir of the species ``name`` at a wall. Raises `CaseError` for unsafe parameters."""
    scheme = scheme_of(section, diffusion, dt)
    around = None
    if potential is not None:
        around = potential_in(opening, section.width or 0.0, potential)
    boundary = OpenBoundary(
        f"{name} at {opening.wall}",
        scheme,
        opening,
        name,
        diffusion,
        concentration_of(section.concentration),
        potential=around,
        thermal_speed=thermal_speed,
    )
    boundary.check(dt)
    return boundary
