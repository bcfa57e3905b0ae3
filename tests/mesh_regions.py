"""Regions of meshes for tests of particles, from arrays."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay

from fem_rd.case.schema import BuiltinMesh
from fem_rd.mesh.builtin import builtin_mesh
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import simplices
from fem_rd.particles.state import Population

KINDS = {1: "interval", 2: "rectangle", 3: "box"}


def box_region(counts, lower=None, upper=None, displaced=0.0, seed=1):
    """A structured mesh of a box; inner points are moved by parts of the length of a cell."""
    dim = len(counts)
    section = BuiltinMesh(
        builtin=KINDS[dim], lower=lower or [0.0] * dim, upper=upper or [1.0] * dim, cells=counts
    )
    mesh = builtin_mesh(section)
    points = mesh.points.copy()
    inner = np.all((points > section.lower) & (points < section.upper), axis=1)
    moves = np.random.default_rng(seed).uniform(-displaced, displaced, points.shape)
    sides = np.subtract(section.upper, section.lower)
    points[inner] += (moves * sides / np.array(counts))[inner]
    named = {name: mesh.facets[mesh.facet_tags == tag] for name, tag in mesh.boundaries.items()}
    return MeshRegion(simplices(points, mesh.cells, named))


def outer_facets(cells):
    """The facets that belong to one cell only."""
    width = cells.shape[1]
    facets = np.sort(np.concatenate([np.delete(cells, k, axis=1) for k in range(width)]), axis=1)
    found, count = np.unique(facets, axis=0, return_counts=True)
    return found[count == 1]


def disc_region(sides, half_angle):
    """A unit disc as a polygon; its sides within the angles -+half_angle are the wall "arc"."""
    in_arc = round(sides * half_angle / np.pi)
    arc = np.linspace(-half_angle, half_angle, in_arc + 1)
    rest = np.linspace(half_angle, 2 * np.pi - half_angle, sides - in_arc + 1)[1:-1]
    angle = np.concatenate([arc, rest])
    grid = np.arange(-1, 1, 2.5 / sides)
    inner = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    inner += np.random.default_rng(3).uniform(-0.2, 0.2, inner.shape) * 2.5 / sides
    inner = inner[np.linalg.norm(inner, axis=1) < 1 - 2.5 / sides]
    points = np.concatenate([np.stack([np.cos(angle), np.sin(angle)], axis=1), inner])
    cells = Delaunay(points).simplices
    facets = outer_facets(cells)
    named = np.all(facets <= in_arc, axis=1)
    return MeshRegion(simplices(points, cells, {"arc": facets[named], "rest": facets[~named]}))


def ball_region(count):
    """A ball as a polyhedron of so many nodes, of the volume of the unit ball; wall "outer"."""
    shells = []
    for radius in np.linspace(1, 0, round(np.sqrt(count) / 3), endpoint=False):
        nodes = max(4, round(count * radius**2))
        k = np.arange(nodes) + 0.5
        height, turn = 1 - 2 * k / nodes, np.pi * (1 + np.sqrt(5)) * k
        ring = np.sqrt(1 - height**2)
        shells.append(radius * np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1))
    points = np.concatenate(shells)
    cells = Delaunay(points).simplices
    unscaled = simplices(points, cells, {"outer": outer_facets(cells)})
    scale = (4 * np.pi / 3 / unscaled.volumes.sum()) ** (1 / 3)
    return MeshRegion(simplices(scale * points, cells, {"outer": outer_facets(cells)}))


def particles(points):
    """A population at the points (dimension, n)."""
    population = Population(len(points), cells=True)
    population.append(points, np.arange(points.shape[1]))
    return population


def exit_times(region, mobility, walls, points, seed):
    """When each particle left: the middle of that step. They leave sooner or later."""
    population, streams = particles(points), Streams(seed)
    times = np.empty(points.shape[1])
    for step in range(10**6):
        exits = region.move(population, mobility, walls, streams, step)
        times[population.id[exits.particle]] = (step + 0.5) * mobility.dt
        population.remove(exits.particle)
        if population.count == 0:
            return times
    raise TimeoutError("some particles never left")


def z_score(samples, expected):
    """How many standard errors the mean is from what it should be."""
    return (samples.mean() - expected) / (samples.std(ddof=1) / np.sqrt(samples.size))
