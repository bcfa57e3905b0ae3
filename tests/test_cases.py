"""The cases that come with the package: each runs, and gets its number right.

Small, on coarse meshes, in the default tests, serially and on two ranks; at full size, against
what `expected.toml` claims and the accuracy the project promises, in the slow ones.
"""

from __future__ import annotations

import importlib
import math
import re
import runpy
import shlex
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cases import Run, results, run
from network_cases import CASES, FRONT, MORPHOGEN, NETWORK_FORMS, NETWORKS
from ranks import run_on_ranks

from fem_rd.case.loading import load_case
from fem_rd.exact import capture, localised, patch, potential, shapes
from fem_rd.exact.sphere import ReactiveSphere

pytestmark = pytest.mark.usefixtures("own_meshes")

K_S = 4 * math.pi


@dataclass(frozen=True)
class Small:
    """Overrides that make a case small, and the relative error that its mesh is then known for."""

    error: float
    overrides: tuple[str, ...] = ()

    @classmethod
    def mesh(cls, error: float, *extra: str, **parameters: float | str) -> Small:
        texts = [f"mesh.parameters.{name}={value}" for name, value in parameters.items()]
        return cls(error, (*texts, *extra))


SMALL = {
    "debye-smoluchowski": Small.mesh(6.0e-4, size=0.25),
    "ellipsoid": Small.mesh(3.1e-3, size=0.35),
    "imported-mesh": Small(0.0),
    "localised-rates": Small.mesh(3.6e-4, size=0.25, size_far=0.8),
    "obstacles": Small.mesh(7.7e-4, size=0.12),
    "reactive-patch": Small.mesh(8.7e-3, size_edge=0.02, edge_growth=0.5, size=0.4),
    "smoluchowski-sphere": Small.mesh(7.1e-4, size=0.25),
    "smoluchowski-sphere-transient": Small.mesh(2.2e-4, "time.tolerance=1e-3", size=0.2),
    "sphere-in-si-units": Small.mesh(7.3e-4, size="0.12 nm"),
    "torus": Small.mesh(1.9e-3, size=0.35),
    "two-sinks": Small.mesh(2.9e-3, size=0.3),
}
ALL = {name: small.overrides for name, small in (SMALL | NETWORKS).items()}
EVERY = sorted(path.name for path in CASES.iterdir() if path.is_dir())  # with those of particles
ROUND_OFF = 1e-8  # of the solver, with the tolerance that cases leave as it is

# What the project promises, with the reference numbers of the literature.
BARS = {
    ("smoluchowski-sphere", "rate"): (6.981317007977, 1e-5),
    ("debye-smoluchowski", "rate"): (31.490579599489, 1e-4),
    ("two-sinks", "rate_first"): (K_S * 0.75720437504601, 1e-3),
    ("two-sinks", "rate_second"): (K_S * 0.75720437504601, 1e-3),
    ("reactive-patch", "rate"): (K_S * 0.496209890813, 2e-3),
    ("brusselator", "period"): (7.156919921180, 1e-4),
    ("catalyst-pellet", "effectiveness"): (0.805972081091, 1e-4),
    ("fisher-front", "speed"): (1.996582335097, 1e-3),
}
TRANSIENT = {
    0.1: 9.761595986923,
    0.5: 8.395617355565,
    1.0: 7.887883710686,
    2.0: 7.469785477471,
    5.0: 7.089144021420,
}
TRANSIENT_BAR = 1e-3
SECONDS = 60.0


def _unit_sphere(kappa: float) -> ReactiveSphere:
    return ReactiveSphere(sigma=1.0, diffusion=1.0, kappa=kappa, outer=5.0)


def _ligand() -> float:
    """The rate of sphere-in-si-units, in nm and ns, from the constants of the SI."""
    depth = 2.5e3 / (1.380649e-23 * 6.02214076e23 * 298)
    sphere = ReactiveSphere(0.5, 1.0, 4 * math.pi * 0.5**2 * 2.0, 5.0, 6.02214076e-4)
    return potential.debye_rate(sphere, lambda r: -depth * math.exp(-(r - 0.5) / 0.3))


def _layers() -> float:
    volume = 4 * math.pi / 3 * (1.2**3 - 1)
    return localised.localised_rate(
        localised.LocalisedShell(1.0, 5.0, 1.0, 0.2, K_S / volume, 1.0, 1.0)
    )


def _lattice() -> float:
    reference = runpy.run_path(str(CASES / "obstacles" / "reference.py"))
    return float(reference["effective_diffusion"](0.4))


CLOSED_FORMS: Mapping[str, Callable[[], float]] = {
    "debye-smoluchowski": lambda: potential.coulomb_rate(_unit_sphere(math.inf), -2.0),
    "ellipsoid": lambda: K_S * shapes.ellipsoid(3.0, 2.0, 1.0),
    "imported-mesh": lambda: 1 / (2 / 1.0 + 1 / 0.5 + 1 / 1.0),
    "localised-rates": _layers,
    "obstacles": _lattice,
    "reactive-patch": lambda: K_S * patch.cap_fraction(math.pi / 3),
    "smoluchowski-sphere": lambda: capture.steady_rate(_unit_sphere(K_S)),
    "smoluchowski-sphere-transient": lambda: float(
        capture.transient_rate(_unit_sphere(K_S), 5.0, 1.0)
    ),
    "sphere-in-si-units": _ligand,
    "torus": lambda: K_S * shapes.torus(2.0, 1.0),
    "two-sinks": lambda: K_S * shapes.equal_spheres_factor(3.0),
}


def expected(name: str) -> dict[str, dict[str, float]]:
    """The numbers that a case says it is held against."""
    return tomllib.loads((CASES / name / "expected.toml").read_text())


def readme(name: str) -> str:
    return (CASES / name / "README.md").read_text()


def commands(name: str) -> list[list[str]]:
    """The words of each command that a README tells the user to type at the repository's root."""
    lines = re.findall(r"^\./with-env (.*)$", readme(name), flags=re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Runs a small case once for all tests that look at its results."""
    made: dict[str, Run] = {}

    def get(name: str) -> Run:
        if name not in made:
            output = tmp_path_factory.mktemp(name) / "results"
            made[name] = run(CASES / name, output, *ALL[name])
        return made[name]

    return get


def test_every_case_is_listed_and_tested() -> None:
    directories = {path.name for path in CASES.iterdir() if path.is_dir()}
    listed = re.findall(
        r"^\| \[`([\w-]+)`\]\(\1\)", (CASES / "README.md").read_text(), re.MULTILINE
    )
    assert directories == set(EVERY) == set(listed)
    assert set(SMALL) == set(CLOSED_FORMS)
    here = Path(__file__).parent
    elsewhere = [path.read_text() for path in here.glob("test_*.py")]
    for name in directories.difference(ALL):
        assert any(f'"{name}"' in text for text in elsewhere), f"{name} is not tested"


@pytest.mark.parametrize("name", EVERY)
def test_a_case_is_complete(name: str) -> None:
    held = {path.name for path in (CASES / name).iterdir()}
    assert {"case.toml", "README.md", "expected.toml"} <= held  # and results, once it was run
    assert not any(path.stat().st_size > 60_000 for path in (CASES / name).iterdir())
    assert ["fem-rd", "run", f"cases/{name}"] in commands(name)


@pytest.mark.parametrize("name", EVERY)
def test_what_a_readme_says_exists(name: str) -> None:
    text = readme(name)
    for module, function in re.findall(r"`(fem_rd(?:\.\w+)+)\.(\w+)`", text):
        try:
            found = importlib.import_module(f"{module}.{function}")
        except ModuleNotFoundError:
            found = getattr(importlib.import_module(module), function)
        assert found is not None
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (CASES / name / target.split("#")[0]).exists(), target


@pytest.mark.parametrize("name", EVERY)
def test_commands_of_a_readme_are_right(name: str) -> None:
    for words in commands(name):
        if words[0] == "python3":
            assert (CASES.parent / words[1]).is_file(), words
            continue
        assert words[:1] == ["fem-rd"] and words[2] == f"cases/{name}", words
        changes = [word for before, word in pairwise(words) if before == "--set"]
        load_case(CASES.parent / words[2], changes)


@pytest.mark.parametrize("name", SMALL)
def test_expected_numbers_are_the_closed_forms(name: str) -> None:
    for number in expected(name).values():
        assert number["value"] == pytest.approx(CLOSED_FORMS[name](), rel=2e-8)
        assert 0 < number["tolerance"] <= 2e-3


@pytest.mark.parametrize("name", SMALL)
def test_a_small_run_gets_the_number_right(name: str, small_run: Callable[[str], Run]) -> None:
    """Within half of the error the mesh is known for, on the side that Galerkin errors are on."""
    found, error = small_run(name), SMALL[name].error
    assert found.summary["status"] == "done"
    assert abs(found.value("ledger_residual")) < ROUND_OFF
    for observable, number in expected(name).items():
        relative = found.value(observable) / number["value"] - 1
        assert relative == pytest.approx(error, abs=max(error / 2, ROUND_OFF)), observable


def test_the_rate_over_time(small_run: Callable[[str], Run]) -> None:
    series = small_run("smoluchowski-sphere-transient").series
    rates = dict(zip(series["time"], series["rate"], strict=True))
    assert series["rate"][0] == pytest.approx(K_S, rel=1e-6)  # kappa c_R, before any depletion
    for instant, rate in TRANSIENT.items():
        assert rates[instant] == pytest.approx(rate, rel=5e-4)
    assert len(rates) < 60


def test_units_of_a_case_reach_its_results(small_run: Callable[[str], Run]) -> None:
    observables = small_run("sphere-in-si-units").summary["observables"]
    assert observables["rate"]["unit"] == "particle/ns"
    assert observables["concentration_max"]["unit"] == "particle/nm^3"


@pytest.mark.parametrize(("name", "observable"), NETWORK_FORMS)
def test_expected_numbers_of_networks_are_the_closed_forms(name: str, observable: str) -> None:
    number = expected(name)[observable]
    digits = 1e-6 if name == "mutual-annihilation-doi" else 1e-11  # as many as it gives
    assert number["value"] == pytest.approx(NETWORK_FORMS[name, observable](), rel=digits)
    assert 0 < number["tolerance"] <= 5e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_a_small_network_gets_its_numbers_right(name: str, small_run: Callable[[str], Run]) -> None:
    found = small_run(name)
    assert found.summary["status"] == "done"
    assert set(expected(name)) <= set(found.summary["observables"])
    assert abs(found.summary["observables"].get("ledger_residual", {"value": 0})["value"]) < 1e-10
    for observable, (value, tolerance) in NETWORKS[name].numbers.items():
        assert found.value(observable) == pytest.approx(value, rel=tolerance), observable


def at(found: Run, observable: str, instant: float) -> float:
    """The value in the row of this time."""
    rows = np.flatnonzero(np.isclose(found.series["time"], instant, rtol=1e-9))
    assert len(rows) == 1
    return float(found.series[observable][rows[0]])


def test_the_gradient_over_time(small_run: Callable[[str], Run]) -> None:
    found = small_run("morphogen-gradient")
    for instant in (0.5, 1.0, 2.0):
        exact = float(MORPHOGEN.transient(instant, 1.0))
        assert at(found, "A_one", instant) == pytest.approx(exact, rel=1e-6)


def test_a_slanted_creation_moves_neither_centre_nor_amount(tmp_path: Path) -> None:
    """Place-dependent rates: what is added is antisymmetric, and the equation linear."""
    slanted = "chemistry.reactions.creation.rate=2*creation*x/L"
    found = run(CASES / "degradation-creation", tmp_path / "out", slanted)
    for observable, number in expected("degradation-creation").items():
        assert found.value(observable) == pytest.approx(number["value"], rel=1e-9)
    assert found.value("rate_A_right") > found.value("rate_A_left") + 1


def test_the_width_of_the_front_grows_with_the_sixth_root(small_run: Callable[[str], Run]) -> None:
    found = small_run("annihilation-front")
    for observable, exponent in (("width", 1 / 6), ("rate_at_front", -2 / 3)):
        ratio = at(found, observable, 1000) / at(found, observable, 100)
        assert math.log10(ratio) == pytest.approx(exponent, abs=0.01)


def test_the_fastest_wave_grows_at_its_rate(small_run: Callable[[str], Run]) -> None:
    series = small_run("schnakenberg-turing").series
    rows = series["time"] > 0.02
    slope = np.polyfit(series["time"][rows], np.log(np.abs(series["mode6"][rows])), 1)[0]
    assert slope == pytest.approx(53.988347452, rel=0.01)
    assert series["growth6"][rows] == pytest.approx(53.988347452, rel=0.015)


def test_spots_fill_the_box(small_run: Callable[[str], Run]) -> None:
    series = small_run("gray-scott").series
    assert series["amount_V"][-1] > 5 * series["amount_V"][np.searchsorted(series["time"], 200)]
    assert 0.3 < series["V_max"][-1] < 0.4 and series["U_max"][-1] < 0.999


@pytest.fixture(scope="module")
def small_runs_on_two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All small cases in two starts of two ranks; the directory that holds their results."""
    directory = tmp_path_factory.mktemp("ranks")
    for names in (SMALL, NETWORKS):
        runs = "\n".join(
            f"run_case(RunRequest(Path({str(CASES / name)!r}), {ALL[name]!r}, Path({name!r})))"
            for name in names
        )
        script = directory / "all.py"
        script.write_text(
            "from pathlib import Path\n"
            f"from fem_rd.commands.run import RunRequest, run_case\n{runs}\n"
        )
        ended = run_on_ranks(2, script, directory)
        assert ended.returncode == 0, ended.stderr
    return directory


@pytest.mark.mpi
@pytest.mark.parametrize("name", ALL)
def test_two_ranks_get_the_same_numbers(
    name: str, small_run: Callable[[str], Run], small_runs_on_two_ranks: Path
) -> None:
    serial, parallel = small_run(name), results(small_runs_on_two_ranks / name)
    assert parallel.record["environment"]["ranks"] == 2
    close = NETWORKS[name].ranks if name in NETWORKS else ROUND_OFF
    for observable in expected(name):
        assert parallel.value(observable) == pytest.approx(serial.value(observable), rel=close)


@pytest.mark.mpi
def test_the_rate_is_the_same_on_one_two_and_three_ranks(tmp_path: Path) -> None:
    options = [word for text in SMALL["smoluchowski-sphere"].overrides for word in ("--set", text)]
    rates = []
    for ranks in (1, 2, 3):
        words = ["-m", "fem_rd", "run", str(CASES / "smoluchowski-sphere"), "-o", f"on-{ranks}"]
        ended = run_on_ranks(ranks, [*words, *options], tmp_path)
        assert ended.returncode == 0, ended.stderr
        rates.append(results(tmp_path / f"on-{ranks}").value("rate"))
    assert rates[1:] == pytest.approx(rates[:1] * 2, rel=1e-9)
    assert rates[0] == pytest.approx(expected("smoluchowski-sphere")["rate"]["value"], rel=1e-3)


@pytest.mark.slow
def test_the_catalyst_at_a_larger_modulus(tmp_path: Path) -> None:
    found = run(CASES / "catalyst-pellet", tmp_path / "fast", "parameters.phi=5")
    assert found.value("effectiveness") == pytest.approx(0.480054482389, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_case_at_full_size(name: str, tmp_path: Path) -> None:
    """As the README says: from the command to the report in a minute, with the mesh to make."""
    begin = time.perf_counter()
    words = ["-m", "fem_rd", "run", str(CASES / name), "-o", "full"]
    ended = run_on_ranks(1, words, tmp_path)
    seconds = time.perf_counter() - begin
    assert ended.returncode == 0, ended.stderr
    found = results(tmp_path / "full")
    for observable, number in expected(name).items():
        assert found.value(observable) == pytest.approx(number["value"], rel=number["tolerance"])
    for (case, observable), (value, bar) in BARS.items():
        if case == name:
            assert found.value(observable) == pytest.approx(value, rel=bar)
    if name == "smoluchowski-sphere-transient":
        rates = dict(zip(found.series["time"], found.series["rate"], strict=True))
        for instant, rate in TRANSIENT.items():
            assert rates[instant] == pytest.approx(rate, rel=TRANSIENT_BAR)
    if name == "annihilation-front":
        assert at(found, "rate_at_front", 1e3) == pytest.approx(
            float(FRONT.rate_at_centre(1e3)), rel=0.02
        )
        ratio = at(found, "width", 1e4) / at(found, "width", 1e3)
        assert math.log10(ratio) == pytest.approx(1 / 6, abs=0.01)
    assert seconds < SECONDS
