"""The figures of fields: which fields share one, and whether they are lines or pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fem_rd.output.reading import Fields
from fem_rd.report.contents import Contents
from fem_rd.report.cutting import dimension
from fem_rd.report.formatting import short_text, spoken
from fem_rd.report.lines import line_plot, space_time_plot
from fem_rd.report.pictures import Row, picture, row_of
from fem_rd.report.planes import (
    UNIFORM,
    Panel,
    Plane,
    Snapshots,
    in_one_window,
    panels_of_planes,
    panels_over_time,
    planes_of,
    scalar,
)
from fem_rd.report.style import CURVES, Plot

_MOST_TIMES, _MOST_ROWS = 4, 4
_MANY_TIMES = 8  # what more times than these are seen best of on a picture of time and place


def field_plots(contents: Contents) -> Iterator[Plot]:
    """Concentrations first, then densities: at the end of a run, or at some times of it."""
    if not len(contents.times):
        return
    last = contents.fields()
    if max(map(dimension, last.cells)) > 1:
        yield from _pictures(contents)
        return
    snapshots = Snapshots.read(contents, len(CURVES))
    for name in _ordered(contents, last):
        yield line_plot(contents, snapshots, name)
        if len(contents.times) > _MANY_TIMES and len(snapshots.of(name).fields) > 1:
            plot = space_time_plot(contents, name)
            if plot is not None:
                yield plot


def _ordered(contents: Contents, fields: Fields) -> list[str]:
    """The names of the fields, the unknowns in their own order first."""
    unknowns = [name for name in contents.species if name in fields.values]
    return unknowns + [name for name in fields.values if name not in unknowns]


def _pictures(contents: Contents) -> Iterator[Plot]:
    snapshots = Snapshots.read(contents, _MOST_TIMES)
    planes = _planes_over_time(contents, snapshots)
    if not planes[-1]:
        return
    for names in _groups(contents, snapshots.last):
        found = {name: _panels(contents, snapshots, planes, name) for name in names}
        panels = {name: of_field for name, of_field in found.items() if of_field}
        if panels and len(contents.times) > 1:
            panels = dict(zip(panels, in_one_window(list(panels.values())), strict=True))
        drawable = [_row(contents, snapshots.last, name, panels[name]) for name in panels]
        varying = [row for row in drawable if not _uniform(row)] or drawable[:1]
        everywhere = [
            f"{row.label} is {short_text(row.panels[0].values.mean())} everywhere"
            for row in drawable
            if row not in varying
        ]
        if varying:
            plane = planes[-1][0].heading if len(contents.times) > 1 else ""
            remark = spoken(everywhere)
            yield picture(contents, varying, plane, f"; {remark}" if remark else "")


def _planes_over_time(contents: Contents, snapshots: Snapshots) -> list[list[Plane]]:
    """The sections at each time; those of the last wherever the mesh is the same.

    A run that went on with other ranks has its mesh in other pieces from there on.
    """
    last = snapshots.last
    usual = _sections(contents, last)
    return [
        usual if np.array_equal(fields.points, last.points) else _sections(contents, fields)
        for fields in snapshots.fields
    ]


def _sections(contents: Contents, fields: Fields) -> list[Plane]:
    return [plane for plane in planes_of(contents, fields) if len(plane.section.triangles)]


def _groups(contents: Contents, fields: Fields) -> list[list[str]]:
    """Names of the fields that share a figure: concentrations, or densities, of one unit."""
    groups: dict[tuple[bool, str], list[str]] = {}
    for name in _ordered(contents, fields):
        key = (name in contents.species, fields.units.get(name, ""))
        groups.setdefault(key, []).append(name)
    return [
        names[start : start + _MOST_ROWS]
        for names in groups.values()
        for start in range(0, len(names), _MOST_ROWS)
    ]


def _panels(
    contents: Contents, snapshots: Snapshots, planes: Sequence[Sequence[Plane]], name: str
) -> list[Panel]:
    """The panels of a field; none where a run that failed left nothing that can be drawn."""
    if len(contents.times) > 1:
        shown = snapshots.of(name)
        first = [of_time[0] for of_time in planes[-len(shown.fields) :]]
        panels = panels_over_time(shown, name, first)
    else:
        panels = panels_of_planes(scalar(snapshots.last, name), planes[-1])
    return [panel for panel in panels if np.isfinite(panel.values).all()]


def _row(contents: Contents, fields: Fields, name: str, panels: Sequence[Panel]) -> Row:
    density = len(contents.species) > 0 and name not in contents.species
    return row_of(name, fields, panels, density=density)


def _uniform(row: Row) -> bool:
    lowest, highest = row.range
    return highest - lowest <= UNIFORM * max(abs(lowest), abs(highest))
