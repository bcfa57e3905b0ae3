"""Boxes and averages over balls for the tests of nonlocal reactions."""

from __future__ import annotations

from math import pi

import numpy as np
import ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from numpy.typing import NDArray

from fem_rd.numerics.ball_average import BallAverage

Array = NDArray[np.float64]

MEAN_DEPTH = {1: 1 / 4, 2: 2 / (3 * pi), 3: 3 / 16}
"""Mean of the positive part of z_1/sigma over a ball: what a wall takes off, over sigma V_sigma."""


def box(dim: int, cells: int, shape: mesh.CellType | None = None) -> mesh.Mesh:
    if dim == 1:
        return mesh.create_unit_interval(MPI.COMM_SELF, cells)
    if dim == 2:
        kind = shape or mesh.CellType.triangle
        return mesh.create_unit_square(MPI.COMM_SELF, cells, cells, kind)
    kind = shape or mesh.CellType.tetrahedron
    return mesh.create_unit_cube(MPI.COMM_SELF, cells, cells, cells, kind)


def shaken(dim: int, cells: int, amplitude: float = 0.2) -> mesh.Mesh:
    """The box with its inner nodes moved at random by up to a part of a cell."""
    domain = box(dim, cells)
    x = domain.geometry.x[:, :dim]
    inner = np.all((x > 1e-9) & (x < 1 - 1e-9), axis=1)
    steps = np.random.default_rng(3).uniform(-1, 1, x.shape)
    domain.geometry.x[inner, :dim] += amplitude / cells * steps[inner]
    return domain


def weights_of(space: fem.FunctionSpace) -> Array:
    return fem_petsc.assemble_vector(fem.form(ufl.TestFunction(space) * ufl.dx)).array_r.copy()


def positions(space: fem.FunctionSpace) -> Array:
    return space.tabulate_dof_coordinates()[:, : space.mesh.geometry.dim]


def averaging(space: fem.FunctionSpace, sigma: float) -> tuple[BallAverage, Array]:
    weights = weights_of(space)
    return BallAverage(space, weights, sigma), weights


def integrals(average: BallAverage, values: Array) -> Array:
    out = np.empty_like(values)
    average.apply(values, out)
    return out


def dense(average: BallAverage) -> Array:
    count = len(average.volumes)
    starts, columns, entries = average.matrix.getValuesCSR()
    found = np.zeros((count, count))
    found[np.repeat(np.arange(count), np.diff(starts)), columns] = entries
    return found
