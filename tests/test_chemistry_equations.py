"""Reactions as people write them, the checks of networks, and the one convention of factors."""

from __future__ import annotations

import numpy as np
import pytest

from fem_rd.chemistry.equations import (
    mass_action,
    network_of,
    rate_of_combinations,
    reactions_of,
    read_equation,
)
from fem_rd.chemistry.network import Reaction, written
from fem_rd.chemistry.program import propensity_program, rates_program, sources_program
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression

ONE = Expression.constant(1)


def law(text, names=("A", "B")):
    return Expression.parse(text, names=(*names, *SPACE_TIME), where=None)


@pytest.mark.parametrize(
    ("text", "reactants", "products", "reversible"),
    [
        ("A + B -> C", [("A", 1), ("B", 1)], [("C", 1)], False),
        ("2 A -> 0", [("A", 2)], [], False),
        ("2A->", [("A", 2)], [], False),
        ("0 -> A", [], [("A", 1)], False),
        (" -> A", [], [("A", 1)], False),
        ("A + A <-> B", [("A", 2)], [("B", 1)], True),
        ("2 A + B + A -> B", [("A", 3), ("B", 1)], [("B", 1)], False),
        ("E1_x + 12 S2 <-> E1_x + P", [("E1_x", 1), ("S2", 12)], [("E1_x", 1), ("P", 1)], True),
    ],
)
def test_equations_read_as_people_write_them(text, reactants, products, reversible):
    assert read_equation(text) == (tuple(reactants), tuple(products), reversible)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A", "no arrow"),
        ("A -> B -> C", "more than one arrow"),
        ("A <-> B -> C", "more than one arrow"),
        ("A + B -> B + A", "changes nothing"),
        ("0 -> 0", "changes nothing"),
        ("2 * A -> B", "'2 * A'"),
        ("0 A -> B", "'0 A'"),
        ("1.5 A -> B", "'1.5 A'"),
        ("-1 A -> B", "'-1 A'"),
        ("A + -> B", "the term ''"),
        ("A B -> C", "'A B'"),
        ("A -> 10001 B", "'10001 B'"),
        ("A -> \u0411", "'\u0411'"),
        ("A + 0 -> B", "'0'"),
        ("A => B", "no arrow"),
    ],
)
def test_what_is_no_equation_is_refused_and_shown(text, said):
    with pytest.raises(CaseError) as caught:
        read_equation(text)
    assert said in caught.value.message
    assert caught.value.found == text
    assert "->" in caught.value.valid


def test_a_side_is_written_as_it_reads():
    reactants, products, _ = read_equation("2 A + B -> 0")
    assert (written(reactants), written(products)) == ("2 A + B", "0")


def test_a_reversible_equation_is_two_reactions_that_undo_each_other():
    network = mass_action({"binding": ("A + B <-> C", 2.0, "3*t"), "loss": ("C -> 0", 0.5)})
    assert network.species == ("A", "B", "C")
    assert [r.name for r in network.reactions] == ["binding", "binding_reverse", "loss"]
    assert [r.equation for r in network.reactions] == ["A + B -> C", "C -> A + B", "C -> 0"]
    assert [r.reverse for r in network.reactions] == ["binding_reverse", "binding", None]
    assert [str(r.rate) for r in network.reactions] == ["2", "3*t", "0.5"]
    assert network.pairs == ((0, 1), (2, None))
    assert network.stoichiometry.tolist() == [[-1, 1, 0], [-1, 1, 0], [1, -1, -1]]


def test_chemostats_are_no_species_but_enter_the_rate():
    network = mass_action({"r": ("2 F + A <-> W + B", 3.0, 5.0)}, chemostats={"F": 2.0, "W": "1+x"})
    assert network.species == ("A", "B")
    program = rates_program(network)
    assert program.inputs == ("A", "B", "x")
    # k F^2 A and k_back W B
    assert program.at(7.0, 11.0, 0.5) == pytest.approx([3 * 4 * 7, 5 * 1.5 * 11], rel=1e-15)


def test_species_have_the_order_given_and_may_be_idle():
    network = mass_action({"r": ("A -> B", 1.0)}, species=("Z", "B", "A"))
    assert network.species == ("Z", "B", "A")
    assert network.stoichiometry.tolist() == [[0], [1], [-1]]


@pytest.mark.parametrize(
    ("equation", "k_of_lambda"),
    [("2 A -> 0", 1 / 2), ("A + A -> B", 1 / 2), ("A + B -> C", 1), ("3 A + 2 B -> C", 1 / 12)],
)
def test_a_rate_of_combinations_is_divided_by_the_factorials(equation, k_of_lambda):
    reactants, _, _ = read_equation(equation)
    assert rate_of_combinations(Expression.constant(6), reactants).value == 6 * k_of_lambda
    varying = rate_of_combinations(law("6*x"), reactants)
    assert varying.evaluate({"x": 2.0}) == pytest.approx(12 * k_of_lambda, rel=1e-15)


@pytest.mark.parametrize(
    ("equation", "rate", "sources", "propensity"),
    [
        # R = k A^2 with k = lambda/2; one event removes two: -lambda A^2
        ("2 A -> 0", 0.9 / 2 * 9, {"A": -0.9 * 9}, 0.9 * 30 * 29 / 20),
        ("A + A -> B", 0.9 / 2 * 9, {"A": -0.9 * 9, "B": 0.9 * 9 / 2}, 0.9 * 30 * 29 / 20),
        ("A + B -> C", 0.9 * 6, {"A": -5.4, "B": -5.4, "C": 5.4}, 0.9 * 30 * 20 / 10),
        ("3 A -> 0", 0.9 / 6 * 27, {"A": -0.9 / 2 * 27}, 0.9 * 30 * 29 * 28 / 6 / 100),
        ("0 -> A", 0.9, {"A": 0.9}, 0.9 * 10),
        ("A -> 0", 0.9 * 3, {"A": -2.7}, 0.9 * 30),
    ],
)
def test_one_convention_of_factors_for_every_reading(equation, rate, sources, propensity):
    """Concentrations A = 3, B = 2, C = 1 or 10 times as many molecules in the volume 10."""
    reactants, _, _ = read_equation(equation)
    k = rate_of_combinations(Expression.constant(0.9), reactants)
    network = mass_action({"r": (equation, k)})
    c = [{"A": 3.0, "B": 2.0, "C": 1.0}[name] for name in network.species]
    assert rates_program(network).at(*c) == pytest.approx([rate], rel=1e-14)
    found = dict(zip(network.species, sources_program(network).at(*c), strict=True))
    assert found == pytest.approx(sources, rel=1e-14)
    program = propensity_program(network, volume=10.0)
    assert program.at(*(10 * x for x in c)) == pytest.approx([propensity], rel=1e-14)


def test_propensities_per_volume_become_the_rates_of_a_large_volume():
    network = network_of(
        [
            *reactions_of("a", "3 A + B -> 0", rate=Expression.constant(0.7)),
            *reactions_of("b", "A -> B", law=law("A^2/(1+A)*exp(-t)")),
        ]
    )
    rates = rates_program(network).at(2.0, 5.0, 0.3)
    for volume, bound in ((1e3, 3e-3), (1e6, 3e-6)):
        program = propensity_program(network, volume)
        found = program.at(2 * volume, 5 * volume, 0.3) / volume
        assert abs(found[0] / rates[0] - 1) == pytest.approx(bound / 2, rel=0.01)  # 3/n
        assert found[1] == pytest.approx(rates[1], rel=1e-14)
    assert propensity_program(network, 1.0).at(2.0, 5.0, 0.0)[0] == 0  # two cannot meet in threes


def test_propensities_have_no_place():
    network = mass_action({"r": ("A -> 0", "1+x")})
    with pytest.raises(CaseError, match="depends on x"):
        propensity_program(network, 1.0)


def refused(*reactions, species=None, chemostats=None):
    with pytest.raises(CaseError) as caught:
        network_of(reactions, species=species, chemostats=chemostats)
    return str(caught.value)


A_TO_B = Reaction("r", (("A", 1),), (("B", 1),), ONE)


def test_networks_that_contradict_themselves_are_refused():
    assert "two reactions have the name 'r'" in refused(A_TO_B, A_TO_B)
    assert "unknown species 'B'; did you mean 'BB'?" in refused(A_TO_B, species=("A", "BB"))
    assert "'A' is held fixed" in refused(A_TO_B, species=("A", "B"), chemostats={"A": ONE})
    assert "no reaction has the chemostat 'D'" in refused(A_TO_B, chemostats={"D": ONE})
    lonely = Reaction("r", (("A", 1),), (), ONE, reverse="back")
    assert "'back' is not the reverse of 'r'" in refused(lonely)
    crossed = Reaction("back", (), (("A", 1),), ONE)
    assert "'back' is not the reverse of 'r'" in refused(lonely, crossed)


@pytest.mark.parametrize("name", ["x", "t", "r", "exp", "pi", "lambda"])
def test_species_cannot_have_the_name_of_something_else(name):
    assert repr(name) in refused(Reaction("r", ((name, 1),), (), ONE))


def test_rates_that_depend_on_what_they_must_not_are_refused():
    a = (("A", 1),)
    assert "the rate of 'r' cannot depend on 'A'" in refused(Reaction("r", a, (), law("A")))
    assert "the law of 'r' cannot depend on 'B'" in refused(Reaction("r", a, (), law=law("A*B")))
    assert "concentration of 'F' cannot depend on 'A'" in refused(
        Reaction("r", (*a, ("F", 1)), (), ONE), chemostats={"F": law("A")}
    )
    assert "is negative; found -1.0" in refused(Reaction("r", a, (), Expression.constant(-1)))
    assert "has no rate or law" in refused(Reaction("r", a, ()))
    assert "has both a rate and a law" in refused(Reaction("r", a, (), ONE, ONE))
    assert "9 molecules cannot meet" in refused(Reaction("r", (("A", 9),), (), ONE))
    assert network_of([Reaction("r", (("A", 9),), (), law=law("A"))]).species == ("A",)


def test_each_direction_needs_its_rate():
    with pytest.raises(CaseError, match="no reverse rate or reverse law"):
        reactions_of("r", "A <-> B", rate=ONE)
    with pytest.raises(CaseError, match="is not reversible"):
        reactions_of("r", "A -> B", rate=ONE, reverse_rate=ONE)
    forward, back = reactions_of("r", "A <-> B", rate=ONE, reverse_law=law("B/(1+B)"))
    assert forward.mass_action
    assert not back.mass_action
    assert np.allclose(rates_program(network_of([forward, back])).at(2.0, 3.0), [2, 0.75])


def test_a_law_may_name_chemostats_and_species_that_only_catalyse():
    reaction = Reaction("r", (("A", 1),), (("B", 1),), law=law("A*F*E", ("A", "E", "F")))
    network = network_of([reaction], species=("A", "B", "E"), chemostats={"F": ONE})
    assert rates_program(network).at(2.0, 0.0, 5.0) == pytest.approx([10], rel=1e-15)
    assert "cannot depend on 'E'" in refused(reaction, chemostats={"F": ONE})
