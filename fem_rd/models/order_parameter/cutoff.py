"""A space that ends where the potential is high, instead of a potential that is cut off flat.

On a plateau a process diffuses, and adds modes of its own to the spectrum, which may be slower than
those of the wells. A space without the plateau has none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import Floats, Integers, MeshArrays, facets_of, row_keys


def below(arrays: MeshArrays, energy: Floats, highest: float) -> MeshArrays:
    """The cells all of whose corners lie at most ``highest`` above the lowest point.

    Of those in several pieces, the piece with the lowest point. ``energy`` (points,).
    Raises `CaseError` where no cell is left.
    """
    height = energy - np.nanmin(energy)
    kept = (height[arrays.cells] <= highest).all(axis=1)
    if not kept.any():
        message = "no cell of the grid lies below it"
        raise CaseError(message, key="order-parameter.highest", found=highest)
    cells = arrays.cells[kept]
    piece = _piece(cells, int(np.nanargmin(energy)), len(energy))
    cells, tags = cells[piece], arrays.cell_tags[kept][piece]
    used, numbers = np.unique(cells, return_inverse=True)
    renumbered = np.full(len(energy), -1, dtype=np.int64)
    renumbered[used] = np.arange(len(used))
    local = facets_of(arrays.shape)
    present = row_keys(cells[:, local].reshape(-1, local.shape[1]), len(energy))
    sides = np.isin(row_keys(arrays.facets, len(energy)), present)
    left = set(np.unique(arrays.facet_tags[sides]))
    return replace(
        arrays,
        points=arrays.points[used],
        cells=numbers.reshape(cells.shape),
        cell_tags=tags,
        facets=renumbered[arrays.facets[sides]],
        facet_tags=arrays.facet_tags[sides],
        boundaries={name: tag for name, tag in arrays.boundaries.items() if tag in left},
    )


def _piece(cells: Integers, point: int, count: int) -> Integers:
    """The cells that hang together with the one that has the point, or with the most."""
    first = np.repeat(cells[:, 0], cells.shape[1] - 1)
    links = coo_array((np.ones(len(first), dtype=np.int8), (first, cells[:, 1:].ravel())),
                      shape=(count, count))  # fmt: skip
    _, piece = connected_components(links, directed=False)
    of_cell = piece[cells[:, 0]]
    wanted = piece[point] if piece[point] in of_cell else np.bincount(of_cell).argmax()
    chosen: Integers = of_cell == wanted
    return chosen
