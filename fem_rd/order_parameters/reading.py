"""Molecular trajectories, a few hundred frames at a time, through MDAnalysis.

Only kinds of files that hold nothing but numbers are opened. XTC and TRR are read with the
low-level readers: those of a Universe would leave files of offsets beside the trajectory.
Lengths are in ångström, times in ps, forces in kJ/(mol ångström), masses in Da, as in MDAnalysis.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError
from fem_rd.order_parameters.statistics import Array

TOPOLOGIES = (".psf", ".pdb", ".gro", ".prmtop")
TRAJECTORIES = (".dcd", ".trr", ".xtc", ".nc")
CHUNK = 500
_NM = 10.0  # ångström: files of GROMACS are in nm


@dataclass(frozen=True)
class Atoms:
    """The chosen atoms of a topology: their numbers in the file, masses and positions there."""

    indices: npt.NDArray[np.int64]
    masses: Array
    positions: Array
    total: int


@dataclass(frozen=True)
class Chunk:
    """Some frames: arrays (frames, atoms, 3), None for what the file does not hold."""

    positions: Array
    velocities: Array | None
    forces: Array | None


def read_atoms(topology: Path, selection: str) -> Atoms:
    """The atoms of a selection in MDAnalysis's language ("resname NP and name C*").

    Raises `CaseError` for a file that cannot be read and a selection that chooses nothing.
    """
    _require(topology, TOPOLOGIES, "topology")
    with _quiet():
        import MDAnalysis

        try:
            universe = MDAnalysis.Universe(str(topology))
            chosen = universe.select_atoms(selection)
        except Exception as error:  # readers and the parser of selections raise all kinds
            text = " ".join(str(error).split())
            raise CaseError(f"cannot be read: {text}", file=topology, key="selection",
                            found=selection) from None  # fmt: skip
    if len(chosen) == 0:
        raise CaseError("chooses no atoms", file=topology, key="selection", found=selection)
    masses = np.array(getattr(chosen, "masses", np.zeros(len(chosen))), dtype=float)
    try:
        positions = np.array(chosen.positions, dtype=float)
    except Exception:  # a topology without coordinates
        positions = np.full((len(chosen), 3), np.nan)
    return Atoms(np.array(chosen.indices), masses, positions, len(universe.atoms))


def read_chunks(trajectory: Path, atoms: Atoms, *, unwrap: bool = False) -> Iterator[Chunk]:
    """The chosen atoms' frames, at most `CHUNK` at a time.

    ``unwrap``: undo jumps by a side of the (rectangular) periodic box between frames, so that what
    is whole in the first frame stays whole. Raises `CaseError` for files that do not fit.
    """
    _require(trajectory, TRAJECTORIES, "file")
    last: Array | None = None
    for frames in _gathered(_frames(trajectory, atoms)):
        positions, boxes = (np.array([frame[part] for frame in frames]) for part in (0, 3))
        if unwrap:
            positions = _unwrapped(positions, boxes, last)
            last = positions[-1]
        speeds, forces = (
            None if frames[0][part] is None else np.array([frame[part] for frame in frames])
            for part in (1, 2)
        )
        yield Chunk(positions, speeds, forces)


def _frames(trajectory: Path, atoms: Atoms) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Positions, velocities, forces and sides of the box of every frame."""
    kinds = {".dcd": _charmm, ".trr": _gromacs, ".xtc": _gromacs, ".nc": _amber}
    yield from kinds[trajectory.suffix.lower()](trajectory, atoms)


def _charmm(trajectory: Path, atoms: Atoms) -> Iterator[tuple[Any, Any, Any, Any]]:
    from MDAnalysis.lib.formats.libdcd import DCDFile

    with _opened(DCDFile, trajectory) as file:
        _require_atoms(trajectory, file.header["natoms"], atoms)
        for frame in file:
            cell = np.array(frame.unitcell, dtype=float)
            sides, angles = cell[[0, 2, 5]], cell[[1, 3, 4]]
            right = np.allclose(angles, 90.0) or np.allclose(angles, 0.0)  # degrees or cosines
            known = right and np.all(sides > 0.0)
            own = frame.xyz[atoms.indices].astype(float)
            yield own, None, None, sides if known else np.full(3, np.nan)


def _gromacs(trajectory: Path, atoms: Atoms) -> Iterator[tuple[Any, Any, Any, Any]]:
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile, XTCFile

    own, full = atoms.indices, trajectory.suffix.lower() == ".trr"
    with _opened(TRRFile if full else XTCFile, trajectory) as file:
        _require_atoms(trajectory, file.n_atoms, atoms)
        for frame in file:
            speeds = _NM * frame.v[own].astype(float) if full and frame.hasv else None
            forces = frame.f[own].astype(float) / _NM if full and frame.hasf else None
            if full and not frame.hasx:
                raise CaseError("holds frames without positions", file=trajectory)
            sides = _NM * np.diag(frame.box).astype(float)
            yield _NM * frame.x[own].astype(float), speeds, forces, _sides(sides, frame.box)


def _amber(trajectory: Path, atoms: Atoms) -> Iterator[tuple[Any, Any, Any, Any]]:
    from MDAnalysis.coordinates.TRJ import NCDFReader

    own = atoms.indices
    with _opened(NCDFReader, trajectory) as reader:
        _require_atoms(trajectory, reader.n_atoms, atoms)
        for frame in reader:
            speeds = frame.velocities[own].astype(float) if frame.has_velocities else None
            forces = frame.forces[own].astype(float) if frame.has_forces else None
            box = frame.dimensions
            skew = box is not None and not np.allclose(box[3:], 90.0)
            sides = np.full(3, np.nan) if box is None or skew else box[:3].astype(float)
            yield frame.positions[own].astype(float), speeds, forces, sides


def _opened(kind: Any, trajectory: Path) -> Any:
    """The file, opened by a reader of MDAnalysis. Raises `CaseError` where it is none."""
    try:
        with _quiet():
            return kind(str(trajectory))
    except Exception as error:  # each reader raises its own kinds
        raise CaseError(f"cannot be read: {error}", file=trajectory) from None


def _sides(sides: Array, box: Array) -> Array:
    """Not numbers where the box is no rectangle."""
    skew = np.any(np.abs(box - np.diag(np.diag(box))) > 1e-6) or not np.all(sides > 0.0)
    return np.full(3, np.nan) if skew else sides


def _gathered(frames: Iterator[Any]) -> Iterator[list[Any]]:
    gathered: list[Any] = []
    for frame in frames:
        gathered.append(frame)
        if len(gathered) == CHUNK:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def _unwrapped(positions: Array, boxes: Array, last: Array | None) -> Array:
    """Positions (frames, atoms, 3) without jumps, going on from ``last``."""
    if not np.isfinite(boxes).all():
        message = "jumps can be undone in rectangular periodic boxes only"
        raise CaseError(message, key="unwrap", found=True, valid="false")
    begin = positions[:1] if last is None else last[np.newaxis]
    steps = np.diff(np.concatenate([begin, positions]), axis=0)
    steps -= boxes[:, np.newaxis] * np.round(steps / boxes[:, np.newaxis])
    return np.asarray(begin + np.cumsum(steps, axis=0))


def _require(path: Path, kinds: tuple[str, ...], key: str) -> None:
    if path.suffix.lower() not in kinds:
        raise CaseError("unknown kind of file", key=key, found=path.name, valid=kinds)
    if not path.is_file():
        raise CaseError("no such file", key=key, found=str(path))


def _require_atoms(trajectory: Path, found: int, atoms: Atoms) -> None:
    if found != atoms.total:
        message = f"has {found} atoms, its topology {atoms.total}"
        raise CaseError(message, file=trajectory)


@contextmanager
def _quiet() -> Iterator[None]:
    """Guesses about elements and boxes are no concern of who asked for positions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
