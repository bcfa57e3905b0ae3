"""Rates of the reactions of particles: in time, at places, and their bound over a box."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fem_rd.errors import NumericalError
from fem_rd.expressions.expression import Expression
from fem_rd.particles.state import Floats

_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Rate:
    """A product of expressions of place and time, times a ``number``."""

    factors: tuple[Expression, ...]
    number: float = 1.0

    @cached_property
    def uniform(self) -> bool:
        """Whether it is the same everywhere."""
        return all(factor.names <= {"t"} for factor in self.factors)

    def value(self, time: float) -> float:
        """The rate at a time, where it is `uniform`."""
        values = [float(factor.evaluate({"t": time})) for factor in self.factors]
        return _checked(self.number * math.prod(values))

    def at(self, points: Floats, time: float) -> Floats:
        """The rate at points (dimension, n), shape (n,)."""
        places = {"t": time, "r": np.sqrt((points**2).sum(axis=0))}
        places |= {name: np.zeros(points.shape[1]) for name in _AXES}
        places |= dict(zip(_AXES, points, strict=False))
        found = np.full(points.shape[1], self.number)
        for factor in self.factors:
            found *= factor.evaluate(places)
        if found.size:
            _checked(float(found.min()))
            _checked(float(found.max()))
        return found


def _checked(value: float) -> float:
    if not 0 <= value < math.inf:
        raise NumericalError(
            f"the rate of a reaction of particles is {value!r}",
            remedy="an expression that is finite and not negative everywhere",
        )
    return value
