"""Bounds of expressions over boxes, by interval arithmetic: what thinning needs to be exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.special import erf

from fem_rd.expressions.expression import Expression
from fem_rd.particles.state import Floats

PIECES = {1: 512, 2: 32, 3: 12}  # boxes along each axis, by dimension


@dataclass(frozen=True)
class Range:
    """Numbers between ``low`` and ``high``, arrays of one shape: one range for each box."""

    low: Floats
    high: Floats

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Range) -> Range:
        return Range(self.low - other.high, self.high - other.low)

    def __neg__(self) -> Range:
        return Range(-self.high, -self.low)

    def __mul__(self, other: Range) -> Range:
        return _hull(a * b for a in (self.low, self.high) for b in (other.low, other.high))

    def __truediv__(self, other: Range) -> Range:
        inside = (other.low <= 0) & (other.high >= 0)
        inverse = Range(
            np.where(inside, -np.inf, 1 / other.high), np.where(inside, np.inf, 1 / other.low)
        )
        return self * inverse

    def __pow__(self, power: Range | int) -> Range:
        if isinstance(power, int):
            if power < 0:
                one = np.ones_like(self.low)
                return Range(one, one) / self ** (-power)
            ends = Range(self.low**power, self.high**power)
            if power % 2:
                return ends
            crosses = (self.low < 0) & (self.high > 0)
            found = _hull((ends.low, ends.high))
            return Range(np.where(crosses, 0.0, found.low), found.high)
        return _exp(power * _log(self))


def bounds(
    factors: Sequence[Expression], boxes: Mapping[str, tuple[Floats, Floats]], time: float
) -> Floats:
    """An upper bound of the product of ``factors`` over each box, infinite where none is found.

    ``boxes``: lower and upper ends of each coordinate that may occur, shape (boxes,).
    """
    shape = next(iter(boxes.values()))[0].shape
    known = {name: Range(*ends) for name, ends in boxes.items()}
    known["t"] = _number(time, shape)
    found = _number(1.0, shape)
    with np.errstate(all="ignore"):
        for factor in factors:
            value = factor.build(known, _FUNCTIONS, lambda number: _number(number, shape))
            found = found * cast(Range, value)
    return np.where(np.isnan(found.high), np.inf, found.high)


def _number(value: float, shape: tuple[int, ...]) -> Range:
    filled = np.full(shape, float(value))
    return Range(filled, filled)


def _hull(values: Any) -> Range:
    """The range of some arrays; 0 times infinity is 0 here: that end is not reached."""
    stacked = np.stack(
        [np.nan_to_num(value, nan=0.0, posinf=np.inf, neginf=-np.inf) for value in values]
    )
    return Range(stacked.min(axis=0), stacked.max(axis=0))


def _rising(
    function: Callable[[Floats], Floats], least: float = -np.inf
) -> Callable[[Range], Range]:
    def apply(x: Range) -> Range:
        return Range(function(np.maximum(x.low, least)), function(np.maximum(x.high, least)))

    return apply


_exp, _log = _rising(np.exp), _rising(np.log, 0.0)


def _wave(function: Callable[[Floats], Floats]) -> Callable[[Range], Range]:
    def apply(x: Range) -> Range:
        middle, half = function((x.low + x.high) / 2), (x.high - x.low) / 2  # slopes are at most 1
        half = np.where(np.isfinite(middle), half, np.inf)
        middle = np.where(np.isfinite(middle), middle, 0.0)
        return Range(np.maximum(middle - half, -1.0), np.minimum(middle + half, 1.0))

    return apply


def _even(function: Callable[[Floats], Floats]) -> Callable[[Range], Range]:
    def apply(x: Range) -> Range:
        nearest = np.maximum(np.maximum(x.low, -x.high), 0.0)
        return Range(function(nearest), function(np.maximum(-x.low, x.high)))

    return apply


def _least(*values: Range) -> Range:
    return Range(
        np.minimum.reduce([value.low for value in values]),
        np.minimum.reduce([value.high for value in values]),
    )


def _most(*values: Range) -> Range:
    return Range(
        np.maximum.reduce([value.low for value in values]),
        np.maximum.reduce([value.high for value in values]),
    )


def _lesser(x: Range, y: Range) -> Range:
    """Of a comparison, from 0 (surely not) to 1 (surely); equality is left open."""
    return Range(np.where(x.high < y.low, 1.0, 0.0), np.where(x.low <= y.high, 1.0, 0.0))


def _greater(x: Range, y: Range) -> Range:
    return _lesser(y, x)


def _not(condition: Range) -> Range:
    return Range(1.0 - condition.high, 1.0 - condition.low)


def _where(condition: Range, yes: Range, no: Range) -> Range:
    both = Range(np.minimum(yes.low, no.low), np.maximum(yes.high, no.high))
    cases = [condition.low > 0, condition.high < 1]
    return Range(
        np.select(cases, [yes.low, no.low], both.low),
        np.select(cases, [yes.high, no.high], both.high),
    )


def _between(low: float, high: float) -> Callable[..., Range]:
    def apply(x: Range, *_: Range) -> Range:
        return Range(np.full_like(x.low, low), np.full_like(x.low, high))

    return apply


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lt": _lesser, "le": _lesser, "gt": _greater, "ge": _greater, "not": _not, "and": _least,
    "or": _most,
    "sin": _wave(np.sin), "cos": _wave(np.cos), "tan": _between(-np.inf, np.inf),
    "asin": _between(-np.pi / 2, np.pi / 2), "acos": _between(0.0, np.pi),
    "atan": _rising(np.arctan), "atan2": _between(-np.pi, np.pi), "sinh": _rising(np.sinh),
    "cosh": _even(np.cosh), "tanh": _rising(np.tanh), "exp": _exp, "log": _log,
    "sqrt": _rising(np.sqrt, 0.0), "abs": _even(np.abs), "min": _least, "max": _most,
    "erf": _rising(erf), "where": _where,
}  # fmt: skip
