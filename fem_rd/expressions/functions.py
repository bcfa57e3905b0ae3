"""The functions, operators and constants of case expressions: one table for everybody.

Parsing folds constants with the scalar column, `Expression.evaluate` uses NumPy, a model brings
its own table for forms, and the reference page prints the meanings.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Function:
    """A function of expressions: how many arguments, what it means, and its value for floats."""

    arguments: int
    meaning: str
    scalar: Callable[..., float]


FUNCTIONS: dict[str, Function] = {
    "sin": Function(1, "sine of an angle in radians", math.sin),
    "cos": Function(1, "cosine of an angle in radians", math.cos),
    "tan": Function(1, "tangent of an angle in radians", math.tan),
    "asin": Function(1, "inverse sine, from -pi/2 to pi/2", math.asin),
    "acos": Function(1, "inverse cosine, from 0 to pi", math.acos),
    "atan": Function(1, "inverse tangent, from -pi/2 to pi/2", math.atan),
    "atan2": Function(2, "`atan2(y, x)`: the angle of the point (x, y)", math.atan2),
    "sinh": Function(1, "hyperbolic sine", math.sinh),
    "cosh": Function(1, "hyperbolic cosine", math.cosh),
    "tanh": Function(1, "hyperbolic tangent", math.tanh),
    "exp": Function(1, "exponential", math.exp),
    "log": Function(1, "natural logarithm", math.log),
    "sqrt": Function(1, "square root", math.sqrt),
    "abs": Function(1, "absolute value", math.fabs),
    "min": Function(2, "the smallest of two or more values", min),
    "max": Function(2, "the largest of two or more values", max),
    "erf": Function(1, "error function", math.erf),
    "where": Function(
        3,
        "`where(condition, a, b)`: a where the condition holds, else b",
        lambda condition, yes, no: yes if condition else no,
    ),
}

CONSTANTS: dict[str, tuple[float, str]] = {
    "pi": (math.pi, "ratio of a circle's circumference to its diameter"),
    "e": (math.e, "base of the natural logarithm"),
}

# comparisons and their combinations: their values are conditions, for `where` only
COMPARISONS: dict[str, Callable[..., bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
LOGIC = ("and", "or", "not")

# Python's own operators: whatever is put in for the names applies them
OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "negative": operator.neg,
}

SCALAR: dict[str, Callable[..., Any]] = {
    **OPERATORS,
    **{name: function.scalar for name, function in FUNCTIONS.items()},
}


@functools.cache
def numpy_functions() -> Mapping[str, Callable[..., Any]]:
    """Every function, comparison and logical connective on NumPy arrays, by its name."""
    import numpy as np

    renamed: dict[str, Callable[..., Any]] = {
        "asin": np.arcsin,
        "acos": np.arccos,
        "atan": np.arctan,
        "atan2": np.arctan2,
        "min": np.minimum,
        "max": np.maximum,
        "erf": _numpy_erf,
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
        "and": np.logical_and,
        "or": np.logical_or,
        "not": np.logical_not,
    }
    names = (*FUNCTIONS, *COMPARISONS, *LOGIC)
    return {name: renamed[name] if name in renamed else getattr(np, name) for name in names}


def _numpy_erf(value: Any) -> Any:
    # slow to import, and few cases have an error function
    from scipy.special import erf

    return erf(value)
