"""Species, compartments, parameters and formulas of SBML."""

from __future__ import annotations

import math

import pytest
from sbml_files import (
    ABC,
    CONSTANTS,
    LEVEL_2,
    V,
    amount,
    document,
    one,
    rate_of,
    reaction,
    read,
    species,
    write,
)
from sbml_files import math as mathml

from fem_rd.chemistry.sbml import read_sbml


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
