"""The particles' share of a network: rates of pairs that give the rate constants of the equations.

A rate constant K (volume/time; k prod m_i! of `Reaction`, times chemostats) says how often pairs
meet and react; particles have a rate lambda_0 of each pair within sigma in its place.

Three dimensions: K = 4 pi D sigma (1 - tanh(s)/s), s = sigma sqrt(lambda_0/D), D = D_A + D_B: pairs
that are near have been used up, and V lambda_0 = m K with m > 1. What undoes the reaction puts new
pairs where they meet again: m times as often does it what the equations have, and equilibrium
constants stay. Where the reverse is a reaction of pairs too, K_f/D_f + K_b/D_b takes the place of
K/D (see `_multiplier`).

One and two dimensions: V lambda_0 = K. There pairs that are near are used up more and more, and no
rate constant exists: `rate_lost` says by how much particles react less often than the equations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import erfcx

from fem_rd.chemistry.network import Network, Reaction, combinations
from fem_rd.errors import CaseError
from fem_rd.exact.doi import doi_reaction_rate
from fem_rd.exact.hyperbolic import one_minus_tanhc
from fem_rd.exact.validity import require, require_positive
from fem_rd.expressions.expression import Expression
from fem_rd.expressions.grammar import Call, write_tree
from fem_rd.particles.reactions_checks import coarse_steps
from fem_rd.particles.reactions_table import channels_of

TOLERATED = 0.05  # share of the rate constant that particles may lose without a warning


@dataclass(frozen=True)
class Motion:
    """What decides whether pairs meet: D by species, the step ``dt`` of the particles, and the
    ``duration`` of the run (time)."""

    dimension: int
    diffusion: Mapping[str, float]
    dt: float
    duration: float


@dataclass(frozen=True)
class DoiRates:
    """A network whose rates are those of particles, and ``warnings`` of what they cannot do.

    ``multipliers``: by how much rates of particles are larger, by name: m = lambda_0 V / K of pairs
    and of what undoes them.
    """

    network: Network
    radii: Mapping[str, float]
    multipliers: Mapping[str, float]
    warnings: tuple[str, ...]


def doi_rates(network: Network, radii: Mapping[str, float], motion: Motion) -> DoiRates:
    """The rates of particles for the rate constants of ``network``; ``radii`` by reaction.

    Raises `CaseError` where a pair has no radius, where in three dimensions the rate constant
    depends on time or pairs cannot meet so often, and for what particles cannot have.
    """
    table = _Table(network, radii, motion)
    multipliers = {each.name: table.multiplier(each) for each in table.pairs}
    back = {each.name: multipliers.get(each.reverse or "", 1.0) for each in network.reactions}
    multipliers = back | multipliers
    reactions = (_converted(each, table, multipliers) for each in network.reactions)
    found = replace(network, reactions=tuple(reactions))
    channels = channels_of(found, radii)
    coarse = coarse_steps(channels, motion.diffusion, motion.dt, motion.dimension)
    return DoiRates(found, radii, multipliers, (*table.memories(), *coarse))


def rate_lost(
    dimension: int, rate: float, sigma: float, diffusion: float, duration: float
) -> float:
    """Share of the rate constant that is lost after ``duration``, in one or two dimensions.

    For V lambda_0 = ``rate``: with partners that are uniform at first, the rate of one target is
    K(t) = k/(1 + k/(4 pi D) [ln(4 D t/sigma^2) - gamma + 1/2]) in two dimensions, for D t >>
    sigma^2: exact at first order in k, and `doi_rate_within` with R = 2 exp(-gamma/2) sqrt(D t);
    k exp(x^2) erfc(x), x = k sqrt(t/D)/2, in one (a point that absorbs; Carslaw and Jaeger 2.7).
    """
    require(dimension in (1, 2), f"dimension must be 1 or 2; found {dimension!r}")
    require_positive(rate=rate, sigma=sigma, diffusion=diffusion, duration=duration)
    if dimension == 1:
        return 1.0 - float(erfcx(rate * math.sqrt(duration / diffusion) / 2))
    depth = math.log(4 * diffusion * duration / sigma**2) - np.euler_gamma + 0.5
    lost = max(rate * depth / (4 * math.pi * diffusion), 0.0)
    return lost / (1 + lost)


def ball_volume(dimension: int, radius: float) -> float:
    """2 r, pi r^2 or 4 pi r^3/3."""
    return math.pi ** (dimension / 2) / math.gamma(dimension / 2 + 1) * radius**dimension


@dataclass(frozen=True)
class _Table:
    """A network with what its pairs need."""

    network: Network
    radii: Mapping[str, float]
    motion: Motion

    @property
    def pairs(self) -> list[Reaction]:
        """Mass action between two particles."""
        return [each for each in self.network.reactions if each.rate and self.order(each) == 2]

    def order(self, reaction: Reaction) -> int:
        """How many particles meet."""
        return sum(count for name, count in reaction.reactants if name not in self.held)

    def radius(self, reaction: Reaction) -> float:
        radius = self.radii.get(reaction.name)
        if radius is None:
            message = "particles react in pairs within a radius"
            raise CaseError(message, key=f"{_key(reaction)}.radius", found=reaction.equation)
        return radius

    def multiplier(self, reaction: Reaction) -> float:
        """V lambda_0 / K; in three dimensions s^2/(3 phi), phi = 1 - tanh(s)/s."""
        self.radius(reaction)
        if self.motion.dimension < 3 or not _uses_up(reaction, self.held):
            return 1.0
        phi = self._meeting(reaction)
        back = self._reverse_pair(reaction)
        if back is not None:
            phi += self._meeting(back)
        if phi == 0:
            return 1.0
        if phi >= 1:
            raise self._too_fast(reaction, phi)
        return doi_reaction_rate(1.0, 1.0, 4 * math.pi * phi) / (3 * phi)

    def memories(self) -> Iterator[str]:
        """A warning for each pair that reacts noticeably less often than the equations say."""
        motion = self.motion
        if motion.dimension == 3:
            return
        for each in self.pairs:
            rate, both, sigma = self._constant(each, 0.0), self._both(each), self.radius(each)
            if rate <= 0 or not _uses_up(each, self.held):
                continue
            if both == 0:
                yield f"{each.name}: its particles do not move; pairs meet once or never"
                continue
            s = sigma * math.sqrt(rate / (ball_volume(motion.dimension, sigma) * both))
            lost = rate_lost(motion.dimension, rate, sigma, both, motion.duration)
            if lost > TOLERATED:
                yield (
                    f"{each.name}: in {motion.dimension}D particles use up their neighbours; after "
                    f"a time of {motion.duration:.3g} they react up to {lost:.1%} less often than "
                    f"the equations (s = sigma sqrt(lambda_0/D) = {s:.3g}, "
                    f"{_ratio(motion.dimension)} = {rate * _length(motion, sigma) / both:.3g})"
                )

    def _constant(self, reaction: Reaction, time: float | None = None) -> float:
        """K at a time; without one, it must be the same at all times."""
        held = self.held
        supply = [held[name] for name, count in reaction.reactants for _ in range(count)
                  if name in held]  # fmt: skip
        product = float(combinations(self._particles(reaction)))
        for factor in (*supply, *([reaction.rate] if reaction.rate else [])):
            if time is None and not factor.is_constant:
                message = "in three dimensions the rate constant of a pair is a number"
                raise CaseError(message, key=_key(reaction), found=str(factor))
            product *= float(factor.evaluate({"t": time or 0.0}))
        return product

    def _meeting(self, reaction: Reaction) -> float:
        """K / (4 pi D sigma)."""
        rate, both = self._constant(reaction), self._both(reaction)
        if rate and not both:
            message = "particles that do not move cannot have a rate constant"
            raise CaseError(message, key=_key(reaction), found=reaction.equation)
        return rate / (4 * math.pi * both * self.radius(reaction)) if rate else 0.0

    def _both(self, reaction: Reaction) -> float:
        return sum(count * self.motion.diffusion[name] for name, count in self._particles(reaction))

    def _particles(self, reaction: Reaction) -> tuple[tuple[str, int], ...]:
        return tuple((name, count) for name, count in reaction.reactants if name not in self.held)

    def _reverse_pair(self, reaction: Reaction) -> Reaction | None:
        """The reverse, where that is a reaction of pairs that are used up."""
        for each in self.pairs:
            if each.name != reaction.reverse or not _uses_up(each, self.held):
                continue
            if self.radius(each) != self.radius(reaction):
                message = "pairs that turn into each other need one radius in both directions"
                raise CaseError(message, key=f"{_key(reaction)}.radius", found=self.radius(each))
            return each
        return None

    def _too_fast(self, reaction: Reaction, phi: float) -> CaseError:
        least = phi * self.radius(reaction)
        return CaseError(
            f"pairs do not meet so often: k = {self._constant(reaction):.4g} needs "
            "k < 4 pi D sigma (summed over both directions of a reversible reaction)",
            key=f"{_key(reaction)}.radius",
            found=self.radius(reaction),
            valid=f"more than {least:.4g}; {least / one_minus_tanhc(1.0):.4g} has s = 1",
        )

    @property
    def held(self) -> Mapping[str, Expression]:
        return self.network.chemostats


def _converted(reaction: Reaction, table: _Table, multipliers: Mapping[str, float]) -> Reaction:
    """The reaction at its rate among particles."""
    if reaction.rate is None:
        return reaction
    factor = multipliers[reaction.name]
    if table.order(reaction) == 2:
        factor /= ball_volume(table.motion.dimension, table.radius(reaction))
    return replace(reaction, rate=_scaled(reaction.rate, factor))


def _scaled(rate: Expression, factor: float) -> Expression:
    if factor == 1.0:
        return rate
    if rate.is_constant:
        return Expression.constant(rate.value * factor)
    tree = Call("*", (rate.tree, factor))
    return Expression(write_tree(tree), tree)


def _uses_up(reaction: Reaction, held: Mapping[str, Expression]) -> bool:
    """Whether an event takes one of the two: otherwise the pairs stay as they are, and K = V
    lambda_0 in any dimension."""
    after = dict(reaction.products)
    return any(after.get(name, 0) < count for name, count in reaction.reactants if name not in held)


def _ratio(dimension: int) -> str:
    return "k sigma/D" if dimension == 1 else "k/D"


def _length(motion: Motion, sigma: float) -> float:
    return sigma if motion.dimension == 1 else 1.0


def _key(reaction: Reaction) -> str:
    return f"chemistry.reactions.{reaction.name}"
