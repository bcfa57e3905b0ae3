"""Volume of the part of a ball that lies in a domain of straight simplices, for centres inside it.

The formula of `fem_rd.mesh.cut_balls`, |B(y) and domain| = V_sigma + integral of F . n over the
boundary inside B, with the integral over each facet in closed form: so it is exact however near to
the boundary y is. With p the distance of y from the facet's plane, along the outward normal,

    integral of F . n = (p A - sigma^d Omega) / d,

where A is the area of the facet inside B and Omega its solid angle (angle) seen from y.
"""

from __future__ import annotations

from math import asin, atan, copysign, sqrt

import numpy as np
from dolfinx.mesh import Mesh

from fem_rd import compat
from fem_rd.compiled import compiled
from fem_rd.mesh.arrays import Floats, Integers, facets_of
from fem_rd.mesh.cut_balls import ball_volume, boundary_places
from fem_rd.mesh.neighbours import close_pairs


def boundary_facets(mesh: Mesh) -> tuple[Floats, Floats]:
    """Corners (facets, dim, dim) and outward normals (facets, dim) of this rank's facets.

    Those of the boundary of a mesh of straight simplices, in no particular order.
    """
    dim = mesh.topology.dim
    cells, places = boundary_places(mesh)
    ends = facets_of(mesh.topology.cell_name())[places]
    opposite = dim * (dim + 1) // 2 - ends.sum(axis=1)
    nodes = mesh.geometry.x[compat.geometry_dofmap(mesh)[cells], :dim]
    corners = np.take_along_axis(nodes, ends[..., None], axis=1)
    slopes = np.swapaxes(np.linalg.inv(nodes[:, 1:] - nodes[:, :1]), 1, 2)  # of hat functions
    slopes = np.concatenate([-slopes.sum(axis=1, keepdims=True), slopes], axis=1)
    inward = slopes[np.arange(len(cells)), opposite]
    return corners, -inward / np.linalg.norm(inward, axis=1, keepdims=True)


def inner_volumes(points: Floats, corners: Floats, normals: Floats, sigma: float) -> Floats:
    """Volume of the domain within ``sigma`` of ``points`` (n, dim) inside of it, (n,).

    ``corners`` and ``normals`` of the facets of its boundary, as `boundary_facets` gives them: all
    that have a part within ``sigma`` of a point.
    """
    dim = points.shape[1]
    volumes = np.full(len(points), ball_volume(dim, sigma))
    middles = corners.mean(axis=1)
    radii = np.sqrt(((corners - middles[:, None]) ** 2).sum(axis=2))
    reach = sigma + float(radii.max(initial=0.0))
    add = {1: _add_points, 2: _add_segments, 3: _add_triangles}[dim]
    for part, point, facet, _ in close_pairs(points, middles, reach):
        add(points[part], point, facet, corners, normals, sigma, volumes[part])
    return volumes


@compiled
def _add_points(
    points: Floats,
    point: Integers,
    facet: Integers,
    corners: Floats,
    normals: Floats,
    sigma: float,
    volumes: Floats,
) -> None:
    for pair in range(len(point)):
        p = normals[facet[pair], 0] * (corners[facet[pair], 0, 0] - points[point[pair], 0])
        if abs(p) < sigma:
            volumes[point[pair]] += p - copysign(sigma, p)


@compiled
def _add_segments(
    points: Floats,
    point: Integers,
    facet: Integers,
    corners: Floats,
    normals: Floats,
    sigma: float,
    volumes: Floats,
) -> None:
    for pair in range(len(point)):
        y, n, ends = points[point[pair]], normals[facet[pair]], corners[facet[pair]]
        p = n[0] * (ends[0, 0] - y[0]) + n[1] * (ends[0, 1] - y[1])
        if p == 0.0 or abs(p) >= sigma:
            continue
        chord = sqrt(sigma * sigma - p * p)
        first = n[0] * (ends[0, 1] - y[1]) - n[1] * (ends[0, 0] - y[0])
        last = n[0] * (ends[1, 1] - y[1]) - n[1] * (ends[1, 0] - y[0])
        low = min(max(min(first, last), -chord), chord)
        high = min(max(max(first, last), -chord), chord)
        angle = atan(high / p) - atan(low / p)
        volumes[point[pair]] += 0.5 * (p * (high - low) - sigma * sigma * angle)


@compiled
def _add_triangles(
    points: Floats,
    point: Integers,
    facet: Integers,
    corners: Floats,
    normals: Floats,
    sigma: float,
    volumes: Floats,
) -> None:
    for pair in range(len(point)):
        y, n, ends = points[point[pair]], normals[facet[pair]], corners[facet[pair]]
        p = 0.0
        for axis in range(3):
            p += n[axis] * (ends[0, axis] - y[axis])
        if p == 0.0 or abs(p) >= sigma:
            continue
        flux = 0.0
        for corner in range(3):
            flux += _of_edge(ends[corner], ends[(corner + 1) % 3], y, n, abs(p), sigma)
        turn = 0.0  # the edges may go round against the normal
        for axis in range(3):
            b, c = (axis + 1) % 3, (axis + 2) % 3
            turn += n[axis] * (
                (ends[1, b] - ends[0, b]) * (ends[2, c] - ends[0, c])
                - (ends[1, c] - ends[0, c]) * (ends[2, b] - ends[0, b])
            )
        volumes[point[pair]] += copysign(1.0, p * turn) * flux / 3.0


@compiled
def _of_edge(first: Floats, last: Floats, y: Floats, n: Floats, p: float, sigma: float) -> float:
    """p A - sigma^3 Omega of the triangle between an edge and the foot of y, inside the ball.

    Negative where the edge goes round the foot against the normal ``n``.
    """
    length = 0.0
    for axis in range(3):
        length += (last[axis] - first[axis]) ** 2
    length = sqrt(length)
    begin, e = 0.0, 0.0  # along the edge from its point nearest to the foot; distance of that
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        begin += (first[axis] - y[axis]) * (last[axis] - first[axis]) / length
        turn = (first[b] - y[b]) * (last[c] - first[c]) - (first[c] - y[c]) * (last[b] - first[b])
        e += n[axis] * turn / length
    if e == 0.0:
        return 0.0
    end, away = begin + length, abs(e)
    square = sigma * sigma - p * p  # of the radius in which the plane cuts the ball
    area, omega = 0.0, 0.0
    beyond = atan(end / away) - atan(begin / away)
    if e * e < square:
        chord, q = sqrt(square - e * e), sqrt(p * p + e * e)
        low, high = min(max(begin, -chord), chord), min(max(end, -chord), chord)
        inside = atan(high / away) - atan(low / away)
        beyond -= inside
        area = 0.5 * away * (high - low)
        omega = inside - asin(p * high / (q * sqrt(high * high + e * e)))
        omega += asin(p * low / (q * sqrt(low * low + e * e)))
    area += 0.5 * square * beyond
    omega += (1.0 - p / sigma) * beyond
    return copysign(1.0, e) * (p * area - sigma**3 * omega)
