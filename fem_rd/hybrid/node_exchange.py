"""What passes between the ranks that own the nodes of a PDE, and plain arrays on all of them."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from scipy.spatial import cKDTree

from fem_rd.hybrid.hats import Floats

_NEAR = 1e-9  # of the extent of the nodes: positions nearer than this are the same


class NodeExchange:
    """One message to and from all ranks for all species together. Methods are collective.

    ``nodes`` (nodes, dim): the same on every rank, in any order. ``positions`` (owned, 3): of the
    nodes that this rank owns, in the order of its nodal values; it may own others besides.
    """

    def __init__(self, nodes: Floats, positions: Floats, comm: MPI.Comm) -> None:
        self._comm, self._owned, self.nodes = comm, len(positions), len(nodes)
        extent = float(np.ptp(nodes, axis=0).max(initial=0.0)) or 1.0
        places = np.ascontiguousarray(positions[:, : nodes.shape[1]])
        distance, node = cKDTree(nodes).query(places)
        self._rows = np.flatnonzero(distance <= _NEAR * extent)
        self._mine = node[self._rows]
        everyone = comm.allgather(self._mine)
        self._counts = np.array([len(mine) for mine in everyone])
        self._order = np.concatenate(everyone)
        if not np.array_equal(np.sort(self._order), np.arange(self.nodes)):
            raise ValueError("the positions are not those of the nodes")

    def gather(self, values: Floats) -> Floats:
        """The values (species, owned) of all ranks at the nodes, (species, nodes)."""
        species = len(values)
        sent = np.ascontiguousarray(values[:, self._rows].T)
        rows = np.empty((self.nodes, species))
        self._comm.Allgatherv(sent, [rows, species * self._counts, MPI.DOUBLE])
        found = np.empty((species, self.nodes))
        found[:, self._order] = rows.T
        return found

    def spread(self, amounts: Floats) -> Floats:
        """The sum over the ranks of amounts (species, nodes), for the owners: (species, owned)."""
        total = np.ascontiguousarray(amounts)
        if self._comm.size > 1:
            total = np.empty_like(total)
            self._comm.Allreduce(np.ascontiguousarray(amounts), total)
        return self.owned(total)

    def owned(self, values: Floats) -> Floats:
        """The part (species, owned) that this rank has of (species, nodes), 0 at other nodes.

        Not collective: the values are the same on every rank.
        """
        found = np.zeros((len(values), self._owned))
        found[:, self._rows] = values[:, self._mine]
        return found
