"""Numbers of independent particles in open domains: means, variances, correlations in time.

Without reactions between particles the stationary law is Poisson, with correlations that decay as
particles leave. Sources: Gardiner, Handbook of Stochastic Methods, ch. 8; our own series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fem_rd.exact.validity import Floats, array_within, floats, require, require_positive


@dataclass(frozen=True)
class OpenSlab:
    """Particles on 0 < x < L (cross-section 1) with both ends held at a concentration.

    ``length``, ``diffusion`` (length^2/time), ``concentration`` (1/volume) of both reservoirs.
    """

    length: float
    diffusion: float
    concentration: float

    def __post_init__(self) -> None:
        require_positive(length=self.length, diffusion=self.diffusion)
        require(
            0 <= self.concentration < math.inf,
            f"concentration must be finite and not negative; found {self.concentration!r}",
        )

    def remaining(self, t: ArrayLike) -> Floats:
        """p(t): the probability that a particle that began anywhere has not left.

        sum over odd n of 8/(n pi)^2 exp(-(n pi/L)^2 D t); for D t >= 1e-6 L^2, and 1 at t = 0.
        """
        times = array_within("t", t, 0, math.inf) * self.diffusion / self.length**2
        require(bool(np.all((times == 0) | (times >= 1e-6))), "D t must be 0 or at least 1e-6 L^2")
        n = np.arange(1, 4001, 2)
        series = 8 / (n * math.pi) ** 2 * np.exp(-((n * math.pi) ** 2) * times[..., None])
        return np.where(times == 0, 1.0, series.sum(axis=-1))

    def mean(self, t: ArrayLike, start: float) -> Floats:
        """Mean number at t after exactly ``start`` uniform particles: n_0 p + c_R L (1 - p)."""
        p = self.remaining(t)
        return start * p + self.concentration * self.length * (1 - p)

    def variance(self, t: ArrayLike, start: float) -> Floats:
        """Its variance: n_0 p (1 - p) + c_R L (1 - p)."""
        p = self.remaining(t)
        return (start * p + self.concentration * self.length) * (1 - p)

    def covariance(self, t: ArrayLike) -> Floats:
        """Cov(N(0), N(t)) in the stationary state: c_R L p(t)."""
        return self.concentration * self.length * self.remaining(t)


def open_slab_profile(
    x: ArrayLike, length: float, diffusion: float, creation: float, decay: float, reservoir: float
) -> Floats:
    """Stationary c(x) between equal reservoirs, with creation lambda (1/(volume time)), decay mu.

    c_0 + (c_R - c_0) cosh(m(x - L/2))/cosh(m L/2), m = sqrt(mu/D), c_0 = lambda/mu. The numbers in
    disjoint parts are independent and Poisson: each variance is its mean.
    """
    require_positive(length=length, diffusion=diffusion, decay=decay)
    places = array_within("x", x, 0, length)
    m, rest = math.sqrt(decay / diffusion), creation / decay
    shape = np.cosh(m * (places - length / 2)) / math.cosh(m * length / 2)
    return rest + (reservoir - rest) * shape


def open_slab_number(
    length: float, diffusion: float, creation: float, decay: float, reservoir: float
) -> float:
    """Mean and variance of the number per cross-section: the integral of `open_slab_profile`."""
    require_positive(length=length, diffusion=diffusion, decay=decay)
    m, rest = math.sqrt(decay / diffusion), creation / decay
    return rest * length + (reservoir - rest) * 2 / m * math.tanh(m * length / 2)


def open_ball_profile(
    r: ArrayLike, radius: float, diffusion: float, creation: float, decay: float, reservoir: float
) -> Floats:
    """The same in a ball: c_0 + (c_R - c_0) (R/r) sinh(m r)/sinh(m R)."""
    require_positive(radius=radius, diffusion=diffusion, decay=decay)
    places = array_within("r", r, 0, radius)
    m, rest = math.sqrt(decay / diffusion), creation / decay
    small = m * places < 1e-8
    safe = np.where(small, 1.0, m * places)
    shape = np.where(small, 1.0, np.sinh(safe) / safe) * m * radius / math.sinh(m * radius)
    return rest + (reservoir - rest) * floats(shape)


def open_ball_number(
    radius: float, diffusion: float, creation: float, decay: float, reservoir: float
) -> float:
    """Mean and variance of the number in the ball: the integral of `open_ball_profile`."""
    require_positive(radius=radius, diffusion=diffusion, decay=decay)
    z, rest = math.sqrt(decay / diffusion) * radius, creation / decay
    excess = 4 * math.pi * radius**3 * (z / math.tanh(z) - 1) / z**2
    return 4 * math.pi / 3 * radius**3 * rest + (reservoir - rest) * excess
