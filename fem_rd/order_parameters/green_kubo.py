"""gamma (eq. 28) and theta (eq. 55) from the fluctuations of momentum and force.

Both are integrals of correlations of *projected* dynamics, in which the slow variable stands still.
In a trajectory it does not: the plain integral of the momentum's correlation goes to zero in a
well, that of the fluctuating force f - f^th falls as the momentum decays, to zero if the particle
is free; only in a potential that binds does it come back to theta, at lags long beside all motion
in it, barriers included. What the paper means is the plateau of

    m C_VV(t) = m C_VV(0) + int_0^t C_fV ds - int_0^t G(t - s) C_VV(s) ds,   G(t) = int_0^t K ds,

the generalised Langevin equation with the memory kernel K of the projected force, where C_fV is the
correlation of the thermal-average force f(R(t)) with V(0). `friction` solves it for G: a Volterra
equation of the first kind with a kernel that is not zero at s = 0, so that it is well posed.
G rises within the memory of the bath to the friction coefficient zeta, and stays there. Then
theta = k_B T zeta, D = k_B T / zeta and gamma = m^2 D.

Source of the inversion: Kowalik, Daldrop, Kappler, Schulz, Schlaich and Netz, Phys. Rev. E 100
(2019) 012126. Units: any consistent ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len
from scipy.signal import lfilter

from fem_rd.errors import NumericalError
from fem_rd.order_parameters.statistics import Array, Estimate, jackknife

FLAT = 2.0  # standard errors, or
CLOSE = 0.005  # of the value: by so much the curve may change after a plateau
_ROUND_OFF = 1e-9
_SHORTEST = 4  # lags of the window at which the search begins


def correlation(late: Array, early: Array, lags: int) -> Array:
    """<late(t + s) early(t)> for s = 0 .. ``lags``, over all t of each block.

    Both of shape (blocks, frames), with more frames than lags; result (blocks, lags + 1). No mean
    is subtracted.
    """
    frames = late.shape[1]
    size = next_fast_len(frames + lags, real=True)
    spectrum = np.fft.rfft(late, size) * np.conj(np.fft.rfft(early, size))
    products: Array = np.fft.irfft(spectrum, size)[:, : lags + 1]
    return products / (frames - np.arange(lags + 1))


def running_integral(values: Array, dt: float) -> Array:
    """Integrals from 0 to each time by the trapezoidal rule along the last axis; the first is 0."""
    steps = 0.5 * dt * (values[..., 1:] + values[..., :-1])
    zero = np.zeros((*values.shape[:-1], 1))
    return np.concatenate([zero, np.cumsum(steps, axis=-1)], axis=-1)


def friction(velocity: Array, force: Array, mass: float, dt: float) -> Array:
    """G at the times (n + 1/2) dt: the integrated memory kernel, mass/time, shape (lags,).

    ``velocity``: C_VV at n dt, ``force``: C_fV, both of shape (lags + 1,). Midpoint rule, of second
    order in dt; the discrete convolution is inverted exactly.
    """
    change = mass * (velocity[1:] - velocity[0]) - running_integral(force, dt)[1:]
    middle = 0.5 * (velocity[1:] + velocity[:-1])
    kernel: Array = lfilter([1.0], middle, -change / dt)
    return kernel


@dataclass(frozen=True)
class Plateau:
    """The lags between which a curve is flat, in the unit of time."""

    begin: float
    end: float

    def mean(self, times: Array, values: Array) -> Array:
        """The mean over the window along the last axis. Raises `NumericalError` if it is empty."""
        slack = _ROUND_OFF * self.end
        inside = (times >= self.begin - slack) & (times <= self.end + slack)
        if not inside.any():
            raise NumericalError(
                f"no lag lies in the plateau from {self.begin:g} to {self.end:g}",
                remedy="a wider plateau, or a shorter interval between frames",
            )
        return np.asarray(values[..., inside].mean(axis=-1))


def find_plateau(times: Array, without: Array) -> Plateau:
    """The earliest window [t, 2t] after which a curve does not change any more.

    ``without``: the curve with each block left out in turn, shape (blocks, times). Its mean must
    agree with those over [2t, 4t], [4t, 8t], ... within `FLAT` standard errors of the difference
    or the fraction `CLOSE`; t is tried at factors of sqrt(2). Raises `NumericalError` where there
    is none.
    """
    t = float(times[0] + _SHORTEST * (times[1] - times[0]))
    while 4.0 * t <= times[-1]:
        if _settled(times, without, t):
            return Plateau(t, 2.0 * t)
        t *= math.sqrt(2.0)
    raise NumericalError(
        f"the running integral has no plateau within a lag of {times[-1]:g}",
        remedy="a longer correlation time, a longer trajectory, or a plateau given by hand",
    )


def _settled(times: Array, without: Array, t: float) -> bool:
    """Whether the mean over [t, 2t] is that over all later octaves."""
    first = Plateau(t, 2.0 * t).mean(times, without)
    level = abs(float(first.mean()))
    later = 2.0 * t
    while 2.0 * later <= times[-1]:
        change = Plateau(later, 2.0 * later).mean(times, without) - first
        error = math.sqrt((len(without) - 1) * float(np.var(change)))
        if abs(float(change.mean())) > max(FLAT * error, CLOSE * level):
            return False
        later *= 2.0
    return True


@dataclass(frozen=True)
class Friction:
    """What fluctuations of the momentum say about one order parameter.

    ``times``: of the curves, lags; ``kernel``: G there. ``zeta``: mass/time; ``diffusion``
    = k_B T / zeta; ``theta`` = k_B T zeta (eq. 55); ``gamma`` = m^2 D (eq. 28).
    """

    times: Array
    kernel: Estimate
    plateau: Plateau
    zeta: Estimate
    diffusion: Estimate
    theta: Estimate
    gamma: Estimate


def friction_of(
    velocity: Array,
    mean_force: Array,
    *,
    temperature: float,
    dt: float,
    lags: int,
    mass: float | None = None,
    plateau: Plateau | None = None,
) -> Friction:
    """Friction, theta and gamma of one order parameter, with standard errors by blocks.

    ``velocity`` and ``mean_force``: V and f(R) at the frames, (blocks, frames); ``temperature`` is
    k_B T. Without a ``mass`` it is that of equipartition, k_B T / <V^2>; without a ``plateau`` it
    is found by `find_plateau`.
    """
    require_frames(velocity, lags)
    sums = correlation(velocity, velocity, lags), correlation(mean_force, velocity, lags)
    times = (np.arange(lags) + 0.5) * dt

    def inertia(speed: Array) -> float:
        return mass if mass is not None else float(temperature / speed[0])

    def kernel(speed: Array, pull: Array) -> Array:
        return friction(speed, pull, inertia(speed), dt)

    window = plateau or find_plateau(times, np.array([kernel(*pair) for pair in _without(*sums)]))

    def numbers(speed: Array, pull: Array) -> Array:
        zeta = float(window.mean(times, kernel(speed, pull)))
        diffusion = temperature / zeta
        return np.array([zeta, diffusion, temperature * zeta, inertia(speed) ** 2 * diffusion])

    found = jackknife(numbers, *sums)
    if not found.value[0] > 0.0:
        raise NumericalError(
            f"the friction coefficient comes out as {found.value[0]:.3g}, not positive",
            remedy="a plateau at shorter lags, or a longer trajectory",
        )
    parts = [Estimate(found.value[i], found.error[i]) for i in range(len(found.value))]
    return Friction(times, jackknife(kernel, *sums), window, *parts)


def _without(speeds: Array, pulls: Array) -> Iterator[tuple[Array, Array]]:
    """The means of both (blocks, lags) with each block left out in turn."""
    count = len(speeds)
    for i in range(count):
        speed, pull = ((part.sum(axis=0) - part[i]) / (count - 1) for part in (speeds, pulls))
        yield speed, pull


def green_kubo(series: Array, dt: float, lags: int) -> tuple[Estimate, Estimate]:
    """The autocorrelation of a series (blocks, frames) and its plain running integral.

    For the momentum this is eq. 28 and for the fluctuating force eq. 55 with the trajectory in the
    place of projected dynamics: to be looked at, see the module. The thermal-average force f^th(R)
    itself may be given for the fluctuating one where a potential binds: the two differ by m dV/dt,
    whose integral is bounded, so that both end at theta.
    """
    require_frames(series, lags)
    curves = correlation(series, series, lags)
    return (
        jackknife(lambda mean: mean, curves),
        jackknife(lambda mean: running_integral(mean, dt), curves),
    )


def decay_corrected(force: Array, velocity: Array, dt: float, lags: int) -> Estimate:
    """int_0^t <dF(0) dF(s)> ds / (C_VV(t) / C_VV(0)), (lags + 1,): theta of a free particle.

    The plain integral of the force dF (blocks, frames) decays as the velocity does; the ratio does
    not, and its plateau is theta where there is no potential. Time-convolutionless form of the
    Langevin equation. It agrees with `friction_of` in the Markov limit, which is worth a look.
    """
    forces, speeds = correlation(force, force, lags), correlation(velocity, velocity, lags)

    def ratio(pushes: Array, speed: Array) -> Array:
        return running_integral(pushes, dt) * speed[0] / speed

    return jackknife(ratio, forces, speeds)


def einstein(series: Array, dt: float, begin: int, end: int) -> Estimate:
    """D = half the slope of the mean square displacement between two lags, in frames.

    ``series``: a coordinate that is free to go, (blocks, frames). Least squares with equal weights.
    """
    lags = np.arange(begin, end + 1)
    squares = np.array(
        [np.mean((series[:, lag:] - series[:, :-lag]) ** 2, axis=1) for lag in lags]
    ).T

    def slope(mean: Array) -> Array:
        return np.asarray(0.5 * np.polyfit(lags * dt, mean, 1)[0])

    return jackknife(slope, squares)


def require_frames(series: Array, lags: int) -> None:
    """Raise `NumericalError` where blocks (blocks, frames) are too short for the lags."""
    if series.shape[1] <= 2 * lags:
        raise NumericalError(
            f"blocks of {series.shape[1]} frames are too short for lags up to {lags}",
            remedy="fewer blocks or a shorter correlation time",
        )
