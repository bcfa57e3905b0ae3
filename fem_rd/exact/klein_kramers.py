"""The Klein-Kramers equation of a harmonic oscillator: a Gaussian stays one.

dx = v dt, dv = (-omega^2 x - gamma v) dt + sqrt(2 gamma) s dW, with the thermal velocity
s = sqrt(k_B T/M). Any frequency > 0 and friction >= 0, underdamped or not.
Source: Chandrasekhar, Rev. Mod. Phys. 15 (1943) 1, ch. II.3; Risken, The Fokker-Planck Equation,
sec. 10.2.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm

from fem_rd.exact.validity import Floats, floats, require, require_positive


@dataclass(frozen=True)
class Oscillator:
    """``frequency`` omega and ``friction`` gamma (1/time), ``thermal_velocity`` (length/time)."""

    frequency: float
    friction: float
    thermal_velocity: float

    def __post_init__(self) -> None:
        require_positive(frequency=self.frequency, thermal_velocity=self.thermal_velocity)
        require(0 <= self.friction < np.inf, f"friction must not be negative: {self.friction!r}")

    @property
    def drift(self) -> Floats:
        """The matrix A of d(x, v)/dt = A (x, v), shape (2, 2)."""
        return floats([[0.0, 1.0], [-(self.frequency**2), -self.friction]])

    @property
    def stationary(self) -> Floats:
        """The covariance of Boltzmann's law, shape (2, 2)."""
        s2 = self.thermal_velocity**2
        return floats([[s2 / self.frequency**2, 0.0], [0.0, s2]])


def mean(oscillator: Oscillator, start: ArrayLike, time: float) -> Floats:
    """Mean (x, v) at ``time`` from the mean ``start``, shape (2,)."""
    require(time >= 0, f"time must not be negative; found {time!r}")
    found: Floats = expm(oscillator.drift * time) @ floats(start)
    return found


def covariance(oscillator: Oscillator, start: ArrayLike, time: float) -> Floats:
    """S + e^{At} (C - S) e^{A^T t} from the covariance C = ``start``, shape (2, 2)."""
    require(time >= 0, f"time must not be negative; found {time!r}")
    flow, stationary = expm(oscillator.drift * time), oscillator.stationary
    found: Floats = stationary + flow @ (floats(start) - stationary) @ flow.T
    return found


def rates(oscillator: Oscillator, count: int) -> list[complex]:
    """The ``count`` smallest of n lambda_+ + m lambda_-, by size, of pairs that with Im >= 0.

    lambda_+- = (gamma +- sqrt(gamma^2 - 4 omega^2))/2; the first is 0, Boltzmann's law.
    """
    gamma = oscillator.friction
    root = cmath.sqrt(gamma**2 - 4 * oscillator.frequency**2)
    plus, minus = (gamma + root) / 2, (gamma - root) / 2
    found = [n * plus + m * minus for n in range(count) for m in range(count)]
    kept = [value for value in found if value.imag >= -1e-12 * abs(value)]
    return sorted(kept, key=lambda value: (round(abs(value), 12), value.imag))[:count]
