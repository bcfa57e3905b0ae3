"""Particles that cross an open wall in one step dt: how many come in, and how deep.

Dirichlet: particles are deleted where they touch the wall (with the Brownian bridge), and what a
reservoir of concentration c_R sends in and is still inside after dt is inserted: exact for a plane
at any dt, stationary or not. Ghost: the reservoir behind the wall is drawn anew each step, which
puts its plane behind the wall by a Riemann zeta value. l = sqrt(4 D dt). Our own analysis; the
depth law is that of a uniform half space.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc, zeta

from fem_rd.exact.validity import Floats, array_within, require, require_positive

GHOST_PLANE = -float(zeta(0.5)) / math.sqrt(2 * math.pi)  # 0.5825971579, in units of sqrt(2 D dt)


def inserted(diffusion: float, dt: float) -> float:
    """2 sqrt(D dt/pi) (length): expected number per area and c_R that come in and stay, plane."""
    require_positive(diffusion=diffusion, dt=dt)
    return 2 * math.sqrt(diffusion * dt / math.pi)


def inserted_sphere(radius: float, diffusion: float, dt: float, *, inside: bool) -> float:
    """Expected number (volume) per c_R that come through a sphere and stay.

    4 pi R (R l/sqrt pi -+ l^2/4). Density (R/r) erfc(|r - R|/l); minus inside, up to terms
    of order exp(-R^2/(D dt)).
    """
    require_positive(radius=radius)
    if inside:
        require(_spread(diffusion, dt) < radius / 2, "sqrt(4 D dt) must be less than R/2 inside")
    bend = diffusion * dt if not inside else -diffusion * dt
    return 4 * math.pi * radius * (radius * inserted(diffusion, dt) + bend)


def inserted_ghost(diffusion: float, dt: float, c: float = 1.0, gradient: float = 0.0) -> float:
    """Number per area that a half space c + g x, x < 0, sends over: c sqrt(D dt/pi) - g D dt/2."""
    return c * inserted(diffusion, dt) / 2 - gradient * diffusion * dt / 2


def inserted_ghost_ball(radius: float, diffusion: float, dt: float) -> float:
    """Expected number (volume) per c_R that all space around a ball sends into it in dt.

    4 pi R^2 sqrt(D dt/pi) (1 - 2 D dt/(3 R^2)), up to terms of order exp(-R^2/(D dt)).
    """
    require(_spread(diffusion, dt) < radius / 2, "sqrt(4 D dt) must be less than R/2")
    return (
        4
        * math.pi
        * radius**2
        * inserted(diffusion, dt)
        / 2
        * (1 - 2 * diffusion * dt / (3 * radius**2))
    )


def ghost_density(x: ArrayLike, diffusion: float, dt: float, c: float, gradient: float) -> Floats:
    """Density at depth x of what the half space c + g x sent across; negative where g is too steep.

    (c + g x) erfc(x/l)/2 - g sqrt(D dt/pi) exp(-x^2/l^2).
    """
    depth = array_within("x", x, 0, math.inf)
    z = depth / _spread(diffusion, dt)
    gaussian = gradient * inserted(diffusion, dt) / 2 * np.exp(-(z**2))
    return np.asarray((c + gradient * depth) * erfc(z) / 2 - gaussian)


def depth_density(x: ArrayLike, diffusion: float, dt: float) -> Floats:
    """Probability density (1/length) of the depth of an insertion: (sqrt(pi)/l) erfc(x/l)."""
    depth, spread = array_within("x", x, 0, math.inf), _spread(diffusion, dt)
    return np.asarray(math.sqrt(math.pi) / spread * erfc(depth / spread))


def depth_distribution(x: ArrayLike, diffusion: float, dt: float) -> Floats:
    """Probability of a depth below x: 1 - e^(-z^2) + sqrt(pi) z erfc z, z = x/l."""
    z = array_within("x", x, 0, math.inf) / _spread(diffusion, dt)
    return np.asarray(-np.expm1(-(z**2)) + math.sqrt(math.pi) * z * erfc(z))


def depth_from_uniforms(first: ArrayLike, second: ArrayLike, diffusion: float, dt: float) -> Floats:
    """Depths (length) of insertions from two uniform numbers each: U1 sqrt(-4 D dt ln U2); exact.

    Mean sqrt(pi D dt)/2, mean square 4 D dt/3.
    """
    u, v = array_within("first", first, 0, 1), array_within("second", second, 1e-300, 1)
    return np.asarray(u * _spread(diffusion, dt) * np.sqrt(-np.log(v)))


def ghost_slab_flux(diffusion: float, length: float, dt: float, left: float, right: float) -> float:
    """Steady flux between two ghost reservoirs: D (c_l - c_r)/(L + 2 * 0.5826 sqrt(2 D dt)).

    For sqrt(2 D dt) up to L/5, where the two walls do not see each other in a step.
    """
    step = math.sqrt(2 * diffusion * dt)
    require(step <= length / 5, f"sqrt(2 D dt) must be at most L/5; found {step / length!r} L")
    return diffusion * (left - right) / (length + 2 * GHOST_PLANE * step)


def _spread(diffusion: float, dt: float) -> float:
    require_positive(diffusion=diffusion, dt=dt)
    return math.sqrt(4 * diffusion * dt)
