"""Figures of observables over time: what is of one kind and unit shares its axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from fem_rd.report.axes import (
    as_seen,
    begins_fast,
    finish,
    label_time,
    make_logarithmic,
    mostly_early,
    one_panel,
    spans_decades,
    two_panels,
)
from fem_rd.report.contents import Contents, Curve, Floats
from fem_rd.report.formatting import brief_text, labelled, sentence, spoken
from fem_rd.report.kinds import ACCOUNTS, EXTREMES, HEADINGS, REACTIONS, RESULTS, Kind
from fem_rd.report.style import COMPUTED, CURVES, EXACT, Plot

_MOST_FIGURES, _MOST_CURVES = 16, 2 * len(CURVES)
_SAME_TIME = 1e-9  # relative
_FEW = 30  # points or fewer are drawn as dots
_ALIKE = 2e-3  # of the height of the axes: curves closer than this are one
_STILL = 1e-6  # of the largest value of its group: what the case did not ask for and varies less
_MOVING = 0.05  # of the height of the axes: a curve that moves less looks still
_CONSERVED = 1e-9  # of what there is: a smaller change is round-off
_DASHES = ("-", (0, (4, 1.5)))  # of the first curves, and of those that use their colours again


@dataclass(frozen=True)
class _Line:
    """An observable that changes over time."""

    name: str
    kind: Kind
    values: Floats
    unit: str
    description: str


def series_plots(contents: Contents) -> Iterator[Plot]:
    """One figure for each group of observables that change, what the case asks for first."""
    names: Counter[str] = Counter()
    for lines in _groups(contents)[:_MOST_FIGURES]:
        exact = contents.exact_curve(lines[0].name) if len(lines) == 1 else None
        if exact is not None and len(exact.time):
            plot = _against_exact(contents, lines[0], exact)
        else:
            plot = _together(contents, lines)
        names[plot.name] += 1
        again = names[plot.name]  # the same kind in other units, or more curves than one takes
        yield plot if again == 1 else replace(plot, name=f"{plot.name}-{again}")


def _groups(contents: Contents) -> list[list[_Line]]:
    """Lines that share a figure: what is held against something, what the case asks, the rest."""
    groups: dict[tuple[str, str, str], list[_Line]] = {}
    for line in _lines(contents):
        alone = not line.kind.group or contents.exact_curve(line.name) is not None
        key = (line.kind.heading, line.name if alone else line.kind.group, line.unit)
        groups.setdefault(key, []).append(line)

    def rank(lines: list[_Line]) -> int:
        first = any(contents.compared(line.name) for line in lines)
        return -1 if first else HEADINGS.index(lines[0].kind.heading)

    return [
        lines[start : start + _MOST_CURVES]
        for lines in sorted(filter(_moves, groups.values()), key=rank)
        for start in range(0, len(lines), _MOST_CURVES)
    ]


def _lines(contents: Contents) -> Iterator[_Line]:
    """What changes over time; of what reactions conserve, the change."""
    for name in contents.varying():
        kind, (description, unit) = contents.kind(name), contents.described(name)
        values = contents.series[name]
        if kind.heading == ACCOUNTS:
            if not kind.quantity or not _changes(contents, name, unit):
                continue
            values = values - values[np.isfinite(values)][0]
        yield _Line(name, kind, values, unit, description)


def _moves(lines: Sequence[_Line]) -> bool:
    """Whether there is anything to see, which what the case asks for always is."""
    if lines[0].kind.heading == RESULTS:
        return True
    finite = [line.values[np.isfinite(line.values)] for line in lines]
    largest = max(float(np.abs(values).max()) for values in finite)
    return any(float(np.ptp(values)) > _STILL * largest for values in finite)


def _changes(contents: Contents, name: str, unit: str) -> bool:
    """Whether what reactions conserve changes by more than round-off of the amounts there are."""
    present = [
        np.abs(values[np.isfinite(values)]).max(initial=0.0)
        for other, values in contents.series.items()
        if contents.described(other)[1] == unit
    ]
    values = contents.series[name]
    return bool(np.ptp(values[np.isfinite(values)]) > _CONSERVED * max(present))


def _together(contents: Contents, lines: Sequence[_Line]) -> Plot:
    """Curves of one kind, with a legend where there are several."""
    time, (figure, axes) = contents.time(), one_panel()
    early = _early(time, [line.values for line in lines])
    seen = [as_seen(time, line.values, logarithmic=early) for line in lines]
    if lines[0].kind.heading == EXTREMES:
        _draw_band(axes, time, lines)
    else:
        for index, names in enumerate(drawn := _distinct(seen, lines)):
            colour, dashes = CURVES[index % len(CURVES)], _DASHES[index // len(CURVES)]
            width = 2.2 if len(drawn) == 1 else 1.6
            (label, first) = _legend(names), names[0]
            axes.plot(time, first.values, color=colour, linestyle=dashes, lw=width, label=label)
        _draw_errors(contents, axes, time[-1], drawn)
    if len(lines) > 1:
        axes.legend()
    if spans_decades(seen):
        make_logarithmic(axes, max(float(np.abs(curve).max()) for curve in seen))
    _set_time(axes, time, logarithmic=early)
    first = lines[0]
    single = len(lines) == 1 and first.kind.heading not in (ACCOUNTS, EXTREMES)
    ordinate = first.name if single else first.kind.quantity
    finish(axes, None, label_time(contents.unit("time")), labelled(ordinate, first.unit))
    name = first.name if len(lines) == 1 else first.kind.group
    return Plot(f"series-{name}", _caption(lines), figure)


def _draw_band(axes: Axes, time: Floats, lines: Sequence[_Line]) -> None:
    """All values that a species has lie between these."""
    for line in lines:
        axes.plot(time, line.values, color=COMPUTED, label=line.kind.word)
    if len(lines) == 2:
        low, high = lines[0].values, lines[1].values
        axes.fill_between(time, low, high, color=COMPUTED, alpha=0.18, linewidth=0)
        axes.lines[0].set_linestyle(_DASHES[1])


def _draw_errors(
    contents: Contents, axes: Axes, end: float, drawn: Sequence[Sequence[_Line]]
) -> None:
    """Standard errors, which are known of the last values."""
    for curve, lines in zip(list(axes.lines), drawn, strict=True):
        error = contents.error(lines[0].name)
        if error:
            last = float(lines[0].values[-1])
            axes.errorbar([end], [last], [error], color=curve.get_color(), capsize=2.5)


def _distinct(seen: Sequence[Floats], lines: Sequence[_Line]) -> list[list[_Line]]:
    """The lines, those that nobody could tell apart together."""
    tolerance = _ALIKE * float(np.ptp(np.concatenate(seen)))
    found: list[list[_Line]] = []
    firsts: list[Floats] = []
    for curve, line in zip(seen, lines, strict=True):
        for first, alike in zip(firsts, found, strict=True):
            # on a logarithmic scale too
            if np.all(np.abs(curve - first) <= np.minimum(tolerance, _ALIKE * np.abs(first))):
                alike.append(line)
                break
        else:
            found.append([line])
            firsts.append(curve)
    return found


def _legend(lines: Sequence[_Line]) -> str:
    return spoken([line.kind.of.replace("_", " ") for line in lines])


def _caption(lines: Sequence[_Line]) -> str:
    first = lines[0]
    if first.kind.heading == EXTREMES and len(lines) == 2:
        return f"Smallest and largest value of {first.kind.of}."
    if len(lines) == 1:
        change = f", {first.kind.quantity}" if first.kind.heading == ACCOUNTS else ""
        return sentence(first.description + change)
    if first.kind.heading == REACTIONS:
        which = "; ".join(
            f"{line.kind.of.replace('_', ' ')}: {line.description.partition(' of ')[2]}"
            for line in lines
        )
    else:
        which = spoken([line.kind.of.replace("_", " ") for line in lines])
    return sentence(f"{first.kind.quantity}: {which}")


def _against_exact(contents: Contents, line: _Line, exact: Curve) -> Plot:
    """A curve, the exact one, and their relative difference where it can be said."""
    time, caption = contents.time(), sentence(line.description)
    caption += f" Exact: {sentence(exact.source)}" if exact.source else ""
    rows, known = _known_at(time, exact)
    figure, axes, below = two_panels() if len(rows) else (*one_panel(), None)
    axes.plot(time, line.values, color=COMPUTED, linewidth=2.2, label="computed")
    _draw_exact(axes, exact)
    if below is not None:
        difference = np.abs(line.values[rows] / known - 1.0)
        below.plot(time[rows], difference, "o" if len(rows) <= _FEW else "-", color=COMPUTED)
        caption += f" Largest relative difference {brief_text(np.nanmax(difference))}."
    early = _early(time, [line.values])
    seen = as_seen(time, line.values, logarithmic=early)
    if spans_decades([seen]):
        make_logarithmic(axes, float(seen.max()))
    _set_time(axes, time, logarithmic=early)
    finish(axes, below, label_time(contents.unit("time")), labelled(line.name, line.unit))
    return Plot(f"series-{line.name}", caption, figure)


def _early(time: Floats, curves: Sequence[Floats]) -> bool:
    """Whether time is logarithmic: by its steps, or by a curve that is seen to move."""
    finite = [curve[np.isfinite(curve)] for curve in curves]
    visible = _MOVING * float(np.ptp(np.concatenate(finite)))
    moving = (
        curve for curve, its in zip(curves, finite, strict=True) if float(np.ptp(its)) > visible
    )
    return mostly_early(time) or any(begins_fast(time, curve) for curve in moving)


def _set_time(axes: Axes, time: Floats, *, logarithmic: bool) -> None:
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(left=time[time > 0.0].min())


def _draw_exact(axes: Axes, exact: Curve) -> None:
    """A few values as dots, a curve as a thin broken line on the computed one."""
    if len(exact.time) <= _FEW:
        axes.plot(exact.time, exact.value, "o", color=EXACT, label="exact")
    else:
        (line,) = axes.plot(exact.time, exact.value, color=EXACT, linewidth=1.0, label="exact")
        line.set_dashes((4, 2))
    axes.legend()


def _known_at(time: Floats, exact: Curve) -> tuple[NDArray[np.int64], Floats]:
    """Rows of the series at whose times the exact value is known, and that value.

    Those of the exact curve's own times that the run hit; where it hit few of many, the rows that
    a spline through the exact values spans.
    """
    nearest = np.searchsorted(0.5 * (time[1:] + time[:-1]), exact.time)
    hit = np.isclose(time[nearest], exact.time, rtol=_SAME_TIME, atol=0.0)
    if hit.mean() < 0.5 and len(exact.time) > _FEW:
        return _interpolated(time, exact)
    hit &= exact.value != 0.0
    return nearest[hit], exact.value[hit]


def _interpolated(time: Floats, exact: Curve) -> tuple[NDArray[np.int64], Floats]:
    """By a cubic spline, in the logarithm of time where the exact times are mostly early."""
    scale = np.log if exact.time[0] > 0.0 and mostly_early(exact.time) else np.asarray
    inside = (time >= exact.time[0]) & (time <= exact.time[-1])
    rows = np.flatnonzero(inside)
    return rows, CubicSpline(scale(exact.time), exact.value)(scale(time[rows]))
