"""The well-mixed model: rows, steady states, thermodynamics, ensembles, resuming, mistakes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from cases import build, call, results, run, values_of, write_case
from ranks import run_on_ranks

from fem_rd.errors import CaseError, CaseErrors, NumericalError
from fem_rd.exact import stochastic_kinetics as exact
from fem_rd.models.protocol import Model
from fem_rd.state import State

ISOMERS = """
title = "two isomers"
model = "well-mixed"
[chemistry.reactions.flip]
equation = "A <-> B"
rate = 2.0
reverse_rate = 1.0
[well-mixed]
initial = {A = 3.0}
"""
TIME = """
[time]
end = 1.0
tolerance = 1e-9
"""
TRIANGLE = """
model = "well-mixed"
[chemistry.reactions.one]
equation = "A <-> B"
rate = 2.0
reverse_rate = 1.0
[chemistry.reactions.two]
equation = "B <-> C"
rate = 3.0
reverse_rate = 1.0
[chemistry.reactions.three]
equation = "C <-> A"
rate = 1.0
reverse_rate = 2.0
[well-mixed]
initial = {A = 0.5, B = 0.3, C = 0.2}
thermodynamics = true
"""
BRUSSELATOR = (Path(__file__).parents[1] / "cases/brusselator/case.toml").read_text()
ANNIHILATION = """
model = "well-mixed"
[chemistry.reactions.gone]
equation = "2 A -> 0"
combination_rate = 0.1
[well-mixed]
method = "stochastic"
initial = {A = 20}
volume = 1.0
replicas = 10000
seed = 1
[time]
end = 5.0
[output]
times = [0.1, 0.5, 1.0, 5.0]
"""


def to_end(model: Model, *stops: float) -> dict[str, float]:
    for stop in stops:
        while model.time < stop:
            model.advance(stop)
    return values_of(model)


def exact_a(t: float) -> float:
    return 1.0 + 2.0 * math.exp(-3.0 * t)


def test_concentrations_follow_the_rate_equations(tmp_path):
    done = run(write_case(tmp_path / "case", ISOMERS + TIME), tmp_path / "out")
    time, a = done.series["time"], done.series["A"]
    assert time == pytest.approx(np.linspace(0, 1, 201), abs=1e-12)
    assert a == pytest.approx([exact_a(t) for t in time], rel=1e-8)
    assert np.abs(done.series["conservation_drift"]).max() < 1e-14
    assert done.summary["observables"]["A"]["unit"] == "amount/length^3"
    assert not (tmp_path / "out" / "fields.vtkhdf").exists()


@pytest.mark.parametrize(
    ("more", "times"),
    [
        ("[output]\ntimes = [0.3, 0.45]", [0.0, 0.3, 0.45, 1.0]),
        ("step = 0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("step = 0.25\n[output]\ntimes = [0.5]", [0.0, 0.25, 0.5, 0.75, 1.0]),
    ],
)
def test_rows_are_at_the_times_asked_for(tmp_path, more, times):
    text = ISOMERS + TIME.replace("tolerance = 1e-9", "") + more
    done = run(write_case(tmp_path / "case", text), tmp_path / "out")
    assert done.series["time"] == pytest.approx(times, abs=1e-15)
    assert done.series["A"] == pytest.approx([exact_a(t) for t in times], rel=1e-3)


def test_without_time_it_is_the_steady_state(tmp_path):
    done = run(write_case(tmp_path / "case", ISOMERS), tmp_path / "out")
    assert [done.value("A"), done.value("B")] == pytest.approx([1.0, 2.0], rel=1e-14)
    assert len(done.series["time"]) == 1


def test_the_tolerance_is_that_of_the_case(tmp_path):
    errors = []
    for tolerance in (1e-3, 1e-10):
        text = ISOMERS + TIME.replace("1e-9", f"{tolerance}") + "step = 0.5".replace("step", "#")
        model = build(tmp_path, text, "output.times=[1.0]")
        errors.append(abs(to_end(model, 1.0)["A"] - exact_a(1.0)))
    assert 1e-7 < errors[0] < 1e-3
    assert errors[1] < 1e-10


def test_thermodynamics_of_the_triangle(tmp_path):
    """REFERENCES E1: x = (.5, .3, .2), and the steady state (.2, .24, .56)."""
    model = build(tmp_path, TRIANGLE + TIME)
    found = values_of(model)
    assert found["phi"] == pytest.approx(0.319164547895, abs=1e-12)
    assert found["dphi_dt"] == pytest.approx(-2.918865223583, abs=1e-12)
    assert found["sigma"] == pytest.approx(3.183185470719, abs=1e-12)
    assert found["cmf"] == pytest.approx(0.264320247136, abs=1e-12)
    assert abs(found["balance_residual"]) < 1e-13
    model.advance(0.5)
    assert abs(values_of(model)["balance_residual"]) < 1e-13
    steady = build(tmp_path, TRIANGLE)
    steady.advance(0.0)
    found = values_of(steady)
    assert [found[n] for n in "ABC"] == pytest.approx([0.2, 0.24, 0.56], abs=1e-14)
    assert found["sigma"] == pytest.approx(0.175777966187, abs=1e-12)
    assert found["cmf"] == pytest.approx(found["sigma"], abs=1e-13)


def test_the_period_is_an_observable(tmp_path):
    model = build(tmp_path, BRUSSELATOR, "time.end=1", "time.step=0.5")
    (period,) = (each for each in model.observables() if each.name == "period")
    assert period.value == pytest.approx(7.156919921180, abs=3e-11)
    assert period.error is not None
    assert 0.0 < period.error < 1e-8
    model.advance(1.0)
    assert values_of(model)["period"] == period.value


def resumed(tmp_path: Path, text: str, middle: float, end: float) -> None:
    """A model that takes over a state in the middle ends in the same state, to the bit."""
    whole, first, second = (build(tmp_path, text) for _ in range(3))
    values_of(whole)  # a run has looked at its start
    expected = to_end(whole, middle, end)
    to_end(first, middle)
    saved = first.state()
    copied = State(
        {name: np.array(value) for name, value in saved.distributed.items()},
        {name: np.array(value) for name, value in saved.replicated.items()},
    )
    to_end(first, end)  # must not change what was saved
    second.restore(copied)
    assert second.time == middle
    assert to_end(second, end) == expected
    assert second.steps == whole.steps
    for name, value in whole.state().distributed.items():
        assert value.dtype == np.float64
        assert (second.state().distributed[name] == value).all()


def test_a_resumed_trajectory_is_the_same(tmp_path):
    resumed(tmp_path, BRUSSELATOR.replace("step = 0.05", "step = 0.1"), 7.3, 12.1)


def test_a_resumed_ensemble_is_the_same(tmp_path):
    resumed(tmp_path, ANNIHILATION.replace("10000", "50"), 0.5, 5.0)


def test_an_interrupted_run_goes_on_from_its_checkpoint(tmp_path):
    case = write_case(tmp_path / "case", ANNIHILATION.replace("10000", "40"))
    (case / "case.toml").write_text((case / "case.toml").read_text() + "[checkpoint]\nsteps = 1\n")
    whole = run(case, tmp_path / "whole")
    assert call("run", case, "-o", tmp_path / "part") == 0
    part = tmp_path / "part"
    newest = sorted((part / "checkpoint").glob("step-*.npz"))
    newest[-1].unlink()
    assert call("resume", part) == 0
    again = results(part)
    assert list(again.series) == list(whole.series)
    for name, values in whole.series.items():
        assert (again.series[name] == values).all(), name


def test_moments_of_an_ensemble_have_their_errors(tmp_path):
    """REFERENCES D5: A + A -> 0 at the pair rate 0.1 from 20."""
    done = run(write_case(tmp_path / "case", ANNIHILATION), tmp_path / "out")
    times = [0.1, 0.5, 1.0, 5.0]
    expected = exact.pair_annihilation(0.1, 20, times)
    assert done.series["time"] == pytest.approx([0.0, *times])
    z = (done.series["A_mean"][1:] - expected.mean) / (expected.deviation / 100)
    assert np.abs(z).max() < 3
    spread = math.sqrt(5000) * (done.series["A_variance"][1:] / expected.variance - 1)
    assert np.abs(spread).max() < 5
    last = done.summary["observables"]
    error = last["A_mean"]["error"]
    assert error == pytest.approx(expected.deviation[-1] / 100, rel=0.03)
    events = (20 - done.series["A_mean"]) / 2 * 10_000
    assert done.series["events"] == pytest.approx(events, abs=1e-6)


def test_the_error_of_a_variance_is_its_scatter(tmp_path):
    """Over many seeds, the variance scatters by what each run says its error is."""
    found, errors = [], []
    for seed in range(400):
        text = ANNIHILATION.replace("seed = 1", f"seed = {seed}").replace("10000", "200")
        model = build(tmp_path, text)
        to_end(model, 0.5)
        (variance,) = (each for each in model.observables() if each.name == "A_variance")
        found.append(variance.value)
        errors.append(variance.error)
    assert np.std(found) == pytest.approx(np.mean(errors), rel=0.11)
    assert np.mean(found) == pytest.approx(5.928524573, abs=3 * np.std(found) / 20)


def test_one_replica_is_a_trajectory_without_moments(tmp_path):
    model = build(tmp_path, ANNIHILATION.replace("10000", "1"))
    found = {each.name: each for each in model.observables()}
    assert list(found) == ["A_mean", "events"]
    assert found["A_mean"].value == 20
    assert found["A_mean"].error is None
    assert to_end(model, 0.1, 5.0)["A_mean"] % 2 == 0


RANKS = """
import sys
from pathlib import Path
from mpi4py import MPI
from fem_rd.case.loading import load_case
from fem_rd.log import Log
from fem_rd.models.registry import build_model
model = build_model(load_case(Path(sys.argv[1])), None, MPI.COMM_WORLD, Log(quiet=True))
for stop in (0.5, 5.0):
    while model.time < stop:
        model.advance(stop)
    found = [each.value for each in model.observables()]
    if MPI.COMM_WORLD.rank == 0:
        print(*map(repr, map(float, found)))
"""


@pytest.mark.mpi
def test_an_ensemble_is_the_same_on_any_number_of_ranks(tmp_path):
    case = write_case(tmp_path / "case", ANNIHILATION.replace("10000", "101"))
    script = tmp_path / "script.py"
    script.write_text(RANKS)
    model = build(tmp_path / "serial", ANNIHILATION.replace("10000", "101"))
    serial = np.array([list(to_end(model, stop).values()) for stop in (0.5, 5.0)])
    for ranks in (2, 3):
        found = np.array([row.split() for row in _printed(ranks, script, case)], dtype=float)
        assert found == pytest.approx(serial, rel=1e-13)
        assert (found[:, [0, 2]] == serial[:, [0, 2]]).all()  # from sums of whole numbers


def _printed(ranks: int, script: Path, case: Path) -> list[str]:
    done = run_on_ranks(ranks, [str(script), str(case)], case)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.mpi
@pytest.mark.parametrize(
    "text", [ISOMERS + TIME, ANNIHILATION.replace("10000", "11")], ids=["rates", "events"]
)
def test_runs_are_resumed_on_another_number_of_ranks(tmp_path, text):
    case = write_case(tmp_path / "case", text)
    extra = "\n[output]\ntimes = [0.5]" if "[output]" not in text else ""
    (case / "case.toml").write_text(f"{text}{extra}\n[checkpoint]\nsteps = 1\n")
    done = run_on_ranks(2, ["-m", "fem_rd", "run", str(case), "-o", "two"], tmp_path)
    assert done.returncode == 0, done.stderr
    two = results(tmp_path / "two")
    newest = sorted((tmp_path / "two/checkpoint").glob("step-*.npz"))
    newest[-1].unlink()
    assert call("resume", tmp_path / "two") == 0
    one = results(tmp_path / "two")
    for name, values in two.series.items():
        assert one.series[name] == pytest.approx(values, rel=1e-13), name


def test_concentrations_with_units_become_molecules(tmp_path):
    text = """
    model = "well-mixed"
    [units]
    length = "nm"
    time = "s"
    [chemistry.reactions.decay]
    equation = "X -> 0"
    rate = "2 /s"
    [well-mixed]
    method = "stochastic"
    initial = {X = "1 uM"}
    volume = "1 um^3"
    replicas = 100
    [time]
    end = "0.5 s"
    """
    model = build(tmp_path, text)
    assert values_of(model)["X_mean"] == 602  # 602.214, rounded
    mean = to_end(model, 0.5)["X_mean"]
    deviation = math.sqrt(602 * math.exp(-1) * (1 - math.exp(-1)) / 100)
    assert abs(mean - 602 * math.exp(-1)) < 4 * deviation
    moles = text.replace('time = "s"', 'time = "s"\n    amount = "mol"')
    assert values_of(build(tmp_path, moles))["X_mean"] == 602


def test_an_explosion_of_an_ensemble_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("fem_rd.models.well_mixed.events.MOST_EVENTS", 10_000)
    text = ANNIHILATION.replace("2 A -> 0", "2 A -> 3 A").replace("10000", "3")
    model = build(tmp_path, text)
    with pytest.raises(NumericalError, match="has had 10000 events"):
        to_end(model, 5.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("volume = 1.0", ""), "well-mixed.volume: the key is missing"),
        (("volume = 1.0", "volume = -1.0"), "well-mixed.volume: must be positive"),
        (("replicas = 10000", "replicas = 0"), "well-mixed.replicas: must be at least 1"),
        (("seed = 1", "seed = -1"), "well-mixed.seed: must be at least 0"),
        (("seed = 1", "cycle = true"), "well-mixed.cycle: is not for the method stochastic"),
        (('"stochastic"', '"deterministic"'), "well-mixed.volume: is not for the method determ"),
        (("{A = 20}", "{B = 20}"), "takes part in no reaction"),
        (("[time]\nend = 5.0", ""), "time"),
        (("combination_rate = 0.1", 'combination_rate = "0.1*t"'), "depends on t"),
        (("combination_rate = 0.1", 'combination_rate = "0.1*x"'), "depends on x"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    text = ANNIHILATION.replace(*change)
    if not change[1] and "time" in change[0]:
        text = text.replace("[output]\ntimes = [0.1, 0.5, 1.0, 5.0]", "")
    assert text != ANNIHILATION
    with pytest.raises((CaseError, CaseErrors), match=message):
        build(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ISOMERS.replace("reverse_rate", 'region = "core"\nreverse_rate') + TIME, "no place"),
        (ISOMERS + TIME + "max_step = 0.1", "time.max_step: well-mixed chooses"),
        (ISOMERS + "cycle = true", "a limit cycle is no steady state"),
        (ISOMERS.replace("rate = 2.0", 'rate = "2*t"'), "depends on"),
        (ISOMERS.replace("rate = 2.0", 'rate = "2*t"') + "cycle = true" + TIME, "no limit cycle"),
        (ISOMERS.replace("reverse_rate = 1.0", "").replace("<->", "->")
         + "thermodynamics = true" + TIME, "cannot go back"),
        (ISOMERS.replace("A", "sigma") + "thermodynamics = true" + TIME, "rename it"),
    ],
)  # fmt: skip
def test_what_a_network_cannot_have_is_named(tmp_path, text, message):
    with pytest.raises((CaseError, CaseErrors), match=message):
        build(tmp_path, text)


def test_a_start_at_rest_has_no_period(tmp_path):
    model = build(tmp_path, BRUSSELATOR.replace("Y = 1.0", "Y = 3.0"))
    with pytest.raises(NumericalError, match="no limit cycle"):
        model.observables()
