"""Jump processes of finitely many states with a sparse generator Q: dp/dt = Q p.

Columns of Q sum to zero and its off-diagonal entries are not negative.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.linalg import LinearOperator, SuperLU, eigs, splu
from scipy.stats import poisson

from fem_rd.chemistry.kinetics import Floats
from fem_rd.errors import NumericalError

NEGLECTED = 1e-15  # probability of more jumps than are followed
JUMPS = 300_000  # more of them than this, and the contour is cheaper
CONTOUR = (28, 32)  # poles; their difference estimates the error
CONTOUR_ERROR = 1e-10


def stationary(generator: csc_array) -> Floats:
    """The law p (n,) with Q p = 0 of an irreducible generator.

    One probability is set to 1 and its equation left out: the rest is an M-matrix, that is
    eliminated without pivoting. Where the one that is set is tiny, the rest is nearly singular and
    its solution is dominated by p all the same: a second time with the largest one set.
    """
    size = generator.shape[0]
    fixed, p = 0, np.ones(size)
    for _ in range(2 if size > 1 else 0):
        rest = np.delete(np.arange(size), fixed)
        inner = _factors(generator[rest][:, rest])
        p = np.ones(size)
        p[rest] = -inner.solve(generator[rest][:, [fixed]].toarray()[:, 0])
        fixed = int(np.argmax(np.abs(p)))
    positive: Floats = np.maximum(p, 0.0)
    return positive / positive.sum()


def spectral_gap(generator: csc_array) -> float:
    """The least real part of the non-zero eigenvalues of -Q of an irreducible generator."""
    size = generator.shape[0]
    p = stationary(generator)
    fixed = int(np.argmax(p))
    rest = np.delete(np.arange(size), fixed)
    inner = _factors(generator[rest][:, rest])

    def inverse(v: Floats) -> Floats:
        u = np.zeros(size)
        u[rest] = inner.solve(v[rest])
        return u - p * u.sum()  # all vectors have the sum 0, as the first

    if size < 12:
        values = np.linalg.eigvals(generator.toarray())
        return float(np.sort(-values.real)[1])
    operator, start = LinearOperator((size, size), inverse, dtype=float), np.ones(size) - p * size
    slowest = eigs(operator, k=4, which="LM", return_eigenvectors=False, v0=start)
    return float((-1 / slowest).real.min())


def evolved(generator: csc_array, p: Floats, time: float) -> Floats:
    """exp(Q t) p, shape (n,).

    By uniformisation, sum_k Poisson(k; Lambda t) (1 + Q/Lambda)^k p, all of whose terms are
    positive; over very many jumps by `on_contour`, with its error.
    """
    fastest = float(-generator.diagonal().min(initial=0.0))
    if fastest * time <= JUMPS:
        return _uniformised(generator, p, time, fastest)
    return on_contour(generator, p, time)


def on_contour(generator: csc_array, p: Floats, time: float) -> Floats:
    """exp(Q t) p by a rational approximation, whatever the number of jumps.

    Raises `NumericalError` where two orders of it differ by more than `CONTOUR_ERROR`.
    """
    sums = (_contour_sum(generator, p, time, poles) for poles in CONTOUR)
    coarse, fine = (each / each.sum() for each in sums)  # rounding moves the eigenvalue 0
    if np.abs(coarse - fine).max() > CONTOUR_ERROR:
        message = f"the law after a time of {time:g} is not accurate"
        raise NumericalError(message, remedy="shorter times between outputs")
    return np.maximum(fine, 0.0)


def _uniformised(generator: csc_array, p: Floats, time: float, fastest: float) -> Floats:
    if fastest * time == 0.0:
        return p
    jump = csr_array(generator / fastest + eye_array(len(p)))
    first, last = (int(poisson.ppf(q, fastest * time)) for q in (NEGLECTED, 1 - NEGLECTED))
    weights = poisson.pmf(np.arange(last + 1), fastest * time)
    result = np.zeros_like(p)
    for count, weight in enumerate(weights):
        if count >= first:
            result += weight * p
        p = jump @ p
    return result / result.sum()


def _contour_sum(generator: csc_array, p: Floats, time: float, poles: int) -> Floats:
    """exp(Q t) p by the trapezoidal rule on Talbot's contour around the spectrum.

    z(theta) = N [0.5017 theta cot(0.6407 theta) - 0.6122 + 0.2645 i theta] (Weideman, SIAM J.
    Numer. Anal. 44 (2006) 2342; Trefethen, Weideman and Schmelzer, BIT 46 (2006) 653).
    """
    theta = np.pi * np.arange(1, poles, 2) / poles
    turn = 0.6407 * theta
    z = poles * (0.5017 * theta / np.tan(turn) - 0.6122 + 0.2645j * theta)
    slope = 0.5017 / np.tan(turn) - 0.5017 * turn / np.sin(turn) ** 2 + 0.2645j
    scaled, identity = generator * time, eye_array(len(p))
    result = np.zeros_like(p)
    for pole, weight in zip(z, np.exp(z) * slope, strict=True):
        solution = splu(csc_array(pole * identity - scaled)).solve(p.astype(complex))
        result += 2 * (weight * solution / 1j).real
    return result


def _factors(matrix: csc_array) -> SuperLU:
    return splu(
        csc_array(matrix),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
