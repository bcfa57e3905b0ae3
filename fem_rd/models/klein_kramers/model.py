"""The Klein-Kramers model: an order parameter with inertia, as a law in phase space.

With a section [time] the law goes on from its start; without, there are the stationary law (or the
law of those that have not left), the slowest modes, and the mean time to leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fem_rd.case.case import Case
from fem_rd.case.sections.klein_kramers import KleinKramersSection
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.models.klein_kramers.march import LawMarch
from fem_rd.models.klein_kramers.output import ScanOutput
from fem_rd.models.klein_kramers.picture import PhasePicture
from fem_rd.models.klein_kramers.spectrum import SLOWEST, Spectrum
from fem_rd.models.klein_kramers.system import KleinKramersSystem
from fem_rd.models.protocol import Array, Exact, Field
from fem_rd.observables import Observable
from fem_rd.output.results import ResultsDirectory
from fem_rd.state import State


class KleinKramersModel:
    """One run of the Klein-Kramers equation, ready to advance."""

    def __init__(self, case: Case, domain: Domain, log: Log) -> None:
        section: KleinKramersSection = case.section
        comm = domain.mesh.comm
        with log.phase("assembly"):
            self._system = KleinKramersSystem(case, section.modes, section.degree, comm)
            self._picture = PhasePicture(self._system, section.picture)
        self._system.warn(log)
        self._case, self._comm = case, comm
        self._law: LawMarch | Spectrum
        with log.phase("solve"):
            if case.time is None:
                self._law = Spectrum(case, self._system)
            else:
                self._law = LawMarch(case, self._system)

    @property
    def time(self) -> float:
        """The time reached; minus infinity before the modes are solved for."""
        return self._law.time

    @property
    def steps(self) -> int:
        """Steps taken."""
        return self._law.steps

    def advance(self, limit: float) -> None:
        """One step, or all that is asked of the steady run. Collective."""
        self._law.advance(limit)

    def observables(self) -> Sequence[Observable]:
        """Probability, moments and flows; or rates of modes. Collective."""
        return self._law.observables()

    def fields(self) -> Mapping[str, Field]:
        """The density over x and the velocity in thermal units, or a mode over it. Collective."""
        unit = self._case.units.unit_name("1/length")
        return {
            name: Field(self._picture.of(name, law, relative=True), "1")
            if name == SLOWEST
            else Field(self._picture.of(name, law), unit)
            for name, law in self._law.laws().items()
        }

    def exact(self) -> Exact:
        """Closed forms where the potential is harmonic."""
        from fem_rd.models.klein_kramers.exact import exact_for

        return exact_for(self._case, self._system)

    def state(self) -> State:
        """Everything that `restore` needs to go on as if nothing had happened."""
        return self._law.state()

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._law.restore(state)

    def positions(self) -> Array:
        """One for each owned unknown, shape (owned, 3): place of its node, mode, 0."""
        return self._system.space.positions()

    def unknowns(self) -> Mapping[str, int]:
        """Those of the law."""
        return {"density": self._system.space.size}

    def describe(self) -> Mapping[str, str]:
        """Unknowns, elements, scheme."""
        section, time = self._system.section, self._case.time
        kind = "periodic line" if section.periodic else "line"
        return {
            "unknowns": f"{self._system.space.size}",
            "elements": f"degree {section.degree} on {self._system.line.cells} cells of a {kind}, "
            f"{section.modes} Hermite modes in the velocity",
            "scheme": "slowest modes" if time is None else str(time.scheme),
        }

    def open_output(
        self, results: ResultsDirectory, log: Log, *, trajectories: bool, resumed: bool
    ) -> ScanOutput:
        """The table of rates against friction, where there is one. Collective."""
        return ScanOutput(results, lambda: self._law.table, self._comm)


