"""The account of a conserved amount: what each boundary and each reaction supplies.

Flows are positive into the domain. They come from the equations as they are solved (integrals
of the discrete boundary terms, residuals in the constrained rows), so the sum of all flows is the
rate of change of the amount to the tolerance of the solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.numerics.semidiscrete import Load, SemiDiscrete

Array = npt.NDArray[np.float64]


class Channel(Protocol):
    """One way for the amount to enter or leave; ``local`` is this rank's part of its flow."""

    @property
    def name(self) -> str:
        """The boundary or region it belongs to."""
        ...

    def local(self, time: float, value: Array, supplied: Array) -> float:
        """Amount per time into the domain."""
        ...


@dataclass(frozen=True)
class Exchange:
    """A load against an uptake linear in the unknowns: ``weights`` at ``unknowns``."""

    name: str
    unknowns: npt.NDArray[np.int32]
    weights: Array
    load: Load | None

    @classmethod
    def of(cls, name: str, functional: Array | None, load: Load | None) -> Exchange:
        """``functional``: uptake per unit of each owned unknown; only its entries are kept."""
        if functional is None:
            return cls(name, np.zeros(0, dtype=np.int32), np.zeros(0), load)
        unknowns = np.flatnonzero(functional).astype(np.int32)
        return cls(name, unknowns, functional[unknowns], load)

    def local(self, time: float, value: Array, supplied: Array) -> float:
        loaded = self.load.total(time) if self.load is not None else 0.0
        return loaded - float(self.weights @ value[self.unknowns])


@dataclass(frozen=True)
class Reservoir:
    """What the constraint supplies at a boundary: ``positions`` among the constrained unknowns."""

    name: str
    positions: npt.NDArray[np.intp]

    def local(self, time: float, value: Array, supplied: Array) -> float:
        return float(supplied[self.positions].sum())


class Budget:
    """The flows through all channels, in their order."""

    def __init__(self, comm: MPI.Comm, problem: SemiDiscrete, channels: Sequence[Channel]) -> None:
        self.channels = tuple(channels)
        self._comm, self._problem = comm, problem
        self._constrained = any(isinstance(channel, Reservoir) for channel in channels)

    def flows(self, time: float, value: PETSc.Vec, slope: PETSc.Vec | None) -> Array:
        """Amount per time into the domain through each channel. Collective."""
        supplied = (
            self._problem.supply(time, value, slope) if self._constrained else np.zeros(0)
        )
        array = value.array_r
        flows = np.array([channel.local(time, array, supplied) for channel in self.channels])
        self._comm.Allreduce(MPI.IN_PLACE, flows)
        return flows
