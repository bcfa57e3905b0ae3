"""One convention of rates, in every reading: `2 A -> 0` of pair rate lambda loses lambda c^2.

The well-mixed rate equation, the uniform field, Doi's nonlocal reaction and the stochastic
simulation start from the same network (open-reaction-diffusion eq. 17-23 and App. A3).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import build, values_of

from fem_rd.chemistry.equations import mass_action
from fem_rd.chemistry.rate_equations import RateEquations
from fem_rd.chemistry.stochastic import Simulation

LAMBDA, START, END = 0.7, 1.3, 2.0
LEFT = START / (1 + LAMBDA * START * END)  # of dc/dt = -lambda c^2
PDE = """
title = "annihilation"
model = "reaction-diffusion"
[mesh]
builtin = "interval"
upper = [20.0]
cells = [{cells}]
[chemistry.reactions.annihilation]
equation = "{equation}"
{rate}
[reaction-diffusion.species.A]
diffusion = 1.0
initial = {start}
[reaction-diffusion.probes]
middle = [10.0]
[time]
end = 2.0
scheme = "ark4"
tolerance = 1e-8
"""


def pde(directory: Path, equation: str, rate: str) -> dict[str, float]:
    text = PDE.format(cells=80, equation=equation, rate=rate, start=START)
    model = build(directory, text)
    while model.time < END:
        model.advance(END)
    return values_of(model)


def test_rate_equation() -> None:
    network = mass_action({"annihilation": ("2 A -> 0", LAMBDA / 2)})
    found = RateEquations(network).integrate([START], [END], tolerance=1e-10)
    assert found[-1][0] == pytest.approx(LEFT, rel=1e-8)


@pytest.mark.parametrize(
    ("equation", "rate"),
    [
        ("2 A -> 0", f"combination_rate = {LAMBDA}"),
        ("2 A -> 0", f"rate = {LAMBDA / 2}"),
        ("A + A -> 0", f"rate = {LAMBDA / 2}"),
        ("2 A -> A", f"rate = {LAMBDA}"),
        ("2 A -> 0", f'law = "{LAMBDA / 2}*A^2"'),
        ("2 A -> 0", f"combination_rate = {LAMBDA / 2}\nradius = 1.0"),
    ],
)
def test_field(tmp_path: Path, equation: str, rate: str) -> None:
    """Far from walls V_sigma = 2 sigma = 2 for the last: k = V_sigma lambda_0 (eq. 22)."""
    found = pde(tmp_path, equation, rate)
    assert found["A_middle"] == pytest.approx(LEFT, rel=2e-6)
    lost = 20 * START - found["amount_A"]
    per_event = 1 if equation.endswith("A") else 2
    assert found["total_events_annihilation"] == pytest.approx(lost / per_event, rel=1e-10)


def test_stochastic_simulation() -> None:
    """The mean of n/V approaches the rate equation as 1/V; the events remove two each."""
    network = mass_action({"annihilation": ("2 A -> 0", LAMBDA / 2)})
    volume, replicas = 1000.0, 2000
    run = Simulation(network, volume).run({"A": round(START * volume)}, [END], replicas, seed=3)
    counts = run.counts[:, 0, 0]
    error = counts.std() / np.sqrt(replicas) / volume
    assert counts.mean() / volume == pytest.approx(LEFT, abs=4 * error + 1e-3)
    assert np.all(counts % 2 == round(START * volume) % 2)
