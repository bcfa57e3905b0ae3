"""Figures of fields: rows, columns, scales of colours, and what the dots of a picture say."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import LogNorm
from report_examples import Page, fields_run

from fem_rd.report import write_report
from fem_rd.report.contents import Contents
from fem_rd.report.fields import field_plots
from fem_rd.report.style import Plot, drawing

TIMES = (0.0, 0.25, 0.5, 0.75, 1.0)
A, B = "A", "B"


def plots_of(path: Path) -> list[Plot]:
    with drawing():
        return list(field_plots(Contents.read(path)))


def slope(x, time):
    return 1.0 + x[0] + time


def still(x, time):
    return 1.0 - x[0] + 0.0 * time


def dome(x, time):
    return np.exp(-time) * (3.0 - (x[0] - 1.0) ** 2)


def pictures(plot: Plot) -> list:
    """Axes that hold a picture, not the scale of its colours."""
    return [axes for axes in plot.figure.axes if axes.images]


def scales(plot: Plot) -> list:
    """The norms of the scales of colours."""
    bars = [bar for axes in plot.figure.axes for bar in axes.child_axes]
    return [bar._colorbar.mappable.norm for bar in bars]


def test_species_are_rows_and_times_are_columns(tmp_path: Path) -> None:
    (plot,) = plots_of(fields_run(tmp_path / "run", "triangle", TIMES, {B: dome, A: slope}))
    assert plot.name == "field-A-B"
    axes = pictures(plot)
    assert len(axes) == 8
    assert [one.get_title() for one in axes] == [
        *("t = 0", "t = 0.25", "t = 0.75", "t = 1"),
        *[""] * 4,
    ]
    bottoms = [one.get_position().y0 for one in axes]
    assert len(set(bottoms)) == 2
    assert bottoms[0] > bottoms[4]
    first, second = scales(plot)  # one for each species, over all times
    assert (first.vmin, first.vmax) == (1.0, 4.0)
    assert (second.vmin, second.vmax) == (pytest.approx(2.0 / np.e), 3.0)
    said = "A and B: A from 1 to 4; B from 0.7358 to 3."
    assert said in Page(write_report(tmp_path / "run").read_text(encoding="utf-8")).words


def test_steady_species_are_side_by_side(tmp_path: Path) -> None:
    three = {"A": slope, "B": dome, "C": slope}
    path = fields_run(tmp_path / "run", "triangle", (0.0,), three, ("A", "B", "C"))
    (plot,) = plots_of(path)
    a, b, c = (axes.get_position() for axes in pictures(plot))
    assert a.y0 == b.y0 > c.y0
    assert a.x0 == c.x0 < b.x0
    assert len(scales(plot)) == 3


def test_densities_come_after_concentrations_and_span_decades(tmp_path: Path) -> None:
    fields = {
        "A": slope,
        "dissipation": lambda x, time: np.exp(-8.0 * x[0]),
        "force": lambda x, time: 0.0,
        "steep": lambda x, time: np.exp(-40.0 * x[0]),
    }
    path = fields_run(tmp_path / "run", "triangle", (0.0, 1.0), fields, ("A",))
    concentration, densities = plots_of(path)
    assert concentration.name == "field-A"
    assert densities.name == "field-dissipation-steep"
    assert densities.caption.endswith("; force is 0 everywhere.")
    shallow, steep = scales(densities)
    assert isinstance(shallow, LogNorm)
    assert isinstance(steep, LogNorm)
    assert steep.vmin == pytest.approx(1e-6)  # no further down
    assert not isinstance(scales(concentration)[0], LogNorm)


@pytest.mark.parametrize("species", [("dissipation",), ()])
def test_concentrations_keep_their_scale(species: tuple[str, ...], tmp_path: Path) -> None:
    steep = {"dissipation": lambda x, time: np.exp(-8.0 * x[0])}
    (plot,) = plots_of(fields_run(tmp_path / "run", "triangle", (0.0, 1.0), steep, species))
    assert not isinstance(scales(plot)[0], LogNorm)


def test_species_are_seen_in_one_window(tmp_path: Path) -> None:
    """A is notable in a corner, B in the middle: both are shown where either is."""
    corner = {
        "A": lambda x, time: np.exp(-200.0 * ((x[0] - 0.0) ** 2 + x[1] ** 2)),
        "B": lambda x, time: np.exp(-200.0 * ((x[0] - 1.0) ** 2 + (x[1] - 1.0 / 3.0) ** 2)),
    }
    (plot,) = plots_of(fields_run(tmp_path / "run", "triangle", (0.0, 1.0), corner))
    limits = {(axes.get_xlim(), axes.get_ylim()) for axes in pictures(plot)}
    ((across, up),) = limits
    assert across[0] < 0.25 and across[1] > 1.0
    assert up[0] < 0.0 and up[1] > 1.0 / 3.0


@pytest.mark.parametrize("name", ["triangle", "quadrilateral"])
def test_the_dots_have_the_colours_of_the_values(name: str, tmp_path: Path) -> None:
    (plot,) = plots_of(fields_run(tmp_path / "run", name, (0.0,), {"A": slope}, ("A",)))
    (axes,) = pictures(plot)
    dots = axes.images[0].get_array()
    np.testing.assert_allclose(axes.images[0].get_extent(), [0.0, 2.0, 0.0, 1.0], atol=1e-14)
    assert dots.shape[0] == pytest.approx(0.5 * dots.shape[1], abs=1)
    assert np.all(dots[1:-1, 1:-1, 3] == 255)
    x = (np.arange(dots.shape[1]) + 0.5) * 2.0 / dots.shape[1]
    known = 255.0 * matplotlib.colormaps["viridis"](x / 2.0)[:, :3]
    row = dots[dots.shape[0] // 3, :, :3].astype(float)
    assert np.abs(row - known)[1:-1].max() < 8.0  # of a step or two of the scale's 256


def test_the_picture_is_the_right_way_up(tmp_path: Path) -> None:
    up = {"A": lambda x, time: x[1]}
    (plot,) = plots_of(fields_run(tmp_path / "run", "triangle", (0.0,), up, ("A",)))
    dots = pictures(plot)[0].images[0].get_array()
    top = dots[2, 40, :3] / 255.0
    np.testing.assert_allclose(top, matplotlib.colormaps["viridis"](1.0)[:3], atol=0.04)
    assert pictures(plot)[0].images[0].origin == "upper"


@pytest.mark.parametrize("count", [1, 3, 12])
def test_a_line_is_drawn_at_some_times(count: int, tmp_path: Path) -> None:
    times = tuple(np.linspace(0.0, 1.0, count)) if count > 1 else (0.0,)
    path = fields_run(tmp_path / "run", "interval", times, {"A": slope, "B": dome})
    plots = {plot.name: plot for plot in plots_of(path)}
    lines = ["field-A", "field-B"]
    assert set(plots) == {*lines, *(["space-time-A", "space-time-B"] if count > 8 else [])}
    for name in lines:
        (axes,) = plots[name].figure.axes
        assert len(axes.lines) == min(count, 6)
        assert axes.lines[0].get_label() == "t = 0"
        if count > 1:
            assert axes.lines[-1].get_label() == "t = 1"
    (first, *_) = plots["field-A"].figure.axes[0].lines
    np.testing.assert_allclose(first.get_ydata(), 1.0 + first.get_xdata(), rtol=1e-14)


def test_place_and_time_make_a_picture(tmp_path: Path) -> None:
    times = tuple(np.linspace(0.0, 1.0, 12))
    path = fields_run(tmp_path / "run", "interval", times, {"A": slope}, ("A",))
    plot = plots_of(path)[-1]
    (mesh,) = plot.figure.axes[0].collections
    corners = np.asarray(mesh.get_coordinates())
    x, time = np.moveaxis(0.5 * (corners[1:, 1:] + corners[:-1, :-1]), -1, 0)
    np.testing.assert_allclose(mesh.get_array(), 1.0 + x + time, rtol=1e-12)
    assert plot.figure.axes[0].get_ylim() == (0.0, 1.0)
    assert plot.figure.axes[0].get_ylabel() == "time"


@pytest.mark.parametrize("name", ["triangle", "tetrahedron"])
@pytest.mark.parametrize("times", [(0.0,), TIMES])
def test_nothing_is_outside_the_figure(name: str, times: tuple, tmp_path: Path) -> None:
    fields = {"A": slope, "B": dome, "entropy_production": slope}
    for plot in plots_of(fields_run(tmp_path / "run", name, times, fields)):
        box = plot.figure.get_tightbbox(plot.figure.canvas.get_renderer())
        width, height = plot.figure.get_size_inches()
        assert box.x0 >= 0.0 and box.y0 >= 0.0
        assert box.x1 <= width and box.y1 <= height


def test_a_field_that_never_changes_is_drawn_once(tmp_path: Path) -> None:
    path = fields_run(tmp_path / "run", "interval", (0.0, 0.5, 1.0), {"A": slope, "B": still})
    plots = {plot.name: plot for plot in plots_of(path)}
    assert len(plots["field-A"].figure.axes[0].lines) == 3
    (axes,) = plots["field-B"].figure.axes
    assert len(axes.lines) == 1 and axes.get_legend() is None
    assert "times" not in plots["field-B"].caption
