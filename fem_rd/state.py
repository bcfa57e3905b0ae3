"""What must be kept so that a run can go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Positions = Array | Mapping[str, Array]
"""Where the unknowns are that a rank owns, (owned, 3): of all, or of each part of a state that has
an order of its own, by the name that `State.within` gave it."""


@dataclass(frozen=True)
class State:
    """The state of a model or of a part of it.

    ``distributed``: arrays whose last axis runs over this rank's owned unknowns, of the state or of
    that part of it (`Positions`).
    ``replicated``: arrays that are the same on every rank; a number has the shape ().
    """

    distributed: Mapping[str, Array] = field(default_factory=dict)
    replicated: Mapping[str, Array] = field(default_factory=dict)

    def within(self, name: str) -> State:
        """The same state as a part called ``name`` of a larger one."""
        return State(
            {f"{name}.{key}": value for key, value in self.distributed.items()},
            {f"{name}.{key}": value for key, value in self.replicated.items()},
        )

    def part(self, name: str) -> State:
        """The part that was put in by `within`."""
        start = f"{name}."
        return State(
            {k.removeprefix(start): v for k, v in self.distributed.items() if k.startswith(start)},
            {k.removeprefix(start): v for k, v in self.replicated.items() if k.startswith(start)},
        )

    def __or__(self, other: State) -> State:
        return State(
            {**self.distributed, **other.distributed}, {**self.replicated, **other.replicated}
        )

    def number(self, name: str) -> float:
        """A replicated number."""
        return float(self.replicated[name])
