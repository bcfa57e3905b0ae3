"""Marches of reacting species: resume to the bit, ranks, failures in words, steady states."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ranks import run_on_ranks
from reactive_problems import (
    ASSOCIATION,
    BRUSSELATOR,
    TIGHT,
    Setting,
    association,
    brusselator,
    final,
    marched,
)

from fem_rd.errors import NumericalError
from fem_rd.numerics.reactive.chosen_solver import ChosenSolver
from fem_rd.numerics.reactive.coupled import CoupledMatrix
from fem_rd.numerics.reactive.jacobi_cg import JacobiCG
from fem_rd.numerics.reactive.march import ReactiveMarch
from fem_rd.numerics.reactive.problem import Fields
from fem_rd.numerics.reactive.schemes import (
    REACTIVE_SCHEMES,
    Stepping,
    reactive_march,
    steady_reactive_march,
)
from fem_rd.numerics.reactive.transport import Transport
from fem_rd.numerics.semidiscrete import ShiftedOperator
from fem_rd.numerics.solver import SolverOptions

AUTO = SolverOptions(1e-10, "auto")


def driven() -> Setting:
    ends = [lambda t: 1 + 0.5 * np.sin(2 * t), lambda t: 2 - 0.4 * np.sin(3 * t)]
    return Setting([0.02, 0.1], BRUSSELATOR, brusselator, cells=10, ends=ends, uptake=0.7)


def begun(name: str, step: float | None) -> ReactiveMarch:
    setting = driven()
    start = setting.initial(1.0, 2.0)
    return reactive_march(setting.problem, start, Stepping(name, 1.0, step=step), AUTO)


@pytest.mark.parametrize("step", [0.05, None], ids=["fixed", "adaptive"])
@pytest.mark.parametrize("name", REACTIVE_SCHEMES)
def test_resumed_march_is_the_same_to_the_bit(name: str, step: float | None) -> None:
    """Saved at the start, in the steps of the starter and later; restored into a new march."""
    whole = begun(name, step)
    for _ in range(3):
        for _ in range(2 if whole.steps else 0):
            whole.advance(1.0)
        saved = whole.state()
        for array in (*saved.distributed.values(), *saved.replicated.values()):
            array.flags.writeable = False  # a view of what goes on changing would be a defect
        again = begun(name, step)
        again.restore(saved)
        whole.advance(1.0)
        again.advance(1.0)
        assert np.array_equal(final(whole), final(again))
        assert np.array_equal(whole.exchanged, again.exchanged)
        assert np.array_equal(whole.flows, again.flows)
        assert (whole.time, whole.steps) == (again.time, again.steps)


def test_rejected_steps_leave_no_trace() -> None:
    """A first step far too long: what is accepted is what a good first step gives."""
    for name in REACTIVE_SCHEMES:
        marches = []
        for first in (0.5, None):
            setting = driven()
            stepping = Stepping(name, 1.0, tolerance=1e-5, initial_step=first, max_step=0.5)
            march = reactive_march(setting.problem, setting.initial(1.0, 2.0), stepping, AUTO)
            march.advance(1.0)
            if first is None:
                march = reactive_march(
                    driven().problem, setting.initial(1.0, 2.0),
                    Stepping(name, 1.0, tolerance=1e-5, initial_step=marches[0].time), AUTO,
                )  # fmt: skip
                march.advance(1.0)
            marches.append(march)
        assert marches[0].time < 0.4  # it was rejected at least once
        assert marches[0].time == marches[1].time
        assert np.allclose(final(marches[0]), final(marches[1]), rtol=0, atol=1e-7)


def test_a_step_in_which_newton_fails_is_taken_again_smaller() -> None:
    """u' = u^2 from 2 is 1/(1/2 - t); a first step of 0.4 has no implicit solution."""
    setting = Setting([0.1], [[1]], lambda t, u: u**2, cells=4)
    start = np.full(setting.problem.shape, 2.0)
    with np.errstate(all="ignore"), pytest.raises(NumericalError, match="Newton"):
        marched(setting, "implicit", 1, end=0.4, initial=start)
    stepping = Stepping("implicit", 0.4, tolerance=1e-5, initial_step=0.4, max_step=0.4)
    march = reactive_march(setting.problem, start, stepping, AUTO)
    with np.errstate(all="ignore"):
        while march.time < 0.4:
            march.advance(0.4)
    assert final(march) == pytest.approx(10.0, rel=1e-2)


def test_stops_are_met_exactly_without_slivers() -> None:
    march = begun("imex-bdf2", None)
    times = []
    for stop in (0.1, 0.37, 1.0):
        while march.time < stop:
            march.advance(stop)
            times.append(march.time)
        assert march.time == stop
    sizes = np.diff(times)
    assert (sizes[1:] / sizes[:-1]).min() > 0.2


RANKS = """
import json, sys
from mpi4py import MPI
import numpy as np
from reactive_problems import *
from fem_rd.numerics.reactive.schemes import *
comm, found = MPI.COMM_WORLD, {}
ends = [lambda t: 1 + 0.5 * np.sin(2 * t), lambda t: 2 - 0.4 * np.sin(3 * t)]
for degree in (1, 2):
    setting = Setting([0.02, 0.1], BRUSSELATOR, brusselator, cells=5, dimension=2, degree=degree,
                      ends=ends, uptake=0.7, comm=comm)
    names = [name for name in REACTIVE_SCHEMES if degree == 1 or name != "positive"]
    for name in names:
        march = marched(setting, name, 5, options=SolverOptions(1e-11, "auto"))
        values = final(march)
        sums = setting.amounts(values), setting.amounts(values**2)
        found[f"{name} {degree}"] = [*np.ravel(sums), *march.flows, *march.exchanged]
    start, options = setting.initial(1.0, 2.0), SolverOptions(1e-11, "auto")
    march = steady_reactive_march(setting.problem, start, options)
    march.advance(0.0)
    found[f"steady {degree}"] = [*setting.amounts(final(march)), *march.flows]
if comm.rank == 0:
    numbers = {key: list(map(float, value)) for key, value in found.items()}
    json.dump(numbers, open(sys.argv[1], "w"))
"""


@pytest.mark.mpi
def test_ranks_give_the_same_numbers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    paths = f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, "
    script.write_text(paths + f"{str(Path(__file__).parent.parent)!r}]\n" + RANKS)
    found = []
    for ranks in (1, 2, 3):
        run = run_on_ranks(ranks, [str(script), str(tmp_path / f"{ranks}.json")], tmp_path)
        assert run.returncode == 0, run.stderr
        found.append(json.loads((tmp_path / f"{ranks}.json").read_text()))
    for other in found[1:]:
        for key, values in found[0].items():
            assert other[key] == pytest.approx(values, rel=1e-7, abs=1e-7), key


@pytest.mark.parametrize("degree", [1, 2])
def test_matrix_of_newton_is_the_derivative_of_the_residual(degree: int) -> None:
    """For degree 2 at a constant, where the derivatives are the same at all nodes."""
    ends = [lambda t: 1.0, lambda t: 2.0]
    setting = Setting(
        [0.02, 0.1], BRUSSELATOR, brusselator, cells=5, degree=degree, ends=ends, uptake=0.7
    )
    problem, shift = setting.problem, 0.3
    transport, matrix = Transport(problem, AUTO), CoupledMatrix(problem)
    residual, values, sources = Fields(problem), Fields(problem), np.zeros(problem.shape)
    start = setting.initial(1.0, 2.0) if degree == 1 else np.full(problem.shape, 1.3)
    change = np.cos(7.0 * np.arange(start.size)).reshape(start.shape)
    for species, row in zip(problem.species, change, strict=True):
        row[species.constraint.unknowns] = 0.0
    found = []
    for sign in (1, -1):
        values.array[:] = start + sign * 1e-5 * change
        problem.sources.evaluate(0.0, values.array, sources)
        transport.residual(0.0, shift, start + shift * sources, values, residual)
        found.append(residual.array.copy())
    expected = (found[1] - found[0]) / 2e-5
    matrix.update(0.0, start, shift)
    direction, image = matrix.vector(), matrix.vector()
    direction.array[:] = change.T.ravel()
    matrix.matrix.mult(direction, image)
    given = image.array_r.reshape(expected.T.shape).T
    for i, species in enumerate(problem.species):
        free = np.delete(np.arange(start.shape[1]), species.constraint.unknowns)
        assert given[i, free] == pytest.approx(expected[i, free], abs=1e-8)
        assert np.all(given[i, species.constraint.unknowns] == 0.0)


def test_explosion_ends_fixed_steps_with_a_remedy() -> None:
    setting = Setting([0.1], [[1]], lambda t, u: u**3, cells=4)
    with pytest.raises(NumericalError, match="not finite") as caught, np.errstate(all="ignore"):
        marched(setting, "imex-bdf2", 20, end=4.0)
    assert "step" in caught.value.remedy


@pytest.mark.parametrize("name", REACTIVE_SCHEMES)
def test_rates_that_are_not_finite_are_an_error_at_once(name: str) -> None:
    """A rate that is a number until t = 0.5 only."""

    def rates(time: float, u: np.ndarray) -> np.ndarray:
        return np.array([u[0] if time < 0.5 else np.nan * u[0]])

    setting = Setting([0.1], [[-1]], rates, cells=4)
    for steps in (10, None) if name != "strang" else (10,):  # it would feel its way to t = 0.5
        with np.errstate(all="ignore"), pytest.raises(NumericalError):
            marched(setting, name, steps)


def test_explosion_collapses_adaptive_steps() -> None:
    setting = Setting([0.1], [[1]], lambda t, u: u**3, cells=4)
    with pytest.raises(NumericalError), np.errstate(all="ignore"):
        marched(setting, "ark3", None, end=4.0)


def test_implicit_failure_is_said_in_words() -> None:
    setting = Setting([0.1], [[1]], lambda t, u: 1 + u**3, cells=4)
    with np.errstate(all="ignore"), pytest.raises(NumericalError, match="Newton's") as caught:
        marched(setting, "implicit", 2, end=8.0)
    assert "smaller step" in caught.value.remedy


def test_too_many_sub_steps_of_reactions_are_a_case_for_the_implicit_scheme() -> None:
    def rates(time: float, u: np.ndarray) -> np.ndarray:
        return np.array([1e6 * u[0], 1e6 + 0 * u[0]])

    setting = Setting([0.1], [[-1, 1]], rates, cells=4)
    with pytest.raises(NumericalError, match="sub-steps") as caught:
        marched(setting, "strang", 2, end=1.0)
    assert "implicit" in caught.value.remedy


def test_steady_state_does_not_move_and_its_ledger_closes() -> None:
    """Newton's method; then the implicit scheme stays where it is."""

    def mild(time: float, u: np.ndarray) -> np.ndarray:
        return np.array([1.0 + 0 * u[0], u[0] ** 2 * u[1], 1.5 * u[0], u[0]])

    for degree in (1, 2):
        setting = Setting(
            [1.0, 1.0], BRUSSELATOR, mild, cells=12, degree=degree,
            ends=[lambda t: 2.0, lambda t: 1.0],
        )  # fmt: skip
        march = steady_reactive_march(setting.problem, setting.initial(1.0, 2.0), AUTO)
        march.advance(0.0)
        values = final(march)
        moved = march.flows[:4].reshape(2, 2).sum(axis=1)
        assert moved + setting.chemistry.changes @ march.flows[4:] == pytest.approx(0, abs=1e-10)
        assert np.abs(march.flows).max() > 0.1
        later = final(marched(setting, "implicit", 5, end=5.0, initial=values, options=TIGHT))
        assert np.abs(later - values).max() < 1e-9
        assert np.ptp(values[0]) > 0.1


@pytest.mark.parametrize("bound", [0.3, 0.0])
def test_closed_box_finds_the_steady_state_of_its_own_amounts(bound: float) -> None:
    """A + B <-> C: Newton's matrix is singular, pseudo-time keeps A + C and B + C."""
    setting = Setting([0.01, 0.1, 0.05], ASSOCIATION, association, cells=12)
    start = setting.initial(1.0, 2.0, bound)
    march = steady_reactive_march(setting.problem, start, AUTO)
    march.advance(0.0)
    a, b, c = final(march)
    assert 5.0 * a * b == pytest.approx(0.5 * c, rel=1e-9)
    laws = np.array([[1, 0, 1], [0, 1, 1]])
    assert laws @ setting.amounts(final(march)) == pytest.approx(
        laws @ setting.amounts(start), rel=1e-10
    )
    assert np.ptp(a) < 1e-9


def test_steady_state_is_reached_from_nothing() -> None:
    """0 -> A -> A + B, A -> 0, B -> 0, from no A and no B, or from the A that there will be."""

    def rates(time: float, u: np.ndarray) -> np.ndarray:
        return np.array([3.0 + 0 * u[0], 2.0 * u[0], 1.5 * u[0], 0.5 * u[1]])

    setting = Setting([0.1, 0.2], [[1, 0, -1, 0], [0, 1, 0, -1]], rates, cells=6)
    for a in (0.0, 2.0):
        march = steady_reactive_march(setting.problem, setting.initial(a, 0.0), AUTO)
        march.advance(0.0)
        values = final(march)
        assert values[0] == pytest.approx(np.full_like(values[0], 2.0), rel=1e-9)
        assert values[1] == pytest.approx(np.full_like(values[1], 8.0), rel=1e-9)


def test_steady_state_of_other_sign_is_not_taken() -> None:
    """Michaelis-Menten uptake has a branch below minus K; Newton's method alone falls onto it."""
    ends = [lambda t: 1.0]
    setting = Setting([1.0], [[-1]], lambda t, u: 900 * u / (0.01 + u), cells=64, ends=ends)
    march = steady_reactive_march(setting.problem, np.ones(setting.problem.shape), AUTO)
    march.advance(0.0)
    values = final(march)[0]
    assert values.min() > -1e-6
    assert march.flows[0] == pytest.approx(march.flows[-1], rel=1e-9)
    assert march.flows[0] == pytest.approx(np.sqrt(2 * 900 * (1 - 0.01 * np.log(101))), rel=0.02)


def test_no_steady_state_is_an_error_with_a_remedy() -> None:
    setting = Setting([0.1], [[1]], lambda t, u: 1 + u * u, cells=6)
    march = steady_reactive_march(setting.problem, setting.initial(1.0), AUTO)
    with np.errstate(all="ignore"), pytest.raises(NumericalError, match="no steady") as caught:
        march.advance(0.0)
    assert "[time]" in caught.value.remedy


def test_fused_iterations_solve_and_stop_early_when_told() -> None:
    setting = driven()
    species = setting.species[0]
    operator = ShiftedOperator(species)
    operator.set_shift(0.1)
    exact, found, rhs = (species.vector() for _ in range(3))
    exact.array[:] = np.sin(np.arange(len(exact.array)))
    operator.matrix.mult(exact, rhs)
    solver = JacobiCG(setting.problem.comm, 1e-12, 100)
    solver.set_operator(operator.matrix)
    solver.solve(rhs, found)
    assert np.abs(found.array_r - exact.array_r).max() < 1e-11
    all_of_them = solver.iterations
    found.set(0.0)
    solver.solve(rhs, found, reduction=1e-2)
    assert 0 < solver.iterations - all_of_them < all_of_them
    assert 1e-6 < np.abs(found.array_r - exact.array_r).max() < 0.05


@pytest.mark.parametrize("stiffness, name", [(1.0, "jacobi"), (200.0, "icc"), (1e4, "gamg")])
def test_solver_is_chosen_by_the_stiffness_of_the_step(stiffness: float, name: str) -> None:
    species = Setting([1.0], [[-1]], lambda t, u: u, cells=40).species[0]
    operator, chosen = ShiftedOperator(species), ChosenSolver(species, AUTO)
    operator.set_shift(stiffness / (2 * 40**2))  # K_ii / M_ii = 2 D / h^2
    chosen.set_operator(operator)
    assert chosen.name == name
    exact, found, rhs = (species.vector() for _ in range(3))
    exact.array[:] = np.cos(np.pi * np.linspace(0, 1, len(exact.array)))
    operator.matrix.mult(exact, rhs)
    chosen.solve(rhs, found, 0.0)
    assert np.abs(found.array_r - exact.array_r).max() < 1e-7
    named = ChosenSolver(species, SolverOptions(1e-10, "sor"))
    named.set_operator(operator)
    assert named.name == "sor"


def test_fused_iterations_say_what_went_wrong() -> None:
    setting = driven()
    operator = ShiftedOperator(setting.species[0])
    operator.set_shift(0.1)
    rhs, found = (setting.species[0].vector() for _ in range(2))
    rhs.array[:] = 1.0
    rhs.array[3] = np.nan
    solver = JacobiCG(setting.problem.comm, 1e-12, 100)
    solver.set_operator(operator.matrix)
    with pytest.raises(NumericalError, match="not finite"):
        solver.solve(rhs, found)
