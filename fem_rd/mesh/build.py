"""The domain of a case: made on rank 0 from what the case says, then distributed."""

from __future__ import annotations

from pathlib import Path

from mpi4py import MPI

from fem_rd.case.schema import BuiltinMesh, GeometryMesh, MeshSection
from fem_rd.log import Log
from fem_rd.mesh.builtin import builtin_mesh
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.imported import imported_mesh
from fem_rd.mesh.library import find_geometry
from fem_rd.mesh.packing import PackedMesh, pack
from fem_rd.parallel import on_root


def build_domain(
    section: MeshSection,
    comm: MPI.Comm,
    *,
    case_dir: Path,
    trust: bool = False,
    log: Log | None = None,
) -> Domain:
    """The mesh that the ``section`` describes, on all ranks, with its names. Collective.

    ``trust``: whether a geometry script of the case directory may do whatever Gmsh can.
    Raises `CaseError` on every rank where the mesh cannot be made.
    """
    log = log or Log(rank=comm.rank, quiet=True)
    made: list[PackedMesh] = []
    on_root(comm, lambda: made.append(_packed(section, case_dir, trust, log)))
    return distribute(made[0] if made else None, comm, log)


def _packed(section: MeshSection, case_dir: Path, trust: bool, log: Log) -> PackedMesh:
    if isinstance(section, BuiltinMesh):
        return pack(builtin_mesh(section))
    if isinstance(section, GeometryMesh):
        path, own = find_geometry(section.geometry, case_dir)
        geometry = Geometry(path, section.parameters, section.order, trusted=own or trust)
        return geometry_mesh(geometry, log)
    return imported_mesh(section, case_dir, log)
