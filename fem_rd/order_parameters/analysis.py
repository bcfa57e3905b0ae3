"""From the time series of an order parameter to the coefficients of its equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from fem_rd.errors import NumericalError
from fem_rd.order_parameters.green_kubo import (
    Friction,
    Plateau,
    correlation,
    decay_corrected,
    friction,
    friction_of,
    green_kubo,
    require_frames,
)
from fem_rd.order_parameters.mean_force import (
    Bins,
    diffusion_of,
    displacement_sums,
    force_from_potential,
    local_diffusion,
    potential_by_force,
    potential_by_histogram,
    potential_of,
    visited,
)
from fem_rd.order_parameters.rates import (
    Profile,
    Transitions,
    count_transitions,
    klein_kramers_times,
    smoluchowski_times,
)
from fem_rd.order_parameters.statistics import Array, Estimate, in_blocks, jackknife

Route = Literal["friction", "uniform", "local"]
_FINE, _COARSE = (120, 100), (60, 50)  # cells for the value of a time, and for its error
_OUTSIDE = 0.005  # of the frames may lie outside of the limits where the mean force is needed
_NO_VELOCITIES = "the friction coefficient needs velocities, which the trajectory does not hold"
_LEAST = 4  # frames of each block in a bin, on average


@dataclass(frozen=True)
class Series:
    """One order parameter over time: arrays (replicas, frames), frames ``dt`` apart.

    ``velocities`` are dPhi/dt, ``forces`` those conjugate to it; None where they are not known.
    """

    dt: float
    places: Array
    velocities: Array | None = None
    forces: Array | None = None


@dataclass(frozen=True)
class Choices:
    """What is asked of a series, all in its own units; ``temperature`` is k_B T.

    ``lags``: the longest of correlations, in frames; ``displacements``: those of D(R).
    ``route`` to D: by the friction, which needs velocities, or by displacements. ``limits`` of the
    order parameter, else what is visited; ``free``: there is no mean force. ``states``: R below the
    first and above the second number.
    """

    temperature: float = 1.0
    mass: float | None = None
    blocks: int = 20
    bins: int = 60
    lags: int = 200
    plateau: Plateau | None = None
    route: Route | None = None
    displacements: tuple[int, ...] = (1, 2, 3, 4)
    limits: tuple[float, float] | None = None
    free: bool = False
    states: tuple[float, float] | None = None


@dataclass(frozen=True)
class Coefficients:
    """What was found; None for what the series or the choices do not give.

    ``heat``: m <V^2> over k_B T, where the mass is given. ``potential``, ``other_potential`` (from
    the mean force) and ``diffusion``: at the centres of ``bins``. ``curves``: by name, at lags
    n dt: the autocorrelations of velocity and fluctuating force and their plain integrals.
    ``predicted``: mean times up and down, and the rate 1/up + 1/down, by each equation.
    """

    dt: float
    bins: Bins
    mass: Estimate | None
    heat: Estimate | None
    friction: Friction | None
    diffusion_constant: Estimate
    diffusion: Estimate
    potential: Estimate | None
    other_potential: Estimate | None
    curves: Mapping[str, Estimate]
    counted: Transitions | None
    predicted: Mapping[str, Estimate]


def analyse(series: Series, choices: Choices) -> Coefficients:
    """All coefficients with standard errors. Raises `NumericalError` for too short a series."""
    route = choices.route or ("uniform" if series.velocities is None else "friction")
    if route == "friction" and series.velocities is None:
        raise NumericalError(_NO_VELOCITIES, remedy='diffusion = "uniform" or "local"')
    blocks = _Blocks(series, choices)
    potential = None if choices.free else blocks.potential()
    found = None if series.velocities is None else blocks.friction(potential)
    constant, local = blocks.diffusion(route, found)
    counted = predicted = None
    if choices.states is not None:
        counted = count_transitions(series.places, *choices.states, series.dt)
        predicted = blocks.predicted(route, found, local)
    return Coefficients(
        dt=series.dt,
        bins=blocks.bins,
        mass=blocks.mass(),
        heat=blocks.heat(),
        friction=found,
        diffusion_constant=constant,
        diffusion=local,
        potential=potential,
        other_potential=blocks.other_potential(potential),
        curves=blocks.curves(potential),
        counted=counted,
        predicted=predicted or {},
    )


class _Blocks:
    """The series cut into blocks, and the sums over each that everything follows from."""

    def __init__(self, series: Series, choices: Choices) -> None:
        self._dt, self._choices = series.dt, choices
        self.places = in_blocks(series.places, choices.blocks)
        self.velocities, self.forces = (
            None if part is None else in_blocks(part, choices.blocks)
            for part in (series.velocities, series.forces)
        )
        self.bins = self._bins()

    def _moving(self) -> Array:
        if self.velocities is None:
            raise NumericalError(_NO_VELOCITIES, remedy='diffusion = "uniform" or "local"')
        return self.velocities

    def _bins(self) -> Bins:
        limits, count = self._choices.limits, self._choices.bins
        if limits is None and not self._choices.free:
            return visited(self.places, count, _LEAST * len(self.places))
        return Bins(*(limits or (float(self.places.min()), float(self.places.max()))), count)

    def mass(self) -> Estimate | None:
        """The one given, or that of equipartition."""
        if self._choices.mass is not None:
            return Estimate(np.array(self._choices.mass), np.array(0.0))
        if self.velocities is None:
            return None
        squares = np.mean(self.velocities**2, axis=1)
        return jackknife(lambda mean: self._choices.temperature / mean, squares)

    def heat(self) -> Estimate | None:
        """The kinetic energy by its mean in equilibrium."""
        mass, temperature = self._choices.mass, self._choices.temperature
        if mass is None or self.velocities is None:
            return None
        squares = np.mean(self.velocities**2, axis=1)
        return jackknife(lambda mean: mass / temperature * mean, squares)

    def potential(self) -> Estimate:
        return potential_by_histogram(self.places, self.bins, self._choices.temperature)

    def other_potential(self, potential: Estimate | None) -> Estimate | None:
        if self.forces is None or potential is None:
            return None
        return potential_by_force(self.places, self.forces, self.bins, self._choices.temperature)

    def mean_force(self, potential: Estimate | None) -> Array:
        if potential is None:
            return np.zeros_like(self.places)
        return force_from_potential(self.bins, potential.value, self.places)

    def friction(self, potential: Estimate | None) -> Friction:
        c = self._choices
        outside = float(np.mean(self.bins.index(self.places) == self.bins.count))
        if potential is not None and outside > _OUTSIDE:
            raise NumericalError(
                f"{100 * outside:.3g} % of the frames lie outside of the limits, where the mean "
                "force is not known",
                remedy="wider limits, or none",
            )
        return friction_of(
            self._moving(), self.mean_force(potential), temperature=c.temperature,
            dt=self._dt, lags=c.lags, mass=c.mass, plateau=c.plateau,
        )  # fmt: skip

    def diffusion(self, route: Route, found: Friction | None) -> tuple[Estimate, Estimate]:
        """One number for all R, and one for each bin."""
        lags = self._choices.displacements
        require_frames(self.places, max(lags))
        if route == "friction" and found is not None:
            constant = found.diffusion
        else:
            whole = Bins(self.bins.low, self.bins.high, 1)
            one = local_diffusion(self.places, whole, self._dt, lags)
            constant = Estimate(one.value[0], one.error[0])
        if route == "local":
            return constant, local_diffusion(self.places, self.bins, self._dt, lags)
        ones = np.ones(self.bins.count)
        return constant, Estimate(constant.value * ones, constant.error * ones)

    def curves(self, potential: Estimate | None) -> dict[str, Estimate]:
        """Plain Green-Kubo curves at lags 0 .. n, for people to look at."""
        dt, lags = self._dt, self._choices.lags
        found: dict[str, Estimate] = {}
        if self.velocities is not None:
            pair = green_kubo(self.velocities, dt, lags)
            found |= dict(zip(("velocity", "velocity_integral"), pair, strict=True))
        if self.forces is not None:
            rest = self.forces - self.mean_force(potential)
            pair = green_kubo(rest, dt, lags)
            found |= dict(zip(("force", "force_integral"), pair, strict=True))
            if self.velocities is not None:
                found["force_corrected"] = decay_corrected(rest, self.velocities, dt, lags)
        return found

    def predicted(
        self, route: Route, found: Friction | None, local: Estimate
    ) -> dict[str, Estimate]:
        """Times and rate between the states by eq. 29 and, with velocities, by eq. 56."""
        choices, low, high = self._choices, self.bins.low, self.bins.high
        if choices.states is None or choices.free:
            return {}
        if not low < choices.states[0] < choices.states[1] < high:
            raise NumericalError(
                f"the states {choices.states} do not lie within the range of the order parameter, "
                f"from {low:.4g} to {high:.4g}",
                remedy="states that the trajectory visits",
            )
        if route == "friction" and found is not None:
            return self._by_friction(choices.states, found.plateau, found.times)
        return {"smoluchowski": self._by_displacements(choices.states, route)}

    def _by_displacements(self, states: tuple[float, float], route: Route) -> Estimate:
        lags = self._choices.displacements
        whole = Bins(self.bins.low, self.bins.high, 1)
        bins = self.bins if route == "local" else whole
        moved = displacement_sums(self.places, bins, lags)

        def times(count: Array, moments: Array) -> Array:
            diffusion = diffusion_of(moments, np.asarray(lags) * self._dt)
            return _with_rate(smoluchowski_times(self._profile(count, diffusion), *states))

        return jackknife(times, self.bins.sums(self.places), moved)

    def _by_friction(
        self, states: tuple[float, float], plateau: Plateau, lags: Array
    ) -> dict[str, Estimate]:
        """Errors are those of potential and friction together, block by block."""
        choices = self._choices
        velocity = self._moving()
        speeds = correlation(velocity, velocity, choices.lags)
        pulls = correlation(self.mean_force(self.potential()), velocity, choices.lags)

        sums = self.bins.sums(self.places), speeds, pulls

        def times(cells: tuple[int, int], count: Array, speed: Array, pull: Array) -> Array:
            mass = choices.mass or float(choices.temperature / speed[0])
            zeta = float(plateau.mean(lags, friction(speed, pull, mass, self._dt)))
            profile = self._profile(count, np.array([choices.temperature / zeta]))
            thermal = float(np.sqrt(choices.temperature / mass))
            inertial = klein_kramers_times(
                profile, *states, friction_rate=zeta / mass, thermal_speed=thermal, cells=cells
            )
            return np.array(
                [_with_rate(smoluchowski_times(profile, *states)), _with_rate(inertial)]
            )

        value = times(_FINE, *(part.mean(axis=0) for part in sums))
        error = jackknife(partial(times, _COARSE), *sums).error
        return {
            name: Estimate(value[row], error[row])
            for row, name in enumerate(("smoluchowski", "fokker_planck"))
        }

    def _profile(self, count: Array, diffusion: Array) -> Profile:
        bins, temperature = self.bins, self._choices.temperature
        potential = potential_of(count, bins.width, temperature)
        energy = np.asarray(potential / temperature, dtype=np.float64)
        return Profile.of(bins.centres, energy, diffusion, 0.5 * bins.width)


def _with_rate(times: Array) -> Array:
    """Mean times up and down, and 1/up + 1/down."""
    return np.append(times, np.sum(1.0 / times))
