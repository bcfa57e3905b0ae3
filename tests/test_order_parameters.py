"""Order parameters of atoms, and the reading of molecular trajectories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fem_rd.errors import CaseError
from fem_rd.order_parameters import reading
from fem_rd.order_parameters.coordinates import (
    centre_of_mass,
    modes,
    residuals,
    scaled,
    up_to,
)
from fem_rd.order_parameters.reading import read_atoms, read_chunks

ATOMS, FRAMES = 7, 23


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def test_the_centre_of_mass_moves_with_the_total_momentum(generator: np.random.Generator) -> None:
    masses = generator.uniform(1, 5, ATOMS)
    places, speeds, forces = generator.normal(size=(3, 4, ATOMS, 3))
    one = centre_of_mass(masses)
    assert one.effective_mass == pytest.approx(masses.sum(), rel=1e-14)
    expected = np.einsum("i,fij->fj", masses, places) / masses.sum()
    assert one.of(places) == pytest.approx(expected, rel=1e-13)
    momentum = np.einsum("i,fij->fj", masses, speeds)
    assert one.effective_mass * one.of(speeds) == pytest.approx(momentum, rel=1e-13)
    assert one.force(forces) == pytest.approx(forces.sum(axis=1), rel=1e-13)


def test_basis_functions_are_orthogonal_in_the_mass_weighted_product(
    generator: np.random.Generator,
) -> None:
    masses, reference = generator.uniform(1, 5, 40), generator.normal(size=(40, 3))
    found = modes(reference, masses, up_to((1, 1, 1)))
    gram = np.array([[np.sum(masses * a.basis * b.basis) for a in found] for b in found])
    effective = np.array([one.effective_mass for one in found])
    assert gram == pytest.approx(np.diag(effective), abs=1e-12 * masses.sum())
    assert found[0].effective_mass == pytest.approx(masses.sum())  # mu_k decreases from m_tot
    assert effective[1:].max() < effective[0]


def test_what_the_basis_spans_leaves_no_residual(generator: np.random.Generator) -> None:
    masses, reference = generator.uniform(1, 5, 30), generator.normal(size=(30, 3))
    deformed = reference @ generator.normal(size=(3, 3)) + generator.normal(size=3)
    linear = modes(reference, masses, [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
    assert residuals(linear, deformed) == pytest.approx(np.zeros((30, 3)), abs=1e-12)
    assert np.abs(residuals(linear[:3], deformed)).max() > 0.1


def test_projection_minimises_the_mass_weighted_residuals(generator: np.random.Generator) -> None:
    masses, reference = generator.uniform(1, 5, 30), generator.normal(size=(30, 3))
    basis = modes(reference, masses, up_to((1, 1, 0)))
    places = generator.normal(size=(30, 3))
    left = residuals(basis, places)
    for one in basis:
        assert np.einsum("i,ij->j", masses * one.basis, left) == pytest.approx(0, abs=1e-11)


def test_a_function_that_the_others_span_is_refused() -> None:
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    with pytest.raises(CaseError, match="spanned by the earlier ones"):
        modes(flat, np.ones(4), [(0, 0, 0), (1, 0, 0), (2, 0, 0)])


def test_degrees_are_in_the_order_of_their_sums() -> None:
    assert up_to((1, 0, 2))[-1] == (1, 0, 2) and up_to((0, 0, 0)) == [(0, 0, 0)]
    assert [sum(degrees) for degrees in up_to((1, 1, 0))] == [0, 1, 1, 2]


def test_scaled_variables_keep_the_kinetic_energy() -> None:
    mass, light, momentum = 26.0, 2.0, np.array([3.0])
    epsilon = light / mass
    place, scaled_momentum = scaled(np.array([5.0]), momentum, epsilon)
    assert place == pytest.approx(5.0 * epsilon**0.5)
    kinetic = scaled_momentum**2 / (2 * light)  # P^2/2m = Pi^2/2 m^
    assert kinetic == pytest.approx(momentum**2 / (2 * mass))


@pytest.fixture
def frames(generator: np.random.Generator) -> np.ndarray:
    start = generator.normal(size=(ATOMS, 3))
    steps = generator.normal(scale=0.3, size=(FRAMES, ATOMS, 3))
    return np.asarray(start + np.cumsum(steps, axis=0))


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    lines = ["atoms", f"{ATOMS}"]
    for index in range(ATOMS):
        name = "NP" if index < 4 else "W"
        number, place = index + 1, f"{0.1 * index:8.3f}{0:8.3f}{0:8.3f}"
        lines.append(f"{number:5d}{name:<5}{'C':>5}{number:5d}{place}")
    path = tmp_path / "atoms.gro"
    path.write_text("\n".join([*lines, "2.0 2.0 2.0"]) + "\n")
    return path


def written(directory: Path, kind: str, places: np.ndarray, side: float = 20.0) -> Path:
    """The frames in a file of this kind, with velocities 2 and forces 3 times the places (TRR)."""
    from MDAnalysis.lib.formats.libdcd import DCDFile
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile, XTCFile

    path, single = directory / f"run.{kind}", places.astype(np.float32)
    box = np.asarray(0.1 * side * np.eye(3), dtype=np.float32)
    if kind == "dcd":
        with DCDFile(str(path), "w") as file:
            file.write_header("", natoms=ATOMS, istart=0, nsavc=1, delta=1.0, is_periodic=1)
            for frame in single:
                file.write(xyz=frame, box=[side, 90.0, side, 90.0, 90.0, side])
        return path
    with (TRRFile if kind == "trr" else XTCFile)(str(path), "w") as file:
        for number, frame in enumerate(0.1 * single):
            if kind == "trr":
                file.write(frame, 2 * frame, 300 * frame, box, number, number, 0.0, ATOMS)
            else:
                file.write(frame, box, number, float(number), 1e5)
    return path


@pytest.mark.parametrize("kind", ["dcd", "trr", "xtc"])
def test_trajectories_are_read_in_chunks_and_leave_no_files(
    kind: str,
    frames: np.ndarray,
    topology: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 10)
    path = written(tmp_path, kind, frames)
    before = sorted(tmp_path.iterdir())
    atoms = read_atoms(topology, "resname NP")
    assert atoms.indices.tolist() == [0, 1, 2, 3] and atoms.total == ATOMS
    chunks = list(read_chunks(path, atoms))
    assert [len(chunk.positions) for chunk in chunks] == [10, 10, 3]
    places = np.concatenate([chunk.positions for chunk in chunks])
    assert places == pytest.approx(frames[:, :4], abs=2e-4 if kind == "xtc" else 2e-6)
    if kind == "trr":
        speeds = np.concatenate([chunk.velocities for chunk in chunks])
        forces = np.concatenate([chunk.forces for chunk in chunks])
        assert speeds == pytest.approx(2 * places, rel=1e-6, abs=1e-6)
        assert forces == pytest.approx(3 * places, rel=1e-6, abs=1e-6)
    else:
        assert chunks[0].velocities is None and chunks[0].forces is None
    assert sorted(tmp_path.iterdir()) == before  # no offsets, no locks


@pytest.mark.parametrize("kind", ["dcd", "trr"])
def test_jumps_by_a_side_of_the_box_are_undone(
    kind: str,
    frames: np.ndarray,
    topology: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 10)
    side, atoms = 4.0, read_atoms(topology, "all")
    path = written(tmp_path, kind, frames % side, side)
    whole = np.concatenate([part.positions for part in read_chunks(path, atoms, unwrap=True)])
    moved = whole - whole[0]
    assert moved == pytest.approx(frames - frames[0], abs=1e-5)
    torn = np.concatenate([part.positions for part in read_chunks(path, atoms)])
    assert np.abs(torn - torn[0] - moved).max() > 3.9


def test_files_that_do_not_fit_are_refused(
    frames: np.ndarray, topology: Path, tmp_path: Path
) -> None:
    atoms, path = read_atoms(topology, "all"), written(tmp_path, "trr", frames)
    (tmp_path / "run.pkl").write_bytes(b"")
    (tmp_path / "broken.dcd").write_bytes(b"no trajectory")
    other = topology.with_name("other.gro")
    other.write_text("two\n2\n    1NP       C    1   0.000   0.000   0.000\n"
                     "    2NP       C    2   0.100   0.000   0.000\n2.0 2.0 2.0\n")  # fmt: skip
    with pytest.raises(CaseError, match="unknown kind of file"):
        list(read_chunks(tmp_path / "run.pkl", atoms))
    with pytest.raises(CaseError, match="unknown kind of file"):
        read_atoms(tmp_path / "run.pkl", "all")
    with pytest.raises(CaseError, match="no such file"):
        list(read_chunks(tmp_path / "none.dcd", atoms))
    with pytest.raises(CaseError, match="cannot be read"):
        list(read_chunks(tmp_path / "broken.dcd", atoms))
    with pytest.raises(CaseError, match="has 7 atoms, its topology 2"):
        list(read_chunks(path, read_atoms(other, "all")))
    with pytest.raises(CaseError, match="chooses no atoms"):
        read_atoms(topology, "resname X")
    with pytest.raises(CaseError, match="cannot be read"):
        read_atoms(topology, "resname NP and (")
    with pytest.raises(CaseError, match="masses of the atoms must be positive"):
        centre_of_mass(np.array([1.0, 0.0]))
