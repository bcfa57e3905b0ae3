"""Volumes of cells and areas of facets by quadrature on the mesh's own geometry.

NumPy does it in a moment; compiling a form for two numbers would take seconds.
"""

from __future__ import annotations

import basix
import numpy as np
from dolfinx.mesh import Mesh

from fem_rd import compat
from fem_rd.mesh.arrays import (
    SHAPES,
    SIMPLICES,
    Floats,
    Integers,
    dimension,
    facets_of,
    geometry_element,
)

_CHUNK = 100_000  # cells or facets whose Jacobians are in memory at a time
_CELL_DEGREE = 4  # exact: det J of an order-2 simplex has degree 3, of a hexahedron 2
_FACET_DEGREE = 8  # the area element is a root: not exact, but far below the geometry's error


def cell_volumes(mesh: Mesh, cells: Integers) -> Floats:
    """Volume (length, area) of each of the local ``cells``, shape (cells,)."""
    shape = mesh.topology.cell_name()
    degree = 0 if _affine(mesh) else _CELL_DEGREE
    points, weights = basix.make_quadrature(SHAPES[shape], degree)
    tangents = np.eye(dimension(shape))
    return _measured(mesh, cells, points, weights, tangents)


def facet_areas(mesh: Mesh, facets: Integers) -> Floats:
    """Area (length; 1 for a point) of each of the local ``facets``, shape (facets,)."""
    shape = mesh.topology.cell_name()
    if dimension(shape) == 1:
        return np.ones(len(facets))
    degree = 0 if _affine(mesh) else _FACET_DEGREE
    points, weights = basix.make_quadrature(_facet_kind(shape), degree)
    areas = np.empty(len(facets))
    corners = basix.geometry(SHAPES[shape])
    cells, places = _cell_and_place(mesh, facets)
    for place, local in enumerate(facets_of(shape)):
        tangents = corners[local[1 : dimension(shape)]] - corners[local[0]]
        chosen = np.flatnonzero(places == place)
        inside = corners[local[0]] + points @ tangents
        areas[chosen] = _measured(mesh, cells[chosen], inside, weights, tangents)
    return areas


def _facet_kind(shape: str) -> basix.CellType:
    """What the facets of a cell are."""
    if dimension(shape) == 2:
        return basix.CellType.interval
    return basix.CellType.triangle if shape in SIMPLICES else basix.CellType.quadrilateral


def _cell_and_place(mesh: Mesh, facets: Integers) -> tuple[Integers, Integers]:
    """A local cell of each facet, and the number of the facet in it."""
    topology = mesh.topology
    to_cells = topology.connectivity(topology.dim - 1, topology.dim)
    cells = to_cells.array[to_cells.offsets[facets]]
    of_cells = topology.connectivity(topology.dim, topology.dim - 1).array
    rows = of_cells.reshape(-1, len(facets_of(topology.cell_name())))[cells]
    return cells, np.argmax(rows == facets[:, None], axis=1)


def _affine(mesh: Mesh) -> bool:
    return mesh.topology.cell_name() in SIMPLICES and compat.geometry_degree(mesh) == 1


def _measured(
    mesh: Mesh, cells: Integers, points: Floats, weights: Floats, tangents: Floats
) -> Floats:
    """Integral of 1 over the part of each cell that the reference ``tangents`` span.

    ``points`` (q, tdim) of the reference cell, ``weights`` (q,), ``tangents`` (d, tdim).
    """
    element = geometry_element(mesh.topology.cell_name(), compat.geometry_degree(mesh))
    gradients = element.tabulate(1, points)[1:, :, :, 0]  # direction, point, node
    along = np.tensordot(tangents, gradients, axes=1)
    nodes, coordinates = compat.geometry_dofmap(mesh), mesh.geometry.x[:, : mesh.geometry.dim]
    measured = np.empty(len(cells))
    for begin in range(0, len(cells), _CHUNK):
        chunk = cells[begin : begin + _CHUNK]
        frames = np.tensordot(coordinates[nodes[chunk]], along, axes=(1, 2))  # cell, x, d, q
        metric = np.einsum("cxiq,cxjq->cqij", frames, frames)
        measured[begin : begin + _CHUNK] = np.sqrt(np.linalg.det(metric)) @ weights
    return measured
