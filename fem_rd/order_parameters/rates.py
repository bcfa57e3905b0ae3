"""Transitions between two states: counted in a trajectory, and by the two equations.

The states are R <= low and R >= high. The time from one to the other is the mean over all visits:
from the moment a state is entered, coming from the other, until the other is entered in turn. In
equilibrium it is P(last in the state) / nu, with nu transitions per time (Vanden-Eijnden, 2006).
Without inertia that is the mean first-passage time from the edge of one to the edge of the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import CubicSpline
from scipy.sparse import csc_matrix, csr_matrix, diags_array, kron
from scipy.sparse.linalg import spsolve

from fem_rd.errors import NumericalError
from fem_rd.order_parameters.statistics import Array, Estimate

END_OF_STEP = 0.5825971579390107  # -zeta(1/2)/sqrt(2 pi): Siegmund (1979)
_POINTS = 2001
_FAST = 5.5  # thermal velocities on the grid


@dataclass(frozen=True)
class Transitions:
    """What was counted: mean times ``up`` (low to high) and ``down``, and numbers of each."""

    up: Estimate
    down: Estimate
    number_up: int
    number_down: int

    @property
    def rate(self) -> Estimate:
        """k = 1/up + 1/down, the rate at which the populations relax where barriers are high."""
        value = 1.0 / self.up.value + 1.0 / self.down.value
        parts = (self.up.error / self.up.value**2, self.down.error / self.down.value**2)
        return Estimate(value, np.hypot(*parts))


def count_transitions(places: Array, low: float, high: float, dt: float) -> Transitions:
    """Count in (replicas, frames), frames ``dt`` apart; the time before a state is reached is not.

    A time cut off by the end counts as time without a transition, which leaves the rate unbiased.
    Standard errors are those of independent waiting times. Raises `NumericalError` for less than
    two transitions of a kind.
    """
    marks = np.where(places <= low, -1, np.where(places >= high, 1, 0)).astype(np.int8)
    seen = np.where(marks != 0, np.arange(places.shape[1]), 0)
    last = np.take_along_axis(marks, np.maximum.accumulate(seen, axis=1), axis=1)
    waits: dict[int, list[Array]] = {-1: [], 1: []}
    spent = {state: float(np.count_nonzero(last == state)) * dt for state in waits}
    for row in last:
        turns = np.flatnonzero((row[1:] != row[:-1]) & (row[:-1] != 0)) + 1
        states, lengths = row[turns[:-1]], np.diff(turns) * dt
        for state, found in waits.items():
            found.append(lengths[states == state])
    number = {
        state: int(np.count_nonzero((last[:, :-1] == state) & (last[:, 1:] == -state)))
        for state in waits
    }
    times = {s: _waiting(np.concatenate(waits[s]), spent[s], number[s]) for s in waits}
    return Transitions(times[-1], times[1], number[-1], number[1])


def _waiting(lengths: Array, spent: float, number: int) -> Estimate:
    if number < 2 or len(lengths) < 2:
        raise NumericalError(
            f"{number} transitions of one kind are too few for a rate",
            remedy="a longer trajectory, or states that are closer to each other",
        )
    mean = spent / number
    variation = float(np.std(lengths, ddof=1) / np.mean(lengths))
    return Estimate(np.array(mean), np.array(mean * variation / math.sqrt(number)))


@dataclass(frozen=True)
class Profile:
    """Smooth U / k_B T and D between reflecting ends, from values at some points."""

    low: float
    high: float
    energy: CubicSpline
    diffusion: CubicSpline

    @classmethod
    def of(cls, points: Array, energy: Array, diffusion: Array, margin: float = 0.0) -> Profile:
        """Splines through the points; the ends are ``margin`` beyond the outermost."""
        ends = float(points[0]) - margin, float(points[-1]) + margin
        constant = np.broadcast_to(diffusion, points.shape)
        return cls(*ends, CubicSpline(points, energy), CubicSpline(points, constant))


def smoluchowski_times(profile: Profile, low: float, high: float) -> Array:
    """Mean first-passage times (low to high, high to low) of eq. 29, by quadrature.

    T(a -> b) = int_a^b e^{U(y)} / D(y) int_begin^y e^{-U(z)} dz dy.
    """
    return np.array(
        [_passage(profile, low, high, profile.low), _passage(profile, high, low, profile.high)]
    )


def _passage(profile: Profile, start: float, goal: float, wall: float) -> float:
    before, after = np.linspace(wall, start, _POINTS), np.linspace(start, goal, _POINTS)
    place = np.concatenate([before, after[1:]])
    gone = np.abs(place - wall)  # the way from the wall: both integrals begin there
    energy = profile.energy(place)
    behind = cumulative_simpson(np.exp(-(energy - energy.min())), x=gone, initial=0.0)
    integrand = np.exp(energy - energy.min()) / profile.diffusion(place) * behind
    return float(np.diff(cumulative_simpson(integrand, x=gone, initial=0.0)[[_POINTS - 1, -1]])[0])


def klein_kramers_times(
    profile: Profile,
    low: float,
    high: float,
    *,
    friction_rate: float,
    thermal_speed: float,
    cells: tuple[int, int] = (120, 100),
) -> Array:
    """Mean times (low to high, high to low) between the states by eq. 56, on a grid in (R, V).

    The committor q solves V q_R - U' u^2 q_V + gamma (u^2 q_VV - V q_V) = 0 for low < R < high,
    u^2 = k_B T / m, with q = 0 where the particle leaves downwards and 1 where it leaves upwards.
    nu is the flux of q into the region at ``low``. Second-order upwind differences in R; in V the
    friction is symmetric in the weight of the Maxwell distribution. ``cells``: in R and V.
    """
    count, speeds = cells
    # points are dense at the ends, where q has a layer of the mean free path
    place = low + (high - low) * np.sin(np.linspace(0.0, 0.5 * np.pi, count + 1)) ** 2
    edges = np.linspace(-_FAST, _FAST, speeds + 1)
    speed = 0.5 * (edges[1:] + edges[:-1])  # in thermal velocities
    committor = _committor(profile, place, speed, friction_rate / thermal_speed)
    maxwell = np.exp(-0.5 * speed**2)
    maxwell /= maxwell.sum()
    below, between, above = _weights(profile, place, low, high)
    total = below + between.sum() + above
    rising = speed > 0
    entering = (thermal_speed * speed * maxwell * committor[0])[rising].sum()
    frequency = float(np.exp(-profile.energy(low)) * entering / total)
    from_low = below + float((between[:, np.newaxis] * maxwell * (1.0 - committor)).sum())
    return np.array([from_low, total - from_low]) / total / frequency


def _committor(profile: Profile, place: Array, speed: Array, friction: float) -> Array:
    """q at points of R and centres of cells in V (thermal units: length, time = length/u)."""
    count, speeds = len(place), len(speed)
    step = speed[1] - speed[0]
    forward = _upwind(place)
    backward = -_upwind(-place[::-1])[::-1, ::-1]
    up, down = np.maximum(speed, 0.0), np.minimum(speed, 0.0)
    transport = kron(forward, diags_array(up)) + kron(backward, diags_array(down))
    first = diags_array([-0.5, 0.5], offsets=[-1, 1], shape=(speeds, speeds)).tolil()
    first[0, 0], first[-1, -1] = -0.5, 0.5
    force = -profile.energy(place, 1)
    pushed = kron(diags_array(force), first.tocsr() / step)
    middle = np.exp(-0.5 * (0.5 * (speed[1:] + speed[:-1])) ** 2)
    weight = np.exp(-0.5 * speed**2)
    jump_up, jump_down = middle / weight[:-1] / step**2, middle / weight[1:] / step**2
    stay = -np.append(jump_up, 0.0) - np.append(0.0, jump_down)
    rubbed = diags_array([jump_down, stay, jump_up], offsets=[-1, 0, 1])
    operator = transport + pushed + friction * kron(diags_array(np.ones(count)), rubbed)
    left_up, left_down = np.zeros((count, speeds), bool), np.zeros((count, speeds), bool)
    left_up[-1, speed > 0], left_down[0, speed < 0] = True, True
    free = ~(left_up | left_down).ravel()
    matrix = csc_matrix(operator.tocsr()[free])
    known = left_up.ravel().astype(float)
    solved = known.copy()
    solved[free] = spsolve(matrix[:, free], -(matrix @ known))
    return np.asarray(solved.reshape(count, speeds))


def _upwind(place: Array) -> csr_matrix:
    """d/dR by the two points that follow each: of second order, of first at the last but one."""
    count, step = len(place), np.diff(place)
    near, far = step[:-1], step[:-1] + step[1:]
    one, two = far / (near * (far - near)), -near / (far * (far - near))
    main = np.concatenate([-one - two, [-1.0 / step[-1], 0.0]])
    diagonals = [main, np.append(one, 1.0 / step[-1]), two]
    return csr_matrix(diags_array(diagonals, offsets=[0, 1, 2], shape=(count, count)))


def _weights(
    profile: Profile, place: Array, low: float, high: float
) -> tuple[float, Array, float]:
    """Integrals of exp(-U) below, at the points between (trapezoidal) and above the states."""

    def beyond(begin: float, end: float) -> float:
        at = np.linspace(begin, end, _POINTS)
        return float(np.trapezoid(np.exp(-profile.energy(at)), at))

    between = np.exp(-profile.energy(place)) * np.gradient(place)
    between[[0, -1]] *= 0.5
    return beyond(profile.low, low), between, beyond(high, profile.high)
