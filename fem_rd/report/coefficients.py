"""Figures of what a molecular trajectory says: correlations, friction, potential, diffusion."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from fem_rd.report.axes import finish, one_panel
from fem_rd.report.contents import Contents, Floats
from fem_rd.report.formatting import labelled
from fem_rd.report.style import COMPUTED, CURVES, Plot

_DECAYED = 0.5  # of its first value: below, the velocity's correlation divides nothing
_BAND = 0.22  # of the colour of a curve, for its standard error


def coefficient_plots(contents: Contents) -> Iterator[Plot]:
    """The figures whose tables the run has written."""
    tables = {
        name: read_table(path)
        for name, path in contents.results.coefficients.items()
        if path.is_file()
    }
    if "potential" in tables:
        yield _potential(contents, tables)
    if "friction" in tables:
        yield _friction(contents, tables["friction"])
    if "correlations" in tables:
        yield from _correlations(contents, tables["correlations"])
    if "diffusion" in tables and np.ptp(tables["diffusion"]["diffusion"]) > 0.0:
        yield _diffusion(contents, tables["diffusion"])


def read_table(path: Path) -> dict[str, Floats]:
    """The columns of a CSV file of numbers with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    numbers = np.array(rows, dtype=float).reshape(len(rows), len(header))
    return dict(zip(header, numbers.T, strict=True))


def _potential(contents: Contents, tables: Mapping[str, Mapping[str, Floats]]) -> Plot:
    figure, axes = one_panel()
    table = tables["potential"]
    _bars(axes, table["R"], table, "potential", CURVES[0], "from the histogram")
    caption = "Potential of mean force with standard errors."
    other = tables.get("mean_force_potential")
    if other is not None:
        level = np.average(other["potential"] - table["potential"], weights=_weights(table))
        shifted = {**other, "potential": other["potential"] - level}
        _bars(axes, other["R"], shifted, "potential", CURVES[1], "from the mean force (eq. 23)")
        axes.legend()
        caption += " The two agree where masses, forces and temperature belong together."
    finish(axes, None, labelled("R", contents.unit("length")), "potential of mean force (kT)")
    return Plot("potential", caption, figure)


def _weights(table: Mapping[str, Floats]) -> Floats:
    return np.asarray(np.exp(-table["potential"]))


def _friction(contents: Contents, table: Mapping[str, Floats]) -> Plot:
    """The running integral and its plateau."""
    figure, axes = one_panel()
    _band(axes, table["lag"], table, "friction", COMPUTED, None)
    found = {result.name: result for result in contents.results_of_run()}
    known = [found[name].value for name in ("plateau_begin", "plateau_end") if name in found]
    ends = [end for end in known if end is not None]
    level = found["friction"].value if "friction" in found else None
    if len(ends) == 2 and level is not None:
        axes.plot(ends, [level, level], color=CURVES[1], linewidth=2.6, label="plateau")
        axes.legend()
    axes.set_ylim(bottom=min(0.0, float(np.min(table["friction"]))))
    unit = found["friction"].unit if "friction" in found else ""
    finish(axes, None, labelled("lag", contents.unit("time")), labelled("friction", unit))
    caption = "Running integral of the memory kernel of the projected force, with standard errors."
    return Plot("friction", caption, figure)


def _correlations(contents: Contents, table: Mapping[str, Floats]) -> Iterator[Plot]:
    """Autocorrelations, and the plain integrals that have no lasting plateau."""
    abscissa = labelled("lag", contents.unit("time"))
    figure, axes = one_panel()
    for name, colour in (("velocity", CURVES[0]), ("force", CURVES[1])):
        if name in table:
            size = table[name][0]
            scaled = {name: table[name] / size, f"{name}_error": table[f"{name}_error"] / size}
            _band(axes, table["lag"], scaled, name, colour, name)
    axes.legend()
    finish(axes, None, abscissa, "autocorrelation over its first value")
    yield Plot("correlations", "Autocorrelations of velocity and fluctuating force.", figure)
    if "force_integral" not in table:
        return
    figure, axes = one_panel()
    _band(axes, table["lag"], table, "force_integral", CURVES[1], "plain")
    decayed = np.flatnonzero(table["velocity"] < _DECAYED * table["velocity"][0])
    early = slice(0, decayed[0] if len(decayed) else None)
    seen = {key: table[key][early] for key in ("force_corrected", "force_corrected_error")}
    label = "over the velocity's decay"
    _band(axes, table["lag"][early], seen, "force_corrected", CURVES[2], label)
    found = {result.name: result.value for result in contents.results_of_run()}
    theta = found.get("theta")
    if theta is not None:
        axes.axhline(theta, color=CURVES[0], linewidth=1.0, label="theta")
    axes.legend()
    finish(axes, None, abscissa, "integral of the force's correlation")
    caption = (
        "Eq. 55 with the trajectory in the place of projected dynamics, beside the theta found: "
        "it falls as the momentum decays, and comes back only if a potential binds."
    )
    yield Plot("force-integral", caption, figure)


def _diffusion(contents: Contents, table: Mapping[str, Floats]) -> Plot:
    figure, axes = one_panel()
    _bars(axes, table["R"], table, "diffusion", COMPUTED, None)
    length, time = contents.unit("length"), contents.unit("time")
    unit = f"{length}^2/{time}" if length else ""
    finish(axes, None, labelled("R", length), labelled("diffusion", unit))
    return Plot("diffusion", "Diffusion coefficient by displacements.", figure)


def _bars(
    axes: Axes, x: Floats, table: Mapping[str, Floats], name: str, colour: str, label: str | None
) -> None:
    axes.errorbar(
        x, table[name], table[f"{name}_error"], fmt="o", markersize=3.0, capsize=2.0,
        linewidth=1.0, color=colour, label=label,
    )  # fmt: skip


def _band(
    axes: Axes, x: Floats, table: Mapping[str, Floats], name: str, colour: str, label: str | None
) -> None:
    value, error = table[name], table[f"{name}_error"]
    axes.plot(x, value, color=colour, label=label)
    axes.fill_between(x, value - error, value + error, color=colour, alpha=_BAND, linewidth=0)
