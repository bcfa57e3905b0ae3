"""`fem-rd run`: from a case directory to a results directory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from mpi4py import MPI

from fem_rd.case.loading import load_case
from fem_rd.commands.execute import execute, first_record
from fem_rd.commands.prepare import prepare
from fem_rd.log import Log
from fem_rd.output import provenance
from fem_rd.output.results import ResultsDirectory
from fem_rd.parallel import on_root


@dataclass(frozen=True)
class RunRequest:
    """What the user asked for."""

    case: Path
    overrides: tuple[str, ...] = ()
    output: Path | None = None
    overwrite: bool = False
    trust: bool = False
    petsc: tuple[str, ...] = ()


def run_case(request: RunRequest, comm: MPI.Comm = MPI.COMM_WORLD) -> None:
    """Check everything, then run, then report. Collective.

    Raises `CaseError` before anything is written; `NumericalError` and `Interrupted` after the
    state that was reached is.
    """
    begin, started = time.perf_counter(), provenance.now()
    with Log(rank=comm.rank) as log:
        case = on_root(comm, lambda: load_case(request.case, request.overrides, request.trust))
        path = request.output or case.path / "results"
        on_root(comm, lambda: ResultsDirectory(path).refuse(overwrite=request.overwrite))
        prepared = prepare(case, request.petsc, comm, log)
        results = on_root(comm, lambda: ResultsDirectory.create(path, overwrite=request.overwrite))
        log.attach(results.log)
        record = first_record(prepared, request.overrides, started, comm)
        execute(prepared, results, record, comm, log, begin=begin)
