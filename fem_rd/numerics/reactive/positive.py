"""Steps that keep concentrations non-negative whatever their size, and conserve every amount.

Transport is a modified Patankar-Runge-Kutta scheme (Burchard, Deleersnijder and Meister 2003,
MPRK22). With a lumped mass M and a stiffness K whose off-diagonal entries are not positive, a step
of backward Euler gives u_1 >= 0, and with w = (u + u_1) / (2 u_1) the scheme is

    (M + h K w) u_new = M u + h f,   or, in y = w u_new,   (M / w + h K) y = M u + h f,

a symmetric system with a non-negative inverse. The constants that conserve the amount are columns
of K, which w does not touch.

Reactions take extents: reaction l makes h q R_l events per volume at a node, with one factor q for
each node that tends to zero as any species is used up (Bruggeman, Burchard, Kooi and Sommeijer
2007, second scheme). As q multiplies whole reactions, every conservation law of the network holds.
Patankar's weights of single species would keep only the laws of two species in one reaction.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.errors import CaseError
from fem_rd.numerics.reactive.jacobi_cg import JacobiCG
from fem_rd.numerics.reactive.patankar import limited
from fem_rd.numerics.reactive.problem import Events, Fields, ReactiveProblem
from fem_rd.numerics.semidiscrete import SemiDiscrete
from fem_rd.numerics.solver import SolverOptions
from fem_rd.state import State

Array = npt.NDArray[np.float64]

_ROUND_OFF = 1e-12  # of the largest entry: a positive entry below this is zero


def check_positivity(problem: ReactiveProblem) -> Events:
    """The reactions one by one.

    `CaseError` where a mass is not lumped or a stiffness has positive off-diagonal entries.
    """
    events = problem.events
    if events is None or any(species.lumped is None for species in problem.species):
        raise CaseError(
            "this scheme needs a lumped mass: elements of degree 1",
            key="time.scheme",
            found="positive",
        )
    count = max(_positive_entries(species) for species in problem.species)
    if count:
        raise CaseError(
            f"{count} off-diagonal entries of the stiffness are positive, so that no linear scheme "
            "can keep concentrations positive on this mesh; meshes without obtuse angles have none "
            "(built-in intervals and rectangles, Delaunay meshes in 2D with scalar diffusion)",
            key="time.scheme",
            found="positive",
        )
    return events


def _positive_entries(species: SemiDiscrete) -> int:
    """How many off-diagonal entries of K in free rows are positive. Collective."""
    starts, columns, values = species.stiffness.getValuesCSR()
    first, _ = species.stiffness.getOwnershipRange()
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    free = np.ones(len(starts) - 1, dtype=bool)
    free[species.constraint.unknowns] = False
    top = species.comm.allreduce(float(np.abs(values).max(initial=0.0)), op=MPI.MAX)
    wrong = (values > _ROUND_OFF * top) & (columns != rows + first) & free[rows]
    return int(species.comm.allreduce(int(wrong.sum()), op=MPI.SUM))


class PatankarMovement:
    """Transport of each species by the modified Patankar scheme."""

    def __init__(self, problem: ReactiveProblem, options: SolverOptions) -> None:
        self._problem = problem
        self._parts = [_PatankarSpecies(species, options) for species in problem.species]
        self._weighted, self._slope = Fields(problem), Fields(problem)

    def move(self, time: float, size: float, values: Fields) -> Array:
        """Bring ``values`` from ``time`` on by ``size``; the amounts by channel. Collective."""
        y, slope = self._weighted, self._slope
        for i, part in enumerate(self._parts):
            np.copyto(slope.array[i], values.array[i])
            part.move(time, size, values.array[i], y.array[i])
            np.subtract(values.array[i], slope.array[i], out=slope.array[i])
            slope.array[i] /= size
        flows, ends = self._problem.flows, (time, time + size)
        first, last = (flows(end, y.vectors, slope.vectors) for end in ends)
        return (size / 2) * (first + last)


class _PatankarSpecies:
    """One species: h K with the diagonal of the moment, and its solver."""

    def __init__(self, problem: SemiDiscrete, options: SolverOptions) -> None:
        self._problem = problem
        self._mass: Array = np.zeros(0) if problem.lumped is None else problem.lumped
        self._matrix = problem.stiffness.duplicate(copy=True)
        self._solver = JacobiCG(problem.comm, options.tolerance, options.max_iterations)
        self._free = np.ones(len(self._mass))
        self._free[problem.constraint.unknowns] = 0.0
        self._diagonal = problem.stiffness.getDiagonal()
        self._stiffness_diagonal: Array = self._diagonal.array_r.copy()
        self._rhs, self._unknown, self._boundary, self._product = (
            problem.vector() for _ in range(4)
        )
        ones = problem.vector()
        ones.array[:] = self._free
        problem.stiffness.mult(ones, self._product)
        sums = self._product.array_r
        sums = np.where(np.abs(sums) > _ROUND_OFF * self._stiffness_diagonal, sums, 0.0)
        self._column_sums: Array = sums
        self._size = np.nan

    def move(self, time: float, size: float, values: Array, y: Array) -> None:
        """``values`` over the step, and ``y`` = w u_new. Collective."""
        problem, unknowns = self._problem, self._problem.constraint.unknowns
        self._resize(size)
        start, end = problem.constraint.at(time).copy(), problem.constraint.at(time + size)
        later = sum((load.at(time + size) for load in problem.loads), np.zeros(len(values)))
        loads = 0.5 * sum((load.at(time) for load in problem.loads), later)
        first = self._solve(self._mass, values, later, size, end, values)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = 2.0 * first / (values + first)  # 1/w
        share[~np.isfinite(share)] = 2.0
        y[:] = self._solve(self._mass * share, values, loads, size, (start + end) / 2, first)
        self._balance(share, values, loads, size, y)
        np.multiply(y, share, out=values)
        values[unknowns] = end

    def _solve(
        self, diagonal: Array, values: Array, load: Array, size: float, ends: Array, guess: Array
    ) -> Array:
        """(``diagonal`` + h K) x = M values + h load, with x = ``ends`` where constrained.

        What the solver leaves below zero, of the size of its tolerance, becomes zero.
        """
        unknowns, rhs = self._problem.constraint.unknowns, self._rhs
        self._diagonal.array[:] = diagonal + size * self._stiffness_diagonal
        self._diagonal.array[unknowns] = 1.0
        self._matrix.setDiagonal(self._diagonal)
        self._matrix.assemble()
        rhs.array[:] = self._mass * values + size * load
        if self._problem.constrained:
            self._boundary.array[unknowns] = ends
            self._problem.stiffness.mult(self._boundary, self._product)
            rhs.axpy(-size, self._product)
            rhs.array[unknowns] = ends
        self._unknown.array[:] = guess
        self._unknown.array[unknowns] = ends
        self._solver.set_operator(self._matrix)
        self._solver.solve(rhs, self._unknown)
        found: Array = np.maximum(self._unknown.array_r, 0.0)
        found[unknowns] = ends
        return found

    def _balance(self, share: Array, values: Array, load: Array, size: float, y: Array) -> None:
        """Scale y on the free unknowns so that the amount is right to round-off. Collective."""
        sums, free = self._column_sums, self._free
        fixed = (1.0 - free) * y
        given = free @ (self._mass * values + size * load) - size * (sums @ fixed)
        found = (self._mass * share + size * sums) @ (free * y)
        amounts = np.array([given, found])
        self._problem.comm.Allreduce(MPI.IN_PLACE, amounts)
        if amounts[1] > 0.0:
            y *= np.where(free > 0.0, amounts[0] / amounts[1], 1.0)

    def _resize(self, size: float) -> None:
        if size == self._size:
            return
        self._problem.stiffness.copy(self._matrix, PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        self._matrix.scale(size)
        if self._problem.constrained:
            self._matrix.zeroRowsColumns(self._problem.rows, 1.0)
        self._size = size


class PatankarReacting:
    """Reactions by extents that no species limits below zero; one step of second order."""

    def __init__(self, problem: ReactiveProblem, events: Events) -> None:
        self._problem, self._events = problem, events
        self._changes = np.asarray(events.changes, dtype=float)

    def react(self, time: float, size: float, values: Array) -> Array:
        """Bring ``values`` on by ``size``; the events of each reaction, all ranks. Collective."""
        events, factors = self._events, self._events.factors
        rates = events.rates(time, values)
        first = np.empty_like(values)
        limited(values, factors * (self._changes @ rates), values, size, first)
        mean = (rates + events.rates(time + size, first)) / 2
        new = np.empty_like(values)
        part = limited(values, factors * (self._changes @ mean), first, size, new)
        values[:] = new
        happened: Array = size * (mean @ (part * events.volumes))
        self._problem.comm.Allreduce(MPI.IN_PLACE, happened)
        return happened

    def state(self) -> State:
        """Nothing: each step begins anew."""
        return State()

    def restore(self, state: State) -> None:
        """Nothing."""
