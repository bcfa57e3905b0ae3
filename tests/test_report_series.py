"""Curves over time: which share axes, on which scales, and what the tables say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection
from report_examples import Page, network_run

from fem_rd.report import write_report
from fem_rd.report.axes import as_seen, begins_fast, mostly_early, spans_decades
from fem_rd.report.contents import Contents
from fem_rd.report.kinds import kind_of
from fem_rd.report.series import series_plots
from fem_rd.report.style import Plot, drawing
from fem_rd.report.tables import results_shown, tables

TIME = np.linspace(0.0, 1.0, 101)
RISE, FALL = 1.0 + TIME, 2.0 - TIME
COARSE = np.linspace(0.0, 1.0, 401)
STEPS = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 100)])


def plots_of(path: Path) -> dict[str, Plot]:
    with drawing():
        return {plot.name: plot for plot in series_plots(Contents.read(path))}


def labels(plot: Plot) -> list[str]:
    return [line.get_label() for line in plot.figure.axes[0].lines]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("amount_A", ("Amounts", "amount", "A", "amount")),
        ("amount_A_B_core", ("Amounts", "in core", "A_B", "amount-in-core")),
        ("amount", ("Amounts", "amount", "all", "amount")),
        ("amount_core", ("Amounts", "amount", "core", "amount")),
        ("rate_A_left", ("Rates", "rate", "A at left", "rate")),
        ("rate_sphere", ("Rates", "rate", "sphere", "rate")),
        ("left_A_left", ("Rates", "left", "A at left", "left")),
        ("exchanged_outer", ("Rates", "exchanged", "outer", "exchanged")),
        ("events_decay", ("Reactions", "events", "decay", "events")),
        ("total_events_A", ("Reactions", "total events", "A", "total-events")),
        ("events", ("Reactions", "events", "all", "events")),
        ("A_min", ("Extremes", "smallest", "A", "extremes-A")),
        ("A_B_max", ("Extremes", "largest", "A_B", "extremes-A_B")),
        ("A", ("Concentrations", "value", "A", "concentration")),
        ("A_mean", ("Concentrations", "mean", "A", "mean")),
        ("A_variance", ("Concentrations", "variance", "A", "variance")),
        ("A_wall", ("Concentrations", "at wall", "A", "probe-wall")),
        ("conserved_1", ("Accounts", "value", "conserved_1", "conserved")),
        ("ledger_residual", ("Accounts", "value", "ledger_residual", "")),
        ("negative_values", ("Accounts", "value", "negative_values", "")),
        ("sigma", ("Thermodynamics", "value", "sigma", "thermodynamics")),
        ("free_energy", ("Thermodynamics", "value", "free_energy", "")),
        ("width", ("Results", "value", "width", "")),
        ("rate_at_front", ("Results", "value", "rate_at_front", "")),
    ],
)
def test_names_say_what_an_observable_is(name: str, kind: tuple[str, ...]) -> None:
    found = kind_of(name, ("A", "A_B"), {"rate_at_front"})
    assert (found.heading, found.word, found.of, found.group) == kind


def test_what_is_of_one_kind_and_unit_shares_axes(tmp_path: Path) -> None:
    series = {
        "A_min": (FALL - 1.5, "M"),
        "A_max": (RISE, "M"),
        "amount_A": (RISE, "mol"),
        "amount_B": (FALL, "mol"),
        "amount_A_core": (RISE, "mol"),
        "events_decay": (RISE, "mol/s"),
        "events_decay_reverse": (FALL, "mol/s"),
        "events_other": (FALL**2, "1/s"),
        "A_wall": (RISE, "M"),
        "B_wall": (FALL, "M"),
        "still": (1.0 + 0.0 * TIME, ""),
        "ledger_residual": (np.sin(9.0 * TIME), "1"),
        "negative_values": (np.round(5.0 * TIME), "1"),
        "width": (RISE, "m"),
    }
    case = {"model": {"integrals": {"width": "A*x", "still": "1"}}}
    plots = plots_of(network_run(tmp_path / "run", TIME, series, case=case))
    assert {name: labels(plot) for name, plot in plots.items() if len(labels(plot)) > 1} == {
        "series-probe-wall": ["A", "B"],
        "series-amount": ["A", "B"],
        "series-events": ["decay", "decay reverse"],
        "series-extremes-A": ["smallest", "largest"],
    }
    assert list(plots) == [
        "series-width",  # what the case asks for first
        "series-probe-wall",
        "series-amount",
        "series-amount_A_core",
        "series-events",
        "series-events_other",
        "series-extremes-A",
    ]
    for plot in plots.values():
        (axes,) = plot.figure.axes
        assert (axes.get_legend() is not None) == (len(axes.lines) > 1)
    assert plots["series-amount"].figure.axes[0].get_ylabel() == "amount (mol)"
    assert plots["series-amount_A_core"].figure.axes[0].get_ylabel() == "amount_A_core (mol)"


def test_extremes_are_a_band(tmp_path: Path) -> None:
    path = network_run(tmp_path / "run", TIME, {"A_min": (-TIME, "M"), "A_max": (RISE, "M")})
    (plot,) = plots_of(path).values()
    (band,) = plot.figure.axes[0].collections
    assert isinstance(band, FillBetweenPolyCollection)
    limits = band.get_datalim(plot.figure.axes[0].transData)
    assert (limits.ymin, limits.ymax) == (-1.0, 2.0)


def test_what_is_compared_comes_first(tmp_path: Path) -> None:
    series = {"width": (RISE, ""), "events_decay": (FALL, "1/s"), "amount_A": (RISE, "mol")}
    expected = {"events_decay": {"value": 1.0, "tolerance": 1e-3, "source": "by hand"}}
    path = network_run(tmp_path / "run", TIME, series, expected=expected)
    assert list(plots_of(path)) == ["series-events_decay", "series-width", "series-amount_A"]
    shown = results_shown(results := Contents.read(path).results_of_run())
    assert [result.name for result in shown] == ["events_decay", "width"]
    rest = tables([result for result in results if result not in shown])
    assert [table.heading for table in rest] == ["Amounts"]


@pytest.mark.parametrize(("change", "drawn"), [(1e-12, False), (1e-7, True)])
def test_conserved_is_drawn_where_it_changes(change: float, drawn: bool, tmp_path: Path) -> None:
    """By how much, beside the amounts there are: a difference of them may be zero itself."""
    series = {
        "amount_A": (500.0 + TIME, "mol"),
        "conserved_1": (500.0 * change * TIME, "mol"),
        "conserved_2": (2.0 + 500.0 * change * TIME**2, "mol"),
    }
    plots = plots_of(network_run(tmp_path / "run", TIME, series))
    assert any(name.startswith("series-conserved") for name in plots) == drawn
    if drawn:
        lines = plots["series-conserved"].figure.axes[0].lines
        np.testing.assert_allclose(lines[0].get_ydata(), 500.0 * change * TIME, atol=1e-12)
        np.testing.assert_allclose(lines[1].get_ydata(), 500.0 * change * TIME**2, atol=1e-12)


@pytest.mark.parametrize(("apart", "expected"), [(1e-4, ["A and B"]), (1e-2, ["A", "B"])])
def test_curves_nobody_could_tell_apart_are_one(apart, expected, tmp_path: Path) -> None:
    series = {"amount_A": (RISE, "mol"), "amount_B": (RISE * (1.0 + apart), "mol")}
    (plot,) = plots_of(network_run(tmp_path / "run", TIME, series)).values()
    assert labels(plot) == expected


def test_many_curves_are_told_apart(tmp_path: Path) -> None:
    series = {f"events_r{i}": (RISE * (1.0 + i), "1/s") for i in range(14)}
    plots = plots_of(network_run(tmp_path / "run", TIME, series))
    assert list(plots) == ["series-events", "series-events-2"]
    for plot, count in zip(plots.values(), (12, 2), strict=True):
        lines = plot.figure.axes[0].lines
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == count


@pytest.mark.parametrize(
    ("curves", "expected"),
    [
        ([np.exp(-20.0 * TIME)], True),
        ([np.exp(-5.0 * TIME)], False),
        ([RISE, 1e-5 * RISE], True),  # two curves far apart
        ([RISE, 1e-5 * RISE - 1e-5], True),  # and one that begins at zero
        ([TIME], False),  # a straight line from zero
        ([np.where(TIME < 1.0, np.exp(-20.0 * TIME), -1e-6)], False),
        ([RISE, 1e-40 * RISE], False),  # nothing beside the other
        ([RISE, 0.0 * RISE], False),
    ],
)
def test_the_scale_of_values_is_chosen_by_them(curves, expected: bool, tmp_path: Path) -> None:
    assert spans_decades([as_seen(TIME, curve, logarithmic=False) for curve in curves]) is expected
    series = {f"events_{i}": (curve, "1/s") for i, curve in enumerate(curves)}
    (plot,) = plots_of(network_run(tmp_path / "run", TIME, series)).values()
    assert plot.figure.axes[0].get_yscale() == ("log" if expected else "linear")


def test_a_decay_to_nothing_does_not_stretch_the_axis(tmp_path: Path) -> None:
    path = network_run(tmp_path / "run", TIME, {"events_r": (np.exp(-200.0 * TIME), "1/s")})
    (plot,) = plots_of(path).values()
    assert plot.figure.axes[0].get_ylim() == pytest.approx((1e-12, 3.0), rel=1e-9, abs=0.0)


@pytest.mark.parametrize(
    ("time", "values", "scale"),
    [
        (TIME, np.exp(-5.0 * TIME), "linear"),
        (STEPS, np.exp(-5.0 * STEPS), "log"),  # the steps themselves are mostly early
        (np.linspace(0.0, 1.0, 5001), np.exp(-1e3 * np.linspace(0.0, 1.0, 5001)), "log"),
        (np.linspace(0.0, 1.0, 5001), np.exp(-1e1 * np.linspace(0.0, 1.0, 5001)), "linear"),
        (COARSE, np.exp(-1e4 * COARSE), "linear"),  # nothing was resolved there
    ],
)
def test_the_scale_of_time_is_chosen_by_the_run(time, values, scale: str, tmp_path: Path) -> None:
    assert (mostly_early(time) or begins_fast(time, values)) == (scale == "log")
    series = {"events_r": (1.0 + values, "1/s")}
    (plot,) = plots_of(network_run(tmp_path / "run", time, series)).values()
    axes = plot.figure.axes[0]
    assert axes.get_xscale() == scale
    if scale == "log":
        assert axes.get_xlim()[0] == time[1]


@pytest.mark.parametrize(("size", "scale"), [(0.01, "linear"), (0.5, "log")])
def test_what_looks_still_does_not_choose_the_scale(size: float, scale: str, tmp_path) -> None:
    time = np.linspace(0.0, 1.0, 5001)
    series = {
        "A_min": (0.0 * time - 1e-3 * time, "M"),
        "A_max": (1.0 + size * np.exp(-1e3 * time), "M"),
    }
    (plot,) = plots_of(network_run(tmp_path / "run", time, series)).values()
    assert plot.figure.axes[0].get_xscale() == scale


def test_last_values_have_their_errors(tmp_path: Path) -> None:
    path = network_run(tmp_path / "run", TIME, {"A_mean": (RISE, "1"), "B_mean": (FALL, "1")})
    text = (path / "summary.json").read_text()
    assert text.count('"error": null') == 2
    (path / "summary.json").write_text(text.replace('"error": null', '"error": 0.25', 1))
    (plot,) = plots_of(path).values()
    (bars,) = plot.figure.axes[0].containers
    (bar,) = bars[2][0].get_segments()
    np.testing.assert_allclose(bar, [[1.0, 1.75], [1.0, 2.25]])
    page = write_report(path).read_text(encoding="utf-8")
    assert "2.00 &plusmn; 0.25" in page


def test_labels_are_inside_the_figure(tmp_path: Path) -> None:
    """However long they are, and a power of ten above the axis too."""
    series = {
        "amount_A": (1e-7 * RISE, "particle*nm^-12/(a*very*long*unit)^3/second"),
        "events_r": (100.0 + 1e-5 * TIME, "1"),
        "events_q": (np.exp(-30.0 * TIME), "mol"),
    }
    plots = plots_of(network_run(tmp_path / "run", TIME, series))
    two_lines = {name for name, plot in plots.items() if "\n" in plot.figure.axes[0].get_ylabel()}
    assert two_lines == {"series-amount_A"}
    for plot in plots.values():
        renderer = plot.figure.canvas.get_renderer()
        box = plot.figure.get_tightbbox(renderer)
        width, height = plot.figure.get_size_inches()
        assert box.x0 >= 0.0 and box.y0 >= 0.0
        assert box.x1 <= width and box.y1 <= height


def test_tables_have_a_line_for_each_species_and_reaction(tmp_path: Path) -> None:
    series = {
        "A_min": (RISE, "M"),
        "amount_A": (RISE, "mol"),
        "events_r": (RISE, "mol/s"),
        "total_events_r": (FALL, "mol"),
        "events_q": (FALL, "mol/s"),
        "A_max": (FALL, "M"),
        "ledger_residual": (1e-15 * RISE, "1"),
    }
    path = network_run(tmp_path / "run", TIME, series)
    found = {table.heading: table for table in tables(Contents.read(path).results_of_run())}
    assert list(found) == ["Amounts", "Reactions", "Extremes", "Accounts"]
    reactions = found["Reactions"]
    assert [(c.word, c.unit) for c in reactions.columns] == [
        ("events", "mol/s"),
        ("total events", "mol"),
    ]
    names = [[cell and cell.name for cell in line.cells] for line in reactions.lines]
    assert names == [["events_r", "total_events_r"], ["events_q", None]]
    assert [line.of for line in found["Extremes"].lines] == ["A"]
    words = Page(write_report(path).read_text(encoding="utf-8")).words
    for said in ("Amounts", "Reactions", "total events (mol)", "smallest (M)", "ledger_residual"):
        assert said in words
