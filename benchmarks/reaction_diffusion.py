"""A step of two reacting species against Newton's method on the UFL system, in one run.

    ./with-env python3 benchmarks/reaction_diffusion.py [--cells 512] [--step 0.5] [--steps 40]

The task: the Gray-Scott system on a square of P1 elements, fixed steps, one core. The peer is what
a user of DOLFINx would write: one space of two components, the fully implicit two-step formula as
a residual, its Jacobian by UFL, assembled and solved by GMRES with incomplete factors in each
iteration of Newton's method, from an extrapolated guess, to the relative residual 1e-8. Both are
measured at the same size of step; the errors in time of both are measured on a smaller square of
the same cells, each against its own limit, and the ratio at equal error follows from their second
order.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import basix.ufl
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.case.loading import load_case
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.models.reaction_diffusion.model import ReactionDiffusionModel

FEED, REMOVAL, LENGTH_PER_CELL = 0.035, 0.065, 2.5 / 512
BUMP = "exp(-40*((x - L/2)^2 + (y - L/2)^2))*(1 + 0.3*sin(9*x)*cos(7*y))"
CASE = """
title = "Gray-Scott"
model = "reaction-diffusion"
[parameters]
F = {feed}
k = {removal}
L = {length}
[mesh]
builtin = "rectangle"
upper = ["L", "L"]
cells = [{cells}, {cells}]
[chemistry.reactions.autocatalysis]
equation = "U + 2 V -> 3 V"
rate = 1.0
[chemistry.reactions.feed]
equation = "0 <-> U"
rate = "F"
reverse_rate = "F"
[chemistry.reactions.removal]
equation = "V -> 0"
rate = "F + k"
[reaction-diffusion.species.U]
diffusion = 2e-5
initial = "1 - 0.5*{bump}"
[reaction-diffusion.species.V]
diffusion = 1e-5
initial = "0.25*{bump}"
[time]
end = 1e6
step = {step}
scheme = "{scheme}"
"""


class Newton:
    """The fully implicit two-step formula, as a user of UFL writes it."""

    def __init__(self, cells: int, step: float) -> None:
        from dolfinx.mesh import create_rectangle

        length = cells * LENGTH_PER_CELL
        mesh = create_rectangle(MPI.COMM_WORLD, [[0, 0], [length, length]], [cells, cells])
        element = basix.ufl.element("Lagrange", "triangle", 1, shape=(2,))
        space = fem.functionspace(mesh, element)
        self.now, self.before, self.old = (fem.Function(space) for _ in range(3))
        self.now.interpolate(lambda x: _initial(x, length))
        self._first = fem.Constant(mesh, 1.0)
        test = ufl.TestFunction(space)
        u, v = ufl.split(self.now)
        reaction = u * v * v
        sources = ufl.as_vector(
            [FEED * (1 - u) - reaction, reaction - (FEED + REMOVAL) * v]
        )
        first = self._first
        two_steps = (3 * self.now - 4 * self.before + self.old) / 2
        change = first * (self.now - self.before) + (1 - first) * two_steps
        flux = sum(
            d * ufl.inner(ufl.grad(w), ufl.grad(test[i]))
            for i, (d, w) in enumerate([(2e-5, u), (1e-5, v)])
        )
        residual = ufl.inner(change, test) * ufl.dx
        residual += step * (flux - ufl.inner(sources, test)) * ufl.dx
        trial = ufl.TrialFunction(space)
        self._residual = fem.form(residual)
        self._jacobian = fem.form(ufl.derivative(residual, self.now, trial))
        self._matrix = fem_petsc.create_matrix(self._jacobian)
        self._correction = self._matrix.createVecRight()
        self._ksp = PETSc.KSP().create(mesh.comm)
        self._ksp.setType("gmres")
        self._ksp.getPC().setType("ilu")
        self._ksp.setTolerances(rtol=1e-6)
        self.iterations = 0

    def advance(self) -> None:
        guess = 2 * self.now.x.array - self.before.x.array
        self.old.x.array[:] = self.before.x.array
        self.before.x.array[:] = self.now.x.array
        if self.iterations:
            self.now.x.array[:] = guess
        self._solve()
        self._first.value = 0.0

    def values(self) -> np.ndarray:
        return self.now.x.array.copy()

    def _solve(self) -> None:
        start = None
        for _ in range(20):
            rest = fem_petsc.assemble_vector(self._residual)
            norm = rest.norm()
            start = start or norm
            if norm <= max(1e-8 * start, 1e-14):
                return
            self._matrix.zeroEntries()
            fem_petsc.assemble_matrix(self._matrix, self._jacobian)
            self._matrix.assemble()
            self._ksp.setOperators(self._matrix)
            self._ksp.solve(rest, self._correction)
            self.now.x.array[:] -= self._correction.array_r
            self.iterations += 1
            rest.destroy()


def _initial(x: np.ndarray, length: float) -> np.ndarray:
    near = np.exp(-40 * ((x[0] - length / 2) ** 2 + (x[1] - length / 2) ** 2))
    bump = near * (1 + 0.3 * np.sin(9 * x[0]) * np.cos(7 * x[1]))
    return np.array([1 - 0.5 * bump, 0.25 * bump])


def _ours(cells: int, step: float, scheme: str = "imex-bdf2") -> ReactionDiffusionModel:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "case.toml"
        length = cells * LENGTH_PER_CELL
        path.write_text(
            CASE.format(
                cells=cells, step=step, length=length, bump=BUMP, scheme=scheme,
                feed=FEED, removal=REMOVAL,
            )
        )  # fmt: skip
        case = load_case(path)
        domain = build_domain(case.mesh, MPI.COMM_WORLD, case_dir=path.parent)
        return ReactionDiffusionModel(case, domain, Log(quiet=True))


def _values(model: ReactionDiffusionModel) -> np.ndarray:
    return np.array([vector.array_r.copy() for vector in model._march.values])


def _after(advance: Callable[[], object], count: int) -> None:
    for _ in range(count):
        advance()


def _errors(cells: int, step: float, steps: int) -> tuple[float, float]:
    """Of ours and of the peer after ``steps``, each against steps so small that they are exact."""
    ours, exact = _ours(cells, step), _ours(cells, step / 4, "ark4")
    _after(lambda: ours.advance(np.inf), steps)
    _after(lambda: exact.advance(np.inf), 4 * steps)
    peer, same = Newton(cells, step), Newton(cells, step / 8)
    _after(peer.advance, steps)
    _after(same.advance, 8 * steps)
    return (
        float(np.abs(_values(ours) - _values(exact)).max()),
        float(np.abs(peer.values() - same.values()).max()) * 64 / 63,
    )


def _timed(advance: Callable[[], object], count: int) -> list[float]:
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        advance()
        times.append(time.perf_counter() - begin)
    return times


def _report(times: dict[str, Sequence[float]], errors: tuple[float, float]) -> None:
    ours, peer, product = (float(np.median(times[key])) for key in ("ours", "peer", "product"))
    print(f"one sparse product          {product * 1e3:8.2f} ms")
    print(f"a step of ours              {ours * 1e3:8.2f} ms = {ours / product:.1f} products")
    print(f"a step of Newton's method   {peer * 1e3:8.1f} ms = {peer / ours:.1f} of ours")
    print(f"errors of the same steps    {errors[0]:.2e} and {errors[1]:.2e}")
    print(f"ratio at equal error        {peer / ours * np.sqrt(errors[1] / errors[0]):.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=512)
    parser.add_argument("--step", type=float, default=0.5)
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    model, newton = _ours(arguments.cells, arguments.step), Newton(arguments.cells, arguments.step)
    stiffness = model._march._stepper.problem.species[0].stiffness
    source, target = stiffness.createVecs()
    source.setRandom()
    _after(lambda: model.advance(np.inf), 5)
    _after(newton.advance, 1)
    times: dict[str, list[float]] = {"ours": [], "peer": [], "product": []}
    for _ in range(max(1, arguments.steps // 10)):  # in turn: the machine's drift meets all alike
        times["product"] += _timed(lambda: stiffness.mult(source, target), 20)
        times["ours"] += _timed(lambda: model.advance(np.inf), 10)
        times["peer"] += _timed(newton.advance, 1)
    _report(times, _errors(64, arguments.step, 20))


if __name__ == "__main__":
    main()
