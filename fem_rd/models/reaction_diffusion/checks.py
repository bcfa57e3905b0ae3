"""What a reaction-diffusion section must satisfy on its mesh, checked before assembly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from dolfinx.mesh import entities_to_geometry
from mpi4py import MPI

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.sections.reaction_diffusion import ReactionDiffusionSection
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression
from fem_rd.mesh.domain import Domain
from fem_rd.models.assembly import Array, coordinates_by_name
from fem_rd.models.transport_checks import (
    mistakes_of_motion,
    raise_together,
    region_points,
    unknown,
)

SECTION = "reaction-diffusion"
NEGATIVE = -1e-12  # of the largest value: what is below is not round-off


def check_section(
    case: Case, section: ReactionDiffusionSection, chemistry: Chemistry, domain: Domain
) -> None:
    """Raise `CaseErrors` on all ranks with every mistake found. Collective."""
    found = [*_regions(chemistry, domain)]
    for name, species in section.species.items():
        key = joined(joined(SECTION, "species"), name)
        found += mistakes_of_motion(species, domain, key)
        if isinstance(species.initial, dict):
            found += [
                unknown("region", region, joined(joined(key, "initial"), region), domain.regions)
                for region in species.initial
                if region not in domain.regions
            ]
        if species.potential is not None and section.degree == 2:
            message = "a potential needs the lumped mass of degree 1"
            degree = joined(SECTION, "degree")
            found.append(CaseError(message, key=degree, found=2, valid="1"))
    found += _of_scheme(case, section, chemistry)
    raise_together(found, domain)  # names first: values are looked at where they point
    raise_together([*_values(section, chemistry, domain)], domain)


def _regions(chemistry: Chemistry, domain: Domain) -> Iterator[CaseError]:
    """A reaction and its reverse have one region between them, at one key."""
    wanted = {
        f"{chemistry.key(reaction).rpartition('.')[0]}.region": region
        for reaction, region in chemistry.regions.items()
    }
    for key, region in wanted.items():
        if region not in domain.regions:
            yield unknown("region", region, key, domain.regions)


def _values(
    section: ReactionDiffusionSection, chemistry: Chemistry, domain: Domain
) -> Iterator[CaseError]:
    """Negative values of expressions at time 0; of numbers, the case has found them. Collective."""
    for key, value, points in _not_negative(section, chemistry, domain):
        env = {**coordinates_by_name(points), "t": np.zeros(len(points))}
        values = np.broadcast_to(np.asarray(value.evaluate(env), dtype=float), (len(points),))
        sizes = np.abs(values[np.isfinite(values)])
        largest = domain.mesh.comm.allreduce(float(sizes.max(initial=0.0)), MPI.MAX)
        bad = np.flatnonzero(values < NEGATIVE * largest)
        if len(bad):
            place = ", ".join(f"{coordinate:.4g}" for coordinate in points[bad[0]])
            message = f"must not be negative; at ({place}) it is {values[bad[0]]:.4g}"
            yield CaseError(message, key=key)


def _not_negative(
    section: ReactionDiffusionSection, chemistry: Chemistry, domain: Domain
) -> Iterator[tuple[str, Expression, Array]]:
    """Key and expression of what must not be negative, and the mesh nodes where it counts."""
    network = chemistry.network
    for reaction in network.reactions:
        if reaction.rate is not None:
            key = chemistry.key(reaction.name)
            factor = reaction.combinations if key.endswith("combination_rate") else 1
            rate = Expression.parse(f"{factor}*({reaction.rate})", names=SPACE_TIME, where=key)
            yield key, rate, region_points(domain, chemistry.regions.get(reaction.name))
    for name, held in network.chemostats.items():
        yield chemistry.key_of_chemostat(name), held, region_points(domain, None)
    for name, species in section.species.items():
        start = joined(joined(SECTION, "species"), name)
        key = joined(start, "initial")
        if isinstance(species.initial, dict):
            for region, initial in species.initial.items():
                yield joined(key, region), initial, region_points(domain, region)
        else:
            yield key, species.initial, region_points(domain, None)
        for boundary, kind in species.boundaries.items():
            for word in ("concentration", "reactivity"):
                value = getattr(kind, word, None)
                if isinstance(value, Expression):
                    key_of_it = joined(joined(joined(start, "boundaries"), boundary), word)
                    yield key_of_it, value, _boundary_points(domain, boundary)


def _boundary_points(domain: Domain, boundary: str) -> Array:
    """Mesh nodes of this rank's facets of a boundary, shape (n, 3)."""
    mesh, dimension = domain.mesh, domain.mesh.topology.dim
    facets = domain.facet_tags.find(domain.boundaries[boundary])
    if not len(facets):  # as on ranks that are elsewhere: DOLFINx would divide by zero
        return np.zeros((0, 3))
    mesh.topology.create_connectivity(dimension - 1, dimension)
    nodes = entities_to_geometry(mesh, dimension - 1, facets)
    points: Array = mesh.geometry.x[np.unique(nodes)]
    return points


def _of_scheme(
    case: Case, section: ReactionDiffusionSection, chemistry: Chemistry
) -> Iterator[CaseError]:
    scheme = None if case.time is None else case.time.scheme
    if section.thermodynamics and section.degree == 2:
        message = "thermodynamic densities need the lumped mass of degree 1"
        yield CaseError(message, key=joined(SECTION, "degree"), found=2, valid="1")
    if scheme == "positive" and section.degree == 2:
        message = "the scheme positive needs the lumped mass of degree 1"
        yield CaseError(message, key=joined(SECTION, "degree"), found=2, valid="1")
    if chemistry.radii and scheme not in ("imex-bdf2", "ark2", "ark3", "ark4"):
        found = "a steady state" if case.time is None else scheme
        message = "nonlocal reactions are explicit: they need a transient run by an IMEX scheme"
        valid = "imex-bdf2, ark2, ark3, ark4"
        yield CaseError(message, key="time.scheme", found=found, valid=valid)
