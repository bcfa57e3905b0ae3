"""The initial guess of a solve from earlier solutions of the same matrix (Fischer 1998, method 1).

The guess is the vector of the span of earlier corrections that is nearest to the solution in the
energy norm. PETSc has the same; here the basis can be saved, so that a resumed run solves from
the same guesses, to the bit, as one that was never interrupted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

Array = npt.NDArray[np.float64]
_DEPENDENT = 1e-14  # of the energy of a correction: what is left of it is round-off


class EarlierSolutions:
    """An A-orthonormal basis of at most ``size`` corrections, shape (used, owned unknowns)."""

    def __init__(self, comm: MPI.Comm, size: int) -> None:
        self._comm, self._size = comm, size
        self._rows = np.zeros((size, 0))
        self._used = 0

    @property
    def basis(self) -> Array:
        """The vectors in use."""
        return self._rows[: self._used]

    def restore(self, basis: Array) -> None:
        """Take over a saved basis, shape (used, owned unknowns)."""
        if self._rows.shape != (self._size, basis.shape[1]):
            self._rows = np.zeros((self._size, basis.shape[1]))
        self._rows[: len(basis)] = basis
        self._used = len(basis)

    def clear(self) -> None:
        """Forget everything: the matrix is another."""
        self._used = 0

    def guess(self, rhs: PETSc.Vec, out: PETSc.Vec) -> None:
        """Put the best guess into ``out``; leave it as it is where nothing is known. Collective."""
        if self._used:
            out.array[:] = self._project(rhs.array_r) @ self.basis

    def learn(self, matrix: PETSc.Mat, guess: PETSc.Vec, solution: PETSc.Vec) -> None:
        """Add what the guess missed to the basis; start again where it is full. Collective.

        ``guess`` is overwritten.
        """
        if self._used == self._size:
            self.clear()
        if not self._used:
            self.restore(np.zeros((0, solution.getLocalSize())))
            guess.set(0.0)
        missed = solution - guess
        image = guess
        matrix.mult(missed, image)
        energy = missed.dot(image)
        overlap = self._project(image.array_r)
        rest = energy - float(overlap @ overlap)
        if rest > _DEPENDENT * energy:
            self._rows[self._used] = (missed.array_r - overlap @ self.basis) / np.sqrt(rest)
            self._used += 1
        missed.destroy()

    def _project(self, vector: Array) -> Array:
        products: Array = self.basis @ vector
        self._comm.Allreduce(MPI.IN_PLACE, products)
        return products
