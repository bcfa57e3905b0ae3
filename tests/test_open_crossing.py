"""Insertions in closed form: numbers, depths, times and places, at planes, spheres and circles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from mesh_regions import box_region
from open_runs import advance, crossed, opened, start, stepper
from scipy.special import erfc

from fem_rd.exact.open_crossing import depth_distribution, inserted_sphere
from fem_rd.particles.domains import Box, Exits, Interval, Mobility
from fem_rd.particles.domains_round import Ball, Shell
from fem_rd.particles.open_boundary import OpenBoundary, draw_together
from fem_rd.particles.open_boundary_crossing import Doorway
from fem_rd.particles.open_boundary_facets import Facets
from fem_rd.particles.open_boundary_places import Face, Sphere
from fem_rd.particles.open_boundary_reversal import Reversal
from fem_rd.particles.open_boundary_round import round_law, taken
from fem_rd.particles.open_boundary_schemes import Crossing
from fem_rd.particles.open_boundary_supply import Profile, WellMixed
from fem_rd.particles.random import Streams
from fem_rd.particles.state import Population, System
from fem_rd.particles.walls import Absorbing, Open

KOLMOGOROV = 1.63  # 1 %


def gap(law: np.ndarray) -> float:
    """Kolmogorov's distance, times the root of the number, of probabilities from even ones."""
    even = (np.arange(law.size) + 0.5) / law.size
    return float(np.abs(np.sort(law) - even).max() * math.sqrt(law.size))


def second_integral(z: np.ndarray) -> np.ndarray:
    """4 i2erfc(z): diffusion from a wall where c = t, at t = 1 in units of sqrt(4 D t)."""
    return np.asarray((1 + 2 * z**2) * erfc(z) - 2 * z * np.exp(-(z**2)) / math.sqrt(math.pi))


@pytest.mark.parametrize("mean", [0.3, 7.0, 300.0])
def test_numbers_are_those_of_a_poisson_process(mean):
    door = Doorway(Face(Interval(0.0, 1.0), "left"), 1.0, 0.01)
    keys = 20_000 if mean < 100 else 4_000
    ends = door.draw(np.arange(keys), 3, mean, 3).ends
    found = np.diff(ends.ravel(), prepend=0).reshape(keys, 3)
    for step in range(3):
        assert abs(found[:, step].mean() - mean) < 3 * math.sqrt(mean / keys)
        spread = mean * math.sqrt((2 + 1 / mean) / keys)
        assert abs(found[:, step].var() - mean) < 3 * spread
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.mean((found[:, a] - mean) * (found[:, b] - mean))) < 3 * mean / keys**0.5


def test_nobody_and_a_given_number():
    door = Doorway(Face(Interval(0.0, 1.0), "left"), 1.0, 0.01)
    assert door.draw([1, 2], 0, 0.0, 3).ends.tolist() == [[0, 0, 0], [0, 0, 0]]
    for count in (0, 1, 256, 1000):
        some = door.draw([7], 0, 0.0, 1, most=count)
        assert some.ends.tolist() == [[count]] and some.points.shape == (1, count)


PLANES = [
    Face(Interval(0.0, 2.0), "right"),
    Face(Box((0.0, 1.0), (2.0, 4.0)), "left"),
    Face(Box((0.0, 1.0, 2.0), (2.0, 4.0, 3.0)), "back"),
    Facets.of_wall(box_region([3, 2], displaced=0.1), "top"),
    Facets.of_wall(box_region([2, 2, 3]), "front"),
]


@pytest.mark.parametrize("opening", PLANES, ids=lambda one: f"{type(one).__name__} {one.dimension}")
def test_depths_and_places_at_planes(opening):
    dt = 0.01
    door = Doorway(opening, 1.0, dt)
    assert door.volume == pytest.approx(2 * opening.area * math.sqrt(dt / math.pi), rel=1e-12)
    drawn = door.draw([5], 2, 20_000.0, 2)
    depths = opening.depths(drawn.points)
    assert depths == pytest.approx(door.spread * drawn.depths, abs=1e-12)
    assert np.abs(opening.depths(drawn.feet)).max() < 1e-12
    assert gap(depth_distribution(depths, 1.0, dt)) < KOLMOGOROV
    assert gap(drawn.chances) < KOLMOGOROV
    corners = opening.vertices.reshape(-1, opening.dimension)
    for axis in range(opening.dimension):
        low, high = corners[:, axis].min(), corners[:, axis].max()
        if high > low:
            assert gap((drawn.feet[axis] - low) / (high - low)) < KOLMOGOROV
            assert abs(np.corrcoef(drawn.feet[axis], depths)[0, 1]) * depths.size**0.5 < 3.5
    assert set(drawn.facets) == set(range(len(opening.vertices)))


def test_times_are_the_mean_of_those_of_first_passage():
    """The density of who came from a wall with c = t is 4 i2erfc where that with c = 1 is erfc."""
    drawn = Doorway(PLANES[0], 1.0, 0.01).draw([5], 2, 4000.0, 1)
    z = drawn.depths
    assert drawn.moments * erfc(z) == pytest.approx(second_integral(z), abs=1e-14)
    assert abs(drawn.moments.mean() - 2 / 3) < 3 * drawn.moments.std() / z.size**0.5


@pytest.mark.parametrize("spread", [0.03, 0.15, 0.3, 0.8])
@pytest.mark.parametrize("opposite", [0.0, 9.0])
def test_around_a_sphere_the_law_is_closed(opposite, spread):
    """(R/r) erfc, from inside but for the image in the centre."""
    sphere, wide = Sphere(2.0, "wall", opposite=2.0 * opposite), 2 * math.sqrt(2) * spread
    law = round_law(sphere, wide)
    image = 0.0 if opposite else math.exp(-((2.0 / wide) ** 2))
    if opposite or wide < 1.0:
        exact = inserted_sphere(2.0, 1.0, wide**2 / 4, inside=not opposite)
        assert law.volume == pytest.approx(exact, rel=max(1e-12, image))
    radii = 2.0 + (1 if opposite else -1) * np.linspace(0, min(3 * wide, 1.5), 20)
    closed = 2.0 / radii * erfc(np.abs(radii - 2.0) / wide)
    assert taken(sphere, radii, wide) == pytest.approx(closed, abs=max(1e-10, 40 * image))


ROUND = [
    (Ball(1.0, dimension), Sphere(1.0, "outer", dimension))
    if inside
    else (Shell(1.0, 4.0, dimension), Sphere(1.0, "reactive", dimension, opposite=4.0))
    for dimension in (2, 3)
    for inside in (True, False)
]
NAMES = [f"{where}{dimension}" for dimension in (2, 3) for where in ("inside", "outside")]


@pytest.mark.parametrize(("domain", "opening"), ROUND, ids=NAMES)
def test_what_the_engine_takes_around_a_centre(domain, opening):
    """Of many that start at a radius, against the integral; and its whole by Monte Carlo."""
    spread, count = 0.2, 200_000
    for depth in (0.05, 0.2, 0.5):
        radius = 1 - depth * math.copysign(1, opening.curvature)
        wall = Population(domain.dimension)
        places = np.zeros((domain.dimension, count))
        places[0] = radius
        wall.append(places, np.arange(count, dtype=np.uint64))
        walls = {opening.wall: Open()}
        exits = domain.move(wall, Mobility(1.0, spread**2 / 2), walls, Streams(3), 0)
        a = taken(opening, np.array([radius]), math.sqrt(2) * spread)[0]
        assert abs(exits.particle.size - count * a) < 3 * math.sqrt(count * a * (1 - a))


@pytest.mark.parametrize("spread", [0.03, 0.1, 0.24])
@pytest.mark.parametrize(("domain", "opening"), ROUND, ids=NAMES)
def test_rest_is_exact_around_a_centre(domain, opening, spread):
    """Numbers in ten shells of equal numbers around the interface, after three steps."""
    near = min(2.5 * spread, 0.6)
    c = 1e6 / (opening.area * near)
    walls = {opening.wall: Open()}
    boundary = OpenBoundary("round", Crossing(), opening, "A", 1.0, c)
    run = stepper([boundary], domain, seed=23)
    reach = 1 + 9 * spread if opening.curvature < 0 else 1.0
    place = Shell(1.0, min(reach, 4.0), domain.dimension) if opening.curvature < 0 else domain
    rng = np.random.default_rng(6)
    points = place.sample(int(rng.poisson(c * place.volume)), rng)
    if opening.curvature > 0:  # nobody comes from the middle
        points = points[:, opening.depths(points) < near + 6 * spread]
    start(run, points)
    advance(run, 3, spread**2 / 2)
    assert walls.keys() == run.walls["A"].keys()
    x = run.system["A"].x
    depths = opening.depths(x)
    edges = np.linspace(0, near, 11)
    radii = np.abs(1 - opening.curvature * edges)
    expected = c * np.abs(np.diff(radii**domain.dimension)) * opening.area / domain.dimension
    found = np.histogram(depths, edges)[0]
    scores = (found - expected) / np.sqrt(expected)
    assert np.abs(scores).max() < 3.5 and abs((scores**2).sum() - 10) < 3.5 * math.sqrt(20)
    assert abs(found.sum() - expected.sum()) < 3 * math.sqrt(expected.sum())


@pytest.mark.parametrize(("domain", "opening"), ROUND, ids=NAMES)
def test_trial_steps_bring_the_same(domain, opening):
    dt, c = 0.02, 2e5
    trial = Reversal(domain, {opening.wall: Open()})
    law = [[], []]
    for row, scheme in enumerate((Crossing(), trial)):
        boundary = OpenBoundary("round", scheme, opening, "A", 1.0, c)
        system = System(domain.dimension, ["A"], Streams(7))
        nobody = {"A": Exits(0, np.empty(0, np.int64), np.empty(0, np.int32), None)}
        boundary.after(system, dt, nobody)
        law[row] = np.sort(opening.depths(system["A"].x))
    one, two = (len(depths) for depths in law)
    assert abs(one - two) < 3 * math.sqrt(one + two)
    both = np.searchsorted(law[0], law[1], side="right") / one
    apart = np.abs(both - np.arange(1, two + 1) / two).max()
    assert apart < KOLMOGOROV * math.sqrt(1 / one + 1 / two)


@pytest.mark.parametrize(("dimension", "dt"), [(2, 0.002), (3, 0.0045)])
@pytest.mark.parametrize("inside", [True, False])
def test_a_flux_between_spheres(dimension, inside, dt):
    """From a reservoir at 1 to an absorbing sphere at 0.4 or 1.8."""
    other, c = (0.4, 2e4) if inside else (1.8, 1e4)
    shell = Shell(min(other, 1.0), max(other, 1.0), dimension)
    names = ("reservoir", "reactive") if inside else ("reactive", "reservoir")
    opening = Sphere(1.0, names[0], dimension, opposite=other)
    boundary = OpenBoundary("round", Crossing(), opening, "A", 1.0, c)
    run = stepper([boundary], shell, seed=11, walls={names[1]: Absorbing()})
    rng = np.random.default_rng(3)
    points = shell.sample(int(rng.poisson(c * shell.volume)), rng)
    r = np.linalg.norm(points, axis=0)
    fall, end = (1 / r, 1 / other) if dimension == 3 else (-np.log(r), -math.log(other))
    profile = (fall - end) / ((1.0 if dimension == 3 else 0.0) - end)
    start(run, points[:, rng.random(r.size) < profile])
    advance(run, round(0.05 / dt), dt)
    before, time = crossed(run, names[1]), 0.8
    advance(run, round(time / dt), dt)
    captured = crossed(run, names[1]) - before
    rate = 4 * math.pi / (1 / other - 1) if dimension == 3 else 2 * math.pi / math.log(1 / other)
    assert abs(captured - c * time * abs(rate)) < 3 * math.sqrt(captured)
    assert captured > 50_000


@pytest.mark.parametrize("as_profile", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_concentration_linear_in_time_is_exact(steps, as_profile):
    """c = t fills a half line as 4 t i2erfc: numbers and depths, for steps of any length."""
    line, c, t = Interval(0.0, 20.0), 2e5, 1.0

    def rising(time):
        return c * time

    profile = Profile(lambda feet, time: np.full(feet.shape[1], rising(time)), rising)
    boundary = opened(Crossing(), "left", profile if as_profile else rising, line)
    run = stepper([boundary], line, seed=8)
    advance(run, steps, t / steps)
    x = run.system["A"].x[0]
    expected = 4 / 3 * c / math.sqrt(math.pi)
    assert abs(x.size - expected) < 3 * math.sqrt(expected)
    z = np.linspace(0, 6, 4001)
    each = second_integral(z)
    beyond = np.concatenate([[0], np.cumsum(each[1:] + each[:-1])])
    assert gap(np.interp(x / 2, z, beyond / beyond[-1])) < KOLMOGOROV


@pytest.mark.parametrize("opposite", [0.0, 4.0])
def test_a_concentration_linear_in_time_is_exact_at_a_sphere(opposite):
    """c = t sends the integral over what c = 1 sends until then, in one step."""
    c, t, side = 1e7, 0.03, 1 if opposite else -1
    domain = Shell(1.0, opposite) if opposite else Ball(1.0)
    opening = Sphere(1.0, domain.walls[0], opposite=opposite)
    boundary = OpenBoundary("round", Crossing(), opening, "A", 1.0, lambda time: c * time)
    run = stepper([boundary], domain, seed=8)
    run.step(t)
    expected = 4 * math.pi * c * (4 / 3 * t**1.5 / math.sqrt(math.pi) + side * t**2 / 2)
    assert abs(run.system["A"].count - expected) < 3 * math.sqrt(expected)


def test_a_concentration_is_taken_as_linear_within_a_step():
    """c = t^2 in two steps is c = t/2 and then c = 1/4 + 3 (t - 1/2)/2: an error of order dt^2."""
    line, c = Interval(0.0, 20.0), 3e5
    run = stepper([opened(Crossing(), "left", lambda t: c * t**2, line)], line, seed=9)
    advance(run, 2, 0.5)

    def risen(t):  # the number for c = t
        return 4 / 3 * t**1.5 / math.sqrt(math.pi)

    expected = c * (0.5 * risen(1.0) + risen(0.5))
    found = run.system["A"].count
    assert abs(found - expected) < 3 * math.sqrt(expected)
    exact = c * 16 / 15 / math.sqrt(math.pi)
    assert 0.05 < expected / exact - 1 < 0.09


def test_replicas_draw_together_what_they_draw_alone():
    box, dt = Box((0.0, 0.0), (1.0, 1.0)), 1e-3
    walls = {"A": Exits(0, np.empty(0, np.int64), np.empty(0, np.int32), np.empty((2, 0)))}

    def run(shared, replicas=(4, 0, 9)):
        profile = Profile(
            lambda feet, time: 4e3 * (1 + feet[1]), 8e3, lasting=3, minimum=lambda: 4e3,
            source="one",
        )  # fmt: skip
        pairs = [
            (OpenBoundary("left", Crossing(), Face(box, "left"), "A", 1.0, profile),
             System(2, ["A"], Streams(5, replica)))
            for replica in replicas
        ]  # fmt: skip
        if shared:
            draw_together(pairs)
        for boundary, system in pairs:
            for _ in range(7):
                boundary.after(system, dt, walls)
                system.step += 1
        return [system["A"].x.copy() for _, system in pairs]

    together, alone, single = run(True), run(False), run(True, (9,))
    assert all(np.array_equal(*pair) for pair in zip(together, alone, strict=True))
    assert np.array_equal(together[2], single[0]) and together[0].shape[1] > 1000
    assert not np.array_equal(together[0], together[1])


def test_only_those_are_asked_who_may_be_refused():
    """With a minimum the same come in as without one."""
    box, asked = Box((0.0, 0.0), (1.0, 1.0)), []

    def value(feet, time):
        asked.append(feet.shape[1])
        return 1e4 * (3 + feet[1])

    whole = Profile(value, 4e4, lasting=1)
    nobody = {"A": Exits(0, np.empty(0, np.int64), np.empty(0, np.int32), np.empty((2, 0)))}
    found = []
    for profile in (whole, replace(whole, minimum=lambda: 3e4)):
        boundary = OpenBoundary("left", Crossing(), Face(box, "left"), "A", 1.0, profile)
        system = System(2, ["A"], Streams(5))
        boundary.after(system, 0.01, nobody)
        found.append(system["A"].x.copy())
    assert np.array_equal(*found)
    assert 0.2 < asked[1] / asked[0] < 0.3
    share = found[0].shape[1] / asked[0]
    assert abs(share - 0.875) < 3 * math.sqrt(0.875 * 0.125 / asked[0])


def test_nobody_is_looked_for_below_a_clear_depth():
    """The cell beside the facet is a guess, which the region puts right; deeper ones are known."""
    region = box_region([8, 8])
    looked = []

    def locate(points):
        looked.append(points.shape[1])
        return region.locate(points)

    nobody = {"A": Exits(0, np.empty(0, np.int64), np.empty(0, np.int32), np.empty((2, 0)))}
    found = []
    for clear in (0.0, 1.5):
        opening = Facets.of_wall(region, "left")
        boundary = OpenBoundary(
            "left", Crossing(clear=clear), opening, "A", 1.0, 1e5, locate=locate
        )
        system = System(2, ["A"], Streams(5), cells=True)
        boundary.after(system, 0.01, nobody)
        cells = system["A"].cell.copy()
        found.append((system["A"].x.copy(), cells, region.cells_of(system["A"]).copy()))
    assert np.array_equal(found[0][0], found[1][0]) and np.array_equal(found[0][2], found[1][2])
    assert np.array_equal(found[0][1], found[0][2])
    wrong = found[1][1] != found[1][2]
    assert wrong.any() and found[1][0][0][wrong].max() < 1.5 * math.sqrt(0.02)
    z = 1.5 / math.sqrt(2)
    deep = math.exp(-(z**2)) - math.sqrt(math.pi) * z * erfc(z)
    assert abs(looked[1] - looked[0] * deep) < 3 * math.sqrt(looked[0] * deep)


def test_a_finite_reservoir_sends_a_given_number():
    bucket = WellMixed(0.5, 1000)
    ball = Ball(1.0)
    boundary = OpenBoundary("round", Crossing(), Sphere(1.0, "outer"), "A", 1.0, bucket)
    run = stepper([boundary], ball, seed=4)
    for _ in range(40):
        run.step(0.001)
        assert run.system["A"].count + bucket.number == 1000
    with pytest.raises(Exception, match="volume of a reservoir is less"):
        replace(boundary, concentration=WellMixed(0.01, 9)).check(0.01)
