"""Doi's volume reaction: printed digits, its two limits, a boundary-value solver, its inverse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_bvp

from fem_rd.exact.capture import steady_rate
from fem_rd.exact.doi import doi_capacitance, doi_concentration, doi_rate, doi_reaction_rate
from fem_rd.exact.hyperbolic import one_minus_tanhc
from fem_rd.exact.sphere import ReactiveSphere


@pytest.mark.parametrize(
    ("reaction_rate", "printed"),
    [
        (0.1, 0.402775633136),
        (1, 2.995896192889),
        (10, 8.606750179183),
        (100, 11.309733558103),
        (1000, 12.168987083727),
    ],
)
def test_rates_have_the_printed_digits(reaction_rate, printed):
    assert doi_rate(1, 1, reaction_rate) == pytest.approx(printed, abs=6e-13, rel=0)


def test_finite_outer_radius_and_inverse_have_the_printed_digits():
    assert doi_rate(1, 1, 10, outer=5) == pytest.approx(9.972836082119, abs=6e-13, rel=0)
    assert doi_reaction_rate(1, 1, 2 * math.pi) == pytest.approx(3.6672558245, abs=6e-11, rel=0)


@pytest.mark.parametrize("reaction_rate", [1e-12, 1e-3, 2.0, 1e5])
def test_inverse_undoes_the_rate(reaction_rate):
    rate = doi_rate(0.7, 1.9, reaction_rate)
    assert doi_reaction_rate(0.7, 1.9, rate) == pytest.approx(reaction_rate, rel=1e-9)


def test_weak_reaction_counts_pairs_and_strong_reaction_absorbs():
    volume = 4 * math.pi / 3 * 0.7**3
    weak = 1e-5
    s_squared = 0.7**2 * weak / 1.9
    assert doi_rate(0.7, 1.9, weak) / (volume * weak) == pytest.approx(
        1 - 2 / 5 * s_squared, abs=1e-11, rel=0
    )
    absorbing = steady_rate(ReactiveSphere(0.7, 1.9, outer=2.3, concentration=0.6))
    assert doi_rate(0.7, 1.9, 1e14, 2.3, 0.6) == pytest.approx(absorbing, rel=1e-6)
    assert doi_rate(0.7, 1.9, 0.0) == 0


def test_rate_is_the_reaction_in_the_volume():
    reacted = quad(lambda r: 5.0 * 4 * math.pi * r**2 * doi_concentration(r, 0.7, 1.9, 5.0), 0, 0.7)
    assert doi_rate(0.7, 1.9, 5.0) == pytest.approx(reacted[0], rel=1e-12)


def test_profile_agrees_with_a_boundary_value_solver():
    # u = r c on [0, sigma]; at sigma it joins 1 - C/r, whose r c has slope 1
    p_squared = 5.0 / 1.9

    def flow(_: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.vstack([y[1], p_squared * y[0]])

    r = np.linspace(0, 0.7, 50)
    solution = solve_bvp(
        flow, lambda a, b: np.array([a[0], b[1] - 1]), r, np.ones((2, r.size)), tol=1e-10
    )
    inside = solution.sol(r[1:])[0] / r[1:]
    assert doi_concentration(r[1:], 0.7, 1.9, 5.0) == pytest.approx(inside, rel=1e-8)
    capacitance = doi_capacitance(0.7, 1.9, 5.0)
    assert doi_concentration(1.3, 0.7, 1.9, 5.0) == pytest.approx(1 - capacitance / 1.3, rel=1e-14)
    assert doi_concentration(0.0, 0.7, 1.9, 5.0) == pytest.approx(
        float(doi_concentration(1e-6, 0.7, 1.9, 5.0)), rel=1e-10
    )


def test_concentration_is_uniform_without_reaction_and_finite_with_a_fast_one():
    assert doi_concentration([0.0, 0.3, 2.0], 0.7, 1.9, 0.0) == pytest.approx(1, rel=1e-15)
    assert np.isfinite(doi_concentration([0.0, 0.3, 0.7, 2.0], 0.7, 1.9, 1e12)).all()


@pytest.mark.parametrize("z", [1e-8, 0.01, 0.3, 0.499999, 0.500001, 2.0])
def test_one_minus_tanhc_keeps_its_digits(z):
    series = z**2 / 3 - 2 * z**4 / 15 + 17 * z**6 / 315
    if z < 0.02:
        assert one_minus_tanhc(z) == pytest.approx(series, rel=1e-12)
    assert one_minus_tanhc(z) == pytest.approx(1 - math.tanh(z) / z, abs=3e-16, rel=0)


def test_outside_the_limits_of_validity_is_an_error():
    with pytest.raises(ValueError, match="between 0 and 4 pi sigma D"):
        doi_reaction_rate(1, 1, 4 * math.pi)
    with pytest.raises(ValueError, match="reaction_rate"):
        doi_rate(1, 1, -1)
    with pytest.raises(ValueError, match="outer"):
        doi_rate(1, 1, 1, outer=1)
