"""`fem-rd run`: from a case directory to a results directory."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.loading import load_case
from fem_rd.commands.expected import expected_values
from fem_rd.errors import NumericalError, located
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.domain import Domain
from fem_rd.models.protocol import Exact, Model
from fem_rd.models.registry import build_model
from fem_rd.observables import Observable
from fem_rd.output import provenance
from fem_rd.output.provenance import RunRecord
from fem_rd.output.results import ResultsDirectory
from fem_rd.parallel import on_root
from fem_rd.report import write_report
from fem_rd.schedule import Schedule
from fem_rd.simulation import Simulation


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

    Raises `CaseError` before anything is written, `NumericalError` after what was reached is.
    """
    begin, started = time.perf_counter(), provenance.now()
    with Log(rank=comm.rank) as log:
        prepared = prepare(request, comm, log)
        case = prepared.case
        results = on_root(
            comm,
            lambda: ResultsDirectory.create(prepared.results.path, overwrite=request.overwrite),
        )
        log.attach(results.log)
        announce(prepared, log)
        record = _first_record(prepared, started, comm)
        on_root(comm, lambda: record.write(results.run))
        simulation = Simulation(
            prepared.model, prepared.schedule, results, comm, log, write_fields=case.output.fields
        )
        failure: NumericalError | None = None
        try:
            simulation.run(case.units.unit_name("time"))
        except NumericalError as error:
            failure = error
        _finish(prepared, record, simulation.observables, failure, log, begin)
        if failure is not None:
            raise failure


@dataclass(frozen=True)
class Prepared:
    """All that a run needs, checked: nothing has been written yet."""

    case: Case
    domain: Domain
    model: Model
    schedule: Schedule
    results: ResultsDirectory


def prepare(request: RunRequest, comm: MPI.Comm, log: Log) -> Prepared:
    """Read, mesh and assemble. Collective; raises `CaseError` or `CaseErrors` on every rank."""
    case = on_root(comm, lambda: load_case(request.case, request.overrides, request.trust))
    with located(case.path / "case.toml"):
        schedule = Schedule.of(case.time, case.output)
    results = ResultsDirectory(request.output or case.path / "results")
    on_root(comm, lambda: results.refuse(overwrite=request.overwrite))
    give_to_petsc(request.petsc)
    with located(case.path / "case.toml"):
        with log.phase("mesh"):
            domain = build_domain(
                case.mesh, comm, case_dir=case.path, trust=case.trust, log=log
            )
        model = build_model(case, domain, log)
    return Prepared(case, domain, model, schedule, results)


def give_to_petsc(options: Sequence[str]) -> None:
    """Put the user's options into PETSc's database; it names those that nothing used at the end."""
    if not options:
        return
    from petsc4py import PETSc

    PETSc.Options().insertString(" ".join(options))
    PETSc.Options()["options_left"] = "true"


def announce(prepared: Prepared, log: Log) -> None:
    """Say what will be run."""
    facts = ", ".join(f"{name} {text}" for name, text in prepared.model.describe().items())
    log.info(f"{prepared.case.name}: {prepared.case.title}")
    log.info(facts)


def _first_record(prepared: Prepared, started: str, comm: MPI.Comm) -> RunRecord:
    case, model = prepared.case, prepared.model
    exact = model.exact()
    return RunRecord(
        title=case.title,
        model=case.model,
        case=case.resolved,
        case_directory=str(case.path.resolve()),
        command=sys.argv,
        environment=provenance.environment(comm),
        started=started,
        case_revision=on_root(comm, lambda: provenance.case_revision(case.path)),
        petsc_options=provenance.petsc_options(),
        units=_units(case),
        mesh=asdict(prepared.domain.summary()),
        unknowns={"concentration": int(model.describe()["unknowns"])},
        expected=on_root(comm, lambda: expected_values(case)),
        predictions={name: asdict(known) for name, known in exact.predictions.items()},
        exact=_curves(exact),
    )


def _curves(exact: Exact) -> dict[str, dict[str, object]]:
    """Exact curves as `run.json` has them."""
    series = {
        curve.name: {"time": curve.x, "value": curve.value, "source": curve.source}
        for curve in exact.curves
        if curve.coordinate == "t"
    }
    profiles = {
        curve.name: {
            "coordinate": curve.coordinate,
            "x": curve.x,
            "value": curve.value,
            "time": curve.time,
            "source": curve.source,
        }
        for curve in exact.curves
        if curve.coordinate != "t"
    }
    return {"series": series, "profiles": profiles}


def _units(case: Case) -> dict[str, str]:
    if case.units.dimensionless:
        return {}
    return {base: case.units.unit_name(base) for base in ("length", "time", "amount")}


def _finish(
    prepared: Prepared,
    record: RunRecord,
    observables: Sequence[Observable],
    failure: NumericalError | None,
    log: Log,
    begin: float,
) -> None:
    """Summary, the final record, the report; the last words on the screen. Collective."""
    comm, results, case = prepared.domain.mesh.comm, prepared.results, prepared.case
    memory = provenance.peak_memory(comm)

    def write() -> None:
        results.write_summary(
            status="done" if failure is None else "failed",
            model=case.model,
            title=case.title,
            observables=observables,
            failure="" if failure is None else str(failure),
        )
        complete = replace(
            record,
            observables={o.name: {"unit": o.unit, "description": o.description} for o in observables},
            finished=provenance.now(),
            wall_time=time.perf_counter() - begin,
            phases=log.phases,
            memory=memory,
            warnings=log.warnings,
        )
        complete.write(results.run)
        with log.phase("report"):
            write_report(results.path)
        _conclude(observables, record, results, log)

    on_root(comm, write)


def _conclude(
    observables: Sequence[Observable], record: RunRecord, results: ResultsDirectory, log: Log
) -> None:
    for observable in observables:
        known = record.predictions.get(observable.name) or record.expected.get(observable.name)
        beside = f"   (known: {known['value']:.10g})" if known else ""
        log.info(f"{observable.name:>24} = {observable.value:.10g} {observable.unit}{beside}")
    log.info(f"results in {results.path}; open {results.report} in a browser")
