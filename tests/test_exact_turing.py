"""Dispersion relations: printed digits, differences of the reactions, and marginal states."""

from __future__ import annotations

import numpy as np
import pytest

from fem_rd.errors import FemRdError
from fem_rd.exact.turing import (
    brusselator_fixed_point,
    brusselator_hopf,
    brusselator_jacobian,
    brusselator_turing,
    critical_ratio,
    fastest_wave,
    gray_scott_fixed_points,
    gray_scott_jacobian,
    gray_scott_saddle_node,
    growth_rate,
    growth_rates,
    neumann_wavenumbers,
    schnakenberg_fixed_point,
    schnakenberg_jacobian,
    turing_band,
)

SCHNAKENBERG = schnakenberg_jacobian(0.1, 0.9)


def schnakenberg(w):
    return 3 * np.array([0.2 - w[0] + w[0] ** 2 * w[1], 1.1 - w[0] ** 2 * w[1]])


def brusselator(w):
    return np.array([2 - 4 * w[0] + w[0] ** 2 * w[1], 3 * w[0] - w[0] ** 2 * w[1]])


def gray_scott(w):
    uvv = w[0] * w[1] ** 2
    return np.array([0.04 * (1 - w[0]) - uvv, uvv - 0.095 * w[1]])


@pytest.mark.parametrize(
    ("reactions", "state", "jacobian"),
    [
        (schnakenberg, schnakenberg_fixed_point(0.2, 1.1), schnakenberg_jacobian(0.2, 1.1, 3)),
        (brusselator, brusselator_fixed_point(2, 3), brusselator_jacobian(2, 3)),
        *(
            (gray_scott, state, gray_scott_jacobian(state, 0.04, 0.055))
            for state in gray_scott_fixed_points(0.04, 0.055)
        ),
    ],
)
def test_states_are_steady_and_jacobians_are_derivatives(reactions, state, jacobian):
    state = np.array(state)
    assert reactions(state) == pytest.approx(0, abs=1e-15)
    steps = 1e-5 * np.eye(2)
    slopes = [(reactions(state + e) - reactions(state - e)) / 2e-5 for e in steps]
    assert jacobian == pytest.approx(np.transpose(slopes), abs=1e-9)


def test_schnakenberg_has_the_printed_digits():
    assert schnakenberg_fixed_point(0.1, 0.9) == pytest.approx((1, 0.9), rel=1e-15)
    assert SCHNAKENBERG.ravel() == pytest.approx([0.8, 1, -1.8, -1], rel=1e-15)
    ratio, k2 = critical_ratio(SCHNAKENBERG)
    assert (ratio, k2) == pytest.approx((8.567627457812, 0.341640786500), abs=6e-13, rel=0)
    assert turing_band(SCHNAKENBERG, (1, 10)) == pytest.approx((0.2, 0.5), rel=1e-13)
    k2, rate = fastest_wave(SCHNAKENBERG, (1, 10))
    assert k2 == pytest.approx(0.318544972870, abs=6e-13)
    assert rate == pytest.approx(0.057190958418, abs=6e-13)
    assert growth_rate(0.4, SCHNAKENBERG, (1, 10)) == pytest.approx(0.043074902772, abs=6e-13)


def test_schnakenberg_modes_between_reflecting_walls():
    jacobian = schnakenberg_jacobian(0.1, 0.9, rate=1000)
    printed = [-154.282824206, -317.131296824, -588.545417854, -77.419436949]
    printed += [40.069568521, 53.988347452, 8.408281903, -80.406061858]
    rates = growth_rate(neumann_wavenumbers(1.0, 8), jacobian, (1, 10))
    assert rates == pytest.approx(printed, abs=6e-10, rel=0)


def test_brusselator_has_the_printed_digits():
    assert brusselator_hopf(2.0) == (5, 2)
    critical, k2 = brusselator_turing(2, (1, 8))
    assert critical == pytest.approx(2.914213562373, abs=6e-13)
    assert k2**0.5 == pytest.approx(0.840896415254, abs=6e-13)
    rates = growth_rate(np.array([0.5, 0.8, 1.2]) ** 2, brusselator_jacobian(2, 3), (1, 8))
    printed = [-0.388444501319, 0.051615444064, -0.224546878382]
    assert rates == pytest.approx(printed, abs=6e-13, rel=0)
    jacobian = brusselator_jacobian(4.5, 7)
    printed = (0.521931566, 1.212443434)
    assert turing_band(jacobian, (2, 16)) == pytest.approx(printed, abs=6e-10, rel=0)
    k2, rate = fastest_wave(jacobian, (2, 16))
    assert k2 == pytest.approx(0.831020074363, abs=6e-13)
    assert rate == pytest.approx(0.128595291153, abs=6e-13)


def test_thresholds_are_marginal():
    critical, k2 = brusselator_turing(2, (1, 8))
    assert growth_rate(k2, brusselator_jacobian(2, critical), (1, 8)) == pytest.approx(0, abs=1e-12)
    hopf, frequency = brusselator_hopf(1.3)
    rates = growth_rates(0.0, brusselator_jacobian(1.3, hopf), (1, 8))
    assert rates == pytest.approx(np.array([1, -1]) * 1j * frequency, abs=1e-12)
    ratio, k2 = critical_ratio(SCHNAKENBERG)
    assert growth_rate(k2, SCHNAKENBERG, (1, ratio)) == pytest.approx(0, abs=1e-12)
    assert growth_rate(k2, SCHNAKENBERG, (1, 1.01 * ratio)) > 1e-4
    band = turing_band(SCHNAKENBERG, (0.3, 4.0))
    assert growth_rate(band, SCHNAKENBERG, (0.3, 4.0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_fastest_wave_is_the_maximum_of_the_growth_rates(order):
    jacobian = SCHNAKENBERG[np.ix_(order, order)]
    diffusion = np.array([0.3, 4.0])[list(order)]
    k2, rate = fastest_wave(jacobian, diffusion)
    grid = np.linspace(*turing_band(jacobian, diffusion), 4001)
    rates = growth_rate(grid, jacobian, diffusion)
    assert rate == pytest.approx(rates.max(), rel=1e-6)
    assert k2 == pytest.approx(grid[rates.argmax()], abs=2 * (grid[1] - grid[0]))


def test_gray_scott_has_the_printed_digits():
    assert gray_scott_saddle_node(0.04) == pytest.approx(0.06, rel=1e-14)
    trivial, saddle, focus = gray_scott_fixed_points(0.04, 0.055)
    assert trivial == (1, 0)
    assert saddle == pytest.approx((0.65612494996, 0.14478949475), abs=6e-12, rel=0)
    assert focus == pytest.approx((0.34387505004, 0.27626313683), abs=6e-12, rel=0)
    rates = growth_rates(0.0, gray_scott_jacobian(saddle, 0.04, 0.055), (0, 0))
    assert rates == pytest.approx([0.06282229, -0.02878628], abs=6e-9, rel=0)
    rates = growth_rates(0.0, gray_scott_jacobian(focus, 0.04, 0.055), (0, 0))
    assert rates[0] == pytest.approx(-0.01066066 + 0.0577657j, abs=6e-8)
    focus = gray_scott_fixed_points(0.03, 0.055)[2]
    rates = growth_rates(0.0, gray_scott_jacobian(focus, 0.03, 0.055), (0, 0))
    assert rates[0] == pytest.approx(0.00539492 + 0.03433306j, abs=1e-8)
    assert gray_scott_fixed_points(0.04, 0.0601) == ((1, 0),)


def test_growth_rates_of_many_species_and_places():
    jacobian = np.diag([-1.0, 2.0, 0.5])
    rates = growth_rates(np.ones((2, 4)), jacobian, (1, 1, 0))
    assert rates.shape == (2, 4, 3)
    assert rates[1, 2] == pytest.approx([1, 0.5, -2])


def test_states_without_a_band_are_refused():
    with pytest.raises(FemRdError, match="no wave grows"):
        turing_band(SCHNAKENBERG, (1, 8.5))
    with pytest.raises(FemRdError, match="stable without diffusion"):
        turing_band(brusselator_jacobian(1, 3), (1, 8))
    with pytest.raises(FemRdError, match="activate itself"):
        critical_ratio(SCHNAKENBERG[::-1, ::-1])
    with pytest.raises(FemRdError, match="k2 must lie in"):
        growth_rates(-1.0, SCHNAKENBERG, (1, 10))
