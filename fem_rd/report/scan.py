"""Figures of a rate against what was varied, with the limits that are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from scipy.interpolate import PchipInterpolator

from fem_rd.report.axes import finish, one_panel, two_panels
from fem_rd.report.coefficients import read_table
from fem_rd.report.contents import Contents
from fem_rd.report.formatting import labelled
from fem_rd.report.style import COMPUTED, CURVES, EXACT, Plot, plain_numbers

_ROOM = 3.0  # times the largest and smallest rate
_LEAST, _MOST = 0.3, 1.15  # of the axis of ratios
_FINE, _FEWEST = 300, 2  # points of a curve; of a figure


def scan_plots(contents: Contents) -> Iterator[Plot]:
    """The figure of `scan.csv`, where there is one: its first column is what was varied."""
    if not contents.results.scan.is_file():
        return
    table = read_table(contents.results.scan)
    order = np.argsort(next(iter(table.values())))
    (varied, at), (name, rate), (_, error), *limits = (
        (label, column[order]) for label, column in table.items()
    )
    if len(at) < _FEWEST:
        return
    unit = f"1/{contents.unit('time')}" if contents.unit("time") else ""
    figure, axes, below = two_panels() if limits else (*one_panel(), None)
    axes.errorbar(at, rate, error, fmt="o", color=COMPUTED, label="computed", zorder=3)
    fine = np.geomspace(at.min(), at.max(), _FINE)
    for (label, values), colour in zip(limits, (*CURVES[1:], EXACT), strict=False):
        curve = np.exp(PchipInterpolator(np.log(at), np.log(values))(np.log(fine)))
        axes.plot(fine, curve, color=colour, label=label, linewidth=1.2)
        if below is not None:
            below.errorbar(at, rate / values, error / values, fmt="o-", color=colour, markersize=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(rate.min() / _ROOM, rate.max() * _ROOM)
    axes.legend()
    finish(axes, below, labelled(varied, unit), labelled(name, unit))
    caption = f"The {name} against {varied}, with estimated errors."
    if below is not None:
        _show_ratios(below)
        caption += " Below, the ratio of what was computed to each limit."
    yield Plot(f"scan-{varied}", caption, figure)


def _show_ratios(axes: Axes) -> None:
    axes.axhline(1.0, color=EXACT, linewidth=0.8)
    axes.set_yscale("linear")
    axes.set_ylim(_LEAST, _MOST)
    axes.set_ylabel("ratio")
    plain_numbers(axes.yaxis)
