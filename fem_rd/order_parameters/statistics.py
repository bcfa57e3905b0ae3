"""Means over blocks of a trajectory, and the standard errors of what is computed from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem_rd.errors import NumericalError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number or an array of them with standard errors of the same shape."""

    value: Array
    error: Array

    @property
    def number(self) -> float:
        """The value where it is one number."""
        return float(self.value)

    @property
    def standard_error(self) -> float:
        """The error where it is one number."""
        return float(self.error)


def in_blocks(series: Array, blocks: int) -> Array:
    """Replicas (replicas, frames) cut into ``blocks`` in all, shape (blocks, frames of one).

    Each replica has the same number of blocks, at least one; frames left over at its end are
    dropped. Raises `NumericalError` where a block would have less than two frames.
    """
    replicas, frames = series.shape
    each = max(1, round(blocks / replicas))
    length = frames // each
    if length < 2 or replicas * each < 2:
        raise NumericalError(
            f"{replicas} x {frames} frames do not make {blocks} blocks of time",
            remedy="fewer blocks, at least 2, or a longer trajectory",
        )
    return np.ascontiguousarray(series[:, : each * length]).reshape(replicas * each, length)


def jackknife(function: Callable[..., Array], *blocks: Array) -> Estimate:
    """A function of the means over blocks, with its standard error.

    ``blocks``: arrays whose first axis counts independent blocks; ``function`` takes their means.
    The error is that of leaving out one block after the other: right to leading order for any
    smooth function, linear or not. Source: Efron, The jackknife (1982).
    """
    count = len(blocks[0])
    sums = [np.sum(block, axis=0) for block in blocks]
    value = np.asarray(function(*(total / count for total in sums)), dtype=float)
    without = np.array(
        [
            function(*(
                (total - block[i]) / (count - 1) for total, block in zip(sums, blocks, strict=True)
            ))
            for i in range(count)
        ]
    )  # fmt: skip
    spread = without - without.mean(axis=0)
    return Estimate(value, np.sqrt((count - 1) / count * np.sum(spread**2, axis=0)))
