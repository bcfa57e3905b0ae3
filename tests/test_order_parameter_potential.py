"""Potentials from tables and from samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import build, values_of
from order_parameters import SURFACE, TORUS, WELL, steady
from scipy.special import ndtr

from fem_rd.case.sections.order_parameter_kinds import Grid
from fem_rd.errors import CaseError
from fem_rd.models.order_parameter.potential import histogram


def test_a_table_on_two_angles_is_the_expression(tmp_path: Path) -> None:
    line = np.linspace(-np.pi, np.pi, 49)  # the last value repeats the first
    x, y = np.meshgrid(line, line, indexing="ij")
    surface = 2 * np.cos(2 * x + 0.4) + 1.5 * np.sin(y) * np.cos(x) + np.cos(2 * y)
    rows = np.stack([x.ravel(), y.ravel(), surface.ravel() * 0.5, 0.1 + 0 * x.ravel()], axis=1)
    order = np.random.default_rng(1).permutation(len(rows))
    np.savetxt(tmp_path / "f.csv", rows[order], delimiter=",", header="x,y,F,error", comments="")
    exact = steady(tmp_path, TORUS.format(potential=f'potential = "{SURFACE}"'))
    text = TORUS.format(potential='potential_table = { file = "f.csv", scale = 2 }')
    model = build(tmp_path, text)
    model.advance(0.0)
    found = values_of(model)
    for name in ("k_a_b", "k_b_a", "relaxation_rate_1", "relaxation_rate_2"):
        assert found[name] == pytest.approx(exact[name], rel=2e-3), name
    assert model.fields()["potential_error"].function.x.array == pytest.approx(0.2, rel=1e-9)
    # a set on the seam is one set
    assert found["probability_a"] == pytest.approx(exact["probability_a"], rel=1e-3)
    shifted = TORUS.replace('"-pi", "-pi"]\nupper = ["pi", "pi"', '0, 0]\nupper = ["2*pi", "2*pi"')
    moved = steady(tmp_path, shifted.format(potential=f'potential = "{SURFACE}"'))
    assert moved["k_a_b"] == pytest.approx(exact["k_a_b"], rel=1e-9)
    turned = build(tmp_path, shifted.format(
        potential='potential_table = { file = "f.csv", scale = 2 }'))  # fmt: skip
    turned.advance(0.0)
    assert values_of(turned)["k_a_b"] == pytest.approx(found["k_a_b"], rel=1e-9)


def test_a_table_on_a_line_is_joined_by_splines(tmp_path: Path) -> None:
    line = np.linspace(-2.5, 2.5, 101)
    rows = np.stack([line, 5 * (line**2 - 1) ** 2], axis=1)
    np.savetxt(tmp_path / "f.csv", rows, delimiter=",")
    text = WELL.replace('potential = "h*(x^2 - 1)^2"', 'potential_table = { file = "f.csv" }')
    assert steady(tmp_path, text)["mfpt_right_from_well"] == pytest.approx(36.4835346, rel=1e-4)


def test_a_table_in_other_units_than_its_angle_is_a_mistake(tmp_path: Path) -> None:
    """In degrees where the grid is in radians; or of a half of the angle."""
    text = TORUS.replace("committor", "splitting").format(
        potential='potential_table = { file = "f.csv" }'
    )
    for line in (np.linspace(-180, 170, 36), np.linspace(0, np.pi, 36)):
        x, y = np.meshgrid(line, line, indexing="ij")
        rows = np.stack([x.ravel(), y.ravel(), np.cos(x.ravel())], axis=1)
        np.savetxt(tmp_path / "f.csv", rows, delimiter=",")
        with pytest.raises(CaseError, match="around the angle x once"):
            build(tmp_path, text)


@pytest.mark.parametrize(("bins", "repetitions"), [(40, 40), (4, 400)])
def test_errors_of_a_histogram_are_those_of_its_samples(bins: int, repetitions: int) -> None:
    """z-scores of -ln of the histogram of a Gaussian; with few bins counts are not Poisson."""
    grid = Grid(coordinates="line", lower=-2.0, upper=2.0, cells=10)
    random = np.random.default_rng(5)
    edges = np.linspace(-2, 2, bins + 1)
    exact = -np.log(np.diff(ndtr(edges)) / (ndtr(2) - ndtr(-2)) / (4 / bins))
    scores = []
    for _ in range(repetitions):
        samples = random.normal(size=(20_000, 1))
        table = histogram(samples, grid, [bins])
        assert table.errors is not None and table.unseen == 0
        scores.append((table.values - exact) / table.errors)
    scores = np.array(scores)
    assert abs(scores.mean()) < 4 / np.sqrt(scores.size)
    assert scores.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / scores.size))
    correlated = histogram(samples, grid, [bins], 0.25)
    assert correlated.errors == pytest.approx(2 * table.errors, rel=1e-12)


def test_samples_on_an_angle_give_back_the_potential(tmp_path: Path) -> None:
    """Drawn from exp(-cos x) on a circle; turned by whole periods; an effective diffusion."""
    random = np.random.default_rng(7)
    trial = random.uniform(-np.pi, np.pi, 800_000)
    kept = trial[random.uniform(size=len(trial)) < np.exp(-np.cos(trial) - 1)]
    kept += 2 * np.pi * random.integers(-2, 3, len(kept))
    np.savetxt(tmp_path / "s.csv", kept)
    text = """
model = "order-parameter"
[order-parameter]
potential_samples = { file = "s.csv", bins = 30 }
diffusion = 1.0
transport = true
[order-parameter.grid]
coordinates = "circle"
lower = 0
upper = "2*pi"
cells = 120
"""
    found = steady(tmp_path, text)
    assert found["effective_diffusion_xx"] == pytest.approx(0.623860360432, rel=0.01)
    assert abs(found["velocity_x"]) < 1e-12
