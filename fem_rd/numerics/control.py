"""The size of the next step: fixed, or from the estimated error of the last."""

from __future__ import annotations

from dataclasses import dataclass

from fem_rd.errors import NumericalError

SAFETY = 0.85
LARGEST_GROWTH, STRONGEST_CUT = 4.0, 0.2
KEEP_BELOW = 1.25  # a growth smaller than this is not worth a new matrix and preconditioner
SMALLEST = 1e-14  # of the end time: below this a step size has collapsed


@dataclass
class AdaptiveSize:
    """Step sizes that keep the relative local error at ``tolerance``.

    ``order`` is that of the error estimate plus one. ``size`` is the size wanted next, at most
    ``growth`` times the last.
    """

    size: float
    tolerance: float
    order: int
    largest: float
    end: float
    rejected: int = 0
    growth: float = LARGEST_GROWTH

    def within(self, remaining: float) -> float:
        """The size of the next step, so that the stop ahead is met without a sliver before it."""
        if remaining <= self.size * (1 + 1e-9):
            return remaining
        return remaining / 2 if remaining < 2 * self.size else self.size

    def judge(self, tried: float, error: float, time: float) -> bool:
        """Whether the step is good enough; sets the size of the next one either way."""
        ratio = max(error / self.tolerance, 1e-12)
        growth = min(self.growth, max(STRONGEST_CUT, SAFETY * ratio ** (-1 / self.order)))
        accepted = ratio <= 1.0
        if accepted:
            if tried * growth >= self.size * KEEP_BELOW:
                self.size = min(tried * growth, self.largest)
        else:
            self.rejected += 1
            self.size = tried * min(growth, 0.8)
            self._check_collapse(time)
        return accepted

    def _check_collapse(self, time: float) -> None:
        if not self.size > SMALLEST * self.end:
            raise NumericalError(
                f"the time step fell to {self.size:.3g} at time {time:.6g}",
                remedy="a looser time.tolerance, a smoother initial state, or a fixed time.step",
            )
