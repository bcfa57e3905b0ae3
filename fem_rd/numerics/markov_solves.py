"""What a jump process does in the long run: one sparse solve each.

Vectors are arrays over this rank's owned nodes; sets are levels over them, not negative inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.numerics.direct import DirectSolver, Residual
from fem_rd.numerics.eigen import smallest_eigenpairs
from fem_rd.numerics.markov import Array, Generator, Indices

_FLOOR = 1e-13  # of the largest rate: the shift of the inverse whose eigenvalues are looked for
_NOISE = 1e-7  # of the largest weight's root: below it an eigenvector over its weight is noise


class HeldSystem:
    """Linear systems of a generator whose values are held at some nodes.

    ``held`` (owned local numbers); ``loss`` (owned,): rates at which nodes lose probability.
    """

    def __init__(
        self,
        generator: Generator,
        held: Indices,
        loss: Array | None = None,
        preconditioner: str = "lu",
    ) -> None:
        self._generator, self._held, self._preconditioner = generator, held, preconditioner
        self._loss = loss
        first = generator.edges.layout.getOwnershipRange()[0]
        self._rows = PETSc.IS().createGeneral(
            (np.asarray(held) + first).astype(np.int32), comm=generator.comm
        )

    def density(self, held_values: Array, source: Array | None = None) -> Array:
        """P with A P - loss P + source = 0 and the ``held_values`` (held,). Collective."""
        matrix = self._generator.matrix.copy()
        return self._solve(matrix, held_values, source, self._generator.gain)

    def function(self, held_values: Array, source: Array | None = None) -> Array:
        """f with A^T f - loss f + source = 0 and the ``held_values`` (held,). Collective."""
        matrix = PETSc.Mat()
        self._generator.matrix.transpose(matrix)
        return self._solve(matrix, held_values, source, self._generator.expected_change)

    def _solve(
        self, matrix: PETSc.Mat, held_values: Array, source: Array | None, action: Residual
    ) -> Array:
        edges, held = self._generator.edges, self._held
        matrix.scale(-1.0)
        if self._loss is not None:
            lost = edges.vector(self._loss)
            matrix.setDiagonal(lost, PETSc.InsertMode.ADD_VALUES)
            matrix.assemble()
        matrix.zeroRows(self._rows, 1.0)
        right = edges.vector(source)
        right.array[held] = held_values

        def residual(solution: PETSc.Vec, out: PETSc.Vec) -> None:
            action(solution, out)
            if source is not None:
                out.array[:] += source
            if self._loss is not None:
                out.array[:] -= self._loss * solution.array_r
            out.array[held] = held_values - solution.array_r[held]

        solver = DirectSolver(matrix, self._preconditioner)
        found: Array = solver.refined(right, residual).array_r.copy()
        matrix.destroy()
        return found


def inside(*levels: Array) -> Indices:
    """Local numbers of the owned nodes in any of the sets."""
    found: Indices = np.flatnonzero(np.any([level >= 0 for level in levels], axis=0))
    return found


def stationary(generator: Generator, preconditioner: str = "lu") -> Array:
    """The stationary law of a closed process, P >= 0 with sum 1, of one piece. Collective.

    One probability is held, where Boltzmann's law is largest, and its equation left out.
    """
    held = _largest(generator, generator.boltzmann)
    system = HeldSystem(generator, held, preconditioner=preconditioner)
    found = system.density(np.ones(len(held)))
    law: Array = found / np.float64(generator.edges.total(found))
    return law


def first_passage(generator: Generator, target: Array, preconditioner: str = "lu") -> Array:
    """Mean time (owned,) until the process reaches a set: A^T tau = -1 outside. Collective."""
    cut, held = generator.cut(target), inside(target)
    source = np.ones(len(target))
    system = HeldSystem(cut, held, preconditioner=preconditioner)
    return system.function(np.zeros(len(held)), source)


def hitting_probability(
    generator: Generator, target: Array, *others: Array, preconditioner: str = "lu"
) -> Array:
    """Probability (owned,) to reach ``target`` before any of the other sets. Collective."""
    cut, held = generator.cut(target, *others), inside(target, *others)
    values = (target[held] >= 0).astype(float)
    return HeldSystem(cut, held, preconditioner=preconditioner).function(values)


@dataclass(frozen=True)
class Transitions:
    """Transitions from a set A to a set B in the stationary state (transition path theory).

    ``committor`` (owned,): probability to reach B before A; ``reactive`` (owned,): probability of
    being at a node on the way from A to B; ``flux``: transitions per time; ``rate`` from A to B and
    ``rate_back``: flux over the probability of having been in A last, or in B last.

    Source: E and Vanden-Eijnden, J. Stat. Phys. 123 (2006) 503; Metzner, Schuette and
    Vanden-Eijnden, Multiscale Model. Simul. 7 (2009) 1192.
    """

    committor: Array
    reactive: Array
    flux: float
    rate: float
    rate_back: float


def transitions(
    generator: Generator,
    from_set: Array,
    to_set: Array,
    law: Array,
    preconditioner: str = "lu",
) -> Transitions:
    """Transitions under the stationary ``law`` (owned,). Collective."""
    cut, held = generator.cut(from_set, to_set), inside(from_set, to_set)
    system = HeldSystem(cut, held, preconditioner=preconditioner)
    committor = system.function((to_set[held] >= 0).astype(float))
    coming = system.density(np.where(from_set[held] >= 0, law[held], 0.0))
    edges = generator.edges
    start, end = edges.at_ends(coming)
    into_tail, into_head = edges.at_ends((to_set >= 0).astype(float))
    jumps = cut.forward * start * into_head * (1 - into_tail)
    jumps += cut.backward * end * into_tail * (1 - into_head)
    flux = edges.total(jumps)
    last_in_a = edges.total(coming)
    return Transitions(
        committor, coming * committor, flux, flux / last_in_a, flux / (1.0 - last_in_a)
    )


@dataclass(frozen=True)
class Transport:
    """Motion on a periodic coordinate: mean ``drift`` (dim,) and ``diffusion`` (dim, dim)."""

    drift: Array
    diffusion: Array


def transport(
    generator: Generator, steps: Array, law: Array, preconditioner: str = "lu"
) -> Transport:
    """Drift and effective diffusion of a process whose jumps go by ``steps`` (edges, dim).

    With the corrector chi, A^T chi = v - b where b is the mean velocity at a node,
    D = 1/2 sum_edges (jumps each way) (step + chi difference)^2 (Derrida 1983; Reimann et al.
    2001 in one dimension). Collective.
    """
    edges, comm = generator.edges, generator.comm
    at_tail, at_head = edges.at_ends(law)
    net = generator.forward * at_tail - generator.backward * at_head
    drift = comm.allreduce(net @ steps)
    held = _largest(generator, law)
    system = HeldSystem(generator, held, preconditioner=preconditioner)
    moved = steps.copy()
    for axis in range(steps.shape[1]):
        along, mean = generator.flux.createVecLeft(), edges.vector()
        along.array[:] = steps[:, axis]
        generator.flux.multTranspose(along, mean)
        corrector = system.function(np.zeros(len(held)), mean.array_r - drift[axis])
        low, high = edges.at_ends(corrector)
        moved[:, axis] += high - low
    jumps = generator.forward * at_tail + generator.backward * at_head
    diffusion = 0.5 * comm.allreduce(np.einsum("e,ei,ej->ij", jumps, moved, moved))
    return Transport(np.asarray(drift), np.asarray(diffusion))


@dataclass(frozen=True)
class Modes:
    """The slowest modes: ``rates`` (n,) of relaxation and ``functions`` (n, owned).

    The functions are eigenfunctions of A^T, whose products with Boltzmann's law are those of A;
    their largest absolute value is 1, and positive.
    """

    rates: Array
    functions: Array


def modes(
    generator: Generator, count: int, held: Indices, loss: Array | None, orient: Array
) -> Modes:
    """The slowest modes of a process in detailed balance, other than the stationary one.

    ``held``: nodes where the process ends. ``orient`` (owned,): the sign of a function is that of
    its projection on this one. Collective.

    With the matrix R from nodes to edges that has the roots of the two rates of an edge, R^T R is
    (with the sign of the conductance between them) the symmetric form -pi^(-1/2) A pi^(1/2): no
    weight is divided by, and a rate is the square |R v|^2, which keeps its digits however small it
    is beside the fastest rates.
    """
    edges = generator.edges
    out, back = np.sqrt(np.abs(generator.forward)), np.sqrt(np.abs(generator.backward))
    signs = np.sign(edges.conductance)
    roots = edges.matrix(out, -back)
    matrix = roots.transposeMatMult(edges.matrix(signs * out, -signs * back))
    if loss is not None:
        lost = edges.vector(loss)
        matrix.setDiagonal(lost, PETSc.InsertMode.ADD_VALUES)
        matrix.assemble()
    first = edges.layout.getOwnershipRange()[0]
    rows = PETSc.IS().createGeneral((held + first).astype(np.int32), comm=generator.comm)
    largest = matrix.getDiagonal().max()[1]
    closed = rows.getSize() == 0 and loss is None
    matrix.zeroRowsColumns(rows, largest)
    known = edges.vector(np.sqrt(generator.boltzmann)) if closed else None
    _, vectors = smallest_eigenpairs(matrix, count, _FLOOR * largest, known)
    rates = np.array([_rayleigh(roots, signs, vector, loss) for vector in vectors])
    order = np.argsort(rates)
    found = [_function(generator, vectors[k], rates[k], held, loss, orient) for k in order]
    return Modes(rates[order], np.array(found).reshape(count, -1))


def _rayleigh(
    roots: PETSc.Mat, signs: Array, vector: PETSc.Vec, loss: Array | None
) -> float:
    along = roots.createVecLeft()
    roots.mult(vector, along)
    signed = along.copy()
    signed.array[:] *= signs
    total = float(signed.dot(along))
    for used in (along, signed):
        used.destroy()
    if loss is not None:
        weighted = vector.copy()
        weighted.array[:] *= loss
        total += float(weighted.dot(vector))
    return total / float(vector.dot(vector))


def _function(
    generator: Generator,
    vector: PETSc.Vec,
    rate: float,
    held: Indices,
    loss: Array | None,
    orient: Array,
) -> Array:
    """An eigenvector over the root of its weight; where that is noise, by its equation."""
    edges, law = generator.edges, generator.boltzmann
    root = np.sqrt(law)
    top = edges.comm.allreduce(float(root.max(initial=0.0)), op=MPI.MAX)
    seen = root > _NOISE * top
    function = np.where(seen, vector.array_r / np.where(seen, root, 1.0), 0.0)
    function[held] = 0.0
    seen[held] = True
    if edges.total(~seen):
        known = np.flatnonzero(seen)
        net = np.full(len(law), -rate) + (0.0 if loss is None else loss)
        function = HeldSystem(generator, known, net).function(function[known])
    return _signed(edges.comm, function, law * orient)


def _signed(comm: MPI.Comm, function: Array, orient: Array) -> Array:
    """Scaled to 1, with the sign that the projection says, or else that of the largest value."""
    ends = np.array([function.max(initial=-np.inf), -function.min(initial=np.inf)])
    comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
    product = function * orient
    sums = np.array([product.sum(), np.abs(product).sum()])
    comm.Allreduce(MPI.IN_PLACE, sums)
    decided = abs(sums[0]) > 1e-6 * sums[1]
    positive = sums[0] > 0 if decided else ends[0] >= ends[1]
    scaled: Array = function / (ends.max() if positive else -ends.max())
    return scaled


def _largest(generator: Generator, law: Array) -> Indices:
    """The owned local number of the node with the largest weight: on one rank, one. Collective."""
    comm = generator.comm
    mine = float(law.max(initial=-1.0))
    best = comm.allreduce(mine, op=MPI.MAX)
    owner = comm.allreduce(comm.rank if mine == best else comm.size, op=MPI.MIN)
    found = [int(law.argmax())] if comm.rank == owner else []
    return np.array(found, dtype=np.int64)
