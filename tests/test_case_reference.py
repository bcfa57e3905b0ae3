"""The page of all keys: up to date, complete, and true of the examples it gives."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, get_args, get_origin

import pytest
from pydantic import TypeAdapter

from fem_rd.case.base import Section
from fem_rd.case.case import COMMON, read_case
from fem_rd.case.chemistry import Law, RateConstant
from fem_rd.case.quantities import (
    CaseContext,
    Coefficient,
    DiffusionCoefficient,
    Quantity,
    RegionalCoefficient,
)
from fem_rd.case.reference import INTRODUCTION, PAGE, main, members, render
from fem_rd.case.sections import SECTIONS
from fem_rd.case.sections.reaction_diffusion import Integrand
from fem_rd.case.units import UnitSystem
from fem_rd.expressions.expression import Expression

CONTEXT = CaseContext(
    UnitSystem("nm", "ns", "particle", 298.0),
    {"sigma": 1.0, "D": 0.5, "rc": -2.0, "k": 1.0, "v": 0.1, "vmax": 2.0, "K": 1.0},
    species=("S", "P", "U", "V"),
)
READERS = (
    Quantity, Coefficient, DiffusionCoefficient, RegionalCoefficient, RateConstant, Law, Integrand,
)  # fmt: skip


def sections(schema):
    """Every section class that a schema reads, at any depth."""
    for member in members(schema):
        yield member
        for field in member.model_fields.values():
            table = get_origin(field.annotation) is dict
            yield from sections(get_args(field.annotation)[1] if table else field.annotation)


SCHEMAS = {**COMMON, **{model: kind.section for model, kind in SECTIONS.items()}}
ALL = [member for schema in SCHEMAS.values() for member in sections(schema)]
FIELDS = [
    pytest.param(field, id=f"{member.__name__}.{name}")
    for member in ALL
    for name, field in member.model_fields.items()
]


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m fem_rd.case.reference"


def test_the_page_is_written_where_it_is_asked_for(tmp_path):
    main([str(tmp_path / "new" / "page.md")])
    assert (tmp_path / "new" / "page.md").read_text(encoding="utf-8") == render()


def derived(kind):
    """Every class that derives from this one, at any depth."""
    for child in kind.__subclasses__():
        yield child
        yield from derived(child)


def test_every_section_and_key_is_on_the_page():
    """What is defined and not met would be a section that no case can have, or one overlooked."""
    text = render()
    assert set(ALL) == set(derived(Section))
    for member in ALL:
        assert (member.__doc__ or "").splitlines()[0] in text
        for name in member.model_fields:
            assert f"| `{name}` |" in text


@pytest.mark.parametrize("field", FIELDS)
def test_every_key_says_what_it_means(field):
    assert field.description
    assert len(field.description) > 8
    assert field.examples or field.default is not None


@pytest.mark.parametrize("field", FIELDS)
def test_every_example_and_default_is_valid(field):
    adapter = TypeAdapter(Annotated[(field.annotation, *field.metadata)] if field.metadata
                          else field.annotation)  # fmt: skip
    for example in field.examples or []:
        adapter.validate_python(example, context={"case": CONTEXT})
    if field.default is not None and not field.is_required():
        assert adapter.validate_python(field.default, context={"case": CONTEXT}) == field.default


@pytest.mark.parametrize("field", FIELDS)
def test_every_number_and_expression_has_a_dimension(field):
    """A plain float or expression would be read without units, sign or finiteness checked."""
    annotation = field.annotation
    kinds = {annotation, *get_args(annotation)}
    if kinds & {float, Expression}:
        assert any(isinstance(note, READERS) for note in field.metadata)


def test_the_example_of_the_page_is_a_case(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", INTRODUCTION, re.DOTALL)
    case = read_case(tomllib.loads(text), tmp_path)
    assert case.section.boundaries["reactive"].kappa == pytest.approx(6.283185307179586)
    assert case.mesh.parameters["outer_radius"] == 5.0


def test_sections_are_frozen_and_closed():
    for member in ALL:
        assert issubclass(member, Section)
        assert member.model_config["frozen"]
        assert member.model_config["extra"] == "forbid"


def test_tables_have_as_many_cells_in_each_row():
    for table in re.findall(r"(?:^\|.*\n)+", render(), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table
