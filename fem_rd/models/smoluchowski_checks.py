"""What a Smoluchowski section must satisfy on its mesh, checked before anything is assembled."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from fem_rd import compat
from fem_rd.case.base import joined
from fem_rd.case.expressions import Expression
from fem_rd.case.quantities import Tensor
from fem_rd.case.sections.smoluchowski import Dirichlet, FarField, Robin, SmoluchowskiSection
from fem_rd.errors import CaseError, CaseErrors, FemRdError, nearest
from fem_rd.mesh.domain import Domain
from fem_rd.models.assembly import Array, coordinates_by_name
from fem_rd.parallel import agree

LARGEST_POTENTIAL = 300.0  # in k_B T; exp of more than twice this leaves double precision
EVERYWHERE = "everywhere"
BOUNDARIES, RATES, DIFFUSION = (
    f"smoluchowski.{key}" for key in ("boundaries", "rates", "diffusion")
)


def check_section(section: SmoluchowskiSection, domain: Domain, *, steady: bool) -> None:
    """Raise `CaseErrors` on all ranks with every mistake found. Collective."""
    found = [*_names(section, domain), *_diffusion_shape(section, domain)]
    if steady:
        found += _undetermined(section)
    if not found:
        found = [*_diffusion_values(section, domain), *_potential_values(section, domain)]
    error: FemRdError | None = CaseErrors(found) if found else None
    agree(domain.mesh.comm, error)


def _names(section: SmoluchowskiSection, domain: Domain) -> Iterator[CaseError]:
    for name in section.boundaries:
        key = joined(BOUNDARIES, name)
        if name not in domain.boundaries:
            yield _unknown("boundary", name, key, domain.boundaries)
        elif not domain.exterior(name):
            yield CaseError(
                "is a surface inside the mesh, not a boundary",
                key=key,
                valid=[other for other in domain.boundaries if domain.exterior(other)],
            )
    for name in section.rates:
        if name not in domain.regions and name != EVERYWHERE:
            key = joined(RATES, name)
            yield _unknown("region", name, key, [*domain.regions, EVERYWHERE])
        if name in section.boundaries:
            yield CaseError(
                "a boundary and a region that both exchange need different names",
                key=joined(RATES, name),
            )


def _unknown(kind: str, name: str, key: str, known: Collection[str]) -> CaseError:
    return CaseError(
        f"the mesh has no {kind} of this name{nearest(name, known)}", key=key, valid=known
    )


def _diffusion_shape(section: SmoluchowskiSection, domain: Domain) -> Iterator[CaseError]:
    diffusion, dimension = section.diffusion, domain.dimension
    if isinstance(diffusion, dict):
        for name in diffusion:
            if name not in domain.regions:
                yield _unknown("region", name, joined(DIFFUSION, name), domain.regions)
        missing = [name for name in domain.regions if name not in diffusion]
        if missing:
            yield CaseError("a region has no diffusion coefficient", key=DIFFUSION, valid=missing)
    for key, _, value in _diffusion_parts(section):
        if isinstance(value, tuple) and len(value) != dimension:
            size = f"{dimension}x{dimension}"
            yield CaseError(f"the tensor must be {size} on this mesh", key=key, found=len(value))
    for name, boundary in section.boundaries.items():
        if isinstance(boundary, FarField) and not isinstance(diffusion, Expression):
            yield CaseError(
                "a far field needs one scalar diffusion coefficient",
                key=joined(BOUNDARIES, name),
            )


def _undetermined(section: SmoluchowskiSection) -> list[CaseError]:
    fixing = (Dirichlet, Robin, FarField)
    fixed = any(isinstance(boundary, fixing) for boundary in section.boundaries.values())
    decays = any(
        not (rate.degradation.is_constant and rate.degradation.value == 0.0)
        for rate in section.rates.values()
    )
    if fixed or decays:
        return []
    return [
        CaseError(
            "nothing fixes the amount, so there is no unique steady state",
            key=BOUNDARIES,
            valid="a dirichlet, robin or far-field boundary, a degradation rate, "
            "or a [time] section",
        )
    ]


def _diffusion_parts(
    section: SmoluchowskiSection,
) -> Iterator[tuple[str, str | None, Expression | Tensor]]:
    """Key, region (None: everywhere) and value of each diffusion coefficient."""
    if isinstance(section.diffusion, dict):
        for name, value in section.diffusion.items():
            yield joined(DIFFUSION, name), name, value
    else:
        yield DIFFUSION, None, section.diffusion


def _diffusion_values(section: SmoluchowskiSection, domain: Domain) -> Iterator[CaseError]:
    """Positive, or positive definite, at every node of the region it belongs to."""
    for key, region, value in _diffusion_parts(section):
        points = region_points(domain, region)
        smallest = _smallest_eigenvalue(value, points)
        bad = ~(smallest > 0.0) | ~np.isfinite(smallest)
        if bad.any():
            index = int(np.flatnonzero(bad)[0])
            place = ", ".join(f"{coordinate:.4g}" for coordinate in points[index])
            yield CaseError(
                f"must be positive everywhere; at ({place}) it is {smallest[index]:.4g}", key=key
            )


def _smallest_eigenvalue(value: Expression | Tensor, points: Array) -> Array:
    env = coordinates_by_name(points)
    count = len(points)
    if isinstance(value, Expression):
        return np.broadcast_to(np.asarray(value.evaluate(env), dtype=float), (count,))
    rows = [[np.broadcast_to(entry.evaluate(env), (count,)) for entry in row] for row in value]
    tensors = np.moveaxis(np.array(rows, dtype=float), -1, 0)
    finite = np.isfinite(tensors).all(axis=(1, 2))
    smallest = np.full(count, np.nan)
    smallest[finite] = np.linalg.eigvalsh(tensors[finite])[:, 0]
    return smallest


def _potential_values(section: SmoluchowskiSection, domain: Domain) -> Iterator[CaseError]:
    if section.potential is None:
        return
    points = region_points(domain, None)
    values = np.broadcast_to(
        np.asarray(section.potential.evaluate(coordinates_by_name(points))), (len(points),)
    )
    bad = ~(np.abs(values) <= LARGEST_POTENTIAL)
    if bad.any():
        index = int(np.flatnonzero(bad)[0])
        place = ", ".join(f"{coordinate:.4g}" for coordinate in points[index])
        yield CaseError(
            f"must stay within {LARGEST_POTENTIAL:g} k_B T; at ({place}) it is {values[index]:.4g}",
            key="smoluchowski.potential",
        )


def region_points(domain: Domain, region: str | None) -> Array:
    """Mesh nodes of this rank's cells of a region, or of all of them, shape (n, 3)."""
    nodes = domain.mesh.geometry.x
    if region is None:
        return nodes
    cells = domain.cell_tags.find(domain.regions[region])
    return nodes[np.unique(compat.geometry_dofmap(domain.mesh)[cells])]
