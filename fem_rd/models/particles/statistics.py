"""Estimates from samples that remember each other, with their standard errors.

Samples are summed up in blocks of time, for each replica: arrays (..., blocks, replicas). The
variance of a mean over all of them is that of the sum of the deviations of blocks, with the
covariances of blocks that follow each other, as far as these can be told from noise (the initial
positive sequence of Geyer, Statist. Sci. 7 (1992) 473). Replicas are independent. So the error is
right whether the memory is shorter than a block, longer, or without end (a conserved number).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MOST_BLOCKS = 64
_ALL_BLOCKS = 1024  # of all replicas: more add nothing to an error


def blocks_for(replicas: int) -> int:
    """Blocks of time in each of so many replicas."""
    return max(1, min(MOST_BLOCKS, _ALL_BLOCKS // replicas))


def ratio(above: Array, below: Array) -> tuple[Array, Array]:
    """sum(above)/sum(below) over the last two axes (blocks, replicas), and its standard error.

    ``below`` may be the number of samples, and then this is a mean. NaN where nothing was sampled,
    and as error where there is one block in all.
    """
    above, below = np.broadcast_arrays(above, below)
    total = below.sum(axis=(-2, -1))
    with np.errstate(all="ignore"):
        value = above.sum(axis=(-2, -1)) / total
        deviation = above - value[..., None, None] * below
        deviation = np.where(np.isfinite(deviation), deviation, 0.0)
        used = np.count_nonzero(below, axis=(-2, -1))
        spread = _variance_of_sum(deviation) * used / (used - 1)
        error = np.where(used > 1, np.sqrt(spread) / np.abs(total), np.nan)
    return value, np.asarray(error)


def _variance_of_sum(deviation: Array) -> Array:
    """The variance of sum(deviation), shape (...), by covariances of blocks of one replica."""
    blocks = deviation.shape[-2]

    def covariance(lag: int) -> Array:
        ahead, behind = deviation[..., : blocks - lag, :], deviation[..., lag:, :]
        return np.asarray((ahead * behind).sum(axis=(-2, -1)) * (1 if lag == 0 else 2))

    total = covariance(0)
    kept = np.ones_like(total, dtype=bool)
    # the deviations add up to zero, so that the sum over all lags does too: half of them at most
    for lag in range(0, blocks // 2 - 1, 2):
        pair = covariance(lag) + covariance(lag + 1)
        kept &= pair > 0
        rest = pair - (covariance(0) if lag == 0 else 0.0)
        total = total + np.where(kept, rest, 0.0)
    return np.asarray(np.maximum(total, covariance(0)))


@dataclass(frozen=True)
class Moments:
    """Stationary statistics of a number: mean, variance, covariances at lags; each with its error.

    ``covariance``: shape (lags,).
    """

    mean: tuple[float, float]
    variance: tuple[float, float]
    covariance: tuple[Array, Array]


@dataclass
class NumberSums:
    """What is needed for `Moments` of the numbers of some species, in blocks of time.

    ``lags``: in steps. ``first``, ``last``: the steps after and until which is measured.
    Arrays end with axes (blocks, replicas); the others are species or (species, lags).
    ``recent``: the numbers after the latest steps, (species, longest lag, replicas).
    """

    species: int
    replicas: int
    blocks: int
    lags: tuple[int, ...]
    first: int
    last: int
    sums: dict[str, Array] = field(init=False)
    recent: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        end = (self.blocks, self.replicas)
        one, many = (self.species, *end), (self.species, len(self.lags), *end)
        self.sums = {
            "samples": np.zeros(end),
            "number": np.zeros(one),
            "square": np.zeros(one),
            "pairs": np.zeros((len(self.lags), *end)),
            "both": np.zeros(many),
            "product": np.zeros(many),
        }
        longest = max(self.lags, default=0)
        self.recent = np.zeros((self.species, longest, self.replicas), dtype=np.int64)

    def block_of(self, step: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The block to which what happens in a step counts; only of steps that are measured."""
        length = max(self.last - self.first, 1)
        return np.minimum((step - self.first - 1) * self.blocks // length, self.blocks - 1)

    def add(self, step: int, numbers: npt.NDArray[np.int64]) -> None:
        """``numbers`` (species, k, replicas) after each of the k steps that end with ``step``."""
        count, longest = numbers.shape[1], self.recent.shape[1]
        known = np.concatenate([self.recent, numbers], axis=1)
        self.recent = known[:, known.shape[1] - longest :].copy()
        steps = np.arange(step - count + 1, step + 1)
        chosen = steps > self.first
        if not chosen.any():
            return
        now = numbers[:, chosen].astype(float)
        self._put("samples", steps[chosen], np.ones_like(now[0]))
        self._put("number", steps[chosen], now)
        self._put("square", steps[chosen], now**2)
        for index, lag in enumerate(self.lags):
            late = steps - lag > self.first
            if not late.any():
                continue
            place = np.flatnonzero(late) + longest
            one, other = known[:, place].astype(float), known[:, place - lag].astype(float)
            self._put("pairs", steps[late], np.ones_like(one[0]), index)
            self._put("both", steps[late], one + other, index)
            self._put("product", steps[late], one * other, index)

    def moments(self, sums: dict[str, Array], species: int) -> Moments:
        """Of one species, from the ``sums`` of all replicas."""
        samples, number = sums["samples"], sums["number"][species]
        mean, error = ratio(number, samples)
        centred = sums["square"][species] - 2 * mean * number + mean**2 * samples
        variance, noise = ratio(centred, samples)
        pairs = sums["pairs"]
        products = sums["product"][species] - mean * sums["both"][species] + mean**2 * pairs
        covariance, errors = ratio(products, pairs)
        lost = np.nan_to_num(error**2)  # by taking the mean from the same samples
        return Moments(
            (float(mean), float(error)),
            (float(variance + lost), float(noise)),
            (covariance + lost, errors),
        )

    def _put(
        self, name: str, steps: npt.NDArray[np.int64], values: Array, index: int | None = None
    ) -> None:
        """Add the values (..., steps, replicas) to their blocks."""
        blocks = self.block_of(steps)
        begins = np.flatnonzero(np.diff(blocks, prepend=-1))
        added = np.add.reduceat(values, begins, axis=-2)
        target = self.sums[name]
        if index is not None:
            target = target[..., index, :, :]
        target[..., blocks[begins], :] += added


def over_replicas(values: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """Mean and variance of independent ``values``, each with its standard error."""
    count = len(values)
    mean = float(values.mean())
    if count == 1:
        return (mean, np.nan), (np.nan, np.nan)
    spread = values - mean
    square, fourth = float((spread**2).mean()), float((spread**4).mean())
    variance = square * count / (count - 1)
    noise = float(np.sqrt(max(fourth - square**2, 0.0) / count))
    return (mean, float(np.sqrt(variance / count))), (variance, noise)
