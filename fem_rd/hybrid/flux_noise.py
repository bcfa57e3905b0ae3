"""Fluctuations of the diffusive flux in a reservoir that has its particles' amounts as a field.

In each step every cell T carries a flux of its own, the same throughout T in d dimensions, whose
mean square is that of independent particles: with it the node i gains

    sqrt(2 D c_T |T| Delta)  grad phi_i . N(0, 1)^d,       c_T = max(mean of c at T's nodes, 0).

The hat functions of a cell add up to 1, so the total stays as it is, and where c is the same
everywhere the covariance of what nodes gain is 2 Delta c K with the stiffness K: fluctuation and
dissipation balance on every mesh. Noise along the edges, of -K_ij, is the same on a line and on
meshes without obtuse angles; elsewhere some K_ij are positive, and it gives smooth fields too much
(26 to 32 % on tetrahedra from Gmsh). The balance is that of fluctuating hydrodynamics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from fem_rd.hybrid.hats import CellHats, Floats, Integers
from fem_rd.mesh.domain import Domain
from fem_rd.numerics.spaces import lagrange_space
from fem_rd.particles.random import Purpose, Streams

Normals = npt.NDArray[np.float32] | Floats


class CellFluxes:
    """What fluxes in the cells bring to the nodes, for all reservoirs on one mesh.

    ``points`` (nodes, dim); ``cells`` (cells, dim + 1): simplices; ``diffusion`` (species,).
    """

    def __init__(self, points: Floats, cells: Integers, diffusion: Floats) -> None:
        (nodes, dim), count = points.shape, len(cells)
        inverses = CellHats(points, cells).inverses
        gradients = np.concatenate([-inverses.sum(axis=1, keepdims=True), inverses], axis=1)
        volumes = 1.0 / (math.factorial(dim) * np.abs(np.linalg.det(inverses)))
        gains = np.moveaxis(gradients * np.sqrt(2.0 * volumes)[:, None, None], 2, 0)
        rows = np.broadcast_to(cells, gains.shape)
        columns = np.arange(dim * count).reshape(dim, count, 1)
        columns = np.broadcast_to(columns, gains.shape)
        places = (rows.ravel(), columns.ravel())
        self._gains = csr_array((gains.ravel(), places), shape=(nodes, dim * count))
        shares = np.full(cells.shape, 1.0 / (dim + 1))
        places = (np.repeat(np.arange(count), dim + 1), cells.ravel())
        self._means = csr_array((shares.ravel(), places), shape=(count, nodes))
        self.diffusion, self.dim, self.cells = diffusion, dim, count

    @classmethod
    def of(cls, reservoir: Domain, diffusion: Floats) -> CellFluxes:
        """Of the P1 nodes of a reservoir that this rank has whole."""
        space = lagrange_space(reservoir.mesh, 1)
        points = space.tabulate_dof_coordinates()[:, : reservoir.dimension]
        return cls(np.ascontiguousarray(points), space.dofmap.list.astype(np.int64), diffusion)

    def amounts(self, concentrations: Floats, duration: float, normals: Normals) -> Floats:
        """What nodes gain in a step of this ``duration``, (species, nodes), as the concentrations.

        ``normals`` (dim, species, cells): independent numbers of variance 1.
        """
        levels = np.maximum(self._means @ concentrations.T, 0.0).T
        sizes = np.sqrt(duration * self.diffusion[:, None] * levels)
        fluxes = np.moveaxis(normals * sizes, 1, 0).reshape(len(sizes), -1)
        return np.asarray((self._gains @ fluxes.T).T, dtype=float)


@dataclass(frozen=True)
class FluxNoise:
    """That of the reservoir of one replica: the same on any rank and after a restart."""

    fluxes: CellFluxes
    streams: Streams

    def amounts(self, concentrations: Floats, duration: float, step: int) -> Floats:
        """What nodes gain in the step of this number, (species, nodes), as the concentrations."""
        shape = (self.fluxes.dim, len(concentrations), self.fluxes.cells)
        identities = np.arange(math.prod(shape[1:]), dtype=np.uint64)
        normals = self.streams.normals(shape[0], identities, step, Purpose.RESERVOIR_FLUX)
        return self.fluxes.amounts(concentrations, duration, normals.reshape(shape))
