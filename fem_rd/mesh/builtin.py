"""Structured meshes of an interval, a rectangle and a box, in simplices.

A rectangle's cells are halved along the rising diagonal; a box's are cut into the six tetrahedra
around its main diagonal, which have no obtuse angle between faces: the stiffness matrix has no
positive entry off its diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from math import prod

import numpy as np

from fem_rd.case.base import joined
from fem_rd.case.schema import BuiltinMesh
from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import Integers, MeshArrays

_REST = "domain"  # the region of all cells that belong to no other
_SHAPES = {1: "interval", 2: "triangle", 3: "tetrahedron"}
_SIDES = {
    1: (("left", "right"),),
    2: (("left", "right"), ("bottom", "top")),
    3: (("left", "right"), ("front", "back"), ("bottom", "top")),
}


def builtin_mesh(section: BuiltinMesh) -> MeshArrays:
    """The mesh with its sides as boundaries; cells of no region of the section are `domain`.

    Raises `CaseError` for regions that overlap.
    """
    counts = section.cells
    steps = tuple(prod(count + 1 for count in counts[axis + 1 :]) for axis in range(len(counts)))
    axes = [
        np.linspace(low, high, count + 1)
        for low, high, count in zip(section.lower, section.upper, counts, strict=True)
    ]
    points = np.stack([line.ravel() for line in np.meshgrid(*axes, indexing="ij")], axis=1)
    cells = _simplices(counts, steps)
    tags, regions = _regions(section)
    sides = _sides(counts, steps)
    return MeshArrays(
        shape=_SHAPES[len(counts)],
        order=1,
        points=points,
        cells=cells,
        cell_tags=np.repeat(tags.ravel(), len(cells) // tags.size),
        facets=np.concatenate(list(sides.values())),
        facet_tags=np.repeat(np.arange(1, len(sides) + 1), [len(side) for side in sides.values()]),
        regions=regions,
        boundaries={name: tag for tag, name in enumerate(sides, start=1)},
    )


def _regions(section: BuiltinMesh) -> tuple[Integers, dict[str, int]]:
    """The tag of each cell of the grid, in its shape, and the tags of the names."""
    tags = np.ones(section.cells, dtype=np.int32)
    named = {_REST: 1, **{name: tag for tag, name in enumerate(section.regions, start=2)}}
    for name in section.regions:
        place = tags[tuple(map(slice, *section.region_range(name)))]
        key = joined("mesh.regions", name)
        if name == _REST:
            raise CaseError(f"{_REST!r} is what cells of no region are called", key=key)
        if (place != 1).any():
            other = next(other for other, tag in named.items() if tag == place.max())
            raise CaseError(f"the region overlaps the region {other!r}", key=key)
        place[...] = named[name]
    return tags, {name: tag for name, tag in named.items() if (tags == tag).any()}


def _simplices(counts: Sequence[int], steps: Sequence[int]) -> Integers:
    """Corners of the simplices of a grid: one axis after another, in each order of the axes.

    ``counts`` of grid cells and ``steps`` in point number along each axis.
    """
    lowest = np.zeros(1, dtype=np.int64)
    for count, step in zip(counts, steps, strict=True):
        lowest = (lowest[:, None] + step * np.arange(count)).ravel()
    paths = np.array([np.cumsum((0, *path)) for path in permutations(steps)])
    return (lowest[:, None, None] + paths).reshape(-1, len(counts) + 1)


def _sides(counts: Sequence[int], steps: Sequence[int]) -> dict[str, Integers]:
    """Facets of each side by its name."""
    sides: dict[str, Integers] = {}
    for axis, (low, high) in enumerate(_SIDES[len(counts)]):
        rest = [other for other in range(len(counts)) if other != axis]
        facets = _simplices([counts[other] for other in rest], [steps[other] for other in rest])
        sides[low], sides[high] = facets, facets + counts[axis] * steps[axis]
    return sides
