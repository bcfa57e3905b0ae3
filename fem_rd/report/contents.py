"""The files of a results directory as the objects the report is made of.

Whatever a run that failed did not come to write is simply absent from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fem_rd.output.reading import Fields, read_fields, read_times
from fem_rd.output.results import ResultsDirectory, read_json
from fem_rd.output.series import TIME, read_series
from fem_rd.report.kinds import Kind, kind_of

Floats = NDArray[np.float64]
Json = Mapping[str, Any]
_ASKED = ("integrals", "derived")  # tables of a model's section whose keys are observables


@dataclass(frozen=True)
class Comparison:
    """A number an observable is held against; ``tolerance`` is relative, None if there is none."""

    kind: str
    value: float
    source: str
    tolerance: float | None = None

    def difference(self, value: float) -> float:
        """Relative to this number, or absolute where it is zero."""
        return (value - self.value) / (abs(self.value) or 1.0)

    def score(self, value: float, error: float) -> float:
        """The difference over the standard error of ``value``."""
        return (value - self.value) / error

    def passed(self, value: float) -> bool | None:
        """Whether ``value`` is within the tolerance; None where there is no tolerance."""
        return None if self.tolerance is None else abs(self.difference(value)) <= self.tolerance


@dataclass(frozen=True)
class Result:
    """A final observable with everything it can be compared with."""

    name: str
    value: float | None
    unit: str
    error: float | None
    description: str
    comparisons: tuple[Comparison, ...]
    kind: Kind

    @property
    def is_residual(self) -> bool:
        """Whether only the size of the number says something."""
        return "residual" in self.name


@dataclass(frozen=True)
class Balance:
    """What is left over of a conserved quantity; ``relative`` to the amounts that moved."""

    name: str
    residual: float | None
    unit: str
    relative: float | None
    tolerance: float | None

    @property
    def passed(self) -> bool | None:
        """Whether it is within the tolerance; None where that cannot be said."""
        if self.relative is None or self.tolerance is None:
            return None
        return self.relative <= self.tolerance


@dataclass(frozen=True)
class Curve:
    """An observable over time that is known exactly."""

    time: Floats
    value: Floats
    source: str


@dataclass(frozen=True)
class Profile:
    """A field that is known exactly along ``coordinate``: "x", "y", "z", or "r" from ``center``.

    ``time`` is None in a steady run.
    """

    coordinate: str
    center: Floats
    x: Floats
    value: Floats
    time: float | None
    source: str

    def of_points(self, points: Floats) -> Floats:
        """The coordinate of points (n, 3), shape (n,)."""
        at: Floats
        if self.coordinate == "r":
            at = np.linalg.norm(points - self.center, axis=1)
        else:
            at = points[:, "xyz".index(self.coordinate)]
        return at


@dataclass(frozen=True)
class Contents:
    """A results directory, read."""

    results: ResultsDirectory
    run: Json
    summary: Json
    series: dict[str, Floats]
    times: Floats

    @classmethod
    def read(cls, directory: Path) -> Contents:
        """Read what is there; CaseError where ``directory`` is no results directory."""
        results = ResultsDirectory.open(directory)
        return cls(
            results=results,
            run=read_json(results.run) if results.run.exists() else {},
            summary=read_json(results.summary) if results.summary.exists() else {},
            series=read_series(results.series) if results.series.exists() else {},
            times=read_times(results.fields) if results.fields.exists() else np.empty(0),
        )

    @property
    def title(self) -> str:
        """The title of the case, or the name of the directory."""
        return self.text("title") or self.results.path.name

    @property
    def status(self) -> str:
        """One of done, failed, interrupted, or unfinished where no summary was written."""
        return self.text("status") or "unfinished"

    @property
    def warnings(self) -> list[str]:
        """What the run found doubtful."""
        return list(self.run.get("warnings") or [])

    @property
    def phases(self) -> dict[str, float]:
        """Wall time in seconds by phase."""
        return dict(_mapping(self.run, "phases"))

    @property
    def wall_time(self) -> float | None:
        """Wall time of the run in seconds."""
        return self.run.get("wall_time") or sum(self.phases.values()) or None

    def text(self, key: str) -> str:
        """An entry of the summary, or else of the run's record; empty where neither has it."""
        return str(self.summary.get(key) or self.run.get(key) or "")

    def part(self, *keys: str) -> Json:
        """A part of the run's record, empty where there is none."""
        return _mapping(self.run, *keys)

    def unit(self, dimension: str) -> str:
        """The unit of "length", "time", ... in this run; empty if dimensionless."""
        return str(_mapping(self.run, "units").get(dimension, ""))

    def fields(self, step: int = -1) -> Fields:
        """The fields of a step."""
        return read_fields(self.results.fields, step)

    def results_of_run(self) -> list[Result]:
        """The final observables in the order of the summary."""
        return [
            Result(
                name=name,
                value=entry.get("value"),
                unit=entry.get("unit") or "",
                error=entry.get("error"),
                description=entry.get("description") or "",
                comparisons=tuple(self._comparisons(name)),
                kind=self.kind(name),
            )
            for name, entry in _mapping(self.summary, "observables").items()
        ]

    def ledger(self) -> list[Balance]:
        """What the run kept account of."""
        return [
            Balance(
                name=name,
                residual=(residual := entry.get("residual")),
                unit=entry.get("unit") or "",
                relative=abs(residual / scale)
                if residual is not None and (scale := entry.get("scale"))
                else None,
                tolerance=entry.get("tolerance"),
            )
            for name, entry in _mapping(self.run, "ledger").items()
        ]

    def described(self, name: str) -> tuple[str, str]:
        """Description and unit of an observable."""
        entry = _mapping(self.summary, "observables", name) or _mapping(
            self.run, "observables", name
        )
        return entry.get("description") or name, entry.get("unit") or ""

    def error(self, name: str) -> float | None:
        """Standard error of the last value of an observable, where it is known."""
        error = _mapping(self.summary, "observables", name).get("error")
        return None if error is None else float(error)

    def compared(self, name: str) -> bool:
        """Whether an observable is held against something."""
        return any(True for _ in self._comparisons(name))

    @cached_property
    def species(self) -> tuple[str, ...]:
        """The unknowns, which most observables are of."""
        return tuple(self.part("unknowns"))

    def kind(self, name: str) -> Kind:
        """What an observable is, by its name."""
        return kind_of(name, self.species, self._asked)

    def time(self) -> Floats:
        """Times of the series, shape (rows,)."""
        return self.series.get(TIME, np.empty(0))

    def varying(self) -> list[str]:
        """Observables that change over time."""
        return [
            name
            for name, values in self.series.items()
            if name != TIME and np.count_nonzero(np.isfinite(values)) > 2 and not _constant(values)
        ]

    def exact_curve(self, name: str) -> Curve | None:
        """The exact time course of an observable."""
        entry = _mapping(self.run, "exact", "series", name)
        if not entry:
            return None
        time, value = _known(entry["time"], entry["value"])
        return Curve(time, value, entry.get("source") or "")

    def exact_profiles(self, field: str) -> list[Profile]:
        """The exact profiles of a field, by time."""
        entries = _mapping(self.run, "exact", "profiles").get(field) or []
        profiles = map(_profile, entries if isinstance(entries, list) else [entries])
        return [profile for profile in profiles if len(profile.x) > 1]

    @cached_property
    def _asked(self) -> frozenset[str]:
        """Observables that the case defines."""
        sections = [self.part("case", section) for section in self.part("case")]
        return frozenset(
            name for section in sections for table in _ASKED for name in _mapping(section, table)
        )

    def _comparisons(self, name: str) -> Iterator[Comparison]:
        for key, kind in (("expected", "expected"), ("predictions", "theory")):
            entry = _mapping(self.run, key, name)
            if entry.get("value") is not None:
                yield Comparison(
                    kind, entry["value"], entry.get("source") or "", entry.get("tolerance")
                )


def _mapping(content: Json, *keys: str) -> Json:
    """The object under nested keys, empty where there is none."""
    for key in keys:
        found = content.get(key)
        content = found if isinstance(found, Mapping) else {}
    return content


def _profile(entry: Json) -> Profile:
    x, value = _known(entry["x"], entry["value"])
    return Profile(
        coordinate=entry.get("coordinate", "r"),
        center=_array(entry.get("center") or (0.0, 0.0, 0.0)),
        x=x,
        value=value,
        time=entry.get("time"),
        source=entry.get("source") or "",
    )


def _known(x: object, value: object) -> tuple[Floats, Floats]:
    """Abscissas and ordinates where both are numbers: a closed form may be singular somewhere."""
    at, there = _array(x), _array(value)
    both = np.isfinite(at) & np.isfinite(there)
    return at[both], there[both]


def _array(numbers: object) -> Floats:
    return np.array(numbers, dtype=np.float64)  # null becomes NaN


def _constant(values: Floats) -> bool:
    finite = values[np.isfinite(values)]
    return bool(np.ptp(finite) <= 1e-12 * np.abs(finite).max())
