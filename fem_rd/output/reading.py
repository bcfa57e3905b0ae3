"""Reading `fields.vtkhdf` back with h5py alone: for the report, for notebooks, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from fem_rd.errors import FemRdError


@dataclass(frozen=True)
class Cells:
    """All cells of one VTK type: ``connectivity`` (m, k) into the points."""

    vtk_type: int
    connectivity: NDArray[np.int64]


@dataclass(frozen=True)
class Fields:
    """The fields at one time.

    ``points`` (n, 3); a point on the border between the pieces of two ranks occurs once for each.
    ``values``: by name of field, (n,) for a scalar, (n, 3) for a vector; ``units`` likewise.
    """

    time: float
    points: NDArray[np.float64]
    cells: tuple[Cells, ...]
    values: dict[str, NDArray[np.float64]]
    units: dict[str, str]


def read_times(path: Path) -> NDArray[np.float64]:
    """Times of the complete steps of the file, shape (steps,)."""
    with _opened(path) as file:
        steps = file["VTKHDF/Steps"]
        times: NDArray[np.float64] = steps["Values"][: steps.attrs["NSteps"]]
    return times


def read_fields(path: Path, step: int = -1) -> Fields:
    """The fields of one step, the last by default; ``step`` counts from 0, or from -1 backwards.

    Raises FemRdError where the file cannot be read, IndexError where it has no such step.
    """
    with _opened(path) as file:
        group, steps = file["VTKHDF"], file["VTKHDF/Steps"]
        count = int(steps.attrs["NSteps"])
        if not -count <= step < count:
            raise IndexError(f"{path}: no step {step} among {count}")
        step %= count
        first = int(steps["PartOffsets"][step])
        parts = slice(first, first + int(steps["NumberOfParts"][step]))
        rows = int(group["NumberOfPoints"][parts].sum())
        values = {
            name: _rows(data, int(steps["PointDataOffsets"][name][step]), rows)
            for name, data in group["PointData"].items()
        }
        return Fields(
            time=float(steps["Values"][step]),
            points=_rows(group["Points"], int(steps["PointOffsets"][step]), rows),
            cells=_cells(group, step, parts),
            values=values,
            units={name: str(group["PointData"][name].attrs.get("unit", "")) for name in values},
        )


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise FemRdError(f"{path}: cannot be read: {error}") from error


def _rows(data: h5py.Dataset, first: int, count: int) -> NDArray[np.float64]:
    rows: NDArray[np.float64] = data[first : first + count]
    return rows


def _cells(group: h5py.Group, step: int, parts: slice) -> tuple[Cells, ...]:
    """Cells of all parts by type, with connectivity into the points of the whole step."""
    blocks: dict[tuple[int, int], list[NDArray[np.int64]]] = {}
    for types, offsets, connectivity in _parts(group, step, parts):
        widths = np.diff(offsets)
        for vtk_type in map(int, np.unique(types)):
            of_type = types == vtk_type
            for width in map(int, np.unique(widths[of_type])):
                begin = offsets[:-1][of_type & (widths == width)]
                cells = connectivity[begin[:, None] + np.arange(width)]
                blocks.setdefault((vtk_type, width), []).append(cells)
    return tuple(Cells(key[0], np.concatenate(found)) for key, found in blocks.items())


def _parts(
    group: h5py.Group, step: int, parts: slice
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]]:
    cell = int(group["Steps/CellOffsets"][step, 0])
    entry = int(group["Steps/ConnectivityIdOffsets"][step, 0])
    sizes = zip(
        range(parts.start, parts.stop),
        group["NumberOfPoints"][parts].tolist(),
        group["NumberOfCells"][parts].tolist(),
        group["NumberOfConnectivityIds"][parts].tolist(),
        strict=True,
    )
    point = 0
    for part, points, cells, entries in sizes:
        yield (
            group["Types"][cell : cell + cells],
            group["Offsets"][cell + part : cell + part + cells + 1],
            group["Connectivity"][entry : entry + entries] + point,
        )
        cell, entry, point = cell + cells, entry + entries, point + points
