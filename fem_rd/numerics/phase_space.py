"""Hermite modes in momentum on elements of a line: numbering, matrices and functionals.

A cell has the unknowns of its even modes at its nodes but the last, node by node, then those of
its odd modes. Cells follow each other, with the last node of the line at the end: an unknown meets
others in its own cell and the next only, and in modes that differ by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc
from scipy.sparse import coo_array, csr_array

from fem_rd.equations.klein_kramers import Coupling, damping
from fem_rd.numerics.hermite import wall_matrix
from fem_rd.numerics.line_elements import Forms, Line, OfPlace

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Walls:
    """Which ends of the line particles leave at; elsewhere they are reflected."""

    left: bool = False
    right: bool = False


class PhaseSpace:
    """The unknowns of ``modes`` (an even number) Hermite modes on a ``line``.

    Unknowns are those of g times the square root of exp(-``potential``) at their node.
    """

    def __init__(self, line: Line, modes: int, potential: OfPlace, comm: MPI.Comm) -> None:
        self.line, self.modes, self.potential, self.comm = line, modes, potential, comm
        self.half = modes // 2
        self.block = line.degree * modes
        last = line.last == line.cells and comm.rank == comm.size - 1 and not line.periodic
        self.owned = (line.last - line.first) * self.block + (self.half if last else 0)
        self.size = line.cells * self.block + (0 if line.periodic else self.half)
        self.start = line.first * self.block

    def even(self, mode: int) -> Integers:
        """Numbers of the unknowns of an even mode, (owned cells, degree + 1)."""
        line = self.line
        within = np.append(np.arange(line.degree) * self.half, self.block) + mode // 2
        numbers: Integers = line.owned[:, None] * self.block + within
        return numbers % self.size if line.periodic else numbers

    def odd(self, mode: int) -> Integers:
        """Numbers of the unknowns of an odd mode, (owned cells, degree)."""
        line = self.line
        within = (line.degree + np.arange(line.degree)) * self.half + mode // 2
        numbers: Integers = line.owned[:, None] * self.block + within
        return numbers

    def unknowns(self, mode: int) -> Integers:
        """Numbers of the unknowns of a mode."""
        return self.odd(mode) if mode % 2 else self.even(mode)

    def matrices(
        self, forms: Forms, couplings: Iterable[Coupling], walls: Walls, thermal_velocity: float
    ) -> tuple[PETSc.Mat, PETSc.Mat]:
        """K and M of M dy/dt = -K y, with the same pattern. Collective."""
        entries = _Entries()
        for mode in range(self.modes):
            mass = forms.odd_mass if mode % 2 else forms.even_mass
            friction = forms.odd_friction if mode % 2 else forms.even_friction
            at = self.unknowns(mode)
            entries.add(at, at, damping(mode) * friction, mass)
        for one in couplings:
            form: Array = getattr(forms, one.form)
            odd, even = self.odd(one.odd), self.even(one.even)
            entries.add(odd, even, -one.factor * form)
            entries.add(even, odd, -one.back * form.transpose(0, 2, 1))
        loss = thermal_velocity * wall_matrix(self.half)[None]
        for numbers in self._nodes_at(walls):
            entries.add(numbers, numbers, loss)
        return entries.matrices(self.owned, self.size, self.comm)

    def outflows(self, walls: Walls, thermal_velocity: float) -> list[PETSc.Vec]:
        """What leaves at each absorbing end per time, as functionals of the unknowns. Collective.

        exp(-U) s sum_n R_0n c_n: the flow of those that go out; none comes in.
        """
        found = []
        loss = thermal_velocity * wall_matrix(self.half)[0]
        for left in (True, False):
            if not (walls.left if left else walls.right):
                continue
            vector = self.vector()
            end = self.line.lower if left else self.line.upper
            scale = np.exp(-self.potential(np.array([[end]]))[0, 0] / 2)
            for numbers in self._nodes_at(Walls(left, not left)):
                vector.setValues(numbers.astype(PETSc.IntType).ravel(), scale * loss, addv=True)
            vector.assemble()
            found.append(vector)
        return found

    def functional(self, mode: int, function: OfPlace) -> PETSc.Vec:
        """int exp(-U) f c_n, as a vector on the unknowns. Collective."""
        even, odd = self.line.moments(self.potential, function)
        return self.sum_up([(mode, odd if mode % 2 else even)])

    def sum_up(self, parts: Iterable[tuple[int, Array]]) -> PETSc.Vec:
        """The vector of the contributions (owned cells, nodes) to some modes. Collective."""
        vector = self.vector()
        for mode, values in parts:
            vector.setValues(
                self.unknowns(mode).astype(PETSc.IntType).ravel(), values.ravel(), addv=True
            )
        vector.assemble()
        return vector

    def constant(self) -> Array:
        """The owned unknowns of g = 1: Boltzmann's law."""
        values = np.zeros(self.owned)
        numbers = self.even(0) - self.start
        mine = (numbers >= 0) & (numbers < self.owned)
        values[numbers[mine]] = np.exp(-self.potential(self.line.even_nodes) / 2)[mine]
        return values

    def enlarged(self, other: PhaseSpace, vector: PETSc.Vec) -> PETSc.Vec:
        """A vector of the same line with fewer modes; those that it does not have are zero."""
        found = self.vector()
        for mode in range(other.modes):
            here, there = self.unknowns(mode) - self.start, other.unknowns(mode) - other.start
            mine = (here >= 0) & (here < self.owned)
            found.array[here[mine]] = vector.array_r[there[mine]]
        return found

    def vector(self) -> PETSc.Vec:
        """A zero vector."""
        vector = PETSc.Vec().createMPI((self.owned, self.size), comm=self.comm)
        vector.set(0.0)
        return vector

    def positions(self) -> Array:
        """Of the owned unknowns, shape (owned, 3): place of the node, mode, 0."""
        found = np.zeros((self.owned, 3))
        for mode in range(self.modes):
            nodes = self.line.odd_nodes if mode % 2 else self.line.even_nodes
            numbers = self.unknowns(mode) - self.start
            mine = (numbers >= 0) & (numbers < self.owned)
            if self.line.periodic:  # the last node is the first
                mine[:, -1] &= bool(mode % 2)
            found[numbers[mine], 0] = nodes[mine]
            found[numbers[mine], 1] = mode
        return found

    def _nodes_at(self, walls: Walls) -> list[Integers]:
        """Numbers of the even unknowns at the walls whose cells this rank owns, each (1, half)."""
        line, every = self.line, np.arange(self.half)[None]
        has = line.last > line.first
        found = []
        if walls.left and has and line.first == 0:
            found.append(every)
        if walls.right and has and line.last == line.cells:
            found.append(line.cells * self.block + every)
        return found


class _Entries:
    """Entries of two matrices of one pattern, summed up where they meet."""

    def __init__(self) -> None:
        self._rows: list[Integers] = []
        self._columns: list[Integers] = []
        self._stiffness: list[Array] = []
        self._mass: list[Array] = []

    def add(
        self, rows: Integers, columns: Integers, stiffness: Array, mass: Array | None = None
    ) -> None:
        """Element matrices (cells, rows, columns) at unknowns (cells, rows), (cells, columns)."""
        shape = stiffness.shape
        self._rows.append(np.broadcast_to(rows[:, :, None], shape).ravel())
        self._columns.append(np.broadcast_to(columns[:, None, :], shape).ravel())
        self._stiffness.append(stiffness.ravel())
        self._mass.append(np.zeros(stiffness.size) if mass is None else mass.ravel())

    def matrices(self, owned: int, size: int, comm: MPI.Comm) -> tuple[PETSc.Mat, PETSc.Mat]:
        """The two matrices; rows of other ranks are sent to them. Collective."""
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *self._rows])
        columns = np.concatenate([np.zeros(0, dtype=np.int64), *self._columns])
        numbers, local = np.unique(rows, return_inverse=True)
        stiffness, mass = (
            coo_array(
                (np.concatenate([np.zeros(0), *values]), (local, columns)),
                shape=(len(numbers), size),
            ).tocsr()
            for values in (self._stiffness, self._mass)
        )
        return (
            _distributed(stiffness, numbers, owned, size, comm),
            _distributed(mass, numbers, owned, size, comm),
        )


def _distributed(
    local: csr_array, numbers: Integers, owned: int, size: int, comm: MPI.Comm
) -> PETSc.Mat:
    """The sum over ranks of rows ``numbers``, explicit zeros included."""
    matrix = PETSc.Mat().create(comm)
    matrix.setSizes(((owned, size), (owned, size)))
    matrix.setType("aij")
    matrix.setUp()
    kind = PETSc.IntType
    matrix.setValuesIJV(
        local.indptr.astype(kind),
        local.indices.astype(kind),
        local.data,
        addv=True,
        rowmap=numbers.astype(kind),
    )
    matrix.assemble()
    return matrix
