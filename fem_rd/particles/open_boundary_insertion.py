"""What schemes plan for a step: a layer to thin, candidates to be drawn and where they are put."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from fem_rd.particles.open_boundary_crossing import Arrivals, Doorway
from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import Indices
from fem_rd.particles.state import Floats, compact

Ends = list[list[int]]
Depths = Callable[[int, np.random.Generator], Floats]


@dataclass(frozen=True)
class Luck:
    """The random numbers of one insertion: a generator, and streams of its own for trial steps."""

    generator: np.random.Generator
    streams: Streams
    step: int


@dataclass(frozen=True)
class Candidates:
    """Where particles are put and where they came through the interface, both (dimension, n).

    ``cells`` (n,): those of a mesh that they are in, where that is known.
    """

    points: Floats
    feet: Floats
    cells: Indices | None = None

    def only(self, chosen: npt.NDArray[np.bool_] | None) -> Candidates:
        """Those of a mask; all for None."""
        if chosen is None:
            return self
        cells = None if self.cells is None else self.cells[chosen]
        return Candidates(self.points[:, chosen], self.feet[:, chosen], cells)

    def between(self, begin: int, end: int) -> Candidates:
        """Those with places from ``begin`` to ``end``, which is left out."""
        cells = None if self.cells is None else self.cells[begin:end]
        return Candidates(self.points[:, begin:end], self.feet[:, begin:end], cells)

    def shared(self, parts: int, generator: np.random.Generator) -> list[Candidates]:
        """Shared out by lot among as many parts, all alike."""
        count = self.points.shape[1]
        numbers = generator.multinomial(count, [1 / parts] * parts)
        ends = [int(end) for end in numbers.cumsum()]
        return [self.between(*pair) for pair in zip([0, *ends], ends, strict=False)]


@dataclass(frozen=True)
class Insertion:
    """Poisson(c_R ``volume``) candidates; ``draw`` gives those of them that came through.

    ``moment``: the time within the step, as a fraction of dt, at which c_R is taken.
    """

    volume: float
    draw: Callable[[int, Luck], Candidates]
    moment: float


@dataclass(frozen=True)
class Passage:
    """Poisson(c_R ``volume``) candidates that a ``doorway`` draws, for many steps at once.

    ``clear``: the depth in sqrt(4 D dt) up to which none can be outside of the domain. ``cells`` of
    a mesh beside the facets of the doorway, where there are any.
    """

    doorway: Doorway
    clear: float = 0.0
    cells: Indices | None = None

    @property
    def volume(self) -> float:
        """Length^dimension."""
        return self.doorway.volume


@dataclass(frozen=True)
class Plan:
    """What a scheme does in a step: thin a layer and insert before it, insert after it.

    ``passage``: who comes in through a plane or a sphere, after it.
    """

    thinned: float = 0.0
    probability: float = 0.0
    before: tuple[Insertion, ...] = ()
    after: tuple[Insertion, ...] = ()
    passage: Passage | None = None

    @property
    def swept(self) -> float:
        """The volume for which candidates are drawn."""
        volume = sum(insertion.volume for insertion in (*self.before, *self.after))
        return volume + (self.passage.volume if self.passage else 0.0)


@dataclass(frozen=True)
class Ahead:
    """Who comes in in the steps from ``first`` on: those of ``candidates`` between ``ends``."""

    first: int
    candidates: Candidates
    ends: Sequence[int]

    def has(self, step: int) -> bool:
        """Whether the step is one of them."""
        return 0 <= step - self.first < len(self.ends) - 1

    def at(self, step: int) -> Candidates:
        """Who comes in in a step."""
        row = step - self.first
        return self.candidates.between(self.ends[row], self.ends[row + 1])


def passed(
    passage: Passage,
    arrivals: Arrivals,
    accepted: npt.NDArray[np.bool_] | None,
    locate: Callable[[Floats], Indices] | None,
) -> tuple[Candidates, Ends]:
    """Those who are accepted, and inside, of a passage; and for each group the ends of its steps.

    With the cells that they are in, as far as those are known.
    """
    cells, chosen = None, accepted
    if locate is not None:
        beside, deep = passage.cells, np.flatnonzero(arrivals.depths >= passage.clear)
        known = np.full(arrivals.depths.size, -1) if beside is None else beside[arrivals.facets]
        cells = known.astype(np.int32)
        cells[deep] = locate(arrivals.points[:, deep])
        if (cells[deep] < 0).any():
            chosen = np.ones(cells.size, dtype=bool) if chosen is None else chosen
            chosen[deep] &= cells[deep] >= 0
    points, feet, ends = arrivals.points, arrivals.feet, arrivals.ends
    if chosen is not None:
        gone = np.flatnonzero(~chosen)
        rows = [*points, *feet] if cells is None else [*points, *feet, cells]
        compact(rows, chosen.size, gone)
        left = chosen.size - gone.size
        points, feet = points[:, :left], feet[:, :left]
        cells = None if cells is None else cells[:left]
        ends = ends - np.searchsorted(gone, ends)
    before = np.concatenate([[0], ends[:-1, -1]])
    return Candidates(points, feet, cells), cast(Ends, np.column_stack([before, ends]).tolist())


def at_depths(volume: float, opening: Opening, depths: Depths, moment: float) -> Insertion:
    """Candidates at depths over places drawn uniformly on the interface."""

    def draw(count: int, luck: Luck) -> Candidates:
        points, feet = opening.place(depths(count, luck.generator), luck.generator)
        return Candidates(points, feet)

    return Insertion(volume, draw, moment)
