"""The law of a Klein-Kramers run over time: steps, moments, what has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from petsc4py import PETSc

from fem_rd.case.case import Case
from fem_rd.expressions.expression import Expression
from fem_rd.models.klein_kramers.system import KleinKramersSystem
from fem_rd.models.marching import adaptive_size
from fem_rd.models.protocol import Array
from fem_rd.numerics.factors import FactoredSolver
from fem_rd.numerics.march import AdaptiveMarch, FixedMarch
from fem_rd.numerics.schemes import RungeKutta, scheme_named
from fem_rd.numerics.semidiscrete import Constraint, SemiDiscrete, ShiftedOperator
from fem_rd.numerics.solver import KrylovSolver
from fem_rd.numerics.stepping import RungeKuttaStepper
from fem_rd.observables import Observable
from fem_rd.state import State

ROUND_OFF = 1e-13  # of one step
Table = Mapping[str, Array]


class LawMarch:
    """A law that goes on in time, towards Boltzmann's law at any step of any scheme.

    K + K^T >= 0 without a force, and the distance from Boltzmann's law in the norm of the mass
    matrix is chi-square: no A-stable one-step scheme lets it grow (von Neumann).
    """

    def __init__(self, case: Case, system: KleinKramersSystem) -> None:
        section = system.section
        matrices = system.matrices(cast(Expression, section.friction))
        self._case, self._system, self._mass = case, system, matrices.mass
        nothing = Constraint(np.zeros(0, dtype=np.int32), lambda t: np.zeros(0), False)
        problem = SemiDiscrete(matrices.stiffness, matrices.mass, (), nothing)
        self._outflows = system.space.outflows(system.walls, system.thermal_velocity)
        self._march = self._start(problem)
        self._functionals = _functionals(system)
        self._equilibrium = system.boltzmann()
        self._initial_probability = self._measured()["probability"]

    def _start(self, problem: SemiDiscrete) -> AdaptiveMarch | FixedMarch:
        time, preconditioner = self._case.time, self._case.solver.preconditioner
        if time is None:
            raise ValueError("a march needs a time")
        scheme = cast(RungeKutta, scheme_named(str(time.scheme), adaptive=time.step is None))
        tolerance = self._case.solver.tolerance
        solver = FactoredSolver(problem.comm, tolerance, preconditioner)
        mass_solver = FactoredSolver(problem.comm, tolerance, preconditioner)
        mass_solver.set_operator(problem.mass)
        operator = ShiftedOperator(problem)
        operator.matrix.setOption(PETSc.Mat.Option.SPD, False)
        operator.matrix.setOption(PETSc.Mat.Option.SYMMETRIC, False)
        stepper = RungeKuttaStepper(
            problem,
            scheme,
            cast(KrylovSolver, solver),  # what a stepper asks of one
            cast(KrylovSolver, mass_solver),
            self._flows,
            operator,
        )
        initial = self._system.boltzmann()
        if self._system.section.initial is not None:
            moments = self._system.start(self._system.section.initial)
            mass_solver.solve(moments, initial)
        if time.step is not None:
            return FixedMarch(stepper, time.step, initial)
        return AdaptiveMarch(stepper, adaptive_size(time, scheme), initial)

    @property
    def time(self) -> float:
        return self._march.time

    @property
    def steps(self) -> int:
        return self._march.steps

    @property
    def table(self) -> Table | None:
        """No scan."""
        return None

    def advance(self, limit: float) -> None:
        """One step. Collective.

        Round-off of the solves adds up over many steps; what it makes of probability is given
        back as Boltzmann's law. A larger defect is left for the ledger to show.
        """
        self._march.advance(limit)
        missing = self._missing(self._march.value.dot(self._functionals["probability"]))
        if abs(missing) < ROUND_OFF:
            self._march.value.axpy(-missing, self._equilibrium)

    def laws(self) -> Mapping[str, PETSc.Vec]:
        """The law now."""
        return {"density": self._march.value}

    def observables(self) -> Sequence[Observable]:
        """Probability, means and covariances, distance from equilibrium, flows. Collective."""
        values = self._measured()
        probability = values["probability"]
        found = [Observable("probability", probability, "1", "probability of not having left")]
        found += self._moments(values) if probability > 0.0 else []
        if self._system.closed and not self._system.section.force:
            found.append(
                Observable(
                    "chi_square",
                    self._chi_square(probability),
                    "1",
                    "distance from Boltzmann's law, int (W - W_eq)^2/W_eq",
                )
            )
        for name, flow, entered in zip(
            self._system.absorbing, self._march.flows, self._march.exchanged, strict=True
        ):
            text = f"probability per time of leaving at the {name} end"
            found.append(Observable(f"rate_{name}", -float(flow), self._unit("1/time"), text))
            text = f"probability of having left at the {name} end"
            found.append(Observable(f"left_{name}", -float(entered), "1", text))
        text = "what the account of probability misses"
        return [*found, Observable("ledger_residual", self._missing(probability), "1", text)]

    def state(self) -> State:
        """Everything that `restore` needs."""
        start = State({}, {"initial_probability": np.array(self._initial_probability)})
        return start | self._march.state().within("march")

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self._initial_probability = state.number("initial_probability")
        self._march.restore(state.part("march"))

    def _missing(self, probability: float) -> float:
        """Probability now, less that at the start and what entered since."""
        entered = float(self._march.exchanged.sum())
        return float(probability - self._initial_probability - entered)

    def _flows(self, _time: float, value: PETSc.Vec, _slope: PETSc.Vec | None) -> Array:
        """Probability per time that enters at each absorbing end: it is negative."""
        return np.array([-value.dot(functional) for functional in self._outflows])

    def _measured(self) -> dict[str, float]:
        return {name: self._march.value.dot(one) for name, one in self._functionals.items()}

    def _moments(self, values: Mapping[str, float]) -> list[Observable]:
        """Of those that have not left."""
        mean = {name: value / values["probability"] for name, value in values.items()}
        speed, variance = self._unit("length/time"), self._unit("length^2/time^2")
        found = [
            Observable("mean_velocity", mean["v"], speed, "mean velocity"),
            Observable(
                "var_velocity", mean["vv"] - mean["v"] ** 2, variance, "variance of the velocity"
            ),
        ]
        if self._system.section.periodic:
            return found
        length, square = self._unit("length"), self._unit("length^2")
        mixed = self._unit("length^2/time")
        return [
            Observable("mean_position", mean["x"], length, "mean of x"),
            Observable("var_position", mean["xx"] - mean["x"] ** 2, square, "variance of x"),
            Observable(
                "covariance",
                mean["xv"] - mean["x"] * mean["v"],
                mixed,
                "covariance of x and the velocity",
            ),
            *found,
        ]

    def _chi_square(self, probability: float) -> float:
        """Z |y - P y_eq|^2 in the norm of the mass matrix, exact where it is small."""
        excess = self._march.value.copy()
        excess.axpy(-probability, self._equilibrium)
        weighted = excess.duplicate()
        self._mass.mult(excess, weighted)
        found = self._system.weight * float(excess.dot(weighted))
        excess.destroy()
        weighted.destroy()
        return found

    def _unit(self, dimension: str) -> str:
        return self._case.units.unit_name(dimension)


def _functionals(system: KleinKramersSystem) -> dict[str, PETSc.Vec]:
    """Means that are not yet divided by the probability."""
    space, s = system.space, system.thermal_velocity
    found = {
        "probability": space.functional(0, np.ones_like),
        "x": space.functional(0, lambda x: x),
        "xx": space.functional(0, lambda x: x * x),
        "v": space.functional(1, lambda x: s + 0 * x),
        "xv": space.functional(1, lambda x: s * x),
        "vv": space.functional(0, lambda x: s * s + 0 * x),
    }
    found["vv"].axpy(np.sqrt(2.0), space.functional(2, lambda x: s * s + 0 * x))
    return found
