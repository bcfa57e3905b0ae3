"""Reactions across an interface as the particle on its own side sees them.

A reaction of two has two roles: the particle may be its first or its second reactant, the partner
in the reservoir is the other. Two equal molecules take the roles by lot, each at half of the rate.
What undoes a reaction of two puts its second product into a ball; it has one role, in which that
product falls into the reservoir.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from fem_rd.errors import CaseError
from fem_rd.particles.reactions_rates import Rate
from fem_rd.particles.reactions_table import Channel, Place


@dataclass(frozen=True)
class Role:
    """What a particle of ``species`` does with a place of the reservoir within ``radius``.

    ``rate`` times ``share``: of each pair with a molecule of ``partner``; where that is None, of
    the particle, into a place of the ball. ``consumed``: whether the particle is gone afterwards,
    ``debited``: whether the partner is; ``made``: new particles at the place of the old one,
    ``given``: what appears in the reservoir. ``channel``: the place of the reaction in the network.
    """

    channel: int
    species: str
    partner: str | None
    rate: Rate
    share: float
    radius: float
    consumed: bool
    debited: bool
    made: tuple[str, ...]
    given: tuple[str, ...]

    @property
    def asked(self) -> str:
        """A species by which the reservoir says where it is."""
        return self.partner or self.given[0]


def roles_of(
    channels: Sequence[Channel], held: Collection[str], multipliers: Mapping[str, float]
) -> tuple[Role, ...]:
    """All roles that particles have with a reservoir of the species ``held``.

    Rates are those of the channels over the ``multipliers`` of the reactions, 1 if not named.
    Raises `CaseError` where something would have to appear in the reservoir that it does not hold.
    """
    roles = []
    for index, channel in enumerate(channels):
        if channel.order == 2:
            roles += [_meeting(index, channel, end) for end in (Place.FIRST, Place.SECOND)]
        elif channel.order == 1 and any(place is Place.BALL for _, place in channel.made):
            roles.append(_parting(index, channel))
    found = tuple(role for role in roles if role.partner is None or role.partner in held)
    for role in found:
        for name in role.given:
            if name not in held:
                message = "a product in the reservoir is a species that the reservoir holds"
                key = f"chemistry.reactions.{channels[role.channel].name}"
                raise CaseError(message, key=key, found=name, valid=tuple(held))
    slower = [multipliers.get(channels[role.channel].name, 1.0) for role in found]
    return tuple(replace(role, share=role.share / m) for role, m in zip(found, slower, strict=True))


def _meeting(index: int, channel: Channel, end: Place) -> Role:
    other = Place(1 - end)
    made = {place: tuple(name for name, at in channel.made if at is place) for place in Place}
    return Role(
        channel=index,
        species=channel.species[end],
        partner=channel.species[other],
        rate=channel.rate,
        share=0.5 if channel.species[0] == channel.species[1] else 1.0,
        radius=channel.radius,
        consumed=not channel.stays[end],
        debited=not channel.stays[other],
        made=made[end],
        given=made[other],
    )


def _parting(index: int, channel: Channel) -> Role:
    return Role(
        channel=index,
        species=channel.species[0],
        partner=None,
        rate=channel.rate,
        share=1.0,
        radius=channel.radius,
        consumed=not channel.stays[0],
        debited=False,
        made=tuple(name for name, place in channel.made if place is not Place.BALL),
        given=tuple(name for name, place in channel.made if place is Place.BALL),
    )
