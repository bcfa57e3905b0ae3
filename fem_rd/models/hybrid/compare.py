"""Comparisons of the particles of a hybrid run: with the PDE everywhere, with particles everywhere.

Amounts at the corners of the region's cells are held against each other: ``error`` is the squared
distance of the mean over replicas from the PDE, in the norm of L2, relative to that of the PDE;
``noise`` is what it would be on average if the mean over infinitely many replicas were the PDE.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.log import Log
from fem_rd.models.hybrid.build import Sides
from fem_rd.models.hybrid.picture import RegionHats
from fem_rd.models.particles.ensemble import Ensemble
from fem_rd.models.particles.observables import Measured, gathered
from fem_rd.models.particles.statistics import over_replicas
from fem_rd.models.reaction_diffusion.model import ReactionDiffusionModel
from fem_rd.observables import Observable
from fem_rd.state import State

Array = npt.NDArray[np.float64]


class Comparison(Protocol):
    """What goes on beside a hybrid run. Methods are collective."""

    def observables(self, measured: Measured) -> Iterator[Observable]:
        """How the particles differ from it."""
        ...

    def advance(self, steps: int, end: float) -> None:
        """One step of the PDE to the time ``end``, and so many ``steps`` of particles in it."""
        ...

    def positions(self) -> Array:
        """Where this rank's unknowns are, as in `Model`."""
        ...

    def state(self) -> State:
        """Everything that `restore` needs."""
        ...

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        ...


def compared(sides: Sides, hats: RegionHats, log: Log) -> dict[str, Comparison]:
    """What the case asks for, by the names of the parts of a saved state. Collective."""
    found: dict[str, Comparison] = {}
    if "pde" in sides.section.compare:
        found["whole-pde"] = AgainstPDE(sides.whole_model(log), sides, hats)
    if "particles" in sides.section.compare:
        found["whole-particles"] = AgainstParticles(sides)
    return found


class AgainstPDE:
    """The PDE on the whole mesh, and how the particles differ from it. Methods are collective."""

    def __init__(self, model: ReactionDiffusionModel, sides: Sides, hats: RegionHats) -> None:
        self.model, self._sides, self._hats = model, sides, hats

    def observables(self, measured: Measured) -> Iterator[Observable]:
        """Numbers in the region, their deviations, errors of the density."""
        hats, sides = self._hats, self._sides
        expected = hats.exchange.gather(self.model.concentrations()) * hats.volumes
        mean, variance = hats.moments(sides)
        for row, name in enumerate(sides.species):
            number = float(expected[row].sum())
            yield Observable(f"pde_count_{name}", number, "1",
                             f"amount of {name} where the particles are, by the PDE")  # fmt: skip
            yield _score(f"pde_z_{name}", over_replicas(measured.counts[row])[0], (number, 0.0))
            size = float((expected[row] ** 2 / hats.volumes).sum()) or np.nan
            away = float(((mean[row] - expected[row]) ** 2 / hats.volumes).sum())
            yield Observable(f"pde_error_{name}", away / size, "1",
                             f"squared distance of the density of {name} from the PDE")  # fmt: skip
            replicas = sides.section.replicas
            noise = float((variance[row] / hats.volumes).sum()) / replicas / size
            yield Observable(f"pde_noise_{name}", noise, "1",
                             "what that would be from fluctuations alone")  # fmt: skip

    def advance(self, steps: int, end: float) -> None:
        """One step of the PDE."""
        self.model.advance(end)

    def positions(self) -> Array:
        """Of the nodes."""
        return self.model.positions()

    def state(self) -> State:
        """Everything that `restore` needs."""
        return self.model.state()

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        self.model.restore(state)


class AgainstParticles:
    """As many replicas of particles on the whole mesh. Methods are collective."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self.ensemble = Ensemble(sides.setup_everywhere(), sides.own, sides.particle_steps)

    def observables(self, measured: Measured) -> Iterator[Observable]:
        """Numbers in the region."""
        sides, region = self._sides, self._sides.ground.region
        inside = [
            [np.count_nonzero(region.contains(replica.system[name].x)) for name in
             sides.species]
            for replica in self.ensemble.replicas
        ]  # fmt: skip
        mine = np.array(inside, dtype=float).reshape(-1, len(sides.species)).T
        for row, name in enumerate(sides.species):
            counts = gathered(mine, sides.comm)[row]
            mean, error = over_replicas(counts)[0]
            text = f"mean number of molecules of {name} there, with particles everywhere"
            known = float(error) if np.isfinite(error) else None
            yield Observable(f"particles_count_{name}", float(mean), "1", text, known)
            here = over_replicas(measured.counts[row])[0]
            yield _score(f"particles_z_{name}", here, (float(mean), float(error)))

    def advance(self, steps: int, end: float) -> None:
        """So many steps of the particles."""
        self.ensemble.advance(steps)

    def positions(self) -> Array:
        """The numbers of replicas."""
        own = np.zeros((len(self._sides.own), 3))
        own[:, 0] = self._sides.own
        return own

    def state(self) -> State:
        """Everything that `restore` needs."""
        return self.ensemble.state(self._sides.comm)

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        self.ensemble.restore(state)


def _score(name: str, one: tuple[float, float], other: tuple[float, float]) -> Observable:
    """The difference over its standard error."""
    error = float(np.hypot(one[1], other[1]))
    value = (one[0] - other[0]) / error if error > 0 else np.nan
    return Observable(name, float(value), "1", "difference over its standard error")
