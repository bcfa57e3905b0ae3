"""The scheme that keeps concentrations non-negative, whatever the step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from petsc4py import PETSc
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

from fem_rd.errors import CaseError
from fem_rd.numerics.reactive.patankar import limited
from fem_rd.numerics.reactive.positive import PatankarMovement, check_positivity
from fem_rd.numerics.reactive.problem import Fields
from fem_rd.numerics.reactive.schemes import Stepping, reactive_march
from fem_rd.numerics.solver import SolverOptions

AUTO = SolverOptions(1e-10, "auto")


def fast_association(time: float, u: np.ndarray) -> np.ndarray:
    return np.array([1e5 * u[0] * u[1], 1e3 * u[2]])


def separated(setting: Setting) -> np.ndarray:
    """A on the left, B on the right, nothing else: zeros wherever there can be."""
    left = setting.points[:, 0] < 0.4
    return np.array([1.0 * left, 2.0 * ~left, 0.0 * left])


@pytest.mark.parametrize("step", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_nothing_is_negative_and_all_is_conserved_for_wild_steps(step: float) -> None:
    """A + B <-> C with rates up to 1e5 and fronts of one cell; the laws are A + C and B + C."""
    setting = Setting([1.0, 1e-4, 0.1], ASSOCIATION, fast_association, cells=12, dimension=2)
    start = separated(setting)
    march = reactive_march(setting.problem, start, Stepping("positive", 1.0, step=step), AUTO)
    laws = np.array([[1, 0, 1], [0, 1, 1]])
    for _ in range(20):
        march.advance(np.inf)
        values = final(march)
        assert values.min() >= 0.0
        amounts = laws @ setting.amounts(values)
        assert amounts == pytest.approx(laws @ setting.amounts(start), rel=1e-13)
    assert np.abs(values - start).max() > 1e-5


def test_a_loose_solver_does_not_make_anything_negative() -> None:
    """Its residual is of both signs where there is nothing yet."""
    setting = Setting([0.05, 1e-4, 0.1], ASSOCIATION, fast_association, cells=30, dimension=2)
    start = separated(setting)
    stepping = Stepping("positive", 1.0, step=0.01)
    march = reactive_march(setting.problem, start, stepping, SolverOptions(1e-3, "auto"))
    for _ in range(3):
        march.advance(np.inf)
        assert final(march).min() >= 0.0
    laws = np.array([[1, 0, 1], [0, 1, 1]])
    assert laws @ setting.amounts(final(march)) == pytest.approx(
        laws @ setting.amounts(start), rel=1e-13
    )


@pytest.mark.parametrize("scheme", ["imex-bdf2", "ark2"])
def test_other_schemes_do_become_negative(scheme: str) -> None:
    """The same start, reactions 20,000 times slower, a long step: what the option is for."""
    setting = Setting([1.0, 1e-4, 0.1], ASSOCIATION, association, cells=12, dimension=2)
    march = marched(setting, scheme, 2, end=1 / 3, initial=separated(setting))
    assert final(march).min() < -1e-3


def test_open_boundaries_and_many_reactions_stay_positive() -> None:
    """The Brusselator fed at one end and drained at the other, with steps 100 times too long."""
    ends = [lambda t: 1 + np.sin(t), lambda t: 0.0]
    setting = Setting([1e-3, 0.1], BRUSSELATOR, brusselator, cells=30, ends=ends, uptake=50.0)
    march = reactive_march(
        setting.problem, setting.initial(1.0, 2.0), Stepping("positive", 1.0, step=5.0), AUTO
    )
    for _ in range(30):
        march.advance(np.inf)
        assert final(march).min() >= 0.0
        assert setting.missing(march) < 1e-12 * max(1.0, np.abs(march.exchanged).max())


@pytest.mark.parametrize("step", [0.01, 1.0, 100.0])
def test_transport_alone_conserves_and_decays_as_its_formula(step: float) -> None:
    """A sink alone, z = rate * step: u_new = u / (1 + z + z^2/2)."""
    setting = Setting([1e-9], [[-1]], lambda t, u: 0 * u, cells=4)
    sink = 0.7
    for species in setting.species:
        diagonal = species.stiffness.getDiagonal()
        diagonal.array[:] += sink * setting.volumes
        species.stiffness.setDiagonal(diagonal)
        species.stiffness.assemble()
    movement = PatankarMovement(setting.problem, TIGHT)
    values = Fields(setting.problem)
    values.array[:] = 1.5
    movement.move(0.0, step, values)
    z = sink * step
    assert values.array == pytest.approx(1.5 / (1 + z + z * z / 2), rel=1e-12)


def test_limiter_is_the_root_of_its_equation() -> None:
    random = np.random.default_rng(3)
    values = random.exponential(size=(4, 500)) * 10.0 ** random.integers(-12, 3, size=(4, 500))
    slope = random.standard_normal((4, 500)) * 10.0 ** random.integers(-3, 6, size=(4, 500))
    new = np.empty_like(values)
    factor = limited(values, slope, values, 0.3, new)
    assert new.min() > 0.0
    ratios = np.where(slope < 0, new / values, 1.0).prod(axis=0)
    assert factor == pytest.approx(ratios, rel=1e-6)
    assert np.all((factor > 0) & (factor <= 1))
    assert np.any(factor < 1e-3) and np.any(factor > 0.9)


def test_limiter_leaves_what_only_grows() -> None:
    values, slope, new = np.ones((2, 3)), np.full((2, 3), 5.0), np.empty((2, 3))
    assert np.array_equal(limited(values, slope, values, 2.0, new), np.ones(3))
    assert np.array_equal(new, np.full((2, 3), 11.0))


def test_a_species_that_is_absent_is_not_made_negative_by_a_law() -> None:
    """A law that does not vanish with its reactant: zero-order decay stops at zero."""
    setting = Setting([1.0], [[-1]], lambda t, u: 1.0 + 0 * u, cells=4)
    march = marched(setting, "positive", 40, end=4.0, initial=np.full((1, 5), 0.5), options=AUTO)
    assert final(march).min() >= 0.0
    assert final(march).max() < 0.05


def test_meshes_with_positive_entries_are_refused_with_their_number() -> None:
    setting = Setting([1.0], [[-1]], lambda t, u: u, cells=4)
    stiffness = setting.species[0].stiffness
    for row, column in ((1, 2), (2, 1)):
        stiffness.setValue(row, column, 0.5, PETSc.InsertMode.ADD_VALUES)
        stiffness.setValue(row, row, 10.0, PETSc.InsertMode.ADD_VALUES)
    stiffness.assemble()
    check_positivity(setting.problem)
    for row, column in ((1, 2), (2, 1)):
        stiffness.setValue(row, column, 10.0, PETSc.InsertMode.ADD_VALUES)
    stiffness.assemble()
    with pytest.raises(CaseError, match="2 off-diagonal") as caught:
        marched(setting, "positive", 2)
    assert "obtuse" in str(caught.value) and caught.value.key == "time.scheme"


def test_consistent_masses_are_refused() -> None:
    setting = Setting([1.0], [[-1]], lambda t, u: u, cells=4, degree=2)
    with pytest.raises(CaseError, match="lumped mass"):
        marched(setting, "positive", 2)


def test_a_problem_without_single_reactions_is_refused() -> None:
    problem = replace(Setting([1.0], [[-1]], lambda t, u: u, cells=4).problem, events=None)
    with pytest.raises(CaseError, match="positive"):
        check_positivity(problem)
