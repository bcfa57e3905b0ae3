"""Insertion by time reversal: open walls of meshes, corners, circles; at rest and not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mesh_regions import ball_region, box_region, disc_region, outer_facets
from open_runs import advance, crossed, start, stepper
from scipy.spatial import Delaunay, cKDTree
from scipy.special import erf

from fem_rd.errors import CaseError
from fem_rd.particles.domains import Box, Interval
from fem_rd.particles.domains_round import Ball
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.open_boundary import OpenBoundary
from fem_rd.particles.open_boundary_facets import Facets
from fem_rd.particles.open_boundary_insertion import Luck
from fem_rd.particles.open_boundary_near import near_wall
from fem_rd.particles.open_boundary_places import Face, Sphere
from fem_rd.particles.open_boundary_reversal import Reversal
from fem_rd.particles.open_boundary_schemes import Crossing, MatchedLayer, StrangLayer
from fem_rd.particles.open_boundary_supply import Profile
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import simplices
from fem_rd.particles.walls import Absorbing, Open

COPIES = 1000
LABELS = np.random.default_rng(99).integers(COPIES, size=1_000_000, dtype=np.int16)


def opening(domain, wall):
    if isinstance(domain, MeshRegion):
        return Facets.of_wall(domain, wall)
    if isinstance(domain, Box):
        return Face(domain, wall)
    return Sphere(domain.radius, wall, domain.dimension)


def run_of(domain, concentrations, *, seed, walls=None, scheme=None, **more):
    """A stepper without particles, open at the walls that have a concentration."""
    whole = dict.fromkeys(concentrations, Open()) | (walls or {})
    chosen = scheme or Reversal(domain, whole)
    ends = [
        OpenBoundary(wall, chosen, opening(domain, wall), "A", 1.0, c, **more)
        for wall, c in concentrations.items()
    ]
    run = stepper(ends, domain, seed=seed, walls=walls)
    if isinstance(domain, MeshRegion):
        run.system["A"].cells = np.zeros(64, dtype=np.int32)
    return run


def dt_of(spread):
    return spread**2 / 2


def at_rest(run, domain, c, dt, steps, seed):
    rng = np.random.default_rng(seed)
    start(run, domain.sample(int(rng.poisson(c * domain.volume)), rng))
    advance(run, steps, dt)
    return run.system["A"].x


def score(found, expected):
    return (found - expected) / math.sqrt(expected)


def ell(count):
    """A square without its upper right quarter, in triangles; the two sides of the notch open."""
    region = box_region([2 * count] * 2)
    mesh = region.mesh
    cells = mesh.cells[~np.all(mesh.points[mesh.cells].mean(axis=1) > 0.5, axis=1)]
    facets = outer_facets(cells)
    middle = mesh.points[facets].mean(axis=1)
    notch = np.all(middle > 0.499, axis=1) & np.all(middle < 0.999, axis=1)
    return MeshRegion(
        simplices(mesh.points, cells, {"notch": facets[notch], "rest": facets[~notch]})
    )


REST = {
    "ball": (ball_region(60), ("outer",), 0.2, lambda x: np.linalg.norm(x, axis=0) > 0.8),
    "arc": (disc_region(40, 1.0), ("arc",), 0.3, lambda x: (x[0] > 0.4) & (x[1] > 0.5)),
    "notch": (ell(3), ("notch",), 0.2, lambda x: np.all(np.abs(x - 0.5) < 0.15, axis=0)),
    "corner of a mesh": (
        box_region([3, 3]), ("left", "bottom"), 0.2, lambda x: np.all(x < 0.15, axis=0)
    ),
    "corner of a box": (
        Box((0.0, 0.0), (1.0, 1.0)), ("left", "bottom"), 0.2, lambda x: np.all(x < 0.15, axis=0)
    ),
    "circle": (Ball(1.0, 2), ("outer",), 0.24, lambda x: np.linalg.norm(x, axis=0) > 0.9),
}  # fmt: skip


@pytest.mark.parametrize("name", REST)
def test_rest_is_exact_whatever_the_shape(name):
    """Mean, variance and density near the wall, with steps as long as what is near."""
    domain, names, spread, near = REST[name]
    c = 20 * COPIES / domain.volume
    run = run_of(domain, dict.fromkeys(names, c), seed=71)
    x = at_rest(run, domain, c, dt_of(spread), 15, 5)
    n = np.bincount(LABELS[run.system["A"].id.astype(np.int64)], minlength=COPIES)
    assert abs(n.mean() - 20) / math.sqrt(20 / COPIES) < 3
    assert abs(n.var() - 20) / math.sqrt((2 * 20**2 + 20) / COPIES) < 3
    share = near(domain.sample(1_000_000, np.random.default_rng(1))).mean()
    assert share > 0.02 and abs(score(np.count_nonzero(near(x)), 20 * COPIES * share)) < 3


def test_the_law_of_a_plane_is_wrong_at_a_corner_of_two_open_faces():
    """Both would fill the corner: what `Reversal` is for."""
    domain, names, spread, near = REST["corner of a box"]
    c = 40_000
    run = run_of(domain, dict.fromkeys(names, c), seed=71, scheme=Crossing())
    x = at_rest(run, domain, c, dt_of(spread), 40, 5)
    assert score(np.count_nonzero(near(x)), c * 0.15**2) > 5


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_at_a_plane_it_is_the_erfc_law(dimension):
    """Numbers, depths and feet of one insertion: of a mesh, of a box, and of `Crossing`."""
    box = Box((0.0,) * dimension, (1.0,) * dimension)
    mesh = box_region([4] * dimension)
    dt, c = dt_of(0.1), 2e6
    expected = 2 * c * math.sqrt(dt / math.pi)
    for domain in (box, mesh):
        scheme, place = Reversal(domain, {"left": Open()}), opening(domain, "left")
        (insertion,) = scheme.plan(place, 1.0, dt).after
        rng = np.random.default_rng(3)
        luck = Luck(rng, Streams(4, branch=1), 0)
        drawn = insertion.draw(int(rng.poisson(c * insertion.volume)), luck)
        assert abs(score(drawn.points.shape[1], expected)) < 3
        z = np.sort(drawn.points[0]) / math.sqrt(4 * dt)
        law = 1 - np.exp(-(z**2)) + math.sqrt(math.pi) * z * (1 - erf(z))
        gap = np.abs(law - (np.arange(z.size) + 0.5) / z.size).max()
        assert gap * math.sqrt(z.size) < 1.63  # Kolmogorov, 1 %
        assert np.abs(drawn.feet[0]).max() < 1e-12
        for along in drawn.feet[1:]:
            assert abs(along.mean() - 0.5) * math.sqrt(12 * along.size) < 3


@pytest.mark.parametrize("dimension", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_flux_through_a_slab_of_cells(dimension):
    """400 between 400 and 0, with steps of a seventh of the slab: standard error .5 %."""
    copies, dt, time = 105 if dimension == 2 else 60, 0.01, 1.0 if dimension == 2 else 1.7
    domain = box_region([3] * dimension, displaced=0.1)
    run = run_of(domain, {"left": 400.0 * copies, "right": 0.0}, seed=11)
    rng = np.random.default_rng(1)
    places = rng.random((dimension, rng.poisson(200 * copies)))
    places[0] = 1 - np.sqrt(places[0])
    start(run, places)
    advance(run, 50, dt)
    before = crossed(run, "right")
    advance(run, round(time / dt), dt)
    through = crossed(run, "right") - before
    flux, error = through / (copies * time), math.sqrt(through) / (copies * time)
    assert error <= 0.005 * 400 and abs(flux - 400) < 3 * error


def shell_region(nodes, dimension, inner=0.4):
    """Between polygons or polyhedra of equal shape, the outer of the volume of the unit ball."""
    radii, k = (1.0, 0.8, 0.6, inner), np.arange(nodes) + 0.5
    shells = []
    for shell, radius in enumerate(radii):
        if dimension == 2:
            unit = np.stack([np.cos(2 * np.pi * k / nodes), np.sin(2 * np.pi * k / nodes)], axis=1)
        else:  # turned against each other: no four points in a plane
            height, turn = 1 - 2 * k / nodes, np.pi * (1 + np.sqrt(5)) * k + shell
            ring = np.sqrt(1 - height**2)
            unit = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)
        shells.append(radius * unit)
    points = np.concatenate(shells)
    cells = Delaunay(points).simplices
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    whole = np.abs(np.linalg.det(edges)).sum() / math.factorial(dimension)
    points *= ((np.pi if dimension == 2 else 4 * np.pi / 3) / whole) ** (1 / dimension)
    cells = cells[~np.all(cells >= 3 * nodes, axis=1)]
    facets = outer_facets(cells)
    hole = np.all(facets >= 3 * nodes, axis=1)
    walls = {"outer": facets[~hole], "hole": facets[hole]}
    return MeshRegion(simplices(points, cells, walls))


@pytest.mark.parametrize(
    ("dimension", "nodes", "bar"),
    [
        (2, 100, 0.008),
        pytest.param(2, 100, 0.004, marks=pytest.mark.slow),
        pytest.param(3, 250, 0.005, marks=pytest.mark.slow),
    ],
)
def test_the_rate_from_a_curved_wall_of_facets(dimension, nodes, bar):
    """Between c = 1 at the outer wall and a hole that absorbs: 2 pi/ln(R/a), 4 pi/(1/a - 1/R)."""
    region, copies, dt = shell_region(nodes, dimension), 1e4, 0.0005
    exact = 4 * math.pi / 1.5 if dimension == 3 else 2 * math.pi / math.log(2.5)
    time = dt * math.ceil(1.1 / (exact * copies * bar**2 * dt))
    run = run_of(region, {"outer": copies}, seed=5, walls={"hole": Absorbing()})
    rng = np.random.default_rng(5)
    points = region.sample(int(rng.poisson(copies * region.volume)), rng)
    r = np.linalg.norm(points, axis=0)
    profile = (1 / 0.4 - 1 / r) / 1.5 if dimension == 3 else np.log(r / 0.4) / math.log(2.5)
    start(run, points[:, rng.random(r.size) < profile])
    advance(run, round(0.05 / dt), dt)
    before = crossed(run, "hole")
    advance(run, round(time / dt), dt)
    captured = crossed(run, "hole") - before
    rate, error = captured / (copies * time), math.sqrt(captured) / (copies * time)
    assert error < bar * rate
    assert abs(rate - exact) < 3 * error + 0.002 * exact * (dimension - 2)  # facets for a sphere


NEAR = [(ball_region(60), "outer"), (disc_region(40, 1.0), "arc"), (ell(3), "notch")]


@pytest.mark.parametrize(("region", "wall"), NEAR)
def test_near_a_wall_is_all_that_is_near_it_and_little_more(region, wall):
    pieces, reach, rng = near_wall(region, wall, 0.1), 0.1, np.random.default_rng(2)
    points, cells = pieces.sample(4000, rng)
    assert np.array_equal(region.locate(points), cells)
    on_wall = cKDTree(Facets.of_wall(region, wall).place(np.zeros(5000), rng)[1].T)

    def close(places):
        return np.isfinite(on_wall.query(places.T, distance_upper_bound=reach)[0]).mean()

    expected = close(region.sample(20_000, rng)) * region.volume
    assert expected < pieces.volume < 2.2 * expected
    assert close(points) * pieces.volume == pytest.approx(expected, rel=0.1)


def test_reservoirs_that_vary_along_a_wall_of_cells():
    """c = c_0 (1 + cos(pi y)/2): its mode decays into the square as cosh(pi (1 - x))."""
    region, c = box_region([4, 4], displaced=0.1), 5e4
    along = Profile(
        lambda feet, t: c * (1 + 0.5 * np.cos(math.pi * feet[1])), lambda t: (1.5 + 0.1 * t) * c
    )
    run = run_of(region, {"left": along}, seed=29)
    start(run, np.random.default_rng(2).random((2, int(c))))
    advance(run, 100, 0.004)
    wave = np.cos(math.pi * run.system["A"].x[1]).sum() / c
    assert abs(wave - 0.25 * math.tanh(math.pi) / math.pi) < 3 * math.sqrt(0.5 / c)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_layers_at_plane_walls_of_cells(dimension):
    """At rest, and the part of a side only: what lies above its facets is the layer."""
    counts = [4] * dimension
    region, c = box_region(counts), 4e4
    run = run_of(region, {"left": c}, seed=6, scheme=MatchedLayer(0.2))
    run.boundaries[0].locate = region.locate
    run.walls["A"].pop("left")  # a layer lies before a wall that reflects
    x = at_rest(run, region, c, 0.004, 60, 4)
    assert abs(score(x.shape[1], c)) < 3
    assert abs(score(np.count_nonzero(x[0] < 0.1), 0.1 * c)) < 3
    cells = run.system["A"].cell  # -1: not looked up yet
    assert ((cells == region.locate(x)) | (cells < 0)).all()
    facets = Facets.of_wall(region, "left")
    assert facets.area == pytest.approx(1.0) and facets.reach == pytest.approx(1.0)


def test_a_layer_is_above_its_facets_only():
    half = Facets(np.array([[[0.0, 0.0], [0.0, 0.5]]]), np.array([[1.0, 0.0]]), "left", 1.0)
    points = np.array([[0.1, 0.2, 0.1], [0.2, 0.4, 0.7]])
    assert half.depths(points).tolist() == [0.1, 0.2, math.inf]
    assert half.feet(points)[:, 0].tolist() == [0.0, 0.2]


@pytest.mark.parametrize("scheme", [MatchedLayer(0.1), StrangLayer(0.1), Crossing()])
def test_layers_at_bent_walls_are_refused(scheme):
    region = REST["arc"][0]
    with pytest.raises(CaseError, match=r"arc do not lie in one plane.*crossing"):
        run_of(region, {"arc": 1.0}, seed=1, scheme=scheme).boundaries[0].check(0.001)


def test_drifting_particles_are_refused():
    with pytest.raises(CaseError, match="needs Brownian particles"):
        run_of(Interval(0, 1), {"left": 1.0}, seed=1, thermal_speed=1.0)
