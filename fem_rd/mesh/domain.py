"""A mesh with names: the place where a model is solved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from dolfinx.mesh import Mesh, MeshTags
from mpi4py import MPI

from fem_rd import compat
from fem_rd.errors import CaseError, nearest
from fem_rd.mesh.arrays import Floats, Integers
from fem_rd.mesh.measures import cell_volumes, facet_areas


@dataclass(frozen=True)
class Part:
    """A named part of a domain: how many cells or facets, and their volume or area."""

    name: str
    tag: int
    count: int
    size: float
    exterior: bool = True


@dataclass(frozen=True)
class DomainSummary:
    """What `fem-rd check` says of a mesh; counts are those of all ranks together."""

    shape: str
    order: int
    dimension: int
    cells: int
    vertices: int
    nodes: int
    volume: float
    regions: tuple[Part, ...]
    boundaries: tuple[Part, ...]


@dataclass(frozen=True)
class Domain:
    """A mesh distributed over ranks, with named regions (of cells) and boundaries (of facets).

    Tags cover ghosts too. ``original_cells`` (local cells with ghosts,): number of each cell in
    the order in which the mesh is kept, the same for any number of ranks. ``inside``: the names of
    boundaries of which facets lie between two cells.
    """

    mesh: Mesh
    cell_tags: MeshTags
    facet_tags: MeshTags
    regions: dict[str, int]
    boundaries: dict[str, int]
    original_cells: Integers
    inside: frozenset[str] = frozenset()

    @property
    def dimension(self) -> int:
        """Space dimension, 1 to 3."""
        return int(self.mesh.geometry.dim)

    def volume(self, region: str | None = None) -> float:
        """Volume (area in 2D, length in 1D) of a region, or of the whole domain. Collective.

        Raises `CaseError` for a name that the mesh does not have.
        """
        if region is None:
            return sum(size for _, size in self._region_sizes.values())
        self._known(region, self.regions, "region")
        return self._region_sizes[self.regions[region]][1]

    def area(self, boundary: str) -> float:
        """Area (length in 2D, number of points in 1D) of a boundary. Collective.

        Raises `CaseError` for a name that the mesh does not have.
        """
        self._known(boundary, self.boundaries, "boundary")
        return self._boundary_sizes[self.boundaries[boundary]][1]

    def exterior(self, boundary: str) -> bool:
        """Whether a boundary bounds the domain, and does not run through its inside.

        Raises `CaseError` for a name that the mesh does not have.
        """
        self._known(boundary, self.boundaries, "boundary")
        return boundary not in self.inside

    def summary(self) -> DomainSummary:
        """Counts and sizes by name. Collective."""
        topology, geometry = self.mesh.topology, self.mesh.geometry
        regions = (Part(name, tag, *self._region_sizes[tag]) for name, tag in self.regions.items())
        boundaries = (
            Part(name, tag, *self._boundary_sizes[tag], exterior=name not in self.inside)
            for name, tag in self.boundaries.items()
        )
        return DomainSummary(
            shape=topology.cell_name(),
            order=compat.geometry_degree(self.mesh),
            dimension=self.dimension,
            cells=topology.index_map(topology.dim).size_global,
            vertices=topology.index_map(0).size_global,
            nodes=geometry.index_map().size_global,
            volume=self.volume(),
            regions=tuple(regions),
            boundaries=tuple(boundaries),
        )

    def _known(self, name: str, valid: dict[str, int], kind: str) -> None:
        if name not in valid:
            message = f"the mesh has no {kind} named {name!r}{nearest(name, valid)}"
            raise CaseError(message, valid=valid)

    @cached_property
    def _region_sizes(self) -> dict[int, tuple[int, float]]:
        """Tag -> number of cells and volume, over all ranks."""
        tdim = self.mesh.topology.dim
        cells = np.arange(self.mesh.topology.index_map(tdim).size_local, dtype=np.int32)
        tags = self.cell_tags.values[: len(cells)]
        return self._summed(sorted(self.regions.values()), tags, cell_volumes(self.mesh, cells))

    @cached_property
    def _boundary_sizes(self) -> dict[int, tuple[int, float]]:
        """Tag -> number of facets and area, over all ranks."""
        owned = self.mesh.topology.index_map(self.mesh.topology.dim - 1).size_local
        local = self.facet_tags.indices < owned
        sizes = facet_areas(self.mesh, self.facet_tags.indices[local])
        return self._summed(sorted(self.boundaries.values()), self.facet_tags.values[local], sizes)

    def _summed(
        self, tags: list[int], found: Integers, sizes: Floats
    ) -> dict[int, tuple[int, float]]:
        local = [(np.count_nonzero(found == tag), sizes[found == tag].sum()) for tag in tags]
        totals = self.mesh.comm.allreduce(np.array(local).reshape(-1, 2), op=MPI.SUM)
        return {tag: (int(n), float(size)) for tag, (n, size) in zip(tags, totals, strict=True)}
