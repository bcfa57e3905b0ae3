"""Steady profiles on a line with drift, or with a source and decay.

Source: the equations with constant coefficients, solved; for the layer see Roos, Stynes and
Tobiska, Robust Numerical Methods for Singularly Perturbed Differential Equations (2008), ch. I.1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from fem_rd.exact.validity import Floats, array_within, floats, require, require_positive


def advection_layer(x: ArrayLike, velocity: float, diffusion: float, length: float = 1.0) -> Floats:
    """u of v u' = D u'', u(0) = 0, u(L) = 1, at 0 <= x <= L; shape of x.

    (exp(v x/D) - 1)/(exp(v L/D) - 1), a layer of width D/|v| at the wall downstream; any finite v.
    """
    require_positive(diffusion=diffusion, length=length)
    require(math.isfinite(velocity), f"velocity must be finite; found {velocity!r}")
    places = array_within("x", x, 0, length)
    if velocity == 0:
        return floats(places / length)
    slope = velocity / diffusion
    if slope < 0:
        return floats(np.expm1(slope * places) / math.expm1(slope * length))
    # both factors by decaying exponentials: exp(v L/D) overflows
    height = np.expm1(-slope * places) / math.expm1(-slope * length)
    return floats(np.exp(slope * (places - length)) * height)


def source_decay_slab(
    x: ArrayLike, diffusion: float, source: float, decay: float, length: float = 1.0
) -> Floats:
    """u of D u'' - k u + S = 0, u(0) = 0, u'(L) = 0, at 0 <= x <= L; shape of x.

    (S/k) [1 - cosh(m (L - x))/cosh(m L)], m = sqrt(k/D): also half of a slab of width 2 L that is
    empty at both faces.
    """
    require_positive(diffusion=diffusion, decay=decay, length=length)
    m = math.sqrt(decay / diffusion)
    places = array_within("x", x, 0, length)
    mirrored = np.exp(-m * (2 * length - places))
    ratio = (np.exp(-m * places) + mirrored) / (1 + math.exp(-2 * m * length))
    return floats(source / decay * (1 - ratio))
