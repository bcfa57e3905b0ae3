"""Bins over a mesh, to find the cell that a point is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fem_rd.particles.simplices import Indices, Simplices
from fem_rd.particles.state import Floats, Integers

_MARGIN = 1e-9  # of the size of the mesh: what bins see of a cell is a little too much


@dataclass(frozen=True)
class Boxes:
    """Boxes of equal size over a mesh, numbered x fastest.

    ``counts`` (dim,): along each axis; ``lower`` and ``inverse`` (dim,): where they begin, and
    boxes per length.
    """

    counts: Integers
    lower: Floats
    inverse: Floats
    margin: float

    @classmethod
    def over(cls, mesh: Simplices, number: float) -> Boxes:
        """About so many."""
        corners, dim = mesh.points[mesh.cells].reshape(-1, mesh.dimension), mesh.dimension
        low, high = corners.min(axis=0), corners.max(axis=0)
        margin = _MARGIN * float(np.linalg.norm(high - low))
        lower, extent = low - margin, high - low + 2 * margin
        longer = np.ones(dim, dtype=bool)
        for _ in range(dim):  # axes shorter than a box do not count
            edge = (extent[longer].prod() / number) ** (1 / np.count_nonzero(longer))
            longer = extent >= edge
        counts = np.maximum(1, np.floor(extent / edge)).astype(np.int64)
        return cls(counts, lower, counts / extent, margin)

    @property
    def size(self) -> int:
        """The number of boxes."""
        return int(self.counts.prod())

    def reached(self, corners: Floats) -> tuple[Integers, Integers]:
        """Pairs of an item and a box that it may reach into: ``corners`` (items, corners, dim)."""
        first = self._along(corners.min(axis=1) - self.margin)
        spans = self._along(corners.max(axis=1) + self.margin) - first + 1
        each = spans.prod(axis=1)
        item = np.repeat(np.arange(len(first)), each)
        rest = np.arange(len(item)) - np.repeat(np.cumsum(each) - each, each)
        box, row = np.zeros(len(item), dtype=np.int64), 1
        for axis, count in enumerate(self.counts):
            rest, along = np.divmod(rest, spans[item, axis])
            box += row * (first[item, axis] + along)
            row *= int(count)
        return item, box

    def centres(self, boxes: Integers) -> Floats:
        """(dim, boxes)."""
        along = np.stack(np.unravel_index(boxes, self.counts[::-1])[::-1])
        return np.asarray(self.lower[:, None] + (along + 0.5) / self.inverse[:, None])

    def fill(self, struct: Any) -> None:
        """Write n, lower and inverse into a struct; axes that the mesh does not have get 1 box."""
        for axis in range(3):
            given = axis < len(self.counts)
            struct.n[axis] = self.counts[axis] if given else 1
            struct.lower[axis] = self.lower[axis] if given else 0.0
            struct.inverse[axis] = self.inverse[axis] if given else 1.0

    def _along(self, places: Floats) -> Integers:
        found = np.floor((places - self.lower) * self.inverse)
        return np.clip(found, 0, self.counts - 1).astype(np.int64)


@dataclass(frozen=True)
class Bins:
    """The cells that may reach into each of the ``boxes``: ``cells[start[b]:start[b + 1]]``.

    First those that are likely to hold a point of the box.
    """

    boxes: Boxes
    start: Indices
    cells: Indices


def bins_of(mesh: Simplices) -> Bins:
    """About as many bins as the mesh has cells."""
    boxes = Boxes.over(mesh, len(mesh.cells))
    cell, box = boxes.reached(mesh.points[mesh.cells])
    half, centres = 0.5 / boxes.inverse, boxes.centres(box).T
    meets, depth = np.ones(len(cell), dtype=bool), np.full(len(cell), np.inf)
    for planes in mesh.planes.transpose(1, 0, 2):
        normals, offsets = planes[cell, :-1], planes[cell, -1]
        heights = np.einsum("pa,pa->p", normals, centres) - offsets
        meets &= heights + np.abs(normals) @ half >= -boxes.margin  # not apart by the plane
        np.minimum(depth, heights, out=depth)
    order = np.flatnonzero(meets)
    order = order[np.lexsort((-depth[order], box[order]))]
    start = np.zeros(boxes.size + 1, dtype=np.int32)
    np.cumsum(np.bincount(box[order], minlength=boxes.size), out=start[1:])
    return Bins(boxes, start, cell[order].astype(np.int32))
