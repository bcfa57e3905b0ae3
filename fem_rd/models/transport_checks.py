"""What a species that moves must satisfy on its mesh, checked before anything is assembled."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from fem_rd import compat
from fem_rd.case.base import joined
from fem_rd.case.quantities import Diffusion, Tensor
from fem_rd.case.sections.boundaries import Dirichlet, FarField, Robin
from fem_rd.errors import CaseError, CaseErrors, FemRdError, nearest
from fem_rd.expressions.expression import Expression
from fem_rd.mesh.domain import Domain
from fem_rd.models.assembly import Array, coordinates_by_name
from fem_rd.models.transport import Mobile
from fem_rd.parallel import agree

LARGEST_POTENTIAL = 300.0  # in k_B T; exp of more than twice this leaves double precision


def mistakes_of_motion(section: Mobile, domain: Domain, key: str) -> Iterator[CaseError]:
    """What is wrong with names, shapes and values in the section at ``key``. Local to the rank."""
    names = [
        *_boundaries(section, domain, joined(key, "boundaries")),
        *_diffusion_shape(section, domain, key),
    ]
    yield from names
    if not names:
        yield from _diffusion_values(section, domain, joined(key, "diffusion"))
        yield from _potential_values(section, domain, joined(key, "potential"))


def unknown(kind: str, name: str, key: str, known: Collection[str]) -> CaseError:
    """The mesh has no boundary or region of this name."""
    return CaseError(
        f"the mesh has no {kind} of this name{nearest(name, known)}", key=key, valid=known
    )


def fixes_the_amount(section: Mobile) -> bool:
    """Whether some boundary determines the level of the concentration."""
    fixing = (Dirichlet, Robin, FarField)
    return any(isinstance(boundary, fixing) for boundary in section.boundaries.values())


def raise_together(found: list[CaseError], domain: Domain) -> None:
    """Raise `CaseErrors` on all ranks where any rank found a mistake. Collective."""
    error: FemRdError | None = CaseErrors(found) if found else None
    agree(domain.mesh.comm, error)


def _boundaries(section: Mobile, domain: Domain, start: str) -> Iterator[CaseError]:
    for name in section.boundaries:
        key = joined(start, name)
        if name not in domain.boundaries:
            yield unknown("boundary", name, key, domain.boundaries)
        elif not domain.exterior(name):
            yield CaseError(
                "is a surface inside the mesh, not a boundary",
                key=key,
                valid=[other for other in domain.boundaries if domain.exterior(other)],
            )


def _diffusion_shape(section: Mobile, domain: Domain, start: str) -> Iterator[CaseError]:
    diffusion, dimension = section.diffusion, domain.dimension
    key_of_all = joined(start, "diffusion")
    if isinstance(diffusion, dict):
        for name in diffusion:
            if name not in domain.regions:
                yield unknown("region", name, joined(key_of_all, name), domain.regions)
        missing = [name for name in domain.regions if name not in diffusion]
        if missing:
            yield CaseError("a region has no diffusion coefficient", key=key_of_all, valid=missing)
    for key, _, value in _diffusion_parts(diffusion, key_of_all):
        if isinstance(value, tuple) and len(value) != dimension:
            size = f"{dimension}x{dimension}"
            yield CaseError(f"the tensor must be {size} on this mesh", key=key, found=len(value))
    for name, boundary in section.boundaries.items():
        if isinstance(boundary, FarField) and not isinstance(diffusion, Expression):
            yield CaseError(
                "a far field needs one scalar diffusion coefficient",
                key=joined(joined(start, "boundaries"), name),
            )


def _diffusion_parts(
    diffusion: Diffusion, start: str
) -> Iterator[tuple[str, str | None, Expression | Tensor]]:
    """Key, region (None: everywhere) and value of each diffusion coefficient."""
    if isinstance(diffusion, dict):
        for name, value in diffusion.items():
            yield joined(start, name), name, value
    else:
        yield start, None, diffusion


def _diffusion_values(section: Mobile, domain: Domain, start: str) -> Iterator[CaseError]:
    """Positive, or positive definite, at every node of the region it belongs to."""
    for key, region, value in _diffusion_parts(section.diffusion, start):
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


def _potential_values(section: Mobile, domain: Domain, key: str) -> Iterator[CaseError]:
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
            key=key,
        )


def region_points(domain: Domain, region: str | None) -> Array:
    """Mesh nodes of this rank's cells of a region, or of all of them, shape (n, 3)."""
    nodes = domain.mesh.geometry.x
    if region is None:
        return nodes
    cells = domain.cell_tags.find(domain.regions[region])
    return nodes[np.unique(compat.geometry_dofmap(domain.mesh)[cells])]
