"""Finite numbers of molecules in closed form, to compare the limits of thermodynamics with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from fem_rd.exact.validity import Floats, floats, require


def multinomial_potential(fractions: ArrayLike, steady: ArrayLike, molecules: int) -> float:
    """-ln p / N of N independent molecules that are in state i with probability ``steady``_i.

    p is the multinomial probability that N x_i molecules are in each state. For large N it is
    sum_i x_i ln(x_i/x_i_ss) + [(m - 1) ln(2 pi N) + sum_i ln x_i] / 2N + O(N^-2) for m states.
    ``fractions`` x (states,) of sum 1, with whole N x_i; ``steady`` x_ss likewise. Raises
    `OutOfRange` for values without meaning.
    Source: Ge and Qian, Mesoscopic kinetic basis of macroscopic chemical thermodynamics (2016),
    eq. 8 and 10.
    """
    x, at_rest = floats(fractions), floats(steady)
    counts = np.round(molecules * x)
    for name, values in (("fractions", x), ("steady", at_rest)):
        whole = bool(np.all(values >= 0)) and math.isclose(values.sum(), 1, rel_tol=1e-12)
        require(whole, f"{name} must be non-negative with the sum 1; found {values.tolist()}")
    fits = np.allclose(counts, molecules * x, rtol=1e-9, atol=1e-9)
    require(fits, f"{molecules} molecules do not divide into {x.tolist()}")
    log_p = gammaln(molecules + 1) + np.sum(xlogy(counts, at_rest) - gammaln(counts + 1))
    return float(-log_p / molecules)


def triangle_steady_state(forward: ArrayLike, backward: ArrayLike) -> tuple[Floats, float]:
    """x_ss (3,) of sum 1, and the net flux around, of the cycle A <-> B <-> C <-> A.

    ``forward`` rates of A to B, B to C, C to A, ``backward`` those of B to A, C to B, A to C
    (1/time). Raises `OutOfRange` for rates that are not positive.
    Source: the spanning trees that lead to each state (Kirchhoff; Hill 1966).
    """
    f, b = floats(forward), floats(backward)
    require(bool(np.all(f > 0) and np.all(b > 0)), "rates must be positive")
    trees = np.array(
        [
            f[1] * f[2] + b[0] * f[2] + b[0] * b[1],
            f[2] * f[0] + b[1] * f[0] + b[1] * b[2],
            f[0] * f[1] + b[2] * f[1] + b[2] * b[0],
        ]
    )
    return trees / trees.sum(), float((f.prod() - b.prod()) / trees.sum())
