"""Species that move by themselves and react with each other at the nodes.

For each species M_i du_i/dt = f_i(t) - K_i u_i + M_i s_i(t, u) with u_i = g_i(t) on constrained
unknowns: a linear problem of its own (`SemiDiscrete`) and sources s_i that couple all species
node by node. The account has one entry for each channel of the transport and then one for each
reaction: the amount that entered by it, and the number of events in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.numerics.semidiscrete import SemiDiscrete

Array = npt.NDArray[np.float64]
TransportFlows = Callable[[float, Sequence[PETSc.Vec], Sequence[PETSc.Vec] | None], Array]
"""Amounts per time through each channel of the transport, of all species one after the other, from
(time, values, slopes). The slopes are du_i/dt by transport alone; None in a steady state. Affine in
values and slopes. Collective."""


def rows_of(values: Array) -> list[Array]:
    """The rows of an array of two dimensions."""
    return list(values)


class Sources(Protocol):
    """Reactions at the owned nodes of this rank; values have the shape (species, nodes)."""

    @property
    def reactions(self) -> int:
        """How many there are."""
        ...

    def evaluate(self, time: float, values: Array, out: Array) -> None:
        """du_i/dt by all reactions, into ``out``, shape (species, nodes)."""
        ...

    def totals(self, time: float, values: Array) -> Array:
        """This rank's events per time of each reaction, shape (reactions,)."""
        ...

    @property
    def pattern(self) -> Sequence[tuple[int, int]]:
        """The pairs (i, j) for which the source of species i depends on u_j."""
        ...

    def jacobian(self, time: float, values: Array) -> Array:
        """The derivatives of the pattern, shape (len(pattern), nodes)."""
        ...


class Events(Protocol):
    """What the scheme ``positive`` asks for besides: every reaction by itself."""

    def rates(self, time: float, values: Array) -> Array:
        """Events per volume and time of each reaction, shape (reactions, nodes)."""
        ...

    @property
    def changes(self) -> Array:
        """Change of each c_i by one event, products minus reactants, (species, reactions)."""
        ...

    @property
    def factors(self) -> Array:
        """u_i / c_i at the nodes, exp(U_i) in a potential; shape (species, nodes)."""
        ...

    @property
    def volumes(self) -> Array:
        """Volume that belongs to each node, shape (nodes,)."""
        ...


@dataclass(frozen=True)
class ReactiveProblem:
    """The species, their sources and the flows of their transport.

    ``measure``, shape (species, nodes), multiplies the unknowns where they are not themselves what
    should be accurate. ``events`` is needed by the scheme ``positive`` alone.
    """

    species: Sequence[SemiDiscrete]
    sources: Sources
    flows: TransportFlows
    measure: Array | None = None
    events: Events | None = None

    @property
    def comm(self) -> MPI.Comm:
        return self.species[0].comm

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Species and owned unknowns of each."""
        start, end = self.species[0].stiffness.getOwnershipRange()
        return len(self.species), end - start

    def totals(self, time: float, values: Array) -> Array:
        """Events per time of each reaction on all ranks. Collective."""
        totals = np.array(self.sources.totals(time, values), dtype=float)
        self.comm.Allreduce(MPI.IN_PLACE, totals)
        return totals

    def all_flows(self, time: float, values: Fields, slopes: Fields | None) -> Array:
        """The account's flows: channels of the transport, then reactions. Collective."""
        moved = self.flows(time, values.vectors, None if slopes is None else slopes.vectors)
        return np.concatenate([moved, self.totals(time, values.array)])

    @cached_property
    def channels(self) -> int:
        """How many channels the transport has, of all species. Collective."""
        zero = Fields(self)
        return len(self.flows(0.0, zero.vectors, zero.vectors))

    def impose(self, values: Array, time: float) -> None:
        """Write the prescribed values into ``values``."""
        for species, row in zip(self.species, rows_of(values), strict=True):
            if species.constrained:
                row[species.constraint.unknowns] = species.constraint.at(time)

    @property
    def constrained(self) -> bool:
        """Whether any species has prescribed values on any rank."""
        return any(species.constrained for species in self.species)


class Fields:
    """Values of all species, shape (species, nodes), with a PETSc vector on each row."""

    def __init__(self, problem: ReactiveProblem, array: Array | None = None) -> None:
        self.array = np.zeros(problem.shape) if array is None else array
        self._vectors = [
            PETSc.Vec().createWithArray(
                row, size=species.stiffness.getSizes()[1], comm=problem.comm
            )
            for species, row in zip(problem.species, self.array, strict=True)
        ]

    @property
    def vectors(self) -> Sequence[PETSc.Vec]:
        """The rows as vectors, told that the array may have changed."""
        for vector in self._vectors:
            vector.stateIncrease()
        return self._vectors
