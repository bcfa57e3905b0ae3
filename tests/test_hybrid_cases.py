"""The hybrid cases: each runs, keeps its accounts to round-off, and gets its number right.

Small in the default tests; at full size, against `expected.toml`, in the slow ones. The rate of
the flagship is asked for with two radii of the interface; the errors of published cases fall as
one over the number of replicas.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import Run, run

pytestmark = pytest.mark.usefixtures("own_meshes")

CASES = Path(__file__).parents[1] / "cases"
RATE = 6.981317007977
LEDGER = 1e-12

# Overrides that make a case small, and the observables that are then held against their number
SMALL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hybrid-smoluchowski": (
        ("hybrid.replicas=40", "time.end=3", "mesh.parameters.size=0.15"), ("rate",),
    ),
    "hybrid-smoluchowski-mesh": (
        ("hybrid.replicas=2", "time.end=1", "hybrid.measure.begin=0.2",
         "mesh.parameters.size=0.25"),
        ("rate_constant",),
    ),
    "hybrid-diffusion-2d": (("parameters.peak=500", "hybrid.replicas=10"), ()),
    "hybrid-proliferation": (("hybrid.replicas=10", "time.step=0.1"), ("count_A",)),
    "hybrid-lotka-volterra": (("hybrid.replicas=2", "time.end=1.8"), ()),
    "hybrid-sir": (("hybrid.replicas=2", "time.end=0.2"), ()),
    "hybrid-morphogen": (("hybrid.replicas=40", "time.end=8"), ("mean_A", "variance_A")),
    "hybrid-annihilation": (
        ("hybrid.replicas=2", "time.end=0.35", "hybrid.measure.begin=0.07"), ("difference",),
    ),
    "hybrid-two-reservoirs": (("hybrid.replicas=40",), ("count_A", "count_A_variance")),
    "hybrid-spine": (
        ("hybrid.replicas=2", "time.end=0.8", "hybrid.measure.begin=0.4"), ("rate",),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Runs a small case once for all tests that look at its results."""
    made: dict[str, Run] = {}

    def get(name: str) -> Run:
        if name not in made:
            made[name] = run(CASES / name, tmp_path_factory.mktemp(name) / "out", *SMALL[name][0])
        return made[name]

    return get


def expected(name: str) -> dict[str, dict[str, float]]:
    """The numbers that a case says it is held against."""
    return tomllib.loads((CASES / name / "expected.toml").read_text())


def score(found: Run, observable: str, known: float) -> float:
    """How many of its standard errors an observable is off."""
    entry = found.summary["observables"][observable]
    return (entry["value"] - known) / entry["error"]


def keeps_account(found: Run) -> bool:
    """Whether the ledger is at round-off in every row."""
    return bool((np.abs(found.series["ledger_residual"]) <= LEDGER).all())


@pytest.mark.parametrize("name", SMALL)
def test_a_small_hybrid_case(name: str, small_run: Callable[[str], Run]) -> None:
    found = small_run(name)
    assert found.summary["status"] == "done"
    assert keeps_account(found)
    assert set(expected(name)) <= set(found.summary["observables"])
    for observable in SMALL[name][1]:
        assert abs(score(found, observable, expected(name)[observable]["value"])) < 3.5


def test_the_comb_is_what_the_publication_has(small_run: Callable[[str], Run]) -> None:
    """Interpolated at the nodes it has peak * 2 a/pi * 0.5 molecules, and none are lost."""
    series = small_run("hybrid-diffusion-2d").series
    comb = np.abs(np.sin(2 * math.pi * np.arange(40) / 40)).mean() * 10 * 500 * 0.5
    assert series["amount_A"] == pytest.approx(comb, rel=1e-12)


@pytest.mark.parametrize("name", ["hybrid-diffusion-2d", "hybrid-proliferation"])
def test_the_error_is_that_of_fluctuations(name: str, small_run: Callable[[str], Run]) -> None:
    """Of some hundred nodes that are independent: the ratio is known to about .07."""
    found = small_run(name)
    assert found.value("pde_error_A") == pytest.approx(found.value("pde_noise_A"), rel=0.3)
    assert abs(found.value("pde_z_A")) < 3.5


def test_species_react_across_the_interface(small_run: Callable[[str], Run]) -> None:
    for name, reaction in (("hybrid-sir", "infection"), ("hybrid-annihilation", "annihilation")):
        found = small_run(name)
        across = found.value(f"across_events_{reaction}")
        assert across > 5
        assert found.value(f"across_limited_{reaction}") < 0.4 * across


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_hybrid_case_at_full_size(name: str, tmp_path: Path) -> None:
    found = run(CASES / name, tmp_path / "full")
    assert keeps_account(found)
    for observable, number in expected(name).items():
        assert found.value(observable) == pytest.approx(number["value"], rel=number["tolerance"])


@pytest.mark.slow
@pytest.mark.parametrize("interface", [2.0, 3.0])
def test_the_rate_does_not_notice_the_interface(interface: float, tmp_path: Path) -> None:
    """49 000 molecules; the mesh alone is .17 and .07 % too high."""
    found = run(CASES / "hybrid-smoluchowski", tmp_path / "out", f"parameters.r_i={interface}")
    assert keeps_account(found)
    assert found.summary["observables"]["rate"]["error"] <= 0.005 * RATE
    assert abs(score(found, "rate", RATE)) < 3


@pytest.mark.slow
@pytest.mark.parametrize("interface", [2.0, 3.0])
def test_the_rate_in_the_cells_of_a_mesh(interface: float, tmp_path: Path) -> None:
    """A curved interface of facets, a reactive polyhedron: 82 000 molecules counted."""
    found = run(CASES / "hybrid-smoluchowski-mesh", tmp_path / "out", f"parameters.r_i={interface}")
    assert keeps_account(found)
    assert found.summary["observables"]["rate_constant"]["error"] <= 0.005 * RATE
    assert abs(score(found, "rate_constant", RATE)) < 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes", "species", "most"),
    [
        ("hybrid-diffusion-2d", ("parameters.peak=500",), ("A",), 1000),
        ("hybrid-proliferation", (), ("A",), 1000),
        ("hybrid-lotka-volterra", (), ("prey", "predator"), 100),
    ],
)
def test_errors_fall_as_one_over_the_replicas(
    name: str, changes: tuple[str, ...], species: tuple[str, ...], most: int, tmp_path: Path
) -> None:
    """Without a plateau; up to 1000 replicas of all four cases: benchmarks/hybrid_errors.py."""
    replicas = [count for count in (10, 30, 100, 300, 1000) if count <= most]
    errors: dict[str, list[float]] = {one: [] for one in species}
    for count in replicas:
        found = run(
            CASES / name, tmp_path / str(count), *changes,
            f"hybrid.replicas={count}", f"hybrid.seed={count}",
        )  # fmt: skip
        for one in species:
            errors[one].append(found.value(f"pde_error_{one}"))
            assert errors[one][-1] == pytest.approx(found.value(f"pde_noise_{one}"), rel=0.2)
    for one in species:
        slope = np.polyfit(np.log(replicas), np.log(errors[one]), 1)[0]
        assert slope == pytest.approx(-1.0, abs=0.05 if most == 1000 else 0.1)


@pytest.mark.slow
def test_a_radius_changes_what_equations_with_it_say(tmp_path: Path) -> None:
    """Many prey, few meetings, a long radius: what benchmarks/hybrid_radius.py has for them.

    In the hybrid run the PDE's molecules meet at a point; with particles everywhere, nobody does.
    """
    found = run(
        CASES / "hybrid-lotka-volterra", tmp_path / "out", "parameters.scale=10",
        "hybrid.radii.predation=0.4", "hybrid.substeps=1", "hybrid.replicas=60", "hybrid.seed=7",
        'hybrid.compare=["pde", "particles"]',
    )  # fmt: skip
    prey = found.value("pde_count_prey")
    assert abs(score(found, "count_prey", (1 - 0.0266) * prey)) < 3
    assert abs(score(found, "particles_count_prey", (1 - 0.1031) * prey)) < 3
    assert score(found, "particles_count_prey", prey) < -6  # a hybrid run is nearer to the PDE
    assert found.value("particles_z_prey") > 4
