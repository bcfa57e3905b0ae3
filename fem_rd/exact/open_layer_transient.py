"""How a reservoir layer fills a domain in time, against a wall held at the same concentration.

Lengths in widths w of the layer, times in w^2/D, concentrations in c_R; x is measured from the
wall. Our own analysis; see `open_boundary` for the layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import erfc

from fem_rd.exact.validity import Floats, array_within, require, require_positive

Complex = npt.NDArray[np.complex128]
_NODES = 28  # of the contour: ten digits for what is smooth and bounded in time


def filling(x: float, t: ArrayLike, strength: float, filled: float = 0.0) -> Floats:
    """c/c_R at x >= 1, time t > 0, in a half line that is empty at t = 0.

    ``filled``: the fraction of c_R in the layer at t = 0. The Laplace transform is
    (1/p) [(gamma + p f)/(p + gamma)] e^(k(1 - x))/(1 + (k/q) coth q), k = sqrt p,
    q = sqrt(p + s^2), inverted on Talbot's contour (Abate and Valko 2004).
    """
    require(x >= 1, f"x must lie outside the layer, at 1 or more; found {x!r}")
    require_positive(strength=strength)
    times = array_within("t", t, 1e-6, 1e6)
    gamma = strength**2

    def transform(p: Complex) -> Complex:
        k, q = np.sqrt(p), np.sqrt(p + gamma)
        source = (gamma + p * filled) / (p + gamma) / p
        return source * np.exp(k * (1 - x)) / (1 + k / (q * np.tanh(q)))

    return _talbot(transform, times)


def filling_of_dirichlet(x: float, t: ArrayLike) -> Floats:
    """c/c_R at x from a wall held at c_R: erfc(x/sqrt(4 t))."""
    return np.asarray(erfc(x / np.sqrt(4 * array_within("t", t, 1e-300, math.inf))))


def second_order(strength: float, filled: float = 0.0) -> float:
    """alpha: the layer is a Dirichlet wall times 1 + (1 - y) k w + alpha p w^2/D + ...

    alpha = (f - 1)/s^2 + 1/2 - y + y^2, y = 1/(s tanh s). At s* the flux into a half line has the
    relative error -alpha w^2/(2 D t): -0.1948165 for an empty layer, 1/2 for a filled one.
    """
    require_positive(strength=strength)
    y = 1 / (strength * math.tanh(strength))
    return (filled - 1) / strength**2 + 0.5 - y + y**2


def best_filling(strength: float) -> float:
    """The filling of the layer at t = 0 that makes `second_order` vanish: 0.2803856 at s*."""
    return -second_order(strength) * strength**2


def slab_relaxation(strength: float, length: float) -> float:
    """Slowest relaxation rate of a slab of ``length`` > 2 with a layer at each end (D/w^2).

    lambda = k^2 with k tan(k(L/2 - 1)) = q tanh q, q^2 = s^2 - k^2.
    """
    require_positive(strength=strength)
    require(length > 2, f"length must be more than the two layers; found {length!r}")
    half = length / 2 - 1

    def miss(k: float) -> float:
        square = strength**2 - k**2
        q = math.sqrt(abs(square))
        layer = q * math.tanh(q) if square > 0 else -q * math.tan(q)
        return k * math.sin(k * half) - layer * math.cos(k * half)

    # the fundamental mode is below that of Dirichlet walls at the layers' faces; q is real there
    upper = min(math.pi / (2 * half), math.hypot(strength, math.pi / 2) * (1 - 1e-12))
    return float(brentq(miss, 0.0, upper, xtol=1e-15, rtol=1e-14)) ** 2


def _talbot(transform: Callable[[Complex], Complex], times: Floats) -> Floats:
    """Fixed Talbot inversion; relative error some 10^(-0.6 nodes) less round-off."""
    theta = np.arange(1, _NODES) * math.pi / _NODES
    cot = 1 / np.tan(theta)
    scale = 2 * _NODES / 5
    nodes = np.concatenate([[scale + 0j], scale * theta * (cot + 1j)])
    weights = np.concatenate(
        [[0.5 * np.exp(scale) + 0j], (1 + 1j * theta * (1 + cot**2) - 1j * cot) * np.exp(nodes[1:])]
    )
    values = transform(np.asarray(nodes / times[..., None], dtype=complex))
    return np.asarray(0.4 / times * np.real(values * weights).sum(axis=-1))
