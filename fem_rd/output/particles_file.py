"""Particles over time in one VTKHDF file that ParaView opens, written by one process with h5py.

Each step is a part of its own: points, a vertex for each, and for each the number of its species
and its identity. `NSteps` is raised only after all that a step needs has reached the file, so
whatever ends the run leaves the steps before readable.
Source: VTKHDF file format 2.1, PolyData with temporal data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from fem_rd.errors import FemRdError
from fem_rd.output.guarded_file import GuardedFile

T = TypeVar("T")
_VERSION = (2, 1)
_TOPOLOGIES = ("Vertices", "Lines", "Polygons", "Strips")
_COUNTS = ("NumberOfCells", "NumberOfConnectivityIds")
_DATA = {"species": np.int32, "id": np.int64}
_PER_STEP = ("PartOffsets", "NumberOfParts", "PointOffsets")
_PER_TOPOLOGY = ("CellOffsets", "ConnectivityIdOffsets")
# The oldest version of HDF5's own format has no flag "open for writing", which a killed run would
# leave set and which keeps readers out.
_FILE_VERSIONS = ("earliest", "v110")
_FEW_ROWS, _ROWS = 1 << 10, 1 << 14  # of a chunk
_WRITE_ERRORS = (OSError, RuntimeError)  # what h5py raises where the disk is full or gone


class ParticlesFile:
    """The file open for appending; use `create` or `resume`. Not collective."""

    def __init__(self, path: Path, raw: GuardedFile, file: h5py.File) -> None:
        self.path, self._raw, self._file, self._group = path, raw, file, file["VTKHDF"]

    @classmethod
    def create(cls, path: Path, species: Sequence[str]) -> ParticlesFile:
        """Start the file. Raises FemRdError where it cannot be written."""

        def create() -> ParticlesFile:
            raw = GuardedFile(path, "w+b")
            file = h5py.File(raw, "w", libver=_FILE_VERSIONS)
            _create_layout(file, species)
            raw.check()
            return cls(path, raw, file)

        return _written(path, create)

    @classmethod
    def resume(cls, path: Path, after: float) -> ParticlesFile:
        """Go on after the time ``after``; later steps are cut off. Raises FemRdError."""

        def reopen() -> ParticlesFile:
            raw = GuardedFile(path, "r+b")
            file = h5py.File(raw, "r+", libver=_FILE_VERSIONS)
            _truncate(file["VTKHDF"], after)
            raw.check()
            return cls(path, raw, file)

        return _written(path, reopen)

    def append(
        self,
        time: float,
        points: NDArray[np.float64],
        species: NDArray[np.integer],
        ids: NDArray[np.integer],
    ) -> None:
        """Add a step: points (dimension, n), and for each the number of its species and identity.

        Raises FemRdError where the file cannot be written.
        """
        _written(self.path, lambda: self._append(time, points, {"species": species, "id": ids}))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()
        self._raw.close()

    def __enter__(self) -> ParticlesFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _append(
        self, time: float, points: NDArray[np.float64], data: dict[str, NDArray[np.integer]]
    ) -> None:
        group, steps, count = self._group, self._group["Steps"], points.shape[1]
        part, first = len(group["NumberOfPoints"]), len(group["Points"])
        in_space = np.zeros((count, 3))
        in_space[:, : len(points)] = points.T
        _extend(group["Points"], in_space)
        _extend(group["NumberOfPoints"], [count])
        for name in _TOPOLOGIES:
            vertices = count if name == "Vertices" else 0
            for number in _COUNTS:
                _extend(group[name][number], [vertices])
            _extend(group[name]["Connectivity"], np.arange(vertices))
            _extend(group[name]["Offsets"], np.arange(vertices + 1))
        for name, values in data.items():
            _extend(group["PointData"][name], values)
            _extend(steps["PointDataOffsets"][name], [first])
        for name, value in zip(_PER_STEP, (part, 1, first), strict=True):
            _extend(steps[name], [value])
        for name in _PER_TOPOLOGY:
            _extend(steps[name], [[first, 0, 0, 0]])
        self._file.flush()
        self._raw.check()
        # Last, and in place; ParaView believes the number of times, others the number of steps.
        _extend(steps["Values"], [time])
        steps.attrs.modify("NSteps", np.int64(steps.attrs["NSteps"] + 1))
        self._file.flush()
        self._raw.check()


def _written(path: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except _WRITE_ERRORS as error:
        raise FemRdError(f"{path}: cannot be written: {error}") from error


def _create_layout(file: h5py.File, species: Sequence[str]) -> None:
    group = file.create_group("VTKHDF")
    group.attrs["Version"] = _VERSION
    group.attrs.create("Type", np.bytes_("PolyData"))
    _growing(group, "NumberOfPoints", np.int64, _FEW_ROWS)
    _growing(group, "Points", np.float64, _ROWS, 3)
    for name in _TOPOLOGIES:
        topology = group.create_group(name)
        for number in _COUNTS:
            _growing(topology, number, np.int64, _FEW_ROWS)
        for array in ("Connectivity", "Offsets"):
            _growing(topology, array, np.int64, _ROWS if name == "Vertices" else _FEW_ROWS)
    data, steps = group.create_group("PointData", track_order=True), group.create_group("Steps")
    offsets = steps.create_group("PointDataOffsets")
    for name, kind in _DATA.items():
        _growing(data, name, kind, _ROWS)
        _growing(offsets, name, np.int64, _FEW_ROWS)
    data["species"].attrs["names"] = json.dumps(list(species))
    steps.attrs["NSteps"] = np.int64(0)
    _growing(steps, "Values", np.float64, _FEW_ROWS)
    for name in _PER_STEP:
        _growing(steps, name, np.int64, _FEW_ROWS)
    for name in _PER_TOPOLOGY:
        _growing(steps, name, np.int64, _FEW_ROWS, len(_TOPOLOGIES))


def _truncate(group: h5py.Group, after: float) -> None:
    """Cut off the steps later than ``after`` and whatever an unfinished step left behind."""
    steps = group["Steps"]
    times = steps["Values"][: steps.attrs["NSteps"]]
    keep = int(np.count_nonzero(times <= after))
    steps.attrs.modify("NSteps", np.int64(keep))  # first: from now on nobody reads what goes
    group.file.flush()
    points = int(group["NumberOfPoints"][:keep].sum())
    for name in ("Values", *_PER_STEP, *_PER_TOPOLOGY):
        steps[name].resize(keep, axis=0)
    group["NumberOfPoints"].resize(keep, axis=0)
    group["Points"].resize(points, axis=0)
    for name in _DATA:
        group["PointData"][name].resize(points, axis=0)
        steps["PointDataOffsets"][name].resize(keep, axis=0)
    for name in _TOPOLOGIES:
        cells = points if name == "Vertices" else 0
        for number in _COUNTS:
            group[name][number].resize(keep, axis=0)
        group[name]["Connectivity"].resize(cells, axis=0)
        group[name]["Offsets"].resize(cells + keep, axis=0)
    group.file.flush()


def _growing(
    group: h5py.Group, name: str, kind: type, chunk_rows: int, columns: int | None = None
) -> None:
    width = () if columns is None else (columns,)
    group.create_dataset(
        name, (0, *width), maxshape=(None, *width), dtype=kind, chunks=(chunk_rows, *width)
    )


def _extend(data: h5py.Dataset, values: Sequence[object] | NDArray[np.generic]) -> None:
    if len(values):
        first = len(data)
        data.resize(first + len(values), axis=0)
        data[first:] = values
