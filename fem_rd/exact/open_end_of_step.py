"""Walls that look at the end of a step only, and what that does to an open boundary.

A Gaussian walk of unit standard deviation (lengths in sqrt(2 D dt)) on x > 0; who ends behind the
wall is taken with probability P, and reflected otherwise. Far away the harmonic function of the
walk is x + lambda: the wall acts as c = lambda dc/dx. Solved by Nystroem's method on panels.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.special import ndtr

from fem_rd.exact.open_crossing import GHOST_PLANE
from fem_rd.exact.validity import Floats, require, require_positive

_REACH, _PANELS, _NODES = 12.0, 24, 16


def naive_sphere_rate(sigma: float, diffusion: float, dt: float) -> float:
    """Rate constant (volume/time) of an absorbing sphere that looks at the end of a step only.

    4 pi D (sigma - 0.5825971579 sqrt(2 D dt)). Good to 1e-8 for sqrt(2 D dt) <= sigma/5.
    """
    step = math.sqrt(2 * diffusion * dt)
    found = f"found {step / sigma!r} sigma"
    require(step <= sigma / 5, f"sqrt(2 D dt) must be at most sigma/5; {found}")
    return 4 * math.pi * diffusion * (sigma - GHOST_PLANE * step)


def extrapolation_length(probability: float, *, bridge: bool = False) -> float:
    """lambda/sqrt(2 D dt) of a wall that takes with this probability; kappa = D/lambda.

    sqrt(pi/2)/P - 0.709 to leading orders; 0.5825971579 for P = 1. With ``bridge`` whoever touched
    the wall is taken with this probability, which is the same as 2 P at the end of the step.
    """
    taken = 2 * probability if bridge else probability
    require(
        0 < taken <= 1,
        f"the probability must lie in (0, {0.5 if bridge else 1}]; found {probability!r}",
    )
    return float(_excess(taken)[1][-1])


def strang_plateau(ratio: float = 1.0) -> float:
    """c/c_R at rest for Poisson(c_R D dt A/w) insertions, uniform in a layer w, between steps.

    Deletion at the end of the step, ``ratio`` = w/sqrt(2 D dt): the mean of h in the layer over w,
    h = x + lambda + ... the harmonic function of the walk. 1/2 for wide layers; 1.1275225 at
    the pairing w = sqrt(2 D dt) of Kostre et al. (2021).
    """
    require_positive(ratio=ratio)
    require(ratio <= _REACH / 2, f"w must be at most {_REACH / 2} sqrt(2 D dt); found {ratio!r}")
    x, weight = np.polynomial.legendre.leggauss(40)
    places = ratio * (x + 1) / 2
    return float(_harmonic(places) @ weight / 2 / ratio)


def strang_plane() -> float:
    """Where c equals its plateau, behind the wall, in sqrt(2 D dt): the naive wall's 0.5826."""
    return GHOST_PLANE


def _harmonic(x: Floats) -> Floats:
    """h of the walk that is killed at the end of steps, prior to a step: one step of w + y."""
    nodes, excess = _excess(1.0)
    y, weight = _panels()
    kernel = _gauss(x[:, None] - y) * weight
    return kernel @ (nodes + excess) + _tail(x, _REACH) + excess[-1] * ndtr(x - _REACH)


@cache
def _excess(probability: float) -> tuple[Floats, Floats]:
    """w = h - x on the nodes: w = T w + T x - x, with w constant beyond the reach."""
    y, weight = _panels()
    stay = 1 - probability
    kernel = (_gauss(y[:, None] - y) + stay * _gauss(y[:, None] + y)) * weight
    beyond = ndtr(y - _REACH) + stay * ndtr(-y - _REACH)
    # T x - x on the whole half line: E[(x + g)+] - x, and the reflected part
    miss = _tail(y, 0.0) - y + stay * _tail(-y, 0.0)
    system = np.eye(y.size) - kernel
    system[:, -1] -= beyond
    return y, np.asarray(np.linalg.solve(system, miss), dtype=float)


@cache
def _panels() -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on equal panels of the reach."""
    x, weight = np.polynomial.legendre.leggauss(_NODES)
    width = _REACH / _PANELS
    starts = width * np.arange(_PANELS)[:, None]
    return (starts + width * (x + 1) / 2).ravel(), np.tile(weight * width / 2, _PANELS)


def _gauss(x: Floats) -> Floats:
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _tail(x: Floats, beyond: float) -> Floats:
    """E[(x + g) where x + g > beyond], g a standard normal."""
    return np.asarray(x * ndtr(x - beyond) + _gauss(x - beyond))
