"""Capacitances: printed digits, independent representations, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from fem_rd.exact import shapes


@pytest.mark.parametrize(
    ("axes", "printed", "digits"),
    [
        ((2, 1), 1.31519072220405, 6e-15),
        ((5, 1), 2.13702312292001, 6e-15),
        ((10, 1), 3.32413417997, 6e-12),
    ],
)
def test_prolate_has_the_printed_digits(axes, printed, digits):
    assert shapes.prolate(*axes) == pytest.approx(printed, abs=digits, rel=0)


@pytest.mark.parametrize(
    ("height", "printed"), [(0.5, 0.826993343132688), (0.2, 0.715472775421784)]
)
def test_oblate_has_the_printed_digits(height, printed):
    assert shapes.oblate(1, height) == pytest.approx(printed, abs=6e-16, rel=0)


def test_disk_and_ellipsoid_have_the_printed_digits():
    assert shapes.disk(1) == pytest.approx(0.636619772367581, abs=6e-16, rel=0)
    assert shapes.ellipsoid(3, 2, 1) == pytest.approx(1.96600920070939, abs=6e-15, rel=0)


@pytest.mark.parametrize(
    ("ring", "tube", "printed", "digits"),
    [
        (2, 1, 2.43167041245346, 6e-15),
        (3, 1, 3.09177436762512, 6e-15),
        (5, 1, 4.34355174946360, 6e-15),
        (1, 0.1, 0.721689880458692, 6e-16),
    ],
)
def test_torus_has_the_printed_digits(ring, tube, printed, digits):
    assert shapes.torus(ring, tube) == pytest.approx(printed, abs=digits, rel=0)


def test_ellipsoids_are_the_integral_over_confocal_surfaces():
    a, b, c = 2.3, 0.4, 1.1
    # 1/C = (1/2) int_0^inf ds / sqrt((a^2+s)(b^2+s)(c^2+s))
    value = quad(
        lambda x: x / math.sqrt((a * a + x * x) * (b * b + x * x) * (c * c + x * x)), 0, math.inf
    )
    assert shapes.ellipsoid(a, b, c) == pytest.approx(1 / value[0], rel=1e-8)
    assert shapes.ellipsoid(c, a, b) == pytest.approx(shapes.ellipsoid(a, b, c), rel=1e-14)


def test_spheroids_are_ellipsoids_and_join_at_the_sphere():
    assert shapes.prolate(2.3, 0.4) == pytest.approx(shapes.ellipsoid(2.3, 0.4, 0.4), rel=1e-13)
    assert shapes.oblate(2.3, 0.4) == pytest.approx(shapes.ellipsoid(2.3, 2.3, 0.4), rel=1e-13)
    assert shapes.oblate(2.3, 0.0) == pytest.approx(shapes.disk(2.3), rel=1e-14)
    assert shapes.ellipsoid(2.3, 0, 2.3) == pytest.approx(shapes.disk(2.3), rel=1e-14)
    assert shapes.prolate(1 + 1e-6, 1) == pytest.approx(1 + 1e-6 / 3, rel=1e-9)
    assert shapes.oblate(1, 1 - 1e-6) == pytest.approx(1 - 1e-6 / 3, rel=1e-9)


@pytest.mark.parametrize(("ring", "tube"), [(1.02, 1.0), (2.0, 1.0), (7.0, 0.3)])
def test_torus_agrees_with_the_classical_series_of_toroidal_functions(ring, tube):
    z = ring / tube
    root = math.sqrt(z * z - 1)
    points = 6000
    phi = (np.arange(points) + 0.5) * math.pi / points

    def ratio(n: int) -> float:
        # periodic integrands: the midpoint rule converges exponentially
        second = np.mean(np.cos(n * phi) / np.sqrt(2 * (z - np.cos(phi)))) * math.pi
        first = np.mean((z + root * np.cos(phi)) ** (n - 0.5))
        return float(second / first)

    n_max = math.ceil(20 / math.log(z + root))
    total = ratio(0) + 2 * sum(ratio(n) for n in range(1, n_max))
    expected = 2 / math.pi * math.sqrt(ring**2 - tube**2) * total
    assert shapes.torus(ring, tube) == pytest.approx(expected, rel=1e-12)


def test_thin_torus_is_a_charged_ring():
    # next term of order (a/c)^2 ln(c/a)
    ring = math.pi / math.log(8e5)
    assert shapes.torus(1, 1e-5) == pytest.approx(ring, rel=1e-8)


@pytest.mark.parametrize(
    ("separation", "printed", "digits"),
    [
        (2, 0.69314718056, 6e-12),
        (2.1, 0.70043569369414, 6e-15),
        (2.5, 0.72764927691373, 6e-15),
        (3, 0.75720437504601, 6e-15),
        (4, 0.80258309080351, 6e-15),
        (6, 0.85772067613619, 6e-15),
        (10, 0.90917422613014, 6e-15),
    ],
)
def test_equal_spheres_have_the_printed_digits(separation, printed, digits):
    assert shapes.equal_spheres_factor(separation) == pytest.approx(printed, abs=digits, rel=0)


def test_unequal_spheres_have_the_printed_digits():
    first = shapes.two_spheres(1, 0.5, 2)
    assert first == pytest.approx((0.85795432970643, 0.29659790509836), abs=6e-15, rel=0)
    second = shapes.two_spheres(1, 3, 5)
    assert second == pytest.approx((0.48514197437634, 2.7206036651519), abs=6e-14, rel=0)


@pytest.mark.parametrize("separation", [2.000001, 2.01, 3.0, 8.0])
def test_equal_spheres_agree_with_the_alternating_series(separation):
    b = math.acosh(separation / 2)
    n = np.arange(1, 2 + math.ceil(40 / b))
    series = math.sinh(b) * np.sum(-((-1.0) ** n) / np.sinh(n * b))
    assert shapes.equal_spheres_factor(separation) == pytest.approx(series, rel=1e-12)


@pytest.mark.parametrize(("a", "b", "d"), [(1.0, 0.4, 1.7), (0.3, 2.0, 2.35)])
def test_two_spheres_agree_with_image_charges_placed_one_by_one(a, b, d):
    def images(own: float, other: float) -> tuple[float, float]:
        """Charges that put ``own`` at potential 1 and ``other`` at 0."""
        charge, place, totals = own, 0.0, [own, 0.0]
        for step in range(400):
            radius = (other, own)[step % 2]
            charge, place = -charge * radius / (d - place), radius**2 / (d - place)
            totals[1 - step % 2] += charge
        return totals[0], totals[1]

    on_a, on_b = images(a, b), images(b, a)
    expected = (on_a[0] + on_b[1], on_a[1] + on_b[0])
    assert shapes.two_spheres(a, b, d) == pytest.approx(expected, rel=1e-12)


def test_two_spheres_far_apart_nearly_touching_and_touching():
    far = shapes.two_spheres(1.0, 0.5, 1e6)
    assert far == pytest.approx((1 - 0.5e-6, 0.5 - 0.5e-6), rel=1e-11)
    for radius in (1.0, 0.5, 1e-3):
        touching = shapes.two_spheres(1.0, radius, 1.0 + radius)
        near = shapes.two_spheres(1.0, radius, 1.0 + radius + 2e-9 * radius)
        assert touching != near
        assert touching == pytest.approx(near, rel=2e-9)
    # a distance a rounding error too short is no overlap
    assert shapes.two_spheres(0.1, 0.2, 0.3) == pytest.approx(
        shapes.two_spheres(0.1, 0.2, 0.1 + 0.2)
    )
    # a small sphere on a big one is shaded: pi^2/6 of a^2 b/(a+b)^2..
    small = shapes.two_spheres(1e-4, 1.0, 1.0001)[0]
    assert small == pytest.approx(math.pi**2 / 6 * 1e-8, rel=1e-3)


def test_finite_outer_sphere():
    assert shapes.in_outer_sphere(1.0, 5.0) == pytest.approx(1.25, rel=1e-15)
    assert shapes.capacitance_rate(0.7, 1.9, 0.6, 2.3) == pytest.approx(
        4 * math.pi * 1.9 * 0.6 / (1 / 0.7 - 1 / 2.3), rel=1e-14
    )
    assert shapes.capacitance_rate(0.7, 1.9) == pytest.approx(4 * math.pi * 1.9 * 0.7, rel=1e-14)


def test_outer_surface_correction_is_exact_between_confocal_spheroids():
    # potential between them: (1/focus) [artanh(focus/x)] from half-length 2 to half-length 5
    focus = math.sqrt(3.0)
    exact = focus / (math.atanh(focus / 2) - math.atanh(focus / 5))
    outer = shapes.prolate(5, math.sqrt(22))
    assert shapes.in_outer_sphere(shapes.prolate(2, 1), outer) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: shapes.prolate(1, 1),
        lambda: shapes.oblate(1, 1),
        lambda: shapes.oblate(1, -0.1),
        lambda: shapes.disk(0),
        lambda: shapes.ellipsoid(1, 0, 0),
        lambda: shapes.ellipsoid(-1, 2, 3),
        lambda: shapes.torus(1, 1),
        lambda: shapes.two_spheres(1, 1, 1.9),
        lambda: shapes.two_spheres(1, -1, 3),
        lambda: shapes.in_outer_sphere(2, 1),
    ],
)
def test_outside_the_limits_of_validity_is_an_error(bad):
    with pytest.raises(ValueError):
        bad()
