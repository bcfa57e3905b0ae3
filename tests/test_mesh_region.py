"""Particles that walk through meshes: exactness of the walk, and that nobody is lost."""

from __future__ import annotations

import numpy as np
import pytest
from mesh_regions import box_region, outer_facets, particles
from scipy.stats import chi2

from fem_rd.errors import CaseError
from fem_rd.particles.domains import Box, Mobility
from fem_rd.particles.mesh_region import LostParticlesError, MeshRegion
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import simplices
from fem_rd.particles.state import Population
from fem_rd.particles.walls import Absorbing, Open, PartiallyAbsorbing, Periodic


def moved(population, region, spread, steps, seed=3, walls=None, drift=None):
    mobility = Mobility(spread**2 / 2, 1.0, drift)
    streams = Streams(seed)
    for step in range(steps):
        exits = region.move(population, mobility, walls or {}, streams, step)
    return exits


def in_cells(region, population):
    """How far the particles are outside of the cells that they are said to be in."""
    planes = region.mesh.planes[region.cells_of(population)]
    heights = np.einsum("nka,an->nk", planes[..., :-1], population.x) - planes[..., -1]
    return -heights.min()


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("spread", [0.01, 0.1, 1.7])
def test_a_meshed_box_is_the_box(dim, spread):
    """The same ids, seeds and steps: reflection at every face is exact, whatever the cells are."""
    region, box = box_region([6] * dim, displaced=0.25), Box((0.0,) * dim, (1.0,) * dim)
    start = region.sample(5000, np.random.default_rng(1))
    in_mesh, in_box = particles(start), particles(start)
    for step in range(10):
        mobility, streams = Mobility(spread**2 / 2, 1.0), Streams(2)
        region.move(in_mesh, mobility, {}, streams, step)
        box.move(in_box, mobility, {}, streams, step)
        assert np.abs(in_mesh.x - in_box.x).max() < 1e-14
        assert in_cells(region, in_mesh) < 1e-14
        in_box.positions[:] = in_mesh.positions


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_mean_square_displacement(dim):
    region, count, steps, spread = box_region([12] * dim, displaced=0.2), 100_000, 25, 0.02
    population = particles(np.full((dim, count), 0.5))
    moved(population, region, spread, steps)
    squares = ((population.x - 0.5) ** 2).sum(axis=0)
    variance = steps * spread**2
    z = (squares.mean() / (dim * variance) - 1) / np.sqrt(2 / (dim * count))
    assert abs(z) < 3
    assert np.abs(population.x.mean(axis=1) - 0.5).max() < 3.5 * np.sqrt(variance / count)


def non_convex(dim):
    """A box without its upper quarter: a re-entrant edge."""
    whole = box_region([8] * dim, displaced=0.25).mesh
    middle = whole.points[whole.cells].mean(axis=1)
    cells = whole.cells[~np.all(middle[:, :2] > 0.5, axis=1)]
    return MeshRegion(simplices(whole.points, cells, {"all": outer_facets(cells)}))


@pytest.mark.parametrize("dim", [2, 3])
def test_uniform_stays_uniform_around_a_re_entrant_edge(dim):
    region, count = non_convex(dim), 200_000
    population = particles(region.sample(count, np.random.default_rng(4)))
    for steps in (0, 40):
        if steps:
            moved(population, region, 0.07, steps)
        found = np.bincount(region.locate(population.x), minlength=len(region.mesh.cells))
        expected = count * region.mesh.volumes / region.volume
        square, freedom = ((found - expected) ** 2 / expected).sum(), len(expected) - 1
        assert abs(square - freedom) < 3 * np.sqrt(2 * freedom)
        assert 1e-4 < chi2.cdf(square, freedom) < 1 - 1e-4


def test_nobody_is_lost_in_a_bad_mesh():
    """Ten million steps among slivers, most of which cross several cells."""
    rng = np.random.default_rng(5)
    whole = box_region([8] * 3).mesh
    i, j, k = np.rint(8 * whole.points).astype(int).T
    shift = rng.uniform(-0.03, 0.03, (9, 9, 2))
    shift[[0, -1]] = shift[:, [0, -1]] = 0
    height = np.array([0, 0.2, 0.5, 0.5 + 1e-8, 0.5 + 2e-7, 0.6, 0.9, 1 - 1e-6, 1])
    points = np.column_stack([whole.points[:, :2] + shift[i, j], height[k]])
    region = MeshRegion(simplices(points, whole.cells, {"all": outer_facets(whole.cells)}))
    assert region.volume == pytest.approx(1, rel=1e-12)
    assert region.mesh.volumes.min() < 1e-7 * region.mesh.volumes.max()
    population = particles(region.sample(50_000, rng))
    moved(population, region, 0.2, 200)
    assert in_cells(region, population) < 1e-13
    assert population.x.min() >= -1e-15 and population.x.max() <= 1 + 1e-15
    found = np.histogramdd(population.x.T, bins=4, range=[(0, 1)] * 3)[0]
    expected = population.count / 64
    assert abs(((found - expected) ** 2).sum() / expected - 63) < 3 * np.sqrt(2 * 63)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_steps_along_edges_and_through_vertices(dim):
    """From vertices, exactly along axes and diagonals of a structured mesh: all is degenerate."""
    region = box_region([4] * dim)
    vertices = region.mesh.points.T.copy()
    steps = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * dim), axis=-1).reshape(-1, dim)
    for drift in np.concatenate([steps / 8, steps / 4, steps * 1.3]):
        population, unfolded = particles(vertices), vertices.copy()
        for step in range(6):
            region.move(population, Mobility(0.0, 1.0, drift), {}, Streams(0), step)
            turn = (unfolded + drift[:, None]) % 2
            unfolded = np.minimum(turn, 2 - turn)
        assert np.abs(population.x - unfolded).max() < 1e-13
        assert in_cells(region, population) < 1e-13


def test_a_wrong_cell_is_put_right_and_a_lost_particle_is_an_error():
    region = box_region([5, 5], displaced=0.2)
    start = region.sample(1000, np.random.default_rng(6))
    known, unknown = particles(start), Population(2)
    known.cells[:1000] = region.locate(start)
    unknown.append(start, np.arange(1000))
    moved(known, region, 0.1, 3)
    moved(unknown, region, 0.1, 3)
    assert np.array_equal(known.x, unknown.x)
    assert np.array_equal(region.cells_of(known), region.cells_of(unknown))
    known.positions[:, 17] = 1.5, 0.5
    known.positions[:, 18] = np.nan, 0.5
    others = np.delete(known.x, [17, 18], axis=1)
    with pytest.raises(LostParticlesError, match=r"2 particles .* particle 17 .*\[1\.5, 0\.5\]"):
        moved(known, region, 0.1, 1)
    assert np.array_equal(known.x[:, 17], [1.5, 0.5])
    assert not np.any(np.delete(known.x, [17, 18], axis=1) == others)


@pytest.mark.parametrize("dim", [2, 3])
def test_the_order_of_particles_does_not_matter(dim):
    region, count = box_region([5] * dim, displaced=0.2), 3000
    walls = {"left": Absorbing(), "right": PartiallyAbsorbing(2.0), "front": Open()}
    if dim == 2:
        walls.pop("front")
    start, order = region.sample(count, np.random.default_rng(7)), np.arange(count)
    results = []
    for permuted in (order, np.random.default_rng(8).permutation(count), order[::-1][:777]):
        population = Population(dim, cells=True)
        population.append(start[:, permuted], permuted)
        exits = moved(population, region, 0.1, 1, walls=walls)
        facet = np.full(count, -9)
        facet[permuted] = -1
        facet[population.id[exits.particle]] = exits.facet
        x = np.full((dim, count), np.nan)
        x[:, permuted] = population.x
        results.append((x, facet))
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])
    some = results[2][1] > -9
    assert np.array_equal(results[0][0][:, some], results[2][0][:, some])
    assert np.array_equal(results[0][1][some], results[2][1][some])


def test_samples_and_places():
    region = non_convex(3)
    points = region.sample(100_000, np.random.default_rng(9))
    cells = region.locate(points)
    assert cells.min() >= 0
    expected = len(cells) * region.mesh.volumes / region.volume
    square = ((np.bincount(cells, minlength=len(expected)) - expected) ** 2 / expected).sum()
    assert abs(square - len(expected) + 1) < 3 * np.sqrt(2 * len(expected))
    outside = np.array([[0.75, 2.0, 0.5, np.nan], [0.75, 0.5, -0.01, 0.5], [0.5] * 4])
    assert not region.contains(outside).any()
    assert region.contains(region.mesh.points[region.mesh.cells].mean(axis=1).T).all()
    assert region.contains(region.mesh.points[np.unique(region.mesh.cells)].T).all()
    assert region.volume == pytest.approx(0.75, abs=0.05)


def test_areas_and_neighbours():
    region = box_region([3, 4, 5], upper=[1.0, 2.0, 3.0], displaced=0.2)
    assert region.volume == pytest.approx(6, rel=1e-13)
    areas = [6, 6, 3, 3, 2, 2]
    assert [region.area(wall) for wall in region.walls] == pytest.approx(areas, rel=1e-13)
    across = region.mesh.neighbours
    assert np.count_nonzero(across < 0) == 2 * 2 * (3 * 4 + 4 * 5 + 3 * 5)
    cell, place = np.nonzero(across >= 0)
    back = across[across[cell, place]] == cell[:, None]
    assert np.all(back.sum(axis=1) == 1)
    # the same bits from either side, but for the sign: paths never turn back where they came in
    turned = np.random.default_rng(10).permuted(region.mesh.cells, axis=1)
    mesh = simplices(region.mesh.points, turned, {"all": outer_facets(turned)})
    cell, place = np.nonzero(mesh.neighbours >= 0)
    other = mesh.neighbours[cell, place]
    back = np.argmax(mesh.neighbours[other] == cell[:, None], axis=1)
    assert np.array_equal(mesh.planes[cell, place], -mesh.planes[other, back])


def test_what_cannot_be():
    square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    sides = [[0, 1], [1, 2], [2, 3], [0, 3]]
    cells = [[0, 1, 2], [0, 2, 3]]
    with pytest.raises(CaseError, match="1 facets of the boundary of the region have no name"):
        simplices(square, cells, {"sides": sides[:3]})
    with pytest.raises(CaseError, match="belong to no cell"):
        simplices(square, cells, {"sides": [*sides, [1, 3]]})
    with pytest.raises(CaseError, match="more than two cells"):
        simplices([*square, [0.5, 2.0]], [*cells, [0, 2, 4]], {"sides": sides})
    flat = simplices([*square[:2], [0.5, 0.0]], [[0, 1, 2]], {"sides": [[0, 1], [1, 2], [0, 2]]})
    with pytest.raises(CaseError, match="flat"):
        MeshRegion(flat).locate(np.zeros((2, 1)))
    overlap = simplices([*square[:3], [2.0, 0.5]], [[0, 1, 2], [0, 2, 3]], {"sides": [
        [0, 1], [1, 2], [2, 3], [0, 3]]})  # fmt: skip
    with pytest.raises(CaseError, match="overlap"):
        MeshRegion(overlap).locate(np.zeros((2, 1)))
    middle = np.full((2, 1), 0.5)
    with pytest.raises(CaseError, match="periodic"):
        moved(particles(middle), box_region([2, 2]), 0.1, 1, walls={"left": Periodic()})
    with pytest.raises(CaseError, match="no such wall"):
        moved(particles(middle), box_region([2, 2]), 0.1, 1, walls={"lfet": Open()})
