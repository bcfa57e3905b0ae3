"""`fem-rd resume`: go on where the last checkpoint left off."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mpi4py import MPI

from fem_rd.case.case import Case, read_case
from fem_rd.case.loading import load_case
from fem_rd.checkpoint import Checkpoints, newest
from fem_rd.commands.execute import execute, first_record
from fem_rd.commands.prepare import case_file, prepare
from fem_rd.errors import CaseError, CaseErrors
from fem_rd.log import Log
from fem_rd.output import provenance
from fem_rd.output.results import ResultsDirectory, read_json
from fem_rd.parallel import on_root

HARMLESS = ("title", "time.end", "output", "checkpoint")
_LEFT_OUT = ("options_left",)  # of PETSc's options: ours


def resume_case(
    directory: Path,
    petsc: Sequence[str] = (),
    *,
    accept_changes: bool = False,
    trust: bool = False,
    comm: MPI.Comm = MPI.COMM_WORLD,
) -> None:
    """Continue the run in ``directory``. Collective.

    Raises `CaseError` where nothing can be resumed or the case is not the same, and what
    `fem_rd.commands.run.run_case` raises.
    """
    begin = time.perf_counter()
    with Log(rank=comm.rank) as log:
        results = on_root(comm, lambda: ResultsDirectory.open(directory))
        earlier: dict[str, Any] = on_root(comm, lambda: read_json(results.run))
        case = on_root(comm, lambda: _case(earlier, accept_changes=accept_changes, trust=trust))
        file = on_root(comm, lambda: _checkpoint(results, log))
        prepared = prepare(case, petsc or _options(earlier), comm, log)
        checkpoints = Checkpoints(results.checkpoints, prepared.model.positions(), comm)
        prepared.model.restore(checkpoints.load(file))
        log.attach(results.log, append=True)
        log.info(f"going on from time {prepared.model.time:.6g}, step {prepared.model.steps}")
        record = replace(
            first_record(prepared, earlier.get("overrides", ()), earlier["started"], comm),
            resumed=[*earlier.get("resumed", ()), _resumption(prepared.model.time, comm)],
        )
        execute(prepared, results, record, comm, log, begin=begin, resumed=True)


def _case(earlier: Mapping[str, Any], *, accept_changes: bool, trust: bool) -> Case:
    """The case as it is now, or as it was kept where its directory is gone."""
    path = Path(earlier["case_directory"])
    if not (path / "case.toml").is_file():
        return read_case(earlier["case"], path, trust=trust)
    case = load_case(path, earlier.get("overrides", ()), trust)
    changed = list(differences(earlier["case"], plain(case.resolved)))
    refused = [key for key, _, _ in changed if not (accept_changes and _harmless(key))]
    if refused:
        raise CaseErrors([_changed(case, *change) for change in changed if change[0] in refused])
    return case


def _changed(case: Case, key: str, before: object, now: object) -> CaseError:
    way = (
        "add --accept-changes to go on with the new value"
        if _harmless(key)
        else "put it back, or start a new run with fem-rd run --output"
    )
    return CaseError(
        f"was {before!r} when the run began", file=case_file(case), key=key, found=now, valid=way
    )


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], start: str = ""
) -> list[tuple[str, object, object]]:
    """Keys whose values differ, with both values; None stands for a key that is not there."""
    found: list[tuple[str, object, object]] = []
    for key in [*before, *(key for key in now if key not in before)]:
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differences(one, other, f"{start}{key}.")
        elif one != other:
            found.append((f"{start}{key}", one, other))
    return found


def plain(content: Any) -> Any:
    """Tables, lists and numbers as JSON gives them back."""
    if isinstance(content, Mapping):
        return {key: plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    return content


def _harmless(key: str) -> bool:
    return any(key == known or key.startswith(f"{known}.") for known in HARMLESS)


def _checkpoint(results: ResultsDirectory, log: Log) -> Path:
    file = newest(results.checkpoints, log.warning)
    if file is None:
        raise CaseError(
            "there is no checkpoint to go on from; start again with fem-rd run --overwrite",
            file=results.path,
        )
    return file


def _options(earlier: Mapping[str, Any]) -> list[str]:
    """The PETSc options of the run that is resumed, as words."""
    words: list[str] = []
    for name, value in earlier.get("petsc_options", {}).items():
        if name not in _LEFT_OUT:
            words += [f"-{name}", *([value] if value else [])]
    return words


def _resumption(reached: float, comm: MPI.Comm) -> dict[str, object]:
    return {"from_time": reached, "at": provenance.now(), "ranks": comm.size}
