"""The one loop: a model goes from stop to stop, and what it shows is written.

The loop knows neither physics nor solvers. Its caller has made sure that the case is right;
what goes wrong from here on is numerical, and leaves behind what was computed so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpi4py import MPI

from fem_rd.errors import NumericalError
from fem_rd.log import Log
from fem_rd.models.protocol import Model
from fem_rd.observables import Observable
from fem_rd.output.results import ResultsDirectory
from fem_rd.output.series import SeriesFile
from fem_rd.output.vtkhdf import FieldsFile
from fem_rd.parallel import on_root
from fem_rd.schedule import Schedule

LEDGER_TOLERANCE = 1e-6


class Simulation:
    """Runs one model by its schedule into one results directory. Methods are collective."""

    def __init__(
        self,
        model: Model,
        schedule: Schedule,
        results: ResultsDirectory,
        comm: MPI.Comm,
        log: Log,
        *,
        write_fields: bool,
    ) -> None:
        self._model, self._schedule, self._results = model, schedule, results
        self._comm, self._log = comm, log
        self._fields = self._open_fields() if write_fields else None
        self._series: SeriesFile | None = None
        self.observables: Sequence[Observable] = ()

    def run(self, unit: str) -> None:
        """To the end of the schedule; ``unit`` of time, for the progress bar.

        Raises `NumericalError` after the fields and observables reached so far are written.
        """
        model, schedule = self._model, self._schedule
        try:
            if model.time == 0.0:
                self._record()
                self._write_fields()
            with self._log.progress(schedule.end, unit=unit) as progress:
                for stop in schedule.stops:
                    while model.time < stop:
                        with self._log.phase("solve"):
                            model.advance(stop)
                        self._record()
                        progress.advance(model.time, model.steps)
                    self._write_fields()
        except NumericalError:
            self._write_fields()
            raise
        finally:
            self._close()

    def _record(self) -> None:
        """A row of observables, and the guard that they still make sense."""
        with self._log.phase("observables"):
            self.observables = self._model.observables()
            on_root(self._comm, self._append_row)
            check_ledger(self.observables, self._model.time)

    def _append_row(self) -> None:
        if self._series is None:
            names = [observable.name for observable in self.observables]
            self._series = SeriesFile.create(self._results.series, names)
        self._series.append(self._model.time, self.observables)

    def _open_fields(self) -> FieldsFile:
        fields = self._model.fields()
        space = next(iter(fields.values())).function.function_space
        units = {name: field.unit for name, field in fields.items()}
        return FieldsFile.create(self._results.fields, space, units)

    def _write_fields(self) -> None:
        if self._fields is None:
            return
        with self._log.phase("output"):
            fields = self._model.fields()
            time = max(self._model.time, 0.0)
            self._fields.write(time, {name: field.function for name, field in fields.items()})

    def _close(self) -> None:
        if self._fields is not None:
            self._fields.close()
        if self._series is not None:
            self._series.close()


def check_ledger(observables: Sequence[Observable], time: float) -> None:
    """Raise `NumericalError` where the account of amounts does not close."""
    by_name: Mapping[str, Observable] = {observable.name: observable for observable in observables}
    ledger = by_name.get("ledger_residual")
    if ledger is not None and not abs(ledger.value) <= LEDGER_TOLERANCE:
        raise NumericalError(
            f"at time {time:.6g} the ledger does not close: {ledger.value:.3g} of the amount "
            f"moved is unaccounted for (tolerance {LEDGER_TOLERANCE:g})",
            remedy="a smaller solver.tolerance",
        )
