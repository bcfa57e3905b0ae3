"""Reactions at the nodes of a space: what the numerics ask of the chemistry of a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fem_rd.case.base import joined
from fem_rd.case.chemistry import Chemistry
from fem_rd.chemistry.nodal import NodalChemistry
from fem_rd.equations.nonlocal_reaction import NonlocalReactions
from fem_rd.errors import CaseError
from fem_rd.models.assembly import Array
from fem_rd.models.place import Place
from fem_rd.models.transport import Transport
from fem_rd.numerics.ball_average import BallAverage


class ReactionSources:
    """Sources of the unknowns by all reactions of a case, local and nonlocal.

    The unknowns are activities u = c exp(U), so du/dt = exp(U) dc/dt; without potentials they are
    the concentrations themselves and nothing is copied. ``measure``, shape (species, nodes), makes
    concentrations of the unknowns; it is None where they are that already. ``shares``, by the name
    of a local reaction: the part, (nodes,), of its rate with which it happens at each node.
    ``supply``: what else enters, amount per volume and time, (species, nodes); None for nothing.
    """

    def __init__(
        self,
        chemistry: Chemistry,
        place: Place,
        transports: Sequence[Transport],
        shares: Mapping[str, Array],
    ) -> None:
        network = chemistry.network
        local = [each for each in network.reactions if each.name not in chemistry.radii]
        where = {name: place.share(region) for name, region in chemistry.regions.items()}
        where |= {name: share * where.get(name, 1.0) for name, share in shares.items()}
        self.nodal = NodalChemistry(
            replace(network, reactions=tuple(local)), place.positions, where
        )
        self.changes: Array = network.stoichiometry.astype(float)
        self.volumes = place.volumes
        boltzmann = np.array([transport.boltzmann_at_nodes for transport in transports])
        self.factors: Array = 1.0 / boltzmann
        self.supply: Array | None = None
        self.measure = None if np.all(boltzmann == 1.0) else boltzmann
        self._local = np.array([each in local for each in network.reactions])
        self._nonlocal = _nonlocal(chemistry, place)

    @property
    def reactions(self) -> int:
        """How many there are."""
        return len(self._local)

    def concentrations(self, values: Array) -> Array:
        """c of the unknowns, both of shape (species, nodes)."""
        return values if self.measure is None else values * self.measure

    def evaluate(self, time: float, values: Array, out: Array) -> None:
        """The rate of change of each unknown by reactions, into ``out``. Collective."""
        concentrations = self.concentrations(values)
        self.nodal.sources(time, concentrations, out)
        if self._nonlocal is not None:
            self._nonlocal.add_sources(time, concentrations, out)
        if self.supply is not None:
            out += self.supply
        if self.measure is not None:
            out *= self.factors

    def totals(self, time: float, values: Array) -> Array:
        """Events per time of each reaction on this rank, shape (reactions,). Collective."""
        concentrations = self.concentrations(values)
        local: Array = self.nodal.totals(time, concentrations, self.volumes)
        if self._nonlocal is None:
            return local
        totals = np.empty(self.reactions)
        totals[self._local] = local
        totals[~self._local] = self._nonlocal.totals(time, concentrations, self.volumes)
        return totals

    def rates(self, time: float, values: Array) -> Array:
        """Events per volume and time, shape (reactions, nodes); local reactions only."""
        rates: Array = self.nodal.rates(time, self.concentrations(values))
        return rates

    @property
    def pattern(self) -> Sequence[tuple[int, int]]:
        """Pairs (i, j) for which the source of species i depends on species j at the node."""
        return self.nodal.pattern

    def jacobian(self, time: float, values: Array) -> Array:
        """d source_i / d u_j for each pair of the pattern, shape (pairs, nodes)."""
        entries: Array = self.nodal.jacobian(time, self.concentrations(values))
        if self.measure is not None:
            for row, (i, j) in enumerate(self.pattern):
                entries[row] *= self.measure[j] * self.factors[i]
        return entries


def _nonlocal(chemistry: Chemistry, place: Place) -> NonlocalReactions | None:
    """Reactions within a radius; those of the same radius share the operator. Collective."""
    if not chemistry.radii:
        return None
    averages: dict[float, BallAverage] = {}
    for name, radius in chemistry.radii.items():
        if radius not in averages:
            try:
                averages[radius] = BallAverage(place.space, place.volumes, radius)
            except CaseError as error:
                key = f"{joined('chemistry.reactions', name)}.radius"
                raise error.at(key=key) from None
    network = chemistry.network
    return NonlocalReactions(
        network.species,
        [
            (reaction, averages[chemistry.radii[reaction.name]])
            for reaction in network.reactions
            if reaction.name in chemistry.radii
        ],
    )
