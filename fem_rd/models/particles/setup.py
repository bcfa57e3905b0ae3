"""From the section [particles] to the engine: what all replicas of a case have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.sections.particle_places import OpenWall, WallSection
from fem_rd.case.sections.particles import ParticleSpecies, ParticlesSection
from fem_rd.errors import CaseError
from fem_rd.models.particles.checks import check_memory
from fem_rd.models.particles.domain import domain_of, force_of, values_at
from fem_rd.models.particles.open import Behind, Entrance, Mover, molecules_in
from fem_rd.models.particles.start import Start, start_of
from fem_rd.models.particles.walls import Walls
from fem_rd.particles.dynamics import Brownian, Dynamics, Langevin
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.random import Purpose, Streams
from fem_rd.particles.reactions import Reactions
from fem_rd.particles.state import Population, System
from fem_rd.particles.stepper import Boundary, Stepper, halves_motion
from fem_rd.particles.walls import Wall

Reservoirs = Callable[[int], Mapping[tuple[str, str], Behind]]
"""From the number of a replica to what it has behind open walls, by species and wall."""


@dataclass(frozen=True)
class Setup:
    """All that the replicas of a case have in common. Raises `CaseError` for what cannot be.

    ``case``: its section is a `ParticlesSection`, read from a file or made by a program.
    ``region``: of the mesh, where the domain is one.

    Another model may put the particles into surroundings that no section names. ``reservoirs``:
    from the number of a replica to what takes the place, behind open walls of the section, of the
    concentrations that this gives. ``further``: from the number of a replica to boundaries of the
    engine that it has besides; their hooks come after those of the walls.
    """

    case: Case
    dt: float
    region: MeshRegion | None = None
    reservoirs: Reservoirs = lambda replica: {}
    further: Callable[[int], Sequence[Boundary]] = lambda replica: ()

    @cached_property
    def section(self) -> ParticlesSection:
        found: ParticlesSection = self.case.section
        return found

    @cached_property
    def species(self) -> tuple[str, ...]:
        """In the order of the network, where there is one."""
        chemistry = self.case.chemistry
        return tuple(self.section.species) if chemistry is None else chemistry.network.species

    @cached_property
    def reactions(self) -> tuple[str, ...]:
        """The names of the reactions, in the order of the network."""
        chemistry = self.case.chemistry
        return () if chemistry is None else tuple(one.name for one in chemistry.network.reactions)

    @cached_property
    def domain(self) -> Any:
        """The place of the particles."""
        domain = self.region or domain_of(self.section.domain)
        if self.case.space not in (None, domain.dimension):
            raise CaseError(
                f"the units of the case are those of {self.case.space} space dimensions",
                key="particles.domain",
                found=f"a domain of {domain.dimension}",
            )
        return domain

    @property
    def wall_sections(self) -> Mapping[str, Mapping[str, WallSection]]:
        """What the walls do to each species, by name; only those that are given."""
        return self._walls.sections

    @property
    def walls(self) -> Mapping[str, Mapping[str, Wall]]:
        """The walls as the engine knows them."""
        return self._walls.engine

    @property
    def exchanging(self) -> tuple[tuple[str, str], ...]:
        """Species and wall, wherever particles can leave."""
        return self._walls.leaving

    @cached_property
    def dynamics(self) -> Mapping[str, Dynamics[Any]]:
        """How each species moves."""
        return {name: self._motion(name, self.section.species[name]) for name in self.species}

    @cached_property
    def boundaries(self) -> tuple[tuple[str, str, OpenWall], ...]:
        """Species, wall and reservoir, in the order in which the engine's ledger begins."""
        found = []
        for name, wall in self.exchanging:
            part = self.wall_sections[name][wall]
            if isinstance(part, OpenWall):
                found.append((name, wall, part))
        return tuple(found)

    @cached_property
    def entrances(self) -> Mapping[tuple[str, str], Entrance]:
        """The open walls, by species and wall. Raises `CaseError` for unsafe parameters."""
        return {
            (name, wall): self._entrance(name, wall, part) for name, wall, part in self.boundaries
        }

    @cached_property
    def finite(self) -> Mapping[tuple[str, str], int]:
        """The first molecules of reservoirs of finite volume, by species and wall."""
        return {
            (name, wall): molecules_in(part)
            for name, wall, part in self.boundaries
            if part.volume is not None
        }

    @cached_property
    def starts(self) -> Mapping[str, Start]:
        """The first places of each species."""
        parts = self.section.species
        return {name: start_of(name, parts[name], self.domain) for name in self.species}

    def check_steps(self) -> None:
        """Refuse steps that are too long for the walls, before there is a particle."""
        langevin = self.section.dynamics == "langevin"
        for name in self.species:
            nobody = Population(self.domain.dimension, velocities=langevin)
            move = self.dynamics[name].move
            move(self.domain, nobody, self.walls[name], Streams(0), 0, self._motion_time)

    def stepper(self, system: System) -> Stepper:
        """The engine for one replica, whose particles are there already."""
        replica = system.streams.replica
        behind = self.reservoirs(replica)
        boundaries: list[Boundary] = [
            entrance.boundary(behind.get(place)) for place, entrance in self.entrances.items()
        ]
        boundaries += self.further(replica)
        reactions = self._reactions()
        return Stepper(system, self.domain, self.dynamics, self.walls, reactions, boundaries)

    def _reactions(self) -> Reactions | None:
        """Those of one replica."""
        chemistry = self.case.chemistry
        if chemistry is None:
            return None
        walls = next(iter(self.walls.values()))
        return Reactions(chemistry.network, self.domain, chemistry.radii, walls)

    @cached_property
    def _motion_time(self) -> float:
        """How long a motion lasts, of which a step may have two."""
        return self.dt / 2 if halves_motion(self._reactions(), self.dynamics) else self.dt

    def fill(self, system: System) -> None:
        """Put the first particles into a system."""
        for index, name in enumerate(self.species):
            generator = system.streams.generator(0, Purpose.START, index)
            ids = system.add(name, self.starts[name].places(generator))
            dynamics = self.dynamics[name]
            if isinstance(dynamics, Langevin) and len(ids):
                dynamics.start(system[name], system.streams)

    def expected(self, name: str) -> float:
        """The number of particles of a species at the beginning, on average."""
        return self.starts[name].expected

    def memory(self) -> float:
        """Bytes for the particles of one replica as it begins, with the room to grow."""
        dimension = self.domain.dimension
        each = 8 * (dimension * (1 + (self.section.dynamics == "langevin")) + 1)
        each += 0 if self.region is None else 4
        sorting = 2 if self.case.chemistry is not None else 1
        return sum(max(64.0, 1.5 * self.expected(name)) * each * sorting for name in self.species)

    def check_memory(self, replicas: int) -> None:
        """Refuse what this machine has no room for."""
        check_memory(replicas * self.memory())

    @cached_property
    def _walls(self) -> Walls:
        return Walls(self.section, self.species, self.domain)

    def _entrance(self, name: str, wall: str, part: OpenWall) -> Entrance:
        species, motion = self.section.species[name], self.dynamics[name]
        potential = species.potential
        mover = Mover(
            name,
            species.diffusion,
            None if potential is None else lambda points: values_at(potential, points),
            motion.thermal_speed if isinstance(motion, Langevin) else None,
        )
        try:
            return Entrance.of(mover, wall, part, self.domain, self.walls[name], self._motion_time)
        except CaseError as error:
            raise error.at(key=self._walls.key(name, wall)) from None

    def _motion(self, name: str, part: ParticleSpecies) -> Dynamics[Any]:
        force = None if part.potential is None else force_of(part.potential, self.domain)
        key = joined("particles.species", name) + ".friction"
        if self.section.dynamics == "brownian":
            if part.friction is not None:
                raise CaseError("is for the dynamics langevin", key=key, found=part.friction)
            if force is None:
                return Brownian(part.diffusion)
            diffusion, pull = part.diffusion, force
            return Brownian(diffusion, lambda points: diffusion * pull(points))
        if part.friction is None or part.diffusion == 0:
            raise CaseError("Langevin dynamics needs a friction and a diffusion above 0", key=key)
        return Langevin(1 / (part.diffusion * part.friction), part.friction, 1.0, force)
