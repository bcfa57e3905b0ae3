"""Meshes from geometries of the package and from texts, for tests."""

from __future__ import annotations

from pathlib import Path

from mpi4py import MPI

from fem_rd.case.schema import GeometryMesh
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.library import geometries


def meshed(name: str, order: int = 2, refinements: int = 0, **parameters: float) -> Domain:
    geometry = Geometry(geometries()[name], parameters, order, refinements)
    return distribute(geometry_mesh(geometry, Log(quiet=True)), MPI.COMM_SELF)


def own(folder: Path, text: str, **more: object) -> GeometryMesh:
    (folder / "own.geo").write_text(text)
    return GeometryMesh.model_validate({"geometry": "own.geo", **more})


def built(folder: Path, text: str, **more: object) -> Domain:
    return build_domain(own(folder, text, **more), MPI.COMM_SELF, case_dir=folder)
