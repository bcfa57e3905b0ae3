"""From the meshed model in Gmsh's memory to arrays, with the names of its physical groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import Floats, Integers, MeshArrays, facets_of
from fem_rd.mesh.curving import SurfaceMiddles
from fem_rd.mesh.file_mesh import CELL_TYPES, in_dimension, node_order

# Gmsh's numbers of first-order cells and their facets, and meshio's name of the cell
_CELLS = {1: "line", 2: "triangle", 3: "quad", 4: "tetra", 5: "hexahedron"}
_FACETS = {1: 15, 2: 1, 3: 1, 4: 2, 5: 3}
_ENTITIES = ("Point", "Curve", "Surface", "Volume")


@dataclass(frozen=True)
class _Group:
    """A physical group: its name and tag, and the tags of its entities."""

    name: str
    tag: int
    entities: tuple[int, ...]


def extract(gmsh: Any) -> tuple[MeshArrays, Integers]:
    """The straight mesh of the model and Gmsh's tags of its nodes, shape (nodes,).

    Raises `CaseError` where names are missing or doubled and for cells of several kinds.
    """
    dim = gmsh.model.getDimension()
    regions, boundaries = _groups(gmsh, dim), _groups(gmsh, dim - 1)
    if not boundaries:
        what = f"Physical {_ENTITIES[dim - 1]}"
        raise CaseError(f'the geometry names no boundary: add {what}("name") = {{...}};')
    if not regions:
        everything = tuple(tag for _, tag in gmsh.model.getEntities(dim))
        regions = [_Group("domain", 1, everything)]
    _refuse_same_names([*regions, *boundaries])
    kind = _cell_kind(gmsh, dim)
    tags, points = _nodes(gmsh, dim)
    number = np.zeros(int(tags.max()) + 1, dtype=np.int64)
    number[tags] = np.arange(len(tags))
    shape, order = CELL_TYPES[_CELLS[kind]].shape, node_order(_CELLS[kind])
    cells, cell_tags = _elements(gmsh, kind, len(order), regions)
    facets, facet_tags = _elements(gmsh, _FACETS[kind], facets_of(shape).shape[1], boundaries)
    arrays = MeshArrays(
        shape=shape,
        order=1,
        points=points,
        cells=number[cells][:, order],
        cell_tags=cell_tags,
        facets=number[facets],
        facet_tags=facet_tags,
        regions={group.name: group.tag for group in regions},
        boundaries={group.name: group.tag for group in boundaries},
    )
    return arrays, tags


def surface_middles(gmsh: Any, size: int) -> SurfaceMiddles:
    """Where the edges of the model's surface mesh have their middles, when halved until ``size``.

    ``size`` is a power of 2: each edge of the mesh is divided into so many. The cells inside are
    lost: Gmsh curves the surface alone.
    """
    dim = gmsh.model.getDimension()
    gmsh.model.mesh.clear(gmsh.model.getEntities(dim))
    gmsh.model.mesh.setOrder(size)
    tags, points = _nodes(gmsh, dim)
    number = np.zeros(int(tags.max()) + 1, dtype=np.int64)
    number[tags] = np.arange(len(tags))
    base = len(number)
    halves = [np.zeros((0, 3), dtype=np.int64)]
    for kind in gmsh.model.mesh.getElementTypes(dim - 1) if dim > 1 else ():
        _, _, _, width, lattice, _ = gmsh.model.mesh.getElementProperties(kind)
        nodes = gmsh.model.mesh.getElementsByType(kind)[1].astype(np.int64).reshape(-1, width)
        halves.append(nodes[:, _halvings(np.reshape(lattice, (width, -1)), size)].reshape(-1, 3))
    first, second, middle = np.concatenate(halves).T
    keys, place = np.unique(
        np.minimum(first, second) * base + np.maximum(first, second), return_index=True
    )
    middle = middle[place]
    return SurfaceMiddles(base, keys, middle, points[number[middle]])


def _halvings(lattice: Floats, size: int) -> Integers:
    """Ends and middle of each edge that appears when an element is halved until ``size``.

    ``lattice`` (nodes, dim): reference coordinates of the element's nodes. Shape (n, 3).
    """
    if lattice.shape[1] == 1:  # Gmsh's reference line goes from -1 to 1
        lattice = 0.5 * (lattice + 1.0)
    places = {tuple(point): node for node, point in enumerate(np.rint(lattice * size).astype(int))}
    directions: list[tuple[int, ...]] = [(1,)]
    if lattice.shape[1] == 2:
        directions = [(1, 0), (0, 1), (-1, 1)]
    found = []
    step = size
    while step > 1:
        for start, node in places.items():
            for direction in directions:
                end = tuple(s + step * d for s, d in zip(start, direction, strict=True))
                middle = tuple(s + step // 2 * d for s, d in zip(start, direction, strict=True))
                if end in places and not any(s % step for s in start):
                    found.append((node, places[end], places[middle]))
        step //= 2
    return np.array(found, dtype=np.int64)


def _groups(gmsh: Any, dim: int) -> list[_Group]:
    """The physical groups of dimension ``dim``; each entity is in one. Raises `CaseError`."""
    groups = []
    owner: dict[int, str] = {}
    for _, tag in gmsh.model.getPhysicalGroups(dim):
        name = gmsh.model.getPhysicalName(dim, tag)
        what = f"Physical {_ENTITIES[dim]}"
        if not name:
            raise CaseError(f'{what}({tag}) has no name: write {what}("name", {tag})')
        entities = tuple(int(e) for e in gmsh.model.getEntitiesForPhysicalGroup(dim, tag))
        for entity in entities:
            if entity in owner:
                message = f"{_ENTITIES[dim].lower()} {entity} of the geometry has two names"
                raise CaseError(message, found=f"{owner[entity]}, {name}")
            owner[entity] = name
        groups.append(_Group(name, int(tag), entities))
    return groups


def _refuse_same_names(groups: list[_Group]) -> None:
    names = [group.name for group in groups]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CaseError("several physical groups have the same name", found=", ".join(twice))


def _cell_kind(gmsh: Any, dim: int) -> int:
    """Gmsh's number of the one kind of cells. Raises `CaseError` for none or several."""
    kinds = [int(kind) for kind in gmsh.model.mesh.getElementTypes(dim)]
    if len(kinds) != 1 or kinds[0] not in _CELLS:
        found = [gmsh.model.mesh.getElementProperties(kind)[0] for kind in kinds]
        message = "a mesh needs cells of one kind"
        raise CaseError(message, found=", ".join(found) or "none", valid=", ".join(_CELLS.values()))
    return kinds[0]


def _nodes(gmsh: Any, dim: int) -> tuple[Integers, Floats]:
    """Tags and coordinates of all nodes. Raises `CaseError` for a surface that is not flat."""
    tags, coordinates, _ = gmsh.model.mesh.getNodes()
    return tags.astype(np.int64), in_dimension(coordinates.reshape(-1, 3), dim)


def _elements(gmsh: Any, kind: int, width: int, groups: list[_Group]) -> tuple[Integers, Integers]:
    """Node tags (n, width) and the group's tag of each element of the ``groups``."""
    nodes, tags = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
    for group in groups:
        for entity in group.entities:
            of_entity = gmsh.model.mesh.getElementsByType(kind, entity)[1]
            nodes.append(of_entity.astype(np.int64))
            tags.append(np.full(len(of_entity) // width, group.tag, dtype=np.int32))
    return np.concatenate(nodes).reshape(-1, width), np.concatenate(tags)
