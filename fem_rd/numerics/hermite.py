"""Hermite polynomials that are orthonormal with the normal density, and what modes in them need."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def hermite(count: int, p: npt.ArrayLike) -> Array:
    """h_n(p) for n < ``count``, shape (count, *p.shape), int h_m h_n phi dp = delta_mn."""
    at = np.asarray(p, dtype=float)
    values = np.zeros((count, *at.shape))
    values[0] = 1.0
    if count > 1:
        values[1] = at
    for n in range(1, count - 1):
        values[n + 1] = (at * values[n] - sqrt(n) * values[n - 1]) / sqrt(n + 1)
    return values


def gaussian_moments(count: int, mean: float, variance: float) -> Array:
    """The means of h_n(p), n < ``count``, where p is normal: the modes of that density.

    The density is in the space of the modes where ``variance`` < 2; they decay as
    |variance - 1|^(n/2), and for variance 0 not at all.
    """
    moments = np.zeros(count)
    moments[0] = 1.0
    for n in range(count - 1):
        below = sqrt(n) * (variance - 1.0) * moments[n - 1] if n else 0.0
        moments[n + 1] = (mean * moments[n] + below) / sqrt(n + 1)
    return moments


def wall_matrix(count: int) -> Array:
    """int |p| h_m h_n phi dp for the even m, n < 2 ``count``, shape (count, count).

    In closed form 2 phi(0) h_m(0) h_n(0) (1 + m + n)/(1 - (m - n)^2).
    """
    at_zero = np.ones(count)
    for i in range(1, count):
        at_zero[i] = -at_zero[i - 1] * sqrt((2 * i - 1) / (2 * i))
    n = 2 * np.arange(count)
    kernel = (1.0 + n[:, None] + n) / (1.0 - (n[:, None] - n) ** 2)
    matrix: Array = sqrt(2 / np.pi) * np.outer(at_zero, at_zero) * kernel
    return matrix
