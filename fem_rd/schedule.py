"""The times that a run stops at, and at which of them fields are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fem_rd.case.schema import OutputSection, TimeSection
from fem_rd.errors import CaseError

STEADY = 0.0  # the time under which a steady state is filed
_ROUND_OFF = 1e-9


@dataclass(frozen=True)
class Schedule:
    """Increasing ``stops``, the last of which is the end."""

    stops: tuple[float, ...]
    end: float

    @classmethod
    def of(cls, time: TimeSection | None, output: OutputSection) -> Schedule:
        """The schedule of a case.

        Raises `CaseError` where a stop is not a multiple of a fixed step.
        """
        if time is None:
            return cls((STEADY,), STEADY)
        stops = {float(t) for t in output.times if t > 0} | {time.end}
        if output.fields_every is not None:
            count = int(np.floor(time.end / output.fields_every * (1 + _ROUND_OFF)))
            stops |= {min(k * output.fields_every, time.end) for k in range(1, count + 1)}
        schedule = cls(tuple(_distinct(sorted(stops), time.end)), time.end)
        if time.step is not None:
            _check_multiples(schedule.stops, time.step)
        return schedule


def _distinct(stops: list[float], end: float) -> list[float]:
    """Without those that round-off alone sets apart from the next."""
    following = [*stops[1:], np.inf]
    return [t for t, after in zip(stops, following, strict=True) if after - t > _ROUND_OFF * end]


def _check_multiples(stops: tuple[float, ...], step: float) -> None:
    for stop in stops:
        if abs(stop / step - round(stop / step)) > 1e-6:
            raise CaseError(
                f"the fixed step {step:g} does not meet the time {stop:g}",
                key="time.step",
                found=step,
                valid="a step of which every output time and the end are multiples, "
                "or adaptive steps (no time.step)",
            )
