"""Effectiveness of catalyst pellets: reaction and diffusion inside, a film outside.

The effectiveness is the mean rate over the rate at the concentration outside. The Thiele modulus
is phi = L sqrt(k/D), L half the slab's width, the radius, or half the cube's edge; k (1/time) is of
first order. The Biot number of the film is h L/D, its transfer coefficient h a length/time.
Sources: Thiele, Ind. Eng. Chem. 31 (1939) 916; Aris, The Mathematical Theory of Diffusion and
Reaction in Permeable Catalysts (1975).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ive

from fem_rd.exact.hyperbolic import one_minus_tanhc
from fem_rd.exact.validity import Floats, array_within, floats, require, require_positive

Shape = Literal["slab", "cylinder", "sphere"]
DIMENSIONS: dict[Shape, int] = {"slab": 1, "cylinder": 2, "sphere": 3}
_MODES = 600  # odd wavenumbers in the series of the cube


def effectiveness(shape: Shape, phi: float, biot: float = math.inf) -> float:
    """Effectiveness (dimensionless) for a reaction of first order, any phi > 0.

    Slab tanh(phi)/phi, cylinder 2 I1/(phi I0), sphere 3 (phi coth phi - 1)/phi^2; with a film
    1/eta = 1/eta_0 + phi^2/(n Bi), n the dimension.
    """
    require_positive(phi=phi)
    require(biot > 0, f"biot must be positive; found {biot!r}")
    require(shape in DIMENSIONS, f"shape must be one of {', '.join(DIMENSIONS)}; found {shape!r}")
    if shape == "slab":
        bare = math.tanh(phi) / phi
    elif shape == "cylinder":
        bare = float(2 * ive(1, phi) / (phi * ive(0, phi)))
    else:
        bare = 3 * one_minus_tanhc(phi) / (phi * math.tanh(phi))
    return 1 / (1 / bare + phi**2 / (DIMENSIONS[shape] * biot))


def concentration(shape: Shape, phi: float, r: ArrayLike, biot: float = math.inf) -> Floats:
    """Concentration over that outside, at distances r (over L) from the centre, 0 <= r <= 1.

    cosh(phi r)/cosh(phi), I0(phi r)/I0(phi) or sinh(phi r)/(r sinh(phi)) times the value at the
    surface, eta/eta_0; shape of r.
    """
    radii = array_within("r", r, 0, 1)
    surface = effectiveness(shape, phi, biot) / effectiveness(shape, phi)
    far = np.exp(phi * (radii - 1)) * surface
    if shape == "cylinder":
        return floats(far * ive(0, phi * radii) / ive(0, phi))
    if shape == "slab":
        return floats(far * (1 + np.exp(-2 * phi * radii)) / (1 + math.exp(-2 * phi)))
    ratio = np.full_like(radii, 2 * phi)  # (1 - exp(-2 phi r))/r, and its limit at the centre
    np.divide(-np.expm1(-2 * phi * radii), radii, out=ratio, where=phi * radii > 1e-12)
    return floats(far * ratio / -math.expm1(-2 * phi))


def cube_effectiveness(phi: float) -> float:
    """Effectiveness of a cube of edge 2 L, first order, no film.

    eta = tanh(phi)/phi + phi^2 [w sum_l T(l^2)/l^2 + w^2 sum_lm T(l^2 + m^2)/(l m)^2], odd l and m,
    w = 8/pi^2, T(s) = tanh(a)/a^3, a^2 = phi^2 + (pi/2)^2 s: the triple sine series with one index
    summed, and the slow parts of the rest. To 4e-14 phi^2; raises `OutOfRange` above phi = 100.
    """
    require(0 < phi <= 100, f"phi must lie in (0, 100]; found {phi!r}")
    odd = np.arange(1, 2 * _MODES, 2, dtype=float) ** 2
    weight = 8 / math.pi**2 / odd

    def term(squares: Floats) -> Floats:
        a = np.sqrt(phi**2 + (math.pi / 2) ** 2 * squares)
        return floats(np.tanh(a) / a**3)

    edges = weight @ term(odd)
    corners = weight @ term(np.add.outer(odd, odd)) @ weight
    return math.tanh(phi) / phi + phi**2 * float(edges + corners)


def second_order_slab(phi: float) -> tuple[float, float]:
    """Effectiveness of a slab and the concentration at its centre, reaction of second order.

    u'' = phi^2 u^2, u'(0) = 0, u(1) = 1, phi^2 = k c L^2/D at the concentration c outside. From
    u'^2 = (2/3) phi^2 (u^3 - u0^3): phi = sqrt(3/2) int_u0^1 du/sqrt(u^3 - u0^3) for u0, and
    eta = sqrt((2/3)(1 - u0^3))/phi.
    """
    require(0 < phi <= 1e4, f"phi must lie in (0, 1e4]; found {phi!r}")
    if phi < 1e-3:  # u0 = 1 - phi^2/2 + O(phi^4): too near to 1 to be found as a root
        return 1 - 2 * phi**2 / 3, 1 - phi**2 / 2
    lowest = 0.25 / (1 + phi) ** 2
    centre = brentq(lambda u0: _modulus(u0) - phi, lowest, 1.0, xtol=1e-300, rtol=1e-14)
    return math.sqrt(2 / 3 * (1 - centre**3)) / phi, float(centre)


def _modulus(centre: float) -> float:
    """phi of the concentration at the centre; u = u0 (1 + y^2) takes the root's singularity out."""
    end = math.sqrt((1 - centre) / centre)
    value, _ = quad(
        lambda y: 2 / math.sqrt(3 + 3 * y**2 + y**4), 0, end, epsabs=0, epsrel=1e-13, limit=200
    )
    return math.sqrt(1.5 / centre) * float(value)
