"""Rate equations against closed forms, steady states against roots, cycles against periods."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from fem_rd.chemistry.equations import (
    mass_action,
    network_of,
    rate_of_combinations,
    reactions_of,
    read_equation,
)
from fem_rd.chemistry.limit_cycle import LimitCycle, limit_cycle
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.rate_equations import RateEquations
from fem_rd.errors import CaseError, NumericalError
from fem_rd.expressions.expression import SPACE_TIME, Expression

SCHLOEGL = mass_action(
    {"auto": ("A + 2 X <-> 3 X", 3.0, 0.6), "feed": ("B <-> X", 0.5, 2.95)},
    chemostats={"A": 1.0, "B": 1.0},
)
ROOTS = [0.214118866761, 1.038597429372, 3.747283703867]
ROBERTSON = mass_action(
    {"a": ("A -> B", 0.04), "b": ("2 B -> B + C", 3e7), "c": ("B + C -> A + C", 1e4)}
)


def brusselator(b: float, scale: float = 1.0, **more: tuple[str, float, float]) -> Network:
    return mass_action(
        {
            "supply": ("A -> X", scale),
            "conversion": ("X -> Y", b * scale),
            "autocatalysis": ("2 X + Y -> 3 X", scale),
            "removal": ("X -> 0", scale),
            **more,
        },
        chemostats={"A": 1.0},
    )


def with_laws(**laws: tuple[str, str]) -> Network:
    names = ("X", "Y", "Z", "A", *SPACE_TIME)
    made = [
        reaction
        for name, (equation, law) in laws.items()
        for reaction in reactions_of(
            name, equation, law=Expression.parse(law, names=names, where=None)
        )
    ]
    return network_of(made)


def test_the_velocity_is_stoichiometry_times_rates():
    equations = RateEquations(SCHLOEGL)
    x = 1.7
    expected = 3 * x**2 - 0.6 * x**3 + 0.5 - 2.95 * x
    assert equations.velocity(0.0, np.array([x]))[0] == pytest.approx(expected, rel=1e-14)
    two = RateEquations(brusselator(3.0)).velocity(0.0, np.array([1.5, 0.7]))
    conversion, autocatalysis = 3 * 1.5, 1.5**2 * 0.7
    expected_two = [1 - conversion + autocatalysis - 1.5, conversion - autocatalysis]
    assert two == pytest.approx(expected_two, rel=1e-14)


def test_the_jacobian_is_the_derivative_of_the_velocity():
    network = with_laws(
        saturating=("X -> Y", "2*X/(0.5 + X + 0.1*Y)"), growing=("Y -> 2 Y + X", "Y*exp(-X)*t")
    )
    equations, x = RateEquations(network), np.array([0.8, 1.3])
    found = equations.jacobian(2.0, x)
    for j in range(2):
        step = 1e-6 * np.eye(2)[j]
        slope = (equations.velocity(2.0, x + step) - equations.velocity(2.0, x - step)) / 2e-6
        assert found[:, j] == pytest.approx(slope, rel=1e-8)


def test_two_of_a_kind_vanish_together_and_k_is_half_the_pair_rate():
    """2 A -> 0 with k c^2 events: dc/dt = -2 k c^2; at the pair rate lambda, -lambda c^2."""
    reactants, _, _ = read_equation("2 A -> 0")
    by_pairs = rate_of_combinations(Expression.constant(0.8), reactants)
    for rate in (0.4, by_pairs):
        equations = RateEquations(mass_action({"gone": ("2 A -> 0", rate)}))
        found = equations.integrate([3.0], [0.5, 2.0])[:, 0]
        exact = [3 / (1 + 3 * 0.8 * t) for t in (0.5, 2.0)]
        assert found == pytest.approx(exact, rel=1e-8)


def test_rates_may_depend_on_time():
    equations = RateEquations(mass_action({"decay": ("X -> 0", "t")}))
    assert not equations.autonomous
    found = equations.integrate([2.0], [1.0, 3.0])[:, 0]
    assert found == pytest.approx([2 * math.exp(-0.5), 2 * math.exp(-4.5)], rel=1e-7)


def test_a_stiff_network_is_integrated_and_its_total_kept():
    found = RateEquations(ROBERTSON).integrate([1.0, 0.0, 0.0], [0.4, 40.0, 4e5])
    # Hairer and Wanner, Solving Ordinary Differential Equations II, and many since
    assert found[0] == pytest.approx([9.8517e-1, 3.3864e-5, 1.4794e-2], rel=1e-4)
    assert found[1] == pytest.approx([7.1583e-1, 9.1855e-6, 2.8416e-1], rel=1e-4)
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-13


def test_the_error_follows_the_tolerance():
    equations = RateEquations(brusselator(3.0))
    start, exact = np.array([1.0, 1.0]), [0.40911363, 4.17350906]
    precise = equations.advance(start, 0.0, 40.0, 1e-11)
    assert precise == pytest.approx(exact, rel=2e-8)
    errors = [
        np.abs(equations.advance(start, 0.0, 40.0, tolerance) - precise).max()
        for tolerance in (1e-5, 1e-9)
    ]
    assert 1e-8 < errors[0] < 1e-4
    assert errors[1] < 1e-7


def test_all_steady_states_of_one_species_are_found():
    """REFERENCES: k = (3, .6, .5, 2.95) and (3, .6, .25, 2.95)."""
    assert RateEquations(SCHLOEGL).steady_states() == pytest.approx(ROOTS, abs=1e-12)
    other = mass_action({"auto": ("2 X <-> 3 X", 3.0, 0.6), "feed": ("0 <-> X", 0.25, 2.95)})
    expected = [0.093463120121, 1.204092864802, 3.702444015077]
    assert RateEquations(other).steady_states() == pytest.approx(expected, abs=1e-12)
    logistic = mass_action({"grow": ("X -> 2 X", 1.0), "compete": ("2 X -> X", 0.5)})
    assert RateEquations(logistic).steady_states() == pytest.approx([0.0, 2.0], abs=1e-14)


def test_steady_states_of_general_laws_are_found_up_to_a_largest():
    network = with_laws(
        made=("0 -> X", "3*X^2 + 0.5"), lost=("X -> 0", "0.6*X^3 + 2.95*X")
    )
    assert RateEquations(network).steady_states(10.0) == pytest.approx(ROOTS, abs=1e-11)
    assert RateEquations(network).steady_states(2.0) == pytest.approx(ROOTS[:2], abs=1e-11)
    with pytest.raises(CaseError, match="largest"):
        RateEquations(network).steady_states()
    with pytest.raises(CaseError, match="one species"):
        RateEquations(brusselator(3.0)).steady_states()


def test_newton_keeps_the_conserved_totals():
    network = mass_action({"bind": ("A + B <-> C", 1.0, 2.0), "pair": ("2 C <-> D", 3.0, 1.0)})
    equations = RateEquations(network)
    a, b, c, d = equations.steady_state([3.0, 2.0, 0.0, 0.0])
    assert [a + c + 2 * d, b + c + 2 * d] == pytest.approx([3.0, 2.0], rel=1e-14)
    assert [a * b, 3 * c**2] == pytest.approx([2 * c, d], rel=1e-13)
    assert min(a, b, c, d) > 0


def test_newton_finds_the_unstable_state_of_an_oscillator():
    equations = RateEquations(brusselator(3.0))
    found = equations.steady_state([2.0, 2.0])
    assert found == pytest.approx([1.0, 3.0], rel=1e-13)
    growth = np.linalg.eigvals(equations.jacobian(0.0, found)).real.max()
    assert growth == pytest.approx(0.5, rel=1e-12)  # (B - 1 - A^2)/2


def test_growth_without_end_has_no_steady_state():
    with pytest.raises(NumericalError, match="no steady state"):
        RateEquations(mass_action({"made": ("0 -> X", 1.0)})).steady_state([1.0])


def test_an_explosion_is_a_failure_with_its_time():
    equations = RateEquations(mass_action({"burst": ("2 X -> 3 X", 1.0)}))
    assert equations.advance(np.array([1.0]), 0.0, 0.9)[0] == pytest.approx(10.0, rel=1e-7)
    with pytest.raises(NumericalError, match=r"beyond time 1\b|not finite"):
        equations.advance(np.array([1.0]), 0.0, 2.0)


def test_a_rate_must_not_depend_on_place():
    with pytest.raises(CaseError, match="depends on x"):
        RateEquations(mass_action({"decay": ("X -> 0", "1 + x")}))


def test_the_period_of_the_brusselator():
    """T = 7.156919921180 for A = 1, B = 3, to 13 digits; all rates twice as fast halve it."""
    equations = RateEquations(brusselator(3.0))
    cycle = limit_cycle(equations, [1.0, 1.0])
    assert cycle.period == pytest.approx(7.156919921180, abs=3e-11)
    assert cycle.gap < 1e-10
    assert extreme(equations, cycle, np.argmax) == pytest.approx(3.751773876, rel=1e-6)
    assert extreme(equations, cycle, np.argmin) == pytest.approx(0.370552702, rel=1e-6)
    fast = limit_cycle(RateEquations(brusselator(3.0, scale=2.0)), [1.0, 1.0])
    assert fast.period == pytest.approx(cycle.period / 2, rel=1e-11)


def extreme(
    equations: RateEquations, cycle: LimitCycle, which: Callable[[np.ndarray], np.intp]
) -> float:
    """The largest or smallest x of a cycle: the best of some times, and of some around it."""
    times = np.linspace(0.0, cycle.period, 61)
    best = int(which(equations.integrate(cycle.state, times)[:, 0]))
    around = np.linspace(times[max(best - 1, 0)], times[min(best + 1, 60)], 201)
    x = equations.integrate(cycle.state, around)[:, 0]
    return float(x[which(x)])


def test_the_multipliers_of_a_cycle_multiply_to_its_contraction():
    """Liouville: their product is exp of the divergence of the velocity, over one period."""
    equations = RateEquations(brusselator(2.2))
    cycle = limit_cycle(equations, [1.0, 1.0])
    times = np.linspace(0.0, cycle.period, 201)
    states = equations.integrate(cycle.state, times)
    divergence = [np.trace(equations.jacobian(0.0, state)) for state in states]
    mean = np.mean(divergence[:-1])  # of a periodic function: the trapezoidal rule is spectral
    product = np.prod(cycle.multipliers)
    assert product.imag == pytest.approx(0.0, abs=1e-10)
    assert product.real == pytest.approx(math.exp(mean * cycle.period), rel=1e-5)
    assert np.abs(cycle.multipliers - 1).min() < 1e-5


def test_a_cycle_keeps_the_conserved_totals():
    """An enzyme makes Y from X, and its total sets the period: E = 4/3 is B = 3."""
    network = mass_action(
        {
            "supply": ("0 -> X", 1.0),
            "conversion": ("X + E -> Y + E", 2.25),
            "autocatalysis": ("2 X + Y -> 3 X", 1.0),
            "removal": ("X -> 0", 1.0),
            "fold": ("E <-> F", 1.0, 2.0),
        }
    )
    cycle = limit_cycle(RateEquations(network), [1.0, 1.0, 1.0, 1.0])
    found = dict(zip(network.species, cycle.state, strict=True))
    assert found["E"] + found["F"] == pytest.approx(2.0, rel=1e-13)
    assert cycle.period == pytest.approx(7.156919921180, abs=1e-10)


def test_a_stiff_oscillator_has_its_period_too():
    """Field and Noyes' Oregonator in Tyson's scaling: it closes to the tolerance, stably."""
    e, g, q = 1e-2, 2.5e-5, 9e-5
    network = with_laws(
        a=("0 -> X", f"{q}*Y/{e}"), b=("X -> 0", f"(X*Y + X^2)/{e}"), c=("X -> 2 X", f"X/{e}"),
        d=("0 -> Y", f"Z/{g}"), f=("Y -> 0", f"({q}*Y + X*Y)/{g}"),
        h=("0 -> Z", "X"), i=("Z -> 0", "Z"),
    )  # fmt: skip
    equations = RateEquations(network)
    cycle = limit_cycle(equations, [0.1, 0.1, 0.1])
    again = equations.integrate(cycle.state, [cycle.period, 2 * cycle.period], 1e-11)
    assert again[0] == pytest.approx(cycle.state, rel=1e-6)
    assert again[1] == pytest.approx(cycle.state, rel=1e-6)
    half = equations.advance(cycle.state, 0.0, cycle.period / 2)
    assert np.abs(half / cycle.state - 1).max() > 0.1  # not twice a shorter one


@pytest.mark.parametrize(
    ("b", "start"), [(1.9, (1, 1)), (1.999, (1, 1)), (0.5, (3, 0.1)), (3.0, (1, 3))]
)
def test_without_oscillation_there_is_no_period(b, start):
    with pytest.raises(NumericalError, match=r"limit cycle|close"):
        limit_cycle(RateEquations(brusselator(b)), start)


def test_an_explosion_is_no_cycle():
    network = mass_action({"burst": ("2 X -> 3 X", 1.0)})
    with pytest.raises(NumericalError, match=r"no limit cycle|not finite"):
        limit_cycle(RateEquations(network), [1.0])


def test_a_driven_network_has_no_cycle_of_its_own():
    with pytest.raises(CaseError, match="depend on time"):
        limit_cycle(RateEquations(mass_action({"decay": ("X -> 0", "t")})), [1.0])
