"""Some regions of a domain as a domain of their own, with a mesh that is shared out anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mpi4py import MPI

from fem_rd.errors import CaseError
from fem_rd.log import Log
from fem_rd.mesh.arrays import MeshArrays
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.packing import PackedMesh, pack
from fem_rd.mesh.region_arrays import RegionCells, border, cells_in, region_cells
from fem_rd.parallel import agree


def domain_of_regions(
    domain: Domain,
    regions: str | Sequence[str],
    comm: MPI.Comm | None = None,
    log: Log | None = None,
) -> Domain:
    """The cells of ``regions`` as a domain of straight cells on the ranks of ``comm``. Collective.

    ``comm`` is that of the domain where it is not given; with `MPI.COMM_SELF` each rank has all of
    it. The mesh is the same for any number of ranks. Regions and boundaries keep their names; the
    facets towards another region R that have no name of their own are the boundary `to_R`. Raises
    `CaseError` for other cells than simplices, and for names that cannot be.
    """
    mine = domain.mesh.comm
    comm = mine if comm is None else comm
    names = (regions,) if isinstance(regions, str) else tuple(regions)
    cells = region_cells(domain, names, rank=0 if comm.size == mine.size else None)
    packed: PackedMesh | None = None
    error = None
    if cells is not None and comm.rank == 0:
        try:
            packed = pack(_arrays(domain, cells, names))
        except CaseError as found:
            error = found
    agree(mine, error)
    return distribute(packed, comm, log)


def _arrays(domain: Domain, cells: RegionCells, regions: Sequence[str]) -> MeshArrays:
    cell, corner = np.nonzero(cells.walls >= 0)
    walls = cells.walls[cell, corner]
    return MeshArrays(
        shape=domain.mesh.topology.cell_name(),
        order=1,
        points=cells.points,
        cells=cells.cells,
        cell_tags=cells.tags,
        facets=cells.facets(cells.walls >= 0),
        facet_tags=walls + 1,
        regions={name: tag for name, tag in domain.regions.items() if name in regions},
        boundaries={cells.names[wall]: int(wall) + 1 for wall in np.unique(walls)},
    )


def borders(domain: Domain, regions: str | Sequence[str]) -> dict[str, tuple[str, ...]]:
    """By the name of each other region: what the facets are called across which it lies.

    These are the boundaries that `domain_of_regions` gives the ``regions`` towards it: `to_R` and
    those with names of their own. Collective; raises `CaseError`.
    """
    inside, dim = cells_in(domain, regions), domain.dimension
    to_cells = domain.mesh.topology.connectivity(dim - 1, dim)
    first, last = to_cells.array[to_cells.offsets[:-1]], to_cells.array[to_cells.offsets[1:] - 1]
    facets = np.flatnonzero(inside[first] != inside[last])
    other = np.where(inside[first], last, first)[facets]
    named = np.full(len(first), -1)
    named[domain.facet_tags.indices] = domain.facet_tags.values
    pairs = np.stack([domain.cell_tags.values[other], named[facets]], axis=1)
    pairs = np.unique(np.concatenate(domain.mesh.comm.allgather(pairs)), axis=0)
    boundaries = {tag: name for name, tag in domain.boundaries.items()}
    return {
        region: tuple(boundaries.get(int(t), border(region)) for t in pairs[pairs[:, 0] == tag, 1])
        for region, tag in domain.regions.items()
        if tag in pairs[:, 0]
    }
