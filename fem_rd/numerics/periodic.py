"""Structured grids with identified sides: circles and tori.

DOLFINx meshes have no identified nodes, so a matrix is assembled on the unfolded grid, both of
whose opposite sides are there, and folded: K -> P^T K P with the matrix P that has a one from each
unfolded node to the node that stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

Array = npt.NDArray[np.float64]

FEWEST_CELLS = 3  # along a periodic axis: with less, two edges would join the same two nodes


class Folding:
    """From the nodes of an unfolded grid to those that stand for them, over all ranks.

    ``positions`` (owned, 3) of a grid from ``lower`` to ``upper`` with ``cells``; ``periodic`` says
    of each axis whether its ends are the same. An unfolded node keeps its owner. Collective.
    """

    def __init__(
        self,
        positions: Array,
        lower: Sequence[float],
        upper: Sequence[float],
        cells: Sequence[int],
        periodic: Sequence[bool],
        comm: MPI.Comm,
    ) -> None:
        self.comm = comm
        extent = np.subtract(upper, lower)
        axes = positions[:, : len(cells)]
        index = np.rint((axes - np.asarray(lower)) / extent * cells).astype(np.int64)
        wrapped = np.where(periodic, index % np.asarray(cells), index)
        self.kept = np.flatnonzero((wrapped == index).all(axis=1))
        strides = np.concatenate([np.cumprod((np.asarray(cells) + 1)[::-1])[-2::-1], [1]])
        keys = wrapped @ strides
        count = len(self.kept)
        first = sum(comm.allgather(count)[: comm.rank])
        numbers = np.full(len(positions), -1, dtype=np.int64)
        numbers[self.kept] = first + np.arange(count)
        sides = np.asarray(periodic) & (index == 0)
        shared = np.intersect1d(np.flatnonzero(sides.any(axis=1)), self.kept)
        gathered = comm.allgather((keys[shared], numbers[shared]))
        known = np.concatenate([part[0] for part in gathered])
        theirs = np.concatenate([part[1] for part in gathered])
        order = np.argsort(known)
        copies = numbers < 0
        numbers[copies] = theirs[order][np.searchsorted(known[order], keys[copies])]
        sizes = ((len(positions), None), (count, None))
        starts = np.arange(len(positions) + 1, dtype=np.int32)
        csr = (starts, numbers.astype(np.int32), np.ones(len(positions)))
        self.matrix = PETSc.Mat().createAIJ(sizes, csr=csr, comm=comm)
        self.matrix.assemble()

    def folded(self, matrix: PETSc.Mat) -> PETSc.Mat:
        """P^T K P. Collective."""
        return matrix.ptap(self.matrix)

    def sums(self, values: Array) -> Array:
        """What the unfolded nodes have, added up at the nodes that stand for them. Collective."""
        unfolded, folded = self.matrix.createVecLeft(), self.matrix.createVecRight()
        unfolded.array[:] = values
        self.matrix.multTranspose(unfolded, folded)
        found: Array = folded.array_r.copy()
        return found

    def unfolded(self, values: Array) -> Array:
        """Values at all unfolded nodes, from those that stand for them. Collective."""
        unfolded, folded = self.matrix.createVecLeft(), self.matrix.createVecRight()
        folded.array[:] = values
        self.matrix.mult(folded, unfolded)
        found: Array = unfolded.array_r.copy()
        return found
