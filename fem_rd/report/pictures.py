"""Pictures of fields: a row of panels for each field, with the scale of its colours beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform
from matplotlib.tri import Triangulation
from numpy.typing import NDArray

from fem_rd.output.reading import Fields
from fem_rd.report.contents import Contents, Floats
from fem_rd.report.formatting import labelled, sentence, short_text, spoken, unit_text
from fem_rd.report.planes import UNIFORM, Panel
from fem_rd.report.style import (
    DOTS_PER_INCH,
    FULL_WIDTH,
    Plot,
    fitting,
    new_figure,
    plain_numbers,
    quiet,
)

_HALF_WIDTH, _TALLEST = 4.8, 4.6  # inches
_WIDEST, _OF_MANY = 3.2, 2.7  # inches: of panels beside others, and in several rows too
_LEFT, _BAR, _ABOVE, _BELOW, _GAP = 0.62, 0.95, 0.26, 0.5, 0.2  # inches around panels
_BAR_OFF, _BAR_WIDTH = 0.08, 0.1  # inches
_SIGNED = 0.05  # of the largest value: a negative part larger than this is meant
_LEVELS = 8
_ROOM_FOR_LEVELS = 3.0  # inches: on smaller panels lines of equal value would hide the colours
_DECADES, _DEEPEST, _LOW = 1e3, 1e-6, 0.05  # when colours are logarithmic, down to where


@dataclass(frozen=True)
class _Colours:
    """A scale of colours by Matplotlib's name for it, and the values at its ends."""

    name: str
    lowest: float
    highest: float
    logarithmic: bool = False

    @property
    def norm(self) -> Normalize:
        """What takes values to numbers between 0 and 1."""
        kind = LogNorm if self.logarithmic else Normalize
        return kind(self.lowest, self.highest, clip=True)


@dataclass(frozen=True)
class Row:
    """A field as panels with one scale of colours; ``label`` (``unit``) stands beside it."""

    name: str
    label: str
    unit: str
    panels: Sequence[Panel]
    colours: _Colours

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value seen."""
        values = [panel.values for panel in self.panels]
        return min(float(v.min()) for v in values), max(float(v.max()) for v in values)

    @property
    def one_window(self) -> bool:
        """Whether all panels show the same part of the plane."""
        return all(np.array_equal(panel.window, self.panels[0].window) for panel in self.panels)


def row_of(name: str, fields: Fields, panels: Sequence[Panel], *, density: bool) -> Row:
    """The row of a field; a ``density`` that spans decades has logarithmic colours."""
    label = name if fields.values[name].ndim == 1 else f"magnitude of {name}"
    density = density and fields.units.get(name) != "1"  # probabilities and modes are not
    seen = np.concatenate([panel.values for panel in panels])
    colours = (_logarithmic(seen) if density else None) or _colours(seen)
    return Row(name, label, fields.units.get(name, ""), panels, colours)


def picture(contents: Contents, rows: Sequence[Row], plane: str, remark: str) -> Plot:
    """Rows of fields, columns of times or sections; single panels stand side by side."""
    side_by_side = len(rows) > 1 and all(len(row.panels) == 1 for row in rows)
    unit = unit_text(contents.unit("length"))
    figure = _side_by_side(rows, unit) if side_by_side else _stacked(rows, unit)
    ranges = spoken([_range_text(row) for row in rows], "; ")
    place = f" in the plane {plane}" if plane else ""
    if len(rows) == 1:
        caption = f"{rows[0].label}{place}, {ranges.removeprefix(rows[0].label).strip()}{remark}"
    else:
        caption = f"{spoken([row.label for row in rows])}{place}: {ranges}{remark}"
    name = f"field-{'-'.join(row.name for row in rows)}"
    wide = len(rows) > 1 or len(rows[0].panels) > 1
    return Plot(name, sentence(caption), figure, wide=wide)


def _range_text(row: Row) -> str:
    lowest, highest = map(short_text, row.range)
    return f"{row.label} from {lowest} to {highest}"


def _stacked(rows: Sequence[Row], unit: str) -> Figure:
    """One row of the figure for each field."""
    columns = max(len(row.panels) for row in rows)
    width = FULL_WIDTH if columns > 1 else _HALF_WIDTH
    shared = all(row.one_window for row in rows)
    gap = _GAP if shared else _LEFT
    panel_width = (width - _LEFT - _BAR - (columns - 1) * gap) / columns
    if columns > 1:
        panel_width = min(panel_width, _WIDEST if len(rows) == 1 else _OF_MANY)
        width = _LEFT + columns * panel_width + (columns - 1) * gap + _BAR
    heights = [_height(row.panels, panel_width) for row in rows]
    same = shared and all(_same_columns(rows[0], row) for row in rows)
    above = [_ABOVE if index == 0 or not same else _GAP for index in range(len(rows))]
    below = [_BELOW if index == len(rows) - 1 or not same else 0.0 for index in range(len(rows))]
    total = sum(heights) + sum(above) + sum(below)
    figure, top = new_figure(width, total), total
    for index, row in enumerate(rows):
        top -= above[index] + heights[index]
        panels: list[Axes] = []
        for column, panel in enumerate(row.panels):
            left = _LEFT + column * (panel_width + gap)
            axes = _axes_at(figure, left, top, panel_width, heights[index])
            _draw(axes, panel, row.colours, unit)
            if shared and column:
                _without(axes, "y")
            panels.append(axes)
        _draw_bar(figure, panels[-1], row, panel_width)
        if same:
            _bare(panels, first=index == 0, last=index == len(rows) - 1)
        top -= below[index]
    return figure


def _side_by_side(rows: Sequence[Row], unit: str) -> Figure:
    """Two fields in a row of the figure, each with its own scale of colours beside it."""
    width = _HALF_WIDTH - _LEFT - _BAR
    heights = [_height(row.panels, width) for row in rows]
    lines = [max(heights[start : start + 2]) for start in range(0, len(rows), 2)]
    top = sum(lines) + len(lines) * (_ABOVE + _BELOW)
    figure = new_figure(FULL_WIDTH, top)
    for index, row in enumerate(rows):
        if index % 2 == 0:
            top -= _ABOVE + lines[index // 2]
        left = _LEFT + index % 2 * (FULL_WIDTH - _HALF_WIDTH)
        axes = _axes_at(figure, left, top, width, lines[index // 2])
        _draw(axes, row.panels[0], row.colours, unit)
        _draw_bar(figure, axes, row, width)
        if index % 2 == 1:
            top -= _BELOW
    return figure


def _height(panels: Sequence[Panel], width: float) -> float:
    """The height of panels of this width, in inches."""
    sizes = [np.ptp(panel.window, axis=0) for panel in panels]
    return min(width * max(float(size[1] / size[0]) for size in sizes), _TALLEST)


def _same_columns(first: Row, row: Row) -> bool:
    """Whether the panels of two rows have the same headings and windows."""
    return len(first.panels) == len(row.panels) and all(
        one.heading == other.heading and np.array_equal(one.window, other.window)
        for one, other in zip(first.panels, row.panels, strict=True)
    )


def _axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _bare(panels: Sequence[Axes], *, first: bool, last: bool) -> None:
    """Headings above the first row only, numbers below the last."""
    for axes in panels:
        if not first:
            axes.set_title("")
        if not last:
            _without(axes, "x")


def _without(axes: Axes, direction: str) -> None:
    """No numbers and no name along one direction: a neighbour has them."""
    axis = axes.xaxis if direction == "x" else axes.yaxis
    axis.set_label_text("")
    axis.set_tick_params(labelbottom=False, labelleft=False)
    axis.get_offset_text().set_visible(False)


def _draw_bar(figure: Figure, axes: Axes, row: Row, panel_width: float) -> None:
    """The scale of colours, as high as the picture."""
    place = (1.0 + _BAR_OFF / panel_width, 0.0, _BAR_WIDTH / panel_width, 1.0)
    scale = ScalarMappable(row.colours.norm, row.colours.name)
    label = fitting(labelled(row.label, row.unit), axes)
    bar = figure.colorbar(scale, cax=axes.inset_axes(place), label=label)
    bar.ax.spines[:].set_visible(False)
    plain_numbers(bar.ax.yaxis)


def _draw(axes: Axes, panel: Panel, colours: _Colours, unit: str) -> None:
    section, (across, up) = panel.plane.section, panel.window.T
    size = np.array(axes.bbox.size, dtype=np.float64) / axes.figure.dpi
    scale = DOTS_PER_INCH * float((size / np.ptp(panel.window, axis=0)).min())
    picture = _painted(panel, colours, scale)
    axes.imshow(picture, extent=(*across, *up), interpolation="none", aspect="equal")
    levels = MaxNLocator(_LEVELS).tick_values(colours.lowest, colours.highest)
    between = levels[(levels > panel.values.min()) & (levels < panel.values.max())]
    if len(between) and not colours.logarithmic and size[0] >= _ROOM_FOR_LEVELS:
        mesh = Triangulation(section.xy[:, 0], section.xy[:, 1], section.triangles)
        lines = {"colors": "white", "linewidths": 0.5, "alpha": 0.55}
        axes.tricontour(mesh, panel.values, levels=between, **lines)
    axes.set_xlim(*across)
    axes.set_ylim(*up)
    axes.set_title(panel.heading, fontsize="medium", pad=4.0)
    units = [unit if length else "" for length in panel.plane.lengths]
    axes.set_xlabel(labelled(panel.plane.axes_names[0], units[0]))
    axes.set_ylabel(labelled(panel.plane.axes_names[1], units[1]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        plain_numbers(axis)
    quiet(axes)


def _painted(panel: Panel, colours: _Colours, scale: float) -> NDArray[np.uint8]:
    """The panel as a picture (rows, columns, 4) of so many dots per length.

    Painted once for the page and for the file. What is interpolated in a triangle is the number
    from 0 to 1 that a colour has on its scale, as a shade of grey, and not the colour.
    """
    section, window = panel.plane.section, panel.window
    size = np.maximum(np.round(scale * np.ptp(window, axis=0)), 1.0)
    corners = section.xy[section.triangles]
    seen = np.all((corners.max(axis=1) >= window[0]) & (corners.min(axis=1) <= window[1]), axis=1)
    dots = (corners[seen] - window[0]) * (size / np.ptp(window, axis=0))
    shade = np.ones((len(panel.values), 4))
    shade[:, :3] = np.asarray(colours.norm(panel.values))[:, None]
    renderer = RendererAgg(int(size[0]), int(size[1]), DOTS_PER_INCH)  # type: ignore[no-untyped-call]
    renderer.draw_gouraud_triangles(
        renderer.new_gc(), dots, shade[section.triangles[seen]], IdentityTransform()
    )
    shades = np.array(renderer.buffer_rgba())  # type: ignore[no-untyped-call]
    painted: NDArray[np.uint8] = colormaps[colours.name](shades[:, :, 0], bytes=True)
    painted[:, :, 3] = shades[:, :, 3]
    return painted


def _colours(values: Floats) -> _Colours:
    """Two-sided where the field has a sign that is meant, else from the lowest to the highest."""
    lowest, highest = float(values.min()), float(values.max())
    if lowest < -_SIGNED * max(highest, 0.0) and highest > -_SIGNED * lowest:
        largest = max(-lowest, highest)
        return _Colours("RdBu_r", -largest, largest)
    if highest - lowest <= UNIFORM * max(abs(lowest), abs(highest)):
        middle = 0.5 * (lowest + highest)  # a uniform field must not show its round-off
        spread = 0.5 * abs(middle) or 0.5
        return _Colours("viridis", middle - spread, middle + spread)
    return _Colours("viridis", lowest, highest)


def _logarithmic(values: Floats) -> _Colours | None:
    """Logarithmic colours for what is nowhere negative and spans decades; None for the rest."""
    lowest, highest = float(values.min()), float(values.max())
    low = float(np.quantile(values, _LOW))
    if lowest < 0.0 or low * _DECADES >= highest:
        return None
    return _Colours("viridis", max(low, _DEEPEST * highest), highest, logarithmic=True)
