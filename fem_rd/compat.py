"""The one file that knows DOLFINx versions: 0.9 (Debian 13) to 0.11 (conda-forge, Debian unstable).

Whatever is not here has the same call in all of them.
"""

from __future__ import annotations

from typing import Any

import dolfinx
import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import cpp, fem, mesh

VERSION = tuple(int(part) for part in dolfinx.__version__.split(".")[:2])
OLDEST, NEWEST = (0, 9), (0, 11)
_ghost_tag = 4711  # message tag of the index maps made here; 0.11 asks for one

if not OLDEST <= VERSION <= NEWEST:
    raise ImportError(f"fem_rd supports DOLFINx 0.9 to 0.11, found {dolfinx.__version__}")


def cell_partitioner(
    ghost_mode: mesh.GhostMode = mesh.GhostMode.shared_facet,
) -> Any:
    """The default partitioner with the given ghosting."""
    if VERSION >= (0, 11):
        return mesh.create_cell_partitioner(ghost_mode, 2)
    return mesh.create_cell_partitioner(ghost_mode)


def geometry_degree(domain: mesh.Mesh) -> int:
    """Polynomial degree of the mesh's cells: one map in 0.9, a list of maps in 0.11."""
    geometry = domain.geometry
    cell_map = geometry.cmap if VERSION < (0, 11) else geometry.cmaps[0]
    return int(cell_map.degree)


def geometry_dofmap(domain: mesh.Mesh) -> npt.NDArray[np.int32]:
    """Geometry nodes of each local cell, shape (cells, nodes of a cell)."""
    geometry = domain.geometry
    return geometry.dofmap if VERSION < (0, 11) else geometry.dofmaps[0]


def mesh_on_one_rank(
    comm: Any,
    points: npt.NDArray[np.float64],
    cells: npt.NDArray[np.int32],
    vertices: int,
    corners: int,
    element: Any,
) -> mesh.Mesh:
    """A mesh whose cells and nodes keep the order of the arrays: nothing to partition or sort.

    ``points`` (nodes, dim) with those of the ``vertices`` corners first; ``cells`` (cells, nodes
    of a cell) in DOLFINx's node order, the ``corners`` of a cell first; ``element`` the basix.ufl
    element of the geometry. In 0.9 the mesh's `original_cell_index` stays empty.
    """
    tdim = mesh.cell_dim(mesh.to_type(element.cell_type.name))
    vertex_map = cpp.common.IndexMap(comm, vertices)
    cell_map = cpp.common.IndexMap(comm, len(cells))
    of_vertices = np.ascontiguousarray(cells[:, :corners])
    links = cpp.graph.AdjacencyList_int32(of_vertices)
    kind = mesh.to_type(element.cell_type.name)
    if hasattr(cpp.mesh.Topology, "set_connectivity"):
        topology = cpp.mesh.Topology(comm, kind)
        self_links = np.arange(vertices, dtype=np.int32).reshape(-1, 1)
        topology.set_index_map(0, vertex_map)
        topology.set_index_map(tdim, cell_map)
        topology.set_connectivity(cpp.graph.AdjacencyList_int32(self_links), 0, 0)
        topology.set_connectivity(links, tdim, 0)
    else:
        original = np.arange(len(cells), dtype=np.int64)
        topology = cpp.mesh.Topology(kind, vertex_map, cell_map, links, original)
    geometry = cpp.mesh.Geometry_float64(
        cpp.common.IndexMap(comm, len(points)),
        cells,
        fem.coordinate_element(element.basix_element)._cpp_object,
        points,
        np.arange(len(points), dtype=np.int64),
    )
    return mesh.Mesh(cpp.mesh.Mesh_float64(comm, topology, geometry), ufl.Mesh(element))


def interpolation_points(space: fem.FunctionSpace) -> npt.NDArray[np.float64]:
    """Reference points of the element: a method in 0.9, a property later."""
    points = space.element.interpolation_points
    return points() if callable(points) else points


def index_map(
    comm: Any, size_local: int, ghosts: npt.NDArray[np.int64], owners: npt.NDArray[np.int32]
) -> Any:
    """An index map from the number of owned indices and the ghosts with their owners."""
    tag = (_ghost_tag,) if VERSION >= (0, 11) else ()
    return cpp.common.IndexMap(comm, size_local, ghosts, owners, *tag)


def space_with_dofmap(space: fem.FunctionSpace, dofmap: Any) -> fem.FunctionSpace:
    """The same element on the same mesh with another numbering of the unknowns."""
    old = space._cpp_object
    shape = () if VERSION >= (0, 10) else (list(space.value_shape),)
    new = cpp.fem.FunctionSpace_float64(space.mesh._cpp_object, old.element, dofmap, *shape)
    return fem.FunctionSpace(space.mesh, space.ufl_element(), new)

