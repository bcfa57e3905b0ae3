"""What a reservoir holds: a concentration in time and place, or a number of molecules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError, NumericalError
from fem_rd.particles.state import Floats


@dataclass(frozen=True)
class Profile:
    """A concentration that varies along the interface.

    ``value``: points on the interface (dimension, n) and the time, to (n,) (1/volume), never more
    than ``maximum``, a number or a function of time: insertions are drawn for that and accepted in
    proportion, which is exact. ``lasting``: the number of steps that it stands still for, beginning
    with those whose numbers are multiples of it: insertions are drawn for all of them at once.
    """

    value: Callable[[Floats, float], npt.ArrayLike]
    maximum: float | Callable[[float], float]
    lasting: int = 1


@dataclass
class WellMixed:
    """A finite reservoir: ``number`` molecules, anywhere in a ``volume`` at any time.

    Each of them comes in with its own probability, so that numbers are binomial: the reservoir can
    neither owe a molecule nor invent one. Those who leave in a step cannot come back in the same:
    then leaving and coming in are in detailed balance, and at rest each molecule is inside with
    probability V/(V + volume), exactly, for any dt. Under way the error is of first order in dt.
    """

    volume: float
    number: int

    def __post_init__(self) -> None:
        if not (0 < self.volume < np.inf and self.number >= 0):
            raise CaseError(
                "the volume of a reservoir and its molecules",
                found=(self.volume, self.number),
                valid="more than 0, and not negative",
            )

    def check(self, swept: float) -> None:
        """`CaseError` if the volume is smaller than that from which a step draws candidates."""
        if not swept <= self.volume:
            raise CaseError(
                "the volume of a reservoir is less than what a step sweeps of the domain",
                found=self.volume,
                valid=f"at least {swept:.6g}, or a shorter step",
            )


Concentration = float | Callable[[float], float] | Profile | WellMixed
"""Of a reservoir (1/volume): a number, a function of time, one of place too, or what is left."""


@dataclass(frozen=True)
class Supply:
    """How many a reservoir sends, and which of those it offers; ``name`` is for its errors."""

    name: str
    concentration: Concentration

    def offered(self, volume: float, time: float, generator: np.random.Generator) -> int:
        """Candidates from a volume that the reservoir fills with its largest concentration."""
        c = self.concentration
        if isinstance(c, WellMixed):
            return int(generator.binomial(c.number, volume / c.volume))
        return int(generator.poisson(self._highest(time) * volume))

    def accepted(
        self, feet: Floats, time: float, generator: np.random.Generator
    ) -> npt.NDArray[np.bool_] | None:
        """Which candidates with these feet (dimension, n) there are; None for all."""
        if not isinstance(self.concentration, Profile):
            return None
        values = np.asarray(self.concentration.value(feet, time), dtype=float)
        highest = self._highest(time)
        right = (values >= 0) & (values <= highest * (1 + 1e-12))
        if not right.all():
            raise self._not_one(np.broadcast_to(values, right.shape)[~right][0], time, highest)
        return np.asarray(values > highest * generator.random(feet.shape[1]))

    @property
    def lasting(self) -> int:
        """How many steps it stands still for, as far as is known."""
        return self.concentration.lasting if isinstance(self.concentration, Profile) else 1

    def exchange(self, inserted: int, left: int) -> None:
        """Take out of a finite reservoir, and put in."""
        if isinstance(self.concentration, WellMixed):
            self.concentration.number += left - inserted

    def check(self, swept: float) -> None:
        """`CaseError` if a finite reservoir is too small for a step that sweeps this volume."""
        if isinstance(self.concentration, WellMixed):
            self.concentration.check(swept)

    def _highest(self, time: float) -> float:
        c = self.concentration
        if isinstance(c, Profile):
            c = c.maximum
        value = c(time) if callable(c) else c
        if not isinstance(value, WellMixed) and 0 <= value < np.inf:
            return float(value)
        raise self._not_one(value, time)

    def _not_one(self, value: object, time: float, highest: float = np.inf) -> NumericalError:
        return NumericalError(
            f"{self.name}: the concentration of the reservoir is {value:.6g} at time {time:.6g}",
            remedy=f"values from 0 to {highest:.6g}",
        )
