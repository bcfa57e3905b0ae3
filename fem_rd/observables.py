"""A measured number: what every model reports and every output file carries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Observable:
    """One number of a run with its unit and, where there is one, its error.

    ``error`` is a standard error or an estimate of the discretisation error, in the same unit.
    """

    name: str
    value: float
    unit: str
    description: str = ""
    error: float | None = None
