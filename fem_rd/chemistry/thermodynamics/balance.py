"""Detailed balance and complex balance, decided for a network.

Under the law of mass action both are conditions on the rate constants alone. The unknown
logarithms of a balanced state solve linear equations with integer coefficients,

    detailed balance    nu_l . ln x = ln(k_l / k_-l)                    for each reversible pair l,
    complex balance     (y - y') . ln x = ln(K_y / K_y')                in each linkage class,

where K are the tree constants of the complexes (Matrix-Tree theorem: the stationary vector of the
rates among complexes). They have a solution where the right-hand sides vanish on every integer
relation among the rows: for detailed balance these relations are the cycles of reactions
(Wegscheider), and the sum of ln(k_l / k_-l) around a cycle is its affinity; for complex balance
there are as many as the deficiency. With general laws the balance is looked for at a steady state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from fem_rd.chemistry.kinetics import (
    Floats,
    Integers,
    Kinetics,
    kinetics_of,
    reversible_pairs,
)
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.rate_equations import RateEquations
from fem_rd.chemistry.structure import complexes_of, conservation_laws, integer_kernel
from fem_rd.errors import CaseError

ROUNDING = 1e-10  # of the logarithms that add up to an affinity: rates come with rounded units
STEADY = 1e-7  # relative imbalance at a steady state that was found numerically


@dataclass(frozen=True)
class Balance:
    """Whether a network is balanced, and how it is known.

    ``affinities`` are those of independent cycles of reversible reactions, in k_B T; all of them
    vanish under detailed balance. They are empty for general laws and irreversible reactions.
    """

    detailed: bool
    complex: bool
    how: str
    affinities: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class LogLinear:
    """The equations rows @ ln x = values with integer rows, and whether they have a solution."""

    rows: Integers
    values: Floats

    @property
    def relations(self) -> Integers:
        """Independent integer relations among the rows, shape (relations, rows)."""
        return integer_kernel(self.rows.T)

    @property
    def solvable(self) -> bool:
        """Whether the values vanish on every relation, to rounding."""
        sums, sizes = self.relations @ self.values, np.abs(self.relations) @ np.abs(self.values)
        return bool(np.all(np.abs(sums) <= ROUNDING * (1 + sizes)))

    def solution(self) -> Floats:
        """The shortest ln x."""
        return np.linalg.lstsq(self.rows.astype(float), self.values, rcond=None)[0]


def balance_of(network: Network, state: Floats | None = None) -> Balance:
    """Decide both balances.

    ``state`` (species,) is where the search for a steady state begins; only networks with general
    laws need it. Raises `CaseError` for coefficients that vary and for a missing state.
    """
    kinetics = kinetics_of(network)
    if not kinetics.mass_action:
        return balance_at(kinetics, steady_state(kinetics, state))
    detailed = _detailed_balance(kinetics)
    complexes = complex_balance(kinetics)
    return Balance(
        detailed is not None and detailed.solvable,
        complexes is not None and complexes.solvable,
        "algebraically, from the rate constants",
        () if detailed is None else _affinities(kinetics, detailed),
    )


def complex_balance(kinetics: Kinetics) -> LogLinear | None:
    """The equations of complex balance; None where the network is not weakly reversible."""
    complexes, ends = complexes_of(kinetics.network)
    flows = np.zeros((complexes.shape[1], complexes.shape[1]))
    np.add.at(flows, tuple(ends), kinetics.constants)
    np.fill_diagonal(flows, 0.0)  # where chemostats change only
    graph = csr_array(flows)
    strong, labels = connected_components(graph, connection="strong")
    if strong != connected_components(graph, connection="weak")[0]:
        return None
    rows: list[Integers] = [np.empty((0, len(complexes)), dtype=np.int64)]
    values: list[Floats] = [np.empty(0)]
    for label in range(strong):
        linked = np.flatnonzero(labels == label)
        trees = np.log(tree_constants(flows[np.ix_(linked, linked)]))
        rows.append((complexes[:, linked[1:]] - complexes[:, linked[:1]]).T)
        values.append(trees[1:] - trees[0])
    return LogLinear(np.vstack(rows), np.concatenate(values))


def balanced_state(kinetics: Kinetics, equations: LogLinear, state: Floats | None) -> Floats:
    """The one complex-balanced state with the conserved totals of ``state``, shape (species,).

    Its logarithm is a solution of the equations plus a combination of the conservation laws; the
    combination makes sum_i x_i - totals . combination least (Birch's theorem; Newton's method).
    Raises `CaseError` for totals that no positive state has, and where totals are needed but no
    state is given.
    """
    network, particular = kinetics.network, equations.solution()
    active = [each for each, k in zip(network.reactions, kinetics.constants, strict=True) if k]
    laws = conservation_laws(replace(network, reactions=tuple(active)))
    if not len(laws):
        return np.exp(particular)
    if state is None:
        valid = "concentrations of all species, for the conserved totals"
        raise CaseError("the balanced state is not unique without a state", valid=valid)
    totals, shift = laws @ state, np.zeros(len(laws))
    if np.any((totals <= 0) & np.all(laws >= 0, axis=1)):
        raise _no_positive_state(state)
    for _ in range(500):
        x = np.exp(particular + shift @ laws)
        missing = totals - laws @ x
        if np.all(np.abs(missing) <= 4e-16 * (np.abs(laws) @ x)):
            break
        hessian = (laws * x) @ laws.T
        scale = 1 / np.sqrt(np.diag(hessian))  # totals may differ by many orders of magnitude
        scaled = scale[:, None] * hessian * scale
        step = scale * np.linalg.lstsq(scaled, scale * missing, rcond=None)[0]
        longest = np.abs(step @ laws).max()
        if longest < 1e-15:
            break
        shift += step * min(1.0, 1.0 / longest)  # ln x moves by 1 at most: exp is convex
    if not np.allclose(laws @ x, totals, rtol=1e-9, atol=1e-12 * np.abs(x).max()):
        raise _no_positive_state(state)
    return x


def steady_state(kinetics: Kinetics, state: Floats | None) -> Floats:
    """A steady state of the rate equations with the totals of ``state``, shape (species,).

    Raises `CaseError` without a state, `NumericalError` where none is found.
    """
    if state is None:
        valid = "concentrations of all species"
        raise CaseError("with general laws a state is needed to start from", valid=valid)
    return RateEquations(kinetics.network).steady_state(state)


def tree_constants(flows: Floats) -> Floats:
    """A positive vector K with K_i sum_j flows_ij = sum_j K_j flows_ji, up to a factor.

    It has the ratios of the sums over spanning trees. The elimination of Grassmann, Taksar and
    Heyman (Oper. Res. 33 (1985) 1107) subtracts nothing: every digit is right.
    ``flows`` (complexes, complexes) must be strongly connected.
    """
    rest, count = flows.copy(), len(flows)
    for last in range(count - 1, 0, -1):
        rest[:last, last] /= rest[last, :last].sum()
        rest[:last, :last] += np.outer(rest[:last, last], rest[last, :last])
    trees = np.ones(count)
    for each in range(1, count):
        trees[each] = trees[:each] @ rest[:each, each]
    return trees


def balance_at(kinetics: Kinetics, state: Floats) -> Balance:
    """The balances as seen at one steady state."""
    rates = kinetics.rates(state[:, None])[:, 0]
    pairs = [(i, j) for i, j in kinetics.network.pairs if j is not None]
    reversible = 2 * len(pairs) == len(rates)
    differences = [abs(rates[i] - rates[j]) / (rates[i] + rates[j]) for i, j in pairs]
    complexes, (taken, made) = complexes_of(kinetics.network)
    outflow, inflow = (np.bincount(ends, rates, complexes.shape[1]) for ends in (taken, made))
    return Balance(
        reversible and bool(max(differences) < STEADY),
        bool(np.all(np.abs(outflow - inflow) <= STEADY * (outflow + inflow))),
        f"numerically, at the steady state {', '.join(f'{x:.6g}' for x in state)}",
    )


def _detailed_balance(kinetics: Kinetics) -> LogLinear | None:
    """The equations of detailed balance; None where a reaction cannot go back."""
    try:
        forward, backward = reversible_pairs(kinetics)
    except CaseError:
        return None
    ratios = np.log(kinetics.constants[forward]) - np.log(kinetics.constants[backward])
    return LogLinear(kinetics.network.stoichiometry[:, forward].T, ratios)


def _no_positive_state(state: Floats) -> CaseError:
    message = "no state in which all species are present has these conserved totals"
    return CaseError(message, found=[float(each) for each in state])


def _affinities(kinetics: Kinetics, equations: LogLinear) -> tuple[tuple[str, float], ...]:
    """Each cycle in words, in the direction in which its affinity is positive."""
    forward, _ = reversible_pairs(kinetics)
    names = [kinetics.network.reactions[each].name for each in forward]
    found = []
    for relation in equations.relations:
        cycle = relation if relation @ equations.values >= 0 else -relation
        text = " ".join(
            f"{'-' if turns < 0 else '+'} {abs(turns) if abs(turns) > 1 else ''} {name}"
            for turns, name in zip(cycle, names, strict=True)
            if turns
        )
        found.append((" ".join(text.removeprefix("+ ").split()), float(cycle @ equations.values)))
    return tuple(found)
