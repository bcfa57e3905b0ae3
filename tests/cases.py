"""Models and runs from the text of a case, for tests."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from fem_rd import cli
from fem_rd.case.loading import load_case
from fem_rd.commands.run import RunRequest, run_case
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.models.protocol import Model
from fem_rd.models.registry import build_model
from fem_rd.models.smoluchowski.model import SmoluchowskiModel


def call(*words: object) -> int:
    """The exit status of `fem-rd WORDS`, in this process."""
    before, sys.argv = sys.argv, ["fem-rd", *map(str, words)]
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


def write_case(directory: Path, text: str) -> Path:
    """A case directory with this text."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "case.toml").write_text(text)
    return directory


def build(directory: Path, text: str, *overrides: str) -> Model:
    """The model of a case, ready to advance, without any output."""
    case = load_case(write_case(directory, text), overrides)
    domain = None
    if case.mesh is not None:
        domain = build_domain(case.mesh, MPI.COMM_SELF, case_dir=directory)
    return build_model(case, domain, MPI.COMM_SELF, Log(quiet=True))


def model_of(directory: Path, text: str, *overrides: str) -> SmoluchowskiModel:
    """The Smoluchowski model of a case, ready to advance, without any output."""
    model = build(directory, text, *overrides)
    assert isinstance(model, SmoluchowskiModel)
    return model


def values_of(model: Model) -> dict[str, float]:
    """Observables by name."""
    return {observable.name: observable.value for observable in model.observables()}


def steady(directory: Path, text: str, *overrides: str) -> dict[str, float]:
    """Observables of the steady state of a case."""
    model = model_of(directory, text, *overrides)
    model.advance(0.0)
    return values_of(model)


@dataclass(frozen=True)
class Run:
    """What a run left behind."""

    path: Path
    summary: dict
    record: dict
    series: dict[str, np.ndarray]

    def value(self, name: str) -> float:
        return self.summary["observables"][name]["value"]


def run(case: Path, output: Path, *overrides: str) -> Run:
    """Run a case as the command line does."""
    run_case(RunRequest(case, tuple(overrides), output), MPI.COMM_SELF)
    return results(output)


def results(path: Path) -> Run:
    """Read a results directory without the package."""
    with (path / "observables.csv").open() as file:
        rows = list(csv.reader(file))
    columns = np.array(rows[1:], dtype=float).T
    return Run(
        path,
        json.loads((path / "summary.json").read_text()),
        json.loads((path / "run.json").read_text()),
        dict(zip(rows[0], columns, strict=True)),
    )
