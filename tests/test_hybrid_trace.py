"""The side of a reservoir at an interface: feet, shares, gradients, and the way between ranks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from ranks import printed_on_ranks
from scipy.optimize import nnls
from test_region_domain import three_regions

from fem_rd.case.schema import GeometryMesh
from fem_rd.errors import CaseError
from fem_rd.hybrid.feet import FacetTrees
from fem_rd.hybrid.feet_bins import NearestFacet
from fem_rd.hybrid.node_exchange import NodeExchange
from fem_rd.hybrid.trace import Trace, trace_of
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.region_domain import domain_of_regions

SLOPE = np.array([2.0, -3.0, 5.0])


def reservoir_of(dim: int) -> Domain:
    return domain_of_regions(three_regions(dim), ("domain", "far"))


def linear(points: np.ndarray) -> np.ndarray:
    """A linear function of points (dim, n)."""
    return 1.0 + SLOPE[: len(points)] @ points


def polygon(sizes: np.ndarray) -> np.ndarray:
    """A closed, wavy curve of segments whose angles are in proportion to ``sizes``."""
    angle = np.concatenate([[0.0], np.cumsum(sizes)]) / sizes.sum() * 2 * np.pi
    radius = 1 + 0.3 * np.cos(5 * angle)
    nodes = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.stack([nodes[:-1], nodes[1:]], axis=1)


def soup(count: int, sizes: np.ndarray) -> np.ndarray:
    """Triangles anywhere, of any shape and size."""
    generator = np.random.default_rng(5)
    corners = generator.normal(size=(count, 3, 3)) * sizes[:, None, None]
    return corners + generator.uniform(-1, 1, (count, 1, 3))


def distances_by_search(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """To the nearest of all facets, each by least squares with weights that are not negative."""
    heavy, dim = 1e6, corners.shape[1]
    found = [
        nnls(np.vstack([facet.T, np.full((1, dim), heavy)]), np.append(point, heavy))[1]
        for point in points
        for facet in corners
    ]
    return np.reshape(found, (len(points), len(corners))).min(axis=1)


@pytest.mark.parametrize("search", [FacetTrees, NearestFacet])
@pytest.mark.parametrize(
    "corners",
    [
        polygon(np.ones(60)),
        polygon(np.geomspace(1, 300, 40)),
        soup(60, np.full(60, 0.3)),
        soup(60, np.geomspace(0.003, 2.0, 60)),
    ],
    ids=["curve", "graded curve", "triangles", "triangles of all sizes"],
)
def test_the_nearest_facet_is_the_nearest(
    corners: np.ndarray, search: type[FacetTrees] | type[NearestFacet]
) -> None:
    """Non-convex, and of sizes from 1 to 300 or more: compared with a search of all facets."""
    dim = corners.shape[1]
    points = np.random.default_rng(2).uniform(-1.5, 1.5, (200, dim))
    facet, weights, distance = search(corners)(points.T)
    feet = np.einsum("nk,nka->na", weights, corners[facet])
    assert weights.min() >= 0 and weights.sum(axis=1) == pytest.approx(1.0, abs=1e-13)
    assert np.linalg.norm(points - feet, axis=1) == pytest.approx(distance, rel=1e-12)
    assert distance == pytest.approx(distances_by_search(corners, points), rel=1e-6, abs=1e-8)


def test_bins_find_what_trees_find() -> None:
    """At points in new bins, in known and in crowded ones and outside of all."""
    generator = np.random.default_rng(6)
    middles = generator.normal(size=(500, 1, 3))
    middles /= np.linalg.norm(middles, axis=2, keepdims=True)
    corners = middles + soup(500, np.geomspace(0.01, 0.03, 500)) * 0.01
    points = generator.uniform(-1.5, 1.5, (3, 3000))
    points[:, :100] *= 0.01  # about as far from all of them
    trees, bins = FacetTrees(corners)(points), NearestFacet(corners)
    for rows in (slice(0, 1000), slice(0, 3000), slice(0, 3000)):
        facet, weights, distance = bins(points[:, rows])
        assert np.array_equal(facet, trees[0][rows])
        assert weights == pytest.approx(trees[1][rows], abs=1e-9)
        assert distance == pytest.approx(trees[2][rows], rel=1e-12)
    outside, crowded = bins._look(points, *(part.copy() for part in trees)), bins._bins == -2
    assert crowded.any() and 0 < outside < 3000


@pytest.mark.parametrize("height", [0.0, 1e-3, 0.03, 0.3])
def test_bins_find_what_trees_find_near_a_folded_surface(height: float) -> None:
    """Hills, valleys and a fold that hangs over: where one facet is not enough in a bin."""
    n = 14
    x, y = (one.ravel() for one in np.meshgrid(*[np.linspace(0, 1, n)] * 2, indexing="ij"))
    over = 0.25 * np.sin(9 * x) * np.cos(7 * y)
    places = np.stack([x + 0.2 * np.sin(12 * over), y, over], axis=1)
    first = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    cells = np.concatenate([first[:, None] + [0, n, n + 1], first[:, None] + [0, 1, n + 1]])
    generator = np.random.default_rng(7)
    corners = places[cells]
    chosen = corners[generator.integers(len(cells), size=20_000)]
    points = np.einsum("nk,nka->an", generator.dirichlet(np.ones(3), 20_000), chosen)
    points += height * generator.normal(size=points.shape)
    trees, bins = FacetTrees(corners)(points), NearestFacet(corners)(points)
    assert bins[2] == pytest.approx(trees[2], rel=1e-9, abs=1e-12)
    feet = [np.einsum("nk,nka->na", one[1], corners[one[0]]) for one in (bins, trees)]
    apart = np.linalg.norm(feet[0] - feet[1], axis=1)
    assert (apart < 1e-8).mean() > 0.9999  # in the middle between two both are right


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_values_and_deposits_are_those_of_hats(dim: int) -> None:
    """In one pass, at points in the bins and outside of them."""
    trace = trace_of(reservoir_of(dim), "to_cell", 0.1)
    generator = np.random.default_rng(8)
    low, high = trace.nodes.min(axis=0)[:, None] - 1, trace.nodes.max(axis=0)[:, None] + 1
    feet = trace.nodes[trace.facets].mean(axis=1).T
    points = np.concatenate([low + (high - low) * generator.random((dim, 500)), feet], axis=1)
    nodal, hats = generator.random(len(trace.nodes)), trace.at_feet(points)
    for _ in range(2):  # new bins, then known ones
        assert trace.values(nodal, points) == pytest.approx(hats.values(nodal), rel=1e-12)
        one, other = np.zeros((2, len(trace.nodes)))
        trace.deposit(points, -0.25, one)
        hats.deposit(-0.25, other)
        assert one == pytest.approx(other, rel=1e-12, abs=1e-12)
        assert one.sum() == pytest.approx(-0.25 * points.shape[1], rel=1e-12)


def test_a_point_of_a_facet_is_its_own_foot() -> None:
    corners = soup(300, np.geomspace(0.003, 2.0, 300))
    weights = np.random.default_rng(4).dirichlet(np.ones(3), 300)
    points = np.einsum("nk,nka->an", weights, corners)
    facet, found, distance = NearestFacet(corners)(points)
    assert np.array_equal(facet, np.arange(300))
    assert found == pytest.approx(weights, abs=1e-9) and distance.max() < 1e-13


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_arrays(dim: int) -> None:
    trace = trace_of(reservoir_of(dim), "to_cell", 0.1)
    middles = trace.nodes[trace.facets].mean(axis=1)
    assert trace.areas.sum() == pytest.approx(dim * 0.5 ** (dim - 1), rel=1e-13)
    # every face of the cell looks along its own axis, out of the cell
    assert np.array_equal(trace.normals, (middles == 0.5).astype(float))
    behind = trace.nodes[trace.cells[trace.facet_cells]]
    for corner in range(dim):
        assert (trace.facets[:, [corner]] == trace.cells[trace.facet_cells]).any(axis=1).all()
    assert (np.einsum("fa,fa->f", trace.normals, behind.mean(axis=1) - middles) > 0).all()
    assert np.array_equal(trace.nodes, trace.nodes[np.lexsort(trace.nodes.T[::-1])])


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("reach", [0.0, 0.1, 0.3])
def test_the_strip_has_all_that_is_within_reach(dim: int, reach: float) -> None:
    reservoir = reservoir_of(dim)
    trace = trace_of(reservoir, "to_cell", reach)
    points = np.random.default_rng(3).uniform(0, 1, (dim, 4000))
    outside = np.maximum(points - 0.5, 0.0)
    distance = np.sqrt((outside**2).sum(axis=0))
    near = (distance > 0) & (distance < reach)
    assert np.count_nonzero(near) > 100 or reach == 0
    located = trace.locate(points)
    assert (located[near] >= 0).all() and (located[distance == 0] < 0).all()
    diameter = 0.25 * np.sqrt(dim)
    assert (located[distance > reach + 2 * diameter] < 0).all()
    found, inside = trace.values_within(linear(trace.nodes.T), points)
    assert np.array_equal(inside, located >= 0) and not found[~inside].any()
    assert found[inside] == pytest.approx(linear(points[:, inside]), rel=1e-12)
    every = reservoir.mesh.topology.index_map(dim).size_local
    assert len(trace.cells) < every or reach > 0.1


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_values_gradients_and_means_of_a_linear_function(dim: int) -> None:
    trace = trace_of(reservoir_of(dim), "to_cell", 0.2)
    nodal = np.array([linear(trace.nodes.T), trace.nodes[:, 0]])
    points = np.random.default_rng(6).uniform(0, 0.5, (dim, 500))
    facet, weights = trace.feet(points)
    feet = np.einsum("nk,nka->an", weights, trace.nodes[trace.facets[facet]])
    assert trace.values(nodal, points)[0] == pytest.approx(linear(feet), rel=1e-13)
    # inside the cell the nearest face is that of the largest coordinate
    nearest = points.copy()
    nearest[points.argmax(axis=0), np.arange(500)] = 0.5
    assert feet == pytest.approx(nearest, abs=1e-13)
    assert trace.distances(points) == pytest.approx(0.5 - points.max(axis=0), abs=1e-13)
    assert trace.gradient(nodal)[0] == pytest.approx(trace.normals @ SLOPE[:dim], rel=1e-12)
    middles = trace.nodes[trace.facets].mean(axis=1)
    assert trace.facet_means(nodal)[0] == pytest.approx(linear(middles.T), rel=1e-13)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_deposits_keep_amount_and_place(dim: int) -> None:
    """Hat functions keep the amount and its mean position, at feet and in the strip."""
    trace = trace_of(reservoir_of(dim), "to_cell", 0.3)
    generator = np.random.default_rng(7)
    amounts = generator.normal(size=3000)
    points = generator.uniform(0, 1, (dim, 3000))
    within = points[:, trace.locate(points) >= 0]
    cases = ((trace.deposit, points), (trace.deposit_within, within))
    for deposit, places in cases:
        out = np.zeros(len(trace.nodes))
        given = amounts[: places.shape[1]]
        deposit(places, given, out)
        assert out.sum() == pytest.approx(given.sum(), abs=1e-11)
        if deposit == trace.deposit_within:
            assert out @ trace.nodes == pytest.approx(places @ given, abs=1e-11)
            assert out @ linear(trace.nodes.T) == pytest.approx(linear(places) @ given, abs=1e-10)
        deposit(places, -given, out)
        assert np.abs(out).max() < 1e-11
    on_interface = np.unique(trace.facets)
    out = np.zeros(len(trace.nodes))
    trace.deposit(points, 1.0, out)
    assert out.sum() == pytest.approx(3000, rel=1e-13)
    assert not np.delete(out, on_interface).any()
    with pytest.raises(ValueError, match="outside of the strip"):
        trace.deposit_within(np.full((dim, 1), 0.25), 1.0, out)


def test_several_boundaries_and_what_is_no_interface() -> None:
    middle = domain_of_regions(three_regions(2), "domain")
    trace = trace_of(middle, ("to_far", "to_cell"))
    areas = [trace.areas[trace.walls == wall].sum() for wall in (0, 1)]
    assert trace.names == ("to_far", "to_cell") and areas == pytest.approx([1.0, 1.0])
    with pytest.raises(CaseError, match="no boundary named"):
        trace_of(middle, "to_nowhere")


def spherical_trace() -> Trace:
    """The reservoir outside of a sphere of radius 1, in curved cells taken as straight."""
    section = GeometryMesh(
        geometry="spherical-shell", order=1, parameters={"inner_radius": 1.0, "outer_radius": 2.0}
    )
    domain = build_domain(section, MPI.COMM_SELF, case_dir=Path())
    inner = min(domain.boundaries, key=domain.area)
    return trace_of(domain, inner, 0.1)


def test_around_a_sphere() -> None:
    """Normals point outwards, areas add up to a closed surface, feet are under the points."""
    trace = spherical_trace()
    middles = trace.nodes[trace.facets].mean(axis=1)
    assert np.einsum("fa,fa->f", trace.normals, middles).min() > 0.9
    assert trace.areas @ trace.normals == pytest.approx(0.0, abs=1e-12)
    assert 0.9 < trace.areas.sum() / (4 * np.pi) < 1
    directions = np.random.default_rng(8).normal(size=(3, 2000))
    directions /= np.linalg.norm(directions, axis=0)
    for radius in (0.7, 0.9):
        facet, weights = trace.feet(radius * directions)
        feet = np.einsum("nk,nka->an", weights, trace.nodes[trace.facets[facet]])
        assert np.linalg.norm(feet - directions, axis=0).max() < 0.25


RANKS = """
import hashlib, json
import numpy as np
from mpi4py import MPI
from test_region_domain import three_regions
from test_hybrid_trace import linear
from fem_rd.hybrid.shares import reservoir_shares
from fem_rd.hybrid.trace import trace_of
from fem_rd.hybrid.node_exchange import NodeExchange
from fem_rd.mesh.region_domain import domain_of_regions
from fem_rd.numerics.spaces import lagrange_space

comm, results = MPI.COMM_WORLD, []
for dim in (1, 2, 3):
    whole = three_regions(dim, comm)
    domain = domain_of_regions(whole, ("domain", "far"))
    trace = trace_of(domain, "to_cell", 0.2)
    arrays = trace.nodes, trace.facets, trace.facet_cells, trace.areas, trace.normals, trace.cells
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))
    space = lagrange_space(domain.mesh, 1)
    owned = space.dofmap.index_map.size_local
    positions = space.tabulate_dof_coordinates()[:owned]
    exchange = NodeExchange(trace.nodes, positions, comm)
    values = np.array([linear(positions[:, :dim].T), positions[:, 0] ** 2])
    nodal = exchange.gather(values)
    right = np.array([linear(trace.nodes.T), trace.nodes[:, 0] ** 2])
    gathered = bool(np.abs(nodal - right).max() < 1e-13)
    amounts = (1 + comm.rank) * right
    mine = exchange.spread(amounts)
    times = comm.size * (comm.size + 1) / 2
    on = np.abs(mine).any(axis=0)
    spread = bool(np.abs(mine[:, on] - times * values[:, on]).max(initial=0) < 1e-12)
    total = comm.allreduce(mine.sum(axis=1) / times)
    nodes = comm.allreduce(int(on.sum()))
    shares = reservoir_shares(whole, domain, 0.3)
    rows = comm.allgather(np.column_stack([positions, shares]))
    everywhere = np.round(np.concatenate(rows), 9) + 0.0
    everywhere = everywhere[np.lexsort(everywhere[:, :3].T)]
    results.append([digest.hexdigest(), gathered, spread, np.round(total, 10).tolist(), nodes,
        everywhere.tolist()])
    alone = domain_of_regions(whole, ("domain", "far"), MPI.COMM_SELF)
    own = reservoir_shares(whole, alone, 0.3)
    x = np.round(lagrange_space(alone.mesh, 1).tabulate_dof_coordinates(), 9) + 0.0
    everywhere_alone = np.column_stack([x, own])[np.lexsort(x.T)]
    results[-1].append(bool(np.allclose(everywhere_alone, everywhere, atol=2e-9)))
    same = trace_of(alone, "to_cell", 0.2)
    results[-1].append(bool(np.array_equal(same.nodes, trace.nodes)))
everyone = comm.gather(results)
if comm.rank == 0:
    print(json.dumps(everyone))
"""


@pytest.mark.mpi
def test_any_number_of_ranks_has_the_same_trace(tmp_path: Path) -> None:
    """To the bit; what is gathered is what the owners have, and what is spread adds up."""
    each = [printed_on_ranks(ranks, RANKS, tmp_path) for ranks in (1, 2, 3)]
    results = [result for several in each for result in several]
    for result in results:
        assert result == results[0]
        assert all(one[1] and one[2] and one[6] and one[7] for one in result)


def test_positions_of_another_mesh_are_refused() -> None:
    trace = trace_of(reservoir_of(2), "to_cell")
    with pytest.raises(ValueError, match="not those of the nodes"):
        NodeExchange(trace.nodes, np.zeros((3, 3)), MPI.COMM_SELF)
