"""The particles model: single molecules in continuous space, as replicas shared out among ranks.

Between two rows of observables there are many steps: a row stands at each multiple of
`measure.every`, at each time of output and at the end. Replicas have their own random numbers,
and sums are made in the order of replicas: results are the same for any number of ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.sections.particle_places import OpenWall
from fem_rd.errors import FemRdError
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.models.functionals import Derived
from fem_rd.models.particles.checks import check_case
from fem_rd.models.particles.ensemble import Ensemble
from fem_rd.models.particles.mesh import region_of
from fem_rd.models.particles.observables import (
    Measured,
    check_measures,
    observables_of,
    with_errors,
)
from fem_rd.models.particles.output import ParticlesOutput
from fem_rd.models.particles.rows import Rows, whole_steps
from fem_rd.models.particles.samples import Table
from fem_rd.models.particles.setup import Setup
from fem_rd.models.protocol import Array, Exact, Field
from fem_rd.observables import Observable
from fem_rd.output.results import ResultsDirectory
from fem_rd.parallel import agree
from fem_rd.state import State

_RESOLVED = 3.0  # steps of length sqrt(2 D dt) that a radius or a width should hold


class ParticlesModel:
    """One run of all replicas, ready to advance. Methods are collective."""

    def __init__(self, case: Case, place: Domain | MPI.Comm, log: Log) -> None:
        dt = check_case(case)
        comm: MPI.Comm = place.mesh.comm if isinstance(place, Domain) else place
        region = region_of(case.section.domain, place) if isinstance(place, Domain) else None
        self._case, self._comm, self._setup = case, comm, Setup(case, dt, region)
        self._steps = whole_steps(case.time.end if case.time else 0.0, self._setup.dt, "time.end")
        every = self._setup.section.measure.every
        self._rows = Rows.of(every, dt, self._steps, "particles.measure.every")
        check_measures(self._setup)
        self._setup.check_steps()
        own = np.array_split(np.arange(self._setup.section.replicas), comm.size)[comm.rank]
        self._setup.check_memory(len(own))
        self._ensemble = self._built(own)
        self._measured: Measured | None = None
        names = [observable.name for observable in self._directly()]
        derived, parameters = self._setup.section.derived, case.parameters
        self._derived = Derived(derived, names, parameters, "particles.derived")
        for warning in _warnings(self._setup):
            log.warning(warning)

    @property
    def time(self) -> float:
        """The time reached."""
        return self._rows.time

    @property
    def steps(self) -> int:
        """Rows after the first."""
        return self._rows.count

    def advance(self, limit: float) -> None:
        """To the next row, not beyond ``limit``."""
        target = self._rows.next(self._ensemble.step, limit)
        error = None
        try:
            self._ensemble.advance(target - self._ensemble.step)
            self._ensemble.sample()
        except FemRdError as found:
            error = found
        agree(self._comm, error)
        self._rows.reach(target, limit)
        self._measured = None

    def observables(self) -> Sequence[Observable]:
        """What is measured at the present time."""
        found = self._directly()
        return [*with_errors(self._derived, found), *found]

    def measured(self) -> Measured:
        """What all replicas have shown until now, the same on every rank."""
        if self._measured is None:
            self._measured = Measured.of(self._ensemble, self._comm)
        return self._measured

    def fields(self) -> Mapping[str, Field]:
        """None: molecules are points. Particles have a file of their own (`open_output`)."""
        return {}

    def open_output(
        self, results: ResultsDirectory, log: Log, *, trajectories: bool, resumed: bool
    ) -> ParticlesOutput:
        """The files that only this model has."""
        first = self._ensemble.replicas[0].system if self._comm.rank == 0 else None
        return ParticlesOutput(
            results, self, first, self._comm, log,
            trajectories=trajectories, resumed=resumed,
        )  # fmt: skip

    def tables(self) -> Mapping[str, Table]:
        """Profiles and pair correlations as they are now, by name."""
        ensemble, sums, found = self._ensemble, self.measured().sums, {}
        if ensemble.profiles is not None:
            found["profiles"] = ensemble.profiles.table(sums["counts"], sums["samples"])
        if ensemble.pairs is not None:
            found["pairs"] = ensemble.pairs.table(sums["found"], sums["expected"])
        return found

    def exact(self) -> Exact:
        """Nothing is known in closed form about particles in general."""
        return Exact()

    def state(self) -> State:
        """Everything that `restore` needs to go on as if nothing had happened."""
        return self._rows.state() | self._ensemble.state(self._comm).within("ensemble")

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        self._rows.restore(state)
        self._ensemble.restore(state.part("ensemble"))
        self._measured = None

    def positions(self) -> Array:
        """The numbers of this rank's replicas, in the place of coordinates: shape (owned, 3)."""
        own = self._ensemble.own
        return np.column_stack([own, np.zeros((len(own), 2))]).astype(float)

    def unknowns(self) -> Mapping[str, int]:
        """Particles of each species at the beginning, in all replicas."""
        total = self._ensemble.counts.sum(axis=1)
        self._comm.Allreduce(MPI.IN_PLACE, total)
        return dict(zip(self._setup.species, map(int, total), strict=True))

    def describe(self) -> Mapping[str, str]:
        """Particles, replicas, steps, memory."""
        setup, section = self._setup, self._setup.section
        numbers = ", ".join(f"{name} {setup.expected(name):.6g}" for name in setup.species)
        lengths = ", ".join(
            f"{name} {math.sqrt(2 * section.species[name].diffusion * setup.dt):.3g}"
            for name in setup.species
        )
        memory = section.replicas * setup.memory() / 2**20
        return {
            "particles": f"{numbers} at the beginning of each replica",
            "replicas": f"{section.replicas}",
            "dynamics": section.dynamics,
            "steps": f"{self._steps}, a row of observables every {self._rows.every}",
            "length of a step": f"{lengths} (sqrt(2 D dt))",
            "memory of particles": f"{memory:.3g} MiB over all ranks, with room to grow by half",
        }

    def _directly(self) -> Sequence[Observable]:
        return observables_of(self._setup, self.measured(), self._case.units)

    def _built(self, own: npt.NDArray[np.int64]) -> Ensemble:
        error = None
        try:
            ensemble = Ensemble(self._setup, own, self._steps)
            ensemble.sample()
        except FemRdError as found:
            error = found
        agree(self._comm, error)
        return ensemble


def _warnings(setup: Setup) -> list[str]:
    """What a user should know about the length of steps."""
    section, dt, found = setup.section, setup.dt, []
    chemistry = setup.case.chemistry
    for name, radius in ({} if chemistry is None else chemistry.radii).items():
        reaction = next(one for one in chemistry.network.reactions if one.name == name)  # type: ignore[union-attr]
        met = [one for one, count in reaction.reactants for _ in range(count)]
        diffusion = sum(section.species[one].diffusion for one in met if one in section.species)
        spread = math.sqrt(2 * diffusion * dt)
        if spread > radius / _RESOLVED:
            found.append(
                f"a step of the distance of a pair, sqrt(2 D dt) = {spread:.3g}, is long for the "
                f"radius {radius:g} of the reaction {name}: take time.step below "
                f"{(radius / _RESOLVED) ** 2 / (2 * diffusion):.3g}"
            )
    for name, wall, part in setup.boundaries:
        found += _long_for_layer(setup, name, wall, part)
    return found


def _long_for_layer(setup: Setup, name: str, wall: str, part: OpenWall) -> list[str]:
    if part.scheme not in ("layer", "layer-matched") or part.width is None:
        return []
    diffusion = setup.section.species[name].diffusion
    spread = math.sqrt(2 * diffusion * setup.dt)
    if spread <= part.width / _RESOLVED:
        return []
    limit = (part.width / _RESOLVED) ** 2 / (2 * diffusion)
    return [
        f"a step of {name}, sqrt(2 D dt) = {spread:.3g}, is long for the layer of width "
        f"{part.width:g} at {wall}: take time.step below {limit:.3g}"
    ]
