"""What a run leaves behind while it goes: rows of observables, fields, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

from mpi4py import MPI

from fem_rd.checkpoint import Checkpoints
from fem_rd.errors import FemRdError
from fem_rd.log import Log
from fem_rd.models.protocol import Model, Output, WithOutput
from fem_rd.observables import Observable
from fem_rd.output.results import ResultsDirectory
from fem_rd.output.series import SeriesFile
from fem_rd.output.vtkhdf import FieldsFile
from fem_rd.parallel import on_root


class Recorder:
    """Writes for one model into one results directory. Methods are collective.

    ``resumed``: the model goes on from a checkpoint, and the recorder with the files of the
    earlier run, from which it cuts what lies after the model's time.
    """

    def __init__(
        self,
        model: Model,
        results: ResultsDirectory,
        comm: MPI.Comm,
        log: Log,
        *,
        write_fields: bool,
        resumed: bool = False,
    ) -> None:
        self._model, self._results, self._comm, self._log = model, results, comm, log
        self._checkpoints = Checkpoints(results.checkpoints, model.positions(), comm)
        self._series: SeriesFile | None = None
        self._fields_at = self._saved_at = model.time if resumed else None
        if resumed:
            on_root(comm, self._resume_series)
        self._fields = self._open_fields(resumed=resumed) if write_fields else None
        self._own: Output | None = None
        if isinstance(model, WithOutput):
            self._own = model.open_output(
                results, log, trajectories=write_fields, resumed=resumed
            )

    def row(self, observables: Sequence[Observable]) -> None:
        """Append a row to `observables.csv`."""
        on_root(self._comm, lambda: self._append(observables))

    def fields(self) -> None:
        """Append the fields at the model's time, unless they are there already."""
        time = max(self._model.time, 0.0)
        if self._fields_at == time:
            return
        with self._log.phase("output"):
            if self._fields is not None:
                fields = self._model.fields()
                self._fields.write(time, {name: field.function for name, field in fields.items()})
            if self._own is not None:
                self._own.write(time)
        self._fields_at = time

    def checkpoint(self) -> None:
        """Save the state, unless it is saved already. Raises `NumericalError` where it cannot."""
        if self._saved_at == self._model.time:
            return
        with self._log.phase("checkpoint"):
            self._checkpoints.save(self._model.time, self._model.steps, self._model.state())
        self._saved_at = self._model.time

    def close(self) -> None:
        """Close the files."""
        if self._fields is not None:
            self._fields.close()
        if self._own is not None:
            self._own.close()
        if self._series is not None:
            self._series.close()

    def _append(self, observables: Sequence[Observable]) -> None:
        if self._series is None:
            names = [observable.name for observable in observables]
            self._series = SeriesFile.create(self._results.series, names)
        self._series.append(self._model.time, observables)

    def _resume_series(self) -> None:
        self._series = SeriesFile.resume(self._results.series, self._model.time)

    def _open_fields(self, *, resumed: bool) -> FieldsFile | None:
        fields = self._model.fields()
        if not fields:
            return None
        space = next(iter(fields.values())).function.function_space
        units = {name: field.unit for name, field in fields.items()}
        path = self._results.fields
        if resumed and on_root(self._comm, path.is_file):
            try:
                return FieldsFile.resume(path, space, self._model.time, units)
            except FemRdError as error:
                self._log.warning(f"{error}; kept as {path.name}.broken, a new file begins")
                on_root(self._comm, lambda: path.replace(path.with_name(f"{path.name}.broken")))
        return FieldsFile.create(path, space, units)
