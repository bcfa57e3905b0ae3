"""Fields of a hybrid run on the whole mesh: concentrations of the PDE, densities of particles.

A particle counts at the corners of its cell, by the hat functions there; so does the PDE, with its
lumped mass. The sum over the volume of each node is one field across both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.hybrid.hats import CellHats, Hats
from fem_rd.hybrid.node_exchange import NodeExchange
from fem_rd.models.hybrid.build import Sides
from fem_rd.models.place import Place
from fem_rd.models.protocol import Field
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.state import System

Array = npt.NDArray[np.float64]


class RegionHats:
    """Amounts at the corners of the region of the particles, whole on every rank."""

    def __init__(self, region: MeshRegion, place: Place) -> None:
        """``place`` on the whole mesh. Collective."""
        self._region = region
        comm: MPI.Comm = place.domain.mesh.comm
        self.exchange = NodeExchange(region.mesh.points, place.positions, comm)
        self._cells = CellHats(region.mesh.points, region.mesh.cells.astype(np.int64))

    @property
    def nodes(self) -> int:
        """How many corners there are."""
        return len(self._region.mesh.points)

    @cached_property
    def volumes(self) -> Array:
        """The volume within the region that belongs to each corner, (nodes,)."""
        mesh = self._region.mesh
        each = np.repeat(mesh.volumes / (mesh.dimension + 1), mesh.dimension + 1)
        found = np.bincount(mesh.cells.ravel(), each, minlength=self.nodes)
        return found.astype(float)

    def amounts(self, system: System, species: Sequence[str]) -> Array:
        """Particles of each of the species at the corners, (species, nodes)."""
        found = np.zeros((len(species), self.nodes))
        for row, name in enumerate(species):
            self._hats(system[name].x).deposit(1.0, found[row])
        return found

    def moments(self, sides: Sides) -> tuple[Array, Array]:
        """Mean and variance over all replicas of the amounts, (species, nodes). Collective."""
        sums = np.zeros((2, len(sides.species), self.nodes))
        for replica in sides.ensemble.replicas:
            amounts = self.amounts(replica.system, sides.species)
            sums += np.array([amounts, amounts**2])
        sides.comm.Allreduce(MPI.IN_PLACE, sums)
        count = sides.section.replicas
        mean = sums[0] / count
        spread = np.maximum(sums[1] - count * mean**2, 0.0)
        return mean, spread / (count - 1) if count > 1 else np.full_like(mean, np.nan)

    def _hats(self, points: Array) -> Hats:
        """A point outside of all cells, as between a sphere and its facets, counts at the nearest.

        That is the cell whose middle is nearest.
        """
        cells = self._region.locate(points)
        outside = np.flatnonzero(cells < 0)
        if outside.size:
            cells = cells.copy()
            cells[outside] = self._middles.query(points[:, outside].T)[1]
        return self._cells.at(points, cells.astype(np.int64))

    @cached_property
    def _middles(self) -> Any:
        from scipy.spatial import cKDTree

        mesh = self._region.mesh
        return cKDTree(mesh.points[mesh.cells].mean(axis=1))


class Picture:
    """Fields of all species on the whole mesh. Methods are collective."""

    def __init__(self, sides: Sides, hats: RegionHats, place: Place, unit: str) -> None:
        """``place``: on the whole mesh."""
        self._sides, self._hats, self._place, self._unit = sides, hats, place, unit
        self._functions = [place.function(name) for name in sides.species]
        self._outside = _Beside(sides, place) if sides.two_way else _Everywhere(sides, hats, place)

    def fields(self) -> Mapping[str, Field]:
        """The concentration of each species: the mean over replicas where particles are."""
        mean, _ = self._hats.moments(self._sides)
        amounts = self._hats.exchange.owned(mean) + self._outside.amounts()
        for function, row in zip(self._functions, amounts / self._place.volumes, strict=True):
            self._place.fill(function, row)
        return {one.name: Field(one, self._unit) for one in self._functions}


class _Beside:
    """What reservoirs that are solved outside of the region have at the nodes of the whole mesh."""

    def __init__(self, sides: Sides, place: Place) -> None:
        self._sides = sides
        models = [reservoir.model for reservoir in sides.reservoirs]
        positions = models[0].positions() if models else np.zeros((0, 3))
        if sides.shared:
            nodes = np.concatenate(sides.comm.allgather(positions))
        else:
            nodes = sides.comm.bcast(positions, root=0)
        nodes = nodes[:, : place.domain.dimension]
        self._to = NodeExchange(nodes, place.positions, sides.comm)
        self._mine = NodeExchange(nodes, positions, sides.comm) if sides.shared else None

    def amounts(self) -> Array:
        """At the owned nodes, (species, owned)."""
        sides = self._sides
        each = [one.model.concentrations() * one.model.volumes for one in sides.reservoirs]
        if self._mine is not None:
            return self._to.owned(self._mine.gather(each[0]))
        total = np.sum(each, axis=0) if each else np.zeros((len(sides.species), self._to.nodes))
        return self._to.spread(total / sides.section.replicas)


class _Everywhere:
    """What a PDE on the whole mesh has outside of the region."""

    def __init__(self, sides: Sides, hats: RegionHats, place: Place) -> None:
        self._sides = sides
        self._volumes = place.volumes - hats.exchange.owned(hats.volumes[None])[0]

    def amounts(self) -> Array:
        """At the owned nodes, (species, owned)."""
        found: Array = self._sides.reservoirs[0].model.concentrations() * self._volumes
        return found
