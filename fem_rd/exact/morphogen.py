"""Gradients of morphogens: production at the wall x = 0, diffusion, degradation on x > 0.

c_t = D c_xx - k c^n with the flux -D c_x = j at x = 0 and c = 0 at the start and far away.
Sources: Crick, Nature 225 (1970) 420; Berezhkovskii, Sample and Shvartsman, Biophys. J. 99 (2010)
L59 (accumulation); Eldar, Rosin, Shilo and Barkai, Dev. Cell 5 (2003) 635 (nonlinear decay).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc, erfcx

from fem_rd.exact.validity import Floats, array_within, floats, require, require_positive


@dataclass(frozen=True)
class MorphogenGradient:
    """A gradient with decay of first order.

    Attributes: ``production`` j (amount/(area time)), ``diffusion`` D (length^2/time),
    ``degradation`` k (1/time), all positive.
    """

    production: float
    diffusion: float
    degradation: float

    def __post_init__(self) -> None:
        require_positive(
            production=self.production, diffusion=self.diffusion, degradation=self.degradation
        )

    @property
    def decay_length(self) -> float:
        """lambda = sqrt(D/k) (length)."""
        return math.sqrt(self.diffusion / self.degradation)

    @property
    def height(self) -> float:
        """Steady concentration at the wall: j lambda/D (amount/volume)."""
        return self.production * self.decay_length / self.diffusion

    def steady(self, x: ArrayLike) -> Floats:
        """Steady concentration (amount/volume) at x >= 0: (j lambda/D) exp(-x/lambda)."""
        depth = array_within("x", x, 0, math.inf) / self.decay_length
        return floats(self.height * np.exp(-depth))

    def transient(self, t: ArrayLike, x: ArrayLike) -> Floats:
        """Concentration (amount/volume) at times t > 0 and x >= 0, shape t.shape + x.shape.

        (j lambda/2D) [exp(-x/lambda) erfc(z - w) - exp(x/lambda) erfc(z + w)], z = x/sqrt(4 D t),
        w = sqrt(k t).
        """
        depth = array_within("x", x, 0, math.inf) / self.decay_length
        times = array_within("t", t, np.nextafter(0, 1), math.inf)
        w = np.sqrt(self.degradation * times).reshape(times.shape + (1,) * depth.ndim)
        z = depth / (2 * w)
        # exp(x/lambda) alone overflows far from the wall: x/lambda = 2 z w
        forward = np.exp(-depth) * erfc(z - w)
        back = np.exp(-(z**2) - w**2) * erfcx(z + w)
        return floats(self.height / 2 * (forward - back))

    def accumulation_time(self, x: ArrayLike) -> Floats:
        """Mean time (time) at which the steady concentration builds up: (1 + x/lambda)/(2 k).

        The mean of t over the density c_t/c_steady at x >= 0.
        """
        depth = array_within("x", x, 0, math.inf) / self.decay_length
        return floats((1 + depth) / (2 * self.degradation))


def nonlinear_gradient(
    x: ArrayLike, production: float, diffusion: float, degradation: float, order: float
) -> Floats:
    """Steady concentration (amount/volume) at x >= 0 with decay k c^n of ``order`` n > 1.

    c = c0 (1 + x/m)^-p, p = 2/(n - 1), c0 = [(n + 1) j^2/(2 D k)]^(1/(n + 1)), m = p D c0/j; k in
    (amount/volume)^(1 - n)/time. Far away it forgets the production: c -> c0 (m/x)^p is free of j.
    """
    require_positive(production=production, diffusion=diffusion, degradation=degradation)
    require(1 < order < math.inf, f"order must be larger than 1 and finite; found {order!r}")
    power = 2 / (order - 1)
    wall = ((order + 1) * production**2 / (2 * diffusion * degradation)) ** (1 / (order + 1))
    length = power * diffusion * wall / production
    return floats(wall * (1 + array_within("x", x, 0, math.inf) / length) ** -power)
