"""Combinations of hyperbolic functions that lose digits when written as they stand."""

from __future__ import annotations

import math


def one_minus_tanhc(z: float) -> float:
    """1 - tanh(z)/z for z >= 0, to full relative precision: z^2/3 near zero, 1 at infinity."""
    if z > 0.5:
        return 1 - math.tanh(z) / z
    # (z cosh z - sinh z)/(z cosh z): the numerator is sum_{k>=1} 2k z^{2k+1}/(2k+1)!
    term, total = z**2 / 6, 0.0
    for k in range(1, 10):
        total += 2 * k * term
        term *= z**2 / ((2 * k + 2) * (2 * k + 3))
    return total / math.cosh(z)
