"""Reactions of particles that do not move: exact, so that only the splitting from motion errs.

The molecules of a system react for some time where they are. Every molecule and every pair within
reach has its own exponential clock, whose random number belongs to the identities of those who
react; what happens first happens, its reactants are gone for all that comes later, and its products
react on in what is left of the time. So competition is exact, and the law of the result is that of
the master equation at fixed positions, for any duration.

With motion M and reactions R, one step M(dt/2) R(dt) M(dt/2) or R(dt/2) M(dt) R(dt/2) has an error
of order dt^2, and of dt^(3/2) from the edge of Doi's ball: `fem_rd.exact.doi.doi_step_bias`. Which
of the two a `Stepper` takes does not matter for either: repeated, both alternate M(dt) and R(dt).
Detailed balance is kept exactly at any dt: R and M have the same equilibrium.
"""

from __future__ import annotations

from collections.abc import Mapping

from fem_rd.chemistry.network import Network
from fem_rd.particles.neighbours import Grid, Sorted, extent, periodic_axes
from fem_rd.particles.random import Purpose
from fem_rd.particles.reactions_births import Births, Source, Space
from fem_rd.particles.reactions_stretch import Arranged, Setting, Span, react
from fem_rd.particles.reactions_table import channels_of
from fem_rd.particles.state import Integers, System
from fem_rd.particles.walls import Wall


class Reactions:
    """The reactions of a network among the particles of a domain.

    ``radii``: the distance within which two particles react, by the name of the reaction; its rate
    constant is that of each pair within it (for 2 A -> ..., k of `Reaction` is half of that).
    Periodic ``walls`` of the domain matter, others do not. Raises `CaseError` for reactions that
    particles cannot have.
    """

    def __init__(
        self,
        network: Network,
        domain: Space,
        radii: Mapping[str, float] | None = None,
        walls: Mapping[str, Wall] | None = None,
    ) -> None:
        self.channels = channels_of(network, radii or {})
        self._domain, self._corners = domain, extent(domain)
        self._periodic = periodic_axes(domain, walls or {})
        self._sorted: dict[str, Sorted] = {}
        self._sources = {
            i: Source(channel.rate, domain)
            for i, channel in enumerate(self.channels)
            if not channel.order
        }
        self._settings: dict[tuple[str, ...], Setting] = {}
        self._pairing = [channel for channel in self.channels if channel.order == 2]

    @property
    def names(self) -> tuple[str, ...]:
        """The reactions, in the order of their numbers of events."""
        return tuple(channel.name for channel in self.channels)

    @property
    def reach(self) -> float:
        """The largest radius of a reaction of two, 0 without one."""
        return max((channel.radius for channel in self._pairing), default=0.0)

    def apply(self, system: System, begin: float, duration: float, stage: int = 0) -> Integers:
        """Let the particles react from ``begin`` on; how often each reaction happened.

        The populations change, and may change their order. ``stage`` (0 to 255) tells the calls of
        one step apart. Rates that depend on time are those of the middle.
        """
        setting, span = self._setting(system.species), Span(begin + duration / 2, duration, stage)
        arranged = Arranged(self._grid(system), self._sorted)
        return react(system, setting, arranged, span, self._births(system, span))

    def _setting(self, species: tuple[str, ...]) -> Setting:
        """Kept, with what kernels are told."""
        if species not in self._settings:
            self._settings[species] = Setting(self.channels, self._domain, species)
            for name in species:
                self._sorted.setdefault(name, Sorted())
        return self._settings[species]

    def _grid(self, system: System) -> Grid:
        """All who react in pairs, sorted by cell."""
        pairing = dict.fromkeys(name for channel in self._pairing for name in channel.species)
        most = max((system[name].count for name in pairing), default=0)
        grid = Grid.fitting(self._corners, self._periodic, self.reach, most)
        for name in pairing:
            self._sorted[name].sort(system[name], grid)
        return grid

    def _births(self, system: System, span: Span) -> dict[int, Births]:
        found = {}
        for index, source in self._sources.items():
            draw = 256 * index + span.stage
            generator = system.streams.generator(system.step, Purpose.ZEROTH_ORDER, draw)
            found[index] = source.births(span.middle, span.duration, generator)
        return found
