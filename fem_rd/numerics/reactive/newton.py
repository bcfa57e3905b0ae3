"""Newton's method for one implicit stage of all species, with factors that last.

The matrix and its preconditioner stay from stage to stage and from step to step while they bring
the error down fast enough; a stage is then one or two triangular solves beyond its residuals.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from fem_rd.errors import NumericalError
from fem_rd.numerics.reactive.coupled import CoupledMatrix
from fem_rd.numerics.reactive.norm import SpeciesNorm
from fem_rd.numerics.reactive.problem import Fields, ReactiveProblem
from fem_rd.numerics.reactive.transport import Transport
from fem_rd.numerics.solver import CoupledSolver, SolverOptions
from fem_rd.state import State

Array = npt.NDArray[np.float64]

_LINEAR = 1e-4  # relative residual of a correction: more digits than an old matrix is worth
_SLOW = 0.3  # reduction of the correction by one iteration above which the matrix is made anew
_NEAR = 1e-3  # a first correction below this is left to the matrix there is
_MOST = 15


class Newton:
    """Solves M_i (u_i - base_i) = s [f_i - K_i u_i + M_i s_i(u)] for all species."""

    def __init__(
        self,
        problem: ReactiveProblem,
        transport: Transport,
        tolerance: float,
        options: SolverOptions,
    ) -> None:
        self._problem, self._transport, self._tolerance = problem, transport, tolerance
        self._matrix = CoupledMatrix(problem)
        self._solver = CoupledSolver(problem.comm, replace(options, tolerance=_LINEAR))
        self._rhs, self._correction = self._matrix.vector(), self._matrix.vector()
        self._residual, self._sources = Fields(problem), np.zeros(problem.shape)
        self._change = np.zeros(problem.shape)
        self._norm = SpeciesNorm(problem)
        self.totals: Array = np.zeros(0)  # events per time that belong to the last solution
        self._made_at = np.zeros(problem.shape)
        self._made_for = np.array([np.nan, np.nan])  # shift, time

    def solve(self, time: float, shift: float, base: Array, values: Fields) -> Array:
        """Into ``values``, which hold the first guess; the sources of the solution. Collective.

        The sources are those of the last iterate. The constants that balance the amounts come after
        them, so that transport and these sources together make exactly the change of each amount.
        Raises `NumericalError` where the iterations do not converge.
        """
        self._problem.impose(values.array, time)
        if self._made_for[0] != shift:
            self._make(time, shift, values.array)
        before = np.inf
        for _ in range(_MOST):
            size = self._iterate(time, shift, base, values)
            if not size < 1e6:
                break
            rate = size / before if np.isfinite(before) else 1.0
            if size * min(1.0, rate / (1.0 - min(rate, 0.9))) <= self._tolerance:
                return self._finish(time, shift, base, values)
            if rate > _SLOW and (size > _NEAR or np.isfinite(before)):
                self._make(time, shift, values.array)
                before = np.inf
            else:
                before = size
        self._made_for[:] = np.nan
        raise NumericalError(
            f"Newton's method did not converge in the step to time {time:.6g}",
            remedy="a smaller step: a smaller time.step, or adaptive steps (leave out time.step)",
        )

    def filter(self, fields: Fields) -> None:
        """M v solved with the matrix in use, in place: stiff components shrink. Collective."""
        self._transport.apply_mass(fields.array, self._residual)
        self._solve(self._residual.array)
        fields.array[:] = self._change

    def attempted(self) -> list[PETSc.Vec]:
        """The last residuals."""
        return list(self._residual.vectors)

    def state(self) -> State:
        """Where the matrix in use was made."""
        return State({"made_at": self._made_at.copy()}, {"made_for": self._made_for.copy()})

    def restore(self, state: State) -> None:
        """Make the same matrix again. Collective."""
        shift, time = state.replicated["made_for"]
        self._made_for[:] = np.nan
        if np.isfinite(shift):
            self._make(float(time), float(shift), state.distributed["made_at"])

    def _make(self, time: float, shift: float, values: Array) -> None:
        self._matrix.update(time, values, shift)
        self._solver.set_operator(self._matrix.matrix)
        self._made_at[:] = values
        self._made_for[:] = shift, time

    def _iterate(self, time: float, shift: float, base: Array, values: Fields) -> float:
        """One correction; its size relative to the values, species by species."""
        self._problem.sources.evaluate(time, values.array, self._sources)
        self._transport.residual(time, shift, base + shift * self._sources, values, self._residual)
        self._solve(self._residual.array)
        values.array += self._change
        self._problem.impose(values.array, time)
        return self._norm.relative(self._change, values.array)

    def _solve(self, right_hand_side: Array) -> None:
        for i, species in enumerate(self._problem.species):
            right_hand_side[i][species.constraint.unknowns] = 0.0
        self._rhs.array[:] = right_hand_side.T.ravel()
        self._solver.solve(self._rhs, self._correction)
        self._change[:] = self._correction.array_r.reshape(self._change.T.shape).T

    def _finish(self, time: float, shift: float, base: Array, values: Fields) -> Array:
        self._problem.sources.evaluate(time, values.array, self._sources)
        self.totals = self._problem.totals(time, values.array)
        self._transport.balance(time, shift, base + shift * self._sources, values.array)
        return self._sources
