"""The cases of order parameters from molecular trajectories, at full size."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from cases import results

from fem_rd.case.loading import load_case
from fem_rd.models.trajectory.source import particle_of

CASE = Path(__file__).parents[1] / "cases" / "nanoparticle-from-trajectory"


def test_the_case_is_the_one_its_readme_tells_of() -> None:
    section = load_case(CASE).section
    particle = particle_of(section.simulate)
    assert (particle.atoms, particle.bath, particle.mass) == (13, 150, 26.0)
    assert section.simulate.duration / particle.step == pytest.approx(250000)
    assert section.states == (-particle.distance, particle.distance)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_nanoparticle_at_full_size(tmp_path: Path) -> None:
    """From molecular dynamics to the equation that has the rate that is counted."""
    words = [sys.executable, "-m", "fem_rd", "run", str(CASE), "-o", "full"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = results(tmp_path / "full")
    for name, number in tomllib.loads((CASE / "expected.toml").read_text()).items():
        assert found.value(name) == pytest.approx(number["value"], rel=number["tolerance"])
    written = json.loads((found.path / "summary.json").read_text())["observables"]
    heat, error = (written["kinetic_temperature"][key] for key in ("value", "error"))
    assert abs(heat - 1.0) < 3 * error < 0.15
    theta, error = (written["theta"][key] for key in ("value", "error"))
    assert 0 < error < 0.15 * theta
    assert abs(found.value("deviation_fokker_planck")) < 3.0
    assert found.value("deviation_smoluchowski") > 3.0
    with (found.path / "potential.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    held = dict(zip(header, np.array(rows, dtype=float).T, strict=True))
    off = held["potential"] - 1.5 * ((held["R"] / 0.5) ** 2 - 1) ** 2
    z = (off - np.average(off, weights=np.exp(-held["potential"]))) / held["potential_error"]
    assert np.abs(z).max() < 5.0 and np.mean(z**2) < 4.0
