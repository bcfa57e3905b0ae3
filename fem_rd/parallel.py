"""Work that one rank does for all, without leaving the others waiting when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mpi4py import MPI

from fem_rd.errors import FemRdError

T = TypeVar("T")


def on_root(comm: MPI.Comm, work: Callable[[], T], *, root: int = 0) -> T:
    """Do ``work`` on ``root`` and give its result, or its `FemRdError`, to every rank.

    Collective. The result is broadcast, so it should be small (a summary, a path, metadata).
    """
    outcome: T | FemRdError | None = None
    if comm.rank == root:
        try:
            outcome = work()
        except FemRdError as error:
            outcome = error
    outcome = comm.bcast(outcome, root=root)
    if isinstance(outcome, FemRdError):
        raise outcome
    return outcome  # type: ignore[return-value]


def agree(comm: MPI.Comm, error: FemRdError | None) -> None:
    """Raise the first rank's ``error`` on every rank, or return where no rank has one.

    Collective. For checks that only some ranks can fail (a rank may own no cell of a region).
    """
    first = next((found for found in comm.allgather(error) if found is not None), None)
    if first is not None:
        raise first
