"""Jump processes on meshes, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from numpy.typing import NDArray
from petsc4py import PETSc
from scipy.sparse import csr_array

from fem_rd.equations.order_parameter import stiffness
from fem_rd.models.assembly import OwnedVector
from fem_rd.numerics.markov import Edges, Generator
from fem_rd.numerics.periodic import Folding
from fem_rd.numerics.spaces import lagrange_space

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


_ALIVE: list[mesh.Mesh] = []  # PETSc's objects must not outlive the communicator of their mesh


def box(dimension: int, cells: int, low: float = 0.0, high: float = 1.0) -> mesh.Mesh:
    """A structured simplicial mesh of a cube."""
    corners = [np.full(dimension, low), np.full(dimension, high)]
    if dimension == 1:
        return mesh.create_interval(MPI.COMM_WORLD, cells, [low, high])
    if dimension == 2:
        return mesh.create_rectangle(MPI.COMM_WORLD, corners, [cells] * 2)
    return mesh.create_box(MPI.COMM_WORLD, corners, [cells] * 3)


def discretised(domain: mesh.Mesh, diffusion: object = 1.0) -> tuple[PETSc.Mat, Array, Array]:
    """Stiffness, volumes and positions of the owned nodes."""
    _ALIVE.append(domain)
    space = lagrange_space(domain, 1)
    trial, test = ufl.TrialFunction(space), ufl.TestFunction(space)
    coefficient = (
        ufl.as_matrix(diffusion) if isinstance(diffusion, list) else ufl.as_ufl(diffusion)
    )
    matrix = fem_petsc.assemble_matrix(fem.form(stiffness(coefficient, trial, test, ufl.dx)))
    matrix.assemble()
    owned = space.dofmap.index_map.size_local
    positions: Array = space.tabulate_dof_coordinates()[:owned]
    return matrix, OwnedVector(test * ufl.dx)(), positions


def process(domain: mesh.Mesh, potential: Function, diffusion: object = 1.0) -> tuple[
    Generator, Array
]:  # fmt: skip
    """The process in a potential of positions (n, 3), and the positions."""
    matrix, volumes, positions = discretised(domain, diffusion)
    return Generator(Edges(matrix), volumes, potential(positions)), positions


def torus(cells: Sequence[int], potential: Function, force: Sequence[float]) -> tuple[
    Generator, Array, Array
]:  # fmt: skip
    """The process on angles from 0 to 2 pi, positions, and the steps of its edges."""
    dimension, turn = len(cells), 2 * np.pi
    if dimension == 1:
        domain = mesh.create_interval(MPI.COMM_WORLD, cells[0], [0.0, turn])
    else:
        corners = [np.zeros(2), np.full(2, turn)]
        domain = mesh.create_rectangle(MPI.COMM_WORLD, corners, list(cells))
    matrix, volumes, unfolded = discretised(domain)
    ends = [0.0] * dimension, [turn] * dimension
    folding = Folding(unfolded, *ends, cells, [True] * dimension, MPI.COMM_WORLD)
    edges = Edges(folding.folded(matrix))
    positions = unfolded[folding.kept]
    along = [edges.at_ends(axis) for axis in positions[:, :dimension].T]
    steps = np.stack([high - low for low, high in along], axis=1)
    steps -= turn * np.rint(steps / turn)
    volumes = folding.sums(volumes)
    return Generator(edges, volumes, potential(positions), steps @ force), positions, steps


def whole(matrix: PETSc.Mat) -> csr_array:
    """A matrix of one rank for SciPy."""
    starts, columns, values = matrix.getValuesCSR()
    return csr_array((values, columns, starts), shape=matrix.getSize())
