"""How far the boundary of a mesh region is at least: who is far from it need not walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, distance_transform_edt

from fem_rd.particles.mesh_bins import Boxes
from fem_rd.particles.simplices import Indices, Simplices
from fem_rd.particles.state import Floats, Integers

Distances = npt.NDArray[np.float32]
_PER_CELL = 8.0  # boxes for each cell of the mesh, as far as they are within the region
_LEAST = 50  # boxes along an axis: where cells are few, steps are shorter than they
_MOST = 1 << 22
_BELOW = 1 - 1e-6  # what is left for rounding


@dataclass(frozen=True)
class Room:
    """Boxes over a region; ``inside`` (boxes,): no facet of its boundary may reach into it."""

    boxes: Boxes
    inside: npt.NDArray[np.bool_]
    _facets: Integers = field(repr=False)  # pairs of a facet and a box that it may reach into
    _reached: Integers = field(repr=False)

    def distances(self, facets: npt.NDArray[np.bool_]) -> Distances:
        """A lower bound of the distance of each box from the ``facets`` (mask), (boxes,).

        0 where the box is not inside.
        """
        touched = np.zeros(self.inside.size, dtype=bool)
        touched[self._reached[facets[self._facets]]] = True
        shape = tuple(self.boxes.counts[::-1])
        # boxes are apart by the distance of their centres, but for one box along each axis
        near = binary_dilation(touched.reshape(shape), np.ones((3,) * len(shape), dtype=bool))
        found = np.full(self.inside.size, np.inf)
        if near.any():
            found = distance_transform_edt(~near, sampling=1 / self.boxes.inverse[::-1]).ravel()
        return np.where(self.inside, _BELOW * found, 0.0).astype(np.float32)


def room_of(mesh: Simplices, locate: Callable[[Floats], Indices]) -> Room:
    """Some boxes for each cell; ``locate``: the cells of points (dim, n), -1 outside of all."""
    corners = mesh.points[mesh.cells].reshape(-1, mesh.dimension)
    filled = float(mesh.volumes.sum() / np.ptp(corners, axis=0).prod())
    number = max(_PER_CELL * len(mesh.cells), float(_LEAST**mesh.dimension))
    boxes = Boxes.over(mesh, min(number / filled, _MOST))
    facets, reached = boxes.reached(mesh.points[mesh.facets])
    inside = np.ones(boxes.size, dtype=bool)
    inside[reached] = False
    free = np.flatnonzero(inside)
    inside[free] = locate(boxes.centres(free)) >= 0
    return Room(boxes, inside, facets, reached)
