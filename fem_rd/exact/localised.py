"""Capture with the boundaries made of volume rates, in a shell with reflecting walls.

Steady form of eq. 28 of del Razo, Open reaction-diffusion systems (2024), with its delta functions
widened to layers:
  D lap c - lambda c [sigma < r < sigma + w] + gamma (c_R - c) [R - v < r < R] = 0,
c'(sigma) = c'(R) = 0. With u = r c the layers are hyperbolic and the gap between them linear, so
that each layer acts on the gap as a boundary condition: the reaction layer as a reactive sphere
at its outer face, the reservoir layer as c = c_R at an effective radius. Derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from fem_rd.exact.hyperbolic import one_minus_tanhc
from fem_rd.exact.validity import Floats, array_within, floats, require, require_positive


@dataclass(frozen=True)
class LocalisedShell:
    """Shell sigma < r < outer between reflecting walls with a reaction and a reservoir layer.

    ``sigma``, ``outer`` radii (length); ``diffusion`` (length^2/time); ``reaction_width`` w and
    ``degradation`` lambda (1/time) of the inner layer; ``reservoir_width`` v and ``exchange``
    gamma (1/time) of the outer layer, where particles leave at rate gamma and are created at rate
    gamma c_R; ``concentration`` c_R (amount/volume). The layers may touch, not overlap.
    """

    sigma: float
    outer: float
    diffusion: float
    reaction_width: float
    degradation: float
    reservoir_width: float
    exchange: float
    concentration: float = 1.0

    def __post_init__(self) -> None:
        require_positive(
            sigma=self.sigma,
            outer=self.outer,
            diffusion=self.diffusion,
            reaction_width=self.reaction_width,
            reservoir_width=self.reservoir_width,
            exchange=self.exchange,
        )
        require(0 <= self.degradation < math.inf, "degradation must be finite and not negative")
        require(
            # layers that touch must not fail by a rounding error
            self.reaction_width + self.reservoir_width <= (self.outer - self.sigma) * (1 + 1e-12),
            "the reaction layer and the reservoir layer overlap",
        )

    @property
    def inner_face(self) -> float:
        """Outer radius of the reaction layer (length)."""
        return self.sigma + self.reaction_width

    @property
    def outer_face(self) -> float:
        """Inner radius of the reservoir layer (length)."""
        return self.outer - self.reservoir_width

    @property
    def capture_resistance(self) -> float:
        """4 pi D / kappa_eff (1/length) of the reaction layer, infinite without reaction."""
        kappa = layer_reactivity(self.sigma, self.reaction_width, self.degradation, self.diffusion)
        return 4 * math.pi * self.diffusion / kappa if kappa else math.inf

    @property
    def reservoir_curvature(self) -> float:
        """1/R_eff (1/length) of the reservoir layer, see `reservoir_curvature`."""
        return reservoir_curvature(self.outer, self.reservoir_width, self.exchange, self.diffusion)


def layer_reactivity(sigma: float, width: float, degradation: float, diffusion: float) -> float:
    """Reactivity kappa_eff (volume/time) of a degrading layer, acting at its outer face.

    The flux through r = m = sigma + w is kappa_eff c(m). With p = sqrt(lambda/D), T = tanh(p w)/p:
    kappa_eff = 4 pi D m^2 [p^2 T + (w - T)/(sigma m)] / (1 + T/sigma). Thin layers of constant
    lambda V: kappa_eff -> lambda V (1 - kappa w/(12 pi sigma^2 D) + ..), eq. 32 of del Razo.
    """
    require_positive(sigma=sigma, width=width, diffusion=diffusion)
    require(degradation >= 0, f"degradation must not be negative; found {degradation!r}")
    p_squared = degradation / diffusion
    lag = one_minus_tanhc(width * math.sqrt(p_squared))
    depth = width * (1 - lag)
    face = sigma + width
    slope = (p_squared * depth + width * lag / (sigma * face)) / (1 + depth / sigma)
    return 4 * math.pi * diffusion * face**2 * slope


def reservoir_curvature(outer: float, width: float, exchange: float, diffusion: float) -> float:
    """1/R_eff (1/length), where c continued from inside as harmonic reaches c_R; 1/R if unbiased.

    With q = sqrt(gamma/D), T = tanh(q v)/q, m = R - v:
    1/R_eff = (q^2 T - 1/R) / (m q^2 T + (v - T)/R). It passes through zero for gamma near D/(v R)
    and is negative for weaker layers, whose supply stays below that of a reservoir at infinity.
    Valid for 0 < v < R < infinity and gamma > 0.
    """
    require_positive(outer=outer, width=width, exchange=exchange, diffusion=diffusion)
    require(width < outer, "the reservoir layer is wider than the sphere")
    q_squared = exchange / diffusion
    lag = one_minus_tanhc(width * math.sqrt(q_squared))
    pull = q_squared * width * (1 - lag)
    return (pull - 1 / outer) / ((outer - width) * pull + width * lag / outer)


def reservoir_radius(outer: float, width: float, exchange: float, diffusion: float) -> float:
    """R_eff (length) of `reservoir_curvature`: where the concentration effectively equals c_R.

    For large R it lies v [1/(s tanh s) - 1] outside the wall, s = v sqrt(gamma/D): 0.3130 v for
    gamma = D/v^2. Raises `OutOfRange` where gamma is so weak that there is no such radius.
    """
    curvature = reservoir_curvature(outer, width, exchange, diffusion)
    require(
        curvature > 0,
        f"exchange {exchange!r} is too weak for an effective radius; "
        f"it must exceed about {diffusion / (width * outer):.6g}",
    )
    return 1 / curvature


def matched_exchange(outer: float, width: float, diffusion: float) -> float:
    """The gamma (1/time) whose reservoir layer acts exactly at R, particles inside.

    s = v sqrt(gamma/D) solves tanh(s) (s + e/s) = 1 + e, e = v/R; for a plane s tanh s = 1 and
    gamma = 1.439229 D/v^2. Valid for 0 < width < outer; ``outer`` may be infinite.
    """
    require_positive(width=width, diffusion=diffusion)
    require(width < outer, "the reservoir layer is wider than the sphere")
    e = width / outer
    s = brentq(lambda x: math.tanh(x) * (x + e / x) - 1 - e, 1.0, 2.1, xtol=1e-15, rtol=1e-14)
    return diffusion * float(s) ** 2 / width**2


def localised_rate(shell: LocalisedShell) -> float:
    """Steady rate of degradation (amount/time), equal to the net supply by the reservoir layer.

    4 pi D c_R / [4 pi D/kappa_eff + 1/m - 1/R_eff], m the outer face of the reaction layer. Its
    limit for thin layers with lambda V = kappa and matched gamma is the rate between r = sigma and
    r = R (del Razo eq. 25).
    """
    gap = 1 / shell.inner_face - shell.reservoir_curvature
    supply = 4 * math.pi * shell.diffusion * shell.concentration
    return supply / (shell.capture_resistance + gap)


def localised_concentration(shell: LocalisedShell, r: ArrayLike) -> Floats:
    """Steady concentration (amount/volume) at radii r, sigma <= r <= R. Shape of r.

    Reaction layer: r c ~ cosh p(r - sigma) + sinh p(r - sigma)/(p sigma); reservoir layer:
    r (c - c_R) ~ cosh q(R - r) - sinh q(R - r)/(q R); between them
    c = c_R - k (1/r - 1/R_eff)/(4 pi D), k of `localised_rate`.
    """
    radii = array_within("r", r, shell.sigma, shell.outer)
    inner = _wall_mode(
        radii, shell.sigma, shell.reaction_width, shell.degradation / shell.diffusion
    )
    outer = _wall_mode(radii, shell.outer, -shell.reservoir_width, shell.exchange / shell.diffusion)
    faces = np.array([shell.inner_face, shell.outer_face])
    at_inner, at_outer = _between(shell, faces)
    top = shell.concentration
    return np.where(
        radii < shell.inner_face,
        at_inner * inner,
        np.where(radii > shell.outer_face, top + (at_outer - top) * outer, _between(shell, radii)),
    )


def _between(shell: LocalisedShell, r: Floats) -> Floats:
    """The harmonic profile of the gap between the layers."""
    lost = localised_rate(shell) / (4 * math.pi * shell.diffusion)
    return shell.concentration - lost * (1 / r - shell.reservoir_curvature)


def _wall_mode(r: Floats, wall: float, width: float, decay: float) -> Floats:
    """The solution of lap f = decay f with f' = 0 at the wall, 1 at wall + width, in the layer.

    ``width`` is negative for a layer inside its wall; outside the layer the value has no meaning.
    """
    p = math.sqrt(decay)
    ends = sorted((wall, wall + width))
    x = np.append(np.clip(r, ends[0], ends[1]).ravel(), wall + width) - wall
    # r f ~ cosh(p x) + sinh(p x)/(p wall), each divided by e^{p |width|}
    growing, falling = np.exp(p * (abs(x) - abs(width))), np.exp(-p * (abs(x) + abs(width)))
    sinh = -np.sign(x) * growing * np.expm1(-2 * p * abs(x)) / (2 * p) if p else x
    mode = ((growing + falling) / 2 + sinh / wall) / (x + wall)
    return floats(mode[:-1] / mode[-1]).reshape(r.shape)
