"""The page itself: what goes where in the template, and its figures."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fem_rd.errors import FemRdError
from fem_rd.log import duration
from fem_rd.report import formatting
from fem_rd.report.coefficients import coefficient_plots
from fem_rd.report.contents import Contents, Result
from fem_rd.report.fields import field_plots
from fem_rd.report.profiles import profile_plots
from fem_rd.report.scan import scan_plots
from fem_rd.report.series import series_plots
from fem_rd.report.style import Plot, drawing, inline_svg, save_png
from fem_rd.report.tables import results_shown, tables

_MOST_CARDS = 3
_SHORT = 0.01  # of the wall time
_KINDS = {"regions": "region", "boundaries": "boundary"}
_EXTENTS = {1: "length", 2: "area"}  # what is a volume in space


@dataclass(frozen=True)
class _Figure:
    """A plot as the template shows it."""

    svg: Markup
    caption: str
    wide: bool
    share: float


@dataclass(frozen=True)
class _Phase:
    """A phase of the run and its share of the wall time."""

    name: str
    seconds: float
    share: float
    of_longest: float


def write_page(results_dir: Path) -> Path:
    """Write the report of a results directory; see `fem_rd.report.write_report`."""
    contents = Contents.read(results_dir)
    with drawing():
        fields = [*field_plots(contents), *profile_plots(contents)]
        found = list(coefficient_plots(contents))
        scans = list(scan_plots(contents))
        series = list(series_plots(contents))
        try:
            contents.results.figures.mkdir(exist_ok=True)
            for plot in (*scans, *fields, *found, *series):
                save_png(plot, contents.results.figures)
            page = _rendered(contents, *map(_in_page, (scans, fields, found, series)))
            contents.results.report.write_text(page, encoding="utf-8")
        except OSError as error:
            raise FemRdError(f"{results_dir}: the report cannot be written: {error}") from error
    return contents.results.report


def _in_page(plots: list[Plot]) -> list[_Figure]:
    return [
        _Figure(Markup(inline_svg(plot)), plot.caption, plot.wide, plot.share) for plot in plots
    ]


def _rendered(
    contents: Contents,
    scans: list[_Figure],
    fields: list[_Figure],
    found: list[_Figure],
    series: list[_Figure],
) -> str:
    environment = Environment(
        loader=PackageLoader("fem_rd.report", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(
        number=formatting.number,
        brief=lambda value: formatting.number(value, 2),
        measured=formatting.measured,
        short=formatting.short,
        unit=formatting.unit_html,
        duration=duration,
        toml=formatting.toml,
    )
    results = contents.results_of_run()
    return environment.get_template("page.html.j2").render(
        title=contents.title,
        model=contents.text("model"),
        status=contents.status,
        failure=contents.text("failure"),
        warnings=contents.warnings,
        facts=list(_facts(contents)),
        cards=_cards(results),
        results=(shown := results_shown(results)),
        errors=any(result.error is not None for result in shown),
        tables=tables([result for result in results if result not in shown]),
        scan_figures=scans,
        field_figures=fields,
        coefficient_figures=found,
        series_figures=series,
        ledger=contents.ledger(),
        phases=_phases(contents.phases),
        wall_time=contents.wall_time,
        sizes=list(_sizes(contents)),
        provenance=list(_provenance(contents)),
        case=contents.part("case"),
    )


def _cards(results: list[Result]) -> list[Result]:
    """The observables that are held against something, for the top of the page."""
    compared = [result for result in results if result.comparisons and result.value is not None]
    return compared[:_MOST_CARDS]


def _phases(phases: dict[str, float]) -> list[_Phase]:
    """The phases, the longest first; what is too short to matter is put together."""
    total = sum(phases.values())
    shown = {name: seconds for name, seconds in phases.items() if seconds >= _SHORT * total}
    rest = total - sum(shown.values())
    rows = sorted(shown.items(), key=lambda phase: -phase[1])
    rows += [("other", rest)] if rest > 0.0 else []
    longest = max((seconds for _, seconds in rows), default=0.0)
    return [
        _Phase(name, seconds, seconds / total, seconds / longest)
        for name, seconds in rows
        if seconds > 0.0
    ]


def _facts(contents: Contents) -> Iterator[tuple[str, str]]:
    """What the reader wants to know first."""
    if contents.wall_time is not None:
        yield "wall time", duration(contents.wall_time)
    unknowns = contents.part("unknowns")
    if unknowns:
        yield "unknowns", formatting.count(sum(unknowns.values()))
    ranks = contents.part("environment").get("ranks")
    if ranks:
        yield "ranks", str(ranks)
    started = contents.text("started")
    if started:
        yield "started", started[:16].replace("T", " ")


def _sizes(contents: Contents) -> Iterator[tuple[str, str]]:
    for name, number in contents.part("unknowns").items():
        yield f"unknowns of {name}", formatting.count(number)
    mesh = contents.part("mesh")
    names = _KINDS | {"volume": _EXTENTS.get(mesh.get("dimension", 3), "volume")}
    for name, value in mesh.items():
        parts = value if isinstance(value, list) else []  # regions and boundaries
        for part in parts:
            yield f"{names.get(name, name)} {part['name']}", _plain(part["size"])
        if not parts and value not in (None, []):
            yield names.get(name, name), _plain(value)
    memory = contents.part("memory")
    if memory:
        yield "peak memory, all ranks", formatting.size(memory["total"])
        yield "peak memory, largest rank", formatting.size(memory["largest_rank"])
    unknowns = sum(contents.part("unknowns").values())
    if memory and unknowns:
        yield "peak memory per unknown", formatting.size(memory["total"] / unknowns)


def _plain(value: object) -> str:
    if isinstance(value, int):
        return formatting.count(value)
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _provenance(contents: Contents) -> Iterator[tuple[str, str]]:
    surroundings = contents.part("environment")
    versions = surroundings.get("versions") or {}
    hosts = surroundings.get("hosts") or {}
    options = contents.part("petsc_options")
    entries = {
        "command": shlex.join(contents.run.get("command") or []),
        "case directory": contents.text("case_directory"),
        "case revision": contents.text("case_revision"),
        "fem_rd revision": surroundings.get("revision"),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "PETSc options": " ".join(f"-{name} {value}".strip() for name, value in options.items()),
        "random seed": contents.run.get("seed"),
        "hosts": ", ".join(f"{ranks} on {host}" for host, ranks in hosts.items()),
        "platform": surroundings.get("platform"),
        "started": contents.text("started"),
        "finished": contents.text("finished"),
    }
    for name, value in entries.items():
        if value not in (None, ""):
            yield name, str(value)
