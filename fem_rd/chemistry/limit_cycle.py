"""Limit cycles of rate equations: the periodic orbit to which a start leads, and its period.

The trajectory is followed until it comes back near a state it has been in; from there Newton's
method closes the orbit: x(T) = x(0) for the state and the period T together, with the monodromy
matrix (the derivative of x(T) by x(0)) from the linearised equations.
Source: R. Seydel, Practical Bifurcation and Stability Analysis (2010), ch. 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from fem_rd.chemistry.rate_equations import SMALL, TINY, RateEquations
from fem_rd.errors import CaseError, NumericalError

Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-12  # of the integration along the orbit
ROUGH = 1e-6  # of the integration towards it
NEAR = 1e-2  # of the extent of the orbit: a return from which Newton's method starts
STILL = 1e-6  # relative extent below which there is no oscillation
WINDOWS = 25  # each twice as long as the one before
NEWTON_STEPS = 20
CLOSED = 1e-10  # of the extent of the orbit: gap at which it counts as closed


@dataclass(frozen=True)
class LimitCycle:
    """A periodic orbit: its ``period`` (time) and one ``state`` (species,) on it.

    ``gap`` is how far it is from closed, relative to its extent; ``multipliers`` (species,) are the
    eigenvalues of the monodromy matrix, one of which is 1: stable where the others are less in
    modulus (1 again for each conservation law).
    """

    period: float
    state: Floats
    gap: float
    multipliers: npt.NDArray[np.complex128]


def limit_cycle(equations: RateEquations, start: ArrayLike) -> LimitCycle:
    """The limit cycle that ``start`` (species,) leads to.

    Raises `CaseError` where rates depend on time, `NumericalError` where no cycle is found.
    """
    if not equations.autonomous:
        raise CaseError("rates that depend on time have no limit cycle of their own")
    state, period, extent = _first_return(equations, np.asarray(start, dtype=float))
    for _ in range(NEWTON_STEPS):
        end = equations.advance(state, 0.0, period, TOLERANCE)
        monodromy = _monodromy(equations, state, period)
        gap = float(np.linalg.norm(end - state)) / extent
        if gap < CLOSED:
            _check_moving(equations, state, period)
            multipliers = np.linalg.eigvals(monodromy).astype(complex)
            return LimitCycle(period, state, gap, multipliers)
        step = _newton_step(equations, state, end, monodromy)
        if abs(step[-1]) > period / 2 or not np.isfinite(step).all():
            break
        state, period = state + step[:-1], period + float(step[-1])
    raise NumericalError(
        "the orbit does not close",
        remedy="a start nearer to the limit cycle, such as a later state",
    )


def _newton_step(
    equations: RateEquations, state: Floats, end: Floats, monodromy: Floats
) -> Floats:
    """Changes of the state and, last, of the period.

    The change of the state is across the orbit (along it, it is a change of nothing but phase) and
    keeps the conserved totals.
    """
    along, laws = equations.velocity(0.0, state), equations.laws
    matrix = np.block(
        [
            [monodromy - np.eye(len(state)), equations.velocity(0.0, end)[:, None]],
            [along[None, :], np.zeros((1, 1))],
            [laws, np.zeros((len(laws), 1))],
        ]
    )
    gap = np.concatenate([state - end, np.zeros(1 + len(laws))])
    return np.linalg.lstsq(matrix, gap)[0]


def _first_return(equations: RateEquations, x: Floats) -> tuple[Floats, float, float]:
    """A state that nearly comes back, the time it takes, and the extent of the orbit.

    Returns are looked for where the species that varies most passes its middle, upward.
    """
    rates = np.abs(np.linalg.eigvals(equations.jacobian(0.0, x)))
    span = 10.0 / max(rates.max(initial=0.0), TINY)
    species, level = 0, np.inf
    for _ in range(WINDOWS):
        path = _followed(equations, x, span, species, level)
        low, high = path.y.min(axis=1), path.y.max(axis=1)
        extent = float(np.linalg.norm(high - low))
        times, states = path.t_events[0], path.y_events[0]
        if len(times) > 1:
            near = np.linalg.norm(states[:-1] - states[-1], axis=1) < NEAR * extent
            if near.any():
                since = np.flatnonzero(near)[-1]
                return states[-1], float(times[-1] - times[since]), extent
        species = int(np.argmax((high - low) / np.maximum(high, TINY)))
        level = float(low[species] + high[species]) / 2
        x, span = path.y[:, -1], 2 * span
    raise _no_cycle()


def _followed(
    equations: RateEquations, x: Floats, span: float, species: int, level: float
) -> Any:
    """SciPy's solution over a time, with the passages of a species through a level, upward."""

    def crossing(_: float, x: Floats) -> float:
        return float(x[species]) - level

    crossing.direction = 1.0  # type: ignore[attr-defined]
    try:
        path = solve_ivp(
            equations.velocity,
            (0.0, span),
            x,
            method="Radau",
            jac=equations.jacobian,
            rtol=ROUGH,
            atol=ROUGH * SMALL * max(float(np.abs(x).max()), TINY),
            events=crossing,
        )
    except ValueError:  # numbers that overflow, which SciPy's linear algebra refuses
        raise _no_cycle() from None
    if not path.success:
        raise _no_cycle()
    return path


def _monodromy(equations: RateEquations, state: Floats, period: float) -> Floats:
    """d x(period) / d x(0), from the equations linearised along the orbit; (species, species)."""
    size = len(state)

    def velocity(time: float, both: Floats) -> Floats:
        x, matrix = both[:size], both[size:].reshape(size, size)
        change = equations.jacobian(time, x) @ matrix
        return np.concatenate([equations.velocity(time, x), change.ravel()])

    start = np.concatenate([state, np.eye(size).ravel()])
    path = solve_ivp(velocity, (0.0, period), start, method="LSODA", rtol=1e-8, atol=1e-10)
    matrix: Floats = path.y[size:, -1].reshape(size, size)
    return matrix


def _check_moving(equations: RateEquations, state: Floats, period: float) -> None:
    """A steady state is an orbit of any period: it must not pass for one."""
    travelled = np.abs(equations.velocity(0.0, state)).max() * period
    if travelled < STILL * np.abs(state).max():
        raise _no_cycle()


def _no_cycle() -> NumericalError:
    return NumericalError(
        "no limit cycle is found: the concentrations come to rest, or do not come back",
        remedy="another start, or rates beyond the onset of oscillations",
    )
