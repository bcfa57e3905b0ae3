"""Layers in steps of finite dt: thin with probability p, insert Poisson(c_R V p), diffuse.

With p = 1 - exp(-gamma dt) equilibrium is exact at any dt, and the effective plane moves by
O(dt^(3/2)) only. tau = D dt/w^2; planes are in widths of the layer. Our own analysis.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import zeta

from fem_rd.exact.open_boundary import effective_plane
from fem_rd.exact.validity import require, require_positive

SHIFT = float(zeta(1.5)) / (math.sqrt(2) * (2 * math.pi) ** 1.5)  # 0.117287243


def effective_plane_of_steps(strength: float, tau: float) -> float:
    """`effective_plane` at finite dt to leading order: x_eff - 0.117287 (s/tanh s)^2 tau^(3/2).

    An effect of the layer's edge; there is no term in dt. Good to some 1 % of the shift at
    tau = 0.02, 30 % at 0.1 (for what is exact: `effective_plane_of_kicks`).
    """
    require(0 <= tau <= 0.1, f"tau = D dt/w^2 must lie in [0, 0.1]; found {tau!r}")
    return effective_plane(strength) - SHIFT * (strength / math.tanh(strength)) ** 2 * tau**1.5


def effective_plane_of_kicks(strength: float, tau: float, *, linear: bool = False) -> float:
    """`effective_plane` of the scheme itself at finite dt, by cosine modes; some ten digits.

    ``linear``: with the inconsistent p = gamma dt, which moves the plane by O(dt).
    """
    require_positive(strength=strength)
    require(1e-3 <= tau <= 0.5, f"tau = D dt/w^2 must lie in [0.001, 0.5]; found {tau!r}")
    probability = strength**2 * tau if linear else -math.expm1(-(strength**2) * tau)
    require(probability <= 1, f"gamma dt must not be more than 1; found {probability!r}")
    # u = c - c_R after diffusion: u = E[(1 - p 1_layer) u + delta(x - L)], a straight line between
    reach = 9 * math.sqrt(2 * tau)
    length = 2 + 2 * reach
    count = int(length / math.pi * math.sqrt(42 / tau)) + 2
    k = np.arange(count) * math.pi / length
    norm = np.where(k == 0, 1, 2) / length
    decay = np.exp(-tau * k**2)
    difference, total = k[:, None] - k, k[:, None] + k
    overlap = (np.sinc(difference / math.pi) + np.sinc(total / math.pi)) / 2 * norm
    system = np.eye(count) - decay[:, None] * (np.eye(count) - probability * overlap.T)
    modes = np.linalg.solve(system, decay * norm * np.cos(k * length))
    x = 1 + reach
    value, slope = modes @ np.cos(k * x), -(modes * k) @ np.sin(k * x)
    return float(x - value / slope)


def rate_of_linear_thinning(rate: float, dt: float) -> float:
    """The gamma (1/time) that thinning with p = gamma dt stands for: -ln(1 - gamma dt)/dt."""
    require(0 < rate * dt < 1, f"gamma dt must lie between 0 and 1; found {rate * dt!r}")
    return -math.log1p(-rate * dt) / dt


def excess_unthinned(z: float) -> float:
    """c/c_R in a closed layer that is thinned, then gets Poisson(c_R V z), z = gamma dt.

    z/(1 - e^-z).
    """
    require_positive(z=z)
    return -z / math.expm1(-z)


def excess_thinned(z: float) -> float:
    """The same, inserted before thinning: z/(e^z - 1). Both are 1 only in the limit dt -> 0."""
    require_positive(z=z)
    return z / math.expm1(z)
