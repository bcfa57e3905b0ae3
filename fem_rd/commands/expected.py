"""`expected.toml` of a case: numbers that its results are held against.

One table per observable: ``value``, relative ``tolerance`` (absolute where the value is 0) and
``source``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence

from fem_rd.case.case import Case
from fem_rd.errors import CaseError

FILE = "expected.toml"
KEYS = ("value", "tolerance", "source")


HOW = ("mesh", "time.step", "time.scheme", "time.tolerance", "solver", "output", "checkpoint")


def expected_values(case: Case, overrides: Sequence[str] = ()) -> dict[str, dict[str, object]]:
    """{observable: {value, tolerance, source}}; empty where the case has no such file.

    Also where ``overrides`` change more than how the case is solved: the numbers are then of
    another case. Raises `CaseError` for a file that cannot be understood.
    """
    file = case.path / FILE
    if not file.is_file() or not all(map(_keeps_the_answer, overrides)):
        return {}
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CaseError(f"not valid TOML: {error}", file=file) from None
    return {name: _checked(name, table, str(file)) for name, table in content.items()}


def _keeps_the_answer(override: str) -> bool:
    key = override.partition("=")[0].strip()
    return key.endswith(".degree") or any(key == how or key.startswith(f"{how}.") for how in HOW)


def _checked(name: str, table: object, file: str) -> dict[str, object]:
    if not isinstance(table, Mapping) or set(table) != set(KEYS):
        raise CaseError("must be a table of three keys", file=file, key=name, valid=KEYS)
    for key in ("value", "tolerance"):
        if isinstance(table[key], bool) or not isinstance(table[key], int | float):
            raise CaseError("must be a number", file=file, key=f"{name}.{key}", found=table[key])
    return dict(table)
