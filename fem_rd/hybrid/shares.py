"""The part of a reaction across an interface that the reservoir has by itself."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI
from scipy.spatial import cKDTree

from fem_rd import compat
from fem_rd.hybrid.hats import Floats
from fem_rd.mesh.cut_balls import cut_volumes
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.neighbours import gathered
from fem_rd.mesh.region_domain import domain_of_regions
from fem_rd.numerics.spaces import lagrange_space

_NEAR = 1e-9  # of the largest coordinate: positions nearer than this are the same
_ROUND_OFF = 1e-12


def reservoir_shares(whole: Domain, reservoir: Domain, radius: float) -> Floats:
    """|ball(y) and reservoir| / |ball(y) and whole| at the owned P1 nodes y of the reservoir.

    The ``reservoir`` is made of regions of the ``whole`` by `domain_of_regions`, on the same ranks
    or whole on each; the ball has the ``radius``. Shape (owned,), 1 far from the interface: the
    part of the partners of a molecule at y that the reservoir has. Collective.
    """
    if compat.geometry_degree(whole.mesh) > 1:  # the reservoir's cells are straight
        whole = domain_of_regions(whole, tuple(whole.regions))
    space, around = (lagrange_space(domain.mesh, 1) for domain in (reservoir, whole))
    dim = whole.dimension
    nodes, others = (
        np.ascontiguousarray(
            one.tabulate_dof_coordinates()[: one.dofmap.index_map.size_local, :dim]
        )
        for one in (space, around)
    )
    comm = whole.mesh.comm
    tolerance = _NEAR * comm.allreduce(float(np.abs(others).max(initial=0.0)), op=MPI.MAX)
    rows = np.column_stack([others, cut_volumes(around, radius)])
    near = gathered(comm, nodes, rows, tolerance)
    own = cut_volumes(space, radius)
    if not len(nodes):
        return own
    distance, index = cKDTree(near[:, :dim]).query(nodes)
    if distance.max() > tolerance:
        raise ValueError("the reservoir has nodes that the whole mesh does not have")
    share: Floats = np.clip(own / near[index, dim], 0.0, 1.0)
    share[share > 1.0 - _ROUND_OFF] = 1.0
    return share
