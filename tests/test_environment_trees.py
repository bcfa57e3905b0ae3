"""Trees of with-env: built once, by one, completely or not at all. They are built by a stand-in."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from environment_sandbox import Sandbox, copied_environment, only_line, render_module


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return copied_environment(tmp_path)


def test_a_tree_is_built_once_and_entered(sandbox: Sandbox) -> None:
    for _ in range(2):
        told = sandbox.run("--suite", "trixie", "sh", "-c", 'echo "$FEM_RD_TREE $PATH"; exit 7')
        assert told.returncode == 7
        name, path = told.stdout.split()
        assert name == "trixie"
        assert path.startswith(str(sandbox.root / "environment/bin") + ":")
    assert sandbox.builds() == 1
    assert len(sandbox.trees()) == 1
    assert sandbox.leftovers() == []


def test_mmdebstrap_gets_packages_suite_and_mirror(sandbox: Sandbox) -> None:
    sandbox.run("--suite", "sid", "--with", "paraview", "true", FEM_RD_MIRROR="file:/nowhere")
    words = sandbox.log.read_text().split()
    included = next(word for word in words if word.startswith("--include="))
    packages = render_module().read_packages()
    assert included == "--include=" + ",".join(p.debian for p in packages if p.debian)
    assert words[-3] == "sid"
    assert words[-1] == "file:/nowhere"
    assert sandbox.trees()[0].startswith("sid+paraview.")


def test_two_first_starts_build_once(sandbox: Sandbox) -> None:
    sandbox.builds_after("sleep 0.5")
    processes = [sandbox.start("--suite", "trixie", "true") for _ in range(2)]
    errors = [process.communicate(timeout=30)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sandbox.builds() == 1
    assert sum("waiting" in error for error in errors) == 1


def test_a_changed_list_makes_a_new_tree_and_removes_the_old(sandbox: Sandbox) -> None:
    sandbox.run("--suite", "trixie", "true")
    sandbox.run("--suite", "sid", "true")
    (before,) = (name for name in sandbox.trees() if name.startswith("trixie"))
    with (sandbox.root / "environment/packages.txt").open("a") as packages:
        packages.write("run | python3-more | - | - | - | to see a change\n")
    sandbox.run("--suite", "trixie", "true")
    assert before not in sandbox.trees()
    assert len(sandbox.trees()) == 2  # the new one, and that of the other suite


def test_a_tree_in_use_stays(sandbox: Sandbox) -> None:
    busy = sandbox.start("--suite", "trixie", "sh", "-c", "echo started; exec sleep 30")
    assert busy.stdout is not None
    assert busy.stdout.readline() == "started\n"
    assert "in use" in sandbox.run("--remove").stderr
    assert len(sandbox.trees()) == 1
    busy.kill()
    busy.communicate()
    assert sandbox.run("--remove").returncode == 0
    assert not sandbox.cache.exists()


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("E: Failed to fetch x  Could not resolve 'y'", "mirror cannot be reached"),
        ("E: Failed to fetch x  Unable to connect to y:80:", "mirror cannot be reached"),
        ("E: The repository 'x' does not have a Release file.", "does not have Debian trixie"),
        ("dpkg: error: failed to write: No space left on device", "the disk is full"),
        ("E: Unable to locate package nonsense", "Unable to locate package nonsense"),
    ],
)
def test_a_failed_build_says_why_and_leaves_nothing(
    sandbox: Sandbox, log: str, message: str
) -> None:
    sandbox.builds_after(f'mkdir "$target/usr"; echo "{log}" >&2; exit 1')
    told = sandbox.run("--suite", "trixie", "true")
    assert told.returncode == 125
    assert message in only_line(told.stderr)
    assert sandbox.leftovers() == sandbox.trees() == []


def test_a_short_disk_is_seen_before_building(sandbox: Sandbox) -> None:
    sandbox.stand_in("df", 'echo "Filesystem"; echo "/dev/x 9 8 100 9% /"\n')
    told = sandbox.run("--suite", "trixie", "true")
    assert told.returncode == 125
    assert "has 100 MB free and the tree needs 4000 MB" in only_line(told.stderr)
    assert sandbox.builds() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_build_ends_when_told_and_leaves_nothing(sandbox: Sandbox, number: int) -> None:
    sandbox.builds_after('echo $$ >"$LOG.pid"; exec sleep 30')
    process = sandbox.start("--suite", "trixie", "true")
    builder = process_written_to(sandbox.root / "log.pid")
    process.send_signal(number)
    process.communicate(timeout=5)
    assert process.returncode == 128 + number
    assert sandbox.leftovers() == sandbox.trees() == []
    wait_until(lambda: not is_running(builder), "the end of the builder")


@pytest.mark.parametrize("suite", ["trixie", "sid"], ids=["builds", "reuses"])
def test_the_start_after_a_killed_build_removes_its_traces(sandbox: Sandbox, suite: str) -> None:
    sandbox.run("--suite", "sid", "true")
    sandbox.builds_after('echo $$ >"$LOG.pid"; exec sleep 30')
    process = sandbox.start("--suite", "trixie", "true")
    builder = process_written_to(sandbox.root / "log.pid")
    process.kill()
    process.communicate(timeout=5)
    wait_until(lambda: not is_running(builder), "the end of the builder")
    assert sandbox.leftovers() != []
    sandbox.builds_after(":")
    assert sandbox.run("--suite", suite, "true").returncode == 0
    assert sandbox.leftovers() == []


def process_written_to(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().strip() != "", f"a process in {path}")
    return int(path.read_text())


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"not within 10 s: {what}")
