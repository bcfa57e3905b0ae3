"""What pydantic finds wrong with a section, in one line each that a user of the suite can read."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from fem_rd.case.base import Section, joined
from fem_rd.errors import CaseError, nearest
from fem_rd.expressions.expression import shortened

_TABLE = "must be a table"
_WHOLE = "must be a whole number"
_MESSAGES = {
    "model_type": _TABLE,
    "dict_type": _TABLE,
    "union_tag_not_found": _TABLE,
    "union_tag_invalid": _TABLE,
    "tuple_type": "must be a list",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "bool_type": "must be true or false",
}


def translated(error: ValidationError, schema: Any, key: str) -> list[CaseError]:
    """The mistakes in a section that was read by ``schema`` and stands at ``key``."""
    return [_translated(details, schema, key) for details in error.errors(include_url=False)]


def _translated(details: ErrorDetails, schema: Any, key: str) -> CaseError:
    kind, context = details["type"], details.get("ctx", {})
    place, parent = _place(schema, details["loc"], key)
    last = str(details["loc"][-1]) if details["loc"] else ""
    field, found = fields_of(parent).get(last), shortened(details["input"])
    if kind == "case":
        place += context["key"] or ""
        message, found = context["message"], context["found"]
        found = None if found is None else shortened(found)
        return CaseError(message, key=place, found=found, valid=context["valid"])
    if kind == "extra_forbidden":
        valid = fields_of(parent)
        hint = nearest(str(shortened(last)), valid)
        return CaseError(f"unknown key{hint}", key=place, valid=valid)
    if kind == "missing":
        meaning = field.description if field else None
        return CaseError("the key is missing", key=place, valid=meaning)
    if kind == "literal_error":
        options = options_of(field.annotation if field else None)
        message = f"unknown value{nearest(str(found), options)}"
        return CaseError(message, key=place, found=found, valid=options)
    if kind in ("too_short", "too_long"):
        count = context.get("min_length", context.get("max_length"))
        return CaseError(f"must have {count} entries", key=place, found=found)
    return CaseError(_MESSAGES.get(kind, "is not valid here"), key=place, found=found)


def _place(schema: Any, loc: Sequence[str | int], key: str) -> tuple[str, Any]:
    """The key of what pydantic places at ``loc``, and the type that reads the table it is in."""
    parent = schema
    for part in loc:
        bare = _bare(schema)
        if get_origin(bare) in (Union, types.UnionType):  # the part only tells which was read
            tagged = (member for member in get_args(bare) if Tag(str(part)) in get_args(member))
            schema = parent = next(tagged, None)
            continue
        key, parent = joined(key, part), bare
        if get_origin(bare) is dict:
            schema = get_args(bare)[1]
        elif get_origin(bare) is tuple:
            schema = get_args(bare)[0]
        else:
            field = fields_of(bare).get(str(part))
            schema = field.annotation if field else None
    return key, parent


def fields_of(schema: Any) -> dict[str, FieldInfo]:
    """The fields of a section class, none for anything else."""
    bare = _bare(schema)
    return bare.model_fields if isinstance(bare, type) and issubclass(bare, Section) else {}


def options_of(annotation: Any) -> list[str]:
    """The values that a choice allows, as texts."""
    bare = _bare(annotation)
    return [str(option) for option in get_args(bare)] if get_origin(bare) is Literal else []


def _bare(schema: Any) -> Any:
    return get_args(schema)[0] if get_origin(schema) is Annotated else schema
