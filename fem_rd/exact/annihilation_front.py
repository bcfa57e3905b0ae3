"""The reaction front of A + B -> 0 between two reservoirs that diffuse into one another.

a = a0 for x < 0 and b = b0 for x > 0 at t = 0, equal diffusion coefficients D, rate k a b. For late
times, (a0 + b0) k t much larger than 1, the reaction is confined to a front of width growing as
t^(1/6) where, in units of its length l, a = K l A(xi), b = K l (A(xi) + xi), A'' = A (A + xi).
Corrections are of relative order (k t)^(-1/3) to (k t)^(-2/3).
Source: Galfi and Racz, Phys. Rev. A 38 (1988) 3151.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_bvp
from scipy.special import airy, erfinv

from fem_rd.exact.validity import Floats, array_within, floats, require_positive

AT_CENTRE = 0.545354096840  # A(0); A'(0) = -1/2
RATE_AT_CENTRE = 0.297411090941  # A(0)^2, of the inner rate A (A + xi), whose integral is 1
SECOND_MOMENT = 1.90250941  # integral of xi^2 A (A + xi)
FARTHEST = 14.0  # A is below 1e-15 there
_START = 60  # nodes of the first mesh


@dataclass(frozen=True)
class AnnihilationFront:
    """The front between A at the concentration ``a`` on the left and B at ``b`` on the right.

    Attributes: ``a``, ``b`` (amount/volume), ``rate`` k (volume/(amount time)), ``diffusion`` D
    (length^2/time). Times t > 0; results have the shape of t.
    """

    a: float
    b: float
    rate: float
    diffusion: float

    def __post_init__(self) -> None:
        require_positive(a=self.a, b=self.b, rate=self.rate, diffusion=self.diffusion)

    @property
    def _offset(self) -> float:
        """x_f/sqrt(4 D t): where the two concentrations without reaction are equal."""
        return float(erfinv((self.a - self.b) / (self.a + self.b)))

    def position(self, t: ArrayLike) -> Floats:
        """Place (length) of the front: sqrt(4 D t) erfinv((a - b)/(a + b))."""
        return floats(self._offset * np.sqrt(4 * self.diffusion * _late(t)))

    def gradient(self, t: ArrayLike) -> Floats:
        """K (amount/volume/length): minus the slope of a - b at the front, free of the rate."""
        spread = np.sqrt(4 * math.pi * self.diffusion * _late(t))
        return floats((self.a + self.b) * math.exp(-(self._offset**2)) / spread)

    def length(self, t: ArrayLike) -> Floats:
        """l = (D/(k K))^(1/3) (length), which grows as t^(1/6)."""
        return floats(np.cbrt(self.diffusion / (self.rate * self.gradient(t))))

    def width(self, t: ArrayLike) -> Floats:
        """Root mean square distance (length) of a reaction event from the front."""
        return floats(math.sqrt(SECOND_MOMENT) * self.length(t))

    def flux(self, t: ArrayLike) -> Floats:
        """Events per area and time: the integral of k a b over the front, D K."""
        return floats(self.diffusion * self.gradient(t))

    def rate_at_centre(self, t: ArrayLike) -> Floats:
        """k a b at the front (amount/(volume time)): (D K/l) A(0)^2."""
        return floats(self.flux(t) / self.length(t) * RATE_AT_CENTRE)

    def reaction_rate(self, t: float, x: ArrayLike) -> Floats:
        """k a b (amount/(volume time)) at one time and places x; shape of x."""
        xi = (floats(x) - self.position(t)) / self.length(t)
        a = inner_profile(xi)
        return floats(self.flux(t) / self.length(t) * a * inner_profile(-xi))


def inner_profile(xi: ArrayLike) -> Floats:
    """A(xi) of A'' = A (A + xi), A -> 0 to the right and -xi to the left; shape of xi.

    To 1e-11; A(-xi) = A(xi) + xi is also the B of the other side.
    """
    distance = floats(np.abs(floats(xi)))
    tail = np.where(distance < FARTHEST, _solution()(np.minimum(distance, FARTHEST)), 0.0)
    return floats(tail + np.maximum(-floats(xi), 0))


@cache
def _solution() -> Callable[[Floats], Floats]:
    """A on [0, FARTHEST]: A'(0) = -1/2 by symmetry, decay as Airy's function at the end."""
    ai, slope, _, _ = airy(FARTHEST)

    def equation(x: Floats, y: Floats) -> Floats:
        return np.vstack([y[1], y[0] * (y[0] + x)])

    def ends(left: Floats, right: Floats) -> Floats:
        return floats([left[1] + 0.5, right[1] - slope / ai * right[0]])

    x = np.linspace(0, FARTHEST, _START)
    start = np.vstack([0.55 * np.exp(-x), -0.55 * np.exp(-x)])
    found = solve_bvp(equation, ends, x, start, tol=1e-12, max_nodes=100_000)
    return lambda place: found.sol(place)[0]


def _late(t: ArrayLike) -> Floats:
    return array_within("t", t, np.nextafter(0, 1), math.inf)
