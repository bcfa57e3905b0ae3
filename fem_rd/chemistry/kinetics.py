"""Rates and propensities of networks whose coefficients are numbers, as NumPy arrays.

This is what thermodynamics and the master equation need: chemostats are absorbed into the
constants, and nothing depends on place or time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fem_rd.chemistry.network import Network
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Kinetics:
    """A network with its numbers: use `kinetics_of`.

    ``constants`` (reactions,) are k times the concentrations of chemostats to their powers, and nan
    where the reaction has a law; ``chemostats`` are their concentrations.
    """

    network: Network
    constants: Floats
    chemostats: dict[str, float]

    @property
    def mass_action(self) -> bool:
        """Whether all reactions follow the law of mass action."""
        return all(reaction.mass_action for reaction in self.network.reactions)

    def rates(self, c: Floats) -> Floats:
        """R_l at concentrations (species, n), in events per volume and time: (reactions, n)."""
        return self._evaluated(c, lambda i, m: c[i] ** m)

    def propensities(self, states: Integers, volume: float) -> Floats:
        """Events per time with ``states`` (species, n) molecules in a volume: (reactions, n).

        V k prod_i n_i!/(n_i - m_i)!/V^m_i for mass action, V R(n/V) for a law.
        """
        c = states / volume

        def arrangements(i: int, m: int) -> Floats:
            factors = [np.maximum(states[i] - j, 0) / volume for j in range(m)]
            return np.prod(factors, axis=0)

        return volume * self._evaluated(c, arrangements)

    def velocity(self, c: Floats) -> Floats:
        """dc/dt of each species by eq. (4) of chemical-thermodynamics, shape (species, n)."""
        return self.network.stoichiometry @ self.rates(c)

    def _evaluated(self, c: Floats, power: Callable[[int, int], Floats]) -> Floats:
        orders = self.network.reactants
        rates = np.empty((len(self.network.reactions), c.shape[1]))
        env = {**dict(zip(self.network.species, c, strict=True)), **self.chemostats}
        for row, reaction in enumerate(self.network.reactions):
            if reaction.law is not None:
                rates[row] = reaction.law.evaluate(env)
                continue
            rates[row] = self.constants[row]
            for i in np.flatnonzero(orders[:, row]):
                rates[row] *= power(int(i), int(orders[i, row]))
        return rates


def kinetics_of(network: Network) -> Kinetics:
    """The network as numbers. Raises `CaseError` for what depends on place or time."""
    known = {*network.species, *network.chemostats}
    held = {
        name: _number(value, f"the concentration of {name!r}")
        for name, value in network.chemostats.items()
    }
    constants = np.full(len(network.reactions), np.nan)
    for row, reaction in enumerate(network.reactions):
        if reaction.law is not None:
            if other := reaction.law.names - known:
                raise _varying(f"the law of {reaction.name!r}", reaction.law, other)
        elif reaction.rate is not None:
            constants[row] = _number(reaction.rate, f"the rate of {reaction.name!r}")
            for name, count in reaction.reactants:
                constants[row] *= held.get(name, 1.0) ** count
    return Kinetics(network, constants, held)


def reversible_pairs(kinetics: Kinetics) -> Integers:
    """Indices of each reaction and its reverse, shape (2, pairs); pairs of zero rate are left out.

    Raises `CaseError` where a reaction has no reverse: its entropy production is infinite.
    """
    reactions = kinetics.network.reactions
    found: list[tuple[int, int]] = []
    for forward, backward in kinetics.network.pairs:
        name = reactions[forward].name
        still = kinetics.constants[forward] == 0.0
        if backward is None:
            if still:
                continue
            raise _irreversible(name, reactions[forward].equation)
        if still != (kinetics.constants[backward] == 0.0):
            raise _irreversible(reactions[backward if still else forward].name, "a zero reverse")
        if not still:
            found.append((forward, backward))
    return np.array(found, dtype=np.int64).reshape(-1, 2).T


def _number(value: Expression, what: str) -> float:
    if not value.is_constant:
        raise _varying(what, value, value.names)
    return value.value


def _varying(what: str, expression: Expression, names: frozenset[str]) -> CaseError:
    message = f"{what} depends on {', '.join(sorted(names))}"
    return CaseError(message, found=expression.text, valid="constant coefficients here")


def _irreversible(name: str, found: str) -> CaseError:
    message = f"reaction {name!r} cannot go back: its entropy production is infinite"
    return CaseError(message, found=found, valid="A <-> B with a positive reverse rate")
