"""Fronts: printed digits, the equations they solve, and two criteria that differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from fem_rd.errors import FemRdError
from fem_rd.exact.fronts import (
    ablowitz_zeppetella_speed,
    ablowitz_zeppetella_wave,
    cubic_front,
    cubic_front_speed,
    fisher_front_speed,
    fisher_speed,
    nagumo_speed,
    schloegl_front_speed,
    schloegl_roots,
)


def residual(wave, reaction, diffusion: float, t: float, x: float) -> tuple[float, float]:
    """u_t - D u_xx - R(u) by central differences, and u_t."""
    h = 1e-3
    change = (wave(t + h, x) - wave(t - h, x)) / (2 * h)
    bend = (wave(t, x + h) - 2 * wave(t, x) + wave(t, x - h)) / h**2
    return float(change - diffusion * bend - reaction(wave(t, x))), float(change)


def test_fisher_front_slows_down_as_printed():
    printed = [1.934074868, 1.977519885, 1.987658681, 1.996582335]
    assert fisher_front_speed([10, 50, 100, 400], 1, 1) == pytest.approx(printed, abs=6e-10)
    assert fisher_speed(1, 1) == 2
    assert fisher_front_speed(math.inf, 3.0, 0.7) == pytest.approx(2 * math.sqrt(2.1), rel=1e-15)


def test_speeds_scale_with_growth_and_diffusion():
    r, d = 3.0, 0.7
    scaled = math.sqrt(r * d) * fisher_front_speed(3.0 * 20, 1, 1)
    assert fisher_front_speed(20, r, d) == pytest.approx(scaled, rel=1e-14)
    assert ablowitz_zeppetella_speed(r, d) == pytest.approx(2.041241452319 * math.sqrt(r * d))


def test_closed_wave_of_fisher():
    assert ablowitz_zeppetella_speed(1, 1) == pytest.approx(2.041241452319, abs=6e-13)
    t, x = 0.4, 1.3
    printed = (1 + math.exp((x - 5 * t / math.sqrt(6)) / math.sqrt(6))) ** -2
    assert ablowitz_zeppetella_wave(t, x, 1, 1) == pytest.approx(printed, rel=1e-14)
    error, change = residual(
        lambda t, x: ablowitz_zeppetella_wave(t, x, 3.0, 0.7), lambda u: 3 * u * (1 - u), 0.7, t, x
    )
    assert change > 0.1
    assert error == pytest.approx(0, abs=1e-5)


def test_cubic_front_solves_its_equation():
    roots, k, d = (0.2, 0.9, 2.1), 1.7, 0.6

    def reaction(u: float) -> float:
        return -k * math.prod(u - root for root in roots)

    error, change = residual(lambda t, x: cubic_front(t, x, roots, k, d), reaction, d, 0.3, 0.5)
    assert change > 0.1
    assert error == pytest.approx(0, abs=1e-5)
    ends = cubic_front(0.0, [-100.0, 0.0, 100.0], roots, k, d)
    assert ends == pytest.approx([2.1, 1.15, 0.2], rel=1e-12)


def test_nagumo_speed_has_the_printed_digits():
    assert nagumo_speed(0.25, 1, 1) == pytest.approx(0.353553390593, abs=6e-13)
    assert nagumo_speed(0.5, 1, 1) == 0
    assert nagumo_speed(0.75, 2, 3) < 0


def test_schloegl_fronts_have_the_printed_digits():
    assert schloegl_front_speed(3, 0.6, 0.25, 2.95, 1) == pytest.approx(0.760086317, abs=6e-10)
    assert schloegl_front_speed(3, 0.6, 1, 4, 1) == pytest.approx(-0.183957562, abs=6e-10)
    assert schloegl_front_speed(3, 0.6, 10 / 9, 4, 1) == pytest.approx(0, abs=1e-12)
    printed = [0.093463120121, 1.204092864802, 3.702444015077]
    assert schloegl_roots(3, 0.6, 0.25, 2.95) == pytest.approx(printed, abs=6e-13, rel=0)


def test_the_front_stalls_elsewhere_than_the_master_equation_balances():
    def tilt(k3: float) -> float:
        low, _, high = schloegl_roots(3, 0.6, k3, 4)
        slope = lambda x: math.log((0.6 * x**3 + 4 * x) / (3 * x**2 + k3))  # noqa: E731
        return quad(slope, low, high, epsabs=1e-13, epsrel=1e-13)[0]

    assert tilt(10 / 9) == pytest.approx(0.085565697689, abs=6e-13)
    balanced = brentq(tilt, 1.2, 1.4, xtol=1e-14)
    assert balanced == pytest.approx(1.324569850526, abs=6e-13)
    assert schloegl_front_speed(3, 0.6, balanced, 4, 1) > 0.08


def test_shapes_follow_times_then_places():
    assert ablowitz_zeppetella_wave(np.zeros(2), np.zeros((3, 4)), 1, 1).shape == (2, 3, 4)
    assert cubic_front(0.0, np.zeros(5), (0, 0.3, 1), 1, 1).shape == (5,)
    assert np.isfinite(cubic_front(0.0, [-1e9, 1e9], (0, 0.3, 1), 1, 1)).all()


def test_what_has_no_front_is_refused():
    with pytest.raises(FemRdError, match="one steady state"):
        schloegl_roots(3, 0.6, 5, 2.95)
    with pytest.raises(FemRdError, match="must rise"):
        cubic_front_speed((0, 2, 1), 1, 1)
    with pytest.raises(FemRdError, match="growth must be positive"):
        fisher_speed(-1, 1)
    with pytest.raises(FemRdError, match="t must lie in"):
        fisher_front_speed(0.5, 1, 1)
