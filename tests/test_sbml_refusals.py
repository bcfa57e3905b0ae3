"""SBML that is not supported, no model at all, or hostile."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sbml_files import (
    ABC,
    CONSTANTS,
    document,
    one,
    reaction,
    read,
    species,
    write,
)
from sbml_files import math as mathml

from fem_rd.chemistry.sbml import read_sbml
from fem_rd.errors import CaseError

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
