"""Where the two sides of a hybrid run are, and where they meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fem_rd.case.sections.hybrid import HybridSection
from fem_rd.case.sections.particle_places import MeshDomain
from fem_rd.errors import CaseError, nearest
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.region_arrays import region_arrays
from fem_rd.mesh.region_domain import borders
from fem_rd.models.particles.domain import domain_of
from fem_rd.particles.mesh_region import MeshRegion


@dataclass(frozen=True)
class Ground:
    """Where the sides are: the mesh, the region of the particles, and what is outside of it.

    ``region``: the cells for which the particles' ``domain`` stands, the same where it has no form
    of its own. ``walls``: those of the domain behind which the PDE begins; ``boundaries``: those of
    the PDE's mesh behind which the particles are. Where facets between the two have a name for
    which the case says what happens, they are no part of the interface.
    """

    whole: Domain
    outside: tuple[str, ...]
    region: MeshRegion
    domain: Any
    walls: tuple[str, ...]
    boundaries: tuple[str, ...]

    @classmethod
    def of(cls, section: HybridSection, whole: Domain) -> Ground:
        """As the section says; `CaseError` for what the mesh does not have. Collective."""
        if section.region not in whole.regions:
            hint = nearest(section.region, whole.regions)
            raise CaseError(f"the mesh has no such region{hint}", key="hybrid.region",
                            found=section.region, valid=whole.regions)  # fmt: skip
        outside = tuple(name for name in whole.regions if name != section.region)
        if not outside:
            raise CaseError("is the whole mesh: nothing is left for the PDE", key="hybrid.region",
                            found=section.region, valid="one of several regions")  # fmt: skip
        cells = region_arrays(whole, section.region)
        if cells is None:
            raise TypeError("the cells are on every rank")
        region = MeshRegion(cells)
        told = {name for part in section.species.values() for name in part.boundaries}
        beyond = borders(whole, outside).get(section.region, ())
        boundaries = tuple(name for name in beyond if name not in told)
        if not boundaries:
            raise CaseError("there is no interface: the region touches no other one, or only where "
                            "the case has boundaries", key="hybrid.region",
                            found=section.region)  # fmt: skip
        if isinstance(section.domain, MeshDomain):
            sides = borders(whole, section.region).values()
            walls = dict.fromkeys(name for names in sides for name in names if name not in told)
            return cls(whole, outside, region, region, tuple(walls), boundaries)
        domain = domain_of(section.domain)
        if section.interface not in domain.walls:
            raise CaseError("the domain has no such wall", key="hybrid.interface",
                            found=section.interface, valid=domain.walls)  # fmt: skip
        return cls(whole, outside, region, domain, (str(section.interface),), boundaries)

    @property
    def closed_form(self) -> bool:
        """Whether the particles have a domain of its own form."""
        return self.domain is not self.region
