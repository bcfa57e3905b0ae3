"""The trajectory model: the coefficients of eq. 29 and eq. 56 from molecular dynamics.

There is no mesh and no time to march in: one step reads the trajectory (or makes it first) and
finds all coefficients. Ranks share out the replicas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.sections.trajectory import TrajectorySection
from fem_rd.errors import CaseError
from fem_rd.log import Log
from fem_rd.models.protocol import Array, Exact, Field
from fem_rd.models.trajectory.observables import observables_of
from fem_rd.models.trajectory.output import TrajectoryOutput
from fem_rd.models.trajectory.source import Source, particle_of
from fem_rd.observables import Observable
from fem_rd.order_parameters.analysis import Choices, Coefficients, Series, analyse
from fem_rd.order_parameters.green_kubo import Plateau
from fem_rd.output.results import ResultsDirectory
from fem_rd.parallel import on_root
from fem_rd.state import State

_LAG = 10  # blocks are this many times longer than the longest lag
_ROUND_OFF = 1e-6


class TrajectoryModel:
    """One analysis, ready to be made. Methods are collective."""

    def __init__(self, case: Case, comm: MPI.Comm, log: Log) -> None:
        if case.time is not None:
            raise CaseError("a trajectory has its own time: leave the section out", key="time")
        self._case, self._comm, self._log = case, comm, log
        self._source = Source(case, comm)
        on_root(comm, self._source.check)
        self._time = -math.inf
        self._keep: Path | None = None
        self._found: Coefficients | None = None
        self._observables: Sequence[Observable] = ()

    @property
    def time(self) -> float:
        """Minus infinity before the analysis."""
        return self._time

    @property
    def steps(self) -> int:
        """One, after the analysis."""
        return int(self._found is not None)

    def advance(self, limit: float) -> None:
        """Read and analyse. Raises `CaseError` for files that do not fit, `NumericalError`."""
        series = self._source.series(self._keep, self._log)
        choices = choices_of(self._case, series)
        with self._log.phase("coefficients"):
            self._found = on_root(self._comm, lambda: analyse(series, choices))
        self._observables = observables_of(self._case, self._found, series)
        self._time = limit

    def observables(self) -> Sequence[Observable]:
        """Coefficients and rates with their standard errors."""
        return self._observables

    def fields(self) -> Mapping[str, Field]:
        """None: there is no mesh. Tables are files of their own (`open_output`)."""
        return {}

    def open_output(
        self, results: ResultsDirectory, log: Log, *, trajectories: bool, resumed: bool
    ) -> TrajectoryOutput:
        """The tables and cases, and simulated trajectories if they are to be kept."""
        self._keep = results.molecular if trajectories else None
        return TrajectoryOutput(results, self._case, lambda: self._found, self._comm)

    def exact(self) -> Exact:
        """Nothing is known in closed form about molecules."""
        return Exact()

    def state(self) -> State:
        """The time: an analysis is made in one step."""
        return State({}, {"time": np.array(self._time)})

    def restore(self, state: State) -> None:
        """Take over the time."""
        self._time = state.number("time")

    def positions(self) -> Array:
        """None: nothing is spread over ranks."""
        return np.zeros((0, 3))

    def unknowns(self) -> Mapping[str, int]:
        """None are solved for."""
        return {}

    def describe(self) -> Mapping[str, str]:
        """What is read or made, for people."""
        section: TrajectorySection = self._case.section
        simulated = section.simulate
        if simulated is None:
            return {"files": ", ".join(section.files), "blocks": f"{section.blocks}"}
        particle = particle_of(simulated)
        steps = round(simulated.duration / simulated.step)
        return {
            "atoms": f"{particle.atoms} of the nanoparticle, {particle.bath} of the bath",
            "steps": f"{steps} in each of {simulated.replicas} replicas",
            "frames": f"{round(simulated.duration / particle.interval)}",
            "blocks": f"{section.blocks}",
        }


def choices_of(case: Case, series: Series) -> Choices:
    """What the case asks, in frames where it says times. Raises `CaseError`."""
    section: TrajectorySection = case.section
    dt = series.dt
    replicas, frames = series.places.shape
    length = frames // max(1, round(section.blocks / replicas))
    mass = section.mass
    if section.simulate is not None and mass is None:
        mass = particle_of(section.simulate).mass
    wanted = section.correlation_time
    plateau = section.plateau
    return Choices(
        mass=mass,
        blocks=section.blocks,
        bins=section.bins,
        lags=max(8, length // _LAG if wanted is None else round(wanted / dt)),
        plateau=None if plateau is None else Plateau(plateau.begin, plateau.end),
        route=section.diffusion,
        displacements=_whole(section.lags, dt) or (1, 2, 3, 4),
        limits=_pair(section.limits),
        free=section.potential == "none",
        states=_pair(section.states),
    )


def _whole(lags: Sequence[float], dt: float) -> tuple[int, ...]:
    for index, lag in enumerate(lags):
        if round(lag / dt) < 1 or abs(lag / dt - round(lag / dt)) > _ROUND_OFF * lag / dt:
            key = f"trajectory.lags[{index}]"
            raise CaseError(f"must be a multiple of the interval {dt:g}", key=key, found=lag)
    return tuple(round(lag / dt) for lag in lags)


def _pair(values: Sequence[float]) -> tuple[float, float] | None:
    return (values[0], values[1]) if values else None
