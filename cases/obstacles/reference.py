"""Effective diffusion past reflecting spheres on a simple cubic lattice, by Rayleigh's multipoles.

    python3 reference.py 0.4

prints D_eff/D for spheres of this radius (the spacing is 1) with multipoles up to each order.

Around each sphere c = sum over n, m of A R + b I, with regular and irregular solid harmonics
    R_nm = r^n P_n^m(cos theta) e^(i m phi) / (n + m)!,
    I_nm = (n - m)! r^(-n-1) P_n^m(cos theta) e^(i m phi).
No flux at r = a ties each A to its b; and A is the mean gradient plus what all other spheres
send, since I_nm(x + X) = sum over k, p of (-1)^k conj(R_kp(x)) I_(n+k)(m+p)(X).
Source: Rayleigh, Phil. Mag. 34 (1892) 481; McPhedran and McKenzie, Proc. R. Soc. A 359 (1978) 45.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy.special import lpmv

CUTOFF = 20  # lattice sums reach as far: 7 digits of D_eff


def effective_diffusion(radius: float, order: int = 13) -> float:
    """D_eff/D, flux per total area over mean gradient; for 0 < radius < 1/2, odd ``order``."""
    # by symmetry: odd in z, and unchanged by a quarter turn around it
    modes = [(n, m) for n in range(1, order + 1, 2) for m in range(-n, n + 1) if m % 4 == 0]
    sums = lattice_sums(2 * order)
    # a lattice of dipoles: the mean of their field is in the mean gradient already (Lorentz)
    sums[2, 0] = 4 * math.pi / 3
    system = np.zeros((len(modes), len(modes)))
    for i, (n, m) in enumerate(modes):
        for j, (k, p) in enumerate(modes):
            system[i, j] = -sums.get((n + k, p - m), 0.0)
        system[i, i] -= no_flux(n, abs(m), radius)
    gradient = np.array([1.0 if mode == (1, 0) else 0.0 for mode in modes])
    moments = np.linalg.solve(system, -gradient)
    return 1 - 4 * math.pi * float(moments[modes.index((1, 0))])


def no_flux(n: int, m: int, radius: float) -> float:
    """A/b of one multipole of a sphere through which nothing passes."""
    return (n + 1) / n * radius ** (-2 * n - 1) * math.factorial(n - m) * math.factorial(n + m)


def lattice_sums(highest: int) -> dict[tuple[int, int], float]:
    """Sum of I_nm over all other points of the lattice, for even n from 4 on; real."""
    line = np.arange(-CUTOFF, CUTOFF + 1, dtype=float)
    x, y, z = (axis.ravel() for axis in np.meshgrid(line, line, line))
    r = np.sqrt(x**2 + y**2 + z**2)
    near = (r > 0) & (r <= CUTOFF)
    x, y, z, r = x[near], y[near], z[near], r[near]
    sums = {}
    for n in range(4, highest + 1, 2):
        for m in range(0, n + 1, 4):
            terms = lpmv(m, n, z / r) * np.cos(m * np.arctan2(y, x)) / r ** (n + 1)
            sums[n, m] = sums[n, -m] = math.factorial(n - m) * float(terms.sum())
    return sums


if __name__ == "__main__":
    size = float(sys.argv[1])
    fraction = 4 * math.pi / 3 * size**3
    print(f"Maxwell   {1 - 3 * fraction / (2 + fraction):.10f}")
    print(f"Rayleigh  {1 - 3 * fraction / (2 + fraction - 0.979 * fraction ** (10 / 3)):.10f}")
    for highest in range(1, 14, 2):
        print(f"order {highest:<3} {effective_diffusion(size, highest):.10f}")
