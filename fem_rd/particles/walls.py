"""What a wall does to the particles that meet it, and the numbers that kernels are told.

Distances below are from the wall, positive inside; a step goes from x to y in dt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from fem_rd.errors import CaseError, NumericalError


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
    """Who leaves through this face comes in by the opposite one, which must be periodic too."""


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
    probability of `adsorption_probability`, and reflect the others: right in a steady flux.
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
    if kappa == 0 or diffusion == 0:
        return Kind.REFLECTING, 0.0
    if detection is Detection.LOCAL_TIME:
        return Kind.ELASTIC, kappa / diffusion
    probability = adsorption_probability(kappa, diffusion, dt, detection)
    return (Kind.ADSORBING if detection is Detection.BRIDGE else Kind.ADSORBING_END), probability


def adsorption_probability(
    kappa: float, diffusion: float, dt: float, detection: Detection = Detection.BRIDGE
) -> float:
    """The probability that stands for kappa (length/time) in one step, at a plane in steady flux.

    With P taken from those who end behind the wall and the rest reflected, concentrations fall as
    towards a plane D/kappa = s [sqrt(pi/2)/P + offset(P)] behind the wall, s = sqrt(2 D dt); the
    offset is a polynomial through the extrapolation lengths of this half-line problem from P = .01
    to 2, right to 3e-9 s for 0 < P <= 2. Whom the bridge finds are twice as many: half of P. At
    leading order it is kappa sqrt(pi dt/D)/2 (Erban and Chapman, Phys. Biol. 4 (2007) 16).
    `NumericalError` at the end of the step if kappa sqrt(2 dt/D) > 1.7164520; the bridge has a
    probability for every kappa.
    """
    spread = math.sqrt(2 * diffusion * dt)
    length = diffusion / (kappa * spread)
    probability = math.sqrt(math.pi / 2) / length
    for _ in range(60):
        probability = math.sqrt(math.pi / 2) / (length - _offset(min(probability, 2.0)))
    if detection is Detection.BRIDGE:
        return probability / 2
    if probability > 1:
        longest = 0.99 * (diffusion / (kappa * BEHIND)) ** 2 / (2 * diffusion)
        raise NumericalError(
            f"no probability at the end of a step of dt = {dt:.3g} is as absorbing as "
            f"kappa = {kappa:.3g}: it would be {probability:.3g}",
            remedy=f"dt at most {longest:.3g}, or the detection 'bridge' or 'local time'",
        )
    return probability


BEHIND = 0.5825971579390106
"""-zeta(1/2)/sqrt(2 pi): how far, in sqrt(2 D dt), an absorbing wall with no bridge is too deep."""


def _offset(p: float) -> float:
    return -0.708974637 + p * (
        0.0357122156 + p * (0.00239053998 + p * (0.000143431405 + p * 0.0000114703584))
    )
