"""Reaction-diffusion runs as a whole: accounts, regions, potentials, ranks, resume, mistakes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from cases import build, call, results, run, values_of, write_case
from mpi4py import MPI
from ranks import run_on_ranks

from fem_rd.case.loading import load_case
from fem_rd.errors import CaseError, CaseErrors, NumericalError
from fem_rd.mesh.build import build_domain

BINDING = """
title = "binding in a box"
model = "reaction-diffusion"
[mesh]
builtin = "rectangle"
upper = [1.0, 1.0]
cells = [{cells}, {cells}]
[chemistry.reactions.binding]
equation = "A + B <-> C"
rate = 2.0
reverse_rate = 1.0
[reaction-diffusion]
{extra}
[reaction-diffusion.species.A]
diffusion = 0.3
initial = "1 + 0.8*cos(pi*x)"
noise = 0.01
[reaction-diffusion.species.B]
diffusion = 0.1
initial = "1 + 0.5*cos(pi*y)"
[reaction-diffusion.species.C]
diffusion = 0.2
initial = "0.3 + 0.1*cos(2*pi*x)"
[time]
end = {end}
{stepping}
[checkpoint]
steps = 7
"""
SCHEMES = ("imex-bdf2", "ark2", "ark3", "ark4", "strang", "implicit", "positive")


def binding(
    stepping: str = "tolerance = 1e-6", extra: str = "", end: float = 1.0, cells: int = 12
) -> str:
    return BINDING.format(stepping=stepping, extra=extra, end=end, cells=cells)


def history(directory: Path, text: str, end: float) -> list[dict[str, float]]:
    """Observables at the start and after every step."""
    model = build(directory, text)
    rows = [values_of(model)]
    while model.time < end:
        model.advance(end)
        rows.append(values_of(model))
    return rows


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    directory = tmp_path_factory.mktemp("reference")
    return history(directory, binding('scheme = "ark4"\ntolerance = 1e-9'), 0.5)[-1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_keeps_the_account_and_agrees(
    tmp_path: Path, scheme: str, reference: dict[str, float]
) -> None:
    """Conserved totals and the ledger to round-off; the state as by another scheme."""
    rows = history(tmp_path, binding(f'scheme = "{scheme}"\nstep = 0.01'), 0.5)
    for name in ("conserved_1", "conserved_2"):
        assert np.ptp([row[name] for row in rows]) < 1e-13
    assert max(abs(row["ledger_residual"]) for row in rows) < 1e-12
    assert rows[-1]["amount_C"] == pytest.approx(reference["amount_C"], rel=3e-4)
    assert rows[-1]["A_max"] == pytest.approx(reference["A_max"], rel=2e-3)


def dissipated(found: dict[str, np.ndarray]) -> np.ndarray:
    """What was lost since the start by the account of the run, by the trapezoidal rule."""
    lost = found["entropy_production"] + found["diffusive_dissipation"] - found["motive_force"]
    steps = np.diff(found["time"]) * (lost[1:] + lost[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)])


def test_free_energy_falls_by_what_is_dissipated(tmp_path: Path) -> None:
    """d F/dt = cmf - sigma - diffusive dissipation, summed over a run; cmf = 0 in a closed box."""
    text = binding('scheme = "ark3"\ntolerance = 1e-7', "thermodynamics = true", cells=24)
    found = run(write_case(tmp_path / "case", text), tmp_path / "out").series
    change = found["free_energy"] - found["free_energy"][0]
    assert change == pytest.approx(-dissipated(found), abs=3e-4 * abs(change[-1]))
    assert np.abs(found["motive_force"]).max() < 1e-13
    assert np.all(np.diff(found["free_energy"]) < 0)
    assert found["entropy_production"].min() > 0
    assert found["diffusive_dissipation"].min() > 0


@pytest.mark.parametrize("other", ["2*x", "x + 0.3*cos(pi*x)"])
def test_free_energy_holds_the_energy_in_potentials(tmp_path: Path, other: str) -> None:
    """Also where the species of a reaction have different ones, which drives it in a circle."""
    changes = {
        'potential = "2*x"\ninitial = 0.5': f'potential = "{other}"\ninitial = 0.5',
        "[reaction-diffusion.species.A]":
            "[reaction-diffusion]\nthermodynamics = true\n[reaction-diffusion.species.A]",
        "end = 20.0\ntolerance = 1e-5": 'end = 2.0\nscheme = "ark3"\ntolerance = 1e-7',
    }  # fmt: skip
    text = DRIFT
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    found = run(write_case(tmp_path / "case", text), tmp_path / "out").series
    change = found["free_energy"] - found["free_energy"][0]
    assert change == pytest.approx(-dissipated(found), abs=1e-3 * np.abs(change).max())
    assert np.abs(change).max() > 0.1
    driven = np.abs(found["motive_force"]).max()
    assert driven < 1e-12 if other == "2*x" else driven > 1e-2


ROBIN = """
[reaction-diffusion.species.A.boundaries.left]
type = "robin"
reactivity = 50.0
"""


def test_the_positive_scheme_stays_so_at_a_reactive_surface(tmp_path: Path) -> None:
    """Wild steps from a state with a jump: nothing falls below zero, and all is accounted for."""
    text = binding('scheme = "positive"\nstep = 0.5', end=5.0).replace(
        'initial = "1 + 0.8*cos(pi*x)"', 'initial = "where(x < 0.5, 1e3, 0)"'
    )
    rows = history(tmp_path, text.replace("[time]", f"{ROBIN}[time]"), 5.0)
    assert min(row[f"{name}_min"] for row in rows for name in "ABC") >= 0.0
    assert max(abs(row["ledger_residual"]) for row in rows) < 1e-12
    assert rows[-1]["left_A_left"] > 0.9 * rows[0]["amount_A"]


DRIFT = """
title = "sedimentation of molecules that bind"
model = "reaction-diffusion"
[mesh]
builtin = "interval"
upper = [1.0]
cells = [80]
[chemistry.reactions.isomerisation]
equation = "A <-> B"
rate = 3.0
reverse_rate = 1.5
[reaction-diffusion.species.A]
diffusion = 1.0
potential = "2*x"
initial = 1.0
[reaction-diffusion.species.B]
diffusion = 0.5
potential = "2*x"
initial = 0.5
[reaction-diffusion.probes]
bottom = [0.0]
top = [1.0]
[time]
end = 20.0
tolerance = 1e-5
"""


def test_equilibrium_in_a_potential_is_boltzmann_and_chemical(tmp_path: Path) -> None:
    """c_B/c_A = 2 everywhere, c(1)/c(0) = exp(-2), and nothing is lost on the way there."""
    found = run(write_case(tmp_path / "case", DRIFT), tmp_path / "out")
    assert found.value("A_top") / found.value("A_bottom") == pytest.approx(math.exp(-2), rel=1e-5)
    assert found.value("B_top") / found.value("A_top") == pytest.approx(2.0, rel=1e-5)
    assert found.value("conserved_1") == pytest.approx(1.5, rel=1e-12)
    assert found.value("amount_A") == pytest.approx(0.5, rel=1e-5)


REGIONS = """
title = "a reaction in the shell of a ball"
model = "reaction-diffusion"
[mesh]
geometry = "ball"
[mesh.parameters]
layer = 0.4
size = 0.4
[chemistry.reactions.decay]
equation = "A -> 0"
rate = 2.0
region = "surface_layer"
[chemistry.reactions.creation]
equation = "0 -> A"
rate = 0.25
region = "domain"
[reaction-diffusion.species.A]
diffusion = {domain = 1e-9, surface_layer = 1e-9}
initial = {domain = 3.0, surface_layer = 1.0}
[time]
end = 0.5
tolerance = 1e-7
"""


def test_reactions_and_initial_values_stay_in_their_regions(tmp_path: Path) -> None:
    """Amounts and creation are exact though nodes lie between regions; no decay in the core."""
    case = load_case(write_case(tmp_path, REGIONS))
    domain = build_domain(case.mesh, MPI.COMM_SELF, case_dir=tmp_path)
    core, shell = domain.volume("domain"), domain.volume("surface_layer")
    first, last = (history(tmp_path, REGIONS, 0.5)[i] for i in (0, -1))
    assert first["amount_A"] == pytest.approx(3 * core + shell, rel=1e-12)
    assert first["events_creation"] == pytest.approx(0.25 * core, rel=1e-12)
    assert first["events_decay"] > 2 * shell
    assert last["A_max"] == pytest.approx(3 + 0.25 * 0.5, rel=1e-6)
    assert last["A_min"] == pytest.approx(math.exp(-1.0), rel=1e-4)


def test_ranks_agree(tmp_path: Path) -> None:
    """Noise, reactions and accounts are those of one rank, to the tolerance of the solver."""
    text = binding('scheme = "imex-bdf2"\nstep = 0.01', "thermodynamics = true", end=0.2)
    write_case(tmp_path / "case", text)
    values = {}
    for ranks in (1, 2, 3):
        out = f"out{ranks}"
        done = run_on_ranks(ranks, ["-m", "fem_rd", "run", "case", "-o", out], tmp_path)
        assert done.returncode == 0, done.stderr
        values[ranks] = results(tmp_path / out).summary["observables"]
    for name, entry in values[1].items():
        for ranks in (2, 3):
            other = values[ranks][name]["value"]
            assert other == pytest.approx(entry["value"], rel=1e-8, abs=1e-12), (name, ranks)


@pytest.mark.parametrize("stepping", ["tolerance = 1e-5", 'step = 0.01\nscheme = "imex-bdf2"'])
def test_an_interrupted_run_goes_on_to_the_bit(tmp_path: Path, stepping: str) -> None:
    """Cut at its half by an earlier end, then resumed to the whole."""
    case = write_case(tmp_path / "case", binding(stepping + "\n", end=0.4))
    whole = run(case, tmp_path / "whole", "output.times=[0.2]")
    half = tmp_path / "half"
    run(case, half, "time.end=0.2")
    record = half / "run.json"
    record.write_text(record.read_text().replace('"time.end=0.2"', '"output.times=[0.2]"'))
    assert call("resume", half, "--accept-changes") == 0
    again = results(half)
    names = [name for name in whole.series if name != "time"]
    assert again.series["time"][-1] == whole.series["time"][-1] == 0.4
    if "step" in stepping:  # the first adaptive step depends on the end
        for name in names:
            assert again.series[name][-1] == whole.series[name][-1], name


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_restored_state_goes_on_to_the_bit(tmp_path: Path, scheme: str) -> None:
    """Adaptive steps of every scheme, saved in the middle: all values and accounts."""
    text = binding(f'scheme = "{scheme}"\ntolerance = 1e-5', end=0.4)
    one, other = build(tmp_path, text), build(tmp_path, text)
    for _ in range(11):
        one.advance(0.4)
    other.restore(one.state())
    for _ in range(11):
        one.advance(0.4)
        other.advance(0.4)
    assert values_of(one) == values_of(other)
    assert one.time == other.time


MISTAKES = {
    "unknown species": (
        "[reaction-diffusion.species.A]",
        "[reaction-diffusion.species.X]",
        "reaction-diffusion.species.X: takes part in no reaction",
    ),
    "no such region": (
        "rate = 2.0",
        'rate = 2.0\nregion = "nucleus"',
        "chemistry.reactions.binding.region: the mesh has no region of this name",
    ),
    "rate missing": ("reverse_rate = 1.0", "", "the rate of the backward reaction is missing"),
    "bad equation": ('"A + B <-> C"', '"A + B"', "equation: a reaction with no arrow"),
    "negative rate": ("rate = 2.0", "rate = -2.0", "binding.rate: must not be negative"),
    "scheme of another model": ("tolerance", 'scheme = "bdf2"\ntolerance', "unknown scheme of"),
    "degree and positivity": (
        "[reaction-diffusion]",
        "[reaction-diffusion]\ndegree = 2\nthermodynamics = true",
        "need the lumped mass of degree 1",
    ),
    "species and parameter": (
        "[chemistry.reactions",
        "[parameters]\nA = 1.0\n[chemistry.reactions",
        "a species and a parameter have the same name",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line_with_the_place(tmp_path: Path, mistake: str) -> None:
    old, new, message = MISTAKES[mistake]
    text = binding()
    assert old in text
    with pytest.raises((CaseError, CaseErrors)) as caught:
        build(tmp_path, text.replace(old, new, 1))
    assert message in str(caught.value)


def test_derived_observables_name_what_there_is(tmp_path: Path) -> None:
    extra = "[reaction-diffusion.derived]\nbound = \"amount_C/(amount_A + amount_C)\""
    model = build(tmp_path, binding(extra=extra))
    found = values_of(model)
    assert found["bound"] == found["amount_C"] / (found["amount_A"] + found["amount_C"])
    wrong = extra.replace("amount_C", "amont_C")
    with pytest.raises(CaseError, match=r"derived\.bound.*amont_C"):
        build(tmp_path, binding(extra=wrong))


def test_units_of_rate_constants_follow_from_the_order(tmp_path: Path) -> None:
    """1e9 /M/s is 1.66 nm^3/ns; a first-order unit in its place is refused with the right one."""
    units = '[units]\nlength = "nm"\ntime = "ns"\n[mesh]'
    box = binding().replace("[mesh]", units, 1).replace("rectangle", "box")
    box = box.replace("upper = [1.0, 1.0]", "upper = [1.0, 1.0, 1.0]")
    box = box.replace("cells = [12, 12]", "cells = [2, 2, 2]")
    case = load_case(write_case(tmp_path / "a", box.replace("rate = 2.0", 'rate = "1e9 /M/s"', 1)))
    rate = case.chemistry.network.reactions[0].rate.value
    assert rate == pytest.approx(1e9 * 1e24 / 6.02214076e23 * 1e-9, rel=1e-12)
    with pytest.raises((CaseError, CaseErrors), match=r"binding\.rate.*nm\^3/particle/ns"):
        load_case(write_case(tmp_path / "b", box.replace("rate = 2.0", 'rate = "5 /ns"', 1)))


def test_a_divergence_says_where_and_what_to_try(tmp_path: Path) -> None:
    text = binding('step = 0.1\nscheme = "imex-bdf2"', end=1.0)
    model = build(tmp_path, text.replace("rate = 2.0", "rate = 2e5", 1))
    with pytest.raises(NumericalError) as caught:
        for _ in range(10):
            model.advance(1.0)
    assert "smaller time.step" in str(caught.value)
