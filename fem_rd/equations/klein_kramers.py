"""The Klein-Kramers equation of one order parameter Phi and its momentum Pi, mode by mode.

    dW/dt = -(Pi/M) dW/dPhi + (dU/dPhi - F) dW/dPi + gamma d/dPi (Pi + M k_B T d/dPi) W

is the Fokker-Planck equation (56) of Pankavich, Shreif and Ortoleva, "Multiscaling for classical
nanosystems", with the thermal-average force F - dU/dPhi and gamma = theta/(M k_B T), where
theta (eq. 55) may depend on Phi. In what follows s^2 = k_B T/M, p = Pi/(M s), and U and F
are in units of k_B T, w = exp(-U).

Write W = w(Phi) phi(p) g with the normal density phi, and g in orthonormal Hermite polynomials,
g = sum_n c_n(Phi) h_n(p). Since p h_n = sqrt(n+1) h_(n+1) + sqrt(n) h_(n-1) and h_n' = sqrt(n)
h_(n-1), the modes are a chain (Brinkman's hierarchy):

    w dc_n/dt = -s sqrt(n) (w dc_(n-1)/dPhi - F w c_(n-1)) - s sqrt(n+1) d(w c_(n+1))/dPhi
                - n gamma w c_n

Transport is skew in the inner product with the weight w phi, friction is diagonal and negative, and
c_0 = 1 is Boltzmann's law. `transport` lists the couplings with the derivative always on a mode of
even n: even modes are continuous, odd ones need no derivative and are zero, as functions of both
signs of p, where particles are reflected. Probability is the integral of w c_0, which no coupling
feeds: it is conserved whatever approximates the modes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Literal

Form = Literal["gradient", "weighted_gradient", "overlap"]


@dataclass(frozen=True)
class Coupling:
    """``factor`` times a form, in the equation of mode ``odd`` from mode ``even``.

    Forms, with v in the place of the odd mode: gradient (w c', v), weighted_gradient ((w c)', v),
    overlap (w c, v). ``back`` is the factor of the transposed form in the equation of mode
    ``even`` from mode ``odd``: its negative where the coupling is skew.
    """

    even: int
    odd: int
    form: Form
    factor: float
    back: float


def transport(modes: int, thermal_velocity: float, force: float = 0.0) -> Iterator[Coupling]:
    """Streaming and force of dc/dt = ..., for the modes n < ``modes``.

    ``thermal_velocity`` s (length/time); ``force`` F (k_B T/length) besides -dU/dPhi.
    """
    for odd in range(1, modes, 2):
        below = -thermal_velocity * sqrt(odd)
        yield Coupling(odd - 1, odd, "gradient", below, -below)
        above = -thermal_velocity * sqrt(odd + 1)
        if odd + 1 < modes:
            yield Coupling(odd + 1, odd, "weighted_gradient", above, -above)
        if force:
            yield Coupling(odd - 1, odd, "overlap", -force * below, 0.0)
            if odd + 1 < modes:
                yield Coupling(odd + 1, odd, "overlap", 0.0, -force * above)


def damping(mode: int) -> float:
    """Friction of a mode in units of gamma."""
    return float(mode)
