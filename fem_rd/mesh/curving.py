"""Finer and curved simplices: new nodes in the middle of edges, on the geometry at its surface.

Only the edges on the surface of the geometry need to know where their middle is; all others are
straight. So Gmsh curves the surface mesh, and arrays do the rest, which is many times faster than
to let Gmsh curve or refine the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fem_rd.log import Log
from fem_rd.mesh.arrays import Floats, Integers, MeshArrays, corner_count, edges_of
from fem_rd.mesh.validity import folded

_UNKNOWN = 0  # tag of a node that is not on the surface

# children of a simplex, by its nodes as one of order 2: corners, then middles of edges
_AT_CORNERS = {
    "interval": [[0, 2], [2, 1]],
    "triangle": [[0, 5, 4], [5, 1, 3], [4, 3, 2], [3, 4, 5]],
    "tetrahedron": [[0, 9, 8, 7], [9, 1, 6, 5], [8, 6, 2, 4], [7, 5, 4, 3]],
}
# the octahedron inside a tetrahedron: a diagonal, and the ring of nodes around it
_OCTAHEDRON = [((4, 9), (5, 6, 8, 7)), ((5, 8), (4, 6, 9, 7)), ((6, 7), (4, 5, 9, 8))]


_KEPT = (0.7, 0.7, 0.7, 0.7, 0.7, 0.0)  # of its bend, step by step, while a cell is folded


@dataclass(frozen=True)
class SurfaceMiddles:
    """The node in the middle of each edge of the surface mesh, by the tags of the edge's ends.

    ``keys`` (n,), sorted: `base` times the lower tag plus the higher; ``tags`` (n,) and
    ``points`` (n, dim) of the nodes in the middle.
    """

    base: int
    keys: Integers
    tags: Integers
    points: Floats


@dataclass(frozen=True)
class SurfaceMesh:
    """A mesh of straight simplices that knows its surface.

    ``tags`` (nodes,): the tag of each node of the surface mesh, 0 elsewhere.
    """

    arrays: MeshArrays
    tags: Integers
    middles: SurfaceMiddles


@dataclass(frozen=True)
class _Edges:
    """The edges of a mesh, sorted by ``keys``; those ``of_cells`` (cells, edges of a cell)."""

    keys: Integers
    ends: Integers
    of_cells: Integers


def refined(mesh: SurfaceMesh) -> SurfaceMesh:
    """Each cell split into 2 (interval), 4 (triangle) or 8 (tetrahedron) at its edges' middles."""
    arrays, nodes = mesh.arrays, len(mesh.arrays.points)
    edges = _edges(arrays)
    points, tags = _with_middles(mesh, edges)
    children = _children(arrays.shape, np.hstack([arrays.cells, nodes + edges.of_cells]), points)
    facets, per_facet = arrays.facets, 2 ** (arrays.facets.shape[1] - 1)
    if per_facet > 1:
        shape = {2: "interval", 3: "triangle"}[facets.shape[1]]
        middles = [
            np.searchsorted(edges.keys, _keys(facets[:, [a, b]], nodes)) for a, b in edges_of(shape)
        ]
        facets = _children(shape, np.column_stack([facets, *(nodes + m for m in middles)]), points)
    finer = replace(
        arrays,
        points=points,
        cells=children,
        cell_tags=np.repeat(arrays.cell_tags, len(children) // len(arrays.cells)),
        facets=facets,
        facet_tags=np.repeat(arrays.facet_tags, per_facet),
    )
    return replace(mesh, arrays=finer, tags=tags)


def curved(mesh: SurfaceMesh) -> MeshArrays:
    """The same cells with a node in the middle of each edge: order 2."""
    edges = _edges(mesh.arrays)
    points, _ = _with_middles(mesh, edges)
    cells = np.hstack([mesh.arrays.cells, len(mesh.arrays.points) + edges.of_cells])
    return replace(mesh.arrays, order=2, points=points, cells=cells)


def unfolded(arrays: MeshArrays, log: Log) -> MeshArrays:
    """The mesh with less curvature where cells of order 2 would fold over themselves.

    The middles of a folded cell's edges move back towards the middle of the straight edge, at last
    all the way: a straight simplex does not fold. The ``log`` is told how many.
    """
    if arrays.order == 1:
        return arrays
    corners, points = corner_count(arrays.shape), arrays.points.copy()
    touched: set[int] = set()
    for kept in _KEPT:
        cells = folded(arrays.shape, arrays.order, points, arrays.cells)
        if not len(cells):
            break
        touched.update(int(cell) for cell in cells)
        nodes = arrays.cells[cells]
        for index, (first, second) in enumerate(edges_of(arrays.shape)):
            straight = 0.5 * (points[nodes[:, first]] + points[nodes[:, second]])
            middle = nodes[:, corners + index]
            points[middle] = straight + kept * (points[middle] - straight)
    if touched:
        log.warning(
            f"{len(touched)} cells at the surface would fold over themselves and were made "
            "straighter: finer edges there follow the surface better"
        )
    return replace(arrays, points=points)


def _edges(arrays: MeshArrays) -> _Edges:
    pairs = arrays.corners[:, edges_of(arrays.shape)].reshape(-1, 2)
    keys, of_cells = np.unique(_keys(pairs, len(arrays.points)), return_inverse=True)
    ends = np.stack(np.divmod(keys, len(arrays.points)), axis=1)
    return _Edges(keys, ends, of_cells.reshape(len(arrays.cells), -1))


def _keys(pairs: Integers, base: int) -> Integers:
    """One integer for each pair of numbers below ``base``, in whatever order they are."""
    return pairs.min(axis=1).astype(np.int64) * base + pairs.max(axis=1)


def _with_middles(mesh: SurfaceMesh, edges: _Edges) -> tuple[Floats, Integers]:
    """Points and tags of the nodes and of the middles of ``edges``, in this order."""
    points, tags, middles = mesh.arrays.points, mesh.tags, mesh.middles
    centres = 0.5 * (points[edges.ends[:, 0]] + points[edges.ends[:, 1]])
    centre_tags = np.full(len(centres), _UNKNOWN, dtype=tags.dtype)
    ends = tags[edges.ends]
    wanted = _keys(ends, middles.base)
    place = np.searchsorted(middles.keys, wanted)
    hit = (ends != _UNKNOWN).all(axis=1) & (place < len(middles.keys))
    hit[hit] = middles.keys[place[hit]] == wanted[hit]
    centres[hit] = middles.points[place[hit]]
    centre_tags[hit] = middles.tags[place[hit]]
    return np.concatenate([points, centres]), np.concatenate([tags, centre_tags])


def _children(shape: str, nodes: Integers, points: Floats) -> Integers:
    """The corners of the children of simplices given by their ``nodes`` of order 2.

    An inner octahedron is cut along its shortest diagonal.
    """
    corners = corner_count(shape)
    at_corners = nodes[:, _AT_CORNERS[shape]]
    if shape != "tetrahedron":
        return at_corners.reshape(-1, corners)
    lengths = [
        np.linalg.norm(points[nodes[:, a]] - points[nodes[:, b]], axis=1)
        for (a, b), _ in _OCTAHEDRON
    ]
    cuts = np.array(
        [[[a, b, ring[i], ring[(i + 1) % 4]] for i in range(4)] for (a, b), ring in _OCTAHEDRON]
    )
    chosen = cuts[np.argmin(lengths, axis=0)].reshape(len(nodes), -1)
    inside = np.take_along_axis(nodes, chosen, axis=1).reshape(len(nodes), 4, corners)
    return np.concatenate([at_corners, inside], axis=1).reshape(-1, corners)
