"""The front of A + B -> 0: the inner profile, its numbers, and the equation it comes from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import simpson, solve_ivp

from fem_rd.errors import FemRdError
from fem_rd.exact.annihilation_front import (
    AT_CENTRE,
    RATE_AT_CENTRE,
    SECOND_MOMENT,
    AnnihilationFront,
    inner_profile,
)

EVEN = AnnihilationFront(a=1, b=1, rate=1, diffusion=1)


def test_inner_profile_has_the_printed_numbers():
    assert inner_profile(0.0) == pytest.approx(AT_CENTRE, abs=2e-12)
    assert float(inner_profile(0.0)) ** 2 == pytest.approx(RATE_AT_CENTRE, abs=6e-13)
    xi = np.linspace(-16, 16, 20001)
    rate = inner_profile(xi) * (inner_profile(xi) + xi)
    assert simpson(rate, x=xi) == pytest.approx(1, abs=1e-10)
    assert simpson(xi**2 * rate, x=xi) == pytest.approx(SECOND_MOMENT, abs=6e-9)


def test_inner_profile_solves_its_equation_and_is_symmetric():
    h, xi = 1e-3, np.array([-3.0, -0.6, 0.2, 1.5, 4.0])
    a = inner_profile(xi)
    bend = (inner_profile(xi + h) - 2 * a + inner_profile(xi - h)) / h**2
    assert bend == pytest.approx(a * (a + xi), rel=1e-4, abs=1e-6)
    assert inner_profile(-xi) == pytest.approx(a + xi, abs=1e-12)
    assert (inner_profile(h) - inner_profile(-h)) / (2 * h) == pytest.approx(-0.5, abs=1e-6)
    assert inner_profile([-1e3, 1e3]) == pytest.approx([1e3, 0], abs=1e-12)


def test_fronts_have_the_printed_digits():
    assert EVEN.position(100.0) == 0
    assert EVEN.gradient(100.0) == pytest.approx(0.0564189584, abs=6e-11)
    assert EVEN.rate_at_centre(100.0) == pytest.approx(0.006435622750, abs=6e-13)
    assert EVEN.width(100.0) == pytest.approx(3.5962929, abs=6e-8)
    uneven = AnnihilationFront(a=1, b=0.5, rate=1, diffusion=1)
    assert uneven.position(100.0) == pytest.approx(6.091403883480, abs=6e-12)
    assert uneven.rate_at_centre(100.0) == pytest.approx(0.003875166, abs=6e-10)


def test_rate_of_reaction_has_the_flux_and_the_width():
    front = AnnihilationFront(a=1.4, b=0.9, rate=3.0, diffusion=0.7)
    t = 50.0
    x = front.position(t) + front.length(t) * np.linspace(-16, 16, 8001)
    rate = front.reaction_rate(t, x)
    assert rate[4000] == pytest.approx(front.rate_at_centre(t), rel=1e-10)
    assert simpson(rate, x=x) == pytest.approx(front.flux(t), rel=1e-9)
    spread = simpson((x - front.position(t)) ** 2 * rate, x=x) / front.flux(t)
    assert math.sqrt(spread) == pytest.approx(front.width(t), rel=1e-7)


def test_width_grows_with_the_sixth_root_of_time():
    times = np.array([1e3, 64e3])
    assert np.divide(*EVEN.width(times)[::-1]) == pytest.approx(2, rel=1e-13)
    assert np.divide(*EVEN.rate_at_centre(times)[::-1]) == pytest.approx(1 / 16, rel=1e-13)


def test_the_full_equations_tend_to_the_front():
    """a - b diffuses freely; a on a stretched mesh by finite volumes, in units of the front."""
    front = AnnihilationFront(a=1.0, b=0.6, rate=2.0, diffusion=0.5)
    edges = 40 * np.sinh(np.linspace(-3.2, 3.2, 301)) / math.sinh(3.2) * 5
    centres, sizes = (edges[1:] + edges[:-1]) / 2, np.diff(edges)

    def change(_t, values):
        a, b = values.reshape(2, -1)
        flux = -0.5 * np.diff(values.reshape(2, -1)) / np.diff(centres)
        net = np.diff(flux, prepend=0, append=0) / sizes
        return (-net - 2.0 * a * b).ravel()

    start = np.concatenate([1.0 * (centres < 0), 0.6 * (centres > 0)])
    n = centres.size
    coupled = np.abs(np.subtract.outer(np.arange(2 * n) % n, np.arange(2 * n) % n)) <= 1
    run = solve_ivp(change, (0, 800), start, "BDF", rtol=1e-6, atol=1e-9, jac_sparsity=coupled)
    assert run.success
    a, b = run.y[:, -1].reshape(2, -1)
    rate = 2.0 * a * b
    flux = float(rate @ sizes)
    place = float(rate @ (sizes * centres)) / flux
    assert flux == pytest.approx(front.flux(800.0), rel=0.02)
    assert rate.max() == pytest.approx(front.rate_at_centre(800.0), rel=0.02)
    assert place == pytest.approx(front.position(800.0), abs=0.05 * front.length(800.0))


def test_without_meaning_is_refused():
    with pytest.raises(FemRdError, match="b must be positive"):
        AnnihilationFront(a=1, b=0, rate=1, diffusion=1)
    with pytest.raises(FemRdError, match="t must lie in"):
        EVEN.length(0.0)
