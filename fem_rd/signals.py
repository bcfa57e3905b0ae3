"""Signals that ask a run to stop: a batch system's warning, Ctrl-C."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any

ECHO = 1.0
_ASKING = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """While it is entered, the first SIGTERM or SIGINT is noted; the second ends the process.

    Signals reach single processes: whether *any* rank was asked is for the ranks to agree on.
    One wish may arrive several times at once (mpirun forwards what the batch system also sends to
    each process), so what follows the first within `ECHO` seconds is part of it.
    """

    def __init__(self) -> None:
        self.asked_by: str | None = None
        self._asked_at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        self._before = {number: signal.signal(number, self._note) for number in _ASKING}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked_by is None:
            self.asked_by, self._asked_at = signal.Signals(number).name, time.monotonic()
        elif time.monotonic() - self._asked_at > ECHO:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(signal.Signals(number))
