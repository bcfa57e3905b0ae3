"""Where the particles of a case begin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.case.base import joined
from fem_rd.case.sections.particles import ParticleSpecies
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression
from fem_rd.models.particles.domain import values_at
from fem_rd.particles.state import Floats

_TRIES = 1 << 14  # points at which an expression is looked at to bound it
_MARGIN = 1.1


@dataclass(frozen=True)
class Start:
    """The first places of one species; ``key`` is where the case has it."""

    key: str
    part: ParticleSpecies
    domain: Any

    @property
    def expected(self) -> float:
        """The number of particles, on average."""
        part = self.part
        if part.number is not None or part.concentration is None:
            return float(part.number or 0)
        return self._density.mean * float(self.domain.volume)

    def places(self, generator: np.random.Generator) -> Floats:
        """Where they are, (dimension, n)."""
        part, domain = self.part, self.domain
        if part.place:
            point = np.array(part.place)
            if len(point) != domain.dimension or not domain.contains(point[:, None])[0]:
                key = f"{self.key}.place"
                raise CaseError("is not in the domain", key=key, found=list(part.place))
            return np.repeat(point[:, None], part.number or 0, axis=1)
        if part.concentration is None:
            return np.asarray(domain.sample(part.number or 0, generator))
        return self._density.sample(generator, part.number)

    @cached_property
    def _density(self) -> Density:
        part = self.part.concentration or Expression.constant(0.0)
        return Density(f"{self.key}.concentration", part, self.domain)


def start_of(name: str, part: ParticleSpecies, domain: Any) -> Start:
    """The first places of the species ``name``."""
    return Start(joined("particles.species", name), part, domain)


@dataclass(frozen=True)
class Density:
    """A concentration from which places are drawn; ``key`` is where the case has it."""

    key: str
    concentration: Expression
    domain: Any

    @cached_property
    def _seen(self) -> npt.NDArray[np.float64]:
        generator = np.random.Generator(np.random.Philox(0))
        values = values_at(self.concentration, self.domain.sample(_TRIES, generator))
        if not (np.isfinite(values).all() and (values >= 0).all()):
            found = values[~(values >= 0)][0] if (~(values >= 0)).any() else values.max()
            raise CaseError("must not be negative, nor infinite", key=self.key, found=float(found))
        return values

    @property
    def mean(self) -> float:
        """Over the domain: exact where it is constant."""
        constant = self.concentration.is_constant
        return self.concentration.value if constant else float(self._seen.mean())

    @property
    def bound(self) -> float:
        """No value is larger, as far as can be seen."""
        constant = self.concentration.is_constant
        return self.concentration.value if constant else float(self._seen.max()) * _MARGIN

    def sample(self, generator: np.random.Generator, number: int | None) -> Floats:
        """So many places, or a number by Poisson's law."""
        if number is None:
            tried = generator.poisson(self.bound * self.domain.volume)
            return self._kept(self.domain.sample(tried, generator), generator)
        if number and self.bound == 0:
            raise CaseError("is 0 everywhere, and there are particles", key=self.key, found=number)
        places = np.empty((self.domain.dimension, 0))
        while places.shape[1] < number:
            tried = self.domain.sample(number, generator)
            places = np.concatenate([places, self._kept(tried, generator)], axis=1)
        return places[:, :number]

    def _kept(self, points: Floats, generator: np.random.Generator) -> Floats:
        if self.concentration.is_constant:
            return points
        values = values_at(self.concentration, points)
        if len(values) and values.max() > self.bound:
            raise CaseError("varies too sharply for places to be drawn from it", key=self.key)
        return points[:, generator.random(points.shape[1]) * self.bound < values]
