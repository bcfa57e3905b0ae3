"""The reaction-diffusion model against closed forms, other routes and its own promises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cases import build, values_of

from fem_rd.exact.fronts import ablowitz_zeppetella_wave
from fem_rd.exact.morphogen import MorphogenGradient
from fem_rd.models.reaction_diffusion.model import ReactionDiffusionModel

SLAB = """
title = "creation and degradation between reservoirs"
model = "reaction-diffusion"
[mesh]
builtin = "interval"
upper = [1.0]
cells = [{cells}]
[chemistry.reactions.creation]
equation = "0 -> A"
rate = 10.0
[chemistry.reactions.degradation]
equation = "A -> 0"
rate = 4.0
[reaction-diffusion]
degree = {degree}
[reaction-diffusion.species.A]
diffusion = 1.0
initial = 20.0
[reaction-diffusion.species.A.boundaries.left]
type = "dirichlet"
concentration = 20.0
[reaction-diffusion.species.A.boundaries.right]
type = "dirichlet"
concentration = 20.0
[reaction-diffusion.probes]
centre = [0.5]
"""


def model_of(directory: Path, text: str, *overrides: str) -> ReactionDiffusionModel:
    model = build(directory, text, *overrides)
    assert isinstance(model, ReactionDiffusionModel)
    return model


def run_to(model: ReactionDiffusionModel, end: float) -> dict[str, float]:
    while model.time < end:
        model.advance(end)
    return values_of(model)


@pytest.mark.parametrize(("degree", "cells", "error"), [(1, 100, 6e-5), (2, 40, 1e-8)])
def test_steady_slab_between_reservoirs(
    tmp_path: Path, degree: int, cells: int, error: float
) -> None:
    """c = c0 + (cR - c0) cosh(m(x - L/2))/cosh(mL/2), REFERENCES D1, with its account."""
    model = model_of(tmp_path, SLAB.format(degree=degree, cells=cells))
    model.advance(0.0)
    found = values_of(model)
    assert found["A_centre"] == pytest.approx(13.840949789118, rel=error)
    assert found["amount_A"] == pytest.approx(15.827897729226, rel=error)
    assert found["events_creation"] == pytest.approx(10.0, rel=1e-12)
    assert found["events_degradation"] == pytest.approx(4 * found["amount_A"], rel=1e-12)
    left = found["rate_A_left"] + found["rate_A_right"]
    balance = found["events_creation"] - found["events_degradation"]
    assert left == pytest.approx(balance, rel=1e-9)


MORPHOGEN = """
title = "morphogen"
model = "reaction-diffusion"
[mesh]
builtin = "interval"
upper = [12.0]
cells = [{cells}]
[chemistry.reactions.decay]
equation = "A -> 0"
rate = 1.0
[reaction-diffusion]
degree = 2
[reaction-diffusion.species.A]
diffusion = 1.0
[reaction-diffusion.species.A.boundaries.left]
type = "flux"
flux = 1.0
[reaction-diffusion.probes]
one = [1.0]
[time]
end = 2.0
scheme = "{scheme}"
tolerance = {tolerance}
"""


@pytest.mark.parametrize(
    ("scheme", "tolerance", "error"),
    [("ark4", 1e-7, 1e-6), ("ark3", 1e-6, 1e-5), ("ark2", 1e-5, 1e-4), ("imex-bdf2", 1e-5, 3e-4)],
)
def test_morphogen_fills_the_gradient(
    tmp_path: Path, scheme: str, tolerance: float, error: float
) -> None:
    """B7 at x = 1, t = .5 and 2: flux in, diffusion and decay."""
    text = MORPHOGEN.format(cells=300, scheme=scheme, tolerance=tolerance)
    model, exact = model_of(tmp_path, text), MorphogenGradient(1.0, 1.0, 1.0)
    for time in (0.5, 2.0):
        found = run_to(model, time)
        assert found["A_one"] == pytest.approx(float(exact.transient(time, 1.0)), rel=error)
    assert abs(found["ledger_residual"]) < 1e-13


FISHER = """
title = "the exact wave of Fisher's equation"
model = "reaction-diffusion"
[mesh]
builtin = "interval"
lower = [-60.0]
upper = [60.0]
cells = [{cells}]
[chemistry.reactions.growth]
equation = "U <-> 2 U"
rate = 1.0
reverse_rate = 1.0
[reaction-diffusion]
degree = {degree}
[reaction-diffusion.species.U]
diffusion = 1.0
initial = "(1 + exp(x/sqrt(6)))^-2"
[time]
end = 4.0
scheme = "ark4"
tolerance = 1e-9
"""


def profile_error(model: ReactionDiffusionModel) -> float:
    """Root mean square over the nodes of u - u_exact at time 4."""
    run_to(model, 4.0)
    x = model.positions()[:, 0]
    u = model.fields()["U"].function.x.array[: len(x)]
    return float(np.sqrt(np.mean((u - ablowitz_zeppetella_wave(4.0, x, 1.0, 1.0)) ** 2)))


@pytest.mark.parametrize(("degree", "cells"), [(1, (150, 300, 600)), (2, (75, 150, 300))])
def test_exact_wave_converges_at_the_order_of_the_elements(
    tmp_path: Path, degree: int, cells: Sequence[int]
) -> None:
    """At the nodes P2 converges as the fourth power on a uniform mesh; P1 as the second."""
    errors = [
        profile_error(model_of(tmp_path, FISHER.format(degree=degree, cells=count)))
        for count in cells
    ]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    expected = {1: 2.0, 2: 4.0}[degree]
    assert orders == pytest.approx(np.full(len(orders), expected), abs=0.2)


TURING = """
title = "growth of modes"
model = "reaction-diffusion"
[mesh]
builtin = "interval"
upper = [1.0]
cells = [400]
[chemistry.reactions.supply_of_u]
equation = "0 -> U"
rate = 100.0
[chemistry.reactions.decay]
equation = "U -> 0"
rate = 1000.0
[chemistry.reactions.autocatalysis]
equation = "2 U + V -> 3 U"
rate = 1000.0
[chemistry.reactions.supply_of_v]
equation = "0 -> V"
rate = 900.0
[reaction-diffusion.species.U]
diffusion = 1.0
initial = "1 + 1e-5*({modes})"
[reaction-diffusion.species.V]
diffusion = 10.0
initial = "0.9"
[reaction-diffusion.integrals]
{integrals}
[time]
end = 0.05
scheme = "ark3"
tolerance = 1e-7
"""
GROWTH = {4: -77.419436949, 5: 40.069568521, 6: 53.988347452, 7: 8.408281903, 8: -80.406061858}


def test_modes_grow_and_decay_as_the_dispersion_relation_says(tmp_path: Path) -> None:
    """B2 at g = 1000, d = 10: the rates of five modes, measured from a run, within 1 %."""
    text = TURING.format(
        modes=" + ".join(f"cos({n}*pi*x)" for n in GROWTH),
        integrals="\n".join(f'mode{n} = "U*cos({n}*pi*x)"' for n in GROWTH),
    )
    model = model_of(tmp_path, text)
    early, late = run_to(model, 0.03), run_to(model, 0.05)
    for n, rate in GROWTH.items():
        measured = math.log(abs(late[f"mode{n}"] / early[f"mode{n}"])) / 0.02
        assert measured == pytest.approx(rate, rel=0.01), n
