"""Insertion by time reversal: an open wall of any shape, exact at rest for any step.

Why it is right. Let P(x, y) dy be the law of one step of the engine among those who stay, with all
walls as they are, and a(x) the probability that the open wall takes who starts at x. Where paths
may be walked backwards, P is symmetric, P(x, y) = P(y, x); every x either stays or is taken, so
that int P(y, x) dx = 1 - a(y). Let particles of uniform density c take a step. Who stays has at y
the density

    int c P(x, y) dx = c int P(y, x) dx = c (1 - a(y)):

what is missing to c is c a(y), the density of those who would be taken if they *started* at y.
This is how it is drawn: candidates of density c, each of which takes one trial step; those whom
the open wall takes are inserted where they started. Poisson numbers stay Poisson by thinning and
by adding what is independent: if particles were Poisson of density c before the step, they are
after it, with independent numbers in disjoint places, for any dt, any shape, any corner, and
beside walls that reflect. With several open walls, each inserts those whom it takes itself, with
its own c; a wall that absorbs has c = 0.

Under a current. The density of those who came from a reservoir of constant c during dt and are
inside at its end is c times the probability that Brownian motion from y meets it within dt, which
is a(y): insertion is as exact as the wall is in taking particles (a plane: at any dt, and the law
is that of `Crossing`). Where c varies along the wall it is that at the foot, the place where the
trial was taken: of first order in dt.

Steps of `Box` and `MeshRegion` are symmetric at planes, corners and walls of any shape that
reflect, absorb or absorb in part; of bridges past facets of several walls or past facets at more
than 60 degrees to each other the order in which they are asked matters to the place, and at first
order in nothing else. Spheres are symmetric where they take, circles too, although their bridges
are not exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from fem_rd.particles.domains import Domain, Mobility
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.open_boundary_insertion import Candidates, Insertion, Luck, Plan
from fem_rd.particles.open_boundary_near import Depth, Near, near_wall
from fem_rd.particles.open_boundary_places import Opening
from fem_rd.particles.state import Population
from fem_rd.particles.walls import Open, Wall

REACH = 5.0
"""Standard deviations of a step within which candidates start; 1e-7 of all come from beyond."""


@dataclass(frozen=True)
class Reversal:
    """`crossing` by trial steps: who touches the wall leaves, who would have done so comes in.

    ``domain`` and ``walls`` are those in which the particles move, the open wall among them. For
    particles without drift. Costs some ten trial steps for each particle that comes in.
    """

    domain: Domain
    walls: Mapping[str, Wall]
    name: ClassVar[str] = "crossing"
    layered: ClassVar[bool] = False
    _near: dict[tuple[str, float], Near] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def wall(self) -> Wall:
        return Open()

    def plan(self, opening: Opening, diffusion: float, dt: float) -> Plan:
        mobility = Mobility(diffusion, dt)
        near = self.near(opening, REACH * mobility.spread)

        def draw(count: int, luck: Luck) -> Candidates:
            return self._taken(opening, mobility, near, count, luck)

        # c_R(t') weighs as 1/sqrt(dt - t') in the number that stays
        return Plan(after=(Insertion(near.volume, draw, 2 / 3),))

    def near(self, opening: Opening, reach: float) -> Near:
        """Where candidates start."""
        key = opening.wall, reach
        if key not in self._near:
            self._near[key] = (
                near_wall(self.domain, opening.wall, reach)
                if isinstance(self.domain, MeshRegion)
                else Depth(opening, min(reach, opening.reach))
            )
        return self._near[key]

    def _taken(
        self, opening: Opening, mobility: Mobility, near: Near, count: int, luck: Luck
    ) -> Candidates:
        """Of so many candidates those whom the wall takes in a trial step."""
        points, cells = near.sample(count, luck.generator)
        trial = Population(opening.dimension, cells=cells is not None, capacity=max(count, 1))
        trial.append(points, np.arange(count, dtype=np.uint64), cells=cells)
        exits: Any = self.domain.move(trial, mobility, self.walls, luck.streams, luck.step)
        mine = exits.particle[exits.wall == opening.number]
        return Candidates(
            points[:, mine], trial.x[:, mine], None if cells is None else cells[mine]
        )
