"""Doi's reactions: pairs within a radius sigma of each other react at the rate lambda_0.

A + B -> ..., in the limit of many particles (del Razo, Open reaction-diffusion systems, eq. 20-21):

    dc_A/dt(y) = -lambda_0 c_A(y) integral of c_B(z) over |y - z| <= sigma, and A, B exchanged,

and 2 A -> ... the same with B = A, where the rate of events is half of that: one event takes two.
In terms of the constant k of `Reaction` (lambda_0, or lambda_0/2 for equal reactants) events happen
k c_A(y) (W c_B)(y) times per volume and time, W the integral over the ball around y. A radius so
small that c does not change within it gives mass action with k V_sigma in the place of k (eq. 22).

Each reactant is lost where it is. Products take the places of reactants: one that is also a
reactant stays where that was (a catalyst does not jump), the others take the free places in the
order in which both are written, and any more the place of the first. So the C of A + B -> C appears
where A was. The totals agree to round-off, since diag(m) W is symmetric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.chemistry.network import Complex, Reaction
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression

Array = npt.NDArray[np.float64]


class Average(Protocol):
    """What integrates nodal values over the ball around each node (`BallAverage`)."""

    def apply(self, values: Array, out: Array) -> None:
        """The integrals of ``values`` into ``out``, both of shape (owned,). Collective."""


@dataclass(frozen=True)
class _Term:
    """A reaction of the species ``first`` and ``second``, and what one event changes at each.

    ``rate``: k, in 1/time, an expression of time; changes are pairs of a species and a number.
    """

    name: str
    rate: Expression
    average: Average
    first: int
    second: int
    at_first: tuple[tuple[int, int], ...]
    at_second: tuple[tuple[int, int], ...]

    @property
    def places(self) -> Iterator[tuple[int, int, tuple[tuple[int, int], ...]]]:
        """The species at either place, that at the other, and what changes at the place."""
        yield self.first, self.second, self.at_first
        yield self.second, self.first, self.at_second


class NonlocalReactions:
    """The nonlocal reactions of a network, at the owned nodes of a mesh.

    ``species`` in the order of the rows of all arrays of values; ``terms``: each reaction with the
    average over its ball. Raises `CaseError` for a reaction that does not have two reactants among
    the species, has a law, or has a rate that depends on place.
    """

    def __init__(self, species: Sequence[str], terms: Sequence[tuple[Reaction, Average]]) -> None:
        index = {name: row for row, name in enumerate(species)}
        self._terms = tuple(_term(reaction, average, index) for reaction, average in terms)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the reactions, in the order of their rates."""
        return tuple(term.name for term in self._terms)

    def add_sources(self, time: float, values: Array, out: Array) -> None:
        """Add what the reactions make of each species to ``out``; both (species, nodes).

        Collective: each species and radius costs one sparse product.
        """
        integrals = _Integrals(values)
        for term in self._terms:
            for here, there, changes in term.places:
                events = _events(term, time, values, integrals, here, there)
                for row, change in changes:
                    out[row] += change * events

    def rates(self, time: float, values: Array) -> Array:
        """Events per volume and time at the place of the first reactant, (reactions, nodes).

        Collective.
        """
        integrals = _Integrals(values)
        found = [
            _events(term, time, values, integrals, term.first, term.second) for term in self._terms
        ]
        return np.array(found).reshape(len(found), values.shape[1])

    def totals(self, time: float, values: Array, weights: Array) -> Array:
        """This rank's part of the events per time in the domain, shape (reactions,).

        ``weights`` (nodes,): integrals of the basis functions. Collective.
        """
        return self.rates(time, values) @ weights


class _Integrals:
    """Integrals over balls, each computed once: by row of the values and by average."""

    def __init__(self, values: Array) -> None:
        self._values = values
        self._known: dict[tuple[int, int], Array] = {}

    def of(self, row: int, average: Average) -> Array:
        key = (row, id(average))
        if key not in self._known:
            self._known[key] = np.empty(self._values.shape[1])
            average.apply(self._values[row], self._known[key])
        return self._known[key]


def _events(
    term: _Term, time: float, values: Array, integrals: _Integrals, here: int, there: int
) -> Array:
    """Events per volume and time, counted where the molecule of species ``here`` is."""
    rate = term.rate.evaluate({"t": time})
    return rate * values[here] * integrals.of(there, term.average)


def _term(reaction: Reaction, average: Average, index: Mapping[str, int]) -> _Term:
    reactants, rate = _molecules(reaction.reactants), reaction.rate
    key = f"chemistry.reactions.{reaction.name}"
    if len(reactants) != 2 or any(name not in index for name in reactants):
        message = "a reaction with a radius has two reactants, none of them a chemostat"
        raise CaseError(message, key=key, found=reaction.equation)
    if rate is None:
        message = "a reaction with a radius has a combination_rate in the place of a law"
        raise CaseError(message, key=key, found=str(reaction.law))
    if not rate.names <= {"t"}:
        message = "the rate of a reaction with a radius may depend on time, not on place"
        raise CaseError(message, key=key, found=str(rate))
    at_first, at_second = (
        tuple((index[name], change) for name, change in place.items() if name in index and change)
        for place in changes_by_place(reaction)
    )
    first, second = (index[name] for name in reactants)
    return _Term(reaction.name, rate, average, first, second, at_first, at_second)


def changes_by_place(reaction: Reaction) -> tuple[dict[str, int], dict[str, int]]:
    """What one event changes at the place of the first and of the second reactant, by species."""
    reactants = _molecules(reaction.reactants)
    changes: tuple[dict[str, int], dict[str, int]] = ({reactants[0]: -1}, {reactants[1]: -1})
    free, homeless = [0, 1], []
    for product in _molecules(reaction.products):
        place = next((place for place in free if reactants[place] == product), None)
        if place is None:
            homeless.append(product)
        else:
            free.remove(place)
            changes[place][product] += 1
    for product in homeless:
        place = free.pop(0) if free else 0
        changes[place][product] = changes[place].get(product, 0) + 1
    return changes


def _molecules(side: Complex) -> list[str]:
    """The names on one side of a reaction, each as often as it occurs."""
    return [name for name, count in side for _ in range(count)]
