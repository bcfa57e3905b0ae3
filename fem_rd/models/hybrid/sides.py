"""From a hybrid case to the cases of its two sides: a reaction-diffusion one and a particles one.

Each side is then built by what the model of that name is built of. Mistakes are found where the
sides are made, and told by the keys of the hybrid case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.schema import TimeSection
from fem_rd.case.sections.boundaries import (
    ZERO,
    Boundary,
    Dirichlet,
    Reflecting,
    Robin,
)
from fem_rd.case.sections.hybrid import HybridSection, HybridSpecies
from fem_rd.case.sections.particle_places import (
    AbsorbingWall,
    MeshDomain,
    OpenWall,
    PartiallyAbsorbingWall,
    ReflectingWall,
    WallSection,
)
from fem_rd.case.sections.particles import ParticleSpecies, ParticlesSection
from fem_rd.case.sections.reaction_diffusion import ReactionDiffusionSection, SpeciesSection
from fem_rd.chemistry.network import Network
from fem_rd.errors import CaseError, CaseErrors
from fem_rd.expressions.expression import Expression
from fem_rd.mesh.domain import Domain

MODEL = "hybrid"
FIELD, PARTICLES = "reaction-diffusion", "particles"
REACTIONS = "chemistry.reactions."
_WALLS = ("dirichlet", "robin with concentration 0", "reflecting")


def network_of(case: Case) -> Network:
    """The reactions of the case; without any, its species alone."""
    if case.chemistry is not None:
        return case.chemistry.network
    return Network(tuple(case.section.species), ())


def field_case(case: Case, domain: Domain) -> Case:
    """The reaction-diffusion case of the PDE on ``domain``: only its boundaries count."""
    section: HybridSection = case.section
    species = {
        name: SpeciesSection.model_construct(
            {"diffusion", "initial", "boundaries"},
            diffusion=Expression.constant(part.diffusion),
            initial=_initial_on(part, domain),
            boundaries={
                boundary: kind
                for boundary, kind in part.boundaries.items()
                if boundary in domain.boundaries
            },
        )
        for name, part in section.species.items()
    }
    made = ReactionDiffusionSection.model_construct(
        degree=1, species=species, probes=section.probes
    )
    chemistry = case.chemistry or Chemistry(network_of(case))
    return replace(case, model=FIELD, section=made, chemistry=chemistry)


def particle_case(
    case: Case, domain: Domain, walls: Sequence[str], interface: Sequence[str], chemistry: Chemistry
) -> Case:
    """The case of the particles, whose domain has ``walls``; those of the ``interface`` are open.

    ``chemistry``: with the rates of pairs in reach. The time step is a substep.
    """
    section: HybridSection = case.section
    crossing = OpenWall.model_construct(
        concentration=ZERO, scheme=section.scheme, width=section.width
    )
    species = {
        name: ParticleSpecies.model_construct(
            {"diffusion", "concentration", "walls"},
            diffusion=part.diffusion,
            concentration=_initial_in(part, section.region),
            walls={
                **dict(_walls(case, name, walls, domain)),
                **dict.fromkeys(interface, crossing),
            },
        )
        for name, part in section.species.items()
    }
    made = ParticlesSection.model_construct(
        domain=section.domain,
        species=species,
        replicas=section.replicas,
        seed=section.seed,
        measure=section.measure,
        averages=section.averages,
    )
    time = None if case.time is None else substep(case.time, section.substeps)
    known = chemistry if chemistry.network.reactions else None
    return replace(case, model=PARTICLES, section=made, chemistry=known, time=time)


def substep(time: TimeSection, substeps: int) -> TimeSection:
    """The time of the particles."""
    step = None if time.step is None else time.step / substeps
    return time.model_copy(update={"step": step})


@contextmanager
def keys_of_hybrid() -> Iterator[None]:
    """Let mistakes that are found on a side be told by the keys of the hybrid case."""
    try:
        yield
    except CaseError as error:
        raise _renamed(error) from None
    except CaseErrors as errors:
        raise CaseErrors([_renamed(error) for error in errors.errors]) from None


@contextmanager
def keys_of_radii() -> Iterator[None]:
    """Let what is said of the radius of a reaction be told by the key that a hybrid case has."""
    try:
        yield
    except CaseError as error:
        key = error.key or ""
        if not (key.startswith(REACTIONS) and key.endswith(".radius")):
            raise
        name = key.removeprefix(REACTIONS).removesuffix(".radius")
        raise replace_key(error, f"{MODEL}.radii.{name}") from None


def _renamed(error: CaseError) -> CaseError:
    if error.key is None:
        return error
    for side in (FIELD, PARTICLES):
        if error.key.startswith(f"{side}."):
            key = error.key.removeprefix(side).replace(".walls.", ".boundaries.")
            return replace_key(error, MODEL + key.replace(".concentration", ".initial"))
    return error


def replace_key(error: CaseError, key: str) -> CaseError:
    """The same mistake at another key."""
    return CaseError(error.message, file=error.file, key=key, found=error.found, valid=error.valid)


def _initial_on(part: HybridSpecies, domain: Domain) -> Expression | dict[str, Expression]:
    """Of the regions that the domain has."""
    if isinstance(part.initial, dict):
        return {name: one for name, one in part.initial.items() if name in domain.regions}
    return part.initial


def _initial_in(part: HybridSpecies, region: str) -> Expression:
    if isinstance(part.initial, dict):
        return part.initial.get(region, ZERO)
    return part.initial


def _walls(
    case: Case, species: str, walls: Sequence[str], domain: Domain
) -> Iterator[tuple[str, WallSection]]:
    """The boundaries of a species that are walls of the particles, in their microscopic form."""
    section: HybridSection = case.section
    boundaries: Mapping[str, Boundary] = section.species[species].boundaries
    for name, kind in boundaries.items():
        if name in walls:
            key = joined(joined(joined(f"{MODEL}.species", species), "boundaries"), name)
            yield name, _wall(kind, name, domain, section, key)


def _wall(
    kind: Boundary, name: str, domain: Domain, section: HybridSection, key: str
) -> WallSection:
    match kind:
        case Reflecting():
            return ReflectingWall()
        case Dirichlet():
            if kind.concentration.is_constant and kind.concentration.value == 0:
                return AbsorbingWall()
            return OpenWall.model_construct(
                concentration=kind.concentration, scheme=section.scheme, width=section.width
            )
        case Robin() if kind.concentration.is_constant and kind.concentration.value == 0:
            return _partially_absorbing(kind, name, domain, section, key)
    raise CaseError(
        "where particles are, a boundary cannot be this", key=key, found=kind.type, valid=_WALLS
    )


def _partially_absorbing(
    kind: Robin, name: str, domain: Domain, section: HybridSection, key: str
) -> PartiallyAbsorbingWall:
    """By area, as a boundary of the mesh may go on where the PDE is."""
    if kind.kappa is not None and not isinstance(section.domain, MeshDomain):
        return PartiallyAbsorbingWall(kappa=kind.kappa)  # over its exact area
    if kind.kappa is not None:
        reactivity = kind.kappa / domain.area(name)
    elif kind.reactivity is not None and kind.reactivity.is_constant:
        reactivity = kind.reactivity.value
    else:
        message = "the rate of a wall of particles must be a number"
        raise CaseError(message, key=joined(key, "reactivity"), found=str(kind.reactivity))
    return PartiallyAbsorbingWall(reactivity=reactivity)
