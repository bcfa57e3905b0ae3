"""Capacitances of absorbing bodies (length): the steady rate is 4 pi D C c.

Infinite reservoir; `capacitance_rate` corrects for an outer sphere. Lengths in one unit.
Sources: Maxwell, Treatise on Electricity and Magnetism (1873), for spheroids, ellipsoids and two
spheres; Carlson's R_F in Carlson, Numer. Math. 33 (1979) 1; Hobson, Spherical and Ellipsoidal
Harmonics (1931), for the torus; Samson and Deutch, J. Chem. Phys. 67 (1977) 847, for two sinks.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import digamma, ellipe, ellipk, elliprf

from fem_rd.exact.validity import require, require_positive

# The images needed grow as 1/sqrt(gap): from this cosh b - 1 on, a million of them, two spheres
# count as touching. The relative error is below 1e-9.
_TOUCHING = 1e-9


def capacitance_rate(
    capacitance: float, diffusion: float, concentration: float = 1.0, outer: float = math.inf
) -> float:
    """Steady rate (amount/time) of a body, the concentration c held at a sphere r = R = ``outer``.

    k = 4 pi D c / (1/C - 1/R). Exact for infinite R and for a concentric sphere. A body of extent
    a has a relative error of order (a/R)^5 if symmetric about the centre, (a/R)^3 otherwise.
    """
    require_positive(capacitance=capacitance, diffusion=diffusion)
    return 4 * math.pi * diffusion * concentration * in_outer_sphere(capacitance, outer)


def in_outer_sphere(capacitance: float, outer: float) -> float:
    """Capacitance (length) seen with the reservoir on a sphere of radius R: 1/(1/C - 1/R).

    Validity of `capacitance_rate`; raises `OutOfRange` unless R > C.
    """
    require(outer > capacitance, f"outer must exceed the capacitance {capacitance}; found {outer}")
    return 1 / (1 / capacitance - 1 / outer)


def prolate(half_length: float, radius: float) -> float:
    """Capacitance of a prolate spheroid, half-length a > radius b: sqrt(a^2 - b^2)/acosh(a/b)."""
    require_positive(half_length=half_length, radius=radius)
    require(half_length > radius, "a prolate spheroid is longer than wide: half_length > radius")
    return math.sqrt(half_length**2 - radius**2) / math.acosh(half_length / radius)


def oblate(radius: float, half_height: float) -> float:
    """Capacitance of an oblate spheroid, half-height 0 <= c < radius a.

    C = sqrt(a^2 - c^2)/acos(c/a); a disk for c = 0.
    """
    require_positive(radius=radius)
    require(0 <= half_height < radius, "an oblate spheroid has 0 <= half_height < radius")
    return math.sqrt(radius**2 - half_height**2) / math.acos(half_height / radius)


def disk(radius: float) -> float:
    """Capacitance of a disk of no thickness, both faces absorbing: 2 a / pi."""
    require_positive(radius=radius)
    return 2 * radius / math.pi


def ellipsoid(a: float, b: float, c: float) -> float:
    """Capacitance of an ellipsoid of half-axes a, b, c in any order: 1/R_F(a^2, b^2, c^2).

    One half-axis may be zero (an elliptic disk).
    """
    axes = sorted((a, b, c))
    require(axes[0] >= 0 and axes[1] > 0, "at most one half-axis may be zero, none negative")
    return 1 / float(elliprf(a * a, b * b, c * c))


def torus(ring_radius: float, tube_radius: float) -> float:
    """Capacitance of a torus, distance c from axis to tube centre, tube radius a < c.

    C = (4 f/pi) sum_{n>=0} 1/(P_{n-1/2} P_{n+1/2})(c/a), f = sqrt(c^2 - a^2), P the Legendre
    functions on c/a > 1. It equals the classical (2 f/pi) [Q_{-1/2}/P_{-1/2} + 2 sum_{n>=1}
    Q_{n-1/2}/P_{n-1/2}]: the Wronskian turns each Q/P into a sum of 1/(P P), which needs only the
    P, by a stable recurrence, and adds positive terms. Valid for c/a - 1 > 1e-8.
    """
    require_positive(ring_radius=ring_radius, tube_radius=tube_radius)
    z = ring_radius / tube_radius
    require(z > 1 + 1e-8, f"ring_radius/tube_radius must exceed 1 + 1e-8; found {z!r}")
    growth = z + math.sqrt(z * z - 1)
    lower = 2 / math.pi * math.sqrt(2 / (z + 1)) * float(ellipk((z - 1) / (z + 1)))
    upper = 2 / math.pi * math.sqrt(growth) * float(ellipe(1 - growth**-2))
    term = total = 1 / (lower * upper)
    n = 0
    # from here on the terms fall at least as a geometric series of ratio growth^-2
    while term > 1e-17 * total * (growth - 1):
        n += 1
        lower, upper = upper, (4 * n * z * upper - (2 * n - 1) * lower) / (2 * n + 1)
        term = 1 / (lower * upper)
        total += term
    return 4 / math.pi * math.sqrt(ring_radius**2 - tube_radius**2) * total


def two_spheres(radius_1: float, radius_2: float, distance: float) -> tuple[float, float]:
    """Share (length) of each of two absorbing spheres: its rate is 4 pi D c times its share.

    Maxwell's image charges, summed: with cosh b = (d^2 - a1^2 - a2^2)/(2 a1 a2),
    Q1 = a1 a2 sinh b sum_{n>=1} [1/(a2 sinh n b + a1 sinh (n-1) b) - 1/(d sinh n b)], Q2 with
    1 and 2 exchanged; touching, Q1 = -(a1 a2/d) [digamma(1 - a1/d) + Euler's gamma].
    ``distance`` d between centres; raises `OutOfRange` if the spheres overlap. To 1e-12, and to
    1e-9 where the gap is below 1e-9 a1 a2/d (they count as touching).
    """
    require_positive(radius_1=radius_1, radius_2=radius_2, distance=distance)
    # cosh b - 1 through the gap keeps the digits of nearly touching spheres
    reach = radius_1 + radius_2
    excess = (distance - reach) * (distance + reach) / (2 * radius_1 * radius_2)
    require(excess > -_TOUCHING, f"the spheres overlap; distance {distance!r} is too short")
    return (
        _image_charge(radius_1, radius_2, distance, excess),
        _image_charge(radius_2, radius_1, distance, excess),
    )


def equal_spheres_factor(separation: float) -> float:
    """Rate of one of two equal absorbing spheres over its rate when alone.

    J/J_iso = sinh b sum_{n>=1} (-1)^{n+1}/sinh(n b), cosh b = separation/2, the separation being
    the distance of the centres in radii; ln 2 when touching (separation 2). The same number holds
    for one sphere at half the distance from a reflecting plane.
    """
    return two_spheres(1.0, 1.0, separation)[0]


def _image_charge(own: float, other: float, distance: float, excess: float) -> float:
    """Charge of the sphere of radius ``own``, both at unit potential; excess = cosh b - 1."""
    if excess < _TOUCHING:
        return -own * other / distance * float(digamma(1 - own / distance) + np.euler_gamma)
    b = math.log1p(excess + math.sqrt(excess * (excess + 2)))
    n = np.arange(1, 3 + math.ceil(40 / b))
    # sinh(n b) = e^{nb} half(n): the exponentials are divided out so that none overflows
    half, half_before = -np.expm1(-2 * n * b) / 2, -np.expm1(-2 * (n - 1) * b) / 2
    decay = np.exp(-n * b)
    terms = decay / (other * half + own * math.exp(-b) * half_before) - decay / (distance * half)
    return own * other * math.sinh(b) * float(terms.sum())
