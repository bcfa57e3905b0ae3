"""Results directories of made-up runs, and a page as a reader's browser gets it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import output_examples as examples
from dolfinx import fem
from mpi4py import MPI

from fem_rd.observables import Observable
from fem_rd.output.results import ResultsDirectory, write_json
from fem_rd.output.series import SeriesFile
from fem_rd.output.vtkhdf import FieldsFile


class Page(HTMLParser):
    """What a browser would make of the page; fails on tags that do not match."""

    VOID = frozenset({"meta", "br", "img", "link", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            elif name in ("src", "href", "srcset", "data", "action"):
                (self.references if value.startswith("#") else self.loads).append(value)
            elif name in ("style", "clip-path") and "url(" in value:
                self.references.append(value.split("url(")[1].split(")")[0])

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words += data


def synthetic_run(path: Path, name: str = "tetrahedron", times: tuple = (0.0, 0.5, 1.0)) -> Path:
    """A results directory of a made-up run whose answers are known."""
    results = ResultsDirectory.create(path)
    domain = examples.example_mesh(name, MPI.COMM_SELF)
    space = fem.functionspace(domain, ("Lagrange", 2))
    field = fem.Function(space)
    with FieldsFile.create(results.fields, space, {"concentration": "nm^-3"}) as file:
        for time in times:
            field.interpolate(lambda x, time=time: 1.0 + (1.0 + time) * x[0] ** 2)
            file.write(time, {"concentration": field})
    with SeriesFile.create(results.series, ["rate", "volume"]) as series:
        for time in np.linspace(0.0, 1.0, 11):
            rate = Observable("rate", 2.0 * math.exp(-time) * (1.0 + 1e-4), "nm^3/ns")
            series.append(time, [rate, Observable("volume", 2.0, "nm^3")])
    results.write_summary(
        status="done",
        model="smoluchowski",
        title="Rate & <more>",
        observables=[
            Observable("rate", 0.735832, "nm^3/ns", "through the sphere", 2e-6),
            Observable("broken", math.nan, ""),
        ],
    )
    x = np.linspace(0.0, 2.0, 101)
    write_json(
        results.run,
        {
            "title": "Rate & <more>",
            "model": "smoluchowski",
            "case": {"smoluchowski": {"degree": 2}},
            "command": ["fem-rd", "run", "a case"],
            "environment": {
                "versions": {"dolfinx": "0.9.0"},
                "ranks": 2,
                "hosts": {"node": 2},
                "platform": "Linux",
                "revision": None,
            },
            "started": "2026-01-02T03:04:05+00:00",
            "units": {"length": "nm", "time": "ns"},
            "unknowns": {"concentration": 12345},
            "mesh": {
                "cells": 216,
                "volume": 2.0,
                "boundaries": [{"name": "left", "tag": 1, "count": 18, "size": 1.0}],
            },
            "phases": {"mesh": 2.99, "solve": 1.0, "trifle": 0.01},
            "wall_time": 4.5,
            "memory": {"largest_rank": 150_000_000, "total": 300_000_000},
            "warnings": ["the step is <long>"],
            "expected": {"rate": {"value": 0.7358, "tolerance": 1e-3, "source": "by hand"}},
            "predictions": {"rate": {"value": 0.9, "source": "theory of everything"}},
            "ledger": {
                "amount": {"residual": -3e-9, "scale": 2.0, "tolerance": 1e-10, "unit": "mol"}
            },
            "exact": {
                "series": {
                    "rate": {
                        "time": [0.0, 0.5, 1.0],
                        "value": 2.0 * np.exp(-np.array([0.0, 0.5, 1.0])),
                        "source": "closed form",
                    }
                },
                "profiles": {
                    "concentration": {
                        "coordinate": "x",
                        "x": x,
                        "value": 1.0 + 2.0 * x**2,
                        "time": 1.0,
                        "source": "eq. 1",
                    }
                },
            },
        },
    )
    return results.path


def network_run(
    path: Path,
    time: np.ndarray,
    series: Mapping[str, tuple[np.ndarray, str]],
    species: tuple[str, ...] = ("A", "B"),
    **record: object,
) -> Path:
    """The run of a network: values over time and units of observables, and no fields."""
    results = ResultsDirectory.create(path)
    columns = np.column_stack([time, *(values for values, _ in series.values())])
    header = ",".join(["time", *series])
    np.savetxt(results.series, columns, fmt="%.17g", delimiter=",", header=header, comments="")
    last = [
        Observable(name, float(values[-1]), unit, f"events per time of {name}, say")
        for name, (values, unit) in series.items()
    ]
    results.write_summary(status="done", model="m", title="t", observables=last)
    write_json(results.run, {"unknowns": dict.fromkeys(species, 1), **record})
    return results.path


def fields_run(
    path: Path,
    name: str,
    times: tuple[float, ...],
    fields: Mapping[str, Callable[[np.ndarray, float], np.ndarray]],
    species: tuple[str, ...] = ("A", "B"),
) -> Path:
    """A run with fields given by functions of place (3, n) and time, all of one unit."""
    results = ResultsDirectory.create(path)
    space = fem.functionspace(examples.example_mesh(name, MPI.COMM_SELF), ("Lagrange", 1))
    functions = {name: fem.Function(space) for name in fields}
    with FieldsFile.create(results.fields, space, dict.fromkeys(fields, "nm^-2")) as file:
        for time in times:
            for field, of in fields.items():
                functions[field].interpolate(lambda x, of=of, time=time: of(x, time) + 0.0 * x[0])
            file.write(time, functions)
    write_json(results.run, {"unknowns": dict.fromkeys(species, 1)})
    return results.path
