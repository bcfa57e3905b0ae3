"""What a step through a mesh of 1e5 tetrahedra costs, next to one in a box: ns per particle.

`./with-env python3 benchmarks/mesh_walk.py`; one core, processor time, the best of many steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import thread_time

import numpy as np

from fem_rd.case.schema import BuiltinMesh
from fem_rd.mesh.builtin import builtin_mesh
from fem_rd.particles.domains import Box, Domain, Mobility
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.random import Streams
from fem_rd.particles.simplices import simplices
from fem_rd.particles.state import Floats, Population
from fem_rd.particles.walls import Absorbing, Wall

COUNT, REPEATS, EDGES = 200_000, 40, 26


def region() -> MeshRegion:
    """The unit cube in 6 times 26^3 tetrahedra."""
    section = BuiltinMesh(builtin="box", lower=[0.0] * 3, upper=[1.0] * 3, cells=[EDGES] * 3)
    mesh = builtin_mesh(section)
    named = {name: mesh.facets[mesh.facet_tags == tag] for name, tag in mesh.boundaries.items()}
    return MeshRegion(simplices(mesh.points, mesh.cells, named))


def cost(
    domains: Mapping[str, tuple[Domain, Floats]], spread: float, wall: str
) -> dict[str, float]:
    """ns per particle and step, by name; the domains take turns."""
    mobility, streams, best = Mobility(spread**2 / 2, 1.0), Streams(1), dict.fromkeys(domains, 1.0)
    walls: dict[str, Wall] = {wall: Absorbing()} if wall else {}
    for step in range(REPEATS):
        for name, (domain, points) in domains.items():
            population = Population(3, cells=True, capacity=COUNT)
            population.append(points, np.arange(COUNT))
            domain.move(population, mobility, {}, streams, REPEATS + step)  # cells are known now
            begin = thread_time()
            domain.move(population, mobility, walls, streams, step)
            best[name] = min(best[name], thread_time() - begin)
    return {name: 1e9 * time / COUNT for name, time in best.items()}


def main() -> None:
    mesh, box = region(), Box((0.0,) * 3, (1.0,) * 3)
    points = mesh.sample(COUNT, np.random.default_rng(1))
    by_cell = np.ascontiguousarray(points[:, np.argsort(mesh.locate(points), kind="stable")])
    domains: dict[str, tuple[Domain, Floats]] = {
        "box": (box, points), "mesh": (mesh, points), "mesh, by cell": (mesh, by_cell)
    }  # fmt: skip
    print(f"{len(mesh.mesh.cells)} tetrahedra; step in edges of the grid; ns per particle")
    for wall in ("", "left"):
        for part in (0.03, 0.1, 0.25, 0.5):
            found = cost(domains, part / EDGES, wall)
            text = "  ".join(f"{n} {t:.1f} ({t / found['box']:.1f})" for n, t in found.items())
            print(f"{'absorbing' if wall else 'reflecting'} {part}: {text}")


if __name__ == "__main__":
    main()
