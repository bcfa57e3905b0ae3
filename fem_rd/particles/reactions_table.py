"""Reactions of a network as particles have them: who meets, who stays, who appears where.

A product that is also a reactant stays where that was and who it was. The others are new: they take
the free places of reactants in the order in which both are written, and any more the place of the
first, as in the nonlocal reactions of concentrations. What undoes a reaction with a radius puts its
second product uniformly into the ball of that radius around the first, the place that the forward
reaction leaves empty: with that, every pair goes both ways at rates in detailed balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from fem_rd.chemistry.network import Complex, Network, Reaction, combinations
from fem_rd.errors import CaseError, nearest
from fem_rd.particles.reactions_rates import Rate


class Place(IntEnum):
    """Where a product appears."""

    FIRST = 0
    SECOND = 1
    BALL = 2  # around FIRST


@dataclass(frozen=True)
class Channel:
    """A reaction of 0, 1 or 2 particles.

    ``rate`` of each particle or pair within ``radius`` (1/time), or of each volume for none.
    ``stays`` says which reactants are there afterwards, ``made`` which species appear where.
    ``radius`` is also that of the ball of products, 0 where there is neither.
    """

    name: str
    species: tuple[str, ...]
    stays: tuple[bool, ...]
    made: tuple[tuple[str, Place], ...]
    rate: Rate
    radius: float = 0.0

    @property
    def order(self) -> int:
        """How many particles meet."""
        return len(self.species)


def channels_of(network: Network, radii: Mapping[str, float]) -> tuple[Channel, ...]:
    """The reactions of a network; ``radii`` by the name of the reaction.

    Chemostats are not particles: a reaction with one happens at a rate that has its concentration
    as a factor. Raises `CaseError` for what particles cannot do: laws, three that meet, a pair
    without a radius.
    """
    names = {reaction.name: reaction for reaction in network.reactions}
    for name, radius in radii.items():
        if name not in names:
            message = f"there is no reaction {name!r}{nearest(name, names)}"
            raise CaseError(message, valid=tuple(names))
        if not 0 < radius < float("inf"):
            raise CaseError("the radius of a reaction", key=_key(name), found=radius, valid="> 0")
    return tuple(_channel(reaction, network, radii) for reaction in network.reactions)


def _channel(reaction: Reaction, network: Network, radii: Mapping[str, float]) -> Channel:
    held = network.chemostats
    particles = tuple((name, count) for name, count in reaction.reactants if name not in held)
    species = _molecules(particles)
    if reaction.rate is None or len(species) > 2:
        message = "particles react alone or in pairs, by mass action"
        raise CaseError(
            message, key=_key(reaction.name), found=str(reaction.law or reaction.equation)
        )
    radius = radii.get(reaction.name, 0.0)
    if (len(species) == 2) != (radius > 0):
        message = "a reaction of two particles has a radius, others have none"
        raise CaseError(message, key=f"{_key(reaction.name)}.radius", found=reaction.equation)
    supply = [(held[name], count) for name, count in reaction.reactants if name in held]
    factors = tuple(value for value, count in supply for _ in range(count))
    rate = Rate((reaction.rate, *factors), float(combinations(particles)))
    if len(species) == 2 and not rate.uniform:
        message = "the rate of a reaction of two particles may depend on time, not on place"
        raise CaseError(message, key=_key(reaction.name), found=str(reaction.rate))
    products = [name for name in _molecules(reaction.products) if name not in held]
    back = radii.get(reaction.reverse or "", 0.0)
    apart = not radius and back > 0
    stays, made = placed(species, products, apart=apart)
    return Channel(reaction.name, species, stays, made, rate, radius or (back if apart else 0.0))


def placed(
    species: Sequence[str], products: Sequence[str], *, apart: bool = False
) -> tuple[tuple[bool, ...], tuple[tuple[str, Place], ...]]:
    """Which reactants stay, and where each new particle appears.

    ``apart``: the last product goes into the ball around the first.
    """
    stays, homeless = [False] * len(species), []
    for product in products:
        for place, reactant in enumerate(species):
            if reactant == product and not stays[place]:
                stays[place] = True
                break
        else:
            homeless.append(product)
    free = [Place(place) for place, kept in enumerate(stays) if not kept]
    made = [(name, free.pop(0) if free else Place.FIRST) for name in homeless]
    if apart and made:
        made[-1] = (made[-1][0], Place.BALL)
    return tuple(stays), tuple(made)


def _molecules(side: Complex) -> tuple[str, ...]:
    return tuple(name for name, count in side for _ in range(count))


def _key(name: str) -> str:
    return f"chemistry.reactions.{name}"
