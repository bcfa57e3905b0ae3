"""The command line as its users meet it: exit statuses, one-line errors, nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cases import call, results, write_case
from ranks import run_on_ranks

BOX = """
title = "box"
model = "smoluchowski"
[mesh]
builtin = "box"
upper = [1, 1, 1]
cells = [4, 4, 4]
[smoluchowski]
diffusion = 2.0
[smoluchowski.boundaries.left]
type = "robin"
reactivity = 3.0
[smoluchowski.boundaries.right]
type = "dirichlet"
concentration = 1.0
"""
RATE = 1.2


def shell(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fem_rd", *map(str, words)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_run_leaves_everything_behind(tmp_path: Path) -> None:
    case = write_case(tmp_path / "case", BOX)
    assert call("run", case) == 0
    made = results(case / "results")
    assert made.summary["status"] == "done"
    assert made.value("rate") == pytest.approx(RATE, rel=1e-8)
    assert made.series["rate"][-1] == made.value("rate")
    for name in ("fields.vtkhdf", "run.json", "log.txt", "report.html"):
        assert (case / "results" / name).stat().st_size > 0
    assert made.record["case"]["smoluchowski"]["diffusion"] == 2.0
    assert made.record["environment"]["ranks"] == 1
    assert sum(made.record["phases"].values()) <= made.record["wall_time"]


def test_set_output_and_petsc_options(tmp_path: Path) -> None:
    case = write_case(tmp_path / "case", BOX)
    words = ("--set", "smoluchowski.diffusion=4", "--output", tmp_path / "there")
    done = shell("run", case, *words, "--", "-ksp_type", "gmres", "-ksp_typo", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = results(tmp_path / "there")
    assert made.value("rate") == pytest.approx(1 / (1 / 3 + 1 / 4), rel=1e-8)
    assert made.record["petsc_options"]["ksp_type"] == "gmres"
    assert "ksp_typo" in done.stdout + done.stderr
    assert not (case / "results").exists()


def bad(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


MISTAKES = {
    "unknown key": ("diffusion = 2.0", "difusion = 2.0", "did you mean 'diffusion'"),
    "unit without units": ("diffusion = 2.0", 'diffusion = "2 nm^2/ns"', "smoluchowski.diffusion"),
    "unknown boundary": (
        "boundaries.left", "boundaries.lefft", "did you mean 'left'?; valid: back"),
    "unknown symbol": ("diffusion = 2.0", 'diffusion = "1 + w"', "w"),
    "code": ("diffusion = 2.0", "diffusion = \"__import__('os').system('touch hacked')\"", ""),
    "negative": ("diffusion = 2.0", "diffusion = -2.0", "positive"),
    "negative somewhere": (
        "diffusion = 2.0", 'diffusion = "x - 0.4"', "positive everywhere; at (0"),
    "two rates": ("reactivity = 3.0", "reactivity = 3.0\nkappa = 1.0", "kappa and reactivity"),
    "missing file": (
        'builtin = "box"\nupper = [1, 1, 1]\ncells = [4, 4, 4]', 'file = "no.msh"', "no.msh"),
    "unknown region": (
        "[smoluchowski.boundaries.left]",
        "[smoluchowski.rates.core]\ndegradation = 1.0\n[smoluchowski.boundaries.left]", "core"),
    "no steady state": ('"dirichlet"\nconcentration = 1.0', '"reflecting"', None),
    "step misses an output": (
        "[smoluchowski]\n", "[time]\nend = 1.0\nstep = 0.3\n[smoluchowski]\n", "time.step"),
    "scheme cannot adapt": (
        "[smoluchowski]\n", '[time]\nend = 1.0\nscheme = "bdf2"\n[smoluchowski]\n', "time.scheme"),
    "potential too high": ("diffusion = 2.0", 'diffusion = 2.0\npotential = "1e4*x"', "k_B T"),
    "tensor of the wrong size": ("diffusion = 2.0", "diffusion = [[1.0, 0.0], [0.0, 1.0]]", "3x3"),
    "not TOML": ("diffusion = 2.0", "diffusion = = 2.0", "TOML"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_one_line_and_nothing_is_written(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    old, new, hint = MISTAKES[name]
    text = bad(BOX, old, new)
    if name == "no steady state":
        text = text.replace('type = "robin"\nreactivity = 3.0', 'type = "reflecting"')
        hint = "no unique steady state"
    case = write_case(tmp_path / "case", text)
    assert call("run", case) == 2
    error = capfd.readouterr().err.strip()
    lines = error.split("\n")  # one for each mistake: a misspelt key is also a missing one
    assert len(lines) == (2 if name == "unknown key" else 1)
    assert all(line.startswith(f"fem-rd: {case}/case.toml: ") for line in lines)
    assert (hint or "") in error
    assert list(case.iterdir()) == [case / "case.toml"]
    assert not (tmp_path / "hacked").exists()


def test_petsc_option_that_petsc_refuses(tmp_path: Path) -> None:
    case = write_case(tmp_path / "case", BOX)
    done = shell("run", case, "--", "-ksp_type", "nonsense", cwd=tmp_path)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("fem-rd")]
    assert len(lines) == 1 and "KSP type nonsense" in lines[0]
    assert not (case / "results").exists()


def test_missing_case_and_missing_results(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call("run", tmp_path / "nowhere") == 2
    assert "no such case" in capfd.readouterr().err
    assert call("info", tmp_path) == 2
    assert "not a results directory" in capfd.readouterr().err
    assert call("report", tmp_path) == 2


def test_existing_results_are_kept_unless_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = write_case(tmp_path / "case", BOX)
    assert call("run", case) == 0
    before = (case / "results" / "run.json").read_text()
    capfd.readouterr()
    assert call("run", case) == 2
    error = capfd.readouterr().err
    assert "--output" in error and "--overwrite" in error
    assert (case / "results" / "run.json").read_text() == before
    assert call("run", case, "--overwrite", "--set", "smoluchowski.diffusion=4") == 0
    assert results(case / "results").value("rate") != pytest.approx(RATE, rel=1e-3)


def test_directory_that_is_no_result_is_never_deleted(tmp_path: Path) -> None:
    case = write_case(tmp_path / "case", BOX)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("years")
    assert call("run", case, "--output", tmp_path / "precious", "--overwrite") == 2
    assert (tmp_path / "precious" / "thesis.tex").read_text() == "years"


def test_divergence_saves_the_state_and_says_why(tmp_path: Path) -> None:
    case = write_case(tmp_path / "case", BOX + "[time]\nend = 1.0\nstep = 0.1\n")
    done = shell("run", case, "--", "-ksp_max_it", "1", "-pc_type", "none", cwd=tmp_path)
    assert done.returncode == 3
    message = [line for line in done.stderr.splitlines() if line.startswith("fem-rd:")]
    assert len(message) == 2 and "the iteration limit was reached" in message[0]
    assert "Try:" in message[0] and "go on with: fem-rd resume" in message[1]
    made = results(case / "results")
    assert made.summary["status"] == "failed"
    assert "iteration limit" in made.summary["failure"]
    assert (case / "results" / "fields.vtkhdf").is_file()
    assert (case / "results" / "report.html").is_file()


def test_info_report_check_list_new(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    case = write_case(tmp_path / "case", BOX)
    assert call("check", case) == 0
    said = capfd.readouterr().err
    assert "boundary left: 32 entities, 1 length^2" in said and "the case is right" in said
    assert list(case.iterdir()) == [case / "case.toml"]
    assert call("run", case) == 0
    assert call("info", case / "results") == 0
    assert "status: done" in capfd.readouterr().out
    (case / "results" / "report.html").unlink()
    assert call("report", case / "results") == 0
    assert (case / "results" / "report.html").is_file()
    assert call("list") == 0
    assert "smoluchowski-sphere" in capfd.readouterr().out
    assert call("new", tmp_path / "mine", "--from", "smoluchowski-spere") == 2
    assert "did you mean 'smoluchowski-sphere'" in capfd.readouterr().err
    assert call("new", tmp_path / "mine") == 0
    assert call("check", tmp_path / "mine", "--set", "mesh.parameters.size=0.6") == 0


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_agree_and_one_speaks(tmp_path: Path, ranks: int) -> None:
    case = write_case(tmp_path / "case", BOX)
    done = run_on_ranks(ranks, ["-m", "fem_rd", "run", str(case)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("results in") == 1
    assert results(case / "results").value("rate") == pytest.approx(RATE, rel=1e-9)
    again = run_on_ranks(ranks, ["-m", "fem_rd", "run", str(case)], tmp_path)
    assert again.returncode == 2
    assert again.stderr.count("fem-rd: ") == 1


def test_unexpected_failure_of_one_rank_ends_all(tmp_path: Path) -> None:
    """A defect on rank 1 while rank 0 waits in a collective call."""
    script = (
        "import sys, numpy\n"
        "from mpi4py import MPI\n"
        "from fem_rd import cli\n"
        "from fem_rd.models.budget import Budget\n"
        "flows = Budget.flows\n"
        "def broken(self, *rest):\n"
        "    if MPI.COMM_WORLD.rank == 1:\n"
        "        raise ZeroDivisionError('on purpose')\n"
        "    return flows(self, *rest)\n"
        "Budget.flows = broken\n"
        "cli.main()\n"
    )
    (tmp_path / "broken.py").write_text(script)
    case = write_case(tmp_path / "case", BOX)
    begin = time.monotonic()
    done = run_on_ranks(2, ["broken.py", "run", str(case)], tmp_path)
    assert done.returncode == 3
    assert time.monotonic() - begin < 20
    assert done.stderr.count("ZeroDivisionError: on purpose") == 1


def test_help_answers_at_once() -> None:
    """Half a second at the most, of the best of three; no DOLFINx behind it."""
    times = []
    for _ in range(3):
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "fem_rd", "--help"],
            capture_output=True, text=True, check=True, env=dict(os.environ),
        )  # fmt: skip
        times.append(time.monotonic() - begin)
    assert "check" in done.stdout and "report" in done.stdout
    assert "dolfinx" not in done.stderr
    assert min(times) < 0.5
