"""Standard errors of correlated samples: right for any memory, and the same however summed up."""

from __future__ import annotations

import numpy as np
import pytest

from fem_rd.models.particles.statistics import (
    MOST_BLOCKS,
    NumberSums,
    blocks_for,
    over_replicas,
    ratio,
)


def autoregressive(rng, memory: float, steps: int, replicas: int) -> np.ndarray:
    """Stationary, mean 0, variance 1, correlation memory^k: (steps, replicas)."""
    from scipy.signal import lfilter

    start, noise = rng.normal(size=replicas), rng.normal(size=(steps, replicas))
    driven = lfilter([1], [1, -memory], np.sqrt(1 - memory**2) * noise, axis=0)
    return driven + memory ** np.arange(1, steps + 1)[:, None] * start


def sums_of(numbers: np.ndarray, lags=(), stretch: int = 1024, first: int = 0) -> NumberSums:
    steps, replicas = numbers.shape
    sums = NumberSums(1, replicas, blocks_for(replicas), tuple(lags), first, steps)
    for begin in range(0, steps, stretch):
        part = numbers[None, begin : begin + stretch]
        sums.add(begin + part.shape[1], part)
    return sums


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.98])
@pytest.mark.parametrize("replicas", [1, 4, 40])
def test_errors_are_those_of_correlated_samples(memory, replicas):
    """z of mean, variance and covariance over many trials has the spread 1."""
    rng, lag, scores = np.random.default_rng(7), 5, []
    for _ in range(200):
        numbers = 1000 * autoregressive(rng, memory, 8192 // replicas, replicas) + 20000
        sums = sums_of(np.round(numbers).astype(np.int64), [lag])
        moments = sums.moments(sums.sums, 0)
        covariance, error = (float(part[0]) for part in moments.covariance)
        scores.append([
            (moments.mean[0] - 20000) / moments.mean[1],
            (moments.variance[0] - 1e6) / moments.variance[1],
            (covariance - 1e6 * memory**lag) / error,
        ])  # fmt: skip
    spread = np.std(scores, axis=0)
    assert np.all(spread > 0.8) and np.all(spread < 1.35), spread
    assert abs(np.mean(scores, axis=0)[0]) < 0.25


def test_a_number_that_never_changes_has_the_error_of_independent_replicas():
    rng = np.random.default_rng(1)
    drawn = rng.poisson(50, 20)
    sums = sums_of(np.repeat(drawn[None], 4096, axis=0))
    mean, error = sums.moments(sums.sums, 0).mean
    assert mean == pytest.approx(drawn.mean(), rel=1e-14)
    assert error == pytest.approx(drawn.std() / np.sqrt(20), rel=0.3)


@pytest.mark.parametrize("stretch", [1, 7, 64, 5000])
def test_sums_do_not_depend_on_how_often_they_are_made(stretch):
    rng = np.random.default_rng(3)
    numbers = rng.poisson(30, (1000, 3))
    once, often = sums_of(numbers, [3, 50], 1000, 100), sums_of(numbers, [3, 50], stretch, 100)
    for name, part in once.sums.items():
        assert (often.sums[name] == part).all(), name
    assert (once.recent == often.recent).all()


def test_moments_by_hand():
    numbers = np.array([[3], [5], [4], [8]])
    sums = sums_of(numbers, [1], first=1)  # 5, 4, 8 are measured
    moments = sums.moments(sums.sums, 0)
    assert moments.mean[0] == pytest.approx(17 / 3)
    lost = moments.mean[1] ** 2
    assert moments.variance[0] == pytest.approx(np.var([5, 4, 8]) + lost)
    centred = np.array([5, 4, 8]) - 17 / 3
    products = (centred[:-1] * centred[1:]).mean()
    assert moments.covariance[0][0] == pytest.approx(products + lost)


def test_ratios_and_their_errors():
    rng = np.random.default_rng(5)
    scores = []
    for _ in range(300):
        below = rng.uniform(1, 3, (8, 4))
        value, error = ratio(2 * below + rng.normal(size=(8, 4)), below)
        scores.append((value - 2) / error)
    assert np.std(scores) == pytest.approx(1.0, abs=0.13)
    value, error = ratio(np.ones((1, 1)), np.ones((1, 1)))
    assert value == 1.0 and np.isnan(error)
    assert np.isnan(ratio(np.zeros((2, 2)), np.zeros((2, 2)))[0])


def test_moments_over_replicas():
    (mean, error), (variance, noise) = over_replicas(np.array([1.0, 2.0, 3.0, 6.0]))
    assert (mean, variance) == (3.0, pytest.approx(14 / 3))
    assert error == pytest.approx(np.sqrt(14 / 12))
    assert noise > 0
    assert np.isnan(over_replicas(np.array([4.0]))[0][1])


def test_blocks():
    assert blocks_for(1) == MOST_BLOCKS
    assert blocks_for(100) == 10
    assert blocks_for(5000) == 1
    sums = NumberSums(1, 1, 8, (), 10, 90)
    assert list(sums.block_of(np.array([11, 20, 21, 90]))) == [0, 0, 1, 7]
