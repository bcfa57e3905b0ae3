"""A prepared run, or what is left of one, from its first record to its report."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace

from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.commands.expected import expected_values
from fem_rd.commands.prepare import Prepared
from fem_rd.errors import FemRdError, Interrupted
from fem_rd.log import Log
from fem_rd.models.protocol import Exact
from fem_rd.observables import Observable
from fem_rd.output import provenance
from fem_rd.output.provenance import RunRecord
from fem_rd.output.results import ResultsDirectory, Status
from fem_rd.parallel import on_root
from fem_rd.recording import Recorder
from fem_rd.report import write_report
from fem_rd.simulation import LEDGER_TOLERANCE, Simulation


def execute(
    prepared: Prepared,
    results: ResultsDirectory,
    record: RunRecord,
    comm: MPI.Comm,
    log: Log,
    *,
    begin: float,
    resumed: bool = False,
) -> None:
    """Simulate, and leave summary, record and report whatever happens. Collective.

    ``begin``: when the process began to work, on the clock `time.perf_counter`.
    Raises what the simulation raised, with a word on how to go on.
    """
    case = prepared.case
    _announce(prepared, log)
    on_root(comm, lambda: record.write(results.run))
    recorder = Recorder(
        prepared.model, results, comm, log, write_fields=case.output.fields, resumed=resumed
    )
    checkpoints = case.checkpoint if case.time is not None else None
    simulation = Simulation(
        prepared.model, prepared.schedule, recorder, checkpoints, comm, log
    )
    try:
        simulation.run(case.units.unit_name("time"))
    except FemRdError as error:
        with suppress(FemRdError):  # of a full disk, say: the first failure is what counts
            _finish(prepared, results, record, simulation.observables, error, comm, log, begin)
        raise _with_way_on(error, results, comm) from None
    _finish(prepared, results, record, simulation.observables, None, comm, log, begin)


def first_record(
    prepared: Prepared, overrides: Sequence[str], started: str, comm: MPI.Comm
) -> RunRecord:
    """What is known of a run before its first step. Collective."""
    case, exact = prepared.case, prepared.model.exact()
    return RunRecord(
        title=case.title,
        model=case.model,
        case=case.resolved,
        case_directory=str(case.path.resolve()),
        overrides=overrides,
        command=sys.argv,
        environment=provenance.environment(comm),
        started=started,
        case_revision=on_root(comm, lambda: provenance.case_revision(case.path)),
        petsc_options=provenance.petsc_options(),
        units=_units(case),
        mesh={} if prepared.domain is None else asdict(prepared.domain.summary()),
        unknowns=prepared.model.unknowns(),
        expected=on_root(comm, lambda: expected_values(case, overrides)),
        predictions={name: asdict(known) for name, known in exact.predictions.items()},
        exact=_curves(exact),
    )


def _announce(prepared: Prepared, log: Log) -> None:
    log.info(f"{prepared.case.name}: {prepared.case.title}")
    log.info(", ".join(f"{name} {text}" for name, text in prepared.model.describe().items()))


def _curves(exact: Exact) -> dict[str, dict[str, object]]:
    """Exact curves as `run.json` has them."""
    series: dict[str, object] = {}
    profiles: dict[str, object] = {}
    for curve in exact.curves:
        known = {"value": curve.value, "source": curve.source}
        if curve.coordinate == "t":
            series[curve.name] = {"time": curve.x, **known}
        else:
            place = {"coordinate": curve.coordinate, "x": curve.x, "time": curve.time}
            profiles[curve.name] = {**place, **known}
    return {"series": series, "profiles": profiles}


def _units(case: Case) -> dict[str, str]:
    if case.units.dimensionless:
        return {}
    return {base: case.units.unit_name(base) for base in ("length", "time", "amount")}


def _finish(
    prepared: Prepared,
    results: ResultsDirectory,
    record: RunRecord,
    observables: Sequence[Observable],
    failure: FemRdError | None,
    comm: MPI.Comm,
    log: Log,
    begin: float,
) -> None:
    """Summary, the final record, the report; the last words on the screen. Collective."""
    case, memory = prepared.case, provenance.peak_memory(comm)

    def write() -> None:
        results.write_summary(
            status=_status(failure),
            model=case.model,
            title=case.title,
            observables=[*observables, *_predicted(prepared, observables)],
            failure="" if failure is None else str(failure),
        )
        complete = replace(
            record,
            observables={
                o.name: {"unit": o.unit, "description": o.description} for o in observables
            },
            ledger=_ledger(observables),
            finished=provenance.now(),
            wall_time=time.perf_counter() - begin,
            phases=log.phases,
            memory=memory,
            warnings=log.warnings,
        )
        complete.write(results.run)
        _report(results, log)
        _conclude(observables, record, results, log)

    on_root(comm, write)


def _predicted(prepared: Prepared, observables: Sequence[Observable]) -> list[Observable]:
    """What the theory says, as observables beside those that were computed."""
    units = {observable.name: observable.unit for observable in observables}
    return [
        Observable(
            f"{name}_predicted" if name in units else name,
            known.value,
            units.get(name, units.get("rate", "")),
            f"closed form: {known.source}",
        )
        for name, known in prepared.model.exact().predictions.items()
    ]


def _report(results: ResultsDirectory, log: Log) -> None:
    """Write the report; the numbers of a run that is done do not depend on its pictures."""
    try:
        write_report(results.path)
    except Exception as error:
        log.warning(f"the report could not be written: {error}; try fem-rd report {results.path}")


def _status(failure: FemRdError | None) -> Status:
    if failure is None:
        return "done"
    return "interrupted" if isinstance(failure, Interrupted) else "failed"


def _ledger(observables: Sequence[Observable]) -> dict[str, Mapping[str, object]]:
    residual = next((o for o in observables if o.name == "ledger_residual"), None)
    if residual is None:
        return {}
    account = {"residual": residual.value, "scale": 1.0, "unit": residual.unit}
    return {"amount": {**account, "tolerance": LEDGER_TOLERANCE}}


def _with_way_on(error: FemRdError, results: ResultsDirectory, comm: MPI.Comm) -> FemRdError:
    """The same failure; a run that can be resumed says how."""
    resumable = on_root(comm, lambda: any(results.checkpoints.glob("step-*.npz")))
    if resumable:
        error.add_note(f"go on with: fem-rd resume {results.path}")
    return error


def _conclude(
    observables: Sequence[Observable], record: RunRecord, results: ResultsDirectory, log: Log
) -> None:
    for observable in observables:
        known = record.predictions.get(observable.name) or record.expected.get(observable.name)
        beside = f"   (known: {known['value']:.10g})" if known else ""
        log.info(f"{observable.name:>24} = {observable.value:.10g} {observable.unit}{beside}")
    log.info(f"results in {results.path}; open {results.report} in a browser")
