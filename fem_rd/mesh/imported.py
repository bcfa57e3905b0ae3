"""Existing meshes: Gmsh `.msh`, Abaqus `.inp`, XDMF and VTU, with their names.

Gmsh itself never opens a user's file: it would run a script that calls itself a mesh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fem_rd.case.schema import MeshFile
from fem_rd.errors import CaseError
from fem_rd.log import Log
from fem_rd.mesh.abaqus import read_abaqus
from fem_rd.mesh.arrays import Integers, MeshArrays, corner_count, facets_of
from fem_rd.mesh.curving import unfolded
from fem_rd.mesh.file_mesh import CELL_TYPES, Block, FileMesh, in_dimension, node_order
from fem_rd.mesh.packing import PackedMesh, pack

_TAG_ARRAYS = ("gmsh:physical", "medit:ref", "cell_tags", "tags", "tag")
_UNTAGGED = 0


def imported_mesh(section: MeshFile, case_dir: Path, log: Log) -> PackedMesh:
    """The mesh of a file of the case directory.

    Raises `CaseError` for a missing or unreadable file, for cells of several kinds, and for tags
    without a name.
    """
    path = case_dir / section.file
    if not path.is_file():
        raise CaseError("the mesh file does not exist", key="mesh.file", found=str(path))
    try:
        with log.phase("mesh: reading"):
            arrays = unfolded(_arrays(_read(path), section), log)
        with log.phase("mesh: order"):
            return pack(arrays)
    except CaseError as error:
        raise error.at(file=path) from None


def _read(path: Path) -> FileMesh:
    try:
        return read_abaqus(path) if path.suffix == ".inp" else _read_by_meshio(path)
    except CaseError:
        raise
    except Exception as error:  # a broken file makes readers fail in every possible way
        raise CaseError(f"the mesh cannot be read ({type(error).__name__}: {error})") from None


def _read_by_meshio(path: Path) -> FileMesh:
    """The mesh as meshio reads it, with the names of Gmsh's physical groups."""
    # each reader by itself: meshio.read ends the program where it fails
    if path.suffix == ".msh":
        from meshio.gmsh import read
    elif path.suffix == ".xdmf":
        from meshio.xdmf import read
    else:
        from meshio.vtu import read
    try:
        mesh = read(path)
    except KeyError as error:
        if path.suffix != ".xdmf":
            raise
        message = f"meshio cannot read such a mixture of cells from XDMF (type {error})"
        raise CaseError(f"{message}: write the mesh as .vtu or .msh") from None
    arrays = _tag_arrays(mesh.cell_data)
    blocks = []
    for index, block in enumerate(mesh.cells):
        tags = arrays[index] if arrays else np.full(len(block.data), _UNTAGGED)
        blocks.append(Block(block.type, block.data, np.ravel(tags).astype(np.int64)))
    names: dict[int, dict[str, int]] = {}
    for name, (tag, dim) in mesh.field_data.items():
        names.setdefault(int(dim), {})[name] = int(tag)
    return FileMesh(mesh.points, tuple(blocks), names)


def _tag_arrays(cell_data: Mapping[str, list[Any]]) -> list[Any]:
    """The numbers that say to which part a cell belongs, for each block; empty without any."""
    whole = [
        name
        for name, parts in cell_data.items()
        if all(np.size(part) == len(part) and np.all(np.mod(part, 1) == 0) for part in parts)
    ]
    known = [name for name in _TAG_ARRAYS if name in whole]
    if not known and len(whole) > 1:
        message = "which of the arrays of whole numbers are the tags? call it 'tags'"
        raise CaseError(message, found=", ".join(whole))
    return cell_data[(known or whole)[0]] if whole else []


def _arrays(mesh: FileMesh, section: MeshFile) -> MeshArrays:
    kind = _cell_kind(mesh)
    cell = CELL_TYPES[kind]
    width = facets_of(cell.shape).shape[1]
    facet_kinds = [
        name
        for name, facet in CELL_TYPES.items()
        if facet.dim == cell.dim - 1 and corner_count(facet.shape) == width
    ]
    cells, cell_tags = _joined(mesh, [kind])
    facets, facet_tags = _joined(mesh, facet_kinds, width)
    regions = _regions(mesh.names.get(cell.dim, {}), section.regions, cell_tags)
    boundaries = _boundaries(mesh.names.get(cell.dim - 1, {}), section.boundaries, facet_tags)
    named = np.isin(facet_tags, list(boundaries.values()))
    return MeshArrays(
        shape=cell.shape,
        order=cell.order,
        points=section.scale * in_dimension(mesh.points, cell.dim),
        cells=cells[:, node_order(kind)],
        cell_tags=cell_tags,
        facets=facets[named],
        facet_tags=facet_tags[named],
        regions=regions,
        boundaries=boundaries,
    )


def _cell_kind(mesh: FileMesh) -> str:
    """The one kind of the cells of highest dimension. Raises `CaseError` for none or several."""
    kinds = sorted({block.type for block in mesh.blocks if len(block.nodes)})
    unknown = [kind for kind in kinds if kind not in CELL_TYPES]
    if unknown:
        valid = ", ".join(CELL_TYPES)
        raise CaseError("cells of an unknown kind", found=", ".join(unknown), valid=valid)
    dim = max((CELL_TYPES[kind].dim for kind in kinds), default=0)
    highest = [kind for kind in kinds if CELL_TYPES[kind].dim == dim > 0]
    if len(highest) != 1:
        found = ", ".join(highest) or "none"
        raise CaseError("a mesh needs cells of one kind", found=found)
    return highest[0]


def _joined(
    mesh: FileMesh, kinds: Sequence[str], width: int | None = None
) -> tuple[Integers, Integers]:
    """The first ``width`` nodes (n, width) and the tags (n,) of all cells of these kinds."""
    blocks = [block for block in mesh.blocks if block.type in kinds]
    if not blocks:
        return np.zeros((0, width or 0), dtype=np.int64), np.zeros(0, dtype=np.int64)
    nodes = np.concatenate([block.nodes[:, :width] for block in blocks]).astype(np.int64)
    return nodes, np.concatenate([block.tags for block in blocks])


def _regions(own: dict[str, int], given: dict[str, int], tags: Integers) -> dict[str, int]:
    """Names of the regions. Raises `CaseError` for a number without a name."""
    present = {int(tag) for tag in np.unique(tags)}
    names = _named(own, given, present, "regions")
    if len(present) == 1 and not names:
        return {"domain": present.pop()}
    if _UNTAGGED in present - set(names.values()) and "domain" not in names:
        names["domain"] = _UNTAGGED
    _refuse_nameless(present - set(names.values()), "cells", "regions")
    return names


def _boundaries(own: dict[str, int], given: dict[str, int], tags: Integers) -> dict[str, int]:
    """Names of the boundaries. Raises `CaseError` for a number without a name, and without any."""
    present = {int(tag) for tag in np.unique(tags)}
    names = _named(own, given, present, "boundaries")
    if not present - {_UNTAGGED} and not names:
        raise CaseError(
            "the mesh has no tagged facets, so that no boundary has a name: "
            "the file must have them as cells of their own, with a number or a name"
        )
    _refuse_nameless(present - set(names.values()) - {_UNTAGGED}, "facets", "boundaries")
    return names


def _named(
    own: dict[str, int], given: dict[str, int], present: set[int], key: str
) -> dict[str, int]:
    """The names of the file and those ``given`` in the case, which go first; of what is there."""
    for name, tag in given.items():
        if tag not in present:
            found = ", ".join(map(str, sorted(present - {_UNTAGGED}))) or "(none)"
            message = f"the mesh has nothing with the number {tag}"
            raise CaseError(message, key=f"mesh.{key}.{name}", valid=found)
    names = {name: tag for name, tag in own.items() if tag in present and tag not in given.values()}
    for name in given:
        if name in names:
            message = f"the mesh has this name already, for the number {names[name]}"
            raise CaseError(message, key=f"mesh.{key}.{name}")
    return {**names, **given}


def _refuse_nameless(tags: set[int], what: str, key: str) -> None:
    if tags:
        numbers = ", ".join(map(str, sorted(tags)))
        raise CaseError(
            f"{what} of the mesh have numbers without a name ({numbers}): "
            f"write [mesh.{key}] name = {min(tags)} into the case file"
        )
