"""Compiled passes over arrays of nodal values: each reads what it needs once, no temporaries."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fem_rd.compiled import compiled, compiled_sum

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

_BLOCK = 1024  # unknowns: a block stays in the fastest cache while its terms are added up


@compiled
def combine(coefficients: Array, terms: Array, out: Array) -> None:
    """``out`` = sum_k coefficients[k] terms[k]; shapes (k,), (k, n), (n,)."""
    size = out.shape[0]
    for start in range(0, size, _BLOCK):
        end = min(start + _BLOCK, size)
        out[start:end] = 0.0
        for k in range(coefficients.shape[0]):
            factor = coefficients[k]
            if factor != 0.0:
                for node in range(start, end):
                    out[node] += factor * terms[k, node]


@compiled
def combine_rows(coefficients: Array, rows: Rows, terms: Array, out: Array) -> None:
    """``out`` = sum_k coefficients[k] terms[rows[k]], added in this order whatever the rows."""
    size = out.shape[0]
    for start in range(0, size, _BLOCK):
        end = min(start + _BLOCK, size)
        out[start:end] = 0.0
        for k in range(coefficients.shape[0]):
            factor, row = coefficients[k], rows[k]
            for node in range(start, end):
                out[node] += factor * terms[row, node]


@compiled
def slope_between(new: Array, base: Array, interval: float, out: Array) -> None:
    """``out`` = (new - base) / interval; all of shape (n,)."""
    factor = 1.0 / interval
    for node in range(out.shape[0]):
        out[node] = factor * (new[node] - base[node])


def moved_and_present(
    weights: Array, present: Array, new: Array, base: Array | None
) -> tuple[float, float]:
    """sum weights (new - base), and sum present |new|, shapes (n,); a base of None is zero."""
    if base is None:
        return _sum_and_size(weights, present, new)
    return _moved_and_present(weights, present, new, base)


@compiled_sum
def _moved_and_present(
    weights: Array, present: Array, new: Array, base: Array
) -> tuple[float, float]:
    moved, size = 0.0, 0.0
    for node in range(new.shape[0]):
        moved += weights[node] * (new[node] - base[node])
        size += present[node] * abs(new[node])
    return moved, size


@compiled_sum
def _sum_and_size(weights: Array, present: Array, new: Array) -> tuple[float, float]:
    total, size = 0.0, 0.0
    for node in range(new.shape[0]):
        total += weights[node] * new[node]
        size += present[node] * abs(new[node])
    return total, size


@compiled
def grow(values: Array, factor: float) -> None:
    """values += factor |values|."""
    for node in range(values.shape[0]):
        values[node] += factor * abs(values[node])


@compiled
def largest(values: Array, measure: Array, out: Array) -> None:
    """``out``[i] = max |measure values| of each row i; what is not finite counts as infinite.

    ``measure`` has the shape of ``values``, (rows, n), or (0, 0) for ones.
    """
    ones = measure.shape[0] == 0
    for row in range(values.shape[0]):
        top = 0.0
        for node in range(values.shape[1]):
            size = abs(values[row, node])
            if not ones:
                size *= abs(measure[row, node])
            if not size <= top:
                top = size if size < np.inf else np.inf
        out[row] = top
