"""Diffusion in a potential as a Markov jump process between the nodes of a mesh.

The entry K_ij of the P1 stiffness matrix is minus the conductance w_ij of the edge ij. Along an
edge the potential F (in k_B T) is taken to be linear, so that the flux -D (W' + W F') through it
has the closed form of Scharfetter and Gummel, with the harmonic mean of exp(-F):

    flux i -> j = w_ij (B(x) W_i - B(-x) W_j),   x = F_j - F_i,   B(x) = x/(exp(x) - 1).

With the probability P_i = m_i W_i of a node (m_i its volume) that is a rate w_ij B(x)/m_i of jumps
from i to j. Rates obey detailed balance for pi_i = m_i exp(-F_i) whatever the mesh, and none is
negative where no K_ij is positive: for constant D on Delaunay meshes of triangles and on structured
grids. Only differences along edges occur: a potential may rise by hundreds of k_B T from node to
node.

Tetrahedra of a mesh generator have positive K_ij, a tenth of all by size. As they are, the equation
is consistent, conserves and keeps Boltzmann's law, but it is no jump process; without them it is
one, of another diffusion coefficient, whatever the size of the cells.

Why the linear potential and the volumes of nodes, and not quadratures of exp(F) and exp(-F) along
edges and in cells: with these a node beside a deep well takes over the well's weight, and what is
stationary is not Boltzmann's density at the nodes. Both are of second order.

Source: Scharfetter and Gummel, IEEE Trans. Electron Devices 16 (1969) 64; Xu and Zikatanov, Math.
Comp. 68 (1999) 1429 (edge averaging); Wang, Peskin and Elston, J. Theor. Biol. 221 (2003) 491.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from petsc4py import PETSc

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[Any]

ROUND_OFF = 1e-12  # of the diagonal: entries of the stiffness matrix below it are zero
NEAREST = 1e-6  # of an edge: a boundary that is nearer to a node than this counts as so far away
_LARGEST = 690.0  # exponents beyond it leave double precision


def bernoulli(x: Array) -> Array:
    """B(x) = x/(exp(x) - 1), accurate for small and large arguments; B(-x) = B(x) + x."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        values = np.where(np.abs(x) < 1e-8, 1 - x / 2, x / np.expm1(x))
    result: Array = np.where(x > _LARGEST + 50, 0.0, values)
    return result


@dataclass(frozen=True)
class Negative:
    """How much of the stiffness matrix stands for negative rates.

    ``edges`` of the mesh with a positive entry; ``share``: their part of the sum of |K_ij|.
    """

    edges: int
    share: float


class Edges:
    """The edges of a mesh between nodes that a symmetric matrix numbers, each kept by one rank.

    ``tail``, ``head`` (edges,): global numbers of the ends; ``conductance`` (edges,): -K_ij. With
    ``positive`` the edges of negative conductance are left out, on both sides and so from the
    diagonal. Collective.
    """

    def __init__(self, stiffness: PETSc.Mat, *, positive: bool = False) -> None:
        self.layout = stiffness.createVecRight()
        self.comm: MPI.Comm = stiffness.comm.tompi4py()
        first, last = stiffness.getOwnershipRange()
        starts, columns, values = stiffness.getValuesCSR()
        rows = np.repeat(np.arange(first, last), np.diff(starts))
        diagonal = np.zeros(last - first)
        on = rows == columns
        diagonal[rows[on] - first] = values[on]
        above = (columns > rows) & (np.abs(values) > ROUND_OFF * diagonal[rows - first])
        wrong = above & (values > 0)
        sums = np.array(
            [np.abs(values[wrong]).sum(), np.abs(values[above]).sum(), wrong.sum()]
        )
        self.comm.Allreduce(MPI.IN_PLACE, sums)
        self.negative = Negative(int(sums[2]), float(sums[0] / sums[1]) if sums[1] else 0.0)
        kept = above & ~wrong if positive else above
        self.tail, self.head = rows[kept].astype(np.int32), columns[kept].astype(np.int32)
        self.conductance: Array = -values[kept]

    @cached_property
    def _ends(self) -> tuple[Indices, Indices, PETSc.Scatter, PETSc.Vec]:
        """Places of tails and heads in a vector of what this rank needs, and its scatter."""
        needed, places = np.unique(np.concatenate([self.tail, self.head]), return_inverse=True)
        local = PETSc.Vec().createSeq(len(needed))
        wanted = PETSc.IS().createGeneral(needed.astype(np.int32), comm=PETSc.COMM_SELF)
        scatter = PETSc.Scatter().create(self.layout, wanted, local, None)
        count = len(self.tail)
        return places[:count], places[count:], scatter, local

    def at_ends(self, values: Array) -> tuple[Array, Array]:
        """Values of the owned nodes at the tails and at the heads, shape (edges,). Collective."""
        tails, heads, scatter, local = self._ends
        vector = self.vector(values)
        scatter.scatter(vector, local)
        vector.destroy()
        found = local.array_r
        return found[tails], found[heads]

    def vector(self, values: Array | None = None) -> PETSc.Vec:
        """A vector over the nodes with these owned values, or zeros."""
        vector = self.layout.duplicate()
        vector.array[:] = 0.0 if values is None else values
        return vector

    def matrix(self, at_tail: Array, at_head: Array) -> PETSc.Mat:
        """The matrix from nodes to edges with these two entries in each row. Collective."""
        count = len(self.tail)
        columns = np.stack([self.tail, self.head], axis=1).ravel()
        values = np.stack([at_tail, at_head], axis=1).ravel()
        starts = np.arange(0, 2 * count + 1, 2, dtype=np.int32)
        sizes = ((count, None), self.layout.getSizes())
        matrix = PETSc.Mat().createAIJ(sizes, csr=(starts, columns, values), comm=self.comm)
        matrix.assemble()
        return matrix

    def total(self, values: Array) -> float:
        """The sum over the nodes or edges of all ranks. Collective."""
        return float(self.comm.allreduce(float(np.sum(values))))


class Generator:
    """Rates of jumps along the edges: dP/dt = A P with A = gradient^T flux.

    ``volumes`` and ``energy`` (owned,): volume of a node and potential in k_B T; ``work`` (edges,):
    that a force which has no potential does from tail to head, in k_B T. ``sets``: levels (owned,),
    not negative in a set at whose edge the process will be held; an edge that enters it ends where
    the level, linear along the edge, is zero (Gibou et al., J. Comput. Phys. 176 (2002) 205), which
    makes the place of the boundary second-order accurate.

    ``forward`` and ``backward`` (edges,): rates from tail to head and from head to tail.
    """

    def __init__(
        self,
        edges: Edges,
        volumes: Array,
        energy: Array,
        work: Array | None = None,
        sets: Sequence[Array] = (),
    ) -> None:
        self.edges, self.volumes, self.energy, self.work = edges, volumes, energy, work
        low, high = edges.at_ends(energy)
        rise = high - low if work is None else high - low - work
        at_tail, at_head = edges.at_ends(volumes)
        from_tail, from_head = np.ones_like(rise), np.ones_like(rise)
        for level in sets:
            tail, head = edges.at_ends(level)
            from_tail = np.where((tail < 0) & (head >= 0), _crossing(tail, head), from_tail)
            from_head = np.where((head < 0) & (tail >= 0), _crossing(head, tail), from_head)
        length = from_tail * from_head  # one of them is 1
        out, back = bernoulli(from_tail * rise), bernoulli(-from_head * rise)
        # detailed balance across the boundary of a set, also where the edge is cut
        back = np.where(from_tail < 1, out * _exp(rise), back)
        out = np.where(from_head < 1, back * _exp(-rise), out)
        self.forward: Array = edges.conductance / length * out / at_tail
        self.backward: Array = edges.conductance / length * back / at_head

    @property
    def comm(self) -> MPI.Comm:
        """The ranks that share the nodes."""
        return self.edges.comm

    def cut(self, *sets: Array) -> Generator:
        """The same process with edges that end at the boundaries of these sets. Collective."""
        return Generator(self.edges, self.volumes, self.energy, self.work, sets)

    @cached_property
    def flux(self) -> PETSc.Mat:
        """From probabilities of nodes to net jumps per time along edges, tail to head."""
        return self.edges.matrix(self.forward, -self.backward)

    @cached_property
    def gradient(self) -> PETSc.Mat:
        """From nodes to differences along edges; its transpose takes fluxes to gains."""
        ones = np.ones(len(self.forward))
        return self.edges.matrix(-ones, ones)

    @cached_property
    def matrix(self) -> PETSc.Mat:
        """A, whose entry ij is the rate of jumps from j to i; its columns sum to zero."""
        return self.gradient.transposeMatMult(self.flux)

    def gain(self, probability: PETSc.Vec, out: PETSc.Vec) -> None:
        """A P by fluxes: what one node gains another loses, to the last bit."""
        along = self.flux.createVecLeft()
        self.flux.mult(probability, along)
        self.gradient.multTranspose(along, out)
        along.destroy()

    def expected_change(self, function: PETSc.Vec, out: PETSc.Vec) -> None:
        """A^T f: the rate at which the mean of f changes from each node, by differences of f."""
        along = self.flux.createVecLeft()
        self.gradient.mult(function, along)
        self.flux.multTranspose(along, out)
        along.destroy()

    def exit_rates(self) -> Array:
        """The rate of any jump from each owned node. Collective."""
        diagonal = self.matrix.getDiagonal()
        rates: Array = -diagonal.array_r
        return rates

    @cached_property
    def boltzmann(self) -> Array:
        """pi_i = m_i exp(-F_i), normalised, at the owned nodes. Collective."""
        lowest = self.comm.allreduce(float(self.energy.min(initial=np.inf)), op=MPI.MIN)
        weights: Array = self.volumes * np.exp(lowest - self.energy)
        law: Array = weights / np.float64(self.edges.total(weights))
        return law


def _crossing(outside: Array, inside: Array) -> Array:
    """The fraction of the way from the outer to the inner end at which a level passes zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = outside / (outside - inside)
    result: Array = np.clip(np.nan_to_num(fraction, nan=1.0), NEAREST, 1.0)
    return result


def _exp(x: Array) -> Array:
    return np.exp(np.minimum(x, _LARGEST))
