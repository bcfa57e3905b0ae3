"""The results directory, the table of observables and the record of a run."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from fem_rd.errors import CaseError, FemRdError
from fem_rd.observables import Observable
from fem_rd.output import provenance
from fem_rd.output.results import ResultsDirectory, read_json, write_json
from fem_rd.output.series import SeriesFile, read_series


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    results = ResultsDirectory.create(tmp_path / "a" / "b")
    assert results.path.is_dir()
    assert ResultsDirectory.create(results.path) == results  # an empty one is as good as none


def test_results_are_not_overwritten_unless_told(tmp_path: Path) -> None:
    results = ResultsDirectory.create(tmp_path / "results")
    results.write_summary(status="done", model="m", title="t", observables=())
    with pytest.raises(CaseError) as refusal:
        ResultsDirectory.create(results.path)
    message = str(refusal.value)
    assert str(results.path) in message
    assert "--output DIR" in message
    assert "--overwrite" in message
    assert "\n" not in message
    assert results.summary.exists()


def test_overwriting_removes_results_and_nothing_else(tmp_path: Path) -> None:
    results = ResultsDirectory.create(tmp_path / "results")
    own = (results.summary, results.run, results.series, results.fields, results.log)
    for file in (*own, results.report, results.particles, results.path / "notes.txt"):
        file.write_text("old")
    for directory in (results.figures, results.checkpoints):
        directory.mkdir()
        (directory / "file").write_text("old")
    ResultsDirectory.create(results.path, overwrite=True)
    assert [file.name for file in results.path.iterdir()] == ["notes.txt"]


def test_a_directory_of_other_files_is_never_cleared(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "figures").mkdir()
    with pytest.raises(CaseError, match="no results of a run"):
        ResultsDirectory.create(tmp_path, overwrite=True)
    assert (tmp_path / "figures").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CaseError, match="cannot be made"):
        ResultsDirectory.create(tmp_path / "file" / "results")


def test_opening_what_is_no_results_directory(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"no run\.json"):
        ResultsDirectory.open(tmp_path)


def test_summary_says_what_was_found(tmp_path: Path) -> None:
    results = ResultsDirectory.create(tmp_path / "results")
    observables = (
        Observable("rate", 6.981317007977, "nm^3/ns", "through the sphere", 2e-9),
        Observable("lost", math.nan, ""),
        Observable("huge", math.inf, "", error=math.nan),
        Observable("array", np.float64(0.1), ""),
    )
    results.write_summary(
        status="failed", model="smoluchowski", title="Ratë", observables=observables, failure="why"
    )
    summary = json.loads(results.summary.read_text(encoding="utf-8"))
    assert summary["status"] == "failed"
    assert summary["failure"] == "why"
    assert (summary["model"], summary["title"]) == ("smoluchowski", "Ratë")
    assert summary["observables"]["rate"] == {
        "value": 6.981317007977,
        "unit": "nm^3/ns",
        "error": 2e-9,
        "description": "through the sphere",
    }
    values = {name: entry["value"] for name, entry in summary["observables"].items()}
    assert values == {"rate": 6.981317007977, "lost": None, "huge": None, "array": 0.1}
    assert summary["observables"]["huge"]["error"] is None
    assert list(results.path.iterdir()) == [results.summary]  # nothing is left beside it


def test_json_takes_numbers_of_numpy_and_nothing_strange(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    content = {"a": np.arange(3), "b": np.bool_(True), "c": (1, np.nan), "d": Path("x"), 4: None}
    write_json(path, content)
    assert read_json(path) == {"a": [0, 1, 2], "b": True, "c": [1, None], "d": "x", "4": None}
    with pytest.raises(TypeError, match="object"):
        write_json(path, {"a": object()})
    assert read_json(path)["d"] == "x"  # the old file is still whole


def test_json_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for text in ("{", "[1]"):
        path.write_text(text)
        with pytest.raises(FemRdError, match="cannot be read"):
            read_json(path)


def row(*values: float) -> list[Observable]:
    names = ("rate", "amount")
    return [Observable(name, value, "") for name, value in zip(names, values, strict=True)]


def test_series_gives_numbers_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "observables.csv"
    random = np.random.default_rng(1)
    table = random.normal(size=(50, 3)) * 10.0 ** random.integers(-300, 300, size=(50, 3))
    table[3, 1], table[4, 2] = np.nan, np.inf
    with SeriesFile.create(path, ["rate", "amount"]) as series:
        for time, *values in table:
            series.append(time, row(*values))
    columns = read_series(path)
    assert list(columns) == ["time", "rate", "amount"]
    np.testing.assert_array_equal(np.column_stack(list(columns.values())), table)


def test_series_is_readable_after_each_row(tmp_path: Path) -> None:
    path = tmp_path / "observables.csv"
    with SeriesFile.create(path, ["rate", "amount"]) as series:
        assert path.read_text() == "time,rate,amount\n"
        for count in range(1, 4):
            series.append(0.1 * count, row(1.0, 2.0))
            assert len(read_series(path)["time"]) == count


def test_series_does_not_mind_the_order_but_the_names(tmp_path: Path) -> None:
    path = tmp_path / "observables.csv"
    with SeriesFile.create(path, ["rate", "amount"]) as series:
        series.append(0.0, row(1.0, 2.0)[::-1])
        with pytest.raises(ValueError, match="columns"):
            series.append(1.0, row(1.0, 2.0)[:1])
    assert read_series(path)["amount"].tolist() == [2.0]


def test_resumed_series_drops_later_and_torn_rows(tmp_path: Path) -> None:
    path = tmp_path / "observables.csv"
    with SeriesFile.create(path, ["rate", "amount"]) as series:
        for step in range(5):
            series.append(0.1 * step, row(step, 0.0))
    with path.open("a") as file:
        file.write("0.5,5.0,0")  # killed here; 0 might have been 0.75
    assert len(read_series(path)["time"]) == 5
    with SeriesFile.resume(path, after=0.1 * 2) as series:
        series.append(0.25, row(9.0, 1.0))
    columns = read_series(path)
    assert columns["time"].tolist() == [0.0, 0.1, 0.2, 0.25]
    assert columns["rate"].tolist() == [0.0, 1.0, 2.0, 9.0]


def test_what_is_no_series_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "observables.csv"
    for text in ("", "a,b\n1,2\n", "time,a\n1\n", "time,a\n1,two\n"):
        path.write_text(text)
        with pytest.raises(FemRdError, match="not a table"):
            read_series(path)
    with pytest.raises(FemRdError, match="cannot be opened"):
        read_series(tmp_path / "absent.csv")


def a_record() -> provenance.RunRecord:
    return provenance.RunRecord(
        title="t",
        model="m",
        case={"smoluchowski": {"degree": 2}},
        case_directory="cases/t",
        command=["fem-rd", "run", "cases/t"],
        environment=provenance.environment(MPI.COMM_WORLD),
        started=provenance.now(),
    )


def test_run_record_says_where_numbers_come_from(tmp_path: Path) -> None:
    record = replace(
        a_record(), phases={"mesh": 1.5}, memory=provenance.peak_memory(MPI.COMM_WORLD)
    )
    record.write(tmp_path / "run.json")
    run = read_json(tmp_path / "run.json")
    assert run["case"] == {"smoluchowski": {"degree": 2}}
    assert run["environment"]["ranks"] == 1
    assert sum(run["environment"]["hosts"].values()) == 1
    assert {"fem_rd", "dolfinx", "PETSc", "MPI", "Python", "numpy"} <= set(
        run["environment"]["versions"]
    )
    assert run["finished"] is None
    # an interpreter with DOLFINx takes some 100 MB; the unit of ru_maxrss differs by system
    assert 2e7 < run["memory"]["largest_rank"] < 2e10
    assert run["memory"]["total"] == run["memory"]["largest_rank"]


def test_case_revision_is_that_of_its_repository(tmp_path: Path) -> None:
    assert provenance.case_revision(tmp_path / "absent") is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "m"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert provenance.case_revision(tmp_path) == head.stdout.strip()
