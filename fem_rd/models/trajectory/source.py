"""Where the time series of the trajectory model comes from: files, or molecular dynamics first."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from mpi4py import MPI

from fem_rd.case.base import plain
from fem_rd.case.case import Case
from fem_rd.case.sections.trajectory import SimulateSection, TrajectorySection
from fem_rd.errors import CaseError, FemRdError, NumericalError
from fem_rd.log import Log
from fem_rd.order_parameters import nanoparticle
from fem_rd.order_parameters.analysis import Series
from fem_rd.order_parameters.coordinates import OrderParameter, centre_of_mass, modes, up_to
from fem_rd.order_parameters.nanoparticle import Nanoparticle
from fem_rd.order_parameters.reading import Atoms, read_atoms, read_chunks
from fem_rd.order_parameters.statistics import Array
from fem_rd.parallel import agree

_TOPOLOGY = "nanoparticle.gro"
_LEAST = 100  # frames


@dataclass(frozen=True)
class Source:
    """One order parameter of all replicas, which ranks share out among themselves."""

    case: Case
    comm: MPI.Comm

    @property
    def section(self) -> TrajectorySection:
        """What the case says."""
        found: TrajectorySection = self.case.section
        return found

    def check(self) -> None:
        """Raise `CaseError` for what can be known to be wrong before a run."""
        section, directory = self.section, self.case.path
        if section.simulate is not None:
            if not self.case.units.dimensionless:
                message = "a simulated nanoparticle has units of its own: leave [units] out"
                raise CaseError(message, key="units")
            return
        for index, name in enumerate(section.files):
            if not (directory / name).is_file():
                message = "no such file in the case directory"
                raise CaseError(message, key=f"trajectory.files[{index}]", found=name)
        self._parameter(self._atoms(directory / (section.topology or "")))

    def series(self, keep: Path | None, log: Log) -> Series:
        """Read it; simulated trajectories are kept in the directory ``keep``. Collective."""
        simulated = self.section.simulate
        if simulated is None:
            files = [self.case.path / name for name in self.section.files]
            topology = self.case.path / (self.section.topology or "")
            return self._read(files, topology, float(self.section.interval or 1.0), log)
        with self._directory(keep) as directory:
            particle, files = particle_of(simulated), self._make(simulated, directory, log)
            return self._read(files, directory / _TOPOLOGY, particle.interval, log)

    def _make(self, simulated: SimulateSection, directory: Path, log: Log) -> list[Path]:
        """Molecular dynamics of this rank's replicas; the files of all. Collective."""
        files = [directory / f"replica-{index:03d}.trr" for index in range(simulated.replicas)]
        particle, error = particle_of(simulated), None
        own = range(self.comm.rank, simulated.replicas, self.comm.size)
        workers = max(1, (os.cpu_count() or 1) // self.comm.size)

        def one(replica: int) -> None:
            nanoparticle.run_replica(
                particle, simulated.duration, seed=simulated.seed, replica=replica,
                path=files[replica],
            )  # fmt: skip

        with log.phase("molecular dynamics"):
            try:
                if self.comm.rank == 0:
                    nanoparticle.write_topology(directory / _TOPOLOGY, particle)
                with ThreadPoolExecutor(workers) as pool:
                    list(pool.map(one, own))
            except FemRdError as found:
                error = found
            except OSError as found:
                error = FemRdError(f"{directory}: cannot be written: {found.strerror}")
            agree(self.comm, error)
        return files

    def _read(self, files: list[Path], topology: Path, interval: float, log: Log) -> Series:
        """All replicas, as long as the shortest. Collective."""
        found, error = [], None
        with log.phase("reading"):
            try:
                atoms = self._atoms(topology)
                parameter = self._parameter(atoms)
                own = range(self.comm.rank, len(files), self.comm.size)
                found = [(index, self._one(files[index], atoms, parameter)) for index in own]
            except FemRdError as failure:
                error = failure
            agree(self.comm, error)
            parts = dict(pair for rank in self.comm.allgather(found) for pair in rank)
        replicas = [parts[index] for index in sorted(parts)]
        first = round(self.section.discard / interval)
        length = min(len(replica[0]) for replica in replicas)
        if length - first < _LEAST:
            raise NumericalError(
                f"{max(0, length - first)} frames of each replica are too few",
                remedy=f"at least {_LEAST}, and a smaller trajectory.discard",
            )
        places = np.array([replica[0][first:length] for replica in replicas])
        speeds, forces = (
            None if any(replica[part] is None for replica in replicas)
            else np.array([replica[part][first:length] for replica in replicas])
            for part in (1, 2)
        )  # fmt: skip
        return Series(interval, places, speeds, forces)

    def _one(
        self, file: Path, atoms: Atoms, parameter: OrderParameter
    ) -> tuple[Array | None, ...]:
        """Places, velocities and forces of one replica, in the units of the case."""
        axis, section = "xyz".index(self.section.axis), self.section
        parts: tuple[list[Array], ...] = ([], [], [])
        for chunk in read_chunks(file, atoms, unwrap=section.unwrap):
            parts[0].append(parameter.of(chunk.positions)[:, axis])
            if chunk.velocities is not None:
                parts[1].append(parameter.of(chunk.velocities)[:, axis])
            if chunk.forces is not None:
                parts[2].append(parameter.force(chunk.forces)[:, axis])
        count = len(parts[0])
        return tuple(
            factor * np.concatenate(part) if len(part) == count and count else None
            for factor, part in zip(self._factors(), parts, strict=True)
        )

    def _factors(self) -> tuple[float, float, float]:
        """What ångström, ångström/ps and kJ/(mol ångström) are in the case's units."""
        units = self.case.units
        if units.dimensionless:
            return 1.0, 1.0, 1.0
        force = 0.0
        if units.temperature is not None:
            force = units.convert("1 kJ/mol/angstrom", "1/length")
        return (
            units.convert("1 angstrom", "length"),
            units.convert("1 angstrom/ps", "length/time"),
            force,
        )

    def _atoms(self, topology: Path) -> Atoms:
        try:
            return read_atoms(topology, self.section.selection)
        except CaseError as error:
            raise error.at(key="trajectory") from None

    def _parameter(self, atoms: Atoms) -> OrderParameter:
        equal = self.section.masses == "equal" or self.section.simulate is not None
        masses = np.ones(len(atoms.indices)) if equal else atoms.masses
        if self.section.mode == (0, 0, 0):
            return centre_of_mass(masses)
        if not np.isfinite(atoms.positions).all():
            raise CaseError(
                "needs a topology with positions, the reference of the basis functions",
                key="trajectory.mode", found=list(self.section.mode), valid=".pdb, .gro",
            )  # fmt: skip
        orders = up_to(self.section.mode)  # type: ignore[arg-type]
        return modes(atoms.positions, masses, orders)[-1]

    @contextmanager
    def _directory(self, keep: Path | None) -> Iterator[Path]:
        """A directory that all ranks see, deleted afterwards where it is not to be kept."""
        name = None
        if self.comm.rank == 0:
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
            name = str(keep or tempfile.mkdtemp(prefix="fem-rd-"))
        directory = Path(self.comm.bcast(name))
        try:
            yield directory
        finally:
            self.comm.Barrier()
            if keep is None and self.comm.rank == 0:
                shutil.rmtree(directory, ignore_errors=True)


def particle_of(section: SimulateSection) -> Nanoparticle:
    """What the molecular dynamics is of."""
    given = plain(section)
    return Nanoparticle(**{one.name: given[one.name] for one in fields(Nanoparticle)})

