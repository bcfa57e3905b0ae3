"""One step of a linear semi-discrete problem by a scheme from a table.

A stepper proposes a step; whoever owns the time accepts it or asks for another. Each step also
carries the integral over it of the flows through boundaries and sources, by the quadrature of the
scheme itself, so that the ledger closes to the tolerance of the solver and not of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.numerics.schemes import Multistep, RungeKutta
from fem_rd.numerics.semidiscrete import SemiDiscrete, ShiftedOperator
from fem_rd.numerics.solver import KrylovSolver
from fem_rd.state import State

Array = npt.NDArray[np.float64]
Flows = Callable[[float, PETSc.Vec, PETSc.Vec], Array]
"""Amounts per time through each named flow, from (time, value, slope)."""


@dataclass(frozen=True)
class Step:
    """A proposed step of ``size`` from ``start``: flows at its end and integrated over it."""

    start: float
    size: float
    flows: Array
    exchanged: Array

    @property
    def end(self) -> float:
        return self.start + self.size


class RungeKuttaStepper:
    """Diagonally implicit Runge-Kutta steps; ``value`` and ``slope`` are the accepted state."""

    def __init__(
        self,
        problem: SemiDiscrete,
        scheme: RungeKutta,
        solver: KrylovSolver,
        mass_solver: KrylovSolver,
        flows: Flows,
        operator: ShiftedOperator | None = None,
    ) -> None:
        self.problem, self.scheme, self.solver, self.flows = problem, scheme, solver, flows
        self.operator = operator or ShiftedOperator(problem)
        self._mass_solver = mass_solver
        self.value, self.slope = problem.vector(), problem.vector()
        self._slopes = [problem.vector() for _ in scheme.stages]
        self._stage, self._base, self._rhs = (problem.vector() for _ in range(3))
        self._flows_now: Array = np.zeros(0)

    def start(self, time: float, value: PETSc.Vec) -> Array:
        """Take ``value`` as the state at ``time``; give the flows there."""
        value.copy(self.value)
        self.problem.constraint.impose(self.value, time)
        self._initial_slope(time)
        self._flows_now = self.flows(time, self.value, self.slope)
        return self._flows_now

    def continue_from(self, value: PETSc.Vec, slope: PETSc.Vec, flows: Array) -> None:
        """Take over a state whose slope and flows are known."""
        value.copy(self.value)
        slope.copy(self.slope)
        self._flows_now = flows

    def propose(self, time: float, size: float) -> Step:
        """The step from the accepted state; it changes nothing until `accept`. Collective."""
        scheme = self.scheme
        shift = size * scheme.diagonal
        if self.operator.shift != shift:
            self.operator.set_shift(shift)
            self.solver.set_operator(self.operator.matrix)
        exchanged: Array = np.zeros(len(self._flows_now))
        flows = self._flows_now
        self.value.copy(self._stage)
        for index, (node, weight) in enumerate(zip(scheme.nodes, scheme.weights, strict=True)):
            if index == 0 and scheme.explicit_first:
                self.slope.copy(self._slopes[0])
            else:
                self._solve_stage(index, time + node * size, size)
                flows = self.flows(time + node * size, self._stage, self._slopes[index])
            if weight:
                exchanged += size * weight * flows
        return Step(time, size, flows, exchanged)

    def accept(self, step: Step) -> None:
        """Make the last proposed step the state."""
        self._stage.copy(self.value)
        self._slopes[-1].copy(self.slope)
        self._flows_now = step.flows

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand side and solution of the last solve."""
        return self._rhs, self._stage

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        return State(
            {"value": self.value.array_r.copy(), "slope": self.slope.array_r.copy()},
            {"flows": self._flows_now},
        ) | solver_state(self.solver, self.operator)

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self.value.array[:] = state.distributed["value"]
        self.slope.array[:] = state.distributed["slope"]
        self._flows_now = state.replicated["flows"]
        restore_solver(self.solver, self.operator, state)

    def error(self, step: Step, out: PETSc.Vec) -> None:
        """The embedded estimate of the error of the last proposed step, into ``out``. Collective.

        It is filtered by (M + s K)^-1 M, without which stiff components would dominate it
        (Hosea and Shampine 1996).
        """
        scheme = self.scheme
        self._base.set(0.0)
        for slope, ours, other in zip(
            self._slopes, scheme.weights, scheme.embedded or (), strict=True
        ):
            self._base.axpy(step.size * (other - ours), slope)
        self.problem.mass.mult(self._base, self._rhs)
        self._rhs.array[self.problem.constraint.unknowns] = 0.0
        self._base.copy(out)
        out.array[self.problem.constraint.unknowns] = 0.0
        self.solver.solve(self._rhs, out)

    def _solve_stage(self, index: int, time: float, size: float) -> None:
        """M (U - u - dt sum_j a_j k_j) = s (f - K U), and the slope of the stage from U."""
        scheme, problem = self.scheme, self.problem
        self.value.copy(self._base)
        for coefficient, slope in zip(scheme.stages[index][:-1], self._slopes, strict=False):
            self._base.axpy(size * coefficient, slope)
        shift = size * scheme.diagonal
        implicit_solve(
            problem, self.operator, self.solver, self._base, time, self._rhs, self._stage
        )
        slope = self._slopes[index]
        self._stage.copy(slope)
        slope.axpy(-1.0, self._base)
        slope.scale(1.0 / shift)

    def _initial_slope(self, time: float) -> None:
        """M u' = f - K u; on constrained unknowns the derivative of what is prescribed."""
        problem, constraint = self.problem, self.problem.constraint
        problem.load(time, self._rhs)
        problem.stiffness.mult(self.value, self._base)
        self._rhs.axpy(-1.0, self._base)
        slope = self.slope
        slope.set(0.0)
        if constraint.varying:
            instant = 1e-6 * max(abs(time), 1e-3)
            slope.array[constraint.unknowns] = (
                constraint.values(time + instant) - constraint.values(time)
            ) / instant
        problem.mass.mult(slope, self._base)
        self._rhs.axpy(-1.0, self._base)
        self._rhs.array[constraint.unknowns] = slope.array_r[constraint.unknowns]
        self._mass_solver.solve(self._rhs, slope)


class MultistepStepper:
    """Backward differentiation steps of constant size, started by a one-step scheme."""

    def __init__(self, scheme: Multistep, starter: RungeKuttaStepper) -> None:
        self.scheme, self._starter = scheme, starter
        self.problem, self.solver, self.flows = starter.problem, starter.solver, starter.flows
        self.operator = ShiftedOperator(self.problem)
        self._values = [self.problem.vector() for _ in scheme.past]
        self._exchanged: list[Array] = []
        self._steps_taken = 0
        self._new, self._slope, self._base, self._rhs = (self.problem.vector() for _ in range(4))

    @property
    def value(self) -> PETSc.Vec:
        return self._values[0]

    def start(self, time: float, value: PETSc.Vec) -> Array:
        """Take ``value`` as the state at ``time``; give the flows there."""
        flows = self._starter.start(time, value)
        self._starter.value.copy(self._values[0])
        self._steps_taken = 0
        self._exchanged = []
        return flows

    def propose(self, time: float, size: float) -> Step:
        """The step from the accepted state; it changes nothing until `accept`. Collective."""
        if self._steps_taken < len(self.scheme.past) - 1:
            step = self._starter.propose(time, size)
            self._starter.accept(step)
            self._starter.value.copy(self._new)
            return step
        scheme, shift = self.scheme, size * self.scheme.slope
        if self.operator.shift != shift:
            self.operator.set_shift(shift)
            self.solver.set_operator(self.operator.matrix)
        self._base.set(0.0)
        for coefficient, value in zip(scheme.past, self._values, strict=True):
            self._base.axpy(coefficient, value)
        self._values[0].copy(self._new)
        implicit_solve(
            self.problem, self.operator, self.solver, self._base, time + size, self._rhs, self._new
        )
        self._new.copy(self._slope)
        self._slope.axpy(-1.0, self._base)
        self._slope.scale(1.0 / shift)
        flows = self.flows(time + size, self._new, self._slope)
        return Step(time, size, flows, self._exchange(shift * flows))

    def accept(self, step: Step) -> None:
        """Make the last proposed step the state."""
        oldest = self._values.pop()
        self._new.copy(oldest)
        self._values.insert(0, oldest)
        self._exchanged = [step.exchanged, *self._exchanged][: len(self.scheme.past) - 1]
        self._steps_taken += 1

    def attempted(self) -> Sequence[PETSc.Vec]:
        """Right-hand side and solution of the last solve."""
        return *self._starter.attempted(), self._rhs, self._new

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        starting = self._steps_taken < len(self.scheme.past) - 1
        values = np.array([value.array_r for value in self._values])
        own = State(
            {"values": values},
            {
                "exchanged": np.array(self._exchanged).reshape(len(self._exchanged), -1),
                "steps_taken": np.array(self._steps_taken),
            },
        )
        if starting:
            return own | self._starter.state().within("starter")
        return own | solver_state(self.solver, self.operator)

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        for value, saved in zip(self._values, state.distributed["values"], strict=True):
            value.array[:] = saved
        self._exchanged = list(state.replicated["exchanged"])
        self._steps_taken = int(state.number("steps_taken"))
        starter = state.part("starter")
        if starter.distributed:
            self._starter.restore(starter)
        else:
            restore_solver(self.solver, self.operator, state)

    def _exchange(self, increment: Array) -> Array:
        """Integral of the flows over the step by the recursion that the values themselves obey.

        With past coefficients a_0, a_1, .. that sum to one, the increment of a conserved amount
        is -sum_j (a_j + a_(j+1) + ..) times the increment j steps ago, plus the new flow.
        """
        past = self.scheme.past
        for lag, earlier in enumerate(self._exchanged):
            increment = increment - sum(past[lag + 1 :]) * earlier
        return increment


def implicit_solve(
    problem: SemiDiscrete,
    operator: ShiftedOperator,
    solver: KrylovSolver,
    base: PETSc.Vec,
    time: float,
    rhs: PETSc.Vec,
    solution: PETSc.Vec,
) -> None:
    """Solve (M + s K) u = M ``base`` + s f(``time``), constrained, from the guess ``solution``."""
    problem.load(time, rhs)
    rhs.scale(operator.shift)
    problem.mass.multAdd(base, rhs, rhs)
    operator.constrain(rhs, time)
    problem.constraint.impose(solution, time)
    solver.solve(rhs, solution)
    problem.constraint.impose(solution, time)


def solver_state(solver: KrylovSolver, operator: ShiftedOperator) -> State:
    """The matrix in use, by its shift, and the earlier solutions that guesses are made of."""
    return State({"earlier": solver.earlier.basis.copy()}, {"shift": np.array(operator.shift)})


def restore_solver(solver: KrylovSolver, operator: ShiftedOperator, state: State) -> None:
    """Make the matrix and its preconditioner again, and take the earlier solutions back."""
    shift = state.number("shift")
    if np.isfinite(shift):
        operator.set_shift(shift)
        solver.set_operator(operator.matrix)
    solver.earlier.restore(state.distributed["earlier"])
