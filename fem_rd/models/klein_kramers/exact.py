"""What is known of a Klein-Kramers case: a harmonic well, and the limits of a double well."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fem_rd.case.case import Case
from fem_rd.exact import klein_kramers as oscillators
from fem_rd.exact import turnover
from fem_rd.exact.klein_kramers import Oscillator
from fem_rd.models.klein_kramers.system import KleinKramersSystem
from fem_rd.models.protocol import Array, Curve, Exact, Prediction

_POINTS = 401  # of the line, on which a potential is looked at
_HARMONIC = 1e-11  # of the range of a potential: what a parabola may miss
_FAR = 12.0  # k_B T at both ends: an oscillator that does not know of them
_CURVE = 400
_SOURCE = "Ornstein-Uhlenbeck process in phase space (Chandrasekhar 1943)"
_SAME = 1e-9
_SYMMETRIC = 1e-9  # k_B T


def exact_for(case: Case, system: KleinKramersSystem) -> Exact:
    """Moments over time, or rates, of a harmonic well with constant friction; otherwise empty."""
    found = _oscillator(system)
    if found is None:
        return Exact()
    oscillator, centre = found
    return _rates(oscillator, case) if case.time is None else _moments(oscillator, centre, case)


def limits(system: KleinKramersSystem, frictions: Array) -> Mapping[str, Array]:
    """The limits of the slowest rate in a symmetric double well; empty for other potentials."""
    well = _double_well(system)
    if well is None:
        return {}
    return {
        "overdamped": np.array([turnover.overdamped_rate(well, one) for one in frictions]),
        "underdamped": frictions * turnover.underdamped_rate(well, 1.0),
        "Mel'nikov-Meshkov": np.array([turnover.bridging_rate(well, one) for one in frictions]),
    }


def _oscillator(system: KleinKramersSystem) -> tuple[Oscillator, float] | None:
    section, line = system.section, system.line
    friction = section.friction
    if friction is None or not friction.is_constant or section.periodic or not system.closed:
        return None
    x = np.linspace(line.lower, line.upper, _POINTS, dtype=np.float64)
    u = system.potential(x) - section.force * x
    square, slope, constant = np.polyfit(x, u, 2)
    rest = np.abs(u - np.polyval((square, slope, constant), x)).max()
    if square <= 0 or rest > _HARMONIC * np.ptp(u):
        return None
    if min(u[0], u[-1]) < u.min() + _FAR:
        return None
    s = system.thermal_velocity
    return Oscillator(s * np.sqrt(2 * square), friction.value, s), -slope / (2 * square)


def _rates(oscillator: Oscillator, case: Case) -> Exact:
    count = case.section.eigenvalues
    predictions = {}
    source = "n lambda_+ + m lambda_-, lambda = (g +- sqrt(g^2 - 4 w^2))/2"
    for number, rate in enumerate(oscillators.rates(oscillator, count + 1)[1:], start=1):
        predictions[f"eigenvalue_{number}"] = Prediction(rate.real, source)
        if rate.imag > _SAME * abs(rate):
            predictions[f"frequency_{number}"] = Prediction(rate.imag, source)
    return Exact(predictions)


def _moments(oscillator: Oscillator, centre: float, case: Case) -> Exact:
    start = case.section.initial
    end = case.time.end if case.time is not None else 0.0
    if start is None:
        return Exact()
    width = start.velocity_width
    width = oscillator.thermal_velocity if width is None else width
    mean = np.array([start.position - centre, start.velocity])
    spread = np.diag([start.position_width**2, width**2])

    def at(time: float) -> dict[str, float]:
        x, v = oscillators.mean(oscillator, mean, time)
        covariance = oscillators.covariance(oscillator, spread, time)
        return {
            "mean_position": x + centre,
            "mean_velocity": v,
            "var_position": covariance[0, 0],
            "covariance": covariance[0, 1],
            "var_velocity": covariance[1, 1],
        }

    predictions = {name: Prediction(float(value), _SOURCE) for name, value in at(end).items()}
    times = np.linspace(0.0, end, _CURVE, dtype=np.float64)[1:]  # a covariance may begin at zero
    rows = [at(float(time)) for time in times]
    curves = tuple(
        Curve(name, "t", times, np.array([row[name] for row in rows]), _SOURCE)
        for name in predictions
    )
    return Exact(predictions, curves)


def _double_well(system: KleinKramersSystem) -> turnover.Well | None:
    """The right well of a potential that is symmetric about a maximum between two minima."""
    line, section = system.line, system.section
    if section.periodic or section.force or not system.closed:
        return None
    x = np.linspace(line.lower, line.upper, _POINTS, dtype=np.float64)
    u = system.potential(x)
    if np.abs(u - u[::-1]).max() > _SYMMETRIC:
        return None
    inner = np.arange(1, len(x) - 1)
    lows = inner[(u[inner] < u[inner - 1]) & (u[inner] <= u[inner + 1])]
    if len(lows) != 2 or not lows[0] < _POINTS // 2 < lows[1]:
        return None
    # the lowest point between its neighbours, to the accuracy of a parabola on a fine grid
    fine = np.linspace(x[lows[1] - 1], x[lows[1] + 1], 20001, dtype=np.float64)
    bottom = float(fine[np.argmin(system.potential(fine))])
    top = float((line.lower + line.upper) / 2)
    return turnover.Well(system.potential, bottom, top, line.upper, system.thermal_velocity)
