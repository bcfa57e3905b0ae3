"""The Smoluchowski model where its answers are exact on any mesh, and its orders in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import model_of, steady, values_of

from fem_rd.models.place import Place
from fem_rd.models.transport import Transport

SLAB = """
title = "slab"
model = "smoluchowski"
[mesh]
builtin = "{shape}"
upper = {upper}
cells = {cells}
[smoluchowski]
diffusion = 2.0
[smoluchowski.boundaries.left]
type = "robin"
reactivity = 3.0
[smoluchowski.boundaries.right]
type = "dirichlet"
concentration = 1.5
"""
SHAPES = {
    "interval": ("[2.0]", "[5]", 1.0),
    "rectangle": ("[2.0, 0.7]", "[3, 2]", 0.7),
    "box": ("[2.0, 0.7, 0.5]", "[3, 2, 2]", 0.35),
}


def slab(shape: str) -> str:
    upper, cells, _ = SHAPES[shape]
    return SLAB.format(shape=shape, upper=upper, cells=cells)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degree", [1, 2])
def test_slab_between_robin_and_dirichlet(tmp_path: Path, shape: str, degree: int) -> None:
    """j = c_R / (1/reactivity + L/D): a linear profile, exact for every mesh and degree."""
    found = steady(tmp_path, slab(shape), f"smoluchowski.degree={degree}")
    rate = SHAPES[shape][2] * 1.5 / (1 / 3 + 2 / 2)
    assert found["rate"] == pytest.approx(rate, rel=1e-8)
    assert found["rate_left"] == pytest.approx(rate, rel=1e-8)
    assert found["rate_right"] == pytest.approx(-rate, rel=1e-8)
    surface = rate / SHAPES[shape][2] / 3
    assert found["concentration_min"] == pytest.approx(surface, rel=1e-8)
    assert found["amount"] == pytest.approx(SHAPES[shape][2] * 2 * (surface + 1.5) / 2, rel=1e-8)


def test_total_rate_and_reactivity_are_the_same_surface(tmp_path: Path) -> None:
    """kappa (volume/time) is reactivity (length/time) times the area 0.35."""
    by_kappa = slab("box").replace("reactivity = 3.0", "kappa = 1.05")
    assert steady(tmp_path / "a", by_kappa)["rate"] == pytest.approx(
        steady(tmp_path / "b", slab("box"))["rate"], rel=1e-12
    )


def test_robin_boundary_with_an_outside_concentration(tmp_path: Path) -> None:
    """Flux reactivity (c - c_out): the uptake vanishes where all is at c_out."""
    text = slab("rectangle").replace("reactivity = 3.0", "reactivity = 3.0\nconcentration = 0.6")
    rate = 0.7 * (1.5 - 0.6) / (1 / 3 + 2 / 2)
    assert steady(tmp_path, text)["rate"] == pytest.approx(rate, rel=1e-8)


def test_given_flux(tmp_path: Path) -> None:
    """A flux into the domain leaves through the other side, and raises c by j L / D."""
    text = slab("box").replace('type = "robin"\nreactivity = 3.0', 'type = "flux"\nflux = 0.8')
    found = steady(tmp_path, text)
    assert found["rate_left"] == pytest.approx(-0.8 * 0.35, rel=1e-8)
    assert found["rate_right"] == pytest.approx(0.8 * 0.35, rel=1e-8)
    assert found["concentration_max"] == pytest.approx(1.5 + 0.8 * 2 / 2, rel=1e-8)


def test_tensor_diffusion_uses_the_component_along_the_flux(tmp_path: Path) -> None:
    text = slab("rectangle").replace("diffusion = 2.0", "diffusion = [[4.0, 0.0], [0.0, 0.1]]")
    assert steady(tmp_path, text)["rate"] == pytest.approx(0.7 * 1.5 / (1 / 3 + 2 / 4), rel=1e-8)


def test_oblique_tensor(tmp_path: Path) -> None:
    """D_xy couples the axes: zero flux at top and bottom makes the flux D_xx - D_xy^2/D_yy.

    On a channel much longer than wide the ends change the rate by O(width/length).
    """
    tensor = "diffusion = [[2.0, 0.9], [0.9, 1.0]]"
    text = slab("rectangle").replace("diffusion = 2.0", tensor)
    text = text.replace("[2.0, 0.7]", "[30.0, 0.5]").replace("[3, 2]", "[240, 6]")
    effective = 2.0 - 0.9**2
    expected = 0.5 * 1.5 / (1 / 3 + 30 / effective)
    found = steady(tmp_path, text)["rate"]
    assert found == pytest.approx(expected, rel=0.01)
    assert abs(found / (0.5 * 1.5 / (1 / 3 + 30 / 2.0)) - 1) > 0.3


def test_diffusion_that_varies_in_space(tmp_path: Path) -> None:
    """D = 1 + x: resistance ln(1 + L), with P2 to the accuracy of the mesh."""
    text = slab("interval").replace("diffusion = 2.0", 'diffusion = "1 + x"')
    text = text.replace("[5]", "[60]")
    assert steady(tmp_path, text)["rate"] == pytest.approx(1.5 / (1 / 3 + np.log(3)), rel=1e-7)


def test_boltzmann_distribution_is_stationary_to_round_off(tmp_path: Path) -> None:
    """With reflecting walls exp(-U) must not move, on any mesh and for any step."""
    text = slab("rectangle").replace('type = "robin"\nreactivity = 3.0', 'type = "reflecting"')
    text = text.replace("concentration = 1.5", 'concentration = "exp(-3*sin(2*x)*cos(y))"')
    text += '\n[time]\nend = 1.0\nstep = 0.1\nscheme = "sdirk2"\n'
    text = text.replace(
        "diffusion = 2.0",
        'diffusion = 2.0\npotential = "3*sin(2*x)*cos(y)"\ninitial = "exp(-3*sin(2*x)*cos(y))"',
    )
    model = model_of(tmp_path, text, "solver.tolerance=1e-13")
    before = model.fields()["concentration"].function.x.array.copy()
    for _ in range(10):
        model.advance(1.0)
    after = model.fields()["concentration"].function.x.array
    assert np.abs(after - before).max() < 1e-10
    assert before.max() / before.min() > 50
    assert abs(values_of(model)["rate_right"]) < 1e-9


def test_drift_moves_downhill(tmp_path: Path) -> None:
    """U = f x between reservoirs: j = D f (c_0 - c_L e^(fL)) / (1 - e^(fL)) from left to right."""
    force = 1.7
    robin, dirichlet = 'type = "robin"\nreactivity', 'type = "dirichlet"\nconcentration'
    text = slab("interval").replace(f"{robin} = 3.0", f"{dirichlet} = 1.0")
    text = text.replace("diffusion = 2.0", f'diffusion = 2.0\npotential = "{force}*x"')
    text = text.replace("[5]", "[80]")
    growth = np.exp(force * 2.0)
    flux = 2.0 * force * (1.0 - 1.5 * growth) / (growth - 1)
    assert steady(tmp_path, text)["rate_right"] == pytest.approx(flux, rel=1e-6)
    assert flux < 0


DECAYING = """
title = "decay"
model = "smoluchowski"
[mesh]
builtin = "interval"
upper = [1.0]
cells = [8]
[smoluchowski]
diffusion = 0.5
initial = "1 + x^2"
[smoluchowski.boundaries.left]
type = "flux"
flux = 0.0
[smoluchowski.boundaries.right]
type = "dirichlet"
concentration = "(1 + x^2)*exp(-t)"
[smoluchowski.rates.everywhere]
degradation = 2.0
creation = "exp(-t)*(1 + x^2) - exp(-t)"
[time]
end = 1.0
"""


@pytest.mark.parametrize(
    ("scheme", "order"),
    [("backward-euler", 1), ("sdirk2", 2), ("trbdf2", 2), ("bdf2", 2), ("crank-nicolson", 2)],
)
def test_order_in_time_with_everything_depending_on_it(
    tmp_path: Path, scheme: str, order: int
) -> None:
    """c = (1 + x^2) e^-t is in the P2 space: what is left is the error in time.

    c' = -c = D c'' + creation - 2 c gives creation = c - e^-t for D = 1/2.
    """
    errors = []
    for steps in (10, 20):
        model = model_of(
            tmp_path / f"{steps}", DECAYING, f"time.scheme={scheme}", f"time.step={1 / steps}",
            "solver.tolerance=1e-13",
        )  # fmt: skip
        while model.time < 1.0:
            model.advance(1.0)
        values = model.fields()["concentration"].function
        x = values.function_space.tabulate_dof_coordinates()[:, 0]
        errors.append(np.abs(values.x.array - (1 + x**2) * np.exp(-1)).max())
        found = values_of(model)
        entered = {name for name in found if name.startswith("exchanged_")}
        assert entered == {"exchanged_left", "exchanged_right", "exchanged_everywhere"}
        change = found["amount"] - 4 / 3
        assert sum(found[name] for name in entered) == pytest.approx(change, abs=1e-10)
        assert found["exchanged_right"] == pytest.approx(1 - np.exp(-1), abs=0.08)  # D c_x = e^-t
        assert abs(values_of(model)["ledger_residual"]) < 1e-11
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


def test_adaptive_steps_meet_their_tolerance(tmp_path: Path) -> None:
    for tolerance in (1e-3, 1e-5):
        model = model_of(tmp_path / str(tolerance), DECAYING, f"time.tolerance={tolerance}")
        while model.time < 1.0:
            model.advance(1.0)
        found = values_of(model)
        assert found["amount"] == pytest.approx(4 / 3 * np.exp(-1), rel=5 * tolerance)
        assert abs(found["ledger_residual"]) < 1e-8


@pytest.mark.parametrize("degree", [1, 2])
def test_products_of_basis_functions_are_integrated_exactly(tmp_path: Path, degree: int) -> None:
    """(u, u) of u = x^degree on [0, 2]; an under-integrated mass matrix hides from order tests."""
    model = model_of(tmp_path, slab("interval"), f"smoluchowski.degree={degree}")
    place = Place(model._domain, degree)
    mass = Transport(model._case.section, place).problem(steady=False).mass
    u = mass.createVecRight()
    u.array[:] = place.nodes["x"] ** degree
    assert (mass * u).dot(u) == pytest.approx(2 ** (2 * degree + 1) / (2 * degree + 1), rel=1e-13)


@pytest.mark.parametrize("first", ["left", "bottom"])
def test_shared_edge_belongs_to_the_boundary_named_first(tmp_path: Path, first: str) -> None:
    """Where 1 on the left meets 0 at the bottom; the account closes whoever has the edge."""
    tables = {
        "left": "[smoluchowski.boundaries.left]\ntype = 'dirichlet'\nconcentration = 1.0\n",
        "bottom": "[smoluchowski.boundaries.bottom]\ntype = 'dirichlet'\nconcentration = 0.0\n",
    }
    ordered = "".join(tables[name] for name in sorted(tables, key=lambda name: name != first))
    text = slab("rectangle").split("[smoluchowski.boundaries")[0] + ordered
    model = model_of(tmp_path, text)
    model.advance(0.0)
    field = model.fields()["concentration"].function
    points = field.function_space.tabulate_dof_coordinates()
    corner = np.abs(points).sum(axis=1).argmin()
    assert field.x.array[corner] == pytest.approx(1.0 if first == "left" else 0.0, abs=1e-12)
    assert abs(values_of(model)["ledger_residual"]) < 1e-8
