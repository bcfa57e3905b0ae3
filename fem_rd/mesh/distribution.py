"""From the arrays on rank 0 to a mesh on all ranks, with its regions and boundaries tagged.

One rank takes the arrays as they are, already in a good order; several get a block each. Tags need
no search and no second distribution: each rank knows its cells' numbers in the packed order, hence
their regions, and a facet by its cell and its place in it.
"""

from __future__ import annotations

from typing import Any

import basix.ufl
import numpy as np
from dolfinx import cpp
from dolfinx import mesh as dmesh
from mpi4py import MPI

from fem_rd import compat
from fem_rd.log import Log
from fem_rd.mesh.arrays import Integers, corner_count, facets_of, geometry_element
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.packing import MeshLabels, PackedMesh
from fem_rd.mesh.partition import destinations


def distribute(packed: PackedMesh | None, comm: MPI.Comm, log: Log | None = None) -> Domain:
    """The domain on all ranks of ``comm`` from the ``packed`` mesh of rank 0. Collective.

    Cells at the border between two ranks are ghosts on the other: each facet has both its cells.
    """
    log = log or Log(quiet=True)
    with log.phase("mesh: distribution"):
        labels: MeshLabels = comm.bcast(packed and packed.labels, root=0)
        mesh, original_cells = _mesh(packed, labels, comm)
    with log.phase("mesh: facets"):
        _make_facets(mesh.topology)
    with log.phase("mesh: tags"):
        cell_tags = _cell_tags(mesh, labels, original_cells)
        facet_tags = _facet_tags(mesh, labels, original_cells)
    names = {tag: name for name, tag in labels.boundaries.items()}
    return Domain(
        mesh=mesh,
        cell_tags=cell_tags,
        facet_tags=facet_tags,
        regions=labels.regions,
        boundaries=labels.boundaries,
        original_cells=original_cells,
        inside=frozenset(names[tag] for tag in labels.facets.inside),
    )


def _mesh(
    packed: PackedMesh | None, labels: MeshLabels, comm: MPI.Comm
) -> tuple[dmesh.Mesh, Integers]:
    """The mesh, and the number of each local cell in the packed order."""
    element = basix.ufl.element("Lagrange", labels.shape, labels.order, shape=(labels.dim,))
    if packed is not None and comm.size == 1:
        corners = corner_count(labels.shape)
        mesh = compat.mesh_on_one_rank(
            comm, packed.points, packed.cells, labels.vertices, corners, element
        )
        return mesh, np.arange(labels.cells)
    if packed is not None:
        cells, points = packed.cells.astype(np.int64), packed.points
        ranks, offsets = destinations(packed, comm.size)
    else:
        width = geometry_element(labels.shape, labels.order).dim
        cells, points = np.zeros((0, width), dtype=np.int64), np.zeros((0, labels.dim))
        ranks, offsets = np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int32)
    links = cpp.graph.AdjacencyList_int32(ranks, offsets)
    mesh = dmesh.create_mesh(comm, cells=cells, x=points, e=element, partitioner=lambda *_: links)
    return mesh, np.asarray(mesh.topology.original_cell_index)


def _make_facets(topology: Any) -> None:
    """Facets and their cells, which DOLFINx needs for every integral over a boundary."""
    topology.create_entities(topology.dim - 1)
    topology.create_connectivity(topology.dim, topology.dim - 1)
    topology.create_connectivity(topology.dim - 1, topology.dim)


def _cell_tags(mesh: dmesh.Mesh, labels: MeshLabels, original_cells: Integers) -> dmesh.MeshTags:
    """The region of every local cell."""
    region = np.searchsorted(labels.region_ends, original_cells, side="right")
    cells = np.arange(len(original_cells), dtype=np.int32)
    return dmesh.meshtags(mesh, mesh.topology.dim, cells, labels.region_tags[region])


def _facet_tags(mesh: dmesh.Mesh, labels: MeshLabels, original_cells: Integers) -> dmesh.MeshTags:
    """The boundary of every local facet that has one."""
    topology = mesh.topology
    fdim = topology.dim - 1
    tagged = labels.facets
    order = np.argsort(original_cells, kind="stable")
    position = np.searchsorted(original_cells[order], tagged.cells)
    here = position < len(order)
    here[here] = original_cells[order[position[here]]] == tagged.cells[here]
    cells = order[position[here]]
    facets_of_cells = topology.connectivity(topology.dim, fdim).array
    rows = facets_of_cells.reshape(-1, len(facets_of(labels.shape)))
    facets, first = np.unique(rows[cells, tagged.places[here]], return_index=True)
    return dmesh.meshtags(mesh, fdim, facets, tagged.tags[here][first])
