"""From what replicas have shown to observables with standard errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.case.units import UnitSystem
from fem_rd.models.particles_ensemble import Ensemble
from fem_rd.models.particles_setup import Setup
from fem_rd.models.particles_statistics import Array, NumberSums, over_replicas, ratio
from fem_rd.observables import Observable


@dataclass(frozen=True)
class Measured:
    """What all replicas have shown; the last axis of arrays is that of all replicas.

    ``sums`` as `Ensemble.sums`, ``counts`` (species, replicas), ``net`` (exchanging, replicas),
    ``events`` (reactions, replicas), ``averages`` (n, 3, replicas).
    """

    numbers: NumberSums
    timed: tuple[int, ...]
    reactions: tuple[str, ...]
    sums: Mapping[str, Array]
    counts: Array
    net: Array
    events: Array
    averages: Array
    unaccounted: int

    @classmethod
    def of(cls, ensemble: Ensemble, comm: MPI.Comm) -> Measured:
        """Gather from all ranks. Collective."""
        names = [one.stepper.ledger.reactions for one in ensemble.replicas]
        reactions = next((found for found in comm.allgather(names[0] if names else None) if found),
                         ())  # fmt: skip
        return cls(
            ensemble.numbers,
            ensemble.timed,
            reactions,
            {name: gathered(part, comm) for name, part in ensemble.sums().items()},
            gathered(ensemble.counts, comm, len(ensemble.numbers.sums["number"])),
            gathered(ensemble.net, comm, len(ensemble.passed)),
            gathered(ensemble.events, comm, len(reactions)),
            gathered(ensemble.averages(), comm),
            comm.allreduce(ensemble.unaccounted),
        )


def gathered(mine: npt.NDArray[np.generic], comm: MPI.Comm, rows: int | None = None) -> Array:
    """The parts (..., own) of all ranks side by side, on every rank, in the order of replicas.

    ``rows``: the first axis of ``mine`` where a rank without a replica does not know it.
    """
    if rows is not None and not mine.shape[-1]:
        mine = np.zeros((rows, 0))
    if comm.size == 1:
        return np.asarray(mine, dtype=float)
    return np.concatenate(comm.allgather(np.asarray(mine, dtype=float)), axis=-1)


def observables_of(
    setup: Setup, measured: Measured, units: UnitSystem
) -> Sequence[Observable]:
    """All observables of the model."""
    return [
        *_numbers(setup, measured),
        *_averages_over_time(setup, measured),
        *_fluxes(setup, measured, units),
        *_exit_times(setup, measured, units),
        *_means(setup, measured),
        *_events(measured),
        Observable(
            "ledger_residual",
            float(measured.unaccounted),
            "particle",
            "initial + entered + made - left - used up - there: exactly 0",
        ),
    ]


def _numbers(setup: Setup, measured: Measured) -> Iterator[Observable]:
    for name, counts in zip(setup.species, measured.counts, strict=True):
        (mean, error), (variance, noise) = over_replicas(counts)
        what = "mean number" if len(counts) > 1 else "number"
        yield Observable(f"count_{name}", mean, "1", f"{what} of molecules of {name}", _or(error))
        if len(counts) > 1:
            text = f"variance of the number of molecules of {name} over the replicas"
            yield Observable(f"count_{name}_variance", variance, "1", text, _or(noise))


def _averages_over_time(setup: Setup, measured: Measured) -> Iterator[Observable]:
    measure = setup.section.measure
    if measure.begin is None:
        return
    start = "numbers."
    sums = {k.removeprefix(start): v for k, v in measured.sums.items() if k.startswith(start)}
    for index, name in enumerate(setup.species):
        moments = measured.numbers.moments(sums, index)
        text = f"of the number of molecules of {name} over time and replicas"
        yield Observable(f"mean_{name}", moments.mean[0], "1", f"mean {text}", _or(moments.mean[1]))
        value, error = moments.variance
        yield Observable(f"variance_{name}", value, "1", f"variance {text}", _or(error))
        for place, lag in enumerate(measure.lags):
            yield Observable(
                f"covariance_{name}_{place + 1}",
                float(moments.covariance[0][place]),
                "1",
                f"covariance of the numbers of molecules of {name} at times {lag:g} apart",
                _or(float(moments.covariance[1][place])),
            )


def _fluxes(setup: Setup, measured: Measured, units: UnitSystem) -> Iterator[Observable]:
    """Rates of leaving on balance, over the time that is measured."""
    space = setup.domain.dimension
    per_time = units.unit_name("amount/time", space=space)
    per_area = units.unit_name("amount/area/time", space=space)
    samples = measured.sums["numbers.samples"] * setup.dt
    for row, (name, wall) in enumerate(setup.exchanging):
        value, error = ratio(measured.sums["passed"][row], samples)
        area = setup.domain.area(wall)
        text = f"net flux of {name} out of the domain through {wall}"
        yield Observable(
            f"flux_{name}_{wall}", float(value / area), per_area, text, _or(float(error / area))
        )
        net, noise = over_replicas(measured.net[row])[0]
        text = f"molecules of {name} that have left through {wall} on balance, in each replica"
        yield Observable(f"left_{name}_{wall}", net, "1", text, _or(noise))
    if (chosen := setup.section.measure.flux) is not None:
        rows = [row for row, (_, wall) in enumerate(setup.exchanging) if wall == chosen]
        value, error = ratio(measured.sums["passed"][rows].sum(axis=0), samples)
        area, out = setup.domain.area(chosen), f"net flux out of the domain through {chosen}"
        yield Observable("flux", float(value / area), per_area, out, _or(float(error / area)))
        text = f"molecules that leave through {chosen} per time, on balance"
        yield Observable("rate", float(value), per_time, text, _or(float(error)))


def _exit_times(setup: Setup, measured: Measured, units: UnitSystem) -> Iterator[Observable]:
    """Times of the first passage, each known to half a step; particles are independent."""
    for row in measured.timed:
        name, wall = setup.exchanging[row]
        number, total, square = measured.sums["exits"][:, row].sum(axis=-1)
        mean = error = np.nan
        if number:
            mean = total / number
            error = np.sqrt(max(square / number - mean**2, 0.0) / number) if number > 1 else np.nan
        yield Observable(
            f"exit_time_{name}_{wall}",
            float((mean - 0.5) * setup.dt),
            units.unit_name("time"),
            f"mean time at which molecules of {name} have left through {wall}",
            _or(float(error * setup.dt)),
        )


def _means(setup: Setup, measured: Measured) -> Iterator[Observable]:
    """Means over particles: independent where there is one replica."""
    for (name, average), sums in zip(
        setup.section.averages.items(), measured.averages, strict=True
    ):
        total, square, number = sums
        value, error = ratio(total[None], number[None])
        if len(number) == 1 and number[0] > 1:
            spread = square[0] / number[0] - value**2
            error = np.sqrt(max(float(spread), 0.0) / (number[0] - 1))
        text = f"mean of {average.of} over the molecules of {average.species}"
        yield Observable(name, float(value), "", text, _or(float(error)))


def _events(measured: Measured) -> Iterator[Observable]:
    for name, number in zip(measured.reactions, measured.events, strict=True):
        mean, error = over_replicas(number)[0]
        text = f"events of the reaction {name} so far, in each replica"
        yield Observable(f"events_{name}", mean, "1", text, _or(error))


def _or(error: float) -> float | None:
    """None where there is no estimate."""
    return float(error) if np.isfinite(error) else None
