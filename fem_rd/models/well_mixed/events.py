"""Stochastic simulation of a case: replicas shared out among the ranks, moments over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.sections.well_mixed import WellMixedSection
from fem_rd.case.unit_texts import read_unit
from fem_rd.chemistry.stochastic import MOST_EVENTS, Ensemble, Simulation
from fem_rd.errors import CaseError, NumericalError
from fem_rd.log import Log
from fem_rd.models.protocol import Array
from fem_rd.observables import Observable
from fem_rd.parallel import agree
from fem_rd.state import State

WHOLE = 1e-6  # how near to a whole number a start counts as one
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


class EventSystem:
    """Replicas of a system of molecules; this rank has some of them. Methods are collective."""

    def __init__(
        self,
        case: Case,
        section: WellMixedSection,
        chemistry: Chemistry,
        comm: MPI.Comm,
        log: Log,
    ) -> None:
        if case.time is None:
            message = "the section is missing: stochastic simulation goes on in time"
            raise CaseError(message, key="time")
        self._comm, self._species = comm, chemistry.network.species
        self._replicas, seed = section.replicas or 1, section.seed or 0
        size = _system_size(case, section, chemistry)
        self._simulation = Simulation(chemistry.network, size)
        self._own = np.array_split(np.arange(self._replicas), comm.size)[comm.rank]
        initial = _whole({**chemistry.initial, **section.initial}, size, log)
        _check_laws(chemistry, {name: count / size for name, count in initial.items()})
        self._ensemble = self._simulation.start(initial, self._own, seed)
        self._events = 0

    def settle(self) -> None:
        """There is no steady state of single systems: the constructor has refused it."""

    def advance(self, begin: float, end: float) -> None:
        """All replicas from time ``begin`` to ``end``. Raises `NumericalError`."""
        error = None
        try:
            self._events += self._simulation.advance(self._ensemble, begin, end, most=MOST_EVENTS)
        except NumericalError as found:
            error = found
        agree(self._comm, error)

    def observables(self) -> Sequence[Observable]:
        """Mean and variance over the replicas, with their standard errors; events so far."""
        mean = self._mean(self._ensemble.counts.astype(float))
        spread = self._ensemble.counts - mean
        found: list[Observable] = []
        if self._replicas == 1:
            for name, number in zip(self._species, mean, strict=True):
                found.append(self._number(name, number, None))
        else:
            square, fourth = self._mean(spread**2), self._mean(spread**4)
            variance = square * self._replicas / (self._replicas - 1)
            errors = np.sqrt(variance / self._replicas)
            noise = np.sqrt(np.maximum(fourth - square**2, 0.0) / self._replicas)
            for values in zip(self._species, mean, errors, variance, noise, strict=True):
                found += self._moments(*values)
        events = self._comm.allreduce(self._events)
        return [*found, Observable("events", float(events), "1", "reactions so far, all replicas")]

    def state(self) -> State:
        """Counts, due times and random numbers of each replica."""
        streams = self._ensemble.streams.T
        halves = np.concatenate([streams >> _HALF, streams & _LOW])  # exact in floating point
        distributed = {
            "counts": self._ensemble.counts.T.astype(float),
            "due": self._ensemble.due,
            "streams": halves.astype(float),
        }
        return State(distributed, {"events": np.array(self._comm.allreduce(self._events))})

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        high, low = np.split(state.distributed["streams"].astype(np.uint64), 2)
        self._ensemble = Ensemble(
            np.ascontiguousarray(state.distributed["counts"].T).astype(np.int64),
            np.array(state.distributed["due"]),
            np.ascontiguousarray(((high << _HALF) | low).T),
        )
        self._events = int(state.number("events")) if self._comm.rank == 0 else 0

    def positions(self) -> Array:
        """The numbers of this rank's replicas, in the place of coordinates: shape (owned, 3)."""
        return np.column_stack([self._own, np.zeros((len(self._own), 2))]).astype(float)

    def describe(self) -> Mapping[str, str]:
        """The method and the number of replicas."""
        return {
            "scheme": "exact stochastic simulation (Gillespie 1977)",
            "replicas": f"{self._replicas}",
        }

    def _mean(self, values: Array) -> Array:
        """Over the replicas of all ranks; sums of whole numbers are exact on any number of them."""
        total = np.asarray(values.sum(axis=0), dtype=float)
        self._comm.Allreduce(MPI.IN_PLACE, total)
        return total / self._replicas

    def _moments(
        self, name: str, mean: float, error: float, variance: float, noise: float
    ) -> list[Observable]:
        text = f"variance of the number of molecules of {name}"
        return [
            self._number(name, mean, float(error)),
            Observable(f"{name}_variance", float(variance), "1", text, float(noise)),
        ]

    def _number(self, name: str, value: float, error: float | None) -> Observable:
        text = f"{'number' if error is None else 'mean number'} of molecules of {name}"
        return Observable(f"{name}_mean", float(value), "1", text, error)


def _system_size(case: Case, section: WellMixedSection, chemistry: Chemistry) -> float:
    """What a concentration is multiplied by to give a number of molecules."""
    volume = section.volume or chemistry.volume
    if volume is None:
        raise CaseError("the key is missing: numbers of molecules need it", key="well-mixed.volume")
    amount = case.units.amount
    return volume * (read_unit(amount).factor if amount else 1.0)


def _check_laws(chemistry: Chemistry, start: Mapping[str, float]) -> None:
    """Raise `CaseError` for a law that is negative or no number at the start."""
    network = chemistry.network
    zeros = dict.fromkeys(network.species, 0.0)
    held = {name: value.value for name, value in network.chemostats.items()}  # without t, x
    for reaction in network.reactions:
        if reaction.law is not None:
            value = float(reaction.law.evaluate({**zeros, **start, **held}))
            if not 0.0 <= value < np.inf:
                message = f"must be finite and not negative; at the start it is {value:.4g}"
                valid = "laws that are rates; a reversible reaction is two laws"
                raise CaseError(message, key=chemistry.key(reaction.name), valid=valid)


def _whole(concentrations: Mapping[str, float], size: float, log: Log) -> dict[str, int]:
    """Numbers of molecules, rounded; the log says where that makes a difference."""
    exact = {name: value * size for name, value in concentrations.items()}
    for name, number in exact.items():
        if abs(number - round(number)) > WHOLE * max(1.0, number):
            log.warning(f"{name} starts with {round(number)} molecules, rounded from {number:.6g}")
    return {name: round(number) for name, number in exact.items()}
