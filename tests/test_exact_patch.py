"""Absorbing patches: printed digits, the boundary conditions themselves, limits, bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import eval_legendre

from fem_rd.exact import patch


@pytest.mark.parametrize(
    ("degrees", "printed"),
    [
        (5, 0.030552075981),
        (10, 0.064927916654),
        (20, 0.141792184365),
        (45, 0.360684981512),
        (60, 0.496209890813),
        (120, 0.908079440932),
        (150, 0.986649842860),
    ],
)
def test_cap_has_the_printed_digits(degrees, printed):
    assert patch.cap_fraction(math.radians(degrees)) == pytest.approx(printed, abs=6e-13, rel=0)


@pytest.mark.parametrize(("degrees", "printed"), [(10, 0.05978489), (60, 0.46441065)])
def test_constant_flux_approximation_has_the_printed_digits(degrees, printed):
    value = patch.cap_fraction_constant_flux(math.radians(degrees))
    assert value == pytest.approx(printed, abs=6e-9, rel=0)


@pytest.mark.parametrize("degrees", [2, 45, 60, 120, 175])
def test_more_points_change_nothing(degrees):
    theta = math.radians(degrees)
    # many coefficients are computed with many points
    finer = patch.cap_coefficients(theta, math.ceil(60 / theta))[0]
    assert patch.cap_fraction(theta) == pytest.approx(finer, rel=1e-12)


def faded_sum(terms: np.ndarray) -> float:
    """Sum of a slowly oscillating series, faded out smoothly over its terms."""
    n = np.arange(len(terms)) / len(terms)
    return float(np.sum(terms * np.exp(-36 * n**4)))


@pytest.mark.parametrize("degrees", [20, 60, 120])
def test_cap_coefficients_meet_both_boundary_conditions(degrees):
    theta = math.radians(degrees)
    a = patch.cap_coefficients(theta, 100 + math.ceil(100 / theta))
    n = np.arange(len(a))
    for inside in (0.1, 0.5, 0.8):
        value = faded_sum(a * eval_legendre(n, math.cos(inside * theta)))
        assert value == pytest.approx(1, abs=1e-4)
    for beside in (0.3, 0.6, 1.0):
        angle = theta + beside * (math.pi - theta)
        slope = faded_sum((n + 1) * a * eval_legendre(n, math.cos(angle)))
        assert slope == pytest.approx(0, abs=1e-4)


def test_first_coefficient_is_the_fraction():
    theta = math.radians(70)
    assert patch.cap_coefficients(theta, 3)[0] == pytest.approx(
        patch.cap_fraction(theta), rel=1e-14
    )


def test_small_cap_is_a_disc_and_the_whole_sphere_absorbs():
    assert patch.cap_fraction(1e-5) / (1e-5 / math.pi) == pytest.approx(1, abs=5e-5)
    assert patch.cap_fraction(math.radians(179.5)) == pytest.approx(1, abs=1e-7)
    fractions = [patch.cap_fraction(math.radians(x)) for x in range(5, 180, 5)]
    assert (np.diff(fractions) > 0).all()


def test_constant_flux_is_a_lower_bound():
    for degrees in (3, 30, 90, 150):
        exact = patch.cap_fraction(math.radians(degrees))
        bound = patch.cap_fraction_constant_flux(math.radians(degrees))
        assert 0.9 * exact < bound < exact
    # a disc in a plane: 3 pi^2/32 of the exact rate
    small = 0.012
    ratio = patch.cap_fraction_constant_flux(small) / patch.cap_fraction(small)
    assert ratio == pytest.approx(3 * math.pi**2 / 32, rel=2e-3)


OCTAHEDRON = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]


@pytest.mark.parametrize(
    ("radius", "discs", "berg_purcell"),
    [
        (0.1, 0.195155579, 0.160359519),
        (0.05, 0.097612590, 0.087168945),
        (0.02, 0.038759948, 0.036791842),
    ],
)
def test_octahedral_discs_have_the_printed_digits(radius, discs, berg_purcell):
    assert patch.discs_fraction(OCTAHEDRON, radius) == pytest.approx(discs, abs=6e-10, rel=0)
    value = patch.berg_purcell_fraction(6, radius)
    assert value == pytest.approx(berg_purcell, abs=6e-10, rel=0)


@pytest.mark.parametrize(("degrees", "error"), [(2, 1.5e-4), (5, 9e-4), (10, 3.5e-3)])
def test_one_disc_is_nearly_a_cap(degrees, error):
    theta = math.radians(degrees)
    disc = patch.discs_fraction([0, 0, 2], theta)
    assert disc == pytest.approx(patch.cap_fraction(theta), rel=error)


def test_discs_do_not_depend_on_the_frame_or_the_length_of_directions():
    rotation = np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2 + np.eye(3))[0]
    turned = 3 * np.asarray(OCTAHEDRON) @ rotation
    assert patch.discs_fraction(turned, 0.1) == pytest.approx(
        patch.discs_fraction(OCTAHEDRON, 0.1), rel=1e-13
    )


def test_discs_shade_each_other():
    pair = [patch.discs_fraction([[0, 0, 1], [0, math.sin(x), math.cos(x)]], 0.1) for x in (0.5, 3)]
    single = patch.discs_fraction([[0, 0, 1]], 0.1)
    assert single < pair[0] < pair[1] < 2 * single


@pytest.mark.parametrize(
    "bad",
    [
        lambda: patch.cap_fraction(0.0),
        lambda: patch.cap_fraction(math.pi),
        lambda: patch.cap_fraction_constant_flux(-1.0),
        lambda: patch.discs_fraction([[0, 0, 1]], 0.4),
        lambda: patch.discs_fraction([[0, 0, 1], [0, 0.1, 1]], 0.1),
        lambda: patch.discs_fraction([[0, 1]], 0.1),
        lambda: patch.berg_purcell_fraction(0, 0.1),
    ],
)
def test_outside_the_limits_of_validity_is_an_error(bad):
    with pytest.raises(ValueError):
        bad()
