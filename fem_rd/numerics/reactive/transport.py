"""The linear half of a reactive step: solves and slopes of each species, each conservative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.numerics.reactive.chosen_solver import ChosenSolver
from fem_rd.numerics.reactive.conservation import Conservation
from fem_rd.numerics.reactive.problem import Fields, ReactiveProblem
from fem_rd.numerics.semidiscrete import SemiDiscrete, ShiftedOperator
from fem_rd.numerics.solver import KrylovSolver, SolverOptions
from fem_rd.state import State

Array = npt.NDArray[np.float64]

_MASS_TOLERANCE = 1e-13
_INSTANT = 1e-5  # of the time scale: half the distance over which prescribed values are differenced


class Transport:
    """Solves (M_i + s K_i) u_i = M_i base_i + s f_i(t) for all species i."""

    def __init__(self, problem: ReactiveProblem, options: SolverOptions) -> None:
        self.problem = problem
        self._operators = [ShiftedOperator(species) for species in problem.species]
        self._solvers = [ChosenSolver(species, options) for species in problem.species]
        self._conservation = Conservation(problem)
        self._mass_solvers = [_mass_solver(species, options) for species in problem.species]
        self._rhs = [species.vector() for species in problem.species]
        self._work = [species.vector() for species in problem.species]
        self._last: Sequence[PETSc.Vec] = ()
        self._nothing = np.zeros((problem.shape[0], 0))

    def prepare(self, shift: float) -> None:
        """Make the matrices M + ``shift`` K and their preconditioners, where they are others."""
        for operator, solver in zip(self._operators, self._solvers, strict=True):
            if operator.shift != shift:
                operator.set_shift(shift)
                solver.set_operator(operator)

    @property
    def iterations(self) -> int:
        """Of all solves so far."""
        return sum(solver.iterations for solver in self._solvers)

    def solve(
        self, time: float, shift: float, base: Array, values: Fields, reduction: float = 0.0
    ) -> None:
        """Into ``values``, which hold the initial guess. Collective.

        Where the guess errs as much as the step itself, it is enough to reduce its residual by the
        factor ``reduction``; that spares a third of the iterations.
        """
        self.prepare(shift)
        self._last = vectors = values.vectors
        for i, (operator, vector) in enumerate(zip(self._operators, vectors, strict=True)):
            species, rhs = self.problem.species[i], self._rhs[i]
            self._apply_mass(i, base[i], rhs)
            for load in species.loads:
                rhs.array[:] += shift * load.at(time)
            operator.constrain(rhs, time)
            species.constraint.impose(vector, time)
            self._solvers[i].solve(rhs, vector, reduction)
            species.constraint.impose(vector, time)
        self.balance(time, shift, base, values.array)

    def balance(self, time: float, shift: float, base: Array, values: Array) -> None:
        """Make the residuals of the solve sum to zero, species by species. Collective."""
        self._conservation.after_solve(time, shift, base, values)

    def residual(
        self, time: float, shift: float, base: Array, values: Fields, out: Fields
    ) -> None:
        """M base + s f - (M + s K) u in all rows, into ``out``. Collective."""
        for i, (vector, rest) in enumerate(zip(values.vectors, out.vectors, strict=True)):
            species = self.problem.species[i]
            species.load(time, rest)
            species.stiffness.mult(vector, self._work[i])
            rest.axpy(-1.0, self._work[i])
            rest.scale(shift)
            self._apply_mass(i, base[i] - values.array[i], self._rhs[i])
            rest.axpy(1.0, self._rhs[i])

    def apply_mass(self, values: Array, out: Fields) -> None:
        """M values, into ``out``. Collective."""
        for i, vector in enumerate(out.vectors):
            self._apply_mass(i, values[i], vector)

    def slope(self, time: float, values: Fields, prescribed: Array, out: Array) -> None:
        """M du/dt = f - K u on the free unknowns, ``prescribed`` on the others, into ``out``.

        ``prescribed`` has the shape of ``out``, (species, nodes). Collective.
        """
        vectors = values.vectors
        for i, species in enumerate(self.problem.species):
            rhs, work = self._rhs[i], self._work[i]
            species.load(time, rhs)
            species.stiffness.mult(vectors[i], work)
            rhs.axpy(-1.0, work)
            out[i] = self._mass_inverse(i, rhs, prescribed[i])
        self._conservation.after_slope(time, values.array, out)

    def look(
        self, time: float, values: Fields, sources: Array, slope: Fields, scale: float
    ) -> Array:
        """The flows at ``values``; leaves du/dt by reactions and by transport. Collective.

        ``scale`` is a time over which prescribed values change little.
        """
        self.problem.sources.evaluate(time, values.array, sources)
        prescribed: Array = self._nothing
        if self.problem.constrained:
            prescribed = self._prescribed_slopes(time, scale) - sources
        self.slope(time, values, prescribed, slope.array)
        return self.problem.all_flows(time, values, slope)

    def prescribe(self, time: float, values: Fields) -> Array:
        """Prescribe the constrained values; what that brought in by each channel. Collective.

        Free unknowns that share mass with them change so that no free row gains amount:
        M_ff e_f = -M_fc e_c.
        """
        problem = self.problem
        if not problem.constrained:
            return np.zeros(problem.channels)
        change = values.array.copy()
        problem.impose(values.array, time)
        np.subtract(values.array, change, out=change)
        for i, species in enumerate(problem.species):
            if species.constrained and species.lumped is None:
                self._rhs[i].set(0.0)
                change[i] = self._mass_inverse(i, self._rhs[i], change[i])
                kept = values.array[i][species.constraint.unknowns]
                values.array[i] += change[i]
                values.array[i][species.constraint.unknowns] = kept
        zero, moved = Fields(problem), Fields(problem, change)
        at_once = problem.flows(time, zero.vectors, moved.vectors)
        return at_once - problem.flows(time, zero.vectors, zero.vectors)

    def filter(self, shift: float, fields: Fields) -> None:
        """(M + s K)^-1 M on the free unknowns, zero on the others, in place. Collective."""
        self.prepare(shift)
        for i, vector in enumerate(fields.vectors):
            unknowns = self.problem.species[i].constraint.unknowns
            self._apply_mass(i, fields.array[i], self._rhs[i])
            self._rhs[i].array[unknowns] = 0.0
            vector.array[unknowns] = 0.0
            self._solvers[i].solve(self._rhs[i], vector, 0.0)

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand sides and solutions of the last solves."""
        return *self._rhs, *self._last

    def state(self) -> State:
        """The matrices in use, by their shift."""
        return State({}, {"shift": np.array(self._operators[0].shift)})

    def restore(self, state: State) -> None:
        """Make the matrices and preconditioners again. Collective."""
        shift = state.number("shift")
        if np.isfinite(shift):
            self.prepare(shift)

    def _apply_mass(self, i: int, values: Array, out: PETSc.Vec) -> None:
        species = self.problem.species[i]
        if species.lumped is not None:
            np.multiply(species.lumped, values, out=out.array)
            return
        self._work[i].array[:] = values
        species.mass.mult(self._work[i], out)

    def _mass_inverse(self, i: int, rhs: PETSc.Vec, prescribed: Array) -> Array:
        """M^-1 ``rhs`` on the free unknowns, ``prescribed`` on the others; overwrites ``rhs``."""
        species, work = self.problem.species[i], self._work[i]
        unknowns = species.constraint.unknowns
        solver = self._mass_solvers[i]
        if solver is None:
            found: Array = rhs.array_r / species.lumped
            found[unknowns] = prescribed[unknowns]
            return found
        work.set(0.0)
        work.array[unknowns] = prescribed[unknowns]
        image = work.duplicate()
        species.mass.mult(work, image)
        rhs.axpy(-1.0, image)
        image.destroy()
        rhs.array[unknowns] = prescribed[unknowns]
        solver.solve(rhs, work)
        return np.array(work.array_r)

    def _prescribed_slopes(self, time: float, scale: float) -> Array:
        """The time derivative of the prescribed values where they are, zero elsewhere."""
        slopes = np.zeros(self.problem.shape)
        instant = _INSTANT * max(abs(time), scale)
        for species, row in zip(self.problem.species, slopes, strict=True):
            constraint = species.constraint
            if species.constrained and constraint.varying:
                later, before = constraint.values(time + instant), constraint.values(time - instant)
                row[constraint.unknowns] = (later - before) / (2 * instant)
        return slopes


def _mass_solver(problem: SemiDiscrete, options: SolverOptions) -> KrylovSolver | None:
    if problem.lumped is not None:
        return None
    chosen = replace(
        options, tolerance=_MASS_TOLERANCE, preconditioner="jacobi", prefix="mass_", guess_size=0
    )
    solver = KrylovSolver(problem.comm, chosen)
    solver.set_operator(problem.constrained_mass())
    return solver
