"""Line figures: observables over time and profiles of fields, against what is known exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from fem_rd.report.contents import Contents, Curve, Floats, Profile
from fem_rd.report.formatting import brief_text, labelled, sentence
from fem_rd.report.style import COMPUTED, CURVES, EXACT, Plot, new_figure, plain_numbers

_WIDTH, _HEIGHT, _TALL = 4.8, 3.0, 3.9  # inches
_MOST_CURVES = 12
_SAME_TIME = 1e-9  # relative
_EARLY = 0.2  # of the run: where most steps are earlier than this, time is logarithmic
_FEW = 30  # points or fewer are drawn as dots
_BINS, _DOTS_PER_BIN = 60, 6
_ROUND_OFF = 1e-14  # of the largest exact value


def series_plots(contents: Contents) -> Iterator[Plot]:
    """One figure for each observable that changes over time."""
    for name in contents.varying()[:_MOST_CURVES]:
        yield _series_plot(contents, name)


def profile_plots(contents: Contents) -> Iterator[Plot]:
    """One figure for each field that is known exactly, at the times at which it is."""
    if not len(contents.times):
        return
    for name in contents.fields().values:
        profiles = [
            (profile, step)
            for profile in contents.exact_profiles(name)
            if (step := _step_at(contents.times, profile.time)) is not None
            and np.isfinite(contents.fields(step).values[name]).all()
        ]
        if profiles:
            yield _profile_plot(contents, name, profiles)


def _series_plot(contents: Contents, name: str) -> Plot:
    time, values = contents.time(), contents.series[name]
    description, unit = contents.described(name)
    exact = contents.exact_curve(name)
    caption = sentence(description)
    rows, known = _known_at(time, exact)
    figure, axes, below = _two_panels() if len(rows) else _one_panel()
    axes.plot(time, values, color=COMPUTED, linewidth=2.2, label="computed")
    if exact is not None:
        _draw_exact(axes, exact)
        caption += f" Exact: {sentence(exact.source)}" if exact.source else ""
    if below is not None:
        difference = np.abs(values[rows] / known - 1.0)
        few = len(rows) <= _FEW
        below.plot(time[rows], difference, "o" if few else "-", color=COMPUTED)
        caption += f" Largest relative difference {brief_text(np.nanmax(difference))}."
    if _mostly_early(time):
        axes.set_xscale("log")
        axes.set_xlim(left=time[time > 0.0].min())
    _label(axes, below, labelled("time", contents.unit("time")), labelled(name, unit))
    return Plot(f"series-{name}", caption, figure)


def _draw_exact(axes: Axes, exact: Curve) -> None:
    """A few values as dots, a curve as a thin broken line on the computed one."""
    if len(exact.time) <= _FEW:
        axes.plot(exact.time, exact.value, "o", color=EXACT, label="exact")
    else:
        (line,) = axes.plot(exact.time, exact.value, color=EXACT, linewidth=1.0, label="exact")
        line.set_dashes((4, 2))
    axes.legend()


def _profile_plot(contents: Contents, name: str, profiles: Sequence[tuple[Profile, int]]) -> Plot:
    figure, axes, below = _two_panels()
    worst = 0.0
    for (profile, step), colour in zip(profiles, CURVES, strict=False):
        fields = contents.fields(step)
        at, values = profile.of_points(fields.points), fields.values[name]
        bins = _bins(at)
        shown = _spread(bins)
        steady = profile.time is None or len(contents.times) == 1
        label = "computed" if steady else f"computed, t = {profile.time:g}"
        axes.plot(profile.x, profile.value, color=EXACT, linewidth=1.0)
        axes.plot(at[shown], values[shown], ".", color=colour, label=label)
        known = _within(profile, at)
        difference = np.abs(values - CubicSpline(profile.x, profile.value)(at))[known]
        difference /= np.abs(profile.value).max() or 1.0
        centre, largest = _largest_by_bin(bins[known], at[known], difference)
        # where the value is prescribed, round-off would stretch the axis over ten decades
        drawn = np.where(largest > _ROUND_OFF, largest, np.nan)
        below.plot(centre, drawn, color=colour, linewidth=1.2)
        worst = max(worst, float(np.nanmax(largest, initial=0.0)))
    axes.plot([], [], color=EXACT, linewidth=1.0, label="exact")
    coordinate, source = profiles[0][0].coordinate, profiles[0][0].source
    unit = contents.fields().units.get(name, "")
    _label(axes, below, labelled(coordinate, contents.unit("length")), labelled(name, unit))
    axes.legend()
    caption = (
        f"{sentence(name)[:-1]} at nodes of the mesh against the exact profile"
        f"{f' ({source})' if source else ''}. Below, the largest difference around each "
        f"{coordinate}, relative to the largest exact value: at most {brief_text(worst)}."
    )
    return Plot(f"profile-{name}", caption, figure)


def _one_panel() -> tuple[Figure, Axes, None]:
    figure = new_figure(_WIDTH, _HEIGHT)
    return figure, figure.add_subplot(), None


def _two_panels() -> tuple[Figure, Axes, Axes]:
    """Axes for values and, below them, for their relative difference from the exact ones."""
    figure = new_figure(_WIDTH, _TALL)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1.0))
    lower.set_yscale("log")
    lower.set_ylabel("relative difference")
    return figure, upper, lower


def _label(axes: Axes, below: Axes | None, abscissa: str, ordinate: str) -> None:
    axes.set_ylabel(ordinate)
    (below or axes).set_xlabel(abscissa)
    if below is not None:  # whole decades, so that there are labels to read
        lowest, highest = np.log10(below.get_ylim())
        below.set_ylim(10.0 ** np.floor(lowest), 10.0 ** np.ceil(highest))
    for panel in (axes, below):
        if panel is not None:
            plain_numbers(panel.xaxis)
            plain_numbers(panel.yaxis)


def _known_at(time: Floats, exact: Curve | None) -> tuple[NDArray[np.int64], Floats]:
    """Rows of the series at whose times the exact value is known, and that value.

    Those of the exact curve's own times that the run hit; where it hit few of many, the rows that
    a spline through the exact values spans.
    """
    if exact is None or not len(time):
        return np.empty(0, dtype=np.int64), np.empty(0)
    nearest = np.searchsorted(0.5 * (time[1:] + time[:-1]), exact.time)
    hit = np.isclose(time[nearest], exact.time, rtol=_SAME_TIME, atol=0.0)
    if hit.mean() < 0.5 and len(exact.time) > _FEW:
        return _interpolated(time, exact)
    hit &= exact.value != 0.0
    return nearest[hit], exact.value[hit]


def _interpolated(time: Floats, exact: Curve) -> tuple[NDArray[np.int64], Floats]:
    """By a cubic spline, in the logarithm of time where the exact times are mostly early."""
    scale = np.log if exact.time[0] > 0.0 and _mostly_early(exact.time) else np.asarray
    inside = (time >= exact.time[0]) & (time <= exact.time[-1])
    rows = np.flatnonzero(inside)
    return rows, CubicSpline(scale(exact.time), exact.value)(scale(time[rows]))


def _mostly_early(time: Floats) -> bool:
    later = time[time > 0.0]
    return len(later) > 2 and float(np.median(later)) < _EARLY * float(later.max())


def _step_at(times: Floats, time: float | None) -> int | None:
    """The step of the fields at ``time``; the last one for None; None where there is no such."""
    if time is None:
        return len(times) - 1
    step = int(np.abs(times - time).argmin())
    return step if np.isclose(times[step], time, rtol=_SAME_TIME, atol=0.0) else None


def _within(profile: Profile, at: Floats) -> NDArray[np.bool_]:
    """Which positions the profile covers, one of its spacings beyond its ends included."""
    first, last = float(profile.x[0]), float(profile.x[-1])
    spacing = (last - first) / (len(profile.x) - 1)
    return np.asarray((at >= first - spacing) & (at <= last + spacing))


def _bins(at: Floats) -> NDArray[np.int64]:
    """The bin of each point, of bins of equal width between the ends."""
    width = np.ptp(at) / _BINS or 1.0
    return np.asarray(np.minimum((at - at.min()) / width, _BINS - 1), dtype=np.int64)


def _spread(bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Some points of each bin, so that all of the range is seen and no cloud is drawn."""
    order = np.argsort(bins, kind="stable")
    rank_in_bin = np.arange(len(bins)) - np.searchsorted(bins[order], bins[order])
    return np.asarray(order[rank_in_bin < _DOTS_PER_BIN], dtype=np.int64)


def _largest_by_bin(bins: NDArray[np.int64], at: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Mean position and largest value of the bins that have points."""
    count = np.bincount(bins, minlength=_BINS)
    largest = np.zeros(_BINS)
    np.maximum.at(largest, bins, values)
    used = count > 0
    centre = np.bincount(bins, weights=at, minlength=_BINS)[used] / count[used]
    return centre, np.where(largest > 0.0, largest, np.nan)[used]  # zero has no logarithm
