"""Weak forms of diffusion in the space of order parameters (Pankavich et al. 2008, eq. 29).

dW/dt = d/dR [D(R) (d/dR - beta f) W] with beta f = -F'. The potential does not enter the forms: it
enters along the edges of the mesh (`fem_rd.numerics.markov`). With D inside both derivatives the
stationary density is exp(-F) whatever D(R) is; in Ito's form d^2(D W)/dR^2 it would not be.
"""

from __future__ import annotations

from typing import Any

import ufl


def stiffness(diffusion: Any, trial: Any, test: Any, volume: Any) -> Any:
    """int D grad u . grad v over a volume; ``diffusion``: scalar or tensor."""
    gradient = ufl.grad(trial)
    flux = ufl.dot(diffusion, gradient) if diffusion.ufl_shape else diffusion * gradient
    return ufl.inner(flux, ufl.grad(test)) * volume
