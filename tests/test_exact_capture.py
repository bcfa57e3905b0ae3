"""Capture by a reactive sphere: printed digits, an independent discretisation, balances, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from scipy.linalg import expm
from scipy.optimize import brentq

from fem_rd.errors import FemRdError
from fem_rd.exact.capture import (
    SHORTEST_TIME,
    collins_kimball_concentration,
    collins_kimball_rate,
    shell_wavenumbers,
    steady_concentration,
    steady_rate,
    transient_concentration,
    transient_rate,
    transient_reservoir_rate,
)
from fem_rd.exact.sphere import ReactiveSphere

K_S = 4 * math.pi
SHELL = ReactiveSphere(sigma=1, diffusion=1, kappa=K_S, outer=5)
# every scale different from 1, so that a lost factor shows
SCALED = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=11.0, outer=2.3, concentration=0.6)


def finite_volume_shell(
    sphere: ReactiveSphere, initial: float, t: float, cells: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Rate of capture, cell centres and concentrations at time t by finite volumes."""
    edges = np.linspace(sphere.sigma, sphere.outer, cells + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    volumes = 4 * math.pi / 3 * np.diff(edges**3)
    between = 4 * math.pi * sphere.diffusion / (1 / centres[:-1] - 1 / centres[1:])
    gap = (1 / sphere.sigma - 1 / centres[0]) / (4 * math.pi * sphere.diffusion)
    wall = 1 / (1 / sphere.kappa + gap)
    feed = 4 * math.pi * sphere.diffusion / (1 / centres[-1] - 1 / sphere.outer)
    loss = np.zeros(cells)
    loss[:-1] += between
    loss[1:] += between
    loss[0] += wall
    loss[-1] += feed
    matrix = np.diag(between, 1) + np.diag(between, -1) - np.diag(loss)
    supply = np.zeros(cells)
    supply[-1] = feed * sphere.concentration
    steady = np.linalg.solve(matrix, -supply)
    c = steady + expm(matrix / volumes[:, None] * t) @ (initial - steady)
    return wall * c[0], centres, c


def extrapolated_rate(sphere: ReactiveSphere, initial: float, t: float) -> float:
    coarse, fine = (finite_volume_shell(sphere, initial, t, n)[0] for n in (120, 240))
    return (4 * fine - coarse) / 3


@pytest.mark.parametrize(
    ("ratio", "printed"),
    [
        (0.1, [0.099653893856, 0.098973142559, 0.097298804201, 0.094561186006, 0.092328971278]),
        (1, [0.966226217310, 0.904509759951, 0.776803126892, 0.627697838155, 0.544065268092]),
        (10, [7.298804200590, 4.561186005786, 2.328971278277, 1.373459952346, 1.056478329491]),
    ],
)
def test_collins_kimball_rate_has_the_printed_digits(ratio, printed):
    sphere = ReactiveSphere(sigma=1, diffusion=1, kappa=ratio * K_S)
    rates = collins_kimball_rate(sphere, [0.001, 0.01, 0.1, 1, 10]) / K_S
    assert rates == pytest.approx(printed, abs=6e-13, rel=0)


@pytest.mark.parametrize(
    ("ratio", "printed"), [(0.1, 0.090909090909), (1, 0.5), (10, 0.909090909091), (math.inf, 1)]
)
def test_steady_rate_of_an_infinite_domain(ratio, printed):
    sphere = ReactiveSphere(sigma=1, diffusion=1, kappa=ratio * K_S)
    assert steady_rate(sphere) / K_S == pytest.approx(printed, abs=6e-13, rel=0)
    assert collins_kimball_rate(sphere, math.inf) == pytest.approx(steady_rate(sphere), rel=1e-15)


def test_collins_kimball_concentration_has_the_printed_digits():
    sphere = ReactiveSphere(sigma=1, diffusion=1, kappa=K_S)
    values = collins_kimball_concentration(sphere, [0.01, 0.1, 1, 10], 1.5)
    printed = [0.999991034819, 0.971857053042, 0.831137593223, 0.725181975290]
    assert values == pytest.approx(printed, abs=6e-13, rel=0)


@pytest.mark.parametrize(
    ("outer", "kappa", "printed"),
    [
        (2, K_S, 8.377580409573),
        (5, K_S, 6.981317007977),
        (10, K_S, 6.613879270715),
        (5, math.inf, 15.707963267949),
    ],
)
def test_steady_rate_of_a_shell_has_the_printed_digits(outer, kappa, printed):
    sphere = ReactiveSphere(sigma=1, diffusion=1, kappa=kappa, outer=outer)
    assert steady_rate(sphere) == pytest.approx(printed, abs=6e-13, rel=0)


def test_wavenumbers_have_the_printed_digits():
    printed = [0.70110629, 1.41671783, 2.1507682, 2.89983745, 3.65933877]
    assert shell_wavenumbers(SHELL, 5) == pytest.approx(printed, abs=6e-9, rel=0)


def test_transient_rates_have_the_printed_digits():
    times = [0.05, 0.1, 0.5, 1, 2, 5, 20]
    printed = [
        10.328226319575,
        9.761595986923,
        8.395617355565,
        7.887883710686,
        7.469785477471,
        7.089144021420,
        6.981384677823,
    ]
    assert transient_rate(SHELL, times, initial=1) == pytest.approx(printed, abs=6e-13, rel=0)
    printed = [0.005461605802, 0.315319467315, 2.203369006867, 5.839679973394]
    rates = transient_rate(SHELL, [0.5, 1, 2, 5], initial=0)
    assert rates == pytest.approx(printed, abs=6e-13, rel=0)


@pytest.mark.parametrize("kappa", [0.3, 11.0, 1e6, math.inf])
def test_wavenumbers_are_the_bracketed_roots(kappa):
    sphere = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=kappa, outer=2.3)
    gap = 1.6
    strength = (1 + sphere.reactivity_ratio) / sphere.sigma

    def condition(wave: float) -> float:
        if math.isinf(strength):
            return math.sin(wave * gap)
        return wave * math.cos(wave * gap) / strength + math.sin(wave * gap)

    roots = [
        brentq(condition, (m - 0.5) * math.pi / gap, (m + 1e-9) * math.pi / gap, xtol=1e-14)
        for m in range(1, 40)
    ]
    assert shell_wavenumbers(sphere, 39) == pytest.approx(roots, rel=1e-12)


@pytest.mark.parametrize("initial", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("t", [0.02, 0.3])
def test_transient_rate_agrees_with_finite_volumes(initial, t):
    rate = transient_rate(SCALED, t, initial)
    scale = steady_rate(SCALED)
    assert rate == pytest.approx(extrapolated_rate(SCALED, initial, t), abs=2e-6 * scale)


def test_absorbing_transient_agrees_with_finite_volumes():
    sphere = ReactiveSphere(sigma=0.7, diffusion=1.9, outer=2.3, concentration=0.6)
    for t in (0.1, 1.0):
        expected = extrapolated_rate(sphere, 0.9, t)
        assert transient_rate(sphere, t, 0.9) == pytest.approx(expected, rel=1e-5)


def test_transient_profile_agrees_with_finite_volumes():
    _, centres, c = finite_volume_shell(SCALED, 1.0, 0.05, 400)
    assert transient_concentration(SCALED, 0.05, centres, 1.0) == pytest.approx(c, abs=2e-5)


@pytest.mark.parametrize("initial", [0.0, 0.6])
def test_amount_between_the_walls_balances_the_two_rates(initial):
    def amount(t: float) -> float:
        x, w = leggauss(60)
        r = SCALED.sigma + (SCALED.outer - SCALED.sigma) * (x + 1) / 2
        density = 4 * math.pi * r**2 * transient_concentration(SCALED, t, r, initial)
        return float(w @ density) * (SCALED.outer - SCALED.sigma) / 2

    start, end = 0.05, 0.4
    x, w = leggauss(40)
    t = start + (end - start) * (x + 1) / 2
    net = transient_reservoir_rate(SCALED, t, initial) - transient_rate(SCALED, t, initial)
    gained = float(w @ net) * (end - start) / 2
    assert abs(gained) > 0.1
    assert amount(end) - amount(start) == pytest.approx(gained, rel=1e-9)


def test_flux_at_the_sphere_is_reactivity_times_concentration():
    times = np.array([0.01, 0.2, 3.0])
    finite = transient_concentration(SCALED, times, SCALED.sigma, 0.8)
    assert transient_rate(SCALED, times, 0.8) == pytest.approx(SCALED.kappa * finite, rel=1e-10)
    sphere = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=11.0, concentration=0.6)
    infinite = collins_kimball_concentration(sphere, times, sphere.sigma)
    assert collins_kimball_rate(sphere, times) == pytest.approx(sphere.kappa * infinite, rel=1e-12)
    steady = steady_concentration(sphere, sphere.sigma)
    assert steady_rate(sphere) == pytest.approx(sphere.kappa * steady, rel=1e-13)


@pytest.mark.parametrize("kappa", [2.0, math.inf])
def test_shell_and_infinite_domain_agree_before_the_wall_is_felt(kappa):
    shell = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=kappa, outer=9, concentration=0.6)
    infinite = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=kappa, concentration=0.6)
    times, radii = np.array([1e-4, 0.01, 0.1]), np.array([0.7, 0.75, 1.5])
    rates = collins_kimball_rate(infinite, times)
    assert transient_rate(shell, times, 0.6) == pytest.approx(rates, rel=1e-12)
    profile = collins_kimball_concentration(infinite, times, radii)
    assert transient_concentration(shell, times, radii, 0.6) == pytest.approx(profile, abs=1e-12)


def test_collins_kimball_concentration_solves_the_diffusion_equation():
    sphere = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=11.0, concentration=0.6)
    t, r, step = 0.13, 1.1, 1e-3

    def u(time: float, radius: float) -> float:
        return radius * float(collins_kimball_concentration(sphere, time, radius))

    change = (u(t + step / 10, r) - u(t - step / 10, r)) / (step / 5)
    bend = (u(t, r + step) - 2 * u(t, r) + u(t, r - step)) / step**2
    assert abs(change) > 0.01
    assert change == pytest.approx(sphere.diffusion * bend, rel=1e-4)


def test_limits_of_the_reactivity():
    absorbing = ReactiveSphere(sigma=0.7, diffusion=1.9, outer=2.3)
    nearly = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=1e12, outer=2.3)
    inert = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=0, outer=2.3)
    assert steady_rate(nearly) == pytest.approx(steady_rate(absorbing), rel=1e-10)
    pair = [transient_rate(x, 0.2, 1) for x in (nearly, absorbing)]
    assert pair[0] == pytest.approx(pair[1], rel=1e-10)
    assert transient_concentration(absorbing, 0.2, 0.7, 1) == pytest.approx(0, abs=1e-13)
    assert steady_rate(inert) == 0
    assert transient_rate(inert, 0.2, 0.4) == pytest.approx(0, abs=1e-13)
    assert transient_concentration(inert, 0.2, [0.7, 1.5], 1) == pytest.approx(1, abs=1e-13)
    start = collins_kimball_rate(ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=11.0), 0)
    assert start == pytest.approx(11.0, rel=1e-14)


def test_transient_ends_in_the_steady_state():
    radii = np.linspace(SCALED.sigma, SCALED.outer, 7)
    late = transient_concentration(SCALED, 50.0, radii, 0.0)
    assert late == pytest.approx(steady_concentration(SCALED, radii), rel=1e-13)
    assert late[-1] == pytest.approx(SCALED.concentration, rel=1e-13)
    assert transient_rate(SCALED, 50.0, 0.0) == pytest.approx(steady_rate(SCALED), rel=1e-13)


def test_shapes_follow_times_then_radii():
    times, radii = np.full((2, 3), 0.1), np.full(4, 1.0)
    assert transient_concentration(SCALED, times, radii, 1).shape == (2, 3, 4)
    assert transient_concentration(SCALED, 0.1, radii, 1).shape == (4,)
    assert transient_rate(SCALED, times, 1).shape == (2, 3)
    infinite = ReactiveSphere(sigma=1, diffusion=1)
    assert collins_kimball_concentration(infinite, times, radii + 1).shape == (2, 3, 4)
    assert collins_kimball_rate(infinite, 0.1).shape == ()


def test_outside_the_limits_of_validity_is_an_error():
    infinite = ReactiveSphere(sigma=1, diffusion=1)
    shortest = SHORTEST_TIME * (SHELL.outer - SHELL.sigma) ** 2
    transient_rate(SHELL, 1.01 * shortest, 1)
    with pytest.raises(FemRdError, match=r"t must lie in \[1.6e-06, inf\]"):
        transient_rate(SHELL, [1.0, 0.99 * shortest], 1)
    with pytest.raises(FemRdError, match="r must lie in"):
        transient_concentration(SHELL, 1.0, 0.99, 1)
    with pytest.raises(ValueError, match="finite outer radius"):
        transient_rate(infinite, 1.0, 1)
    with pytest.raises(ValueError, match="infinite outer radius"):
        collins_kimball_rate(SHELL, 1.0)
    with pytest.raises(ValueError, match="t must lie in"):
        collins_kimball_concentration(infinite, 0.0, 1.5)
    with pytest.raises(ValueError, match="t must lie in"):
        collins_kimball_rate(infinite, math.nan)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"sigma": 0, "diffusion": 1}, "sigma"),
        ({"sigma": 1, "diffusion": -1}, "diffusion"),
        ({"sigma": 1, "diffusion": 1, "kappa": -1}, "kappa"),
        ({"sigma": 1, "diffusion": 1, "outer": 1}, "outer"),
        ({"sigma": 1, "diffusion": 1, "concentration": math.nan}, "concentration"),
    ],
)
def test_a_sphere_without_meaning_is_refused(values, named):
    with pytest.raises(FemRdError, match=named):
        ReactiveSphere(**values)
