"""What is looked at from time to time: density profiles and pair correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.case.sections.particle_places import PeriodicWall, WallSection
from fem_rd.case.sections.particles import MeasureSection, PairSection
from fem_rd.errors import CaseError
from fem_rd.models.particles.statistics import Array, ratio
from fem_rd.particles.domains import Box
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.mesh_volumes import radii_of, shell_volumes, slab_volumes
from fem_rd.particles.neighbours import extent
from fem_rd.particles.state import System

Edges = npt.NDArray[np.float64]
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Table:
    """Columns by name, each of one length."""

    columns: Mapping[str, Array]


@dataclass
class Profiles:
    """Densities of species in intervals of a coordinate, summed up in blocks of time.

    ``counts``: (species, bins, blocks, replicas); ``samples``: (blocks, replicas).
    """

    species: Sequence[str]
    domain: Any
    axis: str
    bins: int
    blocks: int
    replicas: int
    counts: Array = field(init=False)
    samples: Array = field(init=False)

    def __post_init__(self) -> None:
        end = (self.blocks, self.replicas)
        self.counts = np.zeros((len(self.species), self.bins, *end))
        self.samples = np.zeros(end)

    @classmethod
    def of(
        cls,
        measure: MeasureSection,
        species: Sequence[str],
        domain: Any,
        blocks: int,
        replicas: int,
    ) -> Profiles:
        """As a case asks for; `CaseError` where the coordinate is not one of the domain."""
        along = AXES[: domain.dimension]
        valid = along if isinstance(domain, Box) else ("r",)
        if isinstance(domain, MeshRegion):
            valid = (*along, "r")
        axis = measure.axis or valid[0]
        if axis not in valid:
            message = "profiles of this domain are along another coordinate"
            raise CaseError(message, key="particles.measure.axis", found=axis, valid=valid)
        return cls(species, domain, axis, measure.bins, blocks, replicas)

    @cached_property
    def edges(self) -> Edges:
        """The ends of the intervals, (bins + 1,)."""
        if self.axis != "r":
            along = AXES.index(self.axis)
            lower, upper = extent(self.domain)
            return _spaced(lower[along], upper[along], self.bins)
        if isinstance(self.domain, MeshRegion):
            return _spaced(*radii_of(self.domain.mesh), self.bins)
        inner = getattr(self.domain, "inner", 0.0)
        outer = getattr(self.domain, "outer", None) or self.domain.radius
        return _spaced(inner, outer, self.bins)

    @cached_property
    def volumes(self) -> Array:
        """Of the intervals, (bins,)."""
        if isinstance(self.domain, MeshRegion):
            mesh = self.domain.mesh
            if self.axis == "r":
                return shell_volumes(mesh, self.edges)
            return slab_volumes(mesh, AXES.index(self.axis), self.edges)
        if self.axis != "r":
            return np.full(self.bins, self.domain.volume / self.bins)
        powers = self.edges**self.domain.dimension
        return np.diff(powers) / (powers[-1] - powers[0]) * self.domain.volume

    def sample(self, block: int, replica: int, system: System) -> None:
        """Count the particles of one replica."""
        self.samples[block, replica] += 1
        for index, name in enumerate(self.species):
            points = system[name].x
            if self.axis == "r":
                place = np.sqrt((points**2).sum(axis=0))
            else:
                place = points[AXES.index(self.axis)]
            self.counts[index, :, block, replica] += np.histogram(place, self.edges)[0]

    def table(self, counts: Array, samples: Array) -> Table:
        """Concentrations with standard errors, from the sums of all replicas."""
        columns = {f"{self.axis}_from": self.edges[:-1], f"{self.axis}_to": self.edges[1:]}
        for index, name in enumerate(self.species):
            value, error = ratio(counts[index], samples)
            with np.errstate(invalid="ignore"):  # where a region is nowhere
                columns |= {name: value / self.volumes, f"{name}_error": error / self.volumes}
        return Table(columns)


@dataclass
class Pairs:
    """The pair correlation function g(r), pairs found over pairs expected of independent places.

    ``found``, ``expected``: (bins, blocks, replicas).
    """

    section: PairSection
    domain: Box
    blocks: int
    replicas: int
    found: Array = field(init=False)
    expected: Array = field(init=False)

    def __post_init__(self) -> None:
        self.found = np.zeros((self.section.bins, self.blocks, self.replicas))
        self.expected = np.zeros_like(self.found)

    @classmethod
    def of(
        cls,
        section: PairSection,
        species: Sequence[str],
        domain: Any,
        walls: Mapping[str, Mapping[str, WallSection]],
        blocks: int,
        replicas: int,
    ) -> Pairs:
        """As a case asks for; `CaseError` where distances are not those of a periodic box."""
        key = "particles.measure.pairs"
        for name in section.species:
            if name not in species:
                raise CaseError("no such species", key=f"{key}.species", found=name, valid=species)
        given = walls[section.species[0]]
        periodic = all(isinstance(given.get(wall), PeriodicWall) for wall in domain.walls)
        if not (isinstance(domain, Box) and periodic):
            message = "pair correlations need a box whose walls are all periodic"
            raise CaseError(message, key=key, found=list(section.species))
        if section.radius > domain.sides.min() / 2:
            message = "must not exceed half of the box"
            raise CaseError(message, key=f"{key}.radius", found=section.radius)
        return cls(section, domain, blocks, replicas)

    @property
    def edges(self) -> Edges:
        """The ends of the intervals of distance."""
        bins = self.section.bins
        return np.asarray(np.arange(bins + 1) * (self.section.radius / bins), dtype=np.float64)

    def sample(self, block: int, replica: int, system: System) -> None:
        """Count the pairs of one replica."""
        from scipy.spatial import cKDTree

        one, other = self.section.species
        trees = [cKDTree(self._wrapped(system[name].x), boxsize=self.domain.sides) for name in
                 (one, other)]  # fmt: skip
        within = np.asarray(trees[0].count_neighbors(trees[1], self.edges), dtype=float)
        self.found[:, block, replica] += np.diff(within)
        count = system[one].count * (system[other].count - (one == other))
        unit = {1: 2.0, 2: np.pi, 3: 4 / 3 * np.pi}[self.domain.dimension]
        shells = unit * np.diff(self.edges**self.domain.dimension)
        self.expected[:, block, replica] += count * shells / self.domain.volume

    def table(self, found: Array, expected: Array) -> Table:
        """g with standard errors, from the sums of all replicas."""
        value, error = ratio(found, expected)
        ends = {"distance_from": self.edges[:-1], "distance_to": self.edges[1:]}
        return Table({**ends, "g": value, "g_error": error})

    def _wrapped(self, points: Array) -> Array:
        inside = (points - np.array(self.domain.lower)[:, None]).T % self.domain.sides
        return np.array(np.where(inside >= self.domain.sides, 0.0, inside), dtype=np.float64)


def _spaced(lower: float, upper: float, bins: int) -> Edges:
    return np.linspace(lower, upper, bins + 1, dtype=np.float64)
