"""What the reactions of a network alone decide, whatever their rates.

Chemostats are no part of complexes and conservation laws: their concentrations are in the rate
constants, and their amounts change from outside.
Source: M. Feinberg, Foundations of Chemical Reaction Network Theory (2019), ch. 3-4 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fem_rd.chemistry.network import Network

MOST_LAWS = 500  # candidates for non-negative laws that are kept while searching

Integers = npt.NDArray[np.int64]
Row = tuple[int, ...]
Candidate = tuple[Row, Row]


@dataclass(frozen=True, eq=False)
class Structure:
    """Complexes, and the graph in which each reaction joins two of them.

    ``complexes`` has the shape (species, complexes), ``ends`` the complexes each reaction takes and
    makes, shape (2, reactions); ``linkage`` is the linkage class of each complex.
    """

    complexes: Integers
    ends: Integers
    linkage: Integers
    rank: int
    weakly_reversible: bool
    reversible: bool

    @property
    def linkage_classes(self) -> int:
        """How many parts the graph of complexes has."""
        return int(self.linkage.max(initial=-1)) + 1

    @property
    def deficiency(self) -> int:
        """Complexes less linkage classes less the rank of the stoichiometric matrix, at least 0."""
        return self.complexes.shape[1] - self.linkage_classes - self.rank


def structure_of(network: Network) -> Structure:
    """The structure of a network, decided in integers.

    Weakly reversible: where reactions lead from one complex to another, they lead back. Reversible:
    each reaction has one that undoes it.
    """
    complexes, ends = complexes_of(network)
    size = complexes.shape[1]
    graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(size, size))
    linked, linkage = connected_components(graph, connection="weak")
    strong, _ = connected_components(graph, connection="strong")
    edges = {(int(taken), int(made)) for taken, made in ends.T}
    return Structure(
        complexes,
        ends,
        linkage.astype(np.int64),
        rank=rank(network.stoichiometry),
        weakly_reversible=bool(linked == strong),
        reversible=all((made, taken) in edges for taken, made in edges),
    )


def complexes_of(network: Network) -> tuple[Integers, Integers]:
    """The complexes, shape (species, complexes), and the two of each reaction, (2, reactions)."""
    sides = np.hstack([network.reactants, network.products])
    complexes, ends = np.unique(sides, axis=1, return_inverse=True)
    return complexes, ends.reshape(2, -1)


def isolated_species(network: Network) -> tuple[str, ...]:
    """The species that no reaction changes and no rate depends on."""
    laws = {name for reaction in network.reactions if reaction.law for name in reaction.law.names}
    touched = np.any(network.reactants + network.products, axis=1)
    return tuple(
        name
        for name, found in zip(network.species, touched, strict=True)
        if not found and name not in laws
    )


def conservation_laws(network: Network) -> Integers:
    """Independent combinations of the species that no reaction changes, shape (laws, species).

    Small integers, of few species; non-negative where such laws are enough.
    """
    stoichiometry = network.stoichiometry
    wanted = len(network.species) - rank(stoichiometry)
    chosen: list[Row] = []
    for law in [*_non_negative_laws(stoichiometry), *_rows(integer_kernel(stoichiometry.T))]:
        if len(chosen) < wanted and rank(np.array([*chosen, law])) > len(chosen):
            chosen.append(law)
    chosen.sort(key=lambda law: [count == 0 for count in law])
    return np.array(chosen, dtype=np.int64).reshape(-1, len(network.species))


def rank(matrix: Integers) -> int:
    """The rank of an integer matrix, exact."""
    return matrix.shape[1] - len(integer_kernel(matrix))


def integer_kernel(matrix: Integers) -> Integers:
    """Independent integer vectors v with matrix @ v = 0, shape (vectors, columns), exact."""
    columns = matrix.shape[1]
    reduced: dict[int, list[Fraction]] = {}  # by the column of the pivot
    for entries in matrix:
        row = [Fraction(int(entry)) for entry in entries]
        for column, other in reduced.items():
            row = _eliminated(row, other, column)
        pivot = next((column for column, entry in enumerate(row) if entry), None)
        if pivot is not None:
            row = [entry / row[pivot] for entry in row]
            reduced = {
                column: _eliminated(other, row, pivot) for column, other in reduced.items()
            } | {pivot: row}
    free = [column for column in range(columns) if column not in reduced]
    kernel = np.zeros((len(free), columns), dtype=np.int64)
    for vector, column in zip(kernel, free, strict=True):
        scale = lcm(*(row[column].denominator for row in reduced.values()))
        vector[column] = scale
        for pivot, row in reduced.items():
            vector[pivot] = int(-row[column] * scale)
        vector *= np.sign(vector[np.flatnonzero(vector)[0]])
    return kernel


def _eliminated(row: list[Fraction], other: list[Fraction], column: int) -> list[Fraction]:
    """The row less the multiple of the other that makes its entry in ``column`` zero."""
    factor = row[column]
    return [a - factor * b for a, b in zip(row, other, strict=True)] if factor else row


def _non_negative_laws(stoichiometry: Integers) -> list[Row]:
    """The non-negative laws of least support (Farkas), those of few species first.

    Each candidate is a combination of species with its remaining change by each reaction; for one
    reaction after another, those that it changes cancel in pairs. No law where there are too many.
    """
    laws = _rows(np.eye(len(stoichiometry), dtype=np.int64))
    candidates = list(zip(laws, _rows(stoichiometry), strict=True))
    left = set(range(stoichiometry.shape[1]))
    while left:
        reaction = min(left, key=lambda column: len(_pairs(candidates, column)))
        left.remove(reaction)
        unchanged = [each for each in candidates if each[1][reaction] == 0]
        pairs = _pairs(candidates, reaction)
        candidates = _least([*unchanged, *(_cancelled(a, b, reaction) for a, b in pairs)])
        if len(candidates) > MOST_LAWS:
            return []
    laws = [law for law, _ in candidates]
    return sorted(laws, key=lambda law: (sum(map(bool, law)), sum(law), [-n for n in law]))


def _pairs(candidates: list[Candidate], reaction: int) -> list[tuple[Candidate, Candidate]]:
    """The candidates that a reaction makes more, each with those that it makes less."""
    gains = [each for each in candidates if each[1][reaction] > 0]
    losses = [each for each in candidates if each[1][reaction] < 0]
    return [(a, b) for a in gains for b in losses]


def _cancelled(a: Candidate, b: Candidate, reaction: int) -> Candidate:
    """The positive combination of two candidates that the reaction does not change."""
    up, down = -b[1][reaction], a[1][reaction]
    law, change = (
        [up * x + down * y for x, y in zip(one, other, strict=True)]
        for one, other in zip(a, b, strict=True)
    )
    common = gcd(*law)
    return tuple(x // common for x in law), tuple(x // common for x in change)


def _least(candidates: list[Candidate]) -> list[Candidate]:
    """Those whose species do not contain all the species of another."""
    kept: dict[frozenset[int], Candidate] = {}
    supports = [frozenset(i for i, x in enumerate(law) if x) for law, _ in candidates]
    for support, candidate in sorted(
        zip(supports, candidates, strict=True), key=lambda pair: len(pair[0])
    ):
        if not any(other <= support for other in kept):
            kept[support] = candidate
    return list(kept.values())


def _rows(matrix: Integers) -> list[Row]:
    return [tuple(int(entry) for entry in row) for row in matrix]
