"""What a Klein-Kramers run without time computes: stationary law, slowest modes, time to leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.case.case import Case
from fem_rd.case.sections.klein_kramers import Start
from fem_rd.expressions.expression import Expression
from fem_rd.models.klein_kramers.exact import limits
from fem_rd.models.klein_kramers.march import Table
from fem_rd.models.klein_kramers.system import KleinKramersSystem, Matrices
from fem_rd.models.protocol import Array
from fem_rd.numerics.eigen_nonhermitian import Mode, slowest_modes
from fem_rd.numerics.factors import FactoredSolver
from fem_rd.observables import Observable
from fem_rd.state import State

SLOWEST = "slowest_mode"
FEWEST, SETTLED = 32, 1e-7  # Hermite modes of a scan to begin with; relative change at the end


class Spectrum:
    """Modes of a case, for its friction or for several; of several the fields are the last's.

    Errors are the change with a half of the Hermite modes, and that with a degree less, together.
    """

    def __init__(self, case: Case, system: KleinKramersSystem) -> None:
        self._case, self._system, self._section = case, system, system.section
        modes, degree = system.space.modes, self._section.degree
        self._coarse = [self._sized(_fewer(modes), degree)]
        if degree > 1:
            self._coarse.append(self._sized(modes, degree - 1))
        self.time, self.steps = -np.inf, 0
        self.table: Table | None = None
        self._observables: list[Observable] = []
        self._laws: dict[str, PETSc.Vec] = {"density": self._normalised(system.boltzmann())}
        if system.closed:
            self._laws[SLOWEST] = system.space.vector()
        self._mass = system.matrices(Expression.constant(0.0)).mass

    def advance(self, limit: float) -> None:
        """Solve for everything; it holds at every time, so also at ``limit``. Collective."""
        if self._section.frictions:
            self._scan(self._section.frictions)
        else:
            self._one(cast(Expression, self._section.friction))
        self.time, self.steps = limit, 1

    def laws(self) -> Mapping[str, PETSc.Vec]:
        """The stationary law, or that of those who have not left; and the slowest mode."""
        return self._laws

    def observables(self) -> Sequence[Observable]:
        """Rates of modes, and the mean time to leave."""
        return self._observables

    def state(self) -> State:
        """The laws."""
        return State({name: law.array_r.copy() for name, law in self._laws.items()})

    def restore(self, state: State) -> None:
        """Take the laws back. Collective."""
        for name, law in self._laws.items():
            law.array[:] = state.distributed[name]

    def _one(self, friction: Expression) -> None:
        matrices = self._system.matrices(friction)
        count = self._section.eigenvalues
        modes = self._modes(self._system, matrices, friction, count)
        coarse = [
            self._modes(system, system.matrices(friction), friction, count)
            for system in self._coarse
        ]
        unit = self._unit("1/time")
        slow, others = self._slow(modes), [self._slow(other) for other in coarse]
        for number, (mode, *less) in enumerate(zip(slow, *others, strict=True), start=1):
            error = sum(abs(mode.rate - other.rate) for other in less)
            text = f"rate at which mode {number} decays"
            self._add(f"eigenvalue_{number}", mode.rate.real, unit, text, error)
            if mode.rate.imag > 1e-9 * abs(mode.rate):
                text = f"angular frequency of mode {number}"
                self._add(f"frequency_{number}", mode.rate.imag, unit, text, error)
        self._keep(modes)
        if self._system.closed:
            self._stationary(matrices)
        else:
            self._mean_time(matrices)

    def _scan(self, frictions: Sequence[float]) -> None:
        unit, rates, errors = self._unit("1/time"), [], []
        for value in frictions:
            rate, error = self._slowest_rate(Expression.constant(value))
            rates.append(rate)
            errors.append(error)
            text = f"rate at which the slowest mode decays, at the friction {value:g}"
            self._add(f"eigenvalue_at_{value:g}", rate, unit, text, error)
        self.table = {
            "friction": np.array(frictions),
            "rate": np.array(rates),
            "error": np.array(errors),
            **limits(self._system, np.array(frictions)),
        }

    def _slowest_rate(self, friction: Expression) -> tuple[float, float]:
        """The rate and its error, with as many Hermite modes as it takes: twice as many each time.

        The modes are kept, as those of the case.
        """
        most, degree = self._section.modes, self._section.degree
        count, change, rate = min(FEWEST, most), np.inf, np.inf
        while True:
            system = self._sized(count, degree)
            modes = self._modes(system, system.matrices(friction), friction, 1)
            before, rate = rate, self._slow(modes)[0].rate.real
            change = abs(rate - before)
            if change < SETTLED * rate or count == most:
                break
            count = min(2 * count, most)
        whole = [
            Mode(one.rate, self._system.space.enlarged(system.space, one.vector)) for one in modes
        ]
        self._keep(whole)
        if degree > 1:
            lower = self._sized(count, degree - 1)
            less = self._modes(lower, lower.matrices(friction), friction, 1)
            change += abs(rate - self._slow(less)[0].rate.real)
        return rate, change

    def _sized(self, modes: int, degree: int) -> KleinKramersSystem:
        return KleinKramersSystem(self._case, modes, degree, self._system.comm)

    def _modes(
        self, system: KleinKramersSystem, matrices: Matrices, friction: Expression, count: int
    ) -> list[Mode]:
        """The slowest modes, the stationary one of a closed line first."""
        shift = _slowness(system, friction)
        return slowest_modes(
            matrices.stiffness, matrices.mass, count + (1 if system.closed else 0), shift
        )

    def _slow(self, modes: Sequence[Mode]) -> Sequence[Mode]:
        """Those that decay."""
        return modes[1:] if self._system.closed else modes

    def _keep(self, modes: Sequence[Mode]) -> None:
        """The law that stays, of probability 1, and the mode that decays first, over it.

        The mode is positive to the right, and of size one on the whole: +1 and -1 in two wells.
        """
        self._laws["density"] = self._normalised(modes[0].vector)
        if not self._system.closed:
            return
        mode = self._laws[SLOWEST] = modes[1].vector
        weighted = mode.duplicate()
        self._mass.mult(mode, weighted)
        size = np.sqrt(mode.dot(weighted) / self._system.weight)
        rightward = mode.dot(self._system.space.functional(0, lambda x: x))
        mode.scale(np.copysign(1 / size, rightward))

    def _stationary(self, matrices: Matrices) -> None:
        """How far Boltzmann's law is from stationary, or how much flows under a force."""
        law = self._laws["density"]
        if self._section.force:
            s = self._system.thermal_velocity
            flow = self._system.space.functional(1, lambda x: s + 0 * x)
            text, unit = "mean velocity in the stationary state", self._unit("length/time")
            self._add("mean_velocity", law.dot(flow), unit, text)
            return
        law = self._laws["density"] = self._system.boltzmann()
        rest = law.duplicate()
        matrices.stiffness.mult(law, rest)
        value = rest.norm(PETSc.NormType.NORM_INFINITY) / law.norm(PETSc.NormType.NORM_INFINITY)
        text = "largest change per time of Boltzmann's law, relative"
        self._add("stationary_residual", value, self._unit("1/time"), text)

    def _mean_time(self, matrices: Matrices) -> None:
        """int P(t) dt, and where: K y = M y_0 for the start, Boltzmann's law if none is given."""
        system, start = self._system, self._section.initial
        initial, total = system.space.vector(), system.space.vector()
        if isinstance(start, Start):
            initial = system.start(start)
        else:
            matrices.mass.mult(system.boltzmann(), initial)
        solver = FactoredSolver(
            system.comm,
            self._case.solver.tolerance,
            self._case.solver.preconditioner,
            pivoting=True,
        )
        solver.set_operator(matrices.stiffness)
        solver.solve(initial, total)
        time = total.dot(system.space.functional(0, np.ones_like))
        self._add("mean_exit_time", time, self._unit("time"), "mean time until a particle leaves")
        outflows = system.space.outflows(system.walls, system.thermal_velocity)
        for name, functional in zip(system.absorbing, outflows, strict=True):
            text = f"probability of leaving at the {name} end"
            self._add(f"splitting_{name}", total.dot(functional), "1", text)

    def _normalised(self, law: PETSc.Vec) -> PETSc.Vec:
        law.scale(1 / law.dot(self._system.space.functional(0, np.ones_like)))
        return law

    def _add(
        self, name: str, value: float, unit: str, text: str, error: float | None = None
    ) -> None:
        self._observables.append(Observable(name, float(value), unit, text, error))

    def _unit(self, dimension: str) -> str:
        return self._case.units.unit_name(dimension)


def _fewer(modes: int) -> int:
    """The even number of modes next to a half of them, for the estimate of the error."""
    return max(4, modes // 4 * 2)


def _slowness(system: KleinKramersSystem, friction: Expression) -> float:
    """A rate below that of what is not activated: that of crossing the line, or of friction."""
    crossing = system.thermal_velocity / (system.line.upper - system.line.lower)
    x: Array = system.line.points
    local = np.asarray(friction.evaluate({"x": x}), dtype=float)
    gamma = system.comm.allreduce(float(local.max(initial=0.0)), op=MPI.MAX)
    return 0.01 * min(crossing**2 / gamma, gamma, crossing) if gamma else 0.01 * crossing
