"""The two sides of a hybrid run, and what joins them, made from a case and its mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.sections.hybrid import HybridSection
from fem_rd.case.sections.particle_places import MeshDomain
from fem_rd.case.sections.particles import MeasureSection
from fem_rd.exact.hybrid_coupling import exchange_gain, relaxation
from fem_rd.hybrid.across import Across
from fem_rd.hybrid.across_near import NearFacets, near_opening
from fem_rd.hybrid.doi_rates import DoiRates, Motion, doi_rates
from fem_rd.hybrid.flux_noise import CellFluxes, FluxNoise
from fem_rd.hybrid.interface import Interface
from fem_rd.hybrid.node_exchange import NodeExchange
from fem_rd.hybrid.shares import reservoir_shares
from fem_rd.hybrid.trace import Trace, trace_of
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.region_arrays import region_arrays
from fem_rd.mesh.region_domain import domain_of_regions
from fem_rd.models.hybrid.checks import (
    check_hybrid,
    least_amount,
    of_amounts,
    of_noise,
    of_place,
    of_step,
    step_of,
)
from fem_rd.models.hybrid.ground import Ground
from fem_rd.models.hybrid.reservoirs import (
    AheadReservoir,
    BesideReservoir,
    Fields,
    Reservoir,
)
from fem_rd.models.hybrid.sides import (
    field_case,
    keys_of_radii,
    network_of,
    particle_case,
)
from fem_rd.models.hybrid.stored import StoredRun
from fem_rd.models.particles.ensemble import Ensemble
from fem_rd.models.particles.observables import check_measures, gathered
from fem_rd.models.particles.open import Behind, opening_of
from fem_rd.models.particles.rows import Rows
from fem_rd.models.particles.setup import Setup
from fem_rd.models.place import Place
from fem_rd.models.reaction_diffusion.model import ReactionDiffusionModel
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.random import Streams
from fem_rd.particles.reactions_table import channels_of
from fem_rd.particles.stepper import Boundary

Array = npt.NDArray[np.float64]
NOTHING = MeasureSection()


class Sides:
    """Particles, reservoirs and what they are compared with. Collective.

    ``reservoirs``: the one that all replicas share, or one for each replica of this rank.
    """

    def __init__(self, case: Case, whole: Domain, log: Log) -> None:
        self.case, self.comm = case, whole.mesh.comm
        self.section: HybridSection = case.section
        self.step = step_of(case)
        self.dt = self.step / self.section.substeps
        self.ground = Ground.of(self.section, whole)
        check_hybrid(case, self.ground)
        self.rates = self._doi_rates()
        self.own = np.array_split(np.arange(self.section.replicas), self.comm.size)[self.comm.rank]
        self.reservoirs = self._reservoirs(log)
        self.setup = self._setup()
        check_measures(self.setup)
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
    def moves(self) -> int:
        """Of the particles, in a step of the PDE: two in each of theirs where pairs react."""
        return self.section.substeps * (2 if self.section.radii else 1)

    def rows(self) -> Rows:
        """Those of observables, at the start; `CaseError` where they are not at steps."""
        return Rows.of(self.section.measure.every, self.step, self.steps, "hybrid.measure.every")

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

    def warnings(self) -> Sequence[str]:
        """What a user should know about rates, steps and amounts at the start. Collective."""
        mine = [(1.0, np.inf)]
        for one in self.reservoirs:
            seen = one.interface
            if isinstance(one, BesideReservoir):
                least = least_amount(seen, one.exchange.gather(one.model.concentrations()))
                mine.append((float(np.min(seen.relaxation)), least))
        omega, least = np.min(self.comm.allgather(np.min(mine, axis=0)), axis=0)
        further = [*of_place(self.ground), *of_step(omega, self.step), *of_amounts(least)]
        if self.two_way and self.reservoirs:
            beside = self.reservoirs[0].model.place.domain
            further += of_noise(self.case, beside.boundaries)
        return *self.rates.warnings, *further

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
        per_step = 2 * np.sqrt(np.array(self._diffusion) * self.dt / np.pi)
        found: Array = mean * per_step * self.section.substeps
        return found

    def _doi_rates(self) -> DoiRates:
        time = self.case.time
        diffusion = {name: part.diffusion for name, part in self.section.species.items()}
        motion = Motion(self.ground.domain.dimension, diffusion, self.dt, time.end if time else 0.0)
        with keys_of_radii():
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
        trace = trace_of(beside, self.ground.boundaries, self.reach)
        return [self._beside(beside, trace, shares, noise, log) for noise in self._noises(beside)]

    def _noises(self, domain: Domain) -> Sequence[FluxNoise | None]:
        """Of each reservoir on this rank."""
        if not self.section.noise:
            return [None] * (1 if self.shared else len(self.own))
        fluxes = CellFluxes.of(domain, np.array(self._diffusion))
        streams = [Streams(self.section.seed, int(replica)) for replica in self.own]
        return [FluxNoise(fluxes, one) for one in streams]

    def _beside(
        self,
        domain: Domain,
        trace: Trace,
        shares: Mapping[str, Array],
        noise: FluxNoise | None,
        log: Log,
    ) -> Reservoir:
        model = ReactionDiffusionModel(
            field_case(self.case, domain), domain, log, fed=True, shares=shares
        )
        exchange = NodeExchange(trace.nodes, model.positions(), domain.mesh.comm)
        volumes = exchange.gather(model.volumes[None])[0]
        interface = Interface(
            trace, self.species, volumes, self._relaxation(trace, volumes), self.weight,
            self.moves,
        )  # fmt: skip
        return BesideReservoir(model, interface, exchange, noise)

    def _ahead(self, log: Log) -> Reservoir:
        """Only the strip of the reservoir's mesh is needed beside that of the whole PDE."""
        beside = domain_of_regions(self.ground.whole, self.ground.outside, None, log)
        trace = trace_of(beside, self.ground.boundaries, self.reach)
        model: Fields = self.whole_model(log) if self.section.stored is None else self._stored()
        exchange = NodeExchange(trace.nodes, model.positions(), self.comm)
        volumes = np.full(len(trace.nodes), np.inf)  # nobody asks what it can bear
        return AheadReservoir(model, Interface(trace, self.species, volumes), exchange)

    def _stored(self) -> StoredRun:
        case, whole = self.case, self.ground.whole
        unit = case.units.unit_name("amount/volume", space=whole.dimension)
        results = case.path / str(self.section.stored)
        place = Place(whole, 1, lump=True)
        return StoredRun(results, self.species, place, self.steps * self.step, unit)

    def whole_model(self, log: Log) -> ReactionDiffusionModel:
        """The PDE on the whole mesh."""
        return ReactionDiffusionModel(field_case(self.case, self.ground.whole), self.ground.whole,
                                      log)  # fmt: skip

    @cached_property
    def species(self) -> tuple[str, ...]:
        """In the order of the network."""
        return network_of(self.case).species

    @property
    def _diffusion(self) -> list[float]:
        return [self.section.species[name].diffusion for name in self.species]

    @property
    def reach(self) -> float:
        """How far a particle sees into the reservoir."""
        return max(self.section.radii.values(), default=0.0)

    def _relaxation(self, trace: Trace, volumes: Array) -> Array:
        """By species and node: how much of a change the particles may see at once."""
        gains = [exchange_gain(one, self.step, 1.0) for one in self._diffusion]
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
        bears = interface.bears if self.two_way else None
        return [Across("across", channels, interface, near, bears, self.rates.multipliers)]

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
        whose += ", whose flux fluctuates" if section.noise else ""
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
