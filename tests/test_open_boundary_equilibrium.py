"""Schemes of open boundaries at rest: mean, variance, correlation in time; and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from open_runs import UNIT, advance, opened, start, stepper
from scipy.linalg import expm

from fem_rd.errors import CaseError, NumericalError
from fem_rd.exact.open_boundary import matched_strength
from fem_rd.exact.open_end_of_step import strang_plateau
from fem_rd.exact.open_numbers import OpenSlab
from fem_rd.particles.domains import Box
from fem_rd.particles.domains_round import Ball, Shell
from fem_rd.particles.dynamics import Brownian, Langevin
from fem_rd.particles.open_boundary import OpenBoundary, Potential
from fem_rd.particles.open_boundary_facets import Facets
from fem_rd.particles.open_boundary_insertion import Luck
from fem_rd.particles.open_boundary_places import Face, Sphere
from fem_rd.particles.open_boundary_schemes import (
    SCHEMES,
    Crossing,
    Layer,
    MatchedLayer,
    StrangLayer,
)
from fem_rd.particles.open_boundary_supply import Profile
from fem_rd.particles.random import Streams

COPIES, MEAN = 4000, 20.0
LABELS = np.random.default_rng(99).integers(COPIES, size=8_000_000, dtype=np.int16)


def remaining(scheme, t: float) -> float:
    """P(still the same particle after t), of the scheme's own walls: finite volumes for layers."""
    if isinstance(scheme, Crossing):
        return float(OpenSlab(1.0, 1.0, MEAN).remaining(t))
    cells, s = 400, 1.0 if isinstance(scheme, Layer) else matched_strength()
    x = (np.arange(cells) + 0.5) / cells
    killed = (np.minimum(x, 1 - x) < scheme.width) * (s / scheme.width) ** 2
    jump = cells**2 * (np.eye(cells, k=1) + np.eye(cells, k=-1))
    generator = jump - np.diag(jump.sum(axis=0)) - np.diag(killed)
    return float(expm(generator * t).sum() / cells)


def numbers(run) -> np.ndarray:
    """Independent replicas: each particle belongs to one of COPIES slabs, drawn by its identity."""
    return np.bincount(LABELS[run.system["A"].id.astype(np.int64)], minlength=COPIES)


AT_REST = [(Layer(0.25), 0.002), (MatchedLayer(0.25), 0.002), (Crossing(), 0.01)]


@pytest.mark.parametrize(("scheme", "dt"), AT_REST, ids=lambda value: getattr(value, "name", None))
def test_numbers_at_rest(scheme, dt):
    """Poisson: variance = mean = c L, for any dt; Cov(N(0), N(t)) = c L p(t)."""
    c = MEAN * COPIES
    run = stepper([opened(scheme, wall, c) for wall in ("left", "right")], seed=71)
    start(run, np.random.default_rng(3).random((1, round(1.5 * c))))  # too many: they must go
    advance(run, round(1.6 / dt), dt)
    first = numbers(run)
    advance(run, round(0.05 / dt), dt)
    second = numbers(run)
    for n in (first, second):
        assert (n.mean() - MEAN) / math.sqrt(MEAN / COPIES) == pytest.approx(0, abs=3)
        spread = math.sqrt((2 * MEAN**2 + MEAN) / COPIES)
        assert (n.var() - MEAN) / spread == pytest.approx(0, abs=3)
    p = remaining(scheme, 0.05)
    found = np.mean((first - MEAN) * (second - MEAN))
    error = MEAN * math.sqrt((1 + p**2 + p / MEAN) / COPIES)
    assert (found - MEAN * p) / error == pytest.approx(0, abs=3)


def test_steps_as_long_as_a_layer_allows_are_exact_at_rest():
    """gamma dt = 0.14: inserting gamma dt without the exponential would give 7 % more."""
    c = 2e5
    run = stepper([opened(MatchedLayer(0.5), "left", c)], seed=13)
    start(run, np.random.default_rng(3).random((1, int(c))))
    advance(run, 300, 0.025)
    x = run.system["A"].x[0]
    assert (x.size - c) / math.sqrt(c) == pytest.approx(0, abs=3)
    near = np.count_nonzero(x < 0.1)
    assert (near - 0.1 * c) / math.sqrt(0.1 * c) == pytest.approx(0, abs=3)


def test_the_strang_layer_rests_too_high():
    """1.1275 c_R far from the wall, Poisson all the same."""
    c, scheme = MEAN * COPIES, StrangLayer(0.1)
    run = stepper([opened(scheme, wall, c) for wall in ("left", "right")], seed=41)
    start(run, np.random.default_rng(3).random((1, int(c))))
    advance(run, 400, 0.005)
    x = run.system["A"].x[0]
    middle = np.abs(x - 0.5) < 0.2
    labels = LABELS[run.system["A"].id[middle].astype(np.int64)]
    n = np.bincount(labels, minlength=COPIES)
    expected = 0.4 * MEAN * strang_plateau()
    assert (n.mean() - expected) / math.sqrt(expected / COPIES) == pytest.approx(0, abs=3)
    spread = math.sqrt((2 * expected**2 + expected) / COPIES)
    assert (n.var() - expected) / spread == pytest.approx(0, abs=3)


ROUND = [
    (scheme, domain, opening)
    for dimension in (2, 3)
    for domain, opening in [
        (Ball(1.0, dimension), Sphere(1.0, "outer", dimension)),
        (Shell(1.0, 2.0, dimension), Sphere(1.0, "reactive", dimension, opposite=2.0)),
    ]
    for scheme in (MatchedLayer(0.2), Crossing())
]


@pytest.mark.parametrize(("scheme", "domain", "opening"), ROUND)
def test_numbers_at_rest_behind_spheres(scheme, domain, opening):
    """c V in all, and c in what is near the interface."""
    number, dt = 4e4, 0.002
    c = number / domain.volume
    boundary = OpenBoundary("round", scheme, opening, "A", 1.0, c)
    run = stepper([boundary], domain, seed=19)
    rng = np.random.default_rng(4)
    start(run, domain.sample(int(rng.poisson(number)), rng))
    advance(run, 300, dt)
    x = run.system["A"].x
    assert (x.shape[1] - number) / math.sqrt(number) == pytest.approx(0, abs=3)
    near = 0.1
    edge = 1 - opening.curvature * near
    share = abs(1 - edge**domain.dimension) / abs(1 - (opening.opposite or 0) ** domain.dimension)
    found = np.count_nonzero(opening.depths(x) < near)
    assert (found - share * number) / math.sqrt(share * number) == pytest.approx(0, abs=3)


@pytest.mark.parametrize("opposite", [0.0, 2.0])
@pytest.mark.parametrize("dimension", [2, 3])
def test_insertions_fill_a_round_layer_evenly(dimension, opposite):
    opening = Sphere(1.0, "wall", dimension, opposite=opposite)
    (insertion,) = Layer(0.3).plan(opening, 1.0, 0.001).before
    drawn = insertion.draw(100_000, Luck(np.random.default_rng(5), Streams(5), 0))
    depths = opening.depths(drawn.points)
    inner = 0.7 if opposite == 0 else 1.3
    radii = 1 - depths if opposite == 0 else 1 + depths
    share = np.sort((radii**dimension - 1) / (inner**dimension - 1))
    gap = np.abs(share - (np.arange(share.size) + 0.5) / share.size).max()
    assert gap * math.sqrt(share.size) < 1.63  # Kolmogorov, 1 %
    unit = math.pi if dimension == 2 else 4 * math.pi / 3
    rate = -math.expm1(-0.001 / 0.3**2)
    assert insertion.volume == pytest.approx(rate * unit * abs(inner**dimension - 1))


@pytest.mark.parametrize("force", [-3.0, 3.0])
def test_potential_in_the_layer(force):
    """beta U = f x: c = c_R exp(-f x) everywhere, since insertion is weighted in the same way."""
    c, width = 4e4, 0.2
    potential = Potential(lambda points: force * points[0], depth=max(-force, 0) * width)
    boundary = opened(MatchedLayer(width), "left", c, potential=potential)
    run = stepper([boundary], seed=37, dynamics=Brownian(1.0, (-force,)))
    number = c * -math.expm1(-force) / force
    share = np.random.default_rng(1).random((1, round(number)))
    start(run, -np.log1p(share * math.expm1(-force)) / force)
    advance(run, 1000, 0.0004)
    found = run.system["A"].count
    assert (found - number) / math.sqrt(number) == pytest.approx(0, abs=3)
    boundary.potential = Potential(lambda points: -9 * points[0])
    with pytest.raises(NumericalError, match=r"larger depth of the potential"):
        advance(run, 1, 0.0004)


def test_velocities_of_inserted_particles():
    c, speed = 2e4, 1.7
    layer = OpenBoundary("left", Layer(0.2), Face(UNIT, "left"), "A", 1.0, c, thermal_speed=speed)
    run = stepper([layer], seed=3)
    run.system["A"].velocities = np.zeros((1, 64))
    layer.before(run.system, 0.001)
    layer.before(run.system, 0.001)
    v = run.system["A"].v[0] / speed
    assert v.size > 100 and v.var() == pytest.approx(1, abs=3 * math.sqrt(2 / v.size))
    with pytest.raises(CaseError, match="needs Brownian particles"):
        opened(Crossing(), "left", c, thermal_speed=speed)
    assert Langevin(1.0, 1.0, speed**2).thermal_speed == speed


def triangles() -> Facets:
    """The face x = 1 of the unit cube as two triangles, looking inwards."""
    corners = np.array([[1.0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]])
    return Facets(corners[[[0, 1, 2], [0, 2, 3]]], np.array([[-2.0, 0, 0]] * 2), "right", 1.0)


@pytest.mark.parametrize("scheme", [MatchedLayer(0.2), Crossing()], ids=lambda s: s.name)
def test_facets_are_a_face(scheme):
    cube, c = Box((0.0,) * 3, (1.0,) * 3), 4e4
    run = stepper([OpenBoundary("facets", scheme, triangles(), "A", 1.0, c)], cube, seed=6)
    start(run, np.random.default_rng(4).random((3, int(c))))
    advance(run, 400, 0.002)
    x = run.system["A"].x
    assert (x.shape[1] - c) / math.sqrt(c) == pytest.approx(0, abs=3)
    assert cube.contains(x).all()
    for axis in range(3):
        assert x[axis].mean() == pytest.approx(0.5, abs=3 / math.sqrt(12 * c))


def test_facets_measure_and_place():
    facets = triangles()
    assert facets.area == pytest.approx(1.0) and facets.dimension == 3
    rng = np.random.default_rng(0)
    points, feet = facets.place(np.full(20000, 0.25), rng)
    assert points[0] == pytest.approx(0.75) and feet[0] == pytest.approx(1.0)
    assert facets.feet(points) == pytest.approx(feet)
    assert np.mean(feet[1] < feet[2]) == pytest.approx(0.5, abs=0.011)
    assert np.histogram2d(feet[1], feet[2], bins=2)[0] / 5000 == pytest.approx(1, abs=0.05)
    bent = Facets(facets.vertices, np.array([[-1.0, 0, 0], [0, 1, 0]]), "right", 1.0)
    with pytest.raises(CaseError, match="do not lie in one plane"):
        bent.depths(points)
    point = Facets(np.zeros((1, 1, 1)), np.ones((1, 1)), "left", 1.0)
    assert point.area == 1 and point.place(np.ones(2), rng)[0] == pytest.approx(1.0)


def test_points_outside_are_not_inserted():
    """The cells that a locator finds go with the particles."""
    boundary = opened(Layer(0.2), "left", 1e5)
    boundary.locate = lambda points: np.where(points[0] < 0.1, 7, -1).astype(np.int32)
    run = stepper([boundary], seed=1)
    run.system["A"].cells = np.zeros(64, dtype=np.int32)
    boundary.before(run.system, 0.001)
    assert run.system["A"].count > 100
    assert (run.system["A"].cell == 7).all() and run.system["A"].x.max() < 0.1


SPHERE = Sphere(1.0, "outer")
REFUSED = [
    (Layer(0.6), Face(UNIT, "left"), 0.001, "at most 0.5"),
    (Layer(0.0), Face(UNIT, "left"), 0.001, "at most 0.5"),
    (MatchedLayer(0.1), Face(UNIT, "left"), 0.0011, "dt at most 0.001, or a width .* 0.10488"),
    (MatchedLayer(0.35), SPHERE, 0.001, "at most 0.3"),
    (Crossing(), Face(UNIT, "left"), 0.04, "dt at most 0.03125"),
    (Crossing(), Sphere(1.0, "outer", 2), 0.04, "dt at most 0.03125"),
    (StrangLayer(0.1), Face(UNIT, "left"), 0.0051, "0.100995049, or dt = 0.005"),
    (StrangLayer(0.1), SPHERE, 0.005, "crossing, layer-matched"),
    (StrangLayer(0.4), Face(UNIT, "left"), 0.08, "at most 0.25"),
]


@pytest.mark.parametrize(("scheme", "opening", "dt", "valid"), REFUSED)
def test_what_would_be_wrong_is_refused_with_what_is_right(scheme, opening, dt, valid):
    with pytest.raises(CaseError, match=valid):
        OpenBoundary("b", scheme, opening, "A", 1.0, 1.0).check(dt)


@pytest.mark.parametrize(
    "concentration", [-1.0, math.nan, lambda t: -t - 1, Profile(lambda p, t: 3 + p[0], 2.0)]
)
def test_concentrations_that_are_none(concentration):
    run = stepper([opened(Layer(0.5), "left", concentration)], seed=1)
    with pytest.raises(NumericalError, match="the concentration of the reservoir is"):
        advance(run, 50, 0.02)


def test_names_and_places():
    assert list(SCHEMES) == ["layer", "layer-matched", "crossing", "layer-strang"]
    with pytest.raises(CaseError, match="no such face"):
        Face(UNIT, "top")
    with pytest.raises(CaseError, match="radii of an open sphere"):
        Sphere(1.0, "outer", opposite=1.0)
