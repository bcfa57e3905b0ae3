"""What a reservoir holds: a concentration in time and place, or a number of molecules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError, NumericalError
from fem_rd.particles.open_boundary_crossing import Arrivals
from fem_rd.particles.state import Floats


@dataclass(frozen=True)
class Profile:
    """A concentration that varies along the interface.

    ``value``: points on the interface (dimension, n) and the time, to (n,) (1/volume), never more
    than ``maximum``, a number or a function of time: insertions are drawn for that and accepted in
    proportion, which is exact. ``lasting``: the number of steps that it stands still for, beginning
    with those whose numbers are multiples of it: insertions are drawn for all of them at once; 0
    where it changes within a step. ``minimum``: no value is less, now; only those are asked for
    that matter. ``source``: what all profiles have in common for which insertions may be drawn
    together, since they are the same functions.
    """

    value: Callable[[Floats, float], npt.ArrayLike]
    maximum: float | Callable[[float], float]
    lasting: int = 0
    minimum: Callable[[], float] | None = None
    source: object = None


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
            return self.sent(volume, generator)
        return int(generator.poisson(self._highest(time) * volume))

    def sent(self, volume: float, generator: np.random.Generator) -> int:
        """How many molecules of a finite reservoir come in that were in a part of its volume."""
        c = self.concentration
        if not isinstance(c, WellMixed):
            raise TypeError("the reservoir is not finite")
        return int(generator.binomial(c.number, volume / c.volume))

    def most(self, begin: float, dt: float) -> float:
        """The largest concentration in a step: linear in time, where it changes within."""
        return max(self._highest(time) for time in self._times(begin, dt))

    def accepted(
        self, feet: Floats, time: float, chances: Floats
    ) -> npt.NDArray[np.bool_] | None:
        """Which candidates with these feet (dimension, n) there are, by ``chances`` from 0 to 1.

        None for all.
        """
        if not isinstance(self.concentration, Profile):
            return None
        highest = self._highest(time)
        return np.asarray(self._values(feet, time) > highest * chances)

    def accepted_within(
        self, arrivals: Arrivals, begin: float, dt: float
    ) -> npt.NDArray[np.bool_] | None:
        """Which there are of those that came in a step from ``begin`` on; None for all.

        Each is accepted by the concentration at the mean time at which those at its depth came in.
        """
        c, times = self.concentration, self._times(begin, dt)
        if isinstance(c, WellMixed) or not (isinstance(c, Profile) or callable(c)):
            return None
        wanted = self.most(begin, dt) * arrivals.chances
        if not isinstance(c, Profile):
            return self._between([self._highest(time) for time in times], arrivals) > wanted
        if c.minimum is None or len(times) > 1:
            values = [self._values(arrivals.feet, time) for time in times]
            return self._between(values, arrivals) > wanted
        found = wanted < c.minimum()
        asked = np.flatnonzero(~found)
        found[asked] = self._values(arrivals.feet[:, asked], begin) > wanted[asked]
        return None if found.all() else found

    @property
    def lasting(self) -> int:
        """How many steps it stands still for, as far as is known; 0 where it changes within one."""
        if isinstance(self.concentration, Profile):
            return self.concentration.lasting
        return 0 if callable(self.concentration) else 1

    def exchange(self, inserted: int, left: int) -> None:
        """Take out of a finite reservoir, and put in."""
        if isinstance(self.concentration, WellMixed):
            self.concentration.number += left - inserted

    def check(self, swept: float) -> None:
        """`CaseError` if a finite reservoir is too small for a step that sweeps this volume."""
        if isinstance(self.concentration, WellMixed):
            self.concentration.check(swept)

    def _times(self, begin: float, dt: float) -> tuple[float, ...]:
        return (begin,) if self.lasting else (begin, begin + dt)

    @staticmethod
    def _between(values: Sequence[npt.ArrayLike], arrivals: Arrivals) -> Floats:
        """Linear in time between two values; one is that of all times."""
        first, last = np.asarray(values[0]), np.asarray(values[-1])
        return first if len(values) == 1 else first + (last - first) * arrivals.moments

    def _values(self, feet: Floats, time: float) -> Floats:
        """A profile at the feet; `NumericalError` for a value that it must not have."""
        if not isinstance(self.concentration, Profile):
            raise TypeError("the concentration is no profile")
        values = np.asarray(self.concentration.value(feet, time), dtype=float)
        highest = self._highest(time)
        right = (values >= 0) & (values <= highest * (1 + 1e-12))
        if not right.all():
            raise self._not_one(np.broadcast_to(values, right.shape)[~right][0], time, highest)
        return values

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
