"""The order in which a mesh is kept: cells by region and then along a Morton curve.

Neighbours in space become neighbours in memory, which makes everything that follows faster. The
region of a cell follows from its number, and a tagged facet is known by its cell and its place in
the cell, so that nothing has to be searched once the mesh is distributed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import Floats, Integers, MeshArrays, corner_count, facets_of, row_keys
from fem_rd.mesh.morton import morton_codes
from fem_rd.mesh.validity import oriented

EVERYWHERE = "everywhere"  # what case files call all regions together


@dataclass(frozen=True)
class TaggedFacets:
    """Facets by the cell that has them and their place in it, sorted by cell.

    ``cells``, ``places``, ``tags`` (n,): a facet inside the mesh is listed from both sides.
    ``inside``: the tags that have such facets.
    """

    cells: Integers
    places: Integers
    tags: Integers
    inside: tuple[int, ...]


@dataclass(frozen=True)
class MeshLabels:
    """All of a mesh but its points and cells: small enough to tell every rank.

    ``dim``, ``cells`` and ``vertices`` (the corners of cells) are numbers. The cells up to
    ``region_ends[i]`` and not before have the tag ``region_tags[i]``. ``regions`` and
    ``boundaries``: name -> tag.
    """

    shape: str
    order: int
    dim: int
    cells: int
    vertices: int
    region_tags: Integers
    region_ends: Integers
    facets: TaggedFacets
    regions: dict[str, int]
    boundaries: dict[str, int]


@dataclass(frozen=True)
class PackedMesh:
    """A mesh ready to be kept and distributed.

    ``points`` (nodes, dim), those of corners first; ``cells`` (cells, nodes of a cell), int32.
    """

    points: Floats
    cells: Integers
    labels: MeshLabels


def pack(arrays: MeshArrays) -> PackedMesh:
    """Drop nodes without a cell, order nodes and cells, find the cells of the tagged facets.

    Raises `CaseError` for a facet without a cell or with two names, and for an unusable cell.
    """
    if len(arrays.points) >= 2**31:
        raise CaseError("the mesh has too many nodes", found=len(arrays.points))
    if EVERYWHERE in arrays.regions:
        raise CaseError(f"no region can be called {EVERYWHERE!r}: it is the name of the whole")
    _refuse_empty(arrays.regions, arrays.cell_tags, "region", "cell")
    _refuse_empty(arrays.boundaries, arrays.facet_tags, "boundary", "facet")
    corners = corner_count(arrays.shape)
    cells = oriented(arrays.shape, arrays.order, arrays.points, arrays.cells)
    nodes, vertices = _node_order(arrays.points, cells, corners)
    order, region_tags, region_ends = _cell_order(arrays)
    number = np.full(len(arrays.points), -1, dtype=np.int32)
    number[nodes] = np.arange(len(nodes), dtype=np.int32)
    cells = number[cells[order]]
    labels = MeshLabels(
        shape=arrays.shape,
        order=arrays.order,
        dim=arrays.points.shape[1],
        cells=len(cells),
        vertices=vertices,
        region_tags=region_tags,
        region_ends=region_ends,
        facets=_located(arrays, cells[:, :corners], number[arrays.facets], vertices),
        regions=arrays.regions,
        boundaries=arrays.boundaries,
    )
    return PackedMesh(np.ascontiguousarray(arrays.points[nodes]), cells, labels)


def _node_order(points: Floats, cells: Integers, corners: int) -> tuple[Integers, int]:
    """The nodes in use, corners of cells first, each along the curve; the number of corners."""
    role = np.zeros(len(points), dtype=np.int8)
    role[cells[:, corners:].ravel()] = 1
    role[cells[:, :corners].ravel()] = 2
    codes = morton_codes(points)
    parts = [np.flatnonzero(role == kind) for kind in (2, 1)]
    ordered = [part[np.argsort(codes[part], kind="stable")] for part in parts]
    return np.concatenate(ordered), len(parts[0])


def _cell_order(arrays: MeshArrays) -> tuple[Integers, Integers, Integers]:
    """The cells by tag and along the curve; the tags; where the cells of each tag end."""
    columns = arrays.corners.T
    sums = arrays.points[columns[0]]
    for column in columns[1:]:
        sums += arrays.points[column]
    order = np.argsort(morton_codes(sums), kind="stable")
    tags, counts = np.unique(arrays.cell_tags, return_counts=True)
    if len(tags) > 1:
        order = order[np.argsort(arrays.cell_tags[order], kind="stable")]
    return order, tags.astype(np.int32), np.cumsum(counts)


def _located(
    arrays: MeshArrays, corners: Integers, facets: Integers, vertices: int
) -> TaggedFacets:
    """The cells that have the ``facets``, from both sides where there are two."""
    _refuse_lost(arrays, facets.min(axis=1, initial=0) < 0)
    used, compact = np.unique(facets, return_inverse=True)
    keys = row_keys(compact.reshape(facets.shape), len(used))
    by_key = np.argsort(keys, kind="stable")
    by_key = by_key[_first_of_each(arrays, by_key, keys[by_key])]
    keys = keys[by_key]
    rank = np.full(vertices, -1, dtype=np.int32)
    rank[used] = np.arange(len(used))
    cells, places, which = _matches(arrays.shape, rank[corners], keys, len(used))
    times = np.bincount(which, minlength=len(keys))
    lost = np.zeros(len(facets), dtype=bool)
    lost[by_key[times == 0]] = True
    _refuse_lost(arrays, lost)
    tags = arrays.facet_tags[by_key]
    by_cell = np.lexsort((places, cells))
    return TaggedFacets(
        cells=cells[by_cell],
        places=places[by_cell].astype(np.int8),
        tags=tags[which][by_cell].astype(np.int32),
        inside=tuple(int(tag) for tag in np.unique(tags[times > 1])),
    )


def _matches(
    shape: str, ranks: Integers, keys: Integers, count: int
) -> tuple[Integers, Integers, Integers]:
    """Cells, local facets and indices into the sorted ``keys`` where a cell has such a facet.

    ``ranks`` (cells, corners): number of each corner among those of facets, or -1.
    """
    local = facets_of(shape)
    near = np.flatnonzero((ranks >= 0).sum(axis=1) >= local.shape[1])
    found: list[tuple[Integers, Integers, Integers]] = []
    for place, corners in enumerate(local):
        rows = ranks[near][:, corners]
        whole = np.flatnonzero((rows >= 0).all(axis=1))
        wanted = row_keys(rows[whole], count)
        index = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        hit = keys[index] == wanted if len(keys) else np.zeros(0, dtype=bool)
        cells = near[whole[hit]]
        found.append((cells, np.full(len(cells), place), index[hit]))
    cells, places, which = (np.concatenate(part) for part in zip(*found, strict=True))
    return cells, places, which


def _refuse_empty(names: dict[str, int], tags: Integers, what: str, of_what: str) -> None:
    """Raise `CaseError` for a name without anything."""
    present = np.unique(tags)
    for name, tag in names.items():
        if tag not in present:
            raise CaseError(f"the {what} {name!r} (tag {tag}) has no {of_what} in the mesh")


def _refuse_lost(arrays: MeshArrays, lost: Integers) -> None:
    """Raise `CaseError` where a facet is lost: no cell has it."""
    if not lost.any():
        return
    name = _name_of(arrays, int(arrays.facet_tags[np.flatnonzero(lost)[0]]))
    message = f"{int(lost.sum())} facets of the boundary {name!r} belong to no cell of the mesh"
    raise CaseError(message)


def _first_of_each(arrays: MeshArrays, by_key: Integers, keys: Integers) -> Integers:
    """Which of the sorted ``keys`` to keep: a facet may be listed twice, but not with two tags.

    Raises `CaseError` with the names.
    """
    repeated = np.zeros(len(keys), dtype=bool)
    repeated[1:] = keys[1:] == keys[:-1]
    tags = arrays.facet_tags[by_key]
    twofold = np.flatnonzero(repeated[1:] & (tags[1:] != tags[:-1]))
    if len(twofold):
        pair = sorted(int(tag) for tag in tags[twofold[0] : twofold[0] + 2])
        names = " and ".join(repr(_name_of(arrays, tag)) for tag in pair)
        message = f"{len(twofold)} facets are in two boundaries, {names}: a facet has one name"
        raise CaseError(message)
    return np.flatnonzero(~repeated)


def _name_of(arrays: MeshArrays, tag: int) -> str:
    return next((name for name, number in arrays.boundaries.items() if number == tag), str(tag))
