"""Limits of validity: the one error of this package, and the checks that raise it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem_rd.errors import FemRdError

Floats = NDArray[np.float64]


class OutOfRange(FemRdError, ValueError):
    """A formula was asked for a value outside its limits of validity."""

    exit_status = 2


def floats(values: ArrayLike) -> Floats:
    """The values as an array of floats (a number becomes an array of no dimension)."""
    return np.asarray(values, dtype=float)


def require(condition: bool, message: str) -> None:
    """Raise `OutOfRange` with the message unless the condition holds."""
    if not condition:
        raise OutOfRange(message)


def require_positive(**values: float) -> None:
    """Raise `OutOfRange` naming the first value that is not a positive finite number."""
    for name, value in values.items():
        require(0 < value < math.inf, f"{name} must be positive and finite; found {value!r}")


def array_within(name: str, values: ArrayLike, lower: float, upper: float) -> Floats:
    """The values as an array of floats, or `OutOfRange` if one lies outside [lower, upper]."""
    array = floats(values)
    inside = (array >= lower) & (array <= upper)
    if not inside.all():
        worst = array[~inside].flat[0]
        raise OutOfRange(f"{name} must lie in [{lower:.12g}, {upper:.12g}]; found {worst:.12g}")
    return array
