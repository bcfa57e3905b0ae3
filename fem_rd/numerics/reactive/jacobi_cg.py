"""Conjugate gradients scaled by the diagonal, for matrices that are close to it.

Where a step is short on the scale of the mesh, M + s K is nearly diagonal and a few iterations do.
Then a product is cheap and the vector operations between the products cost as much; here they are
three fused passes instead of eight (docs/time-stepping.md has the times).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.compiled import compiled_sum
from fem_rd.errors import NumericalError

Array = npt.NDArray[np.float64]

_CANCELS = 100.0  # round-off of a residual, in units of what one product rounds


class JacobiCG:
    """Solves to the relative residual ``tolerance`` in the norm of the inverse diagonal."""

    def __init__(self, comm: MPI.Comm, tolerance: float, max_iterations: int) -> None:
        self._comm, self._tolerance, self._limit = comm, tolerance, max_iterations
        self.iterations = 0
        self._matrix = PETSc.Mat()
        self._inverse: Array = np.zeros(0)

    def set_operator(self, matrix: PETSc.Mat) -> None:
        """Use ``matrix`` from now on. Collective."""
        diagonal = matrix.getDiagonal()
        self._inverse = 1.0 / diagonal.array_r
        if not self._matrix:
            self._residual, self._direction, self._image = (diagonal.duplicate() for _ in range(3))
        diagonal.destroy()
        self._matrix = matrix

    def solve(
        self, right_hand_side: PETSc.Vec, solution: PETSc.Vec, reduction: float = 0.0
    ) -> None:
        """Solve into ``solution``, which holds the initial guess. Collective.

        It is also enough to reduce the residual of the guess by the factor ``reduction``.
        Raises `NumericalError` where it does not converge.
        """
        matrix, inverse, image = self._matrix, self._inverse, self._image
        residual, direction = self._residual.array, self._direction
        matrix.mult(solution, image)
        now, given = self._sum(
            *_begin(right_hand_side.array_r, image.array_r, inverse, residual, direction.array)
        )
        enough = max(self._tolerance**2 * given, reduction**2 * now)
        for _ in range(self._limit):
            if now <= enough:
                return
            matrix.mult(direction, image)
            (curvature,) = self._sum(_dot(direction.array_r, image.array_r))
            if not 0.0 < curvature < math.inf:
                break
            (then,) = self._sum(
                _advance(
                    now / curvature, direction.array_r, image.array_r, inverse,
                    solution.array, residual,
                )
            )  # fmt: skip
            _turn(then / now, residual, inverse, direction.array)
            now = then
            self.iterations += 1
        if now <= self._round_off(solution.array_r):
            return
        raise NumericalError(
            f"the linear solver stopped after {self.iterations} iterations in all: "
            f"{self._reason(now)}",
            remedy="a smaller step, or another solver.preconditioner (icc, hypre, lu)",
        )

    def _round_off(self, solution: Array) -> float:
        """What r D^-1 r is of a residual of round-off: D x is the size of what cancels in it."""
        (size,) = self._sum(float((solution * solution / self._inverse).sum()))
        return (_CANCELS * np.finfo(float).eps) ** 2 * size

    def _reason(self, now: float) -> str:
        if not math.isfinite(now):
            return "a number that is not finite appeared"
        return "the matrix is not positive definite, or the iteration limit was reached"

    def _sum(self, *parts: float) -> tuple[float, ...]:
        if self._comm.size == 1:
            return parts
        sums = np.array(parts)
        self._comm.Allreduce(MPI.IN_PLACE, sums)
        return tuple(map(float, sums))


@compiled_sum
def _begin(
    rhs: Array, image: Array, inverse: Array, residual: Array, direction: Array
) -> tuple[float, float]:
    """r = b - A x and p = D^-1 r; r D^-1 r and b D^-1 b."""
    now, given = 0.0, 0.0
    for node in range(rhs.shape[0]):
        rest = rhs[node] - image[node]
        scaled = inverse[node] * rest
        residual[node] = rest
        direction[node] = scaled
        now += rest * scaled
        given += rhs[node] * inverse[node] * rhs[node]
    return now, given


@compiled_sum
def _dot(one: Array, other: Array) -> float:
    total = 0.0
    for node in range(one.shape[0]):
        total += one[node] * other[node]
    return total


@compiled_sum
def _advance(
    length: float, direction: Array, image: Array, inverse: Array, solution: Array, residual: Array
) -> float:
    """x += length p, r -= length A p; the new r D^-1 r."""
    total = 0.0
    for node in range(direction.shape[0]):
        solution[node] += length * direction[node]
        rest = residual[node] - length * image[node]
        residual[node] = rest
        total += inverse[node] * rest * rest
    return total


@compiled_sum
def _turn(factor: float, residual: Array, inverse: Array, direction: Array) -> None:
    """p = D^-1 r + factor p."""
    for node in range(direction.shape[0]):
        direction[node] = inverse[node] * residual[node] + factor * direction[node]
