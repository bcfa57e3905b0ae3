"""Localised volume rates: finite volumes, mass balance, thin-layer limits, printed digits."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import solve_banded

from fem_rd.exact.capture import steady_concentration, steady_rate
from fem_rd.exact.localised import (
    LocalisedShell,
    layer_reactivity,
    localised_concentration,
    localised_rate,
    matched_exchange,
    reservoir_curvature,
    reservoir_radius,
)
from fem_rd.exact.sphere import ReactiveSphere

SHELL = LocalisedShell(
    sigma=0.7,
    outer=2.3,
    diffusion=1.9,
    reaction_width=0.2,
    degradation=30.0,
    reservoir_width=0.3,
    exchange=25.0,
    concentration=0.6,
)


def finite_volumes(
    shell: LocalisedShell, parts: int
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Rate of degradation, net supply, centres, concentrations; faces of layers on cell faces."""
    corners = [shell.sigma, shell.inner_face, shell.outer_face, shell.outer]
    edges = np.concatenate([np.linspace(a, b, parts + 1) for a, b in pairwise(corners)])
    edges = edges[np.append(True, np.diff(edges) > 1e-9)]  # layers may touch
    centres, volumes = (edges[1:] + edges[:-1]) / 2, 4 * math.pi / 3 * np.diff(edges**3)
    between = 4 * math.pi * shell.diffusion / (1 / centres[:-1] - 1 / centres[1:])
    reacting = np.where(centres < shell.inner_face, shell.degradation, 0.0) * volumes
    exchanging = np.where(centres > shell.outer_face, shell.exchange, 0.0) * volumes
    bands = np.zeros((3, centres.size))
    bands[0, 1:] = bands[2, :-1] = -between
    bands[1] = reacting + exchanging
    bands[1, :-1] += between
    bands[1, 1:] += between
    c = solve_banded((1, 1), bands, exchanging * shell.concentration)
    return float(reacting @ c), float(exchanging @ (shell.concentration - c)), centres, c


def test_rate_agrees_with_finite_volumes():
    coarse, fine = (finite_volumes(SHELL, n)[0] for n in (2000, 4000))
    assert localised_rate(SHELL) == pytest.approx((4 * fine - coarse) / 3, rel=1e-9)
    assert finite_volumes(SHELL, 200)[1] == pytest.approx(finite_volumes(SHELL, 200)[0], rel=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"degradation": 1e-6},
        {"degradation": 1e5},
        {"exchange": 1e-3},
        {"exchange": 1e5},
        {"reaction_width": 1.3},
    ],
)
def test_rate_agrees_with_finite_volumes_at_the_extremes(changes):
    shell = LocalisedShell(**{**SHELL.__dict__, **changes})
    assert localised_rate(shell) == pytest.approx(finite_volumes(shell, 3000)[0], rel=2e-4)


def test_profile_agrees_with_finite_volumes():
    _, _, centres, c = finite_volumes(SHELL, 1500)
    assert localised_concentration(SHELL, centres) == pytest.approx(c, rel=2e-6)


def test_profile_is_continuous_and_flat_at_the_walls():
    for face in (SHELL.inner_face, SHELL.outer_face):
        sides = localised_concentration(SHELL, [face - 1e-9, face, face + 1e-9])
        assert sides == pytest.approx(sides[1], rel=1e-7)
        slopes = np.diff(localised_concentration(SHELL, [face - 1e-5, face, face + 1e-5]))
        assert slopes[0] == pytest.approx(slopes[1], rel=1e-3)
    for wall, step in ((SHELL.sigma, 1e-4), (SHELL.outer, -1e-4)):
        here, near, far = localised_concentration(SHELL, [wall, wall + step, wall + 2 * step])
        assert abs(far - here) > 1e-9
        assert far - here == pytest.approx(4 * (near - here), rel=1e-2)


def test_degradation_and_supply_balance():
    def over(a: float, b: float, integrand) -> float:
        return quad(lambda r: 4 * math.pi * r**2 * integrand(r), a, b, epsrel=1e-12)[0]

    degraded = over(
        SHELL.sigma,
        SHELL.inner_face,
        lambda r: SHELL.degradation * float(localised_concentration(SHELL, r)),
    )
    supplied = over(
        SHELL.outer_face,
        SHELL.outer,
        lambda r: SHELL.exchange * (0.6 - float(localised_concentration(SHELL, r))),
    )
    assert degraded == pytest.approx(localised_rate(SHELL), rel=1e-11)
    assert supplied == pytest.approx(localised_rate(SHELL), rel=1e-11)


def thin(width: float, kappa: float = 11.0) -> LocalisedShell:
    volume = 4 * math.pi / 3 * ((0.7 + width) ** 3 - 0.7**3)
    return LocalisedShell(
        0.7, 2.3, 1.9, width, kappa / volume, width, matched_exchange(2.3, width, 1.9), 0.6
    )


def test_thin_layers_are_the_robin_and_dirichlet_conditions():
    sphere = ReactiveSphere(0.7, 1.9, 11.0, 2.3, 0.6)
    errors = [localised_rate(thin(w)) / steady_rate(sphere) - 1 for w in (2e-3, 1e-3)]
    assert errors[1] == pytest.approx(0, abs=2e-3)
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.02)
    r = np.linspace(0.71, 2.29, 5)
    profile = localised_concentration(thin(1e-6), r)
    assert profile == pytest.approx(steady_concentration(sphere, r), rel=1e-5)


def test_reactivity_of_a_thin_layer():
    weak = layer_reactivity(0.7, 0.2, 1e-9, 1.9)
    volume = 4 * math.pi / 3 * (0.9**3 - 0.7**3)
    assert weak == pytest.approx(1e-9 * volume, rel=1e-9)
    assert layer_reactivity(0.7, 0.2, 0.0, 1.9) == 0
    width, kappa = 1e-4, 11.0
    volume = 4 * math.pi / 3 * ((0.7 + width) ** 3 - 0.7**3)
    loss = 1 - layer_reactivity(0.7, width, kappa / volume, 1.9) / kappa
    assert loss == pytest.approx(kappa * width / (12 * math.pi * 0.7**2 * 1.9), rel=1e-3)


def test_paper_rate_puts_the_reservoir_behind_a_plane_wall():
    offset = (reservoir_radius(1e7, 1.0, 1.0, 1.0) - 1e7) / 1.0
    assert offset == pytest.approx(0.3130352855, abs=2e-6)
    assert reservoir_radius(3e4, 0.5, 4 * 1.4392288, 1.0) == pytest.approx(3e4, abs=1e-4)
    # the square of the root of s tanh s = 1
    assert matched_exchange(math.inf, 1.0, 1.0) == pytest.approx(1.439228839891, abs=6e-13, rel=0)
    s = math.sqrt(matched_exchange(math.inf, 1.0, 1.0))
    assert s == pytest.approx(1.199678640258, abs=6e-13, rel=0)


@pytest.mark.parametrize(
    ("e", "s", "gamma", "radius_plain", "radius_planar"),
    [
        (0.02, 1.2047940790, 1.4515287729, 1.0065581412, 1.0001246),
        (0.05, 1.2125723611, 1.4703317309, 1.0175891085, 1.0008031),
        (0.10, 1.2258235860, 1.5026434640, 1.0396385648, 1.0033909),
        (0.20, 1.2534535811, 1.5711458799, 1.1018838995, 1.0152592),
        (0.30, 1.2826838855, 1.6452779501, 1.2014286316, 1.0392379),
    ],
)
def test_spherical_reservoir_layer_has_the_printed_digits(e, s, gamma, radius_plain, radius_planar):
    matched = matched_exchange(1.0, e, 1.0) * e**2
    assert matched == pytest.approx(gamma, abs=6e-11, rel=0)
    assert math.sqrt(matched) == pytest.approx(s, abs=6e-11, rel=0)
    assert reservoir_radius(1.0, e, matched / e**2, 1.0) == pytest.approx(1, rel=1e-13)
    assert reservoir_radius(1.0, e, e**-2, 1.0) == pytest.approx(radius_plain, abs=6e-11, rel=0)
    planar = reservoir_radius(1.0, e, 1.439228839892 / e**2, 1.0)
    assert planar == pytest.approx(radius_planar, abs=6e-8, rel=0)


def test_equilibrium_does_not_see_the_layer():
    inert = LocalisedShell(**{**SHELL.__dict__, "degradation": 0.0})
    assert localised_rate(inert) == 0
    profile = localised_concentration(inert, np.linspace(0.7, 2.3, 9))
    assert profile == pytest.approx(0.6, rel=1e-14)


def test_weak_exchange_has_a_rate_but_no_effective_radius():
    assert reservoir_curvature(2.3, 0.3, 0.1, 1.9) < 0
    with pytest.raises(ValueError, match="too weak"):
        reservoir_radius(2.3, 0.3, 0.1, 1.9)
    # all that reacts must first be created: k -> gamma V c_R when nothing leaves again
    weak = LocalisedShell(**{**SHELL.__dict__, "exchange": 1e-9})
    volume = 4 * math.pi / 3 * (2.3**3 - 2.0**3)
    assert localised_rate(weak) == pytest.approx(1e-9 * volume * 0.6, rel=1e-8)


@pytest.mark.parametrize(
    "changes",
    [
        {"sigma": -1.0},
        {"reaction_width": 0.0},
        {"degradation": -1.0},
        {"exchange": 0.0},
        {"reaction_width": 1.4},
    ],
)
def test_a_shell_without_meaning_is_refused(changes):
    with pytest.raises(ValueError):
        LocalisedShell(**{**SHELL.__dict__, **changes})


def test_radii_outside_the_shell_are_refused():
    with pytest.raises(ValueError, match="r must lie in"):
        localised_concentration(SHELL, 0.69)
    with pytest.raises(ValueError, match="wider"):
        matched_exchange(1.0, 1.0, 1.0)
