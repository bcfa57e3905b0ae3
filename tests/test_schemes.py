"""Time integration schemes: claimed orders, stiff decay, the account of what was exchanged."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.case.schema import Preconditioner
from fem_rd.case.sections import LINEAR, REACTIVE
from fem_rd.errors import CaseError, NumericalError
from fem_rd.numerics.control import AdaptiveSize
from fem_rd.numerics.march import AdaptiveMarch, FixedMarch
from fem_rd.numerics.reactive.schemes import REACTIVE_SCHEMES
from fem_rd.numerics.schemes import SCHEMES, Multistep, RungeKutta, scheme_named
from fem_rd.numerics.semidiscrete import Constraint, Load, SemiDiscrete
from fem_rd.numerics.solver import PRECONDITIONERS, KrylovSolver, SolverOptions
from fem_rd.numerics.stepping import MultistepStepper, RungeKuttaStepper

MASS = np.array(
    [[2.0, 0.5, 0.0, 0.1], [0.5, 1.5, 0.3, 0.0], [0.0, 0.3, 1.0, 0.2], [0.1, 0.0, 0.2, 3.0]]
)
STIFFNESS = np.array(
    [[3.0, -1.0, 0.0, -0.5], [-1.0, 4.0, -1.5, 0.0], [0.0, -1.5, 2.5, -0.5], [-0.5, 0.0, -0.5, 2.0]]
)
RATES = np.array([1.0, 2.0, 0.7, 1.3])
TIGHT = SolverOptions(1e-14, "jacobi")


def exact(time: float) -> np.ndarray:
    return np.sin(RATES * time) + np.array([2.0, 1.0, 0.0, 0.5])


def exact_slope(time: float) -> np.ndarray:
    return RATES * np.cos(RATES * time)


def manufactured(constrained: tuple[int, ...] = (1,)) -> SemiDiscrete:
    """M u' = f - K u that `exact` solves, with the unknowns ``constrained`` prescribed."""
    load = Load("f", lambda t: MASS @ exact_slope(t) + STIFFNESS @ exact(t), varying=True)
    unknowns = np.array(constrained, dtype=np.int32)
    constraint = Constraint(unknowns, lambda t: exact(t)[unknowns], varying=True)
    return SemiDiscrete(petsc(STIFFNESS), petsc(MASS), [load], constraint)


def decay(rate: float) -> SemiDiscrete:
    """u' = -rate u."""
    nothing = Constraint(np.zeros(0, dtype=np.int32), lambda t: np.zeros(0), varying=False)
    return SemiDiscrete(petsc(np.diag([rate])), petsc(np.eye(1)), [], nothing)


def petsc(matrix: np.ndarray) -> PETSc.Mat:
    made = PETSc.Mat().createAIJ(matrix.shape, comm=MPI.COMM_SELF)
    made.setUp()
    size = np.arange(len(matrix), dtype=np.int32)
    made.setValues(size, size, matrix)
    made.assemble()
    return made


def stepper(
    problem: SemiDiscrete, scheme: RungeKutta | Multistep
) -> RungeKuttaStepper | MultistepStepper:
    """A stepper whose flows are the supply of the constraint and the load less the uptake."""

    def flows(time: float, value: PETSc.Vec, slope: PETSc.Vec | None) -> np.ndarray:
        uptake = STIFFNESS.sum(axis=0) if problem.loads else problem.stiffness.getValue(0, 0)
        load = sum(one.total(time) for one in problem.loads)
        supplied = problem.supply(time, value, slope).sum()
        return np.array([supplied, load - np.sum(uptake * value.array_r)])

    comm = MPI.COMM_SELF
    mass_solver = KrylovSolver(comm, TIGHT)
    mass_solver.set_operator(problem.constrained_mass())
    one_step = scheme.starter if isinstance(scheme, Multistep) else scheme
    made = RungeKuttaStepper(problem, one_step, KrylovSolver(comm, TIGHT), mass_solver, flows)
    return MultistepStepper(scheme, made) if isinstance(scheme, Multistep) else made


def march(
    problem: SemiDiscrete, scheme: RungeKutta | Multistep, steps: int, end: float = 1.0
) -> FixedMarch:
    initial = problem.vector()
    initial.array[:] = exact(0.0) if problem.loads else 1.0
    marching = FixedMarch(stepper(problem, scheme), end / steps, initial)
    while marching.time < end:
        marching.advance(end)
    return marching


@pytest.mark.parametrize("name", SCHEMES)
def test_claimed_order(name: str) -> None:
    errors = []
    for steps in (20, 40):
        value = march(manufactured(), SCHEMES[name], steps).value.array_r
        errors.append(np.abs(value - exact(1.0)).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(SCHEMES[name].order, abs=0.15)


@pytest.mark.parametrize("name", SCHEMES)
def test_what_was_exchanged_is_the_change_of_the_amount(name: str) -> None:
    """With and without a constraint; the account closes to the solver, not to the step."""
    for constrained in ((), (1,), (0, 3)):
        marching = march(manufactured(constrained), SCHEMES[name], 7)
        change = (MASS @ (marching.value.array_r - exact(0.0))).sum()
        assert marching.exchanged.sum() == pytest.approx(change, abs=1e-11)
        assert abs(marching.exchanged).min() > 1e-3 or not constrained


@pytest.mark.parametrize("name", sorted(set(SCHEMES) - {"crank-nicolson"}))
def test_stiff_components_vanish(name: str) -> None:
    assert abs(march(decay(1e8), SCHEMES[name], 3).value.array_r[0]) < 1e-6


def test_crank_nicolson_keeps_stiff_components() -> None:
    """Why it is offered on request only."""
    value = march(decay(1e8), SCHEMES["crank-nicolson"], 3).value.array_r[0]
    assert value == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize("name", SCHEMES)
def test_decay_of_one_step(name: str) -> None:
    """R(-z) of one step against the table's own stability function, and e^-z."""
    scheme = SCHEMES[name]
    table = scheme.starter if isinstance(scheme, Multistep) else scheme
    stages = np.zeros((len(table.stages),) * 2)
    for row, coefficients in enumerate(table.stages):
        stages[row, : len(coefficients)] = coefficients
    ones = np.ones(len(stages))
    expected = 1 - 0.3 * stages[-1] @ np.linalg.solve(np.eye(len(stages)) + 0.3 * stages, ones)
    value = march(decay(0.3), scheme, 1).value.array_r[0]
    assert value == pytest.approx(expected, rel=1e-12)
    assert value == pytest.approx(np.exp(-0.3), abs=0.04)


@pytest.mark.parametrize("name", ["sdirk2", "trbdf2"])
def test_estimated_error_has_its_order(name: str) -> None:
    problem, scheme = manufactured(), SCHEMES[name]
    assert isinstance(scheme, RungeKutta)
    made = stepper(problem, scheme)
    initial, error = problem.vector(), problem.vector()
    initial.array[:] = exact(0.4)
    sizes = []
    for size in (0.02, 0.01):
        made.start(0.4, initial)
        made.error(made.propose(0.4, size), error)
        sizes.append(error.norm(PETSc.NormType.NORM_INFINITY))
    assert np.log2(sizes[0] / sizes[1]) == pytest.approx(scheme.embedded_order + 1, abs=0.15)


@pytest.mark.parametrize("name", ["sdirk2", "trbdf2"])
def test_adaptive_error_follows_the_tolerance(name: str) -> None:
    scheme, errors, steps = SCHEMES[name], [], []
    assert isinstance(scheme, RungeKutta)
    for tolerance in (1e-4, 1e-6):
        problem = manufactured()
        initial = problem.vector()
        initial.array[:] = exact(0.0)
        control = AdaptiveSize(1e-3, tolerance, scheme.embedded_order + 1, 1.0, 2.0)
        marching = AdaptiveMarch(stepper(problem, scheme), control, initial)
        for stop in (0.37, 2.0):
            while marching.time < stop:
                marching.advance(stop)
            assert marching.time == stop
        errors.append(np.abs(marching.value.array_r - exact(2.0)).max())
        steps.append(marching.steps)
    assert errors[1] < errors[0] / 5
    assert errors[0] < 30 * 1e-4 and errors[1] < 30 * 1e-6
    assert steps[1] > 1.5 * steps[0]


def test_rejected_step_changes_nothing() -> None:
    problem = manufactured()
    made = stepper(problem, SCHEMES["trbdf2"])
    initial = problem.vector()
    initial.array[:] = exact(0.0)
    made.start(0.0, initial)
    made.propose(0.0, 0.5)  # not accepted
    first = made.propose(0.0, 0.1)
    made.accept(first)
    again = stepper(problem, SCHEMES["trbdf2"])
    again.start(0.0, initial)
    step = again.propose(0.0, 0.1)
    again.accept(step)
    assert np.allclose(made.value.array_r, again.value.array_r, rtol=0, atol=1e-12)
    assert np.allclose(first.exchanged, step.exchanged, rtol=0, atol=1e-12)


def test_collapse_of_the_step_is_an_error_with_a_remedy() -> None:
    control = AdaptiveSize(1e-3, 1e-4, 3, 1.0, 1.0)
    with pytest.raises(NumericalError, match="time step fell to") as caught:
        while not control.judge(control.size, np.inf, 0.5):
            pass
    assert "tolerance" in caught.value.remedy


def test_size_meets_the_stop_without_a_sliver() -> None:
    control = AdaptiveSize(1.0, 1e-4, 3, 1.0, 10.0)
    assert control.within(5.0) == 1.0
    assert control.within(1.2) == 0.6
    assert control.within(0.4) == 0.4


def test_scheme_without_an_estimate_refuses_to_adapt() -> None:
    with pytest.raises(CaseError, match="no error estimate") as caught:
        scheme_named("bdf2", adaptive=True)
    assert caught.value.valid == ("sdirk2", "trbdf2")


def test_the_case_file_offers_what_there_is() -> None:
    """The schema must not import PETSc, so it names the choices again."""
    assert set(LINEAR) == set(SCHEMES)
    assert set(REACTIVE) == set(REACTIVE_SCHEMES)
    assert set(get_args(Preconditioner)) == set(PRECONDITIONERS)
