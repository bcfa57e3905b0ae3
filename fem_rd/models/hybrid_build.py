"""The two sides of a hybrid run, and what joins them, made from a case and its mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.sections.hybrid import HybridSection
from fem_rd.case.sections.particle_places import MeshDomain
from fem_rd.case.sections.particles import MeasureSection
from fem_rd.errors import CaseError, nearest
from fem_rd.exact.hybrid_coupling import exchange_gain, relaxation
from fem_rd.hybrid.across import Across
from fem_rd.hybrid.across_near import NearFacets, near_opening
from fem_rd.hybrid.doi_rates import DoiRates, Motion, doi_rates
from fem_rd.hybrid.interface import Interface
from fem_rd.hybrid.node_exchange import NodeExchange
from fem_rd.hybrid.shares import reservoir_shares
from fem_rd.hybrid.trace import Trace, trace_of
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.region_arrays import region_arrays
from fem_rd.mesh.region_domain import borders, domain_of_regions
from fem_rd.models.hybrid_reservoirs import AheadReservoir, BesideReservoir, Reservoir
from fem_rd.models.hybrid_sides import field_case, network_of, particle_case
from fem_rd.models.particles_checks import check_case
from fem_rd.models.particles_domain import domain_of
from fem_rd.models.particles_ensemble import Ensemble
from fem_rd.models.particles_observables import gathered
from fem_rd.models.particles_open import Behind, opening_of
from fem_rd.models.particles_setup import Setup
from fem_rd.models.reaction_diffusion import ReactionDiffusionModel
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.reactions_table import channels_of
from fem_rd.particles.stepper import Boundary

Array = npt.NDArray[np.float64]
NOTHING = MeasureSection()
SLOW = 0.5  # relaxation below which a user is told


@dataclass(frozen=True)
class Ground:
    """Where the sides are: the mesh, the region of the particles, and what is outside of it.

    ``region``: the cells for which the particles' ``domain`` stands, the same where it has no form
    of its own. ``walls``: those of the domain behind which the PDE begins; ``boundaries``: those of
    the PDE's mesh behind which the particles are. Where facets between the two have a name for
    which the case says what happens, they are no part of the interface.
    """

    whole: Domain
    outside: tuple[str, ...]
    region: MeshRegion
    domain: Any
    walls: tuple[str, ...]
    boundaries: tuple[str, ...]

    @classmethod
    def of(cls, section: HybridSection, whole: Domain) -> Ground:
        """As the section says; `CaseError` for what the mesh does not have. Collective."""
        if section.region not in whole.regions:
            hint = nearest(section.region, whole.regions)
            raise CaseError(f"the mesh has no such region{hint}", key="hybrid.region",
                            found=section.region, valid=whole.regions)  # fmt: skip
        outside = tuple(name for name in whole.regions if name != section.region)
        if not outside:
            raise CaseError("is the whole mesh: nothing is left for the PDE", key="hybrid.region",
                            found=section.region, valid="one of several regions")  # fmt: skip
        cells = region_arrays(whole, section.region)
        if cells is None:
            raise TypeError("the cells are on every rank")
        region = MeshRegion(cells)
        told = {name for part in section.species.values() for name in part.boundaries}
        beyond = borders(whole, outside).get(section.region, ())
        boundaries = tuple(name for name in beyond if name not in told)
        if not boundaries:
            raise CaseError("there is no interface: the region touches no other one, or only where "
                            "the case has boundaries", key="hybrid.region",
                            found=section.region)  # fmt: skip
        if isinstance(section.domain, MeshDomain):
            sides = borders(whole, section.region).values()
            walls = dict.fromkeys(name for names in sides for name in names if name not in told)
            return cls(whole, outside, region, region, tuple(walls), boundaries)
        domain = domain_of(section.domain)
        if section.interface not in domain.walls:
            raise CaseError("the domain has no such wall", key="hybrid.interface",
                            found=section.interface, valid=domain.walls)  # fmt: skip
        return cls(whole, outside, region, domain, (str(section.interface),), boundaries)

    @property
    def closed_form(self) -> bool:
        """Whether the particles have a domain of its own form."""
        return self.domain is not self.region


class Sides:
    """Particles, reservoirs and what they are compared with. Collective.

    ``reservoirs``: the one that all replicas share, or one for each replica of this rank.
    """

    def __init__(self, case: Case, whole: Domain, log: Log) -> None:
        self.case, self.comm = case, whole.mesh.comm
        self.section: HybridSection = case.section
        self.step = check_case(case)
        self.dt = self.step / self.section.substeps
        self.ground = Ground.of(self.section, whole)
        self.rates = self._doi_rates()
        self.own = np.array_split(np.arange(self.section.replicas), self.comm.size)[self.comm.rank]
        self.reservoirs = self._reservoirs(log)
        self.setup = self._setup()
        self.setup.check_steps()
        self.setup.check_memory(len(self.own))
        self.ensemble = Ensemble(self.setup, self.own, self.particle_steps)

    @property
    def steps(self) -> int:
        """Of the PDE, in the whole run."""
        return round((self.case.time.end if self.case.time else 0.0) / self.step)

    @property
    def particle_steps(self) -> int:
        """Of the particles, in the whole run."""
        return self.steps * self.section.substeps

    @property
    def shared(self) -> bool:
        """Whether all replicas feed one reservoir."""
        return self.section.reservoir == "shared"

    @property
    def two_way(self) -> bool:
        """Whether the reservoir notices the particles."""
        return self.section.coupling == "two-way"

    @property
    def weight(self) -> float:
        """The amount that a particle counts for in its reservoir."""
        return 1.0 / self.section.replicas if self.shared else 1.0

    @property
    def warnings(self) -> Sequence[str]:
        """What a user should know about rates of pairs and the length of steps."""
        slowest = [float(np.min(one.interface.relaxation)) for one in self.reservoirs]
        omega = self.comm.allreduce(min(slowest, default=1.0), op=MPI.MIN)
        if omega >= SLOW:
            return self.rates.warnings
        return *self.rates.warnings, (
            f"the step of the PDE is long for the mesh at the interface: particles see only "
            f"{omega:.0%} of a change in each step; take time.step below "
            f"{self.step * (omega / (2 - omega)) ** 2:.2g} where transients matter"
        )

    def interface(self, replica: int) -> Interface:
        """What a replica sees of its reservoir."""
        number = 0 if self.shared else int(np.searchsorted(self.own, replica))
        return self.reservoirs[number].interface

    def held_back(self) -> Array:
        """Particles of each species that were not inserted yet, in a replica. Collective."""
        mine = [reservoir.interface for reservoir in self.reservoirs]
        each = [-(one.owed * one.trace.node_areas).sum(axis=1) for one in mine]
        owed = np.array(each).reshape(-1, len(self.species)).T
        mean = owed[:, 0] if self.shared else gathered(owed, self.comm).mean(axis=1)
        per_step = [
            2 * np.sqrt(self.section.species[name].diffusion * self.dt / np.pi)
            for name in self.species
        ]
        found: Array = mean * per_step * self.section.substeps
        return found

    def _doi_rates(self) -> DoiRates:
        time = self.case.time
        diffusion = {name: part.diffusion for name, part in self.section.species.items()}
        motion = Motion(self.ground.domain.dimension, diffusion, self.dt, time.end if time else 0.0)
        return doi_rates(network_of(self.case), self.section.radii, motion)

    def _reservoirs(self, log: Log) -> list[Reservoir]:
        if self.section.coupling == "one-way":
            return [self._ahead(log)]
        comm = self.comm if self.shared else MPI.COMM_SELF
        beside = domain_of_regions(self.ground.whole, self.ground.outside, comm, log)
        shares = {
            name: reservoir_shares(self.ground.whole, beside, radius)
            for name, radius in self.section.radii.items()
        }
        count = 1 if self.shared else len(self.own)
        return [self._beside(beside, shares, log) for _ in range(count)]

    def _beside(self, domain: Domain, shares: Mapping[str, Array], log: Log) -> Reservoir:
        model = ReactionDiffusionModel(
            field_case(self.case, domain), domain, log, fed=True, shares=shares
        )
        trace = trace_of(domain, self.ground.boundaries, self.reach)
        exchange = NodeExchange(trace.nodes, model.positions(), domain.mesh.comm)
        volumes = exchange.gather(model.volumes[None])[0]
        interface = Interface(
            trace, self.species, volumes, self._relaxation(trace, volumes), self.weight
        )
        return BesideReservoir(model, interface, exchange)

    def _ahead(self, log: Log) -> Reservoir:
        """Only the strip of the reservoir's mesh is needed beside that of the whole PDE."""
        beside = domain_of_regions(self.ground.whole, self.ground.outside, None, log)
        trace = trace_of(beside, self.ground.boundaries, self.reach)
        model = self.whole_model(log)
        exchange = NodeExchange(trace.nodes, model.positions(), self.comm)
        volumes = np.full(len(trace.nodes), np.inf)  # nothing is taken from it
        return AheadReservoir(model, Interface(trace, self.species, volumes), exchange)

    def whole_model(self, log: Log) -> ReactionDiffusionModel:
        """The PDE on the whole mesh."""
        return ReactionDiffusionModel(field_case(self.case, self.ground.whole), self.ground.whole,
                                      log)  # fmt: skip

    @cached_property
    def species(self) -> tuple[str, ...]:
        """In the order of the network."""
        return network_of(self.case).species

    @property
    def reach(self) -> float:
        """How far a particle sees into the reservoir."""
        return max(self.section.radii.values(), default=0.0)

    def _relaxation(self, trace: Trace, volumes: Array) -> Array:
        """By species and node: how much of a change the particles may see at once."""
        diffusion = [self.section.species[name].diffusion for name in self.species]
        gains = [exchange_gain(one, self.step, 1.0) for one in diffusion]
        return relaxation(np.outer(gains, trace.node_areas / volumes))

    def setup_everywhere(self) -> Setup:
        """That of particles on the whole mesh, with random numbers of its own. Collective."""
        cells = region_arrays(self.ground.whole)
        if cells is None:
            raise TypeError("the cells are on every rank")
        region = MeshRegion(cells)
        made = particle_case(self.case, self.ground.whole, region.walls, (), self._chemistry)
        changes = {"seed": self.section.seed + 1, "domain": MeshDomain(), "measure": NOTHING}
        section = made.section.model_copy(update=changes)
        return Setup(replace(made, section=section), self.dt, region)

    @property
    def _chemistry(self) -> Chemistry:
        return Chemistry(self.rates.network, radii=self.rates.radii)

    def _setup(self) -> Setup:
        ground = self.ground
        walls = ground.domain.walls
        made = particle_case(self.case, ground.whole, walls, ground.walls, self._chemistry)
        region = None if ground.closed_form else ground.region
        return Setup(made, self.dt, region, reservoirs=self._behind, further=self._across)

    def _behind(self, replica: int) -> dict[tuple[str, str], Behind]:
        interface = self.interface(replica)
        sides = {name: interface.at(name) for name in self.species}
        return {
            (name, wall): Behind(side.profile, side.exchanged)
            for name, side in sides.items()
            for wall in self.ground.walls
        }

    def _across(self, replica: int) -> Sequence[Boundary]:
        if not self.section.radii:
            return ()
        interface, ground = self.interface(replica), self.ground
        if ground.closed_form:
            near = near_opening(opening_of(ground.domain, ground.walls[0]))
        else:
            near = self._near
        channels = channels_of(self.rates.network, self.rates.radii)
        multipliers = self.rates.multipliers
        return [Across("across", channels, interface, near, interface.bears, multipliers)]

    @cached_property
    def _near(self) -> NearFacets:
        trace = self.reservoirs[0].interface.trace
        return NearFacets(trace.nodes[trace.facets], self.reach)

    def unknowns(self) -> dict[str, int]:
        """Of the PDE, all species together."""
        nodes = [one.model.place.unknowns for one in self.reservoirs]
        most = self.comm.allreduce(max(nodes, default=0), op=MPI.MAX)
        count = len(self.species) * most * (1 if self.shared else self.section.replicas)
        return {"PDE": count}

    def describe(self) -> dict[str, str]:
        """For people."""
        section, ground = self.section, self.ground
        place = "cells of the mesh" if not ground.closed_form else str(section.domain.type)
        lengths = ", ".join(
            f"{name} {np.sqrt(2 * part.diffusion * self.dt):.3g}"
            for name, part in section.species.items()
        )
        whose = "shared by all replicas" if self.shared else "one for each replica"
        where = "outside of it" if self.two_way else "on the whole mesh"
        found = {
            "particles": f"in {section.region} ({place}), {section.replicas} replicas",
            "PDE": f"{where}, {whose}",
            "coupling": f"{section.coupling}, {section.scheme}",
            "steps of the PDE": f"{self.steps} of {self.step:g}, "
            f"each {section.substeps} of the particles",
            "length of a particle's step": f"{lengths} (sqrt(2 D dt))",
        }
        return found
