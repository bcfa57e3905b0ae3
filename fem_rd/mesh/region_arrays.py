"""A region of a domain that may be spread over ranks, as plain arrays on one of them or on all."""

from __future__ import annotations

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
class _Rows:
    """The cells of the region that a rank owns: number, corners (global), places of the corners.

    ``walls`` (cells, facets): the wall that each facet is, -1: none; facet k is opposite to
    corner k.
    """

    numbers: Integers
    corners: Integers
    places: Floats
    walls: Integers


def region_arrays(
    domain: Domain, region: str | None = None, *, rank: int | None = None
) -> Simplices | None:
    """The cells of a ``region`` (None: of all) on the ``rank`` (None: on every rank). Collective.

    The result is the same for any number of ranks, and None on a rank that was not meant. Cells
    with geometry of order 2 are taken as straight. The walls are the named boundaries of the
    region, in the domain's order, then, where facets to another region have no name of their own,
    `to_OTHER`. A boundary within the region is no wall: particles pass. `Simplices.original` has
    the numbers of `Domain.original_cells`. Raises `CaseError` for other cells than simplices and
    for a region or a name that cannot be.
    """
    shape = domain.mesh.topology.cell_name()
    if shape not in SIMPLICES:
        raise CaseError("particles walk through simplices only", found=shape, valid=SIMPLICES)
    if region is not None and region not in domain.regions:
        raise CaseError("the mesh has no such region", found=region, valid=domain.regions)
    names = _names(domain)
    rows, comm = _rows(domain, region), domain.mesh.comm
    everywhere = comm.allgather(rows) if rank is None else comm.gather(rows, root=rank)
    return None if everywhere is None else _joined(everywhere, names)


def _names(domain: Domain) -> tuple[str, ...]:
    """Of the walls that there may be: boundaries, then borders to regions."""
    names = (*domain.boundaries, *(INTERFACE + name for name in domain.regions))
    if len(set(names)) < len(names):
        raise CaseError(f"names of boundaries that begin with {INTERFACE!r} are taken", valid=names)
    return names


def _rows(domain: Domain, region: str | None) -> _Rows:
    mesh, topology, dim = domain.mesh, domain.mesh.topology, domain.dimension
    owned = topology.index_map(dim).size_local
    tags = domain.cell_tags.values
    inside = np.full(len(tags), region is None)
    if region is not None:
        inside = tags == domain.regions[region]
    cells = np.flatnonzero(inside[:owned])
    nodes = compat.geometry_dofmap(mesh)[cells, : dim + 1]
    corners = mesh.geometry.index_map().local_to_global(nodes.ravel().astype(np.int32))
    return _Rows(
        numbers=domain.original_cells[cells],
        corners=np.asarray(corners, dtype=np.int64).reshape(nodes.shape),
        places=mesh.geometry.x[nodes][:, :, :dim],
        walls=_walls(domain, cells, inside),
    )


def _walls(domain: Domain, cells: Integers, inside: Integers) -> Integers:
    """For each facet of the ``cells`` the wall that it is, in the order of `_names`."""
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
    within = (across != cells[:, None]) & inside[across]
    wall = _places(domain.boundaries)[tag[facets]]
    beyond = len(domain.boundaries) + _places(domain.regions)[domain.cell_tags.values[across]]
    wall = np.where((wall < 0) & (across != cells[:, None]), beyond, wall)
    return np.where(within, -1, wall)


def _places(tags: dict[str, int]) -> Integers:
    """The place of the name that a tag belongs to; -1 for others, also for the tag -1."""
    places = np.full(max(tags.values(), default=0) + 2, -1)
    for place, tag in enumerate(tags.values()):
        places[tag] = place
    return places


def _joined(rows: list[_Rows], names: tuple[str, ...]) -> Simplices:
    """The rows of all ranks in the order of the cells' numbers, corners in that of their cells."""
    numbers = np.concatenate([part.numbers for part in rows])
    order = np.argsort(numbers, kind="stable")
    corners = np.concatenate([part.corners for part in rows])[order]
    places = np.concatenate([part.places for part in rows])[order]
    walls = np.concatenate([part.walls for part in rows])[order]
    _, first, cells = np.unique(corners, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    cells = rank[cells].reshape(corners.shape)
    points = places.reshape(-1, places.shape[2])[np.sort(first)]
    named = {}
    for wall, name in enumerate(names):
        cell, k = np.nonzero(walls == wall)
        if cell.size:
            others = np.arange(cells.shape[1]) != k[:, None]
            named[name] = cells[cell][others].reshape(cell.size, -1)
    return simplices(points, cells, named, numbers[order])
