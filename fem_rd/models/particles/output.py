"""The files that only the particles model writes: trajectories, profiles, pair correlations."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from mpi4py import MPI

from fem_rd.errors import FemRdError
from fem_rd.log import Log
from fem_rd.models.particles.samples import Table
from fem_rd.output.particles_file import ParticlesFile
from fem_rd.output.results import ResultsDirectory
from fem_rd.parallel import on_root
from fem_rd.particles.state import System


class WithTables(Protocol):
    """A model with particles."""

    @property
    def time(self) -> float:
        """The time reached."""
        ...

    def tables(self) -> Mapping[str, Table]:
        """What is written as tables, by name. Collective."""
        ...


class ParticlesOutput:
    """Writes at the times of output. Methods are collective; rank 0 has the first replica."""

    def __init__(
        self,
        results: ResultsDirectory,
        model: WithTables,
        first: System | None,
        comm: MPI.Comm,
        log: Log,
        *,
        trajectories: bool,
        resumed: bool,
    ) -> None:
        self._results, self._model, self._first, self._comm = results, model, first, comm
        self._file: ParticlesFile | None = None
        if trajectories:
            self._on_root(lambda: self._open(log, resumed=resumed))

    def write(self, time: float) -> None:
        """Add the particles of the first replica, and write tables as they are now."""
        tables, results = self._model.tables(), self._results
        paths = {"profiles": results.profiles, "pairs": results.pair_correlation}

        def write() -> None:
            self._append(time)
            for name, table in tables.items():
                write_table(paths[name], table)

        self._on_root(write)

    def close(self) -> None:
        """Close the files. Not collective; a second call does nothing."""
        if self._file is not None:
            self._file.close()

    def _on_root(self, work: Callable[[], None]) -> None:
        on_root(self._comm, work)

    def _append(self, time: float) -> None:
        if self._file is None or self._first is None:
            return
        populations = list(self._first.populations.values())
        self._file.append(
            time,
            np.concatenate([population.x for population in populations], axis=1),
            np.repeat(np.arange(len(populations)), [one.count for one in populations]),
            np.concatenate([population.id for population in populations]).astype(np.int64),
        )

    def _open(self, log: Log, *, resumed: bool) -> None:
        path = self._results.particles
        if resumed and path.is_file():
            try:
                self._file = ParticlesFile.resume(path, self._model.time)
                return
            except FemRdError as error:
                log.warning(f"{error}; kept as {path.name}.broken, a new file begins")
                path.replace(path.with_name(f"{path.name}.broken"))
        species = tuple(self._first.species) if self._first is not None else ()
        self._file = ParticlesFile.create(path, species)


def write_table(path: Path, table: Table) -> None:
    """Write a table with a header as CSV, numbers in the fewest digits that give them back."""
    rows = zip(*(column.tolist() for column in table.columns.values()), strict=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table.columns)
            writer.writerows([[repr(number) for number in row] for row in rows])
        beside.replace(path)
    except OSError as error:
        raise FemRdError(f"{path}: cannot be written: {error.strerror}") from error
