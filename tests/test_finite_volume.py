"""The master equation at finite volume: printed digits, independent routes, limits of large V."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import gammaln
from test_thermodynamics import BIMOLECULAR, BISTABLE, CLOSED, DRIVEN, OTHER, PAIRS, schloegl

from fem_rd.chemistry.equations import mass_action, network_of, reactions_of
from fem_rd.chemistry.thermodynamics import markov
from fem_rd.chemistry.thermodynamics.finite_volume import master_equation
from fem_rd.chemistry.thermodynamics.macroscopic import thermodynamics_of
from fem_rd.errors import CaseError, NumericalError
from fem_rd.exact.chemical_thermodynamics import multinomial_potential
from fem_rd.expressions.expression import Expression

# Gillespie's Schloegl system: c = (3e-7, 1e-4, 1e-3, 3.5) per set of molecules, N1 = 1e5, N2 = 2e5
GILLESPIE = schloegl((3e-7 / 2 * 1e5, 1e-4 / 6, 1e-3 * 2e5, 3.5))
RANDOM = np.random.default_rng(8)


# In multiple precision, without truncation.
EXACT = {
    5: [3.067123679481652, 32.10860170570626, 4.432207543542944],
    10: [10.3779174585604, 214.7677704021, 8.6690670944917],
    20: [46.30098714578383, 1168.160735486389, 21.42114485505169],
    40: [143.9298358768692, 744.9524126381681, 34.23251658539118],
}
# As they are printed: with at most 8 V molecules.
TRUNCATED = {
    5: [3.066671977952, 32.091299021, 4.431321369856, "0.24957034"],
    10: [10.377914352379, 214.767556342, 8.669064049208, "0.068893628"],
    20: [46.300987145725, 1168.160735480, 21.421144855023, "0.0093256533"],
    40: [143.929835876869, 744.952412638, 34.232516585391, "0.00069261045"],
}


def measured(equation):
    law = equation.stationary
    production = equation.thermodynamics(law).entropy_production / equation.volume
    return [law.mean[0], law.covariance[0, 0], production]


@pytest.mark.parametrize("volume", EXACT)
def test_schloegl_in_multiple_precision(volume):
    equation = master_equation(schloegl(BISTABLE), volume)
    assert measured(equation) == pytest.approx(EXACT[volume], rel=2e-13)
    assert equation.leak < 1e-20


@pytest.mark.parametrize("volume", TRUNCATED)
def test_schloegl_has_the_printed_digits(volume):
    equation = master_equation(schloegl(BISTABLE), volume, upper={"X": 8 * volume})
    *moments, gap = TRUNCATED[volume]
    assert measured(equation) == pytest.approx(moments, rel=2e-11)
    assert f"{equation.gap:.{len(gap) - 2}f}" == gap


def test_leak_bounds_what_truncation_changes():
    whole = master_equation(schloegl(BISTABLE), 10)
    for most in (80, 90, 100):
        cut = master_equation(schloegl(BISTABLE), 10, upper={"X": most})
        change = abs(cut.stationary.mean[0] - whole.stationary.mean[0])
        assert 0.01 * cut.leak < change < cut.leak


def test_gaps_of_the_other_bistable_system():
    printed = {5: "0.2717423761", 10: "0.07973237748", 20: "0.00888083888"}
    for volume, gap in printed.items():
        equation = master_equation(schloegl(OTHER), volume, upper={"X": 8 * volume})
        assert f"{equation.gap:.{len(gap) - 2}f}" == gap
    # in multiple precision: an eigenvalue solver loses digits of an eigenvalue this small
    largest = master_equation(schloegl(OTHER), 40)
    assert largest.gap == pytest.approx(1.10828366720847e-4, rel=1e-12)


def test_stationary_law_of_gillespies_numbers():
    equation = master_equation(GILLESPIE, 1)
    law, (n,) = equation.stationary, equation.space.states
    assert law.mean[0] == pytest.approx(454.8613478980, abs=6e-11, rel=0)
    assert math.sqrt(law.covariance[0, 0]) == pytest.approx(199.8788301523, abs=6e-11, rel=0)
    assert law.probability[n < 256].sum() == pytest.approx(0.220260282058, abs=6e-13, rel=0)
    eliminated = np.log(markov.stationary(equation.generator))  # knows no births and deaths
    assert eliminated == pytest.approx(law.log_probability, abs=1e-8)
    turns = np.diff(np.sign(np.diff(law.probability)))
    assert n[1:-1][turns < 0].tolist() == [82, 563]
    assert n[1:-1][turns > 0].tolist() == [256]
    # in multiple precision; the printed 2.549665182e-5 is right to seven digits
    assert equation.gap == pytest.approx(2.54966555156e-5, rel=1e-11)
    assert markov.spectral_gap(equation.generator) == pytest.approx(equation.gap, rel=1e-7)


def test_transient_law_of_gillespies_numbers():
    equation = master_equation(GILLESPIE, 1)
    early, late = equation.evolve(equation.certain({"X": 250}), [4, 10])
    n = equation.space.states[0]
    for law, *printed in (
        (early, 309.88473052, 216.00860611, 0.51610613),
        (late, 316.59168026, 238.06967349, 0.51331781),
    ):
        spread, left = math.sqrt(law.covariance[0, 0]), law.probability[n < 256].sum()
        assert [law.mean[0], spread, left] == pytest.approx(printed, abs=6e-9, rel=0)
        assert equation.leak_of(law) < 1e-18


def test_law_of_a_decay_in_pairs():
    equation = master_equation(mass_action({"decay": ("2 A -> 0", 0.05)}), 1, start={"A": 20})
    assert equation.space.states.tolist() == [list(range(0, 21, 2))]
    laws = equation.evolve(equation.certain({"A": 20}), [0.1, 0.5, 1, 5])
    means = [16.796039486694, 10.211812963237, 6.867698922363, 1.995608592084]
    variances = [4.592477006, 5.928524573, 4.389726988, 1.348269990]
    assert [law.mean[0] for law in laws] == pytest.approx(means, abs=6e-13, rel=0)
    assert [law.covariance[0, 0] for law in laws] == pytest.approx(variances, abs=6e-10, rel=0)
    assert equation.stationary.mean[0] == 0


@pytest.mark.parametrize(
    ("k1", "k2", "mean", "variance"),
    [
        (0.005, 1, 10.127404353619, 7.563085411909),
        (0.1, 2, 3.295346083150, 2.436040275420),
    ],
)
def test_creation_and_decay_in_pairs(k1, k2, mean, variance):
    network = mass_action({"decay": ("2 A -> 0", k1), "feed": ("0 -> A", k2)})
    equation = master_equation(network, 1)
    assert not equation.birth_death
    law = equation.stationary
    assert [law.mean[0], law.covariance[0, 0]] == pytest.approx([mean, variance], abs=6e-13, rel=0)


def test_binding_in_a_closed_volume():
    network = mass_action({"bind": ("A + B <-> C", 1.0, 2.0)})
    equation = master_equation(network, 10, start={"A": 30, "B": 20})
    assert equation.space.size == 21
    law = equation.stationary
    assert law.mean[2] == pytest.approx(10.080973729584, abs=6e-13, rel=0)
    assert law.covariance[2, 2] == pytest.approx(4.042129734313, abs=6e-13, rel=0)
    assert law.mean[:2] + law.mean[2] == pytest.approx([30, 20], rel=1e-14)
    steady = thermodynamics_of(network, [3, 2, 0]).potential.minimum
    product = equation.poisson(steady)
    assert product.log_probability == pytest.approx(law.log_probability, abs=1e-11)


@pytest.mark.parametrize(("molecules", "printed"), [(10, 0.565616143909), (100, 0.366140004018)])
def test_triangle_is_multinomial(molecules, printed):
    equation = master_equation(DRIVEN, molecules, start={"A": molecules})
    law, state = equation.stationary, np.array([[5], [3], [2]]) * molecules // 10
    assert equation.space.size == (molecules + 1) * (molecules + 2) // 2
    (index,) = equation.space.index(state)
    assert law.potential[index] == pytest.approx(printed, abs=6e-13, rel=0)
    exact = multinomial_potential([0.5, 0.3, 0.2], [0.2, 0.24, 0.56], molecules)
    assert law.potential[index] == pytest.approx(exact, rel=1e-12)
    assert law.mean == pytest.approx(molecules * np.array([0.2, 0.24, 0.56]), rel=1e-12)
    one = master_equation(DRIVEN, 1, start={"A": 1})
    slowest = np.sort(-np.linalg.eigvals(one.generator.toarray()).real)[1]
    assert equation.gap == pytest.approx(slowest, rel=1e-10)
    production = equation.thermodynamics(law).entropy_production
    assert production / molecules == pytest.approx(0.175777966187, abs=6e-13, rel=0)


def test_law_of_independent_molecules_is_accurate_in_its_tails():
    equation = master_equation(mass_action({"turn": ("0 <-> X", 3.0, 0.5)}), 7, upper={"X": 2000})
    n = equation.space.states[0]
    expected = n * math.log(42) - 42 - gammaln(n + 1)
    assert equation.stationary.log_probability == pytest.approx(expected, rel=1e-13, abs=1e-13)
    assert expected[-1] < -5000
    assert equation.gap == pytest.approx(0.5, rel=1e-14)


def random_law(equation):
    return equation.law(RANDOM.normal(0, 2, equation.space.size))


EQUATIONS = {
    "driven": master_equation(DRIVEN, 3, start={"A": 8}),
    "closed": master_equation(CLOSED, 3, start={"A": 8}),
    "bimolecular": master_equation(BIMOLECULAR, 2, start={"A": 5, "B": 4}),
    "schloegl": master_equation(schloegl(BISTABLE), 4, upper={"X": 40}),
    "pairs": master_equation(PAIRS, 3, upper={"X": 30}),
}
each_equation = pytest.mark.parametrize("equation", EQUATIONS.values(), ids=EQUATIONS)


@each_equation
def test_free_energy_balances(equation):
    detailed = thermodynamics_of(equation.kinetics.network, np.ones(len(equation.space.upper)))
    for _ in range(20):
        found = equation.thermodynamics(random_law(equation))
        assert abs(found.balance_residual) <= 1e-12 * found.entropy_production
        assert found.free_energy > 0
        assert found.free_energy_rate < 0
        assert found.entropy_production > 0
        small = 1e-12 * found.entropy_production
        if detailed.balance.detailed:
            assert abs(found.energy_input) <= small
        else:
            assert found.energy_input > small
    resting = equation.thermodynamics(equation.stationary)
    assert resting.free_energy == 0
    assert abs(resting.free_energy_rate) <= 1e-12


@each_equation
def test_free_energy_rate_is_that_of_the_transient_law(equation):
    step, (law,) = 1e-4, equation.evolve(random_law(equation), [0.1])
    before, now, after = (
        equation.thermodynamics(each) for each in (law, *equation.evolve(law, [step, 2 * step]))
    )
    slope = (after.free_energy - before.free_energy) / (2 * step)
    assert slope == pytest.approx(now.free_energy_rate, rel=1e-5)


@each_equation
def test_transient_laws_by_three_routes(equation):
    p, generator = random_law(equation).probability, equation.generator
    for time in (1e-3, 0.3, 5.0):
        exact = expm(generator.toarray() * time) @ p
        assert markov.evolved(generator, p, time) == pytest.approx(exact, abs=2e-13)
        assert markov.on_contour(generator, p, time) == pytest.approx(exact, abs=2e-12)
    assert np.abs(generator.sum(axis=0)).max() < 1e-11
    (late,) = equation.evolve(random_law(equation), [1e5])
    assert late.probability == pytest.approx(equation.stationary.probability, abs=1e-10)


@each_equation
def test_gap_is_the_second_eigenvalue(equation):
    values = np.sort(-np.linalg.eigvals(equation.generator.toarray()).real)
    assert equation.gap == pytest.approx(values[1], rel=1e-7)
    assert markov.spectral_gap(equation.generator) == pytest.approx(values[1], rel=1e-7)


@pytest.mark.parametrize("x", [0.5, 2.0])
def test_limits_of_large_volume(x):
    network = schloegl(BISTABLE)
    state = thermodynamics_of(network).at([x])
    errors = []
    for volume in (80, 160, 320):
        equation = master_equation(network, volume)
        found = equation.thermodynamics(equation.poisson([x]))
        # for Poisson numbers the ratios of (7c) are the same in each state
        assert found.entropy_production / volume == pytest.approx(state.sigma, rel=1e-12)
        errors.append(
            [
                found.free_energy / volume - state.phi,
                found.energy_input / volume - state.cmf,
                found.free_energy_rate / volume - state.dphi_dt,
            ]
        )
    errors = np.array(errors)
    assert np.abs(errors[-1]) == pytest.approx(0, abs=0.02)
    assert np.log2(errors[:-1] / errors[1:]) == pytest.approx(np.ones((2, 3)), abs=0.03)


def test_free_energy_of_independent_molecules_has_no_other_terms():
    network = mass_action({"turn": ("0 <-> X", 3.0, 0.5)})
    state = thermodynamics_of(network).at([2.0])
    equation = master_equation(network, 5, upper={"X": 150})
    found = equation.thermodynamics(equation.poisson([2.0]))
    values = [found.free_energy, found.entropy_production, found.free_energy_rate]
    expected = [5 * state.phi, 5 * state.sigma, 5 * state.dphi_dt]
    assert values == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("network", "points"),
    [(schloegl(BISTABLE), [0.2, 1.0, 2.5, 3.75]), (PAIRS, [0.5, 1.0, 1.5, 2.0])],
    ids=["schloegl", "pairs"],
)
def test_stationary_law_approaches_the_potential(network, points):
    errors = []
    for volume in (40, 80, 160):
        n = (volume * np.array(points)).astype(int)
        law = master_equation(network, volume, upper={"X": 7 * volume}).stationary
        phi = thermodynamics_of(network).potential.value(n[None] / volume)
        errors.append(np.diff(law.potential[n]) - np.diff(phi))
    assert np.abs(errors[-1]).max() < 0.02
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx(np.ones((2, 3)), abs=0.3)


def test_density_of_concentrations():
    network, x = schloegl(BISTABLE), np.array([0.2, 1.0, 3.75, 4.5])
    potential, errors = thermodynamics_of(network).potential, []
    for volume in (160, 320, 640):
        law, n = master_equation(network, volume).stationary, (volume * x).astype(int)
        errors.append(volume * law.probability[n] / potential.density(n / volume, volume) - 1)
    errors = np.array(errors)
    assert np.abs(errors[-1]).max() < 0.002
    assert np.log2(errors[:-1, [0, 1, 3]] / errors[1:, [0, 1, 3]]) == pytest.approx(1, abs=0.1)
    root, step = np.linspace(0, 6, 6001, retstep=True)  # f has the singularity x^(-1/2)
    values = potential.density(root[1:] ** 2, 5.0) * 2 * root[1:]
    assert step * (values.sum() + values[0] / 2) == pytest.approx(1, abs=1e-5)
    with pytest.raises(CaseError, match="Omega"):
        thermodynamics_of(PAIRS).potential.density(x, 10.0)


def test_general_law_at_finite_volume():
    texts = ("2 + 0*S", "3*S/(1 + S)")
    law, back = (Expression.parse(text, names=("S",), where=None) for text in texts)
    network = network_of(reactions_of("r", "0 <-> S", law=law, reverse_law=back))
    equation = master_equation(network, 5)
    n = np.arange(1, 30)
    expected = np.cumsum(np.log(10 / (5 * 3 * n / (5 + n))))
    logs = equation.stationary.log_probability
    assert logs[1:30] - logs[0] == pytest.approx(expected, rel=1e-13)


def test_what_cannot_be_solved_is_refused():
    network = mass_action({"a": ("0 <-> A", 1, 1), "b": ("A <-> B", 1, 1)})
    with pytest.raises(CaseError, match="no bound for the number of A, B"):
        master_equation(network, 1)
    with pytest.raises(CaseError, match="too large"):
        master_equation(network, 1, upper={"A": 30_000, "B": 30_000})
    with pytest.raises(CaseError, match="unknown species"):
        master_equation(network, 1, upper={"a": 3})
    with pytest.raises(CaseError, match="outside the bounds"):
        master_equation(network, 1, start={"A": 4}, upper={"A": 3, "B": 3})
    choice = mass_action({"left": ("A -> B", 1.0), "right": ("A -> C", 1.0)})
    equation = master_equation(choice, 1, start={"A": 1})
    with pytest.raises(NumericalError, match="2 stationary laws"):
        _ = equation.stationary
    with pytest.raises(CaseError, match="not in the state space"):
        equation.certain({"A": 2})
    growing = mass_action({"birth": ("X -> 2 X", 2.0), "death": ("X -> 0", 1.0)})
    assert master_equation(growing, 1, start={"X": 0}, upper={"X": 9}).space.size == 1
    with pytest.raises(CaseError, match="no stable steady state"):
        master_equation(growing, 1, start={"X": 3})
    bounded = master_equation(growing, 1, start={"X": 3}, upper={"X": 400})
    (law,) = bounded.evolve(bounded.certain({"X": 3}), [1.0])
    assert law.mean[0] == pytest.approx(3 * math.e, rel=1e-9)
    assert law.probability[0] == pytest.approx(((math.e - 1) / (2 * math.e - 1)) ** 3, rel=1e-10)
    with pytest.raises(CaseError, match="cannot go back"):
        bounded.thermodynamics(law)
