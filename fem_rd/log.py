"""What a run says: a console for people, `log.txt` for later, wall time by phase.

Only rank 0 speaks; on the others a `Log` is silent and costs nothing. On a terminal Rich draws a
progress bar; elsewhere (a batch system's file) and in `log.txt` there are plain lines, the ones of
progress at growing intervals so that a long run leaves a short log.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

Clock = Callable[[], float]

_LOOK_EVERY = 0.1  # seconds; between them noting progress costs one look at the clock
_FIRST_LINE_AFTER = 5.0  # seconds from the start of the work to its first plain line
_LINES_GROW_BY = 0.5  # of the elapsed time, the silence after a line ...
_LONGEST_SILENCE = 600.0  # ... but in seconds no longer than this
_RATE_OVER = 0.2  # of the elapsed time, the while over which the rate is averaged


class Log:
    """The voice of a run; ``stream`` is standard error unless given."""

    def __init__(
        self,
        *,
        rank: int = 0,
        quiet: bool = False,
        stream: IO[str] | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self.phases: dict[str, float] = {}
        self.warnings: list[str] = []
        self.clock = clock
        self._speaks = rank == 0
        self._stream = None if quiet or rank > 0 else (stream or sys.stderr)
        self._console: Console | None = None
        self._file: IO[str] | None = None
        self._unfiled: list[str] = []
        self._inner = [0.0]  # time spent in the phases inside each phase that is open

    def info(self, text: str) -> None:
        """Say something."""
        self._say(text)

    def warning(self, text: str) -> None:
        """Say that something is doubtful; kept in `warnings` for `run.json`."""
        self.warnings.append(text)
        self._say(f"warning: {text}", style="yellow")

    def error(self, text: str) -> None:
        """Say what made the run fail."""
        self._say(f"error: {text}", style="bold red")

    def attach(self, path: Path, *, append: bool = False) -> None:
        """From now on write to the file ``path`` as well, first what was said before it existed."""
        if not self._speaks:
            return
        self._file = path.open("a" if append else "w", encoding="utf-8")
        for line in self._unfiled:
            self._write_to_file(line)
        self._unfiled.clear()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the wall time of a block under ``name``, without that of phases inside it."""
        begin = self.clock()
        self._inner.append(0.0)
        try:
            yield
        finally:
            elapsed = self.clock() - begin
            own = elapsed - self._inner.pop()
            self._inner[-1] += elapsed
            self.phases[name] = self.phases.get(name, 0.0) + own

    def progress(self, end: float, *, start: float = 0.0, unit: str = "") -> Progress:
        """A context in which the simulated time goes from ``start`` to ``end``."""
        return Progress(self, start, end, unit)

    def close(self) -> None:
        """Close the file; what is said later is not kept."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def terminal(self) -> Console | None:
        """Rich's console where people watch, None where output goes to a file or nowhere."""
        if self._stream is None or not self._stream.isatty() or os.environ.get("TERM") == "dumb":
            return None
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self._stream, highlight=False, markup=False)
        return self._console

    def plain(self, line: str) -> None:
        """A line for whatever is not a terminal."""
        if self._speaks:
            self._write_to_file(line)
            if self._stream is not None and self.terminal() is None:
                self._stream.write(line + "\n")
                self._stream.flush()

    def _say(self, text: str, style: str | None = None) -> None:
        self.plain(text)
        console = self.terminal()
        if console is not None:
            console.print(text, style=style, soft_wrap=True)

    def _write_to_file(self, line: str) -> None:
        if self._file is None:
            self._unfiled.append(line)
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self._file.write("".join(f"{stamp}  {part}\n" for part in line.split("\n")))
        self._file.flush()


class Progress:
    """How far a run has come in simulated time, how fast it goes, how long it will still take."""

    def __init__(self, log: Log, start: float, end: float, unit: str) -> None:
        self._log, self._start, self._end = log, start, end
        self._unit = f" {unit}" if unit else ""
        self._begin = self._looked = log.clock()
        self._noted = self._time = start
        self._step = 0
        self._rate = 0.0  # of simulated time
        self._next_line = _FIRST_LINE_AFTER
        self._bar: Bar | None = None

    def __enter__(self) -> Progress:
        console = self._log.terminal()
        if console is not None:
            self._bar = _bar(console, self._end - self._start or None)  # None: it only moves
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._draw()
        if self._bar is not None:
            self._bar.stop()
        elapsed = self._log.clock() - self._begin
        self._log.plain(f"{self._reached()} in {duration(elapsed)}")

    def advance(self, time: float, step: int) -> None:
        """Note that ``step`` steps are done and that they reached the simulated ``time``."""
        self._time, self._step = time, step
        now = self._log.clock()
        if now - self._looked < _LOOK_EVERY:
            return
        elapsed = now - self._begin
        self._update_rate(now, elapsed)
        self._draw()
        if elapsed >= self._next_line:
            self._next_line = elapsed + min(_LINES_GROW_BY * elapsed, _LONGEST_SILENCE)
            self._log.plain(", ".join(filter(None, (self._reached(), self._pace()))))

    def remaining(self) -> float | None:
        """Seconds still to go at the present rate; None while that is unknown."""
        return (self._end - self._time) / self._rate if self._rate > 0.0 else None

    def _update_rate(self, now: float, elapsed: float) -> None:
        wall = now - self._looked
        latest = (self._time - self._noted) / wall
        weight = 1.0 - math.exp(-wall / (_RATE_OVER * elapsed))
        self._rate += weight * (latest - self._rate) if self._rate > 0.0 else latest
        self._looked, self._noted = now, self._time

    def _draw(self) -> None:
        if self._bar is not None:
            done = self._time - self._start
            self._bar.update(
                self._bar.task_ids[0], completed=done, at=self._reached(), pace=self._pace()
            )

    def _reached(self) -> str:
        if self._end == self._start:  # a steady state: no time goes by
            return f"step {self._step}"
        return f"time {self._time:.4g} of {self._end:.4g}{self._unit}, step {self._step}"

    def _pace(self) -> str:
        remaining = self.remaining()
        if remaining is None:
            return ""
        return f"{self._rate:.3g}{self._unit}/s, {duration(remaining)} left"


def _bar(console: Console, length: float | None) -> Bar:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    plain = partial(TextColumn, markup=False)
    bar = Progress(
        plain("{task.fields[at]}"),
        BarColumn(),
        TaskProgressColumn(),
        plain("{task.fields[pace]}"),
        console=console,
    )
    bar.add_task("", total=length, at="", pace="")
    return bar


def duration(seconds: float) -> str:
    """A wall time as people read it: 3.2 s, 4:05, 1:02:03, 2 days 3:04:05."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if not hours:
        return f"{minute}:{second:02}"
    clock = f"{hour}:{minute:02}:{second:02}"
    return f"{days} day{'s' if days > 1 else ''} {clock}" if days else clock
