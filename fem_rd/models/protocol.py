"""What the simulation knows of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from dolfinx import fem

from fem_rd.log import Log
from fem_rd.observables import Observable
from fem_rd.output.results import ResultsDirectory
from fem_rd.state import Positions, State

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Field:
    """A function to be written, with its unit."""

    function: fem.Function
    unit: str


@dataclass(frozen=True)
class Prediction:
    """A closed form that the model knows for this very case."""

    value: float
    source: str


@dataclass(frozen=True)
class Curve:
    """An exact curve of an observable over time, or of a field along a coordinate.

    ``coordinate`` is "t" for a series, otherwise the coordinate of a profile at ``time``.
    """

    name: str
    coordinate: str
    x: Array
    value: Array
    source: str
    time: float = 0.0


@dataclass(frozen=True)
class Exact:
    """All that is known in closed form about a case; empty for most."""

    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    curves: Sequence[Curve] = ()


class Model(Protocol):
    """Something with a time that can go on to the next, and be looked at."""

    @property
    def time(self) -> float:
        """The time reached; minus infinity before a steady state is solved for."""
        ...

    @property
    def steps(self) -> int:
        """Steps taken."""
        ...

    def advance(self, limit: float) -> None:
        """One step, not beyond ``limit``. Raises `NumericalError`. Collective."""
        ...

    def observables(self) -> Sequence[Observable]:
        """What is measured at the present time. Collective."""
        ...

    def fields(self) -> Mapping[str, Field]:
        """Fields at the present time, by name. Collective."""
        ...

    def exact(self) -> Exact:
        """Closed forms to compare with."""
        ...

    def state(self) -> State:
        """Everything that `restore` needs to go on as if nothing had happened."""
        ...

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        ...

    def positions(self) -> Positions:
        """Where this rank's owned unknowns are, shape (owned, 3), as `State` orders them."""
        ...

    def unknowns(self) -> Mapping[str, int]:
        """Number of unknowns of each field, over all ranks."""
        ...

    def describe(self) -> Mapping[str, str]:
        """What a run does, for people: unknowns, scheme, solver."""
        ...


class Output(Protocol):
    """Files of a model's own, written at the times of fields."""

    def write(self, time: float) -> None:
        """Add what there is at this time. Collective."""
        ...

    def close(self) -> None:
        """Close the files. Not collective."""
        ...


@runtime_checkable
class WithOutput(Protocol):
    """A model that writes more than fields on a mesh."""

    def open_output(
        self, results: ResultsDirectory, log: Log, *, trajectories: bool, resumed: bool
    ) -> Output:
        """Open the files; ``trajectories``: whether to write large ones too. Collective."""
        ...
