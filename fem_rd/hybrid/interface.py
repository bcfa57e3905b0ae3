"""What particles see of a reservoir between two of its steps, and what they give it and take.

The reservoir is known by its concentrations at the nodes of a `Trace`. An insertion takes one
particle's amount from the nodes around its foot and a departure adds it there, in the same shares
by which the concentration at the foot is made: the exchange is that of a conserving flux, facet by
facet. All of this is plain arrays; the reservoir's own side comes for them once per step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fem_rd.hybrid.across_limits import bearable
from fem_rd.hybrid.trace import Trace
from fem_rd.particles.open_boundary_supply import Profile
from fem_rd.particles.state import Floats


@dataclass
class Interface:
    """One reservoir as all replicas see it that feed it.

    ``weight``: amount that a particle counts for, 1/replicas where they share the reservoir.
    ``relaxation``: the part of a change that particles see in the next step, (species, nodes), at
    most 1: less where steps are long for the mesh, which would make the exchange oscillate
    (`fem_rd.exact.hybrid_coupling`).

    Insertion needs concentrations that are not negative. Where the reservoir's are, what was not
    inserted is owed: later insertions are fewer by it, so that in the mean over time nothing is
    lost. ``owed``: concentration times steps, (species, nodes), 0 or negative.

    ``volumes``: what belongs to each node, (nodes,), infinite where nothing is taken. ``steps``: of
    the particles while they `see` the same, 0 where what they see changes within a step.
    """

    trace: Trace
    species: Sequence[str]
    volumes: Floats
    relaxation: float | Floats = 1.0
    weight: float = 1.0
    steps: int = 0
    owed: Floats = field(init=False)
    given: Floats = field(init=False)

    def __post_init__(self) -> None:
        nothing: Floats = np.zeros((len(self.species), len(self.trace.nodes)))
        self.owed, self.given = nothing.copy(), nothing.copy()
        self._found, self._shown = nothing, nothing
        self._slope: Floats | None = None
        self._begin = 0.0
        self._relaxed: Floats | None = None
        self._feet: list[dict[float, list[Floats]]] = [{-1.0: [], 1.0: []} for _ in self.species]

    def see(self, values: Floats) -> None:
        """Concentrations (species, nodes) that hold until the reservoir's next step."""
        if self._relaxed is None:
            self._relaxed = values
        self._relaxed = self._relaxed + self.relaxation * (values - self._relaxed)
        self._found = values
        self._shown = np.maximum(self._relaxed + self.owed, 0.0)
        self.owed += self._relaxed - self._shown
        self._slope = None

    def see_between(self, begin: float, before: Floats, end: float, after: Floats) -> None:
        """Concentrations at two times, linear in between: of a reservoir that is known ahead."""
        first, last = np.maximum(before, 0.0), np.maximum(after, 0.0)
        self._shown, self._begin = first, begin
        self._slope = np.asarray((last - first) / (end - begin), dtype=float)
        self._found = np.asarray((first + last) / 2, dtype=float)  # reactions see their mean

    def take_given(self) -> Floats:
        """Amounts (species, nodes) given since the last call, those taken being negative."""
        given, self.given = self.given, np.zeros_like(self.given)
        for row, feet in enumerate(self._feet):
            for sign, there in feet.items():
                if there:
                    places = np.concatenate(there, axis=1)
                    self.trace.deposit(places, sign * self.weight, given[row])
                    there.clear()
        return given

    def memory(self) -> Floats:
        """What lasts from one step to the next, (2, species, nodes), for `remember`."""
        relaxed = np.full_like(self.owed, np.nan) if self._relaxed is None else self._relaxed
        return np.array([relaxed, self.owed])

    def remember(self, memory: Floats) -> None:
        """Take over what `memory` gave."""
        self._relaxed = None if np.isnan(memory[0]).any() else memory[0].copy()
        self.owed[...] = memory[1]

    def at(self, species: str) -> Side:
        """One species, as an open boundary asks for it."""
        return Side(self, self.species.index(species))

    def feet_of(self, row: int) -> dict[float, list[Floats]]:
        """The feet of a species since the last `take_given`, by the sign of what is given."""
        return self._feet[row]

    def shown(self, row: int, time: float) -> Floats:
        """What insertion sees at the nodes, (nodes,)."""
        values = self._shown[row]
        return values if self._slope is None else values + (time - self._begin) * self._slope[row]

    def concentration_within(
        self, species: str, points: Floats
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Concentrations (n,) at points (dimension, n), and which lie in the reservoir's strip."""
        return self.trace.values_within(np.maximum(self._left(species), 0.0), points)

    def highest(self, species: str) -> float:
        """No concentration is larger."""
        return max(float(self._left(species).max(initial=0.0)), 0.0)

    def deposit_within(self, species: str, points: Floats, amounts: npt.ArrayLike) -> None:
        """Give amounts in particles (n,), or take them, at points (dimension, n) of the strip."""
        row = self.given[self.species.index(species)]
        self.trace.deposit_within(points, self.weight * np.asarray(amounts, dtype=float), row)

    def bears(self, species: str, points: Floats) -> npt.NDArray[np.bool_]:
        """Which debits of a particle each at points (dimension, n) of the strip, one after the
        other, leave no node with less than nothing."""
        row = self.species.index(species)
        there = self._found[row] * self.volumes + np.minimum(self.given[row], 0.0)
        hats = self.trace.within(points)
        return bearable(hats.nodes, self.weight * hats.weights, there)

    def _left(self, species: str) -> Floats:
        return self._found[self.species.index(species)]


@dataclass(frozen=True)
class Side:
    """A species of an `Interface`: a concentration along it, and a place to give to."""

    interface: Interface
    row: int

    @property
    def profile(self) -> Profile:
        """The concentration as an open boundary asks for it."""
        one = self.interface
        return Profile(self.value, self.maximum, one.steps, self.minimum, one)

    def value(self, feet: Floats, time: float) -> Floats:
        """The concentration (n,) at feet (dimension, n)."""
        values = self.interface.trace.values(self.interface.shown(self.row, time), feet)
        return np.maximum(values, 0.0)  # weights of a foot on an edge may be negative by round-off

    def maximum(self, time: float) -> float:
        """No value is larger at this time."""
        return float(self.interface.shown(self.row, time).max(initial=0.0))

    def minimum(self) -> float:
        """No value is less, while particles see the same."""
        return max(float(self.interface.shown(self.row, 0.0).min()), 0.0)

    def exchanged(self, inserted: Floats, left: Floats) -> None:
        """Take those inserted at their feet (dimension, n), and add those who left at theirs.

        Feet are kept until `Interface.take_given` looks for their nodes, for all steps at once.
        """
        kept = self.interface.feet_of(self.row)
        kept[-1.0].append(inserted)
        kept[1.0].append(left)
