"""Values at points from those at nodes, and amounts at points to nodes, by hat functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hats:
    """The hat functions that are not zero at some points: ``nodes`` and ``weights``, (n, k).

    The weights of a point are not negative and add up to 1, or are all 0 where it is nowhere.
    """

    nodes: Integers
    weights: Floats

    @property
    def somewhere(self) -> Mask:
        """Which points (n,) have hat functions that are not zero."""
        return np.any(self.weights > 0.0, axis=1)

    def values(self, nodal: Floats) -> Floats:
        """The P1 function with these values (..., nodes) at the points, (..., n)."""
        values: Floats = np.einsum("...nk,nk->...n", nodal[..., self.nodes], self.weights)
        return values

    def deposit(self, amounts: float | Floats, out: Floats) -> None:
        """Add the amounts, one or (n,), to ``out`` (nodes,): each to the nodes around it."""
        shares = self.weights * np.reshape(amounts, (-1, 1))
        out += np.bincount(self.nodes.ravel(), shares.ravel(), minlength=len(out))
