"""How large an error is, species by species."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.numerics.reactive.nodal import largest
from fem_rd.numerics.reactive.problem import ReactiveProblem

Array = npt.NDArray[np.float64]


class SpeciesNorm:
    """The largest over the species of max |error| / max |value|; of those that are there."""

    def __init__(self, problem: ReactiveProblem) -> None:
        self._comm = problem.comm
        self._measure = np.zeros((0, 0)) if problem.measure is None else problem.measure
        self._sizes = np.zeros((2, problem.shape[0]))
        self._floors = np.zeros(problem.shape[0])

    def count_absent(self, values: Array) -> None:
        """From now on species that ``values`` lack count, relative to at least the largest of all.

        Where all are absent, relative to at least 1. Collective.
        """
        self._floors[:] = 0.0
        self.relative(values, values)
        tops = self._sizes[1]
        self._floors[:] = np.where(tops > 0, 0.0, tops.max(initial=0.0) or 1.0)

    def relative(self, error: Array, values: Array) -> float:
        """Collective; infinite where a number is not finite."""
        largest(error, self._measure, self._sizes[0])
        largest(values, self._measure, self._sizes[1])
        self._comm.Allreduce(MPI.IN_PLACE, self._sizes, op=MPI.MAX)
        errors, tops = self._sizes[0], np.maximum(self._sizes[1], self._floors)
        present = tops > 0
        return float(np.max(errors[present] / tops[present], initial=0.0))
