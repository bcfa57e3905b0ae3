"""Runs of particles as a whole: resuming, ranks, mistakes, warnings."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from cases import build, call, results, run, values_of, write_case
from particle_runs import (
    REACTING,
    SLAB,
    to_end,
    with_scheme,
    without_mean_of_none,
)
from ranks import run_on_ranks

from fem_rd.case.loading import load_case
from fem_rd.errors import CaseError, CaseErrors, NumericalError
from fem_rd.state import State


def test_a_resumed_run_is_the_same_to_the_bit(tmp_path):
    whole, first, second = (build(tmp_path, REACTING) for _ in range(3))
    values_of(whole)
    expected = to_end(whole, 0.25, 0.5)
    to_end(first, 0.25)
    saved = first.state()
    before = {name: np.array(value) for name, value in saved.distributed.items()}
    to_end(first, 0.5)
    assert all((saved.distributed[name] == value).all() for name, value in before.items())
    second.restore(State(before, dict(saved.replicated)))
    assert second.time == 0.25
    assert without_mean_of_none(to_end(second, 0.5)) == without_mean_of_none(expected)
    assert second.steps == whole.steps
    for name, value in whole.state().distributed.items():
        assert value.dtype == np.float64
        assert (second.state().distributed[name] == value).all(), name


def same_files(one: Path, other: Path) -> None:
    for name in ("observables.csv", "profiles.csv"):
        assert (one / name).read_text() == (other / name).read_text(), name
    with h5py.File(one / "particles.vtkhdf") as first, h5py.File(
        other / "particles.vtkhdf"
    ) as second:
        for name in ("Points", "PointData/id", "PointData/species", "Steps/Values"):
            assert np.array_equal(first[f"VTKHDF/{name}"][:], second[f"VTKHDF/{name}"][:]), name


def test_an_interrupted_run_goes_on_from_its_checkpoint(tmp_path):
    case = write_case(tmp_path / "case", REACTING + "[checkpoint]\nsteps = 1\n")
    run(case, tmp_path / "whole")
    run(case, tmp_path / "part")
    newest = sorted((tmp_path / "part/checkpoint").glob("step-*.npz"))
    newest[-1].unlink()
    assert call("resume", tmp_path / "part") == 0
    same_files(tmp_path / "whole", tmp_path / "part")


@pytest.mark.mpi
def test_one_two_and_three_ranks_have_the_same_trajectories(tmp_path):
    """Also with fewer replicas than ranks, and resumed on another number of them."""
    case = write_case(tmp_path / "case", REACTING + "[checkpoint]\nsteps = 1\n")
    for replicas, more in ((5, (2, 3)), (2, (3,))):
        setting = f"particles.replicas={replicas}"
        run(case, tmp_path / f"{replicas}-on-1", setting)
        for ranks in more:
            name = f"{replicas}-on-{ranks}"
            words = ["-m", "fem_rd", "run", str(case), "-o", name, "--set", setting]
            ended = run_on_ranks(ranks, words, tmp_path)
            assert ended.returncode == 0, ended.stderr
            same_files(tmp_path / f"{replicas}-on-1", tmp_path / name)
    newest = sorted((tmp_path / "5-on-3/checkpoint").glob("step-*.npz"))
    newest[-1].unlink()
    ended = run_on_ranks(2, ["-m", "fem_rd", "resume", "5-on-3"], tmp_path)
    assert ended.returncode == 0, ended.stderr
    same_files(tmp_path / "5-on-1", tmp_path / "5-on-3")
    assert results(tmp_path / "5-on-3").summary["status"] == "done"


# ---- mistakes and warnings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("step = 0.002", "tolerance = 1e-3"), "time.step: particles go on in time"),
        (("[time]\nend = 4.5\nstep = 0.002", ""), "time: particles go on in time"),
        (("walls.left]", "walls.lfet]"), "particles.walls.lfet: the domain has no such wall; did"),
        (('type = "box"', 'type = "bxo"'), "unknown type; did you mean 'box'"),
        (('type = "box"\n', ""), "the type of the domain is missing"),
        (('"crossing"', '"layer-mached"'), "unknown value; did you mean 'layer-matched'"),
        (('"crossing"\nwidth = 0.2', '"layer"'), "needs the width of its layer"),
        (('"crossing"', '"layer-strang"'), r"walls.left: layer-strang: the width must be sqrt"),
        (("lags = [0.01]\n[time]\nend = 4.5\nstep = 0.002", "[time]\nend = 4.5\nstep = 0.1"),
         "particles.walls.left: crossing: a step"),
        (('flux = "right"', 'flux = "bottom"'), "measure.flux: nothing passes this wall"),
        (("lags = [0.01]", "lags = [0.0111]"), r"lags\[0\]: must be a multiple of time.step"),
        (("begin = 0.5\n", ""), "measure.lags: needs averages over time"),
        (("begin = 0.5", "begin = 5"), "measure.begin: must be before the end"),
        (("bins = 5", 'bins = 5\naxis = "r"'), "measure.axis: profiles of this domain"),
        (("diffusion = 1.0", "diffusion = 1.0\nplace = [0.5, 0.5]"), "says where, but not how"),
        (("diffusion = 1.0", "diffusion = 1.0\nfriction = 1.0"), "is for the dynamics langevin"),
        (("seed = 3", 'seed = 3\ndynamics = "langevin"'), "needs a friction"),
        (('"200*(1 - x)"', '"200*(0.5 - x)"'), "must not be negative, nor infinite"),
        (('"200*(1 - x)"', "1e12"), "the particles need"),
        (('top]\ntype = "periodic"', 'top]\ntype = "reflecting"'), "must both be periodic"),
        (("seed = 3", "seed = 3\nreplicas2 = 2"), "unknown key; did you mean 'replicas'"),
        (("upper = [1, 4]", "upper = [1, -4]"), "domain.upper: must exceed lower"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    assert change[0] in SLAB
    with pytest.raises((CaseError, CaseErrors), match=message):
        build(tmp_path, SLAB.replace(*change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("rate = 1.0\nradius = 0.2", "rate = 1.0"), "radius"),
        (("[particles.species.C]", "[particles.species.X]\ndiffusion = 1\n[particles.species.C]"),
         "takes part in no reaction"),
        (("radius = 0.2", 'radius = 0.2\nregion = "core"'), "this domain has no regions"),
    ],
)
def test_what_particles_cannot_do_is_named(tmp_path, change, message):
    assert change[0] in REACTING
    with pytest.raises((CaseError, CaseErrors), match=message):
        build(tmp_path, REACTING.replace(*change))


def test_a_step_that_is_too_long_for_the_walls_is_refused_before_the_run(tmp_path):
    text = with_scheme(SLAB, "layer-strang").replace("lags = [0.01]", "")
    with pytest.raises(NumericalError, match="two walls that are 1 apart"):
        build(tmp_path, text, "time.step=0.02")


def test_a_long_step_is_warned_of(tmp_path, capfd):
    case = write_case(tmp_path / "case", REACTING)
    assert call("check", case, "--set", "time.step=0.05", "--set", "particles.measure.lags=[]") == 0
    said = capfd.readouterr()
    assert "is long for the radius 0.2 of the reaction pair" in said.out + said.err
    assert "memory of particles" in said.out + said.err


def test_the_case_reads_back_as_itself(tmp_path):
    case = load_case(write_case(tmp_path / "case", REACTING), [])
    again = load_case(case.path, [])
    assert again.section == case.section
    assert case.resolved["particles"]["species"]["C"]["walls"]["left"] == {
        "type": "absorbing",
        "bridge": True,
    }
