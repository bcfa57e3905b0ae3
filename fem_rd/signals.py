"""Signals that ask a run to stop: a batch system's warning, Ctrl-C."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

_ASKING = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """While it is entered, the first SIGTERM or SIGINT is noted; the second ends the process.

    Signals reach single processes: whether *any* rank was asked is for the ranks to agree on.
    """

    def __init__(self) -> None:
        self.asked_by: str | None = None
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
        self.asked_by = signal.Signals(number).name
        for other in _ASKING:
            signal.signal(other, signal.SIG_DFL)
