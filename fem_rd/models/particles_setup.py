"""From the section [particles] to the engine: domain, walls, dynamics, reservoirs, first places."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.sections.particle_places import (
    AbsorbingWall,
    BallDomain,
    BoxDomain,
    DomainSection,
    IntervalDomain,
    OpenWall,
    PartiallyAbsorbingWall,
    PeriodicWall,
    ReflectingWall,
    ShellDomain,
    WallSection,
)
from fem_rd.case.sections.particles import ParticleSpecies, ParticlesSection
from fem_rd.case.unit_texts import read_unit
from fem_rd.errors import CaseError, nearest
from fem_rd.expressions.expression import Expression
from fem_rd.models.particles_open import open_boundary, opening_of, scheme_of
from fem_rd.particles.domains import Box, Domain, Interval
from fem_rd.particles.domains_round import Ball, Shell
from fem_rd.particles.dynamics import Brownian, Dynamics, Langevin
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.neighbours import extent
from fem_rd.particles.open_boundary import OpenBoundary
from fem_rd.particles.random import Purpose, Streams
from fem_rd.particles.reactions import Reactions
from fem_rd.particles.state import Floats, Population, System
from fem_rd.particles.stepper import Boundary, Stepper
from fem_rd.particles.walls import Absorbing, PartiallyAbsorbing, Periodic, Reflecting, Wall

OPEN_KINDS = (AbsorbingWall, PartiallyAbsorbingWall, OpenWall)
_OF_MESHES = (AbsorbingWall, PartiallyAbsorbingWall, ReflectingWall)
_TRIES = 1 << 14  # points at which an expression is looked at to bound it
_MARGIN = 1.1
_SMALL = 1e-5  # of the domain: the step of differences
_SHARE = 0.8  # of the machine's memory that particles may take


@dataclass(frozen=True)
class Setup:
    """All that the replicas of a case have in common. Raises `CaseError` for what cannot be.

    ``region``: of the mesh, where the case has one.
    """

    case: Case
    dt: float
    region: MeshRegion | None = None

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

    @cached_property
    def wall_sections(self) -> Mapping[str, Mapping[str, WallSection]]:
        """What the walls do to each species, by name; only those that are given."""
        found = {}
        for name in self.species:
            own = self.section.species[name].walls
            for key, walls in (("walls", self.section.walls), (f"species.{name}.walls", own)):
                for wall, part in walls.items():
                    self._check_wall(wall, part, joined(f"particles.{key}", wall))
            found[name] = {**self.section.walls, **own}
            self._check_periodic(name, found[name])
        return found

    @cached_property
    def walls(self) -> Mapping[str, Mapping[str, Wall]]:
        """The walls as the engine knows them."""
        return {
            name: {wall: self._wall(name, wall, part) for wall, part in walls.items()}
            for name, walls in self.wall_sections.items()
        }

    @cached_property
    def exchanging(self) -> tuple[tuple[str, str], ...]:
        """Species and wall, wherever particles can leave."""
        return tuple(
            (name, wall)
            for name in self.species
            for wall in self.domain.walls
            if isinstance(self.wall_sections[name].get(wall), OPEN_KINDS)
            and self.section.species[name].diffusion > 0
        )

    @cached_property
    def dynamics(self) -> Mapping[str, Dynamics[Any]]:
        """How each species moves."""
        return {name: self._motion(name, self.section.species[name]) for name in self.species}

    @cached_property
    def boundaries(self) -> tuple[tuple[str, str, OpenWall], ...]:
        """Species, wall and reservoir, in the order of the engine's ledger."""
        found = []
        for name, wall in self.exchanging:
            part = self.wall_sections[name][wall]
            if isinstance(part, OpenWall):
                found.append((name, wall, part))
        return tuple(found)

    def check_steps(self) -> None:
        """Refuse steps that are too long for the walls, before there is a particle."""
        langevin = self.section.dynamics == "langevin"
        for name in self.species:
            nobody = Population(self.domain.dimension, velocities=langevin)
            move = self.dynamics[name].move
            move(self.domain, nobody, self.walls[name], Streams(0), 0, self.dt)

    def stepper(self, system: System) -> Stepper:
        """The engine for one replica, whose particles are there already."""
        chemistry, reactions = self.case.chemistry, None
        if chemistry is not None:
            walls = next(iter(self.walls.values()))
            reactions = Reactions(chemistry.network, self.domain, chemistry.radii, walls)
        boundaries: list[Boundary] = [
            self.reservoir(name, wall, part) for name, wall, part in self.boundaries
        ]
        return Stepper(system, self.domain, self.dynamics, self.walls, reactions, boundaries)

    def reservoir(self, name: str, wall: str, part: OpenWall) -> OpenBoundary:
        """What is behind an open wall. Raises `CaseError` for parameters that are unsafe."""
        species, motion = self.section.species[name], self.dynamics[name]
        potential = species.potential
        own = wall in species.walls
        key = joined(f"species.{name}.walls" if own else "walls", wall)
        try:
            return open_boundary(
                name,
                part,
                opening_of(self.domain, wall),
                species.diffusion,
                self.dt,
                None if potential is None else lambda points: values_at(potential, points),
                motion.thermal_speed if isinstance(motion, Langevin) else None,
            )
        except CaseError as error:
            raise error.at(key=f"particles.{key}") from None

    def fill(self, system: System) -> None:
        """Put the first particles into a system."""
        for index, name in enumerate(self.species):
            generator = system.streams.generator(0, Purpose.START, index)
            places = self.first_places(name, generator)
            ids = system.add(name, places)
            dynamics = self.dynamics[name]
            if isinstance(dynamics, Langevin) and len(ids):
                dynamics.start(system[name], system.streams)

    def first_places(self, name: str, generator: np.random.Generator) -> Floats:
        """Where the particles of a species begin, (dimension, n)."""
        part, domain = self.section.species[name], self.domain
        if part.place:
            point = np.array(part.place)
            if len(point) != domain.dimension or not domain.contains(point[:, None])[0]:
                key = joined("particles.species", name) + ".place"
                raise CaseError("is not in the domain", key=key, found=list(part.place))
            return np.repeat(point[:, None], part.number or 0, axis=1)
        if part.concentration is None:
            return np.asarray(domain.sample(part.number or 0, generator))
        return self._density(name).sample(generator, part.number)

    def expected(self, name: str) -> float:
        """The number of particles of a species at the beginning, on average."""
        part = self.section.species[name]
        if part.number is not None or part.concentration is None:
            return float(part.number or 0)
        return self._density(name).mean * float(self.domain.volume)

    def memory(self) -> float:
        """Bytes for the particles of one replica as it begins, with the room to grow."""
        dimension = self.domain.dimension
        each = 8 * (dimension * (1 + (self.section.dynamics == "langevin")) + 1)
        each += 0 if self.region is None else 4
        sorting = 2 if self.case.chemistry is not None else 1
        return sum(max(64.0, 1.5 * self.expected(name)) * each * sorting for name in self.species)

    def check_memory(self, replicas: int) -> None:
        """Refuse what this machine has no room for."""
        needed = replicas * self.memory()
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > _SHARE * there:
            raise CaseError(
                f"the particles need {needed / 2**30:.3g} GiB, and there are {there / 2**30:.3g}",
                key="particles.species",
                valid="fewer particles, fewer replicas, or more machines",
            )

    def _density(self, name: str) -> Density:
        part = self.section.species[name].concentration or Expression.constant(0.0)
        return Density(joined("particles.species", name) + ".concentration", part, self.domain)

    def _check_wall(self, wall: str, part: WallSection, key: str) -> None:
        """The domain has it, and it can be that."""
        if wall not in self.domain.walls:
            message = f"the domain has no such wall{nearest(wall, self.domain.walls)}"
            raise CaseError(message, key=key, valid=self.domain.walls)
        if self.region is not None and not isinstance(part, _OF_MESHES):
            valid = [kind.model_fields["type"].default for kind in _OF_MESHES]
            raise CaseError("a wall of a mesh cannot be this", key=key, found=part.type,
                            valid=valid)  # fmt: skip

    def _check_periodic(self, name: str, walls: Mapping[str, WallSection]) -> None:
        """A species that leaves through one face comes in through the opposite one."""
        periodic = [isinstance(walls.get(wall), PeriodicWall) for wall in self.domain.walls]
        pairs = zip(self.domain.walls[::2], self.domain.walls[1::2], strict=False)
        for index, (one, other) in enumerate(pairs):
            if periodic[2 * index] != periodic[2 * index + 1]:
                message = f"of {name}, {one} and {other} must both be periodic, or neither"
                raise CaseError(message, key="particles.walls")
        if any(periodic) and not isinstance(self.domain, Box):
            raise CaseError("only the faces of a box can be periodic", key="particles.walls")

    def _wall(self, species: str, name: str, part: WallSection) -> Wall:
        if self.section.species[species].diffusion == 0 and isinstance(part, OPEN_KINDS):
            return Reflecting()  # what does not move meets no wall
        match part:
            case AbsorbingWall():
                return Absorbing(part.bridge)
            case PartiallyAbsorbingWall():
                area = self.domain.area(name)
                reactivity = part.reactivity
                return PartiallyAbsorbing(
                    (part.kappa or 0.0) / area if reactivity is None else reactivity
                )
            case PeriodicWall():
                return Periodic()
            case OpenWall():
                return scheme_of(part, self.section.species[species].diffusion, self.dt).wall
        return Reflecting()

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


def domain_of(section: DomainSection) -> Domain:
    """The engine's domain."""
    match section:
        case IntervalDomain():
            return Interval(section.lower, section.upper)
        case BoxDomain():
            return Box(section.lower or (0.0,) * len(section.upper), section.upper)
        case BallDomain():
            return Ball(section.radius, section.dimension)
        case ShellDomain():
            return Shell(section.inner, section.outer, section.dimension)
    raise TypeError(f"a {type(section).__name__} is made of its mesh")


def check_case(case: Case) -> float:
    """The time step; `CaseError` for what the model cannot do."""
    if case.time is None or case.time.step is None:
        raise CaseError(
            "particles go on in time, by fixed steps: the key is missing",
            key="time" if case.time is None else "time.step",
            valid="step = a time",
        )
    amount = case.units.amount
    if amount and not math.isclose(read_unit(amount).factor, 1.0):
        raise CaseError("particles are counted one by one", key="units.amount", found=amount,
                        valid="particle")  # fmt: skip
    chemistry = case.chemistry
    if chemistry is not None and chemistry.regions:
        name = next(iter(chemistry.regions))
        key = joined("chemistry.reactions", name) + ".region"
        raise CaseError("this domain has no regions", key=key, found=chemistry.regions[name])
    return case.time.step


def values_at(expression: Expression, points: Floats) -> npt.NDArray[np.float64]:
    """An expression of x, y, z, r at points (dimension, n): shape (n,)."""
    axes = dict(zip(("x", "y", "z"), [*points, *[0.0] * (3 - len(points))], strict=True))
    radius = np.sqrt((points**2).sum(axis=0))
    found = expression.evaluate({**axes, "r": radius})
    return np.broadcast_to(np.asarray(found, dtype=float), points.shape[1:])


def force_of(potential: Expression, domain: Any) -> Callable[[Floats], Floats]:
    """-grad U, by central differences whose error is far below that of any time step."""
    lower, upper = extent(domain)
    steps = _SMALL * np.subtract(upper, lower)

    def force(points: Floats) -> Floats:
        found = np.empty_like(points)
        for axis, step in enumerate(steps):
            shift = np.zeros((len(points), 1))
            shift[axis] = step
            behind = values_at(potential, points - shift)
            found[axis] = (behind - values_at(potential, points + shift)) / (2 * step)
        return found

    return force


@dataclass(frozen=True)
class Density:
    """A concentration from which places are drawn; ``key`` is where the case has it."""

    key: str
    concentration: Expression
    domain: Any

    @cached_property
    def _seen(self) -> npt.NDArray[np.float64]:
        generator = np.random.Generator(np.random.Philox(0))
        values = values_at(self.concentration, self.domain.sample(_TRIES, generator))
        if not (np.isfinite(values).all() and (values >= 0).all()):
            found = values[~(values >= 0)][0] if (~(values >= 0)).any() else values.max()
            raise CaseError("must not be negative, nor infinite", key=self.key, found=float(found))
        return values

    @property
    def mean(self) -> float:
        """Over the domain: exact where it is constant."""
        constant = self.concentration.is_constant
        return self.concentration.value if constant else float(self._seen.mean())

    @property
    def bound(self) -> float:
        """No value is larger, as far as can be seen."""
        constant = self.concentration.is_constant
        return self.concentration.value if constant else float(self._seen.max()) * _MARGIN

    def sample(self, generator: np.random.Generator, number: int | None) -> Floats:
        """So many places, or a number by Poisson's law."""
        if number is None:
            tried = generator.poisson(self.bound * self.domain.volume)
            return self._kept(self.domain.sample(tried, generator), generator)
        if number and self.bound == 0:
            raise CaseError("is 0 everywhere, and there are particles", key=self.key, found=number)
        places = np.empty((self.domain.dimension, 0))
        while places.shape[1] < number:
            tried = self.domain.sample(number, generator)
            places = np.concatenate([places, self._kept(tried, generator)], axis=1)
        return places[:, :number]

    def _kept(self, points: Floats, generator: np.random.Generator) -> Floats:
        if self.concentration.is_constant:
            return points
        values = values_at(self.concentration, points)
        if len(values) and values.max() > self.bound:
            raise CaseError("varies too sharply for places to be drawn from it", key=self.key)
        return points[:, generator.random(points.shape[1]) * self.bound < values]
