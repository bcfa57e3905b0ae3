"""Diffusion along one order parameter: passage times, splitting, drift, spectra by quadrature.

dW/dt = d/dR [D(R) (d/dR + F'(R)) W] (Pankavich, Shreif and Ortoleva 2008, eq. 29, with the
potential F in k_B T). Potentials and diffusion coefficients are functions of arrays; smooth ones
give some 12 digits, as long as F varies by less than 600.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.exact.validity import require

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Array]

PANELS, NODES = 400, 12  # of composite Gauss-Legendre quadrature


def unit(x: Array) -> Array:
    """A diffusion coefficient of 1."""
    return np.ones_like(x)


def mean_first_passage_time(
    potential: Function, start: float, target: float, wall: float, diffusion: Function = unit
) -> float:
    """Mean time from ``start`` to ``target`` with a reflecting ``wall`` on the start's side.

    int_start^target dy e^{F(y)}/D(y) int_wall^y dz e^{-F(z)} (Pontryagin; Gardiner, Handbook of
    Stochastic Methods, 5.2.160). Far out, a wall plays no part: put it where F is 40 above the
    well. wall <= start < target or the other way round.
    """
    sign = 1.0 if target > start else -1.0
    require(sign * (start - wall) >= 0, "the wall must lie behind the start, seen from the target")
    edges = np.concatenate([
        np.linspace(wall, start, PANELS + 1, dtype=np.float64)[:-1] if start != wall else [],
        np.linspace(start, target, PANELS + 1, dtype=np.float64),
    ])  # fmt: skip
    y, weights, inner = panels(edges)
    energy = potential(y)
    middle = 0.5 * (energy.min() + energy.max())
    weighing = np.exp(middle - energy)
    before = np.concatenate([[0.0], np.cumsum((weights * weighing).sum(axis=1))[:-1]])
    reached = before[:, None] + weighing @ inner.T * np.diff(edges)[:, None]
    outer = np.exp(energy - middle) / diffusion(y) * reached
    counted = (weights * outer)[-PANELS:]
    return float(counted.sum())


def splitting_probability(
    potential: Function, start: float, target: float, other: float, diffusion: Function = unit
) -> float:
    """Probability to reach ``target`` before ``other``: int_other^start e^F/D over the whole."""
    at_start = potential(np.array(start))

    def resistance(end: float) -> float:
        y, weights, _ = panels(np.linspace(other, end, PANELS + 1, dtype=np.float64))
        return float((weights * np.exp(potential(y) - at_start) / diffusion(y)).sum())

    return resistance(start) / resistance(target)


def transition_rate(
    potential: Function,
    left: float,
    right: float,
    walls: tuple[float, float],
    diffusion: Function = unit,
) -> tuple[float, float]:
    """Rates k_AB and k_BA between A = (wall, left] and B = [right, wall).

    The flux is that of Hill: 1 over Z int_left^right e^F/D; k_AB is it over the probability of
    having been in A last, Z_A + int e^{-F} (1 - q).
    """
    y, weights, inner = panels(edges := np.linspace(left, right, PANELS + 1, dtype=np.float64))
    energy = potential(y)
    shift = float(energy.min())
    grows = np.exp(energy - shift) / diffusion(y)
    total = float((weights * grows).sum())
    before = np.concatenate([[0.0], np.cumsum((weights * grows).sum(axis=1))[:-1]])
    committor = (before[:, None] + grows @ inner.T * np.diff(edges)[:, None]) / total
    between = weights * np.exp(shift - energy)
    outside = [_integral(lambda x: np.exp(shift - potential(x)), a, b)
               for a, b in ((walls[0], left), (right, walls[1]))]  # fmt: skip
    last_left = outside[0] + float((between * (1 - committor)).sum())
    last_right = outside[1] + float((between * committor).sum())
    flux = 1.0 / total
    return flux / last_left, flux / last_right


def lifson_jackson(potential: Function, period: float, diffusion: Function = unit) -> float:
    """Effective diffusion in a periodic potential: L^2 / (int e^{-F} int e^F/D).

    Lifson and Jackson, J. Chem. Phys. 36 (1962) 2410; e.g. D/I_0(V)^2 for V cos x.
    """
    down = _integral(lambda x: np.exp(-potential(x)), 0.0, period)
    up = _integral(lambda x: np.exp(potential(x)) / diffusion(x), 0.0, period)
    return period**2 / (down * up)


@dataclass(frozen=True)
class Tilted:
    """Mean velocity and effective diffusion in a tilted periodic potential."""

    velocity: float
    diffusion: float


def tilted_periodic(
    potential: Function, force: float, period: float, diffusion: float = 1.0
) -> Tilted:
    """Stratonovich's velocity and Reimann's diffusion for F(x) - f x, F of the ``period``.

    I_+-(x) = int_0^L dy/D exp(+-F(x) -+ F(x -+ y) - f y), v = L (1 - e^{-fL}) / int I_+,
    D_eff = D int I_+^2 I_- / L over (int I_+ / L)^3. Stratonovich, Radiotekh. Elektron. 3 (1958)
    497; Reimann, Van den Broeck, Linke, Hanggi, Rubi and Perez-Madrid, Phys. Rev. Lett. 87 (2001)
    010602. ``force`` in k_B T per length.
    """
    x = np.linspace(0.0, period, 512, endpoint=False, dtype=np.float64)[:, None]
    y, weights, _ = panels(np.linspace(0.0, period, 41, dtype=np.float64))
    y, weights = y.ravel(), weights.ravel()
    plus = np.exp(potential(x) - potential(x - y) - force * y) @ weights / diffusion
    minus = np.exp(potential(x + y) - potential(x) - force * y) @ weights / diffusion
    mean = float(plus.mean())
    velocity = -float(np.expm1(-force * period)) / mean
    return Tilted(velocity, diffusion * float((plus**2 * minus).mean()) / mean**3)


def relaxation_rates(
    slope: Function, half_width: float, count: int, nodes: int = 300
) -> Array:
    """The slowest rates, without the zero, for D = 1 on the line, by a sinc-function basis.

    The operator is -A^T A with A = d/dx + F'/2; ``slope`` is F', ``half_width`` where the
    densities are negligible. Colbert and Miller, J. Chem. Phys. 96 (1992) 1982. Shape (count,).
    """
    x = np.linspace(-half_width, half_width, nodes, dtype=np.float64)
    gap = x[1] - x[0]
    index = np.arange(nodes)
    away = index[:, None] - index[None, :]
    signs = np.where(away % 2 == 0, 1.0, -1.0)
    squares = np.where(away == 0, np.pi**2 / 3, 2.0 * signs / np.where(away == 0, 1, away) ** 2)
    curvature = _derivative(slope, x)
    matrix = squares / gap**2 + np.diag(slope(x) ** 2 / 4 - curvature / 2)
    return np.linalg.eigvalsh(matrix)[1 : count + 1]


def _derivative(function: Function, x: Array, step: float = 1e-30) -> Array:
    """By a complex step: to round-off for functions that are analytic."""
    shifted: Any = x + 1j * step
    found: Array = np.imag(function(shifted)) / np.float64(step)
    return found


def _integral(function: Function, begin: float, end: float) -> float:
    y, weights, _ = panels(np.linspace(begin, end, PANELS + 1, dtype=np.float64))
    return float((weights * function(y)).sum())


def panels(edges: Array) -> tuple[Array, Array, Array]:
    """Gauss nodes and weights (panels, n), and the matrix of integrals from 0 to each node (n, n).

    The matrix is for a panel of length 1 and polynomials of degree n - 1.
    """
    points, weights = np.polynomial.legendre.leggauss(NODES)
    length = np.diff(edges)[:, None]
    at = edges[:-1, None] + length * (points + 1) / 2
    values = np.polynomial.legendre.legvander(points, NODES - 1)
    integrals = np.stack(
        [
            np.polynomial.legendre.legval(points, np.polynomial.legendre.legint(row, lbnd=-1))
            for row in np.eye(NODES)
        ],
        axis=1,
    )
    return at, length * weights / 2, integrals @ np.linalg.inv(values) / 2
