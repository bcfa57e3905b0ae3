"""Small nonlinear systems of species on intervals and rectangles, with the ledger of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.numerics.reactive.march import ReactiveMarch
from fem_rd.numerics.reactive.problem import ReactiveProblem
from fem_rd.numerics.reactive.schemes import Stepping, reactive_march
from fem_rd.numerics.semidiscrete import Constraint, Load, SemiDiscrete
from fem_rd.numerics.solver import SolverOptions
from fem_rd.numerics.spaces import lagrange_space

Array = np.ndarray
Rates = Callable[[float, Array], Array]
TIGHT = SolverOptions(1e-13, "icc")


class Chemistry:
    """Rates (reactions, nodes) of (time, values) with a stoichiometry, by rows of species."""

    def __init__(self, changes: Sequence[Sequence[int]], rates: Rates, volumes: Array) -> None:
        self.changes = np.array(changes, dtype=float)
        self.rates, self.volumes = rates, volumes
        self.factors = np.ones((len(self.changes), len(volumes)))
        size = len(self.changes)
        self.pattern = [(i, j) for i in range(size) for j in range(size)]
        self.reactions = self.changes.shape[1]

    def evaluate(self, time: float, values: Array, out: Array) -> None:
        out[:] = self.changes @ self.rates(time, values)

    def totals(self, time: float, values: Array) -> Array:
        return self.rates(time, values) @ self.volumes

    def jacobian(self, time: float, values: Array) -> Array:
        columns = []
        for j in range(len(values)):
            step = np.zeros_like(values, dtype=complex)
            step[j] = 1e-20j
            columns.append(self.changes @ self.rates(time, values + step).imag / 1e-20)
        return np.array([columns[j][i] for i, j in self.pattern])


def brusselator(time: float, u: Array) -> Array:
    """0 -> X, 2 X + Y -> 3 X, X -> Y, X -> 0 with A = 1, B = 2.5."""
    x, y = u
    return np.array([1.0 + 0 * x, x * x * y, 2.5 * x, x])


BRUSSELATOR = [[1, 1, -1, -1], [0, -1, 1, 0]]


def association(time: float, u: Array) -> Array:
    """A + B <-> C with k = 5, 0.5."""
    return np.array([5.0 * u[0] * u[1], 0.5 * u[2]])


ASSOCIATION = [[-1, 1], [-1, 1], [1, -1]]


class Setting:
    """Species of given diffusion on a mesh; ``ends`` prescribes values at the left end x = 0.

    ``uptake`` is a Robin coefficient at the right end, against ``bath`` outside.
    """

    def __init__(
        self,
        diffusion: Sequence[float],
        changes: Sequence[Sequence[int]],
        rates: Rates,
        *,
        cells: int = 32,
        degree: int = 1,
        dimension: int = 1,
        ends: Sequence[Callable[[float], float]] | None = None,
        uptake: float = 0.0,
        bath: Callable[[float], float] = lambda t: 1.0,
        comm: MPI.Comm = MPI.COMM_SELF,
    ) -> None:
        mesh = (
            dmesh.create_unit_interval(comm, cells)
            if dimension == 1
            else dmesh.create_unit_square(comm, cells, cells)
        )
        self.space = space = lagrange_space(mesh, degree)
        self.owned = space.dofmap.index_map.size_local
        self.points = space.tabulate_dof_coordinates()[: self.owned]
        u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
        self.ends, self.bath = ends, bath
        self.mass = _matrix(u * v * ufl.dx)
        self.volumes = _vector(v * ufl.dx)
        if degree == 1:
            self.mass = _diagonal_matrix(self.mass, self.volumes)
        right = dmesh.locate_entities_boundary(
            mesh, mesh.topology.dim - 1, lambda x: np.isclose(x[0], 1.0)
        )
        tags = dmesh.meshtags(
            mesh, mesh.topology.dim - 1, np.sort(right), np.full(len(right), 1, dtype=np.int32)
        )
        ds = ufl.Measure("ds", domain=mesh, subdomain_data=tags, subdomain_id=1)
        self.uptake = uptake * _vector(v * ds)
        form = ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx
        species = []
        for index, d in enumerate(diffusion):
            load = Load("bath", lambda t: self.uptake * self.bath(t), varying=True)
            stiffness = _matrix(d * form if degree == 1 else d * form + uptake * u * v * ds)
            if degree == 1:
                _add_to_diagonal(stiffness, self.uptake)
            loads = [load] if uptake else []
            species.append(SemiDiscrete(stiffness, self.mass, loads, self._constraint(index)))
        self.species = species
        self.chemistry = Chemistry(changes, rates, self.volumes)
        self.problem = ReactiveProblem(
            species, self.chemistry, self.flows, events=self.chemistry
        )

    def _constraint(self, index: int) -> Constraint:
        if self.ends is None:
            return Constraint(np.zeros(0, dtype=np.int32), lambda t: np.zeros(0), False)
        unknowns = np.flatnonzero(np.isclose(self.points[:, 0], 0.0)).astype(np.int32)
        end = self.ends[index]
        return Constraint(unknowns, lambda t: np.full(len(unknowns), end(t)), True)

    def flows(
        self, time: float, values: Sequence[PETSc.Vec], slopes: Sequence[PETSc.Vec] | None
    ) -> Array:
        """Per species: the reservoir at the left end, the bath at the right one."""
        found = []
        for index, (species, value) in enumerate(zip(self.species, values, strict=True)):
            slope = None if slopes is None else slopes[index]
            found.append(species.supply(time, value, slope).sum())
            load = sum(one.total(time) for one in species.loads)
            found.append(load - self.uptake @ value.array_r)
        flows = np.array(found)
        self.problem.comm.Allreduce(MPI.IN_PLACE, flows)
        return flows

    def amounts(self, values: Array) -> Array:
        amounts = values @ self.volumes
        self.problem.comm.Allreduce(MPI.IN_PLACE, amounts)
        return amounts

    def missing(self, march: ReactiveMarch) -> float:
        """The largest |change of amount - what the account says| over the species."""
        start = self.initial(1.0, 2.0)[: len(self.species)]
        self.problem.impose(start, 0.0)
        change = self.amounts(final(march)) - self.amounts(start)
        count = len(self.species)
        moved = march.exchanged[: 2 * count].reshape(count, 2).sum(axis=1)
        reacted = self.chemistry.changes @ march.exchanged[2 * count :]
        return float(np.abs(change - moved - reacted).max())

    def initial(self, *levels: float) -> Array:
        """Smooth profiles that meet the prescribed values at x = 0, flat at both ends."""
        x = self.points[:, 0]
        wave = 0.3 * np.sin(np.pi * x) ** 2
        return np.array([level * (1 + (-1) ** k * wave) for k, level in enumerate(levels)])


def marched(
    setting: Setting,
    scheme: str,
    steps: int | None,
    *,
    end: float = 1.0,
    tolerance: float = 1e-4,
    initial: Array | None = None,
    options: SolverOptions = TIGHT,
) -> ReactiveMarch:
    """The march at ``end``, in ``steps`` equal steps or, where None, to the tolerance."""
    stepping = Stepping(scheme, end, step=end / steps if steps else None, tolerance=tolerance)
    start = setting.initial(1.0, 2.0)[: len(setting.species)] if initial is None else initial
    march = reactive_march(setting.problem, start, stepping, options)
    while march.time < end:
        march.advance(end)
    return march


def final(march: ReactiveMarch) -> Array:
    """Values of all species, shape (species, nodes)."""
    return np.array([vector.array_r.copy() for vector in march.values])


def _matrix(form: ufl.Form) -> PETSc.Mat:
    made = fem_petsc.assemble_matrix(fem.form(form))
    made.assemble()
    return made


def _vector(form: ufl.Form) -> Array:
    made = fem_petsc.assemble_vector(fem.form(form))
    made.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
    return made.array_r.copy()


def _add_to_diagonal(matrix: PETSc.Mat, entries: Array) -> None:
    """Lumped as the mass is: a consistent surface mass may have positive off-diagonal entries."""
    diagonal = matrix.getDiagonal()
    diagonal.array[:] += entries
    matrix.setDiagonal(diagonal)
    matrix.assemble()


def _diagonal_matrix(like: PETSc.Mat, diagonal: Array) -> PETSc.Mat:
    made = PETSc.Mat().createAIJ(like.getSizes(), nnz=1, comm=like.comm)
    vector = like.createVecRight()
    vector.array[:] = diagonal
    made.setDiagonal(vector)
    made.assemble()
    return made
