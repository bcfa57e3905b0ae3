"""Meshes: who need not walk, who is in which cell, and particles with velocities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mesh_regions import ball_region, box_region, disc_region, outer_facets, particles
from scipy import stats

from fem_rd.errors import CaseError
from fem_rd.particles.domains import Box, Mobility
from fem_rd.particles.dynamics import Langevin
from fem_rd.particles.mesh_bins import Boxes
from fem_rd.particles.mesh_region import LostParticlesError, MeshRegion
from fem_rd.particles.mesh_room import Room
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import simplices
from fem_rd.particles.state import Population, System
from fem_rd.particles.stepper import Stepper
from fem_rd.particles.walls import Absorbing, Open, PartiallyAbsorbing

N = 50_000


# --- who need not walk ---


def notched(dim):
    """A displaced box without a corner."""
    whole = box_region([9] * dim, displaced=0.25, seed=2).mesh
    middle = whole.points[whole.cells].mean(axis=1)
    cells = whole.cells[~np.all(middle > 0.6, axis=1)]
    named = outer_facets(cells)
    side = whole.points[named].mean(axis=1)[:, 0] < 1e-9
    walls = {"left": named[side], "rest": named[~side]}
    return MeshRegion(simplices(whole.points, cells, walls))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("spread", [0.01, 0.08, 0.5])
@pytest.mark.parametrize("kind", ["reflecting", "taking"])
def test_who_does_not_walk_ends_where_it_would_by_walking(dim, spread, kind, monkeypatch):
    """The same bits, the same exits: with the room that there is, and where all must walk."""
    left = {"reflecting": {}, "taking": {"left": Absorbing(), "rest": PartiallyAbsorbing(0.3)}}
    found = []
    for walks in (False, True):
        if walks:
            nowhere = lambda self, facets: np.zeros(self.inside.size, np.float32)  # noqa: E731
            monkeypatch.setattr(Room, "distances", nowhere)
        region = notched(dim)
        population = particles(region.sample(4000, np.random.default_rng(3)))
        facets = []
        for step in range(4):
            mobility = Mobility(spread**2 / 2, 1.0, np.full(dim, spread / 3))
            exits = region.move(population, mobility, left[kind], Streams(4), step)
            if walks:
                assert population.cell.min() >= 0
            facets.append((population.id[exits.particle], exits.facet.copy()))
            population.remove(exits.particle)
        found.append((population.x.copy(), facets, np.any(population.cell < 0)))
    (x, exits, jumped), (walked, walked_exits, _) = found
    assert jumped or spread > 0.05
    assert np.array_equal(x, walked)
    for one, other in zip(exits, walked_exits, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_room_is_never_more_than_there_is(dim):
    """Against distances from many points of the boundary, and from what is outside."""
    from scipy.spatial import cKDTree

    region = notched(dim)
    room, mesh = region._room, region.mesh
    free = room.distances(np.ones(len(mesh.facets), dtype=bool))
    points = region.sample(20_000, np.random.default_rng(5))
    along = np.floor((points - room.boxes.lower[:, None]) * room.boxes.inverse[:, None])
    rows = np.concatenate([[1], np.cumprod(room.boxes.counts)[:-1]])
    bound = free[(rows @ along).astype(int)]
    weights = np.random.default_rng(6).dirichlet(np.ones(dim), (len(mesh.facets), 400))
    surface = np.einsum("fsk,fka->fsa", weights, mesh.points[mesh.facets]).reshape(-1, dim)
    distance = cKDTree(surface).query(points.T)[0]
    assert np.all(bound <= distance)
    assert bound.max() > 0.5 * distance.max()


@pytest.mark.parametrize("number", [1, 50, 1e5])
def test_boxes_are_not_more_than_asked_for_in_a_flat_region(number):
    flat = box_region([20, 10, 1], upper=[2.0, 1.0, 1e-5])
    boxes = Boxes.over(flat.mesh, number)
    assert number / 3 < boxes.size <= number
    assert boxes.counts[2] == 1
    assert abs(boxes.counts[0] - 2 * boxes.counts[1]) < 2


def test_how_many_are_in_each_cell():
    region = box_region([5, 5, 5], displaced=0.2)
    population = particles(region.sample(N, np.random.default_rng(7)))
    population.cells[: population.count] = 3  # wrong for nearly all
    for step in range(3):
        region.move(population, Mobility(1e-4, 1.0), {}, Streams(8), step)
    counts = region.cell_counts(population)
    assert counts.sum() == N
    assert np.array_equal(population.cell, region.locate(population.x))
    assert np.array_equal(counts, np.bincount(population.cell, minlength=750))
    unknown = Population(3)
    unknown.append(population.x, population.id)
    assert np.array_equal(region.cell_counts(unknown), counts)
    population.positions[0, 5] = 2.0
    with pytest.raises(LostParticlesError, match="1 particles"):
        region.cells_of(population)


# --- particles with velocities ---


def flying(domain, count, dynamics, seed=9, **walls):
    system = System(domain.dimension, ["A"], Streams(seed), velocities=True)
    system.add("A", np.random.default_rng(seed).random((domain.dimension, count)))
    dynamics.start(system["A"], system.streams)
    return Stepper(system, domain, {"A": dynamics}, {"A": walls})


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_flight_in_a_meshed_box_is_flight_in_the_box(dim):
    """The same particles, velocities and exits, step by step: lines and mirrors are exact."""
    dynamics = Langevin(1.0, 0.8, 0.5, lambda x: 0.4 - x)
    walls = {"left": Absorbing(), "right": Open()} if dim < 3 else {"left": Absorbing()}
    mesh, box = box_region([6] * dim, displaced=0.25), Box((0.0,) * dim, (1.0,) * dim)
    runs = [flying(domain, 5000, dynamics, **walls) for domain in (mesh, box)]
    for _ in range(40):
        exits = [run.step(0.12)["A"] for run in runs]
        assert np.array_equal(exits[0].particle, exits[1].particle)
        assert np.array_equal(exits[0].wall, exits[1].wall)
        assert np.allclose(exits[0].points, exits[1].points, rtol=0, atol=1e-12)
        one, other = (run.system["A"] for run in runs)
        assert np.abs(one.x - other.x).max() < 1e-12
        assert np.abs(one.v - other.v).max() < 1e-12
    assert 100 < one.count < 4000


@pytest.mark.parametrize("region", [disc_region(40, 0.5), ball_region(300)])
def test_equilibrium_in_a_round_mesh_stays(region):
    """Uniform by cells, normal velocities of variance T/m, which do not know the place."""
    dynamics = Langevin(2.0, 0.7, 0.9)
    system = System(region.dimension, ["A"], Streams(10), velocities=True)
    system.add("A", region.sample(N, np.random.default_rng(10)))
    dynamics.start(system["A"], system.streams)
    run = Stepper(system, region, {"A": dynamics}, {})
    for _ in range(15):
        run.step(0.4)
    x, v = system["A"].x, system["A"].v
    for row in v:
        assert stats.kstest(row / dynamics.thermal_speed, "norm").pvalue > 1e-3
    radial = (x * v).sum(axis=0)
    assert abs(radial.mean()) < 4 * radial.std() / math.sqrt(N)
    shares = region.mesh.volumes / region.volume
    large = np.argsort(shares)[len(shares) // 2 :]
    found, expected = region.cell_counts(system["A"])[large], N * shares[large]
    square = ((found - expected) ** 2 / expected).sum()
    assert abs(square - large.size) < 4 * math.sqrt(2 * large.size)


def test_flight_through_a_mesh_diffuses():
    """<x^2> = 2 D [t - (1 - exp(-gamma t))/gamma], D = T/(m gamma), where no wall is near."""
    mass, friction, temperature, dt, steps = 2.0, 5.0, 0.002, 0.05, 40
    region, dynamics = box_region([8, 8, 8], displaced=0.2), Langevin(mass, friction, temperature)
    system = System(3, ["A"], Streams(11), velocities=True)
    system.add("A", np.full((3, N), 0.5))
    dynamics.start(system["A"], system.streams)
    run = Stepper(system, region, {"A": dynamics}, {})
    for _ in range(steps):
        run.step(dt)
    t = dt * steps
    expected = 2 * temperature / (mass * friction) * (t + math.expm1(-friction * t) / friction)
    z = (((system["A"].x - 0.5) ** 2).mean() / expected - 1) / math.sqrt(2 / 3 / N)
    assert abs(z) < 3


def test_what_flight_cannot_do_is_refused():
    region, dynamics = box_region([3, 3]), Langevin(1.0, 1.0, 1.0)
    with pytest.raises(CaseError, match="partially absorbing"):
        flying(region, 5, dynamics, left=PartiallyAbsorbing(1.0)).step(0.1)
