"""How far a particle region and a reservoir may step together: stability and bias of the coupling.

The setting is that of `hybrid_line`: Lie splitting, data frozen over the step Delta, particles
through `crossing`. The fastest growing error alternates from step to step. Per unit of alternating
data, particles on a half line take ALTERNATION sqrt(D Delta) per area and step; what that makes of
the interface's node is the gain r, and the multiplier of the error is about -r. ``depth`` is the
lumped volume of an interface node over its area (half the first cell on a line). Our own analysis.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import zeta

from fem_rd.exact.hybrid_line import damping, forcing
from fem_rd.exact.validity import Floats, array_within, floats, require, require_positive

ALTERNATION = 8 * (1 - 2**1.5) * float(zeta(-0.5)) / math.sqrt(math.pi)  # 1.7156094
DAMPED = 0.7  # the multiplier that `relaxation` aims at
ANGLES = 4000


def exchange_gain(
    diffusion: float, step: float, depth: float, reservoir_diffusion: float = math.inf
) -> float:
    """r of a `spread` source: min(ALTERNATION/2 sqrt(D Delta)/depth, ALTERNATION sqrt(D/D_r)).

    An upper bound, on any mesh (the first) and on meshes that are uniform near the interface (the
    second, within 1.5 %; leave ``reservoir_diffusion`` out elsewhere). Stable for r < 1 without
    relaxation.
    """
    require_positive(diffusion=diffusion, step=step, depth=depth)
    require(reservoir_diffusion > 0, "reservoir_diffusion must be positive")
    near = ALTERNATION / 2 * math.sqrt(diffusion * step) / depth
    if math.isinf(reservoir_diffusion):
        return near
    return min(near, ALTERNATION * math.sqrt(diffusion / reservoir_diffusion))


def stable_step(diffusion: float, depth: float, relaxation: float = 1.0) -> float:
    """The longest Delta for which the coupling is stable on any mesh: 1.3590 depth^2/D.

    With data relaxed by omega: ((2 - omega)/omega)^2 times as long.
    """
    require_positive(diffusion=diffusion, depth=depth)
    require(0 < relaxation <= 1, f"relaxation must lie in (0, 1]; found {relaxation!r}")
    return (2 / ALTERNATION * depth * (2 - relaxation) / relaxation) ** 2 / diffusion


def relaxation(gain: ArrayLike) -> Floats:
    """omega = min(1, 2/(1 + r/0.7)): the data's relaxation that brings the multiplier to -0.7.

    Alternating data are multiplied by omega/(2 - omega). The data lag by (1 - omega)/omega steps.
    """
    gains = array_within("gain", gain, 0, math.inf)
    return np.minimum(1.0, 2 / (1 + gains / DAMPED))


def line_gain(
    number: float, scheme: str = "ark2", source: str = "spread", ratio: float = 1.0
) -> float:
    """r on a uniform half line of cells h, by quadrature; number = D Delta/h^2, ratio = D_r/D.

    The coupling is stable for r < 1; exactly so on half lines, where -1 is the first multiplier
    to reach the unit circle.
    """
    require_positive(number=number, ratio=ratio)
    a = _rates(number * ratio)
    left = damping(scheme, a)
    held = (forcing(scheme, a) if source == "spread" else left) / (1 + left)
    return float(2 * ALTERNATION * math.sqrt(number) * held.mean())


def kick_shift(number: float, scheme: str = "ark2") -> float:
    """Where a steady flux sees the interface if the deposits are kicks: shift/h, one D.

    The concentrations on the two sides differ by flux * shift/D. 0 for backward Euler and, with
    any scheme, for a spread source. D Delta/h for short steps; for long ones 0.8239 sqrt(D Delta)
    with the exact reservoir (the plane of `open_crossing.GHOST_PLANE`), twice that with ark2.
    """
    require_positive(number=number)
    a = _rates(number)
    source = forcing(scheme, a)  # 1/a - R/(1 - R), R = 1 - a F
    return float(2 * number * ((source * (1 + a) - 1) / (a * source)).mean())


def _rates(number: float) -> Floats:
    """Rates times Delta of the Fourier modes of a uniform line, evenly in their angle."""
    angles = (np.arange(ANGLES) + 0.5) * math.pi / ANGLES
    return floats(4 * number * np.sin(angles / 2) ** 2)
