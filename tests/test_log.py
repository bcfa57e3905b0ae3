"""What a run says, to whom, and how often."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fem_rd.log import Log, duration


class Clock:
    """Time that goes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines_of(path: Path) -> list[str]:
    """Lines of a log file without their time stamps."""
    stamp = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(stamp.match(line) for line in lines)
    return [stamp.sub("", line) for line in lines]


def test_plain_lines_where_nobody_watches(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Log(stream=stream) as log:
        log.info("mesh: [1, 2] cells")
        log.attach(tmp_path / "log.txt")
        log.warning("the step is long")
        log.error("two\nlines")
    assert stream.getvalue().splitlines() == [
        "mesh: [1, 2] cells",
        "warning: the step is long",
        "error: two",
        "lines",
    ]
    # what was said before the file existed is in it as well, first
    assert lines_of(tmp_path / "log.txt") == stream.getvalue().splitlines()
    assert log.warnings == ["the step is long"]


def test_appending_to_a_log(tmp_path: Path) -> None:
    for text, append in (("lost", False), ("first", False), ("second", True)):
        with Log(quiet=True) as log:
            log.attach(tmp_path / "log.txt", append=append)
            log.info(text)
    assert lines_of(tmp_path / "log.txt") == ["first", "second"]


def test_other_ranks_are_silent(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Log(rank=1, stream=stream) as log:
        log.attach(tmp_path / "log.txt")
        log.warning("x")
        with log.phase("mesh"), log.progress(1.0) as progress:
            progress.advance(0.5, 1)
    assert stream.getvalue() == ""
    assert not (tmp_path / "log.txt").exists()
    assert "mesh" in log.phases


def test_a_terminal_shows_brackets_and_colours(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with Log(stream=stream) as log:
        log.attach(tmp_path / "log.txt")
        log.warning("[bold]D[/bold] = [1, 2]")
    assert "[bold]D[/bold] = [1, 2]" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()
    assert lines_of(tmp_path / "log.txt") == ["warning: [bold]D[/bold] = [1, 2]"]


def test_phases_add_up_to_the_whole() -> None:
    clock = Clock()
    log = Log(quiet=True, clock=clock)
    with log.phase("set-up"):
        clock.now += 1.0
        with log.phase("mesh"):
            clock.now += 10.0
        clock.now += 1.0
        with log.phase("mesh"):
            clock.now += 5.0
        clock.now += 1.0
    for _ in range(3):
        with log.phase("solve"):
            clock.now += 5.0
            with log.phase("output"):
                clock.now += 0.5
    assert log.phases == {"mesh": 15.0, "set-up": 3.0, "output": 1.5, "solve": 15.0}
    assert sum(log.phases.values()) == clock.now - 100.0


def test_a_phase_that_fails_is_counted() -> None:
    clock = Clock()
    log = Log(quiet=True, clock=clock)
    with pytest.raises(ValueError, match="x"), log.phase("solve"):
        clock.now += 2.0
        raise ValueError("x")
    with log.phase("output"):
        clock.now += 1.0
    assert log.phases == {"solve": 2.0, "output": 1.0}


def progress_lines(tmp_path: Path, hours: float) -> list[str]:
    clock = Clock()
    with Log(quiet=True, clock=clock) as log:
        log.attach(tmp_path / "log.txt")
        with log.progress(8.0, unit="ns") as progress:
            steps = 20_000
            for step in range(1, steps + 1):
                clock.now += hours * 3600.0 / steps
                progress.advance(8.0 * step / steps, step)
    return lines_of(tmp_path / "log.txt")


def test_progress_lines_are_few_and_tell_the_pace(tmp_path: Path) -> None:
    short, long = progress_lines(tmp_path, 0.1), progress_lines(tmp_path, 24.0)
    assert 5 <= len(short) <= 15
    assert 100 <= len(long) <= 160  # one in ten minutes at least
    where = re.compile(r"time (\S+) of 8 ns, step \d+, (\S+) ns/s, (\S+) left")
    time, rate, left = where.fullmatch(long[30]).groups()
    assert float(rate) == pytest.approx(8.0 / 86400.0, rel=0.01)
    hours, minutes, seconds = map(int, left.split(":"))
    to_go = 24.0 * 3600.0 * (1.0 - float(time) / 8.0)
    assert hours * 3600 + minutes * 60 + seconds == pytest.approx(to_go, rel=0.01)
    assert long[-1] == "time 8 of 8 ns, step 20000 in 1 day 0:00:00"


def test_remaining_time_follows_a_change_of_pace() -> None:
    clock = Clock()
    log = Log(quiet=True, clock=clock)
    with log.progress(100.0) as progress:
        assert progress.remaining() is None
        for step in range(1, 51):  # one unit of time per second, then a tenth of that
            clock.now += 1.0
            progress.advance(float(step), step)
        assert progress.remaining() == pytest.approx(50.0, rel=1e-9)
        for step in range(1, 101):
            clock.now += 1.0
            progress.advance(50.0 + 0.1 * step, 50 + step)
        assert progress.remaining() == pytest.approx(400.0, rel=0.15)


def test_a_steady_state_has_no_time(tmp_path: Path) -> None:
    clock = Clock()
    with Log(quiet=True, clock=clock) as log:
        log.attach(tmp_path / "log.txt")
        with log.progress(0.0, unit="ns") as progress:
            for step in (1, 2):
                clock.now += 10.0
                progress.advance(0.0, step)
    assert lines_of(tmp_path / "log.txt") == ["step 1", "step 2", "step 2 in 20.0 s"]


_RUN = """
import time
from fem_rd.log import Log
with Log() as log, log.progress(2.0, unit="ns") as progress:
    for step in range(1, 21):
        time.sleep(0.03)
        progress.advance(0.1 * step, step)
        if step == 10:
            log.info("a checkpoint")
"""


def test_a_bar_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "90"}
    run = subprocess.Popen([sys.executable, "-c", _RUN], stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 65536):
            said += part
    except OSError:  # how Linux says that the other end was closed
        pass
    os.close(ours)
    assert run.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    assert "a checkpoint" in text
    assert "time 2 of 2 ns, step 20" in text
    assert "100%" in text
    assert re.search(r"ns/s, \d\.\d s left", text)
    assert "━" in text


def test_rich_is_not_imported_until_it_is_needed() -> None:
    code = "import sys; import fem_rd.log; fem_rd.log.Log().info('x'); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.97, "1:00"),
        (61.2, "1:01"),
        (3599.7, "1:00:00"),
        (3725.0, "1:02:05"),
        (86400.0 + 60.0, "1 day 0:01:00"),
        (3 * 86400.0, "3 days 0:00:00"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
