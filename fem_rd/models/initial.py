"""Initial concentrations at the nodes: expressions, by region, with reproducible noise."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.case.sections.reaction_diffusion import Initial
from fem_rd.models.assembly import Array
from fem_rd.models.place import Place

_NEAR = 1e-9  # of the extent of the domain: positions nearer than this are the same

Bits = npt.NDArray[np.uint64]


def initial_concentration(initial: Initial, place: Place) -> Array:
    """Nodal values; where regions meet, the mean by the volumes that belong to the node."""
    if not isinstance(initial, dict):
        return place.at_nodes(initial).copy()
    values = np.zeros(place.owned)
    for region, expression in initial.items():
        share = place.share(region)
        inside = share > 0
        values[inside] += share[inside] * place.at_nodes(expression)[inside]
    return values


def noise_at(place: Place, seed: int, name: str) -> Array:
    """Independent numbers, uniform between -1 and 1, one for each node.

    They are made from the positions of the nodes, so they do not depend on the number of ranks.
    """
    positions = place.positions
    comm: MPI.Comm = place.domain.mesh.comm
    signed = np.concatenate([-positions, positions], axis=1)
    ends = signed.max(axis=0, initial=-np.inf)
    comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
    lowest, highest = -ends[:3], ends[3:]
    grain = _NEAR * float((highest - lowest).max())
    cells = np.rint((positions - lowest) / grain).astype(np.int64).view(np.uint64)
    start = np.uint64((zlib.crc32(name.encode()) << 32) ^ (seed & 0xFFFFFFFF))
    bits = _mixed(np.full(len(positions), start))
    for axis in range(3):
        bits = _mixed(bits ^ cells[:, axis])
    uniform: Array = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return 2.0 * uniform - 1.0


def _mixed(bits: Bits) -> Bits:
    """One step of SplitMix64 (Steele, Lea and Flood 2014): every bit depends on every other."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Bits = bits ^ (bits >> np.uint64(31))
    return mixed
