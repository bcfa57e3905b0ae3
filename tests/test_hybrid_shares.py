"""Shares of a reservoir's nodes in reactions across an interface, against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hybrid_fields import cut_ball
from mpi4py import MPI
from scipy.integrate import quad
from test_region_domain import KINDS, three_regions

from fem_rd.case.schema import BuiltinMesh, GeometryMesh
from fem_rd.hybrid.shares import reservoir_shares
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.cut_balls import ball_volume
from fem_rd.mesh.cut_balls_inside import boundary_facets, inner_volumes
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.region_domain import domain_of_regions
from fem_rd.numerics.spaces import lagrange_space

H = 0.25


def halves(dim: int, across: int) -> Domain:
    """Cells of edge H on both sides of x = 0, `across` of them side by side."""
    sides = (across * H / 2,) * (dim - 1)
    section = BuiltinMesh(
        builtin=KINDS[dim], lower=(-4 * H, *(-side for side in sides)), upper=(4 * H, *sides),
        cells=(8, *[across] * (dim - 1)), regions={"inside": {"upper": (0.0, *sides)}},
    )  # fmt: skip
    return build_domain(section, MPI.COMM_SELF, case_dir=Path())


def mean_share(dim: int, radius: float, column: int) -> float:
    """The mean over the hat function of a column of nodes, with nothing but a plane near."""

    def missing(depth: float) -> float:
        hat = max(1 - abs(depth / H - column), 0.0)
        return hat * cut_ball(dim, radius, min(depth, radius))[0] / ball_volume(dim, radius)

    ends = max(column - 1, 0) * H, (column + 1) * H
    kinks = [x for x in (column * H, radius) if ends[0] < x < ends[1]]
    found, _ = quad(missing, *ends, points=kinks, epsabs=1e-12)
    return 1 - found / (H if column else H / 2)


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("radii", [0.2, 0.5, 1.0, 1.5, 2.9])
def test_shares_are_means_with_hat_functions(dim: int, radii: float) -> None:
    """Beside a plane, for radii from a fifth of a cell to three: what the equations take and what
    goes across is in sum what it should be, at each node."""
    whole, radius = halves(dim, {1: 0, 2: 8, 3: 8 if radii > 1 else 4}[dim]), radii * H
    reservoir = domain_of_regions(whole, ("domain",))
    share = reservoir_shares(whole, reservoir, radius)
    x = lagrange_space(reservoir.mesh, 1).tabulate_dof_coordinates()
    middle = np.abs(x[:, 1:]).max(axis=1) < 1e-9
    for column in range(4 - int(np.ceil(radii))):
        found = share[middle & np.isclose(x[:, 0], column * H)]
        assert found == pytest.approx(mean_share(dim, radius, column), abs=7e-5), column
    assert (share[x[:, 0] > radius + 1.001 * H] == 1.0).all()


def volumes_of(domain: Domain) -> np.ndarray:
    """The integrals of the hat functions."""
    space = lagrange_space(domain.mesh, 1)
    dim, nodes = domain.dimension, space.dofmap.list
    corners = space.tabulate_dof_coordinates()[nodes, :dim]
    cells = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / (2 if dim == 2 else 6)
    return np.bincount(nodes.ravel(), np.repeat(cells / (dim + 1), dim + 1))


def foreign(whole: Domain, regions: tuple[str, ...], radius: float) -> float:
    """How much of a domain's reactions is not its own, as a volume."""
    domain = domain_of_regions(whole, regions)
    return float(volumes_of(domain) @ (1.0 - reservoir_shares(whole, domain, radius)))


@pytest.mark.parametrize("dim", [2, 3])
def test_both_sides_lack_the_same(dim: int) -> None:
    """The integral of |ball and the other side| is that over all pairs across the interface.

    Around an inner square, with its corners, and for a sphere of facets that cells of another size
    are beyond; no wall is within the radius.
    """
    if dim == 2:
        section = BuiltinMesh(
            builtin="rectangle", upper=(1.0, 1.0), cells=(10, 10),
            regions={"inside": {"lower": (0.3, 0.3), "upper": (0.7, 0.7)}},
        )  # fmt: skip
        inner, outer, radii = ("inside",), ("domain",), (0.02, 0.08, 0.15)
    else:
        sizes = {"inner_radius": 1.0, "outer_radius": 3.0, "reactive_layer": 1.0, "size": 0.7}
        section = GeometryMesh(geometry="spherical-shell", order=1, parameters=sizes)
        inner, outer, radii = ("reactive_layer",), ("domain",), (0.5,)
    whole = build_domain(section, MPI.COMM_SELF, case_dir=Path())
    for radius in radii:
        first, second = (foreign(whole, side, radius) for side in (inner, outer))
        assert first == pytest.approx(second, rel=3e-4), radius
        area = 1.6 if dim == 2 else 4 * np.pi * 4 * 0.93
        plane = {2: 2 / (3 * np.pi), 3: 3 / 16}[dim] * area * radius  # of a long plane
        assert first == pytest.approx(plane, rel=0.1), radius


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_shares_at_walls(dim: int) -> None:
    """Walls cut both balls alike: beyond the radius of the interface the share is 1, and in one
    dimension the parts of both balls are known."""
    whole, sigma = three_regions(dim), 0.3
    reservoir = domain_of_regions(whole, ("domain", "far"))
    share = reservoir_shares(whole, reservoir, sigma)
    x = lagrange_space(reservoir.mesh, 1).tabulate_dof_coordinates()[:, :dim]
    distance = np.sqrt((np.maximum(x - 0.5, 0.0) ** 2).sum(axis=1))
    far = distance > sigma + 0.25 * np.sqrt(dim) * 1.001
    assert (share[far] == 1.0).all() and 0.4 < share.min() < 0.8
    assert (share[distance < sigma] < 1.0).all()
    if dim == 1:

        def missing(y: float, node: float) -> float:
            lost = max(0.5 - (y - sigma), 0.0) / (min(y + sigma, 1) - (y - sigma))
            return lost * max(1 - abs(y - node) / 0.25, 0.0)

        for node, found in zip(x[:, 0], share, strict=True):
            lower, upper = max(node - 0.25, 0.5), min(node + 0.25, 1.0)
            kinks = [y for y in (0.7, 0.75, 0.8) if lower < y < upper]
            lost, _ = quad(missing, lower, upper, args=(node,), points=kinks)
            assert found == pytest.approx(1 - lost / ((upper - lower) / 2), abs=1e-4)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_cut_balls_are_exact_beside_a_plane(dim: int) -> None:
    """For centres as near to it as they like, over corners and edges of facets, in the closed form
    of a cap."""
    reservoir = domain_of_regions(halves(dim, 4), ("domain",))
    facets, sigma = boundary_facets(reservoir.mesh), 0.3
    generator = np.random.default_rng(3)
    points = 0.19 * generator.random((500, dim))
    points[:, 0] = 0.35 * generator.random(500)
    points[:100, 0] = 10.0 ** generator.uniform(-15, -1, 100)
    points[100:130, 1:] = 0.0
    points[130:150, 1:] = points[130:150, 1:2]
    found = inner_volumes(points, *facets, sigma)
    caps = [cut_ball(dim, sigma, min(depth, sigma))[0] for depth in points[:, 0]]
    assert found == pytest.approx(ball_volume(dim, sigma) - np.array(caps), abs=1e-14)


def test_cut_balls_at_a_corner_and_within_reach_of_all_walls() -> None:
    """Of a cube: an eighth of the ball in the corner, all of the cube in a large one."""
    section = BuiltinMesh(builtin="box", upper=(1.0, 1.0, 1.0), cells=(2, 3, 4))
    facets = boundary_facets(build_domain(section, MPI.COMM_SELF, case_dir=Path()).mesh)
    corner = np.full((1, 3), 1e-9)
    assert inner_volumes(corner, *facets, 0.5) == pytest.approx(np.pi / 48, rel=1e-7)
    middle = np.array([[0.3, 0.6, 0.55]])
    assert inner_volumes(middle, *facets, 1.8) == pytest.approx(1.0, rel=1e-12)
    inscribed = np.pi * (4 * 0.6**3 / 3 - 6 * 0.1**2 * (3 * 0.6 - 0.1) / 3)
    assert inner_volumes(np.full((1, 3), 0.5), *facets, 0.6) == pytest.approx(inscribed, rel=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_cut_balls_at_an_edge_that_points_inwards(dim: int) -> None:
    """Three quarters of the ball beside the edge of the cell, also where one looks at the back of
    its faces."""
    reservoir = domain_of_regions(three_regions(dim), ("domain", "far"))
    offsets = 1e-9 * np.array([[-1.0, 2.0], [-2.0, 1.0], [1.0, 3.0], [2.0, -1.0]])
    points = np.full((len(offsets), dim), 0.25)
    points[:, :2] = 0.5 + offsets
    found = inner_volumes(points, *boundary_facets(reservoir.mesh), 0.2)
    assert found == pytest.approx(0.75 * ball_volume(dim, 0.2), rel=1e-7)
