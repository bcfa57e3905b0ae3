"""Where the particles of an open boundary see the concentration of their reservoir: layers.

A layer of width w at a reflecting wall takes particles out with rate gamma and puts c_R gamma per
volume in (open-reaction-diffusion eq. 14). At equilibrium c = c_R for every gamma; under a flux the
concentration outside the layer goes on as if it were c_R on the *effective plane*, which need not
be the wall. Everything depends on the strength s = w sqrt(gamma/D) alone.
The analysis is our own; the rates gamma = D/w^2 (s = 1) are eq. 8-11 of del Razo, Open
reaction-diffusion systems (2024).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import ive, kve, spherical_in, spherical_kn

from fem_rd.exact.validity import require, require_positive


def layer_strength(width: float, rate: float, diffusion: float) -> float:
    """s = w sqrt(gamma/D) (dimensionless) of a layer of ``width`` (length), ``rate`` (1/time)."""
    require_positive(width=width, rate=rate, diffusion=diffusion)
    return width * math.sqrt(rate / diffusion)


def layer_rate(width: float, strength: float, diffusion: float) -> float:
    """gamma = s^2 D/w^2 (1/time): the inverse of `layer_strength`."""
    require_positive(width=width, strength=strength, diffusion=diffusion)
    return diffusion * (strength / width) ** 2


def effective_plane(strength: float) -> float:
    """Where c = c_R seems to lie, in widths from the wall into the domain: 1 - 1/(s tanh s).

    Negative behind the wall: -0.3130352855 for s = 1. Steady flux, plane wall, any s > 0.
    """
    require_positive(strength=strength)
    return 1 - 1 / (strength * math.tanh(strength))


def strength_for_plane(plane: float) -> float:
    """The s whose `effective_plane` is the given one (in widths, less than 1)."""
    require(plane < 1, f"the plane lies less than one width inside; found {plane!r}")
    product = 1 / (1 - plane)  # s tanh s, which lies between min(s, s^2) tanh 1 and s
    upper = max(product, math.sqrt(product)) + 1
    return _root(lambda s: s * math.tanh(s) - product, 0.0, upper)


def matched_strength() -> float:
    """s* = 1.199678640258, s tanh s = 1: the effective plane is the wall. gamma* = s*^2 D/w^2."""
    return strength_for_plane(0.0)


def slab_flux(
    diffusion: float, length: float, left: float, right: float, planes: tuple[float, float] = (0, 0)
) -> float:
    """Steady flux (amount/(area time)) to the right between two reservoirs ``length`` apart.

    D (c_left - c_right)/(L - x_1 - x_2), ``planes`` = (x_1, x_2): the effective planes of the two
    walls (lengths, positive into the slab). It needs layers that do not overlap.
    """
    distance = length - sum(planes)
    require(distance > 0, f"the effective planes must not meet; found {planes!r} in {length!r}")
    return diffusion * (left - right) / distance


def plateau_of_absorbing_layer(strength: float) -> float:
    """c/c_R far away when the wall behind the layer absorbs: 1 - 1/cosh s, wrong at rest too."""
    require_positive(strength=strength)
    return 1 - 1 / math.cosh(strength)


def gradient_offset(strength: float, reservoir_slope: float, slope: float) -> float:
    """c less the reservoir's, over w, at the layer's inner face: (1/s)[g/sinh s + (G - g) coth s].

    For a layer that inserts after c_R(x) = c_0 + g x, ``reservoir_slope`` = g, with slope G in the
    domain. With G = g the shift is 1/(s sinh s) widths: such a layer wants s >= 5, not s*.
    """
    require_positive(strength=strength)
    rest = (slope - reservoir_slope) / math.tanh(strength)
    return (reservoir_slope / math.sinh(strength) + rest) / strength


def effective_radius(strength: float, thinness: float, *, inside: bool) -> float:
    """Radius, in units of R, of the sphere where c = c_R seems to lie; spherical symmetry.

    ``thinness`` = w/R. ``inside``: particles within r < R, the layer in R - w < r < R; otherwise
    outside, R < r < R + w. m (u' - u/m)/u' with u = r (c - c_R), m the layer's inner face.
    """
    _check_curved(thinness, inside)
    require_positive(strength=strength)
    sign = 1 if inside else -1
    face = 1 - sign * thinness
    q = strength / thinness
    u = math.cosh(strength) - sign * math.sinh(strength) / q
    slope = -sign * q * math.sinh(strength) + math.cosh(strength)
    return face - u / slope


def matched_strength_sphere(thinness: float, *, inside: bool) -> float:
    """s with `effective_radius` 1: tanh(s)(s + e/s) = 1 + e inside, e -> -e outside; e = w/R."""
    _check_curved(thinness, inside)
    e = thinness if inside else -thinness
    return _root(lambda s: math.tanh(s) * (s + e / s) - 1 - e, 0.3, 5.0)


def effective_radius_cylinder(strength: float, thinness: float, *, inside: bool) -> float:
    """`effective_radius` of a circle or cylinder: m exp(-f/(m f')), f = c - c_R from I_0, K_0."""
    _check_curved(thinness, inside)
    require_positive(strength=strength)
    face = 1 - thinness if inside else 1 + thinness
    q = strength / thinness
    # f' = 0 at the wall; ive, kve are without the factors e^q and e^-q
    grow = ive(np.arange(2), q * face) * kve(1, q) * math.exp(q * (face - 1))
    fall = kve(np.arange(2), q * face) * ive(1, q) * math.exp(q * (1 - face))
    f, slope = grow[0] + fall[0], q * (grow[1] - fall[1])
    return float(face * np.exp(-f / (face * slope)))


def matched_strength_cylinder(thinness: float, *, inside: bool) -> float:
    """s with `effective_radius_cylinder` 1."""

    def miss(s: float) -> float:
        return math.log(effective_radius_cylinder(s, thinness, inside=inside))

    return _root(miss, 0.7, 3.0)


def effective_radius_of_mode(strength: float, thinness: float, mode: int) -> float:
    """`effective_radius` (inside) seen by the spherical harmonics of degree ``mode``.

    f = a i_l + b k_l in the layer, A r^l + B r^(-l-1) below it, zero at r^(2l+1) = -B/A.
    """
    _check_curved(thinness, True)
    require(mode >= 0, f"mode must not be negative; found {mode!r}")
    require(strength < 300 * thinness, f"the layer must be thick or weak; found {thinness!r}")
    face, q = 1 - thinness, strength / thinness
    at_wall = spherical_in(mode, q, True), spherical_kn(mode, q, True)
    f = spherical_in(mode, q * face) * at_wall[1] - spherical_kn(mode, q * face) * at_wall[0]
    slope = q * (
        spherical_in(mode, q * face, True) * at_wall[1]
        - spherical_kn(mode, q * face, True) * at_wall[0]
    )
    growing = (mode + 1) * f / face + slope
    falling = (slope - mode * f / face) * face ** (2 * mode + 1)
    return float((falling / growing) ** (1 / (2 * mode + 1)))


def _check_curved(thinness: float, inside: bool) -> None:
    require(
        1e-6 <= thinness < (1 if inside else math.inf),
        f"width over radius must be at least 1e-6, and less than 1 inside; found {thinness!r}",
    )


def _root(function: Callable[[float], float], lower: float, upper: float) -> float:
    return float(brentq(function, lower, upper, xtol=1e-15, rtol=1e-14))
