"""One species that changes by one at a time: sums of positive terms, accurate to every digit."""

from __future__ import annotations

import numpy as np

from fem_rd.chemistry.kinetics import Floats, Integers
from fem_rd.chemistry.network import Network

ITERATIONS = 200
SMALLEST = -650.0  # ln of a probability that is still a normal number


def applies(network: Network, states: Integers) -> bool:
    """Whether the states (species, n) are a chain of neighbours."""
    if len(states) != 1:
        return False
    steps = np.abs(network.stoichiometry[0]).max(initial=0)
    return bool(steps == 1 and np.all(np.diff(states[0]) == 1))


def stationary(births: Floats, deaths: Floats) -> Floats:
    """ln p_ss (n,) up to a constant, from the rates up and down between neighbours (n - 1,)."""
    return np.concatenate([[0.0], np.cumsum(np.log(births) - np.log(deaths))])


def spectral_gap(births: Floats, deaths: Floats, log_p: Floats) -> float:
    """The smallest positive eigenvalue of -Q, to full relative accuracy.

    Inverse iteration on the backward equation: with u of mean zero, the flow through the edge above
    n is g_n = -sum_(m <= n) p_m u_m = sum_(m > n) p_m u_m, and b_n p_n (v_(n+1) - v_n) = g_n has
    the solution v = u / lambda. u increases and changes sign once; each partial sum is taken from
    the side on which it has one sign, so that nothing cancels. States less probable than
    `SMALLEST` at the ends are left out; 0 where one inside is.
    """
    kept = np.flatnonzero(log_p > SMALLEST)
    first, last = kept[0], kept[-1]
    p = np.exp(log_p[first : last + 1])
    conductance = p[:-1] * births[first:last]
    if len(kept) < len(p) or len(p) < 2:
        return 0.0
    u = np.arange(len(p), dtype=float)
    gap, before = 0.0, -1.0
    for _ in range(ITERATIONS):
        below, above = -np.cumsum(p * u)[:-1], np.cumsum((p * u)[::-1])[::-1][1:]
        steps = np.where(u[:-1] < 0, below, above) / conductance
        v = np.concatenate([[0.0], np.cumsum(steps)])
        v -= p @ v / p.sum()
        gap = float((p * u) @ u / ((p * u) @ v))
        if abs(gap - before) <= 1e-15 * gap:
            break
        before, u = gap, v / np.abs(v).max()
    return gap
