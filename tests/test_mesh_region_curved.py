"""Walls of mesh regions that stand for curved surfaces: how they bend, and what they take."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mesh_regions import ball_region, box_region, exit_times, outer_facets, particles, z_score
from scipy.spatial import ConvexHull
from scipy.special import erfcx

from fem_rd.particles.domains import Mobility
from fem_rd.particles.mesh_bends import bends
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.random import Purpose, Streams
from fem_rd.particles.simplices import simplices
from fem_rd.particles.walls import Absorbing, PartiallyAbsorbing

COUNT = {2: 800_000, 3: 150_000}  # by dimension
STEPS = {1: 0.3, -1: 0.15}  # sqrt(2 D dt) by side: +1 outside of the unit sphere, -1 inside


def polygon(sides):
    """Points of a circle, and segments."""
    k = np.arange(sides)
    angle = 2 * np.pi * k / sides
    return np.stack([np.cos(angle), np.sin(angle)], axis=1), np.stack([k, (k + 1) % sides], axis=1)


def polyhedron(nodes):
    """Points of a sphere, and triangles."""
    k = np.arange(nodes) + 0.5
    height, turn = 1 - 2 * k / nodes, np.pi * (1 + np.sqrt(5)) * k
    ring = np.sqrt(1 - height**2)
    points = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)
    return points, ConvexHull(points).simplices


def layers(points, facets, radii):
    """What is between copies of a surface; walls "first" and "last"."""
    count, dim = points.shape
    facets, last = np.sort(facets, axis=1), (len(radii) - 1) * count
    low = np.concatenate([facets + layer * count for layer in range(len(radii) - 1)])
    cells = [np.hstack([low[:, : k + 1], low[:, k:] + count]) for k in range(dim)]
    copies = np.concatenate([radius * points for radius in radii])
    walls = {"first": facets, "last": facets + last}
    return MeshRegion(simplices(copies, np.concatenate(cells), walls))


def beside(surface, side, width):
    """What is within the width of a surface of radius 1, on the side."""
    return layers(*surface, 1 + side * np.linspace(0, width, 6))


def mean_bend(region, wall="first"):
    here = region.mesh.facet_walls == region.walls.index(wall)
    return np.average(bends(region.mesh)[here], weights=region.mesh.facet_areas[here])


def taken_per_area(region, wall, spread, seed):
    """Of a uniform density 1, what the wall took in a step, and one standard error."""
    count = COUNT[region.dimension]
    population = particles(region.sample(count, np.random.default_rng(seed)))
    exits = region.move(population, Mobility(1.0, spread**2 / 2), {"first": wall}, Streams(seed), 0)
    scale = region.volume / count / region.area("first")
    return scale * exits.particle.size, scale * math.sqrt(exits.particle.size)


def radius_of(region):
    """Of the circle or sphere as large as the wall "first"."""
    area = region.area("first")
    return area / (2 * math.pi) if region.dimension == 2 else math.sqrt(area / (4 * math.pi))


def partly_taken(h, bend, tau):
    """int dt h p at the wall, p = 1 + bend s before, dp/ds = (bend + h) p for u = r p/R."""
    k = bend + h
    grown = (erfcx(k * math.sqrt(tau)) - 1 + 2 * k * math.sqrt(tau / math.pi)) / k**2
    return h * (bend * tau + h * grown) / k


@pytest.mark.parametrize("side", [1, -1])
def test_mean_curvature_of_polygons_and_polyhedra(side):
    """A polygon's vertices turn by 2 pi/n; of a polyhedron that of the sphere, as its square."""
    sides = 24
    region = beside(polygon(sides), side, 0.5)
    expected = side * (np.pi / sides) / (2 * np.sin(np.pi / sides))
    assert bends(region.mesh)[region.mesh.facet_walls == 0] == pytest.approx(expected, rel=1e-9)
    errors = [abs(side * mean_bend(beside(polyhedron(n), side, 0.5)) - 1) for n in (100, 400)]
    assert errors[0] < 0.03 and errors[1] == pytest.approx(errors[0] / 4, rel=0.2)


def test_edges_of_60_degrees_and_more_do_not_bend():
    """An icosahedron's differ by 41.8 degrees, an octahedron's by 70.5, a box's by 90 or by 0."""
    golden = (1 + math.sqrt(5)) / 2
    one = np.array([(0, a, b * golden) for a in (-1, 1) for b in (-1, 1)])
    points = np.concatenate([np.roll(one, k, axis=1) for k in range(3)])  # of edge 2
    bend = bends(solid(points).mesh)
    angle = math.pi - math.acos(-math.sqrt(5) / 3)
    assert bend == pytest.approx(-math.sqrt(3) * angle / 2, rel=1e-9)
    assert not bends(solid(np.concatenate([np.eye(3), -np.eye(3)])).mesh).any()
    for dim in (1, 2, 3):
        turned = np.linalg.qr(np.random.default_rng(1).standard_normal((dim, dim)))[0]
        mesh = box_region([4] * dim, displaced=0.2).mesh
        walls = {"all": mesh.facets}
        assert not bends(simplices(mesh.points @ turned, mesh.cells, walls)).any()


def solid(points):
    """A convex polyhedron, as tetrahedra that share the origin."""
    facets = ConvexHull(points).simplices
    cells = np.column_stack([facets, np.full(len(facets), len(points))])
    corners = np.concatenate([points, np.zeros((1, 3))])
    return MeshRegion(simplices(corners, cells, {"first": outer_facets(cells)}))


def test_a_cylinder_bends_half_as_much_and_its_ends_do_not():
    flat, segments = polygon(16)
    centre = np.vstack([flat, [[0, 0]]])
    fan = np.sort(np.column_stack([segments, np.full(16, 16)]), axis=1)
    points = np.concatenate([np.column_stack([centre, np.full(17, z)]) for z in (0.0, 0.5, 1.0)])
    low = np.concatenate([fan, fan + 17])
    cells = np.concatenate([np.hstack([low[:, : k + 1], low[:, k:] + 17]) for k in range(3)])
    mesh = simplices(points, cells, {"all": outer_facets(cells)})
    ends = np.ptp(mesh.points[mesh.facets][:, :, 2], axis=1) == 0
    expected = (np.pi / 16) / (2 * np.sin(np.pi / 16))
    assert not bends(mesh)[ends].any()
    assert bends(mesh)[~ends] == pytest.approx(-expected, rel=1e-9)


@pytest.mark.parametrize("side", STEPS)
@pytest.mark.parametrize("surface", [polygon(12), polygon(48), polyhedron(60), polyhedron(400)])
def test_what_a_partially_absorbing_wall_takes_in_a_step(surface, side):
    """Of a uniform density, beside facets longer and shorter than the step; u = r p is exact."""
    spread, h, dim = STEPS[side], 2.0, surface[0].shape[1]
    region = beside(surface, side, 4.5 * spread)
    found, error = taken_per_area(region, PartiallyAbsorbing(h), spread, seed=23)
    bend = side * (dim - 1) / (2 * radius_of(region))
    assert abs(found - partly_taken(h, bend, spread**2 / 2)) < 3 * error


@pytest.mark.parametrize("side", STEPS)
def test_what_an_absorbing_wall_takes_in_a_step(side):
    """2 sqrt(D dt/pi) +- D dt/R, although the facet nearest to the end may be another one."""
    spread = STEPS[side]
    region = beside(polyhedron(400), side, 4.5 * spread)
    found, error = taken_per_area(region, Absorbing(), spread, seed=24)
    expected = math.sqrt(2 / math.pi) * spread + side * spread**2 / (2 * radius_of(region))
    assert abs(found - expected) < 3 * error


def from_polygon(sides, x):
    """Distances (n,) of points (2, n) from the polygon."""
    points, segments = polygon(sides)
    corner, along = points[segments[:, 0]], points[segments[:, 1]] - points[segments[:, 0]]
    apart = x.T[:, None] - corner
    part = np.clip((apart * along).sum(axis=2) / (along**2).sum(axis=1), 0, 1)
    return np.linalg.norm(apart - part[:, :, None] * along, axis=2).min(axis=1)


@pytest.mark.parametrize(
    ("sides", "begin", "end"),
    [
        (400, (0, 1.05), (0.6, 1.05)),  # where the beginning does not see the facets
        (400, (-0.15, 0.8), (0.15, 0.8)),  # from side to side
        (8, (0.85, 0.12), (0.85, -0.12)),  # from the end of one facet to that of another
    ],
)
def test_both_ends_of_a_bridge_see_the_facets_nearest_to_them(sides, begin, end):
    outside = np.linalg.norm(begin) > 1
    region = layers(*polygon(sides), np.linspace(1, 3 if outside else 0.1, 40))
    count, spread, streams = 40_000, 0.2 if outside else 0.15, Streams(26)
    drift = np.subtract(end, begin)
    mobility = Mobility(spread**2 / 2, 1.0, drift)
    start = np.repeat(np.array(begin, dtype=float)[:, None], count, axis=1)
    mirrored, population = particles(start), particles(start)
    region.move(mirrored, mobility, {}, streams, 0)
    exits = region.move(population, mobility, {"first": Absorbing()}, streams, 0)
    normals = streams.normals(2, mirrored.id, 0, Purpose.MOVE).astype(float)
    free = start + drift[:, None] + spread * normals
    crossed = np.abs(free - mirrored.x).max(axis=0) > 1e-9
    product = from_polygon(sides, start[:, :1]) * from_polygon(sides, mirrored.x)
    taken = np.where(crossed, 1.0, np.exp(-product / mobility.diffusion))
    assert taken[~crossed].sum() > count / 20
    error = math.sqrt((taken * (1 - taken)).sum())
    assert abs(exits.particle.size - taken.sum()) < 3 * error


def test_the_time_in_a_partially_absorbing_ball():
    """From a uniform start, R^2/(15 D) + V/(kappa A), with steps of .15 R."""
    region, kappa = ball_region(100), 1.0
    start = region.sample(30_000, np.random.default_rng(25))
    walls = {"outer": PartiallyAbsorbing(kappa)}
    times = exit_times(region, Mobility(1.0, 0.15**2 / 2), walls, start, seed=25)
    assert abs(z_score(times, 1 / 15 + region.volume / (kappa * region.area("outer")))) < 3
