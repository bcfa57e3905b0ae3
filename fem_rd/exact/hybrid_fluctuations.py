"""Numbers of particles next to a deterministic reservoir: variances of two-way coupling at rest.

Particles bring their own noise, a deterministic reservoir has none. With a reservoir of its own
each realisation conserves the total, and

    Var N = 2 c  Int_0^inf dt  Int_P D |grad u|^2 dV,     u(0) = 1 in the particle region P, else 0,

where u diffuses over the whole domain: of the exact variance, the share of the dissipation of u^2
that happens among the particles. The exact one is binomial in a closed domain, Poisson in an open
one. Closed forms: by images, Frullani's integral and the Green function of the square torus.
Independent particles, one species, no reactions. Our own analysis.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.optimize import brentq

from fem_rd.exact.hybrid_line import HybridLine, damping, forcing
from fem_rd.exact.validity import Floats, array_within, require, require_positive

BESIDE_HALF_LINE = 0.5 - math.log(2) / math.pi  # 0.2793644: a closed slab beside a half line
BIN_AT_INTERFACE = 0.75 - math.log(2) / (2 * math.pi)  # 0.6396822, for every width of the bin


def slab_share(fraction: float) -> float:
    """Var N over the binomial variance: particles on a fraction f of a closed slab, one D.

    1/2 at f = 1/2, 1/2 - ln 2/pi as f -> 0, and share(f) + share(1 - f) = 1.
    """
    require(0 < fraction < 1, f"fraction must lie in (0, 1); found {fraction!r}")
    f = fraction

    def density(x: float) -> float:
        return _torus(x - f, x - f) + _torus(x + f, x + f) - 2 * _torus(x - f, x + f)

    return float(quad(density, 0, f, limit=200)[0]) / (math.pi * f * (1 - f))


def layered_share(
    length: float,
    reservoir: float,
    diffusion: float = 1.0,
    reservoir_diffusion: float = 1.0,
    *,
    held: bool = False,
    cells: int = 400,
) -> float:
    """The same share for two lengths and two diffusions, by finite volumes.

    ``held``: the far end of the reservoir keeps its concentration, and the share is of Poisson.
    Good to 1e-4 at one diffusion and lengths within a factor of 100, to 1e-3 at diffusions within
    a factor of 10.
    """
    require_positive(length=length, reservoir=reservoir)
    require_positive(diffusion=diffusion, reservoir_diffusion=reservoir_diffusion)
    inner = cells // 2
    cell = min(length, reservoir) / inner
    width = np.r_[_widths(length, cell, inner)[::-1], _widths(reservoir, cell, cells - inner)]
    half = width / 2 / np.where(np.arange(cells) < inner, diffusion, reservoir_diffusion)
    links = np.r_[1 / (half[:-1] + half[1:]), 1 / half[-1] if held else 0.0]
    own = np.r_[links[: inner - 1], half[inner - 1] * links[inner - 1] ** 2]
    root = np.sqrt(width)
    every, among = (_laplacian(k, cells) / root[:, None] / root for k in (links, own))
    rates, vectors = np.linalg.eigh(every)
    start = vectors[:inner].T @ root[:inner]
    sums = rates[:, None] + rates
    if not held:
        sums[0, 0] = math.inf  # the conserved total
    dissipated = vectors.T @ among @ vectors / sums
    exact = length if held else length * reservoir / (length + reservoir)
    return float(2 * start @ dissipated @ start) / exact


def thin_bin(distance: ArrayLike, width: float) -> Floats:
    """Var/mean of the number in a thin bin beside an interface of half lines: 1 - w/(2 pi x).

    For widths up to half the ``distance`` x of its middle.
    """
    require_positive(width=width)
    places = array_within("distance", distance, 2 * width, math.inf)
    return np.asarray(1 - width / (2 * math.pi * places))


def shared_variance(poisson: float, own: float, replicas: int) -> float:
    """Var N of one of n replicas that share a reservoir: P - (P - Var_own)/n; any Delta.

    Deviations from the replicas' mean see fixed data and are Poisson; the mean and the reservoir
    are one realisation with a reservoir of its own, with 1/n of its covariances.
    """
    require(replicas >= 1, f"replicas must be at least 1; found {replicas!r}")
    return poisson - (poisson - own) / replicas


def shared_covariance(poisson: float, own: float, replicas: int) -> float:
    """Cov(N_i, N_j) of two replicas that share a reservoir: -(P - Var_own)/n."""
    require(replicas >= 2, f"replicas must be at least 2; found {replicas!r}")
    return -(poisson - own) / replicas


def stationary_covariance(line: HybridLine, *, noise: bool = False) -> Floats:
    """Covariance of the state of the scheme at rest with concentration 1, its own reservoir.

    In multiples of the concentration; of the state of `HybridLine.matrix`. ``noise``: edges of the
    reservoir carry sqrt(2 k c Delta) times a normal number, k = -K_ij, spread over the step.
    """
    covariance, power = _noise_of_step(line, noise), line.matrix()
    for _ in range(60):
        more = power @ covariance @ power.T
        covariance = covariance + more
        size = float(np.abs(covariance).max())
        require(size < 1e12, "the recursion is not stable: it has no stationary state")
        if np.abs(more).max() <= 1e-13 * size:
            break
        power = power @ power
    return covariance


def stationary_numbers(line: HybridLine, *, noise: bool = False) -> tuple[float, float]:
    """Var N and Cov(N, amount in the reservoir) of the scheme at rest, over the concentration."""
    covariance = stationary_covariance(line, noise=noise)
    inner = len(covariance) - len(line.nodes) - 1
    reservoir = covariance[:inner, inner:-1].sum(axis=0) @ line.volumes
    return float(covariance[:inner, :inner].sum()), float(reservoir)


def _noise_of_step(line: HybridLine, noise: bool) -> Floats:
    """Covariance of what a step adds at rest: modes of the particles, what it does to the nodes."""
    _, left, capacity = line.modes()
    inner, response = len(left), line.response()
    effect = np.zeros((inner + len(response) + 1, inner))
    effect[:inner] = np.eye(inner)
    effect[inner:-1] = -response[:, None]
    covariance = effect * (capacity * (1 - left**2)) @ effect.T
    if noise:
        spread = line.reservoir()[1] / line.volumes
        covariance[inner:-1, inner:-1] += spread @ (2 * line.step * line.stiffness) @ spread.T
    return covariance


def edge_noise_variance(a: ArrayLike, scheme: str = "ark2") -> Floats:
    """Variance that the edge noise gives a mode of rate a/Delta, over its exact one.

    2 F/(1 + R) with a spread source, R = 1 - a F: 1 for slow modes, less for those of a > 1.
    """
    rates = array_within("a", a, 0, math.inf)
    return 2 * forcing(scheme, rates) / (1 + damping(scheme, rates))


def _widths(length: float, first: float, count: int) -> Floats:
    """Widths of ``count`` cells of a length, growing geometrically from about the first."""
    if length <= 1.01 * first * count:
        return np.full(count, length / count)
    steps = np.arange(count)
    growth = brentq(lambda g: first * float(np.exp(g * steps).sum()) - length, 0, 30 / count)
    return np.asarray(first * np.exp(growth * steps))


def _laplacian(links: Floats, size: int) -> Floats:
    """The matrix of neighbours joined by ``links``; the last of ``size`` of them to a wall."""
    padded = np.r_[links, np.zeros(size - len(links))]
    matrix = np.diag(padded + np.r_[0.0, padded[:-1]])
    matrix -= np.diag(padded[:-1], 1) + np.diag(padded[:-1], -1)
    return matrix


def _torus(x: float, y: float) -> float:
    """Green function of a 2 x 2 torus up to a constant: -ln|theta_1(pi z/2, e^-pi)| + pi y^2/4."""
    z, q = math.pi * complex(x, y) / 2, math.exp(-math.pi)
    theta = sum(2 * (-1) ** n * q ** ((n + 0.5) ** 2) * np.sin((2 * n + 1) * z) for n in range(6))
    return -math.log(abs(theta)) + math.pi / 4 * y**2
