"""The text of a Gmsh geometry: its words, and the parameters it declares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fem_rd.errors import CaseError

_TOKEN = re.compile(
    r"""
      (?P<space> [ \t\r\n\f]+)
    | (?P<comment> //[^\n]* | /\*.*?\*/)
    | (?P<string> "[^"]*" | '[^']*')
    | (?P<number> (?: \d+\.?\d* | \.\d+ ) (?: [Ee][-+]?\d+ )?)
    | (?P<word> [A-Za-z_][A-Za-z_0-9]*)
    | (?P<sign> (?!/\*) (?: [-+*/=!<>]= | \+\+ | -- | >> | << | \|\| | && | ::
                          | [][(){};:,.=+*/%^<>!?|&~\#-] ))
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Token:
    """A word, number, string, sign, comment or space of the text, and the line it begins on."""

    kind: str
    text: str
    line: int


def tokens(text: str) -> list[Token]:
    """The tokens of a geometry without comments and space.

    Raises `CaseError` with the line of what belongs to no token: a stray character, a string or a
    comment that does not end.
    """
    return [token for token in _all_tokens(text) if token.kind not in ("space", "comment")]


def without_comments(text: str) -> str:
    """The same text, the same lines, and spaces for comments. Raises `CaseError` as `tokens`."""
    blank = "\n".join
    return "".join(
        blank(" " for _ in token.text.split("\n")) if token.kind == "comment" else token.text
        for token in _all_tokens(text)
    )


def declared_parameters(text: str) -> dict[str, str]:
    """The parameters that the geometry declares by DefineConstant: name -> default, as written.

    Raises `CaseError` where the text is not understood.
    """
    found: dict[str, str] = {}
    stream = tokens(text)
    for start, token in enumerate(stream):
        if token.text == "DefineConstant":
            inside = stream[start + 2 : closing(stream, start + 1)]
            found.update(_default(entry) for entry in _entries(inside) if len(entry) > 2)
    return found


def closing(stream: Sequence[Token], start: int) -> int:
    """Index of the bracket that closes the one at ``start``; the end where there is none."""
    depth = 0
    for index in range(start, len(stream)):
        depth += _depth_change(stream[index])
        if depth <= 0:
            return index
    return len(stream)


def _all_tokens(text: str) -> Iterator[Token]:
    line, position = 1, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise CaseError(f"line {line}: not understood", found=text[position : position + 20])
        yield Token(str(match.lastgroup), match[0], line)
        line += match[0].count("\n")
        position = match.end()


def _depth_change(token: Token) -> int:
    if token.kind != "sign":
        return 0
    return (token.text in _OPENING) - (token.text in _CLOSING)


def _entries(stream: Sequence[Token]) -> Iterator[list[Token]]:
    """The parts between commas that are in no bracket."""
    depth, entry = 0, list[Token]()
    for token in stream:
        depth += _depth_change(token)
        if depth == 0 and token.text == ",":
            yield entry
            entry = []
        else:
            entry.append(token)
    yield entry


def _default(entry: Sequence[Token]) -> tuple[str, str]:
    """Name and default of ``name = default`` or ``name = {default, attributes}``."""
    value: Sequence[Token] = entry[2:]
    if value[0].text == "{":
        value = next(_entries(value[1:-1]))
    return entry[0].text, " ".join(token.text for token in value)
