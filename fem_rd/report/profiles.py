"""Profiles of fields against what is known exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from fem_rd.report.axes import finish, two_panels
from fem_rd.report.contents import Contents, Floats, Profile
from fem_rd.report.formatting import brief_text, labelled, sentence
from fem_rd.report.style import CURVES, EXACT, Plot

_SAME_TIME = 1e-9  # relative
_BINS, _DOTS_PER_BIN = 60, 6
_ROUND_OFF = 1e-14  # of the largest exact value


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


def _profile_plot(contents: Contents, name: str, profiles: Sequence[tuple[Profile, int]]) -> Plot:
    figure, axes, below = two_panels()
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
    axes.legend()
    finish(axes, below, labelled(coordinate, contents.unit("length")), labelled(name, unit))
    caption = (
        f"{sentence(name)[:-1]} at nodes of the mesh against the exact profile"
        f"{f' ({source})' if source else ''}. Below, the largest difference around each "
        f"{coordinate}, relative to the largest exact value: at most {brief_text(worst)}."
    )
    return Plot(f"profile-{name}", caption, figure)


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
