"""Axes for curves: their scales by what is drawn, their labels, and margins that just hold them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fem_rd.report.formatting import labelled
from fem_rd.report.style import fitting, new_figure, plain_numbers

Floats = NDArray[np.float64]

WIDTH, HEIGHT, _TALL = 4.8, 3.0, 3.9  # inches
_TOP, _RIGHT, _BOTTOM, _BESIDE = 0.12, 0.14, 0.5, 0.06  # inches of margin
_POWER = 0.15  # inches
_EARLY = 0.2  # of the run: where most steps are earlier than this, time is logarithmic
_SPAN, _FROM_TIME = 1e3, 1e2  # ratios that make a scale of values, and of times, logarithmic
_INSTANT, _FROM_INSTANT = 0.01, 1e3  # of the run; and how much longer it is than its first step
_NOTHING = 1e-12  # of the largest: what is below is not shown on a logarithmic scale
_ABOVE = 3.0  # times the largest: the margin of an axis that is cut off below
_SAMPLES = 200
_UNUSUAL = 0.05  # the share of the axis where a curve may be lower than what decides


def one_panel() -> tuple[Figure, Axes]:
    """A figure with axes for values."""
    figure = new_figure(WIDTH, HEIGHT)
    return figure, figure.add_subplot()


def two_panels() -> tuple[Figure, Axes, Axes]:
    """Axes for values and, below them, for their relative difference from the exact ones."""
    figure = new_figure(WIDTH, _TALL)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1.0))
    lower.set_yscale("log")
    lower.set_ylabel("relative difference")
    return figure, upper, lower


def finish(axes: Axes, below: Axes | None, abscissa: str, ordinate: str) -> None:
    """Label the axes and leave the room that the labels need."""
    axes.set_ylabel(fitting(ordinate, axes))
    (below or axes).set_xlabel(abscissa)
    if below is not None:  # whole decades, so that there are labels to read
        lowest, highest = np.log10(below.get_ylim())
        below.set_ylim(10.0 ** np.floor(lowest), 10.0 ** np.ceil(highest))
    panels = [axes] if below is None else [axes, below]
    for panel in panels:
        plain_numbers(panel.xaxis)
        plain_numbers(panel.yaxis)
    _fit(panels)


def label_time(unit: str) -> str:
    """The label of an axis of times."""
    return labelled("time", unit)


def mostly_early(time: Floats) -> bool:
    """Whether the steps of a run are so much finer early on that its time is logarithmic."""
    later = time[time > 0.0]
    if len(later) < 3:
        return False
    last = float(later.max())
    return float(np.median(later)) < _EARLY * last and last > _FROM_TIME * float(later.min())


def begins_fast(time: Floats, values: Floats) -> bool:
    """Whether a curve does half of its moving in the first instants of a run that resolves them."""
    known = np.isfinite(values)
    when, moved = time[known], np.cumsum(np.abs(np.diff(values[known], prepend=values[known][:1])))
    later = when[when > 0.0]
    if len(later) < 3 or later[-1] < _FROM_INSTANT * later[0]:
        return False
    return bool(when[np.searchsorted(moved, 0.5 * moved[-1])] < _INSTANT * when[-1])


def as_seen(time: Floats, values: Floats, *, logarithmic: bool) -> Floats:
    """A curve at points that are equally far from each other on the axis of time."""
    shown = np.isfinite(values) & ((time > 0.0) | (not logarithmic))
    if not shown.any():
        return np.zeros(_SAMPLES)
    at = np.log(time[shown]) if logarithmic else time[shown]
    return np.interp(np.linspace(at[0], at[-1], _SAMPLES), at, values[shown])


def spans_decades(seen: Sequence[Floats]) -> bool:
    """Whether a logarithmic axis is the one to show these curves on, each `as_seen`.

    A curve that is nothing beside the others has no say, nor has how a curve begins.
    """
    largest = max(float(np.abs(curve).max()) for curve in seen)
    curves = [curve for curve in seen if np.abs(curve).max() > _NOTHING * largest]
    if not curves or any(curve.min() < 0.0 for curve in curves):
        return False
    low = min(float(np.quantile(curve, _UNUSUAL)) for curve in curves)
    return low > 0.0 and low * _SPAN < largest


def make_logarithmic(axes: Axes, largest: float) -> None:
    """A logarithmic scale of values, down to what is nothing beside the largest."""
    axes.set_yscale("log")
    lowest, highest = axes.get_ylim()
    axes.set_ylim(max(lowest, _NOTHING * largest), min(highest, _ABOVE * largest))


def _fit(panels: Sequence[Axes]) -> None:
    """Margins as wide as the labels beside the axes, which stay where the next figure has them."""
    figure = panels[0].figure.get_figure(root=True)
    if figure is None:
        return
    width, height = figure.get_size_inches()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    top, left = _TOP, 0.0
    figure.subplots_adjust(bottom=_BOTTOM / height, top=1.0 - _TOP / height, hspace=0.1)
    for panel in panels:
        outside = panel.yaxis.get_tightbbox(renderer)
        inside = panel.get_window_extent(renderer)
        if outside is not None:
            left = max(left, (inside.x0 - outside.x0) / figure.dpi)
    if panels[0].yaxis.get_offset_text().get_text():  # a power of ten stands above the axis
        top += _POWER
    figure.subplots_adjust(
        left=(left + _BESIDE) / width, right=1.0 - _RIGHT / width, top=1.0 - top / height
    )
    figure.align_ylabels(list(panels))
