"""Numbers of molecules in small well-mixed systems: exact means and variances.

Rates are propensity constants (1/time) of the reactions as the functions state them; a pair rate
belongs to each of the n (n - 1)/2 pairs. The models are those of the tests of stochastic simulators
(Evans, Gillespie and Wilkinson, Bioinformatics 24 (2008) 285) and of Erban and Chapman.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm
from scipy.special import gammaln, ive

from fem_rd.exact.validity import Floats, array_within, require, require_positive


@dataclass(frozen=True)
class Moments:
    """Mean and variance of a number of molecules, at one time or at each of several."""

    mean: Floats
    variance: Floats

    @property
    def deviation(self) -> Floats:
        """The standard deviation."""
        return np.sqrt(self.variance)


def birth_death(birth: float, death: float, initial: int, times: ArrayLike) -> Moments:
    """Moments of X for X -> 2 X at ``birth`` and X -> 0 at ``death`` (1/time each), shape of times.

    Mean n0 e^(r t), r = birth - death; variance n0 (birth + death)/r e^(r t) (e^(r t) - 1), which
    is n0 (birth + death) t at r = 0. Source: Kendall, Ann. Math. Stat. 19 (1948) 1.
    """
    require(birth >= 0 and death >= 0, f"rates must not be negative; found {birth!r}, {death!r}")
    t, r = _times(times), birth - death
    mean = initial * np.exp(r * t)
    elapsed = np.expm1(r * t) / r if r else t
    return Moments(mean, mean * (birth + death) * elapsed)


def immigration_death(creation: float, death: float, initial: int, times: ArrayLike) -> Moments:
    """Moments of X for 0 -> X at ``creation`` and X -> 0 at ``death`` (1/time), shape of times.

    Each initial molecule is left with probability p = e^(-death t), the others are Poisson of mean
    creation (1 - p)/death. Source: Gardiner, Handbook of Stochastic Methods (2004).
    """
    require_positive(death=death)
    require(creation >= 0, f"creation must not be negative; found {creation!r}")
    left = np.exp(-death * _times(times))
    created = creation * -np.expm1(-death * _times(times)) / death
    return Moments(initial * left + created, initial * left * (1 - left) + created)


def dimerisation(pair_rate: float, decay: float, initial: int, times: ArrayLike) -> Moments:
    """Moments of monomers P for 2 P -> P2 at ``pair_rate``, P2 -> 2 P at ``decay``, shape of times.

    From ``initial`` monomers and no dimers; the dimers are (initial - P)/2. By the exponential of
    the master equation over the numbers of dimers (``initial`` up to some thousand).
    """
    require(pair_rate >= 0 and decay >= 0, "rates must not be negative")
    dimers = np.arange(initial // 2 + 1, dtype=float)
    monomers = initial - 2 * dimers
    up = pair_rate * monomers * (monomers - 1) / 2
    return _chain_moments(up, decay * dimers, monomers, times)


def pair_annihilation(pair_rate: float, initial: int, times: ArrayLike) -> Moments:
    """Moments of A for 2 A -> 0 where each pair reacts at ``pair_rate`` (1/time), shape of times.

    One event removes two. By the exponential of the master equation (``initial`` up to some
    thousand).
    """
    return dimerisation(pair_rate, 0.0, initial, times)


def annihilation_with_source(annihilation: float, creation: float) -> Moments:
    """Stationary moments of A for 0 -> A at ``creation`` and 2 A -> 0 at k1 n (n - 1).

    Mean 1/4 + sqrt(k2/(2 k1)) I1'(z)/I1(z) with z = 2 sqrt(2 k2/k1); the variance follows from
    <n (n - 1)> = k2/(2 k1). ``annihilation`` k1 is half the rate of a pair. Source: Erban and
    Chapman, Stochastic Modelling of Reaction-Diffusion Processes (2020).
    """
    require_positive(annihilation=annihilation, creation=creation)
    pairs = creation / (2 * annihilation)
    z = 4 * math.sqrt(pairs)
    slope = (ive(0, z) + ive(2, z)) / (2 * ive(1, z))  # I1'/I1, scaled against overflow
    mean = 0.25 + math.sqrt(pairs) * slope
    return Moments(np.asarray(mean), np.asarray(pairs + mean - mean**2))


def closed_association(
    association: float, dissociation: float, volume: float, first: int, second: int
) -> Moments:
    """Stationary moments of C for A + B -> C and C -> A + B in a closed ``volume``.

    ``association`` k_on (volume/time), ``dissociation`` k_off (1/time), ``first`` and ``second``
    the conserved totals of A and B. Product Poisson, conditioned on the totals:
    p(c) ~ (k_on/(k_off V))^c / (c! (n_A - c)! (n_B - c)!).
    Source: Anderson, Craciun and Kurtz, Bull. Math. Biol. 72 (2010) 1947.
    """
    require_positive(association=association, dissociation=dissociation, volume=volume)
    c = np.arange(min(first, second) + 1, dtype=float)
    factorials = gammaln(c + 1) + gammaln(first - c + 1) + gammaln(second - c + 1)
    logarithm = c * math.log(association / (dissociation * volume)) - factorials
    weights = np.exp(logarithm - logarithm.max())
    return _moments(weights / weights.sum(), c)


def _chain_moments(up: Floats, down: Floats, values: Floats, times: ArrayLike) -> Moments:
    """Moments of ``values`` of a chain that starts in its first state, shape of times.

    ``up`` and ``down`` are the rates (1/time) from each state to the next and to the one before.
    """
    generator = np.diag(up[:-1], -1) + np.diag(down[1:], 1)
    generator -= np.diag(generator.sum(axis=0))
    t = _times(times)
    laws = np.array([expm(generator * instant)[:, 0] for instant in t.flat])
    return _moments(laws.reshape(*t.shape, len(values)), values)


def _moments(laws: Floats, values: Floats) -> Moments:
    mean = np.asarray(laws @ values)
    return Moments(mean, np.sum(laws * (values - mean[..., None]) ** 2, axis=-1))


def _times(times: ArrayLike) -> Floats:
    return array_within("t", times, 0.0, math.inf)
