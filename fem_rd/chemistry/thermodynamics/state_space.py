"""States of the master equation: the numbers of molecules that can be reached, up to a bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from fem_rd.chemistry.kinetics import Integers
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.structure import conservation_laws
from fem_rd.errors import CaseError, nearest

LARGEST = 200_000_000  # states in the box around the reachable ones: one byte each


@dataclass(frozen=True)
class StateSpace:
    """Reachable states in order, shape (species, n), in the box 0 ... ``upper`` (species,)."""

    states: Integers
    upper: Integers

    @property
    def size(self) -> int:
        """How many states."""
        return self.states.shape[1]

    def index(self, states: Integers) -> Integers:
        """The index of each of the states (species, n), -1 where it is none of the space."""
        inside = np.all((states >= 0) & (states <= self.upper[:, None]), axis=0)
        keys = np.where(inside, _keys(np.where(inside, states, 0), self.upper), -1)
        own = _keys(self.states, self.upper)
        place = np.minimum(np.searchsorted(own, keys), self.size - 1)
        return np.where(own[place] == keys, place, -1)


def reachable(network: Network, start: Integers, upper: Integers) -> StateSpace:
    """The states that reactions reach from ``start`` without leaving the box.

    Breadth first, all states of one distance at a time. Raises `CaseError` for a box that is too
    large.
    """
    size = np.prod(upper + 1.0)
    if size > LARGEST:
        valid = f"at most {LARGEST} states; lower the bounds or simulate"
        raise CaseError("the state space is too large", found=f"{size:.3g} states", valid=valid)
    seen = np.zeros(int(size), dtype=bool)
    takes, changes, front = network.reactants, network.stoichiometry, start[:, None]
    seen[_keys(front, upper)] = True
    while front.shape[1]:
        nexts: list[Integers] = [np.empty((len(start), 0), dtype=np.int64)]
        for row in range(len(network.reactions)):
            able = np.all(front >= takes[:, [row]], axis=0)
            nexts.append(front[:, able] + changes[:, [row]])
        after = np.hstack(nexts)
        after = after[:, np.all((after >= 0) & (after <= upper[:, None]), axis=0)]
        keys = np.unique(_keys(after, upper))
        keys = keys[~seen[keys]]
        seen[keys] = True
        front = _states(keys, upper)
    return StateSpace(_states(np.flatnonzero(seen), upper), upper)


def counts_of(network: Network, counts: Mapping[str, int], default: int = 0) -> Integers:
    """Numbers by name as an array (species,). Raises `CaseError` for an unknown species."""
    for name in counts:
        if name not in network.species:
            message = f"unknown species{nearest(name, network.species)}"
            raise CaseError(message, found=name, valid=network.species)
    return np.array([counts.get(name, default) for name in network.species], dtype=np.int64)


def bounds(network: Network, start: Integers, upper: Integers) -> Integers:
    """The largest numbers (species,): those given, or what conservation laws allow, -1 for neither.

    The most of a species is the maximum over all non-negative states with the totals of ``start``.
    """
    laws, found = conservation_laws(network), upper.copy()
    for i in range(len(network.species)):
        objective = -np.eye(len(network.species))[i]
        most = linprog(objective, A_eq=laws, b_eq=laws @ start) if len(laws) else None
        if most is not None and most.status == 0:
            bound = int(np.floor(-most.fun + 1e-6))
            found[i] = bound if upper[i] < 0 else min(bound, upper[i])
    return found


def _keys(states: Integers, upper: Integers) -> Integers:
    if not len(upper):
        return np.zeros(states.shape[1], dtype=np.int64)
    return np.asarray(np.ravel_multi_index(tuple(states), tuple(upper + 1)), dtype=np.int64)


def _states(keys: Integers, upper: Integers) -> Integers:
    return np.array(np.unravel_index(keys, tuple(upper + 1)), dtype=np.int64)
