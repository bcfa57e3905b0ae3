"""Absorbing patches on an otherwise reflecting sphere, infinite reservoir outside.

One cap exactly, one cap with a constant flux (approximation), many small discs (asymptotics).
Sources: Collins, Proc. Camb. Phil. Soc. 57 (1961) 367, for the reduction of dual series;
Shoup, Lipari and Szabo, Biophys. J. 36 (1981) 697; Lindsay, Bernoff and Spendier, Multiscale Model.
Simul. 15 (2017) 74; Berg and Purcell, Biophys. J. 20 (1977) 193.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike

from fem_rd.exact.validity import Floats, array_within, require, require_positive

_POINTS = 64


def cap_fraction(theta: float) -> float:
    """Rate of a sphere absorbing on the cap 0 <= angle < theta only, over 4 pi sigma D c.

    Outside the sphere 1 - c = sum a_n r^{-n-1} P_n, with sum a_n P_n = 1 on the cap and
    sum (n+1) a_n P_n = 0 beside it; the fraction is a_0. The ansatz (n+1) a_n = (n+1/2)
    int_0^theta h(u) cos((n+1/2) u) du meets the second condition, and the first becomes
      h(v) - (1/2 pi) int_{-theta}^{theta} S(|u-v|) h(u) du = (2/pi) cos(v/2), h even,
      S(x) = -cos(x/2) ln(2 sin(x/2)) + (pi - x)/2 sin(x/2),
    solved by `_cap_density`. theta in radians, 0 < theta < pi; to 12 digits up to 178 degrees
    (computed here; it tends to theta/pi for small caps).
    """
    u, weights, h = _cap_density(theta, _POINTS)
    return float(np.sum(weights * h * np.cos(u / 2)) / 4)


def cap_coefficients(theta: float, count: int) -> Floats:
    """The first ``count`` coefficients a_n of `cap_fraction`, so that for r >= sigma

    c/c_R = 1 - sum_n a_n (sigma/r)^{n+1} P_n(cos angle). To 12 digits of a_0; the time grows as
    (count theta)^3: a second for count theta = 250.
    """
    # the oscillation cos((n + 1/2) u) wants its share of points
    _require_angle(theta)
    u, weights, h = _cap_density(theta, max(_POINTS, math.ceil(3.5 * count * theta)))
    order = np.arange(count) + 0.5
    return order / (order + 0.5) * (np.cos(np.outer(order, u)) @ (weights * h)) / 2


def cap_fraction_constant_flux(theta: float) -> float:
    """The same fraction with the flux taken constant over the cap and c = 0 on average only.

    x^2 / [x^2 + sum_{n>=1} (P_{n-1} - P_{n+1})^2 / ((n+1)(2n+1))], P_n at cos(theta),
    x = 1 - cos(theta). Below `cap_fraction`: by 8 % for small caps, 6.4 % at 60 degrees. An
    approximation, here to 10 digits of its own value, for 0.01 <= theta <= pi - 0.01.
    """
    array_within("theta", theta, 0.01, math.pi - 0.01)
    x = math.cos(theta)
    terms = math.ceil(5000 / theta)
    values = legendre.legvander(np.array([x]), terms + 1)[0]
    n = np.arange(1.0, terms + 1)
    series = np.sum((values[:-2] - values[2:]) ** 2 / ((n + 1) * (2 * n + 1)))
    # mean of the terms left out: 2 sin(theta)/(pi n^3) each
    series += math.sin(theta) / (math.pi * terms**2)
    return float((1 - x) ** 2 / ((1 - x) ** 2 + series))


def discs_fraction(centres: ArrayLike, radius: float) -> float:
    """Rate of small absorbing discs on a reflecting unit sphere, over 4 pi sigma D c.

    sum_j G_ij Q_j = 1, fraction = sum Q / 4 pi; G_ii = 1/(4 e) + (ln(2 e) - 3/2)/(4 pi),
    G_ij = [1/d - ln(1 + 2/d)/2]/(2 pi), d the chord between centres, e the disc radius over the
    radius of the sphere. ``centres`` directions, shape (N, 3), any length. For one disc
    0.1 e^2 below `cap_fraction` (0.3 % at 10 degrees); raises `OutOfRange` for e > 0.3 and for
    discs that overlap.
    """
    directions = np.atleast_2d(np.asarray(centres, dtype=float))
    require(directions.ndim == 2 and directions.shape[1] == 3, "centres must have shape (N, 3)")
    require(0 < radius <= 0.3, f"the disc radius must lie in (0, 0.3]; found {radius!r}")
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    chord = np.linalg.norm(directions[:, None] - directions[None], axis=2)
    np.fill_diagonal(chord, np.inf)
    require(bool((chord > 2 * radius).all()), "the discs overlap")
    green = (1 / chord - np.log1p(2 / chord) / 2) / (2 * math.pi)
    own = 1 / (4 * radius) + (math.log(2 * radius) - 1.5) / (4 * math.pi)
    np.fill_diagonal(green, own)
    return float(np.linalg.solve(green, np.ones(len(green))).sum() / (4 * math.pi))


def berg_purcell_fraction(count: int, radius: float) -> float:
    """Berg and Purcell's N e/(N e + pi) for N small discs of radius e on a unit sphere.

    Right for few, far discs; it neglects their shading of each other and is too low for many.
    """
    require_positive(count=count, radius=radius)
    return count * radius / (count * radius + math.pi)


def _cap_density(theta: float, points: int) -> tuple[Floats, Floats, Floats]:
    """Nodes u, weights and h(u) of the integral equation of `cap_fraction` on (-theta, theta).

    Gauss-Legendre in x, u = theta g(x) with g' = (15/8)(1 - x^2)^2: the nodes crowd at the edge,
    where h has a (theta - u) ln(theta - u) term. The kernel's ln|x - y| and |x - y| are integrated
    exactly against the interpolating polynomial.
    """
    _require_angle(theta)
    x, w = legendre.leggauss(points)
    diagonal = np.diag_indices(points)
    u = theta * 15 / 8 * (x - 2 * x**3 / 3 + x**5 / 5)
    stretch = theta * 15 / 8 * (1 - x**2) ** 2
    difference = np.abs(u[:, None] - u)
    distance = np.abs(x[:, None] - x)
    distance[diagonal] = 1
    chord = 2 * np.sin(difference / 2) / distance
    chord[diagonal] = stretch
    logarithm = np.log(chord) * w + _log_weights(x, w)
    kernel = -np.cos(difference / 2) * logarithm - difference / 2 * np.sin(difference / 2) * w
    kernel += math.pi / 4 * chord * _distance_weights(x, w)
    system = np.eye(points) - kernel * stretch / (2 * math.pi)
    return u, w * stretch, np.linalg.solve(system, 2 / math.pi * np.cos(u / 2))


def _log_weights(x: Floats, w: Floats) -> Floats:
    """W_ij with sum_j W_ij f(x_j) = int_{-1}^1 ln|x_i - y| f(y) dy for polynomials f.

    Neumann: int ln|x - y| P_n dy = 2 (Q_{n+1} - Q_{n-1})/(2n+1), Q the second kind on the cut.
    """
    second = [np.arctanh(x), x * np.arctanh(x) - 1]
    for n in range(1, len(x)):
        second.append(((2 * n + 1) * x * second[n] - n * second[n - 1]) / (n + 1))
    moments = [(1 + x) * np.log1p(x) + (1 - x) * np.log1p(-x) - 2]
    moments += [2 * (second[n + 1] - second[n - 1]) / (2 * n + 1) for n in range(1, len(x))]
    return _weights_from_moments(np.array(moments), x, w)


def _distance_weights(x: Floats, w: Floats) -> Floats:
    """W_ij with sum_j W_ij f(x_j) = int_{-1}^1 |x_i - y| f(y) dy for polynomials f."""
    p = legendre.legvander(x, len(x) + 1).T
    moments = [1 + x * x, x**3 / 3 - x]
    moments += [
        2 * ((p[n + 2] - p[n]) / (2 * n + 3) - (p[n] - p[n - 2]) / (2 * n - 1)) / (2 * n + 1)
        for n in range(2, len(x))
    ]
    return _weights_from_moments(np.array(moments), x, w)


def _weights_from_moments(moments: Floats, x: Floats, w: Floats) -> Floats:
    """Weights at Gauss nodes from moments[n, i] = int k(x_i, y) P_n(y) dy."""
    norms = np.arange(len(x)) + 0.5
    return moments.T @ (norms[:, None] * legendre.legvander(x, len(x) - 1).T * w)


def _require_angle(theta: float) -> None:
    array_within("theta", theta, 1e-6, math.pi - 1e-6)
