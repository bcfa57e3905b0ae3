"""Tables of several kinds: which one, by the key `type`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fem_rd.case.base import Section
from fem_rd.case.quantities import as_pydantic
from fem_rd.errors import CaseError, nearest


def known_kind(kinds: Mapping[str, type[Section]], what: str) -> Callable[[object], object]:
    """A check that the type of a table is one of these kinds; ``what`` it is a table of."""

    def check(value: object) -> object:
        if not isinstance(value, dict):
            return value
        kind = value.get("type")
        if kind is None:
            error = CaseError(f"the type of the {what} is missing", key=".type", valid=kinds)
            raise as_pydantic(error)
        if not isinstance(kind, str) or kind not in kinds:
            hint = nearest(str(kind), kinds)
            error = CaseError(f"unknown type{hint}", key=".type", found=kind, valid=kinds)
            raise as_pydantic(error)
        return value

    return check


def kind_of(value: Any) -> str | None:
    """The tag of a table or of a section that was read; None where it has no type."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return None if kind is None else f"<{kind}>"
