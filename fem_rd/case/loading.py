"""Loading a case: the file case.toml of a directory, with overrides from the command line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fem_rd.case.base import joined
from fem_rd.case.case import Case, read_case
from fem_rd.errors import CaseError, CaseErrors, nearest
from fem_rd.expressions.expression import shortened

FILE = "case.toml"
OVERRIDE = "--set"

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


def load_case(path: str | Path, overrides: Sequence[str] = (), trust: bool = False) -> Case:
    """The case in a directory, or in the case.toml itself.

    ``overrides`` are texts such as "smoluchowski.diffusion=2": a dotted key, and a value in TOML
    or else a plain text. Raises `CaseError` for one mistake and `CaseErrors` for several.
    """
    file = _case_file(Path(path))
    data = _tables(file)
    overridden = [_override(data, override) for override in overrides]
    try:
        return read_case(data, file.parent, trust=trust)
    except CaseErrors as errors:
        found = [error.at(file=_origin(error.key, overridden, file)) for error in errors.errors]
    raise found[0] if len(found) == 1 else CaseErrors(found)


def _case_file(path: Path) -> Path:
    # os.path says no where the path itself is impossible, which pathlib raises for
    if os.path.isdir(path):
        if not os.path.isfile(path / FILE):
            raise CaseError(f"the directory has no {FILE}", file=path)
        return path / FILE
    if not os.path.isfile(path):
        raise CaseError("no such case", file=path, valid=f"a directory with a {FILE}")
    return path


def _tables(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CaseError("not a text in UTF-8", file=file) from None
    except OSError as error:
        raise CaseError(f"cannot be read: {error.strerror}", file=file) from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise CaseError("not valid TOML: nested too deeply", file=file) from None
    except ValueError as error:
        message = str(error)
    place = _PLACE.search(message)
    line = f"line {place[1]}" if place and place[1] else "at the end" if place else None
    message = _PLACE.sub("", message)
    message = message[:1].lower() + message[1:]
    raise CaseError(f"not valid TOML: {message}", file=file, key=line)


def _override(data: dict[str, Any], override: str) -> str:
    """Put "key=value" into the tables, and give the key of what is new by it."""
    text, equals, value = override.partition("=")
    path = _dotted(text.strip()) if equals else None
    if path is None:
        raise CaseError("not an override", file=OVERRIDE, found=override, valid="key=value")
    if path[0] == "parameters" and len(path) == 2:
        _check_parameter(path[1], data.get("parameters", {}))
    table, key, new = data, "", ""
    for part in path[:-1]:
        key = joined(key, part)
        new = new or (key if part not in table else "")
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            found = shortened(table)
            raise CaseError("is not a table of keys", file=OVERRIDE, key=key, found=found)
    table[path[-1]] = _value(value.strip())
    return new or joined(key, path[-1])


def _check_parameter(name: str, known: Any) -> None:
    """Raise `CaseError` where no expression of the case can mean the parameter."""
    if isinstance(known, dict) and name not in known:
        message = f"the case has no such parameter{nearest(name, known)}"
        raise CaseError(message, file=OVERRIDE, key=joined("parameters", name), valid=known)


def _dotted(text: str) -> list[str] | None:
    """The parts of a dotted key, as TOML reads it; None where it is not one."""
    try:
        table: Any = tomllib.loads(f"{text} = 0")
    except (ValueError, RecursionError):
        return None
    parts = []
    while isinstance(table, dict) and len(table) == 1:
        ((part, table),) = table.items()
        parts.append(part)
    return parts if table == 0 else None


def _value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text


def _origin(key: str | None, overridden: Sequence[str], file: Path) -> str | Path:
    """Where a key comes from: an override of it or of what it is part of, or the file."""
    for override in overridden:
        inside = (f"{override}.", f"{override}[")
        if key is not None and (key == override or key.startswith(inside)):
            return OVERRIDE
    return file
