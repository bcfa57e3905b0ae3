"""What a hybrid case must satisfy beyond what its sides ask for, and what is worth a warning."""

from __future__ import annotations

from collections.abc import Container, Iterator

import numpy as np
import numpy.typing as npt

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.sections.boundaries import FarField, Flux, Robin
from fem_rd.case.sections.hybrid import HybridSection, HybridSpecies
from fem_rd.errors import CaseError, CaseErrors, nearest
from fem_rd.hybrid.interface import Interface
from fem_rd.mesh.domain import Domain
from fem_rd.models.hybrid.ground import Ground
from fem_rd.models.hybrid.sides import MODEL, network_of
from fem_rd.models.particles.checks import check_case
from fem_rd.models.particles.rows import whole_steps

Array = npt.NDArray[np.float64]
EMPTY = 0.01  # of the largest concentration at the interface
FEW = 2.0  # particles' amounts at a node of the interface, below which debts delay transients
SLOW = 0.5  # relaxation below which a user is told
_UNLIKE, _OTHER = 0.05, 0.2  # differences of volume: worth a warning, and another place


def step_of(case: Case) -> float:
    """The step of the PDE; `CaseError` where there is none, or the run is no number of them."""
    step = check_case(case)
    if case.time is not None:
        whole_steps(case.time.end, step, "time.end")
    return step


def check_hybrid(case: Case, ground: Ground) -> None:
    """Raise `CaseErrors` with every mistake of names and radii, and a form that does not fit."""
    section: HybridSection = case.section
    found = [*_radii(case, section)]
    for name, species in section.species.items():
        found += _names(joined(f"{MODEL}.species", name), species, ground.whole)
        if ground.closed_form:
            found += _walls(joined(f"{MODEL}.species", name), species, ground)
    if ground.closed_form and abs(_excess(ground)) > _OTHER:
        found.append(CaseError("is not where the region is: their volumes differ by "
                               f"{abs(_excess(ground)):.0%}", key=f"{MODEL}.domain",
                               found=f"{ground.domain.volume:.6g}",
                               valid=f"the {ground.region.volume:.6g} of the region"))  # fmt: skip
    if found:
        raise CaseErrors(found)


def _radii(case: Case, section: HybridSection) -> Iterator[CaseError]:
    """A radius belongs to a reaction of two, and only here: the equations are local."""
    network, chemistry = network_of(case), case.chemistry
    for name in chemistry.radii if chemistry is not None else ():
        key = joined("chemistry.reactions", name) + ".radius"
        yield CaseError("in a hybrid run the radius is for the particles alone", key=key,
                        valid=joined(f"{MODEL}.radii", name))  # fmt: skip
    pairs = [
        one.name
        for one in network.reactions
        if sum(count for name, count in one.reactants if name not in network.chemostats) == 2
    ]
    for name in section.radii:
        if name not in pairs:
            message = f"no reaction of two has this name{nearest(name, pairs)}"
            yield CaseError(message, key=joined(f"{MODEL}.radii", name), valid=pairs or "no radius")


def _names(key: str, species: HybridSpecies, whole: Domain) -> Iterator[CaseError]:
    """Names that neither side would look for."""
    for name in species.boundaries:
        if name not in whole.boundaries:
            message = f"the mesh has no boundary of this name{nearest(name, whole.boundaries)}"
            yield CaseError(message, key=joined(f"{key}.boundaries", name), valid=whole.boundaries)
    for name in species.initial if isinstance(species.initial, dict) else ():
        if name not in whole.regions:
            message = f"the mesh has no region of this name{nearest(name, whole.regions)}"
            yield CaseError(message, key=joined(f"{key}.initial", name), valid=whole.regions)


def _walls(key: str, species: HybridSpecies, ground: Ground) -> Iterator[CaseError]:
    """Boundaries of the region that the domain, which stands for it, does not know."""
    for name in species.boundaries:
        if name in ground.region.walls and name not in ground.domain.walls:
            yield CaseError("is a boundary of the region, but no wall of the domain that stands "
                            "for it", key=joined(f"{key}.boundaries", name),
                            valid=ground.domain.walls)  # fmt: skip


def _excess(ground: Ground) -> float:
    return float(ground.domain.volume / ground.region.volume - 1.0)


def of_place(ground: Ground) -> Iterator[str]:
    """A warning where a closed form and the cells that it stands for differ."""
    if ground.closed_form and abs(_excess(ground)) > _UNLIKE:
        yield (
            f"the volume of the particles' domain differs by {_excess(ground):+.1%} from that of "
            "the region that it stands for: a finer mesh there, or other sizes"
        )


def of_step(relaxation: float, step: float) -> Iterator[str]:
    """A warning where particles see little of a change in each step."""
    if relaxation < SLOW:
        yield (
            f"the step of the PDE is long for the mesh at the interface: particles see only "
            f"{relaxation:.0%} of a change in each step; take time.step below "
            f"{step * (relaxation / (2 - relaxation)) ** 2:.2g} where transients matter"
        )


def least_amount(interface: Interface, concentrations: Array) -> float:
    """Particles' amounts at the interface's poorest node that is not as good as empty.

    inf where all are. Ahead of a front that only begins to arrive there is nothing to insert.
    """
    amounts = concentrations * interface.volumes / interface.weight
    found = amounts[concentrations > EMPTY * concentrations.max(initial=0.0)]
    return float(found.min(initial=np.inf))


def of_amounts(least: float) -> Iterator[str]:
    """A warning where nodes hold so little that taking one particle makes them negative."""
    if least < FEW:
        yield (
            f"a node of the interface holds {least:.2g} particles' amounts: insertion will often "
            f"have to wait, and transients with it; {FEW:g} are enough: more replicas that share "
            "the reservoir, or larger cells at the interface"
        )


def of_noise(case: Case, boundaries: Container[str]) -> Iterator[str]:
    """A warning where more changes the reservoirs than the diffusion whose noise they have.

    ``boundaries``: those of the reservoirs.
    """
    section: HybridSection = case.section
    silent = [one.name for one in network_of(case).reactions]
    silent += [
        f"{name} at {boundary}"
        for name, part in section.species.items()
        for boundary, kind in part.boundaries.items()
        if boundary in boundaries and isinstance(kind, Robin | Flux | FarField)
    ]
    if section.noise and silent:
        yield (
            "the noise of the reservoirs is that of diffusion; what goes on there with a rate of "
            f"its own brings none, and numbers vary less where it matters: {', '.join(silent)}"
        )
