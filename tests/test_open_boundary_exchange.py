"""Reservoirs of finite volume, and who is told of what passes an interface."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mesh_regions import box_region
from open_runs import UNIT, advance, opened, start, stepper
from scipy.linalg import expm

from fem_rd.errors import CaseError
from fem_rd.particles.domains import Box, Exits, Interval
from fem_rd.particles.domains_round import Ball, Shell
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.open_boundary import OpenBoundary
from fem_rd.particles.open_boundary_facets import Facets
from fem_rd.particles.open_boundary_places import Face, Sphere
from fem_rd.particles.open_boundary_reversal import Reversal
from fem_rd.particles.open_boundary_schemes import Crossing, Layer, MatchedLayer, StrangLayer
from fem_rd.particles.open_boundary_supply import Profile, WellMixed
from fem_rd.particles.random import Streams
from fem_rd.particles.state import System
from fem_rd.particles.walls import Open

SCHEMES = [
    Crossing(),
    MatchedLayer(0.4),
    pytest.param(Layer(0.4), marks=pytest.mark.slow),
    pytest.param(Reversal(UNIT, {"left": Open()}), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
def test_numbers_beside_a_finite_reservoir_are_binomial(scheme):
    """24 molecules, each inside with probability 1/(1 + V): not Poisson, for any dt."""
    total, volume, means = 24, 2.0, []
    bucket = WellMixed(volume, 0)
    run = stepper([opened(scheme, "left", bucket)], seed=5)
    start(run, np.random.default_rng(1).random((1, total)))
    advance(run, 100, 0.015)
    for _ in range(400):
        advance(run, 20, 0.015)
        assert run.system["A"].count + bucket.number == total
        means.append(run.system["A"].count)
    numbers, share = np.array(means), 1 / (1 + volume)
    mean, variance = total * share, total * share * (1 - share)
    memory = 1 + 2 * sum(math.exp(-0.3 * k * 1.9) for k in range(1, 20))  # of samples .3 apart
    error = math.sqrt(variance * memory / len(numbers))
    assert abs(numbers.mean() - mean) < 3 * error
    spread = math.sqrt(2 * variance**2 * memory / len(numbers))
    assert abs(numbers.var() - variance) < 3 * spread < mean - variance


def test_a_slab_fills_from_a_bucket():
    """All molecules begin in the bucket; finite volumes of 150 cells and one for the bucket."""
    total, volume, dt = 100_000, 0.5, 0.001
    bucket = WellMixed(volume, total)
    run = stepper([opened(Crossing(), "left", bucket)], seed=3)
    cells = 150
    rates = np.zeros((cells + 1, cells + 1))
    volumes = np.array([volume, *[1 / cells] * cells])
    for k in range(cells):
        conductance = cells * (2 if k == 0 else 1)
        for here, there in ((k, k + 1), (k + 1, k)):
            rates[there, here] += conductance / volumes[here]
            rates[here, here] -= conductance / volumes[here]
    first = np.eye(cells + 1)[0]
    for steps, t in ((40, 0.04), (80, 0.12)):
        advance(run, steps, dt)
        inside = 1 - (expm(rates * t) @ first)[0]
        found = run.system["A"].count / total
        error = math.sqrt(inside * (1 - inside) / total)
        assert found == pytest.approx(inside, abs=3 * error + 2 * dt * inside)
        assert run.system["A"].count + bucket.number == total


def test_a_small_bucket_never_owes():
    """Each of its molecules comes in with probability .98 per step: never more than there are."""
    bucket = WellMixed(0.2, 3)
    run = stepper([opened(Crossing(), "left", bucket)], seed=3)
    for _ in range(300):
        advance(run, 1, 0.03)
        assert bucket.number == 3 - run.system["A"].count >= 0


def test_a_bucket_remembers():
    bucket = WellMixed(2.0, 60)
    run = stepper([opened(Crossing(), "left", bucket)], seed=3)
    advance(run, 50, 0.01)
    kept = run.boundaries[0].state()
    assert kept["number"] == bucket.number < 60
    other = opened(Crossing(), "left", WellMixed(2.0, 60))
    other.restore(kept)
    assert other.concentration.number == bucket.number
    assert opened(Crossing(), "left", 3.0).state() == {}


def test_buckets_that_are_too_small_are_refused():
    with pytest.raises(CaseError, match=r"less than what a step sweeps .*at least 0\.1128"):
        opened(Crossing(), "left", WellMixed(0.1, 5)).check(0.01)
    with pytest.raises(CaseError, match="more than 0, and not negative"):
        WellMixed(1.0, -1)


BALL, SHELL, CELLS = Ball(1.0), Shell(1.0, 2.0, 2), box_region([3, 3])
TOLD = [
    (UNIT, Face(UNIT, "left"), Crossing()),
    (UNIT, Face(UNIT, "right"), MatchedLayer(0.3)),
    (UNIT, Face(UNIT, "left"), StrangLayer(math.sqrt(0.008))),
    (BALL, Sphere(1.0, "outer"), Crossing()),
    (BALL, Sphere(1.0, "outer"), MatchedLayer(0.25)),
    (SHELL, Sphere(2.0, "reservoir", 2, opposite=1.0), Reversal(SHELL, {"reservoir": Open()})),
    (SHELL, Sphere(1.0, "reactive", 2, opposite=2.0), Reversal(SHELL, {"reactive": Open()})),
    (CELLS, Facets.of_wall(CELLS, "top"), Reversal(CELLS, {"top": Open()})),
]


@pytest.mark.parametrize(("domain", "opening", "scheme"), TOLD)
def test_all_who_pass_are_told_with_their_feet(domain, opening, scheme):
    seen = []
    boundary = OpenBoundary(
        "b", scheme, opening, "A", 1.0, 3000.0,
        exchanged=lambda came, left: seen.append((came.copy(), left.copy())),
    )  # fmt: skip
    run = stepper([boundary], domain, seed=4)
    if isinstance(domain, MeshRegion):
        run.system["A"].cells = np.zeros(64, dtype=np.int32)
    start(run, domain.sample(3000, np.random.default_rng(2)))
    advance(run, 5, 0.004)
    assert len(seen) == 5
    came, left = (np.concatenate(part, axis=1) for part in zip(*seen, strict=True))
    ledger = run.ledger
    assert came.shape == (domain.dimension, ledger.inserted.sum())
    assert left.shape[1] == ledger.taken.sum() + ledger.left.sum() > 100 < came.shape[1]
    for feet in (came, left):
        if isinstance(opening, Sphere):
            assert np.linalg.norm(feet, axis=0) == pytest.approx(opening.radius)
        else:
            assert np.abs(opening.depths(feet)).max() < 1e-12


def test_two_open_ends_are_told_apart():
    domain, feet = Interval(0.0, 1.0), {}

    def note(wall):
        return lambda came, left: feet.setdefault(wall, []).append((came, left))

    ends = [
        opened(Crossing(), wall, c, exchanged=note(wall))
        for wall, c in (("left", 500.0), ("right", 0.0))
    ]
    run = stepper(ends, domain, seed=1)
    advance(run, 100, 0.01)
    left = {wall: np.concatenate([out for _, out in told], axis=1) for wall, told in feet.items()}
    assert (left["left"] == 0).all() and (left["right"] == 1).all()
    assert [left[wall].shape[1] for wall in ("left", "right")] == run.ledger.left[0].tolist()
    assert sum(came.shape[1] for came, _ in feet["right"]) == 0


def test_insertions_drawn_ahead_are_those_of_single_steps() -> None:
    """Poisson in each step and independent of those before, with the same mean as one by one."""
    box, dt, c = Box((0.0, 0.0), (1.0, 1.0)), 1e-4, 500.0
    profile = Profile(lambda feet, time: np.full(feet.shape[1], c), 2 * c, lasting=4)
    boundary = OpenBoundary("ahead", Crossing(), Face(box, "left"), "A", 1.0, profile)
    system = System(2, ["A"], Streams(3))
    nobody = Exits(0, np.empty(0, np.int64), np.empty(0, np.int32), np.empty((2, 0)))
    numbers = []
    for _ in range(8000):
        (came, _), = boundary.after(system, dt, {"A": nobody}).values()
        numbers.append(came)
        system["A"].count = 0
        system.step += 1
    found, mean = np.array(numbers), 2 * c * np.sqrt(dt / np.pi)
    assert abs(found.mean() - mean) < 4 * np.sqrt(mean / len(found))
    assert abs(found.var() - mean) < 4 * mean * np.sqrt((2 + 1 / mean) / len(found))
    for lag in (1, 2, 3, 4):
        both = np.mean((found[lag:] - mean) * (found[:-lag] - mean))
        assert abs(both) < 4 * mean / np.sqrt(len(found))
