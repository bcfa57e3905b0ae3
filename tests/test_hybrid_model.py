"""The hybrid model conserves every amount to round-off and goes on to the bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hybrid_runs import (
    CUBE,
    LINE,
    OWN,
    PAIRS,
    PLANE,
    SHELL,
    hybrid,
    restored_run_goes_on_to_the_bit,
    rows_of,
)

Row = dict[str, float]
ROUND_OFF = 1e-12


def alone(row: Row) -> list[float]:
    return [row["amount_A"]]


def pairs(row: Row) -> list[float]:
    return [row["amount_A"] + row["amount_C"], row["amount_B"] + row["amount_C"]]


def through_cube(row: Row) -> list[float]:
    return [row["amount_A"] + row["left_A_left"] + row["reservoir_left_A_right"]]


def through_shell(row: Row) -> list[float]:
    return [row["amount_B"] + row["left_B_reactive"] + row["reservoir_left_B_reservoir"]]


RUNS: dict[str, tuple[str, float, Callable[[Row], list[float]], tuple[str, ...]]] = {
    "line": (LINE, 0.05, alone, ()),
    "line, own, substeps": (LINE, 0.05, alone, (OWN, "hybrid.substeps=3")),
    "line, few": (LINE, 0.05, alone, ("hybrid.species.A.initial=4.0", "hybrid.replicas=2")),
    "plane": (PLANE, 0.05, alone, ()),
    "plane, own": (PLANE, 0.05, alone, (OWN,)),
    "plane, layer": (PLANE, 0.05, alone, ('hybrid.scheme="layer-matched"', "hybrid.width=0.2")),
    "plane, box": (
        PLANE, 0.05, alone,
        ("hybrid.domain={type='box', upper=[1.0, 1.0]}", 'hybrid.interface="right"'),
    ),
    "pairs": (PAIRS, 0.02, pairs, ()),
    "pairs, own": (PAIRS, 0.02, pairs, (OWN,)),
    "pairs, box": (
        PAIRS, 0.02, pairs,
        ("hybrid.domain={type='box', upper=[1.0, 1.0]}", 'hybrid.interface="right"'),
    ),
    "cube": (CUBE, 0.03, through_cube, ()),
    "cube, own": (CUBE, 0.03, through_cube, (OWN,)),
    "shell": (SHELL, 0.1, through_shell, ()),
    "shell, own": (SHELL, 0.1, through_shell, (OWN,)),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_lost_at_any_step(tmp_path: Path, name: str) -> None:
    """What boundaries and reactions leave as it is, summed over both sides, for every step."""
    text, end, conserved, overrides = RUNS[name]
    rows = list(rows_of(hybrid(tmp_path, text, *overrides), end))
    assert len(rows) > 10
    totals = np.array([conserved(row) for row in rows])
    assert np.abs(totals - totals[0]).max() <= ROUND_OFF * np.abs(totals[0]).max()
    assert max(row["ledger_residual"] for row in rows) <= ROUND_OFF


@pytest.mark.parametrize("name", ["plane", "pairs, own", "shell"])
def test_much_is_exchanged(tmp_path: Path, name: str) -> None:
    """The runs above are not at rest: the ledger is about something."""
    text, end, _, overrides = RUNS[name]
    rows = list(rows_of(hybrid(tmp_path, text, *overrides), end))
    species = "B" if name == "shell" else "A"
    assert max(abs(row[f"reservoir_entered_{species}_interface"]) for row in rows) > 0.5
    if "pairs" in name:
        assert rows[-1]["across_events_pair"] > 0.5


ONE_WAY = ('hybrid.coupling="one-way"',)


@pytest.mark.parametrize(
    ("text", "end", "overrides"),
    [(PLANE, 0.05, ONE_WAY), (PAIRS, 0.02, ONE_WAY), (SHELL, 0.1, ONE_WAY)],
    ids=["plane", "pairs", "shell"],
)
def test_one_way_ledger(tmp_path: Path, text: str, end: float, overrides: tuple[str, ...]) -> None:
    for row in rows_of(hybrid(tmp_path, text, *overrides), end):
        assert row["ledger_residual"] <= ROUND_OFF


RESTARTED = ["line, few", "plane", "plane, own", "pairs", "pairs, own", "cube, own"]


@pytest.mark.parametrize("name", RESTARTED)
def test_restored_run_goes_on_to_the_bit(tmp_path: Path, name: str) -> None:
    text, end, _, overrides = RUNS[name]
    compared = 'hybrid.compare=["pde", "particles"]'
    restored_run_goes_on_to_the_bit(tmp_path, text, end, *overrides, compared)


def test_one_way_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    restored_run_goes_on_to_the_bit(tmp_path, PAIRS, 0.02, *ONE_WAY)
