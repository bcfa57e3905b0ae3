"""Meshes of parametric Gmsh geometries, made once and kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fem_rd.errors import CaseError, nearest
from fem_rd.log import Log
from fem_rd.mesh.arrays import SIMPLICES, Integers, MeshArrays
from fem_rd.mesh.cache import cached, mesh_key
from fem_rd.mesh.curving import SurfaceMesh, curved, refined, unfolded
from fem_rd.mesh.geo_text import declared_parameters, without_comments
from fem_rd.mesh.gmsh_extraction import extract, surface_middles
from fem_rd.mesh.gmsh_session import (
    ALGORITHMS,
    MeshingError,
    generate,
    gmsh_session,
    gmsh_version,
    parse,
)
from fem_rd.mesh.packing import PackedMesh, pack
from fem_rd.mesh.trust import check_geometry


@dataclass(frozen=True)
class Geometry:
    """A geometry script with values for its parameters, and the mesh wanted of it.

    ``refinements``: how often each cell of Gmsh's mesh is split at its edges' middles.
    ``trusted``: whether the script may do whatever Gmsh can.
    """

    path: Path
    parameters: Mapping[str, float]
    order: int = 2
    refinements: int = 0
    trusted: bool = False


def geometry_mesh(geometry: Geometry, log: Log) -> PackedMesh:
    """The mesh of a geometry, from the cache where it is known.

    Raises `CaseError` for an unknown parameter, a script that is not trusted, missing names, and
    whatever Gmsh says is wrong.
    """
    text = _text(geometry.path)
    try:
        _check_parameters(geometry.parameters, declared_parameters(text))
        harmless = _harmless(text, geometry.trusted)
        if not harmless:  # it may include other files, whose changes the cache would not notice
            return _made(geometry, geometry.path, log)
        key = mesh_key(
            text=text,
            parameters=dict(geometry.parameters),
            order=geometry.order,
            refinements=geometry.refinements,
            gmsh=gmsh_version(),
        )
        return cached(key, lambda: _made_from_text(geometry, text, log), log)
    except CaseError as error:
        raise error.at(file=geometry.path) from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"the geometry cannot be read: {error}", file=path) from None


def _check_parameters(given: Mapping[str, float], declared: Mapping[str, str]) -> None:
    for name in given:
        if name not in declared:
            message = f"the geometry has no parameter {name!r}{nearest(name, declared)}"
            raise CaseError(message, valid=declared)


def _harmless(text: str, trusted: bool) -> bool:
    """Whether the script only describes a geometry. Raises `CaseError` unless it is trusted."""
    try:
        check_geometry(text)
    except CaseError:
        if not trusted:
            raise
        return False
    return True


def _made_from_text(geometry: Geometry, text: str, log: Log) -> PackedMesh:
    """The mesh of the script's ``text`` alone: what lies beside the file cannot take part."""
    with tempfile.TemporaryDirectory(prefix="fem-rd-") as folder:
        path = Path(folder) / geometry.path.name
        path.write_text(without_comments(text) + "\n", encoding="utf-8")
        try:
            return _made(geometry, path, log)
        except CaseError as error:
            message = error.message.replace(f"{folder}/", "")
            raise CaseError(message, found=error.found, valid=error.valid) from None


def _made(geometry: Geometry, path: Path, log: Log) -> PackedMesh:
    """The mesh that Gmsh makes of the script at ``path``, by the first algorithm that can."""
    *others, last = ALGORITHMS
    for algorithms in others:
        try:
            return _packed(geometry, path, algorithms, log)
        except MeshingError as error:
            log.warning(f"{error}; trying another algorithm")
    return _packed(geometry, path, last, log)


def _packed(geometry: Geometry, path: Path, algorithms: Mapping[str, int], log: Log) -> PackedMesh:
    arrays = _meshed(geometry, path, algorithms, log)
    with log.phase("mesh: order"):
        return pack(arrays)


def _meshed(geometry: Geometry, path: Path, algorithms: Mapping[str, int], log: Log) -> MeshArrays:
    with gmsh_session(log, algorithms) as gmsh:
        with log.phase("mesh: geometry"):
            parse(gmsh, str(path), geometry.parameters)
        generate(gmsh, log)
        with log.phase("mesh: extraction"):
            arrays, tags = extract(gmsh)
        with log.phase("mesh: curved surface"):
            return unfolded(_shaped(gmsh, arrays, tags, geometry), log)


def _shaped(gmsh: Any, arrays: MeshArrays, tags: Integers, geometry: Geometry) -> MeshArrays:
    """The mesh refined and of the order that is wanted. Gmsh loses its cells."""
    divisions = geometry.order * 2**geometry.refinements
    if divisions == 1:
        return arrays
    if arrays.shape not in SIMPLICES:
        message = "order 2 and refinements need triangles or tetrahedra: take order = 1"
        raise CaseError(message, found=arrays.shape)
    mesh = SurfaceMesh(arrays, tags, surface_middles(gmsh, divisions))
    for _ in range(geometry.refinements):
        mesh = refined(mesh)
    return curved(mesh) if geometry.order == 2 else mesh.arrays
