"""Numbers, units and cases as text for people."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

_SIGNIFICANT = 10  # digits of a value whose error is not known
TIMES = "\N{MULTIPLICATION SIGN}"
_MINUS = "\N{MINUS SIGN}"
_POWER = re.compile(r"(?:\*\*|\^)\s*\(?(-?\d+(?:/\d+)?)\)?")
_RAISED = str.maketrans("0123456789-\N{MINUS SIGN}", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")
_SIZES = ("B", "kB", "MB", "GB", "TB")


def number(value: float | None, digits: int | None = None) -> Markup:
    """A number in HTML, as 6.981317 or 1.25 x 10^-7; a dash for None.

    With so many significant ``digits``; by default ten, without zeros at the end.
    """
    if value is None or not math.isfinite(value):
        return Markup("&ndash;")
    if value == 0:
        return Markup("0")
    if 1e-4 <= abs(value) < 1e7:
        mantissa, power = f"{value:#.{digits or _SIGNIFICANT}g}".rstrip("."), ""
    else:
        mantissa, exponent = f"{value:.{(digits or _SIGNIFICANT) - 1}e}".split("e")
        power = f"&thinsp;&times;&thinsp;10<sup>{int(exponent)}</sup>"
    if digits is None and "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return Markup((mantissa + power).replace("-", _MINUS))


def short(value: float | None) -> Markup:
    """A number in HTML of seven digits, without zeros at the end."""
    return number(None if value is None else float(f"{value:.6e}"))


def measured(value: float | None, error: float | None) -> Markup:
    """A value to the digits that its error leaves certain, two of the error's own included."""
    if value is None or not error or not math.isfinite(error) or not math.isfinite(value):
        return number(value)
    places = 1 - math.floor(math.log10(abs(error)))
    before_point = math.floor(math.log10(abs(value))) + 1 if value else 1
    return number(value, max(1, min(places + before_point, 15)))


def unit_html(unit: str) -> Markup:
    """A unit with its powers raised: nm^3/ns; nothing where dimensionless."""
    if unit == "1":
        return Markup("")
    return Markup(_POWER.sub(_raised_html, str(escape(unit)))).replace("*", "&thinsp;")


def unit_text(unit: str) -> str:
    """A unit in plain text with its powers raised: nm³/ns."""
    return _POWER.sub(lambda power: superscript(power[1]), unit).replace("*", " ")


def superscript(power: str) -> str:
    """Digits and minus as raised characters."""
    return power.translate(_RAISED)


def labelled(name: str, unit: str) -> str:
    """The label of an axis: name (unit), or the name alone where dimensionless."""
    return f"{name} ({unit_text(unit)})" if unit and unit != "1" else name


def brief_text(value: float) -> str:
    """A number of two digits in plain text, with its power of ten raised."""
    if not math.isfinite(value):
        return "not a number"
    if value == 0.0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.2g}".replace("-", _MINUS)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}{TIMES}10{superscript(str(int(exponent)))}".replace("-", _MINUS)


def short_text(value: float) -> str:
    """A number of four digits in plain text: 0.35, 10000, or with its power of ten raised."""
    if value == 0.0 or 1e-3 <= abs(value) < 1e6:
        return (f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}").replace("-", _MINUS)
    mantissa, exponent = f"{value:.3e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}{TIMES}10{superscript(str(int(exponent)))}".replace("-", _MINUS)


def count(value: int) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop; a name such as c or a_b stays as it is."""
    first = text.split(maxsplit=1)[0].strip(",:") if text.strip() else ""
    start = text[:1].upper() if len(first) > 1 and "_" not in first else text[:1]
    return start + text[1:].rstrip(".") + "." if text else ""


def spoken(words: Sequence[str], between: str = ", ") -> str:
    """A list in a sentence: A, B and C; with semicolons ``between`` them no "and"."""
    if between != ", ":
        return between.join(words)
    return " and ".join(filter(None, [between.join(words[:-1]), *words[-1:]]))


def size(bytes_: float) -> str:
    """An amount of memory: 1.3 GB."""
    power = min(int(math.log10(bytes_) // 3), len(_SIZES) - 1) if bytes_ >= 1 else 0
    return f"{bytes_ / 1000**power:.3g} {_SIZES[power]}"


def toml(content: Mapping[str, object], path: str = "") -> str:
    """A resolved case as TOML, near enough for people to read and to copy from."""
    tables = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    plain = {key: value for key, value in content.items() if key not in tables}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items() if value is not None]
    if path and (lines or not tables):
        lines.insert(0, f"[{path}]")
    blocks = ["\n".join(lines)] if lines else []
    for key, table in tables.items():
        blocks.append(toml(table, f"{path}.{_key(key)}" if path else _key(key)))
    return "\n\n".join(block for block in blocks if block)


def _raised_html(power: re.Match[str]) -> str:
    return f"<sup>{power[1].replace('-', _MINUS)}</sup>"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
