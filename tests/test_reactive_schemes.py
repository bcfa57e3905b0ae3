"""Schemes for transport with reactions: claimed orders, the account, stiffness, tolerances."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
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
from fem_rd.numerics.reactive.additive import ADDITIVE
from fem_rd.numerics.reactive.schemes import REACTIVE_SCHEMES, Stepping, reactive_march

ORDERS = {
    "imex-bdf2": 2, "ark2": 2, "ark3": 3, "ark4": 4, "strang": 2, "implicit": 2, "positive": 2,
}  # fmt: skip


def closed() -> Setting:
    return Setting([0.02, 0.1], BRUSSELATOR, brusselator, cells=8)


def driven(degree: int = 1) -> Setting:
    """Values that are prescribed in time at one end, a bath that varies at the other."""
    ends = [lambda t: 1 + 0.5 * np.sin(2 * t), lambda t: 2 - 0.4 * np.sin(3 * t)]
    return Setting(
        [0.02, 0.1], BRUSSELATOR, brusselator,
        cells=8, degree=degree, ends=ends, uptake=0.7, bath=lambda t: 1 + 0.3 * np.sin(3 * t),
    )  # fmt: skip


@cache
def reference(kind: str) -> np.ndarray:
    return final(marched(SETTINGS[kind](), "ark4", 1000))


SETTINGS = {"closed": closed, "driven": driven, "driven, degree 2": lambda: driven(2)}


def observed_order(kind: str, scheme: str, steps: int) -> float:
    errors = [
        np.abs(final(marched(SETTINGS[kind](), scheme, count)) - reference(kind)).max()
        for count in (steps, 2 * steps)
    ]
    return float(np.log2(errors[0] / errors[1]))


@pytest.mark.parametrize("scheme", ADDITIVE.values(), ids=lambda scheme: scheme.name)
def test_additive_tables_satisfy_the_order_conditions(scheme) -> None:  # type: ignore[no-untyped-def]
    """All trees to the claimed order, with every mixture of the two halves, to round-off."""

    def square(rows):  # type: ignore[no-untyped-def]
        full = np.zeros((len(rows), len(rows)))
        for index, row in enumerate(rows):
            full[index, : len(row)] = row
        return full

    halves = square(scheme.implicit), square(scheme.explicit)
    c = halves[0].sum(axis=1)
    assert np.allclose(halves[1].sum(axis=1), c, rtol=0, atol=1e-14)
    assert c == pytest.approx(scheme.nodes, abs=1e-14)
    claims = (scheme.weights, scheme.order), (scheme.embedded, scheme.embedded_order)
    for weights, order in claims:
        b = np.array(weights)
        residuals = [b.sum() - 1, b @ c - 1 / 2]
        if order >= 3:
            residuals += [b @ c**2 - 1 / 3, *(b @ a @ c - 1 / 6 for a in halves)]
        if order >= 4:
            residuals += [b @ c**3 - 1 / 4, *(b * c @ a @ c - 1 / 8 for a in halves)]
            residuals += [b @ a @ c**2 - 1 / 12 for a in halves]
            residuals += [b @ a @ e @ c - 1 / 24 for a, e in itertools.product(halves, repeat=2)]
        assert np.abs(residuals).max() < 2e-15
    assert np.abs(np.subtract(scheme.weights, scheme.embedded)).max() > 0.01


@pytest.mark.parametrize("name", REACTIVE_SCHEMES)
def test_claimed_order_in_a_closed_box(name: str) -> None:
    """The Brusselator: cubic, neither positive nor negative definite."""
    steps = {"positive": 160, "ark4": 20, "implicit": 40}.get(name, 80)
    assert observed_order("closed", name, steps) == pytest.approx(ORDERS[name], abs=0.15)


@pytest.mark.parametrize("kind", ["driven", "driven, degree 2"])
@pytest.mark.parametrize("name", ["imex-bdf2", "ark2", "implicit"])
def test_order_two_survives_boundaries_that_vary(name: str, kind: str) -> None:
    assert observed_order(kind, name, 80) == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("name, lowest, highest", [("ark3", 2.2, 2.9), ("ark4", 2.3, 3.8)])
def test_order_is_reduced_by_boundaries_that_vary(name: str, lowest: float, highest: float) -> None:
    """As for every Runge-Kutta scheme with stages of order two (docs/time-stepping.md)."""
    assert lowest < observed_order("driven, degree 2", name, 40) < highest


@pytest.mark.parametrize("name", REACTIVE_SCHEMES)
def test_ledger_of_each_species_closes_to_round_off(name: str) -> None:
    """Long steps and a loose solver: it is the scheme's own quadrature that is accounted."""
    for degree in (1,) if name == "positive" else (1, 2):
        for options in (TIGHT, LOOSE):
            setting = driven(degree)
            marching = marched(setting, name, 9, options=options)
            assert setting.missing(marching) < 2e-13 * 3
            assert np.abs(marching.exchanged).min() > 1e-2


@cache
def exchanged(kind: str) -> np.ndarray:
    return marched(SETTINGS[kind](), "ark4", 1000).exchanged


@pytest.mark.parametrize("kind", ["driven", "driven, degree 2"])
@pytest.mark.parametrize("name", ["imex-bdf2", "ark2", "ark3", "ark4", "implicit"])
def test_what_was_exchanged_is_as_accurate_as_the_values(name: str, kind: str) -> None:
    """Through prescribed values that vary, by a bath, and by each reaction."""
    errors = [
        np.abs(marched(SETTINGS[kind](), name, steps).exchanged - exchanged(kind)).max()
        for steps in (40, 80)
    ]
    assert errors[1] < 2e-3
    assert np.log2(errors[0] / errors[1]) > 1.8


@pytest.mark.parametrize("name", ["ark2", "ark3", "ark4", "strang", "positive"])
def test_flows_of_the_moment_know_how_fast_prescribed_values_change(name: str) -> None:
    """The reservoir also fills the half cell at its boundary."""
    expected = marched(driven(), "imex-bdf2", 2000).flows
    tolerance = 0.02 if name in ("strang", "positive") else 2e-3
    assert marched(driven(), name, 100).flows == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", ["ark2", "ark4", "strang", "implicit"])
def test_conservation_does_not_depend_on_how_stiff_transport_is(name: str) -> None:
    """Products with K round to 1e-16 of its entries, here 1e7 times those of M / h."""
    setting = Setting([1e5, 3e4, 2e4], ASSOCIATION, association, cells=24)
    start = setting.initial(1.0, 2.0, 0.3)
    values = final(marched(setting, name, 50, initial=start, options=DEFAULT))
    laws = np.array([[1, 0, 1], [0, 1, 1]])
    assert laws @ setting.amounts(values) == pytest.approx(
        laws @ setting.amounts(start), rel=1e-12
    )


LOOSE = TIGHT.__class__(1e-5, "auto")


@pytest.mark.parametrize("name", REACTIVE_SCHEMES)
def test_conservation_laws_hold_to_round_off_with_the_default_solver(name: str) -> None:
    """A + B <-> C in a closed box: A + C and B + C, one hundred times as many steps when slow."""
    assert worst_drift(name, 100) < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("name", REACTIVE_SCHEMES)
def test_conservation_laws_hold_over_ten_thousand_steps(name: str) -> None:
    assert worst_drift(name, 10_000) < 1e-12


def worst_drift(name: str, steps: int) -> float:
    """The largest relative drift at any time."""
    setting = Setting([0.5, 0.01, 0.1], ASSOCIATION, association, cells=6, dimension=2)
    start = setting.initial(1.0, 2.0, 0.3)
    stepping = Stepping(name, 1.0, step=1.0 / 200)
    marching = reactive_march(setting.problem, start, stepping, DEFAULT)
    laws = np.array([[1, 0, 1], [0, 1, 1]])
    begun, drift = laws @ setting.amounts(start), 0.0
    for _ in range(steps):
        marching.advance(1e9)
        drift = max(drift, np.abs(laws @ setting.amounts(final(marching)) / begun - 1).max())
    assert np.abs(final(marching) - start).max() > 0.05
    return drift


DEFAULT = TIGHT.__class__(1e-10, "auto")


@pytest.mark.parametrize("name", ["imex-bdf2", "ark2", "ark3", "ark4", "strang", "implicit"])
def test_stiff_transport_does_not_ring(name: str) -> None:
    """A jump of the initial state on a mesh with h^2/D far below the step."""
    setting = Setting([1.0], [[-1]], lambda t, u: 0.1 * u, cells=64)
    start = np.where(setting.points[:, 0] < 0.5, 1.0, 0.0)[None, :]
    values = final(marched(setting, name, 12, end=6.0, initial=start))
    assert np.ptp(values) < 1e-3 * values.max()
    expected = setting.amounts(start) * np.exp(-0.6)
    assert values.mean() == pytest.approx(expected[0], rel=1e-2 if name == "imex-bdf2" else 1e-3)


def test_implicit_scheme_takes_steps_that_explicit_reactions_do_not_allow() -> None:
    """u' = -1e6 (u - 1): one step of 0.1 ends at the equilibrium."""

    def rates(time: float, u: np.ndarray) -> np.ndarray:
        return np.array([1e6 * u[0], 1e6 + 0 * u[0]])

    setting = Setting([0.1], [[-1, 1]], rates, cells=4)
    values = final(marched(setting, "implicit", 10, initial=np.full(setting.problem.shape, 1.5)))
    assert values == pytest.approx(np.ones_like(values), abs=1e-6)


@pytest.mark.parametrize("name", sorted(set(REACTIVE_SCHEMES)))
def test_adaptive_error_follows_the_tolerance(name: str) -> None:
    errors, steps = [], []
    for tolerance in (1e-3, 1e-5):
        marching = marched(driven(), name, None, tolerance=tolerance)
        errors.append(np.abs(final(marching) / reference("driven") - 1).max())
        steps.append(marching.steps)
    assert errors[1] < max(errors[0] / 5, 1e-5)
    assert errors[0] < 3e-3 and errors[1] < 2e-4
    assert steps[1] > 1.2 * steps[0]


def test_a_species_of_low_concentration_is_as_accurate() -> None:
    """The error of each species is relative to its own largest value."""

    def rates(time: float, u: np.ndarray) -> np.ndarray:
        return np.array([0.01 * u[0], 4.0 * u[1]])

    setting = Setting([0.1, 0.1], [[-1, 0], [0, -1]], rates, cells=4)
    start = np.array([np.ones(5), 1e-9 * np.ones(5)])
    values = final(marched(setting, "imex-bdf2", None, tolerance=1e-5, initial=start))
    assert values[1] == pytest.approx(1e-9 * np.exp(-4.0), rel=2e-3)


def test_unknown_scheme_is_named_with_what_there_is() -> None:
    setting = closed()
    with pytest.raises(CaseError, match="unknown scheme") as caught:
        reactive_march(setting.problem, setting.initial(1, 2), Stepping("rk4", 1.0), TIGHT)
    assert "imex-bdf2" in str(caught.value)
