"""Schemes of open boundaries under flux: rates, effective planes, filling, reservoirs in time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from open_runs import UNIT, advance, crossed, opened, start, stepper
from scipy.integrate import quad
from scipy.special import erf

from fem_rd.exact.open_boundary import (
    effective_radius,
    effective_radius_cylinder,
    matched_strength,
    slab_flux,
)
from fem_rd.exact.open_end_of_step import strang_plane, strang_plateau
from fem_rd.exact.open_layer_step import effective_plane_of_kicks
from fem_rd.exact.open_layer_transient import filling
from fem_rd.particles.domains import Box, Interval
from fem_rd.particles.domains_round import Shell
from fem_rd.particles.open_boundary import OpenBoundary
from fem_rd.particles.open_boundary_places import Sphere
from fem_rd.particles.open_boundary_schemes import Crossing, Layer, MatchedLayer, StrangLayer
from fem_rd.particles.open_boundary_supply import Profile
from fem_rd.particles.walls import Absorbing

STAR = matched_strength()


def slab_rate(scheme, dt: float, *, seed: int, copies: int = 300, time: float = 2.0):
    """Flux through a slab between 400 and 0, and its standard error; all replicas in one system.

    Particles that went all the way are a Poisson process, since those that enter are.
    """
    walls = [opened(scheme, "left", 400.0 * copies), opened(scheme, "right", 0.0)]
    run = stepper(walls, seed=seed)
    rng = np.random.default_rng(seed)
    start(run, 1 - np.sqrt(rng.random((1, rng.poisson(200 * copies)))))
    advance(run, round(0.6 / dt), dt)
    before = crossed(run, "right")
    steps = round(time / dt)
    advance(run, steps, dt)
    through = crossed(run, "right") - before
    scale = copies * steps * dt
    return through / scale, math.sqrt(through) / scale


def expected_flux(scheme, dt: float) -> float:
    if isinstance(scheme, Crossing):
        return 400.0
    if isinstance(scheme, StrangLayer):
        shift = -strang_plane() * scheme.width
        return slab_flux(1, 1, 400 * strang_plateau(), 0, (shift, shift))
    s = 1.0 if isinstance(scheme, Layer) else STAR
    plane = effective_plane_of_kicks(s, dt / scheme.width**2) * scheme.width
    return slab_flux(1, 1, 400, 0, (plane, plane))


SLABS = [
    (Layer(0.2), 0.001),
    (MatchedLayer(0.2), 0.001),
    (Crossing(), 0.01),
    (StrangLayer(0.1), 0.005),
]


@pytest.mark.parametrize(("scheme", "dt"), SLABS, ids=lambda value: getattr(value, "name", None))
def test_flux_between_two_reservoirs(scheme, dt):
    flux, error = slab_rate(scheme, dt, seed=11)
    expected = expected_flux(scheme, dt)
    assert error < 0.0025 * flux
    assert flux == pytest.approx(expected, abs=3 * error)
    nominal = {"layer": 355.488, "layer-matched": 400.0, "crossing": 400.0, "layer-strang": 403.93}
    assert flux == pytest.approx(nominal[scheme.name], abs=3 * error + 0.005 * 400)


def test_coarse_steps_move_the_plane_as_they_should():
    """Width and dt at their limits: F4 says 0.8 % of flux, p = gamma dt would give +3.8 %."""
    scheme, dt = MatchedLayer(0.4), 0.016
    flux, error = slab_rate(scheme, dt, seed=5, copies=1500, time=4.0)
    expected = expected_flux(scheme, dt)
    assert flux == pytest.approx(expected, abs=3 * error)
    assert abs(expected - 400) > 3 * error


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Layer, MatchedLayer])
@pytest.mark.parametrize(("width", "tau"), [(0.1, 0.05), (0.2, 0.02), (0.3, 0.1), (0.4, 0.05)])
def test_effective_plane_against_width_and_step(kind, width, tau):
    scheme, dt = kind(width), tau * width**2
    flux, error = slab_rate(scheme, dt, seed=23, copies=1000, time=2.0)
    assert flux == pytest.approx(expected_flux(scheme, dt), abs=3 * error)


@pytest.mark.parametrize("scheme", [Layer(1.0), MatchedLayer(1.0)], ids=lambda s: s.name)
def test_filling_of_a_half_line(scheme):
    """c at 1.5 < x < 2.5, t = 4 w^2/D from an empty layer: 0.405, 0.467, 0.480 by scheme."""
    line, c, dt = Interval(0.0, 25.0), 1e5, 0.01
    run = stepper([opened(scheme, "left", c, line)], line, seed=3)
    advance(run, 400, dt)
    x = run.system["A"].x[0]
    found = np.count_nonzero((x > 1.5) & (x < 2.5)) / c
    s = 1.0 if scheme.name == "layer" else STAR
    expected = quad(lambda y: filling(y, 4.0, s), 1.5, 2.5)[0]
    assert found == pytest.approx(expected, abs=3 * math.sqrt(expected / c) + 1e-3 * expected)


@pytest.mark.parametrize("steps", [1, 4])
def test_crossing_fills_exactly_at_any_step(steps):
    """Number and positions after t = 0.04 in one step and in four: erfc(x/sqrt(4 t))."""
    line, c, t = Interval(0.0, 4.0), 4e5, 0.04
    run = stepper([opened(Crossing(), "left", c, line)], line, seed=8)
    advance(run, steps, t / steps)
    x = np.sort(run.system["A"].x[0])
    expected = 2 * c * math.sqrt(t / math.pi)
    assert (x.size - expected) / math.sqrt(expected) == pytest.approx(0, abs=3)
    z = x / math.sqrt(4 * t)
    law = 1 - np.exp(-(z**2)) + math.sqrt(math.pi) * z * (1 - erf(z))
    gap = np.abs(law - (np.arange(x.size) + 0.5) / x.size).max()
    assert gap * math.sqrt(x.size) < 1.63  # Kolmogorov, 1 %


def sphere_rate(scheme, dt, *, seed, dimension=3, copies=6e4, time=1.0):
    """Rate at which a reservoir at r = 1 feeds an absorbing sphere at 0.4, c_R = 1."""
    shell = Shell(0.4, 1.0, dimension)
    opening = Sphere(1.0, "reservoir", dimension, opposite=0.4)
    boundary = OpenBoundary("reservoir", scheme, opening, "A", 1.0, copies)
    run = stepper([boundary], shell, seed=seed, walls={"reactive": Absorbing()})
    rng = np.random.default_rng(seed)
    points = shell.sample(int(rng.poisson(copies * shell.volume)), rng)
    r = np.linalg.norm(points, axis=0)
    profile = (1 / 0.4 - 1 / r) / 1.5 if dimension == 3 else np.log(r / 0.4) / math.log(2.5)
    start(run, points[:, rng.random(r.size) < profile])
    advance(run, round(0.3 / dt), dt)
    before = crossed(run, "reactive")
    advance(run, round(time / dt), dt)
    captured = crossed(run, "reactive") - before
    return captured / (copies * time), math.sqrt(captured) / (copies * time)


SPHERES = [(Layer(0.15), 1 / 2000), (MatchedLayer(0.15), 1 / 2000), (Crossing(), 1 / 250)]


@pytest.mark.parametrize(("scheme", "dt"), SPHERES, ids=lambda value: getattr(value, "name", None))
def test_rate_from_a_spherical_reservoir(scheme, dt):
    rate, error = sphere_rate(scheme, dt, seed=31, copies=1e4)
    radius = effective_radius(1.0, 0.15, inside=True) if scheme.name == "layer" else 1.0
    expected = 4 * math.pi / (1 / 0.4 - 1 / radius)
    assert error < 0.004 * rate
    assert rate == pytest.approx(expected, abs=3 * error)


@pytest.mark.slow
def test_curvature_of_the_match_is_seen():
    """A sphere needs another rate than a plane: 0.55 % of the rate at w = 0.15 R."""
    rate, error = sphere_rate(MatchedLayer(0.15), 1 / 2000, seed=2, copies=6e4, time=1.5)
    assert rate == pytest.approx(4 * math.pi / 1.5, abs=3 * error)
    planar = effective_radius(STAR, 0.15, inside=True)
    assert abs(rate - 4 * math.pi / (2.5 - 1 / planar)) > 3 * error


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [row[0] for row in SPHERES], ids=lambda s: s.name)
def test_rate_from_a_circular_reservoir(scheme):
    rate, error = sphere_rate(scheme, 1 / 2000, seed=7, dimension=2, copies=4e4)
    named = scheme.name == "layer"
    radius = effective_radius_cylinder(1.0, 0.15, inside=True) if named else 1.0
    expected = 2 * math.pi / math.log(radius / 0.4)
    assert rate == pytest.approx(expected, abs=3 * error)


def test_reservoir_that_changes_in_time():
    """c_R(t) = c_0 (1 + sin wt/2): the number in the slab follows as tanh(k)/k, k^2 = i w."""
    c, w, dt = 2e5, 2 * math.pi, 0.01
    boundary = opened(Crossing(), "left", lambda t: c * (1 + 0.5 * math.sin(w * t)))
    run = stepper([boundary], seed=17)
    start(run, np.random.default_rng(1).random((1, int(c))))
    advance(run, 200, dt)
    k = np.sqrt(1j * w)
    response = np.tanh(k) / k
    for _ in range(4):
        advance(run, 25, dt)
        t = run.system.time
        expected = c * (1 + 0.5 * (response * np.exp(1j * w * t)).imag)
        found = run.system["A"].count
        assert (found - expected) / math.sqrt(expected) == pytest.approx(0, abs=3)


def test_reservoir_that_varies_along_the_wall():
    """c_R = c_0 (1 + cos(pi y)/2): its mode decays into the box as cosh(pi (1 - x))."""
    box, c = Box((0.0, 0.0), (1.0, 1.0)), 1e5
    along = Profile(lambda points, t: c * (1 + 0.5 * np.cos(math.pi * points[1])), 1.5 * c)
    run = stepper([opened(MatchedLayer(0.1), "left", along, box)], box, seed=29)
    start(run, np.random.default_rng(2).random((2, int(c))))
    advance(run, 1500, 0.0005)
    wave = np.cos(math.pi * run.system["A"].x[1]).sum() / c
    error = math.sqrt(0.5 / c)
    assert wave == pytest.approx(0.25 * math.tanh(math.pi) / math.pi, abs=3 * error)


def test_same_seed_same_particles():
    def final(name: str) -> np.ndarray:
        boundary = opened(Crossing(), "left", 500.0)
        boundary.name = name
        run = stepper([boundary, opened(Crossing(), "right", 500.0)], UNIT, seed=4)
        advance(run, 50, 0.01)
        return run.system["A"].x.copy()

    assert np.array_equal(final("left"), final("left"))
    assert final("left").shape != final("another").shape
