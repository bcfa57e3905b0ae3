"""Sets and what is asked of them: probabilities, rates both ways, what is on the way; modes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from cases import build, values_of
from order_parameters import WELL, steady
from scipy.optimize import brentq

from fem_rd.models.order_parameter.places import inside_part

SLAB = """
model = "order-parameter"
[order-parameter]
diffusion = 2.0
modes = 2
[order-parameter.grid]
coordinates = "line"
lower = 0
upper = 1
cells = 200
[order-parameter.boundaries.left]
{boundary}
[order-parameter.initial]
density = 1.0
[time]
end = 1.0
step = 0.5
"""


def test_the_part_of_a_simplex_where_a_level_is_positive() -> None:
    """One corner inside of cuts off the product of its fractions; the rest is the complement."""
    assert inside_part(np.array([[-1.0, 3.0]])) == pytest.approx(0.75)
    assert inside_part(np.array([[2.0, -1.0, -3.0]])) == pytest.approx(2 / 3 * 2 / 5)
    assert inside_part(np.array([[-2.0, 1.0, 3.0]])) == pytest.approx(1 - 2 / 3 * 2 / 5)
    corner = np.array([[1.0, -1.0, -3.0, -4.0], [1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, -1.0, -1.0]])
    assert inside_part(corner) == pytest.approx([1 / 2 * 1 / 4 * 1 / 5, 1.0, 0.0])
    level = np.array([[1.0, 1.0, -1.0, -1.0]])  # a wedge: half of a tetrahedron, by symmetry
    assert inside_part(level) == pytest.approx(0.5)
    touched = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    assert inside_part(touched) == pytest.approx([1.0, 0.0])


def test_the_probability_of_a_set_is_of_second_order(tmp_path: Path) -> None:
    """Wherever its boundary cuts a cell: at a node, or a third of a cell from one."""
    x, weights = np.polynomial.legendre.leggauss(400)
    for end in (-0.8, -0.8 + 1 / 120):
        def integral(low: float, high: float) -> float:
            at = (low + high) / 2 + (high - low) / 2 * x
            return float((high - low) / 2 * (weights * np.exp(-5 * (at**2 - 1) ** 2)).sum())

        exact = integral(-2.5, end) / integral(-2.5, 2.5)
        errors = []
        for cells in (200, 400):
            changes = f"order-parameter.grid.cells={cells}", "order-parameter.committor=[]"
            found = steady(
                tmp_path, WELL, *changes, f"order-parameter.sets.left.interval=[-2.5,{end!r}]"
            )
            errors.append(abs(found["probability_left"] / exact - 1))
        assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.15)


def test_a_space_that_ends_before_all_its_sides(tmp_path: Path) -> None:
    """No side of the grid is left, and nothing else changes."""
    whole, cut = (
        steady(tmp_path, WELL, *change) for change in ((), ("order-parameter.highest=25",))
    )
    assert cut["density_min"] > 1e-12 > whole["density_min"]
    for name in ("mfpt_right_from_well", "k_left_right", "relaxation_rate_1", "probability_left"):
        assert cut[name] == pytest.approx(whole[name], rel=1e-7)


def test_rates_both_ways_between_wells_that_differ(tmp_path: Path) -> None:
    model = build(tmp_path, WELL, "order-parameter.potential=h*(x^2 - 1)^2 + x")
    model.advance(0.0)
    found, known = values_of(model), model.exact().predictions
    for name in ("k_left_right", "k_right_left"):
        assert found[name] == pytest.approx(known[name].value, rel=1e-4)
    assert found["k_right_left"] > 5 * found["k_left_right"]


def test_the_density_on_the_way_is_boltzmanns_times_both_committors(tmp_path: Path) -> None:
    """q there and 1 - q for having come from the other set: the process is reversible."""
    model = build(tmp_path, WELL, "order-parameter.potential=h*(x^2 - 1)^2 + x")
    model.advance(0.0)
    names = ("density", "committor", "reactive_density")
    law, q, found = (model.fields()[name].function.x.array for name in names)
    assert found == pytest.approx(law * q * (1 - q), rel=1e-8, abs=1e-14)
    assert found.max() > 1e-4


@pytest.mark.parametrize("reactivity", [6.0, math.inf])
def test_modes_of_an_open_slab(tmp_path: Path, reactivity: float) -> None:
    """D k tan k = reactivity, at which the rate is D k^2; (n - 1/2) pi where it absorbs."""
    def leak(k: float) -> float:
        return 2 * k * math.sin(k) - reactivity * math.cos(k)

    boundary, roots = 'type = "absorbing"', [math.pi / 2, 3 * math.pi / 2]
    if math.isfinite(reactivity):
        boundary = f'type = "robin"\nreactivity = {reactivity}'
        roots = [brentq(leak, (n - 1) * math.pi, (n - 0.5) * math.pi) for n in (1, 2)]
    found = values_of(build(tmp_path, SLAB.format(boundary=boundary)))
    for number, root in enumerate(roots, start=1):
        assert found[f"relaxation_rate_{number}"] == pytest.approx(2 * root**2, rel=1e-4)


def test_a_mode_where_next_to_nothing_is(tmp_path: Path) -> None:
    """That of an oscillator is x itself, also where exp(-F) is below the digits of its vector."""
    text = WELL.replace("committor", "splitting").replace("[1.0, 2.5]", "[1.0, 9.0]")
    text = text.replace("-2.5", "-9.0").replace("upper = 2.5", "upper = 9.0")
    model = build(tmp_path, text, "order-parameter.potential=x^2/2", "order-parameter.modes=1")
    model.advance(0.0)
    assert values_of(model)["relaxation_rate_1"] == pytest.approx(1.0, rel=1e-4)
    function = model.fields()["mode_1"].function
    x = function.function_space.tabulate_dof_coordinates()[:, 0]
    near, far = (np.abs(np.abs(x) - at) < 0.1 for at in (1.0, 8.4))
    assert math.exp(-(8.3**2) / 4) < 1e-7  # of the root of the weight
    slope = (function.x.array / np.where(x, x, 1.0))[near].mean()
    assert function.x.array[far] == pytest.approx(slope * x[far], rel=1e-2)
