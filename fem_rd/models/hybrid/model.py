"""The hybrid model: particles in a region of the mesh, a PDE on the rest of it.

The two sides know each other through the `Interface` alone. Between two rows of observables there
are many steps of the PDE, and in each of these `substeps` of the particles. Replicas are shared
out among ranks as in the model particles; the PDE is distributed over all ranks, or, where each
replica has its own, whole on the rank of its replica. In each step of a shared PDE ranks exchange
the values at the interface's nodes, and the amounts that were given there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.sections.hybrid import HybridSection
from fem_rd.errors import FemRdError
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.models.functionals import Derived
from fem_rd.models.hybrid.build import Sides
from fem_rd.models.hybrid.compare import AgainstPDE, compared
from fem_rd.models.hybrid.observables import hybrid_observables
from fem_rd.models.hybrid.picture import Picture, RegionHats
from fem_rd.models.hybrid.sides import keys_of_hybrid
from fem_rd.models.hybrid.state import positions_of, restore_sides, state_of
from fem_rd.models.particles.observables import Measured, with_errors
from fem_rd.models.particles.output import ParticlesOutput
from fem_rd.models.particles.samples import Table
from fem_rd.models.place import Place
from fem_rd.models.protocol import Array, Exact, Field
from fem_rd.observables import Observable
from fem_rd.output.results import ResultsDirectory
from fem_rd.parallel import agree
from fem_rd.state import State


class HybridModel:
    """One run of all replicas with their reservoir, ready to advance. Methods are collective."""

    def __init__(self, case: Case, domain: Domain, log: Log) -> None:
        self._case, self._comm = case, domain.mesh.comm
        self._section: HybridSection = case.section
        with keys_of_hybrid():
            self._sides = Sides(case, domain, log)
            self._place = Place(domain, 1, lump=True)
            self._hats = RegionHats(self._sides.ground.region, self._place)
            self._compared = compared(self._sides, self._hats, log)
            self._rows = self._sides.rows()
        unit = case.units.unit_name("amount/volume", space=domain.dimension)
        self._picture = Picture(self._sides, self._hats, self._place, unit)
        self._measured: Measured | None = None
        names = [observable.name for observable in self._directly()]
        derived = self._section.derived
        self._derived = Derived(derived, names, case.parameters, "hybrid.derived")
        for warning in self._sides.warnings():
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
        target = self._rows.next(self._done, limit)
        while self._done < target:
            self._couple()
        self._sides.ensemble.sample()
        self._rows.reach(target, limit)
        self._measured = None

    def observables(self) -> Sequence[Observable]:
        """What is measured at the present time."""
        found = self._directly()
        return [*with_errors(self._derived, found), *found]

    def measured(self) -> Measured:
        """What all replicas have shown until now, the same on every rank."""
        if self._measured is None:
            self._measured = Measured.of(self._sides.ensemble, self._comm)
        return self._measured

    def fields(self) -> Mapping[str, Field]:
        """The concentrations on the whole mesh, of the compared PDE too."""
        found = dict(self._picture.fields())
        for one in self._compared.values():
            if isinstance(one, AgainstPDE):
                pde = one.model.fields()
                found |= {f"{name}_pde": field for name, field in pde.items()}
        return found

    def open_output(
        self, results: ResultsDirectory, log: Log, *, trajectories: bool, resumed: bool
    ) -> ParticlesOutput:
        """The files that fields are not."""
        replicas = self._sides.ensemble.replicas
        first = replicas[0].system if self._comm.rank == 0 else None
        return ParticlesOutput(
            results, self, first, self._comm, log,
            trajectories=trajectories, resumed=resumed,
        )  # fmt: skip

    def tables(self) -> Mapping[str, Table]:
        """Profiles of the particles as they are now, by name."""
        ensemble, sums = self._sides.ensemble, self.measured().sums
        if ensemble.profiles is None:
            return {}
        return {"profiles": ensemble.profiles.table(sums["counts"], sums["samples"])}

    def exact(self) -> Exact:
        """Nothing is known in closed form in general."""
        return Exact()

    def state(self) -> State:
        """Everything that `restore` needs to go on as if nothing had happened."""
        found = self._rows.state() | state_of(self._sides)
        for name, one in self._compared.items():
            found |= one.state().within(name)
        return found

    def restore(self, state: State) -> None:
        """Take over a saved state."""
        self._rows.restore(state)
        restore_sides(self._sides, state)
        for name, one in self._compared.items():
            one.restore(state.part(name))
        self._measured = None

    def positions(self) -> Mapping[str, Array]:
        """Where unknowns are, and the numbers of this rank's replicas."""
        found = dict(positions_of(self._sides))
        for name, one in self._compared.items():
            found[name] = one.positions()
        return found

    def unknowns(self) -> Mapping[str, int]:
        """Unknowns of the PDE and particles at the beginning, by species."""
        sides = self._sides
        total = sides.ensemble.counts.sum(axis=1)
        self._comm.Allreduce(MPI.IN_PLACE, total)
        found = {f"{name} particles": int(n) for name, n in zip(sides.species, total, strict=True)}
        return found | sides.unknowns()

    def describe(self) -> Mapping[str, str]:
        """The two sides, their steps, what joins them."""
        return self._sides.describe() | {"steps": f"a row of observables every {self._rows.every}"}

    def _directly(self) -> Sequence[Observable]:
        measured = self.measured()
        found = [*hybrid_observables(self._sides, measured, self._case.units)]
        for one in self._compared.values():
            found += one.observables(measured)
        return found

    def _couple(self) -> None:
        """One step of the PDE, and those of the particles in it."""
        sides, substeps = self._sides, self._section.substeps
        begin, end = self._done * sides.step, (self._done + 1) * sides.step
        for reservoir in sides.reservoirs:
            reservoir.begin(begin, end)
        error = None
        try:
            sides.ensemble.advance(substeps)
        except FemRdError as found:
            error = found
        agree(self._comm, error)
        for reservoir in sides.reservoirs:
            reservoir.finish(end)
        for one in self._compared.values():
            one.advance(substeps, end)

    @property
    def _done(self) -> int:
        """Steps of the PDE taken."""
        return self._sides.ensemble.step // self._section.substeps
