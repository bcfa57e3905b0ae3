"""Saved states: written beside and renamed, checked when read, on any number of ranks.

A checkpoint is a NumPy archive (`.npz`: a zip file of plain arrays, each with a CRC-32), so that
it can be read anywhere and a truncated or altered one is refused. The unknowns are identified by
their position: `layout-*.npz` holds the positions in the order of the files, so that another
number of ranks finds its own among them. Parts of a state that are spread over ranks in different
ways (a mesh, replicas) have positions each, known by the name of the part. The checkpoint libraries
of the ecosystem were not taken: they need ADIOS2, which is optional for DOLFINx, and write the mesh
again with each state.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.errors import CaseError, FemRdError, NumericalError
from fem_rd.parallel import agree, on_root
from fem_rd.state import Positions, State

FORMAT = 2
KEPT = 2
NEAR = 1e-9  # of the extent of the domain: unknowns nearer than this are the same
_POSITIONS, _ABOUT = "positions", "about"
_ALL = ""  # the name of the one part of a state that has no parts
_DISTRIBUTED, _REPLICATED = "distributed/", "replicated/"
_TAG = 4713  # of the messages that carry parts to rank 0
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class About:
    """What a checkpoint says of itself.

    ``layout``: the file of positions. ``owned``: unknowns of each rank that wrote it, by part.
    """

    time: float
    steps: int
    layout: str
    owned: dict[str, list[int]]
    format: int = FORMAT


class Checkpoints:
    """The checkpoints of one run. Methods are collective."""

    def __init__(self, directory: Path, positions: Positions, comm: MPI.Comm) -> None:
        """``positions`` of this rank's owned unknowns: (owned, 3), or those of each part."""
        self._directory, self._comm = directory, comm
        self._positions = positions if isinstance(positions, Mapping) else {_ALL: positions}
        self._owned = {part: comm.allgather(len(at)) for part, at in self._positions.items()}
        self._layout = f"layout-{_digest(self._positions, comm):08x}.npz"

    def save(self, time: float, steps: int, state: State) -> None:
        """Write a checkpoint, and remove all but the newest `KEPT`.

        Raises `NumericalError` on every rank where it cannot be written; earlier ones stay.
        """
        about = About(time, steps, self._layout, self._owned)
        if not on_root(self._comm, (self._directory / self._layout).is_file):
            positions = {_positions_of(part): at.T for part, at in self._positions.items()}
            self._write(self._layout, about, positions, {})
        self._write(f"step-{steps:09d}.npz", about, state.distributed, state.replicated)
        on_root(self._comm, lambda: _remove_old(self._directory))

    def load(self, file: Path) -> State:
        """The state in ``file`` for this rank's unknowns.

        Raises `CaseError` where the unknowns are not those of the checkpoint.
        """
        about = on_root(self._comm, lambda: read_about(file))
        mine = self._places(about)
        with np.load(file, allow_pickle=False) as archive:
            return State(
                {
                    name: archive[_DISTRIBUTED + name][..., mine[self._part(name)]]
                    for name in _names(archive, _DISTRIBUTED)
                },
                {name: archive[_REPLICATED + name] for name in _names(archive, _REPLICATED)},
            )

    def _part(self, name: str) -> str:
        """The part that a distributed array belongs to."""
        for part in self._positions:
            if part == _ALL or name.startswith(f"{part}."):
                return part
        raise ValueError(f"{name} is in no part of the state that has positions")

    def _places(self, about: About) -> dict[str, slice | Indices]:
        """Where this rank's unknowns are in the arrays of a checkpoint, by part. Collective."""
        if about.layout == self._layout and about.owned == self._owned:
            return {part: self._own_slice(owned) for part, owned in self._owned.items()}
        if about.owned.keys() != self._owned.keys():
            raise _other_mesh(self._directory)
        with np.load(self._directory / about.layout, allow_pickle=False) as archive:
            kept = {part: archive[_DISTRIBUTED + _positions_of(part)].T for part in self._owned}
        return {part: self._found_in(kept[part], mine) for part, mine in self._positions.items()}

    def _own_slice(self, owned: list[int]) -> slice:
        start = sum(owned[: self._comm.rank])
        return slice(start, start + owned[self._comm.rank])

    def _found_in(self, positions: Array, mine: Array) -> Indices:
        """Index among the ``positions`` of each of ``mine``. `CaseError` where they differ."""
        from scipy.spatial import cKDTree

        distance, index = cKDTree(positions).query(mine)
        extent = float(np.ptp(positions, axis=0).max()) if len(positions) else 0.0
        total = self._comm.allreduce(len(mine))
        other = total != len(positions) or bool((distance > NEAR * extent).any())
        agree(self._comm, _other_mesh(self._directory) if other else None)
        return np.asarray(index)

    def _write(
        self,
        name: str,
        about: About,
        distributed: Mapping[str, Array],
        replicated: Mapping[str, Array],
    ) -> None:
        words = np.frombuffer(json.dumps(asdict(about)).encode(), dtype=np.uint8)
        arrays: dict[str, npt.NDArray[np.generic]] = {_ABOUT: words}
        arrays |= {_REPLICATED + key: np.asarray(value) for key, value in replicated.items()}
        for key, mine in distributed.items():
            arrays[_DISTRIBUTED + key] = self._gathered(mine, self._owned[self._part(key)])
        on_root(self._comm, lambda: _write_archive(self._directory / name, arrays))

    def _gathered(self, mine: Array, owned: list[int]) -> Array:
        """All ranks' shares side by side, on rank 0; nothing of use elsewhere."""
        if self._comm.rank:
            self._comm.Send(np.ascontiguousarray(mine), dest=0, tag=_TAG)
            return mine
        shares = [mine]
        for rank, count in enumerate(owned[1:], start=1):
            share = np.empty((*mine.shape[:-1], count))
            self._comm.Recv(share, source=rank, tag=_TAG)
            shares.append(share)
        return np.concatenate(shares, axis=-1) if len(shares) > 1 else mine


def newest(directory: Path, refused: Callable[[str], None]) -> Path | None:
    """The newest whole checkpoint; ``refused`` hears of those that are not. Not collective."""
    for file in sorted(directory.glob("step-*.npz"), reverse=True):
        try:
            about = read_about(file)
            _check_whole(file)
            _check_whole(directory / about.layout)
        except FemRdError as error:
            refused(str(error))
        else:
            return file
    return None


def read_about(file: Path) -> About:
    """What a checkpoint says of itself; `FemRdError` where it cannot be read. Not collective."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            about = About(**json.loads(archive[_ABOUT].tobytes()))
    except _UNREADABLE as error:
        raise FemRdError(f"{file}: not a whole checkpoint: {error}") from None
    if about.format != FORMAT:
        raise FemRdError(f"{file}: has the format {about.format}, this version reads {FORMAT}")
    return about


def _check_whole(file: Path) -> None:
    """Read every array against its checksum."""
    try:
        with zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
    except _UNREADABLE as error:
        raise FemRdError(f"{file}: not a whole checkpoint: {error}") from None
    if broken is not None:
        raise FemRdError(f"{file}: not a whole checkpoint: the checksum of {broken} is wrong")


def _write_archive(path: Path, arrays: Mapping[str, Any]) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(exist_ok=True)
        with beside.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise NumericalError(
            f"{path}: the state cannot be saved: {error.strerror}",
            remedy="free space on that disk, then fem-rd resume: earlier checkpoints are intact",
        ) from None


def _remove_old(directory: Path) -> None:
    for file in sorted(directory.glob("step-*.npz"))[:-KEPT]:
        file.unlink(missing_ok=True)


def _names(archive: Mapping[str, Array], kind: str) -> list[str]:
    """What the arrays of one kind are called in `State`."""
    return [name.removeprefix(kind) for name in archive if name.startswith(kind)]


def _other_mesh(directory: Path) -> CaseError:
    message = "the checkpoint was made on another mesh than the case has now"
    return CaseError(message, file=directory)


def _positions_of(part: str) -> str:
    """What the positions of a part are called in a file."""
    return f"{part}.{_POSITIONS}" if part else _POSITIONS


def _digest(positions: Mapping[str, Array], comm: MPI.Comm) -> int:
    """A number for the positions of all ranks in their order."""
    mine = {part: zlib.crc32(np.ascontiguousarray(at).tobytes()) for part, at in positions.items()}
    return zlib.crc32(json.dumps(comm.allgather(mine)).encode())
