"""Where the time goes that a mesh takes: phases of a first and a second run, on one rank or more.

    ./with-env python3 benchmarks/mesh_time.py [--large]
    ./with-env mpirun -n 2 python3 benchmarks/mesh_time.py [--large]

The mesh is the shell between a sphere and a reservoir of 5 times its radius, at about 1e5 (and with
--large 1e6) unknowns: linear elements on straight cells, quadratic ones on curved cells. The second
run finds the mesh in the cache. For comparison the same cells go through DOLFINx's create_mesh and
graph partitioner, and are tagged as its own reader of Gmsh's meshes tags them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass

import basix.ufl
import numpy as np
from dolfinx import graph, io
from dolfinx import mesh as dmesh
from mpi4py import MPI

from fem_rd import compat
from fem_rd.log import Log
from fem_rd.mesh.arrays import facets_of
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.library import geometries
from fem_rd.mesh.packing import PackedMesh
from fem_rd.parallel import on_root


@dataclass(frozen=True)
class Task:
    """A mesh: what it is for, order of its cells, refinements, edges at the sphere."""

    name: str
    order: int
    refinements: int
    size: float


SMALL = [
    Task("1e5 linear", 1, 0, 0.0455),
    Task("1e5 linear, refined", 1, 1, 0.092),
    Task("1e5 quadratic", 2, 0, 0.092),
]
LARGE = [
    Task("1e6 linear", 1, 0, 0.0212),
    Task("1e6 linear, refined", 1, 1, 0.0425),
    Task("1e6 linear, refined twice", 1, 2, 0.085),
    Task("1e6 quadratic", 2, 0, 0.0425),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--large", action="store_true", help="1e6 unknowns as well: minutes")
    tasks = SMALL + (LARGE if parser.parse_args().large else [])
    comm = MPI.COMM_WORLD
    columns: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FEM_RD_CACHE"] = folder
        for task in tasks:
            columns |= measured(task, comm)
    if comm.rank == 0:
        print(table(columns))


def measured(task: Task, comm: MPI.Comm) -> dict[str, dict[str, float]]:
    """Seconds by phase of the first run and the second, and of DOLFINx's way."""
    columns = {}
    for run in ("first", "second"):
        log = Log(rank=comm.rank, quiet=True)
        begin = time.perf_counter()
        packed = packed_mesh(task, comm, log)
        domain = distribute(packed, comm, log)
        total = time.perf_counter() - begin
        nodes = domain.mesh.geometry.index_map().size_global
        columns[f"{task.name}: {run}"] = {"nodes": nodes, **log.phases, "total": total}
    if task.order == 1:
        columns[f"{task.name}: DOLFINx"] = dolfinx_way(packed, comm)
    return columns


def packed_mesh(task: Task, comm: MPI.Comm, log: Log) -> PackedMesh | None:
    """The mesh on rank 0."""
    path, parameters = geometries()["spherical-shell"], {"size": task.size}
    geometry = Geometry(path, parameters, task.order, task.refinements)
    made: list[PackedMesh] = []
    on_root(comm, lambda: made.append(geometry_mesh(geometry, log)))
    return made[0] if made else None


def dolfinx_way(packed: PackedMesh | None, comm: MPI.Comm) -> dict[str, float]:
    """Seconds of create_mesh, facets and tags for the same tetrahedra, shuffled as Gmsh's are."""
    cells, points = np.zeros((0, 4), dtype=np.int64), np.zeros((0, 3))
    facets, tags = np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=np.int32)
    if packed is not None:
        shuffled = np.random.default_rng(1).permutation(len(packed.cells))
        cells, points = packed.cells[shuffled].astype(np.int64), packed.points
        found = packed.labels.facets
        corners = facets_of("tetrahedron")[found.places]
        facets = np.take_along_axis(packed.cells[found.cells], corners, axis=1).astype(np.int64)
        tags = found.tags
    phases: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        phases[name], clock = now - clock, now

    element = basix.ufl.element("Lagrange", "tetrahedron", 1, shape=(3,))
    partitioner = compat.cell_partitioner() if comm.size > 1 else None
    mesh = dmesh.create_mesh(comm, cells=cells, x=points, e=element, partitioner=partitioner)
    lap("mesh: distribution")
    mesh.topology.create_entities(2)
    mesh.topology.create_connectivity(2, 3)
    lap("mesh: facets")
    entities, values = io.distribute_entity_data(mesh, 2, facets, tags)
    mesh.topology.create_connectivity(2, 0)
    dmesh.meshtags_from_entities(mesh, 2, graph.adjacencylist(entities), values)
    lap("mesh: tags")
    nodes = mesh.geometry.index_map().size_global
    return {"nodes": nodes, **phases, "total": sum(phases.values())}


def table(columns: dict[str, dict[str, float]]) -> str:
    """One row for each run, one column for each phase."""
    phases = list(dict.fromkeys(phase for column in columns.values() for phase in column))
    heads = [phase.removeprefix("mesh: ") for phase in phases]
    rows = [["s", *heads]]
    for name, column in columns.items():
        texts = [f"{column.get(phase, 0.0):.2f}" for phase in phases]
        texts[0] = f"{column['nodes']:.3g}"
        rows.append([name, *texts])
    widths = [max(len(row[index]) for row in rows) for index in range(len(heads) + 1)]
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    )


if __name__ == "__main__":
    main()
