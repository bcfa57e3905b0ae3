"""The boundary of a mesh region as kernels see it: which facets matter to whom, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from fem_rd.errors import CaseError
from fem_rd.particles.simplices import Indices, Simplices
from fem_rd.particles.state import Integers
from fem_rd.particles.walls import Kind

REACH = 4.0
"""Standard deviations of a step from which facets are felt; farther ones get 1e-5 of a flux."""

BRIDGED = frozenset({Kind.ABSORBING, Kind.ELASTIC, Kind.ADSORBING})
_MOST_PAIRS = 50_000_000  # of a cell and a facet near it, 4 bytes each
_CHUNK = 2_000_000  # pairs that are looked at together
_SAME_PLANE = 0.8  # the least cosine between facets that count as one plane across a rim


@dataclass(frozen=True)
class NearFacets:
    """The facets that a step from cell c may feel: ``near[start[c]:start[c + 1]]``."""

    start: Indices
    near: Indices

    @cached_property
    def most(self) -> int:
        """The most facets near one cell."""
        return int(np.diff(self.start).max(initial=0))


def near_facets(mesh: Simplices, walls: Sequence[int], reach: float) -> NearFacets:
    """The facets of the ``walls`` that face a cell at a distance of at most ``reach``.

    Raises `CaseError` where they are so many that the step cannot resolve the region.
    """
    facets = np.flatnonzero(np.isin(mesh.facet_walls, walls))
    found, total = [], 0
    for pairs in _pairs(mesh, facets, reach):
        found.append(pairs)
        if (total := total + pairs.shape[1]) > _MOST_PAIRS:
            raise CaseError(
                "steps are too long for this mesh: too many facets are near a cell",
                found=f"4 sqrt(2 D dt) = {reach:g}",
            )
    cell, facet = np.concatenate(found, axis=1) if found else np.zeros((2, 0), dtype=np.int64)
    order = np.lexsort((facet, cell))
    start = np.zeros(len(mesh.cells) + 1, dtype=np.int32)
    np.cumsum(np.bincount(cell, minlength=len(mesh.cells)), out=start[1:])
    return NearFacets(start, facet[order].astype(np.int32))


def _pairs(mesh: Simplices, facets: Integers, reach: float) -> Iterator[Integers]:
    """Pairs (2, n) of a cell and a facet near it, some facets at a time."""
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
        facing = (heights.max(axis=1) > 0) & (heights.min(axis=1) <= reach)
        yield np.stack([cell[facing], facets[facet[facing]]])


def rims(mesh: Simplices, kinds: Sequence[Kind]) -> npt.NDArray[np.uint8]:
    """Which edges of facets are rims, (facets, dim): edge k is opposite to corner k of the facet.

    Across a rim an absorbing wall (of the given ``kinds``, by wall) goes on as a reflecting one.
    """
    dim, facets = mesh.dimension, mesh.facets.astype(np.int64)
    rim = np.zeros(facets.shape, dtype=np.uint8)
    if dim == 1:
        return rim
    kind = np.array(kinds)[mesh.facet_walls]
    normals = mesh.planes[mesh.facet_cells, mesh.facet_places, :dim]
    keys = np.stack([_edge_keys(np.delete(facets, k, axis=1)) for k in range(dim)], axis=1).ravel()
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    for one, other in ((order[same], order[same + 1]), (order[same + 1], order[same])):
        f, g = one // dim, other // dim
        flat = np.einsum("ij,ij->i", normals[f], normals[g]) > _SAME_PLANE
        ends = (kind[f] == Kind.ABSORBING) & (kind[g] == Kind.REFLECTING) & flat
        rim.ravel()[one[ends]] = 1
    return rim


def _edge_keys(corners: Integers) -> Integers:
    """One number for each edge (two corners) or point."""
    ordered = np.sort(corners, axis=1)
    return ordered[:, 0] if ordered.shape[1] == 1 else ordered[:, 0] * 2**31 + ordered[:, 1]
