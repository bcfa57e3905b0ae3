"""The numerics that a case asks for: schemes, step control and solvers from its sections."""

from __future__ import annotations

from typing import cast

from petsc4py import PETSc

from fem_rd.case.case import Case
from fem_rd.case.schema import TimeSection
from fem_rd.numerics.control import AdaptiveSize
from fem_rd.numerics.march import AdaptiveMarch, FixedMarch, March, SteadyMarch
from fem_rd.numerics.schemes import Multistep, RungeKutta, scheme_named
from fem_rd.numerics.semidiscrete import SemiDiscrete
from fem_rd.numerics.solver import KrylovSolver, SolverOptions
from fem_rd.numerics.stepping import Flows, MultistepStepper, RungeKuttaStepper

EARLIER_SOLUTIONS = 20  # that the initial guess of a solve is made of, where steps are of one size
FIRST_STEP = 1e-3  # of the end time, tried first by adaptive steps
LONGEST_STEP = 0.1  # of the end time


def march_for(
    case: Case,
    problem: SemiDiscrete,
    flows: Flows,
    initial: PETSc.Vec,
    measure: PETSc.Vec,
    interpolation: PETSc.Mat | None,
) -> March:
    """The march for the case's time and solver sections, at its start. Collective."""
    if case.time is None:
        auto = "pmg" if interpolation is not None else "icc"
        return SteadyMarch(problem, _solver(case, problem, auto, 0, interpolation), flows)
    step = case.time.step
    adaptive = step is None
    name = cast(str, case.time.scheme)  # the case is read with its model's default
    scheme = scheme_named(name, adaptive=adaptive)
    solver = _solver(
        case, problem, "icc", 0 if adaptive else EARLIER_SOLUTIONS, interpolation
    )
    mass_solver = KrylovSolver(
        problem.comm,
        SolverOptions(case.solver.tolerance, "jacobi", prefix="mass_"),
    )
    mass_solver.set_operator(problem.constrained_mass())
    one_step = scheme.starter if isinstance(scheme, Multistep) else scheme
    stepper = RungeKuttaStepper(problem, one_step, solver, mass_solver, flows)
    if step is None:
        return AdaptiveMarch(stepper, adaptive_size(case.time, one_step), initial, measure)
    several = MultistepStepper(scheme, stepper) if isinstance(scheme, Multistep) else stepper
    return FixedMarch(several, step, initial)


def _solver(
    case: Case,
    problem: SemiDiscrete,
    auto: str,
    guess_size: int,
    interpolation: PETSc.Mat | None,
) -> KrylovSolver:
    name = case.solver.preconditioner
    options = SolverOptions(
        case.solver.tolerance, auto if name == "auto" else name, guess_size
    )
    return KrylovSolver(problem.comm, options, interpolation)


def adaptive_size(
    time: TimeSection, scheme: RungeKutta, first: float = FIRST_STEP
) -> AdaptiveSize:
    """The control of a section without a step; ``first``: of the end time, tried first."""
    largest = time.max_step or LONGEST_STEP * time.end
    return AdaptiveSize(
        size=time.initial_step or min(first * time.end, largest),
        tolerance=cast(float, time.tolerance),  # the section sets it where steps adapt
        order=scheme.embedded_order + 1,
        largest=largest,
        end=time.end,
    )
