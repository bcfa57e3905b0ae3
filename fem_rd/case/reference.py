"""Writes docs/case-reference.md, the page of every key of a case file, from the schema.

Run as ``python -m fem_rd.case.reference [FILE]``.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from fem_rd.case.base import Section, plain
from fem_rd.case.case import COMMON, DEFAULTED, HEADER, OPTIONAL
from fem_rd.case.messages import fields_of, options_of
from fem_rd.case.sections import SECTIONS
from fem_rd.case.unit_texts import EXAMPLES
from fem_rd.expressions.functions import CONSTANTS, FUNCTIONS

PAGE = Path(__file__).parents[2] / "docs" / "case-reference.md"

INTRODUCTION = """\
# The case file

<!-- Made by `python -m fem_rd.case.reference` from the schema: change it there. -->

A case is a directory with a file `case.toml`, in [TOML](https://toml.io). This page lists every
key. A case file with a mistake runs nothing: each mistake is one line with the file, the key, what
was found and what is valid. Values can be changed for one run without touching the file:
`--set smoluchowski.diffusion=2`, `--set 'parameters.sigma="1.5 nm"'`.

```toml
title = "Rate of a reactive sphere fed by a reservoir"
model = "smoluchowski"

[units]
length = "nm"
time = "ns"

[parameters]
sigma = 1.0
D = "0.5 nm^2/ns"

[mesh]
geometry = "spherical-shell"

[mesh.parameters]
inner_radius = "sigma"
outer_radius = "5*sigma"

[smoluchowski]
diffusion = "D"

[smoluchowski.boundaries.reactive]
type = "robin"
kappa = "4*pi*sigma*D"

[smoluchowski.boundaries.reservoir]
type = "dirichlet"
concentration = "1 mM"
```
"""

VALUES = """\
## Values

Where a key takes a number or an expression, it may be given as
- a number: `0.5`, in the case's units;
- a quantity, a number and its unit in a text: `"0.5 nm^2/ns"`; it is converted to the case's
  units, and a wrong dimension is an error;
- an expression in a text: `"4*pi*sigma*D"`, `"where(z > 0, 1, 0)"`.

`"2 nm"` is a quantity, `"2*nm"` an expression with a parameter `nm`. A number before a slash is a
quantity where all words after it are units (`"1/ns"`), and an expression otherwise (`"1/r"`).

### Expressions

Numbers, parameters, constants and functions with `+ - * /`, `^` (or `**`) for powers, and brackets.
Coordinates are `x`, `y`, `z`, the distance `r` from the origin, and the time `t`, where the key's
type names them. Conditions stand in `where` only: `< <= > >=` (`0 < x < 1` too), `and`, `or`,
`not`. Numbers in an expression are in the case's units and their dimension is not checked.
"""

UNITS = """\
### Units

Products are written with a space or `*`, quotients with `/`, powers with `^`: `nm^2/ns`,
`kJ/(mol nm)`, `M^-1 s^-1`. Names take the usual prefixes (`n`, `u` or `µ`, `m`, `k`, ...).

- Amounts count particles, and moles are converted by Avogadro's number: `"1 mM"`,
  `"0.6 particle/nm^3"` and `"0.6 /nm^3"` are concentrations, `"1e9 /M/s"` is a rate constant.
- Energies are in k_B T: `"2 kT"` is 2. Any other unit of energy or force (`"2 kJ/mol"`, `"5 pN"`)
  needs `temperature` in `[units]`.
- In a plane, a volume is an area and an area a length: `"0.6 /nm^2"` is a concentration there.
- Without the section `[units]` all numbers are dimensionless and units are refused.
"""


def render() -> str:
    """The text of the page."""
    parts = [INTRODUCTION, VALUES, *_functions(), UNITS, *_units(), "## Keys\n", *_header()]
    sections = {model: kind.section for model, kind in SECTIONS.items()}
    for key, schema in {**COMMON, **sections}.items():
        parts += _sections(schema, key)
    return "\n".join(parts)


def _functions() -> Iterator[str]:
    rows = [(f"`{name}`", function.meaning) for name, function in FUNCTIONS.items()]
    yield _table(("function", "meaning"), rows)
    values = [(f"`{name}`", f"{value:.6g}", what) for name, (value, what) in CONSTANTS.items()]
    yield _table(("constant", "value", "meaning"), values)


def _units() -> Iterator[str]:
    yield _table(("quantity", "units, for example"), list(EXAMPLES.items()))


def _header() -> Iterator[str]:
    yield "### Top of the file\n"
    yield "Sections that are not marked as optional must be there.\n"
    models = ", ".join(f"`{model}`" for model in SECTIONS)
    rows = [
        ("`title`", "text", "", '`""`', HEADER["title"], '`"Rate of a sphere"`'),
        ("`model`", models, "", "required", HEADER["model"], '`"smoluchowski"`'),
        (
            "`parameters`",
            "table name = number, or expression of earlier parameters",
            "any",
            "`{}`",
            HEADER["parameters"],
            '`{ sigma = "1 nm", area = "4*pi*sigma^2" }`',
        ),
    ]
    yield _table(_COLUMNS, rows)


_COLUMNS = ("key", "type", "dimension", "default", "meaning", "example")


def _sections(schema: Any, path: str) -> Iterator[str]:
    """The tables of the section classes that read what stands at ``path``."""
    variants = list(members(schema))
    for member in variants:
        optional = " (optional)" if path in (*OPTIONAL, *DEFAULTED) else ""
        yield f"### `[{path}]`{_variant(member, variants)}{optional}\n"
        yield f"{_paragraph(member)}\n"
        yield _table(_COLUMNS, [_row(name, field) for name, field in member.model_fields.items()])
        for name, field in member.model_fields.items():
            if get_origin(field.annotation) is dict:
                yield from _sections(get_args(field.annotation)[1], f"{path}.{name}.NAME")
            elif list(members(field.annotation)):
                yield from _sections(field.annotation, f"{path}.{name}")


def members(schema: Any) -> Iterator[type[Section]]:
    """The section classes among which a schema chooses."""
    if get_origin(schema) is Annotated:
        yield from members(get_args(schema)[0])
    elif get_origin(schema) in (Union, types.UnionType):
        for member in get_args(schema):
            yield from members(member)
    elif fields_of(schema):
        yield schema


def _variant(member: type[Section], variants: Sequence[type[Section]]) -> str:
    """What tells one of several classes from the others: its type, or its first key."""
    if len(variants) < 2:
        return ""
    first, field = next(iter(member.model_fields.items()))
    return f" with `type = {_toml(field.default)}`" if first == "type" else f" with `{first}`"


def _paragraph(member: type[Section]) -> str:
    return "\n".join(line.strip() for line in (member.__doc__ or "").strip().splitlines())


def _row(name: str, field: FieldInfo) -> tuple[str, ...]:
    if name == "type" or field.is_required():
        default = "required"
    else:
        default = "none" if field.default is None else f"`{_toml(plain(field.default))}`"
    kind, dimension = _kind(field)
    examples = field.examples or [field.default]
    example = f"`{_toml(examples[0])}`"
    return f"`{name}`", kind, dimension, default, field.description or "", example


def _kind(field: FieldInfo) -> tuple[str, str]:
    """The type of a key in words, and its dimension."""
    reader = _reader(field.annotation, field.metadata)
    outer: Any = get_origin(field.annotation)
    if reader is not None:
        many = {tuple: f"list of {reader.kind}s", dict: f"table name = {reader.kind}"}
        dimension = "any" if reader.dimension is None else reader.dimension
        return many.get(outer, reader.kind), dimension
    if options := options_of(field.annotation):
        return ", ".join(f"`{option}`" for option in options), ""
    if list(members(field.annotation)):
        return "table", ""
    if outer is dict:
        value = get_args(field.annotation)[1]
        return f"table name = {'table' if list(members(value)) else _word(value)}", ""
    if outer is tuple:
        return f"list of {_word(get_args(field.annotation)[0])}s", ""
    return _word(field.annotation), ""


def _reader(annotation: Any, metadata: Sequence[Any]) -> Any:
    """The annotation that reads a number or an expression, of the field or of its entries."""
    for note in metadata:
        if hasattr(note, "kind") and hasattr(note, "dimension"):
            return note
    inner = [part for part in get_args(annotation) if get_origin(part) is Annotated]
    return _reader(None, get_args(inner[0])[1:]) if inner else None


def _word(annotation: Any) -> str:
    given = [part for part in get_args(annotation) if part is not types.NoneType]
    if get_origin(annotation) in (Union, types.UnionType) and len(given) == 1:
        return _word(given[0])
    bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return {str: "text", int: "whole number", bool: "`true` or `false`"}.get(bare, "number")


def _toml(value: Any) -> str:
    """A value as it is written in a case file."""
    if isinstance(value, dict):
        inside = ", ".join(f"{name} = {_toml(part)}" for name, part in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write the page to the file named, or to its place in the repository."""
    target = Path(arguments[0]) if arguments else PAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
