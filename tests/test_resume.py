"""Interrupted runs go on as if nothing had happened."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cases import call, results, write_case
from ranks import command_on_ranks, run_on_ranks

CASE = """
title = "slab fed by an oscillating reservoir"
model = "smoluchowski"
[mesh]
builtin = "box"
upper = [1, 1, 1]
cells = [5, 5, 5]
[smoluchowski]
diffusion = 0.5
initial = 0.5
[smoluchowski.boundaries.left]
type = "robin"
reactivity = 3.0
[smoluchowski.boundaries.right]
type = "dirichlet"
concentration = "1 + 0.5*sin(7*t)"
[time]
end = {end}
{stepping}
[output]
fields_every = 0.25
[checkpoint]
steps = {every}
"""
ADAPTIVE = "tolerance = 1e-5"
FIXED = 'step = 0.01\nscheme = "{}"'
SCHEMES = {"adaptive": ADAPTIVE} | {
    name: FIXED.format(name) for name in ("bdf2", "sdirk2", "backward-euler")
}
REMOUNT, DETACH = 32, 2  # flags of mount(2) and umount2(2)
RUNNER = """
import os, sys
from pathlib import Path
from mpi4py import MPI
Path(f"pid-{MPI.COMM_WORLD.rank}").write_text(str(os.getpid()))
from fem_rd import cli
cli.main()
"""


class Launched:
    """A run in other processes, whose ranks can be sent signals one by one."""

    def __init__(self, directory: Path, ranks: int, *words: object) -> None:
        self.directory, self.ranks = directory, ranks
        (directory / "runner.py").write_text(RUNNER)
        for old in directory.glob("pid-*"):
            old.unlink()
        arguments = ["runner.py", *map(str, words)]
        command = [sys.executable, *arguments]
        if ranks > 1:
            command = command_on_ranks(ranks, arguments)
        self.process = subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait_for_rows(self, file: Path, count: int) -> None:
        deadline = time.monotonic() + 60
        while not (file.is_file() and file.read_text().count("\n") > count):
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.01)

    def send(self, number: signal.Signals, ranks: Sequence[int]) -> None:
        for rank in ranks:
            os.kill(int((self.directory / f"pid-{rank}").read_text()), number)

    def finish(self) -> tuple[int, str]:
        _, error = self.process.communicate(timeout=60)
        return self.process.returncode, error


def uninterrupted(directory: Path, text: str, ranks: int) -> str:
    """observables.csv of the run that nobody stopped."""
    write_case(directory / "whole", text)
    done = run_on_ranks(ranks, ["-m", "fem_rd", "run", "whole"], directory)
    assert done.returncode == 0, done.stderr
    return (directory / "whole" / "results" / "observables.csv").read_text()


@pytest.mark.parametrize("name", SCHEMES)
def test_stopped_run_goes_on_to_the_bit(tmp_path: Path, name: str) -> None:
    """Stopped between checkpoints by a signal, for every kind of stepping."""
    text = CASE.format(end=1.0, stepping=SCHEMES[name], every=1000)
    whole = uninterrupted(tmp_path, text, 1)
    case = write_case(tmp_path / "case", text)
    run = Launched(tmp_path, 1, "run", "case")
    run.wait_for_rows(case / "results" / "observables.csv", 12)
    run.send(signal.SIGTERM, [0])
    status, error = run.finish()
    assert status == 4, error
    assert "stopped on request" in error and "fem-rd resume case/results" in error
    stopped = results(case / "results")
    assert stopped.summary["status"] == "interrupted"
    assert 12 < len(stopped.series["time"]) < whole.count("\n") - 1
    assert call("resume", case / "results") == 0
    assert (case / "results" / "observables.csv").read_text() == whole
    resumed = results(case / "results")
    assert resumed.summary["status"] == "done"
    assert resumed.record["resumed"][0]["from_time"] == stopped.series["time"][-1]


@pytest.mark.parametrize("asked", [[0], [1], [0, 1]])
def test_signal_to_any_rank_stops_all_within_one_step(tmp_path: Path, asked: list[int]) -> None:
    text = CASE.format(end=500.0, stepping=SCHEMES["bdf2"], every=1000)
    case = write_case(tmp_path / "case", text)
    run = Launched(tmp_path, 2, "run", "case")
    rows = case / "results" / "observables.csv"
    run.wait_for_rows(rows, 12)
    run.send(signal.SIGTERM, asked)
    status, error = run.finish()
    assert status == 4, error
    assert error.count("fem-rd: stopped on request") == 1
    reached = results(case / "results").series["time"][-1]
    saved = max((case / "results" / "checkpoint").glob("step-*.npz")).stem.split("-")[1]
    assert int(saved) == round(reached / 0.01)


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    """While a step takes long, as here the one that sleeps."""
    case = write_case(tmp_path / "case", CASE.format(end=5.0, stepping=ADAPTIVE, every=1000))
    slow = "import time\nfrom fem_rd.models.smoluchowski.model import SmoluchowskiModel as M\n"
    slow += "advance = M.advance\n"
    slow += "naps = [0.1] * 99\n"
    slow += "M.advance = lambda self, t: (advance(self, t), [time.sleep(nap) for nap in naps])\n"
    run = Launched.__new__(Launched)
    (tmp_path / "runner.py").write_text(RUNNER.replace("cli.main()", slow + "cli.main()"))
    run.directory, run.ranks = tmp_path, 1
    run.process = subprocess.Popen(
        [sys.executable, "runner.py", "run", "case"], cwd=tmp_path, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    run.wait_for_rows(case / "results" / "observables.csv", 0)
    time.sleep(0.3)
    begin = time.monotonic()
    run.send(signal.SIGTERM, [0])
    time.sleep(0.2)
    run.send(signal.SIGTERM, [0])  # an echo of the first
    time.sleep(1.2)
    assert run.process.poll() is None
    run.send(signal.SIGTERM, [0])
    status, _ = run.finish()
    assert status == -signal.SIGTERM
    assert time.monotonic() - begin < 4


SICK = CASE.replace(
    "[time]", "[smoluchowski.rates.everywhere]\ncreation = 'sqrt(0.305 - t + x)'\n[time]"
)


def test_what_is_not_finite_is_located_and_the_last_good_state_saved(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The creation rate is no number at x = 0 from t = 0.305 on."""
    case = write_case(tmp_path / "case", SICK.format(end=1.0, stepping=SCHEMES["bdf2"], every=1000))
    assert call("run", case) == 3
    error = capfd.readouterr().err
    line = next(line for line in error.splitlines() if line.startswith("fem-rd: "))
    assert "not finite" in line and "from time 0.3 " in line and "concentration at (0" in line
    assert "Try:" in line
    stopped = results(case / "results")
    assert stopped.summary["status"] == "failed"
    assert stopped.series["time"][-1] == 0.3
    assert (case / "results" / "checkpoint" / "step-000000030.npz").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    disk, text = tmp_path / "disk", CASE.format(end=15.0, stepping=SCHEMES["bdf2"], every=1)
    disk.mkdir()
    whole = uninterrupted(tmp_path, text, 1)
    libc, place = ctypes.CDLL(None, use_errno=True), str(disk).encode()
    if libc.mount(b"tmpfs", place, b"tmpfs", 0, b"size=1100k"):
        pytest.skip("no file system can be mounted here")
    try:
        write_case(tmp_path / "case", text)
        done = subprocess.run(
            [sys.executable, "-m", "fem_rd", "run", "case", "--output", str(disk / "out")],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
        assert any((disk / "out" / "checkpoint").glob("step-*.npz"))
        assert libc.mount(b"tmpfs", place, b"tmpfs", REMOUNT, b"size=50m") == 0
        assert call("resume", disk / "out") == 0
        assert (disk / "out" / "observables.csv").read_text() == whole
    finally:
        libc.umount2(place, DETACH)


def kill_and_resume(directory: Path, name: str, ranks: int, random_: random.Random) -> int:
    """Kill a run at random moments until it is done; the number of kills."""
    kills, words = 0, ("run", name)
    while True:
        run = Launched(directory, ranks, *words)
        try:
            run.process.wait(random_.uniform(1.0, 2.6) + 0.05 * kills)
        except subprocess.TimeoutExpired:
            begun = [rank for rank in range(ranks) if (directory / f"pid-{rank}").exists()]
            run.send(signal.SIGKILL, begun)
            kills += 1
        status, error = run.finish()
        if status == 0:
            return kills
        assert status in (-signal.SIGKILL, 128 + signal.SIGKILL, 137), error
        saved = any((directory / name / "results" / "checkpoint").glob("step-*.npz"))
        words = ("resume", f"{name}/results") if saved else ("run", name, "--overwrite")


@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_run_goes_on_to_the_bit(tmp_path: Path, ranks: int) -> None:
    text = CASE.format(end=6.0, stepping=SCHEMES["bdf2"], every=1)
    whole = uninterrupted(tmp_path, text, ranks)
    write_case(tmp_path / "case", text)
    kills = kill_and_resume(tmp_path, "case", ranks, random.Random(ranks))
    assert kills >= 1
    assert (tmp_path / "case" / "results" / "observables.csv").read_text() == whole


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("ranks", [1, 2])
def test_many_kills(tmp_path: Path, ranks: int) -> None:
    """At least 25 kills on each number of ranks, during steps and while a checkpoint is written."""
    text = CASE.format(end=20.0, stepping=SCHEMES["bdf2"], every=1)
    whole = uninterrupted(tmp_path, text, ranks)
    random_, kills, runs = random.Random(100 + ranks), 0, 0
    while kills < 25:
        write_case(tmp_path / f"case{runs}", text)
        kills += kill_and_resume(tmp_path, f"case{runs}", ranks, random_)
        assert (tmp_path / f"case{runs}" / "results" / "observables.csv").read_text() == whole
        runs += 1


def test_other_numbers_of_ranks_go_on(tmp_path: Path) -> None:
    """1 -> 2 -> 3 ranks: the same rate to the tolerance of the solver."""
    text = CASE.format(end=1.0, stepping=SCHEMES["bdf2"], every=10)
    uninterrupted(tmp_path, text, 1)
    case = write_case(tmp_path / "case", text.replace("end = 1.0", "end = 0.3"))
    assert call("run", case) == 0
    for ranks, end in ((2, 0.6), (3, 1.0)):
        write_case(case, text.replace("end = 1.0", f"end = {end}"))
        done = run_on_ranks(
            ranks, ["-m", "fem_rd", "resume", "case/results", "--accept-changes"], tmp_path
        )
        assert done.returncode == 0, done.stderr
    found, whole = results(case / "results"), results(tmp_path / "whole" / "results")
    assert np.array_equal(found.series["time"], whole.series["time"])
    assert found.series["rate"] == pytest.approx(whole.series["rate"], rel=1e-8)
    assert abs(found.value("ledger_residual")) < 1e-8


def interrupted(directory: Path) -> Path:
    """A case whose run ended early, with checkpoints at steps 90 and 100."""
    text = CASE.format(end=1.0, stepping=SCHEMES["bdf2"], every=10)
    case = write_case(directory / "case", text)
    assert call("run", case) == 0
    write_case(case, text.replace("end = 1.0", "end = 1.2"))
    return case


def test_damaged_checkpoint_is_refused_and_the_older_used(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = interrupted(tmp_path)
    whole = tmp_path / "whole"
    assert call("run", case, "--output", whole) == 0
    last = case / "results" / "checkpoint" / "step-000000100.npz"
    good = last.read_bytes()
    flipped = good[:5000] + bytes([good[5000] ^ 1]) + good[5001:]
    for damage in (good[: len(good) // 2], flipped, b""):
        last.write_bytes(damage)
        capfd.readouterr()
        assert call("resume", case / "results", "--accept-changes") == 0
        said = capfd.readouterr().err
        assert "step-000000100.npz: not a whole checkpoint" in said
        assert "going on from time 0.9, step 90" in said
        expected = (whole / "observables.csv").read_text()
        assert (case / "results" / "observables.csv").read_text() == expected
        for file in (case / "results" / "checkpoint").glob("step-*.npz"):
            file.unlink()
        write_case(case, CASE.format(end=1.0, stepping=SCHEMES["bdf2"], every=10))
        assert call("run", case, "--overwrite") == 0
        write_case(case, CASE.format(end=1.2, stepping=SCHEMES["bdf2"], every=10))


def test_no_whole_checkpoint_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    case = interrupted(tmp_path)
    for file in (case / "results" / "checkpoint").glob("step-*.npz"):
        file.write_bytes(b"nothing")
    assert call("resume", case / "results", "--accept-changes") == 2
    assert "no checkpoint to go on from" in capfd.readouterr().err


def test_changed_case_is_shown_and_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = interrupted(tmp_path)
    capfd.readouterr()
    assert call("resume", case / "results") == 2
    error = capfd.readouterr().err
    assert "time.end: was 1.0 when the run began; found 1.2" in error
    assert "--accept-changes" in error
    text = (case / "case.toml").read_text()
    (case / "case.toml").write_text(text.replace("diffusion = 0.5", "diffusion = 0.6"))
    assert call("resume", case / "results", "--accept-changes") == 2
    error = capfd.readouterr().err
    assert "smoluchowski.diffusion: was 0.5" in error and "time.end" not in error


def test_run_on_an_interrupted_directory_points_to_resume(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = interrupted(tmp_path)
    (case / "results" / "summary.json").unlink()
    assert call("run", case) == 2
    assert "fem-rd resume" in capfd.readouterr().err
    assert call("info", case / "results") == 0
    assert "can be resumed from time 1" in capfd.readouterr().out
