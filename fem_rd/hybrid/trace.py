"""The side of a PDE reservoir at an interface, whole on every rank as plain arrays.

Particles see the reservoir through it: the concentration where they cross, the nodes that share
what they leave there, and the cells behind the interface in which they react. Amounts at points
become amounts at nodes by the hat functions of the facet or the cell, which add up to one: nothing
is lost. Nodes are numbered by their coordinates, facets and cells in the order of the mesh: the
same for any number of ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from fem_rd import compat
from fem_rd.errors import CaseError
from fem_rd.hybrid.feet import FacetTrees
from fem_rd.hybrid.feet_bins import NearestFacet
from fem_rd.hybrid.hats import CellHats, Floats, Hats, Integers, Mask
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.region_arrays import RegionCells, gathered_cells
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.simplices import simplices

_ROUND_OFF = 1e-9  # of a cell's radius


@dataclass(frozen=True)
class Trace:
    """The facets of an interface and the strip of reservoir cells behind it.

    ``nodes`` (nodes, dim): where they are; ``facets`` (facets, dim) and ``cells`` (cells, dim + 1):
    the nodes of each;
    ``facet_cells`` (facets,): the cell behind each facet. ``areas`` (facets,), 1 in one dimension;
    ``normals`` (facets, dim): unit vectors out of the place of the particles into the reservoir.
    ``walls`` (facets,): the boundary that each facet is of, a place in ``names``. ``reach``: the
    strip has all cells up to this distance from the interface, and all that have a facet of it.

    Nodal values are (..., nodes), points (dim, n).
    """

    nodes: Floats
    facets: Integers
    facet_cells: Integers
    areas: Floats
    normals: Floats
    walls: Integers
    cells: Integers
    names: tuple[str, ...]
    reach: float

    @property
    def dimension(self) -> int:
        return int(self.nodes.shape[1])

    @cached_property
    def node_areas(self) -> Floats:
        """The area that belongs to each node, the integral of its hat function, (nodes,)."""
        each = np.repeat(self.areas / self.dimension, self.dimension)
        areas = np.bincount(self.facets.ravel(), each, minlength=len(self.nodes))
        return areas.astype(np.float64, copy=False)

    def feet(self, points: Floats) -> tuple[Integers, Floats]:
        """The nearest facet (n,) and the weights (n, dim) of its nodes at its nearest point."""
        facet, weights, _ = self._nearest(points)
        return facet, weights

    def at_feet(self, points: Floats) -> Hats:
        """The hat functions at the nearest points of the interface."""
        facet, weights = self.feet(points)
        return Hats(self.facets[facet], weights)

    def values(self, nodal: Floats, points: Floats) -> Floats:
        """The P1 function at the nearest points of the interface, (..., n)."""
        if nodal.ndim == 1:
            return self._nearest.values(points, self.facets, nodal)
        return self.at_feet(points).values(nodal)

    def deposit(self, points: Floats, amounts: float | Floats, out: Floats) -> None:
        """Add amounts, one or (n,), at the nearest points of the interface to ``out`` (nodes,)."""
        if isinstance(amounts, float):
            self._nearest.deposit(points, self.facets, amounts, out)
        else:
            self.at_feet(points).deposit(amounts, out)

    def distances(self, points: Floats) -> Floats:
        """How far the points are from the interface, (n,)."""
        return self._nearest(points)[2]

    def locate(self, points: Floats) -> Integers:
        """The cells of the strip that the points are in, (n,); -1 outside of it."""
        found = self._region.locate(points)
        return np.where(found >= 0, self._region.mesh.original[found], -1)

    def within(self, points: Floats) -> Hats:
        """The hat functions at points of the strip; nothing at points outside of it."""
        return self._hats.at(points, self.locate(points))

    def values_within(self, nodal: Floats, points: Floats) -> tuple[Floats, Mask]:
        """The P1 function (..., n) at the points, and which (n,) are in the strip: 0 elsewhere."""
        hats = self.within(points)
        return hats.values(nodal), hats.somewhere

    def deposit_within(self, points: Floats, amounts: float | Floats, out: Floats) -> None:
        """Add amounts, one or (n,), at points of the strip to ``out`` (nodes,).

        Raises `ValueError` for a point outside of the strip: its amount would be lost.
        """
        hats = self.within(points)
        if lost := int(np.count_nonzero(~hats.somewhere)):
            raise ValueError(f"{lost} of {len(hats.nodes)} points are outside of the strip")
        hats.deposit(amounts, out)

    def gradient(self, nodal: Floats) -> Floats:
        """The derivative of the P1 function along the normal, in the reservoir: (..., facets)."""
        nodes = self.cells[self.facet_cells]
        slopes: Floats = np.einsum("...fk,fk->...f", nodal[..., nodes], self._normal_slopes)
        return slopes

    def facet_means(self, nodal: Floats) -> Floats:
        """The means of the P1 function over the facets, (..., facets)."""
        means: Floats = nodal[..., self.facets].mean(axis=-1)
        return means

    @cached_property
    def _nearest(self) -> NearestFacet:
        return NearestFacet(self.nodes[self.facets])

    @cached_property
    def _region(self) -> MeshRegion:
        sides = _outer_sides(self.cells)
        return MeshRegion(simplices(self.nodes, self.cells, {"ends": sides}))

    @cached_property
    def _hats(self) -> CellHats:
        return CellHats(self.nodes, self.cells)

    @cached_property
    def _normal_slopes(self) -> Floats:
        """n . grad of each hat function of the cell behind each facet, (facets, dim + 1)."""
        inverses = self._hats.inverses[self.facet_cells]
        others = np.einsum("fij,fj->fi", inverses, self.normals)
        return np.hstack([-others.sum(axis=1, keepdims=True), others])


def trace_of(domain: Domain, boundaries: str | Sequence[str], reach: float = 0.0) -> Trace:
    """The trace of a reservoir at one or several of its boundaries. Collective.

    Cells with geometry of order 2 are taken as straight. Raises `CaseError` for other cells than
    simplices, and for a boundary that the mesh does not have or that lies inside of it.
    """
    names = (boundaries,) if isinstance(boundaries, str) else tuple(boundaries)
    for name in names:
        if not domain.exterior(name):
            raise CaseError("an interface bounds the reservoir, and does not run through it",
                            found=name)  # fmt: skip
    owned = domain.mesh.topology.index_map(domain.dimension).size_local
    touching = _gathered(domain, _cells_with(domain, names, owned))
    facets, _ = _facets_of(touching, names)
    nearest = FacetTrees(touching.points[facets])
    near = _cells_near(domain, nearest, reach, owned)
    return _renumbered(_gathered(domain, near), names, reach)


def _gathered(domain: Domain, cells: Integers) -> RegionCells:
    every = np.ones(len(domain.cell_tags.values), dtype=bool)
    return cast(RegionCells, gathered_cells(domain, cells, every))  # it is on every rank


def _cells_with(domain: Domain, names: Sequence[str], owned: int) -> Integers:
    """The owned cells that have facets of the boundaries."""
    tags, dim = domain.facet_tags, domain.dimension
    wanted = [domain.boundaries[name] for name in names]
    facets = tags.indices[np.isin(tags.values, wanted)]
    to_cells = domain.mesh.topology.connectivity(dim - 1, dim)
    cells = np.unique(to_cells.array[to_cells.offsets[facets]])
    return cells[cells < owned]


def _cells_near(domain: Domain, nearest: FacetTrees, reach: float, owned: int) -> Integers:
    """The owned cells that may have a point within ``reach`` of the interface.

    No point of a cell is farther from the mean of its corners than these.
    """
    dim = domain.dimension
    nodes = compat.geometry_dofmap(domain.mesh)[:owned, : dim + 1]
    corners = domain.mesh.geometry.x[nodes][:, :, :dim]
    middles = corners.mean(axis=1)
    radii = np.sqrt(((corners - middles[:, None]) ** 2).sum(axis=2)).max(axis=1, initial=0.0)
    limits = reach + (1.0 + _ROUND_OFF) * radii
    lower, upper = nearest.box
    boxed = np.all((middles >= lower - limits[:, None]) & (middles <= upper + limits[:, None]), 1)
    inside = np.flatnonzero(boxed)
    _, _, distance = nearest(middles[inside].T)
    return inside[distance <= limits[inside]]


def _facets_of(cells: RegionCells, names: Sequence[str]) -> tuple[Integers, Integers]:
    """Corners (facets, dim) of the facets of the boundaries, and the place of each one's name."""
    number = np.full(len(cells.names) + 1, -1)
    number[[cells.names.index(name) for name in names]] = np.arange(len(names))
    walls = number[cells.walls]
    return cells.facets(walls >= 0), walls[walls >= 0]


def _renumbered(cells: RegionCells, names: tuple[str, ...], reach: float) -> Trace:
    """The trace; nodes in the order of their coordinates."""
    order = np.lexsort(cells.points.T[::-1])
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    facets, walls = _facets_of(cells, names)
    places = [cells.names.index(name) for name in names]
    behind, corner = np.nonzero(np.isin(cells.walls, places))
    areas, normals = _frames_of(cells.points[facets], cells.points[cells.cells[behind, corner]])
    return Trace(
        nodes=np.ascontiguousarray(cells.points[order]),
        facets=number[facets],
        facet_cells=behind,
        areas=areas,
        normals=normals,
        walls=walls,
        cells=number[cells.cells],
        names=names,
        reach=reach,
    )


def _frames_of(corners: Floats, opposite: Floats) -> tuple[Floats, Floats]:
    """Areas of facets (facets, dim, dim), and unit normals towards the ``opposite`` corners."""
    dim = corners.shape[1]
    normals = _normals(corners[:, 1:] - corners[:, :1])
    lengths = np.sqrt(np.einsum("fa,fa->f", normals, normals))
    inward = np.einsum("fa,fa->f", normals, opposite - corners[:, 0])
    areas = lengths / (2.0 if dim == 3 else 1.0)
    return areas, normals * (np.sign(inward) / lengths)[:, None]


def _normals(edges: Floats) -> Floats:
    """A vector across each facet with ``edges`` (facets, dim - 1, dim)."""
    if edges.shape[2] == 1:
        return np.ones((len(edges), 1))
    if edges.shape[2] == 2:
        return np.stack([-edges[:, 0, 1], edges[:, 0, 0]], axis=1)
    return np.cross(edges[:, 0], edges[:, 1]).astype(np.float64, copy=False)


def _outer_sides(cells: Integers) -> npt.NDArray[np.int64]:
    """The facets that only one of the cells has, (facets, dim)."""
    width = cells.shape[1]
    sides = np.concatenate([np.delete(cells, k, axis=1) for k in range(width)])
    rows, counts = np.unique(np.sort(sides, axis=1), axis=0, return_counts=True)
    return rows[counts == 1]
