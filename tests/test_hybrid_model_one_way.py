"""One-way: the reservoir is a PDE on the whole mesh, or a run that was stored."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from cases import build, call, values_of, write_case
from hybrid_runs import LINE, hybrid

from fem_rd.errors import CaseError
from fem_rd.models.hybrid.model import HybridModel

MOST = 3.0
DRIVEN = """
[mesh]
builtin = "interval"
upper = [1.0]
cells = [32]
[mesh.regions.inside]
upper = [0.75]
"""
SECTION = """
[chemistry.reactions.decay]
equation = "A -> 0"
rate = 2.0
[{section}.species.A]
diffusion = 1.0
initial = "20000*x"
[{section}.species.A.boundaries.left]
type = "dirichlet"
concentration = 0.0
[{section}.species.A.boundaries.right]
type = "dirichlet"
concentration = "20000*(1 + 0.9*sin(20*t))"
"""
FED = (
    'model = "hybrid"\n' + DRIVEN
    + '[hybrid]\nregion = "inside"\ncoupling = "one-way"\nreplicas = 16\nseed = 4\nsubsteps = 4\n'
    + SECTION.format(section="hybrid") + "[time]\nend = 0.32\nstep = 0.005\n"
)  # fmt: skip
STORED = (
    'model = "reaction-diffusion"\n' + DRIVEN + SECTION.format(section="reaction-diffusion")
    + '[time]\nend = 0.32\nstep = 0.02\nscheme = "ark2"\n[output]\nfields_every = 0.04\n'
)  # fmt: skip


def scores(model: HybridModel, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the number against the PDE, and its standard error over the number."""
    found = []
    while model.time < end:
        model.advance(end)
        found.append([values_of(model)[name] for name in ("count_A", "pde_count_A", "pde_z_A")])
    count, expected, z = np.array(found).T
    return z, (count - expected) / z / expected


def test_particles_follow_a_reservoir_that_changes(tmp_path: Path) -> None:
    """If they saw the beginning of each step, they would be late by 2 %."""
    changes = ("hybrid.measure.every=0.04", "hybrid.replicas=64")
    z, relative = scores(hybrid(tmp_path, FED, 'hybrid.compare=["pde"]', *changes), 0.32)
    assert relative.mean() < 3e-3
    assert np.abs(z).max() < MOST


def test_reservoir_is_linear_within_its_step(tmp_path: Path) -> None:
    model = hybrid(tmp_path, FED, "hybrid.replicas=1", "time.step=0.02")
    reservoir = model._sides.reservoirs[0]
    shown = []
    for step in range(3):
        reservoir.begin(0.02 * step, 0.02 * (step + 1))
        at = [reservoir.interface.shown(0, 0.02 * (step + part)) for part in (0.0, 0.5, 1.0)]
        assert at[1] == pytest.approx((at[0] + at[2]) / 2, rel=1e-12)
        shown.append(at)
        reservoir.finish(0.02 * (step + 1))
    assert np.allclose(shown[1][0], shown[0][2]) and np.allclose(shown[2][0], shown[1][2])
    assert abs(shown[2][2] - shown[0][0]).max() > 500


def stored(directory: Path, text: str = STORED) -> Path:
    case = write_case(directory / "stored", text)
    assert call("run", case) == 0
    return case / "results"


def test_stored_run_is_a_reservoir(tmp_path: Path) -> None:
    """Its fields are met at their times, and half of two in the middle."""
    stored(tmp_path)
    overrides = ('hybrid.stored="../stored/results"', "hybrid.replicas=1", "time.step=0.02")
    model, whole = hybrid(tmp_path / "case", FED, *overrides), build(tmp_path / "rd", STORED)
    run = model._sides.reservoirs[0].model
    place = run.positions()[:, 0]
    order = np.argsort(place), np.argsort(whole.positions()[:, 0])
    known = {}
    while whole.time < 0.32 - 1e-9:
        whole.advance(0.32)
        known[round(whole.time / 0.02)] = whole.concentrations()[0, order[1]]
        run.advance(whole.time)
        if round(whole.time / 0.02) % 2 == 0:
            found = run.concentrations()[0, order[0]]
            assert found == pytest.approx(known[round(whole.time / 0.02)], rel=1e-12)
    run.advance(0.14)
    found = run.concentrations()[0, order[0]]
    assert found == pytest.approx((known[6] + known[8]) / 2, rel=1e-12)


def test_stored_run_feeds_particles_and_goes_on_to_the_bit(tmp_path: Path) -> None:
    fine = STORED.replace("fields_every = 0.04", "fields_every = 0.005")
    stored(tmp_path, fine.replace("step = 0.02", "step = 0.005"))
    overrides = ('hybrid.stored="../stored/results"', 'hybrid.compare=["pde"]',
                 "hybrid.measure.every=0.04", "hybrid.replicas=10")  # fmt: skip
    model = hybrid(tmp_path / "case", FED, *overrides)
    z, _ = scores(model, 0.16)
    assert np.abs(z).max() < MOST
    other = hybrid(tmp_path / "case", FED, *overrides)
    other.restore(model.state())
    model.advance(0.2)
    other.advance(0.2)
    assert values_of(model) == values_of(other)
    assert "pde_amount_A" in values_of(model)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (STORED.replace("cells = [32]", "cells = [28]"), "another mesh"),
        (STORED.replace("end = 0.32", "end = 0.16"), "do not last"),
        (STORED.replace("species.A", "species.B").replace('"A', '"B'), "no field for A"),
    ],
    ids=["mesh", "time", "species"],
)
def test_stored_run_that_does_not_fit_is_refused(tmp_path: Path, text: str, said: str) -> None:
    stored(tmp_path, text)
    with pytest.raises(CaseError, match=said) as caught:
        hybrid(tmp_path / "case", FED, 'hybrid.stored="../stored/results"')
    assert caught.value.key == "hybrid.stored"


def test_no_stored_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="cannot be read") as caught:
        hybrid(tmp_path / "case", FED, 'hybrid.stored="../nowhere"')
    assert caught.value.key == "hybrid.stored"


CATALYST = LINE.replace("[hybrid.species.A]", """
[hybrid.radii]
turn = 0.3
[hybrid.species.E]
diffusion = 0.5
initial = 50.0
[hybrid.species.A]""") + """
[chemistry.reactions.turn]
equation = "E + A -> E"
rate = 0.5
"""  # fmt: skip


def test_one_way_reactions_across_are_as_many_as_there_are_pairs(tmp_path: Path) -> None:
    """A reservoir that does not notice its debits bears all of them, ahead of a front too."""
    empty = 'hybrid.species.A.initial="where(x > 2.01, 40, 0)"'
    fast, many = "chemistry.reactions.turn.rate=8.0", "hybrid.replicas=200"
    model = hybrid(tmp_path, CATALYST, 'hybrid.coupling="one-way"', empty, fast, many)
    model.advance(0.0025)
    found = values_of(model)
    assert found["across_limited_turn"] == 0
    seen = model._sides.reservoirs[0].interface
    y = np.linspace(2.0, 2.3, 10001)
    c = np.interp(y, seen.trace.nodes[:, 0], seen._found[list(seen.species).index("A")])
    # lambda_0 = k/(2 sigma), and the particles of density 50 within sigma of each molecule at y
    expected = 0.0025 * 8.0 / 0.6 * 50 * np.trapezoid(c * (2.3 - y), y)
    assert abs(found["across_events_turn"] - expected) < 3 * math.sqrt(expected / 200)
