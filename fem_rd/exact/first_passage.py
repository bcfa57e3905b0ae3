"""First-passage view of the reactive sphere: one particle, reflecting outer wall.

The outer radius must be finite; the concentration of the sphere plays no part.
Source: Szabo, Schulten and Schulten, J. Chem. Phys. 72 (1980) 4350; del Razo, Open
reaction-diffusion systems (2024), sec. IV.C.1.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from fem_rd.exact.sphere import ReactiveSphere
from fem_rd.exact.validity import Floats, require


def mean_first_passage_time(sphere: ReactiveSphere, start: ArrayLike) -> Floats:
    """Mean time (time) until a particle that starts at radius r has reacted.

    T(r) = V/kappa + [R^3 (1/sigma - 1/r) - (r^2 - sigma^2)/2] / (3 D), the solution of
    D lap T = -1, T'(R) = 0, 4 pi sigma^2 D T'(sigma) = kappa T(sigma). Shape of ``start``;
    sigma <= r <= R < infinity, kappa > 0.
    """
    _require_finite(sphere)
    r, sigma = sphere.radii(start), sphere.sigma
    travel = sphere.outer**3 * (1 / sigma - 1 / r) - (r**2 - sigma**2) / 2
    return sphere.volume / sphere.kappa + travel / (3 * sphere.diffusion)


def mean_first_passage_time_uniform(sphere: ReactiveSphere) -> float:
    """The mean first-passage time (time) averaged over a start uniform in the volume.

    V/kappa + R^2 (1 - x)^2 (5 + 6 x + 3 x^2 + x^3) / [15 D x (1 + x + x^2)], x = sigma/R.
    Validity of `mean_first_passage_time`.
    """
    _require_finite(sphere)
    sigma, outer = sphere.sigma, sphere.outer
    x = sigma / outer
    cubic = 1 + x + x * x
    travel = outer**2 * (1 - x) ** 2 * (5 + 6 * x + 3 * x**2 + x**3) / (5 * x * cubic)
    return sphere.volume / sphere.kappa + travel / (3 * sphere.diffusion)


def first_passage_rate(sphere: ReactiveSphere) -> float:
    """Rate constant (volume/time) of one particle per volume: V over the uniform mean time.

    It tends to kappa k_S/(kappa + k_S) (del Razo eq. 36) as R grows, from above:
    1/k = 1/kappa + (1/k_S) (1 - (9/5) sigma/R + O((sigma/R)^3)). At finite R it is not the rate
    with a reservoir at R, where sigma/R stands for (9/5) sigma/R.
    """
    return sphere.volume / mean_first_passage_time_uniform(sphere)


def _require_finite(sphere: ReactiveSphere) -> None:
    require(math.isfinite(sphere.outer), "a mean first-passage time needs a finite outer radius")
    require(sphere.kappa > 0, "a particle never reacts when kappa is zero")
