"""Hybrid runs from the command line: the same on any number of ranks, and after they were stopped.

Each replica draws its own numbers, and reservoirs of their own are solved on the rank of their
replica: those runs agree to the bit, up to the order of sums over replicas. A shared PDE is solved
to the tolerance of the solver, and adds up what replicas gave in the order of ranks. So particles
are the same unless a decision is that close, which in runs as short as these it is not.
"""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from cases import Run, call, results, write_case
from hybrid_runs import PAIRS
from ranks import run_on_ranks
from test_resume import Launched, uninterrupted

CASES = {
    "shared": PAIRS,
    "own": PAIRS.replace("replicas = 4", 'replicas = 4\nreservoir = "own"'),
}
COUNTED = ("count", "left", "across_events", "events")
SHORTER, LONGER = ("end = 0.02", "end = 0.008"), ("end = 0.02", "end = 0.06")
slow = pytest.mark.slow


def run(directory: Path, text: str, ranks: int) -> Run:
    write_case(directory / f"on-{ranks}", text)
    done = run_on_ranks(ranks, ["-m", "fem_rd", "run", f"on-{ranks}"], directory)
    assert done.returncode == 0, done.stderr
    return results(directory / f"on-{ranks}" / "results")


@pytest.mark.parametrize("kind", ["shared", pytest.param("own", marks=slow)])
def test_same_on_any_number_of_ranks(tmp_path: Path, kind: str) -> None:
    text = CASES[kind].replace(*SHORTER) + "[output]\nfields_every = 0.004\n"
    alone = run(tmp_path, text, 1)
    for ranks in (2, 3):
        found = run(tmp_path, text, ranks)
        assert found.series.keys() == alone.series.keys()
        for name, expected in alone.series.items():
            if name.startswith(COUNTED) and "variance" not in name:
                assert np.array_equal(found.series[name], expected, equal_nan=True), name
            elif name.startswith("reservoir_amount"):
                accuracy = 1e-8 if kind == "shared" else 1e-13
                assert found.series[name] == pytest.approx(expected, rel=accuracy), name
        assert max(found.series["ledger_residual"]) <= 1e-12


def killed_run_goes_on_to_the_bit(directory: Path, text: str, ranks: int) -> None:
    """A case with checkpoints, killed by SIGKILL after some rows, resumed and compared."""
    whole = uninterrupted(directory, text, ranks)
    case = write_case(directory / "case", text)
    launched = Launched(directory, ranks, "run", "case")
    launched.wait_for_rows(case / "results" / "observables.csv", 9)
    launched.send(signal.SIGKILL, range(ranks))
    status, error = launched.finish()
    assert status != 0, error
    if ranks == 1:
        assert call("resume", case / "results") == 0
    else:
        done = run_on_ranks(ranks, ["-m", "fem_rd", "resume", "case/results"], directory)
        assert done.returncode == 0, done.stderr
    assert results(case / "results").record["resumed"]
    assert (case / "results" / "observables.csv").read_text() == whole


@pytest.mark.parametrize(
    ("kind", "ranks"),
    [("shared", 1), pytest.param("own", 1, marks=slow), pytest.param("shared", 2, marks=slow)],
)
def test_stopped_run_goes_on_to_the_bit(tmp_path: Path, kind: str, ranks: int) -> None:
    """Killed after a checkpoint, at whatever step it has reached by then."""
    text = CASES[kind].replace(*LONGER) + "[checkpoint]\nsteps = 4\n"
    killed_run_goes_on_to_the_bit(tmp_path, text, ranks)
