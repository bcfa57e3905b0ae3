"""Volume of the part of a ball that lies in the domain, from the domain's boundary alone.

F(x) = (x - y) (1 - (sigma/r)^d)/d, with r = |x - y| < sigma and F = 0 beyond, is continuous where
r = sigma and has the divergence 1 - V_sigma delta(x - y) in the ball B of radius sigma. Hence

    |B(y) and domain| = V_sigma theta(y) + integral of F . n over the boundary inside B,

where theta is the fraction of the directions at y that lead into the domain: one inside it, a half
on a smooth boundary, less at a corner. Nothing is assumed of the shape of the domain: the distance
is the straight one, also across a gap. On a boundary of straight facets only those that do not
contain y count; a node far from the boundary has V_sigma exactly.
"""

from __future__ import annotations

from itertools import combinations
from math import gamma, pi

import basix
import numpy as np
from dolfinx import fem, la
from dolfinx.mesh import Mesh, exterior_facet_indices
from mpi4py import MPI

from fem_rd import compat
from fem_rd.compiled import compiled
from fem_rd.mesh.arrays import (
    SHAPES,
    SIMPLICES,
    Floats,
    Integers,
    dimension,
    facets_of,
    geometry_element,
)
from fem_rd.mesh.neighbours import close_pairs, gathered

# Degrees of the quadrature on facets: F has a kink where r = sigma, and a node may be a fraction of
# a facet away from one. Then the volumes of cut balls are good to 1e-5 or so where sigma is two
# cells.
_EDGE_DEGREE, _FACE_DEGREE = 80, 20


def ball_volume(dim: int, sigma: float) -> float:
    """Volume of a ball of radius ``sigma`` in 1 (2 sigma), 2 or 3 dimensions."""
    return pi ** (dim / 2) / gamma(dim / 2 + 1) * sigma**dim


def cut_volumes(space: fem.FunctionSpace, sigma: float) -> Floats:
    """Volume of the domain within ``sigma`` of each owned node of a Lagrange space, (owned,).

    Collective.
    """
    mesh = space.mesh
    dim = mesh.geometry.dim
    owned = space.dofmap.index_map.size_local
    nodes = np.ascontiguousarray(space.tabulate_dof_coordinates()[:owned, :dim])
    volumes = ball_volume(dim, sigma) * open_fractions(space)
    points, normals = boundary_points(mesh)
    count, each = points.shape[:2]
    middles = points.mean(axis=1)
    radius = np.sqrt(((points - middles[:, None]) ** 2).sum(axis=2).max(initial=0))
    reach = sigma + mesh.comm.allreduce(float(radius), MPI.MAX)
    rows = [middles, *(values.reshape(count, each * dim) for values in (points, normals))]
    surface = gathered(mesh.comm, nodes, np.hstack(rows), reach)
    middles, points, normals = np.split(surface, [dim, dim + each * dim], axis=1)
    points, normals = (values.reshape(-1, each, dim) for values in (points, normals))
    for part, node, facet, _ in close_pairs(nodes, middles, reach):
        add_fluxes(nodes[part], node, facet, points, normals, sigma, volumes[part])
    return volumes


@compiled
def add_fluxes(
    nodes: Floats,
    node: Integers,
    facet: Integers,
    points: Floats,
    normals: Floats,
    sigma: float,
    volumes: Floats,
) -> None:
    """Add the integral of F . n over facets, each with one node, to the ``volumes`` of the nodes.

    ``nodes`` (n, dim); ``node`` and ``facet`` (pairs,); ``points`` and ``normals`` (facets, q,
    dim) as `boundary_points` gives them; ``volumes`` (n,).
    """
    dim = nodes.shape[1]
    for pair in range(len(node)):
        y, f = node[pair], facet[pair]
        for q in range(points.shape[1]):
            square, along = 0.0, 0.0
            for axis in range(dim):
                step = points[f, q, axis] - nodes[y, axis]
                square += step * step
                along += step * normals[f, q, axis]
            if 0.0 < square < sigma * sigma:
                volumes[y] += along * (1.0 - (sigma * sigma / square) ** (0.5 * dim)) / dim


def boundary_points(mesh: Mesh) -> tuple[Floats, Floats]:
    """Quadrature points of this rank's facets of the boundary, and n dS there.

    Both of shape (facets, q, dim), the facets in no particular order.
    """
    shape = mesh.topology.cell_name()
    dim, corners = dimension(shape), basix.geometry(SHAPES[shape])
    cells, places = boundary_places(mesh)
    local, weights = _facet_quadrature(shape)
    points, normals = [], []
    outward = basix.cell.facet_outward_normals(SHAPES[shape])
    for place, corner in enumerate(facets_of(shape)):
        tangents = corners[corner[1:dim]] - corners[corner[0]]
        area = np.sqrt(np.linalg.det(tangents @ tangents.T))
        inside = corners[corner[0]] + local @ tangents
        positions, frames = _positions_and_frames(mesh, cells[places == place], inside)
        scale = area * weights * np.abs(np.linalg.det(frames))
        turned = np.linalg.solve(np.swapaxes(frames, -1, -2), outward[place][:, None])[..., 0]
        points.append(positions)
        normals.append(scale[..., None] * turned)
    return np.concatenate(points), np.concatenate(normals)


def boundary_places(mesh: Mesh) -> tuple[Integers, Integers]:
    """The cell of each of this rank's facets of the boundary, and which of its facets it is.

    Both (facets,), in no particular order.
    """
    topology, dim = mesh.topology, mesh.topology.dim
    topology.create_connectivity(dim - 1, dim)
    topology.create_connectivity(dim, dim - 1)
    facets = exterior_facet_indices(topology)
    to_cells = topology.connectivity(dim - 1, dim)
    cells = to_cells.array[to_cells.offsets[facets]]
    each = len(facets_of(topology.cell_name()))
    of_cells = topology.connectivity(dim, dim - 1).array.reshape(-1, each)
    return cells, np.argmax(of_cells[cells] == facets[:, None], axis=1)


def open_fractions(space: fem.FunctionSpace) -> Floats:
    """Fraction of the directions at each owned node that lead into the domain, shape (owned,).

    One at a node inside. Collective.
    """
    mesh, index_map = space.mesh, space.dofmap.index_map
    dim, shape = mesh.topology.dim, mesh.topology.cell_name()
    fractions = la.vector(index_map, dtype=np.float64)
    on_boundary = _boundary_nodes(space)
    of_cells = space.dofmap.list[: mesh.topology.index_map(dim).size_local]
    cells = np.flatnonzero(on_boundary[of_cells].any(axis=1))
    corners = basix.geometry(SHAPES[shape])
    outward = basix.cell.facet_outward_normals(SHAPES[shape])
    starts = corners[facets_of(shape)[:, 0]]
    points = compat.interpolation_points(space)
    for place in range(len(points)):
        touched = np.abs(np.einsum("fx,fx->f", outward, points[place] - starts)) < 1e-9
        _, frames = _positions_and_frames(mesh, cells, points[[place]])
        inverse = np.linalg.inv(frames[:, 0])
        inward = -np.einsum("fx,cxy->cfy", outward[touched], inverse)
        np.add.at(fractions.array, of_cells[cells, place], _cone_fractions(inward))
    fractions.scatter_reverse(la.InsertMode.add)
    owned = index_map.size_local
    return np.where(on_boundary[:owned], fractions.array[:owned], 1.0)


def _boundary_nodes(space: fem.FunctionSpace) -> Integers:
    """Whether each local node, ghosts too, lies on the boundary."""
    topology = space.mesh.topology
    topology.create_connectivity(topology.dim - 1, topology.dim)
    facets = exterior_facet_indices(topology)
    marked = la.vector(space.dofmap.index_map, dtype=np.float64)
    marked.array[fem.locate_dofs_topological(space, topology.dim - 1, facets)] = 1
    marked.scatter_reverse(la.InsertMode.add)
    marked.scatter_forward()
    return marked.array > 0


def _cone_fractions(inward: Floats) -> Floats:
    """Fraction of all directions between 0 to 3 planes with normals ``inward``, (cells, k, dim).

    A wedge between two planes has the angle pi less that between the normals; of three planes the
    solid angle is the sum of their three angles less pi.
    """
    count = inward.shape[1]
    if count < 2:
        return np.full(len(inward), 0.5 if count else 1.0)
    unit = inward / np.linalg.norm(inward, axis=2, keepdims=True)
    cosines = np.einsum("cix,cjx->cij", unit, unit).clip(-1, 1)
    angles = sum(pi - np.arccos(cosines[:, i, j]) for i, j in combinations(range(count), 2))
    fractions: Floats = angles / (2 * pi) if count == 2 else (angles - pi) / (4 * pi)
    return fractions


def _facet_quadrature(shape: str) -> tuple[Floats, Floats]:
    """Points (q, dim - 1) and weights (q,) on a facet's reference cell."""
    if dimension(shape) == 1:
        return np.zeros((1, 0)), np.ones(1)
    if dimension(shape) == 2:
        points, weights = basix.make_quadrature(basix.CellType.interval, _EDGE_DEGREE)
        return points, weights
    kind = basix.CellType.triangle if shape in SIMPLICES else basix.CellType.quadrilateral
    points, weights = basix.make_quadrature(kind, _FACE_DEGREE)
    return points, weights


def _positions_and_frames(mesh: Mesh, cells: Integers, points: Floats) -> tuple[Floats, Floats]:
    """Where reference ``points`` (q, dim) are in ``cells``, and dx/dX there.

    Shapes (cells, q, dim) and (cells, q, dim, dim).
    """
    element = geometry_element(mesh.topology.cell_name(), compat.geometry_degree(mesh))
    table = element.tabulate(1, points)[..., 0]  # value and directions, point, node
    coordinates = mesh.geometry.x[:, : mesh.geometry.dim]
    nodes = coordinates[compat.geometry_dofmap(mesh)[cells]]
    found = np.einsum("cnx,dqn->dcqx", nodes, table)
    return found[0], np.moveaxis(found[1:], 0, -1)
