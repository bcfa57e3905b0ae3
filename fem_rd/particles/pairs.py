"""Pairs of particles within a radius of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from fem_rd.particles.build import kernels, pointer
from fem_rd.particles.neighbours import Grid, Places, Sorted, Walled, extent, periodic_axes
from fem_rd.particles.state import Floats, Population
from fem_rd.particles.walls import Wall

_ROOM = 1 << 16  # pairs found at a time


def pairs_of(
    grid: Grid, radius: float, first: tuple[Population, Sorted], second: tuple[Population, Sorted]
) -> Iterator[tuple[Places, Places]]:
    """Places of the pairs within ``radius``, some at a time: views that the next ones overwrite.

    Populations come with the `Sorted` that has sorted them by the cells of ``grid``. With one and
    the same population twice, every pair of two of its particles comes once.
    """
    ffi, lib = kernels()
    cells, start = ffi.new("fem_rd_cells *"), ffi.new("int64_t *", 0)
    grid.fill(cells)
    (a, a_sorted), (b, b_sorted) = first, second
    ours, others = a_sorted.struct(a), b_sorted.struct(b)
    room = _ROOM
    while start[0] < a.count:
        found = np.empty((2, room), dtype=np.int32)
        rows = [pointer("int32_t *", row) for row in found]
        before = start[0]
        number = lib.fem_rd_pairs_within(cells, ours, others, radius, a is b, start, *rows, room)
        if number:
            yield found[0, :number], found[1, :number]
        if start[0] == before:
            room *= 4  # one particle has more neighbours than that


def pair_distances(
    domain: Walled,
    walls: Mapping[str, Wall],
    radius: float,
    first: Population,
    second: Population,
) -> Floats:
    """Distances of all pairs within ``radius``, in no order: sorts both populations by cell.

    Of one population with itself, each pair once; nearest images across periodic faces.
    """
    periodic = periodic_axes(domain, walls)
    grid = Grid.fitting(extent(domain), periodic, radius, max(first.count, second.count))
    a = Sorted()
    a.sort(first, grid)
    b = a if first is second else Sorted()
    if b is not a:
        b.sort(second, grid)
    sides = np.subtract(grid.upper, grid.lower)[:, None]
    repeated = np.where(np.array(periodic)[:, None], sides, np.inf)
    found = []
    for i, j in pairs_of(grid, radius, (first, a), (second, b)):
        apart = first.positions[:, i] - second.positions[:, j]
        with np.errstate(invalid="ignore"):
            images = np.where(np.isinf(repeated), 0.0, repeated * np.round(apart / repeated))
        found.append(np.sqrt(((apart - images) ** 2).sum(axis=0)))
    return np.concatenate(found) if found else np.empty(0)
