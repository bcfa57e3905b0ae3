"""A transient step against a bare DOLFINx script of the same scheme, on the same mesh, in one run.

    ./with-env python3 benchmarks/transient_step.py [--size 0.07] [--outer 40] [--steps 40]

The task: a reactive sphere in a bath so wide that it is far from steady at the end, P1, backward
Euler of constant step, both to the relative residual 1e-10. Peers, as a user of DOLFINx would write
them:

- careful: assembled once, CG with symmetric SOR, right-hand side by a product, the last step as
  the initial guess
- naive: a fresh linear problem at each step, everything assembled again
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.case.loading import load_case
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.domain import Domain
from fem_rd.models.smoluchowski.model import SmoluchowskiModel

CASE = """
title = "step"
model = "smoluchowski"
[mesh]
geometry = "spherical-shell"
order = 1
[mesh.parameters]
inner_radius = 1.0
outer_radius = {outer}
size = {size}
growth = 1.0
size_far = {outer}
[smoluchowski]
diffusion = 1.0
degree = 1
initial = 1.0
[smoluchowski.boundaries.reactive]
type = "robin"
kappa = "4*pi"
[smoluchowski.boundaries.reservoir]
type = "dirichlet"
concentration = 1.0
[time]
end = 1e6
step = {step}
scheme = "backward-euler"
"""
TOLERANCE = 1e-10


class Careful:
    """Assembled once; CG + symmetric SOR from the last step."""

    def __init__(self, domain: Domain, step: float) -> None:
        mesh, self.step = domain.mesh, step
        self.space = space = fem.functionspace(mesh, ("Lagrange", 1))
        u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
        ds = ufl.Measure("ds", domain=mesh, subdomain_data=domain.facet_tags)
        reactivity = 4 * math.pi / domain.area("reactive")
        facets = domain.facet_tags.find(domain.boundaries["reservoir"])
        dofs = fem.locate_dofs_topological(space, mesh.topology.dim - 1, facets)
        self.boundary = fem.dirichletbc(1.0, dofs, space)
        mass = u * v * ufl.dx
        self.form = mass + step * (
            ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx
            + reactivity * u * v * ds(domain.boundaries["reactive"])
        )
        self.system = fem.form(self.form)
        self.matrix = fem_petsc.assemble_matrix(self.system, bcs=[self.boundary])
        self.matrix.assemble()
        self.mass = fem_petsc.assemble_matrix(fem.form(mass))
        self.mass.assemble()
        self.solution = fem.Function(space)
        self.solution.x.array[:] = 1.0
        self.lift = self._lift()
        self.ksp = _krylov(mesh.comm, self.matrix)

    def _lift(self) -> PETSc.Vec:
        zero = fem.Function(self.space)
        form = fem.form(zero * ufl.TestFunction(self.space) * ufl.dx)
        lift = fem_petsc.assemble_vector(form)
        fem_petsc.apply_lifting(lift, [self.system], bcs=[[self.boundary]])
        lift.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
        return lift

    def advance(self) -> None:
        rhs = self.mass * self.solution.x.petsc_vec
        rhs.axpy(1.0, self.lift)
        fem_petsc.set_bc(rhs, [self.boundary])
        self.ksp.solve(rhs, self.solution.x.petsc_vec)


class Naive(Careful):
    """A fresh problem at each step."""

    def advance(self) -> None:
        u, v = ufl.TrialFunction(self.space), ufl.TestFunction(self.space)
        system = fem.form(self.form)
        matrix = fem_petsc.assemble_matrix(system, bcs=[self.boundary])
        matrix.assemble()
        del u
        linear = fem.form(self.solution * v * ufl.dx)
        rhs = fem_petsc.assemble_vector(linear)
        fem_petsc.apply_lifting(rhs, [system], bcs=[[self.boundary]])
        rhs.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
        fem_petsc.set_bc(rhs, [self.boundary])
        ksp = _krylov(self.space.mesh.comm, matrix)
        new = fem.Function(self.space)
        ksp.setInitialGuessNonzero(False)
        ksp.solve(rhs, new.x.petsc_vec)
        self.solution.x.array[:] = new.x.array
        ksp.destroy()
        matrix.destroy()


def _krylov(comm: MPI.Comm, matrix: PETSc.Mat) -> PETSc.KSP:
    ksp = PETSc.KSP().create(comm)
    ksp.setOperators(matrix)
    ksp.setType("cg")
    ksp.getPC().setType("sor")
    ksp.setTolerances(rtol=TOLERANCE)
    ksp.setInitialGuessNonzero(True)
    ksp.setUp()
    return ksp


def _ours(domain: Domain, step: float) -> SmoluchowskiModel:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "case.toml"
        path.write_text(CASE.format(size=1.0, outer=2.0, step=step))
        return SmoluchowskiModel(load_case(path), domain, Log(quiet=True))


def _timed(advance: Callable[[], object], count: int) -> list[float]:
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        advance()
        times.append(time.perf_counter() - begin)
    return times


def _compare(domain: Domain, step: float, count: int, say: Callable[[str], None]) -> None:
    ours, careful, naive = _ours(domain, step), Careful(domain, step), Naive(domain, step)
    samples: dict[str, list[float]] = {"ours": [], "careful": [], "naive": []}
    for block in range(count // 5):  # in turn, so that the machine's drift meets all alike
        samples["ours"] += _timed(lambda: ours.advance(math.inf), 5)
        samples["careful"] += _timed(careful.advance, 5)
        samples["naive"] += _timed(naive.advance, 1) if block % 2 == 0 else []
    medians = {name: float(np.median(values[1:])) for name, values in samples.items()}
    vector = careful.mass.createVecRight()
    product = _timed(lambda: careful.mass.mult(careful.solution.x.petsc_vec, vector), 20)
    our_range = ours.fields()["concentration"].function.x.array
    difference = abs(float(our_range.min() - careful.solution.x.array.min()))
    say(
        f"dt = {step:<8g} ours {medians['ours'] * 1e3:8.2f} ms   careful "
        f"{medians['careful'] * 1e3:8.2f} ms   naive {medians['naive'] * 1e3:8.1f} ms   "
        f"ours/careful {medians['ours'] / medians['careful']:.2f}   "
        f"ours/naive 1/{medians['naive'] / medians['ours']:.0f}   "
        f"ours in products {medians['ours'] / np.median(product):.0f}   "
        f"difference of the smallest value {difference:.1e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=float, default=0.07, help="mesh size at the sphere")
    parser.add_argument("--outer", type=float, default=40.0, help="radius of the reservoir")
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    comm = MPI.COMM_WORLD
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "case.toml"
        path.write_text(CASE.format(size=arguments.size, outer=arguments.outer, step=0.01))
        case = load_case(path)
        domain = build_domain(case.mesh, comm, case_dir=path.parent)
    say = print if comm.rank == 0 else (lambda text: None)
    vertices = domain.mesh.topology.index_map(0).size_global
    say(f"{vertices} unknowns, {comm.size} rank(s), {arguments.steps} steps")
    for step in (0.01, 0.1, 1.0):
        _compare(domain, step, arguments.steps, say)


if __name__ == "__main__":
    main()
