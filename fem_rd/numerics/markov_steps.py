"""Steps in time of the probabilities of a jump process that may be open.

The unknowns of a step are the slopes of its stages, K = A(P + ...): what is computed from fluxes
along edges, which one node loses and another gains. As the process comes to rest the slopes vanish,
and with them the round-off: total probability drifts by some units of it however long the run is.

`backward-euler` is positive for steps of any size: I - dt A is an M-matrix, and elimination without
pivoting only adds numbers of one sign. No linear scheme of higher order is (Bolley and Crouzeix,
RAIRO Anal. Numer. 12 (1978) 237); `trbdf2` and `sdirk2` conserve, are L-stable and of second order,
and may pass below zero where a step is long beside the time in which a peak spreads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.errors import NumericalError
from fem_rd.numerics.control import AdaptiveSize
from fem_rd.numerics.direct import DirectSolver
from fem_rd.numerics.markov import Array, Generator, Indices
from fem_rd.numerics.schemes import RungeKutta
from fem_rd.state import State


@dataclass(frozen=True)
class Exit:
    """A boundary that probability passes: nodes that are held, or rates of leaving and entering.

    ``held`` (local numbers) or ``loss`` (owned,) with ``source`` (owned,), of probability per time.
    """

    name: str
    held: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    loss: Array | None = None
    source: Array | None = None


class OpenProcess:
    """dP/dt = A P - loss P + source at the nodes that are not held; held ones keep their P."""

    def __init__(self, generator: Generator, exits: Sequence[Exit] = ()) -> None:
        self.generator, self.exits = generator, tuple(exits)
        empty = np.zeros(0, dtype=np.int64)
        self.held: Indices = np.unique(np.concatenate([empty, *(e.held for e in exits)]))
        losses = [e.loss for e in exits if e.loss is not None]
        self.loss: Array | None = np.sum(losses, axis=0) if losses else None
        sources = [e.source for e in exits if e.source is not None]
        self.source: Array | None = np.sum(sources, axis=0) if sources else None
        edges = generator.edges
        first = edges.layout.getOwnershipRange()[0]
        self.rows = PETSc.IS().createGeneral(
            (self.held + first).astype(np.int32), comm=generator.comm
        )
        self.closed = self.rows.getSize() == 0 and not losses and not sources
        self._gain = edges.vector()

    def slope(self, probability: PETSc.Vec, out: PETSc.Vec) -> Array:
        """dP/dt into ``out``; the net probability per time out through each exit. Collective."""
        generator, comm = self.generator, self.generator.comm
        generator.gain(probability, out)
        inside, gained = probability.array_r, out.array_r
        local = [
            gained[e.held].sum()
            + (0.0 if e.loss is None else (e.loss * inside).sum())
            - (0.0 if e.source is None else e.source.sum())
            for e in self.exits
        ]
        if self.loss is not None:
            out.array[:] -= self.loss * inside
        if self.source is not None:
            out.array[:] += self.source
        out.array[self.held] = 0.0
        flows = np.array(local)
        comm.Allreduce(MPI.IN_PLACE, flows)
        return flows

    def implicit(self, factor: float) -> PETSc.Mat:
        """I - ``factor`` dP'/dP, with the identity in held rows. Collective."""
        matrix = self.generator.matrix.copy()
        matrix.scale(-factor)
        diagonal = np.ones(len(self._gain.array_r))
        if self.loss is not None:
            diagonal += factor * self.loss
        vector = self.generator.edges.vector(diagonal)
        matrix.setDiagonal(vector, PETSc.InsertMode.ADD_VALUES)
        matrix.assemble()
        matrix.zeroRows(self.rows, 1.0)
        return matrix


class ProbabilityMarch:
    """Steps of one size, or of adapted size where there is a ``control``.

    ``value``: probabilities of the nodes; ``exchanged``: what left through each exit since the
    start.
    """

    def __init__(
        self,
        process: OpenProcess,
        scheme: RungeKutta,
        initial: Array,
        step: float | AdaptiveSize,
        preconditioner: str = "lu",
    ) -> None:
        self._process, self._scheme, self._step = process, scheme, step
        self._preconditioner = preconditioner
        self._solver: DirectSolver | None = None
        self._size = np.nan
        edges = process.generator.edges
        self.value = edges.vector(initial)
        self._new, self._base, self._right = edges.vector(), edges.vector(), edges.vector()
        self._error = edges.vector()
        self._slopes = [edges.vector() for _ in scheme.stages]
        self.time, self.steps = 0.0, 0
        self.exchanged: Array = np.zeros(len(process.exits))
        self.flows = process.slope(self.value, self._base)

    def advance(self, limit: float) -> None:
        """One accepted step, not beyond ``limit``. Collective. Raises `NumericalError`."""
        if isinstance(self._step, AdaptiveSize):
            end, passed = self._adaptive(self._step, limit)
        else:
            end, passed = (self.steps + 1) * self._step, self._try(self._step)
            end = limit if abs(end - limit) < 1e-6 * self._step else end
        total = self._new.sum()
        if not np.isfinite(total):
            raise NumericalError(
                f"a number that is not finite appeared in the step from time {self.time:.6g}",
                remedy="a smaller time.step, or adaptive steps (leave out time.step)",
            )
        self._new.copy(self.value)
        self.exchanged = self.exchanged + passed
        self.time, self.steps = end, self.steps + 1
        self.flows = self._process.slope(self.value, self._base)

    def state(self) -> State:
        """What `restore` needs to go on to the bit."""
        numbers = {
            "time": np.array(self.time),
            "steps": np.array(self.steps),
            "exchanged": self.exchanged,
        }
        if isinstance(self._step, AdaptiveSize):
            numbers["size"] = np.array(self._step.size)
        return State({"value": self.value.array_r.copy()}, numbers)

    def restore(self, state: State) -> None:
        """Take over a saved state. Collective."""
        self.value.array[:] = state.distributed["value"]
        self.time, self.steps = state.number("time"), int(state.number("steps"))
        self.exchanged = state.replicated["exchanged"]
        if isinstance(self._step, AdaptiveSize):
            self._step.size = state.number("size")
        self.flows = self._process.slope(self.value, self._base)

    def _adaptive(self, control: AdaptiveSize, limit: float) -> tuple[float, Array]:
        while True:
            size = control.within(limit - self.time)
            passed = self._try(size)
            if control.judge(size, self._relative_error(size), self.time):
                return (limit if size == limit - self.time else self.time + size), passed

    def _try(self, size: float) -> Array:
        """The state after a step into ``_new``; what leaves through the exits meanwhile."""
        self._factorise(size)
        if self._scheme.order == 1:
            return self._backward_euler(size)
        passed = np.zeros(len(self.exchanged))
        self.value.copy(self._new)
        for index, (row, weight) in enumerate(
            zip(self._scheme.stages, self._scheme.weights, strict=True)
        ):
            self.value.copy(self._base)
            for coefficient, slope in zip(row[:-1], self._slopes, strict=False):
                self._base.axpy(size * coefficient, slope)
            flows = self._stage(row[-1] * size, index)
            passed += size * weight * flows
            self._new.axpy(size * weight, self._slopes[index])
        return passed

    def _stage(self, factor: float, index: int) -> Array:
        """The slope of a stage, and the flows of its state, which takes the place of its base."""
        slope = self._slopes[index]
        if factor == 0.0:
            return self._process.slope(self._base, slope)
        self._process.slope(self._base, self._right)
        self._solve(self._right, slope)
        self._base.axpy(factor, slope)
        return self._process.slope(self._base, self._right)

    def _backward_euler(self, size: float) -> Array:
        """The new state itself, which stays positive, scaled to keep the account to round-off."""
        process, new = self._process, self._new
        self.value.copy(self._right)
        if process.source is not None:
            free = np.ones(len(process.source))
            free[process.held] = 0.0
            self._right.array[:] += size * process.source * free
        self._solve(self._right, new)
        passed = size * process.slope(new, self._base)
        if process.closed:
            new.scale(self.value.sum() / new.sum())
        return passed

    def _factorise(self, size: float) -> None:
        if self._solver is None or size != self._size:
            matrix = self._process.implicit(size * self._scheme.diagonal)
            self._solver, self._size = DirectSolver(matrix, self._preconditioner), size

    def _solve(self, right: PETSc.Vec, out: PETSc.Vec) -> None:
        if self._solver is not None:
            self._solver.solve(right, out)

    def _relative_error(self, size: float) -> float:
        """Of the companion scheme, in probability, smoothed by the implicit operator."""
        scheme, error = self._scheme, self._right
        error.set(0.0)
        for weight, other, slope in zip(
            scheme.weights, scheme.embedded or scheme.weights, self._slopes, strict=True
        ):
            error.axpy(size * (weight - other), slope)
        self._solve(error, self._error)
        norm = PETSc.NormType.NORM_1
        return float(self._error.norm(norm) / max(self._new.norm(norm), np.finfo(float).tiny))
