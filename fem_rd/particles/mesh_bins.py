"""Bins over a mesh, to find the cell that a point is in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fem_rd.particles.simplices import Indices, Simplices
from fem_rd.particles.state import Floats, Integers

_MARGIN = 1e-9  # of the size of the mesh: what bins see of a cell is a little too much


@dataclass(frozen=True)
class Bins:
    """Boxes of equal size, x fastest, and the cells of the mesh that may reach into each.

    ``counts`` (3,): bins along each axis, 1 along those that the mesh does not have; ``lower`` and
    ``inverse`` (3,): where they begin, and bins per length. ``start`` (bins + 1,), ``cells``.
    """

    counts: Integers
    lower: Floats
    inverse: Floats
    start: Indices
    cells: Indices


def bins_of(mesh: Simplices) -> Bins:
    """About as many bins as the mesh has cells."""
    corners, dim = mesh.points[mesh.cells], mesh.dimension
    low, high = corners.min(axis=1), corners.max(axis=1)
    margin = _MARGIN * np.linalg.norm(high.max(axis=0) - low.min(axis=0))
    lower = low.min(axis=0) - margin
    extent = high.max(axis=0) + margin - lower
    edge = (extent.prod() / len(corners)) ** (1 / dim)
    counts = np.maximum(1, np.floor(extent / edge)).astype(np.int64)
    inverse = counts / extent
    first = np.clip(np.floor((low - margin - lower) * inverse), 0, counts - 1).astype(np.int64)
    last = np.clip(np.floor((high + margin - lower) * inverse), 0, counts - 1).astype(np.int64)
    cell, bin_ = _overlaps(first, last, counts)
    order = np.argsort(bin_, kind="stable")
    start = np.zeros(counts.prod() + 1, dtype=np.int32)
    np.cumsum(np.bincount(bin_, minlength=counts.prod()), out=start[1:])
    padded = [np.pad(row, (0, 3 - dim), constant_values=1) for row in (counts, lower, inverse)]
    return Bins(padded[0], padded[1], padded[2], start, cell[order].astype(np.int32))


def _overlaps(first: Integers, last: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """Pairs of a cell and a bin that it reaches into: ``first`` to ``last`` (cells, dim)."""
    spans = last - first + 1
    each = spans.prod(axis=1)
    cell = np.repeat(np.arange(len(first)), each)
    rest = np.arange(len(cell)) - np.repeat(np.cumsum(each) - each, each)
    bin_, row = np.zeros(len(cell), dtype=np.int64), 1
    for axis in range(first.shape[1]):
        rest, along = np.divmod(rest, spans[cell, axis])
        bin_ += row * (first[cell, axis] + along)
        row *= int(counts[axis])
    return cell, bin_
