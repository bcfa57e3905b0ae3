"""Travelling fronts on the line: Fisher, Nagumo and Schloegl.

Times and places may be numbers or arrays; profiles have shape t.shape + x.shape and run to the
right: the high state is at x = -infinity.
Sources: Fisher, Ann. Eugenics 7 (1937) 355; Ablowitz and Zeppetella, Bull. Math. Biol. 41 (1979)
835; Ebert and van Saarloos, Physica D 146 (2000) 1; Schloegl, Z. Phys. 253 (1972) 147.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from fem_rd.exact.validity import Floats, array_within, floats, require, require_positive

Roots = tuple[float, float, float]


def fisher_speed(growth: float, diffusion: float) -> float:
    """Speed (length/time) that every compact start tends to in u_t = D u_xx + r u (1 - u).

    2 sqrt(r D), r = ``growth`` (1/time).
    """
    require_positive(growth=growth, diffusion=diffusion)
    return 2 * math.sqrt(growth * diffusion)


def fisher_front_speed(t: ArrayLike, growth: float, diffusion: float) -> Floats:
    """Speed (length/time) of Fisher's front a time t after a start as a step.

    2 sqrt(r D) [1 - 3/(4 s) + 3 sqrt(pi)/(4 s^(3/2))], s = r t: the first terms of an asymptotic
    series, the same at every height of the front; the next one is of order 1/s^2. Valid for r t
    much larger than 1; raises `OutOfRange` for r t < 1.
    """
    s = growth * array_within("t", t, 1 / growth, math.inf)
    relative = 1 - 3 / (4 * s) + 3 * math.sqrt(math.pi) / (4 * s * np.sqrt(s))
    return floats(fisher_speed(growth, diffusion) * relative)


def ablowitz_zeppetella_speed(growth: float, diffusion: float) -> float:
    """Speed (length/time) of the one Fisher wave in closed form: 5 sqrt(r D/6)."""
    require_positive(growth=growth, diffusion=diffusion)
    return 5 * math.sqrt(growth * diffusion / 6)


def ablowitz_zeppetella_wave(t: ArrayLike, x: ArrayLike, growth: float, diffusion: float) -> Floats:
    """The wave of u_t = D u_xx + r u (1 - u) in closed form, shape t.shape + x.shape.

    u = [1 + exp((x - c t) sqrt(r/(6 D)))]^-2, c = 5 sqrt(r D/6); valid for all x and t.
    """
    speed = ablowitz_zeppetella_speed(growth, diffusion)
    moving = np.subtract.outer(-speed * floats(t), -floats(x))
    return floats(expit(-moving * math.sqrt(growth / (6 * diffusion))) ** 2)


def cubic_front_speed(roots: Roots, rate: float, diffusion: float) -> float:
    """Speed (length/time) of the front from the high to the low root of a cubic reaction.

    u_t = D u_xx - k (u - x1)(u - x2)(u - x3), x1 < x2 < x3, k = ``rate``:
    c = sqrt(D k/2) (x1 + x3 - 2 x2), positive where the high state invades.
    """
    require_positive(rate=rate, diffusion=diffusion)
    low, middle, high = roots
    require(low < middle < high, f"the roots must rise; found {roots!r}")
    return math.sqrt(diffusion * rate / 2) * (low + high - 2 * middle)


def cubic_front(t: ArrayLike, x: ArrayLike, roots: Roots, rate: float, diffusion: float) -> Floats:
    """The front of `cubic_front_speed` with its middle at x = c t, shape t.shape + x.shape.

    u = x1 + (x3 - x1)/[1 + exp((x3 - x1) (x - c t) sqrt(k/(2 D)))]; valid for all x and t.
    """
    speed = cubic_front_speed(roots, rate, diffusion)
    moving = np.subtract.outer(-speed * floats(t), -floats(x))
    height = roots[2] - roots[0]
    steepness = height * math.sqrt(rate / (2 * diffusion))
    return floats(roots[0] + height * expit(-steepness * moving))


def nagumo_speed(threshold: float, rate: float, diffusion: float) -> float:
    """Speed (length/time) of the front of u_t = D u_xx + k u (1 - u)(u - a).

    c = sqrt(D k/2) (1 - 2 a), a = ``threshold`` in (0, 1); the wave is
    ``cubic_front(t, x, (0, a, 1), k, D)``.
    """
    return cubic_front_speed((0.0, threshold, 1.0), rate, diffusion)


def schloegl_roots(k1: float, k2: float, k3: float, k4: float) -> Roots:
    """The three steady concentrations of Schloegl's second model, in rising order.

    R = k1 x^2 - k2 x^3 + k3 - k4 x; the constant concentrations of A and B are in k1 and k3.
    Raises `OutOfRange` where there is but one.
    """
    require_positive(k1=k1, k2=k2, k3=k3, k4=k4)
    roots = np.roots([-k2, k1, -k4, k3])
    real = np.sort(roots[np.abs(roots.imag) < 1e-9 * np.abs(roots)].real)
    require(real.size == 3, "these rate constants have one steady state: there is no front")
    return float(real[0]), float(real[1]), float(real[2])


def schloegl_front_speed(k1: float, k2: float, k3: float, k4: float, diffusion: float) -> float:
    """Speed (length/time) of the front between the stable states of `schloegl_roots`.

    Where it stalls is not where the two states are equally likely in a well-mixed volume: the
    deterministic front weighs the integral of R, the master equation that of ln(death/birth).
    """
    return cubic_front_speed(schloegl_roots(k1, k2, k3, k4), k2, diffusion)
