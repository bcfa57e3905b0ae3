"""The matrix of all species together, for Newton's method: unknowns node by node.

Row n S + i belongs to species i at node n, so that the reactions of a node are one dense block.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.numerics.reactive.problem import ReactiveProblem, rows_of
from fem_rd.numerics.semidiscrete import SemiDiscrete

Array = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


class CoupledMatrix:
    """inertia M_i + s K_i on the diagonal blocks, less s M_i d source_i/d u_j.

    With a consistent mass the derivatives are taken at the node of the row, not of the column: that
    needs no values of other ranks, and changes the path of Newton's method but not where it ends.
    """

    def __init__(self, problem: ReactiveProblem) -> None:
        self._problem = problem
        size, nodes = problem.shape
        self._masses = [_entries(species.mass) for species in problem.species]
        self._stiffnesses = [_entries(species.stiffness) for species in problem.species]
        self._pattern = list(problem.sources.pattern)
        groups = [
            *(_places(entries, i, i, size) for i, entries in enumerate(self._stiffnesses)),
            *(_places(entries, i, i, size) for i, entries in enumerate(self._masses)),
            *(_places(self._masses[i], i, j, size) for i, j in self._pattern),
        ]
        rows, columns = (np.concatenate([group[k] for group in groups]) for k in (0, 1))
        total = problem.species[0].stiffness.getSize()[0] * size
        keys, positions = np.unique(rows * total + columns, return_inverse=True)
        ends = np.cumsum([len(group[0]) for group in groups])
        self._positions: list[Positions] = np.split(positions, ends[:-1])
        self._indices = (keys % total).astype(PETSc.IntType)
        counts = np.bincount(keys // total, minlength=size * nodes)
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(PETSc.IntType)
        self._constrained = _constrained_rows(problem)
        self._fixed = np.isin(keys // total, self._constrained)
        first = problem.species[0].stiffness.getOwnershipRange()[0] * size
        self._diagonal = self._fixed & (keys % total == keys // total + first)
        self._data = np.zeros(len(keys))
        sizes = (size * nodes, total)
        self.matrix = PETSc.Mat().createAIJ(
            (sizes, sizes), csr=(self._starts, self._indices, self._data), comm=problem.comm
        )

    def update(self, time: float, values: Array, shift: float, inertia: float = 1.0) -> None:
        """The matrix at ``values``, shape (species, nodes). Collective."""
        data, positions = self._data, iter(self._positions)
        data[:] = 0.0
        for _, _, entries in self._stiffnesses:
            data[next(positions)] += shift * entries
        for _, _, entries in self._masses:
            data[next(positions)] += inertia * entries
        derivatives = rows_of(self._problem.sources.jacobian(time, values))
        for (i, _), derivative in zip(self._pattern, derivatives, strict=True):
            rows, _, entries = self._masses[i]
            data[next(positions)] -= shift * entries * derivative[rows]
        data[self._fixed] = 0.0
        data[self._diagonal] = 1.0
        self.matrix.setValuesCSR(self._starts, self._indices, data)
        self.matrix.assemble()

    def vector(self) -> PETSc.Vec:
        """A vector of all unknowns, node by node."""
        return self.matrix.createVecRight()


def _entries(matrix: PETSc.Mat) -> tuple[Positions, Positions, Array]:
    """Owned rows from 0, columns of the whole matrix, values."""
    starts, columns, values = matrix.getValuesCSR()
    rows = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
    return rows, columns.astype(np.int64), values.copy()


def _places(
    entries: tuple[Positions, Positions, Array], i: int, j: int, size: int
) -> tuple[Positions, Positions]:
    return entries[0] * size + i, entries[1] * size + j


def _constrained_rows(problem: ReactiveProblem) -> Positions:
    def rows(species: SemiDiscrete, i: int) -> Positions:
        return species.constraint.unknowns.astype(np.int64) * problem.shape[0] + i

    return np.concatenate([rows(species, i) for i, species in enumerate(problem.species)])
