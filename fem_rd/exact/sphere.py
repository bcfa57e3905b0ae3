"""The reactive sphere of diffusion-influenced reactions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from fem_rd.exact.validity import Floats, array_within, require, require_positive


@dataclass(frozen=True)
class ReactiveSphere:
    """A partially reactive sphere r = sigma, fed by a reservoir at r = outer.

    The flux into the sphere is kappa c(sigma): 4 pi sigma^2 D c'(sigma) = kappa c(sigma).

    Attributes: ``sigma`` contact radius (length); ``diffusion`` relative diffusion coefficient
    (length^2/time); ``kappa`` total reactivity (volume/time), infinite for an absorbing sphere;
    ``outer`` radius of the outer wall (length), infinite by default; ``concentration`` there
    (amount/volume). Raises `OutOfRange` for values without meaning.
    Source: Collins and Kimball, J. Colloid Sci. 4 (1949) 425; eq. 24-25 of del Razo, Open
    reaction-diffusion systems (2024).
    """

    sigma: float
    diffusion: float
    kappa: float = math.inf
    outer: float = math.inf
    concentration: float = 1.0

    def __post_init__(self) -> None:
        require_positive(sigma=self.sigma, diffusion=self.diffusion)
        require(self.kappa >= 0, f"kappa must not be negative; found {self.kappa!r}")
        require(
            self.outer > self.sigma,
            f"outer must be larger than sigma = {self.sigma!r}; found {self.outer!r}",
        )
        require(
            0 <= self.concentration < math.inf,
            f"concentration must be finite and not negative; found {self.concentration!r}",
        )

    @property
    def diffusion_rate(self) -> float:
        """k_S = 4 pi sigma D (volume/time), the diffusion-controlled rate for infinite outer."""
        return 4 * math.pi * self.sigma * self.diffusion

    @property
    def reactivity_ratio(self) -> float:
        """kappa / k_S (dimensionless), infinite for an absorbing sphere."""
        return self.kappa / self.diffusion_rate

    @property
    def inverse_gap(self) -> float:
        """1/sigma - 1/outer (1/length), the integral of dr/r^2 from wall to wall."""
        return 1 / self.sigma - 1 / self.outer

    @property
    def volume(self) -> float:
        """Volume between the sphere and the outer wall (length^3)."""
        return 4 * math.pi / 3 * (self.outer**3 - self.sigma**3)

    def radii(self, r: ArrayLike) -> Floats:
        """The radii as an array; raises `OutOfRange` if one is outside [sigma, outer]."""
        return array_within("r", r, self.sigma, self.outer)
