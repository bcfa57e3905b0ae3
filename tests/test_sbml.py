"""SBML: what files mean to a network, what is refused, and the way back."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sbml_files import LEVEL_2, amount, document, reaction, species, write
from sbml_files import math as mathml
from scipy.sparse.linalg import expm_multiply

from fem_rd.chemistry.network import Network, Reaction
from fem_rd.chemistry.sbml import SbmlModel, read_sbml
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression

V = 2.5
CASE = Path(__file__).parent.parent / "cases" / "sbml-dimerisation" / "dimerisation.xml"
CONSTANTS = {"k": 0.3, "q": 0.7}
ABC = [species("A"), species("B"), species("C")]


def read(directory: Path, *parts: object, **more: object) -> SbmlModel:
    return read_sbml(write(directory, document(*parts, **more)))


def one(directory: Path, equation: str, law: str, **more: object) -> Reaction:
    """The reaction that a file with one reaction among A, B, C is read as."""
    model = read(directory, ABC, [reaction("R", equation, law, **more)], parameters=CONSTANTS)
    (found,) = model.network.reactions
    return found


def rate_of(found: Reaction, concentrations: dict[str, float]) -> float:
    """R, by the definition of `fem_rd.chemistry.network`."""
    if found.law is not None:
        return float(found.law.evaluate(concentrations))
    return found.rate.value * math.prod(concentrations[name] ** n for name, n in found.reactants)


def propensity(found: Reaction, numbers: dict[str, int], volume: float) -> float:
    """Events per time of mass action, by the definition of `fem_rd.chemistry.network`."""
    ways = math.prod(math.perm(numbers[name], n) for name, n in found.reactants)
    return volume * found.rate.value * ways / volume**found.order


# ---------------------------------------------------------------- laws of mass action


@pytest.mark.parametrize(
    "law",
    [
        "cell*k*A^2*B",
        "k*A*A*B*cell",
        "B*A*(cell*k)*A",
        "k*A^2*B/(1/cell)",
        "cell*A*(k*A*B)",
        "-(-k*A^2)*B*cell",
        "cell*(0.1*A^2*B + 0.2*B*A*A)",
        "cell*k*A^5*B/A^3",
    ],
)
def test_mass_action_is_recognised_however_it_is_written(tmp_path, law):
    found = one(tmp_path, "2 A + B -> C", law)
    assert (found.reactants, found.products) == ((("A", 2), ("B", 1)), (("C", 1),))
    assert found.law is None
    assert found.rate.value == pytest.approx(0.3, rel=1e-15)


@pytest.mark.parametrize(
    ("equation", "law", "rate"),
    [
        ("A -> B", "k*A*cell", 0.3),
        ("A -> B", "k*A", 0.3 / V),
        ("A + B -> C", "k*(A*cell)*(B*cell)/cell", 0.3),
        ("A + B -> C", "k*A*B", 0.3 / V),
        (" -> A", "k", 0.3 / V),
        (" -> A", "cell*k*q", 0.21),
        ("A -> ", "0*A", 0.0),
    ],
)
def test_a_law_is_amount_per_time(tmp_path, equation, law, rate):
    assert one(tmp_path, equation, law).rate.value == pytest.approx(rate, rel=1e-15)


def test_a_species_that_is_an_amount_may_start_as_a_concentration(tmp_path):
    kinds = [species("A", 2.0, hasOnlySubstanceUnits="true"), species("B", None, initialAmount=5)]
    assert read(tmp_path, kinds, []).initial == {"A": 2.0, "B": 2.0}


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_amounts_in_laws_bring_the_volume_in(tmp_path, order):
    law = "*".join(["k", *["A"] * order])
    equation = f"{order} A -> B" if order else " -> B"
    kinds, listed = [amount("A", 5), amount("B")], [reaction("R", equation, law)]
    model = read(tmp_path, kinds, listed, parameters=CONSTANTS)
    (found,) = model.network.reactions
    assert found.rate.value == pytest.approx(0.3 * V ** (order - 1), rel=1e-15)
    assert model.initial == {"A": 2.0, "B": 0.4}
    # in numbers of molecules the law is what it was
    assert V * rate_of(found, {"A": 7 / V}) == pytest.approx(0.3 * 7**order, rel=1e-14)


@pytest.mark.parametrize(
    "law",
    ["cell*q*A/(k + A)", "cell*k*A^1.5", "q*A", "-q*A^2", "cell*exp(-A)*B", "k", "cell*k*sqrt(A)"],
)
def test_other_laws_stay_laws(tmp_path, law):
    found = one(tmp_path, "2 A -> B", law)
    assert found.rate is None
    values = {"A": 1.3, "B": 0.4}
    asked = Expression.parse(law, names=("A", "B"), where=None, parameters={"cell": V, **CONSTANTS})
    assert V * rate_of(found, values) == pytest.approx(float(asked.evaluate(values)), rel=1e-14)


def test_a_law_loses_its_volume_in_the_text(tmp_path):
    assert one(tmp_path, "A -> B", "cell*q*A/(k + A)").law.text == "0.7*A/(0.3+A)"
    assert one(tmp_path, "A -> B", "q*A*cell/(k + A)").law.text == "0.7*A/(0.3+A)"
    assert one(tmp_path, "A -> B", "q*A/(k + A)").law.text == "0.7*A/(0.3+A)/2.5"


def test_catalysts_are_on_both_sides(tmp_path):
    found = one(tmp_path, "A -> B", "cell*k*A*C", modifiers="C")
    assert found.equation == "A + C -> B + C"
    assert found.rate.value == 0.3
    found = one(tmp_path, "A -> B", "cell*k*A*B^2")
    assert found.equation == "A + 2 B -> 3 B"
    assert one(tmp_path, "A -> B", "cell*k*A^2").equation == "2 A -> B + A"


# ---------------------------------------------------------------- discrete molecules


DISCRETE = [
    ("2 A -> B", "k*A*(A-1)/2", [amount("A"), amount("B")], 0.15 * V),
    ("2 A -> B", "k*A*(A-1)", [amount("A"), amount("B")], 0.3 * V),
    ("2 A + B -> ", "k*A*B*(A-1)/2", [amount("A"), amount("B")], 0.15 * V**2),
    ("3 A -> B", "k*A*(A-1)*(A-2)/6", [amount("A"), amount("B")], 0.05 * V**2),
    ("2 A -> B", "cell*k*A*(A-1/cell)", [species("A"), species("B")], 0.3),
]


@pytest.mark.parametrize(("equation", "law", "kinds", "rate"), DISCRETE)
def test_laws_of_molecules_are_the_propensities_of_mass_action(
    tmp_path, equation, law, kinds, rate
):
    model = read(tmp_path, kinds, [reaction("R", equation, law)], parameters=CONSTANTS)
    (found,) = model.network.reactions
    assert found.rate.value == pytest.approx(rate, rel=1e-14)
    scale = 1.0 if "Only" in kinds[0] and 'hasOnlySubstanceUnits="true"' in kinds[0] else V
    written = Expression.parse(law, names=("A", "B"), where=None, parameters={"cell": V, "k": 0.3})
    for a in range(6):
        numbers = {"A": a, "B": 3}
        value = float(written.evaluate({name: n / scale for name, n in numbers.items()}))
        assert propensity(found, numbers, V) == pytest.approx(value, rel=1e-13, abs=1e-13)
    assert model.notes == (f"reaction 'R' has a law of discrete molecules: k = {found.rate}",)


def test_a_law_of_concentrations_and_one_of_molecules_differ_by_half(tmp_path):
    def rate(law: str) -> float:
        kinds = [amount("A"), amount("B")]
        model = read(tmp_path, kinds, [reaction("R", "2 A -> B", law)], parameters=CONSTANTS)
        return model.network.reactions[0].rate.value

    # k A^2: the macroscopic k; k A (A - 1)/2: the rate of each pair
    assert rate("k*A^2") == pytest.approx(0.3 * V, rel=1e-15)
    assert rate("k*A*(A-1)/2") == pytest.approx(rate("k*A^2") / 2, rel=1e-15)


def test_one_less_is_not_a_molecule_in_another_volume(tmp_path):
    found = one(tmp_path, "2 A -> B", "cell*k*A*(A-1)")  # 1 is a concentration here
    assert found.rate is None
    assert found.law.text == "0.3*A*(A-1)"


def test_dimerisation_has_the_exact_numbers_of_the_test_suite():
    model = read_sbml(CASE)
    assert model.initial == {"P": 100, "P2": 0}
    binding, unbinding = model.network.reactions
    dimers = np.arange(51)
    up, down = (
        np.array(
            [propensity(r, {"P": 100 - 2 * int(d), "P2": int(d)}, model.volume) for d in dimers]
        )
        for r in (binding, unbinding)
    )
    generator = np.diag(up[:-1], -1) + np.diag(down[1:], 1) - np.diag(up + down)
    monomers = 100 - 2 * dimers
    printed = {
        1: (91.031766132, 3.862504467),
        10: (52.214271017, 5.511759725),
        25: (34.887453377, 4.964690538),
        50: (28.542297787, 4.789330725),
    }
    for t, (mean, deviation) in printed.items():
        law = expm_multiply(generator * t, np.eye(51)[0])
        assert law @ monomers == pytest.approx(mean, abs=6e-10)
        variance = law @ monomers**2 - (law @ monomers) ** 2
        assert math.sqrt(variance) == pytest.approx(deviation, abs=6e-10)
    assert law @ dimers == pytest.approx(35.728851107, abs=6e-10)


# ---------------------------------------------------------------- reversible reactions


def both(
    directory: Path, equation: str, law: str, kinds: list[str] = ABC, modifiers: str = ""
) -> SbmlModel:
    listed = [reaction("R", equation, law, reversible=True, modifiers=modifiers)]
    return read(directory, kinds, listed, parameters=CONSTANTS)


@pytest.mark.parametrize(
    "law", ["cell*(k*A*B - q*C)", "cell*k*A*B - q*C*cell", "(A*B - C*q/k)*k*cell"]
)
def test_differences_of_mass_action_are_two_reactions(tmp_path, law):
    model = both(tmp_path, "A + B -> C", law)
    forward, back = model.network.reactions
    assert (forward.name, forward.reverse) == ("R", "R_reverse")
    assert (back.name, back.reverse) == ("R_reverse", "R")
    assert (forward.equation, back.equation) == ("A + B -> C", "C -> A + B")
    assert forward.rate.value == pytest.approx(0.3, rel=1e-15)
    assert back.rate.value == pytest.approx(0.7, rel=1e-15)
    model.require_one_way()


def test_differences_of_discrete_laws_are_two_reactions(tmp_path):
    kinds = [amount("A"), amount("B")]
    forward, back = both(tmp_path, "2 A -> B", "k*A*(A-1)/2 - q*B", kinds).network.reactions
    assert forward.rate.value == pytest.approx(0.15 * V, rel=1e-14)
    assert back.rate.value == pytest.approx(0.7, rel=1e-14)
    forward, back = both(tmp_path, "A -> 2 B", "q*A - k*B*(B-1)/2", kinds).network.reactions
    assert forward.rate.value == pytest.approx(0.7, rel=1e-14)
    assert back.rate.value == pytest.approx(0.15 * V, rel=1e-14)


def test_differences_of_other_laws_are_two_reactions(tmp_path):
    model = both(tmp_path, "A -> B", "cell*(k*A - q*B)/(1 + A + B)")
    forward, back = model.network.reactions
    assert forward.law.text == "0.3*A/(1+A+B)"
    assert back.law.text == "0.7*B/(1+A+B)"
    assert (forward.reverse, back.reverse) == ("R_reverse", "R")
    forward, back = both(tmp_path, "A -> B", "cell*k*A - cell*q*B/(1 + B)").network.reactions
    assert forward.rate.value == 0.3
    assert back.law.text == "0.7*B/(1+B)"


def test_a_reversible_reaction_that_only_goes_forward_is_one(tmp_path):
    model = both(tmp_path, "A -> B", "cell*k*A")
    assert [each.name for each in model.network.reactions] == ["R"]
    assert model.network.reactions[0].reverse is None
    model = both(tmp_path, "A -> B", "cell*A/(k+A)")
    assert len(model.network.reactions) == 1
    assert model.net_laws == ()


def test_a_net_law_is_kept_and_refused_for_stochastic_use(tmp_path):
    model = both(tmp_path, "A -> B", "cell*(k*(A-1) - q*B)/(1 + A)")
    (net,) = model.network.reactions
    assert rate_of(net, {"A": 3.0, "B": 0.5}) == pytest.approx((0.6 - 0.35) / 4, rel=1e-14)
    assert model.net_laws == ("R",)
    with pytest.raises(CaseError, match="reaction R: a reversible reaction has one law"):
        model.require_one_way()


def test_catalysts_of_one_direction_do_not_make_a_reverse(tmp_path):
    model = both(tmp_path, "A -> B", "cell*(k*A*C - q*B)", modifiers="C")
    forward, back = model.network.reactions
    assert (forward.equation, back.equation) == ("A + C -> B + C", "B -> A")
    assert (forward.reverse, back.reverse) == (None, None)


# ---------------------------------------------------------------- species, parameters, formulas


def test_species_at_the_boundary_are_chemostats(tmp_path):
    kinds = [
        species("A", 2.0, boundaryCondition="true"),
        amount("B", 5, boundaryCondition="true", constant="true"),
        species("C"),
        species("idle", boundaryCondition="true"),
    ]
    listed = [reaction("R", "A + B -> C", "k*cell*A*B/cell")]
    model = read(tmp_path, kinds, listed, parameters=CONSTANTS)
    assert model.network.species == ("C",)
    assert {name: value.value for name, value in model.network.chemostats.items()} == {
        "A": 2.0,
        "B": 5 / V,
    }
    assert model.network.reactions[0].equation == "A + B -> C"
    assert model.network.reactions[0].rate.value == pytest.approx(0.3, rel=1e-15)
    assert list(model.initial) == ["C"]


def test_a_chemostat_may_follow_a_rule_of_time(tmp_path):
    rule = f'<assignmentRule variable="A">{mathml("q + sin(k*time)")}</assignmentRule>'
    kinds = [amount("A", 2.0, boundaryCondition="true"), species("B")]
    model = read(
        tmp_path,
        kinds,
        [reaction("R", "A -> B", "k*A")],
        parameters=CONSTANTS,
        extra={"listOfRules": rule},
    )
    value = model.network.chemostats["A"].evaluate({"t": 1.7})
    assert value == pytest.approx((0.7 + math.sin(0.51)) / V, rel=1e-14)
    assert model.network.reactions[0].rate.value == 0.3


def test_rules_functions_and_initial_assignments_are_put_in(tmp_path):
    extra = {
        "listOfFunctionDefinitions": (
            f'<functionDefinition id="hill">{mathml("lambda(s, h, s^2/(h^2 + s^2))")}'
            "</functionDefinition>"
        ),
        "listOfParameters": '<parameter id="total" constant="false"/>'
        '<parameter id="h" constant="true"/>',
        "listOfInitialAssignments": (
            f'<initialAssignment symbol="h">{mathml("2*k + B")}</initialAssignment>'
            f'<initialAssignment symbol="A">{mathml("q^2")}</initialAssignment>'
        ),
        "listOfRules": f'<assignmentRule variable="total">{mathml("A + B")}</assignmentRule>',
    }
    law = "cell*q*hill(total, h)"
    model = read(
        tmp_path,
        [species("A", 9.0), species("B", 0.5)],
        [reaction("R", "A -> B", law)],
        parameters=CONSTANTS,
        extra=extra,
    )
    assert model.initial == {"A": pytest.approx(0.49), "B": 0.5}
    value = rate_of(model.network.reactions[0], {"A": 1.2, "B": 0.4})
    assert value == pytest.approx(0.7 * 1.6**2 / (1.1**2 + 1.6**2), rel=1e-14)


def test_a_rule_may_define_a_species_that_does_not_react(tmp_path):
    rule = f'<assignmentRule variable="C">{mathml("A + B")}</assignmentRule>'
    reactions = [reaction("R", "A -> B", "cell*k*A*C", modifiers="C")]
    model = read(tmp_path, ABC, reactions, parameters=CONSTANTS, extra={"listOfRules": rule})
    assert model.network.species == ("A", "B")
    value = rate_of(model.network.reactions[0], {"A": 2.0, "B": 0.5})
    assert value == pytest.approx(0.3 * 2 * 2.5, rel=1e-14)


def test_local_parameters_come_first(tmp_path):
    found = one(tmp_path, "A -> B", "cell*k*A", local={"k": 8.0})
    assert found.rate.value == 8


def test_rates_may_depend_on_time(tmp_path):
    found = one(tmp_path, "A -> B", "cell*k*(1 + sin(time))*A")
    assert found.rate.evaluate({"t": 0.4}) == pytest.approx(0.3 * (1 + math.sin(0.4)), rel=1e-15)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("ln(A) + log10(A)", math.log(2) + math.log10(2)),
        ("sqrt(A) + root(3, A)", 2**0.5 + 2 ** (1 / 3)),
        ("piecewise(1, A < 1, 5, (A > 1) && (A <= 2), 7)", 5),
        ("piecewise(1, (1 < A) || !(A >= 3), 2)", 1),
        ("min(A, 1, 3) + 10*max(A, 5) + abs(-A)", 53),  # Level 3 Version 2
        ("pi + exponentiale + 1e-3*avogadro/6.02214179e23", math.pi + math.e + 1e-3),
        ("arcsin(A/4) + arccos(A/4) + arctan(A)", math.pi / 2 + math.atan(2)),
        ("sec(A) + csc(A) + cot(A)", 1 / math.cos(2) + 1 / math.sin(2) + 1 / math.tan(2)),
        ("tanh(A)*cosh(A)/sinh(A)*exp(-A)", math.exp(-2)),
        ("-A^2 - 3 + 5 - 1", -3),
    ],
)
def test_every_function_is_translated(tmp_path, formula, value):
    version = 2 if "max" in formula else 1
    law = f"cell*exp(A*0)*({formula})"
    text = document(ABC, [reaction("R", "A -> B", law, attributes="")], version=version)
    (found,) = read_sbml(write(tmp_path, text)).network.reactions
    assert rate_of(found, {"A": 2.0}) == pytest.approx(value, rel=1e-14)


def test_numbers_keep_every_digit(tmp_path):
    text = document(ABC, [reaction("R", "A -> B", "cell*A*7")])
    for written, value in (
        ('<cn type="e-notation"> 1.1 <sep/> -30 </cn>', 1.1e-30),
        ('<cn type="e-notation"> 3.3 <sep/> 23 </cn>', 3.3e23),
        ('<cn type="rational"> 1 <sep/> 3 </cn>', 1 / 3),
        ("<cn> 0.30000000000000004 </cn>", 0.1 + 0.2),
    ):
        assert text.count('<cn type="integer"> 7 </cn>') == 1
        changed = text.replace('<cn type="integer"> 7 </cn>', written)
        (found,) = read_sbml(write(tmp_path, changed)).network.reactions
        assert found.rate.value == value


def test_words_of_expressions_are_no_names_of_species(tmp_path):
    kinds = [species("x"), species("e", 3.0), species("x_", 4.0)]
    model = read(tmp_path, kinds, [reaction("R", "x -> e + x_", "cell*k*x")], parameters=CONSTANTS)
    assert model.network.species == ("x__", "e_", "x_")
    assert model.initial == {"x__": 1, "e_": 3, "x_": 4}
    assert "species 'x' is called 'x__'" in model.notes[0]


def test_compartments_of_one_size_are_one(tmp_path):
    more = '<compartment id="other" size="2.5" constant="true"/>'
    kinds = [species("A"), species("B", compartment="other")]
    transport = [reaction("R", "A -> B", "k*A*other")]
    model = read(tmp_path, kinds, transport, parameters=CONSTANTS, compartments=more)
    assert model.network.reactions[0].rate.value == 0.3
    assert model.notes == ("several compartments of one size are read as one volume",)


def test_a_compartment_without_species_is_a_number(tmp_path):
    more = '<compartment id="outside" size="8" constant="true"/>'
    listed = [reaction("R", "A -> B", "k*A*outside*cell")]
    model = read(tmp_path, ABC, listed, parameters=CONSTANTS, compartments=more)
    assert model.volume == V
    assert model.network.reactions[0].rate.value == pytest.approx(2.4, rel=1e-15)


def test_level_2_is_read(tmp_path):
    text = f"""<sbml xmlns="{LEVEL_2}" level="2" version="4"><model id="m" name="old">
      <listOfCompartments><compartment id="cell" size="2.5"/></listOfCompartments>
      <listOfSpecies><species id="A" compartment="cell" initialAmount="5"/>
        <species id="B" compartment="cell" initialConcentration="3"/></listOfSpecies>
      <listOfReactions><reaction id="R" reversible="true">
        <listOfReactants><speciesReference species="A" stoichiometry="2"/></listOfReactants>
        <listOfProducts><speciesReference species="B"/></listOfProducts>
        <kineticLaw>{mathml("cell*(kf*A^2 - kb*B)")}
          <listOfParameters><parameter id="kf" value="0.4"/><parameter id="kb" value="0.9"/>
          </listOfParameters></kineticLaw></reaction></listOfReactions></model></sbml>"""
    model = read_sbml(write(tmp_path, text))
    assert (model.name, model.volume, model.initial) == ("old", 2.5, {"A": 2.0, "B": 3.0})
    forward, back = model.network.reactions
    assert (forward.equation, forward.rate.value) == ("2 A -> B", 0.4)
    assert (back.equation, back.rate.value) == ("B -> 2 A", 0.9)


# ---------------------------------------------------------------- refusals

EVENT = (
    '<event id="boom" useValuesFromTriggerTime="true"><trigger initialValue="true" '
    f'persistent="true">{mathml("time > 3")}</trigger></event>'
)
OTHER = '<compartment id="other" size="3" constant="true"/>'
COMP = "http://www.sbml.org/sbml/level3/version1/comp/version1"


def parameter(attributes: str, rule: str = "") -> dict[str, object]:
    """A parameter p, and a rule."""
    lists = {"listOfParameters": f'<parameter id="p" {attributes}/>', "listOfRules": rule}
    return {"extra": {key: text for key, text in lists.items() if text}}


def rule(kind: str, formula: str) -> dict[str, object]:
    """A rule of a parameter p that changes."""
    variable = "" if kind == "algebraicRule" else ' variable="p"'
    return parameter('constant="false"', f"<{kind}{variable}>{mathml(formula)}</{kind}>")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": {"listOfEvents": EVENT}}, "boom: events are not supported"),
        (rule("rateRule", "k"), "p: rate rules are not supported; valid: assignment rules"),
        (rule("algebraicRule", "p - A"), "rule: algebraic rules are not supported"),
        ({"law": "cell*delay(A, 1)"}, "reaction R: a formula has 'delay'"),
        (
            {"law": "cell*floor(A)"},
            r"reaction R: a formula has 'floor' of 1 argument\(s\); valid: a",
        ),
        ({"law": "cell*A*nothing"}, "nothing"),
        ({"law": "cell*piecewise(A, A == 1, 2)"}, "reaction R: a formula has"),
        ({"law": None}, "reaction R: a reaction has no kinetic law"),
        ({"law": "A*p", **parameter('constant="true"')}, "p: a parameter has no value"),
        (
            {"law": "A*p", **parameter('value="INF" constant="true"')},
            "p: a number is not finite; found inf",
        ),
        ({"law": "R*A"}, "R: there is no species, compartment or parameter of this name; valid: A"),
        ({"equation": "1.5 A -> B"}, "the stoichiometry of 'A' must be an integer; found 1.5"),
        ({"equation": "20000 A -> B"}, "reaction R: the stoichiometry of 'A' must be an integer"),
        ({"equation": "A -> D"}, "reaction R: unknown species; found 'D'; valid: A, B"),
        (
            {
                "extra": {
                    "listOfRules": f'<assignmentRule variable="B">{mathml("A")}</assignmentRule>'
                }
            },
            "B: a species has a rule and reacts",
        ),
        ({"kinds": [species("A", -1), species("B")]}, "A: the initial value .* found -1.0"),
        ({"kinds": [species("A", None), species("B")]}, "A: a species has no initial value; valid"),
        ({"volume": None}, "cell: a compartment has no size; valid: a positive number"),
        (
            {"compartments": OTHER, "kinds": [species("A"), species("B", compartment="other")]},
            "different sizes; found 'cell = 2.5, other = 3'; valid: one compartment",
        ),
        (
            {"attributes": 'fast="true"', "version": 1},
            'reaction R: fast reactions are not supported; valid: fast="false"',
        ),
        (
            {"root": f'xmlns:comp="{COMP}" comp:required="true"'},
            "the model needs a package of SBML; found 'comp'",
        ),
    ],
)
def test_what_is_not_supported_says_where(tmp_path, changes, message):
    changes = dict(changes)
    parts = [changes.pop("equation", "A -> B"), changes.pop("law", "cell*k*A")]
    more = {"attributes": changes.pop("attributes", "")}
    kinds = changes.pop("kinds", [species("A"), species("B")])
    with pytest.raises(CaseError, match=rf"model\.xml: .*{message}"):
        read(tmp_path, kinds, [reaction("R", *parts, **more)], parameters=CONSTANTS, **changes)


def test_a_formula_that_depends_on_itself_is_refused(tmp_path):
    rules = "".join(
        f'<initialAssignment symbol="{a}">{mathml(b)}</initialAssignment>'
        for a, b in (("p", "s"), ("s", "p"))
    )
    extra = {
        "listOfParameters": "".join(f'<parameter id="{each}" constant="true"/>' for each in "ps"),
        "listOfInitialAssignments": rules,
    }
    with pytest.raises(CaseError, match=r"model\.xml: p: a formula depends on itself"):
        read(tmp_path, ABC, [reaction("R", "A -> B", "p*A")], extra=extra)


def test_a_function_of_more_than_its_variables_is_refused(tmp_path):
    function = f'<functionDefinition id="f">{mathml("lambda(u, u + A)")}</functionDefinition>'
    extra = {"listOfFunctionDefinitions": function}
    with pytest.raises(CaseError, match="the function 'f' has a free variable; found 'A'"):
        read(tmp_path, ABC, [reaction("R", "A -> B", "f(A)")], extra=extra)


@pytest.mark.parametrize("bodies", [["f(u)"], ["g(u)", "f(u)"]])
def test_a_function_that_contains_itself_is_refused(tmp_path, bodies):
    functions = "".join(
        f'<functionDefinition id="{name}">{mathml(f"lambda(u, {body})")}</functionDefinition>'
        for name, body in zip("fg", bodies, strict=False)
    )
    listed = [reaction("R", "A -> B", "f(A)")]
    with pytest.raises(CaseError, match="f: a function contains itself"):
        read(tmp_path, ABC, listed, extra={"listOfFunctionDefinitions": functions})


ROOT = b'<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "line 1: not XML: no element found"),
        (b"<sbml", "line 1: not XML"),
        (b"<html/>", "the file is not SBML; found '<html>'"),
        (b'<sbml level="1" version="2"/>', "this level of SBML is not supported; found '1'"),
        (b"\xff\xfe<\0s\0b\0m\0l\0", "the file is not a text; found 'byte 0 that is not UTF-8'"),
        (b"\x1f\x8b\x08\x00", "the file is not a text"),
        (ROOT + b"</sbml>", "line 1: .*model"),
        (ROOT + b"<model><listOfSpecies><species/></listOfSpecies></model></sbml>", "line 1: "),
    ],
)
def test_files_that_are_no_models(tmp_path, text, message):
    with pytest.raises(CaseError, match=rf"model\.xml: .*{message}"):
        read_sbml(write(tmp_path, text))
    with pytest.raises(CaseError, match=r"nowhere\.xml: the file cannot be read"):
        read_sbml(tmp_path / "nowhere.xml")


# ---------------------------------------------------------------- hostile files


@pytest.mark.timeout(20)
def test_a_billion_laughs_are_refused(tmp_path):
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    text = f'<?xml version="1.0"?><!DOCTYPE sbml [<!ENTITY l0 "lol">{laughs}]><sbml>&l9;</sbml>'
    with pytest.raises(CaseError, match="no document type"):
        read_sbml(write(tmp_path, text))


@pytest.mark.timeout(20)
def test_deep_and_large_files_are_refused(tmp_path):
    nested = "<apply><minus/>" * 100_000
    text = document(ABC, [reaction("R", "A -> B", "k*A")], parameters=CONSTANTS)
    with pytest.raises(CaseError, match=r"line [0-9]: elements are nested too deeply"):
        read_sbml(write(tmp_path, text.replace("<apply>", nested + "<apply>", 1)))
    with pytest.raises(CaseError, match="too large; valid: at most 20 MB"):
        read_sbml(write(tmp_path, text.replace("<model", " " * 20_000_000 + "<model")))


def doubling(count: int, start: str) -> list[tuple[str, str]]:
    return [("f0", start), *((f"f{i}", f"f{i - 1}(u) + f{i - 1}(u)") for i in range(1, count))]


@pytest.mark.timeout(20)
def test_functions_that_double_are_refused(tmp_path):
    functions = "".join(
        f'<functionDefinition id="{name}">{mathml(f"lambda(u, {body})")}</functionDefinition>'
        for name, body in doubling(40, "u")
    )
    with pytest.raises(CaseError, match="reaction R: a formula is too long"):
        read(
            tmp_path,
            ABC,
            [reaction("R", "A -> B", "f39(A)")],
            extra={"listOfFunctionDefinitions": functions},
        )


@pytest.mark.timeout(20)
def test_assignments_that_double_are_numbers(tmp_path):
    names = [f"p{i}" for i in range(60)]
    parameters = [f'<parameter id="{name}" value="1" constant="true"/>' for name in names]
    starts = [
        f'<initialAssignment symbol="{b}">{mathml(f"{a} + {a}")}</initialAssignment>'
        for a, b in pairwise(names)
    ]
    extra = {
        "listOfParameters": "".join(parameters),
        "listOfInitialAssignments": "".join(starts),
    }
    model = read(tmp_path, ABC, [reaction("R", "A -> B", "cell*p59*A")], extra=extra)
    assert model.network.reactions[0].rate.value == 2.0**59


@pytest.mark.timeout(20)
def test_long_chains_of_formulas_end(tmp_path):
    rules = "".join(
        f'<assignmentRule variable="p{i + 1}">{mathml(f"p{i} + 1")}</assignmentRule>'
        for i in range(1500)
    )
    names = "".join(f'<parameter id="p{i}" value="1" constant="false"/>' for i in range(1501))
    extra = {"listOfParameters": names, "listOfRules": rules}
    assert len(read(tmp_path, ABC, [reaction("R", "A -> B", "p9*A")], extra=extra).initial) == 3
    with pytest.raises(CaseError, match="formulas are nested too deeply"):
        read(tmp_path, ABC, [reaction("R", "A -> B", "p1500*A")], extra=extra)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("law", ["cell*(A+B+A*B+2)^12*A", "cell*" + "*".join(["(A+B)"] * 100)])
def test_laws_that_expand_are_left_alone(tmp_path, law):
    found = one(tmp_path, "A -> B", law)
    assert found.rate is None


def test_networks_are_equal_as_data(tmp_path):
    model = read(tmp_path, ABC, [reaction("R", "A -> B", "cell*k*A")], parameters=CONSTANTS)
    rate = Expression.constant(0.3)
    same = Network(("A", "B", "C"), (Reaction("R", (("A", 1),), (("B", 1),), rate=rate),))
    assert model.network == same
