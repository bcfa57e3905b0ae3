"""Regions of a domain as a domain of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from ranks import printed_on_ranks

from fem_rd.case.schema import BuiltinMesh
from fem_rd.errors import CaseError
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.builtin import builtin_mesh
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.packing import pack
from fem_rd.mesh.region_domain import borders, domain_of_regions

KINDS = {1: "interval", 2: "rectangle", 3: "box"}


def three_regions(dim: int, comm: MPI.Comm = MPI.COMM_SELF) -> Domain:
    """[0, 1]^dim: `cell` below 1/2 on all axes, `far` beyond x = 3/4, `domain` the rest."""
    regions = {
        "cell": {"upper": (0.5,) * dim},
        "far": {"lower": (0.75, *[0.0] * (dim - 1))},
    }
    section = BuiltinMesh(
        builtin=KINDS[dim], upper=(1.0,) * dim, cells=(4,) * dim, regions=regions
    )
    return build_domain(section, comm, case_dir=Path())


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_names_and_sizes(dim: int) -> None:
    whole = three_regions(dim)
    reservoir = domain_of_regions(whole, ("domain", "far"))
    inner, half = 0.5**dim, 0.5 ** (dim - 1)
    assert set(reservoir.regions) == {"domain", "far"}
    assert reservoir.volume() == pytest.approx(1 - inner, rel=1e-13)
    assert reservoir.volume("far") == pytest.approx(0.25, rel=1e-13)
    assert reservoir.area("to_cell") == pytest.approx(dim * half, rel=1e-13)
    assert reservoir.area("right") == pytest.approx(1.0, rel=1e-13)
    assert reservoir.exterior("to_cell") and reservoir.inside == frozenset()
    if dim == 1:
        assert set(reservoir.boundaries) == {"right", "to_cell"}
    else:
        assert reservoir.area("left") == pytest.approx(1 - half, rel=1e-13)
    cell = domain_of_regions(whole, "cell")
    assert cell.volume() == pytest.approx(inner, rel=1e-13)
    assert cell.area("to_domain") == pytest.approx(dim * half, rel=1e-13)


def test_all_regions_are_the_same_mesh() -> None:
    whole = three_regions(2)
    again = domain_of_regions(whole, tuple(whole.regions))
    assert again.summary() == whole.summary()


def test_what_is_across_the_border_of_regions() -> None:
    whole = three_regions(2)
    assert borders(whole, "cell") == {"domain": ("to_domain",)}
    assert borders(whole, "domain") == {"cell": ("to_cell",), "far": ("to_far",)}
    assert borders(whole, ("domain", "far")) == {"cell": ("to_cell",)}
    assert borders(whole, tuple(whole.regions)) == {}


def test_a_border_with_a_name_of_its_own_keeps_it() -> None:
    """On both sides; where it runs on within the regions, it lies inside of them."""
    section = BuiltinMesh(
        builtin="rectangle", upper=(1, 1), cells=(4, 4), regions={"cell": {"upper": (0.5, 0.5)}}
    )
    arrays = builtin_mesh(section)
    column = np.flatnonzero(arrays.points[:, 0] == 0.5)  # y = 0, 1/4, ...
    membrane = np.stack([column[:-1], column[1:]], axis=1)[1:3]  # 1/4 < y < 3/4
    arrays = replace(
        arrays,
        facets=np.concatenate([arrays.facets, membrane]),
        facet_tags=np.append(arrays.facet_tags, [9, 9]),
        boundaries={**arrays.boundaries, "membrane": 9},
    )
    whole = distribute(pack(arrays), MPI.COMM_SELF)
    assert borders(whole, "domain") == {"cell": ("to_cell", "membrane")}
    for name, other, inside in (("domain", "to_cell", True), ("cell", "to_domain", False)):
        part = domain_of_regions(whole, name)
        assert part.area("membrane") == pytest.approx(0.5 if inside else 0.25)
        assert part.area(other) == pytest.approx(0.75)
        assert ("membrane" in part.inside) == inside


def test_unknown_region() -> None:
    with pytest.raises(CaseError, match="no such region"):
        domain_of_regions(three_regions(1), "head")


RANKS = """
import json
import numpy as np
from mpi4py import MPI
from test_region_domain import three_regions
from fem_rd.mesh.measures import cell_volumes
from fem_rd.mesh.region_domain import borders, domain_of_regions
from fem_rd.numerics.spaces import lagrange_space

comm, results = MPI.COMM_WORLD, []
for dim in (1, 2, 3):
    whole = three_regions(dim, comm)
    for target in (comm, MPI.COMM_SELF):
        domain = domain_of_regions(whole, ("domain", "far"), target)
        owned = domain.mesh.topology.index_map(dim).size_local
        volumes = cell_volumes(domain.mesh, np.arange(owned, dtype=np.int32))
        rows = np.column_stack([domain.original_cells[:owned], domain.cell_tags.values[:owned],
            volumes])
        rows = np.concatenate(target.allgather(rows))
        rows = rows[np.argsort(rows[:, 0])]
        areas = {name: round(domain.area(name), 12) for name in domain.boundaries}
        found = rows[:, :2].tolist(), np.round(rows[:, 2], 12).tolist(), areas
        results.append([*found, borders(whole, "cell")])
everyone = comm.gather(results)
if comm.rank == 0:
    print(json.dumps(everyone))
"""


@pytest.mark.mpi
def test_any_number_of_ranks_has_the_same_mesh(tmp_path: Path) -> None:
    """Shared out, and whole on each rank."""
    each = [printed_on_ranks(ranks, RANKS, tmp_path) for ranks in (1, 2, 3)]
    results = [result for several in each for result in several]
    assert len(results) == 6
    assert all(result == results[0] for result in results)
    for dim, (shared, alone) in enumerate(zip(results[0][::2], results[0][1::2], strict=True)):
        assert shared == alone
        assert np.sum(shared[1]) == pytest.approx(1 - 0.5 ** (dim + 1))
