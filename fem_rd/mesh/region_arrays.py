"""Regions of a domain that may be spread over ranks, as plain arrays on one of them or on all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fem_rd import compat
from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import SIMPLICES, Floats, Integers, facets_of
from fem_rd.mesh.domain import Domain
from fem_rd.particles.simplices import Simplices, simplices

INTERFACE = "to_"
"""What the wall to another region is called before that region's name, if it has no own name."""


@dataclass(frozen=True)
class RegionCells:
    """Cells of a domain as plain arrays, the same for any number of ranks.

    ``points`` (points, dim); ``cells`` (cells, dim + 1) in the order of their ``numbers``, those of
    `Domain.original_cells`; ``tags`` (cells,): of their regions. ``walls`` (cells, dim + 1): what
    the facet opposite to each corner is, a place in ``names``, or -1; ``inner``: whether the cell
    across it is one of the regions' too.
    """

    points: Floats
    cells: Integers
    numbers: Integers
    tags: Integers
    walls: Integers
    inner: Integers
    names: tuple[str, ...]

    def facets(self, chosen: Integers) -> Integers:
        """The corners (facets, dim) of the facets that are ``chosen`` (cells, dim + 1)."""
        cell, k = np.nonzero(chosen)
        others = np.arange(self.cells.shape[1]) != k[:, None]
        return self.cells[cell][others].reshape(len(cell), self.cells.shape[1] - 1)


@dataclass(frozen=True)
class _Rows:
    """Some of the cells that a rank owns; corners have global numbers, and places (x)."""

    numbers: Integers
    corners: Integers
    places: Floats
    tags: Integers
    walls: Integers
    inner: Integers


def region_arrays(
    domain: Domain, regions: str | Sequence[str] | None = None, *, rank: int | None = None
) -> Simplices | None:
    """The cells of ``regions`` (None: of all) on the ``rank`` (None: on every rank). Collective.

    The result is the same for any number of ranks, and None on a rank that was not meant. Cells
    with geometry of order 2 are taken as straight. The walls are the named boundaries of the
    regions, in the domain's order, then, where facets to another region have no name of their own,
    `to_OTHER`. A boundary within the regions is no wall: particles pass. `Simplices.original` has
    the numbers of `Domain.original_cells`. Raises `CaseError` for other cells than simplices and
    for a region or a name that cannot be.
    """
    found = region_cells(domain, regions, rank=rank)
    if found is None:
        return None
    walls = np.where(found.inner, -1, found.walls)
    named = {name: found.facets(walls == wall) for wall, name in enumerate(found.names)}
    present = {name: facets for name, facets in named.items() if len(facets)}
    return simplices(found.points, found.cells, present, found.numbers)


def region_cells(
    domain: Domain, regions: str | Sequence[str] | None = None, *, rank: int | None = None
) -> RegionCells | None:
    """The same cells before they are sorted and checked. Collective; raises `CaseError`."""
    inside = cells_in(domain, regions)
    owned = domain.mesh.topology.index_map(domain.dimension).size_local
    return gathered_cells(domain, np.flatnonzero(inside[:owned]), inside, rank=rank)


def cells_in(domain: Domain, regions: str | Sequence[str] | None) -> Integers:
    """Whether each local cell, ghosts too, is in one of the ``regions``. Raises `CaseError`."""
    tags = domain.cell_tags.values
    if regions is None:
        return np.ones(len(tags), dtype=bool)
    names = (regions,) if isinstance(regions, str) else tuple(regions)
    for name in names:
        if name not in domain.regions:
            raise CaseError("the mesh has no such region", found=name, valid=domain.regions)
    return np.isin(tags, [domain.regions[name] for name in names])


def gathered_cells(
    domain: Domain, cells: Integers, inside: Integers, *, rank: int | None = None
) -> RegionCells | None:
    """Owned ``cells`` of all ranks; ``inside`` tells of all local cells which belong to them.

    On the ``rank``, or on every rank; None on the others. Collective; raises `CaseError`.
    """
    shape = domain.mesh.topology.cell_name()
    if shape not in SIMPLICES:
        raise CaseError("particles walk through simplices only", found=shape, valid=SIMPLICES)
    names = _names(domain)
    rows, comm = _rows(domain, cells, inside), domain.mesh.comm
    everywhere = comm.allgather(rows) if rank is None else comm.gather(rows, root=rank)
    return None if everywhere is None else _joined(everywhere, names)


def _names(domain: Domain) -> tuple[str, ...]:
    """Of the walls that there may be: boundaries, then borders to regions."""
    names = (*domain.boundaries, *map(border, domain.regions))
    if len(set(names)) < len(names):
        raise CaseError(f"names of boundaries that begin with {INTERFACE!r} are taken", valid=names)
    return names


def border(region: str) -> str:
    """What the boundary towards a region is called where it has no name of its own."""
    return INTERFACE + region


def _rows(domain: Domain, cells: Integers, inside: Integers) -> _Rows:
    mesh, dim = domain.mesh, domain.dimension
    nodes = compat.geometry_dofmap(mesh)[cells, : dim + 1]
    corners = mesh.geometry.index_map().local_to_global(nodes.ravel().astype(np.int32))
    walls, inner = _walls(domain, cells, inside)
    return _Rows(
        numbers=domain.original_cells[cells],
        corners=np.asarray(corners, dtype=np.int64).reshape(nodes.shape),
        places=mesh.geometry.x[nodes][:, :, :dim],
        tags=domain.cell_tags.values[cells],
        walls=walls,
        inner=inner,
    )


def _walls(domain: Domain, cells: Integers, inside: Integers) -> tuple[Integers, Integers]:
    """For each facet of the ``cells`` the place of its name in `_names`, and whether it is inner.

    Facets are in the order of the corners that they are opposite to.
    """
    topology, dim = domain.mesh.topology, domain.dimension
    of_cells = topology.connectivity(dim, dim - 1).array.reshape(-1, dim + 1)
    to_cells = topology.connectivity(dim - 1, dim)
    sides = facets_of(topology.cell_name())
    opposite = [next(k for k in range(dim + 1) if k not in side) for side in sides]
    facets = np.empty((len(cells), dim + 1), dtype=np.int64)
    facets[:, opposite] = of_cells[cells]
    tag = np.full(len(to_cells.offsets) - 1, -1)
    tag[domain.facet_tags.indices] = domain.facet_tags.values
    first = to_cells.array[to_cells.offsets[facets]]
    other = to_cells.array[to_cells.offsets[facets + 1] - 1]
    across = np.where(first == cells[:, None], other, first)
    beyond = across != cells[:, None]
    inner = beyond & inside[across]
    wall = _places(domain.boundaries)[tag[facets]]
    towards = len(domain.boundaries) + _places(domain.regions)[domain.cell_tags.values[across]]
    return np.where((wall < 0) & beyond & ~inner, towards, wall), inner


def _places(tags: dict[str, int]) -> Integers:
    """The place of the name that a tag belongs to; -1 for others, also for the tag -1."""
    places = np.full(max(tags.values(), default=0) + 2, -1)
    for place, tag in enumerate(tags.values()):
        places[tag] = place
    return places


def _joined(rows: list[_Rows], names: tuple[str, ...]) -> RegionCells:
    """The rows of all ranks in the order of the cells' numbers, corners in that of their cells."""
    numbers = np.concatenate([part.numbers for part in rows])
    order = np.argsort(numbers, kind="stable")
    corners = np.concatenate([part.corners for part in rows])[order]
    places = np.concatenate([part.places for part in rows])[order]
    _, first, cells = np.unique(corners, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return RegionCells(
        points=places.reshape(-1, places.shape[2])[np.sort(first)],
        cells=rank[cells].reshape(corners.shape),
        numbers=numbers[order],
        tags=np.concatenate([part.tags for part in rows])[order],
        walls=np.concatenate([part.walls for part in rows])[order],
        inner=np.concatenate([part.inner for part in rows])[order],
        names=names,
    )
