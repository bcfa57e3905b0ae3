"""The rate at which a double well relaxes against friction: Kramers' turnover and its limits.

Energies are in k_B T, s = sqrt(k_B T/M) is the thermal velocity. Rates out of one well are for a
particle that is taken away at the top of the barrier or beyond; the slowest rate of relaxation of a
symmetric double well is twice the rate of crossing.
Sources: Kramers, Physica 7 (1940) 284; Mel'nikov and Meshkov, J. Chem. Phys. 85 (1986) 1018;
Haenggi, Talkner and Borkovec, Rev. Mod. Phys. 62 (1990) 251.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.optimize import brentq

from fem_rd.exact.validity import Floats, floats, require, require_positive

Potential = Callable[[Floats], ArrayLike]
_PANELS, _POINTS = 200, 12  # of quadratures along a line
_ENERGY_PANELS = 24
_ANGLE, _OF_ANGLE = np.polynomial.legendre.leggauss(400)  # of quadratures along an orbit
_CONVERGED, _ITERATIONS = 1e-13, 100


@dataclass(frozen=True)
class Well:
    """A well of ``potential``, with its ``bottom``, the ``top`` of its barrier, and its other
    ``end``, where particles are reflected or the potential is out of reach."""

    potential: Potential
    bottom: float
    top: float
    end: float
    thermal_velocity: float

    def __post_init__(self) -> None:
        require_positive(thermal_velocity=self.thermal_velocity)
        ordered = self.top < self.bottom < self.end or self.end < self.bottom < self.top
        require(ordered, "the bottom must lie between the top of the barrier and the end")
        require(self.barrier > 0, f"the barrier must be positive; found {self.barrier!r}")

    @property
    def barrier(self) -> float:
        """Height of the barrier above the bottom."""
        return self.at(self.top) - self.at(self.bottom)

    def at(self, x: float) -> float:
        """The potential."""
        return float(np.asarray(self.potential(floats([x])))[0])

    def frequency(self, x: float) -> float:
        """s sqrt(|U''|) at the bottom or at the top, to 1e-7 (fourth-order differences)."""
        h = 1e-3 * abs(self.bottom - self.top)
        u = [self.at(x + i * h) for i in (-2, -1, 0, 1, 2)]
        curvature = (-u[0] + 16 * u[1] - 30 * u[2] + 16 * u[3] - u[4]) / (12 * h**2)
        return self.thermal_velocity * math.sqrt(abs(curvature))

    def action(self, energy: ArrayLike) -> tuple[Floats, Floats]:
        """Action over k_B T (time) and period of the orbits of energies above the bottom.

        S = (1/s) int sqrt(2 (E - U)) dx around the orbit and T = dS/dE, in (0, barrier]; the period
        is infinite at the barrier. Shape of ``energy``.
        """
        energies = floats(energy)
        require(bool(np.all((energies > 0) & (energies <= self.barrier))), "energy out of range")
        pairs = [self._orbit(float(one)) for one in energies.flat]
        found = floats(pairs).reshape(*energies.shape, 2)
        return found[..., 0], found[..., 1]

    def _orbit(self, energy: float) -> tuple[float, float]:
        height = self.at(self.bottom) + energy
        inner = self.top if energy >= self.barrier else self._turning(height, self.top)
        outer = self.end if self.at(self.end) < height else self._turning(height, self.end)
        angle = np.pi / 2 * _ANGLE
        half = abs(outer - inner) / 2
        x = (outer + inner) / 2 + half * np.sin(angle)
        speed = np.sqrt(2 * np.maximum(height - np.asarray(self.potential(x)), 1e-300))
        step = np.pi / 2 * _OF_ANGLE * half * np.cos(angle) / self.thermal_velocity
        return 2 * float(step @ speed), 2 * float(step @ (1 / speed))

    def _turning(self, height: float, beyond: float) -> float:
        return float(brentq(lambda x: self.at(x) - height, self.bottom, beyond, xtol=1e-15))


def kramers_rate(well: Well, friction: float) -> float:
    """Spatial diffusion: (w_0/2 pi) [sqrt(1 + g^2/4 w_b^2) - g/2 w_b] e^{-barrier}.

    Out of the well, for moderate to high friction and high barriers, with an error of order
    1/barrier; g -> 0 is transition-state theory.
    """
    require(0 <= friction < math.inf, f"friction must not be negative; found {friction!r}")
    damped = friction / (2 * well.frequency(well.top))
    factor = math.sqrt(1 + damped**2) - damped
    return well.frequency(well.bottom) / (2 * math.pi) * factor * math.exp(-well.barrier)


def overdamped_rate(well: Well, friction: float) -> float:
    """Slowest rate of the Smoluchowski equation with D = s^2/gamma, absorbing at the top.

    By quadrature and inverse iteration, to 1e-10. It is the slowest rate of relaxation in the
    symmetric double well of which this is one half.
    """
    require_positive(friction=friction)
    at = _panels(well.top, well.end, _PANELS)
    u = floats(well.potential(at.points)) - well.at(well.bottom)
    return well.thermal_velocity**2 / friction * _slowest(at, np.exp(u), np.exp(-u))


def underdamped_rate(well: Well, friction: float) -> float:
    """Slowest rate of energy diffusion, absorbing at the barrier: gamma -> 0.

    -gamma (S e^{-E} g')' = rate T e^{-E} g with the action S and the period T, to 1e-6. It is the
    slowest rate of relaxation in the symmetric double well of which this is one half.
    """
    require_positive(friction=friction)
    at = _panels(well.barrier, 0.0, _ENERGY_PANELS, grading=3)
    action, period = well.action(at.points)
    law = np.exp(-at.points)
    return friction * _slowest(at, 1 / (action * law), period * law)


def energy_loss(well: Well, friction: float) -> float:
    """delta = gamma S(barrier): energy lost on the way from the barrier and back, in k_B T."""
    return friction * float(well.action([well.barrier])[0][0])


def depopulation(delta: float) -> float:
    """Mel'nikov's factor: delta for small and 1 for large losses of energy ``delta``.

    exp{ (1/2 pi) int ln[1 - e^{-delta (x^2 + 1/4)}] dx / (x^2 + 1/4) };
    delta (1 - 0.8239 sqrt(delta)) to second order.
    """
    require_positive(delta=delta)

    def integrand(angle: float) -> float:  # x = tan(angle)/2
        return math.log(-math.expm1(-delta / (4 * math.cos(angle) ** 2)))

    value = quad(integrand, 0.0, math.pi / 2, epsabs=1e-13, epsrel=1e-12, limit=400)[0]
    return math.exp(2 * value / math.pi)


def bridging_rate(well: Well, friction: float) -> float:
    """Mel'nikov and Meshkov: the slowest rate of a symmetric double well at any friction.

    2 k(Kramers) A(delta)^2/A(2 delta). Tends to Kramers' rate for high and to energy diffusion for
    low friction, each with the error of order 1/barrier of its steepest descents.
    """
    require_positive(friction=friction)
    delta = energy_loss(well, friction)
    factor = depopulation(delta) ** 2 / depopulation(2 * delta)
    return 2 * kramers_rate(well, friction) * factor


@dataclass(frozen=True)
class _Panels:
    """Gauss points of panels in their order from one end; steps along them are positive."""

    points: Floats
    inside: Floats
    """(panels, points, points): integrals from a panel's start to its points."""
    across: Floats
    """(panels, points): weights of a whole panel."""

    def from_start(self, values: Floats) -> Floats:
        """The integrals from the start to each point."""
        whole = np.einsum("pq,pq->p", self.across, values)
        before = np.concatenate([[0.0], np.cumsum(whole)[:-1]])
        found: Floats = before[:, None] + np.einsum("pij,pj->pi", self.inside, values)
        return found

    def to_end(self, values: Floats) -> Floats:
        """The integrals from each point to the end, exact where they become small."""
        whole = np.einsum("pq,pq->p", self.across, values)
        after = np.append(np.cumsum(whole[::-1])[::-1][1:], 0.0)
        rest = self.across[:, None, :] - self.inside
        found: Floats = after[:, None] + np.einsum("pij,pj->pi", rest, values)
        return found


def _panels(start: float, end: float, count: int, grading: int = 1) -> _Panels:
    """``count`` panels from ``start`` to ``end``, finer at the start for a higher ``grading``."""
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    edges = np.linspace(0.0, 1.0, count + 1) ** grading * abs(end - start)
    half = np.diff(edges)[:, None] / 2
    along = (edges[1:, None] + edges[:-1, None]) / 2 + half * nodes
    monomials = np.linalg.inv(np.vander(nodes, increasing=True))
    powers = np.arange(1, _POINTS + 1)
    integrals = (nodes[:, None] ** powers - (-1.0) ** powers) / powers @ monomials
    points = start + math.copysign(1.0, end - start) * along
    return _Panels(points, half[:, :, None] * integrals, half * weights)


def _slowest(at: _Panels, resistance: Floats, mass: Floats) -> float:
    """The smallest l of -(g'/resistance)' = l mass g, g = 0 at the start, no flux at the end."""
    g: Floats = np.ones_like(mass)
    rate = math.inf
    for _ in range(_ITERATIONS):
        g = at.from_start(resistance * at.to_end(mass * g))
        size = math.sqrt(float(np.einsum("pq,pq->", at.across, mass * g * g)))
        g, before, rate = floats(g / size), rate, 1 / size
        if abs(rate - before) < _CONVERGED * rate:
            break
    return rate
