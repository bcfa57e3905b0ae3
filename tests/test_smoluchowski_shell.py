"""The Smoluchowski model on the spherical shell: orders in space, rates, curved boundaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import ufl
from cases import model_of, run, values_of, write_case
from dolfinx import fem

from fem_rd.case.loading import load_case
from fem_rd.exact import capture, potential
from fem_rd.exact.sphere import ReactiveSphere
from fem_rd.models.protocol import Exact
from fem_rd.models.smoluchowski.exact import exact_for
from fem_rd.models.smoluchowski.model import SmoluchowskiModel

SHELL = """
title = "shell"
model = "smoluchowski"
[mesh]
geometry = "spherical-shell"
order = 2
parameters = {{ inner_radius = 1.0, outer_radius = 2.0, size = {size}, growth = 0.0 }}
[smoluchowski]
diffusion = 1.0
degree = {degree}
[smoluchowski.boundaries.reactive]
type = "robin"
kappa = "4*pi"
[smoluchowski.boundaries.reservoir]
type = "dirichlet"
concentration = 1.0
"""
SPHERE = ReactiveSphere(sigma=1.0, diffusion=1.0, kappa=4 * np.pi, outer=2.0)


def solved(directory: Path, size: float, degree: int, *overrides: str) -> SmoluchowskiModel:
    model = model_of(directory / f"{size}", SHELL.format(size=size, degree=degree), *overrides)
    model.advance(0.0)
    return model


def l2_error(model: SmoluchowskiModel) -> float:
    """Distance to c = a + b/r in L2, with a quadrature that does not hide the error."""
    found = model.fields()["concentration"].function
    mesh = found.function_space.mesh
    b = -capture.steady_rate(SPHERE) / (4 * np.pi)
    x = ufl.SpatialCoordinate(mesh)
    exact = 1.0 + b * (1 / ufl.sqrt(ufl.dot(x, x)) - 0.5)
    dx = ufl.Measure("dx", domain=mesh, metadata={"quadrature_degree": 6})
    return float(np.sqrt(fem.assemble_scalar(fem.form((found - exact) ** 2 * dx))))


@pytest.mark.parametrize(("degree", "sizes"), [(1, (0.2, 0.1)), (2, (0.3, 0.15))])
def test_order_in_space_with_curved_cells(
    tmp_path: Path, degree: int, sizes: tuple[float, float]
) -> None:
    """Degree + 1 in L2; what counts is the mean size of cells, which Gmsh meets only roughly."""
    errors, widths, rates = [], [], []
    for size in sizes:
        model = solved(tmp_path, size, degree)
        mesh = model.fields()["concentration"].function.function_space.mesh
        errors.append(l2_error(model))
        widths.append(mesh.topology.index_map(3).size_global ** (-1 / 3))
        rates.append(abs(values_of(model)["rate"] / capture.steady_rate(SPHERE) - 1))
    order = np.log(errors[0] / errors[1]) / np.log(widths[0] / widths[1])
    assert order == pytest.approx(degree + 1, abs=0.15)
    rate_order = np.log(rates[0] / rates[1]) / np.log(widths[0] / widths[1])
    assert rate_order > 2 * degree - 0.5  # a residual flux is superconvergent


def test_straight_cells_spoil_the_rate(tmp_path: Path) -> None:
    """Why order-2 geometry is the default: the same mesh, the same unknowns."""
    exact = capture.steady_rate(SPHERE)
    curved = values_of(solved(tmp_path / "a", 0.3, 2))["rate"]
    straight = values_of(solved(tmp_path / "b", 0.3, 2, "mesh.order=1"))["rate"]
    assert abs(straight / exact - 1) > 10 * abs(curved / exact - 1)
    assert abs(curved / exact - 1) < 3e-4


def test_absorbing_sphere(tmp_path: Path) -> None:
    overrides = (
        "smoluchowski.boundaries.reactive={type='dirichlet', concentration=0.0}",
        "smoluchowski.boundaries.reservoir.concentration=0.7",
    )
    found = values_of(solved(tmp_path, 0.3, 2, *overrides))
    expected = 0.7 * 4 * np.pi / (1 - 1 / 2)
    assert found["rate"] == pytest.approx(expected, rel=1e-3)
    assert found["rate_reservoir"] == pytest.approx(-found["rate"], rel=1e-8)


@pytest.mark.parametrize("onsager", [-2.0, 1.5])
def test_coulomb_potential(tmp_path: Path, onsager: float) -> None:
    """Both signs: an attraction speeds capture up, a repulsion slows it down."""
    found = values_of(solved(tmp_path, 0.25, 2, f"smoluchowski.potential={onsager}/r"))["rate"]
    assert found == pytest.approx(potential.coulomb_rate(SPHERE, onsager), rel=6e-4)
    assert (found > capture.steady_rate(SPHERE)) == (onsager < 0)


def test_far_field_is_infinity_for_a_sphere(tmp_path: Path) -> None:
    """kappa k_S / (kappa + k_S) (eq. 36) on a mesh that ends at two radii."""
    far = "smoluchowski.boundaries.reservoir={type='far-field', concentration=1.0}"
    found = values_of(solved(tmp_path, 0.3, 2, far))
    assert found["rate"] == pytest.approx(2 * np.pi, rel=3e-4)


def test_transient_rate_from_a_uniform_start(tmp_path: Path) -> None:
    text = SHELL.format(size=0.25, degree=2) + "[time]\nend = 0.5\n"
    model = model_of(tmp_path, text, "smoluchowski.initial=1.0", "time.tolerance=1e-5")
    for stop in (0.05, 0.1, 0.5):
        while model.time < stop:
            model.advance(stop)
        expected = float(capture.transient_rate(SPHERE, stop, 1.0))
        assert values_of(model)["rate"] == pytest.approx(expected, rel=1e-3)
        supplied = float(capture.transient_reservoir_rate(SPHERE, stop, 1.0))
        assert -values_of(model)["rate_reservoir"] == pytest.approx(supplied, abs=3e-2)
    assert abs(values_of(model)["ledger_residual"]) < 1e-9


def exact_of(directory: Path, old: str = "", new: str = "", extra: str = "") -> Exact:
    text = SHELL.format(size=0.8, degree=1).replace(old, new) + extra
    return exact_for(load_case(write_case(directory, text)))


def test_predictions_of_a_steady_shell(tmp_path: Path) -> None:
    exact = exact_of(tmp_path)
    assert exact.predictions["rate"].value == pytest.approx(8.377580409573, rel=1e-12)
    assert exact.predictions["rate_unbounded"].value == pytest.approx(2 * np.pi, rel=1e-12)
    curve = exact.curves[0]
    assert curve.value[0] == pytest.approx(exact.predictions["rate"].value / (4 * np.pi))
    assert curve.value[-1] == pytest.approx(1.0)


def test_predictions_are_observables_of_a_run(tmp_path: Path) -> None:
    found = run(write_case(tmp_path / "case", SHELL.format(size=0.8, degree=1)), tmp_path / "out")
    assert found.value("rate_predicted") == pytest.approx(8.377580409573, rel=1e-12)
    assert found.value("rate_unbounded") == pytest.approx(2 * np.pi, rel=1e-12)
    units = {name: one["unit"] for name, one in found.summary["observables"].items()}
    assert units["rate_predicted"] == units["rate_unbounded"] == units["rate"]


def test_predictions_know_reactivity_potential_and_far_field(tmp_path: Path) -> None:
    by_area = exact_of(tmp_path / "a", 'kappa = "4*pi"', "reactivity = 1.0")
    assert by_area.predictions["rate"].value == pytest.approx(8.377580409573, rel=1e-12)
    ions = exact_of(tmp_path / "b", "degree = 1", 'degree = 1\npotential = "-2/r"')
    assert ions.predictions["rate"].value == pytest.approx(potential.coulomb_rate(SPHERE, -2.0))
    far = exact_of(tmp_path / "c", '"dirichlet"', '"far-field"')
    assert far.predictions["rate"].value == pytest.approx(2 * np.pi, rel=1e-12)


def test_predictions_of_a_transient_shell(tmp_path: Path) -> None:
    exact = exact_of(tmp_path, "degree = 1", "degree = 1\ninitial = 0.5", "[time]\nend = 2.0\n")
    series, profile = exact.curves
    assert series.value[-1] == pytest.approx(float(capture.transient_rate(SPHERE, 2.0, 0.5)))
    assert series.coordinate == "t" and profile.time == 2.0
    assert profile.value[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("diffusion = 1.0", 'diffusion = "1 + z^2"'),
        ('kappa = "4*pi"', 'reactivity = "1 + x"'),
        ("concentration = 1.0", 'concentration = "1 + x"'),
        ("degree = 1", 'degree = 1\npotential = "-x"'),
        ("[smoluchowski]", "[smoluchowski.rates.domain]\ndegradation = 1.0\n[smoluchowski]"),
        ("inner_radius = 1.0, ", ""),
    ],
)
def test_no_prediction_where_there_is_no_closed_form(tmp_path: Path, old: str, new: str) -> None:
    assert not exact_of(tmp_path, old, new).predictions
