"""How the walls of a mesh bend: the mean curvature that its facets stand for."""

from __future__ import annotations

import numpy as np

from fem_rd.particles.mesh_walls import shared_edges
from fem_rd.particles.simplices import Simplices
from fem_rd.particles.state import Floats

ONE_SURFACE = 0.5  # the least cosine between facets of one surface; sharper edges are corners
_FLAT = 1e-6  # smaller angles are rounding's


def bends(mesh: Simplices) -> Floats:
    """The mean curvature (1/length) at each facet of the boundary, (facets,).

    +1/R on a sphere that the region is around, -1/R on one that it fills; 1/(2 R) in two
    dimensions, where a circle is a cylinder; exactly 0 where facets are in one plane. An edge
    between facets that differ by an angle of less than 60 degrees holds half of this angle times
    its length, the integrated mean curvature of a polyhedron; each facet has half of that.
    """
    dim, held = mesh.dimension, np.zeros(len(mesh.facets))
    if dim == 1:
        return held
    corners = mesh.points[mesh.facets]
    normals = mesh.planes[mesh.facet_cells, mesh.facet_places, :dim]
    for one, other in shared_edges(mesh):
        f, g, tip = one // dim, other // dim, other % dim
        apart = np.linalg.norm(normals[f] - normals[g], axis=1)
        angle = 2 * np.arcsin(np.minimum(apart / 2, 1))
        end = corners[g, (tip + 1) % dim]
        length = np.linalg.norm(corners[g, (tip + 2) % dim] - end, axis=1) if dim == 3 else 1.0
        rises = np.einsum("ij,ij->i", normals[f], corners[g, tip] - end) > 0
        smooth = (angle > _FLAT) & (np.einsum("ij,ij->i", normals[f], normals[g]) > ONE_SURFACE)
        np.add.at(held, f, np.where(smooth, np.where(rises, -0.25, 0.25) * angle * length, 0.0))
    return held / mesh.facet_areas
