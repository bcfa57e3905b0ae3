"""The numbers of the trajectory model, with their units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fem_rd.case.case import Case
from fem_rd.case.sections.trajectory import MASS, TrajectorySection
from fem_rd.observables import Observable
from fem_rd.order_parameters.analysis import Coefficients, Series
from fem_rd.order_parameters.statistics import Estimate

EQUATIONS = {"smoluchowski": "eq. 29", "fokker_planck": "eq. 56"}


def observables_of(case: Case, found: Coefficients, series: Series) -> Sequence[Observable]:
    """All that was found, the coefficients first."""
    return [*_coefficients(case, found), *_rates(case, found), *_frames(found, series)]


def _coefficients(case: Case, found: Coefficients) -> Iterator[Observable]:
    units, section = case.units, case.section
    diffusion = found.diffusion_constant
    yield _one("diffusion", diffusion, units.unit_name("length^2/time"), "diffusion coefficient D")
    gamma: Estimate | None
    if found.friction is not None:
        zeta, theta, gamma = found.friction.zeta, found.friction.theta, found.friction.gamma
    else:
        zeta = theta = _inverse(diffusion)
        gamma = None if found.mass is None else _times(diffusion, found.mass.number**2)
    per_area = units.unit_name("time/length^2")
    yield _one("friction", zeta, per_area, "friction coefficient zeta, over k_B T")
    yield _one("theta", theta, per_area, "theta, the integral of the force's correlation (eq. 55)")
    if gamma is not None:
        text = "gamma, the integral of the momentum's correlation (eq. 28)"
        yield _one("gamma", gamma, units.unit_name("time^3/length^2"), text)
    yield from _with_mass(case, section, found, theta)
    if found.heat is not None:
        text = "mean of m V^2, over k_B T: 1 by equipartition"
        yield _one("kinetic_temperature", found.heat, "", text)
    if found.friction is not None:
        for name in ("begin", "end"):
            value = getattr(found.friction.plateau, name)
            text = f"where the plateau of the running integral {name}s"
            yield Observable(f"plateau_{name}", value, units.unit_name("time"), text)


def _with_mass(
    case: Case, section: TrajectorySection, found: Coefficients, theta: Estimate
) -> Iterator[Observable]:
    mass, units = found.mass, case.units
    if mass is None:
        return
    given = mass.standard_error == 0.0
    text = "effective mass" + ("" if given else ", by equipartition")
    yield _one("mass", mass, units.unit_name(MASS), text)
    if found.friction is not None:
        rate = _times(found.friction.zeta, 1.0 / mass.number)
        yield _one("friction_rate", rate, units.unit_name("1/time"), "friction over mass")
    light = section.atom_mass
    if light is not None:
        epsilon = light / mass.number
        yield Observable("epsilon", epsilon, "", "mass of an atom over that of the order parameter")
        text = "theta of the scaled force (eq. 33, 55)"
        unit = units.unit_name("time/length^2")
        yield _one("theta_scaled", _times(theta, 1.0 / epsilon), unit, text)


def _rates(case: Case, found: Coefficients) -> Iterator[Observable]:
    """Counted and predicted transitions."""
    counted = found.counted
    if counted is None:
        return
    per_time, time = case.units.unit_name("1/time"), case.units.unit_name("time")
    yield _one("rate_counted", counted.rate, per_time, "1/time_up + 1/time_down, as counted")
    for name, times in found.predicted.items():
        rate = Estimate(times.value[2], times.error[2])
        yield _one(f"rate_{name}", rate, per_time, f"the same by {EQUATIONS[name]}")
    for word, mean, number in (
        ("up", counted.up, counted.number_up), ("down", counted.down, counted.number_down)
    ):  # fmt: skip
        yield _one(f"time_{word}", mean, time, f"mean time of transitions {word}, as counted")
        yield Observable(f"transitions_{word}", number, "", f"number of transitions {word}")
    for name, times in found.predicted.items():
        for index, word in enumerate(("up", "down")):
            mean = Estimate(times.value[index], times.error[index])
            yield _one(f"time_{word}_{name}", mean, time, f"the same by {EQUATIONS[name]}")
        error = np.hypot(times.error[2], counted.rate.error)
        deviation = float((times.value[2] - counted.rate.value) / error)
        text = f"rate_{name} minus rate_counted, in standard errors of the difference"
        yield Observable(f"deviation_{name}", deviation, "", text)


def _frames(found: Coefficients, series: Series) -> Iterator[Observable]:
    replicas, frames = series.places.shape
    yield Observable("replicas", replicas, "", "independent trajectories")
    yield Observable("frames", frames, "", "frames of each")
    yield Observable("bins", found.bins.count, "", "bins of the order parameter")


def _one(name: str, estimate: Estimate, unit: str, text: str) -> Observable:
    error = estimate.standard_error
    return Observable(name, estimate.number, unit, text, error if error > 0.0 else None)


def _times(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.error * factor)


def _inverse(estimate: Estimate) -> Estimate:
    value = np.asarray(1.0 / estimate.value)
    return Estimate(value, np.asarray(estimate.error * value**2))
