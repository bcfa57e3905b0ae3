"""Chemical thermodynamics: printed digits, decisions of balance, eq. (6), balances, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from fem_rd.chemistry.equations import mass_action, network_of, reactions_of
from fem_rd.chemistry.kinetics import kinetics_of
from fem_rd.chemistry.thermodynamics.balance import balance_of
from fem_rd.chemistry.thermodynamics.macroscopic import (
    diffusive_dissipation,
    entropy_production,
    thermodynamics_of,
)
from fem_rd.chemistry.thermodynamics.potential import IdealPotential, potential_of
from fem_rd.errors import CaseError
from fem_rd.exact.chemical_thermodynamics import multinomial_potential, triangle_steady_state
from fem_rd.exact.validity import OutOfRange
from fem_rd.expressions.expression import Expression

PRINTED = {"abs": 6e-13, "rel": 0}
STATE = [0.5, 0.3, 0.2]
BISTABLE, OTHER = (3, 0.6, 0.5, 2.95), (3, 0.6, 0.25, 2.95)


def triangle(forward, backward):
    names = {"ab": "A <-> B", "bc": "B <-> C", "ca": "C <-> A"}
    rates = zip(names.items(), forward, backward, strict=True)
    return mass_action({name: (text, k, back) for (name, text), k, back in rates})


def schloegl(rates):
    k1, k2, k3, k4 = rates
    reactions = {"cubic": ("A + 2 X <-> 3 X", k1, k2), "linear": ("B <-> X", k3, k4)}
    return mass_action(reactions, chemostats={"A": 1.0, "B": 1.0})


DRIVEN, CLOSED = triangle((2, 3, 1), (1, 1, 2)), triangle((2, 1, 1), (1, 1, 2))
PAIRS = mass_action({"pair": ("0 <-> 2 X", 1.0, 2.0), "one": ("0 <-> X", 3.0, 0.5)})
BIMOLECULAR = mass_action(
    {"bind": ("A + B <-> C", 2.0, 0.7), "split": ("C <-> 2 D", 1.1, 0.4), "turn": ("A <-> D", 3, 5)}
)


def hamiltonian(network, potential, c):
    """The left side of eq. (6) over the sum of the rates."""
    rates = kinetics_of(network).rates(c)
    exponent = network.stoichiometry.T @ potential.gradient(c)
    return (rates * (1 - np.exp(exponent))).sum(axis=0) / rates.sum(axis=0)


def states(count, species, seed=1):
    return np.random.default_rng(seed).lognormal(0, 1, (species, count))


def test_driven_triangle_has_the_printed_digits():
    thermodynamics = thermodynamics_of(DRIVEN, STATE)
    assert thermodynamics.potential.steady == pytest.approx([0.2, 0.24, 0.56], abs=1e-15)
    state = thermodynamics.at(STATE)
    assert state.phi == pytest.approx(0.319164547895, **PRINTED)
    assert state.dphi_dt == pytest.approx(-2.918865223583, **PRINTED)
    assert state.cmf == pytest.approx(0.264320247136, **PRINTED)
    assert state.sigma == pytest.approx(3.183185470719, **PRINTED)
    assert abs(state.balance_residual) <= 1e-12
    resting = thermodynamics.at([0.2, 0.24, 0.56])
    assert [resting.sigma, resting.cmf] == pytest.approx([0.175777966187] * 2, **PRINTED)
    assert [resting.phi, resting.dphi_dt] == pytest.approx([0, 0], abs=1e-15)


def test_triangle_at_equilibrium_has_the_printed_digits():
    state = thermodynamics_of(CLOSED, STATE).at(STATE)
    assert state.phi == pytest.approx(0.233211308090, **PRINTED)
    assert state.sigma == pytest.approx(2.170877803786, **PRINTED)
    assert state.dphi_dt == pytest.approx(-2.170877803786, **PRINTED)
    assert abs(state.cmf) < 1e-14


def test_affinity_of_the_triangle():
    driven, closed = balance_of(DRIVEN), balance_of(CLOSED)
    assert (driven.detailed, driven.complex) == (False, True)
    assert (closed.detailed, closed.complex) == (True, True)
    ((cycle, affinity),) = driven.affinities
    assert cycle == "ab + bc + ca"
    assert affinity == pytest.approx(1.098612288668, **PRINTED)


@pytest.mark.parametrize("seed", range(5))
def test_balanced_state_of_a_triangle_is_that_of_its_spanning_trees(seed):
    forward, backward = np.exp(np.random.default_rng(seed).normal(0, 4, (2, 3)))
    steady, flux = triangle_steady_state(forward, backward)
    thermodynamics = thermodynamics_of(triangle(forward, backward), 3 * np.array(STATE))
    assert thermodynamics.potential.steady == pytest.approx(3 * steady, rel=1e-13)
    affinity = math.log(np.prod(forward / backward))
    assert thermodynamics.at(3 * steady).sigma == pytest.approx(3 * flux * affinity, rel=1e-9)


def test_finite_numbers_have_the_printed_digits():
    steady = triangle_steady_state((2, 3, 1), (1, 1, 2))[0]
    values = [multinomial_potential(STATE, steady, n) for n in (10, 100, 1000, 10000)]
    printed = [0.565616143909, 0.366140004018, 0.326157679069, 0.320094049522]
    assert values == pytest.approx(printed, **PRINTED)
    phi = thermodynamics_of(DRIVEN, STATE).at(STATE).phi
    for n, value in zip((1000, 10000), values[2:], strict=True):
        next_order = (math.log(2 * math.pi * n) + math.log(np.prod(STATE)) / 2) / n
        assert value - phi - next_order == pytest.approx(0, abs=2 / n**2)
    with pytest.raises(OutOfRange, match="do not divide"):
        multinomial_potential(STATE, steady, 7)


@pytest.mark.parametrize(
    ("rates", "roots", "affinity", "barriers"),
    [
        (
            BISTABLE,
            [0.214118866761, 1.038597429372, 3.747283703867],
            3.384390263346,
            [0.108859809822, 0.271972689631],
        ),
        (
            OTHER,
            [0.093463120121, 1.204092864802, 3.702444015077],
            4.077537443906,
            [0.318451597831, 0.222400174157],
        ),
    ],
)
def test_schloegl_has_the_printed_digits(rates, roots, affinity, barriers):
    thermodynamics = thermodynamics_of(schloegl(rates))
    found = thermodynamics.potential.roots
    assert found == pytest.approx(roots, **PRINTED)
    assert thermodynamics.potential.stable == pytest.approx([roots[0], roots[2]], **PRINTED)
    assert thermodynamics.balance.affinities[0][1] == pytest.approx(affinity, **PRINTED)
    assert not thermodynamics.balance.complex
    left, top, right = thermodynamics.potential.value(found[None])
    assert [top - left, top - right] == pytest.approx(barriers, **PRINTED)
    assert min(left, right) == 0.0


def test_schloegl_with_two_equal_minima():
    def difference(k3):
        potential = thermodynamics_of(schloegl((3, 0.6, k3, 4))).potential
        low, high = potential.value(potential.stable[None])
        return high - low

    assert difference(1.324569850526) == pytest.approx(0, abs=1e-12)
    assert difference(10 / 9) == pytest.approx(0.085565697689, **PRINTED)


def test_schloegl_at_its_steady_states():
    thermodynamics = thermodynamics_of(schloegl(BISTABLE))
    resting = thermodynamics.densities(thermodynamics.potential.roots[None])
    printed = [0.445557201531, 8.677110999459, 35.720502788342]
    assert resting.sigma == pytest.approx(printed, abs=6e-12, rel=0)
    assert resting.cmf == pytest.approx(printed, abs=6e-12, rel=0)
    assert resting.dphi_dt == pytest.approx([0, 0, 0], abs=1e-14)
    assert resting.phi[0] == pytest.approx(0.163112879809, **PRINTED)


@pytest.mark.parametrize(
    ("network", "state"),
    [(DRIVEN, STATE), (BIMOLECULAR, [1, 2, 0.5, 0.3]), (schloegl(BISTABLE), None), (PAIRS, None)],
    ids=["triangle", "bimolecular", "schloegl", "pairs"],
)
class TestReversible:
    def test_the_potential_solves_the_hamilton_jacobi_equation(self, network, state):
        c = states(200, len(network.species))
        potential = potential_of(kinetics_of(network), state and np.array(state))
        assert np.abs(hamiltonian(network, potential, c)).max() < 1e-13

    def test_free_energy_balances(self, network, state):
        phi, sigma, cmf, dphi_dt = thermodynamics_of(network, state).densities(
            states(1000, len(network.species))
        )
        scale = np.maximum(1, sigma)
        assert np.all(np.abs(dphi_dt - (cmf - sigma)) <= 1e-12 * scale)
        assert phi.min() >= 0
        assert sigma.min() >= 0
        assert np.all(cmf >= -1e-13 * scale)
        assert dphi_dt.max() <= 1e-13

    def test_gradient_is_that_of_the_value(self, network, state):
        potential = thermodynamics_of(network, state).potential
        c, step = states(20, len(network.species)), 1e-5
        for i, gradient in enumerate(potential.gradient(c)):
            shift = step * np.eye(len(c))[i][:, None]
            slope = (potential.value(c + shift) - potential.value(c - shift)) / (2 * step)
            assert slope == pytest.approx(gradient, abs=2e-6, rel=2e-6)

    def test_rate_of_change_along_a_trajectory(self, network, state):
        thermodynamics = thermodynamics_of(network, state)
        start = np.array(state or [2.5])

        def rates(_, y):
            velocity = thermodynamics.kinetics.velocity(y[:-1, None])[:, 0]
            return [*velocity, thermodynamics.at(y[:-1]).dphi_dt]

        path = solve_ivp(rates, (0, 1), [*start, 0.0], rtol=1e-9, atol=1e-11)
        fall = thermodynamics.at(path.y[:-1, -1]).phi - thermodynamics.at(start).phi
        assert path.y[-1, -1] == pytest.approx(fall, rel=1e-7)
        assert fall < -1e-3


def test_potential_of_one_species_by_quadrature():
    potential = potential_of(kinetics_of(schloegl(BISTABLE)))
    k1, k2, k3, k4 = BISTABLE

    def slope(x):
        return math.log((k2 * x**3 + k4 * x) / (k1 * x**2 + k3))

    points = np.array([0, 0.05, 1.0, 2.0, 8.0, 40.0])
    low = potential.stable[-1]
    expected = [quad(slope, low, x, epsabs=1e-13, epsrel=1e-13, limit=200)[0] for x in points]
    assert potential.value(points[None]) == pytest.approx(expected, rel=1e-11, abs=1e-12)
    many = np.linspace(0, 8.0, 5001)
    assert potential.value(many[None])[[0, -1]] == pytest.approx(
        potential.value(points[None])[[0, 4]], rel=1e-12
    )


def test_slope_with_steps_of_two_is_smooth_at_the_steady_state():
    potential = potential_of(kinetics_of(PAIRS))
    (root,) = potential.roots
    near = root * (1 + np.array([-1e-4, -1e-7, 0, 1e-7, 1e-4]))
    gradient = potential.gradient(near[None])[0]
    assert gradient[2] == pytest.approx(0, abs=1e-14)
    # phi'' = -2 f' / sum_l nu_l^2 R_l, from eq. (6) to second order in phi'
    curvature = 2 * (3 * 0 + 8 * root + 0.5) / (4 * (1 + 2 * root**2) + 3 + 0.5 * root)
    assert gradient[[0, 4]] / (near[[0, 4]] - root) == pytest.approx([curvature] * 2, rel=2e-4)
    assert gradient[[1, 3]] / (near[[1, 3]] - root) == pytest.approx([curvature] * 2, rel=1e-6)


def test_detailed_balance_of_any_network_made_from_a_free_energy():
    random = np.random.default_rng(3)
    equations = ["A + B <-> C", "C <-> 2 D", "A <-> D", "B <-> D", "2 A + B <-> D + C", "0 <-> A"]
    x = dict(zip("ABCD", np.exp(random.normal(size=4)), strict=True))
    table = {}
    for i, equation in enumerate(equations):
        (forward, _) = reactions_of("r", equation, **_unit_rates())
        sides = (forward.reactants, forward.products)
        left, right = (math.prod(x[name] ** n for name, n in side) for side in sides)
        flux = math.exp(random.normal())
        table[f"r{i}"] = (equation, flux / left, flux / right)
    network = mass_action(table)
    balance = balance_of(network)
    assert balance.detailed and balance.complex
    assert len(balance.affinities) == 2
    thermodynamics = thermodynamics_of(network, [1, 1, 1, 1])
    assert thermodynamics.potential.steady == pytest.approx(list(x.values()), rel=1e-12)
    table["r3"] = (equations[3], table["r3"][1] * math.exp(1e-6), table["r3"][2])
    broken = balance_of(mass_action(table))
    assert not broken.detailed
    assert max(affinity for _, affinity in broken.affinities) == pytest.approx(1e-6, rel=1e-6)


def _unit_rates():
    return {"rate": Expression.constant(1), "reverse_rate": Expression.constant(1)}


def test_deficiency_zero_is_complex_balanced_for_all_rates_and_one_is_not():
    ring = {"r1": ("A + B -> C", 3.0), "r2": ("C -> D", 0.2), "r3": ("D -> A + B", 7.0)}
    network = mass_action(ring)
    assert balance_of(network).complex and not balance_of(network).detailed
    potential = potential_of(kinetics_of(network), np.array([1.0, 2.0, 0.0, 0.3]))
    assert np.abs(hamiltonian(network, potential, states(100, 4))).max() < 1e-13
    with pytest.raises(CaseError, match="cannot go back"):
        thermodynamics_of(network, [1, 2, 0, 0.3])

    def quadratic(last):
        ring = {"a": ("2 A -> A + B", 1.0), "b": ("A + B -> 2 B", 2.0), "c": ("2 B -> 2 A", last)}
        return balance_of(mass_action(ring))

    # tree constants (k2 k3, k1 k3, k1 k2) are those of (a^2, a b, b^2) where k1 k3 = k2^2
    assert quadratic(4.0).complex
    assert not quadratic(4.001).complex
    assert not balance_of(mass_action({"r": ("A -> B", 1.0)})).complex


def test_conserved_totals_fix_the_balanced_state():
    network = mass_action({"bind": ("A + B <-> C", 2.0, 3.0)})
    steady = thermodynamics_of(network, [1.0, 0.4, 0.1]).potential.steady
    a, b, c = steady
    assert [a + c, b + c] == pytest.approx([1.1, 0.5], rel=1e-14)
    assert 2 * a * b == pytest.approx(3 * c, rel=1e-14)
    extreme = thermodynamics_of(network, [1e9, 1e-9, 0.0]).potential.steady
    assert extreme == pytest.approx([1e9, 1.5e-18, 1e-9], rel=1e-6)
    with pytest.raises(CaseError, match="all species are present"):
        thermodynamics_of(network, [1.0, 0.0, 0.0])
    with pytest.raises(CaseError, match="without a state"):
        thermodynamics_of(network)


def test_chemostats_drive():
    def network(atp):
        reactions = {"work": ("T + A <-> D + B", 2.0, 1.0), "leak": ("A <-> B", 0.5, 0.5)}
        return mass_action(reactions, chemostats={"T": atp, "D": 3.0})

    driven = balance_of(network(6.0))
    assert driven.complex and not driven.detailed
    assert driven.affinities[0][1] == pytest.approx(math.log(2 * 6 / 3), rel=1e-14)
    assert balance_of(network(1.5)).detailed


def laws(equations):
    reactions = []
    for name, (equation, law, back) in equations.items():
        texts = (Expression.parse(text, names=("S", "P", "t"), where=None) for text in (law, back))
        forward, backward = texts
        reactions += reactions_of(name, equation, law=forward, reverse_law=backward)
    return network_of(reactions)


def test_general_laws():
    enzyme = laws({"mm": ("S <-> P", "3*S/(1 + S + P)", "P/(1 + S + P)")})
    thermodynamics = thermodynamics_of(enzyme, [1.0, 3.0])
    assert thermodynamics.balance.detailed and "numerically" in thermodynamics.balance.how
    assert thermodynamics.potential.steady == pytest.approx([1, 3], rel=1e-10)
    state = thermodynamics.at([2.0, 2.0])
    assert state.sigma == pytest.approx(4 / 5 * math.log(3), rel=1e-14)
    assert state.cmf == pytest.approx(0, abs=1e-9)
    assert abs(state.balance_residual) < 1e-12
    saturated = laws({"a": ("S <-> P", "S/(1 + S)", "P"), "b": ("0 <-> S", "1", "S/(2 + P)")})
    start = np.array([1.0, 1.0])
    assert balance_of(saturated, start).detailed
    driven = laws(
        {"a": ("S <-> P", "S/(1 + S)", "P"), "b": ("0 <-> S", "1", "S"), "c": ("0 <-> P", "1", "P")}
    )
    assert not balance_of(driven, start).detailed
    assert balance_of(driven, start).complex  # each species is a complex: any rest balances
    with pytest.raises(CaseError, match="phi_ss is not known"):
        thermodynamics_of(saturated, [1.0, 1.0])
    hill = laws({"h": ("0 <-> S", "0.1 + 4*S^4/(1 + S^4)", "S")})
    one = thermodynamics_of(hill)
    assert len(one.potential.roots) == 3
    assert np.abs(hamiltonian(hill, one.potential, states(50, 1))).max() < 1e-13
    with pytest.raises(CaseError, match="depends on t"):
        thermodynamics_of(laws({"a": ("S <-> P", "S*t", "P")}), [1, 1])


def test_what_cannot_be_told_is_refused():
    with pytest.raises(CaseError, match=r"'decay' cannot go back.*infinite"):
        thermodynamics_of(mass_action({"decay": ("A -> 0", 1.0), "feed": ("0 -> A", 1.0)}))
    with pytest.raises(CaseError, match="cannot go back"):
        thermodynamics_of(mass_action({"r": ("A <-> 0", 1.0, 0.0)}))
    brusselator = mass_action(
        {
            "feed": ("0 <-> X", 1, 1),
            "cubic": ("2 X + Y <-> 3 X", 1, 0.1),
            "turn": ("X <-> Y", 3, 0.1),
        }
    )
    with pytest.raises(CaseError, match="finite_volume"):
        thermodynamics_of(brusselator)
    sigma = entropy_production(brusselator, np.array([[1.0], [2.0]]))
    expected = 1.9 * math.log(20) + 2.8 * math.log(15)
    assert sigma == pytest.approx([expected], rel=1e-14)
    with pytest.raises(CaseError, match="no stable steady state"):
        potential_of(kinetics_of(mass_action({"r": ("2 X -> 3 X", 1.0), "s": ("X -> 0", 1)})))


def test_without_molecules():
    thermodynamics = thermodynamics_of(DRIVEN, STATE)
    phi, sigma, cmf, dphi_dt = thermodynamics.densities(np.array([[1.0, -1], [0, 1], [0, 1]]))
    assert phi[0] == pytest.approx(math.log(5), rel=1e-14)
    assert (sigma[0], dphi_dt[0]) == (math.inf, -math.inf)
    # J ln(R_+/R_-) at rest: R_+ = (.4, .72, .56), R_- = (.24, .56, .4), at A only J = (2, 0, -2)
    expected = 2 * math.log(0.4 / 0.24) - 2 * math.log(0.56 / 0.4)
    assert cmf[0] == pytest.approx(expected, rel=1e-13)
    assert all(math.isnan(values[1]) for values in (phi, sigma, cmf, dphi_dt))
    empty = thermodynamics_of(schloegl(BISTABLE)).at([0.0])
    assert empty.cmf == pytest.approx(0, abs=1e-15)
    assert empty.sigma == math.inf


def test_diffusion_dissipates():
    c, gradient = np.array([0.5, 2.0, 0.0]), np.array([[1.0, 3, 0], [2.0, 0, 0]])
    assert diffusive_dissipation(0.3, c, gradient) == pytest.approx([3.0, 1.35, 0], rel=1e-15)
    tensor = np.array([[1.0, 0.5], [0.5, 2.0]])
    assert diffusive_dissipation(tensor, c, gradient) == pytest.approx([22, 4.5, 0], rel=1e-15)


def test_ideal_potential_is_relative_entropy():
    potential = IdealPotential(np.array([0.2, 0.8]))
    c = np.array([[0.2, 1.0, 0.0], [0.8, 0.0, 0.8]])
    assert potential.value(c) == pytest.approx([0, math.log(5), 0.2], abs=1e-15)
