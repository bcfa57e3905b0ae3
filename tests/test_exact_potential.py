"""Capture under a potential: printed digits, a boundary-value solver, closed form, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_bvp

from fem_rd.exact.capture import steady_concentration, steady_rate
from fem_rd.exact.potential import coulomb_rate, debye_concentration, debye_rate
from fem_rd.exact.sphere import ReactiveSphere

UNIT = ReactiveSphere(sigma=1, diffusion=1)
SCALED = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=11.0, outer=2.3, concentration=0.6)


@pytest.mark.parametrize(
    ("onsager", "printed"),
    [
        (-7, 7.006388999773),
        (-2, 2.313035285499),
        (-1, 1.581976706869),
        (1, 0.581976706869),
        (2, 0.313035285499),
    ],
)
def test_coulomb_rates_have_the_printed_digits(onsager, printed):
    # positive Onsager length repels: the rate falls
    assert coulomb_rate(UNIT, onsager) / (4 * math.pi) == pytest.approx(printed, abs=6e-13, rel=0)
    by_quadrature = debye_rate(UNIT, lambda r: onsager / r) / (4 * math.pi)
    assert by_quadrature == pytest.approx(printed, abs=6e-13, rel=0)


@pytest.mark.parametrize(("strength", "printed"), [(-3, 1.764024818379), (3, 0.251110648059)])
def test_yukawa_rates_have_the_printed_digits(strength, printed):
    rate = debye_rate(UNIT, lambda r: strength * math.exp(1 - r) / r)
    assert rate / (4 * math.pi) == pytest.approx(printed, abs=6e-13, rel=0)


@pytest.mark.parametrize("outer", [2.3, math.inf])
@pytest.mark.parametrize("kappa", [0.0, 11.0, math.inf])
@pytest.mark.parametrize("onsager", [-3.0, 0.0, 1.5])
def test_closed_form_and_quadrature_agree(outer, kappa, onsager):
    sphere = ReactiveSphere(0.7, 1.9, kappa, outer, 0.6)
    rate = debye_rate(sphere, lambda r: onsager / r)
    assert coulomb_rate(sphere, onsager) == pytest.approx(rate, rel=1e-12)


def test_without_a_force_it_is_plain_capture():
    radii = np.linspace(0.7, 2.3, 6)
    assert coulomb_rate(SCALED, 0.0) == pytest.approx(steady_rate(SCALED), rel=1e-14)
    assert coulomb_rate(SCALED, 1e-9) == pytest.approx(steady_rate(SCALED), rel=1e-8)
    profile = debye_concentration(SCALED, lambda r: 0.0, radii)
    assert profile == pytest.approx(steady_concentration(SCALED, radii), rel=1e-12)


def test_rate_and_profile_agree_with_a_boundary_value_solver():
    # not Coulomb, with a well and a rim: beta U = 2 sin(3 r)
    def flow(r: np.ndarray, y: np.ndarray) -> np.ndarray:
        c, inflow = y  # inflow = 4 pi r^2 D (c' + c bU') is the same at all r
        slope = inflow / (4 * math.pi * r**2 * SCALED.diffusion)
        return np.vstack([slope - c * 6 * np.cos(3 * r), np.zeros_like(r)])

    def walls(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        return np.array([inner[1] - SCALED.kappa * inner[0], outer[0] - SCALED.concentration])

    r = np.linspace(SCALED.sigma, SCALED.outer, 200)
    solution = solve_bvp(flow, walls, r, np.ones((2, r.size)), tol=1e-10, max_nodes=20000)
    assert solution.success
    rate = debye_rate(SCALED, lambda x: 2 * math.sin(3 * x))
    assert rate == pytest.approx(solution.sol(1.0)[1], rel=1e-8)
    profile = debye_concentration(SCALED, lambda x: 2 * math.sin(3 * x), r[::20])
    assert profile == pytest.approx(solution.sol(r[::20])[0], rel=1e-7)


def test_profile_meets_both_walls():
    for sphere in (SCALED, ReactiveSphere(0.7, 1.9, 11.0, concentration=0.6)):
        profile = debye_concentration(sphere, lambda r: -2 / r, [0.7, min(sphere.outer, 1e7)])
        rate = debye_rate(sphere, lambda r: -2 / r)
        assert profile[0] * sphere.kappa == pytest.approx(rate, rel=1e-11)
        assert profile[1] == pytest.approx(0.6, rel=1e-6)


def test_an_inert_sphere_is_surrounded_by_boltzmanns_law():
    inert = ReactiveSphere(0.7, 1.9, 0.0, 2.3, 0.6)
    assert debye_rate(inert, lambda r: -2 / r) == 0
    radii = np.array([[0.7, 1.0], [1.5, 2.3]])
    expected = 0.6 * np.exp(2 / radii - 2 / 2.3)
    assert debye_concentration(inert, lambda r: -2 / r, radii) == pytest.approx(expected, rel=1e-13)


def test_absorbing_limit():
    nearly = ReactiveSphere(0.7, 1.9, 1e14, 2.3, 0.6)
    absorbing = ReactiveSphere(0.7, 1.9, math.inf, 2.3, 0.6)
    assert coulomb_rate(nearly, 1.5) == pytest.approx(coulomb_rate(absorbing, 1.5), rel=1e-11)
    assert debye_concentration(absorbing, lambda r: 1.5 / r, 0.7) == pytest.approx(0, abs=1e-14)


def test_overflow_is_an_error():
    with pytest.raises(ValueError, match="beta U must be a number below 700"):
        debye_rate(UNIT, lambda r: 1e3 / r)
    with pytest.raises(ValueError, match="beta U must be a number"):
        debye_rate(UNIT, lambda r: math.nan)
    with pytest.raises(ValueError, match="must stay below 700"):
        coulomb_rate(UNIT, 1e3)
