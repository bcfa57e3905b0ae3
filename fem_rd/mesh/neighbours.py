"""Points that are close to each other, whichever ranks they are on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mpi4py import MPI
from scipy.spatial import cKDTree

from fem_rd.mesh.arrays import Floats, Integers

_CHUNK_PAIRS = 4_000_000  # pairs that are in memory at a time, 24 bytes each


def gathered(comm: MPI.Comm, targets: Floats, rows: Floats, reach: float) -> Floats:
    """The ``rows`` of all ranks that may lie within ``reach`` of this rank's ``targets``.

    ``targets`` (n, dim); ``rows`` (m, dim or more): coordinates, then what goes with them. Each
    rank is sent what lies in the box around its targets, in the order of the ranks. Collective.
    """
    dim = targets.shape[1]
    lower, upper = np.full(dim, np.inf), np.full(dim, -np.inf)
    if len(targets):
        lower, upper = targets.min(axis=0) - reach, targets.max(axis=0) + reach
    points = rows[:, :dim]
    sent = [
        rows[np.all((points >= low) & (points <= high), axis=1)]
        for low, high in comm.allgather((lower, upper))
    ]
    return np.concatenate(comm.alltoall(sent))


def close_pairs(
    targets: Floats, points: Floats, reach: float
) -> Iterator[tuple[slice, Integers, Integers, Floats]]:
    """Pairs of a target and a point at a distance up to ``reach``, some targets at a time.

    Gives the slice of the targets, the number of the target within it, the number of the point,
    and the distance, each of the last three of shape (pairs,).
    """
    if len(targets) == 0 or len(points) == 0:
        return
    tree = cKDTree(points)
    step = max(1, int(_CHUNK_PAIRS / max(1.0, mean_count(targets, tree, reach))))
    for begin in range(0, len(targets), step):
        part = slice(begin, min(begin + step, len(targets)))
        near = cKDTree(targets[part])
        found = near.sparse_distance_matrix(tree, reach, output_type="ndarray")
        yield part, found["i"], found["j"], found["v"]


def mean_count(targets: Floats, tree: cKDTree, reach: float) -> float:
    """Mean number of points within ``reach`` of a target, from some 500 targets."""
    if len(targets) == 0:
        return 0.0
    some = targets[:: max(1, len(targets) // 500)]
    counts = tree.query_ball_point(some, reach, return_length=True)
    return float(np.mean(counts))
