"""Built-in meshes and what every mesh has: order, tags, volumes and areas."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import dolfinx.fem.petsc as petsc
import numpy as np
import pytest
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI

from fem_rd.case.schema import BuiltinMesh
from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import MeshArrays
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.builtin import builtin_mesh
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.morton import morton_codes
from fem_rd.mesh.packing import pack

BOX = BuiltinMesh(builtin="box", lower=(0.0, 1.0, -1.0), upper=(1.0, 3.0, 2.0), cells=(3, 4, 5))
RECTANGLE = BuiltinMesh(builtin="rectangle", lower=(0.0, 1.0), upper=(2.0, 2.5), cells=(4, 3))
INTERVAL = BuiltinMesh(builtin="interval", lower=(-1.0,), upper=(2.0,), cells=(7,))
SECTIONS = [INTERVAL, RECTANGLE, BOX]
# the axis that each side is perpendicular to
AXES = {
    "interval": {"left": 0, "right": 0},
    "rectangle": {"left": 0, "right": 0, "bottom": 1, "top": 1},
    "box": {"left": 0, "right": 0, "front": 1, "back": 1, "bottom": 2, "top": 2},
}


def domain_of(section: BuiltinMesh) -> Domain:
    return build_domain(section, MPI.COMM_SELF, case_dir=Path())


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.builtin)
def test_sizes(section: BuiltinMesh) -> None:
    domain = domain_of(section)
    lengths = np.subtract(section.upper, section.lower)
    assert domain.volume() == pytest.approx(prod(lengths), rel=1e-13)
    assert domain.volume("domain") == pytest.approx(prod(lengths), rel=1e-13)
    assert domain.boundaries.keys() == AXES[section.builtin].keys()
    for name, axis in AXES[section.builtin].items():
        expected = prod(np.delete(lengths, axis))
        assert domain.area(name) == pytest.approx(expected, rel=1e-13)
        assert domain.exterior(name)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.builtin)
def test_sides_are_where_their_names_say(section: BuiltinMesh) -> None:
    domain = domain_of(section)
    tagged = np.sort(domain.facet_tags.indices)
    assert np.array_equal(tagged, np.sort(dmesh.exterior_facet_indices(domain.mesh.topology)))
    high = ("right", "back", "top")
    for name, axis in AXES[section.builtin].items():
        facets = domain.facet_tags.find(domain.boundaries[name])
        middles = dmesh.compute_midpoints(domain.mesh, domain.mesh.topology.dim - 1, facets)
        plane = (section.upper if name in high else section.lower)[axis]
        assert np.allclose(middles[:, axis], plane, atol=1e-14)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.builtin)
def test_sizes_agree_with_forms(section: BuiltinMesh) -> None:
    domain = domain_of(section)
    one = fem.Constant(domain.mesh, 1.0)
    assert fem.assemble_scalar(fem.form(one * ufl.dx)) == pytest.approx(domain.volume(), rel=1e-13)
    ds = ufl.Measure("ds", domain.mesh, subdomain_data=domain.facet_tags)
    for name, tag in domain.boundaries.items():
        area = fem.assemble_scalar(fem.form(one * ds(tag)))
        assert area == pytest.approx(domain.area(name), rel=1e-13)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.builtin)
def test_stiffness_has_no_positive_entry_off_the_diagonal(section: BuiltinMesh) -> None:
    space = fem.functionspace(domain_of(section).mesh, ("Lagrange", 1))
    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    matrix = petsc.assemble_matrix(fem.form(ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx))
    matrix.assemble()
    dense = matrix.convert("dense").getDenseArray()
    assert np.max(dense - np.diag(np.diag(dense))) < 1e-13


def test_mesh_on_one_rank_equals_that_of_dolfinx() -> None:
    packed = pack(builtin_mesh(BOX))
    ours = distribute(packed, MPI.COMM_SELF).mesh
    element = ours.ufl_domain().ufl_coordinate_element()
    cells = packed.cells.astype(np.int64)
    theirs = dmesh.create_mesh(MPI.COMM_SELF, cells=cells, x=packed.points, e=element)
    for dim in range(4):
        for mesh in (ours, theirs):
            mesh.topology.create_entities(dim)
        counts = [mesh.topology.index_map(dim).size_global for mesh in (ours, theirs)]
        assert counts[0] == counts[1]
    assert np.array_equal(ours.topology.connectivity(3, 0).array.reshape(-1, 4), packed.cells)
    every = np.arange(len(cells), dtype=np.int32)
    centres = dmesh.compute_midpoints(ours, 3, every)
    original = theirs.topology.original_cell_index
    assert np.allclose(dmesh.compute_midpoints(theirs, 3, every), centres[original], atol=1e-15)


def test_cells_follow_each_other_in_space() -> None:
    section = BuiltinMesh(builtin="box", lower=(0.0,) * 3, upper=(1.0,) * 3, cells=(8, 8, 8))
    packed = pack(builtin_mesh(section))
    centres = packed.points[packed.cells].mean(axis=1)
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    shuffled = np.random.default_rng(0).permutation(centres)
    random_steps = np.linalg.norm(np.diff(shuffled, axis=0), axis=1)
    assert steps.mean() < 0.25 * random_steps.mean()
    assert (np.diff(morton_codes(centres).astype(np.int64)) >= 0).all()


def two_regions() -> MeshArrays:
    """A box whose upper half is a region of its own, with a boundary between the halves."""
    arrays = builtin_mesh(
        BuiltinMesh(builtin="box", lower=(0.0,) * 3, upper=(1.0,) * 3, cells=(2, 2, 2))
    )
    upper = arrays.points[arrays.cells].mean(axis=1)[:, 2] > 0.5
    top = arrays.facets[arrays.facet_tags == arrays.boundaries["top"]]
    between = top - 1  # points are numbered along z first
    return replace(
        arrays,
        cell_tags=np.where(upper, 7, 3),
        facets=np.concatenate([arrays.facets, between]),
        facet_tags=np.concatenate([arrays.facet_tags, np.full(len(between), 9)]),
        regions={"lower": 3, "upper": 7},
        boundaries={**arrays.boundaries, "between": 9},
    )


def test_regions_and_boundaries_inside() -> None:
    domain = distribute(pack(two_regions()), MPI.COMM_SELF)
    assert domain.volume("lower") == pytest.approx(0.5, rel=1e-13)
    assert domain.volume("upper") == pytest.approx(0.5, rel=1e-13)
    assert domain.area("between") == pytest.approx(1.0, rel=1e-13)
    assert not domain.exterior("between")
    assert domain.exterior("top")
    summary = domain.summary()
    assert [part.count for part in summary.regions] == [24, 24]
    assert {part.name: part.exterior for part in summary.boundaries}["between"] is False
    tags = domain.cell_tags.values
    assert (np.diff(tags) >= 0).all()  # cells of a region are together


def test_an_unknown_name_is_an_error() -> None:
    domain = domain_of(BOX)
    with pytest.raises(CaseError, match=r"no boundary named 'tops'; did you mean 'top'\?; valid"):
        domain.area("tops")
    with pytest.raises(CaseError, match="no region named 'bulk'; valid: domain"):
        domain.volume("bulk")


def test_unused_nodes_are_dropped_and_cells_turned_over() -> None:
    arrays = builtin_mesh(BOX)
    points = np.concatenate([[[9.0, 9.0, 9.0]], arrays.points])
    turned = arrays.cells.copy() + 1
    turned[::2, :2] = turned[::2, 1::-1]
    moved = replace(arrays, points=points, cells=turned, facets=arrays.facets + 1)
    packed = pack(moved)
    assert len(packed.points) == len(arrays.points)
    edges = packed.points[packed.cells[:, 1:]] - packed.points[packed.cells[:, :1]]
    assert (np.linalg.det(edges) > 0.0).all()
    assert distribute(packed, MPI.COMM_SELF).volume() == pytest.approx(6.0, rel=1e-13)


def mistakes() -> dict[str, tuple[MeshArrays, str]]:
    arrays = two_regions()
    double = np.concatenate([arrays.facets, arrays.facets[:1]])
    lost = np.concatenate([arrays.facets, [[0, 1, 26]]])
    flat = arrays.points.copy()
    flat[13] = flat[12]
    return {
        "twice": (
            replace(arrays, facets=double, facet_tags=np.append(arrays.facet_tags, 2)),
            "1 facets are in two boundaries, 'left' and 'right'",
        ),
        "lost": (
            replace(arrays, facets=lost, facet_tags=np.append(arrays.facet_tags, 2)),
            "1 facets of the boundary 'right' belong to no cell",
        ),
        "empty": (
            replace(arrays, boundaries={**arrays.boundaries, "none": 5000}),
            "the boundary 'none' .tag 5000. has no facet",
        ),
        "reserved": (
            replace(arrays, regions={"everywhere": 3, "upper": 7}),
            "no region can be called 'everywhere'",
        ),
        "flat": (replace(arrays, points=flat), "cells of the mesh are flat, the first near"),
    }


@pytest.mark.parametrize("kind", mistakes())
def test_mistakes_are_named(kind: str) -> None:
    arrays, message = mistakes()[kind]
    with pytest.raises(CaseError, match=message) as caught:
        pack(arrays)
    assert "\n" not in str(caught.value)


def test_a_facet_may_be_listed_twice_with_one_name() -> None:
    arrays = two_regions()
    again = replace(
        arrays,
        facets=np.concatenate([arrays.facets, arrays.facets[::-1, ::-1]]),
        facet_tags=np.concatenate([arrays.facet_tags, arrays.facet_tags[::-1]]),
    )
    domain = distribute(pack(again), MPI.COMM_SELF)
    assert domain.area("left") == pytest.approx(1.0, rel=1e-13)


def test_regions_are_the_cells_between_their_corners() -> None:
    regions = {"cell": {"upper": (0.5, 1.0, 1.0)}, "bath": {"lower": (1.5, 1 / 3, 0.5)}}
    section = BuiltinMesh(builtin="box", upper=(2, 1, 1), cells=(4, 3, 2), regions=regions)
    arrays = builtin_mesh(section)
    x = arrays.points[arrays.cells].mean(axis=1)
    bath = (x[:, 0] > 1.5) & (x[:, 1] > 1 / 3) & (x[:, 2] > 0.5)
    assert np.array_equal(arrays.cell_tags == arrays.regions["cell"], x[:, 0] < 0.5)
    assert np.array_equal(arrays.cell_tags == arrays.regions["bath"], bath)
    domain = domain_of(section)
    sizes = {part.name: part.size for part in domain.summary().regions}
    assert sizes == pytest.approx({"domain": 2 - 1 / 2 - 1 / 6, "cell": 1 / 2, "bath": 1 / 6})


def test_no_cell_is_left_over_where_regions_are_everything() -> None:
    halves = {"left": {"upper": 1.0}, "right": {"lower": 1.0}}
    section = BuiltinMesh(builtin="interval", upper=2.0, cells=4, regions=halves)
    assert set(builtin_mesh(section).regions) == {"left", "right"}


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ({"a": {"upper": 1.5}, "b": {"lower": 1.0}}, "overlaps the region 'a'"),
        ({"domain": {"upper": 1.0}}, "cells of no region"),
    ],
)
def test_regions_that_cannot_be(regions: dict, message: str) -> None:
    section = BuiltinMesh(builtin="interval", upper=2.0, cells=4, regions=regions)
    with pytest.raises(CaseError, match=message):
        builtin_mesh(section)
