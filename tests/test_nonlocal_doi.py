"""Doi's nonlocal reactions: integrals over cut balls, conservation, the limit of mass action."""

from __future__ import annotations

from collections.abc import Callable
from math import asin, pi, sqrt
from pathlib import Path

import numpy as np
import pytest
import ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from numpy.typing import NDArray
from ranks import run_on_ranks
from scipy.integrate import quad, solve_ivp

from fem_rd.case.expressions import Expression
from fem_rd.chemistry.equations import mass_action
from fem_rd.chemistry.network import Reaction
from fem_rd.equations.nonlocal_reaction import NonlocalReactions, changes_by_place
from fem_rd.errors import CaseError, NumericalError
from fem_rd.log import Log
from fem_rd.mesh.cut_balls import ball_volume, cut_volumes
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.library import geometries
from fem_rd.numerics.ball_average import BallAverage, node_sizes
from fem_rd.numerics.spaces import lagrange_space

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


# Reactions


def rate(value: float | str) -> Expression:
    return Expression.parse(str(value), names=("t", "x"), where=None)


def only(equation: str, value: float | str) -> Reaction:
    return mass_action({"r": (equation, rate(value), None)}).reactions[0]


def reactions_of(
    equation: str, value: float | str, average: BallAverage, species: str
) -> NonlocalReactions:
    return NonlocalReactions(tuple(species), [(only(equation, value), average)])


PLACES = [
    ("2 A -> 0", {"A": -1}, {"A": -1}),
    ("2 A -> A", {"A": 0}, {"A": -1}),
    ("2 A -> B", {"A": -1, "B": 1}, {"A": -1}),
    ("A + B -> 0", {"A": -1}, {"B": -1}),
    ("A + B -> C", {"A": -1, "C": 1}, {"B": -1}),
    ("A + B -> C + D", {"A": -1, "C": 1}, {"B": -1, "D": 1}),
    ("A + B -> 2 C", {"A": -1, "C": 1}, {"B": -1, "C": 1}),
    ("A + B -> 2 A", {"A": 0}, {"B": -1, "A": 1}),
    ("A + B -> B + C", {"A": -1, "C": 1}, {"B": 0}),
    ("A + B -> A", {"A": 0}, {"B": -1}),
    ("A + B -> 3 C", {"A": -1, "C": 2}, {"B": -1, "C": 1}),
]


@pytest.mark.parametrize(("equation", "first", "second"), PLACES)
def test_products_take_the_places_of_reactants(
    equation: str, first: dict[str, int], second: dict[str, int]
) -> None:
    assert changes_by_place(only(equation, 1.0)) == (first, second)


def test_uniform_reactants_react_by_mass_action_with_the_volume_of_the_ball() -> None:
    """2 A at the pair rate lambda: dc/dt = -lambda V c^2; the rate of events is half of that."""
    space = lagrange_space(shaken(2, 12), 1)
    average, weights = averaging(space, 0.2)
    c = np.array([np.full(len(weights), 1.7), np.full(len(weights), 0.4)])
    pair_rate = 3.0
    twice = reactions_of("2 A -> B", pair_rate / 2, average, "AB")
    out = np.zeros_like(c)
    twice.add_sources(0.0, c, out)
    assert out[0] == pytest.approx(-pair_rate * average.volumes * 1.7**2, rel=1e-12)
    assert out[1] == pytest.approx(pair_rate / 2 * average.volumes * 1.7**2, rel=1e-12)
    both = reactions_of("A + B -> 0", f"{pair_rate}*(1 + t)", average, "AB")
    out[:] = 1.0
    both.add_sources(0.5, c, out)
    expected = 1 - 1.5 * pair_rate * average.volumes * 1.7 * 0.4
    assert out == pytest.approx(np.array([expected, expected]), rel=1e-12)


@pytest.mark.parametrize("degree", [1, 2])
def test_what_one_loses_the_other_loses(degree: int) -> None:
    space = lagrange_space(shaken(2, 9), degree)
    average, weights = averaging(space, 0.25)
    values = np.random.default_rng(5).random((4, len(weights)))
    reactions = NonlocalReactions(
        ("A", "B", "C", "D"),
        [(only("A + B -> C + D", 2.0), average), (only("2 C -> A", "0.3"), average)],
    )
    out = np.zeros_like(values)
    reactions.add_sources(0.0, values, out)
    events = reactions.totals(0.0, values, weights)
    changes = np.array([[-1, 1], [-1, 0], [1, -2], [1, 0]])
    assert out @ weights == pytest.approx(changes @ events, rel=1e-12)
    near = [integrals(average, row) for row in values]
    at_a, at_b, at_c = (
        2 * values[0] * near[1],
        2 * values[1] * near[0],
        0.3 * values[2] * near[2],
    )
    places = [at_c - at_a, -at_b, at_a - 2 * at_c, at_b]
    assert out == pytest.approx(np.array(places), rel=1e-13)
    assert reactions.rates(0.0, values) @ weights == pytest.approx(events, rel=1e-14)
    assert np.all(events > 0)


def test_jacobian_is_the_derivative_for_smooth_changes() -> None:
    space = lagrange_space(box(1, 200), 1)
    average, _ = averaging(space, 0.02)
    x = positions(space)[:, 0]
    values = np.array([1 + 0.3 * np.cos(pi * x), 2 - np.cos(2 * pi * x), np.ones_like(x)])
    change = np.array([np.cos(pi * x), 1 + x, x])
    reactions = NonlocalReactions(
        ("A", "B", "C"), [(only("A + B -> 2 B", 2.0), average), (only("2 A -> C", 1.5), average)]
    )
    step, up, down = 1e-4, np.zeros_like(values), np.zeros_like(values)
    reactions.add_sources(0.0, values + step * change, up)
    reactions.add_sources(0.0, values - step * change, down)
    product = np.zeros_like(values)
    for (row, column), entry in zip(
        reactions.pattern, reactions.jacobian(0.0, values), strict=True
    ):
        product[row] += entry * change[column]
    assert reactions.pattern == ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))
    exact = (up - down) / (2 * step)
    assert np.abs(product - exact).max() < 0.01 * np.abs(exact).max()


# The limit of a small radius


def test_well_mixed_in_reach_decays_by_the_law_of_mass_action() -> None:
    """Everything within reach of everything: V = |domain|, and c stays uniform for ever."""
    space = lagrange_space(shaken(2, 5), 1)
    average, weights = averaging(space, 1.5)
    end = decayed(average, np.full(len(weights), 2.0), pair_rate=3.0, time=1.0)
    assert end == pytest.approx(2.0 / (1 + 3.0 * 2.0), rel=1e-9)


def decayed(average: BallAverage, initial: Array, pair_rate: float, time: float) -> Array:
    """The concentration of 2 A -> 0 after ``time`` without diffusion."""
    reactions = reactions_of("2 A -> 0", pair_rate / 2, average, "A")

    def slope(_: float, values: Array) -> Array:
        out = np.zeros((1, len(values)))
        reactions.add_sources(0.0, values[None], out)
        return out[0]

    done = solve_ivp(slope, (0, time), initial, method="DOP853", rtol=1e-11, atol=1e-13)
    return np.asarray(done.y[:, -1])


@pytest.mark.parametrize(("dim", "cells", "ratio"), [(1, 100, 4.3), (2, 40, 3.2), (3, 20, 1.6)])
def test_uniform_start_decays_by_mass_action_away_from_walls(
    dim: int, cells: int, ratio: float
) -> None:
    space, sigma = lagrange_space(box(dim, cells), 1), ratio / cells
    average, weights = averaging(space, sigma)
    k, time = 2.0, 0.2
    values = decayed(average, np.ones(len(weights)), k / ball_volume(dim, sigma), time)
    x = positions(space)
    middle = np.argmin(((x - 0.5) ** 2).sum(axis=1))
    assert values[middle] == pytest.approx(1 / (1 + k * time), rel=1e-6)
    corner = np.argmin((x**2).sum(axis=1))
    assert 1 / (1 + k * time) + 0.05 < values[corner] < 1


@pytest.mark.parametrize(("dim", "cells"), [(1, 160), (2, 64), (3, 20)])
def test_small_radius_tends_to_mass_action_at_second_order_in_the_interior(
    dim: int, cells: int
) -> None:
    """At fixed V_sigma lambda_0, without diffusion, far from walls: eq. 22-23."""
    k, time, errors = 2.0, 0.5, []
    space = lagrange_space(box(dim, cells), 1)
    x = positions(space)
    initial = 1 + 0.5 * np.prod(np.sin(pi * x), axis=1)
    middle = np.argmin(((x - 0.5) ** 2).sum(axis=1))
    sigmas = np.array([2.4, 3.2, 4.2]) / cells
    for sigma in sigmas:
        average, _ = averaging(space, sigma)
        found = decayed(average, initial, k / ball_volume(dim, sigma), time)[middle]
        errors.append(abs(found - initial[middle] / (1 + k * time * initial[middle])))
    assert order(sigmas, errors) == pytest.approx(2, abs=0.15)


def amount_left(
    sigma: float | None, initial: Callable[[Array], Array], time: float, layer: float = 0.0
) -> float:
    """Amount of A left by 2 A -> 0 with diffusion 1 and k = 4 on the unit line.

    Without a radius, mass action, with a supply of ``layer`` k c^2 at both walls.
    """
    space = lagrange_space(box(1, 200), 1)
    weights, k = weights_of(space), 4.0
    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    matrix = fem_petsc.assemble_matrix(fem.form(ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx))
    matrix.assemble()
    count = len(weights)
    diffusion = matrix.getValues(range(count), range(count)) / weights[:, None]
    x = positions(space)[:, 0]
    walls = np.where((x < 1e-9) | (x > 1 - 1e-9), layer / weights, 0.0)
    local = np.diag(1.0 - walls)
    ball = local if sigma is None else dense(averaging(space, sigma)[0]) / (2 * sigma)

    def slope(_: float, c: Array) -> Array:
        return -diffusion @ c - k * c * (ball @ c)

    def jacobian(_: float, c: Array) -> Array:
        return -diffusion - k * (np.diag(ball @ c) + c[:, None] * ball)

    done = solve_ivp(
        slope, (0, time), initial(x), method="Radau", jac=jacobian, rtol=1e-9, atol=1e-11
    )
    return float(weights @ done.y[:, -1])


def test_walls_make_the_limit_first_order_and_a_supply_at_them_accounts_for_it() -> None:
    """The loss that is missing at a wall is that of a layer of depth sigma/4, supplied there."""
    sigmas = np.array([0.04, 0.06, 0.09])
    exact = amount_left(None, np.ones_like, 0.1)
    bare, corrected = [], []
    for sigma in sigmas:
        found = amount_left(float(sigma), np.ones_like, 0.1)
        supplied = amount_left(None, np.ones_like, 0.1, MEAN_DEPTH[1] * float(sigma))
        bare.append(found - exact)
        corrected.append(abs(found - supplied))
    assert order(sigmas, bare) == pytest.approx(1, abs=0.15)
    # gradients are of first order, and a source within sigma of a wall acts as if it were there
    assert order(sigmas, corrected) == pytest.approx(3, abs=0.25)
    assert max(corrected) < 0.1 * max(bare)


def test_limit_is_second_order_with_diffusion_where_walls_do_not_matter() -> None:
    def peak(x: Array) -> Array:
        return 4 * np.exp(-((x - 0.5) ** 2) / (2 * 0.08**2))

    sigmas = np.array([0.02, 0.03, 0.045])
    exact = amount_left(None, peak, 0.005)
    errors = [amount_left(float(sigma), peak, 0.005) - exact for sigma in sigmas]
    assert order(sigmas, errors) == pytest.approx(2, abs=0.15)


def order(sigmas: Array, errors: list[float]) -> float:
    """Slope of the errors over the radii, both logarithmic."""
    return float(np.polyfit(np.log(sigmas), np.log(errors), 1)[0])


# What is refused, and ranks


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


MISTAKES = [
    ("A -> 0", 1.0, "two reactants, none of them a chemostat"),
    ("3 A -> 0", 1.0, "two reactants"),
    ("A + F -> 0", 1.0, "two reactants, none of them a chemostat"),
    ("A + B -> 0", "x", "may depend on time, not on place"),
]


@pytest.mark.parametrize(("equation", "value", "message"), MISTAKES)
def test_what_cannot_be_nonlocal(equation: str, value: float | str, message: str) -> None:
    average = averaging(lagrange_space(box(1, 10), 1), 0.3)[0]
    with pytest.raises(CaseError, match=message) as caught:
        reactions_of(equation, value, average, "AB")
    assert caught.value.key == "chemistry.reactions.r"


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
