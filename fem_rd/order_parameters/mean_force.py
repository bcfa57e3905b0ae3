"""The thermal-average force (eq. 23), the potential of mean force and the local diffusion D(R).

Two routes lead to the potential: what is found where (its histogram), and the mean of the force
there, integrated. In a stationary trajectory they differ by the fluctuation of the kinetic energy
only (the mean of d/dt [phi(R) P] is zero for any phi): both see the same populations of wells.
Their agreement says that masses, forces and temperature belong together, not that the trajectory is
long enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from fem_rd.errors import NumericalError
from fem_rd.order_parameters.statistics import Array, Estimate, jackknife


@dataclass(frozen=True)
class Bins:
    """``count`` intervals of equal width from ``low`` to ``high``."""

    low: float
    high: float
    count: int

    @property
    def width(self) -> float:
        """Of one interval."""
        return (self.high - self.low) / self.count

    @cached_property
    def edges(self) -> Array:
        """The ends of the intervals, shape (count + 1,)."""
        return np.linspace(self.low, self.high, self.count + 1, dtype=np.float64)

    @cached_property
    def centres(self) -> Array:
        """The middles of the intervals, shape (count,)."""
        return np.asarray(0.5 * (self.edges[1:] + self.edges[:-1]))

    def index(self, places: Array) -> npt.NDArray[np.int64]:
        """The interval of each place; ``count`` for places outside."""
        inside = (places >= self.low) & (places < self.high)
        at = np.minimum((places - self.low) / self.width, self.count - 1)
        return np.where(inside, at, self.count).astype(np.int64)

    def sums(self, places: Array, weights: Array | None = None) -> Array:
        """Numbers, or sums of ``weights``, in the intervals: of (blocks, n) -> (blocks, count)."""
        index = self.index(places)
        rows = np.arange(len(places))[:, np.newaxis] * (self.count + 1)
        total = np.bincount(
            (index + rows).ravel(),
            None if weights is None else weights.ravel(),
            minlength=len(places) * (self.count + 1),
        )
        return np.asarray(total, dtype=float).reshape(len(places), -1)[:, :-1]


def visited(places: Array, count: int, least: int) -> Bins:
    """``count`` bins over the places (blocks, frames) that hold at least ``least`` frames each.

    Ends that are seldom visited are left out, in steps of a bin. Raises `NumericalError` where a
    bin in between has too few.
    """
    bins = Bins(float(places.min()), float(places.max()), count)
    for _ in range(count):
        enough = np.flatnonzero(bins.sums(places).sum(axis=0) >= least)
        if len(enough) == count:
            return bins
        if len(enough) < 2 or enough[-1] - enough[0] == count - 1:
            break
        bins = Bins(float(bins.edges[enough[0]]), float(bins.edges[enough[-1] + 1]), count)
    raise NumericalError(
        f"the trajectory does not visit each of {count} bins {least} times",
        remedy="fewer bins, a range of the order parameter, or a longer trajectory",
    )


def potential_of(counts: Array, width: float, temperature: float) -> Array:
    """-k_B T ln of the density at the centres of bins, from the numbers in them.

    The mean over a bin is undone to fourth order in its width. Zero is where the density is the
    mean density of all bins.
    """
    log = np.log(counts / counts.mean())
    first = np.gradient(log, width)
    second = np.gradient(first, width)
    second[1:-1] = (log[2:] - 2 * log[1:-1] + log[:-2]) / width**2
    return np.asarray(-temperature * (log - width**2 / 24.0 * (second + first**2)))


def potential_by_histogram(places: Array, bins: Bins, temperature: float) -> Estimate:
    """The potential of mean force at the centres of the bins, from (blocks, frames) places."""
    counts = bins.sums(places)
    _require_visits(counts)
    return jackknife(lambda mean: potential_of(mean, bins.width, temperature), counts)


def mean_force(places: Array, force: Array, bins: Bins, temperature: float) -> Estimate:
    """The mean of a force at given R (eq. 23), at the centres of the bins."""
    sums = bins.sums(places), bins.sums(places, force)
    _require_visits(sums[0])

    def at_centres(number: Array, total: Array) -> Array:
        return _at_centres(number, total, bins.width, temperature)

    return jackknife(at_centres, *sums)


def potential_by_force(places: Array, force: Array, bins: Bins, temperature: float) -> Estimate:
    """The potential whose slope is the mean force, integrated as a cubic spline.

    Zero as in `potential_of`: the mean of exp(-U / k_B T) over the bins is 1.
    """
    sums = bins.sums(places), bins.sums(places, force)
    _require_visits(sums[0])

    def integrated(number: Array, total: Array) -> Array:
        slope = -_at_centres(number, total, bins.width, temperature)
        potential = CubicSpline(bins.centres, slope).antiderivative()(bins.centres)
        potential = potential - potential.min()
        level = temperature * np.log(np.mean(np.exp(-potential / temperature)))
        return np.asarray(potential + level)

    return jackknife(integrated, *sums)


def _at_centres(number: Array, total: Array, width: float, temperature: float) -> Array:
    """The force f from its sum over bins, in which the density goes as f/k_B T (to order four)."""
    mean = total / number
    first = np.gradient(mean, width)
    second = np.zeros_like(mean)
    second[1:-1] = (mean[2:] - 2.0 * mean[1:-1] + mean[:-2]) / width**2
    return np.asarray(mean - width**2 / 24.0 * (second + 2.0 * first * mean / temperature))


def force_from_potential(bins: Bins, potential: Array, places: Array) -> Array:
    """-dU/dR at places, by a cubic spline through the values at the centres of bins.

    Beyond the outermost centres the slope there goes on.
    """
    inside = np.clip(places, bins.centres[0], bins.centres[-1])
    return np.asarray(-CubicSpline(bins.centres, potential)(inside, 1))


def local_diffusion(places: Array, bins: Bins, dt: float, lags: Sequence[int]) -> Estimate:
    """D at the centres of bins, from the variance of displacements over several lags in frames.

    Var(R(t + lag) - R(t) | R(t) in the bin) / (2 lag) -> D as the lag -> 0; its line through the
    lags is taken at lag 0, or its mean where there is one lag only. The lags must be long beside
    the memory of velocities and short beside the time in which the force changes. Places:
    (blocks, frames).
    """
    sums = displacement_sums(places, bins, lags)
    return jackknife(lambda mean: diffusion_of(mean, np.asarray(lags) * dt), sums)


def displacement_sums(places: Array, bins: Bins, lags: Sequence[int]) -> Array:
    """Number, sum and sum of squares of displacements by the bin of their start.

    Shape (blocks, lags, 3, bins).
    """
    found = []
    for lag in lags:
        start, moved = places[:, :-lag], places[:, lag:] - places[:, :-lag]
        found.append([bins.sums(start), bins.sums(start, moved), bins.sums(start, moved**2)])
    sums = np.moveaxis(np.array(found), 2, 0)
    _require_visits(sums[:, :, 0].min(axis=1))
    return sums


def diffusion_of(sums: Array, times: Array) -> Array:
    """D in the bins from `displacement_sums`, (lags, 3, bins), at lags of these times."""
    number, first, second = sums.swapaxes(0, 1)
    spread = (second / number - (first / number) ** 2) / (2.0 * times[:, np.newaxis])
    return np.asarray(spread[0] if len(times) == 1 else np.polyfit(times, spread, 1)[1])


def _require_visits(counts: Array) -> None:
    """Every bin must be visited whichever block is left out."""
    if np.any(counts.sum(axis=0) - counts.max(axis=0) < 1):
        raise NumericalError(
            "a bin is visited in one block only: its error is unknown",
            remedy="fewer bins, a narrower range, or a longer trajectory",
        )
