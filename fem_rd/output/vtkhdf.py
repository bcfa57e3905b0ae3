"""Fields of a run in one VTKHDF file that ParaView opens, whatever the number of ranks.

Rank 0 writes with plain h5py, so that no parallel HDF5 is needed, and receives the other ranks'
pieces one after the other, so that it never holds more than one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from dolfinx import fem
from mpi4py import MPI
from numpy.typing import NDArray

from fem_rd.errors import FemRdError
from fem_rd.output.grid_file import GridFile, Part
from fem_rd.output.pieces import MeshPiece, PointEvaluation, output_space
from fem_rd.parallel import agree

P = ParamSpec("P")
T = TypeVar("T")
Number = TypeVar("Number", bound=np.generic)
_WRITE_ERRORS = (OSError, RuntimeError)  # what h5py raises where the disk is full or gone
_TAG = 4712  # of the messages that carry pieces to rank 0


class FieldsFile:
    """A time series of fields on one mesh; use `create` or `resume`. Methods are collective."""

    def __init__(self, path: Path, space: fem.FunctionSpace, units: Mapping[str, str]) -> None:
        self.path, self._units = path, dict(units)
        self._comm: MPI.Comm = space.mesh.comm
        self._piece = MeshPiece(output_space(space))
        self._sizes = self._comm.allgather(self._piece.part.size)
        self._grid: GridFile | None = None  # on rank 0 only
        self._error: FemRdError | None = None
        self._evaluations: dict[str, tuple[fem.FunctionSpace, PointEvaluation]] = {}

    @classmethod
    def create(
        cls, path: Path, space: fem.FunctionSpace, units: Mapping[str, str] | None = None
    ) -> FieldsFile:
        """Start the file with the mesh as ``space`` sees it.

        ``space``: continuous Lagrange of degree 1 or 2, the highest degree among the fields.
        ``units``: unit by name of field, kept in the file for the report.
        Raises FemRdError on every rank where the file cannot be written.
        """
        fields = cls(path, space, units or {})
        fields._open(lambda: GridFile.create(path, fields._sizes, fields._units))
        fields._write_mesh()
        return fields

    @classmethod
    def resume(
        cls,
        path: Path,
        space: fem.FunctionSpace,
        after: float,
        units: Mapping[str, str] | None = None,
    ) -> FieldsFile:
        """Go on with a file after the time ``after``; later steps are cut off.

        The mesh may be divided otherwise than before, as on another number of ranks.
        """
        fields = cls(path, space, units or {})
        fields._open(lambda: GridFile.reopen(path, after, fields._units))
        if not fields._mesh_is_in_file():
            fields._on_root(GridFile.append_mesh, fields._sizes)
            fields._write_mesh()
        return fields

    def write(self, time: float, fields: Mapping[str, fem.Function]) -> None:
        """Append a step at ``time``: scalars or vectors, the same names at every step.

        Raises FemRdError on every rank where the file cannot be written.
        """
        evaluations = {name: self._evaluation(name, field) for name, field in fields.items()}
        self._on_root(GridFile.begin_step, {name: e.components for name, e in evaluations.items()})
        for name, field in fields.items():
            mine = evaluations[name](field)
            for rank, size in enumerate(self._sizes):
                values = self._brought_from(rank, mine, size.points)
                self._on_root(GridFile.write_values, name, rank, values)
        self._on_root(GridFile.commit_step, time)
        agree(self._comm, self._error)

    def close(self) -> None:
        """Close the file. Not collective; a second call does nothing."""
        if self._grid is not None:
            self._grid.close()

    def __enter__(self) -> FieldsFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _evaluation(self, name: str, field: fem.Function) -> PointEvaluation:
        space = field.function_space
        known = self._evaluations.get(name)
        if known is None or known[0] is not space:
            known = self._evaluations[name] = (space, self._piece.evaluation(space))
        return known[1]

    def _write_mesh(self) -> None:
        for rank in range(self._comm.size):
            self._on_root(GridFile.write_part, rank, self._part_of(rank))
        agree(self._comm, self._error)

    def _mesh_is_in_file(self) -> bool:
        found = [
            self._on_root(GridFile.holds_part, rank, self._part_of(rank))
            for rank in range(self._comm.size)
        ]
        agree(self._comm, self._error)
        return bool(self._comm.bcast(all(found)))

    def _part_of(self, rank: int) -> Part:
        """The part of ``rank``, on rank 0; this rank's own part elsewhere."""
        mine, size = self._piece.part, self._sizes[rank]
        points = self._brought_from(rank, mine.points, size.points)
        cells = self._brought_from(rank, mine.cells, size.cells)
        return Part(points, cells, mine.cell_type)

    def _brought_from(self, rank: int, mine: NDArray[Number], rows: int) -> NDArray[Number]:
        """The array of ``rank``, with so many rows, on rank 0; ``mine`` elsewhere."""
        if rank == 0 or self._comm.rank not in (0, rank):
            return mine
        if self._comm.rank == rank:
            self._comm.Send(mine, dest=0, tag=_TAG)
            return mine
        theirs = np.empty((rows, *mine.shape[1:]), dtype=mine.dtype)
        self._comm.Recv(theirs, source=rank, tag=_TAG)
        return theirs

    def _open(self, opening: Callable[[], GridFile]) -> None:
        if self._comm.rank == 0:
            try:
                self._grid = opening()
            except _WRITE_ERRORS as error:
                self._error = FemRdError(f"{self.path}: cannot be written: {error}")
        agree(self._comm, self._error)

    def _on_root(
        self, method: Callable[Concatenate[GridFile, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """Call a method of the file on rank 0; after a failure nothing, until all ranks raise it.

        The ranks that only send must not be left alone with a message nobody receives.
        """
        if self._grid is None or self._error is not None:
            return None
        try:
            return method(self._grid, *args, **kwargs)
        except _WRITE_ERRORS as error:
            self._error = FemRdError(f"{self.path}: cannot be written: {error}")
            return None
