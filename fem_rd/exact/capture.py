"""Capture by a reactive sphere without forces: steady and transient rates and profiles.

`t` and `r` may be numbers or arrays; results have shape t.shape + r.shape.
Sources: Smoluchowski, Z. Phys. Chem. 92 (1917) 129; Collins and Kimball, J. Colloid Sci. 4 (1949)
425; del Razo, Open reaction-diffusion systems (2024), eq. 24-25 and 36; Carslaw and Jaeger,
Conduction of Heat in Solids (1959), ch. IX, for the transients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc, erfcx

from fem_rd.exact.sphere import ReactiveSphere
from fem_rd.exact.validity import Floats, array_within, floats, require

# The series keeps every mode that has not decayed below exp(-40) of its start, 2 / sqrt(D t/L^2)
# of them; below this D t/L^2 it would need more than 6400 and the shell still looks infinite.
SHORTEST_TIME = 1e-7
_DECAYED = 40.0


def steady_rate(sphere: ReactiveSphere) -> float:
    """Steady rate of capture, amount/time; del Razo eq. 36, and its form for finite outer radius.

    k = c_R kappa k_S(R) / (kappa + k_S(R)) with k_S(R) = 4 pi D / (1/sigma - 1/R).
    Valid for all kappa from 0 to infinity and all R from sigma to infinity.
    """
    controlled = 4 * math.pi * sphere.diffusion / sphere.inverse_gap
    return sphere.concentration * controlled * _saturation(sphere.kappa / controlled)


def steady_concentration(sphere: ReactiveSphere, r: ArrayLike) -> Floats:
    """Steady concentration (amount/volume) at radii r: c_R - k (1/r - 1/R) / (4 pi D).

    Valid for sigma <= r <= R; raises `OutOfRange` elsewhere.
    """
    lost = steady_rate(sphere) / (4 * math.pi * sphere.diffusion)
    return sphere.concentration - lost * (1 / sphere.radii(r) - 1 / sphere.outer)


def collins_kimball_rate(sphere: ReactiveSphere, t: ArrayLike) -> Floats:
    """Rate of capture (amount/time) at times t after a uniform start, infinite outer radius.

    k(t) = k_D [1 + (kappa/k_S) exp(a^2 D t) erfc(a sqrt(D t))], a = (1 + kappa/k_S) / sigma;
    for infinite kappa, k_S [1 + sigma / sqrt(pi D t)] (infinite at t = 0). Valid for t >= 0.
    """
    _require_infinite(sphere)
    depth = np.sqrt(sphere.diffusion * array_within("t", t, 0, math.inf))
    ratio = sphere.reactivity_ratio
    if math.isinf(ratio):
        with np.errstate(divide="ignore"):
            surplus = sphere.sigma / (math.sqrt(math.pi) * depth)
    else:
        surplus = ratio * erfcx((1 + ratio) / sphere.sigma * depth)
    return floats(steady_rate(sphere) * (1 + surplus))


def collins_kimball_concentration(sphere: ReactiveSphere, t: ArrayLike, r: ArrayLike) -> Floats:
    """Concentration (amount/volume) at times t and radii r after a uniform start, infinite R.

    c/c_R = 1 - q (sigma/r) [erfc z - exp(-z^2) erfcx(z + a sqrt(D t))] with
    q = kappa/(kappa + k_S), z = (r - sigma)/sqrt(4 D t), a as in `collins_kimball_rate`.
    Shape t.shape + r.shape. Valid for t > 0 and r >= sigma.
    """
    _require_infinite(sphere)
    radii = sphere.radii(r)
    times = array_within("t", t, np.nextafter(0, 1), math.inf)
    depth = np.sqrt(sphere.diffusion * times).reshape(times.shape + (1,) * radii.ndim)
    z = (radii - sphere.sigma) / (2 * depth)
    ratio = sphere.reactivity_ratio
    # erfcx of an infinite argument is 0: the absorbing sphere needs no case of its own
    left = erfc(z) - np.exp(-z * z) * erfcx(z + (1 + ratio) / sphere.sigma * depth)
    return floats(sphere.concentration * (1 - _saturation(ratio) * sphere.sigma / radii * left))


def shell_wavenumbers(sphere: ReactiveSphere, count: int) -> Floats:
    """The first wavenumbers (1/length) of decay between reactive sphere and reservoir.

    Roots of lambda cot(lambda L) = -H, L = R - sigma, H = (1 + kappa/k_S)/sigma; the decay rates
    are D lambda^2. H > 0, so there is exactly one root in each ((m - 1/2) pi/L, m pi/L) for
    m = 1, 2, .. and none at zero or on the imaginary axis; for infinite kappa it is m pi/L.
    """
    _require_finite(sphere)
    gap = sphere.outer - sphere.sigma
    strength = (1 + sphere.reactivity_ratio) * gap / sphere.sigma
    target = math.pi * np.arange(1, count + 1)
    x = target.copy()
    # Newton for x + atan(x/strength) = m pi: rising and concave, so that from the right end of
    # the bracket the first step lands left of the root, inside it, and all others rise to it
    for _ in range(6 if math.isfinite(strength) else 0):
        x -= (x + np.arctan(x / strength) - target) / (1 + strength / (strength**2 + x**2))
    return floats(x / gap)


def transient_rate(sphere: ReactiveSphere, t: ArrayLike, initial: float) -> Floats:
    """Rate of capture (amount/time) at times t between sphere and reservoir at R.

    c = ``initial`` (amount/volume) everywhere at t = 0 and c_R at r = R for t > 0.
    Series of 2 L / sqrt(D t) modes, L = R - sigma, to 1e-12 of the rate at c_R; raises `OutOfRange`
    for D t < 1e-7 L^2 (where with initial = c_R the infinite domain serves) and for infinite R.
    """
    series = _series(sphere, t, initial)
    slope = sphere.sigma * series.slope_at_sphere - series.value_at_sphere
    excess = 4 * math.pi * sphere.diffusion * (series.decay(t) @ slope)
    return floats(steady_rate(sphere) + excess)


def transient_reservoir_rate(sphere: ReactiveSphere, t: ArrayLike, initial: float) -> Floats:
    """Rate of supply (amount/time) by the reservoir at R; arguments, validity of `transient_rate`.

    The amount between the walls grows at this rate less the rate of capture.
    """
    series = _series(sphere, t, initial)
    slope = -series.amplitudes * series.wavenumbers
    excess = 4 * math.pi * sphere.diffusion * sphere.outer * (series.decay(t) @ slope)
    return floats(steady_rate(sphere) + excess)


def transient_concentration(
    sphere: ReactiveSphere, t: ArrayLike, r: ArrayLike, initial: float
) -> Floats:
    """Concentration (amount/volume) between sphere and reservoir, shape t.shape + r.shape.

    c = c_ss + (1/r) sum_m A_m sin(lambda_m (R - r)) exp(-D lambda_m^2 t), A_m from the uniform
    ``initial`` concentration; validity of `transient_rate`, sigma <= r <= R.
    """
    series = _series(sphere, t, initial)
    radii = sphere.radii(r)
    depth = (sphere.outer - radii).ravel()
    modes = series.amplitudes[:, None] * np.sin(np.outer(series.wavenumbers, depth))
    shape = np.shape(t) + radii.shape
    excess = floats(series.decay(t) @ modes).reshape(shape) / radii
    return floats(steady_concentration(sphere, radii) + excess)


@dataclass(frozen=True)
class _ShellSeries:
    """u = r (c - c_ss) = sum_m amplitude_m sin(lambda_m (R - r)) exp(-D lambda_m^2 t)."""

    wavenumbers: Floats
    amplitudes: Floats
    gap: float
    diffusion: float

    def decay(self, t: ArrayLike) -> Floats:
        """exp(-D lambda^2 t), shape t.shape + (modes,)."""
        rates = self.diffusion * self.wavenumbers**2
        return floats(np.exp(-np.multiply.outer(floats(t), rates)))

    @property
    def value_at_sphere(self) -> Floats:
        return floats(self.amplitudes * np.sin(self.wavenumbers * self.gap))

    @property
    def slope_at_sphere(self) -> Floats:
        return floats(-self.amplitudes * self.wavenumbers * np.cos(self.wavenumbers * self.gap))


def _series(sphere: ReactiveSphere, t: ArrayLike, initial: float) -> _ShellSeries:
    """The modes that live at the earliest of the times, for a uniform start."""
    _require_finite(sphere)
    gap = sphere.outer - sphere.sigma
    unit = gap**2 / sphere.diffusion
    times = array_within("t", t, SHORTEST_TIME * unit, math.inf)
    modes = 2 + math.ceil(math.sqrt(_DECAYED * unit / times.min(initial=unit)) / math.pi)
    wave = shell_wavenumbers(sphere, modes)
    x = wave * gap
    # r (initial - c_ss) is linear in s = R - r: offset + slope s
    offset = (initial - sphere.concentration) * sphere.outer
    slope = steady_rate(sphere) / (4 * math.pi * sphere.diffusion * sphere.outer)
    slope -= initial - sphere.concentration
    overlap = offset * (1 - np.cos(x)) / wave + slope * (np.sin(x) - x * np.cos(x)) / wave**2
    norm = gap / 2 - np.sin(2 * x) / (4 * wave)
    return _ShellSeries(wave, overlap / norm, gap, sphere.diffusion)


def _saturation(ratio: float) -> float:
    """ratio / (1 + ratio), 1 at infinity."""
    return 1.0 if math.isinf(ratio) else ratio / (1 + ratio)


def _require_infinite(sphere: ReactiveSphere) -> None:
    require(
        math.isinf(sphere.outer),
        f"this formula holds for an infinite outer radius; found {sphere.outer!r}: "
        "use the transient_* functions",
    )


def _require_finite(sphere: ReactiveSphere) -> None:
    require(
        math.isfinite(sphere.outer),
        "this formula needs a finite outer radius; for an infinite one use the "
        "collins_kimball_* functions",
    )
