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

from fem_rd.exact.hyperbolic import one_minus_tanhc
from fem_rd.exact.validity import Floats, array_within, require, require_positive


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
