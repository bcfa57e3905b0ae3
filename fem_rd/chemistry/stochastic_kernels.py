"""The compiled loop of exact stochastic simulation: draw an event, apply it, draw the next.

Propensities are the leaves of a binary tree in which every node is the sum of its two children, so
that one event costs the logarithm of the number of reactions, and sums never drift. The random
numbers of a replica are a stream of its own: xoshiro256++ (Blackman and Vigna 2021), started by
SplitMix64 from the seed and the number of the replica.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fem_rd.chemistry.kernels import Floats, Table, evaluate_point
from fem_rd.compiled import compiled

Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

DONE, TOO_MANY, WRONG_LAW = 0, 1, 2
"""How replicas end: at the time wanted, after the most events, at a law that is no rate."""

_UNIT = 1.0 / (1 << 53)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Tables(NamedTuple):
    """A network as flat arrays; what belongs to reaction l is ``[start[l]:start[l + 1]]``.

    ``constants``: propensity by mass action where all factors are 1; for general laws 1.
    ``factor_*``: its factors n_species - less, which are the falling factorials.
    ``change_*``: which counts one event changes, and by how much.
    ``dependents``: reactions by mass action whose propensity these changes alter.
    ``alters_laws``: whether they alter the propensity of a general law.
    """

    constants: Floats
    factor_start: Integers
    factor_species: Integers
    factor_less: Integers
    change_start: Integers
    change_species: Integers
    change_count: Integers
    dependent_start: Integers
    dependents: Integers
    alters_laws: npt.NDArray[np.bool_]


class Laws(NamedTuple):
    """The propensities of the ``reactions`` with general laws: a program of the counts.

    ``row`` is that of `fem_rd.chemistry.kernels.evaluate_point`; propensities begin at ``first``.
    Where a network has no general law, None is passed in the place of this: code compiled for it
    is five times faster, for it counts no references to these arrays.
    """

    reactions: Integers
    table: Table
    factors: Floats
    row: Floats
    first: int


@compiled
def seed_streams(seed: int, replicas: Integers, streams: Words) -> None:
    """Fill the four words of the stream of each replica, shape (replicas, 4)."""
    for index in range(replicas.size):
        state = _mixed(np.uint64(seed)) ^ _mixed(np.uint64(replicas[index]) + _GOLDEN)
        for i in range(4):
            state += _GOLDEN
            streams[index, i] = _mixed(state)


@compiled
def start_replicas(
    tables: Tables, laws: Laws | None, counts: Integers, due: Floats, streams: Words
) -> tuple[int, int]:
    """Draw the time at which the first event of each replica is due: (status, replica)."""
    tree = np.zeros(2 * _leaves(tables.constants.size))
    row = tree if laws is None else laws.row.copy()
    for replica in range(len(counts)):
        if not _filled(tables, laws, row, counts[replica], tree):
            return WRONG_LAW, replica
        due[replica] = _waited(tree, streams[replica])
    return DONE, 0


@compiled
def advance_replicas(
    tables: Tables,
    laws: Laws | None,
    counts: Integers,
    due: Floats,
    streams: Words,
    begin: float,
    end: float,
    most: int,
    watched: int,
    occupied: Floats,
) -> tuple[int, int, int]:
    """Bring all replicas from time ``begin`` to ``end`` in place: (events, status, replica).

    ``occupied[n]`` grows by the time that species ``watched`` (none if negative) counts n.
    """
    tree = np.zeros(2 * _leaves(tables.constants.size))
    row = tree if laws is None else laws.row.copy()
    events, last = 0, occupied.size - 1
    for replica in range(len(counts)):
        own, stream = counts[replica], streams[replica]
        now, following, happened = begin, due[replica], 0
        right = following > end or _filled(tables, laws, row, own, tree)
        while right and following <= end and happened < most:
            if watched >= 0:
                occupied[min(own[watched], last)] += following - now
                now = following
            reaction = _chosen(tree, _uniform(stream) * tree[1])
            _apply(tables, reaction, own, tree)
            if laws is not None and tables.alters_laws[reaction]:
                _evaluate_laws(laws, row, own)
                right = _put_laws(tables, laws, row, own, tree)
            following += _waited(tree, stream)
            happened += 1
        due[replica] = following
        events += happened
        if not right or following <= end:
            return events, TOO_MANY if right else WRONG_LAW, replica
        if watched >= 0:
            occupied[min(own[watched], last)] += end - now
    return events, DONE, 0


@compiled
def _mixed(z: np.uint64) -> np.uint64:
    """SplitMix64's output function, a bijection of 64 bits."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _rotated(x: np.uint64, by: int) -> np.uint64:
    return (x << np.uint64(by)) | (x >> np.uint64(64 - by))


@compiled
def _uniform(stream: Words) -> float:
    """The next number of the stream, in [0, 1)."""
    s0, s1, s2, s3 = stream[0], stream[1], stream[2], stream[3]
    word = _rotated(s0 + s3, 23) + s0
    s2 ^= s0
    s3 ^= s1
    stream[0] = s0 ^ s3
    stream[1] = s1 ^ s2
    stream[2] = s2 ^ (s1 << np.uint64(17))
    stream[3] = _rotated(s3, 45)
    return float(word >> np.uint64(11)) * _UNIT


@compiled
def _waited(tree: Floats, stream: Words) -> float:
    """Time to the next event: exponential, or for ever where nothing can happen."""
    if tree[1] <= 0.0:
        return np.inf
    return float(-math.log(1.0 - _uniform(stream)) / tree[1])


@compiled
def _leaves(reactions: int) -> int:
    """The power of two that holds all reactions, at least 2."""
    leaves = 2
    while leaves < reactions:
        leaves *= 2
    return leaves


@compiled
def _put(tree: Floats, leaf: int, value: float) -> None:
    """Set a leaf and the sums above it."""
    tree[leaf] = value
    node = leaf >> 1
    while node > 0:
        tree[node] = tree[2 * node] + tree[2 * node + 1]
        node >>= 1


@compiled
def _chosen(tree: Floats, at: float) -> int:
    """The leaf at which the running sum passes ``at``; round-off never leads to an empty one."""
    leaves, node = tree.size >> 1, 1
    while node < leaves:
        node *= 2
        if at >= tree[node] and tree[node + 1] > 0.0:
            at -= tree[node]
            node += 1
    return node - leaves


@compiled
def _by_mass_action(tables: Tables, reaction: int, counts: Integers) -> float:
    propensity = tables.constants[reaction]
    for i in range(tables.factor_start[reaction], tables.factor_start[reaction + 1]):
        propensity *= counts[tables.factor_species[i]] - tables.factor_less[i]
    return float(propensity)


@compiled
def _evaluate_laws(laws: Laws, row: Floats, counts: Integers) -> None:
    for i in range(counts.size):
        row[i] = counts[i]
    evaluate_point(laws.table, laws.factors, row)


@compiled
def _put_laws(tables: Tables, laws: Laws, row: Floats, counts: Integers, tree: Floats) -> bool:
    """Set the propensities of all reactions with laws; False where one is no rate.

    A reaction whose reactants are not all there does not happen, whatever its law says.
    """
    for i in range(laws.reactions.size):
        reaction, propensity = laws.reactions[i], row[laws.first + i]
        if _by_mass_action(tables, reaction, counts) == 0.0:
            propensity = 0.0
        if not 0.0 <= propensity < np.inf:
            return False
        _put(tree, (tree.size >> 1) + reaction, propensity)
    return True


@compiled
def _filled(
    tables: Tables, laws: Laws | None, row: Floats, counts: Integers, tree: Floats
) -> bool:
    """Set all propensities; False where a law is no rate."""
    leaves = tree.size >> 1
    for reaction in range(tables.constants.size):
        tree[leaves + reaction] = _by_mass_action(tables, reaction, counts)
    for node in range(leaves - 1, 0, -1):
        tree[node] = tree[2 * node] + tree[2 * node + 1]
    if laws is None:
        return True
    _evaluate_laws(laws, row, counts)
    return _put_laws(tables, laws, row, counts, tree)


@compiled
def _apply(tables: Tables, reaction: int, counts: Integers, tree: Floats) -> None:
    """One event: counts, and the propensities by mass action that they alter."""
    for i in range(tables.change_start[reaction], tables.change_start[reaction + 1]):
        counts[tables.change_species[i]] += tables.change_count[i]
    leaves = tree.size >> 1
    for i in range(tables.dependent_start[reaction], tables.dependent_start[reaction + 1]):
        other = tables.dependents[i]
        _put(tree, leaves + other, _by_mass_action(tables, other, counts))
