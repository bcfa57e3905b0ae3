"""Macroscopic chemical thermodynamics: potential, entropy production, chemical motive force.

For reversible reactions with rates R_+l and R_-l (chemical-thermodynamics, eq. 4-10), all per
volume and in k_B T:

    sigma       = sum_l (R_+l - R_-l) ln(R_+l / R_-l)                                (7c)
    cmf         = sum_l (R_+l - R_-l) ln(R_+l / R_-l e^(nu_l . grad phi))            (7d)
    d phi / dt  = grad phi . dx/dt = cmf - sigma                                     (7b)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fem_rd.chemistry.kinetics import Floats, Integers, Kinetics, kinetics_of, reversible_pairs
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.thermodynamics.balance import Balance, balance_at, balance_of
from fem_rd.chemistry.thermodynamics.potential import IdealPotential, Potential, potential_of

VANISHING = 1e-60  # in the place of no molecules, where only a limit exists


class Densities(NamedTuple):
    """phi_ss (amount/volume) and, per volume and time, sigma, cmf and d phi/dt, each (n,)."""

    phi: Floats
    sigma: Floats
    cmf: Floats
    dphi_dt: Floats


class State(NamedTuple):
    """The same at one state."""

    phi: float
    sigma: float
    cmf: float
    dphi_dt: float

    @property
    def balance_residual(self) -> float:
        """d phi/dt - (cmf - sigma), eq. (7b): 0 but for rounding."""
        return self.dphi_dt - (self.cmf - self.sigma)


@dataclass(frozen=True)
class Thermodynamics:
    """Thermodynamics of a reversible network with constant coefficients: use `thermodynamics_of`.

    ``pairs`` are the indices of each reaction and its reverse, (2, pairs).
    """

    kinetics: Kinetics
    pairs: Integers
    potential: Potential
    balance: Balance

    def densities(self, c: Floats) -> Densities:
        """phi_ss, sigma, cmf and d phi/dt at concentrations (species, n).

        Without molecules of a species sigma may be infinite, as d phi/dt is; cmf has its limit.
        nan where a concentration is negative.
        """
        c = np.where(c < 0, np.nan, c)
        with np.errstate(all="ignore"):
            rates = self.kinetics.rates(c)
            gradient = self.potential.gradient(c)
            velocity = self.kinetics.network.stoichiometry @ rates
            sigma = _weighted(self._net(rates), self._log_ratio(rates)).sum(axis=0)
            dphi_dt = _weighted(velocity, gradient).sum(axis=0)
        return Densities(self.potential.value(c), sigma, self._motive_force(c), dphi_dt)

    def at(self, x: ArrayLike) -> State:
        """The same at one state x (species,)."""
        densities = self.densities(np.asarray(x, dtype=float)[:, None])
        return State(*(float(each[0]) for each in densities))

    def _motive_force(self, c: Floats) -> Floats:
        with np.errstate(all="ignore"):
            c = np.where(c == 0, VANISHING, c)
            rates = self.kinetics.rates(c)
            return _weighted(self._net(rates), self._driving(c, rates)).sum(axis=0)

    def _driving(self, c: Floats, rates: Floats) -> Floats:
        """ln(R_+ / R_-) + nu . grad phi of each pair, shape (pairs, n)."""
        if self._steady_driving is not None:
            return self._steady_driving[:, None]
        steps = self.kinetics.network.stoichiometry[:, self.pairs[0]]
        return self._log_ratio(rates) + steps.T @ self.potential.gradient(c)

    @cached_property
    def _steady_driving(self) -> Floats | None:
        """Under mass action eq. (10) makes it a constant: ln(R_+ / R_-) at the balanced state.

        So cmf comes from another formula than d phi/dt, and their balance is a test.
        """
        if not (self.kinetics.mass_action and isinstance(self.potential, IdealPotential)):
            return None
        return self._log_ratio(self.kinetics.rates(self.potential.steady[:, None]))[:, 0]

    def _net(self, rates: Floats) -> Floats:
        return rates[self.pairs[0]] - rates[self.pairs[1]]

    def _log_ratio(self, rates: Floats) -> Floats:
        return np.log(rates[self.pairs[0]]) - np.log(rates[self.pairs[1]])


def thermodynamics_of(network: Network, state: ArrayLike | None = None) -> Thermodynamics:
    """The thermodynamics of a network.

    ``state`` (species,) gives the conserved totals where there are any; general laws of several
    species need one to look for a steady state from. Raises `CaseError` for irreversible reactions,
    for coefficients that vary in place or time, and where phi_ss is not known.
    """
    start = None if state is None else np.asarray(state, dtype=float)
    kinetics = kinetics_of(network)
    pairs = reversible_pairs(kinetics)
    potential = potential_of(kinetics, start)
    known = kinetics.mass_action
    balance = balance_of(network) if known else balance_at(kinetics, potential.minimum)
    return Thermodynamics(kinetics, pairs, potential, balance)


def entropy_production(network: Network, c: Floats) -> Floats:
    """sigma of eq. (7c) at concentrations (species, n), shape (n,): needs no potential.

    Raises `CaseError` for irreversible reactions.
    """
    kinetics = kinetics_of(network)
    forward, backward = reversible_pairs(kinetics)
    with np.errstate(all="ignore"):
        rates = kinetics.rates(np.where(c < 0, np.nan, c))
        ratios = np.log(rates[forward]) - np.log(rates[backward])
        return _weighted(rates[forward] - rates[backward], ratios).sum(axis=0)


def diffusive_dissipation(diffusion: ArrayLike, c: Floats, gradient: Floats) -> Floats:
    """D |grad c|^2 / c, what diffusion of one species dissipates per volume and time, shape (n,).

    ``diffusion`` is a number, (n,), or a tensor (dim, dim) or (dim, dim, n); ``gradient`` (dim, n)
    is that of c or, in a potential beta U, grad c + c grad(beta U). 0 where nothing flows.
    """
    d = np.asarray(diffusion, dtype=float)
    flux = d * gradient if d.ndim < 2 else np.einsum("ij...,j...->i...", d, gradient)
    power = (flux * gradient).sum(axis=0)
    with np.errstate(all="ignore"):
        return np.where(power == 0, 0.0, power / np.where(c < 0, np.nan, c))


def _weighted(flow: Floats, force: Floats) -> Floats:
    """flow * force, and 0 where nothing flows whatever the force."""
    return np.where(flow == 0, 0.0, flow * force)
