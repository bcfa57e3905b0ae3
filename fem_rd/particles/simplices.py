"""A region of a mesh as plain arrays: what particles need to walk through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import factorial

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError
from fem_rd.mesh.morton import morton_codes
from fem_rd.particles.state import Floats, Integers

_FLAT = 1e-12  # the least height of a cell, in parts of its longest edge
Indices = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Simplices:
    """Straight intervals, triangles or tetrahedra, and what is across each of their facets.

    ``points`` (points, dim); ``cells`` (cells, dim + 1), along a space-filling curve, so that
    neighbours in space are close in memory; ``original`` (cells,): the number of each cell where
    it came from. Facet k of a cell is opposite to its corner k. ``neighbours`` (cells, dim + 1):
    the cell across it, or -1 - f for facet f of the boundary. Of these, ``facet_cells``,
    ``facet_places`` (the k above) and ``facet_walls`` (a place in ``walls``), each (facets,).
    """

    points: Floats
    cells: Indices
    original: Integers
    neighbours: Indices
    facet_cells: Indices
    facet_places: Indices
    facet_walls: Indices
    walls: tuple[str, ...]

    @property
    def dimension(self) -> int:
        return int(self.points.shape[1])

    @cached_property
    def volumes(self) -> Floats:
        """Length^dimension of each cell."""
        corners = self.points[self.cells]
        edges = corners[:, 1:] - corners[:, :1]
        return np.abs(np.linalg.det(edges)) / factorial(self.dimension)

    @cached_property
    def facets(self) -> Indices:
        """The corners of the facets of the boundary, (facets, dim)."""
        others = _others(self.dimension)[self.facet_places]
        return np.take_along_axis(self.cells[self.facet_cells], others, axis=1)

    @cached_property
    def facet_areas(self) -> Floats:
        """Length^(dimension - 1) of each facet of the boundary; 1 in one dimension."""
        normals = _normals(self.points[self.facets])
        return np.linalg.norm(normals, axis=1) / factorial(self.dimension - 1)

    @cached_property
    def planes(self) -> Floats:
        """Of each facet of each cell, (cells, dim + 1, dim + 1): unit normal into it, and offset.

        normal . x - offset is the distance from the facet. The numbers of a facet that two cells
        share differ in nothing but the sign. Raises `CaseError` for flat and for folded cells.
        """
        dim = self.dimension
        facets = np.sort(self.cells[:, _others(dim)], axis=2)  # the same bits from either side
        planes = np.empty((len(self.cells), dim + 1, dim + 1))
        for k in range(dim + 1):
            corners = self.points[facets[:, k]]
            normals = _normals(corners)
            with np.errstate(invalid="ignore", divide="ignore"):
                normals /= np.linalg.norm(normals, axis=1)[:, None]
            offsets = np.einsum("ca,ca->c", normals, corners.mean(axis=1))
            heights = np.einsum("ca,ca->c", normals, self.points[self.cells[:, k]]) - offsets
            planes[:, k, :dim], planes[:, k, dim] = normals, offsets
            self._not_flat(np.abs(heights))
            planes[heights < 0, k] *= -1
        self._not_folded(planes)
        return planes

    def _not_flat(self, heights: Floats) -> None:
        corners = self.points[self.cells]
        longest = np.max(np.ptp(corners, axis=1), axis=1)
        flat = np.flatnonzero(~(heights > _FLAT * longest))
        if flat.size:
            place = corners[flat[0]].mean(axis=0).tolist()
            raise CaseError(f"{flat.size} cells of the mesh are flat; one is at {place}")

    def _not_folded(self, planes: Floats) -> None:
        """Neighbours are on different sides of the facet they share."""
        cell, place = np.nonzero(self.neighbours >= 0)
        other = self.neighbours[cell, place]
        back = np.argmax(self.neighbours[other] == cell[:, None], axis=1)
        folded = np.einsum("ij,ij->i", planes[cell, place], planes[other, back]) > 0
        if folded.any():
            middle = self.points[self.cells[cell[folded][0]]].mean(axis=0).tolist()
            raise CaseError(f"cells of the mesh overlap, such as the one at {middle}")


def simplices(
    points: npt.ArrayLike,
    cells: npt.ArrayLike,
    walls: Mapping[str, npt.ArrayLike],
    original: npt.ArrayLike | None = None,
) -> Simplices:
    """The region that ``cells`` (cells, dim + 1) of ``points`` (points, dim) make up.

    ``walls``: by name, the corners of facets, (facets, dim); two cells may share such a facet,
    which then is a wall from both sides. Raises `CaseError` where the boundary has a facet without
    a name, or a named facet belongs to no cell, or more than two cells share one.
    """
    x, corners = np.asarray(points, dtype=float), np.asarray(cells, dtype=np.int64)
    order = np.argsort(morton_codes(x[corners].mean(axis=1)), kind="stable")
    corners = corners[order]
    numbers = np.arange(len(order)) if original is None else np.asarray(original, dtype=np.int64)
    sides = np.sort(corners[:, _others(x.shape[1])], axis=2).reshape(-1, x.shape[1])
    wall = _walls_of(sides, walls, len(x))
    across = _across(sides, len(x))
    if (bare := int(np.count_nonzero((across < 0) & (wall < 0)))) > 0:
        raise CaseError(f"{bare} facets of the boundary of the region have no name", valid=[*walls])
    bounding = np.flatnonzero(wall >= 0)
    across[bounding] = -1 - np.arange(len(bounding))
    per_cell = corners.shape[1]
    return Simplices(
        points=x,
        cells=corners.astype(np.int32),
        original=numbers[order],
        neighbours=across.reshape(-1, per_cell).astype(np.int32),
        facet_cells=(bounding // per_cell).astype(np.int32),
        facet_places=(bounding % per_cell).astype(np.int32),
        facet_walls=wall[bounding].astype(np.int32),
        walls=tuple(walls),
    )


def _others(dim: int) -> Integers:
    """Row k: the corners of the facet opposite to corner k of a simplex."""
    return np.array([[i for i in range(dim + 1) if i != k] for k in range(dim + 1)])


def _normals(corners: Floats) -> Floats:
    """Normals (facets, dim) of facets with corners (facets, dim, dim); long as area (dim - 1)!."""
    edges = corners[:, 1:] - corners[:, :1]
    if corners.shape[2] == 1:
        return np.ones((len(corners), 1))
    if corners.shape[2] == 2:
        return np.stack([-edges[:, 0, 1], edges[:, 0, 0]], axis=1)
    return np.cross(edges[:, 0], edges[:, 1]).astype(np.float64, copy=False)


def _keys(sides: Integers, points: int) -> Integers:
    """One number for each set of corners, which are sorted in their rows."""
    if points ** sides.shape[1] >= 2**63:
        raise CaseError("the region has too many points", found=points, valid="2 million")
    keys = sides[:, 0].astype(np.int64)
    for column in sides.T[1:]:
        keys = keys * points + column
    return keys


def _across(sides: Integers, points: int) -> Integers:
    """The cell across each side, -1 where there is none."""
    keys = _keys(sides, points)
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    if np.any(np.diff(same) == 1):
        raise CaseError("more than two cells of the mesh share a facet")
    first, second = order[same], order[same + 1]
    across = np.full(len(keys), -1, dtype=np.int64)
    across[first], across[second] = second // _width(sides), first // _width(sides)
    return across


def _width(sides: Integers) -> int:
    """Corners, and sides, of a cell."""
    return sides.shape[1] + 1


def _walls_of(sides: Integers, walls: Mapping[str, npt.ArrayLike], points: int) -> Integers:
    """The wall that each side of a cell is, -1 where it is none."""
    keys = _keys(sides, points)
    order = np.argsort(keys, kind="stable")
    found = np.full(len(keys), -1, dtype=np.int64)
    for number, (name, facets) in enumerate(walls.items()):
        rows = np.sort(np.asarray(facets, dtype=np.int64).reshape(-1, sides.shape[1]), axis=1)
        wanted = _keys(rows, points)
        low = np.searchsorted(keys, wanted, "left", sorter=order)
        high = np.searchsorted(keys, wanted, "right", sorter=order)
        if np.any(low == high):
            raise CaseError(f"the wall {name!r} has facets that belong to no cell of the region")
        found[order[low]] = found[order[high - 1]] = number
    return found
