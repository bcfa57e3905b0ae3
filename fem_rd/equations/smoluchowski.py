"""The Smoluchowski equation in the symmetric form.

    dc/dt = div( D (grad c + c grad U) ) + creation - degradation c,     U in units of k_B T

With g = c exp(U), the activity that is constant at equilibrium, the flux is -D exp(-U) grad g and
the weak form is symmetric and positive:

    (exp(-U) dg/dt, v) + (exp(-U) D grad g, grad v) + (degradation exp(-U) g, v)
        + <reactivity exp(-U) g, v> = (creation, v) + <reactivity c_ext, v> + <flux, v>

A Boltzmann distribution is in the space (g is constant), so it is stationary to round-off on any
mesh. Without a potential g is c. Source: open-reaction-diffusion eq. 24-28.
"""

from __future__ import annotations

from typing import Any

import ufl
from ufl import dot, grad, inner

TINY = 1e-300  # an activity that divides without overflow

def diffusion(g: Any, v: Any, coefficient: Any, boltzmann: Any, dx: ufl.Measure) -> ufl.Form:
    """Transport by ``coefficient`` (scalar, or tensor of the space dimension)."""
    flux = dot(coefficient, grad(g)) if ufl.shape(coefficient) else coefficient * grad(g)
    return inner(boltzmann * flux, grad(v)) * dx


def weighted(g: Any, v: Any, weight: Any, boltzmann: Any, measure: ufl.Measure) -> ufl.Form:
    """The concentration against a weight: mass (1), degradation, or reactivity of a surface."""
    return weight * boltzmann * g * v * measure


def supply(v: Any, density: Any, measure: ufl.Measure) -> ufl.Form:
    """Creation in the volume, or a flux into the domain through a surface."""
    return density * v * measure


def dissipation(g: Any, coefficient: Any, boltzmann: Any) -> Any:
    """|J|^2/(D c) = D exp(-U) |grad g|^2 / g per volume and time, and 0 where there is nothing."""
    flux = dot(coefficient, grad(g)) if ufl.shape(coefficient) else coefficient * grad(g)
    present = ufl.gt(g, TINY)
    return ufl.conditional(present, boltzmann * dot(flux, grad(g)) / g, 0.0)


def far_field_reactivity(coefficient: Any, position: Any, center: Any, normal: Any) -> Any:
    """Surface reactivity at which the field outside is exactly c_inf - a/|x - center|.

    D dc/dn = D (c_inf - c) (x - center).n / |x - center|^2, which turns the surface of a finite
    mesh into infinity for the monopole of the field; multipoles of order l meet a relative error
    of order (size of the source / distance)^(2l+1).
    """
    offset = position - center
    return coefficient * dot(offset, normal) / dot(offset, offset)
