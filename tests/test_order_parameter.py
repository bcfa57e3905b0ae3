"""The model of order parameters, from the text of a case to its numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cases import build, call, run, values_of, write_case
from order_parameters import SURFACE, TORUS, WELL, steady
from ranks import run_on_ranks

from fem_rd.errors import CaseError, CaseErrors
from fem_rd.exact.order_parameter import transition_rate

SLAB = """
title = "slab"
model = "order-parameter"
[order-parameter]
diffusion = 1.0
[order-parameter.grid]
coordinates = "line"
lower = 0
upper = 1
cells = 200
[order-parameter.points]
start = 0.3
"""
ENDS = """
[order-parameter.sets]
left = { interval = [0, 0] }
right = { interval = [1, 1] }
ends = { inside = "max(-x, x - 1)" }
"""
RELAXING = WELL + """
[order-parameter.initial]
at = "well"
[time]
end = 2.0
"""


@pytest.mark.parametrize(
    ("overrides", "time"),
    [
        (("parameters.h=2",), 5.129285033592),
        ((), 36.483534597116),
        (("parameters.h=8",), 437.504351398345),
        (("order-parameter.diffusion=1 + x^2/2",), 35.433439032343),
    ],
)
def test_passage_over_a_barrier(tmp_path: Path, overrides: tuple[str, ...], time: float) -> None:
    """The third with a diffusion that varies: Ito's operator would not give 35.43."""
    model = build(tmp_path, WELL, *overrides)
    model.advance(0.0)
    assert values_of(model)["mfpt_right_from_well"] == pytest.approx(time, rel=1e-4)
    known = model.exact().predictions
    assert known["mfpt_right_from_well"].value == pytest.approx(time, rel=1e-11)
    assert values_of(model)["k_left_right"] == pytest.approx(
        known["k_left_right"].value, rel=1e-4
    )


def test_friction_is_one_over_diffusion(tmp_path: Path) -> None:
    text = WELL.replace("diffusion = 1.0", 'friction = "1/(1 + x^2/2)"')
    assert steady(tmp_path, text)["mfpt_right_from_well"] == pytest.approx(
        35.433439032343, rel=1e-4
    )


def test_modes_and_rates_agree_and_boltzmann_is_the_density(tmp_path: Path) -> None:
    model = build(tmp_path, WELL)
    model.advance(0.0)
    found = values_of(model)
    assert found["relaxation_rate_1"] == pytest.approx(0.0555228127, rel=1e-4)
    assert found["relaxation_rate_2"] == pytest.approx(16.4449425, rel=1e-4)
    exact = transition_rate(lambda x: 5 * (x**2 - 1) ** 2, -1.0, 1.0, (-2.5, 2.5))
    assert found["k_left_right"] == pytest.approx(exact[0], rel=1e-4)
    density = model.fields()["density"].function.x.array
    x = model.fields()["density"].function.function_space.tabulate_dof_coordinates()[:, 0]
    law = np.exp(-5 * (x**2 - 1) ** 2)
    assert density / density.max() == pytest.approx(law / law.max(), rel=1e-12)
    assert found["probability"] == pytest.approx(1.0, abs=1e-14)
    mode = model.fields()["mode_1"].function.x.array
    assert mode[np.argmax(x)] == pytest.approx(1.0, abs=1e-3)  # positive at larger x
    assert mode[np.argmin(x)] == pytest.approx(-1.0, abs=1e-3)


def test_slab_with_two_ends(tmp_path: Path) -> None:
    asked = 'splitting = ["left", "right"]\nfirst_passage = ["ends"]\n[order-parameter.grid]'
    text = SLAB.replace("[order-parameter.grid]", asked) + ENDS
    found = steady(tmp_path, text)
    assert found["splitting_right_from_start"] == pytest.approx(0.3, rel=1e-12)
    assert found["mfpt_ends_from_start"] == pytest.approx(0.105, rel=1e-10)
    drift = steady(tmp_path, text, 'order-parameter.potential="-2*x"')
    assert drift["splitting_right_from_start"] == pytest.approx(0.521807303061, rel=1e-10)
    assert drift["splitting_left_from_start"] == pytest.approx(1 - 0.521807303061, rel=1e-10)
    assert drift["mfpt_ends_from_start"] == pytest.approx(0.110903651530, rel=1e-4)


def test_flux_between_two_reservoirs(tmp_path: Path) -> None:
    """(W_0 - W_1)/int e^F for D = 1 and equal ends: what e^F resists."""
    sides = """
[order-parameter.boundaries.left]
type = "reservoir"
density = 3.0
[order-parameter.boundaries.right]
type = "{}"
"""
    text = SLAB.replace("diffusion", 'potential = "2*sin(3*x)"\ndiffusion') + sides
    x = (np.arange(20000) + 0.5) / 20000
    resistance = np.exp(2 * np.sin(3 * x)).mean()
    found = steady(tmp_path, text.format("absorbing"))
    assert found["rate_right"] == pytest.approx(3.0 / resistance, rel=1e-4)
    assert found["rate_left"] == pytest.approx(-found["rate_right"], rel=1e-10)
    assert abs(found["ledger_residual"]) < 1e-12
    robin = steady(tmp_path, text.format('robin"\nreactivity = "0.7'))
    at_end = np.exp(2 * np.sin(3.0))
    assert robin["rate_right"] == pytest.approx(3.0 / (resistance + at_end / 0.7), rel=1e-4)


def test_density_in_time(tmp_path: Path) -> None:
    """To Boltzmann's law at the slowest rate; free energy only falls; probability is kept."""
    model = build(tmp_path, RELAXING, "time.end=30", "time.tolerance=1e-6")
    rows = [values_of(model)]
    assert rows[0]["mean_x"] == pytest.approx(-1.0, abs=1e-12)
    times = [0.0]
    while model.time < 30:
        model.advance(30.0)
        rows.append(values_of(model))
        times.append(model.time)
    fall = np.diff([row["excess_free_energy"] for row in rows])
    assert fall.max() <= 1e-9
    assert max(abs(row["ledger_residual"]) for row in rows) < 1e-12
    late = [k for k, time in enumerate(times) if time > 10]
    means = np.log([-rows[k]["mean_x"] for k in late])
    slope = np.polyfit(np.array(times)[late], means, 1)[0]
    assert slope == pytest.approx(-rows[0]["relaxation_rate_1"], rel=1e-4)


@pytest.mark.parametrize("stepping", ["tolerance=1e-4", "step=0.1", 'scheme="backward-euler"'])
def test_a_restored_run_goes_on_to_the_bit(tmp_path: Path, stepping: str) -> None:
    changes = [f"time.{stepping}"] + (["time.step=0.1"] if "scheme" in stepping else [])
    one = build(tmp_path, RELAXING, *changes)
    for _ in range(5):
        one.advance(2.0)
    other = build(tmp_path, RELAXING, *changes)
    other.restore(one.state())
    for _ in range(5):
        one.advance(2.0)
        other.advance(2.0)
    assert other.time == one.time and other.steps == one.steps
    assert values_of(other) == values_of(one)


def test_absorbing_set_in_a_plane(tmp_path: Path) -> None:
    """What left is what is missing; the mean time is that of the passage."""
    text = """
title = "disc"
model = "order-parameter"
[order-parameter]
potential = "x^2 + 2*y^2"
diffusion = [[1.0, -0.3], [-0.3, 0.8]]
first_passage = ["goal"]
[order-parameter.grid]
coordinates = "plane"
lower = [-2, -2]
upper = [2, 2]
cells = [40, 40]
[order-parameter.points]
start = [0.5, 0.5]
[order-parameter.sets]
goal = { center = [-0.5, -0.5], radius = 0.33 }
[order-parameter.boundaries.goal]
type = "absorbing"
[order-parameter.initial]
at = "start"
[time]
end = 40.0
step = 0.02
scheme = "sdirk2"
"""
    model = build(tmp_path, text)
    total, before = 0.0, 1.0
    while model.time < 40:
        model.advance(40.0)
        found = values_of(model)
        total += 0.02 * (before + found["probability"]) / 2
        before = found["probability"]
        assert abs(found["ledger_residual"]) < 1e-12
    assert "negative_conductance" not in found  # the diagonals follow the tensor
    assert found["left_goal"] == pytest.approx(1.0, abs=1e-4)
    assert total == pytest.approx(found["mfpt_goal_from_start"], rel=2e-3)


MUELLER_BROWN = (Path(__file__).parents[1] / "cases" / "mueller-brown" / "case.toml").read_text()


def test_corners_of_high_potential_add_no_slow_modes(tmp_path: Path) -> None:
    """Rates do not know how much of the corners there is: up to 20, 25 or 3000 k_B T.

    A potential cut off flat is another matter: its plateau has slow modes of its own.
    """
    def slow(found: dict[str, float]) -> int:
        return sum(found[f"relaxation_rate_{k}"] < 10 for k in range(1, 9))

    change = ("order-parameter.grid.cells=[74,76]", "order-parameter.modes=8")
    names = ("relaxation_rate_1", "relaxation_rate_2", "relaxation_rate_3", "k_reactant_product")
    whole = steady(tmp_path, MUELLER_BROWN, *change, "order-parameter.highest=1e5")
    assert whole["density_min"] == 0.0  # exp(-1000) and less
    for highest, close in ((25, 1e-7), (20, 1e-4)):
        cut = steady(tmp_path, MUELLER_BROWN, *change, f"order-parameter.highest={highest}")
        for name in names:
            assert cut[name] == pytest.approx(whole[name], rel=close), (highest, name)
    flat = MUELLER_BROWN.replace('"""(', '"""min(25, (').replace("146.7)/kT", "146.7)/kT)")
    flat = flat.replace("highest = 25.0", "highest = 1e5")
    plateau = steady(tmp_path, flat, *change)
    assert plateau["k_reactant_product"] == pytest.approx(whole["k_reactant_product"], rel=1e-6)
    assert slow(plateau) > slow(whole)


@pytest.mark.mpi
def test_ranks_find_the_same_numbers(tmp_path: Path) -> None:
    text = TORUS.format(potential=f'potential = "{SURFACE}"') + """
[order-parameter.initial]
boltzmann = "a"
[time]
end = 0.4
step = 0.05
"""
    case = write_case(tmp_path / "case", text.replace("48, 48", "20, 20"))
    found = []
    for ranks in (1, 2):  # and three in test_markov.py
        words = ["-m", "fem_rd", "run", str(case), "-o", f"on-{ranks}"]
        ended = run_on_ranks(ranks, words, tmp_path)
        assert ended.returncode == 0, ended.stderr
        summary = json.loads((tmp_path / f"on-{ranks}" / "summary.json").read_text())
        found.append({k: v["value"] for k, v in summary["observables"].items()})
    assert found[0]["k_a_b"] > 0 and len(found[0]) > 8
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-11)


def test_a_run_leaves_fields_and_a_report(tmp_path: Path) -> None:
    left = run(write_case(tmp_path / "case", RELAXING), tmp_path / "out", "output.times=[0.5]")
    assert left.series["time"][-1] == 2.0
    assert (left.path / "fields.vtkhdf").is_file()
    assert "committor" in (left.path / "report.html").read_text()
    assert call("check", tmp_path / "case") == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('order-parameter.committor=["left","rigt"]', "no set of this name"),
        ('order-parameter.committor=["left"]', "two sets"),
        ("order-parameter.friction=1", "diffusion or friction"),
        ("order-parameter.tilt=[1]", "angle"),
        ("order-parameter.transport=true", "angles"),
        ("order-parameter.grid.cells=[10,10]", "needs 1 number"),
        ("order-parameter.potential=y", "depends on y"),
        ("order-parameter.potential=1/x", "not finite"),
        ("order-parameter.diffusion=x", "not positive"),
        ("order-parameter.points.well=[7.0]", "not in the space"),
        ("order-parameter.sets.left.interval=[0.001,0.002]", "no node"),
        ("order-parameter.sets.left.interval=[-2.5,1.5]", "in common"),
        ("order-parameter.boundaries.rihgt.type=absorbing", "no side or set"),
        ("order-parameter.boundaries.right.type=absorbing", "no stationary state"),
        ("order-parameter.initial.at=well", "transient"),
        ("order-parameter.potential_table.file=none.csv", "given twice"),
        ("order-parameter.modes=1001", "not so many"),
        ("order-parameter.sets.left.interval=[3.0,4.0]", r"between \[-2.5\] and \[2.5\]"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: str, message: str) -> None:
    text = WELL
    if "boundaries.right" in change:
        text = WELL.replace("right", "product")
    with pytest.raises((CaseError, CaseErrors), match=message):
        build(tmp_path, text, change)


def test_a_density_that_is_negative_somewhere_is_a_mistake(tmp_path: Path) -> None:
    text = RELAXING.replace('at = "well"', 'density = "0.2 + x"')
    with pytest.raises((CaseError, CaseErrors), match="negative in the space"):
        build(tmp_path, text)


def test_a_potential_that_does_not_close_is_a_mistake(tmp_path: Path) -> None:
    text = TORUS.format(potential='potential = "0.1*x"')
    with pytest.raises(CaseError, match="both ends of an angle"):
        build(tmp_path, text)


def test_a_box_and_a_mesh_relax_like_their_oscillators(tmp_path: Path) -> None:
    """F = x^2 + y^2/2 + z^2/2: rates 1, 1, 2, 2, ... in three dimensions, on a grid and a mesh."""
    text = """
model = "order-parameter"
[order-parameter]
potential = "x^2 + y^2/2 + z^2/2"
diffusion = 1.0
modes = 3
"""
    space = '\nlower = [-3.5, -4.5, -4.5]\nupper = [3.5, 4.5, 4.5]\ncells = [18, 18, 18]\n'
    grid = steady(tmp_path, f'{text}[order-parameter.grid]\ncoordinates = "box"{space}')
    on_mesh = steady(tmp_path, f'{text}[mesh]\nbuiltin = "box"{space}')
    for k, rate in enumerate((1.0, 1.0, 2.0), start=1):
        assert grid[f"relaxation_rate_{k}"] == pytest.approx(rate, rel=0.07)
        assert on_mesh[f"relaxation_rate_{k}"] == pytest.approx(
            grid[f"relaxation_rate_{k}"], rel=1e-9
        )
    assert on_mesh["variance_y"] == pytest.approx(1.0, rel=1e-2)
    with pytest.raises(CaseError, match="given twice"):
        build(tmp_path, f'{text}[mesh]\nbuiltin = "box"{space}[order-parameter.grid]\n'
                        f'coordinates = "box"{space}')  # fmt: skip


def test_units_reach_the_results(tmp_path: Path) -> None:
    text = WELL.replace("[parameters]", '[units]\nlength = "nm"\ntime = "ns"\n[parameters]')
    model = build(tmp_path, text, 'order-parameter.diffusion="1 nm^2/us"')
    model.advance(0.0)
    found = {observable.name: observable for observable in model.observables()}
    assert found["mfpt_right_from_well"].value == pytest.approx(36483.5346, rel=1e-4)
    assert found["mfpt_right_from_well"].unit == "ns"
    assert model.fields()["density"].unit == "1/nm"


SHELL = """
model = "order-parameter"
[mesh]
geometry = "spherical-shell"
order = 1
[mesh.parameters]
inner_radius = 1
outer_radius = 5
size = {size}
[order-parameter]
diffusion = 1.0
first_passage = ["goal"]
positive_rates = {positive}
[order-parameter.sets]
goal = {{ inside = "1.3 - r" }}
[order-parameter.points]
start = [0.0, 0.0, 3.0]
"""


def test_curved_cells_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="straight edges") as refusal:
        build(tmp_path, SHELL.format(size=0.5, positive="false").replace("order = 1\n", ""))
    assert refusal.value.key == "mesh.order"


def test_tetrahedra_of_a_mesh_generator(tmp_path: Path) -> None:
    """A tenth of the conductances is negative. With them the time converges, without not."""
    exact = (125 * (1 / 1.3 - 1 / 3) - (9 - 1.3**2) / 2) / 3
    errors = {}
    for positive in ("false", "true"):
        for size in (0.25, 0.12):
            found = steady(tmp_path, SHELL.format(size=size, positive=positive))
            assert found["negative_conductance"] == pytest.approx(0.1, abs=0.03)
            errors[positive, size] = found["mfpt_goal_from_start"] / exact - 1
    assert abs(errors["false", 0.12]) < 0.03
    assert errors["false", 0.25] / errors["false", 0.12] > 3
    assert errors["true", 0.12] == pytest.approx(-0.24, abs=0.05)
    assert errors["true", 0.25] / errors["true", 0.12] < 1.3
