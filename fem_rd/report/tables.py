"""The observables as tables: what the run is about first, the rest small and by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fem_rd.report.contents import Result
from fem_rd.report.kinds import ACCOUNTS, REACTIONS, RESULTS, in_order


@dataclass(frozen=True)
class Column:
    """A quantity in the table of a kind, and its unit where all of the column has one."""

    word: str
    unit: str


@dataclass(frozen=True)
class Line:
    """What the numbers of a line are of; a cell is None where there is no such observable."""

    of: str
    about: str
    cells: tuple[Result | None, ...]


@dataclass(frozen=True)
class Table:
    """The observables of one kind: a line for each species, reaction or channel."""

    heading: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def results_shown(results: Sequence[Result]) -> list[Result]:
    """What is held against something, then what the case asks for, in that order."""
    compared = [result for result in results if result.comparisons]
    asked = [result for result in results if result.kind.heading == RESULTS]
    return compared + [result for result in asked if not result.comparisons]


def tables(results: Sequence[Result]) -> list[Table]:
    """One table for each kind of observable."""
    by_heading: dict[str, list[Result]] = {}
    for result in results:
        by_heading.setdefault(result.kind.heading, []).append(result)
    return [_table(heading, by_heading[heading]) for heading in in_order(by_heading)]


def _table(heading: str, results: Sequence[Result]) -> Table:
    columns = tuple(dict.fromkeys(Column(result.kind.word, result.unit) for result in results))
    lines: dict[str, dict[Column, Result]] = {}
    for result in results:
        column = Column(result.kind.word, result.unit)
        lines.setdefault(result.kind.of, {})[column] = result
    return Table(
        heading,
        columns,
        tuple(
            Line(of, _about(heading, cells), tuple(cells.get(column) for column in columns))
            for of, cells in lines.items()
        ),
    )


def _about(heading: str, cells: dict[Column, Result]) -> str:
    """The equation of a reaction, the terms of what is conserved; the rest speaks for itself."""
    description = next(iter(cells.values())).description
    if heading == REACTIONS:
        return description.partition(" of ")[2]
    conserved = heading == ACCOUNTS and any(cell.kind.quantity for cell in cells.values())
    return description if conserved else ""
