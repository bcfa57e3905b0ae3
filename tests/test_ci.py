""".ci/run with a stand-in for with-env: what fails it, what does not."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from environment_sandbox import ENVIRONMENT, REPOSITORY


def run_ci(root: Path, statuses: Mapping[str, int]) -> subprocess.CompletedProcess[str]:
    """.ci/run with a with-env that ends with the status of the first text found in its words."""
    shutil.copytree(REPOSITORY / ".ci", root / ".ci")
    (root / "environment").mkdir()
    shutil.copy(ENVIRONMENT / "packages.txt", root / "environment")
    cases = "".join(f'  *"{text}"*) exit {status} ;;\n' for text, status in statuses.items())
    (root / "with-env").write_text(f'#!/bin/sh\ncase " $*" in\n{cases}esac\n')
    (root / "with-env").chmod(0o755)
    return subprocess.run([root / ".ci/run"], capture_output=True, text=True, check=False)


def summary(text: str) -> dict[str, str]:
    rows = re.findall(
        r"^(.{14}) (.{28}) +\d+ s$", text.partition("== summary")[2], flags=re.MULTILINE
    )
    return {name.strip(): result.strip() for name, result in rows}


def test_ci_skips_what_is_not_to_be_had(tmp_path: Path) -> None:
    done = run_ci(tmp_path, {"--suite sid": 125, "bin/ruff": 127, "-m venv": 1, "-m slow": 5})
    assert done.returncode == 0
    assert summary(done.stdout) == {
        "default tests": "passed",
        "mypy": "passed",
        "ruff": "skipped: not to be had here",
        "sid": "skipped: not to be had here",
        "paraview": "passed",
        "slow tests": "no tests",
    }


def test_ci_stops_at_failed_default_tests(tmp_path: Path) -> None:
    done = run_ci(tmp_path, {" pytest": 1})
    assert done.returncode == 1
    assert summary(done.stdout) == {"default tests": "FAILED: status 1"}


@pytest.mark.parametrize("failing", ["mypy", "--suite sid pytest", "-m slow"])
def test_ci_fails_if_one_stage_does_and_runs_the_others(tmp_path: Path, failing: str) -> None:
    done = run_ci(tmp_path, {failing: 3})
    assert done.returncode == 1
    results = summary(done.stdout)
    assert len(results) == 6
    assert sorted(results.values()) == ["FAILED: status 3", *["passed"] * 5]
