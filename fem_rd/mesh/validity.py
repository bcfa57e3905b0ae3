"""Cells that are the right way round, and words for those that cannot be used."""

from __future__ import annotations

import basix
import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import (
    SHAPES,
    SIMPLICES,
    Floats,
    Integers,
    corner_count,
    edges_of,
    geometry_element,
)

_CHUNK = 200_000  # cells whose Jacobians are in memory at a time
_FLAT = 1e-12  # of the cube of its size: the volume below which a cell counts as flat
_STRAIGHT = 1e-10  # of its length: how far from the middle the middle node of an edge may be
_LATTICE = 3  # the degree of det J of an order-2 tetrahedron: it is sampled on a lattice of that


def oriented(shape: str, order: int, points: Floats, cells: Integers) -> Integers:
    """The cells with those simplices turned over whose corners run the other way round.

    Raises `CaseError` where a cell is flat, or so curved or twisted that it folds over itself.
    """
    cells = cells.copy()
    if shape in SIMPLICES:
        for begin in range(0, len(cells), _CHUNK):
            _turn_over(shape, order, points, cells[begin : begin + _CHUNK])
    _refuse(folded(shape, order, points, cells), "folded over themselves", points, cells, order)
    return cells


def folded(shape: str, order: int, points: Floats, cells: Integers) -> Integers:
    """Indices of cells on whose inside det J is not positive, or changes its sign."""
    if shape in SIMPLICES and order == 1:
        return np.zeros(0, dtype=np.int64)
    bent: Integers = np.arange(len(cells))
    if shape in SIMPLICES:
        bent = np.flatnonzero(_curved(shape, points, cells))
    found: list[Integers] = [np.zeros(0, dtype=np.int64)]
    for begin in range(0, len(bent), _CHUNK):
        chunk = bent[begin : begin + _CHUNK]
        lowest, highest = _jacobians(shape, order, points, cells[chunk])
        right = (lowest > 0.0) | ((highest < 0.0) & (shape in SIMPLICES))
        found.append(chunk[~right])
    return np.concatenate(found)


def _turn_over(shape: str, order: int, points: Floats, cells: Integers) -> None:
    """Exchange the last two corners, and the nodes that follow them, of cells with det J < 0."""
    corners = corner_count(shape)
    edges = [points[cells[:, corner]] - points[cells[:, 0]] for corner in range(1, corners)]
    volumes = _determinant(np.stack(edges, axis=-1))
    sizes = np.max([np.abs(edge).max(axis=1) for edge in edges], axis=0)
    flat = np.flatnonzero(~(np.abs(volumes) > _FLAT * sizes ** (corners - 1)))
    _refuse(flat, "flat", points, cells, order)
    negative = np.flatnonzero(volumes < 0.0)
    cells[negative] = cells[negative][:, _exchange(shape, order)]


def _exchange(shape: str, order: int) -> Integers:
    """The permutation of a cell's nodes that exchanges its last two corners."""
    corners = corner_count(shape)
    places = np.arange(corners)
    places[-2:] = places[-2:][::-1]
    if order == 1:
        return places
    edges = [(int(a), int(b)) for a, b in edges_of(shape)]
    turned = [sorted((int(places[a]), int(places[b]))) for a, b in edges]
    moved = [edges.index((a, b)) for a, b in turned]
    return np.concatenate([places, corners + np.array(moved)])


def _curved(shape: str, points: Floats, cells: Integers) -> npt.NDArray[np.bool_]:
    """Which order-2 cells have a node in the middle of an edge that is not in the middle."""
    middles = cells[:, corner_count(shape) :]
    first = np.arange(len(points), dtype=np.int32)
    second = first.copy()
    for index, (a, b) in enumerate(edges_of(shape)):
        first[middles[:, index]] = cells[:, a]
        second[middles[:, index]] = cells[:, b]
    start, end = points[first], points[second]
    offset = np.abs(points - 0.5 * (start + end)).max(axis=1)
    curved = offset > _STRAIGHT * np.abs(end - start).max(axis=1)
    return curved[middles].any(axis=1)


def _jacobians(shape: str, order: int, points: Floats, cells: Integers) -> tuple[Floats, Floats]:
    """Smallest and greatest det J on a lattice of each cell, shapes (cells,)."""
    lattice = basix.create_lattice(SHAPES[shape], _LATTICE, basix.LatticeType.equispaced, True)
    gradients = geometry_element(shape, order).tabulate(1, lattice)[1:, :, :, 0]
    values = np.tensordot(points[cells], gradients, axes=(1, 2))  # cell, axis, direction, sample
    jacobians = _determinant(np.moveaxis(values, 3, 1))
    return jacobians.min(axis=1, initial=np.inf), jacobians.max(axis=1, initial=-np.inf)


def _determinant(matrices: Floats) -> Floats:
    """Determinants of 1x1 to 3x3 matrices, shape (..., n, n) -> (...): faster than LAPACK's."""
    if matrices.shape[-1] == 1:
        return matrices[..., 0, 0]
    if matrices.shape[-1] == 2:
        (a, b), (c, d) = np.moveaxis(matrices, (-2, -1), (0, 1))
        return a * d - b * c
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(matrices, (-2, -1), (0, 1))
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _refuse(bad: Integers, what: str, points: Floats, cells: Integers, order: int) -> None:
    """Raise `CaseError` where there are ``bad`` cells, with a place and what to do."""
    if not len(bad):
        return
    place = ", ".join(f"{x:.4g}" for x in points[cells[bad[0]]].mean(axis=0))
    straighter = ", or take order = 1" if order > 1 else ""
    raise CaseError(
        f"{len(bad)} cells of the mesh are {what}, the first near ({place}): "
        f"make the mesh finer there{straighter}"
    )
