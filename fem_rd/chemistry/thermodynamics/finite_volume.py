"""The chemical master equation at finite volume, solved: stationary and transient laws.

Every reachable state n up to a bound is an unknown; reactions that would leave the bound do not
happen, so that probability is conserved, and what that changes is reported as a leak. With the
stationary law p_ss the mesoscopic thermodynamics of a law p is (chemical-thermodynamics, eq. 5)

    F    = sum_n p ln(p / p_ss)
    e_p  = sum_(n, l) J_l ln(p(n) r_+l(n) / (p(n') r_-l(n')))            n' = n + nu_l
    E_in = sum_(n, l) J_l ln(p_ss(n) r_+l(n) / (p_ss(n') r_-l(n')))      J_l = p r_+l - p' r_-l

and dF/dt = E_in - e_p. Per volume they tend to phi_ss, sigma and cmf (7a, 7c, 7d).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csc_array
from scipy.sparse.csgraph import connected_components
from scipy.special import gammaln, logsumexp, rel_entr, xlogy

from fem_rd.chemistry.kinetics import Floats, Integers, Kinetics, kinetics_of, reversible_pairs
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.thermodynamics import birth_death, markov
from fem_rd.chemistry.thermodynamics.potential import one_species_potential
from fem_rd.chemistry.thermodynamics.state_space import StateSpace, bounds, counts_of, reachable
from fem_rd.errors import CaseError, NumericalError

TAIL = -60.0  # ln of the probability, relative to the highest, where one species is cut off
MOST = 1 << 20  # molecules of one species before the search for a bound gives up


@dataclass(frozen=True)
class Law:
    """A probability law of the numbers of molecules.

    ``states`` (species, n) with the logarithms of their probabilities (n,); ``volume`` makes them
    concentrations.
    """

    states: Integers
    log_probability: Floats
    volume: float

    @cached_property
    def probability(self) -> Floats:
        """Shape (n,)."""
        return np.exp(self.log_probability)

    @property
    def mean(self) -> Floats:
        """Mean numbers (species,)."""
        return np.asarray(self.states @ self.probability)

    @property
    def covariance(self) -> Floats:
        """Covariance of the numbers (species, species)."""
        away: Floats = self.states - self.mean[:, None]
        return np.asarray((away * self.probability) @ away.T)

    @property
    def potential(self) -> Floats:
        """-ln p / V at each state, shape (n,): phi_ss for large V where p is stationary."""
        return np.asarray(-self.log_probability / self.volume)


@dataclass(frozen=True)
class Mesoscopic:
    """Free energy F, its rate, energy input E_in and entropy production e_p, in k_B T; eq. (5).

    ``free_energy_rate`` is that of the master equation, independent of the other two.
    """

    free_energy: float
    free_energy_rate: float
    energy_input: float
    entropy_production: float

    @property
    def balance_residual(self) -> float:
        """dF/dt - (E_in - e_p), 0 but for rounding."""
        return self.free_energy_rate - (self.energy_input - self.entropy_production)


@dataclass(frozen=True)
class MasterEquation:
    """dp/dt = Q p for a network in a volume: use `master_equation`.

    ``propensities`` (reactions, n) and ``targets`` (reactions, n): the state each reaction leads
    to, -1 where it does not happen.
    """

    kinetics: Kinetics
    volume: float
    space: StateSpace
    propensities: Floats
    targets: Integers

    @cached_property
    def generator(self) -> csc_array:
        """Q with columns of zero sum, shape (n, n)."""
        moves = self.targets >= 0
        origins = np.broadcast_to(np.arange(self.space.size), moves.shape)[moves]
        rates, shape = self.propensities[moves], (self.space.size, self.space.size)
        gain = coo_array((rates, (self.targets[moves], origins)), shape)
        loss = coo_array((-rates, (origins, origins)), shape)
        return csc_array(gain + loss)

    @cached_property
    def birth_death(self) -> bool:
        """Whether one species changes by one at a time, from each state to both neighbours."""
        chain = birth_death.applies(self.kinetics.network, self.space.states)
        return chain and all(bool(np.all(rates > 0)) for rates in self._births_and_deaths)

    @cached_property
    def stationary(self) -> Law:
        """The stationary law. Raises `NumericalError` where there is more than one."""
        if self.birth_death:
            logs = birth_death.stationary(*self._births_and_deaths)
        else:
            recurrent = self._recurrent
            logs = np.full(self.space.size, -np.inf)
            p = markov.stationary(self.generator[recurrent][:, recurrent])
            with np.errstate(divide="ignore"):
                logs[recurrent] = np.log(p)
        return self.law(logs)

    @cached_property
    def gap(self) -> float:
        """The slowest rate of relaxation to the stationary law (1/time)."""
        if self.birth_death:
            births, deaths = self._births_and_deaths
            return birth_death.spectral_gap(births, deaths, self.stationary.log_probability)
        return markov.spectral_gap(self.generator)

    @property
    def leak(self) -> float:
        """Probability per time that would leave the bound in the stationary law."""
        return self.leak_of(self.stationary)

    def leak_of(self, law: Law) -> float:
        """Probability per time that would leave the bound: what truncation left out."""
        left = np.where(self.targets < 0, self.propensities, 0.0).sum(axis=0)
        return float(left @ law.probability)

    def law(self, log_probability: Floats) -> Law:
        """The law with these logarithms of probabilities, up to a constant."""
        logs = log_probability - logsumexp(log_probability)
        return Law(self.space.states, logs, self.volume)

    def certain(self, counts: Mapping[str, int]) -> Law:
        """The law that has these numbers of molecules; species not named have none."""
        index = self.space.index(counts_of(self.kinetics.network, counts)[:, None])[0]
        if index < 0:
            raise CaseError("this state is not in the state space", found=dict(counts))
        return self.law(np.where(np.arange(self.space.size) == index, 0.0, -np.inf))

    def poisson(self, concentrations: ArrayLike) -> Law:
        """Independent Poisson numbers of means V x_i (species,), conditioned on the space.

        Of a complex-balanced network with x = x_ss it is the stationary law (Anderson, Craciun and
        Kurtz, Bull. Math. Biol. 72 (2010) 1947).
        """
        means = self.volume * np.asarray(concentrations, dtype=float)[:, None]
        logs = xlogy(self.space.states, means) - gammaln(self.space.states + 1.0)
        return self.law(logs.sum(axis=0))

    def evolve(self, law: Law, times: Sequence[float]) -> tuple[Law, ...]:
        """The laws at increasing times after ``law``, which is at time 0."""
        p, now, laws = law.probability, 0.0, []
        for time in times:
            p = markov.evolved(self.generator, p, time - now)
            now = time
            with np.errstate(divide="ignore"):
                laws.append(self.law(np.log(p)))
        return tuple(laws)

    def thermodynamics(self, law: Law) -> Mesoscopic:
        """F, dF/dt, E_in and e_p of a law. Raises `CaseError` for irreversible reactions.

        e_p is infinite where the law has impossible states next to possible ones.
        """
        p, log_p, log_ss = law.probability, law.log_probability, self.stationary.log_probability
        produced = taken_in = 0.0
        for forward, backward in reversible_pairs(self.kinetics).T:
            here = np.flatnonzero(self.targets[forward] >= 0)
            there = self.targets[forward, here]
            onward, back = self.propensities[forward, here], self.propensities[backward, there]
            net = p[here] * onward - p[there] * back
            with np.errstate(all="ignore"):
                ratio = np.log(onward) - np.log(back)
                produced += _sum(net, ratio + log_p[here] - log_p[there])
                taken_in += _sum(net, ratio + log_ss[here] - log_ss[there])
        with np.errstate(all="ignore"):
            rate = _sum(self.generator @ p, log_p - log_ss)
        free = float(rel_entr(p, self.stationary.probability).sum())
        return Mesoscopic(free, rate, taken_in, produced)

    @property
    def _births_and_deaths(self) -> tuple[Floats, Floats]:
        step = self.kinetics.network.stoichiometry[0]
        happens = np.where(self.targets >= 0, self.propensities, 0.0)
        return happens[step > 0].sum(axis=0)[:-1], happens[step < 0].sum(axis=0)[1:]

    @property
    def _recurrent(self) -> Integers:
        """The states that are visited for ever."""
        flow = self.generator.T.tocsr()
        count, labels = connected_components(flow, connection="strong")
        edges = flow.tocoo()
        leaving = (labels[edges.row] != labels[edges.col]) & (edges.data > 0)
        closed = np.setdiff1d(np.arange(count), labels[edges.row[leaving]])
        if len(closed) > 1:
            message = f"there are {len(closed)} stationary laws, one for each closed set of states"
            raise NumericalError(message, remedy="the transient law from the state you mean")
        return np.flatnonzero(labels == closed[0])


def master_equation(
    network: Network,
    volume: float,
    *,
    start: Mapping[str, int] | None = None,
    upper: Mapping[str, int] | None = None,
) -> MasterEquation:
    """The master equation on the states that are reached from ``start``.

    ``upper`` bounds the numbers of molecules. It is needed for species that no conservation law
    bounds, except where there is one species only: then the stationary law's tail decides.
    Raises `CaseError` for a missing bound and coefficients that vary.
    """
    kinetics = kinetics_of(network)
    first, given = counts_of(network, start or {}), counts_of(network, upper or {}, -1)
    most = bounds(network, first, given)
    if np.any(first < 0) or np.any((first > most) & (most >= 0)):
        raise CaseError("the start is outside the bounds", found=dict(start or {}))
    missing = [name for name, bound in zip(network.species, most, strict=True) if bound < 0]
    if missing and len(network.species) == 1:
        return _to_the_tail(kinetics, volume, first)
    if missing:
        raise CaseError(f"no bound for the number of {', '.join(missing)}", valid="upper")
    return _assembled(kinetics, volume, reachable(network, first, most))


def _assembled(kinetics: Kinetics, volume: float, space: StateSpace) -> MasterEquation:
    network = kinetics.network
    propensities = kinetics.propensities(space.states, volume)
    able = [np.all(space.states >= takes[:, None], axis=0) for takes in network.reactants.T]
    propensities *= np.array(able).reshape(propensities.shape)
    changes = network.stoichiometry.T
    targets = [space.index(space.states + change[:, None]) for change in changes]
    return MasterEquation(kinetics, volume, space, propensities, np.array(targets))


def _to_the_tail(kinetics: Kinetics, volume: float, start: Integers) -> MasterEquation:
    """One species, up to where its stationary law is nothing beside its last maximum."""
    network = kinetics.network
    if np.all(network.stoichiometry <= 0):
        return _assembled(kinetics, volume, reachable(network, start, start))
    last = np.maximum(start, int(volume * one_species_potential(kinetics).scale))
    upper = np.maximum(2 * last, 64)
    while upper[0] <= MOST:
        equation = _assembled(kinetics, volume, reachable(network, start, upper))
        numbers, logs = equation.space.states[0], equation.stationary.log_probability
        beyond = numbers >= last[0]
        tail = beyond & (logs < logs[beyond].max() + TAIL)
        if np.any(tail):
            most = np.maximum(numbers[tail][:1], start)
            return _assembled(kinetics, volume, reachable(network, start, most))
        upper = 2 * upper
    message = f"{network.species[0]} has no stationary law below {MOST} molecules"
    raise NumericalError(message, remedy="an upper bound of its number")


def _sum(flow: Floats, force: Floats) -> float:
    """The sum of flow * force, where no flow counts nothing whatever the force."""
    return float(np.sum(np.where(flow == 0, 0.0, flow * force)))
