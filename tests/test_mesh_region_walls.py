"""Walls of mesh regions: exit times against closed forms, fluxes, rims, regions, ranks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mesh_regions import (
    ball_region,
    box_region,
    disc_region,
    exit_times,
    outer_facets,
    particles,
    z_score,
)
from ranks import run_on_ranks

from fem_rd.particles.domains import Mobility
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import simplices
from fem_rd.particles.walls import Absorbing, Detection, Open, PartiallyAbsorbing

SAMPLES = 100_000


def slab(dim):
    return box_region([10, 4, 4][:dim], upper=[1.0, 0.4, 0.4][:dim], displaced=0.2)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_exit_from_a_slab(dim):
    """Survival in the slab 0 < x < 1 from x = .3; bridges against planes are exact at any dt."""
    region, start = slab(dim), np.full((dim, SAMPLES), 0.2)
    start[0] = 0.3
    both = {"left": Absorbing(), "right": Open()}
    times = exit_times(region, Mobility(1.0, 0.005), both, start, seed=11 + dim)
    for time, survival in [(0.01, 0.966104403377), (0.05, 0.63040107114), (0.1, 0.383934269789)]:
        assert abs(z_score(times > time, survival)) < 3
    assert abs(z_score(times, 0.105)) < 3


def test_facets_of_one_wall_that_face_each_other_are_asked_in_turn():
    both = slab(1).mesh
    region = MeshRegion(simplices(both.points, both.cells, {"ends": both.facets}))
    start = np.full((1, SAMPLES), 0.3)
    times = exit_times(region, Mobility(1.0, 0.05), {"ends": Absorbing()}, start, seed=20)
    assert abs(z_score(times > 0.1, 0.383934269789)) < 3


def test_absorption_at_the_end_of_a_step_is_seen_to_be_wrong():
    """The walls of a slab then seem to lie 0.5826 sqrt(2 D dt) farther out (an order too good)."""
    dt, start = 0.002, np.full((1, SAMPLES), 0.3)
    ends = {"left": Absorbing(bridge=False), "right": Absorbing(bridge=False)}
    times = exit_times(slab(1), Mobility(1.0, dt), ends, start, seed=15) + dt / 2
    shift = 0.5825971579 * np.sqrt(2 * dt)
    assert abs(z_score(times, (0.3 + shift) * (0.7 + shift) / 2)) < 3
    assert z_score(times, 0.105) > 30


def test_exit_from_a_triangle():
    """From the centroid of an equilateral triangle of height h: d1 d2 d3/(h D) = h^2/(27 D)."""
    n, height = 6, np.sqrt(3) / 2
    place = {(i, j): len_ for len_, (i, j) in enumerate(
        (i, j) for i in range(n + 1) for j in range(n + 1 - i))}  # fmt: skip
    points = [[(i + j / 2) / n, j * height / n] for i, j in place]
    up = [[(i, j), (i + 1, j), (i, j + 1)] for i in range(n) for j in range(n - i)]
    down = [[(i + 1, j), (i + 1, j + 1), (i, j + 1)] for i in range(n) for j in range(n - 1 - i)]
    cells = np.array([[place[corner] for corner in cell] for cell in up + down])
    region = MeshRegion(simplices(points, cells, {"all": outer_facets(cells)}))
    start = np.repeat([[0.5], [height / 3]], SAMPLES, axis=1)
    times = exit_times(region, Mobility(1.0, 2.5e-4), {"all": Absorbing()}, start, seed=12)
    assert abs(z_score(times, height**2 / 27)) < 3


def test_exit_from_a_ball():
    """R^2/(6 D) from the centre; R such that the polyhedron has the volume of the ball."""
    region, start = ball_region(1000), np.zeros((3, SAMPLES))
    assert region.volume == pytest.approx(4 * np.pi / 3, rel=1e-12)
    times = exit_times(region, Mobility(1.0, 1e-3), {"outer": Absorbing()}, start, seed=13)
    assert abs(z_score(times, 1 / 6)) < 3
    # E[T^2] = 7 R^4/(180 D^2)
    assert abs(z_score(times**2, 7 / 180)) < 3


@pytest.mark.slow
@pytest.mark.parametrize("dt", [1e-3, 2.5e-4])
def test_narrow_escape_from_a_disc(dt):
    """Through an arc of half angle .5: 1/8 - ln sin(1/4) over D, from anywhere."""
    region = disc_region(96, 0.5)
    start = region.sample(SAMPLES, np.random.default_rng(14))
    times = exit_times(region, Mobility(1.0, dt), {"arc": Absorbing()}, start, seed=14)
    assert abs(z_score(times, 1.5217328157)) < 3


@pytest.mark.parametrize("dt", [0.02, 0.005])
def test_the_rim_of_an_absorbing_stripe(dt):
    """Half of a wall absorbs: flux through periodic stripes, 1/(H + ln 2/pi) (REFERENCES: exact).

    Mean time in a strip of width l = 1 and height H = 1 with sources everywhere, by conservation
    of particles at a steady flux from the far wall: from that wall, H^2/2 + H ln 2/pi.
    """
    region = box_region([16, 16], displaced=0.2)
    mesh = region.mesh
    middle = mesh.points[mesh.facets].mean(axis=1)
    bottom = mesh.facet_walls == region.walls.index("bottom")
    facets = {"stripe": bottom & (middle[:, 0] < 0.5), "rest": ~bottom | (middle[:, 0] > 0.5)}
    striped = MeshRegion(
        simplices(mesh.points, mesh.cells, {n: mesh.facets[f] for n, f in facets.items()})
    )
    start = np.random.default_rng(16).random((2, SAMPLES))
    start[1] = 1.0
    times = exit_times(striped, Mobility(1.0, dt), {"stripe": Absorbing()}, start, seed=16)
    # a mirrored strip: period 2, half of it absorbs
    assert abs(z_score(times, 1 / 2 + 2 * np.log(2) / (2 * np.pi))) < 3


@pytest.mark.parametrize("dim", [1, 2])
def test_partial_absorption(dim):
    """From a uniform start between two such walls: L^2/(12 D) + L/(2 kappa), at any dt."""
    region, kappa = slab(dim), 3.0
    start = region.sample(SAMPLES, np.random.default_rng(17))
    walls = {name: PartiallyAbsorbing(kappa) for name in ("left", "right")}
    times = exit_times(region, Mobility(1.0, 0.01), walls, start, seed=17)
    assert abs(z_score(times, 1 / 12 + 1 / (2 * kappa))) < 3


@pytest.mark.parametrize("detection", [Detection.BRIDGE, Detection.END_OF_STEP])
def test_adsorption_when_met_agrees_as_kappa_root_dt_vanishes(detection):
    region, kappa, dt = slab(1), 0.5, 1e-3
    start = region.sample(SAMPLES, np.random.default_rng(18))
    walls = {name: PartiallyAbsorbing(kappa, detection) for name in ("left", "right")}
    times = exit_times(region, Mobility(1.0, dt), walls, start, seed=18)
    assert times.mean() == pytest.approx(1 / 12 + 1 / (2 * kappa), rel=0.03)
    assert abs(z_score(times, 1 / 12 + 1 / kappa)) > 30


def test_flux_through_each_open_facet():
    """A uniform density c loses 2 c A sqrt(D dt/pi) in a step, by facets in proportion to area."""
    region, count, dt = slab(3), 400_000, 0.002
    density = count / region.volume
    start = region.sample(count, np.random.default_rng(19))
    population = particles(start)
    exits = region.move(population, Mobility(1.0, dt), {"left": Open()}, Streams(19), 0)
    mesh = region.mesh
    areas = np.where(mesh.facet_walls == region.walls.index("left"), mesh.facet_areas, 0.0)
    expected = 2 * density * areas * np.sqrt(dt / np.pi)
    found = np.bincount(exits.facet, minlength=len(areas))
    assert abs(found.sum() - expected.sum()) < 3 * np.sqrt(expected.sum())
    open_ = areas > 0
    square = ((found - expected)[open_] ** 2 / expected[open_]).sum()
    assert abs(square - open_.sum()) < 3 * np.sqrt(2 * open_.sum())
    assert np.array_equal(exits.wall, np.zeros(exits.particle.size)) and not found[~open_].any()
    # each crossed on its facet, next to where it was
    at = population.x[:, exits.particle]
    assert np.abs(at[0]).max() < 1e-14
    corners = mesh.points[mesh.facets[exits.facet]]
    frames = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], axis=2)[:, :, 1:]
    weights = np.linalg.solve(frames.transpose(0, 2, 1), np.vstack([at[1:], np.ones_like(at[0])]).T[
        :, :, None])  # fmt: skip
    assert weights.min() > -1e-10
    assert np.linalg.norm(at - start[:, exits.particle], axis=0).max() < 6 * np.sqrt(2 * dt)


RANKS = """
import hashlib, json
from dataclasses import replace
import numpy as np
from mpi4py import MPI
from fem_rd.case.schema import BuiltinMesh
from fem_rd.mesh.builtin import builtin_mesh
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.packing import pack
from fem_rd.mesh.region_arrays import region_arrays
from fem_rd.particles.domains import Mobility
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.random import Streams
from fem_rd.particles.state import Population
from fem_rd.particles.walls import Absorbing

comm = MPI.COMM_WORLD
arrays = builtin_mesh(BuiltinMesh(builtin="box", lower=[0.0] * 3, upper=[1.0] * 3, cells=[6] * 3))
left = arrays.points[arrays.cells].mean(axis=1)[:, 0] < 0.5
arrays = replace(arrays, cell_tags=np.where(left, 1, 2), regions={"bath": 1, "cell": 2})
domain = distribute(pack(arrays) if comm.rank == 0 else None, comm)
region = MeshRegion(region_arrays(domain, "cell"))
only = region_arrays(domain, "cell", rank=0)
x = region.sample(2000, np.random.default_rng(1))
population = Population(3)
population.append(x, np.arange(2000))
for step in range(5):
    exits = region.move(population, Mobility(0.01, 1.0), {"to_bath": Absorbing()}, Streams(1), step)
    population.remove(exits.particle)
arrays = population.x, population.id, region.mesh.points, region.mesh.cells, exits.facet
digest = hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
result = [digest, region.volume, {w: region.area(w) for w in region.walls}, population.count]
everyone = comm.gather((result, only is None))
if comm.rank == 0:
    print(json.dumps(everyone))
"""


@pytest.mark.mpi
def test_any_number_of_ranks_has_the_same_region_and_trajectories(tmp_path: Path):
    script = tmp_path / "region.py"
    script.write_text(RANKS, "utf-8")
    results = []
    for ranks in (1, 2, 3):
        done = run_on_ranks(ranks, script, tmp_path)
        assert done.returncode == 0, done.stderr
        everyone = json.loads(done.stdout.splitlines()[-1])
        assert [absent for _, absent in everyone] == [False] + [True] * (ranks - 1)
        results += [result for result, _ in everyone]
    assert all(result == results[0] for result in results)
    _, volume, areas, count = results[0]
    assert volume == pytest.approx(0.5, rel=1e-12)
    half = dict.fromkeys(["front", "back", "bottom", "top"], 0.5)
    assert areas == pytest.approx({"right": 1.0, **half, "to_bath": 1.0}, rel=1e-12)
    assert 500 < count < 1500
