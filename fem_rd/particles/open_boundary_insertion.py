"""What schemes plan for a step: a layer to thin, candidates to be drawn and where they are put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import Indices
from fem_rd.particles.state import Floats

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

    def shared(self, parts: int, generator: np.random.Generator) -> list[Candidates]:
        """Shared out by lot among as many parts, all alike."""
        count = self.points.shape[1]
        numbers = generator.multinomial(count, [1 / parts] * parts)
        ends = [int(end) for end in numbers.cumsum()]
        return [
            Candidates(
                self.points[:, begin:end],
                self.feet[:, begin:end],
                None if self.cells is None else self.cells[begin:end],
            )
            for begin, end in zip([0, *ends], ends, strict=False)
        ]


@dataclass(frozen=True)
class Insertion:
    """Poisson(c_R ``volume``) candidates; ``draw`` gives those of them that came through.

    ``moment``: the time within the step, as a fraction of dt, at which c_R is taken.
    """

    volume: float
    draw: Callable[[int, Luck], Candidates]
    moment: float


@dataclass(frozen=True)
class Plan:
    """What a scheme does in a step: thin a layer and insert before it, insert after it."""

    thinned: float = 0.0
    probability: float = 0.0
    before: tuple[Insertion, ...] = ()
    after: tuple[Insertion, ...] = ()

    @property
    def swept(self) -> float:
        """The volume for which candidates are drawn."""
        return sum(insertion.volume for insertion in (*self.before, *self.after))


def at_depths(volume: float, opening: Opening, depths: Depths, moment: float) -> Insertion:
    """Candidates at depths over places drawn uniformly on the interface."""

    def draw(count: int, luck: Luck) -> Candidates:
        points, feet = opening.place(depths(count, luck.generator), luck.generator)
        return Candidates(points, feet)

    return Insertion(volume, draw, moment)
