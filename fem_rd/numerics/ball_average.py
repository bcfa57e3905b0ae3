"""Integrals over the ball around each node, as a sparse product.

(W c)_y = integral of c over the part of the domain within sigma of the node y. With weights m of
the nodes, W_yz = s_y k_yz s_z m_z, where

- k_yz falls linearly from 1 to 0 while |y - z| grows through a layer of the width w of a cell
  about the surface of the ball: a sharp edge would count nodes, with an error of a few of them.
  The radius is smaller by (2 d + 1) w^2/(24 sigma), which gives the softened ball the mean square
  radius of the sharp one, so that curvature of c counts right;
- s, close to one, makes the row sums the volumes of the cut balls (`fem_rd.mesh.cut_balls`), so
  that a uniform c is integrated exactly. It is the symmetric scaling of a positive matrix to given
  row sums, which exists and is unique (Sinkhorn).

diag(m) W is symmetric: what A loses to B, summed over the nodes, B loses to A. Where m > 0, so is
W. The weights may vanish or be negative somewhere (degree 2) as long as the row sums do not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from dolfinx import fem, la
from mpi4py import MPI
from petsc4py import PETSc
from scipy.sparse import csr_array, vstack
from scipy.spatial import cKDTree

from fem_rd.errors import CaseError, NumericalError
from fem_rd.mesh.arrays import SIMPLICES
from fem_rd.mesh.cut_balls import cut_volumes
from fem_rd.mesh.measures import cell_volumes
from fem_rd.mesh.neighbours import close_pairs, gathered, mean_count
from fem_rd.parallel import agree

Array = npt.NDArray[np.float64]

MEMORY = 8e9
"""Bytes that one rank may use for the matrix while it is made, unless told otherwise."""

_BYTES_PER_ENTRY = 60  # at the peak, measured: the matrix, its parts and pairs of points
_TOLERANCE, _ITERATIONS = 1e-13, 200
# The eigenvalues of K, scaled to row sums 1, lie between -0.22 (Fourier transform of an interval)
# and 1. This exponent shrinks the errors of both ends alike, by 0.43 in each iteration.
_EXPONENT = 0.71


class BallAverage:
    """The integral over the ball of radius ``sigma`` around each node, cut by the domain.

    ``weights``, shape (owned,): integrals of the nodes' basis functions. One rank gathers the
    nodes within sigma of its own once; ``volumes``, shape (owned,), are the row sums. Collective.

    Raises `CaseError` where sigma is smaller than a cell or the matrix would need more than
    ``memory`` bytes on a rank, `NumericalError` where the weights do not resolve the balls.
    """

    def __init__(
        self, space: fem.FunctionSpace, weights: Array, sigma: float, memory: float = MEMORY
    ) -> None:
        self.sigma = sigma
        sizes = node_sizes(space)
        _check_resolution(space.mesh.comm, sigma, sizes)
        self.volumes = cut_volumes(space, sigma)
        self.matrix = _kernel(space, sizes, sigma, memory)
        self._source, self._result = self.matrix.createVecs()
        scale = self._balanced(weights)
        self._source.array[:] = scale * weights
        self._result.array[:] = scale
        self.matrix.diagonalScale(self._result, self._source)

    def apply(self, values: Array, out: Array) -> None:
        """W ``values`` into ``out``, both of shape (owned,). One sparse product. Collective."""
        self._source.array[:] = values
        self.matrix.mult(self._source, self._result)
        out[:] = self._result.array_r

    def _balanced(self, weights: Array) -> Array:
        """The scaling s for which s_y sum_z k_yz m_z s_z = volume of the ball at y."""
        comm: MPI.Comm = self.matrix.comm.tompi4py()
        scale, sums = np.ones(len(weights)), np.empty(len(weights))
        for _ in range(_ITERATIONS):
            self.apply(scale * weights, sums)
            with np.errstate(divide="ignore"):
                ratio = self.volumes / (scale * sums)
            least, error = -np.inf, 0.0
            if len(ratio):
                least, error = -float(ratio.min()), float(np.abs(ratio - 1).max())
            least, error = (comm.allreduce(value, MPI.MAX) for value in (least, error))
            if error <= _TOLERANCE:
                return scale
            if not -least > 0 or not np.isfinite(error):
                break
            scale *= ratio**_EXPONENT
        raise NumericalError(
            f"the mesh does not resolve the reaction radius {self.sigma:g}: no integrals over balls"
            " with the right volumes were found",
            remedy="smaller cells",
        )


def node_sizes(space: fem.FunctionSpace) -> Array:
    """Distance between nodes about each owned node: mean over its cells, shape (owned,).

    That of a cell is the edge of the cube of its volume (of d! such simplices) over the degree.
    Collective.
    """
    mesh, dofmap = space.mesh, space.dofmap
    dim = mesh.topology.dim
    cells = np.arange(mesh.topology.index_map(dim).size_local, dtype=np.int32)
    volumes = cell_volumes(mesh, cells)
    if mesh.topology.cell_name() in SIMPLICES:
        volumes = volumes * float(np.prod(np.arange(1, dim + 1)))
    nodes = dofmap.list[cells]
    edges = np.repeat(volumes ** (1 / dim), nodes.shape[1]) / space.ufl_element().degree
    sums, counts = (la.vector(dofmap.index_map, dtype=np.float64) for _ in range(2))
    np.add.at(sums.array, nodes.ravel(), edges)
    np.add.at(counts.array, nodes.ravel(), 1.0)
    for vector in (sums, counts):
        vector.scatter_reverse(la.InsertMode.add)
    owned = dofmap.index_map.size_local
    return sums.array[:owned] / counts.array[:owned]


def _check_resolution(comm: MPI.Comm, sigma: float, sizes: Array) -> None:
    largest = comm.allreduce(float(sizes.max(initial=0)), MPI.MAX)
    if not sigma >= largest:
        raise CaseError(
            "the reaction radius must be at least the distance between nodes, which is up to"
            f" {largest:.3g}: refine the mesh, or leave the radius out and give the macroscopic"
            " `rate`, the volume of the ball times the rate of a pair",
            found=sigma,
        )


def _kernel(space: fem.FunctionSpace, sizes: Array, sigma: float, memory: float) -> PETSc.Mat:
    """k as a matrix with the rows of the owned nodes. Collective."""
    mesh, index_map = space.mesh, space.dofmap.index_map
    comm, dim, owned = mesh.comm, mesh.geometry.dim, index_map.size_local
    nodes = space.tabulate_dof_coordinates()[:owned, :dim]
    numbers = np.arange(*index_map.local_range, dtype=np.float64)
    reach = sigma + 0.5 * comm.allreduce(float(sizes.max(initial=0)), MPI.MAX)
    others = gathered(comm, nodes, np.column_stack([nodes, sizes, numbers]), reach)
    points, other_sizes = others[:, :dim], others[:, dim]
    columns = others[:, dim + 1].astype(PETSc.IntType)
    _check_memory(comm, nodes, points, reach, memory)
    blocks = [csr_array((0, len(points)))]
    for part, node, point, distance in close_pairs(nodes, points, reach):
        width = np.sqrt((sizes[part][node] ** 2 + other_sizes[point] ** 2) / 2)
        radius = sigma - (2 * dim + 1) * width**2 / (24 * sigma)
        share = np.clip((radius - distance) / width + 0.5, 0, 1)
        kept = share > 0
        shape = (part.stop - part.start, len(points))
        blocks.append(csr_array((share[kept], (node[kept], point[kept])), shape=shape))
    rows = vstack(blocks, format="csr")
    size = ((owned, index_map.size_global), (owned, index_map.size_global))
    starts = rows.indptr.astype(PETSc.IntType)
    matrix = PETSc.Mat().createAIJ(size, csr=(starts, columns[rows.indices], rows.data), comm=comm)
    matrix.assemble()
    return matrix


def _check_memory(comm: MPI.Comm, nodes: Array, points: Array, reach: float, memory: float) -> None:
    """Raise the same `CaseError` on every rank where one rank's rows are too long."""
    each = mean_count(nodes, cKDTree(points), reach) if len(nodes) else 0.0
    needed, error = each * len(nodes) * _BYTES_PER_ENTRY, None
    if needed > memory:
        error = CaseError(
            f"the reaction radius reaches {each:.0f} nodes from each: {needed / 1e9:.1f} GB on one"
            f" rank, more than {memory / 1e9:.1f} GB; use more ranks, a coarser mesh, or leave"
            " the radius out and give the macroscopic `rate`",
        )
    agree(comm, error)
