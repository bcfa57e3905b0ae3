"""The trajectory model: from files or molecular dynamics to tables, rates and further cases."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cases import call, results, run, write_case
from ranks import run_on_ranks

from fem_rd.errors import CaseError, CaseErrors
from fem_rd.order_parameters.langevin import Landscape, simulate_brownian, simulate_inertial
from fem_rd.order_parameters.nanoparticle import Nanoparticle, shape, simulate

ZETA, MASS, DT = 1.0, 1.0, 0.02
TEXT = """\
title = "Langevin particle"
model = "trajectory"
[trajectory]
files = ["a.trr", "b.trr"]
topology = "one.gro"
interval = 0.04
masses = "equal"
mass = 1.0
atom_mass = 0.25
blocks = 20
bins = 40
correlation_time = 6.0
states = [-1.0, 1.0]
"""
ATOM = "one\n1\n    1NP       C    1   0.000   0.000   0.000\n5.0 5.0 5.0\n"
SMALL = """\
title = "small"
model = "trajectory"
[trajectory]
blocks = 8
bins = 8
correlation_time = 0.8
plateau = {begin = 0.2, end = 0.6}
diffusion = "uniform"
[trajectory.simulate]
atoms = 1
atom_mass = 5.0
bath = 30
density = 0.2
barrier = 0.5
distance = 0.4
duration = 24.0
equilibration = 1.0
replicas = 2
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of two long trajectories of a particle in a double well along x."""
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile

    directory = write_case(tmp_path_factory.mktemp("langevin"), TEXT)
    (directory / "one.gro").write_text(ATOM)
    points = np.linspace(-2.2, 2.2, 1761)
    landscape = Landscape(points, 1.5 * (points**2 - 1) ** 2, 1.0)
    made = simulate_inertial(
        landscape, np.array([-1.0, 1.0]), mass=MASS, friction=ZETA, dt=DT, frames=40000, stride=2,
        seed=6,
    )  # fmt: skip
    assert made.velocities is not None
    box = np.asarray(5 * np.eye(3), dtype=np.float32)
    for name, places, speeds in zip("ab", made.places, made.velocities, strict=True):
        with TRRFile(str(directory / f"{name}.trr"), "w") as file:
            x, v = np.zeros((2, 1, 3), dtype=np.float32)
            for number, (place, speed) in enumerate(zip(places, speeds, strict=True)):
                x[0, 0], v[0, 0] = 0.1 * place, 0.1 * speed
                file.write(x, v, None, box, number, number * made.dt, 0.0, 1)
    return directory


def value(directory: Path, name: str) -> tuple[float, float]:
    """An observable and its error."""
    entry = json.loads((directory / "summary.json").read_text())["observables"][name]
    return entry["value"], entry["error"] or 0.0


def table(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    return dict(zip(header, np.array(rows, dtype=float).T, strict=True))


@pytest.fixture(scope="module")
def out(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run") / "out"
    run(files, directory)
    return directory


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("theta", ZETA), ("friction", ZETA), ("diffusion", 1 / ZETA), ("gamma", MASS**2 / ZETA),
        ("friction_rate", ZETA / MASS), ("theta_scaled", ZETA / 0.25),
    ],
)  # fmt: skip
def test_coefficients_come_out_of_files(out: Path, name: str, exact: float) -> None:
    found, error = value(out, name)
    assert 0 < error < 0.06 * exact and abs(found - exact) < 3 * error


def test_the_rate_by_the_right_equation_is_the_one_counted(out: Path) -> None:
    assert abs(value(out, "deviation_fokker_planck")[0]) < 3.0
    assert value(out, "deviation_smoluchowski")[0] > 5.0
    assert value(out, "transitions_up")[0] > 100
    assert value(out, "epsilon")[0] == 0.25


def test_tables_and_figures_are_written(out: Path) -> None:
    found = table(out / "potential.csv")
    assert list(found) == ["R", "potential", "potential_error"] and found["potential"].min() == 0
    off = found["potential"] - 1.5 * (found["R"] ** 2 - 1) ** 2
    off -= np.average(off, weights=np.exp(-found["potential"]))
    assert np.abs(off / found["potential_error"]).max() < 5.0
    assert list(table(out / "diffusion.csv")) == ["R", "diffusion", "diffusion_error"]
    lags = table(out / "correlations.csv")["lag"]
    assert lags[0] == 0 and lags[-1] == pytest.approx(6.0)
    assert table(out / "friction.csv")["lag"][0] == pytest.approx(0.02)
    assert not (out / "mean_force_potential.csv").exists()  # the files hold no forces
    names = {path.stem for path in (out / "figures").iterdir()}
    assert {"potential", "friction", "correlations"} <= names
    page = (out / "report.html").read_text()
    assert "From the trajectory" in page and "plateau" in page


def test_the_equations_are_cases_that_give_the_same_rates(out: Path, tmp_path: Path) -> None:
    """The loop by partial differential equations: eq. 29 on a mesh, eq. 56 in Hermite modes."""
    names = sorted(path.name for path in (out / "equations").iterdir())
    assert names == ["fokker-planck", "smoluchowski"]
    slow = run(out / "equations" / "smoluchowski", tmp_path / "slow")
    both = slow.value("k_low_high") + slow.value("k_high_low")
    assert both == pytest.approx(value(out, "rate_smoluchowski")[0], rel=5e-3)
    fast = run(out / "equations" / "fokker-planck", tmp_path / "fast")
    # the eigenvalue of a low barrier exceeds the rate between the wells, by as much in both
    excess = slow.value("relaxation_rate_1") / both
    inertial = fast.value("eigenvalue_1") / value(out, "rate_fokker_planck")[0]
    assert 1.05 < excess < 1.5 and inertial == pytest.approx(excess, rel=0.15)


def test_units_reach_the_results(files: Path, out: Path, tmp_path: Path) -> None:
    """The same files in nm and ns: ångström and ps become the units of the case."""
    units = '[units]\nlength = "nm"\ntime = "ns"\n[trajectory]'
    text = TEXT.replace("[trajectory]", units).replace("0.04", '"0.04 ps"')
    text = text.replace("mass = 1.0", 'mass = "1 ps^2/angstrom^2"')
    text = text.replace("0.25", '"0.25 ps^2/angstrom^2"').replace("6.0", '"6 ps"')
    text = text.replace("[-1.0, 1.0]", '["-1 angstrom", "1 angstrom"]')
    for name in ("a.trr", "b.trr", "one.gro"):
        write_case(tmp_path, text).joinpath(name).symlink_to(files / name)
    found = run(tmp_path, tmp_path / "out")
    for name, factor in (("diffusion", 10.0), ("theta", 0.1), ("rate_counted", 1e3)):
        assert found.value(name) == pytest.approx(factor * value(out, name)[0], rel=1e-6)
    assert found.summary["observables"]["diffusion"]["unit"] == "nm^2/ns"


def test_places_alone_give_the_diffusion_without_inertia(tmp_path: Path) -> None:
    """A file without velocities; theta and gamma follow from D."""
    from MDAnalysis.lib.formats.libdcd import DCDFile

    points = np.linspace(-6.0, 6.0, 1201)
    landscape = Landscape(points, 0.5 * points**2, 0.5)
    made = simulate_brownian(landscape, np.zeros(1), dt=0.005, frames=50000, stride=2, seed=1)
    text = TEXT.replace('["a.trr", "b.trr"]', '["c.dcd"]').replace("0.04", "0.01")
    text = text.replace("mass = 1.0", "mass = 2.0").replace("states = [-1.0, 1.0]", "")
    case = write_case(tmp_path, text)
    (tmp_path / "one.gro").write_text(ATOM)
    with DCDFile(str(tmp_path / "c.dcd"), "w") as file:
        file.write_header("", natoms=1, istart=0, nsavc=1, delta=1.0, is_periodic=0)
        for place in made.places[0]:
            file.write(xyz=np.array([[place, 0, 0]], dtype=np.float32), box=np.zeros(6))
    run(case, tmp_path / "out")
    for name, exact in (("diffusion", 0.5), ("theta", 2.0), ("gamma", 2.0)):
        found, error = value(tmp_path / "out", name)
        assert 0 < error < 0.03 * exact and abs(found - exact) < 3 * error
    assert [path.name for path in (tmp_path / "out" / "equations").iterdir()] == ["smoluchowski"]


def test_a_local_diffusion_is_positive_in_its_case(tmp_path: Path) -> None:
    """D = 1 + R^2/2 from displacements, as an expression that stays positive."""
    from MDAnalysis.lib.formats.libdcd import DCDFile

    points = np.linspace(-6.0, 6.0, 1201)
    landscape = Landscape(points, 0.5 * points**2, 1 + points**2 / 2)
    made = simulate_brownian(landscape, np.zeros(1), dt=0.001, frames=80000, stride=5, seed=1)
    text = TEXT.replace('["a.trr", "b.trr"]', '["c.dcd"]').replace("0.04", "0.005")
    text = text.replace("bins = 40", 'bins = 20\ndiffusion = "local"').replace("6.0", "1.0")
    case = write_case(tmp_path / "case", text)
    (case / "one.gro").write_text(ATOM)
    with DCDFile(str(case / "c.dcd"), "w") as file:
        file.write_header("", natoms=1, istart=0, nsavc=1, delta=1.0, is_periodic=0)
        for place in made.places[0]:
            file.write(xyz=np.array([[place, 0, 0]], dtype=np.float32), box=np.zeros(6))
    out = run(case, tmp_path / "out").path
    found = table(out / "diffusion.csv")
    z = (found["diffusion"] - 1 - found["R"] ** 2 / 2) / found["diffusion_error"]
    assert np.mean(z**2) < 3.0
    slow = run(out / "equations" / "smoluchowski", tmp_path / "slow")
    both = slow.value("k_low_high") + slow.value("k_high_low")
    assert both == pytest.approx(value(out, "rate_smoluchowski")[0], rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("interval = 0.04\n", ""), "trajectory.interval: is needed with files"),
        (('"a.trr"', '"a.pkl"'), "unknown kind of file"),
        (('"a.trr"', '"c.trr"'), "no such file in the case directory"),
        (("one.gro", "one.tpr"), "unknown kind of file"),
        (("[-1.0, 1.0]", "[1.0, -1.0]"), "the smaller one first"),
        (("blocks = 20", "blocks = 2"), "must be at least 4"),
        (("correlation_time", "correlation_tim"), "did you mean 'correlation_time'"),
        (('files = ["a.trr", "b.trr"]\n', ""), "give files or simulate"),
        (("[trajectory]\n", "[trajectory]\nsimulate = {duration = 1.0}\n"), "found 'both'"),
        (("[trajectory]\n", "[time]\nend = 1.0\n[trajectory]\n"), "has its own time"),
        (("[trajectory]\n", '[trajectory]\nselection = "name X"\n'), "chooses no atoms"),
        (("[trajectory]\n", "[trajectory]\nmode = [1, 0, 0]\n"), "spanned by the earlier"),
        (("states", 'potential = "none"\nstates'), "a free order parameter has no states"),
        (("mass = 1.0", "mass = -1.0"), "must be positive"),
    ],
)
def test_mistakes_are_named(
    files: Path, tmp_path: Path, change: tuple[str, str], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert change[0] in TEXT
    for name in ("a.trr", "b.trr", "one.gro"):
        write_case(tmp_path, TEXT.replace(*change, 1)).joinpath(name).symlink_to(files / name)
    assert call("check", tmp_path) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_limits_that_leave_much_out_are_refused(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TEXT.replace("states", "limits")
    for name in ("a.trr", "b.trr", "one.gro"):
        write_case(tmp_path, text).joinpath(name).symlink_to(files / name)
    assert call("run", tmp_path, "-o", tmp_path / "out") == 3
    assert "of the frames lie outside of the limits" in capsys.readouterr().err


def test_a_failure_says_what_to_change(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TEXT.replace("[-1.0, 1.0]", "[-4.0, 4.0]")
    for name in ("a.trr", "b.trr", "one.gro"):
        write_case(tmp_path, text).joinpath(name).symlink_to(files / name)
    assert call("run", tmp_path, "-o", tmp_path / "out") == 3
    assert "too few for a rate" in capsys.readouterr().err


def test_the_icosahedron_is_one() -> None:
    atoms = shape(13)
    assert atoms.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    distances = np.linalg.norm(atoms[:, None] - atoms, axis=2)[np.triu_indices(13, 1)]
    near = distances < 1.3 * 1.05
    assert near.sum() == 42  # 12 to the centre, 30 edges
    assert np.unique(distances[near].round(9)).tolist() == pytest.approx([1.05, 1.104035335])


@pytest.fixture(scope="module")
def molecular() -> np.ndarray:
    particle = Nanoparticle(bath=30, density=0.2)
    chunks = list(simulate(particle, 20.0, seed=2, chunk=300))
    assert [len(chunk.positions) for chunk in chunks] == [300, 200]
    return np.array(
        [np.concatenate([getattr(chunk, part) for chunk in chunks])
         for part in ("positions", "velocities", "forces")]
    )  # fmt: skip


def test_the_nanoparticle_holds_together_and_obeys_newton(molecular: np.ndarray) -> None:
    places, speeds, forces = molecular
    atoms = shape(13)
    length = np.linalg.norm(places[:, 1:] - places[:, :1], axis=2)
    assert length.mean() == pytest.approx(np.linalg.norm(atoms[1]), rel=0.03)
    centre, momentum = places.mean(axis=1)[:, 0], 2.0 * speeds.sum(axis=1)[:, 0]
    change = (centre[2:] - centre[:-2]) / 0.08
    assert change == pytest.approx(momentum[1:-1] / 26.0, abs=0.03)
    gained = np.cumsum(0.04 * forces.sum(axis=1)[:, 0])
    assert np.corrcoef(gained, momentum)[0, 1] > 0.95
    energy = (speeds**2).sum(axis=(1, 2)).mean()  # m/2 v^2 of 13 atoms, m = 2
    assert energy == pytest.approx(13 * 3 / 2, rel=0.25)


def test_a_seed_gives_the_same_molecular_dynamics(molecular: np.ndarray) -> None:
    particle = Nanoparticle(bath=30, density=0.2)
    again, other = (next(simulate(particle, 2.0, seed=seed)) for seed in (2, 3))
    assert np.array_equal(again.positions, molecular[0][:50])
    assert not np.any(again.positions == other.positions)


@pytest.mark.mpi
def test_molecular_dynamics_on_one_and_two_ranks(tmp_path: Path) -> None:
    case = write_case(tmp_path / "small", SMALL)
    serial = run(case, tmp_path / "serial")
    ended = run_on_ranks(2, ["-m", "fem_rd", "run", str(case), "-o", "parallel"], tmp_path)
    assert ended.returncode == 0, ended.stderr
    parallel = results(tmp_path / "parallel")
    for name in serial.summary["observables"]:
        assert parallel.value(name) == pytest.approx(serial.value(name), rel=1e-12)
    kept = sorted(path.name for path in (tmp_path / "serial" / "trajectory").iterdir())
    assert kept == ["nanoparticle.gro", "replica-000.trr", "replica-001.trr"]
    with pytest.raises((CaseError, CaseErrors), match="units of its own"):
        run(case, tmp_path / "other", "units={length='nm', time='ns'}")
