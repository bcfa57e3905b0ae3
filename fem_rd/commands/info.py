"""`fem-rd info`: what a results directory holds and how far its run got."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fem_rd.checkpoint import newest, read_about
from fem_rd.output.results import ResultsDirectory, read_json
from fem_rd.output.series import read_series


def describe_results(directory: Path) -> str:
    """The description, in lines. Raises `CaseError` where ``directory`` holds no results."""
    return "\n".join(_lines(ResultsDirectory.open(directory)))


def _lines(results: ResultsDirectory) -> Iterator[str]:
    run: Mapping[str, Any] = read_json(results.run) if results.run.is_file() else {}
    summary: Mapping[str, Any] = read_json(results.summary) if results.summary.is_file() else {}
    yield f"{run.get('title', summary.get('title', ''))} ({run.get('model', 'unknown model')})"
    yield f"status: {summary.get('status', 'not finished: killed, or still running')}"
    if summary.get("failure"):
        yield f"failure: {summary['failure']}"
    if run:
        ranks = run["environment"]["ranks"]
        yield f"started: {run['started']} on {ranks} rank(s), fem_rd {_version(run)}"
        if run["wall_time"] is not None:
            yield f"wall time: {run['wall_time']:.1f} s"
    yield from _progress(results)
    yield _way_on(results)
    for name, found in summary.get("observables", {}).items():
        value = "not finite" if found["value"] is None else f"{found['value']:.10g}"
        yield f"  {name} = {value} {found['unit']}"
    held = [file.name for file in (results.fields, results.series, results.report) if file.exists()]
    yield f"files: {', '.join(held) or 'none'}"


def _way_on(results: ResultsDirectory) -> str:
    refused: list[str] = []
    file = newest(results.checkpoints, refused.append)
    if file is None:
        return "no checkpoint to resume from" + "".join(f"\n  {reason}" for reason in refused)
    where = f"from time {read_about(file).time:.6g}"
    if results.done:
        return f"done; can go on {where} to a later time.end: fem-rd resume --accept-changes"
    return f"can be resumed {where}: fem-rd resume {results.path}"


def _version(run: Mapping[str, Any]) -> str:
    return str(run["environment"]["versions"]["fem_rd"])


def _progress(results: ResultsDirectory) -> Iterator[str]:
    if not results.series.is_file():
        yield "no step was finished"
        return
    times = read_series(results.series)["time"]
    if len(times):
        yield f"reached time {times[-1]:.6g} in {len(times)} row(s) of observables"
