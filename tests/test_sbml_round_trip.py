"""Networks to SBML and back: the same network, consistent files, refusals."""

from __future__ import annotations

import libsbml
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fem_rd.chemistry.equations import mass_action, network_of, reactions_of
from fem_rd.chemistry.network import Network, Reaction
from fem_rd.chemistry.sbml import read_sbml, write_sbml
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression

SPECIES = ("A", "B", "P_2", "k", "compartment", "S")  # names that the writer uses as well
HELD = {"F": "0.7", "G": "1 + cos(2*t)"}
RATES = ("1+sin(t)", "2*t", "t*t/3", "where(t<1 or t>=2, 0, 2)", "exp(-t)/(1+t^2)", "-0.5+t")
LAWS = (
    "0.30000000000000004*{a}/(2e+300+{a})",
    "where({a}<=2, {b}, 1)*exp({a})-{b}-0.1",
    "{a}^1.5*{b}",
    "-{a}/(1e-07+{b})",
    "where({a}<{b} and not {a}>=2, exp(-{a}), 1+{b}^2)",
    "sqrt({a}*{b})+min({a}, {b}, 0.5)-max({a}, 1)",
    "log(1+abs({a}-({b}-{a})))*cos(t)",
    "tanh({a})/({b}/({a}/3))+asin({b})-(-2)^3",
)
NUMBERS = st.floats(0, 1e300).filter(lambda value: value == 0 or value > 1e-300)


def side():
    counts = st.dictionaries(st.sampled_from((*SPECIES, *HELD)), st.integers(1, 3), max_size=2)
    return counts.map(lambda found: tuple(found.items()))


def rate():
    text = st.sampled_from(RATES)
    constants = NUMBERS.map(Expression.constant)
    return constants | text.map(lambda each: Expression.parse(each, names=("t",), where=None))


@st.composite
def laws(draw) -> Expression:
    a, b = draw(st.sampled_from(SPECIES)), draw(st.sampled_from((*SPECIES, "F")))
    text = draw(st.sampled_from(LAWS)).format(a=a, b=b)
    return Expression.parse(text, names=(*SPECIES, *HELD, "t"), where=None)


@st.composite
def networks(draw) -> Network:
    reactions = []
    for i in range(draw(st.integers(0, 4))):
        name, left, right = f"R{i}", draw(side()), draw(side())
        if draw(st.booleans()) and dict(left) != dict(right):
            back = f"{name}_reverse"
            reactions += [
                Reaction(name, left, right, rate=draw(rate()), reverse=back),
                Reaction(back, right, left, rate=draw(rate()), reverse=name),
            ]
        elif draw(st.booleans()):
            reactions.append(Reaction(name, left, right, rate=draw(rate())))
        else:
            reactions.append(Reaction(name, left, right, law=draw(laws())))
    used = {name for each in reactions for s in (each.reactants, each.products) for name, _ in s}
    used |= {name for each in reactions if each.law for name in each.law.names}
    held = {
        name: Expression.parse(text, names=("t",), where=None)
        for name, text in HELD.items()
        if name in used
    }
    return network_of(reactions, species=SPECIES, chemostats=held)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    network=networks(),
    initial=st.lists(NUMBERS, min_size=len(SPECIES), max_size=len(SPECIES)),
    volume=st.floats(1e-20, 1e20),
)
def test_a_network_comes_back_the_same(tmp_path, network, initial, volume):
    path = tmp_path / "network.xml"
    start = dict(zip(SPECIES, initial, strict=True))
    write_sbml(network, path, initial=start, volume=volume)
    model = read_sbml(path)
    assert model.network == network
    assert model.initial == start
    assert model.volume == volume
    assert model.notes == () == model.net_laws


def brusselator() -> Network:
    return mass_action(
        {
            "feed": ("A -> X", 1.0),
            "turn": ("B + X -> Y", 0.1 + 0.2),
            "grow": ("2 X + Y <-> 3 X", 1e-7, 2.0),
            "leave": ("X -> 0", "1 + t"),
        },
        chemostats={"A": 1.0, "B": "3 + sin(t)"},
    )


def test_the_file_is_consistent_for_libsbml_and_has_what_it_should(tmp_path):
    path = tmp_path / "brusselator.xml"
    write_sbml(brusselator(), path, initial={"X": 1, "Y": 2}, volume=0.3, name="Brusselator & co")
    document = libsbml.readSBMLFromFile(str(path))
    document.checkConsistency()
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    assert not [each.getMessage() for each in errors if each.getSeverity() > 1]  # warnings are 1
    model = document.getModel()
    assert model.getName() == "Brusselator & co"
    assert [each.getId() for each in model.getListOfReactions()] == [
        "feed", "turn", "grow", "grow_reverse", "leave",
    ]  # fmt: skip
    held = [each.getId() for each in model.getListOfSpecies() if each.getBoundaryCondition()]
    assert held == ["A", "B"]
    assert [model.getSpecies(each).getConstant() for each in ("A", "B", "X")] == [
        True,
        False,
        False,
    ]
    formula = libsbml.formulaToL3String(model.getReaction("grow").getKineticLaw().getMath())
    assert formula == "compartment * k * X^2 * Y"
    assert not model.getReaction("turn").getReversible()
    assert model.getCompartment(0).getSize() == 0.3
    assert list(tmp_path.iterdir()) == [path]


def test_laws_that_are_mass_action_come_back_as_that(tmp_path):
    law = Expression.parse("0.5*A*E", names=("A", "E"), where=None)
    network = network_of(
        [Reaction("R", (("A", 1),), (("B", 1),), law=law)], species=("A", "B", "E")
    )
    path = tmp_path / "network.xml"
    write_sbml(network, path, initial={"A": 1, "B": 0, "E": 2})
    (found,) = read_sbml(path).network.reactions
    assert found.equation == "A + E -> B + E"
    assert found.rate == Expression.constant(0.5)


def test_names_of_reactions_and_species_may_agree(tmp_path):
    network = mass_action({"A": ("A -> B", 1.0), "compartment": ("B -> A", 2.0)})
    path = tmp_path / "network.xml"
    write_sbml(network, path, initial={"A": 1, "B": 0})
    found = read_sbml(path).network.reactions
    assert [each.name for each in found] == ["A_", "compartment_"]
    assert [each.rate.value for each in found] == [1, 2]


def test_a_file_that_is_not_consistent_is_not_left_behind(tmp_path, monkeypatch):
    def refuse(path):
        raise CaseError("inconsistent", found=path.suffix)

    monkeypatch.setattr("fem_rd.chemistry.sbml.writing.require_consistent", refuse)
    with pytest.raises(CaseError, match=r"out\.xml: inconsistent; found '\.part'"):
        write_sbml(brusselator(), tmp_path / "out.xml", initial={"X": 1, "Y": 2})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": "1 + x"}, "reaction R: SBML has no place; found 'x'"),
        ({"law": "erf(A)"}, "reaction R: SBML has no function 'erf'; valid: abs, acos"),
        ({"law": "atan2(A, 2)"}, "reaction R: SBML has no function 'atan2'"),
        ({"chemostats": {"A": "r"}}, "A: SBML has no place; found 'r'"),
        ({"name": "a-b"}, "reaction a-b: the name of a reaction is no identifier of SBML"),
        ({"initial": {"A": 1}}, "B: a species has no initial concentration; valid: A"),
        ({"initial": {"A": float("nan"), "B": 1}}, "A: the initial concentration"),
        ({"volume": 0.0}, "the volume must be positive"),
    ],
)
def test_what_sbml_cannot_say_is_refused(tmp_path, changes, message):
    rate, law = changes.get("rate", None if "law" in changes else "1"), changes.get("law")
    names = ("A", "x", "y", "z", "r", "t")
    read = lambda text: text and Expression.parse(text, names=names, where=None)  # noqa: E731
    reactions = reactions_of(changes.get("name", "R"), "A -> B", rate=read(rate), law=read(law))
    held = {name: read(text) for name, text in changes.get("chemostats", {}).items()}
    network = network_of(reactions, chemostats=held)
    with pytest.raises(CaseError, match=f"out.xml: .*{message}"):
        write_sbml(
            network,
            tmp_path / "out.xml",
            initial=changes.get("initial", {"A": 1, "B": 1}),
            volume=changes.get("volume", 1.0),
        )
    assert not list(tmp_path.iterdir())
