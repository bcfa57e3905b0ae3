"""Cells of any order as simplices, and the plane section of a body made of them.

A quadratic cell is split at its own nodes (a tetrahedron in 8), so that curved surfaces look curved
and no value has to be invented.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fem_rd.output.reading import Cells

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

# Nodes in VTK's order: vertices, then the midpoints of edges, faces and the cell.
_LINE, _TRIANGLE, _TETRAHEDRON = [[0, 1]], [[0, 1, 2]], [[0, 1, 2, 3]]
_QUADRATIC_LINE = [[0, 2], [2, 1]]
_QUADRATIC_TRIANGLE = [[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]]
_QUADRATIC_TETRAHEDRON = [
    # one at each vertex, and the octahedron between them around its diagonal 6-8
    *([0, 4, 6, 7], [4, 1, 5, 8], [6, 5, 2, 9], [7, 8, 9, 3]),
    *([6, 8, 4, 5], [6, 8, 5, 9], [6, 8, 9, 7], [6, 8, 7, 4]),
]
_QUADRILATERAL = [[0, 1, 2], [0, 2, 3]]
_HEXAHEDRON = [  # around the diagonal 0-6
    *([0, 1, 2, 6], [0, 2, 3, 6], [0, 3, 7, 6]),
    *([0, 7, 4, 6], [0, 4, 5, 6], [0, 5, 1, 6]),
]
_FOUR_QUADRILATERALS = [[0, 4, 8, 7], [4, 1, 5, 8], [8, 5, 2, 6], [7, 8, 6, 3]]
_EIGHT_HEXAHEDRA = [
    *([0, 8, 24, 11, 16, 22, 26, 20], [8, 1, 9, 24, 22, 17, 21, 26]),
    *([24, 9, 2, 10, 26, 21, 18, 23], [11, 24, 10, 3, 20, 26, 23, 19]),
    *([16, 22, 26, 20, 4, 12, 25, 15], [22, 17, 21, 26, 12, 5, 13, 25]),
    *([26, 21, 18, 23, 25, 13, 6, 14], [20, 26, 23, 19, 15, 25, 14, 7]),
]


def _split_twice(coarse: list[list[int]], fine: list[list[int]]) -> list[list[int]]:
    return [[cell[node] for node in simplex] for cell in coarse for simplex in fine]


_SIMPLICES = {
    3: _LINE,
    5: _TRIANGLE,
    9: _QUADRILATERAL,
    10: _TETRAHEDRON,
    12: _HEXAHEDRON,
    21: _QUADRATIC_LINE,
    22: _QUADRATIC_TRIANGLE,
    24: _QUADRATIC_TETRAHEDRON,
    28: _split_twice(_FOUR_QUADRILATERALS, _QUADRILATERAL),
    29: _split_twice(_EIGHT_HEXAHEDRA, _HEXAHEDRON),
}


@dataclass(frozen=True)
class Section:
    """A flat triangulated picture of a body: ``xy`` (k, 2), ``triangles`` (m, 3).

    Each of its points lies between two points of the body, ``ends`` (k, 2), at the fraction
    ``weight`` (k,) of the way.
    """

    xy: Floats
    triangles: Indices
    ends: Indices
    weight: Floats

    def values(self, of_body: Floats) -> Floats:
        """Values at the points of the section from those at the points of the body."""
        first, second = of_body[self.ends].T
        between: Floats = (1.0 - self.weight) * first + self.weight * second
        return between

    def areas(self) -> Floats:
        """Areas of the triangles, shape (m,)."""
        corners = self.xy[self.triangles]
        (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
        areas: Floats = 0.5 * np.abs(ax * by - ay * bx)
        return areas


def dimension(cells: Cells) -> int:
    """Topological dimension of the cells."""
    return len(_SIMPLICES[cells.vtk_type][0]) - 1


def simplices(cells: Cells) -> Indices:
    """The cells as linear simplices on the same points, shape (n, dimension + 1)."""
    split = np.array(_SIMPLICES[cells.vtk_type])
    return cells.connectivity[:, split].reshape(-1, split.shape[1])


def flat(points: Floats, triangles: Indices) -> Section:
    """A body that is flat already, in the plane of x and y."""
    own = np.arange(len(points))
    return Section(points[:, :2], triangles, np.column_stack([own, own]), np.zeros(len(points)))


def plane_axes(normal: Floats) -> Floats:
    """Two unit vectors that span the plane, shape (2, 3): x, y or z where they lie in it.

    Those of a plane normal to z are x and y, to y are x and z, to x are y and z.
    """
    normal = normal / np.linalg.norm(normal)
    in_plane = np.eye(3) - np.outer(normal, normal)
    first = in_plane[int(np.argmax(np.abs(normal) < 0.9))]
    first = first / np.linalg.norm(first)
    second = np.cross(normal, first)
    return np.array([first, second * (1.0 if second[np.abs(second).argmax()] > 0.0 else -1.0)])


def cut(points: Floats, cells: Cells, origin: Floats, normal: Floats) -> Section:
    """The section of three-dimensional cells with a plane, by marching tetrahedra.

    A face that lies in the plane is drawn once, by the tetrahedron below it.
    """
    height = (points - origin) @ (normal / np.linalg.norm(normal))
    above = height >= 0.0
    crossed = above[cells.connectivity]
    near = Cells(cells.vtk_type, cells.connectivity[crossed.any(axis=1) & ~crossed.all(axis=1)])
    edges = _crossed_edges(simplices(near), above)
    ends, corner = np.unique(np.sort(edges.reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    first, second = height[ends].T
    weight = first / (first - second)
    on_plane = points[ends[:, 0]] + weight[:, None] * (points[ends[:, 1]] - points[ends[:, 0]])
    xy = (on_plane - origin) @ plane_axes(normal).T + origin @ plane_axes(normal).T
    return Section(xy, corner.reshape(-1, 3), ends, weight)


def _crossed_edges(tetrahedra: Indices, above: NDArray[np.bool_]) -> Indices:
    """Edges whose crossings are the corners of the triangles of the section, shape (m, 3, 2)."""
    sides = above[tetrahedra]
    order = np.argsort(~sides, axis=1, kind="stable")  # vertices above the plane first
    sorted_vertices = np.take_along_axis(tetrahedra, order, axis=1)
    count = sides.sum(axis=1)
    corners = {
        1: [[(0, 1), (0, 2), (0, 3)]],
        2: [[(0, 2), (0, 3), (1, 3)], [(0, 2), (1, 3), (1, 2)]],
        3: [[(3, 0), (3, 1), (3, 2)]],
    }
    found = [
        sorted_vertices[count == number][:, np.array(triangle)]
        for number, triangles in corners.items()
        for triangle in triangles
    ]
    return np.concatenate(found)
