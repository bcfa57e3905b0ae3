"""The one loop: a model goes from stop to stop, and what it shows is recorded.

The loop knows neither physics nor solvers. Its caller has made sure that the case is right;
what goes wrong from here on is numerical or the machine's, and leaves behind what was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from mpi4py import MPI

from fem_rd.case.schema import CheckpointSection
from fem_rd.errors import FemRdError, Interrupted, NumericalError
from fem_rd.log import Log
from fem_rd.models.protocol import Model
from fem_rd.observables import Observable
from fem_rd.recording import Recorder
from fem_rd.schedule import Schedule
from fem_rd.signals import StopRequest

LEDGER_TOLERANCE = 1e-6


class Simulation:
    """Runs one model by its schedule. Methods are collective."""

    def __init__(
        self,
        model: Model,
        schedule: Schedule,
        recorder: Recorder,
        checkpoints: CheckpointSection | None,
        comm: MPI.Comm,
        log: Log,
    ) -> None:
        """``checkpoints``: when to save the state; None for a run of one step."""
        self._model, self._schedule, self._recorder = model, schedule, recorder
        self._checkpoints, self._comm, self._log = checkpoints, comm, log
        self._saved = log.clock()
        self.observables: Sequence[Observable] = ()

    def run(self, unit: str) -> None:
        """To the end of the schedule; ``unit`` of time, for the progress bar.

        Raises `Interrupted` when asked to stop and `NumericalError` when the numerics fail, both
        after the state reached is saved.
        """
        try:
            with StopRequest() as request, self._log.progress(
                self._schedule.end, start=max(self._model.time, 0.0), unit=unit
            ) as progress:
                if self._model.steps == 0 and np.isfinite(self._model.time):
                    self._record()
                    self._recorder.fields()
                for stop in self._schedule.stops:
                    while self._model.time < stop:
                        self._step(stop)
                        progress.advance(self._model.time, self._model.steps)
                        self._pause(request)
            self.observables = self.observables or self._model.observables()
            self._save()
        except Interrupted:
            raise
        except FemRdError:
            with suppress(FemRdError):  # the failure is what the user must hear of
                self._recorder.fields()
                self._save()
            raise
        finally:
            self._recorder.close()

    def _step(self, stop: float) -> None:
        with self._log.phase("solve"):
            self._model.advance(stop)
        self._record()
        if self._model.time >= stop:
            self._recorder.fields()

    def _record(self) -> None:
        """A row of observables, and the guard that they still make sense."""
        with self._log.phase("observables"):
            observables = self._model.observables()
            check_ledger(observables, self._model.time)
            self._recorder.row(observables)
            self.observables = observables

    def _pause(self, request: StopRequest) -> None:
        """Save the state when it is time to, and stop when any rank was asked to."""
        wishes = np.array([request.asked_by is not None, self._is_due()], dtype=np.intc)
        self._comm.Allreduce(MPI.IN_PLACE, wishes, op=MPI.MAX)
        asked, due = wishes
        if due or asked:
            self._save()
        if asked:
            raise Interrupted(f"stopped on request at time {self._model.time:.6g}")

    def _is_due(self) -> bool:
        if self._checkpoints is None or self._comm.rank:
            return False
        elapsed = self._log.clock() - self._saved >= 60 * self._checkpoints.minutes
        every = self._checkpoints.steps
        return elapsed or (every is not None and self._model.steps % every == 0)

    def _save(self) -> None:
        if self._checkpoints is not None and np.isfinite(self._model.time):
            self._recorder.checkpoint()
            self._saved = self._log.clock()


def check_ledger(observables: Sequence[Observable], time: float) -> None:
    """Raise `NumericalError` where the account of amounts does not close."""
    for observable in observables:
        if observable.name == "ledger_residual" and not abs(observable.value) <= LEDGER_TOLERANCE:
            raise NumericalError(
                f"at time {time:.6g} the ledger does not close: {observable.value:.3g} of the "
                f"amount moved is unaccounted for (tolerance {LEDGER_TOLERANCE:g})",
                remedy="a smaller solver.tolerance",
            )
