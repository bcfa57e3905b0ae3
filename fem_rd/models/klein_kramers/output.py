"""The table of rates against friction as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mpi4py import MPI

from fem_rd.models.particles.output import write_table
from fem_rd.models.particles.samples import Table
from fem_rd.models.protocol import Array
from fem_rd.output.results import ResultsDirectory
from fem_rd.parallel import on_root


class ScanOutput:
    """Writes `scan.csv` where there is a table: friction, rate, its error, and known limits."""

    def __init__(
        self,
        results: ResultsDirectory,
        table: Callable[[], Mapping[str, Array] | None],
        comm: MPI.Comm,
    ) -> None:
        self._results, self._table, self._comm = results, table, comm

    def write(self, time: float) -> None:
        """Write the table as it is now. Collective."""
        table = self._table()
        if table is not None:
            on_root(self._comm, lambda: write_table(self._results.scan, Table(dict(table))))

    def close(self) -> None:
        """Nothing is open."""
