"""Growth of small waves on a uniform state: dispersion relations and Turing's instability.

A perturbation exp(i q x + s t) of a uniform steady state of u_t = R(u) + D lap u grows at an
eigenvalue s of J - k2 D; J is the Jacobian of R there, D the diagonal of diffusion coefficients,
k2 = |q|^2. Functions of one band are for two species.

Sources: Turing, Phil. Trans. R. Soc. B 237 (1952) 37; Murray, Mathematical Biology II (2003);
Schnakenberg, J. Theor. Biol. 81 (1979) 389; Prigogine and Lefever, J. Chem. Phys. 48 (1968) 1695;
Gray and Scott, Chem. Eng. Sci. 39 (1984) 1087.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fem_rd.exact.validity import Floats, array_within, floats, require, require_positive

Pair = tuple[float, float]


def growth_rates(
    k2: ArrayLike, jacobian: ArrayLike, diffusion: ArrayLike
) -> NDArray[np.complex128]:
    """All growth rates (1/time) at squared wavenumbers k2 (1/length^2), fastest growth first.

    ``jacobian`` has shape (S, S), ``diffusion`` (S,); the result k2.shape + (S,).
    """
    squares = array_within("k2", k2, 0, math.inf)
    spread = np.diag(array_within("diffusion", diffusion, 0, math.inf))
    matrices = floats(jacobian) - squares[..., None, None] * spread
    rates = np.linalg.eigvals(matrices).astype(complex)
    order = np.argsort(-rates.real, axis=-1, kind="stable")
    return np.take_along_axis(rates, order, axis=-1)


def growth_rate(k2: ArrayLike, jacobian: ArrayLike, diffusion: ArrayLike) -> Floats:
    """Real part of the fastest of `growth_rates` (1/time), shape of k2."""
    return floats(growth_rates(k2, jacobian, diffusion)[..., 0].real)


def turing_band(jacobian: ArrayLike, diffusion: ArrayLike) -> Pair:
    """Squared wavenumbers (1/length^2) between which a state that is stable without waves grows.

    The roots of det(J - k2 D) = D1 D2 k2^2 - (D2 J11 + D1 J22) k2 + det J. Raises `OutOfRange`
    where the state is not stable at k2 = 0, or no wave grows.
    """
    j, (d1, d2) = _stable(jacobian), _two(diffusion)
    half = (d2 * j[0, 0] + d1 * j[1, 1]) / 2
    product = d1 * d2 * float(np.linalg.det(j))
    require(half > 0 and half**2 > product, "no wave grows: the state is stable with diffusion")
    larger = half + math.sqrt(half**2 - product)
    return product / larger / (d1 * d2), larger / (d1 * d2)


def fastest_wave(jacobian: ArrayLike, diffusion: ArrayLike) -> Pair:
    """Squared wavenumber (1/length^2) and rate (1/time) of the fastest growth of a Turing band.

    With s = J11 - J22 + (D2 - D1) k2 the growth has its maximum where
    s = (D1 + D2) sqrt(-J12 J21/(D1 D2)) sign(D2 - D1). Validity of `turing_band`.
    """
    turing_band(jacobian, diffusion)
    j, (d1, d2) = _stable(jacobian), _two(diffusion)
    s = (d1 + d2) * math.sqrt(-j[0, 1] * j[1, 0] / (d1 * d2)) * math.copysign(1, d2 - d1)
    k2 = (s - j[0, 0] + j[1, 1]) / (d2 - d1)
    return k2, float(growth_rate(k2, jacobian, diffusion))


def critical_ratio(jacobian: ArrayLike) -> Pair:
    """The ratio d_c = D2/D1 above which waves grow, and k2 D1 (1/time) of the first of them.

    sqrt(d_c) = [sqrt(det J) + sqrt(-J12 J21)]/J11, k2 D1 = sqrt(det J/d_c). Species 1 is the
    activator (J11 > 0 > J22); raises `OutOfRange` otherwise, and where k2 = 0 is not stable.
    """
    j = _stable(jacobian)
    require(j[0, 0] > 0, f"species 1 must activate itself, J11 > 0; found {j[0, 0]!r}")
    determinant = float(np.linalg.det(j))
    root = (math.sqrt(determinant) + math.sqrt(-j[0, 1] * j[1, 0])) / j[0, 0]
    return root**2, math.sqrt(determinant) / root


def neumann_wavenumbers(length: float, count: int) -> Floats:
    """Squared wavenumbers (n pi/L)^2 of the first modes n = 1, 2, .. between reflecting walls."""
    require_positive(length=length)
    return floats((np.arange(1, count + 1) * math.pi / length) ** 2)


def schnakenberg_fixed_point(a: float, b: float) -> Pair:
    """Uniform steady state of u_t = g (a - u + u^2 v), v_t = g (b - u^2 v): a + b, b/(a + b)^2."""
    require_positive(sum=a + b)
    return a + b, b / (a + b) ** 2


def schnakenberg_jacobian(a: float, b: float, rate: float = 1.0) -> Floats:
    """Jacobian (1/time) at `schnakenberg_fixed_point`, g = ``rate``."""
    u, v = schnakenberg_fixed_point(a, b)
    return rate * floats([[2 * u * v - 1, u * u], [-2 * u * v, -u * u]])


def brusselator_fixed_point(a: float, b: float) -> Pair:
    """Uniform steady state of u_t = A - (B + 1) u + u^2 v, v_t = B u - u^2 v: A, B/A."""
    require_positive(a=a)
    return a, b / a


def brusselator_jacobian(a: float, b: float) -> Floats:
    """Jacobian at `brusselator_fixed_point`."""
    return floats([[b - 1, a * a], [-b, -a * a]])


def brusselator_hopf(a: float) -> Pair:
    """The B above which the uniform state oscillates, 1 + A^2, and the frequency A there."""
    require_positive(a=a)
    return 1 + a * a, a


def brusselator_turing(a: float, diffusion: Pair) -> Pair:
    """The B above which waves grow, (1 + A sqrt(Du/Dv))^2, and k2 = A/sqrt(Du Dv) of the first."""
    require_positive(a=a, diffusion_u=diffusion[0], diffusion_v=diffusion[1])
    return (1 + a * math.sqrt(diffusion[0] / diffusion[1])) ** 2, a / math.sqrt(
        math.prod(diffusion)
    )


def gray_scott_fixed_points(feed: float, kill: float) -> tuple[Pair, ...]:
    """Uniform steady states of u_t = F (1 - u) - u v^2, v_t = u v^2 - (F + k) v.

    (1, 0) and, for k <= sqrt(F)/2 - F, a saddle and a focus or node:
    u = [1 +- sqrt(1 - 4 (F + k)^2/F)]/2, v = F (1 - u)/(F + k).
    """
    require_positive(feed=feed)
    discriminant = 1 - 4 * (feed + kill) ** 2 / feed
    if discriminant < 0:
        return ((1.0, 0.0),)
    split = math.sqrt(discriminant)
    roots = ((1 + split) / 2, (1 - split) / 2)
    return ((1.0, 0.0), *((u, feed * (1 - u) / (feed + kill)) for u in roots))


def gray_scott_saddle_node(feed: float) -> float:
    """The k at which the states other than (1, 0) vanish: sqrt(F)/2 - F."""
    require_positive(feed=feed)
    return math.sqrt(feed) / 2 - feed


def gray_scott_jacobian(state: Pair, feed: float, kill: float) -> Floats:
    """Jacobian of the Gray-Scott reactions at any (u, v)."""
    u, v = state
    return floats([[-v * v - feed, -2 * u * v], [v * v, 2 * u * v - feed - kill]])


def _two(values: ArrayLike) -> Pair:
    first, second = floats(values)
    require_positive(diffusion_1=float(first), diffusion_2=float(second))
    return float(first), float(second)


def _stable(jacobian: ArrayLike) -> Floats:
    """The Jacobian of two species, with all eigenvalues on the left."""
    j = floats(jacobian)
    require(j.shape == (2, 2), f"the Jacobian must be 2 x 2; found shape {j.shape}")
    require(
        np.trace(j) < 0 < np.linalg.det(j),
        "the uniform state must be stable without diffusion: trace J < 0 < det J",
    )
    return j
