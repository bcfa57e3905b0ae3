"""Any number of ranks gives the same domain, and an error on one is an error on all."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from ranks import run_on_ranks

SCRIPT = """
import json
import sys
from pathlib import Path

import numpy as np
from dolfinx.mesh import compute_midpoints, exterior_facet_indices
from mpi4py import MPI

from fem_rd.case.schema import BuiltinMesh, GeometryMesh, MeshFile
from fem_rd.mesh.build import build_domain

KINDS = {"BuiltinMesh": BuiltinMesh, "GeometryMesh": GeometryMesh, "MeshFile": MeshFile}
comm = MPI.COMM_WORLD
kind, section = sys.argv[1], json.loads(sys.argv[2])
domain = build_domain(KINDS[kind].model_validate(section), comm, case_dir=Path())
mesh, tdim = domain.mesh, domain.mesh.topology.dim

# the place and region of each cell by its original number, from every rank that has it
owned = mesh.topology.index_map(tdim).size_local
cells = np.arange(len(domain.original_cells), dtype=np.int32)
places = compute_midpoints(mesh, tdim, cells)
table = {}
for number, place, tag in zip(domain.original_cells, places, domain.cell_tags.values):
    table[int(number)] = [int(tag), *(round(x, 9) for x in place)]
tables = comm.gather(table)
ghosts = comm.allreduce(len(cells) - owned)

# every facet that bounds the domain has a name, and ghosts agree with their owners
facets = domain.facet_tags.indices
middles = compute_midpoints(mesh, tdim - 1, facets)
named = {}
for place, tag in zip(middles, domain.facet_tags.values):
    named[str([round(float(x) + 0.0, 9) for x in place])] = int(tag)
all_named = comm.gather(named)
bare = len(np.setdiff1d(exterior_facet_indices(mesh.topology), facets))
bare = comm.allreduce(bare)

summary = domain.summary()
result = {
    "volume": domain.volume(),
    "regions": {name: domain.volume(name) for name in domain.regions},
    "boundaries": {name: domain.area(name) for name in domain.boundaries},
    "inside": sorted(domain.inside),
    "counts": [part.count for part in (*summary.regions, *summary.boundaries)],
}
if comm.rank == 0:
    merged, facets = {}, {}
    for table in tables:
        for number, entry in table.items():
            assert merged.setdefault(number, entry) == entry
    for some in all_named:
        for place, tag in some.items():
            assert facets.setdefault(place, tag) == tag
    assert sorted(merged) == list(range(summary.cells))
    result |= {"cells": merged, "facets": facets, "bare": bare, "ghosts": ghosts}
    print(json.dumps(result))
"""

LAYERS = {
    "geometry": "spherical-shell",
    "parameters": {"size": 0.5, "size_far": 1.0, "reactive_layer": 0.5, "outer_radius": 3.0},
}
BOX = {"builtin": "box", "lower": [0, 0, 0], "upper": [1, 2, 3], "cells": [3, 4, 5]}
INTERVAL = {"builtin": "interval", "lower": [0], "upper": [2], "cells": [9]}
TINY = {"builtin": "rectangle", "lower": [0, 0], "upper": [1, 1], "cells": [1, 1]}
# a surface between two regions has a name here
WALLS = """
SetFactory("OpenCASCADE");
Box(1) = {0, 0, 0, 1, 1, 1}; Box(2) = {1, 0, 0, 1, 1, 1};
Coherence;
Mesh.MeshSizeMax = 0.4;
Physical Volume("first") = {1}; Physical Volume("second") = {2};
Physical Surface("between") = {2};
outside() = Surface{:}; outside() -= {2};
Physical Surface("outside") = {outside()};
"""


def run(folder: Path, ranks: int, kind: str, section: object) -> CompletedProcess[str]:
    (folder / "domain.py").write_text(SCRIPT)
    (folder / "walls.geo").write_text(WALLS)
    return run_on_ranks(ranks, ["domain.py", kind, json.dumps(section)], folder)


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("kind", "section"),
    [
        ("GeometryMesh", LAYERS),
        ("GeometryMesh", {"geometry": "walls.geo", "order": 1}),
        ("BuiltinMesh", BOX),
        ("BuiltinMesh", INTERVAL),
        ("BuiltinMesh", TINY),
    ],
    ids=["layers", "walls", "box", "interval", "two cells"],
)
def test_ranks_agree(
    kind: str, section: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEM_RD_CACHE", str(tmp_path))
    results = []
    for ranks in (1, 2, 3):
        done = run(tmp_path, ranks, kind, section)
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout))
    one = results[0]
    assert one["bare"] == 0 and one["ghosts"] == 0
    for several in results[1:]:
        for part in ("cells", "facets", "inside", "counts", "bare"):
            assert several[part] == one[part], part
        assert several["volume"] == pytest.approx(one["volume"], rel=1e-12)
        assert several["regions"] == pytest.approx(one["regions"], rel=1e-12)
        assert several["boundaries"] == pytest.approx(one["boundaries"], rel=1e-12)
    if section is LAYERS:
        assert results[1]["ghosts"] > 0 and results[2]["ghosts"] > 0


FAILING = """
import sys
from pathlib import Path
from mpi4py import MPI
from fem_rd.case.schema import GeometryMesh
from fem_rd.errors import CaseError
from fem_rd.mesh.build import build_domain

radii = {"inner_radius": 9.0, "outer_radius": 1.0}
section = GeometryMesh(geometry="spherical-shell", parameters=radii)
try:
    build_domain(section, MPI.COMM_WORLD, case_dir=Path())
except CaseError as error:
    Path(f"error-{MPI.COMM_WORLD.rank}").write_text(str(error))
"""


@pytest.mark.mpi
def test_an_error_reaches_every_rank(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    done = run_on_ranks(2, "failing.py", tmp_path)
    assert done.returncode == 0, done.stderr
    texts = {(tmp_path / f"error-{rank}").read_text() for rank in range(2)}
    assert len(texts) == 1 and "must follow each other" in texts.pop()
