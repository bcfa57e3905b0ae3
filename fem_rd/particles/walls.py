"""What a wall does to the particles that meet it, and the numbers that kernels are told.

Distances below are from the wall, positive inside; a step goes from x to y in dt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from fem_rd.errors import CaseError


class Kind(IntEnum):
    """The walls as kernels know them (kernels/inline/wall.h)."""

    REFLECTING = 0
    ABSORBING = 1
    ABSORBING_END = 2
    PERIODIC = 3
    ELASTIC = 4
    ADSORBING = 5
    ADSORBING_END = 6


@dataclass(frozen=True)
class Reflecting:
    """Nothing passes: y becomes -y. Exact for a plane."""


@dataclass(frozen=True)
class Absorbing:
    """Who touches it is gone.

    ``bridge``: a step that ends inside has touched it with probability exp(-x y/(D dt)), which is
    exact for a plane. Without, only the end of the step counts: the wall then seems to lie
    0.5825971579 sqrt(2 D dt) behind its place, an error of order sqrt(dt).
    """

    bridge: bool = True


@dataclass(frozen=True)
class Open:
    """Who crosses it leaves the particles for a reservoir, which puts others in.

    ``bridge`` as for `Absorbing`; what comes in is the business of a boundary scheme.
    """

    bridge: bool = True


@dataclass(frozen=True)
class Periodic:
    """Who leaves through this face comes in through the opposite one, which must be periodic too."""


class Detection(StrEnum):
    """How `PartiallyAbsorbing` finds out who was taken."""

    LOCAL_TIME = "local time"
    BRIDGE = "bridge"
    END_OF_STEP = "end of step"


@dataclass(frozen=True)
class PartiallyAbsorbing:
    """Takes D dc/dn = kappa c per area; ``kappa``: length/time.

    ``local time`` (the default) is exact for a plane at any dt: given both ends of a step, the
    particle survives with probability p/p0, the propagators with kappa and with a reflecting wall.
    ``bridge`` and ``end of step`` take who touched the wall (or ended behind it) with the
    probability of `adsorption_probability`, and reflect the others: they converge as sqrt(dt).
    """

    kappa: float
    detection: Detection = Detection.LOCAL_TIME


Wall = Reflecting | Absorbing | PartiallyAbsorbing | Open | Periodic


def wall_code(wall: Wall, diffusion: float, dt: float) -> tuple[Kind, float]:
    """The kind of the wall and its rate: kappa/D (1/length), or a probability."""
    match wall:
        case Reflecting():
            return Kind.REFLECTING, 0.0
        case Periodic():
            return Kind.PERIODIC, 0.0
        case Absorbing(bridge) | Open(bridge):
            return (Kind.ABSORBING if bridge else Kind.ABSORBING_END), 0.0
        case PartiallyAbsorbing(kappa, detection):
            return _partial(kappa, detection, diffusion, dt)


def _partial(kappa: float, detection: Detection, diffusion: float, dt: float) -> tuple[Kind, float]:
    if not 0 <= kappa < math.inf:
        raise CaseError("kappa of a partially absorbing wall", found=kappa, valid="0 or more")
    if detection is Detection.LOCAL_TIME:
        return Kind.ELASTIC, kappa / diffusion
    probability = adsorption_probability(kappa, diffusion, dt, detection)
    return (Kind.ADSORBING if detection is Detection.BRIDGE else Kind.ADSORBING_END), probability


def adsorption_probability(
    kappa: float, diffusion: float, dt: float, detection: Detection = Detection.BRIDGE
) -> float:
    """The probability that stands for kappa in one step, at leading order in kappa sqrt(dt/D)."""
    probability = kappa * math.sqrt(math.pi * dt / diffusion) / 2
    return probability if detection is Detection.BRIDGE else 2 * probability
