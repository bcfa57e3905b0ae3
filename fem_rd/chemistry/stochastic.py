"""Exact stochastic simulation of the chemical master equation of any network.

Gillespie's direct method (J. Phys. Chem. 81 (1977) 2340): every trajectory is a sample of the law
of the master equation, with no error of a step. The propensities are those of
`fem_rd.chemistry.network`. Replicas are independent, each with its own stream of random numbers,
which the seed and the number of the replica fix: results do not depend on how replicas are shared
out among threads or ranks, nor on the times at which counts are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem_rd.chemistry import stochastic_kernels as kernels
from fem_rd.chemistry.kinetics import Kinetics, kinetics_of
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.program import propensity_program
from fem_rd.errors import CaseError, NumericalError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

MOST_EVENTS = 10**9
"""Events of one replica between two readings, above which a network is taken to explode."""

_NONE = -1


@dataclass(frozen=True)
class Ensemble:
    """Replicas of one system at one time; its arrays are what must be kept to go on.

    ``counts`` (replicas, species); ``due`` (replicas,) is the time of the next event of each,
    infinite where nothing can happen any more; ``streams`` (replicas, 4) are the states of the
    random numbers.
    """

    counts: Integers
    due: Floats
    streams: Words

    def part(self, chosen: slice) -> Ensemble:
        """Some of the replicas, in the same memory."""
        return Ensemble(self.counts[chosen], self.due[chosen], self.streams[chosen])


@dataclass(frozen=True)
class Trajectories:
    """What `Simulation.run` has seen: ``counts`` (replicas, times, species), ``events`` in all."""

    counts: Integers
    events: int


class Simulation:
    """The master equation of a network in a volume, ready to be sampled.

    ``volume`` is in units in which a concentration times it is a number of molecules. Raises
    `CaseError` where a coefficient depends on place or time.
    """

    def __init__(self, network: Network, volume: float, *, threads: int = 1) -> None:
        self._network, self._threads = network, threads
        kinetics = kinetics_of(network)
        self._laws = _laws(network, volume)
        self._tables = _tables(network, _constants(kinetics, volume))

    def start(
        self, initial: Mapping[str, int] | Sequence[int], replicas: Iterable[int], seed: int
    ) -> Ensemble:
        """Replicas at time 0, all with the ``initial`` counts (0 where a species is not named).

        ``replicas`` are their numbers, which choose their random numbers together with ``seed``.
        """
        numbers = np.fromiter(replicas, dtype=np.int64)
        counts = np.tile(self._initial(initial), (len(numbers), 1))
        ensemble = Ensemble(
            counts, np.full(len(numbers), np.inf), np.zeros((len(numbers), 4), dtype=np.uint64)
        )
        kernels.seed_streams(seed, numbers, ensemble.streams)
        state = ensemble.counts, ensemble.due, ensemble.streams
        self._check(*kernels.start_replicas(self._tables, self._laws, *state), 0.0, MOST_EVENTS)
        return ensemble

    def advance(
        self, ensemble: Ensemble, begin: float, end: float, *, most: int = MOST_EVENTS
    ) -> int:
        """Bring all replicas from time ``begin`` to ``end``, in place; the number of events.

        Raises `NumericalError` where a replica has ``most`` events, or where a law is negative.
        """
        return self._advance(ensemble, begin, end, most, _NONE, np.zeros((self._threads, 1)))

    def run(
        self,
        initial: Mapping[str, int] | Sequence[int],
        times: Sequence[float],
        replicas: int,
        seed: int,
        *,
        most: int = MOST_EVENTS,
    ) -> Trajectories:
        """Counts of ``replicas`` from time 0 at increasing ``times``. Raises `NumericalError`."""
        ensemble = self.start(initial, range(replicas), seed)
        counts = np.empty((replicas, len(times), len(self._network.species)), dtype=np.int64)
        events, now = 0, 0.0
        for index, time in enumerate(times):
            events += self.advance(ensemble, now, time, most=most)
            counts[:, index], now = ensemble.counts, time
        return Trajectories(counts, events)

    def occupation(
        self, ensemble: Ensemble, species: str, begin: float, end: float, bins: int
    ) -> Floats:
        """Fractions of the time between ``begin`` and ``end`` with n = 0, 1, ... molecules.

        Over all replicas, which are brought to ``end``; shape (bins,), the last for all that is
        more. In a long run of an ergodic network it is the stationary law.
        """
        occupied = np.zeros((self._threads, bins))
        watched = self._network.species.index(species)
        self._advance(ensemble, begin, end, MOST_EVENTS, watched, occupied)
        return occupied.sum(axis=0) / occupied.sum()

    def _advance(
        self,
        ensemble: Ensemble,
        begin: float,
        end: float,
        most: int,
        watched: int,
        occupied: Floats,
    ) -> int:
        """All replicas to ``end``, shared out among threads; ``occupied`` has a row for each."""
        edges = np.linspace(0, len(ensemble.due), self._threads + 1).astype(int)

        def work(thread: int) -> tuple[int, int, int]:
            own = ensemble.part(slice(edges[thread], edges[thread + 1]))
            state = (own.counts, own.due, own.streams)
            return kernels.advance_replicas(
                self._tables, self._laws, *state, begin, end, most, watched, occupied[thread]
            )

        if self._threads == 1:
            outcomes = [work(0)]
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                outcomes = list(pool.map(work, range(self._threads)))
        for thread, (_, status, replica) in enumerate(outcomes):
            self._check(status, int(edges[thread]) + replica, end, most)
        return sum(events for events, _, _ in outcomes)

    def _initial(self, initial: Mapping[str, int] | Sequence[int]) -> Integers:
        species = self._network.species
        if isinstance(initial, Mapping):
            if unknown := set(initial) - set(species):
                raise CaseError("unknown species", found=sorted(unknown), valid=species)
            initial = [initial.get(name, 0) for name in species]
        counts = np.asarray(initial, dtype=np.int64)
        if counts.shape != (len(species),) or (counts < 0).any():
            raise CaseError("counts are one number >= 0 for each species", found=list(initial))
        return counts

    def _check(self, status: int, replica: int, end: float, most: int) -> None:
        if status == kernels.TOO_MANY:
            raise NumericalError(
                f"replica {replica} has had {most} events before time {end:.6g} is reached: the "
                "numbers of molecules may grow without bound",
                remedy="a shorter time between outputs, a smaller volume, or a network in which "
                "every species that makes more of itself is also degraded",
            )
        if status == kernels.WRONG_LAW:
            laws = [each.name for each in self._network.reactions if each.law is not None]
            raise NumericalError(
                f"before time {end:.6g} a law ({', '.join(laws)}) is negative or not a number in "
                f"replica {replica}",
                remedy="laws that are rates for all numbers of molecules; a reversible reaction is "
                "two laws, not their difference",
            )


def _constants(kinetics: Kinetics, volume: float) -> Floats:
    """Propensities where all factors n - j are 1: k V / V^m; 1 for laws."""
    orders = kinetics.network.reactants.sum(axis=0)
    constants = kinetics.constants * volume ** (1.0 - orders)
    return np.where(np.isnan(constants), 1.0, constants)


def _laws(network: Network, volume: float) -> kernels.Laws | None:
    """The reactions that do not follow mass action, as a program; None where all do."""
    chosen = [i for i, reaction in enumerate(network.reactions) if reaction.law is not None]
    if not chosen:
        return None
    part = Network(
        network.species, tuple(network.reactions[i] for i in chosen), network.chemostats
    )
    program = propensity_program(part, volume)
    first = program.rows - len(chosen)
    return kernels.Laws(np.array(chosen), program.table, program.factors, program.row(), first)


def _tables(network: Network, constants: Floats) -> kernels.Tables:
    taken, changed = network.reactants, network.stoichiometry
    by_law = np.array([reaction.law is not None for reaction in network.reactions], dtype=bool)
    reads = taken > 0  # species that the propensity of a reaction depends on
    for index, reaction in enumerate(network.reactions):
        if reaction.law is not None:
            reads[:, index] |= [name in reaction.law.names for name in network.species]
    alters = (changed != 0).T.astype(int) @ reads.astype(int) > 0  # (reaction, altered reaction)
    factors = [
        [(i, j) for i in np.flatnonzero(column) for j in range(column[i])] for column in taken.T
    ]
    factor_start, flat_factors = _flattened(factors, 2)
    changes = [[(i, column[i]) for i in np.flatnonzero(column)] for column in changed.T]
    change_start, flat_changes = _flattened(changes, 2)
    dependents = [[(other,) for other in np.flatnonzero(row & ~by_law)] for row in alters]
    dependent_start, flat_dependents = _flattened(dependents, 1)
    return kernels.Tables(
        constants,
        factor_start,
        flat_factors[0],
        flat_factors[1],
        change_start,
        flat_changes[0],
        flat_changes[1],
        dependent_start,
        flat_dependents[0],
        (alters & by_law).any(axis=1),
    )


def _flattened(
    lists: Sequence[Sequence[tuple[int, ...]]], width: int
) -> tuple[Integers, list[Integers]]:
    """Where each list starts in one long table, and the columns of that table."""
    start = np.cumsum([0, *(len(each) for each in lists)], dtype=np.int64)
    rows = [row for each in lists for row in each]
    table = np.array(rows, dtype=np.int64).reshape(-1, width)
    return start, [np.ascontiguousarray(column) for column in table.T]
