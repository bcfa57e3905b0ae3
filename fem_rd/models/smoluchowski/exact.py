"""Closed forms that hold for a case as it stands: a spherical shell with constant coefficients.

They appear in the report beside what was computed; nothing of a run depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fem_rd.case.case import Case
from fem_rd.case.schema import GeometryMesh
from fem_rd.case.sections.boundaries import Dirichlet, FarField, Robin
from fem_rd.case.sections.smoluchowski import SmoluchowskiSection
from fem_rd.exact import capture, potential
from fem_rd.exact.sphere import ReactiveSphere
from fem_rd.expressions.expression import Expression
from fem_rd.models.protocol import Curve, Exact, Prediction

GEOMETRY = "spherical-shell"
INNER, OUTER = "reactive", "reservoir"
CURVE_POINTS = 200
EARLIEST = 1e-3  # of the end time: where the exact curves of a transient begin


@dataclass(frozen=True)
class _Shell:
    sphere: ReactiveSphere
    potential: Expression | None
    initial: float | None


def exact_for(case: Case) -> Exact:
    """What is known in closed form about ``case``; empty where its geometry allows nothing."""
    shell = _shell(case)
    if shell is None:
        return Exact()
    if case.time is None:
        return _steady(shell, case)
    if shell.potential is None and shell.initial is not None and math.isfinite(shell.sphere.outer):
        return _transient(shell.sphere, shell.initial, case)
    return Exact()


def _shell(case: Case) -> _Shell | None:
    section: SmoluchowskiSection = case.section
    if not isinstance(case.mesh, GeometryMesh) or case.mesh.geometry != GEOMETRY:
        return None
    inner, outer = section.boundaries.get(INNER), section.boundaries.get(OUTER)
    sphere = _sphere(section.diffusion, inner, outer, case.mesh.parameters)
    radial = section.potential is None or section.potential.names <= {"r"}
    if sphere is None or section.rates or not radial:
        return None
    initial = section.initial.value if section.initial.is_constant else None
    return _Shell(sphere, section.potential, initial)


def _sphere(
    diffusion: Any, inner: Any, outer: Any, radii: Mapping[str, float]
) -> ReactiveSphere | None:
    kappa, concentration = _kappa(inner, radii), _reservoir(outer)
    known = isinstance(diffusion, Expression) and diffusion.is_constant
    if not known or kappa is None or concentration is None or len(radii) < 2:
        return None
    if not {"inner_radius", "outer_radius"} <= set(radii):
        return None
    return ReactiveSphere(
        sigma=radii["inner_radius"],
        diffusion=diffusion.value,
        kappa=kappa,
        outer=math.inf if isinstance(outer, FarField) else radii["outer_radius"],
        concentration=concentration,
    )


def _kappa(inner: Any, radii: Mapping[str, float]) -> float | None:
    """Total rate of the inner sphere, infinite where it absorbs; None where it is neither."""
    if isinstance(inner, Dirichlet):
        absorbing = inner.concentration.is_constant and inner.concentration.value == 0.0
        return math.inf if absorbing else None
    if not isinstance(inner, Robin) or inner.concentration != Expression.constant(0.0):
        return None
    if inner.kappa is not None:
        return inner.kappa
    if inner.reactivity is None or not inner.reactivity.is_constant:
        return None
    return 4 * math.pi * radii.get("inner_radius", math.nan) ** 2 * inner.reactivity.value


def _reservoir(outer: Any) -> float | None:
    if isinstance(outer, FarField):
        return outer.concentration
    if isinstance(outer, Dirichlet) and outer.concentration.is_constant:
        return outer.concentration.value
    return None


def _steady(shell: _Shell, case: Case) -> Exact:
    sphere, radii = shell.sphere, _radii(case)
    if shell.potential is None:
        rate, profile = capture.steady_rate(sphere), capture.steady_concentration(sphere, radii)
        source = "Collins and Kimball 1949, outer radius R; eq. 25"
    else:
        beta_u = _radial(shell.potential)
        rate = potential.debye_rate(sphere, beta_u)
        profile = potential.debye_concentration(sphere, beta_u, radii)
        source = "Debye 1942, outer radius R, by quadrature"
    predictions = {"rate": Prediction(rate, source)}
    if shell.potential is None:
        unbounded = capture.steady_rate(replace(sphere, outer=math.inf))
        predictions["rate_unbounded"] = Prediction(unbounded, "kappa k_S / (kappa + k_S), eq. 36")
    return Exact(predictions, (Curve("concentration", "r", radii, profile, source),))


def _transient(sphere: ReactiveSphere, initial: float, case: Case) -> Exact:
    end = case.time.end if case.time is not None else 0.0
    times = np.geomspace(EARLIEST * end, end, CURVE_POINTS, dtype=np.float64)
    gap = sphere.outer - sphere.sigma
    times = times[times * sphere.diffusion > capture.SHORTEST_TIME * gap**2]
    radii, source = _radii(case), "eigenfunction series, outer radius R"
    rates = capture.transient_rate(sphere, times, initial)
    final = capture.transient_concentration(sphere, end, radii, initial)
    predictions = {"rate": Prediction(float(capture.transient_rate(sphere, end, initial)), source)}
    return Exact(
        predictions,
        (
            Curve("rate", "t", times, rates, source),
            Curve("concentration", "r", radii, final, source, time=end),
        ),
    )


def _radii(case: Case) -> Any:
    parameters: Mapping[str, float] = getattr(case.mesh, "parameters", {})
    return np.linspace(parameters["inner_radius"], parameters["outer_radius"], CURVE_POINTS)


def _radial(expression: Expression) -> potential.RadialPotential:
    return lambda r: float(expression.evaluate({"r": r}))
