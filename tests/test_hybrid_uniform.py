"""A uniform state with reactions across the interface: mean, variance and covariance.

Particles fill a square (a cube) in the middle of the reservoir, so that nothing but the interface
is near. A is made everywhere and lost to B, by which C is made. A and C forget within 1.4 radii: a
rate that is wrong by some percent next to the interface shows as a level that is. B moves fast, and
64 are within a radius, so that correlations take less than 0.05 % from the rate. Then A and C are
uniform: C at a, and A where the B that there are leave it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hybrid_runs import hybrid

from fem_rd.hybrid.shares import reservoir_shares
from fem_rd.models.hybrid.model import HybridModel

MOST = 3.0
SHIFT = 5e-4  # by correlations and by the splitting
A = 3000.0  # of A and C
ROWS = 8  # in a block of time
BLOCK = 2.048  # times that in which A and C forget by reactions alone
TOGETHER = 1 / math.sqrt(1 + math.expm1(-BLOCK) / BLOCK)  # errors, as blocks are correlated
SQUARE = """
model = "hybrid"
[mesh]
builtin = "rectangle"
lower = [-0.5, -0.5]
upper = [1.5, 1.5]
cells = [8, 8]
[mesh.regions.inside]
lower = [0.0, 0.0]
upper = [1.0, 1.0]
[parameters]
a = 3000.0
b = 1300.0
k = 32.0
[chemistry.reactions.pair]
equation = "A + B -> B + C"
rate = "k/b"
[chemistry.reactions.birth]
equation = "0 -> A"
rate = "k*a"
[chemistry.reactions.decay]
equation = "C -> 0"
rate = "k"
[hybrid]
region = "inside"
replicas = 2
[hybrid.radii]
pair = 0.125
[hybrid.measure]
every = 0.008
[hybrid.species.A]
diffusion = 1.0
initial = "a"
[hybrid.species.B]
diffusion = 16.0
initial = "b"
[hybrid.species.C]
diffusion = 1.0
initial = "a"
[time]
end = 100.0
step = 0.0008
"""


CUBE = (
    'mesh.builtin="box"', "mesh.lower=[-0.5, -0.5, -0.5]", "mesh.upper=[1.5, 1.5, 1.5]",
    "mesh.regions.inside.lower=[0.0, 0.0, 0.0]", "mesh.regions.inside.upper=[1.0, 1.0, 1.0]",
    "mesh.cells=[4, 4, 4]", "hybrid.radii.pair=0.25", "parameters.k=8.0", "parameters.b=1000.0",
    "time.step=0.0032", "hybrid.measure.every=0.032",
)  # fmt: skip
FINE = ("mesh.cells=[32, 32]",)


@dataclass(frozen=True)
class Seen:
    """Of A and C in each row, over the levels that they should have.

    ``counts`` (rows, 2, replicas, n, n, ...): particles in each of the cubes of the region, as wide
    as the radius; ``nodes`` (rows, 2, nodes); ``totals`` (rows, 2): the amounts on both sides
    together, less the right ones; ``mean``: of particles in a cube.
    """

    counts: np.ndarray
    nodes: np.ndarray
    totals: np.ndarray
    mean: float

    @property
    def layer(self) -> np.ndarray:
        """How many cubes each is away from the interface."""
        shape = self.counts.shape[3:]
        places = np.indices(shape)
        return np.minimum(places, shape[0] - 1 - places).min(axis=0)

    @property
    def apart(self) -> np.ndarray:
        """Deviations of cubes from the mean of all replicas, (rows, 2, replicas, n, n, ...).

        With the variance 1 where the counts are Poisson and independent.
        """
        replicas = self.counts.shape[2]
        deviations = self.counts - self.counts.mean(axis=2, keepdims=True)
        return deviations * math.sqrt(self.mean * replicas / (replicas - 1))


def seen(model: HybridModel, rows: int, cubes: int) -> Seen:
    """All rows but the first few."""
    sides, reservoir = model._sides, model._sides.reservoirs[0].model
    chosen = [list(sides.species).index(name) for name in "AC"]
    systems, volumes = [one.system for one in sides.ensemble.replicas], reservoir.volumes
    b = reservoir.concentrations()[list(sides.species).index("B")]
    there = np.mean([system["B"].count for system in systems]) + b @ volumes
    levels = A * np.array([b[0] * (1.0 + volumes.sum()) / there, 1.0])
    found = []
    for _ in range(rows):
        model.advance(100.0)
        values = reservoir.concentrations()[chosen]
        counts = np.array([[grid(one[name].x, cubes) for one in systems] for name in "AC"])
        total = counts.sum(axis=tuple(range(2, counts.ndim))).mean(axis=1) + values @ volumes
        each = levels.reshape(2, *[1] * (counts.ndim - 1)) / counts[0, 0].size
        away = total / levels - 1.0 - volumes.sum()
        found.append((counts / each, values / levels[:, None], away))
    return Seen(*map(np.array, zip(*found[5:], strict=True)), A / counts[0, 0].size)


def grid(x: np.ndarray, cubes: int) -> np.ndarray:
    """How many of the points (dim, n) are in each of the cubes of the unit cube."""
    shape = (cubes,) * len(x)
    places = np.minimum((x * cubes).astype(int), cubes - 1)
    flat = np.ravel_multi_index(tuple(places), shape)
    return np.bincount(flat, minlength=cubes ** len(x)).reshape(shape)


def levels(found: Seen, model: HybridModel) -> np.ndarray:
    """Relative to what they should be, less 1, (rows, 2, 4).

    Of particles in the second and the first layer of cubes; of nodes within a radius, and of the
    next ones.
    """
    reservoir, dim = model._sides.reservoirs[0].model, found.layer.ndim
    inside = found.counts.mean(axis=2)
    parts = [inside[..., found.layer == one].mean(axis=-1) for one in (1, 0)]
    x = reservoir.positions()[:, :dim]
    outside, radius = np.maximum(-x, x - 1).max(axis=1), 1 / len(found.layer)
    farther = outside[outside > 1.01 * radius].min()
    for near in (outside < 1.01 * radius, np.isclose(outside, farther)):
        weights = reservoir.volumes * near
        parts.append(found.nodes @ weights / weights.sum())
    return np.stack(parts, axis=-1) - 1.0


def estimated(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the rows, and its standard error from the blocks."""
    count = len(rows) // ROWS
    samples = rows[: count * ROWS].reshape(count, ROWS, *rows.shape[1:]).mean(axis=1)
    return samples.mean(axis=0), TOGETHER * samples.std(axis=0, ddof=1) / math.sqrt(count)


def steps(found: Seen, model: HybridModel) -> np.ndarray:
    """Of A and C at the interface, from the reservoir to the particles, (rows, 2)."""
    of = levels(found, model)
    return np.asarray(of[:, :, 1] - of[:, :, 2])


def test_levels_beside_cells_larger_than_the_radius(tmp_path: Path) -> None:
    """With the shares of the nodes alone A were 10 % above, and C 4 % below, next to the
    interface."""
    model = hybrid(tmp_path, SQUARE)
    found = seen(model, 69, 8)
    for of, most in ((levels(found, model), 0.016), (steps(found, model), 0.011)):
        mean, error = estimated(of)
        assert (np.abs(mean) < MOST * error).all() and error.max() < most, (mean, error)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("changes", "cubes", "rows"), [((), 8, 1005), (FINE, 8, 1005), (CUBE, 4, 325)]
)
def test_no_step_at_the_interface(
    tmp_path: Path, changes: tuple[str, ...], cubes: int, rows: int
) -> None:
    """No step of 0.3 % (three standard errors), the right levels, counts that are Poisson and
    independent, and amounts on both sides that vary together as they should: a radius of half a
    cell, of two, and in a cube."""
    model = hybrid(tmp_path, SQUARE, *changes)
    found = seen(model, rows, cubes)
    both = steps(found, model)
    for of, most in ((both, 1.5e-3), (both.mean(axis=1), 1e-3)):
        mean, error = estimated(of)
        assert (np.abs(mean) < MOST * error).all() and np.max(error) < most, (mean, error)
    mean, error = estimated(levels(found, model))
    assert (np.abs(mean) < MOST * error + SHIFT).all() and error.max() < 4e-3, (mean, error)
    scores = np.array([z for one in second_moments(found, model) for z in one])
    assert (np.abs(scores) < MOST).all(), scores


def second_moments(found: Seen, model: HybridModel) -> Iterator[np.ndarray]:
    """Scores of variances and covariances, each of A and C.

    Deviations of replicas from their mean do not see the reservoir that they share: Poisson, in
    cubes at the interface and in the next ones, and independent of each other. The amount on both
    sides changes by reactions only, of which those of the reservoir alone have no noise: with P the
    volume of the particles, and I what the reservoir's shares lack, A comes in P at random, and is
    lost at random in P + I; C comes in P + I, and is lost in P. Both forget at the rate k, and what
    A loses C gets, so that variances are P + I/2 and P + I/4. What crosses the interface is much
    more than that: it must be lost on one side as it is gained on the other.
    """
    apart, layer = found.apart, found.layer
    for one in (0, 1):
        yield score((apart[..., layer == one] ** 2).mean(axis=(2, 3)), 1.0)
    inner = (slice(1, -1),) * (layer.ndim - 1)
    product = apart[:, :, :, 0][..., *inner] * apart[:, :, :, 1][..., *inner]
    yield score(product.mean(axis=tuple(range(2, product.ndim))), 0.0)
    sides, reservoir = model._sides, model._sides.reservoirs[0].model
    shares = reservoir_shares(sides.ground.whole, reservoir.place.domain, 1 / len(layer))
    lacking = reservoir.volumes @ (1.0 - shares)
    variance = np.array([1 + lacking / 2, 1 + lacking / 4])
    yield score(found.totals**2 * A * apart.shape[2] / variance, 1.0)


def score(rows: np.ndarray, expected: float) -> np.ndarray:
    mean, error = estimated(rows)
    return np.asarray((mean - expected) / error)
