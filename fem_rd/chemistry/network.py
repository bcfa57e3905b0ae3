"""Reactions among species, and the one convention of their rates.

A reaction of order m, ``sum_i m_i A_i -> ...``, happens R times per volume and time:

    law of mass action      R = k prod_i c_i^m_i                 (chemical-thermodynamics, R_l)
    rate per combination    R = lambda prod_i c_i^m_i / m_i!     (open-reaction-diffusion eq. 17)

and in a volume V with n_i molecules its propensity is V k prod_i n_i!/(n_i - m_i)! / V^m, that is
(lambda / V^(m-1)) prod_i binomial(n_i, m_i): lambda is the rate of each set of molecules that can
react, k = lambda / prod_i m_i!. One event changes every n_i by products minus reactants. So
``2 A -> 0`` at the pair rate lambda has k = lambda/2, and one event removes two:
dc/dt = -2 k c^2 = -lambda c^2, propensity lambda n (n-1) / (2 V).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import factorial, prod
from typing import TYPE_CHECKING, TypeAlias

from fem_rd.expressions.expression import Expression

if TYPE_CHECKING:  # a case is read without NumPy
    import numpy as np
    import numpy.typing as npt

Integers: TypeAlias = "npt.NDArray[np.int64]"
Complex = tuple[tuple[str, int], ...]
"""One side of a reaction: species and how many of each, in the order they were written."""


@dataclass(frozen=True)
class Reaction:
    """One irreversible reaction.

    ``rate`` is the constant k of mass action (an expression of place and time) or, where ``law``
    is given, None; ``law`` is R itself, an expression of concentrations, place and time.
    ``reverse`` is the name of the reaction that undoes this one, where the network has it.
    """

    name: str
    reactants: Complex
    products: Complex
    rate: Expression | None = None
    law: Expression | None = None
    reverse: str | None = None

    @property
    def order(self) -> int:
        """Molecules that meet."""
        return sum(count for _, count in self.reactants)

    @property
    def combinations(self) -> int:
        """prod_i m_i!: ordered choices of reactant molecules for each set of them."""
        return combinations(self.reactants)

    @property
    def mass_action(self) -> bool:
        """Whether the rate is a constant times the concentrations of the reactants."""
        return self.law is None

    @property
    def equation(self) -> str:
        """The reaction as people write it."""
        return f"{written(self.reactants)} -> {written(self.products)}"


@dataclass(frozen=True)
class Network:
    """Reactions among ``species``; ``chemostats`` are species held at given concentrations."""

    species: tuple[str, ...]
    reactions: tuple[Reaction, ...]
    chemostats: Mapping[str, Expression] = field(default_factory=dict)

    @cached_property
    def reactants(self) -> Integers:
        """Molecules of each species that each reaction takes, shape (species, reactions)."""
        return self._counts([reaction.reactants for reaction in self.reactions])

    @cached_property
    def products(self) -> Integers:
        """Molecules of each species that each reaction makes, shape (species, reactions)."""
        return self._counts([reaction.products for reaction in self.reactions])

    @cached_property
    def stoichiometry(self) -> Integers:
        """Change of each species by one event of each reaction, shape (species, reactions)."""
        return self.products - self.reactants

    @cached_property
    def pairs(self) -> tuple[tuple[int, int | None], ...]:
        """Each reaction with its reverse, by index; reactions that nothing undoes with None."""
        index = {reaction.name: i for i, reaction in enumerate(self.reactions)}
        found: list[tuple[int, int | None]] = []
        for i, reaction in enumerate(self.reactions):
            back = None if reaction.reverse is None else index[reaction.reverse]
            if back is None or back > i:
                found.append((i, back))
        return tuple(found)

    def _counts(self, sides: Sequence[Complex]) -> Integers:
        """Chemostatted species have no row: their number does not change."""
        import numpy as np

        counts = np.zeros((len(self.species), len(sides)), dtype=np.int64)
        row = {name: i for i, name in enumerate(self.species)}
        for column, side in enumerate(sides):
            for name, count in side:
                if name in row:
                    counts[row[name], column] += count
        return counts


def combinations(side: Complex) -> int:
    """prod_i m_i!: ordered choices of the molecules of a side for each set of them."""
    return prod(factorial(count) for _, count in side)


def written(side: Complex) -> str:
    """A side of a reaction as text: "2 A + B", or "0" where there is nothing."""
    terms = [name if count == 1 else f"{count} {name}" for name, count in side]
    return " + ".join(terms) or "0"
