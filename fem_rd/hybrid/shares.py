"""The part of a reaction across an interface that the reservoir has by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import basix
import numpy as np
from dolfinx import la
from mpi4py import MPI
from scipy.spatial import cKDTree

from fem_rd import compat
from fem_rd.hybrid.feet import FacetTrees
from fem_rd.hybrid.hats import Floats, Integers, Mask
from fem_rd.mesh.arrays import SHAPES, SIMPLICES
from fem_rd.mesh.cut_balls_inside import boundary_facets, inner_volumes
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.neighbours import gathered
from fem_rd.mesh.region_domain import domain_of_regions
from fem_rd.numerics.spaces import lagrange_space

_NEAR = 1e-9  # of the largest coordinate: positions nearer than this are the same
_ROUND_OFF = 1e-12
_SIZES = {1: 1 / 16, 2: 1 / 4, 3: 3 / 4}  # of the pieces of cells, in radii, by dimension
_DEGREE = 2  # of the quadrature on a piece
_TOGETHER = 500  # cells that are in pieces at a time


def reservoir_shares(whole: Domain, reservoir: Domain, radius: float) -> Floats:
    """The part of the partners of the reservoir's molecules that the reservoir has, at its nodes.

    It is s(y) = |ball(y) and reservoir| / |ball(y) and whole| for one at y, the ball having the
    ``radius``; for a P1 node the mean of s with its hat function, by which particles take from the
    nodes too: both together are right for each node, however large the cells. Shape (owned,), 1 far
    from the interface; errors seen: up to 2e-5, in three dimensions 6e-5.

    The ``reservoir`` is made of regions of the ``whole`` by `domain_of_regions`, on the same ranks
    or whole on each. Collective.
    """
    if compat.geometry_degree(whole.mesh) > 1:  # the reservoir's cells are straight
        whole = domain_of_regions(whole, tuple(whole.regions))
    space, dim = lagrange_space(reservoir.mesh, 1), whole.dimension
    nodes = space.dofmap.list[: reservoir.mesh.topology.index_map(dim).size_local]
    corners = space.tabulate_dof_coordinates()[nodes, :dim]
    volumes = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / factorial(dim)
    own, every = (_Facets.near(domain, corners, radius) for domain in (reservoir, whole))
    total, foreign = (la.vector(space.dofmap.index_map, dtype=np.float64) for _ in range(2))
    np.add.at(total.array, nodes, volumes[:, None] / (dim + 1))
    for some, hats, parts in _samples(corners, own.without(every), radius):
        points = np.einsum("nk,nka->na", hats, corners[some])
        share = own.volumes(points, radius) / every.volumes(points, radius)
        lost = (volumes[some] * parts * (1.0 - share))[:, None] * hats
        np.add.at(foreign.array, nodes[some], lost)
    for vector in (total, foreign):
        vector.scatter_reverse(la.InsertMode.add)
    owned = space.dofmap.index_map.size_local
    mean: Floats = np.clip(1.0 - foreign.array[:owned] / total.array[:owned], 0.0, 1.0)
    mean[mean > 1.0 - _ROUND_OFF] = 1.0
    return mean


@dataclass(frozen=True)
class _Facets:
    """Facets of the boundary of a domain: ``corners`` (facets, dim, dim), outward ``normals``."""

    corners: Floats
    normals: Floats

    @classmethod
    def near(cls, domain: Domain, cells: Floats, radius: float) -> _Facets:
        """All within the radius of any point of simplices (n, dim + 1, dim). Collective."""
        corners, normals = boundary_facets(domain.mesh)
        count, dim, _ = corners.shape
        size = float(_radii(corners).max(initial=0.0))
        reach = radius + domain.mesh.comm.allreduce(size, op=MPI.MAX)
        rows = np.hstack([corners.mean(axis=1), corners.reshape(count, dim * dim), normals])
        rows = gathered(domain.mesh.comm, cells.reshape(-1, dim), rows, reach)
        return cls(rows[:, dim:-dim].reshape(-1, dim, dim), rows[:, -dim:])

    def without(self, others: _Facets) -> Floats:
        """The corners of those that are not among the others."""
        if not len(self.corners) or not len(others.corners):
            return self.corners
        middles = self.corners.mean(axis=1)
        distance, _ = cKDTree(others.corners.mean(axis=1)).query(middles)
        return self.corners[distance > _NEAR * np.abs(self.corners).max()]

    def volumes(self, points: Floats, radius: float) -> Floats:
        """Of the domain within the radius of points (n, dim) inside of it."""
        return inner_volumes(points, self.corners, self.normals, radius)


def _samples(
    cells: Floats, interface: Floats, radius: float
) -> Iterator[tuple[Integers, Floats, Floats]]:
    """Quadrature over all of the simplices (n, dim + 1, dim) within the radius of the interface.

    Some at a time: the number of the cell (m,), the hat functions of its corners (m, dim + 1), and
    the part of its volume (m,) that a point counts for.
    """
    if not len(interface) or not len(cells):
        return
    trees, dim = FacetTrees(interface), cells.shape[2]
    points, weights = basix.make_quadrature(SHAPES[SIMPLICES[dim - 1]], _DEGREE)
    local = np.column_stack([1.0 - points.sum(axis=1), points])
    near = np.flatnonzero(_within(cells, trees, radius))
    for begin in range(0, len(near), _TOGETHER):
        some = near[begin : begin + _TOGETHER]
        cell, pieces = _pieces(cells[some], trees, radius)
        hats = (local @ pieces).reshape(-1, dim + 1)
        parts = np.outer(np.abs(np.linalg.det(pieces)), weights / weights.sum())
        yield some[np.repeat(cell, len(weights))], hats, parts.ravel()


def _pieces(cells: Floats, interface: FacetTrees, radius: float) -> tuple[Integers, Floats]:
    """What small simplices make up the cells within the radius of the interface.

    The number of the cell of each (m,), and the hat functions of the cell at the corners of the
    piece (m, dim + 1, dim + 1). Longest edges are halved until they are short enough.
    """
    dim = cells.shape[2]
    cell: Integers = np.arange(len(cells))
    pieces = np.tile(np.eye(dim + 1), (len(cells), 1, 1))
    first, last = np.array(list(combinations(range(dim + 1), 2))).T
    done = []
    while len(cell):
        corners = pieces @ cells[cell]
        edges = np.linalg.norm(corners[:, first] - corners[:, last], axis=2)
        short = edges.max(axis=1) <= _SIZES[dim] * radius
        near = _within(corners, interface, radius)
        done.append((cell[near & short], pieces[near & short]))
        cell, pieces = cell[near & ~short], pieces[near & ~short]
        longest = edges[near & ~short].argmax(axis=1)
        cell, pieces = np.tile(cell, 2), _halves(pieces, first[longest], last[longest])
    return np.concatenate([one for one, _ in done]), np.concatenate([one for _, one in done])


def _halves(pieces: Floats, first: Integers, last: Integers) -> Floats:
    """Both halves of each of the simplices (n, k, k), cut in the middle of an edge."""
    row, halves = np.arange(len(pieces)), np.stack([pieces, pieces])
    middles = (pieces[row, first] + pieces[row, last]) / 2
    halves[0, row, first] = halves[1, row, last] = middles
    return halves.reshape(-1, *pieces.shape[1:])


def _within(corners: Floats, interface: FacetTrees, radius: float) -> Mask:
    """Which simplices (n, dim + 1, dim) may have points within the radius of the interface."""
    _, _, distance = interface(corners.mean(axis=1).T)
    return distance <= radius + _radii(corners)


def _radii(corners: Floats) -> Floats:
    """Of the balls around the means of the corners (n, k, dim) that hold them, (n,)."""
    apart = corners - corners.mean(axis=1, keepdims=True)
    return np.asarray(np.linalg.norm(apart, axis=2).max(axis=1, initial=0.0))
