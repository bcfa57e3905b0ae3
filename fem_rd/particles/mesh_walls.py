"""The boundary of a mesh region as kernels see it: which facets matter to whom, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from fem_rd.errors import CaseError
from fem_rd.particles.build import as_doubles, kernels, pointer
from fem_rd.particles.simplices import Indices, Simplices
from fem_rd.particles.state import Floats, Integers
from fem_rd.particles.walls import Kind

REACH = 4.0
"""Standard deviations of a step from which facets are felt; farther ones get 1e-5 of a flux."""

Pairs = tuple[Indices, Indices, npt.NDArray[np.float32]]
BRIDGED = frozenset({Kind.ABSORBING, Kind.ELASTIC, Kind.ADSORBING})
_MOST_PAIRS = 50_000_000  # of a cell and a facet near it, 4 bytes each
_MORE = 1e-6  # for rounding
_CHUNK = 2_000_000  # pairs that are looked at together
_SAME_PLANE = 0.8  # the least cosine between facets that count as one plane across a rim


@dataclass(frozen=True)
class NearFacets:
    """The facets that a step from cell c may feel: ``near[start[c]:start[c + 1]]``.

    ``gap`` is a lower bound of the distance of each from all of the cell, in ascending order;
    below 0 where the facet may reach into a ball about the cell.
    """

    start: Indices
    near: Indices
    gap: npt.NDArray[np.float32]


def near_facets(mesh: Simplices, walls: Sequence[int], reach: float) -> NearFacets:
    """The facets of the ``walls`` that face a cell at a distance of at most ``reach``.

    Raises `CaseError` where they are so many that the step cannot resolve the region.
    """
    facets = np.flatnonzero(np.isin(mesh.facet_walls, walls))
    none: Indices = np.zeros(0, dtype=np.int32)
    found: list[Pairs] = [(none, none, np.zeros(0, dtype=np.float32))]
    total = 0
    for pairs in _pairs(mesh, facets, reach):
        found.append(pairs)
        if (total := total + pairs[0].size) > _MOST_PAIRS:
            raise CaseError(
                "steps are too long for this mesh: too many facets are near a cell",
                found=f"4 sqrt(2 D dt) = {reach:g}",
            )
    cell, facet, gap = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((facet, gap, cell))
    start = np.zeros(len(mesh.cells) + 1, dtype=np.int32)
    np.cumsum(np.bincount(cell, minlength=len(mesh.cells)), out=start[1:])
    return NearFacets(start, facet[order], gap[order])


def _pairs(mesh: Simplices, facets: Integers, reach: float) -> Iterator[Pairs]:
    """Pairs of a cell and a facet near it, and a bound of their distance; some at a time."""
    cells, corners = mesh.points[mesh.cells], mesh.points[mesh.facets[facets]]
    centres, middles = cells.mean(axis=1), corners.mean(axis=1)
    size = np.linalg.norm(cells - centres[:, None], axis=2).max(axis=1)
    width = np.linalg.norm(corners - middles[:, None], axis=2).max(axis=1)
    planes = mesh.planes[mesh.facet_cells[facets], mesh.facet_places[facets]]
    tree, limit = cKDTree(centres), width + size.max() + reach
    counts = tree.query_ball_point(middles, limit, return_length=True)
    ends = np.searchsorted(np.cumsum(counts), np.arange(0, counts.sum(), _CHUNK), side="right")
    for begin, end in zip(ends, [*ends[1:], len(facets)], strict=True):
        part = slice(begin, end)
        hits = tree.query_ball_point(middles[part], limit[part])
        facet = np.repeat(np.arange(begin, end), counts[part])
        cell = np.concatenate([np.asarray(hit, dtype=np.int64) for hit in (*hits, [])])
        distance = np.linalg.norm(centres[cell] - middles[facet], axis=1)
        close = distance <= width[facet] + size[cell] + reach
        facet, cell = facet[close], cell[close]
        normals, offsets = planes[facet, :-1], planes[facet, -1]
        heights = np.einsum("pka,pa->pk", cells[cell], normals) - offsets[:, None]
        gap = facet_distances(centres[cell], corners, facet) - (1 + _MORE) * size[cell]
        facing = (heights.max(axis=1) > 0) & (heights.min(axis=1) <= reach) & (gap <= reach)
        yield (
            cell[facing].astype(np.int32),
            facets[facet[facing]].astype(np.int32),
            gap[facing].astype(np.float32),
        )


def facet_distances(points: Floats, corners: Floats, facet: Integers) -> Floats:
    """Of each point (n, dim) from its facet (n,) of those with the corners (facets, dim, dim)."""
    _, lib = kernels()
    x, given, which = as_doubles(points), as_doubles(corners), np.ascontiguousarray(facet)
    distance = np.empty(len(x))
    lib.fem_rd_facet_distances(
        x.shape[1], len(x), pointer("double *", x), pointer("double *", given),
        pointer("int64_t *", which), pointer("double *", distance),
    )  # fmt: skip
    return distance


def rims(mesh: Simplices, kinds: Sequence[Kind]) -> npt.NDArray[np.uint8]:
    """Which edges of facets are rims, (facets, dim): edge k is opposite to corner k of the facet.

    Across a rim an absorbing wall (of the given ``kinds``, by wall) goes on as a reflecting one.
    """
    dim = mesh.dimension
    rim = np.zeros(mesh.facets.shape, dtype=np.uint8)
    if dim == 1:
        return rim
    kind = np.array(kinds)[mesh.facet_walls]
    normals = mesh.planes[mesh.facet_cells, mesh.facet_places, :dim]
    for one, other in shared_edges(mesh):
        f, g = one // dim, other // dim
        flat = np.einsum("ij,ij->i", normals[f], normals[g]) > _SAME_PLANE
        ends = (kind[f] == Kind.ABSORBING) & (kind[g] == Kind.REFLECTING) & flat
        rim.ravel()[one[ends]] = 1
    return rim


def shared_edges(mesh: Simplices) -> Iterator[tuple[Integers, Integers]]:
    """Pairs of edges of facets of the boundary that are the same, both ways.

    Edge k of facet f, which is opposite to its corner k, has the number dim f + k.
    """
    dim, facets = mesh.dimension, mesh.facets.astype(np.int64)
    keys = np.stack([_edge_keys(np.delete(facets, k, axis=1)) for k in range(dim)], axis=1).ravel()
    order = np.argsort(keys, kind="stable")
    apart = 1
    while (same := np.flatnonzero(keys[order][apart:] == keys[order][:-apart])).size:
        yield order[same], order[same + apart]
        yield order[same + apart], order[same]
        apart += 1


def _edge_keys(corners: Integers) -> Integers:
    """One number for each edge (two corners) or point."""
    ordered = np.sort(corners, axis=1)
    return ordered[:, 0] if ordered.shape[1] == 1 else ordered[:, 0] * 2**31 + ordered[:, 1]
