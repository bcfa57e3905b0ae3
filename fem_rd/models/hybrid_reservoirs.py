"""The sides of the reservoir: a PDE beside the particles, one that is known ahead, a stored run."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.hybrid.interface import Interface
from fem_rd.hybrid.node_exchange import NodeExchange
from fem_rd.models.reaction_diffusion import ReactionDiffusionModel

Array = npt.NDArray[np.float64]


class Reservoir(Protocol):
    """What shows its concentrations to an interface, and gets what passes there."""

    @property
    def model(self) -> ReactionDiffusionModel:
        """What is solved."""
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
    nodes, evenly over that step: `docs/hybrid-coupling.md` has order and stability.
    """

    def __init__(
        self, model: ReactionDiffusionModel, interface: Interface, exchange: NodeExchange
    ) -> None:
        self.model, self.interface, self._exchange = model, interface, exchange

    def begin(self, time: float, end: float) -> None:
        """Show the present concentrations. Collective."""
        self.interface.see(self._exchange.gather(self.model.concentrations()))

    def finish(self, end: float) -> None:
        """Add what was given, and take a step. Collective."""
        given = self._exchange.spread(self.interface.take_given())
        self.model.deposit(given, end - self.model.time)
        self.model.advance(end)


class AheadReservoir:
    """A PDE on the whole mesh, which does not notice the particles: one-way.

    It takes its step first, and particles see it change linearly in time: of second order.
    """

    def __init__(
        self, model: ReactionDiffusionModel, interface: Interface, exchange: NodeExchange
    ) -> None:
        self.model, self.interface, self._exchange = model, interface, exchange

    def begin(self, time: float, end: float) -> None:
        """Take a step, and show both its ends. Collective."""
        before = self._exchange.gather(self.model.concentrations())
        self.model.advance(end)
        after = self._exchange.gather(self.model.concentrations())
        self.interface.see_between(time, before, end, after)

    def finish(self, end: float) -> None:
        """Forget what was given. Not collective."""
        self.interface.take_given()


