"""Kinetic laws of SBML: mass action, discrete molecules, both directions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from cases import build
from sbml_files import (
    ABC,
    CONSTANTS,
    V,
    amount,
    one,
    rate_of,
    reaction,
    read,
    species,
)
from scipy.sparse.linalg import expm_multiply

from fem_rd.chemistry.network import Reaction
from fem_rd.chemistry.sbml import SbmlModel, read_sbml
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression

CASE = Path(__file__).parent.parent / "cases" / "sbml-dimerisation" / "dimerisation.xml"


def propensity(found: Reaction, numbers: dict[str, int], volume: float) -> float:
    """Events per time of mass action, by the definition of `fem_rd.chemistry.network`."""
    ways = math.prod(math.perm(numbers[name], n) for name, n in found.reactants)
    return volume * found.rate.value * ways / volume**found.order


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
    assert model.net_laws == ()


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
    case = """
title = "a net law"
model = "well-mixed"
[chemistry]
sbml = "model.xml"
[well-mixed]
method = "stochastic"
volume = 10.0
[time]
end = 1.0
"""
    (tmp_path / "model.xml").write_text(next(iter(tmp_path.glob("*.xml"))).read_text())
    with pytest.raises(CaseError, match="reaction R: a reversible reaction has one law"):
        build(tmp_path, case)


def test_catalysts_of_one_direction_do_not_make_a_reverse(tmp_path):
    model = both(tmp_path, "A -> B", "cell*(k*A*C - q*B)", modifiers="C")
    forward, back = model.network.reactions
    assert (forward.equation, back.equation) == ("A + C -> B + C", "B -> A")
    assert (forward.reverse, back.reverse) == (None, None)


FIELD = """
title = "a field from SBML"
model = "reaction-diffusion"
[mesh]
builtin = "interval"
upper = [1.0]
cells = [4]
[chemistry]
sbml = "model.xml"
[reaction-diffusion.species.A]
diffusion = 1.0
[reaction-diffusion.species.B]
diffusion = 1.0
initial = 0.25
[time]
end = 1.0
"""


def test_a_field_begins_with_the_concentrations_of_the_file(tmp_path):
    model = both(tmp_path, "A -> B", "cell*(k*A - q*B)", [amount("A"), amount("B")])
    (tmp_path / "model.xml").write_text(next(iter(tmp_path.glob("*.xml"))).read_text())
    found = {each.name: each.value for each in build(tmp_path, FIELD).observables()}
    assert model.initial["A"] > 0
    assert found["amount_A"] == pytest.approx(model.initial["A"], rel=1e-12)
    assert found["amount_B"] == pytest.approx(0.25, rel=1e-12)
