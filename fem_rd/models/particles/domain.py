"""The place of the particles of a case, and functions of place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.case.sections.particle_places import (
    BallDomain,
    BoxDomain,
    DomainSection,
    IntervalDomain,
    ShellDomain,
)
from fem_rd.expressions.expression import Expression
from fem_rd.particles.domains import Box, Domain, Interval
from fem_rd.particles.domains_round import Ball, Shell
from fem_rd.particles.neighbours import extent
from fem_rd.particles.state import Floats

_SMALL = 1e-5  # of the domain: the step of differences


def domain_of(section: DomainSection) -> Domain:
    """The engine's domain."""
    match section:
        case IntervalDomain():
            return Interval(section.lower, section.upper)
        case BoxDomain():
            return Box(section.lower or (0.0,) * len(section.upper), section.upper)
        case BallDomain():
            return Ball(section.radius, section.dimension)
        case ShellDomain():
            return Shell(section.inner, section.outer, section.dimension)
    raise TypeError(f"a {type(section).__name__} is made of its mesh")


def values_at(
    expression: Expression, points: Floats, time: float = 0.0
) -> npt.NDArray[np.float64]:
    """An expression of x, y, z, r, t at points (dimension, n): shape (n,)."""
    axes = dict(zip(("x", "y", "z"), [*points, *[0.0] * (3 - len(points))], strict=True))
    radius = np.sqrt((points**2).sum(axis=0))
    found = expression.evaluate({**axes, "r": radius, "t": time})
    return np.broadcast_to(np.asarray(found, dtype=float), points.shape[1:])


def force_of(potential: Expression, domain: Any) -> Callable[[Floats], Floats]:
    """-grad U, by central differences whose error is far below that of any time step."""
    lower, upper = extent(domain)
    steps = _SMALL * np.subtract(upper, lower)

    def force(points: Floats) -> Floats:
        found = np.empty_like(points)
        for axis, step in enumerate(steps):
            shift = np.zeros((len(points), 1))
            shift[axis] = step
            behind = values_at(potential, points - shift)
            found[axis] = (behind - values_at(potential, points + shift)) / (2 * step)
        return found

    return force
