"""Reservoirs of a case: the engine's open boundaries, from what [particles] says of open walls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fem_rd.case.sections.particle_places import OpenWall
from fem_rd.expressions.expression import Expression
from fem_rd.models.particles.domain import values_at
from fem_rd.particles.domains import Box
from fem_rd.particles.domains_round import Ball
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.open_boundary import Exchanged, OpenBoundary, Potential
from fem_rd.particles.open_boundary_facets import Facets
from fem_rd.particles.open_boundary_places import Face, Opening, Sphere
from fem_rd.particles.open_boundary_reversal import REACH, Reversal
from fem_rd.particles.open_boundary_schemes import (
    Crossing,
    Layer,
    MatchedLayer,
    Scheme,
    StrangLayer,
)
from fem_rd.particles.open_boundary_supply import Concentration, Profile, WellMixed
from fem_rd.particles.state import Floats
from fem_rd.particles.walls import Open, Periodic, Reflecting, Wall

_TRIES = 1 << 12  # points at which a potential or a concentration is looked at to bound it
_MARGIN = 1.1


@dataclass(frozen=True)
class Behind:
    """What one replica has behind an open wall, for one species, in place of what the case says.

    ``concentration``: of the engine: also a `Profile` of feet on the wall and time, or a
    `WellMixed` volume. ``exchanged``: told at the end of each step who passed, and where.
    """

    concentration: Concentration
    exchanged: Exchanged | None = None


@dataclass(frozen=True)
class Mover:
    """A species as reservoirs know it: ``potential`` in k_B T, ``thermal_speed`` if it flies."""

    name: str
    diffusion: float
    potential: Callable[[Floats], Floats] | None = None
    thermal_speed: float | None = None


@dataclass(frozen=True)
class Entrance:
    """An open wall as one species meets it: what all replicas have in common."""

    species: Mover
    section: OpenWall
    domain: Any
    opening: Opening
    scheme: Scheme

    @classmethod
    def of(
        cls,
        species: Mover,
        wall: str,
        section: OpenWall,
        domain: Any,
        walls: Mapping[str, Wall],
        dt: float,
    ) -> Entrance:
        """The entrance at a ``wall`` whose section this is.

        ``walls``: of the species in its domain, the open one among them. Raises `CaseError` for
        parameters that are unsafe.
        """
        opening = opening_of(domain, wall)
        scheme = scheme_of(section, species.diffusion, dt, opening, domain, walls)
        entrance = cls(species, section, domain, opening, scheme)
        entrance.boundary(None).check(dt)
        return entrance

    def boundary(self, behind: Behind | None) -> OpenBoundary:
        """The reservoir of one replica; what the case says of it where ``behind`` is None."""
        species, around = self.species, None
        if species.potential is not None:
            around = potential_in(self.opening, self.section.width or 0.0, species.potential)
        if behind is None:
            behind = Behind(concentration_of(self.section, self.opening))
        return OpenBoundary(
            f"{species.name} at {self.opening.wall}",
            self.scheme,
            self.opening,
            species.name,
            species.diffusion,
            behind.concentration,
            potential=around,
            thermal_speed=species.thermal_speed,
            locate=self.domain.locate if isinstance(self.domain, MeshRegion) else None,
            exchanged=behind.exchanged,
        )


def wall_of(section: OpenWall) -> Wall:
    """What the domain does at the wall."""
    match section.scheme:
        case "crossing":
            return Open()
        case "layer" | "layer-matched":
            return Reflecting()
        case "layer-strang":
            return Open(bridge=False)


def scheme_of(
    section: OpenWall,
    diffusion: float,
    dt: float,
    opening: Opening,
    domain: Any,
    walls: Mapping[str, Wall],
) -> Scheme:
    """The scheme that a wall names; layer-strang without a width has the one it needs.

    `crossing` is in closed form where that is exact (`crosses_in_closed_form`), otherwise it is
    by trial steps.
    """
    step = math.sqrt(2 * diffusion * dt)
    width = section.width or step
    match section.scheme:
        case "crossing" if crosses_in_closed_form(opening, domain, walls, REACH * step):
            return Crossing(clear=REACH)
        case "crossing":
            return Reversal(domain, walls)
        case "layer":
            return Layer(width)
        case "layer-matched":
            return MatchedLayer(width)
        case "layer-strang":
            return StrangLayer(width)


def crosses_in_closed_form(
    opening: Opening, domain: Any, walls: Mapping[str, Wall], reach: float
) -> bool:
    """Spheres, and planes with nothing but mirrors and periodic faces beside them.

    ``reach``: how far from the interface particles come in.
    """
    beside: Iterable[str] | None = None
    if isinstance(opening, Face):
        opposite = opening.number ^ 1
        beside = [name for number, name in enumerate(opening.box.walls)
                  if number not in (opening.number, opposite)]  # fmt: skip
    elif isinstance(opening, Facets):
        beside = opening.upright(domain, reach)
    if beside is None:
        return isinstance(opening, Sphere)
    return all(isinstance(walls.get(name, Reflecting()), Reflecting | Periodic) for name in beside)


def opening_of(domain: Any, wall: str) -> Opening:
    """The interface that is this wall of a domain."""
    if isinstance(domain, MeshRegion):
        return Facets.of_wall(domain, wall)
    if isinstance(domain, Box):
        return Face(domain, wall)
    if isinstance(domain, Ball):
        return Sphere(domain.radius, wall, domain.dimension)
    radius, opposite = domain.outer, domain.inner
    if wall == "reactive":
        radius, opposite = opposite, radius
    return Sphere(radius, wall, domain.dimension, opposite=opposite)


def concentration_of(section: OpenWall, opening: Opening) -> Concentration:
    """What a section says is behind the wall: a number, a function of time, a profile, a volume."""
    expression = section.concentration
    if section.volume is not None:
        return WellMixed(section.volume, molecules_in(section))
    if expression.is_constant:
        return expression.value
    if not expression.names - {"t"}:
        return lambda time: float(expression.evaluate({"t": time}))
    return _profile(expression, opening)


def molecules_in(section: OpenWall) -> int:
    """Molecules in a reservoir of finite volume at the beginning: the nearest whole number."""
    return round(section.concentration.value * (section.volume or 0.0))


def _profile(expression: Expression, opening: Opening) -> Profile:
    """A concentration along the wall, bounded by what it is at some places of it."""
    generator = np.random.Generator(np.random.Philox(0))
    feet = opening.place(np.zeros(_TRIES), generator)[1]

    def maximum(time: float) -> float:
        return float(values_at(expression, feet, time).max()) * _MARGIN

    def value(points: Floats, time: float) -> Floats:
        return values_at(expression, points, time)

    moves = "t" in expression.names
    return Profile(value, maximum) if moves else Profile(value, maximum(0.0), lasting=1)


def potential_in(
    opening: Opening, width: float, value: Callable[[Floats], Floats]
) -> Potential:
    """The potential of a layer, with how far it lies below that on the wall."""
    generator = np.random.Generator(np.random.Philox(0))
    points, feet = opening.place(width * generator.random(_TRIES), generator)
    fall = float((value(feet) - value(points)).max())
    return Potential(value, max(fall, 0.0) * _MARGIN)
