"""Particles as arrays: one population per species, and the system they make up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fem_rd.particles.build import kernels, pointer
from fem_rd.particles.random import Identities, Streams

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Arrays = Mapping[str, npt.NDArray[Any]]


class Population:
    """The particles of one species, in arrays that have room to grow.

    ``positions``: (dimension, capacity), each row in one piece. ``ids``: unsigned, (capacity,).
    ``velocities``: as positions, where the dynamics has them. ``cells``: (capacity,), the cell of
    a mesh each particle is in, where the domain is one. Only the first ``count`` places are in use.
    """

    def __init__(
        self, dimension: int, *, velocities: bool = False, cells: bool = False, capacity: int = 64
    ) -> None:
        self.dimension, self.count = dimension, 0
        self.positions: Floats = np.zeros((dimension, capacity))
        self.ids: Identities = np.zeros(capacity, dtype=np.uint64)
        self.velocities: Floats | None = np.zeros((dimension, capacity)) if velocities else None
        self.cells: npt.NDArray[np.int32] | None = (
            np.zeros(capacity, dtype=np.int32) if cells else None
        )

    @property
    def capacity(self) -> int:
        return int(self.ids.size)

    @property
    def bytes_per_place(self) -> int:
        """Memory of one place; while arrays grow, the largest of them is there twice."""
        return sum(row.itemsize for row in self._rows())

    @property
    def x(self) -> Floats:
        """The positions in use, (dimension, count): a view."""
        return self.positions[:, : self.count]

    @property
    def moving(self) -> Floats:
        """The velocities, (dimension, capacity); `TypeError` if these particles have none."""
        if self.velocities is None:
            raise TypeError("these particles have no velocities")
        return self.velocities

    @property
    def v(self) -> Floats:
        """The velocities in use, (dimension, count): a view."""
        return self.moving[:, : self.count]

    @property
    def id(self) -> Identities:
        """The identities in use, (count,): a view."""
        return self.ids[: self.count]

    @property
    def cell(self) -> npt.NDArray[np.int32]:
        """The cells in use, (count,): a view."""
        if self.cells is None:
            raise TypeError("these particles are in no mesh")
        return self.cells[: self.count]

    def append(
        self,
        positions: npt.ArrayLike,
        ids: npt.ArrayLike,
        velocities: npt.ArrayLike | None = None,
        cells: npt.ArrayLike | None = None,
    ) -> None:
        """Put particles at the end: positions (dimension, k), ids (k,); zero what is not given."""
        places = self.shaped(positions)
        start, stop = self.count, self.count + places.shape[1]
        self.reserve(stop)
        self.positions[:, start:stop] = places
        self.ids[start:stop] = ids
        if self.velocities is not None:
            self.velocities[:, start:stop] = 0.0 if velocities is None else velocities
        if self.cells is not None:
            self.cells[start:stop] = 0 if cells is None else cells
        self.count = stop

    def shaped(self, positions: npt.ArrayLike) -> Floats:
        """The positions as an array (dimension, k)."""
        places = np.asarray(positions, dtype=float)
        return places if places.ndim == 2 else places.reshape(self.dimension, -1)

    def remove(self, gone: npt.NDArray[np.bool_] | Integers) -> None:
        """Take particles out, by a mask (count,) or by ascending places; the order is kept."""
        where = np.flatnonzero(gone) if gone.dtype == bool else gone
        places = np.ascontiguousarray(where, dtype=np.int64)
        if not places.size:
            return
        compact(self._rows(), self.count, places)
        self.count -= places.size

    def reserve(self, count: int) -> None:
        """Make room for so many particles: by half more than there was, where it grows."""
        if count <= self.capacity:
            return
        capacity = max(count, self.capacity * 3 // 2)
        self.positions = _grown(self.positions, capacity)
        self.ids = _grown(self.ids, capacity)
        self.velocities = None if self.velocities is None else _grown(self.velocities, capacity)
        self.cells = None if self.cells is None else _grown(self.cells, capacity)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all arrays in use, by name."""
        arrays: dict[str, npt.NDArray[Any]] = {"positions": self.x.copy(), "ids": self.id.copy()}
        if self.velocities is not None:
            arrays["velocities"] = self.v.copy()
        if self.cells is not None:
            arrays["cells"] = self.cell.copy()
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Put back what `state` gave."""
        self.count = 0
        self.append(
            arrays["positions"], arrays["ids"], arrays.get("velocities"), arrays.get("cells")
        )

    def _rows(self) -> Iterable[npt.NDArray[Any]]:
        yield from self.positions
        yield self.ids
        if self.velocities is not None:
            yield from self.velocities
        if self.cells is not None:
            yield self.cells


class System:
    """Populations by species, their random numbers, and where they are in time.

    An identity is given to one particle only, whatever its species, and never again.
    """

    def __init__(
        self,
        dimension: int,
        species: Sequence[str],
        streams: Streams,
        *,
        velocities: bool = False,
        cells: bool = False,
    ) -> None:
        self.dimension, self.species, self.streams = dimension, tuple(species), streams
        self.populations = {
            name: Population(dimension, velocities=velocities, cells=cells) for name in species
        }
        self.step, self.time, self.next_id = 0, 0.0, 0

    def __getitem__(self, species: str) -> Population:
        return self.populations[species]

    @property
    def counts(self) -> dict[str, int]:
        """The number of particles of each species."""
        return {name: population.count for name, population in self.populations.items()}

    def add(
        self,
        species: str,
        positions: npt.ArrayLike,
        velocities: npt.ArrayLike | None = None,
        cells: npt.ArrayLike | None = None,
    ) -> Identities:
        """Put new particles at (dimension, k); their identities, in this order."""
        population = self.populations[species]
        places = population.shaped(positions)
        ids = self.new_ids(places.shape[1])
        population.append(places, ids, velocities, cells)
        return ids

    def new_ids(self, count: int) -> Identities:
        """Identities that nobody had before; the order of calls alone decides who gets which."""
        ids = np.arange(self.next_id, self.next_id + count, dtype=np.uint64)
        self.next_id += count
        return ids

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All that a run needs to go on with the same bits, as plain arrays by name."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "step": np.array(self.step),
            "time": np.array(self.time),
            "next_id": np.array(self.next_id, dtype=np.uint64),
        }
        for name, population in self.populations.items():
            arrays |= {f"{name}.{key}": array for key, array in population.state().items()}
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Put back what `state` gave, into a system of the same species and streams."""
        self.step, self.time = int(arrays["step"]), float(arrays["time"])
        self.next_id = int(arrays["next_id"])
        for name, population in self.populations.items():
            start = f"{name}."
            population.restore(
                {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
            )


def compact(rows: Iterable[npt.NDArray[Any]], count: int, gone: Integers) -> None:
    """Take items out of the first ``count`` of rows, by ascending places; the order is kept."""
    _, lib = kernels()
    who = pointer("int64_t *", gone)
    for row in rows:
        lib.fem_rd_compact(pointer("char *", row), row.itemsize, count, who, gone.size)


def _grown(array: npt.NDArray[Any], capacity: int) -> npt.NDArray[Any]:
    larger = np.zeros((*array.shape[:-1], capacity), dtype=array.dtype)
    larger[..., : array.shape[-1]] = array
    return larger
