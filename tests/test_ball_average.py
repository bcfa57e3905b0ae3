"""Integrals over balls that the domain cuts: volumes, symmetry, accuracy, ranks."""

from __future__ import annotations

from math import asin, pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from ball_examples import (
    MEAN_DEPTH,
    averaging,
    box,
    dense,
    integrals,
    positions,
    shaken,
    weights_of,
)
from dolfinx import mesh
from mpi4py import MPI
from ranks import run_on_ranks
from scipy.integrate import quad

from fem_rd.errors import CaseError, NumericalError
from fem_rd.log import Log
from fem_rd.mesh.cut_balls import ball_volume, cut_volumes
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.library import geometries
from fem_rd.numerics.ball_average import BallAverage, node_sizes
from fem_rd.numerics.spaces import lagrange_space


def behind_a_plane(dim: int, depth: float, sigma: float) -> float:
    """Volume of the part of a ball on one side of a plane at ``depth`` from its centre."""
    u = min(depth / sigma, 1.0)
    disc = pi / 2 + asin(u) + u * sqrt(1 - u * u)
    return sigma**dim * (1 + u, disc, pi * (2 / 3 + u - u**3 / 3))[dim - 1]


PLANES = [
    (1, 40, 1, None, 1e-14),
    (2, 20, 1, None, 1e-5),
    (2, 12, 2, None, 1e-4),
    (2, 16, 1, mesh.CellType.quadrilateral, 1e-5),
    (3, 9, 1, None, 1e-4),
    (3, 6, 2, None, 1e-4),
    (3, 8, 1, mesh.CellType.hexahedron, 1e-4),
]


@pytest.mark.parametrize(("dim", "cells", "degree", "shape", "tolerance"), PLANES)
def test_ball_at_a_plane_wall_has_the_closed_form_volume(
    dim: int, cells: int, degree: int, shape: mesh.CellType | None, tolerance: float
) -> None:
    space = lagrange_space(box(dim, cells, shape), degree)
    sigma = 2.3 / cells
    x = positions(space)
    volumes = cut_volumes(space, sigma)
    away = np.all(np.minimum(x, 1 - x)[:, 1:] > sigma, axis=1)
    exact = [behind_a_plane(dim, min(depth, 1 - depth), sigma) for depth in x[away, 0]]
    assert volumes[away] == pytest.approx(exact, rel=tolerance)
    inside = np.all(np.minimum(x, 1 - x) > sigma, axis=1)
    assert np.count_nonzero(inside) > 3
    assert np.all(volumes[inside] == ball_volume(dim, sigma))
    corner = np.all((x < 1e-9) | (x > 1 - 1e-9), axis=1)
    assert volumes[corner] == pytest.approx(ball_volume(dim, sigma) / 2**dim, rel=1e-12)


def test_ball_reaches_straight_across_a_gap() -> None:
    line = mesh.create_unit_interval(MPI.COMM_SELF, 20)
    x = line.geometry.x[:, 0]
    gap = (x > 0.51) & (x < 0.59)  # of two cells, 0.5 to 0.6
    kept = np.flatnonzero(~gap[line.topology.connectivity(1, 0).array.reshape(-1, 2)].any(axis=1))
    parts, *_ = mesh.create_submesh(line, 1, kept.astype(np.int32))
    space = lagrange_space(parts, 1)
    volumes, nodes = cut_volumes(space, 0.25), positions(space)[:, 0]
    sides = ((0.0, 0.5), (0.6, 1.0))
    expected = [
        sum(max(0.0, min(high, y + 0.25) - max(low, y - 0.25)) for low, high in sides)
        for y in nodes
    ]
    assert len(nodes) == 20
    assert volumes == pytest.approx(expected, abs=1e-14)


def test_ball_at_a_reentrant_corner() -> None:
    square = box(2, 20)
    middles = mesh.compute_midpoints(square, 2, np.arange(800, dtype=np.int32))
    kept = np.flatnonzero(~np.all(middles[:, :2] > 0.5, axis=1)).astype(np.int32)
    shape, *_ = mesh.create_submesh(square, 2, kept)
    space, sigma = lagrange_space(shape, 1), 0.2
    x, volumes = positions(space), cut_volumes(space, sigma)
    for y in ((0.5, 0.5), (0.45, 0.45), (0.5, 0.45), (0.45, 0.6), (0.4, 0.5)):
        node = np.flatnonzero(np.abs(x - y).max(axis=1) < 1e-9)[0]

        def missing(z: float, y: tuple[float, float] = y) -> float:
            half = sqrt(max(0.0, sigma**2 - (z - y[0]) ** 2))
            return max(0.0, y[1] + half - max(0.5, y[1] - half))

        gone = quad(missing, 0.5, y[0] + sigma, points=[0.5 + 0.1], epsabs=1e-12, limit=200)[0]
        assert volumes[node] == pytest.approx(pi * sigma**2 - gone, rel=2e-5)


def test_ball_at_curved_walls() -> None:
    parameters = {"inner_radius": 1.0, "outer_radius": 2.0, "size": 0.4}
    geometry = Geometry(geometries()["spherical-shell"], parameters, 2, 0)
    shell = distribute(geometry_mesh(geometry, Log(quiet=True)), MPI.COMM_SELF).mesh
    space, sigma = lagrange_space(shell, 1), 0.8
    radii = np.linalg.norm(positions(space), axis=1)
    volumes = cut_volumes(space, sigma)
    exact = np.array([lens(r, sigma, 2.0) - lens(r, sigma, 1.0) for r in radii])
    assert np.abs(volumes / exact - 1).max() < 1e-3


def lens(distance: float, sigma: float, radius: float) -> float:
    """Common volume of two balls whose centres are at a distance."""
    if distance + sigma <= radius:
        return ball_volume(3, sigma)
    if distance >= sigma + radius:
        return 0.0
    overlap = sigma + radius - distance
    tail = distance**2 + 2 * distance * (sigma + radius) - 3 * (sigma - radius) ** 2
    return pi * overlap**2 * tail / (12 * distance)


@pytest.mark.parametrize(("dim", "cells", "degree"), [(1, 30, 1), (2, 14, 1), (3, 6, 1), (1, 20, 2),
                                                      (2, 8, 2), (3, 4, 2)])  # fmt: skip
def test_losses_are_symmetric_and_uniform_values_exact(dim: int, cells: int, degree: int) -> None:
    space = lagrange_space(shaken(dim, cells), degree)
    average, weights = averaging(space, 2.2 / cells)
    matrix = dense(average)
    pairs = weights[:, None] * matrix
    assert np.abs(pairs - pairs.T).max() < 1e-14 * np.abs(pairs).max()
    assert matrix.sum(axis=1) == pytest.approx(average.volumes, rel=2e-13)
    assert average.volumes == pytest.approx(cut_volumes(space, 2.2 / cells), rel=1e-15)
    if degree == 1:
        assert matrix.min() >= 0


def test_reach_beyond_the_domain_makes_it_well_mixed() -> None:
    space = lagrange_space(shaken(2, 6), 1)
    average, weights = averaging(space, 2.0)
    values = np.random.default_rng(1).random(len(weights))
    assert integrals(average, values) == pytest.approx(weights @ values, rel=1e-10)


def gaussian_pairs(dim: int, width: float, sigma: float) -> float:
    """Integral of c(y) c(z) over pairs within sigma, c = exp(-r^2/(2 width^2)) in all of space."""
    shell = quad(lambda r: r ** (dim - 1) * np.exp(-(r**2) / (4 * width**2)), 0, sigma)[0]
    return dim * ball_volume(dim, 1.0) * shell * (pi * width**2) ** (dim / 2)


@pytest.mark.parametrize(
    ("dim", "cells", "ratio", "tolerance"),
    [(1, 60, 3.0, 1e-3), (2, 40, 2.0, 4e-3), (2, 40, 4.0, 4e-3), (3, 20, 2.0, 1e-2)],
)
def test_pairs_of_a_peak_on_an_irregular_mesh(
    dim: int, cells: int, ratio: float, tolerance: float
) -> None:
    """The error is a small part of what the radius changes, which is 1 to 20 % here."""
    space = lagrange_space(shaken(dim, cells), 1)
    sigma, width = ratio / cells, 0.09
    average, weights = averaging(space, sigma)
    peak = np.exp(-((positions(space) - 0.5) ** 2).sum(axis=1) / (2 * width**2))
    found = weights @ (peak * integrals(average, peak))
    exact = gaussian_pairs(dim, width, sigma)
    local = ball_volume(dim, sigma) * (pi * width**2) ** (dim / 2)
    assert found == pytest.approx(exact, rel=tolerance)
    assert abs(found - exact) < 0.1 * abs(local - exact)


@pytest.mark.parametrize("dim", [1, 2])
def test_pairs_are_second_order_in_the_cells(dim: int) -> None:
    """At a fixed radius, up to the walls, c = 1 + cos(pi x)/2."""
    sigma, errors = 0.25, []
    exact = stripe_pairs(dim, sigma)
    for cells in (16, 32, 64):
        space = lagrange_space(box(dim, cells), 1)
        average, weights = averaging(space, sigma)
        stripes = 1 + 0.5 * np.cos(pi * positions(space)[:, 0])
        errors.append(abs(weights @ (stripes * integrals(average, stripes)) - exact))
    assert np.log2(errors[0] / errors[2]) / 2 == pytest.approx(2, abs=0.15)


def stripe_pairs(dim: int, sigma: float) -> float:
    """Integral of c(y) c(z) over pairs within sigma in the unit box, c = 1 + cos(pi x)/2."""

    def at(apart: float) -> float:
        """Pairs at a distance along x: their other coordinates, times c c along x."""
        half = sqrt(sigma**2 - apart**2)
        line = quad(lambda x: c(x) * c(x + apart), 0, 1 - apart, epsabs=1e-13)[0]
        return float(line * (1.0 if dim == 1 else 2 * half - half**2))

    def c(x: float) -> float:
        return 1 + 0.5 * float(np.cos(pi * x))

    return float(2 * quad(at, 0, sigma, epsabs=1e-11)[0])


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_radius_changes_the_interior_at_second_order(dim: int) -> None:
    """(W c)/V_sigma = c + sigma^2/(2 (dim + 2)) laplacian(c) + O(sigma^4)."""
    cells = {1: 200, 2: 60, 3: 24}[dim]
    space = lagrange_space(box(dim, cells), 1)
    x = positions(space)
    bent = (x**2).sum(axis=1)
    for ratio in (3.0, 4.5):
        sigma = ratio / cells
        average, _ = averaging(space, sigma)
        inside = np.all(np.minimum(x, 1 - x) > sigma + 4 / cells, axis=1)
        excess = (integrals(average, bent) / average.volumes - bent)[inside].mean()
        assert excess == pytest.approx(sigma**2 * dim / (dim + 2), rel=0.05)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_walls_take_off_a_first_order_term(dim: int) -> None:
    """Pairs in a uniform box: V_sigma (|box| - sigma g |walls| + O(sigma^2)), g in closed form."""
    cells, sigma = {1: (100, 0.04), 2: (40, 0.3), 3: (16, 7 / 16)}[dim]
    space = lagrange_space(box(dim, cells), 1)
    average, weights = averaging(space, sigma)
    missing = 1 - weights @ average.volumes / ball_volume(dim, sigma)
    first = sigma * MEAN_DEPTH[dim] * 2 * dim
    edges = {1: 0.0, 2: sigma**2 / (2 * pi), 3: 12 * sigma**2 / (10 * pi)}[dim]
    corners = {1: 0.0, 2: 0.0, 3: sigma**3 / (8 * pi)}[dim]
    assert missing == pytest.approx(first - edges + corners, rel=0.01)


def test_radius_below_the_cells_is_refused() -> None:
    space = lagrange_space(box(2, 10), 1)
    assert node_sizes(space) == pytest.approx(0.1, rel=1e-12)
    with pytest.raises(CaseError, match=r"up to 0\.1: refine the mesh, or leave the radius out"):
        BallAverage(space, weights_of(space), 0.09)


def test_matrix_that_does_not_fit_is_refused_before_it_is_made() -> None:
    space = lagrange_space(box(2, 30), 1)
    with pytest.raises(CaseError, match=r"reaches 9\d\d nodes from each.*use more ranks"):
        BallAverage(space, weights_of(space), 1.5, memory=1e6)


def test_weights_that_do_not_resolve_balls_are_a_numerical_failure() -> None:
    space = lagrange_space(box(1, 20), 1)
    weights = weights_of(space)
    weights[:8] = 0
    with pytest.raises(NumericalError, match="does not resolve the reaction radius"):
        BallAverage(space, weights, 0.06)


SCRIPT = """
import numpy as np, ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from petsc4py import PETSc
from fem_rd.numerics.ball_average import BallAverage
from fem_rd.numerics.spaces import lagrange_space
comm = MPI.COMM_WORLD
line, square = mesh.create_unit_interval(comm, 40), mesh.create_unit_square(comm, 12, 12)
for domain in (line, square, mesh.create_unit_cube(comm, 5, 5, 5)):
    for degree in (1, 2):
        space = lagrange_space(domain, degree)
        weights = fem_petsc.assemble_vector(fem.form(ufl.TestFunction(space) * ufl.dx))
        weights.ghostUpdate(PETSc.InsertMode.ADD, PETSc.ScatterMode.REVERSE)
        m = weights.array_r.copy()
        average = BallAverage(space, m, 0.31)
        x = space.tabulate_dof_coordinates()[:len(m)]
        values = 1 + x[:, 0] - np.sin(3 * x[:, 1]) * x[:, 0] + x[:, 2]**2
        out = np.empty_like(values)
        average.apply(values, out)
        local = [np.sum(out**2), m @ (values * out), m @ average.volumes, np.sum(average.volumes)]
        sums = [comm.allreduce(float(value)) for value in local]
        if comm.rank == 0:
            print(*(repr(value) for value in sums), flush=True)
"""


@pytest.mark.mpi
def test_same_numbers_on_every_number_of_ranks(tmp_path: Path) -> None:
    (tmp_path / "average.py").write_text(SCRIPT)
    printed = []
    for ranks in (1, 2, 3):
        done = run_on_ranks(ranks, "average.py", tmp_path)
        assert done.returncode == 0, done.stderr
        printed.append(np.array(done.stdout.split(), dtype=float))
    assert len(printed[0]) == 24
    assert printed[1] == pytest.approx(printed[0], rel=1e-11)
    assert printed[2] == pytest.approx(printed[0], rel=1e-11)
