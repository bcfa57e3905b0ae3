"""What a picture of a field shows: sections of a body, closer views of them, and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fem_rd.output.reading import Cells, Fields
from fem_rd.report.contents import Contents, Floats
from fem_rd.report.cutting import Section, cut, dimension, flat, plane_axes, simplices
from fem_rd.report.formatting import short_text, unit_text

_ROUND_OFF = 1e-9  # of the size of the body
_NEARLY = 0.01  # of the size of the body
_DIFFERENT = 0.05  # of the range of the field, between the quantiles of two sections
_NOTABLE = 0.15  # of the range, away from the median: what a closer view is for
_CLOSER, _MARGIN = 0.5, 1.3  # of the width: when to look closer; how much to leave around
UNIFORM = 1e-9  # relative: a field that varies less is uniform
_TWENTIETHS = np.linspace(0.0, 1.0, 21, dtype=np.float64)


@dataclass(frozen=True)
class Plane:
    """A section, what it is called, and the names of its axes; ``lengths``: which are lengths."""

    section: Section
    heading: str
    axes_names: tuple[str, str]
    lengths: tuple[bool, bool] = (True, True)


@dataclass(frozen=True)
class Panel:
    """A picture in a figure: values on a plane, seen between two corners of it, (2, 2)."""

    plane: Plane
    values: Floats
    heading: str
    window: Floats


@dataclass(frozen=True)
class Snapshots:
    """The fields at some steps of a run, read once."""

    fields: tuple[Fields, ...]
    headings: tuple[str, ...]

    @classmethod
    def read(cls, contents: Contents, most: int) -> Snapshots:
        """At most so many, the first and the last among them."""
        unit = unit_text(contents.unit("time"))
        steps = some_steps(len(contents.times), most)
        return cls(
            tuple(contents.fields(step) for step in steps),
            tuple(f"t = {short_text(contents.times[step])} {unit}".strip() for step in steps),
        )

    @property
    def last(self) -> Fields:
        """The fields at the end."""
        return self.fields[-1]

    def of(self, name: str) -> Snapshots:
        """Those that show a field: the last alone, without its time, where it never changes."""
        end = self.last.values[name]
        same = (np.array_equal(fields.values[name], end) for fields in self.fields)
        if len(self.fields) > 1 and all(same):
            return Snapshots(self.fields[-1:], ("",))
        return self


def some_steps(count: int, most: int) -> list[int]:
    """At most so many of ``count`` steps, the first and the last among them."""
    return [int(step) for step in np.unique(np.linspace(0, count - 1, most).round())]


def planes_of(contents: Contents, fields: Fields) -> list[Plane]:
    """The sections worth showing: the one the run asks for, or two through the middle."""
    body = max(fields.cells, key=dimension)
    if contents.text("model") == "klein-kramers":
        phase_space = flat(fields.points, simplices(body))
        return [Plane(phase_space, "", ("x", "velocity / thermal velocity"), (True, False))]
    if dimension(body) == 2:
        return [Plane(flat(fields.points, simplices(body)), "", ("x", "y"))]
    lowest, highest = fields.points.min(axis=0), fields.points.max(axis=0)
    middle = 0.5 * (lowest + highest)
    middle[np.abs(middle) < _NEARLY * (highest - lowest)] = 0.0  # not off by a mesh's asymmetry
    wanted = contents.run.get("views", {}).get("slice")
    if wanted:
        origin = np.array(wanted.get("origin", middle), dtype=np.float64)
        normals = [np.array(wanted["normal"], dtype=np.float64)]
    else:
        origin, normals = middle, [np.eye(3)[2], np.eye(3)[1]]
    unit = unit_text(contents.unit("length"))
    return [_plane(fields.points, body, origin, normal, unit) for normal in normals]


def _plane(points: Floats, body: Cells, origin: Floats, normal: Floats, unit: str) -> Plane:
    normal = normal / normal[np.abs(normal).argmax()]  # so that x = 1 is not called -x = -1
    names = tuple(_direction(axis) for axis in plane_axes(normal))
    height = float(origin @ normal)
    if abs(height) < _ROUND_OFF * float(np.ptp(points, axis=0).max()):
        height = 0.0
    heading = f"{_direction(normal)} = {short_text(height)} {unit}".strip()
    return Plane(cut(points, body, origin, normal), heading, (names[0], names[1]))


def _direction(vector: Floats) -> str:
    """x, y or z for a vector along one of them, else the sum it is."""
    terms = [(part, name) for part, name in zip(vector, "xyz", strict=True) if abs(part) > 1e-12]
    if len(terms) == 1:
        return terms[0][1]
    total = " + ".join(f"{part:.2g} {name}" for part, name in terms)
    return total.replace("+ -", "\N{MINUS SIGN} ").replace("-", "\N{MINUS SIGN}")


def panels_of_planes(values: Floats, planes: Sequence[Plane]) -> list[Panel]:
    """The planes that differ, each with a closer view where little of it is of interest."""
    panels: list[Panel] = []
    for plane in planes:
        on_plane = plane.section.values(values)
        if panels and not _differ(panels[0], plane, on_plane):
            continue
        closer = _closer_view(plane.section, on_plane)
        if closer is None or not panels:
            panels.append(Panel(plane, on_plane, plane.heading, _extent(plane.section.xy)))
        if closer is not None:
            heading = f"{plane.heading}, closer".removeprefix(", ")
            panels.append(Panel(plane, on_plane, heading, closer))
    return panels


def panels_over_time(snapshots: Snapshots, name: str, planes: Sequence[Plane]) -> list[Panel]:
    """The first section at all times, seen closer where little of it is of interest at the end."""
    section = planes[-1].section
    closer = _closer_view(section, section.values(scalar(snapshots.last, name)))
    window = _extent(section.xy) if closer is None else closer
    return [
        Panel(plane, plane.section.values(scalar(fields, name)), heading, window)
        for fields, heading, plane in zip(snapshots.fields, snapshots.headings, planes, strict=True)
    ]


def in_one_window(rows: Sequence[Sequence[Panel]]) -> list[list[Panel]]:
    """The panels of several fields over time, all seen as widely as one of them needs."""
    windows = np.array([panel.window for row in rows for panel in row])
    window = np.array([windows[:, 0].min(axis=0), windows[:, 1].max(axis=0)])
    return [[replace(panel, window=window) for panel in row] for row in rows]


def scalar(fields: Fields, name: str) -> Floats:
    """A scalar field as it is, anything else by its magnitude."""
    values = fields.values[name]
    return values if values.ndim == 1 else np.linalg.norm(values, axis=1)


def _differ(panel: Panel, plane: Plane, values: Floats) -> bool:
    """Whether a plane shows another distribution of values than the panel does."""
    here = _quantiles(panel.plane.section, panel.values, _TWENTIETHS)
    there = _quantiles(plane.section, values, _TWENTIETHS)
    seen = np.concatenate([panel.values, values])
    scale = max(np.ptp(seen), UNIFORM * np.abs(seen).max())
    return bool(np.abs(here - there).max() > _DIFFERENT * scale)


def _closer_view(section: Section, values: Floats) -> Floats | None:
    """The window around what differs from the median, or None where that is much of the section."""
    means = _means(section, values)
    median = _quantiles(section, values, _TWENTIETHS)[10]
    notable = np.abs(means - median) > _NOTABLE * np.ptp(values)
    if not notable.any():
        return None
    corners, whole = _extent(section.xy[section.triangles[notable]].reshape(-1, 2)), section.xy
    half = 0.5 * _MARGIN * float(np.diff(corners, axis=0).max())
    if 2.0 * half > _CLOSER * float(np.ptp(whole, axis=0).max()):
        return None
    window: Floats = corners.mean(axis=0) + half * np.array([[-1.0, -1.0], [1.0, 1.0]])
    return window


def _means(section: Section, values: Floats) -> Floats:
    means: Floats = values[section.triangles].mean(axis=1)
    return means


def _quantiles(section: Section, values: Floats, shares: Floats) -> Floats:
    """Values below which the field is on a share of the section, for each of ``shares``."""
    means, areas = _means(section, values), section.areas()
    order = np.argsort(means)
    below = np.cumsum(areas[order]) - 0.5 * areas[order]
    quantiles: Floats = np.interp(shares * areas.sum(), below, means[order])
    return quantiles


def _extent(xy: Floats) -> Floats:
    """Lower left and upper right corner of points, shape (2, 2)."""
    return np.array([xy.min(axis=0), xy.max(axis=0)])
