"""Doi's volume reaction: pairs closer than sigma react at rate lambda_0.

D is the sum of the two diffusion coefficients.
Source: Doi, Chem. Phys. 11 (1975) 107 and J. Phys. A 9 (1976) 1479; the limit V lambda_0 is eq. 23
of del Razo, Open reaction-diffusion systems (2024).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ive

from fem_rd.exact.hyperbolic import one_minus_tanhc
from fem_rd.exact.validity import Floats, array_within, require, require_positive

_TORUS = 2.837297479480619519  # potential of a unit charge on the cubic torus in its background
_EDGE = 0.11728724269528884  # zeta(3/2)/(sqrt(2) (2 pi)^(3/2)): reactions in steps, at an edge


def doi_capacitance(sigma: float, diffusion: float, reaction_rate: float) -> float:
    """Radius (length) of the absorbing sphere with the same rate: sigma (1 - tanh(s)/s).

    s = sigma sqrt(lambda_0/D); lambda_0 = ``reaction_rate`` (1/time) >= 0.
    """
    require_positive(sigma=sigma, diffusion=diffusion)
    require(reaction_rate >= 0, f"reaction_rate must not be negative; found {reaction_rate!r}")
    return sigma * one_minus_tanhc(sigma * math.sqrt(reaction_rate / diffusion))


def doi_rate(
    sigma: float,
    diffusion: float,
    reaction_rate: float,
    outer: float = math.inf,
    concentration: float = 1.0,
) -> float:
    """Steady rate (amount/time) with the concentration held at radius R = ``outer`` > sigma.

    4 pi D c_R C/(1 - C/R), C of `doi_capacitance`; for infinite R, 4 pi D sigma (1 - tanh(s)/s) c.
    Its small-s limit is V lambda_0 c, V = 4 pi sigma^3/3, less 2 s^2/5 of it; large s: k_S c.
    """
    require(outer > sigma, f"outer must be larger than sigma = {sigma!r}; found {outer!r}")
    capacitance = doi_capacitance(sigma, diffusion, reaction_rate)
    return 4 * math.pi * diffusion * concentration * capacitance / (1 - capacitance / outer)


def doi_concentration(r: ArrayLike, sigma: float, diffusion: float, reaction_rate: float) -> Floats:
    """Steady concentration over its value far away, at radii r >= 0 in an infinite domain.

    Outside 1 - C/r; inside sinh(p r)/(p r cosh(p sigma)), p = sqrt(lambda_0/D).
    """
    radii = array_within("r", r, 0, math.inf)
    capacitance = doi_capacitance(sigma, diffusion, reaction_rate)
    p = math.sqrt(reaction_rate / diffusion)
    inner = np.minimum(radii, sigma)
    # sinh(p r)/cosh(p sigma) without overflow
    scale = np.exp(p * (inner - sigma)) / (1 + math.exp(-2 * p * sigma))
    shape = np.ones_like(inner)
    np.divide(-np.expm1(-2 * p * inner), p * inner, out=shape, where=p * inner > 1e-12)
    shape[p * inner <= 1e-12] = 2
    outside = 1 - capacitance / np.maximum(radii, sigma)
    return np.where(radii < sigma, scale * shape, outside)


def doi_reaction_rate(sigma: float, diffusion: float, rate: float) -> float:
    """The lambda_0 (1/time) that gives a steady rate constant (volume/time), infinite domain.

    Inverse of `doi_rate`; raises `OutOfRange` unless 0 < rate < 4 pi sigma D.
    """
    require_positive(sigma=sigma, diffusion=diffusion)
    fraction = rate / (4 * math.pi * sigma * diffusion)
    require(0 < fraction < 1, f"rate must lie between 0 and 4 pi sigma D; found {rate!r}")
    # 1 - 1/s < fraction < s^2/3 brackets s
    lower, upper = math.sqrt(fraction), 2 / (1 - fraction)
    s = brentq(lambda x: one_minus_tanhc(x) - fraction, lower, upper, xtol=1e-15, rtol=1e-14)
    return diffusion * float(s) ** 2 / sigma**2


def doi_rate_within(
    dimension: int, sigma: float, diffusion: float, reaction_rate: float, outer: float
) -> float:
    """Steady rate per concentration held at the distance ``outer`` > sigma, in 1, 2, 3 dimensions.

    Units length^dimension/time; in one dimension both sides count. With p = sqrt(lambda_0/D):
    2 D/(R - sigma + coth(p sigma)/p), 2 pi D/(ln(R/sigma) + I_0(p sigma)/(p sigma I_1(p sigma))),
    and `doi_rate`. In one and two dimensions it vanishes as R grows: there is no rate constant.
    """
    require(dimension in (1, 2, 3), f"dimension must be 1, 2 or 3; found {dimension!r}")
    require_positive(sigma=sigma, diffusion=diffusion, reaction_rate=reaction_rate)
    if dimension == 3:
        return doi_rate(sigma, diffusion, reaction_rate, outer)
    require(sigma < outer < math.inf, f"outer must be finite and > sigma = {sigma!r}")
    s = sigma * math.sqrt(reaction_rate / diffusion)
    if dimension == 1:
        return 2 * diffusion / (outer - sigma + sigma / (s * math.tanh(s)))
    resistance = math.log(outer / sigma) + float(ive(0, s) / (s * ive(1, s)))
    return 2 * math.pi * diffusion / resistance


def doi_periodic_rate(sigma: float, diffusion: float, reaction_rate: float, edge: float) -> float:
    """Rate constant (volume/time) of one partner in a periodic cube, from uniform births.

    The molecules are born uniformly and react with a single partner: the events per time are this
    rate times their mean concentration, and their mean lifetime is edge^3 over it. About 1/k =
    1/k_infinite - 2.8373/(4 pi D edge), with all terms of spherical symmetry; the others are of
    relative order (sigma/edge)^10. D is the sum of both. Raises unless edge >= 2 sigma.
    """
    require_positive(sigma=sigma, diffusion=diffusion, reaction_rate=reaction_rate)
    require(edge >= 2 * sigma, f"edge must be at least two sigma = {2 * sigma!r}; found {edge!r}")
    volume, ball = edge**3, 4 * math.pi * sigma**3 / 3
    s = sigma * math.sqrt(reaction_rate / diffusion)
    # Green's function at sigma and its integral over the ball, for the births volume * rate = D
    green = 1 / (4 * math.pi * sigma) - _TORUS / (4 * math.pi * edge) + sigma**2 / (6 * volume)
    integral = sigma**2 / 2 - _TORUS * sigma**3 / (3 * edge) + ball * sigma**2 / (10 * volume)
    at_sigma = diffusion / (volume * reaction_rate) + (1 - ball / volume) * math.tanh(s) / (
        4 * math.pi * sigma * (s - math.tanh(s))
    )
    beyond = (at_sigma + green) * (volume - ball) + integral
    return diffusion * volume / (beyond + diffusion / reaction_rate)


def doi_step_bias(sigma: float, diffusion: float, reaction_rate: float, dt: float) -> float:
    """Relative error of the rate constant where motion and reactions alternate in steps of dt.

    -0.117287 s^2 tanh(s)^2 tau^(3/2)/(1 - tanh(s)/s), tau = D dt/sigma^2, to leading order: from
    the edge of the ball, where the reaction rate jumps. Reactions at fixed positions are taken to
    be exact. The constant is zeta(3/2)/(sqrt(2) (2 pi)^(3/2)).
    """
    require_positive(sigma=sigma, diffusion=diffusion, reaction_rate=reaction_rate)
    s, tau = sigma * math.sqrt(reaction_rate / diffusion), diffusion * dt / sigma**2
    return -_EDGE * (s * math.tanh(s)) ** 2 * tau**1.5 / one_minus_tanhc(s)
