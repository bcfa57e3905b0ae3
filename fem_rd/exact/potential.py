"""Capture by a reactive sphere under a radial potential (Debye-Smoluchowski).

Potentials are dimensionless, beta U(r), positive where they repel; U -> 0 at infinity when the
outer radius is infinite. ``concentration`` of the sphere is held at r = outer (with infinite
outer: far away).
Source: Debye, Trans. Electrochem. Soc. 82 (1942) 265; Onsager, Phys. Rev. 54 (1938) 554.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.special import exprel

from fem_rd.exact.sphere import ReactiveSphere
from fem_rd.exact.validity import Floats, floats, require

RadialPotential = Callable[[float], float]


def debye_rate(sphere: ReactiveSphere, beta_potential: RadialPotential) -> float:
    """Steady rate of capture (amount/time) under any radial potential, by quadrature.

    k = 4 pi D c_R e^{bU(R)} / [int_sigma^R e^{bU} r^-2 dr + (4 pi D/kappa) e^{bU(sigma)}].
    To 1e-12 relative for smooth potentials; raises `OutOfRange` where e^{bU} overflows
    (beta U > 700) or the integral does not converge.
    """
    barrier = _barrier(beta_potential, 1 / sphere.outer, 1 / sphere.sigma)
    supply = 4 * math.pi * sphere.diffusion * sphere.concentration
    at_outer = _boltzmann(beta_potential, 1 / sphere.outer)
    return supply * at_outer / (barrier + _contact_resistance(sphere, beta_potential))


def debye_concentration(
    sphere: ReactiveSphere, beta_potential: RadialPotential, r: ArrayLike
) -> Floats:
    """Steady concentration (amount/volume) at radii r under any radial potential.

    c = e^{-bU(r)} (k / 4 pi D) [int_sigma^r e^{bU} s^-2 ds + (4 pi D/kappa) e^{bU(sigma)}].
    Shape of r; validity of `debye_rate`; sigma <= r <= R. For kappa = 0 it is Boltzmann's law.
    """
    radii = sphere.radii(r)
    if sphere.kappa == 0:
        law = [_boltzmann(beta_potential, 1 / x) for x in radii.flat]
        top = sphere.concentration * _boltzmann(beta_potential, 1 / sphere.outer)
        return floats(top / floats(law)).reshape(radii.shape)
    per_flux = debye_rate(sphere, beta_potential) / (4 * math.pi * sphere.diffusion)
    contact = _contact_resistance(sphere, beta_potential)
    values = [
        per_flux
        * (_barrier(beta_potential, 1 / x, 1 / sphere.sigma) + contact)
        / _boltzmann(beta_potential, 1 / x)
        for x in radii.flat
    ]
    return floats(values).reshape(radii.shape)


def coulomb_rate(sphere: ReactiveSphere, onsager_length: float) -> float:
    """Steady rate of capture (amount/time) for beta U = r_c/r, r_c > 0 repulsive, closed form.

    k = 4 pi D c_R / [(e^{r_c g} - 1)/r_c + (4 pi D/kappa) e^{r_c g}], g = 1/sigma - 1/R.
    For infinite R and kappa: 4 pi D r_c / (e^{r_c/sigma} - 1). Valid for r_c of any sign and zero
    (no force), |r_c| g < 700.
    """
    exponent = onsager_length * sphere.inverse_gap
    require(abs(exponent) < 700, f"|r_c| (1/sigma - 1/R) must stay below 700; found {exponent!r}")
    if sphere.kappa == 0:
        return 0.0
    barrier = sphere.inverse_gap * float(exprel(exponent))
    contact = 4 * math.pi * sphere.diffusion / sphere.kappa * math.exp(exponent)
    return 4 * math.pi * sphere.diffusion * sphere.concentration / (barrier + contact)


def _barrier(beta_potential: RadialPotential, lower: float, upper: float) -> float:
    """Integral of e^{bU} over x = 1/r: finite limits even for an infinite outer radius."""
    value, error = quad(
        lambda x: _boltzmann(beta_potential, x), lower, upper, epsabs=0, epsrel=1e-13, limit=400
    )[:2]
    require(
        math.isfinite(value) and error <= 1e-9 * abs(value),
        f"the integral of exp(beta U)/r^2 did not converge: {value!r} +- {error!r}",
    )
    return float(value)


def _contact_resistance(sphere: ReactiveSphere, beta_potential: RadialPotential) -> float:
    """(4 pi D / kappa) e^{bU(sigma)} (1/length): zero when absorbing, infinite when inert."""
    if sphere.kappa == 0:
        return math.inf
    per_kappa = 4 * math.pi * sphere.diffusion / sphere.kappa
    return per_kappa * _boltzmann(beta_potential, 1 / sphere.sigma) if per_kappa else 0.0


def _boltzmann(beta_potential: RadialPotential, inverse_r: float) -> float:
    """e^{+bU} at r = 1/inverse_r; 1 at infinity."""
    if inverse_r == 0:
        return 1.0
    exponent = float(beta_potential(1 / inverse_r))
    require(
        exponent < 700,
        f"beta U must be a number below 700; found {exponent!r} at r = {1 / inverse_r:.6g}",
    )
    return math.exp(exponent)
