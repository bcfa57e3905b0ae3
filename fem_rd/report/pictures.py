"""Pictures of fields, one figure for each: sections of a body, a surface, or a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.tri import Triangulation

from fem_rd.output.reading import Cells, Fields
from fem_rd.report.contents import Contents, Floats
from fem_rd.report.cutting import Section, cut, dimension, flat, plane_axes, simplices
from fem_rd.report.formatting import labelled, sentence, unit_text
from fem_rd.report.style import CURVES, Plot, new_figure, plain_numbers, quiet

_MOST_TIMES = 4
_WIDTH, _FULL_WIDTH, _LINE_HEIGHT, _TALLEST = 4.8, 9.8, 3.0, 4.6  # inches
_BAR, _HEADING = 1.2, 0.6  # inches for the colour bar and for the text around a picture
_NEARLY = 0.01  # of the size of the body
_DIFFERENT = 0.05  # of the range of the field, between the quantiles of two sections
_NOTABLE = 0.15  # of the range, away from the median: what a closer view is for
_CLOSER, _MARGIN = 0.5, 1.3  # of the width: when to look closer; how much to leave around
_SIGNED = 0.05  # of the largest value: a negative part larger than this is meant
_UNIFORM = 1e-9  # relative: a field that varies less is uniform
_LEVELS = 8
_TWENTIETHS = np.linspace(0.0, 1.0, 21, dtype=np.float64)


@dataclass(frozen=True)
class _Plane:
    """A section, what it is called, and the names of its axes."""

    section: Section
    heading: str
    axes_names: tuple[str, str]


@dataclass(frozen=True)
class _Panel:
    """A picture in a figure: values on a plane, seen between two corners of it, (2, 2)."""

    plane: _Plane
    values: Floats
    heading: str
    window: Floats


@dataclass(frozen=True)
class _Colours:
    """A scale of colours by Matplotlib's name for it, and the values at its ends."""

    name: str
    lowest: float
    highest: float

    @property
    def norm(self) -> Normalize:
        return Normalize(self.lowest, self.highest)


def field_plots(contents: Contents) -> Iterator[Plot]:
    """One figure for each field: at the end of a run, or at some times of it."""
    if not len(contents.times):
        return
    fields = contents.fields()
    if max(map(dimension, fields.cells)) == 1:
        for name in fields.values:
            yield _line_plot(contents, name)
        return
    planes = [plane for plane in _planes(contents, fields) if len(plane.section.triangles)]
    for name in fields.values if planes else ():
        if len(contents.times) > 1:
            panels = _panels_over_time(contents, name, planes[0])
        else:
            panels = _panels_of_planes(_scalar(fields, name), planes)
        # a run that failed may have left what cannot be drawn
        drawable = [panel for panel in panels if np.isfinite(panel.values).all()]
        if drawable:
            yield _picture(contents, name, drawable)


def _planes(contents: Contents, fields: Fields) -> list[_Plane]:
    """The sections worth showing: the one the run asks for, or two through the middle."""
    body = max(fields.cells, key=dimension)
    if dimension(body) == 2:
        return [_Plane(flat(fields.points, simplices(body)), "", ("x", "y"))]
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


def _plane(points: Floats, body: Cells, origin: Floats, normal: Floats, unit: str) -> _Plane:
    normal = normal / normal[np.abs(normal).argmax()]  # so that x = 1 is not called -x = -1
    names = tuple(_direction(axis) for axis in plane_axes(normal))
    height = float(origin @ normal)
    place = f"{round(height, 9) + 0.0:.4g} {unit}".strip()
    heading = f"{_direction(normal)} = {place}".replace("-", "\N{MINUS SIGN}")
    return _Plane(cut(points, body, origin, normal), heading, (names[0], names[1]))


def _direction(vector: Floats) -> str:
    """x, y or z for a vector along one of them, else the sum it is."""
    terms = [(part, name) for part, name in zip(vector, "xyz", strict=True) if abs(part) > 1e-12]
    if len(terms) == 1:
        return terms[0][1]
    return " + ".join(f"{part:.2g} {name}" for part, name in terms).replace(
        "+ -", "\N{MINUS SIGN} "
    )


def _panels_of_planes(values: Floats, planes: Sequence[_Plane]) -> list[_Panel]:
    """The planes that differ, each with a closer view where little of it is of interest."""
    panels: list[_Panel] = []
    for plane in planes:
        on_plane = plane.section.values(values)
        if panels and not _differ(panels[0], plane, on_plane):
            continue
        closer = _closer_view(plane.section, on_plane)
        if closer is None or not panels:
            panels.append(_Panel(plane, on_plane, plane.heading, _extent(plane.section.xy)))
        if closer is not None:
            panels.append(_Panel(plane, on_plane, f"{plane.heading}, closer", closer))
    return panels


def _panels_over_time(contents: Contents, name: str, plane: _Plane) -> list[_Panel]:
    unit = unit_text(contents.unit("time"))
    last = contents.fields()
    closer = _closer_view(plane.section, plane.section.values(_scalar(last, name)))
    window = _extent(plane.section.xy) if closer is None else closer
    panels: list[_Panel] = []
    for step in _steps(contents):
        fields = contents.fields(step)
        # a run that went on with other ranks has its mesh in other pieces from there on
        same = np.array_equal(fields.points, last.points)
        its_plane = plane if same else _planes(contents, fields)[0]
        on_plane = its_plane.section.values(_scalar(fields, name))
        heading = f"t = {contents.times[step]:.4g} {unit}".strip()
        panels.append(_Panel(its_plane, on_plane, heading, window))
    return panels


def _steps(contents: Contents) -> list[int]:
    """Some steps, the first and the last among them."""
    steps = np.linspace(0, len(contents.times) - 1, _MOST_TIMES).round().astype(int)
    return [int(step) for step in np.unique(steps)]


def _picture(contents: Contents, name: str, panels: Sequence[_Panel]) -> Plot:
    label, unit = _label_and_unit(contents, name)
    seen = np.concatenate([panel.values for panel in panels])
    colours = _colours(seen)
    figure = _figure_for(panels)
    same_window = all(panel.window is panels[0].window for panel in panels)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=same_window)[0]
    for panel, its_axes in zip(panels, axes, strict=True):
        _draw(its_axes, panel, colours, unit_text(contents.unit("length")))
        if same_window:
            its_axes.label_outer()
    beside = axes[-1].inset_axes((1.05, 0.0, 0.045, 1.0))  # as high as the picture
    scale = ScalarMappable(colours.norm, colours.name)
    bar = figure.colorbar(scale, cax=beside, label=labelled(label, unit))
    bar.ax.spines[:].set_visible(False)
    plain_numbers(bar.ax.yaxis)
    plane = panels[0].plane.heading if len(contents.times) > 1 else ""
    between = f"from {seen.min():.4g} to {seen.max():.4g}".replace("-", "\N{MINUS SIGN}")
    caption = f"{label}{f' in the plane {plane}' if plane else ''}, {between}"
    return Plot(f"field-{name}", sentence(caption), figure, wide=len(panels) > 1)


def _figure_for(panels: Sequence[_Panel]) -> Figure:
    """A figure of the height that its panels need side by side."""
    width = _FULL_WIDTH if len(panels) > 1 else _WIDTH
    sizes = [np.diff(panel.window, axis=0)[0] for panel in panels]
    tallest = max(float(height / width) for width, height in sizes)
    height = min((width - _BAR) / len(panels) * tallest, _TALLEST) + _HEADING
    figure = new_figure(width, height)
    figure.set_layout_engine("compressed", wspace=0.04)
    return figure


def _draw(axes: Axes, panel: _Panel, colours: _Colours, unit: str) -> None:
    xy, triangles = panel.plane.section.xy, panel.plane.section.triangles
    mesh, values = Triangulation(xy[:, 0], xy[:, 1], triangles), panel.values
    axes.tripcolor(
        mesh, values, shading="gouraud", norm=colours.norm, cmap=colours.name, rasterized=True
    )
    levels = MaxNLocator(_LEVELS).tick_values(colours.lowest, colours.highest)
    between = levels[(levels > values.min()) & (levels < values.max())]
    if len(between):
        axes.tricontour(mesh, values, levels=between, colors="white", linewidths=0.5, alpha=0.55)
    axes.set_aspect("equal")
    axes.set_xlim(*panel.window[:, 0])
    axes.set_ylim(*panel.window[:, 1])
    axes.set_title(panel.heading, fontsize="medium")
    axes.set_xlabel(labelled(panel.plane.axes_names[0], unit))
    axes.set_ylabel(labelled(panel.plane.axes_names[1], unit))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        plain_numbers(axis)
    quiet(axes)


def _line_plot(contents: Contents, name: str) -> Plot:
    """A field in one dimension, at some times."""
    label, unit = _label_and_unit(contents, name)
    figure = new_figure(_WIDTH, _LINE_HEIGHT)
    axes = figure.add_subplot()
    steps = _steps(contents)
    for step, colour in zip(steps, CURVES, strict=False):
        fields = contents.fields(step)
        order = np.argsort(fields.points[:, 0], kind="stable")
        when = f"t = {contents.times[step]:.4g} {unit_text(contents.unit('time'))}".strip()
        axes.plot(fields.points[order, 0], _scalar(fields, name)[order], color=colour, label=when)
    axes.set_xlabel(labelled("x", contents.unit("length")))
    axes.set_ylabel(labelled(label, unit))
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    if len(steps) > 1:
        axes.legend()
    return Plot(f"field-{name}", sentence(f"{label} along x"), figure)


def _scalar(fields: Fields, name: str) -> Floats:
    """A scalar field as it is, anything else by its magnitude."""
    values = fields.values[name]
    return values if values.ndim == 1 else np.linalg.norm(values, axis=1)


def _label_and_unit(contents: Contents, name: str) -> tuple[str, str]:
    fields = contents.fields()
    scalar = fields.values[name].ndim == 1
    return (name if scalar else f"magnitude of {name}"), fields.units.get(name, "")


def _colours(values: Floats) -> _Colours:
    """Two-sided where the field has a sign that is meant, else from the lowest to the highest."""
    lowest, highest = float(values.min()), float(values.max())
    if lowest < -_SIGNED * max(highest, 0.0) and highest > -_SIGNED * lowest:
        largest = max(-lowest, highest)
        return _Colours("RdBu_r", -largest, largest)
    if highest - lowest <= _UNIFORM * max(abs(lowest), abs(highest)):
        middle = 0.5 * (lowest + highest)  # a uniform field must not show its round-off
        spread = 0.5 * abs(middle) or 0.5
        return _Colours("viridis", middle - spread, middle + spread)
    return _Colours("viridis", lowest, highest)


def _differ(panel: _Panel, plane: _Plane, values: Floats) -> bool:
    """Whether a plane shows another distribution of values than the panel does."""
    here = _quantiles(panel.plane.section, panel.values, _TWENTIETHS)
    there = _quantiles(plane.section, values, _TWENTIETHS)
    seen = np.concatenate([panel.values, values])
    scale = max(np.ptp(seen), _UNIFORM * np.abs(seen).max())
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
