"""What a reaction-diffusion section must satisfy on its mesh, checked before assembly."""

from __future__ import annotations

from collections.abc import Iterator

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.sections.reaction_diffusion import ReactionDiffusionSection
from fem_rd.errors import CaseError
from fem_rd.mesh.domain import Domain
from fem_rd.models.transport_checks import mistakes_of_motion, raise_together, unknown

SECTION = "reaction-diffusion"


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
    raise_together(found, domain)


def _regions(chemistry: Chemistry, domain: Domain) -> Iterator[CaseError]:
    for reaction, region in chemistry.regions.items():
        if region not in domain.regions:
            key = f"{joined('chemistry.reactions', reaction)}.region"
            yield unknown("region", region, key, domain.regions)


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
