"""What the walls of a case do to each species, checked, and as the engine knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fem_rd.case.base import joined
from fem_rd.case.sections.particle_places import (
    AbsorbingWall,
    OpenWall,
    PartiallyAbsorbingWall,
    PeriodicWall,
    ReflectingWall,
    WallSection,
)
from fem_rd.case.sections.particles import ParticlesSection
from fem_rd.errors import CaseError, nearest
from fem_rd.models.particles.open import wall_of
from fem_rd.particles.domains import Box
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.walls import Absorbing, PartiallyAbsorbing, Periodic, Reflecting, Wall

LEAVING = (AbsorbingWall, PartiallyAbsorbingWall, OpenWall)
_OF_MESHES = (AbsorbingWall, PartiallyAbsorbingWall, ReflectingWall, OpenWall)


@dataclass(frozen=True)
class Walls:
    """The walls of each of the ``species`` in a domain; `CaseError` for what they cannot be."""

    section: ParticlesSection
    species: Sequence[str]
    domain: Any

    @cached_property
    def sections(self) -> Mapping[str, Mapping[str, WallSection]]:
        """What the walls do to each species, by name; only those that are given."""
        found = {}
        for name in self.species:
            own = self.section.species[name].walls
            for wall, part in {**self.section.walls, **own}.items():
                self._check(wall, part, self.key(name, wall))
            found[name] = {**self.section.walls, **own}
            self._check_periodic(name, found[name])
        return found

    @cached_property
    def engine(self) -> Mapping[str, Mapping[str, Wall]]:
        """The walls as the engine knows them."""
        return {
            name: {wall: self._wall(name, wall, part) for wall, part in walls.items()}
            for name, walls in self.sections.items()
        }

    @cached_property
    def leaving(self) -> tuple[tuple[str, str], ...]:
        """Species and wall, wherever particles can leave."""
        return tuple(
            (name, wall)
            for name in self.species
            for wall in self.domain.walls
            if isinstance(self.sections[name].get(wall), LEAVING)
            and self.section.species[name].diffusion > 0
        )

    def key(self, species: str, wall: str) -> str:
        """Where the case says what a wall does to a species."""
        own = wall in self.section.species[species].walls
        place = joined("particles.species", species) + ".walls" if own else "particles.walls"
        return joined(place, wall)

    def _check(self, wall: str, part: WallSection, key: str) -> None:
        """The domain has it, and it can be that."""
        if wall not in self.domain.walls:
            message = f"the domain has no such wall{nearest(wall, self.domain.walls)}"
            raise CaseError(message, key=key, valid=self.domain.walls)
        if isinstance(self.domain, MeshRegion) and not isinstance(part, _OF_MESHES):
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
        if self.section.species[species].diffusion == 0 and isinstance(part, LEAVING):
            return Reflecting()  # what does not move meets no wall
        match part:
            case AbsorbingWall():
                return Absorbing(part.bridge)
            case PartiallyAbsorbingWall():
                area, reactivity = self.domain.area(name), part.reactivity
                return PartiallyAbsorbing(
                    (part.kappa or 0.0) / area if reactivity is None else reactivity
                )
            case PeriodicWall():
                return Periodic()
            case OpenWall():
                return wall_of(part)
        return Reflecting()
