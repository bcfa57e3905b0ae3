"""From what replicas have shown to observables with standard errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from fem_rd.case.base import joined
from fem_rd.case.units import UnitSystem
from fem_rd.errors import CaseError
from fem_rd.models.functionals import Derived
from fem_rd.models.particles.ensemble import Ensemble
from fem_rd.models.particles.rows import whole_steps
from fem_rd.models.particles.setup import Setup
from fem_rd.models.particles.statistics import Array, NumberSums, over_replicas, ratio
from fem_rd.observables import Observable


@dataclass(frozen=True)
class Measured:
    """What all replicas have shown; the last axis of arrays is that of all replicas.

    ``sums`` as `Ensemble.sums`, ``counts`` (species, replicas), ``net`` (exchanging, replicas),
    ``events`` (reactions, replicas), ``averages`` (n, 3, replicas), ``reservoirs`` (finite ones,
    replicas).
    """

    numbers: NumberSums
    timed: tuple[int, ...]
    sums: Mapping[str, Array]
    counts: Array
    net: Array
    events: Array
    averages: Array
    reservoirs: Array
    unaccounted: int

    @classmethod
    def of(cls, ensemble: Ensemble, comm: MPI.Comm) -> Measured:
        """Gather from all ranks. Collective."""
        return cls(
            ensemble.numbers,
            ensemble.timed,
            {name: gathered(part, comm) for name, part in ensemble.sums().items()},
            gathered(ensemble.counts, comm),
            gathered(ensemble.net, comm),
            gathered(ensemble.events, comm),
            gathered(ensemble.averages(), comm),
            gathered(ensemble.reservoirs, comm),
            comm.allreduce(ensemble.unaccounted),
        )


def gathered(mine: npt.NDArray[np.generic], comm: MPI.Comm) -> Array:
    """The parts (..., own) of all ranks side by side, on every rank, in the order of replicas."""
    numbers = np.asarray(mine, dtype=float)
    if comm.size == 1:
        return numbers
    return np.concatenate(comm.allgather(numbers), axis=-1)


def check_measures(setup: Setup) -> None:
    """Raise `CaseError` for what the case wants measured and cannot have."""
    section, measure = setup.section, setup.section.measure
    key = "particles.measure"
    walls = [wall for _, wall in setup.exchanging]
    if measure.flux is not None and measure.flux not in walls:
        message = "nothing passes this wall"
        raise CaseError(message, key=f"{key}.flux", found=measure.flux, valid=set(walls))
    for index, lag in enumerate(measure.lags):
        whole_steps(lag, setup.dt, f"{key}.lags[{index}]")
    if measure.lags and measure.begin is None:
        raise CaseError("needs averages over time", key=f"{key}.lags", valid="with measure.begin")
    if measure.begin and setup.case.time and measure.begin >= setup.case.time.end:
        message = f"must be before the end of the run, {setup.case.time.end:g}"
        raise CaseError(message, key=f"{key}.begin", found=measure.begin)
    for name, average in section.averages.items():
        if average.species not in setup.species:
            place = joined("particles.averages", name) + ".species"
            raise CaseError("no such species", key=place, found=average.species,
                            valid=setup.species)  # fmt: skip


def observables_of(
    setup: Setup, measured: Measured, units: UnitSystem
) -> Sequence[Observable]:
    """All observables of the model."""
    return [
        *_numbers(setup, measured),
        *_averages_over_time(setup, measured),
        *_fluxes(setup, measured, units),
        *_reservoirs(setup, measured),
        *_exit_times(setup, measured, units),
        *_means(setup, measured),
        *_events(setup, measured),
        Observable(
            "ledger_residual",
            float(measured.unaccounted),
            "particle",
            "initial + entered + made - left - used up - there: exactly 0",
        ),
    ]


def with_errors(derived: Derived, observables: Sequence[Observable]) -> list[Observable]:
    """Derived observables; their errors from those of the others, to first order."""
    found = derived(observables)
    square = np.zeros(len(found))
    for place, known in enumerate(observables):
        if found and known.error and np.isfinite(known.value):
            moved = replace(known, value=known.value + known.error)
            others = derived([*observables[:place], moved, *observables[place + 1 :]])
            change = [one.value - before.value for one, before in zip(others, found, strict=True)]
            square += np.square(change)
    errors = np.sqrt(square)
    return [
        replace(one, error=_or(float(error)) if error else None)
        for one, error in zip(found, errors, strict=True)
    ]


def _numbers(setup: Setup, measured: Measured) -> Iterator[Observable]:
    for index, name in enumerate(setup.species):
        counts = measured.counts[index]
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


def _reservoirs(setup: Setup, measured: Measured) -> Iterator[Observable]:
    for row, (name, wall) in enumerate(setup.finite):
        mean, error = over_replicas(measured.reservoirs[row])[0]
        text = f"molecules of {name} in the reservoir behind {wall}, in each replica"
        yield Observable(f"reservoir_{name}_{wall}", mean, "1", text, _or(error))


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
    """Means over molecules, which are independent of each other unless they react."""
    alone = setup.case.chemistry is None
    for index, (name, average) in enumerate(setup.section.averages.items()):
        total, square, number = (measured.averages[index, row] for row in range(3))
        value, error = ratio(total[None], number[None])
        if (alone or len(number) == 1) and number.sum() > 1:
            spread = square.sum() / number.sum() - value**2
            error = np.sqrt(max(float(spread), 0.0) / (number.sum() - 1))
        text = f"mean of {average.of} over the molecules of {average.species}"
        yield Observable(name, float(value), "", text, _or(float(error)))


def _events(setup: Setup, measured: Measured) -> Iterator[Observable]:
    for index, name in enumerate(setup.reactions):
        mean, error = over_replicas(measured.events[index])[0]
        text = f"events of the reaction {name} so far, in each replica"
        yield Observable(f"events_{name}", mean, "1", text, _or(error))


def _or(error: float) -> float | None:
    """None where there is no estimate."""
    return float(error) if np.isfinite(error) else None
