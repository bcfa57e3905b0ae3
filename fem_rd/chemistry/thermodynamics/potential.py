"""The potential phi_ss that the stationary law of the master equation leaves at large volume.

p_V(V x) ~ exp(-V phi_ss(x)) (chemical-thermodynamics, eq. 6-8). It is known in closed form where
the network is complex balanced (eq. 10), and by quadrature for one species; elsewhere
-ln p_V / V of `fem_rd.chemistry.thermodynamics.finite_volume` approaches it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.optimize import brentq
from scipy.special import kl_div

from fem_rd.chemistry.kinetics import Floats, Integers, Kinetics
from fem_rd.chemistry.thermodynamics.balance import balanced_state, complex_balance, steady_state
from fem_rd.errors import CaseError

GAUSS_POINTS, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(12)
PANEL_RATIO = 1.2  # neighbouring edges of panels: the logarithm at 0 is smooth on each panel
SMALLEST, LARGEST = 1e-20, 1e10  # first and last edge, in the scale of the steady states
SAMPLES = 64  # states at which eq. (6) is tried for general laws
NEWTON_STEPS = 60
PANELS = 2001  # for the integral of a stationary density
NEGLIGIBLE = 100.0  # e^-100 is nothing beside 1


class Potential(Protocol):
    """phi_ss of concentrations (species, n), zero at its global minimum."""

    def value(self, c: Floats) -> Floats:
        """phi_ss, shape (n,)."""
        ...

    def gradient(self, c: Floats) -> Floats:
        """d phi_ss / d c_i, shape (species, n)."""
        ...

    @property
    def minimum(self) -> Floats:
        """The state of the global minimum, shape (species,)."""
        ...


@dataclass(frozen=True)
class IdealPotential:
    """Eq. (10): sum_i x_i ln(x_i/x_i_ss) - x_i + x_i_ss, with ``steady`` = x_ss (species,)."""

    steady: Floats

    @property
    def minimum(self) -> Floats:
        """x_ss."""
        return self.steady

    def value(self, c: Floats) -> Floats:
        """phi_ss, shape (n,); infinite for a negative concentration."""
        return kl_div(c, self.steady[:, None]).sum(axis=0)

    def gradient(self, c: Floats) -> Floats:
        """ln(x_i / x_i_ss), shape (species, n)."""
        with np.errstate(all="ignore"):
            return np.log(c) - np.log(self.steady[:, None])


@dataclass(frozen=True)
class Antiderivative:
    """The integral from 0 of a function that is smooth for x > 0 and at most logarithmic at 0.

    By Gauss-Legendre on panels in geometric progression around ``scale``; nan for negative x.
    """

    function: Callable[[Floats], Floats]
    scale: float

    @cached_property
    def edges(self) -> Floats:
        """Ends of the panels, from 0."""
        count = int(np.log(LARGEST / SMALLEST) / np.log(PANEL_RATIO))
        return np.append(0.0, self.scale * SMALLEST * PANEL_RATIO ** np.arange(count))

    @cached_property
    def sums(self) -> Floats:
        """The integral up to each edge."""
        steps = panels(self.function, self.edges[:-1], self.edges[1:])
        return np.append(0.0, np.cumsum(steps))

    def __call__(self, x: Floats) -> Floats:
        """The integral from 0 to each x, shape (n,)."""
        x = np.where(x < 0, np.nan, x)
        below = np.maximum(np.searchsorted(self.edges, x, side="right") - 1, 0)
        return self.sums[below] + panels(self.function, self.edges[below], x)


@dataclass(frozen=True)
class OneSpeciesPotential:
    """phi_ss of one species by eq. (6): phi' is its root p != 0, phi the integral of phi'.

    With steps of one molecule phi' = ln(death / birth). ``steps`` are the changes by one event and
    ``kinetics`` their rates; ``scale`` is a concentration near the steady states.
    """

    kinetics: Kinetics
    steps: tuple[int, ...]
    scale: float

    @cached_property
    def roots(self) -> Floats:
        """Positive steady states, in increasing order."""
        grid = self.scale * 10.0 ** np.linspace(-9, 9, 18 * 400)
        drift = self._drift(grid)
        exact = grid[drift == 0]
        signs = np.flatnonzero(drift[:-1] * drift[1:] < 0)
        found = [
            brentq(lambda x: self._drift(np.array([x]))[0], grid[i], grid[i + 1], xtol=1e-300)
            for i in signs
        ]
        return np.sort(np.concatenate([exact, found]))

    @cached_property
    def stable(self) -> Floats:
        """The steady states at which phi has a minimum."""
        before, after = (self._drift(self.roots * factor) for factor in (1 - 1e-6, 1 + 1e-6))
        return self.roots[(before > 0) & (after < 0)]

    @cached_property
    def minimum(self) -> Floats:
        """The steady state of the least phi, shape (1,)."""
        return self.stable[[np.argmin(self._integral(self.stable))]]

    def value(self, c: Floats) -> Floats:
        """phi_ss, shape (n,)."""
        integrals = self._integral(np.append(c[0], self.minimum))
        return integrals[:-1] - integrals[-1]

    def gradient(self, c: Floats) -> Floats:
        """phi_ss', shape (1, n)."""
        rates = self.kinetics.rates(c)
        return slope(np.array(self.steps), rates)[None]

    def log_degeneracy(self, x: Floats) -> Floats:
        """ln Omega of eq. (8), shape (n,), up to a constant: steps of one molecule only.

        Omega = (W+ W-)^(-1/2) exp(int (B/W+ - D/W-) dx), where births happen W+ + B/V times per
        volume and time, deaths W- + D/V: falling factorials differ from powers by 1/V.
        """
        if set(self.steps) != {1, -1}:
            valid = "reactions that change it by one molecule"
            raise CaseError("Omega(x) of eq. (8) is for birth and death", valid=valid)

        births, deaths = self._by_direction(x)[0]
        ends = self._log_shift(np.append(x, self.minimum))
        with np.errstate(all="ignore"):
            return -(np.log(births) + np.log(deaths)) / 2 + ends[:-1] - ends[-1]

    def density(self, x: Floats, volume: float) -> Floats:
        """f(x|V) = Omega(x) e^(-V phi_ss) / Xi(V), eq. (8), shape (n,); its error is O(1/V)."""

        def weight(nodes: Floats) -> Floats:
            return np.exp(self.log_degeneracy(nodes) - volume * self.value(nodes[None]))

        top = np.array([2 * self.roots[-1]])
        while volume * self.value(top[None])[0] < NEGLIGIBLE:
            top *= 1.5
        edges = np.union1d(np.linspace(0.0, top[0], PANELS), self._integral.edges)
        edges = edges[edges <= top[0]]
        return weight(x) / panels(weight, edges[:-1], edges[1:]).sum()

    def _by_direction(self, x: Floats) -> tuple[Floats, Floats]:
        """Rates of birth and death (2, n), and their terms of next order in 1/V."""
        rates, orders = self.kinetics.rates(x[None]), self.kinetics.network.reactants[0]
        corrections = -(orders * (orders - 1) / 2)[:, None] * rates / x
        laws = np.isnan(self.kinetics.constants)
        corrections[laws] = 0.0
        up = np.array(self.steps) > 0
        both = ((rates[side].sum(axis=0), corrections[side].sum(axis=0)) for side in (up, ~up))
        (births, more), (deaths, less) = both
        return np.stack([births, deaths]), np.stack([more, less])

    def _drift(self, x: Floats) -> Floats:
        return self.kinetics.velocity(x[None])[0]

    @cached_property
    def _integral(self) -> Antiderivative:
        return Antiderivative(lambda x: self.gradient(x[None])[0], self.scale)

    @cached_property
    def _log_shift(self) -> Antiderivative:
        """The integral of B/W+ - D/W-, see `log_degeneracy`."""

        def shift(x: Floats) -> Floats:
            (births, deaths), (more, less) = self._by_direction(x)
            return more / births - less / deaths

        return Antiderivative(shift, self.scale)


def potential_of(kinetics: Kinetics, state: Floats | None = None) -> Potential:
    """phi_ss of a network.

    ``state`` (species,) has the conserved totals; networks without conservation laws that follow
    mass action need none. Raises `CaseError` where phi_ss is not known.
    """
    steps = kinetics.network.stoichiometry
    if kinetics.mass_action:
        equations = complex_balance(kinetics)
        if equations is not None and equations.solvable:
            return IdealPotential(balanced_state(kinetics, equations, state))
    if len(steps) == 1:
        return one_species_potential(kinetics)
    if not kinetics.mass_action:
        ideal = IdealPotential(steady_state(kinetics, state))
        if solves_hamilton_jacobi(kinetics, ideal):
            return ideal
    message = "phi_ss is not known: the network is not complex balanced and has several species"
    valid = "-ln p_V/V of the master equation (fem_rd.chemistry.thermodynamics.finite_volume)"
    raise CaseError(message, valid=valid)


def one_species_potential(kinetics: Kinetics) -> OneSpeciesPotential:
    """phi_ss of one species. Raises `CaseError` where it has no stable steady state."""
    steps = tuple(int(step) for step in kinetics.network.stoichiometry[0])
    grid: Floats = 10.0 ** np.linspace(-30, 30, 6001)
    with np.errstate(all="ignore"):
        drift = kinetics.velocity(grid[None])[0]
    last = np.flatnonzero((drift[:-1] >= 0) & (drift[1:] < 0))
    if not len(last):
        message = "the species has no stable steady state, and no stationary law"
        raise CaseError(message, found=kinetics.network.species[0], valid="birth and death of it")
    return OneSpeciesPotential(kinetics, steps, float(grid[last[-1]]))


def solves_hamilton_jacobi(kinetics: Kinetics, ideal: IdealPotential) -> bool:
    """Whether eq. (10) satisfies eq. (6) at sampled states within a factor 4 of its minimum."""
    factors = np.random.default_rng(0).uniform(-1, 1, (len(ideal.steady), SAMPLES))
    c = ideal.steady[:, None] * 4.0**factors
    rates = kinetics.rates(c)
    weights = np.exp(kinetics.network.stoichiometry.T @ ideal.gradient(c))
    imbalance = np.abs((rates * (1 - weights)).sum(axis=0))
    return bool(np.all(imbalance <= 1e-7 * (rates * (1 + weights)).sum(axis=0)))


def slope(steps: Integers, rates: Floats) -> Floats:
    """The root p of sum_l R_l (e^(nu_l p) - 1) = 0, eq. (6), that is 0 at steady states only.

    ``steps`` nu_l (reactions,), ``rates`` R_l (reactions, n); the shape is (n,). The sum is convex:
    Newton's method from beyond the root cannot fail. The last steps are on the sum over p, whose
    root stays simple at a steady state. Infinite where nothing goes up, or down.
    """
    up, down = rates[steps > 0].sum(axis=0), rates[steps < 0].sum(axis=0)
    with np.errstate(all="ignore"):
        if np.abs(steps).max() == 1:
            return np.log(down) - np.log(up)
        drift, spread = steps @ rates, steps**2 @ rates
        beyond = np.where(drift < 0, np.log1p(down / up), -np.log1p(up / down))
        possible = (up > 0) & (down > 0)
        p = np.where(possible, beyond, 1.0)
        for _ in range(NEWTON_STEPS):
            total, growth = _exponential_sum(steps, rates, p)
            change = np.where(growth * p > 0, total / growth, 0.0)
            p = p - change
            if np.all(np.abs(change) < 1e-6):
                break
        for _ in range(3):
            total, growth = _exponential_sum(steps, rates, p)
            chord = np.where(p == 0, drift, total / p)
            bend = np.where(np.abs(p) < 1e-4, spread / 2, (growth - chord) / p)
            p = p - chord / bend
    return np.where(possible, p, beyond)


def panels(function: Callable[[Floats], Floats], left: Floats, right: Floats) -> Floats:
    """The integrals of a function from left to right, each (n,), by Gauss-Legendre."""
    width, total = right - left, np.zeros(left.shape)
    for point, weight in zip(GAUSS_POINTS, GAUSS_WEIGHTS, strict=True):
        values = function(left + (1 + point) / 2 * width)
        total += weight / 2 * width * np.where(width == 0, 0.0, values)  # infinite at 0
    return total


def _exponential_sum(steps: Integers, rates: Floats, p: Floats) -> tuple[Floats, Floats]:
    """sum_l R_l (e^(nu_l p) - 1) and its derivative in p."""
    exponents = steps[:, None] * p
    growth = steps @ (rates * np.exp(exponents))
    return (rates * np.expm1(exponents)).sum(axis=0), growth
