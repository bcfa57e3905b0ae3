"""Steady states of reacting species: Newton's method, and a march in pseudo-time where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.errors import NumericalError
from fem_rd.numerics.march import account, restore_account
from fem_rd.numerics.reactive.conservation import Conservation
from fem_rd.numerics.reactive.coupled import CoupledMatrix
from fem_rd.numerics.reactive.norm import SpeciesNorm
from fem_rd.numerics.reactive.problem import Fields, ReactiveProblem
from fem_rd.numerics.reactive.transport import Transport
from fem_rd.numerics.solver import CoupledSolver, SolverOptions
from fem_rd.state import State

Array = npt.NDArray[np.float64]

_CONVERGED = 1e-10  # relative size of the last correction
_STILL = 1e-12  # of the first du/dt: what is left is round-off
_LINEAR = 1e-10  # relative residual of a correction: what is conserved in pseudo-time stays so
_NEWTON_STEPS, _HALVINGS, _PSEUDO_STEPS = 25, 8, 400
_FIRST_CHANGE = 0.1  # relative change of the values in the first step of pseudo-time
_GROWTH, _LONG, _LONGEST = 4.0, 1e6, 1e10  # pseudo-steps: growth; sizes relative to the first
_BALANCED = 1e-3  # of the largest flow: what may be missing in an account
_BELOW_ZERO = 1e-6  # of the largest value: a solution with less than minus this is another one


class SteadyReactiveMarch:
    """f - K u + M s(u) = 0, reached in one step from an initial state.

    Newton's method with bisection of corrections that do not reduce the residual; where it does not
    converge, or to negative values from others, implicit steps in pseudo-time whose size grows as
    the residual falls (switched evolution relaxation, Mulder and van Leer 1985). These keep the
    amounts that reactions and boundaries conserve, and so find the steady state of the initial
    amounts. A steady state that is found may be unstable.
    """

    def __init__(self, problem: ReactiveProblem, initial: Array, options: SolverOptions) -> None:
        self._problem, self._initial = problem, initial.copy()
        self._search = _Search(problem, options)
        self.time, self.steps = -np.inf, 0
        self.flows: Array = np.zeros(0)
        self.exchanged: Array = np.zeros(0)

    @property
    def values(self) -> Sequence[PETSc.Vec]:
        return self._search.now.vectors

    def advance(self, limit: float) -> None:
        """Solve; the state holds at every time, so also at ``limit``. Collective.

        Raises `NumericalError` where no steady state is found.
        """
        search = self._search
        search.begin(self._initial, limit)
        if not (search.newton(limit) and search.balanced(limit)):
            search.begin(self._initial, limit)
            search.pseudo_time(limit)
            if not search.balanced(limit):
                raise _none_found("amounts grow without bound, since more is made than removed")
        self._problem.impose(search.now.array, limit)
        self.flows = search.flows(limit)
        self.exchanged = np.zeros(len(self.flows))
        self.time, self.steps = limit, 1

    def attempted(self) -> Sequence[PETSc.Vec]:
        """The last residuals and the state."""
        return *self._search.residual.vectors, *self._search.now.vectors

    def state(self) -> State:
        """The solution."""
        return State({"values": self._search.now.array.copy()}, account(self))

    def restore(self, state: State) -> None:
        """Take over a solution. Collective."""
        self._search.now.array[:] = state.distributed["values"]
        restore_account(self, state)


class _Search:
    """The state, its residual and the corrections of it."""

    def __init__(self, problem: ReactiveProblem, options: SolverOptions) -> None:
        self._problem = problem
        self._transport, self._conservation = Transport(problem, options), Conservation(problem)
        self._matrix = CoupledMatrix(problem)
        self._solver = CoupledSolver(problem.comm, replace(options, tolerance=_LINEAR))
        self._rhs, self._correction = self._matrix.vector(), self._matrix.vector()
        self._norm = SpeciesNorm(problem)
        self.now, self.residual, self._slope = (Fields(problem) for _ in range(3))
        self._sources = np.zeros(problem.shape)
        diagonals = [species.mass.getDiagonal() for species in problem.species]
        self._inverse_mass = np.array([1.0 / diagonal.array_r for diagonal in diagonals])

    def begin(self, initial: Array, time: float) -> None:
        """Start from ``initial`` with the prescribed values at ``time``."""
        self.now.array[:] = initial
        self._problem.impose(self.now.array, time)
        self._norm.count_absent(self.now.array)

    def newton(self, time: float) -> bool:
        """Newton's method from the state; whether it converged to something plausible."""
        allowed, speed = self._lowest() - _BELOW_ZERO, self._speed(time)
        for _ in range(_NEWTON_STEPS):
            change = self._direction(time, 0.0)
            if change is None:
                return False
            if self._norm.relative(change, self.now.array) <= _CONVERGED:
                return self._lowest() >= allowed
            speed = self._search_along(time, change, speed)
            if not np.isfinite(speed):
                return False
        return False

    def pseudo_time(self, time: float) -> None:
        """Implicit Euler steps of growing size, one Newton iteration each. `NumericalError`."""
        allowed, speed = self._lowest() - _BELOW_ZERO, self._speed(time)
        if speed == 0.0:
            return
        still, first = _STILL * speed, _FIRST_CHANGE / speed
        size, before = first, self.now.array.copy()
        for _ in range(_PSEUDO_STEPS):
            relative = self._pseudo_step(time, size)
            reached = self._speed(time) if np.isfinite(relative) else np.inf
            if not (reached < 10 * speed and relative < 1.0 and self._lowest() >= allowed):
                self.now.array[:] = before
                self._speed(time)
                size /= 4
                continue
            if reached <= still or (relative <= _CONVERGED and size >= _LONG * first):
                return
            factor = max(speed / reached, 2.0 if relative <= _FIRST_CHANGE else 0.5)
            size = min(size * min(factor, _GROWTH), _LONGEST * first)
            speed = reached
            before[:] = self.now.array
        raise _none_found(
            "Newton's method did not converge, and in pseudo-time the state still changes by "
            f"{speed:.3g} of its largest value per unit of time"
        )

    def balanced(self, time: float) -> bool:
        """Whether as much of each species is made as is removed. Collective.

        Where values grow without end, they hide what is missing: changes are small beside them.
        """
        moved = np.abs(self.flows(time)).max(initial=0.0)
        missing = self._conservation.missing(time, self.now.array, self._slope.array)
        return bool(np.abs(missing).max() <= _BALANCED * moved)

    def _pseudo_step(self, time: float, size: float) -> float:
        """One step; the relative change of the values, infinite where there is none."""
        change = self._direction(time, 1.0 / size)
        if change is None:
            return np.inf
        self.now.array += change
        return self._norm.relative(change, self.now.array)

    def flows(self, time: float) -> Array:
        """The account's flows: transport undoes what reactions do. Collective."""
        self._problem.sources.evaluate(time, self.now.array, self._sources)
        np.negative(self._sources, out=self._slope.array)
        return self._problem.all_flows(time, self.now, self._slope)

    def _speed(self, time: float) -> float:
        """The largest du/dt relative to the values, with the mass lumped; sets the residual."""
        now = self.now
        self._problem.sources.evaluate(time, now.array, self._sources)
        self._transport.residual(time, 1.0, now.array + self._sources, now, self.residual)
        for i, species in enumerate(self._problem.species):
            self.residual.array[i][species.constraint.unknowns] = 0.0
        speeds = self.residual.array * self._inverse_mass
        return self._norm.relative(speeds, now.array)

    def _direction(self, time: float, inertia: float) -> Array | None:
        """The correction with M ``inertia`` added to the matrix; None where there is none."""
        self._matrix.update(time, self.now.array, 1.0, inertia)
        self._rhs.array[:] = self.residual.array.T.ravel()
        try:
            self._solver.set_operator(self._matrix.matrix)
            self._solver.solve(self._rhs, self._correction)
        except NumericalError:
            return None
        size, nodes = self._problem.shape
        found: Array = self._correction.array_r.reshape(nodes, size).T.copy()
        return found if np.isfinite(self._norm.relative(found, found + 1.0)) else None

    def _search_along(self, time: float, change: Array, speed: float) -> float:
        """Half the correction until the residual falls; the new speed, or infinity."""
        start = self.now.array.copy()
        for halving in range(_HALVINGS):
            np.multiply(change, 0.5**halving, out=self.now.array)
            self.now.array += start
            reached = self._speed(time)
            if reached < speed or (halving == 0 and reached <= speed * (1 + 1e-3)):
                return reached
        return np.inf

    def _lowest(self) -> float:
        """The lowest value of all species, each relative to its largest. Collective."""
        lows = np.minimum(self.now.array, 0.0)
        return -self._norm.relative(lows, self.now.array)


def _none_found(reason: str) -> NumericalError:
    return NumericalError(
        f"no steady state was found: {reason}",
        remedy="a [time] section, since the system may oscillate or grow, a reaction or a boundary "
        "that removes what is made, or another initial state",
    )
