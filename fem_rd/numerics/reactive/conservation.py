"""Amounts that are right to round-off, whatever residual a linear solver leaves.

The residual of a Krylov solver sums to an amount that comes from nowhere, small, but of the same
sign in many steps. After a solve the free unknowns are multiplied by one plus or minus a number of
the size of the solver's error, so that the residual sums to zero; that costs two scalar products.
It is a factor and not a constant: ahead of a front, where there is nothing yet, a constant of
1e-17 would grow to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.numerics.reactive.nodal import grow, moved_and_present
from fem_rd.numerics.reactive.problem import ReactiveProblem, rows_of
from fem_rd.numerics.semidiscrete import SemiDiscrete

Array = npt.NDArray[np.float64]

_ROUND_OFF = 1e-12  # of the diagonal: a column sum below this is zero


@dataclass(frozen=True)
class ColumnSums:
    """Sums over the free rows of M and K.

    ``mass`` of each column, ``free_mass`` the same with zero for constrained columns; ``stiffness``
    of the columns ``unknowns``, where it is not zero, and ``free_stiffness`` as before.
    """

    mass: Array
    free_mass: Array
    unknowns: npt.NDArray[np.intp]
    stiffness: Array
    free_stiffness: Array

    @classmethod
    def of(cls, problem: SemiDiscrete) -> ColumnSums:
        """Collective."""
        ones, sums, diagonal = problem.vector(), problem.vector(), problem.stiffness.getDiagonal()
        ones.set(1.0)
        ones.array[problem.constraint.unknowns] = 0.0
        free = ones.array_r.copy()
        problem.stiffness.mult(ones, sums)  # symmetric: rows are columns
        stiffness = sums.array_r.copy()
        stiffness[np.abs(stiffness) <= _ROUND_OFF * np.abs(diagonal.array_r)] = 0.0
        problem.mass.mult(ones, sums)
        mass = sums.array_r.copy()
        unknowns = np.flatnonzero(stiffness)
        kept = stiffness[unknowns]
        return cls(mass, mass * free, unknowns, kept, kept * free[unknowns])


class Conservation:
    """Balances the amounts of all species."""

    def __init__(self, problem: ReactiveProblem) -> None:
        self._problem = problem
        self._sums = [ColumnSums.of(species) for species in problem.species]

    def after_solve(self, time: float, shift: float, base: Array, values: Array) -> None:
        """Make the residuals M base + s f - (M + s K) u sum to zero over the free rows.

        Changes ``values``, shape (species, nodes). Collective.
        """
        parts = np.zeros((2, len(values)))
        for i, (sums, new) in enumerate(zip(self._sums, rows_of(values), strict=True)):
            moved, present = moved_and_present(sums.mass, sums.free_mass, new, base[i])
            there = new[sums.unknowns]
            through = float(sums.stiffness @ there)
            parts[0, i] = shift * (self._supplied(i, time) - through) - moved
            parts[1, i] = present + shift * float(sums.free_stiffness @ np.abs(there))
        self._change(parts, values)

    def after_slope(self, time: float, values: Array, slopes: Array) -> None:
        """Make the residuals f - K u - M u' sum to zero over the free rows. Collective."""
        parts = np.zeros((2, len(values)))
        for i, (sums, slope) in enumerate(zip(self._sums, rows_of(slopes), strict=True)):
            through = float(sums.stiffness @ values[i][sums.unknowns])
            moved, parts[1, i] = moved_and_present(sums.mass, sums.free_mass, slope, None)
            parts[0, i] = self._supplied(i, time) - through - moved
        self._change(parts, slopes)

    def missing(self, time: float, values: Array, slopes: Array) -> Array:
        """What f - K u - M u' sums to over the free rows of each species. Collective.

        Round-off in K u, however large u is, does not enter.
        """
        found = np.zeros(len(values))
        for i, sums in enumerate(self._sums):
            through = float(sums.stiffness @ values[i][sums.unknowns])
            found[i] = self._supplied(i, time) - through - float(sums.mass @ slopes[i])
        self._problem.comm.Allreduce(MPI.IN_PLACE, found)
        return found

    def _supplied(self, i: int, time: float) -> float:
        """This rank's sum of the loads over the free unknowns."""
        species = self._problem.species[i]
        unknowns = species.constraint.unknowns
        return float(
            sum(load.total(time) - load.at(time)[unknowns].sum() for load in species.loads)
        )

    def _change(self, parts: Array, values: Array) -> None:
        """``parts``: what is missing on this rank, and what a change by 100 % would give."""
        self._problem.comm.Allreduce(MPI.IN_PLACE, parts)
        for i, row in enumerate(rows_of(values)):
            missing, available = float(parts[0, i]), float(parts[1, i])
            if available > 0.0 and missing != 0.0:
                unknowns = self._problem.species[i].constraint.unknowns
                kept = row[unknowns]
                grow(row, missing / available)
                row[unknowns] = kept
