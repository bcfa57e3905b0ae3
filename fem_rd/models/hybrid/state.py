"""What the two sides of a hybrid run must keep to go on, and how it is shared out among ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.models.hybrid.build import Sides
from fem_rd.models.hybrid.reservoirs import Reservoir
from fem_rd.state import State

Array = npt.NDArray[np.float64]
REPLICAS, RESERVOIR, OWN = "replicas", "reservoir", "own"


def positions_of(sides: Sides) -> Mapping[str, Array]:
    """Where the unknowns of each part are; replicas have their numbers in place of coordinates."""
    own = np.zeros((len(sides.own), 3))
    own[:, 0] = sides.own
    if sides.shared:
        return {REPLICAS: own, RESERVOIR: sides.reservoirs[0].model.positions()}
    return {REPLICAS: own, OWN: own}


def state_of(sides: Sides) -> State:
    """Particles, reservoirs and what their interfaces remember. Collective."""
    found = sides.ensemble.state(sides.comm).within(REPLICAS)
    if not sides.shared:
        return found | _in_columns(sides).within(OWN)
    reservoir = sides.reservoirs[0]
    memory = State({}, {"interface": reservoir.interface.memory()})
    return found | (reservoir.model.state() | memory).within(RESERVOIR)


def restore_sides(sides: Sides, state: State) -> None:
    """Take over a saved state. Collective."""
    sides.ensemble.restore(state.part(REPLICAS))
    if sides.shared:
        part = state.part(RESERVOIR)
        sides.reservoirs[0].interface.remember(part.replicated["interface"])
        sides.reservoirs[0].model.restore(part)
        return
    values = state.part(OWN).distributed["values"]
    for column, reservoir in enumerate(sides.reservoirs):
        _put_back(reservoir, values[:, column])


def _in_columns(sides: Sides) -> State:
    """The reservoirs of replicas, each flattened to a column of numbers. Collective."""
    columns = [
        np.concatenate([np.ravel(part) for _, part in _arrays(one)]) for one in sides.reservoirs
    ]
    length = sides.comm.allreduce(len(columns[0]) if columns else 0, op=MPI.MAX)
    return State({"values": np.array(columns, dtype=float).reshape(-1, length).T})


def _arrays(reservoir: Reservoir) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """All arrays of a reservoir that one rank has whole, in an order that does not change."""
    yield "interface", reservoir.interface.memory()
    state = reservoir.model.state()
    for name in sorted(state.distributed):
        yield f"distributed {name}", state.distributed[name]
    for name in sorted(state.replicated):
        yield f"replicated {name}", state.replicated[name]


def _put_back(reservoir: Reservoir, column: Array) -> None:
    now = dict(_arrays(reservoir))
    pieces = np.split(column, np.cumsum([part.size for part in now.values()])[:-1])
    found = {
        name: piece.reshape(part.shape)
        for (name, part), piece in zip(now.items(), pieces, strict=True)
    }
    reservoir.interface.remember(found.pop("interface"))
    kinds: dict[str, dict[str, Array]] = {"distributed": {}, "replicated": {}}
    for name, part in found.items():
        kind, _, key = name.partition(" ")
        kinds[kind][key] = part
    reservoir.model.restore(State(kinds["distributed"], kinds["replicated"]))
