"""Particles of a case that has a mesh: the way out of a ball, walls, regions, ranks, mistakes."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
from cases import Run, build, call, run, values_of, write_case
from ranks import run_on_ranks
from scipy.special import iv as i_nu

from fem_rd.case.case import read_case
from fem_rd.case.loading import load_case
from fem_rd.errors import CaseError, CaseErrors

CASES = Path(__file__).parents[1] / "cases"
BALL = CASES / "particles-in-a-mesh"
COARSE = ("mesh.parameters.size=R/4", "mesh.parameters.size_far=R/3", "time.step=0.002")
SLAB = """
model = "particles"
[mesh]
builtin = "rectangle"
upper = [1.0, 0.5]
cells = [8, 4]
[particles]
seed = 5
replicas = 3
[particles.domain]
type = "mesh"
[particles.species.A]
diffusion = 1.0
number = 3000
[particles.walls.right]
type = "absorbing"
[time]
end = 0.2
step = 0.002
"""
MESH = """
[mesh]
builtin = "rectangle"
upper = [1.0, 0.5]
cells = [8, 4]
"""
DISC = 'type = "ball"\nradius = 1\ndimension = 2'
AVERAGE = """
[particles.averages.mean_x]
species = "A"
of = "x"
"""
REACTIONS = """
[chemistry.reactions.meet]
equation = "A + A -> A"
combination_rate = 20.0
radius = 0.02
[output]
fields_every = 0.05
[checkpoint]
steps = 1
"""
HALVES = """
model = "particles"
[mesh]
geometry = "halves.geo"
[particles.domain]
type = "mesh"
region = "low"
[particles.species.A]
diffusion = 1.0
number = 20000
[particles.walls.to_high]
type = "partially-absorbing"
kappa = 2.0
[time]
end = 0.4
step = 0.002
"""
GEOMETRY = """
SetFactory("OpenCASCADE");
Rectangle(1) = {0, 0, 0, 1, 1};
Rectangle(2) = {1, 0, 0, 2, 1};
BooleanFragments{ Surface{1, 2}; Delete; }{}
Physical Surface("low") = {1};
Physical Surface("high") = {2};
e = 0.01;
Physical Curve("floor") = Curve In BoundingBox {-e, -e, -e, 2 + e, e, e};
Physical Curve("ceiling") = Curve In BoundingBox {-e, 1 - e, -e, 2 + e, 1 + e, e};
Physical Curve("ends") = Curve In BoundingBox {-e, -e, -e, e, 1 + e, e};
Physical Curve("ends") += Curve In BoundingBox {2 - e, -e, -e, 2 + e, 1 + e, e};
Mesh.MeshSizeMax = 0.25;
"""


def trajectory(path: Path, name: str) -> np.ndarray:
    with h5py.File(path / "particles.vtkhdf") as file:
        return file[f"VTKHDF/{name}"][:]


def scored(found: Run, name: str, exact: float) -> float:
    """Standard errors from what it should be."""
    one = found.summary["observables"][name]
    return (one["value"] - exact) / one["error"]


def test_molecules_find_the_way_out_of_a_ball(tmp_path):
    """The mean time is R^2/(15 D), less what a polyhedron lies within the ball: some 2 %."""
    found = run(BALL, tmp_path / "out", *COARSE, "particles.species.A.number=20000")
    assert found.value("ledger_residual") == 0
    assert found.value("exit_time_A_surface") == pytest.approx(1 / 15, rel=0.05)
    assert found.record["mesh"]["dimension"] == 3


def test_the_survivors_are_those_of_a_slab(tmp_path):
    """An absorbing side and three that reflect: a series of cosines, and its binomial variance."""
    model = build(tmp_path, SLAB)
    while model.time < 0.2 * (1 - 1e-12):
        model.advance(0.2)
    odd = np.arange(1, 60, 2) * math.pi / 2
    survival = float((2 / odd**2 * np.exp(-(odd**2) * 0.2)).sum())
    found = values_of(model)
    error = math.sqrt(3000 * survival * (1 - survival) / 3)
    assert abs(found["count_A"] - 3000 * survival) < 3 * error
    assert found["left_A_right"] + found["count_A"] == pytest.approx(3000)


@pytest.mark.parametrize("domain", ["mesh", "ball"])
def test_the_distribution_in_a_potential_is_that_of_boltzmann(domain, tmp_path):
    """Mean x with U = -2 x, in the unit rectangle of the mesh, and in a unit disc."""
    text = SLAB.replace("[particles.walls.right]\ntype = \"absorbing\"\n", AVERAGE)
    text = text.replace("diffusion = 1.0", "diffusion = 1.0\npotential = \"-2*x\"")
    expected = (math.e**2 + 1) / (2 * (math.e**2 - 1))
    if domain == "ball":
        text = text.replace(MESH, "\n").replace('type = "mesh"', DISC)
        expected = i_nu(2, 2.0) / i_nu(1, 2.0)
    model = build(tmp_path, text, "time.end=1", "time.step=0.001")
    while model.time < 1 - 1e-12:
        model.advance(1.0)
    found = {one.name: one for one in model.observables()}["mean_x"]
    assert abs(found.value - expected) < 3 * found.error + 1e-3


def test_a_region_ends_where_another_begins(tmp_path):
    """The wall to the other region takes up kappa c: slowest mode of mu tan mu = kappa."""
    (tmp_path / "halves.geo").write_text(GEOMETRY)
    model = build(tmp_path, HALVES)
    while model.time < 0.4 * (1 - 1e-12):
        model.advance(0.4)
    mu = np.array([1.076873986311804, 3.643597167354139, 6.578333734084984])
    weight = 2 * np.sin(mu) ** 2 / (mu**2 + mu * np.sin(mu) * np.cos(mu))
    survival = float((weight * np.exp(-(mu**2) * 0.4)).sum())
    error = math.sqrt(20000 * survival * (1 - survival))
    assert abs(values_of(model)["count_A"] - 20000 * survival) < 3 * error


@pytest.mark.mpi
def test_ranks_and_resuming_change_no_bit(tmp_path):
    """Three replicas on one rank and on two, and from there again on one; with reactions."""
    case = write_case(tmp_path / "case", SLAB + REACTIONS)
    one = run(case, tmp_path / "one")
    assert one.value("events_meet") > 100
    assert one.value("ledger_residual") == 0
    words = ["-m", "fem_rd", "run", str(case), "-o", "two"]
    ended = run_on_ranks(2, words, tmp_path)
    assert ended.returncode == 0, ended.stderr
    for _ in range(2):
        for name in ("Points", "PointData/id", "Steps/Values"):
            points = [trajectory(tmp_path / which, name) for which in ("one", "two")]
            assert np.array_equal(*points), name
        rows = [(tmp_path / name / "observables.csv").read_text() for name in ("one", "two")]
        assert rows[0] == rows[1]
        sorted((tmp_path / "two" / "checkpoint").glob("step-*.npz"))[-1].unlink()
        assert call("resume", tmp_path / "two") == 0


def test_velocities_in_a_mesh(tmp_path):
    """Half of a run, saved and gone on with, is the whole; as many survive as in a box."""
    text = SLAB.replace("diffusion = 1.0", "diffusion = 1.0\nfriction = 40").replace(
        "seed = 5", 'dynamics = "langevin"')  # fmt: skip
    whole, second = build(tmp_path / "a", text), build(tmp_path / "b", text)
    while whole.time < 0.1 * (1 - 1e-12):
        whole.advance(0.1)
    second.restore(whole.state())
    box = 'type = "box"\nupper = [1.0, 0.5]'
    closed = build(tmp_path / "c", text.replace(MESH, "\n").replace('type = "mesh"', box))
    for model in (whole, second, closed):
        while model.time < 0.2 * (1 - 1e-12):
            model.advance(0.2)
    one, other, boxed = (values_of(model) for model in (whole, second, closed))
    assert one == other
    error = math.sqrt(3000 * 0.25 / 3)
    assert abs(one["count_A"] - boxed["count_A"]) < 3 * math.sqrt(2) * error
    assert 1000 < one["count_A"] < 2500


@pytest.mark.parametrize("axis", ["x", "y", "r"])
def test_profiles_of_a_mesh(axis, tmp_path):
    """A uniform density within reflecting walls is seen as uniform, whatever the intervals are."""
    text = SLAB.replace('type = "absorbing"', 'type = "reflecting"')
    measure = f'[particles.measure]\nbins = 6\naxis = "{axis}"\nbegin = 0.02\n'
    model = build(tmp_path, text + measure)
    while model.time < 0.2 * (1 - 1e-12):
        model.advance(0.2)
    columns = model.tables()["profiles"].columns
    assert columns[f"{axis}_from"][0] == 0
    end = {"x": 1.0, "y": 0.5, "r": math.sqrt(1.25)}[axis]
    assert columns[f"{axis}_to"][-1] == pytest.approx(end)
    score = (columns["A"] - 6000) / columns["A_error"]
    assert np.all(np.abs(score) < 4)
    assert np.all(columns["A_error"] < 0.06 * 6000)


MISTAKES = {
    "no mesh": (
        SLAB.replace(MESH, "\n"),
        "mesh: the section is missing; valid: a mesh, for particles.domain.type = 'mesh'"),
    "a mesh of no use": (
        SLAB.replace('type = "mesh"', DISC),
        "particles.domain: has a form of its own and needs no section \\[mesh\\]; found 'ball'"),
    "region": (
        SLAB.replace('type = "mesh"', 'type = "mesh"\nregion = "inside"'),
        "particles.domain: the mesh has no such region; found 'inside'"),
    "wall": (
        SLAB.replace("walls.right", "walls.rigth"),
        "particles.walls.rigth: the domain has no such wall; did you mean 'right'"),
    "periodic": (
        SLAB.replace('type = "absorbing"', 'type = "periodic"'),
        "particles.walls.right: a wall of a mesh cannot be this; found 'periodic'"),
    "axis": (
        SLAB + '[particles.measure]\nbins = 5\naxis = "z"\n',
        "particles.measure.axis: profiles of this domain are along another .*valid: r, x, y"),
    "velocities at a reactive wall": (
        SLAB.replace("diffusion = 1.0", "diffusion = 1.0\nfriction = 9").replace(
            'type = "absorbing"', 'type = "partially-absorbing"\nreactivity = 1').replace(
            "seed = 5", 'dynamics = "langevin"'),
        "Langevin particles cannot meet a partially absorbing wall"),
    "place": (
        SLAB.replace("number = 3000", "number = 3000\nplace = [0.5, 0.6]"),
        "particles.species.A.place: is not in the domain"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name, tmp_path):
    text, message = MISTAKES[name]
    with pytest.raises((CaseError, CaseErrors), match=message):
        build(tmp_path, text)


def test_of_several_regions_one_is_named(tmp_path):
    (tmp_path / "halves.geo").write_text(GEOMETRY)
    with pytest.raises(CaseError, match=r"domain\.region: the mesh has several .*high, low"):
        build(tmp_path, HALVES.replace('region = "low"\n', ""))


def test_what_is_resolved_reads_back():
    case = load_case(BALL)
    assert case.mesh is not None
    assert case.resolved["particles"]["domain"] == {"type": "mesh"}
    assert read_case(case.resolved, BALL).resolved == case.resolved


def test_the_expected_number_is_the_closed_form():
    expected = tomllib.loads((BALL / "expected.toml").read_text())
    assert expected["exit_time_A_surface"]["value"] == pytest.approx(1 / 15, rel=1e-10)


@pytest.mark.slow
def test_the_case_at_full_size(tmp_path):
    """Within three standard errors, and those are small."""
    found = run(BALL, tmp_path / "out")
    assert abs(scored(found, "exit_time_A_surface", 1 / 15)) < 3
    assert found.summary["observables"]["exit_time_A_surface"]["error"] < 0.004 / 15
    assert found.value("count_A") <= 2
