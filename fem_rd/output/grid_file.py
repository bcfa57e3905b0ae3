"""The VTKHDF layout of fields on a mesh over time, written by one process with h5py.

A file is a sequence of parts (one piece of mesh per rank, stored once) and a sequence of steps,
each of which names its parts and says where its values begin. `NSteps` is raised only after all
that a step needs has reached the file, so whatever ends the run leaves the steps before readable.
Source: VTKHDF file format 2.1, UnstructuredGrid with temporal data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from fem_rd.output.guarded_file import GuardedFile

_VERSION = (2, 1)
_COUNTS = ("NumberOfPoints", "NumberOfCells", "NumberOfConnectivityIds")
_PER_STEP = ("PartOffsets", "NumberOfParts", "PointOffsets")
# The format gives these one column per topology, and an UnstructuredGrid has one topology.
_PER_STEP_AND_TOPOLOGY = ("CellOffsets", "ConnectivityIdOffsets")
# The oldest version of HDF5's own format has no flag "open for writing", which a killed run would
# leave set and which keeps readers out.
_FILE_VERSIONS = ("earliest", "v110")
_FEWEST_ROWS, _MOST_ROWS = 1 << 10, 1 << 24  # of a chunk


@dataclass(frozen=True)
class PartSize:
    """Numbers of points, cells and connectivity entries of one part."""

    points: int
    cells: int
    connectivity: int


@dataclass(frozen=True)
class Part:
    """A piece of mesh: ``points`` (n, 3), ``cells`` (m, k) of one VTK ``cell_type``."""

    points: NDArray[np.float64]
    cells: NDArray[np.int64]
    cell_type: int

    @property
    def size(self) -> PartSize:
        """The numbers that the file keeps of this part."""
        return PartSize(len(self.points), len(self.cells), self.cells.size)


@dataclass(frozen=True)
class _Place:
    """Where a part begins in the datasets of the file."""

    part: int
    points: int
    cells: int
    connectivity: int

    def after(self, sizes: Sequence[PartSize]) -> _Place:
        return _Place(
            self.part + len(sizes),
            self.points + sum(size.points for size in sizes),
            self.cells + sum(size.cells for size in sizes),
            self.connectivity + sum(size.connectivity for size in sizes),
        )


_NOWHERE = _Place(0, 0, 0, 0)


class GridFile:
    """One file open for writing, with the parts that its next step uses."""

    def __init__(self, raw: GuardedFile, file: h5py.File, units: Mapping[str, str]) -> None:
        self._raw, self._file, self._group, self._units = raw, file, file["VTKHDF"], units
        self._start, self.sizes = _mesh_of_last_step(self._group)

    @classmethod
    def create(cls, path: Path, sizes: Sequence[PartSize], units: Mapping[str, str]) -> GridFile:
        """Start a file with room for parts of these ``sizes``; ``units`` by name of field."""
        raw = GuardedFile(path, "w+b")
        file = h5py.File(raw, "w", libver=_FILE_VERSIONS)
        _create_layout(file, _NOWHERE.after(sizes))
        grid = cls(raw, file, units)
        grid.append_mesh(sizes)
        return grid

    @classmethod
    def reopen(cls, path: Path, after: float, units: Mapping[str, str]) -> GridFile:
        """Open a file to go on after the time ``after``; what is later is cut off."""
        raw = GuardedFile(path, "r+b")
        file = h5py.File(raw, "r+", libver=_FILE_VERSIONS)
        _truncate(file["VTKHDF"], after)
        raw.check()
        return cls(raw, file, units)

    def append_mesh(self, sizes: Sequence[PartSize]) -> None:
        """Make room for a mesh in parts of these ``sizes``, which the steps to come will use."""
        group, self._start, self.sizes = self._group, self._place(len(self.sizes)), tuple(sizes)
        end = self._place(len(sizes))
        for name, column in zip(_COUNTS, ("points", "cells", "connectivity"), strict=True):
            _extend(group[name], [getattr(size, column) for size in sizes])
        group["Points"].resize(end.points, axis=0)
        group["Types"].resize(end.cells, axis=0)
        group["Connectivity"].resize(end.connectivity, axis=0)
        group["Offsets"].resize(end.cells + end.part, axis=0)
        self._file.flush()

    def write_part(self, index: int, part: Part) -> None:
        """Store the mesh of part ``index``, which has the size that was announced."""
        group, place = self._group, self._place(index)
        offsets = np.arange(len(part.cells) + 1, dtype=np.int64) * part.cells.shape[1]
        _put(group["Points"], place.points, part.points)
        _put(group["Connectivity"], place.connectivity, part.cells.ravel())
        _put(group["Types"], place.cells, np.full(len(part.cells), part.cell_type, np.uint8))
        # each part before this one has one offset more than cells
        _put(group["Offsets"], place.cells + place.part, offsets)
        self._raw.check()

    def holds_part(self, index: int, part: Part) -> bool:
        """Whether part ``index`` of the file is this very piece of mesh, point for point."""
        if index >= len(self.sizes) or self.sizes[index] != part.size:
            return False
        group, place, end = self._group, self._place(index), self._place(index + 1)
        points = group["Points"][place.points : end.points]
        cells = group["Connectivity"][place.connectivity : end.connectivity]
        return np.array_equal(points, part.points) and np.array_equal(cells, part.cells.ravel())

    def begin_step(self, components: Mapping[str, int]) -> None:
        """Make room for one more step of fields with so many ``components`` each.

        Raises ValueError where these are not the fields of the earlier steps.
        """
        data, steps = self._group["PointData"], self._group["Steps"]
        if len(data) == 0:
            for name, width in components.items():
                self._add_field(name, width)
        if set(components) != set(data):
            raise ValueError(f"the file has fields {sorted(data)}, the step {sorted(components)}")
        for name in components:
            _extend(steps["PointDataOffsets"][name], [len(data[name])])
            data[name].resize(len(data[name]) + self._points_per_step, axis=0)

    def write_values(self, name: str, index: int, values: NDArray[np.float64]) -> None:
        """Store the values of a field on part ``index`` for the step that was begun."""
        data = self._group["PointData"][name]
        step_begins = len(data) - self._points_per_step
        _put(data, step_begins + self._place(index).points - self._start.points, values)
        self._raw.check()

    def commit_step(self, time: float) -> None:
        """Let readers see the step that was begun, as the step at ``time``."""
        steps, start = self._group["Steps"], self._start
        _extend(steps["PartOffsets"], [start.part])
        _extend(steps["NumberOfParts"], [len(self.sizes)])
        _extend(steps["PointOffsets"], [start.points])
        _extend(steps["CellOffsets"], [[start.cells]])
        _extend(steps["ConnectivityIdOffsets"], [[start.connectivity]])
        self._file.flush()
        self._raw.check()
        # Last, and in place; ParaView believes the number of times, others the number of steps.
        _extend(steps["Values"], [time])
        steps.attrs.modify("NSteps", np.int64(steps.attrs["NSteps"] + 1))
        self._file.flush()
        self._raw.check()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()
        self._raw.close()

    @property
    def _points_per_step(self) -> int:
        return sum(size.points for size in self.sizes)

    def _place(self, index: int) -> _Place:
        return self._start.after(self.sizes[:index])

    def _add_field(self, name: str, width: int) -> None:
        # One chunk per step: the values then go past HDF5's chunk cache in one plain write.
        rows = _chunk_rows(self._points_per_step)
        columns = None if width == 1 else width
        data = _growing(self._group["PointData"], name, np.float64, rows, columns)
        data.attrs["unit"] = self._units.get(name, "")
        _growing(self._group["Steps/PointDataOffsets"], name, np.int64, _FEWEST_ROWS)


def _create_layout(file: h5py.File, end: _Place) -> None:
    group = file.create_group("VTKHDF")
    group.attrs["Version"] = _VERSION
    group.attrs.create("Type", np.bytes_("UnstructuredGrid"))
    for name in _COUNTS:
        _growing(group, name, np.int64, _FEWEST_ROWS)
    _growing(group, "Points", np.float64, _chunk_rows(end.points), 3)
    _growing(group, "Types", np.uint8, _chunk_rows(end.cells))
    _growing(group, "Offsets", np.int64, _chunk_rows(end.cells + end.part))
    _growing(group, "Connectivity", np.int64, _chunk_rows(end.connectivity))
    group.create_group("PointData", track_order=True)
    steps = group.create_group("Steps")
    steps.attrs["NSteps"] = np.int64(0)
    steps.create_group("PointDataOffsets")
    _growing(steps, "Values", np.float64, _FEWEST_ROWS)
    for name in _PER_STEP:
        _growing(steps, name, np.int64, _FEWEST_ROWS)
    for name in _PER_STEP_AND_TOPOLOGY:
        _growing(steps, name, np.int64, _FEWEST_ROWS, 1)


def _chunk_rows(rows: int) -> int:
    return min(max(rows, _FEWEST_ROWS), _MOST_ROWS)


def _growing(
    group: h5py.Group, name: str, kind: type, chunk_rows: int, columns: int | None = None
) -> h5py.Dataset:
    width = () if columns is None else (columns,)
    return group.create_dataset(
        name, (0, *width), maxshape=(None, *width), dtype=kind, chunks=(chunk_rows, *width)
    )


def _truncate(group: h5py.Group, after: float) -> None:
    """Cut off the steps later than ``after`` and whatever an unfinished step left behind."""
    steps = group["Steps"]
    times = steps["Values"][: steps.attrs["NSteps"]]
    keep = int(np.count_nonzero(times <= after))
    steps.attrs.modify("NSteps", np.int64(keep))  # first: from now on nobody reads what goes
    group.file.flush()
    start, sizes = _mesh_of_last_step(group)
    end = start.after(sizes)
    for name in ("Values", *_PER_STEP, *_PER_STEP_AND_TOPOLOGY):
        steps[name].resize(keep, axis=0)
    for name, offsets in steps["PointDataOffsets"].items():
        rows = int(offsets[keep - 1]) + end.points - start.points if keep else 0
        group["PointData"][name].resize(rows, axis=0)
        offsets.resize(keep, axis=0)
    for name in _COUNTS:
        group[name].resize(end.part, axis=0)
    group.file.flush()


def _mesh_of_last_step(group: h5py.Group) -> tuple[_Place, tuple[PartSize, ...]]:
    steps = int(group["Steps"].attrs["NSteps"])
    if steps == 0:
        return _NOWHERE, ()
    first, parts = (int(group["Steps"][name][steps - 1]) for name in _PER_STEP[:2])
    rows = zip(*(group[name][: first + parts].tolist() for name in _COUNTS), strict=True)
    sizes = tuple(PartSize(*row) for row in rows)
    return _NOWHERE.after(sizes[:first]), sizes[first:]


def _extend(data: h5py.Dataset, values: Sequence[object]) -> None:
    first = len(data)
    data.resize(first + len(values), axis=0)
    data[first:] = values


def _put(data: h5py.Dataset, first: int, values: NDArray[np.generic]) -> None:
    if len(values):  # a rank may own nothing
        data[first : first + len(values)] = values
