"""Values at points from those at nodes, and amounts at points to nodes, by hat functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem_rd.compiled import compiled

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
        if nodal.ndim == 1:
            return _interpolated(self.nodes, self.weights, nodal)
        values: Floats = np.einsum("...nk,nk->...n", nodal[..., self.nodes], self.weights)
        return values

    def deposit(self, amounts: float | Floats, out: Floats) -> None:
        """Add the amounts, one or (n,), to ``out`` (nodes,): each to the nodes around it."""
        each = np.broadcast_to(np.asarray(amounts, dtype=float), len(self.nodes))
        out += _shared(self.nodes, self.weights, np.ascontiguousarray(each), len(out))


class CellHats:
    """The hat functions of simplices: ``points`` (nodes, dim), ``cells`` (cells, dim + 1)."""

    def __init__(self, points: Floats, cells: Integers) -> None:
        corners = points[cells]
        edges = np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2)
        self._cells, self._origins = cells, corners[:, 0]
        self.inverses = np.linalg.inv(edges).astype(np.float64, copy=False)
        """What makes weights of the corners but the first of x - x_0, (cells, dim, dim)."""

    def at(self, points: Floats, cell: Integers) -> Hats:
        """At points (dim, n) in these cells (n,): nothing where a cell is -1."""
        weights = np.empty((len(cell), len(points) + 1))
        apart = points - self._origins[cell].T
        weights[:, 1:] = np.einsum("nij,jn->ni", self.inverses[cell], apart)
        weights[:, 0] = 1.0 - weights[:, 1:].sum(axis=1)
        np.maximum(weights, 0.0, out=weights)  # a point on a facet is outside by round-off
        weights /= weights.sum(axis=1, keepdims=True)
        weights[cell < 0] = 0.0
        return Hats(self._cells[cell], weights)


@compiled
def _interpolated(nodes: Integers, weights: Floats, nodal: Floats) -> Floats:
    """Sums of nodal values with the weights, (n,)."""
    values = np.zeros(len(nodes))
    for row in range(len(nodes)):
        for k in range(nodes.shape[1]):
            values[row] += weights[row, k] * nodal[nodes[row, k]]
    return values


@compiled
def _shared(nodes: Integers, weights: Floats, amounts: Floats, count: int) -> Floats:
    """The amounts (n,) at ``count`` nodes, by the weights."""
    found = np.zeros(count)
    for row in range(len(nodes)):
        for k in range(nodes.shape[1]):
            found[nodes[row, k]] += weights[row, k] * amounts[row]
    return found
