"""Stochastic simulation against exact laws: means, variances, whole distributions, conventions."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import chi2

from fem_rd.chemistry import stochastic_kernels as kernels
from fem_rd.chemistry.equations import (
    mass_action,
    network_of,
    rate_of_combinations,
    reactions_of,
    read_equation,
)
from fem_rd.chemistry.kinetics import kinetics_of
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.rate_equations import RateEquations
from fem_rd.chemistry.stochastic import Simulation
from fem_rd.errors import CaseError, NumericalError
from fem_rd.exact import stochastic_kinetics as exact
from fem_rd.exact.validity import OutOfRange
from fem_rd.expressions.expression import SPACE_TIME, Expression

RUNS = 10_000
SEED = 1
TIMES = [1.0, 10.0, 25.0, 50.0]
BIRTH_DEATH = mass_action({"birth": ("X -> 2 X", 0.1), "death": ("X -> 0", 0.11)})
IMMIGRATION = mass_action({"birth": ("0 -> X", 1.0), "death": ("X -> 0", 0.1)})
DIMERISATION = mass_action({"pair": ("2 P <-> P2", 0.0005, 0.01)})  # 0.001 for each pair
ANNIHILATION = mass_action({"gone": ("2 A -> 0", 0.05)})  # 0.1 for each pair


def law(text: str) -> Expression:
    return Expression.parse(text, names=("X", "Y", *SPACE_TIME), where=None)


def check_moments(counts: np.ndarray, expected: exact.Moments) -> None:
    """REFERENCES D4: means within 3 and variances within 5 of their standard errors."""
    runs = len(counts)
    z = math.sqrt(runs) * (counts.mean(axis=0) - expected.mean) / expected.deviation
    spread = math.sqrt(runs / 2) * (counts.var(axis=0, ddof=1) / expected.variance - 1)
    assert np.abs(z).max() < 3, z
    assert np.abs(spread).max() < 5, spread


def check_law(counts: np.ndarray, probabilities: np.ndarray) -> None:
    """Pearson's statistic of whole numbers below its 1 - 1e-4 quantile, and not far too small."""
    expected = probabilities * len(counts)
    order = np.argsort(expected)
    seen = np.bincount(counts, minlength=len(expected))[: len(expected)]
    assert seen.sum() == len(counts)
    groups = np.cumsum(expected[order]) // 10  # of ten expected or more each
    seen = np.bincount(groups.astype(int), weights=seen[order])
    expected = np.bincount(groups.astype(int), weights=expected[order])
    seen, expected = seen[expected > 0], expected[expected > 0]
    statistic, freedom = np.sum((seen - expected) ** 2 / expected), len(expected) - 1
    assert chi2.ppf(1e-4, freedom) < statistic < chi2.ppf(1 - 1e-4, freedom)


def test_exact_moments_are_those_published():
    """DSMTS 001-01, 002-01, 003-01, and D5 of the catalogue of references."""
    found = exact.birth_death(0.1, 0.11, 100, TIMES)
    assert found.mean == pytest.approx(100 * np.exp(-0.01 * np.array(TIMES)), rel=1e-14)
    deviation = [4.548344416, 13.447081334, 19.020180311, 22.386771963]
    assert found.deviation == pytest.approx(deviation, abs=5e-10)
    found = exact.immigration_death(1.0, 0.1, 0, TIMES)
    assert found.mean == pytest.approx([0.9516258, 6.321206, 9.17915, 9.93262], rel=1e-6)
    assert found.variance == pytest.approx(found.mean, rel=1e-14)
    found = exact.dimerisation(0.001, 0.01, 100, TIMES)
    mean = [91.031766132, 52.214271017, 34.887453377, 28.542297787]
    deviation = [3.862504467, 5.511759725, 4.964690538, 4.789330725]
    assert found.mean == pytest.approx(mean, abs=5e-10)
    assert found.deviation == pytest.approx(deviation, abs=5e-10)
    found = exact.pair_annihilation(0.1, 20, [0.1, 0.5, 1.0, 5.0])
    mean = [16.796039486694, 10.211812963237, 6.867698922363, 1.995608592084]
    assert found.mean == pytest.approx(mean, abs=5e-12)
    variance = [4.592477006, 5.928524573, 4.389726988, 1.348269990]
    assert found.variance == pytest.approx(variance, abs=5e-10)


def test_exact_stationary_moments_are_those_published():
    found = exact.annihilation_with_source(0.005, 1.0)
    assert float(found.mean) == pytest.approx(10.127404353619, abs=5e-12)
    assert float(found.variance) == pytest.approx(7.563085411909, abs=5e-12)
    found = exact.annihilation_with_source(0.1, 2.0)
    assert float(found.mean) == pytest.approx(3.295346083150, abs=5e-12)
    assert float(found.variance) == pytest.approx(2.436040275420, abs=5e-12)
    found = exact.closed_association(1.0, 2.0, 10.0, 30, 20)
    assert float(found.mean) == pytest.approx(10.080973729584, abs=5e-12)
    assert float(found.variance) == pytest.approx(4.042129734313, abs=5e-12)


def test_exact_moments_have_their_limits():
    assert exact.birth_death(0.2, 0.2, 10, 3.0).variance == pytest.approx(10 * 0.4 * 3)
    left = exact.immigration_death(0.0, 0.5, 8, 1.0)  # survivors are binomial
    assert left.variance == pytest.approx(8 * math.exp(-0.5) * (1 - math.exp(-0.5)))
    assert exact.annihilation_with_source(1e-9, 1.0).mean == pytest.approx(22360.7, rel=1e-4)
    with pytest.raises(OutOfRange, match="t must lie"):
        exact.birth_death(1.0, 1.0, 1, -1.0)
    with pytest.raises(OutOfRange, match="death must be positive"):
        exact.immigration_death(1.0, 0.0, 1, 1.0)


@pytest.mark.parametrize(
    ("network", "initial", "times", "expected"),
    [
        (BIRTH_DEATH, [100], TIMES, exact.birth_death(0.1, 0.11, 100, TIMES)),
        (IMMIGRATION, [0], TIMES, exact.immigration_death(1.0, 0.1, 0, TIMES)),
        (DIMERISATION, [100, 0], TIMES, exact.dimerisation(0.001, 0.01, 100, TIMES)),
        (ANNIHILATION, [20], [0.1, 0.5, 1, 5], exact.pair_annihilation(0.1, 20, [0.1, 0.5, 1, 5])),
    ],
    ids=["birth-death", "immigration-death", "dimerisation", "annihilation"],
)
def test_moments_over_time(network, initial, times, expected):
    counts = Simulation(network, 1.0).run(initial, times, RUNS, SEED).counts
    check_moments(counts[:, :, 0], expected)


@pytest.mark.parametrize(("k1", "k2"), [(0.005, 1.0), (0.1, 2.0)])
def test_stationary_moments_of_annihilation_with_a_source(k1, k2):
    network = mass_action({"made": ("0 -> A", k2), "gone": ("2 A -> 0", k1)})
    counts = Simulation(network, 1.0).run([4], [200.0], RUNS, SEED).counts
    check_moments(counts[:, :, 0], exact.annihilation_with_source(k1, k2))


def test_stationary_moments_of_a_closed_association():
    network = mass_action({"bind": ("A + B <-> C", 1.0, 2.0)})
    counts = Simulation(network, 10.0).run({"A": 30, "B": 20}, [20.0], RUNS, SEED).counts
    check_moments(counts[:, :, 2], exact.closed_association(1.0, 2.0, 10.0, 30, 20))
    a, b, c = counts[:, 0].T
    assert (a + c == 30).all()
    assert (b + c == 20).all()


def test_the_whole_law_of_a_network_with_everything_in_it():
    """Three ways between two species, mass action and law, chemostat: against exp(Q t)."""
    network = network_of(
        [
            *reactions_of("flip", "X <-> Y", rate=law("0.7"), reverse_law=law("0.9*Y/(1 + Y/4)")),
            *reactions_of("helped", "2 X + A -> X + Y + A", rate=law("0.4")),
            *reactions_of("back", "3 Y -> 3 X", rate=law("0.2")),
        ],
        chemostats={"A": Expression.constant(1.5)},
    )
    total, volume, end = 12, 3.0, 0.4
    x = np.arange(total + 1)
    rates = kinetics_of(network).propensities(np.array([x, total - x]), volume)
    generator = np.zeros((total + 1, total + 1))
    for rate, change in zip(rates, network.stoichiometry[0], strict=True):
        for n in x[rate > 0]:
            generator[n + change, n] += rate[n]
            generator[n, n] -= rate[n]
    exact_law = expm(generator * end)[:, 8]
    counts = Simulation(network, volume).run({"X": 8, "Y": 4}, [end], 40_000, SEED).counts
    check_law(counts[:, 0, 0], exact_law)


def test_many_reactions_are_chosen_by_their_propensities():
    """Molecules on a ring of 37 places with uneven exchange become multinomial."""
    size = 37
    weight = 1.0 + np.arange(size) / size
    network = mass_action(
        {
            f"r{i}": (f"S{i} <-> S{(i + 1) % size}", 40 / weight[i], 40 / weight[(i + 1) % size])
            for i in range(size)
        }
    )
    start = np.zeros(size, dtype=int)
    start[0] = 1
    counts = Simulation(network, 1.0).run(start, [20.0], 20_000, SEED).counts[:, 0]
    check_law(counts.argmax(axis=1), weight / weight.sum())


@pytest.mark.parametrize("by_law", [False, True], ids=["mass action", "laws"])
def test_the_time_spent_at_each_number_is_the_stationary_law(by_law):
    """Schloegl at V = 5: mean 3.066671977952, variance 32.091299021, gap 0.24957037 (D7)."""
    volume, runs, length = 5.0, 20, 4000.0
    if by_law:  # with the factorials that mass action has
        texts = {"a": ("0 -> X", "3*X*(X - 1/5) + 0.5"),
                 "b": ("X -> 0", "0.6*X*(X - 1/5)*(X - 2/5) + 2.95*X")}  # fmt: skip
        made = [reactions_of(name, eq, law=law(text)) for name, (eq, text) in texts.items()]
        network = network_of([reaction for (reaction,) in made])
    else:
        network = mass_action({"a": ("2 X <-> 3 X", 3.0, 0.6), "b": ("0 <-> X", 0.5, 2.95)})
    simulation = Simulation(network, volume)
    ensemble = simulation.start([3], range(runs), SEED)
    simulation.advance(ensemble, 0.0, 40.0)
    fractions = simulation.occupation(ensemble, "X", 40.0, 40.0 + length, 100)
    n = np.arange(100)
    assert fractions.sum() == pytest.approx(1.0, abs=1e-12)
    assert fractions[-1] == 0.0
    mean = fractions @ n
    variance = fractions @ (n - mean) ** 2
    independent = runs * length * 0.24957037 / 2
    assert abs(mean - 3.066671977952) < 3 * math.sqrt(32.091299021 / independent)
    assert variance == pytest.approx(32.091299021, rel=0.1)


def test_the_random_numbers_are_xoshiro256_plus_plus_from_splitmix64():
    """The first outputs of the authors' programs from state (1, 2, 3, 4) and seed 1234567."""
    stream = np.array([1, 2, 3, 4], dtype=np.uint64)
    words = [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]
    assert [kernels._uniform(stream) for _ in words] == [(w >> 11) * 2.0**-53 for w in words]
    first = kernels._mixed(np.uint64(1234567) + kernels._GOLDEN)
    assert first == 6457827717110365317


def test_replicas_are_independent_of_each_other():
    network = mass_action({"birth": ("0 -> X", 20.0)})
    counts = Simulation(network, 1.0).run([0], [1.0], RUNS, SEED).counts[:, 0, 0].astype(float)
    for lag in (1, 2, 7):
        r = np.corrcoef(counts[:-lag], counts[lag:])[0, 1]
        assert abs(r) * math.sqrt(RUNS) < 4
    other = Simulation(network, 1.0).run([0], [1.0], RUNS, SEED + 1).counts[:, 0, 0]
    assert abs(np.corrcoef(counts, other)[0, 1]) * math.sqrt(RUNS) < 4


def test_results_do_not_depend_on_threads_readings_or_company():
    times = [0.5, 1.0, 7.3, 20.0]
    reference = Simulation(DIMERISATION, 1.0).run([100, 0], times, 30, 5)
    threaded = Simulation(DIMERISATION, 1.0, threads=2).run([100, 0], times, 30, 5)
    assert (threaded.counts == reference.counts).all()
    assert threaded.events == reference.events
    once = Simulation(DIMERISATION, 1.0).run([100, 0], [20.0], 30, 5)
    assert (once.counts[:, 0] == reference.counts[:, -1]).all()
    assert once.events == reference.events
    simulation = Simulation(DIMERISATION, 1.0)
    some = simulation.start([100, 0], range(11, 17), 5)
    simulation.advance(some, 0.0, 20.0)
    assert (some.counts == once.counts[11:17, 0]).all()
    other = Simulation(DIMERISATION, 1.0).run([100, 0], [20.0], 30, 6)
    assert (other.counts != once.counts).any()


@pytest.mark.parametrize("equation", ["2 A -> 0", "2 A -> A", "3 A -> A", "A + 2 B -> 0"])
def test_few_molecules_and_rate_equations_mean_the_same_by_a_rate(equation):
    """Of many molecules, the mean follows the rate equations, for k and for lambda = k prod m!."""
    reactants, _, _ = read_equation(equation)
    species = [name for name, _ in reactants]
    combination = rate_of_combinations(Expression.constant(0.9), reactants)
    sets = math.prod(math.factorial(count) for _, count in reactants)
    volume, concentration = 50_000.0, np.array([1.0, 1.4][: len(species)])
    found = []
    for rate in (0.9 / sets, combination):
        network = mass_action({"meet": (equation, rate)})
        start = (concentration * volume).astype(int)
        counts = Simulation(network, volume).run(start, [0.8], 20, SEED).counts[:, 0]
        found.append(counts.mean(axis=0) / volume)
        limit = RateEquations(network).integrate(concentration, [0.8])[0]
        assert found[-1] == pytest.approx(limit, abs=5 / math.sqrt(20 * volume))
    assert (found[0] == found[1]).all()
    assert np.all(limit < 0.9 * concentration)


def test_where_nothing_can_happen_the_system_waits():
    simulation = Simulation(ANNIHILATION, 1.0)
    result = simulation.run([7], [1e6, 1e300], 50, 1)
    assert result.events == 3 * 50
    assert (result.counts == 1).all()
    ensemble = simulation.start([1], range(4), 1)
    assert np.isinf(ensemble.due).all()


def test_a_law_without_its_reactants_does_not_happen():
    network = network_of(reactions_of("drain", "2 X -> 0", law=law("5")))
    result = Simulation(network, 1.0).run([9], [100.0], 10, 1)
    assert (result.counts == 1).all()


def test_an_explosion_stops_after_the_most_events():
    network = mass_action({"burst": ("2 X -> 3 X", 1.0)})
    with pytest.raises(NumericalError, match="100000 events before time 5") as error:
        Simulation(network, 10.0).run([10], [5.0], 4, 1, most=100_000)
    assert "outputs" in error.value.remedy
    calm = Simulation(IMMIGRATION, 1.0).run([0], [50.0], 4, 1, most=1000)
    assert 100 < calm.events < 1000


@pytest.mark.parametrize("text", ["1 - X", "log(X - 5)", "1/(X - 3)^2"])
def test_a_law_that_is_no_rate_is_a_failure(text):
    network = network_of(
        [*reactions_of("made", "0 -> X", law=law(text)),
         *reactions_of("lost", "X -> 0", rate=law("1"))]
    )  # fmt: skip
    with pytest.raises(NumericalError, match=r"law \(made\) is negative or not a number"):
        Simulation(network, 1.0).run([3], [10.0], 4, 1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (mass_action({"decay": ("X -> 0", "1 + t")}), "depends on t"),
        (mass_action({"decay": ("X -> 0", "x^2")}), "depends on x"),
        (mass_action({"in": ("A -> X", 1.0)}, chemostats={"A": "sin(t)"}), "depends on t"),
    ],
)
def test_coefficients_must_be_constant(network: Network, message: str):
    with pytest.raises(CaseError, match=message):
        Simulation(network, 1.0)


def test_wrong_starts_are_refused():
    simulation = Simulation(IMMIGRATION, 1.0)
    with pytest.raises(CaseError, match="unknown species"):
        simulation.start({"Z": 1}, range(2), 1)
    with pytest.raises(CaseError, match="one number >= 0"):
        simulation.start([-1], range(2), 1)
    with pytest.raises(CaseError, match="one number >= 0"):
        simulation.start([1, 2], range(2), 1)


@pytest.mark.slow
def test_moments_over_time_of_a_million_runs():
    """Ten times sharper than the 10,000 runs of the default tests."""
    for network, initial, expected in (
        (BIRTH_DEATH, [100], exact.birth_death(0.1, 0.11, 100, [1.0, 10.0])),
        (IMMIGRATION, [0], exact.immigration_death(1.0, 0.1, 0, [1.0, 10.0])),
        (DIMERISATION, [100, 0], exact.dimerisation(0.001, 0.01, 100, [1.0, 10.0])),
    ):
        counts = Simulation(network, 1.0).run(initial, [1.0, 10.0], 1_000_000, SEED).counts
        check_moments(counts[:, :, 0], expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "volume", "initial", "end"),
    [
        (IMMIGRATION, 1e5, [1_000_000], 40.0),
        (mass_action({"bind": ("A + B <-> C", 1.0, 2.0)}), 1000.0, [2000, 2000, 0], 400.0),
        (mass_action({"a": ("2 X <-> 3 X", 3, 0.6), "b": ("0 <-> X", 0.25, 2.95)}), 40, [150], 3e3),
    ],
    ids=["immigration-death", "association", "schloegl"],
)
def test_ten_million_events_a_second(network, volume, initial, end):
    simulation = Simulation(network, volume)
    ensemble = simulation.start(initial, range(2), 1)
    simulation.advance(ensemble, 0.0, end / 100)
    start = time.process_time()
    events = simulation.advance(ensemble, end / 100, end)
    assert events > 2e6
    assert events / (time.process_time() - start) > 1e7
