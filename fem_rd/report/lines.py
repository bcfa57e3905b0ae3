"""Fields in one dimension: lines at some times, and pictures of place and time."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from scipy.interpolate import make_interp_spline

from fem_rd.output.reading import Fields
from fem_rd.report.axes import finish, label_time, mostly_early, one_panel
from fem_rd.report.contents import Contents, Floats
from fem_rd.report.formatting import labelled, sentence
from fem_rd.report.planes import Snapshots, scalar, some_steps
from fem_rd.report.style import CURVES, Plot, plain_numbers, quiet

_MOST_TIMES, _INSTANTS, _PLACES = 200, 200, 400  # of a picture
_BAR_OFF, _BAR_WIDTH, _BAR_ROOM = 0.03, 0.035, 0.2  # of the width


def line_plot(contents: Contents, snapshots: Snapshots, name: str) -> Plot:
    """A field along the line, at some times."""
    label, unit = _label(snapshots.last, name), snapshots.last.units.get(name, "")
    figure, axes = one_panel()
    snapshots = snapshots.of(name)
    several = len(snapshots.fields) > 1
    for fields, when, colour in zip(snapshots.fields, snapshots.headings, CURVES, strict=False):
        order = np.argsort(fields.points[:, 0], kind="stable")
        axes.plot(fields.points[order, 0], scalar(fields, name)[order], color=colour, label=when)
    if several:
        axes.legend()
    finish(axes, None, labelled("x", contents.unit("length")), labelled(label, unit))
    times = " at some times" if several else ""
    return Plot(f"field-{name}", sentence(f"{label} along x{times}"), figure)


def space_time_plot(contents: Contents, name: str) -> Plot | None:
    """A field as a picture of place and time; None where less than two times can be drawn."""
    steps = some_steps(len(contents.times), _MOST_TIMES)
    fields = [contents.fields(step) for step in steps]
    drawable = [
        (time, one)
        for time, one in zip(contents.times[steps], fields, strict=True)
        if np.isfinite(one.values[name]).all()
    ]
    early = mostly_early(contents.times)
    drawable = [(time, one) for time, one in drawable if time > 0.0 or not early]
    if len(drawable) < 2:
        return None
    ends = fields[0].points[:, 0]
    x = np.linspace(ends.min(), ends.max(), _PLACES)
    table = np.array([_at(x, one, name) for _, one in drawable])
    figure, axes = one_panel()
    known = np.array([time for time, _ in drawable])
    spaced = np.geomspace if early else np.linspace
    times = np.clip(spaced(known[0], known[-1], _INSTANTS), known[0], known[-1])
    between = make_interp_spline(known, table, k=1)(times)
    mesh = axes.pcolormesh(x, times, between, shading="nearest", cmap="viridis", rasterized=True)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(times[0], times[-1])
    if early:
        axes.set_yscale("log")
    quiet(axes)
    finish(axes, None, labelled("x", contents.unit("length")), label_time(contents.unit("time")))
    label, unit = _label(fields[-1], name), fields[-1].units.get(name, "")
    _add_bar(figure, axes, mesh, labelled(label, unit))
    caption = sentence(f"{label} over place and time")
    return Plot(f"space-time-{name}", caption, figure)


def _add_bar(figure: Figure, axes: Axes, mesh: QuadMesh, label: str) -> None:
    figure.subplots_adjust(right=1.0 - _BAR_ROOM)
    bar = figure.colorbar(mesh, cax=axes.inset_axes((1.0 + _BAR_OFF, 0.0, _BAR_WIDTH, 1.0)))
    bar.set_label(label)
    bar.ax.spines[:].set_visible(False)
    plain_numbers(bar.ax.yaxis)


def _at(x: Floats, fields: Fields, name: str) -> Floats:
    order = np.argsort(fields.points[:, 0], kind="stable")
    return np.interp(x, fields.points[order, 0], scalar(fields, name)[order])


def _label(fields: Fields, name: str) -> str:
    return name if fields.values[name].ndim == 1 else f"magnitude of {name}"
