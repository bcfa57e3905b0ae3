"""Closed forms of the Klein-Kramers equation, and the limits of the turnover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from fem_rd.exact import klein_kramers as kk
from fem_rd.exact import turnover
from fem_rd.exact.validity import OutOfRange

MOMENTS = {  # of the oscillator 1.3 with k_B T/M = 0.7, from the point (1, -0.4), at t = 1.5
    0.5: ((-0.30712852, -0.71434751), (0.229492859304, 0.090106781091, 0.305790503393)),
    2.0: ((0.223949, -0.35688036), (0.324876624455, 0.090729769984, 0.599797068988)),
    6.0: ((0.62888537, -0.18635796), (0.214916745808, 0.059015800029, 0.682523125687)),
}
SMOLUCHOWSKI = {2.0: 0.454546602, 5.0: 0.0555228127, 8.0: 0.00457495112}  # of the barrier, D = 1


def well(barrier: float, s: float = 1.0) -> turnover.Well:
    return turnover.Well(lambda x: barrier * (x * x - 1) ** 2, 1.0, 0.0, 2.0, s)


@pytest.mark.parametrize("friction", MOMENTS)
def test_moments_of_the_oscillator(friction: float) -> None:
    oscillator = kk.Oscillator(1.3, friction, math.sqrt(0.7))
    mean, (xx, xv, vv) = MOMENTS[friction]
    assert kk.mean(oscillator, [1.0, -0.4], 1.5) == pytest.approx(mean, rel=3e-8)
    found = kk.covariance(oscillator, np.zeros((2, 2)), 1.5)
    assert found.ravel() == pytest.approx([xx, xv, xv, vv], rel=1e-10)
    far = kk.covariance(oscillator, np.eye(2), 500.0)
    assert far == pytest.approx(oscillator.stationary, abs=1e-12)


def test_rates_of_the_oscillator() -> None:
    ringing = kk.rates(kk.Oscillator(1.3, 0.5, 1.0), 4)
    turning = math.sqrt(4 * 1.69 - 0.25) / 2
    assert ringing == pytest.approx([0, 0.5, 1.0, 0.25 + turning * 1j])
    minus, plus = 3 - math.sqrt(9 - 1.69), 3 + math.sqrt(9 - 1.69)
    slow = kk.rates(kk.Oscillator(1.3, 6.0, 1.0), 24)
    assert slow[:3] == pytest.approx([0, minus, 2 * minus])
    assert min(abs(rate - plus) for rate in slow) < 1e-12


@pytest.mark.parametrize("barrier", SMOLUCHOWSKI)
def test_the_overdamped_rate_is_the_eigenvalue(barrier: float) -> None:
    rate = turnover.overdamped_rate(well(barrier, s=1.5), 3.0)
    assert rate * 3.0 / 1.5**2 == pytest.approx(SMOLUCHOWSKI[barrier], rel=2e-9)


def test_the_action_of_a_double_well() -> None:
    """In closed form at the barrier; dS/dE is the period; harmonic at the bottom."""
    one = well(5.0)
    action, period = one.action([1e-4, 2.5, 2.5 + 1e-4, 5.0])
    assert action[3] == pytest.approx(2 * math.sqrt(10) * 2**1.5 / 3, rel=1e-8)
    assert (action[2] - action[1]) / 1e-4 == pytest.approx(period[1], rel=1e-4)
    assert period[0] == pytest.approx(2 * math.pi / math.sqrt(40), rel=1e-4)
    assert one.frequency(1.0) == pytest.approx(math.sqrt(40), rel=1e-7)


def test_the_underdamped_rate_is_near_the_mean_time_of_energy_diffusion() -> None:
    """1/k = int e^E/(gamma S) int T e^-E: the eigenvalue is below it by about e^-barrier."""
    one, gamma = well(8.0), 0.01
    energies = np.linspace(1e-9, 8.0, 4001)
    action = one.action(energies[:-1])[0]
    inner = np.concatenate([[0.0], np.cumsum(np.diff(action) * np.exp(-energies[1:-1]))])
    inner += action[0]
    time = np.trapezoid(np.exp(energies[:-1]) / action * inner, energies[:-1]) / gamma
    assert turnover.underdamped_rate(one, gamma) * time == pytest.approx(1.0, abs=5e-3)
    twice = turnover.underdamped_rate(one, 2 * gamma)
    assert twice == pytest.approx(2 * turnover.underdamped_rate(one, gamma), rel=1e-12)


def test_melnikovs_factor() -> None:
    """The definition by another quadrature, and both ends: delta (1 - 0.8239 sqrt delta), and 1."""
    delta = 0.7

    def integrand(x: float) -> float:
        return math.log(-math.expm1(-delta * (x * x + 0.25))) / (x * x + 0.25)

    value = quad(integrand, -np.inf, np.inf, epsabs=1e-12)[0] / (2 * math.pi)
    assert turnover.depopulation(delta) == pytest.approx(math.exp(value), rel=1e-9)
    small = 1e-6
    missing = 1 - turnover.depopulation(small) / small
    assert missing / math.sqrt(small) == pytest.approx(0.8239, abs=1e-3)
    assert turnover.depopulation(50.0) == pytest.approx(1.0, abs=1e-5)


def test_the_bridge_reaches_both_ends() -> None:
    """To the errors of 1/barrier of its steepest descents: Kramers' rate is 10 % off at h = 5."""
    for barrier, near in ((5.0, 0.15), (20.0, 0.04)):
        one = well(barrier)
        kramers = 2 * turnover.kramers_rate(one, 1e3)
        assert turnover.bridging_rate(one, 1e3) == pytest.approx(kramers, rel=1e-12)
        overdamped = turnover.overdamped_rate(one, 1e3)
        assert kramers / overdamped == pytest.approx(1.0, abs=near)
        assert kramers > overdamped
    assert turnover.kramers_rate(well(5.0), 0.0) == pytest.approx(
        math.sqrt(40) / (2 * math.pi) * math.exp(-5), rel=1e-7
    )


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(OutOfRange, match="between"):
        turnover.Well(lambda x: x * x, -1.0, 0.0, 2.0, 1.0)
    with pytest.raises(OutOfRange, match="barrier"):
        turnover.Well(lambda x: -((x * x - 1) ** 2), 1.0, 0.0, 2.0, 1.0)
    with pytest.raises(OutOfRange, match="friction"):
        kk.Oscillator(1.0, -1.0, 1.0)
