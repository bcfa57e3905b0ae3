"""What all sections of a case file have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from fem_rd.expressions.expression import Expression, shortened


class Section(BaseModel):
    """A table of the case file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def plain(value: Any) -> Any:
    """The value as it would stand in a case file: tables, lists, numbers and texts.

    Keys without a value are left out (a case file has no null).
    """
    if isinstance(value, BaseModel):
        fields = ((name, getattr(value, name)) for name in type(value).model_fields)
        return {name: plain(part) for name, part in fields if part is not None}
    if isinstance(value, Expression):
        return value.value if value.is_constant else value.text
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value


def expressions_in(value: Any, key: str = "") -> Iterator[tuple[str, Expression]]:
    """Every expression in a section, with its key: what a model checks against its mesh."""
    if isinstance(value, Expression):
        yield key, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from expressions_in(getattr(value, name), joined(key, name))
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from expressions_in(part, joined(key, name))
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from expressions_in(part, joined(key, index))


def joined(key: str, part: str | int) -> str:
    """The key of a part: "output.times[2]", "boundaries.reactive"."""
    if isinstance(part, int):
        return f"{key}[{part}]"
    name = str(shortened(part))
    bare = name.isascii() and (name.replace("-", "_").isidentifier() or name.isdigit())
    written = name if bare else json.dumps(name, ensure_ascii=False)
    return f"{key}.{written}" if key else written
