"""Which debits a field of nodal amounts can bear without a negative value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.particles.state import Floats

Nodes = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]


def bearable(nodes: Nodes, shares: Floats, amounts: Floats) -> Mask:
    """Who of n, one after the other, finds enough at all nodes that it takes from, (n,).

    ``nodes``, ``shares`` (n, k): how much each takes, at nodes that are all different; ``amounts``
    (nodes,): what there is. Those who find too little take nothing.
    """
    left, borne = amounts.astype(float), np.zeros(len(nodes), dtype=bool)
    undecided: npt.NDArray[Any] = np.arange(len(nodes))
    while undecided.size:
        enough = (shares[undecided] <= left[nodes[undecided]]) | (shares[undecided] == 0)
        undecided = undecided[np.all(enough, axis=1)]
        # who fits even if all before it do has left room for them; the first one does
        fits = _fits(nodes[undecided], shares[undecided], left)
        fits[:1] = True
        sure, undecided = undecided[fits], undecided[~fits]
        borne[sure] = True
        np.subtract.at(left, nodes[sure], shares[sure])
    return borne


def _fits(nodes: Nodes, shares: Floats, amounts: Floats) -> Mask:
    """Who finds enough at all of its nodes if all before it have taken their shares."""
    node, share = nodes.ravel(), shares.ravel()
    order = np.argsort(node, kind="stable")
    taken = np.cumsum(share[order])
    first = np.flatnonzero(np.diff(node[order], prepend=-1))
    before = np.repeat(taken[first] - share[order][first], np.diff(first, append=node.size))
    enough = np.empty(node.size, dtype=bool)
    enough[order] = (taken - before <= amounts[node[order]]) | (share[order] == 0)
    fits: Mask = np.all(enough.reshape(nodes.shape), axis=1)
    return fits
