"""The stored fields of an earlier run, as a reservoir that is known ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.spatial import cKDTree

from fem_rd.errors import CaseError, FemRdError
from fem_rd.models.place import Place
from fem_rd.observables import Observable
from fem_rd.output.reading import Fields, read_fields, read_times
from fem_rd.parallel import agree
from fem_rd.state import State

Array = npt.NDArray[np.float64]
KEY = "hybrid.stored"
FILE = "fields.vtkhdf"
_NEAR = 1e-9  # of the extent of the mesh: points nearer than this are the same
_LATE = 1e-9  # of the duration: times nearer than this are the same


class StoredRun:
    """Concentrations at the nodes of ``place``, linear in time between those that were stored.

    ``results``: the directory of a run on the same mesh, whose nodes are found by their positions,
    with a field for each of the ``species`` in ``unit``, from time 0 to ``end`` or once for all
    times. Raises `CaseError` for anything else. Methods are collective.
    """

    def __init__(
        self, results: Path, species: Sequence[str], place: Place, end: float, unit: str
    ) -> None:
        self.place, self._species, self._unit = place, tuple(species), unit
        self._file, self._time = results / FILE, 0.0
        comm: MPI.Comm = place.domain.mesh.comm
        error = None
        try:
            self._times = self._checked_times(end)
            self._rows = self._found_nodes(read_fields(self._file, 0))
        except CaseError as found:
            error = found
        agree(comm, error)
        self._ends: dict[int, Array] = {}

    @property
    def time(self) -> float:
        """The time reached."""
        return self._time

    @property
    def volumes(self) -> Array:
        """What belongs to each owned node, (owned,)."""
        return self.place.volumes

    def advance(self, limit: float) -> None:
        """To the time ``limit``."""
        self._time = limit

    def concentrations(self) -> Array:
        """At the owned nodes now, (species, owned)."""
        after = int(np.searchsorted(self._times, self._time))
        if after == 0 or after == len(self._times):
            return self._at(min(after, len(self._times) - 1))
        begin, end = self._times[after - 1 : after + 1]
        share = (self._time - begin) / (end - begin)
        found: Array = (1.0 - share) * self._at(after - 1) + share * self._at(after)
        return found

    def observables(self) -> Sequence[Observable]:
        """The amounts of all species."""
        return list(self._amounts())

    def positions(self) -> Array:
        """Where this rank's owned nodes are, (owned, 3)."""
        return self.place.positions

    def state(self) -> State:
        """The time is all there is to keep."""
        return State({}, {"time": np.array(self._time)})

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        self._time = state.number("time")

    def _amounts(self) -> Iterator[Observable]:
        totals = self.concentrations() @ self.volumes
        self.place.domain.mesh.comm.Allreduce(MPI.IN_PLACE, totals)
        for name, total in zip(self._species, totals, strict=True):
            text = f"amount of {name} in the stored field"
            yield Observable(f"amount_{name}", float(total), "amount", text)

    def _at(self, step: int) -> Array:
        """One stored field, (species, owned); the latest two are kept."""
        if step not in self._ends:
            values = read_fields(self._file, step).values
            self._ends = {k: one for k, one in self._ends.items() if k == step - 1}
            self._ends[step] = np.array([values[name][self._rows] for name in self._species])
        return self._ends[step]

    def _checked_times(self, end: float) -> Array:
        try:
            times = read_times(self._file)
        except (FemRdError, KeyError) as error:
            raise CaseError(f"has no fields that can be read: {error}", key=KEY,
                            found=str(self._file.parent),
                            valid="results of a run with fields") from None  # fmt: skip
        late = _LATE * end
        if len(times) != 1 and not (len(times) and times[0] <= late and times[-1] >= end - late):
            found = f"{len(times)} fields"
            found += f", from {times[0]:g} to {times[-1]:g}" if len(times) else ""
            raise CaseError("its fields do not last for the time of this run", key=KEY,
                            found=found, valid=f"from 0 to {end:g}, or one field")  # fmt: skip
        return times

    def _found_nodes(self, fields: Fields) -> npt.NDArray[np.int64]:
        """The points of the file that are the owned nodes."""
        missing = [name for name in self._species if name not in fields.values]
        if missing:
            raise CaseError(f"has no field for {', '.join(missing)}", key=KEY,
                            found=list(fields.values), valid=self._species)  # fmt: skip
        for name in self._species:
            if fields.units[name] != self._unit:
                raise CaseError(f"the field of {name} has another unit", key=KEY,
                                found=fields.units[name], valid=self._unit)  # fmt: skip
        extent = float(np.ptp(fields.points, axis=0).max(initial=0.0)) or 1.0
        distance, rows = cKDTree(fields.points).query(self.place.positions)
        if distance.max(initial=0.0) > _NEAR * extent:
            far = self.place.positions[int(np.argmax(distance))]
            raise CaseError("was made on another mesh: it has no value at the node at "
                            f"({', '.join(f'{x:.4g}' for x in far)})", key=KEY,
                            found=f"{len(fields.points)} points",
                            valid="a run on the mesh of this case")  # fmt: skip
        return np.asarray(rows, dtype=np.int64)
