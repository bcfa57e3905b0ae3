"""Ways to let a reservoir of concentration c_R exchange particles with a domain.

Every scheme says what it does in a step, and refuses what it would do wrong. The numbers behind
them are `fem_rd.exact.open_boundary`, `open_layer_step`, `open_crossing` and `open_end_of_step`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from fem_rd.errors import CaseError
from fem_rd.exact.open_boundary import (
    matched_strength,
    matched_strength_cylinder,
    matched_strength_sphere,
)
from fem_rd.particles.open_boundary_crossing import Doorway
from fem_rd.particles.open_boundary_facets import Facets
from fem_rd.particles.open_boundary_insertion import Depths, Passage, Plan, at_depths
from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.state import Floats
from fem_rd.particles.walls import Open, Reflecting, Wall


class Scheme(Protocol):
    """``layered``: whether insertions fill a layer, and so may be weighted with a potential."""

    name: ClassVar[str]
    layered: ClassVar[bool]

    @property
    def wall(self) -> Wall:
        """What the interface must be for the particles."""
        ...

    def plan(self, opening: Opening, diffusion: float, dt: float) -> Plan:
        """What to do in a step of length dt; `CaseError` if that would be wrong."""
        ...


@dataclass(frozen=True)
class Layer:
    """`layer`: lambda_out = D/w^2, lambda_in = c_R D/w^2 in a layer w at a reflecting wall.

    Equilibrium (mean, variance, correlations) is exact for every w and dt, since a step thins with
    p = 1 - exp(-gamma dt) and then inserts Poisson(c_R V p). Under a flux c = c_R seems to lie
    0.3130 w behind the wall: a bias of first order in w, which no test at equilibrium can see.
    Source: eq. 8, 11 and 14 of del Razo, Open reaction-diffusion systems (2024).
    """

    width: float
    name: ClassVar[str] = "layer"
    layered: ClassVar[bool] = True

    @property
    def wall(self) -> Wall:
        return Reflecting()

    def plan(self, opening: Opening, diffusion: float, dt: float) -> Plan:
        return _layer(opening, self.width, 1.0, diffusion, dt)


@dataclass(frozen=True)
class MatchedLayer:
    """`layer-matched`: a layer with the rate that puts c = c_R on the wall itself.

    Plane: gamma* = 1.43922884 D/w^2, s tanh s = 1. Spheres and circles: tanh(s)(s + e/s) = 1 + e
    with the particles inside, e = w/R, -e outside; circles likewise. Equilibrium as for `Layer`.
    What is left under a flux: 0.19 w^2/(2 D t) of it after a sudden change; a shift of the plane by
    -0.117287 (s/tanh s)^2 (D dt/w^2)^(3/2) w; order (l w/R)^2 for the l-th harmonic on a sphere.
    """

    width: float
    name: ClassVar[str] = "layer-matched"
    layered: ClassVar[bool] = True

    @property
    def wall(self) -> Wall:
        return Reflecting()

    def plan(self, opening: Opening, diffusion: float, dt: float) -> Plan:
        _check_layer(opening, self.width, diffusion, dt)
        return _layer(opening, self.width, self.strength(opening), diffusion, dt)

    def strength(self, opening: Opening) -> float:
        """s = w sqrt(gamma/D)."""
        thinness = self.width * abs(opening.curvature)
        if thinness < 1e-6:
            return matched_strength()
        match = matched_strength_sphere if opening.dimension == 3 else matched_strength_cylinder
        return match(thinness, inside=opening.curvature > 0)


@dataclass(frozen=True)
class Crossing:
    """`crossing`: who touches the wall leaves; Poisson(2 c_R A sqrt(D dt/pi)) come in per step.

    They are put at depths U1 sqrt(-4 D dt ln U2), the erfc law of those who came from the reservoir
    during the step and are still inside. Exact for a plane at any dt, under flux and in time, for
    c_R linear in time within a step (along the wall: order dt). Spheres and circles have the law of
    what the engine's own wall takes (`open_boundary_round`). Flat potential only.

    ``clear``: up to this depth, in standard deviations sqrt(2 D dt) of a step, all that is above
    the interface is in the domain: nobody has to be looked for.
    """

    clear: float = 0.0
    name: ClassVar[str] = "crossing"
    layered: ClassVar[bool] = False

    @property
    def wall(self) -> Wall:
        return Open()

    def plan(self, opening: Opening, diffusion: float, dt: float) -> Plan:
        step, limit = math.sqrt(2 * diffusion * dt), opening.reach / 4
        if not step <= limit:
            raise CaseError(
                "crossing: a step sqrt(2 D dt) this long meets what is behind the interface",
                found=step,
                valid=f"at most {limit:.6g}: dt at most {limit**2 / (2 * diffusion):.6g}",
            )
        cells = opening.cells if isinstance(opening, Facets) else None
        doorway = Doorway(opening, diffusion, dt)
        return Plan(passage=Passage(doorway, self.clear / math.sqrt(2), cells))


@dataclass(frozen=True)
class StrangLayer:
    """`layer-strang`: injections in two half steps, deletion of who ends a step behind the wall.

    Poisson(c_R A w (D/w^2) dt/2) uniform in a layer w before and after each motion, with
    w = sqrt(2 D dt): no other pairing makes sense (a wide layer would fill to c_R/2). Even so
    the domain rests at 1.1275 c_R, and c meets that value 0.5826 w behind the wall under a flux:
    an error of 13 % that no step size removes. For comparison with what is in use. Plane walls.
    Source: Kostre, Schuette, Noe and del Razo, Multiscale Model. Simul. 19 (2021) 1659.
    """

    width: float
    name: ClassVar[str] = "layer-strang"
    layered: ClassVar[bool] = False

    @property
    def wall(self) -> Wall:
        return Open(bridge=False)

    def plan(self, opening: Opening, diffusion: float, dt: float) -> Plan:
        step = math.sqrt(2 * diffusion * dt)
        if opening.curvature:
            raise CaseError("layer-strang on a curved interface", valid="crossing, layer-matched")
        if not math.isclose(self.width, step, rel_tol=1e-6):
            raise CaseError(
                "layer-strang: the width must be sqrt(2 D dt)",
                found=self.width,
                valid=f"{step:.9g}, or dt = {self.width**2 / (2 * diffusion):.9g}",
            )
        if not self.width <= opening.reach / 4:
            raise CaseError(
                "layer-strang: the layer is too wide for its domain",
                found=self.width,
                valid=f"at most {opening.reach / 4:.6g}",
            )
        volume = opening.area * self.width / 4  # gamma dt/2 = 1/4
        depths = uniform_depths(opening, self.width)
        halves = [at_depths(volume, opening, depths, when) for when in (0.0, 1.0)]
        return Plan(before=(halves[0],), after=(halves[1],))


SCHEMES = {scheme.name: scheme for scheme in (Layer, MatchedLayer, Crossing, StrangLayer)}


def _layer(opening: Opening, width: float, strength: float, diffusion: float, dt: float) -> Plan:
    _check_layer(opening, width, diffusion, dt)
    z = dt * diffusion * (strength / width) ** 2
    probability = -math.expm1(-z)
    # the mean time at which those came in who are still there: constant in, gamma out
    moment = 1 / probability - 1 / z
    volume = probability * layer_volume(opening, width)
    insertion = at_depths(volume, opening, uniform_depths(opening, width), moment)
    return Plan(thinned=width, probability=probability, before=(insertion,))


def _check_layer(opening: Opening, width: float, diffusion: float, dt: float) -> None:
    limit = min(opening.reach / 2, 0.3 / abs(opening.curvature) if opening.curvature else math.inf)
    if not 0 < width <= limit * (1 + 1e-12):
        raise CaseError(
            "the width of a reservoir layer (half the domain, 0.3 radii of a sphere)",
            found=width,
            valid=f"at most {limit:.6g}",
        )
    if not diffusion * dt <= 0.1 * width**2 * (1 + 1e-12):
        raise CaseError(
            "D dt over the squared width of a reservoir layer",
            found=diffusion * dt / width**2,
            valid=f"at most 0.1: dt at most {0.1 * width**2 / diffusion:.6g}, "
            f"or a width of at least {math.sqrt(10 * diffusion * dt):.6g}",
        )


def layer_volume(opening: Opening, width: float) -> float:
    """What lies less than ``width`` deep."""
    if not opening.curvature:
        return opening.area * width
    inner = (1 - opening.curvature * width) ** opening.dimension
    return opening.area * (1 - inner) / (opening.dimension * opening.curvature)


def uniform_depths(opening: Opening, width: float) -> Depths:
    """Depths of uniform points in a layer."""
    bend, power = opening.curvature, opening.dimension

    def depths(count: int, generator: np.random.Generator) -> Floats:
        share = generator.random(count)
        if not bend:
            return width * share
        filled = 1 + share * ((1 - bend * width) ** power - 1)
        return np.clip((1 - filled ** (1 / power)) / bend, 0, width)

    return depths

