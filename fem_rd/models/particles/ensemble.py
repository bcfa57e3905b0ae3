"""The replicas of one rank: their steps, and the sums from which observables are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.models.particles.domain import values_at
from fem_rd.models.particles.samples import Pairs, Profiles
from fem_rd.models.particles.setup import Setup
from fem_rd.models.particles.statistics import Array, NumberSums, blocks_for
from fem_rd.particles.open_boundary import OpenBoundary, draw_together
from fem_rd.particles.open_boundary_supply import WellMixed
from fem_rd.particles.random import Streams
from fem_rd.particles.state import System
from fem_rd.particles.stepper import Stepper
from fem_rd.state import State

_VECTORS = ("positions", "velocities")
MOST_STEPS = 1024  # between two times that numbers are summed up


@runtime_checkable
class Remembering(Protocol):
    """A boundary of the engine that has a state of its own, as arrays by name."""

    def state(self) -> dict[str, npt.NDArray[Any]]: ...

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None: ...


@dataclass(frozen=True)
class Replica:
    """One copy of the system."""

    system: System
    stepper: Stepper

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All that it needs to go on."""
        found = self.system.state()
        for start, part in self._parts:
            found |= {f"{start} {name}": array for name, array in part.state().items()}
        return found

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Put back what `state` gave, with arrays flat."""
        dimension = self.system.dimension
        shaped = {
            name: part.reshape(dimension, -1) if name.endswith(_VECTORS) else part
            for name, part in arrays.items()
        }
        numbers = ("step", "time", "next_id")
        self.system.restore({**shaped, **{name: arrays[name][0] for name in numbers}})
        for start, part in self._parts:
            known = part.state().items()
            part.restore(
                {name: arrays[f"{start} {name}"].reshape(now.shape) for name, now in known}
            )

    @property
    def reservoirs(self) -> list[int]:
        """The molecules in each of the finite reservoirs."""
        return [
            one.concentration.number
            for one in self.stepper.boundaries
            if isinstance(one, OpenBoundary) and isinstance(one.concentration, WellMixed)
        ]

    @property
    def _parts(self) -> list[tuple[str, Remembering]]:
        """What remembers, beside the system, each with a name."""
        boundaries = enumerate(self.stepper.boundaries)
        found: list[tuple[str, Remembering]] = [("ledger", self.stepper.ledger)]
        found += [(f"boundary {k}", one) for k, one in boundaries if isinstance(one, Remembering)]
        return found


class Ensemble:
    """Replicas ``own`` of all those of a case, and what was seen of them until now."""

    def __init__(self, setup: Setup, own: npt.NDArray[np.int64], steps: int) -> None:
        """``steps``: of the whole run."""
        section = setup.section
        measure, self._setup, self._steps = section.measure, setup, steps
        self.own, self.step = own, 0
        self.replicas = [self._replica(int(index)) for index in own]
        self._draw_together()
        self.first = round((measure.begin or 0.0) / setup.dt)
        blocks, count = blocks_for(section.replicas), len(own)
        lags = tuple(round(lag / setup.dt) for lag in measure.lags)
        self.numbers = NumberSums(
            len(setup.species), count, blocks, lags, self.first, steps
        )
        self.passed = np.zeros((len(setup.exchanging), blocks, count))
        self.exits = np.zeros((3, len(setup.exchanging), count))
        self.profiles = (
            Profiles.of(measure, setup.species, setup.domain, blocks, count)
            if measure.bins
            else None
        )
        self.pairs = (
            Pairs.of(
                measure.pairs, setup.species, setup.domain, setup.wall_sections, blocks, count
            )
            if measure.pairs
            else None
        )

    def advance(self, steps: int) -> None:
        """So many steps of each replica."""
        while steps > 0:
            stretch = min(steps, MOST_STEPS)
            self._stretch(stretch)
            steps -= stretch

    def sample(self) -> None:
        """Look at profiles and pairs, if it is time to: at the present only, or for averages."""
        averaging = self._setup.section.measure.begin is not None
        if averaging and self.step <= self.first:
            return
        block = int(self.numbers.block_of(np.array(self.step))) if averaging else 0
        for looked in (self.profiles, self.pairs):
            if looked is None:
                continue
            if not averaging:
                for name in _SUMS[type(looked)]:
                    getattr(looked, name)[...] = 0
            for index, replica in enumerate(self.replicas):
                looked.sample(block, index, replica.system)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """The numbers now, (species, own)."""
        found = [list(replica.system.counts.values()) for replica in self.replicas]
        return _columns(found, len(self._setup.species))

    @property
    def unaccounted(self) -> int:
        """Particles that the ledgers, or finite reservoirs, have lost or invented: 0."""
        known = [replica.stepper.ledger.expected for replica in self.replicas]
        lost = np.abs(self.counts - _columns(known, len(self._setup.species))).sum()
        rows = [self._setup.exchanging.index(place) for place in self._setup.finite]
        first = np.array(list(self._setup.finite.values()), dtype=np.int64)[:, None]
        return int(lost + np.abs(self.reservoirs - first - self.net[rows]).sum())

    @property
    def reservoirs(self) -> npt.NDArray[np.int64]:
        """The molecules in finite reservoirs, (reservoirs, own)."""
        found = [replica.reservoirs for replica in self.replicas]
        return _columns(found, len(self._setup.finite))

    @property
    def net(self) -> npt.NDArray[np.int64]:
        """Who has left on balance where particles can, since the start: (exchanging, own)."""
        found = [self._net(replica) for replica in self.replicas]
        return _columns(found, len(self._setup.exchanging))

    @property
    def events(self) -> npt.NDArray[np.int64]:
        """How often each reaction happened since the start: (reactions, own)."""
        found = [replica.stepper.ledger.events for replica in self.replicas]
        return _columns(found, len(self._setup.reactions))

    def averages(self) -> Array:
        """For each average of the case the sum, the sum of squares and the number: (n, 3, own)."""
        wanted = self._setup.section.averages.values()
        found = np.zeros((len(wanted), 3, len(self.own)))
        for row, average in enumerate(wanted):
            for index, replica in enumerate(self.replicas):
                values = values_at(average.of, replica.system[average.species].x)
                found[row, :, index] = values.sum(), (values**2).sum(), len(values)
        return found

    def sums(self) -> dict[str, Array]:
        """All that was summed up, arrays (..., own)."""
        found = {f"numbers.{name}": part for name, part in self.numbers.sums.items()}
        found |= {"passed": self.passed, "exits": self.exits}
        for looked in (self.profiles, self.pairs):
            if looked is not None:
                found |= {name: getattr(looked, name) for name in _SUMS[type(looked)]}
        return found

    def state(self, comm: MPI.Comm) -> State:
        """Everything, as columns of numbers for each replica. Collective."""
        parts = [replica.state() for replica in self.replicas]
        sizes = np.array([[part.size for part in state.values()] for state in parts], dtype=float)
        kinds = comm.allreduce(sizes.shape[1] if len(parts) else 0, op=MPI.MAX)
        sizes = sizes.reshape(len(parts), kinds)
        length = comm.allreduce(int(sizes.sum(axis=1).max(initial=0)), op=MPI.MAX)
        values = np.zeros((length, len(parts)))
        for column, state in enumerate(parts):
            flat = np.concatenate([np.ravel(part).astype(float) for part in state.values()])
            values[: flat.size, column] = flat
        recent = self.numbers.recent.astype(float)
        kept = {"sizes": sizes.T, "values": values, "recent": recent}
        sums = {name: part.copy() for name, part in self.sums().items()}
        return State(kept | sums, {"step": np.array(self.step)})

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        self.step = int(state.number("step"))
        kept = state.distributed
        for column, replica in enumerate(self.replicas):
            ends = np.cumsum(kept["sizes"][:, column].astype(int))
            flat = kept["values"][: ends[-1], column]
            pieces = np.split(flat, ends[:-1])
            replica.restore(dict(zip(replica.state(), pieces, strict=True)))
        self.numbers.recent[...] = kept["recent"]
        for name, part in self.sums().items():
            part[...] = kept[name]

    def _replica(self, index: int) -> Replica:
        setup = self._setup
        langevin = setup.section.dynamics == "langevin"
        streams = Streams(setup.section.seed, index)
        system = System(
            setup.domain.dimension,
            setup.species,
            streams,
            velocities=langevin,
            cells=setup.region is not None,
        )
        setup.fill(system)
        return Replica(system, setup.stepper(system))

    def _draw_together(self) -> None:
        """Replicas beside one reservoir have their insertions drawn together."""
        steppers = [replica.stepper for replica in self.replicas]
        for same in zip(*(stepper.boundaries for stepper in steppers), strict=True):
            boundaries = [one for one in same if isinstance(one, OpenBoundary)]
            if boundaries:
                systems = [stepper.system for stepper in steppers]
                draw_together(list(zip(boundaries, systems, strict=True)))

    def _stretch(self, steps: int) -> None:
        """So many steps of each replica, and what they were, entered in the sums."""
        shape = (steps, len(self.own))
        numbers = np.empty((len(self._setup.species), *shape), dtype=np.int64)
        net = np.empty((len(self._setup.exchanging), steps + 1, len(self.own)), dtype=np.int64)
        for index, replica in enumerate(self.replicas):
            net[:, 0, index] = self._net(replica)
            for k in range(steps):
                exits = replica.stepper.step(self._setup.dt)
                numbers[:, k, index] = [p.count for p in replica.system.populations.values()]
                net[:, k + 1, index] = self._net(replica)
                self._note_exits(index, self.step + k + 1, exits)
        self.step += steps
        self.numbers.add(self.step, numbers)
        self._put_passed(np.diff(net, axis=1))

    def _net(self, replica: Replica) -> npt.NDArray[np.int64]:
        """Who has left on balance, by the places of `Setup.exchanging`."""
        ledger, (species, wall, boundary) = replica.stepper.ledger, self._places
        left = ledger.left[species, wall]
        if ledger.boundaries:
            exchanged = (ledger.taken - ledger.inserted)[species, boundary]
            left += np.where(boundary >= 0, exchanged, 0)
        return np.asarray(left)

    @cached_property
    def _places(self) -> tuple[npt.NDArray[np.intp], ...]:
        """Species, wall and boundary (-1 for none) of each place of exchange."""
        setup = self._setup
        names = [(species, wall) for species, wall, _ in setup.boundaries]
        species = [setup.species.index(name) for name, _ in setup.exchanging]
        wall = [setup.domain.walls.index(wall) for _, wall in setup.exchanging]
        boundary = [names.index(one) if one in names else -1 for one in setup.exchanging]
        return tuple(np.array(row, dtype=np.intp) for row in (species, wall, boundary))

    def _note_exits(self, index: int, step: int, exits: Mapping[str, Any]) -> None:
        """When the first particles left: the number, the sum of steps and of their squares."""
        for row in self.timed:
            name, wall = self._setup.exchanging[row]
            number = int(np.count_nonzero(exits[name].wall == self._setup.domain.walls.index(wall)))
            if number:
                self.exits[:, row, index] += number * np.array([1.0, step, float(step) ** 2])

    @cached_property
    def timed(self) -> tuple[int, ...]:
        """The places of exchange through which only those leave who were there at the start."""
        setup, chemistry = self._setup, self._setup.case.chemistry
        fed = {name for name, _, _ in setup.boundaries}
        if chemistry is not None:
            sides = [one.products for one in chemistry.network.reactions]
            fed |= {name for side in sides for name, _ in side}
        return tuple(i for i, (name, _) in enumerate(setup.exchanging) if name not in fed)

    def _put_passed(self, passed: npt.NDArray[np.int64]) -> None:
        steps = np.arange(self.step - passed.shape[1] + 1, self.step + 1)
        chosen = steps > self.first
        if chosen.any() and len(passed):
            blocks = self.numbers.block_of(steps[chosen])
            begins = np.flatnonzero(np.diff(blocks, prepend=-1))
            self.passed[:, blocks[begins]] += np.add.reduceat(passed[:, chosen], begins, axis=1)


def _columns(rows: Sequence[Any], width: int) -> npt.NDArray[np.int64]:
    """Rows of so many whole numbers as columns; a rank may have none."""
    return np.array(rows, dtype=np.int64).reshape(len(rows), width).T


_SUMS: Mapping[type, tuple[str, ...]] = {
    Profiles: ("counts", "samples"),
    Pairs: ("found", "expected"),
}
