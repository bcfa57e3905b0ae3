"""Reservoirs of a hybrid run: a PDE beside the particles, or one that is known ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.hybrid.flux_noise import FluxNoise
from fem_rd.hybrid.interface import Interface
from fem_rd.hybrid.node_exchange import NodeExchange
from fem_rd.models.place import Place
from fem_rd.models.reaction_diffusion.model import ReactionDiffusionModel
from fem_rd.observables import Observable
from fem_rd.state import State

Array = npt.NDArray[np.float64]


class Fields(Protocol):
    """Concentrations that go on in time: of a `ReactionDiffusionModel` or a `StoredRun`."""

    @property
    def place(self) -> Place:
        """The nodes."""
        ...

    @property
    def volumes(self) -> Array:
        """What belongs to each owned node, (owned,)."""
        ...

    def advance(self, limit: float) -> None:
        """One step, to the time ``limit``. Collective."""
        ...

    def concentrations(self) -> Array:
        """At the owned nodes, (species, owned)."""
        ...

    def observables(self) -> Sequence[Observable]:
        """What is measured now. Collective."""
        ...

    def positions(self) -> Array:
        """Where the owned nodes are, (owned, 3)."""
        ...

    def state(self) -> State:
        """Everything that `restore` needs."""
        ...

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        ...


class Reservoir(Protocol):
    """What shows its concentrations to an interface, and gets what passes there."""

    @property
    def model(self) -> Fields:
        """What is solved, or was."""
        ...

    @property
    def interface(self) -> Interface:
        """As particles see it."""
        ...

    def begin(self, time: float, end: float) -> None:
        """Show what particles are to see from ``time`` to ``end``. Collective."""
        ...

    def finish(self, end: float) -> None:
        """Take what they gave, and go on to ``end``. Collective."""
        ...


class BesideReservoir:
    """The PDE where the particles are not: two-way.

    Particles see its concentrations as they are when its step begins. What they gave enters at its
    nodes, evenly over that step, and so do fluctuations of the flux where there is ``noise``, for a
    reservoir that this rank has whole: `docs/hybrid-coupling.md` has order, stability and law.
    """

    def __init__(
        self,
        model: ReactionDiffusionModel,
        interface: Interface,
        exchange: NodeExchange,
        noise: FluxNoise | None = None,
    ) -> None:
        self.model, self.interface, self.exchange = model, interface, exchange
        self.noise = noise

    def begin(self, time: float, end: float) -> None:
        """Show the present concentrations. Collective."""
        self.interface.see(self.exchange.gather(self.model.concentrations()))

    def finish(self, end: float) -> None:
        """Add what was given, and take a step. Collective."""
        given = self.exchange.spread(self.interface.take_given())
        duration = end - self.model.time
        if self.noise is not None:
            now = self.model.concentrations()
            given += self.noise.amounts(now, duration, self.model.steps)
        self.model.deposit(given, duration)
        self.model.advance(end)


class AheadReservoir:
    """Fields on the whole mesh, which do not notice the particles: one-way.

    A PDE takes its step first, and particles see it change linearly in time: of second order in
    the step of the PDE. Planes and spheres are exact for that at any step of the particles; shapes
    that need trial steps insert by one time in each, which is of first order.
    """

    def __init__(self, model: Fields, interface: Interface, exchange: NodeExchange) -> None:
        self.model, self.interface, self.exchange = model, interface, exchange

    def begin(self, time: float, end: float) -> None:
        """Take a step, and show both its ends. Collective."""
        before = self.exchange.gather(self.model.concentrations())
        self.model.advance(end)
        after = self.exchange.gather(self.model.concentrations())
        self.interface.see_between(time, before, end, after)

    def finish(self, end: float) -> None:
        """Forget what was given. Not collective."""
        self.interface.take_given()
