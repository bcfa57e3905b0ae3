"""Doi's mutual annihilation on a line, by a cosine series and exact integrals over the balls.

    python3 reference.py 0.5

prints the amount of A at the end, and its concentration at a wall and in the middle, for this
reaction radius and growing numbers of modes; then the same for mass action.

c = sum over m of a_m cos(q_m x), q_m = m pi/L, meets the equation at the midpoints of L/modes; the
integral of each mode from max(0, x - sigma) to min(L, x + sigma) is elementary.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.integrate import solve_ivp

LENGTH, DIFFUSION, K, START, END = 10.0, 1.0, 1.0, 1.0, 5.0


def left(sigma: float, modes: int) -> tuple[float, float, float]:
    """Amount, concentration at the wall and in the middle at END; ``sigma`` 0 is mass action."""
    x = (np.arange(modes) + 0.5) * LENGTH / modes
    q = np.arange(modes) * np.pi / LENGTH
    values = np.cos(np.outer(x, q))
    series = np.linalg.inv(values)
    laplacian = -(values * q**2) @ series
    mean = around(x, q, sigma) @ series if sigma else np.eye(modes)

    def slope(_: float, c: np.ndarray) -> np.ndarray:
        return DIFFUSION * laplacian @ c - K * c * (mean @ c)

    def jacobian(_: float, c: np.ndarray) -> np.ndarray:
        return DIFFUSION * laplacian - K * (np.diag(mean @ c) + c[:, None] * mean)

    start = np.full(modes, START)
    done = solve_ivp(slope, (0, END), start, method="Radau", jac=jacobian, rtol=1e-11, atol=1e-13)
    a = series @ done.y[:, -1]
    return float(a[0] * LENGTH), float(a.sum()), float(np.cos(q * LENGTH / 2) @ a)


def around(x: np.ndarray, q: np.ndarray, sigma: float) -> np.ndarray:
    """Integral of each mode over the ball around each x, over 2 sigma, shape (x, modes)."""
    low, high = np.maximum(x - sigma, 0)[:, None], np.minimum(x + sigma, LENGTH)[:, None]
    integrals = np.hstack([high - low, (np.sin(q[1:] * high) - np.sin(q[1:] * low)) / q[1:]])
    return integrals / (2 * sigma)


if __name__ == "__main__":
    for count in (200, 400, 800):
        print(count, *left(float(sys.argv[1]), count))
    print("mass action", *left(0.0, 50))
