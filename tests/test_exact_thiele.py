"""Effectiveness of pellets: printed digits, finite differences, balances and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_bvp

from fem_rd.errors import FemRdError
from fem_rd.exact.thiele import (
    DIMENSIONS,
    concentration,
    cube_effectiveness,
    effectiveness,
    second_order_slab,
)


@pytest.mark.parametrize(
    ("phi", "printed"),
    [
        (1, [0.761594155956, 0.892779931793, 0.939105856498]),
        (2, [0.482013790038, 0.697774657964, 0.805972081091]),
        (5, [0.199981840853, 0.357353254818, 0.480054482389]),
    ],
)
def test_first_order_has_the_printed_digits(phi, printed):
    assert [effectiveness(shape, phi) for shape in DIMENSIONS] == pytest.approx(
        printed, abs=6e-13, rel=0
    )


def test_a_film_outside_has_the_printed_digits():
    assert effectiveness("sphere", 2, biot=5) == pytest.approx(0.663391972184, abs=6e-13)


@pytest.mark.parametrize("shape", DIMENSIONS)
@pytest.mark.parametrize("biot", [0.7, math.inf])
def test_effectiveness_is_the_mean_of_the_profile_and_its_flux(shape, biot):
    phi, n = 2.3, DIMENSIONS[shape]
    mean = quad(lambda r: n * r ** (n - 1) * concentration(shape, phi, r, biot), 0, 1)[0]
    eta = effectiveness(shape, phi, biot)
    assert mean == pytest.approx(eta, rel=1e-12)
    surface = float(concentration(shape, phi, 1.0, biot))
    h = 1e-4
    c = concentration(shape, phi, [1 - 2 * h, 1 - h], biot)
    slope = (3 * surface - 4 * c[1] + c[0]) / (2 * h)
    assert slope == pytest.approx(eta * phi**2 / n, rel=1e-6)
    if math.isfinite(biot):
        assert slope == pytest.approx(biot * (1 - surface), rel=1e-6)


@pytest.mark.parametrize("shape", DIMENSIONS)
def test_profiles_have_no_slope_at_the_centre_and_do_not_overflow(shape):
    centre, near = concentration(shape, 2.0, [0.0, 1e-4])
    assert centre == pytest.approx(near, rel=1e-7)
    assert 0 < centre < 1
    assert concentration(shape, 5000.0, [0.0, 1.0]) == pytest.approx([0, 1], abs=1e-12)


@pytest.mark.parametrize("shape", DIMENSIONS)
def test_limits_of_the_modulus(shape):
    n = DIMENSIONS[shape]
    # Aris: for large phi every body is a slab of its volume over its surface
    assert effectiveness(shape, 1e6) == pytest.approx(n / 1e6, rel=3e-6)
    shortfall = {1: 1 / 3, 2: 1 / 8, 3: 1 / 15}[n]
    assert 1 - effectiveness(shape, 1e-3) == pytest.approx(shortfall * 1e-6, rel=1e-5)


def test_cube_has_the_printed_digits():
    # and two more than printed, from four times the modes
    printed = [0.928149902515, 0.782061026050, 0.462479515640, 0.263712672498]
    assert [cube_effectiveness(phi) for phi in (1, 2, 5, 10)] == pytest.approx(
        printed, abs=5e-12, rel=0
    )


def test_cube_agrees_with_finite_differences():
    def discrete(cells: int) -> float:
        # finite volumes on an eighth of the cube, diagonal in the eigenvectors of one direction
        loss = 2 * np.eye(cells) - np.eye(cells, k=1) - np.eye(cells, k=-1)
        loss[0, 0], loss[-1, -1] = 1, 3
        values, vectors = np.linalg.eigh(loss * cells**2)
        shares = (vectors.sum(axis=0)) ** 2 / cells
        total = values[:, None, None] + values[:, None] + values
        weights = shares[:, None, None] * shares[:, None] * shares
        return 1 - float((weights * 9 / (9 + total)).sum())

    coarse, fine = discrete(40), discrete(80)
    assert cube_effectiveness(3.0) == pytest.approx((4 * fine - coarse) / 3, abs=2e-5)


def test_cube_lies_below_its_inscribed_sphere():
    assert cube_effectiveness(2.0) < effectiveness("sphere", 2.0)
    assert cube_effectiveness(90.0) == pytest.approx(3 / 90, rel=0.03)


@pytest.mark.parametrize(
    ("phi", "printed"), [(1, 0.65251609308413), (2, 0.39000758472539), (4, 0.20314117240998)]
)
def test_second_order_slab_has_the_printed_digits(phi, printed):
    assert second_order_slab(phi)[0] == pytest.approx(printed, abs=6e-15, rel=0)


def test_second_order_slab_at_the_centre_and_limits():
    assert second_order_slab(1)[1] == pytest.approx(0.7122563425958, abs=6e-14)
    assert second_order_slab(9e3)[0] * 9e3 == pytest.approx(math.sqrt(2 / 3), rel=1e-10)
    below, above = second_order_slab(0.999e-3), second_order_slab(1.001e-3)
    assert 1 - below[0] == pytest.approx(2 * 0.999e-3**2 / 3, rel=1e-5)
    assert 1 - above[0] == pytest.approx(2 * 1.001e-3**2 / 3, rel=1e-5)


def test_second_order_slab_solves_the_boundary_value_problem():
    x = np.linspace(0, 1, 50)
    solution = solve_bvp(
        lambda x, y: np.vstack([y[1], 9 * y[0] ** 2]),
        lambda left, right: np.array([left[1], right[0] - 1]),
        x,
        np.ones((2, 50)),
        tol=1e-10,
        max_nodes=20000,
    )
    eta, centre = second_order_slab(3.0)
    assert centre == pytest.approx(solution.sol(0.0)[0], rel=1e-9)
    assert eta == pytest.approx(solution.sol(1.0)[1] / 9, rel=1e-9)


def test_without_meaning_is_refused():
    with pytest.raises(FemRdError, match="phi must be positive"):
        effectiveness("slab", 0)
    with pytest.raises(FemRdError, match="biot must be positive"):
        effectiveness("slab", 1, biot=0)
    with pytest.raises(FemRdError, match="one of slab, cylinder, sphere; found 'cone'"):
        effectiveness("cone", 1)
    with pytest.raises(FemRdError, match="r must lie in"):
        concentration("slab", 1, 1.1)
    with pytest.raises(FemRdError, match="phi must lie in"):
        cube_effectiveness(101)
