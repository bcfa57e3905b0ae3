"""Mistakes in cases with reactions are found before a run, at the key where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import build, call, values_of, write_case
from ranks import run_on_ranks
from sbml_files import ABC, document, reaction, read

from fem_rd.chemistry.sbml import read_sbml
from fem_rd.errors import CaseError, CaseErrors, NumericalError

FIELD = """
model = "reaction-diffusion"
[mesh]
builtin = "interval"
upper = [1.0]
cells = [10]
[chemistry.reactions.pair]
equation = "2 A <-> B"
{rate} = {value}
reverse_rate = {reverse}
[chemistry.reactions.supply]
equation = "F -> A"
rate = 1.0
[chemistry.chemostats]
F = {chemostat}
[reaction-diffusion.species.A]
diffusion = 1.0
initial = {initial}
[reaction-diffusion.species.A.boundaries.right]
type = "dirichlet"
concentration = {concentration}
[reaction-diffusion.species.B]
diffusion = 1.0
[time]
end = 1.0
"""
RIGHT = {
    "rate": "rate", "value": 1.0, "reverse": 1.0, "chemostat": 1.0, "initial": 1.0,
    "concentration": 1.0,
}  # fmt: skip


def field(**changes: object) -> str:
    """The case with some values in the place of others, which are right."""
    return FIELD.format(**{**RIGHT, **changes})


def mistake(directory: Path, text: str, *overrides: str) -> str:
    """What building the case says is wrong with it."""
    with pytest.raises((CaseError, CaseErrors)) as caught:
        build(directory, text, *overrides)
    return str(caught.value).removeprefix(f"{directory / 'case.toml'}: ")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"value": '"x-0.5"'}, "chemistry.reactions.pair.rate: {}; at (0, 0, 0) it is -0.5"),
        ({"rate": "combination_rate", "value": '"x-0.5"'},
         "chemistry.reactions.pair.combination_rate: {}; at (0, 0, 0) it is -0.5"),
        ({"reverse": '"0.25-x+t"'},
         "chemistry.reactions.pair.reverse_rate: {}; at (0.3, 0, 0) it is -0.05"),
        ({"initial": '"0.9-x"'},
         "reaction-diffusion.species.A.initial: {}; at (1, 0, 0) it is -0.1"),
        ({"initial": '{domain = "0.9-x"}'},
         "reaction-diffusion.species.A.initial.domain: {}; at (1, 0, 0) it is -0.1"),
        ({"chemostat": '"x-0.5"'}, "chemistry.chemostats.F: {}; at (0, 0, 0) it is -0.5"),
        ({"concentration": '"t-x"'},
         "reaction-diffusion.species.A.boundaries.right.concentration: {}; at (1, 0, 0) it is -1"),
    ],
)  # fmt: skip
def test_expressions_are_not_negative(tmp_path, changes, expected):
    text = field(**changes)
    assert mistake(tmp_path, text) == expected.format("must not be negative")


def test_expressions_may_be_negative_where_they_do_not_count_and_by_round_off(tmp_path):
    """At a boundary only its own nodes count; 1 + cos(10 pi x) is zero at some, up to 1e-15."""
    text = field(concentration='"x-0.5"', initial='"1+cos(10*pi*x)-1e-15"')
    assert values_of(build(tmp_path, text))["negative_values"] == 0


@pytest.mark.mpi
@pytest.mark.parametrize(("concentration", "status"), [("1.0", 0), ('"t-x"', 2)])
def test_boundaries_of_other_ranks_are_looked_at_too(tmp_path, concentration, status):
    case = write_case(tmp_path, field(concentration=concentration))
    done = run_on_ranks(3, ["-m", "fem_rd", "check", str(case)], tmp_path)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("it is -1") == (1 if status else 0)


def test_all_negative_values_are_told_at_once(tmp_path):
    found = mistake(tmp_path, field(value='"x-0.5"', initial='"x-0.5"', chemostat='"x-0.5"'))
    assert len(found.splitlines()) == 3


def test_an_unknown_region_of_both_ways_is_told_once(tmp_path):
    found = mistake(tmp_path, field(), "chemistry.reactions.pair.region=core")
    assert found == (
        "chemistry.reactions.pair.region: the mesh has no region of this name; valid: domain"
    )


def test_a_radius_below_the_distance_of_nodes_has_its_key(tmp_path):
    text = field(rate="combination_rate").replace("<->", "->").replace("reverse_rate = 1.0", "")
    found = mistake(tmp_path, text, "chemistry.reactions.pair.radius=0.01", "time.scheme=imex-bdf2")
    assert found.startswith("chemistry.reactions.pair.radius: the reaction radius must be")


SUPPLY = """
model = "reaction-diffusion"
[mesh]
builtin = "interval"
upper = [1.0]
cells = [{cells}]
[chemistry.reactions.supply]
equation = "0 -> A"
rate = {rate}
[reaction-diffusion]
degree = {degree}
[reaction-diffusion.species.A]
diffusion = {diffusion}
"""


@pytest.mark.parametrize(
    ("degree", "cells", "diffusion", "rate"),
    [(1, 10, 1.0, 10.0), (1, 20, 1.0, 1.0), (1, 20, 1.0, 10.0), (1, 200, 0.1, 10.0),
     (2, 64, 3.0, 1.0), (2, 128, 3.0, 1.0)],
)  # fmt: skip
def test_a_supply_without_a_sink_has_no_steady_state(tmp_path, degree, cells, diffusion, rate):
    """The singular matrix gives values of 1e14, beside which all changes are small."""
    text = SUPPLY.format(degree=degree, cells=cells, diffusion=diffusion, rate=rate)
    model = build(tmp_path, text)
    with pytest.raises(NumericalError, match="no steady state was found") as caught:
        model.advance(0.0)
    assert "[time]" in caught.value.remedy
    assert "removes" in caught.value.remedy


SBML_CASE = """
model = "well-mixed"
[chemistry]
sbml = "{file}"
[well-mixed]
[time]
end = 1.0
"""


def test_an_sbml_file_that_is_missing_has_its_key(tmp_path):
    found = mistake(tmp_path, SBML_CASE.format(file="../nothing.xml"))
    assert found == "chemistry.sbml: no such file; found '../nothing.xml'"


def test_an_sbml_file_that_is_none_has_its_key(tmp_path):
    (tmp_path / "text.xml").write_text("secret")
    found = mistake(tmp_path, SBML_CASE.format(file="text.xml"))
    assert ": chemistry.sbml: line 1: not XML" in found
    assert "secret" not in found


def test_units_of_an_sbml_file_are_told(tmp_path):
    text = document(ABC, [reaction("R", "A -> B", "cell*A")])
    assert read(tmp_path, ABC, [reaction("R", "A -> B", "cell*A")]).notes == ()
    defined = (
        '<listOfUnitDefinitions><unitDefinition id="mmol"><listOfUnits>'
        '<unit kind="mole" exponent="1" scale="-3" multiplier="1"/>'
        "</listOfUnits></unitDefinition></listOfUnitDefinitions>"
    )
    start = "the file declares units"
    end = "numbers are taken as they stand, not converted"
    for units, definitions, told in (
        ('substanceUnits="item" timeUnits="second"', "",
         f"{start} (substance in item, time in second): {end}"),
        ('volumeUnits="litre" substanceUnits="mmol"', defined,
         f"{start} (substance in 0.001 mole, volume in litre): {end}; substance is not counted in "
         "item, so amounts are NOT numbers of molecules"),
    ):  # fmt: skip
        other = text.replace('<model id="m">', f'<model id="m" {units}>{definitions}')
        (tmp_path / "model.xml").write_text(other)
        assert read_sbml(tmp_path / "model.xml").notes == (told,)


MIXED = """
model = "well-mixed"
[chemistry.reactions.flip]
equation = "A <-> B"
rate = 2.0
reverse_rate = 1.0
[well-mixed]
initial = {A = 3.0}
"""
ENSEMBLE = MIXED + 'method = "stochastic"\nvolume = 1.0\nreplicas = 2\n[time]\nend = 1.0\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIXED.replace("rate = 2.0", 'rate = "2*x"'),
         "chemistry.reactions.flip.rate: a rate depends on x"),
        (MIXED.replace("reverse_rate = 1.0", 'reverse_rate = "2*x"'),
         "chemistry.reactions.flip.reverse_rate: a rate depends on x"),
        (ENSEMBLE.replace("rate = 2.0", 'rate = "2*t"'),
         "chemistry.reactions.flip.rate: a rate depends on t"),
        (MIXED.replace("<->", "->").replace("reverse_rate = 1.0", "") + "thermodynamics = true",
         "well-mixed.thermodynamics: "),
        (MIXED.replace("B", "phi") + "thermodynamics = true",
         "chemistry: a species has the name of an observable"),
        (ENSEMBLE.replace("rate = 2.0", 'law = "A - 5"', 1),
         "chemistry.reactions.flip.law: must be finite and not negative; at the start it is -2"),
        (ENSEMBLE.replace("reverse_rate = 1.0", 'reverse_law = "1/B"', 1),
         "chemistry.reactions.flip.reverse_law: must be finite and not negative"),
    ],
)  # fmt: skip
def test_mistakes_of_well_mixed_networks_have_their_keys(tmp_path, text, expected):
    assert mistake(tmp_path, text).startswith(expected)


def test_check_finds_a_negative_law(tmp_path):
    text = ENSEMBLE.replace("rate = 2.0", 'law = "A - 5"', 1)
    assert call("check", write_case(tmp_path, text)) == 2
