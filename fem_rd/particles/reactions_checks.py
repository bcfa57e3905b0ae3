"""What to say of a step before it is made: whether it resolves the reach of the reactions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fem_rd.exact.doi import doi_step_bias
from fem_rd.particles.reactions_table import Channel

RESOLVED = 1 / 3  # largest sqrt(2 D dt) in radii, D of both particles


def coarse_steps(
    channels: Sequence[Channel],
    diffusion: Mapping[str, float],
    dt: float,
    dimension: int,
    time: float = 0.0,
) -> list[str]:
    """A warning for each reaction of pairs that get past each other in a step of ``dt``.

    ``diffusion`` by species; rates are those at ``time``. In three dimensions the warning has the
    error of the rate constant, to leading order.
    """
    found = []
    for channel in (channel for channel in channels if channel.order == 2):
        both = sum(diffusion[name] for name in channel.species)
        spread = math.sqrt(2 * both * dt)
        if spread <= RESOLVED * channel.radius:
            continue
        largest = (RESOLVED * channel.radius) ** 2 / (2 * both)
        text = (
            f"{channel.name}: two particles move {spread:.3g} relative to each other in a step, "
            f"more than a third of the radius {channel.radius:.3g}; dt <= {largest:.3g} resolves it"
        )
        rate = channel.rate.value(time)
        if dimension == 3 and rate > 0:
            bias = doi_step_bias(channel.radius, both, rate, dt)
            text += f" (the rate constant is off by some {bias:.1%})"
        found.append(text)
    return found
