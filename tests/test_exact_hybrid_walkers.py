"""Walkers coupled to a reservoir on a line, against the recursions: means, variances, debts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from fem_rd.exact.hybrid_fluctuations import (
    shared_covariance,
    shared_variance,
    stationary_numbers,
)
from fem_rd.exact.hybrid_line import HybridLine

CELLS = 8
H = 1 / CELLS


@dataclass
class Walkers:
    """Replicas of particles on 0 < x < 1, ``sharers`` of them to a reservoir on -1 < x < 0."""

    line: HybridLine
    replicas: int
    sharers: int = 1
    substeps: int = 1
    debts: bool = True
    noise: bool = False
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(20))

    def __post_init__(self):
        self.group = np.arange(self.replicas) // self.sharers
        self.free, self.forced = self.line.reservoir()
        self.debt = np.zeros(self.replicas // self.sharers)

    def start(self, inside: int, outside: float) -> None:
        """So many uniform particles in each replica; this concentration in the reservoir."""
        self.x = self.rng.random(self.replicas * inside)
        self.owner = np.repeat(np.arange(self.replicas), inside)
        self.c = np.full((len(self.debt), len(self.line.nodes)), float(outside))
        self.data = self.c[:, 0].copy()

    def numbers(self):
        return np.bincount(self.owner, minlength=self.replicas)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def step(self):
        self.data += self.line.relaxation * (self.c[:, 0] - self.data)
        used = np.maximum(self.data + self.debt, 0)
        if self.debts:
            self.debt += self.data - used
        gained = sum(self.move(used) for _ in range(self.substeps)) / self.sharers
        source = np.zeros_like(self.c)
        source[:, 0] = -gained / self.line.volumes[0]
        if self.noise:
            between = np.maximum(self.c[:, 1:] + self.c[:, :-1], 0) / 2
            flow = np.sqrt(2 / H * between * self.line.step)
            flow *= self.rng.standard_normal(flow.shape)
            source[:, :-1] -= flow / self.line.volumes[:-1]
            source[:, 1:] += flow / self.line.volumes[1:]
        self.c = self.c @ self.free.T + source @ self.forced.T

    def move(self, c):
        """One substep of the scheme `crossing`; the net number each group gained."""
        dt, x, draw = self.line.step / self.substeps, self.x, self.rng.random
        y = x + math.sqrt(2 * dt) * self.rng.standard_normal(len(x))
        gone = draw(len(x)) < np.exp(np.minimum(-x * y / dt, 0))
        lost = np.bincount(self.group[self.owner[gone]], minlength=len(self.debt))
        mean = np.repeat(c, self.sharers) * 2 * math.sqrt(dt / math.pi)
        come = self.rng.poisson(mean)
        depth = draw(come.sum()) * np.sqrt(-4 * dt * np.log(draw(come.sum())))
        y = np.where(y > 1, 2 - y, y)
        self.x = np.r_[y[~gone], depth]
        self.owner = np.r_[self.owner[~gone], np.repeat(np.arange(self.replicas), come)]
        return np.bincount(self.group, come, minlength=len(self.debt)) - lost


def scheme(number=0.15, **options):
    return HybridLine(1.0, CELLS, H, number * H**2, **options)


def z_of_mean(values, expected):
    return (values.mean() - expected) / (values.std(ddof=1) / math.sqrt(len(values)))


def z_of_variance(values, expected):
    """Of the mean square about the known variance, by the spread of the squares themselves."""
    return z_of_mean((values - values.mean()) ** 2 * len(values) / (len(values) - 1), expected)


@pytest.mark.parametrize(
    ("options", "substeps", "inside", "outside"),
    [({}, 1, 40, 0.0), ({}, 3, 0, 40.0), ({"relaxation": 0.4}, 1, 40, 0.0)],
)
def test_mean_of_a_relaxing_step(options, substeps, inside, outside):
    line = scheme(0.15 if not options else 1.0, **options)
    walkers = Walkers(line, 1500, substeps=substeps)
    walkers.start(inside, outside)
    state = line.state(lambda x: 0 * x + inside, lambda x: 0 * x + outside)
    begun = walkers.numbers() + walkers.c @ line.volumes
    for steps in (20, 60):
        walkers.run(steps)
        state = line.after(steps, state)
        number, values = line.split(state)
        assert abs(z_of_mean(walkers.numbers(), number)) < 3
        for node in (0, 1, 4):
            assert abs(z_of_mean(walkers.c[:, node], values[node])) < 3
    assert walkers.numbers() + walkers.c @ line.volumes == pytest.approx(begun, abs=1e-10)


def at_rest(walkers, c, steps):
    walkers.start(c, c)
    walkers.run(steps)
    return walkers.numbers().astype(float)


def test_variance_with_a_reservoir_of_its_own():
    line = scheme()
    numbers = at_rest(Walkers(line, 2500), 40, 500)
    expected = 40 * stationary_numbers(line)[0]
    assert abs(z_of_mean(numbers, 40)) < 3
    assert abs(z_of_variance(numbers, expected)) < 3
    assert z_of_variance(numbers, 20) < -10 and z_of_variance(numbers, 10) > 3  # binomial; h -> 0


def test_variance_of_replicas_that_share():
    line = scheme()
    walkers = Walkers(line, 2500, sharers=5, substeps=2)
    numbers = at_rest(walkers, 40, 300).reshape(-1, 5)
    own = 40 * stationary_numbers(line)[0]
    assert abs(z_of_variance(numbers.ravel(), shared_variance(40, own, 5))) < 3
    assert z_of_variance(numbers.ravel(), own) > 10
    off = numbers - 40
    mixed = (off.sum(axis=1) ** 2 - (off**2).sum(axis=1)) / 20
    assert abs(z_of_mean(mixed, shared_covariance(40, own, 5))) < 3
    assert z_of_mean(mixed, 0) < -5


def test_variance_with_noise_on_the_edges():
    line = scheme(0.1)
    walkers = Walkers(line, 2000, noise=True)
    numbers = at_rest(walkers, 40, 500)
    assert abs(z_of_variance(numbers, 40 * stationary_numbers(line, noise=True)[0])) < 3
    assert z_of_variance(numbers, 40 * stationary_numbers(line)[0]) > 5
    assert walkers.numbers() + walkers.c @ line.volumes == pytest.approx(80, abs=1e-9)


@pytest.mark.parametrize(("debts", "bias"), [(True, 0.0), (False, 0.074)])
def test_insertion_where_the_reservoir_runs_dry(debts, bias):
    """One particle per interface node's volume: a sixth of the steps find less than nothing."""
    walkers = Walkers(scheme(), 3000, debts=debts)
    numbers = at_rest(walkers, 16, 700) / 16
    assert abs(z_of_mean(numbers, 1 + bias)) < 3.5
    assert 0.14 < np.mean(walkers.data < 0) < 0.22
    if not debts:
        assert z_of_mean(numbers, 1) > 10
