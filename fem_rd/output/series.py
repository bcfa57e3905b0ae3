"""Observables over time: `observables.csv`, one row per step, the time first.

The header has plain names, which pandas, ParaView and spreadsheets take as they are; the units are
in `summary.json` and `run.json`. Numbers are written in the fewest digits that give them back
exactly.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from fem_rd.errors import FemRdError
from fem_rd.observables import Observable

TIME = "time"


class SeriesFile:
    """The file open for appending, by one process; use `create` or `resume`."""

    def __init__(self, path: Path, file: IO[str], names: Sequence[str]) -> None:
        self.path, self.names = path, tuple(names)
        self._file = file
        self._rows = csv.writer(file, lineterminator="\n")

    @classmethod
    def create(cls, path: Path, names: Sequence[str]) -> SeriesFile:
        """Start a file with columns time and ``names``."""
        series = cls(path, _opened(path, "w"), names)
        series._append((TIME, *names))
        return series

    @classmethod
    def resume(cls, path: Path, after: float) -> SeriesFile:
        """Go on with a file after the time ``after``: later rows and a torn last one go."""
        header, rows = _complete_rows(path)
        kept = [row for row in rows if float(row[0]) <= after]
        beside = path.with_name(f".{path.name}.new")
        with _opened(beside, "w") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *kept])
        os.replace(beside, path)
        return cls(path, _opened(path, "a"), header[1:])

    def append(self, time: float, observables: Iterable[Observable]) -> None:
        """Add a row; the observables may come in any order.

        Raises ValueError where they are not those of the header, FemRdError where the file cannot
        be written.
        """
        values = {observable.name: observable.value for observable in observables}
        if values.keys() != set(self.names):
            raise ValueError(f"columns {sorted(self.names)}, observables {sorted(values)}")
        row = (time, *(values[name] for name in self.names))
        self._append([repr(float(number)) for number in row])

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> SeriesFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, row: Sequence[str]) -> None:
        try:
            self._rows.writerow(row)
            self._file.flush()  # a run may be killed, and people look while it runs
        except OSError as error:
            raise FemRdError(f"{self.path}: cannot be written: {error.strerror}") from error


def read_series(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns by name, "time" first, each of shape (rows,); a torn last row is left out.

    Raises FemRdError where the file cannot be read.
    """
    header, rows = _complete_rows(path)
    try:
        table = np.array(rows, dtype=np.float64).reshape(len(rows), len(header))
    except ValueError as error:
        raise FemRdError(f"{path}: is not a table of numbers: {error}") from error
    return dict(zip(header, table.T, strict=True))


def _opened(path: Path, mode: str) -> IO[str]:
    try:
        return path.open(mode, encoding="utf-8", newline="")
    except OSError as error:
        raise FemRdError(f"{path}: cannot be opened: {error.strerror}") from error


def _complete_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    with _opened(path, "r") as file:
        text = file.read()
    table = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    if not table or table[0][:1] != [TIME] or any(len(row) != len(table[0]) for row in table):
        raise FemRdError(f"{path}: is not a table of observables over time")
    return table[0], table[1:]
