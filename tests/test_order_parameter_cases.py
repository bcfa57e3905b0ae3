"""The cases of order parameters at full size: they take a few seconds each."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import numpy as np
import pytest
from cases import Run, run

CASES = Path(__file__).parents[1] / "cases"
NAMES = (
    "double-well",
    "double-well-variable-diffusion",
    "tilted-periodic",
    "mueller-brown",
    "dihedral-torus",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    directory = tmp_path_factory.mktemp("cases")
    return {name: run(CASES / name, directory / name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_case_gets_its_numbers_right(name: str, finished: dict[str, Run]) -> None:
    with (CASES / name / "expected.toml").open("rb") as file:
        expected = tomllib.load(file)
    assert expected
    for observable, number in expected.items():
        value = finished[name].value(observable)
        assert value == pytest.approx(number["value"], rel=number["tolerance"]), observable
    for known, prediction in finished[name].record["predictions"].items():
        value = finished[name].value(known)
        assert value == pytest.approx(prediction["value"], rel=1e-4), known


def test_a_diffusion_that_varies_leaves_the_density_alone(finished: dict[str, Run]) -> None:
    same, other = finished["double-well"], finished["double-well-variable-diffusion"]
    for name in ("variance_x", "density_max", "probability_left"):
        assert other.value(name) == pytest.approx(same.value(name), rel=1e-12)
    assert abs(other.value("k_left_right") / same.value("k_left_right") - 1) > 0.01


def test_the_rate_has_two_routes(finished: dict[str, Run]) -> None:
    found = finished["mueller-brown"]
    time = found.value("mfpt_product_from_reactant")
    assert found.value("k_reactant_product") * time == pytest.approx(1.0, abs=5e-4)
    backwards = found.value("k_product_reactant") / found.value("k_reactant_product")
    assert np.log(backwards) == pytest.approx(2.2177, abs=1e-3)


def test_the_table_is_what_its_script_writes(tmp_path: Path) -> None:
    source = (CASES / "dihedral-torus" / "make_table.py").read_text()
    script = tmp_path / "make_table.py"
    script.write_text(source)
    runpy.run_path(str(script), run_name="__main__")
    made = np.loadtxt(tmp_path / "free-energy.csv", delimiter=",", skiprows=1)
    kept = np.loadtxt(CASES / "dihedral-torus" / "free-energy.csv", delimiter=",", skiprows=1)
    assert made == pytest.approx(kept, abs=1.1e-4)  # the last digit of the table
