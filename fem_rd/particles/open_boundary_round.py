"""The depths at which particles come in through spheres and circles, for the engine's own walls.

By time reversal (`open_boundary_reversal`) what comes in has the density c a(r), where a is the
probability that the wall takes in a step who starts at r. On a plane a is erfc(x/l), x being the
depth and l = sqrt(4 D dt). Around a centre it depends on r alone: it is the integral over the free
radial law of what the kernel (kernels/round.c) does with both distances. In three dimensions that
is (R/r) erfc(|r - R|/l) but for images in the centre; circles have no closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.interpolate import CubicSpline
from scipy.special import erfcx, i0e

from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.state import Floats

_FAR = 6.5  # l: exp(-_FAR^2) is nothing
_DEEPEST = 5.0  # l: deeper than the kernel draws on a plane, which ends at 4.71
_PIECES = 128
_PANELS = 400


@dataclass(frozen=True)
class RoundLaw:
    """Who comes in through a sphere: ``volume`` times c in a step.

    Their depths are those of a plane, in l, sent through cubics (pieces, 4), each ``width`` wide.
    """

    volume: float
    cubics: Floats
    width: float


def taken(opening: Opening, radii: Floats, spread: float) -> Floats:
    """The probability (n,) that the wall takes in a step who starts at the radii (n,).

    ``spread``: l (length). The other wall must be out of reach.
    """
    radius, tau = 1 / abs(opening.curvature), spread**2 / 4
    inside = _quadrature(max(radius - _FAR * spread, 0.0), radius)
    outside = _quadrature(radius, radius + _FAR * spread)
    if opening.curvature < 0:
        inside, outside = outside, inside
    here, there = (
        _radial_law(opening.dimension, radii, ends, tau) for ends, _ in (inside, outside)
    )
    product = np.abs(radius - radii[:, None]) * np.abs(radius - inside[0])
    touched = np.exp(-product / tau)
    if opening.curvature < 0 and opening.dimension == 3:  # the kernel knows of this image
        touched = 1 - np.expm1(-product / tau) / np.expm1(-radii[:, None] * inside[0] / tau)
    return np.asarray((here * touched) @ inside[1] + there @ outside[1])


def round_law(opening: Opening, spread: float) -> RoundLaw:
    """The law of a sphere or circle in a step with this l (length).

    Survival of depths, S(x) = int_x a(r) (r/R)^(d - 1), is set equal to that of a plane's, so that
    the map between them is smooth and its tail as exact as its middle.
    """
    radius, side = 1 / abs(opening.curvature), math.copysign(1.0, opening.curvature)
    deepest = 1.2 * _DEEPEST * spread
    if side > 0:
        deepest = min(deepest, radius)
    x, weights = _quadrature(0.0, deepest, _PANELS)
    radii = radius - side * x
    density = taken(opening, radii, spread) * (radii / radius) ** (opening.dimension - 1)
    each = (density * weights).reshape(_PANELS, -1).sum(axis=1)
    beyond = np.cumsum(each[::-1])[::-1]
    edges = np.linspace(0.0, deepest, _PANELS + 1)[:-1]
    known = beyond > 1e-13 * beyond[0]
    logarithm = np.log(beyond[known] / beyond[0])
    z = np.asarray(np.linspace(0.0, _DEEPEST, _PIECES + 1), dtype=np.float64)
    found = CubicSpline(-logarithm, edges[known])(-_log_survival(z)) / spread
    pieces = CubicSpline(z, np.clip(found, 0.0, deepest / spread))
    volume = opening.area * float(beyond[0])
    return RoundLaw(volume, np.ascontiguousarray(pieces.c.T), _DEEPEST / _PIECES)


def _log_survival(z: Floats) -> Floats:
    """The logarithm of exp(-z^2) - sqrt(pi) z erfc z, the part that comes in deeper on a plane."""
    return np.asarray(np.log1p(-math.sqrt(math.pi) * z * erfcx(z)) - z**2)


def _radial_law(dimension: int, begin: Floats, end: Floats, tau: float) -> Floats:
    """Density (begin, end) of the radius after a free step, by that before it."""
    r, s = begin[:, None], end[None, :]
    gauss = np.exp(-((r - s) ** 2) / (4 * tau))
    if dimension == 2:
        return np.asarray(s / (2 * tau) * gauss * i0e(r * s / (2 * tau)))
    images = -np.expm1(-r * s / tau)
    return np.asarray(s / r * gauss * images / math.sqrt(4 * math.pi * tau))


def _quadrature(lower: float, upper: float, panels: int = 6) -> tuple[Floats, Floats]:
    """Points and weights of Gauss and Legendre in equal panels."""
    points, weights = leggauss(20 if panels < _PANELS else 4)
    half = (upper - lower) / (2 * panels)
    middles = lower + half * (2 * np.arange(panels) + 1)
    return (middles[:, None] + half * points).ravel(), np.tile(half * weights, panels)
