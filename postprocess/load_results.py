"""A results directory in a notebook: numbers, curves and fields as NumPy arrays.

    from load_results import Results
    results = Results("cases/smoluchowski-sphere/results")
    results["rate"]                       # the final value
    results.series["time"], results.series["rate"]
    fields = results.fields()             # at the last time; fields(0) at the first
    fields.points, fields.values["concentration"]

Needs fem_rd, NumPy and h5py, but not DOLFINx.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fem_rd.output.reading import Fields, read_fields, read_times
from fem_rd.output.results import ResultsDirectory, read_json
from fem_rd.output.series import read_series


class Results:
    """One results directory, each file read when it is first asked for."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = ResultsDirectory.open(Path(directory))

    def __getitem__(self, observable: str) -> float:
        """The final value of an observable; NaN where it has none."""
        value = self.summary["observables"][observable]["value"]
        return float("nan") if value is None else float(value)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Status and final observables."""
        return read_json(self.directory.summary)

    @cached_property
    def run(self) -> dict[str, Any]:
        """The resolved case, versions, ranks, wall times."""
        return read_json(self.directory.run)

    @cached_property
    def series(self) -> dict[str, NDArray[np.float64]]:
        """Observables over time by name, and "time"; `pandas.DataFrame` takes it as it is."""
        return read_series(self.directory.series)

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Times of the fields."""
        return read_times(self.directory.fields)

    def fields(self, step: int = -1) -> Fields:
        """The fields of one step, the last by default."""
        return read_fields(self.directory.fields, step)
