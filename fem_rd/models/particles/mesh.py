"""Where particles of a case are that has a mesh."""

from __future__ import annotations

from fem_rd.case.sections.particle_places import MeshDomain
from fem_rd.errors import CaseError
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.region_arrays import region_arrays
from fem_rd.particles.mesh_region import MeshRegion


def region_of(section: MeshDomain, domain: Domain) -> MeshRegion:
    """The region, whole on every rank, as replicas are shared out. Collective.

    Raises `CaseError` where the section does not tell which it is, or cannot have it.
    """
    if section.region is None and len(domain.regions) > 1:
        message = "the mesh has several regions: the key is missing"
        raise CaseError(message, key="particles.domain.region", valid=domain.regions)
    try:
        cells = region_arrays(domain, section.region)
    except CaseError as error:
        raise error.at(key="particles.domain") from None
    if cells is None:
        raise TypeError("the cells are on every rank")
    return MeshRegion(cells)
