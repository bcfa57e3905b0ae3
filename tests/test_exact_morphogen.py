"""Morphogen gradients: printed digits, the equation, the wall, the accumulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from fem_rd.errors import FemRdError
from fem_rd.exact.morphogen import MorphogenGradient, nonlinear_gradient

UNIT = MorphogenGradient(production=1, diffusion=1, degradation=1)
SCALED = MorphogenGradient(production=1.7, diffusion=0.6, degradation=2.3)


def test_transient_has_the_printed_digits():
    printed = [0.003636378869, 0.122098450316, 0.233612440468, 0.326422824887]
    assert UNIT.transient([0.1, 0.5, 1, 2], 1.0) == pytest.approx(printed, abs=6e-13, rel=0)
    assert UNIT.steady(1.0) == pytest.approx(0.367879441171, abs=6e-13)


def test_nonlinear_gradient_has_the_printed_digits():
    printed = [1.144714242553, 0.554511238449]
    assert nonlinear_gradient([0, 1], 1, 1, 1, 2) == pytest.approx(printed, abs=6e-13, rel=0)


def test_transient_solves_its_equation_and_feeds_the_wall():
    t, x, h = 0.3, 0.4, 1e-3
    c = SCALED.transient
    change = (c(t + h, x) - c(t - h, x)) / (2 * h)
    bend = (c(t, x + h) - 2 * c(t, x) + c(t, x - h)) / h**2
    assert change > 0.1
    assert change == pytest.approx(0.6 * bend - 2.3 * c(t, x), rel=1e-4)
    wall = c(t, [0, h, 2 * h])
    slope = (-3 * wall[0] + 4 * wall[1] - wall[2]) / (2 * h)
    assert -0.6 * slope == pytest.approx(1.7, rel=1e-5)


def test_amount_is_what_was_produced_less_what_decayed():
    amount = quad(lambda x: SCALED.transient(0.5, x), 0, 12, epsabs=1e-12, limit=200)[0]
    assert amount == pytest.approx(1.7 / 2.3 * -np.expm1(-2.3 * 0.5), rel=1e-9)


def test_transient_ends_in_the_steady_state_and_keeps_far_away_finite():
    x = np.array([0.0, 1.0, 30.0])
    assert SCALED.transient(40.0, x) == pytest.approx(SCALED.steady(x), rel=1e-9)
    assert SCALED.transient(1.0, [1e3, 1e6]) == pytest.approx([0, 0], abs=1e-300)
    assert SCALED.steady(0.0) == pytest.approx(1.7 / (0.6 * 2.3) ** 0.5, rel=1e-14)


def test_accumulation_time_is_the_mean_of_the_approach():
    x = 0.8
    late = lambda t: 1 - SCALED.transient(t, x) / SCALED.steady(x)  # noqa: E731
    mean = quad(late, 1e-9, 15, epsabs=1e-12, limit=400)[0]
    assert SCALED.accumulation_time(x) == pytest.approx(mean, rel=1e-8)
    assert UNIT.accumulation_time(1.0) == 1


@pytest.mark.parametrize("order", [1.5, 2, 3])
def test_nonlinear_gradient_solves_its_equation(order):
    j, d, k, h = 1.7, 0.6, 2.3, 1e-4
    c = nonlinear_gradient([0.5 - h, 0.5, 0.5 + h], j, d, k, order)
    bend = (c[0] - 2 * c[1] + c[2]) / h**2
    assert d * bend == pytest.approx(k * c[1] ** order, rel=1e-5)
    wall = nonlinear_gradient([0, h, 2 * h], j, d, k, order)
    slope = (-3 * wall[0] + 4 * wall[1] - wall[2]) / (2 * h)
    assert -d * slope == pytest.approx(j, rel=1e-5)


def test_nonlinear_gradient_forgets_its_production_far_away():
    near = nonlinear_gradient(0.0, 1, 1, 1, 2), nonlinear_gradient(0.0, 2, 1, 1, 2)
    far = nonlinear_gradient(1e5, 1, 1, 1, 2), nonlinear_gradient(1e5, 2, 1, 1, 2)
    assert near[1] / near[0] == pytest.approx(2 ** (2 / 3), rel=1e-12)
    assert far[1] == pytest.approx(far[0], rel=2e-5)
    assert nonlinear_gradient(0.7, 1, 1, 1, 1.0001) == pytest.approx(UNIT.steady(0.7), rel=1e-3)


def test_shapes_and_limits_of_validity():
    assert UNIT.transient(np.ones((2, 3)), np.ones(4)).shape == (2, 3, 4)
    with pytest.raises(FemRdError, match="t must lie in"):
        UNIT.transient(0.0, 1.0)
    with pytest.raises(FemRdError, match="x must lie in"):
        UNIT.steady(-0.1)
    with pytest.raises(FemRdError, match="order must be larger than 1"):
        nonlinear_gradient(0.0, 1, 1, 1, 1)
    with pytest.raises(FemRdError, match="degradation must be positive"):
        MorphogenGradient(1, 1, 0)
