"""The files of the trajectory model: tables for people and cases for the equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.models.particles.output import write_table
from fem_rd.models.particles.samples import Table
from fem_rd.models.trajectory.equations import write_equations
from fem_rd.order_parameters.analysis import Coefficients
from fem_rd.order_parameters.statistics import Array, Estimate
from fem_rd.output.results import ResultsDirectory
from fem_rd.parallel import on_root


class TrajectoryOutput:
    """Writes once the analysis is made. Methods are collective."""

    def __init__(
        self,
        results: ResultsDirectory,
        case: Case,
        found: Callable[[], Coefficients | None],
        comm: MPI.Comm,
    ) -> None:
        self._results, self._case, self._found, self._comm = results, case, found, comm

    def write(self, _time: float) -> None:
        """Write all tables, and the cases of the equations."""
        found = self._found()
        if found is None:
            return
        tables = tables_of(found)

        def write() -> None:
            for name, table in tables.items():
                write_table(self._results.coefficients[name], table)
            write_equations(self._results.equations, self._case, found, tables)

        on_root(self._comm, write)

    def close(self) -> None:
        """Nothing is open."""


def tables_of(found: Coefficients) -> Mapping[str, Table]:
    """The tables by the names that `ResultsDirectory.coefficients` has."""
    centres = found.bins.centres
    tables = {"diffusion": _table("R", centres, diffusion=found.diffusion)}
    if found.potential is not None:
        lowest = found.potential.value.min()
        for name, potential in (
            ("potential", found.potential), ("mean_force_potential", found.other_potential)
        ):  # fmt: skip
            if potential is not None:
                shifted = Estimate(potential.value - lowest, potential.error)
                tables[name] = _table("R", centres, potential=shifted)
    if found.friction is not None:
        kernel = found.friction.kernel
        tables["friction"] = _table("lag", found.friction.times, friction=kernel)
    if found.curves:
        count = len(next(iter(found.curves.values())).value)
        lags = np.asarray(np.arange(count) * found.dt)
        tables["correlations"] = _table("lag", lags, **found.curves)
    return tables


def _table(of: str, at: Array, **estimates: Estimate) -> Table:
    columns = {of: at}
    for name, estimate in estimates.items():
        columns |= {name: estimate.value, f"{name}_error": estimate.error}
    return Table(columns)
