"""Particles out of nothing: when and where in a step, exactly, for rates that depend on place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.errors import NumericalError
from fem_rd.particles.neighbours import Walled, extent
from fem_rd.particles.reactions_bound import PIECES, bounds
from fem_rd.particles.reactions_rates import Rate
from fem_rd.particles.state import Floats

_AXES = ("x", "y", "z")


class Space(Walled, Protocol):
    """A domain, as far as births are concerned."""

    @property
    def volume(self) -> float: ...

    def contains(self, points: Floats) -> npt.NDArray[np.bool_]: ...

    def sample(self, count: int, generator: np.random.Generator) -> Floats: ...


@dataclass(frozen=True)
class Births:
    """When, from the beginning of the step, (n,), and where, (dimension, n)."""

    times: Floats
    places: Floats


class Source:
    """Births at a ``rate`` per volume and time: a Poisson process in space and time.

    Where the rate depends on place, the box around the domain is cut into pieces; each has as many
    proposals as a bound of the rate over it wants, and a proposal is taken with the ratio of the
    rate to the bound. The rate is that of the middle of the step.
    """

    def __init__(self, rate: Rate, space: Space) -> None:
        self._rate, self._space = rate, space
        self._text = " * ".join(factor.text for factor in rate.factors)
        self._timeless = not any("t" in factor.names for factor in rate.factors)
        self._known: Floats | None = None
        if not rate.uniform:
            self._corners, self._sides = _pieces(space)

    def births(self, time: float, duration: float, generator: np.random.Generator) -> Births:
        """What is born in a step of ``duration`` with ``time`` in its middle."""
        if self._rate.uniform:
            mean = self._rate.value(time) * self._space.volume * duration
            places = self._space.sample(int(generator.poisson(mean)), generator)
        else:
            places = self._thinned(time, duration, generator)
        return Births(duration * generator.random(places.shape[1]), places)

    def _thinned(self, time: float, duration: float, generator: np.random.Generator) -> Floats:
        most = self._bounds(time)
        numbers = generator.poisson(most * float(self._sides.prod()) * duration)
        piece = np.repeat(np.arange(most.size), numbers)
        within = generator.random((self._space.dimension, piece.size))
        places = self._corners[:, piece] + self._sides[:, None] * within
        heights = generator.random(piece.size) * most[piece]
        inside = self._space.contains(places)
        places, heights = places[:, inside], heights[inside]
        return places[:, heights < self._rate.at(places, time)]

    def _bounds(self, time: float) -> Floats:
        if self._known is None or not self._timeless:
            low, high = self._corners, self._corners + self._sides[:, None]
            ends = {name: (np.zeros(low.shape[1]),) * 2 for name in _AXES}
            ends |= {name: (low[i], high[i]) for i, name in enumerate(_AXES[: len(low)])}
            near = np.maximum(np.maximum(low, -high), 0.0)
            far = np.maximum(np.abs(low), np.abs(high))
            ends["r"] = (np.sqrt((near**2).sum(axis=0)), np.sqrt((far**2).sum(axis=0)))
            found = self._rate.number * bounds(self._rate.factors, ends, time)
            if not np.isfinite(found).all():
                raise NumericalError(
                    f"no bound is known for the rate of births {self._text}",
                    remedy="min(rate, largest value) in its place",
                )
            middles = (low + high)[:, found < 0] / 2
            if self._space.contains(middles).any():
                raise NumericalError(
                    f"the rate of births {self._text} is negative", remedy="max(rate, 0)"
                )
            self._known = np.maximum(found, 0.0)
        return self._known


def _pieces(space: Space) -> tuple[Floats, Floats]:
    """Lower corners (dimension, pieces) and edges (dimension,) of pieces of the box."""
    number = PIECES[space.dimension]
    lower, upper = (np.array(corner) for corner in extent(space))
    sides = (upper - lower) / number
    index = np.indices((number,) * space.dimension).reshape(space.dimension, -1)
    return lower[:, None] + sides[:, None] * index, sides
