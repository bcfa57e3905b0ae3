"""The results directory of a run: its files by name, made so that nothing is lost by accident."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fem_rd.errors import CaseError, FemRdError
from fem_rd.observables import Observable

Status = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True)
class ResultsDirectory:
    """Paths of everything a run writes; `create` a new one or `open` that of an earlier run."""

    path: Path

    @property
    def summary(self) -> Path:
        """Final observables and status."""
        return self.path / "summary.json"

    @property
    def series(self) -> Path:
        """Observables over time."""
        return self.path / "observables.csv"

    @property
    def fields(self) -> Path:
        """Fields over time, for ParaView."""
        return self.path / "fields.vtkhdf"

    @property
    def particles(self) -> Path:
        """Particles over time, for ParaView."""
        return self.path / "particles.vtkhdf"

    @property
    def profiles(self) -> Path:
        """Density profiles of particles."""
        return self.path / "profiles.csv"

    @property
    def pair_correlation(self) -> Path:
        """Pair correlation function of particles."""
        return self.path / "pair_correlation.csv"

    @property
    def coefficients(self) -> Mapping[str, Path]:
        """Tables of what a molecular trajectory says, by name."""
        names = ("potential", "mean_force_potential", "diffusion", "friction", "correlations")
        return {name: self.path / f"{name}.csv" for name in names}

    @property
    def molecular(self) -> Path:
        """Directory of molecular trajectories that the run made."""
        return self.path / "trajectory"

    @property
    def equations(self) -> Path:
        """Directory of cases made from what the run found."""
        return self.path / "equations"

    @property
    def scan(self) -> Path:
        """A rate against what was varied: computed, its error, and known limits."""
        return self.path / "scan.csv"

    @property
    def checkpoints(self) -> Path:
        """Directory of saved states."""
        return self.path / "checkpoint"

    @property
    def run(self) -> Path:
        """Provenance: resolved case, versions, ranks, wall times."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """What the run said."""
        return self.path / "log.txt"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    @property
    def figures(self) -> Path:
        """Directory of the report's figures."""
        return self.path / "figures"

    @property
    def done(self) -> bool:
        """Whether the run came to its end."""
        return self.summary.is_file() and read_json(self.summary).get("status") == "done"

    @property
    def resumable(self) -> bool:
        """Whether a run that did not end left a state to go on from."""
        return not self.done and any(self.checkpoints.glob("step-*.npz"))

    @classmethod
    def create(cls, path: Path, *, overwrite: bool = False) -> ResultsDirectory:
        """Make the directory, or take an empty one. Not collective: for rank 0.

        Raises CaseError where it holds something and ``overwrite`` is false, or where it is not
        the results directory of a run: what no run has written is never deleted.
        """
        results = cls(path)
        results.refuse(overwrite=overwrite)
        try:
            path.mkdir(parents=True, exist_ok=True)
            results._clear()
        except OSError as error:
            raise CaseError(
                f"the results directory cannot be made: {error.strerror}; choose --output DIR",
                file=path,
            ) from error
        return results

    @classmethod
    def open(cls, path: Path) -> ResultsDirectory:
        """The results directory of an earlier run; CaseError where ``path`` is none."""
        results = cls(path)
        if not (results.run.is_file() or results.summary.is_file()):
            raise CaseError("is not a results directory: no run.json, no summary.json", file=path)
        return results

    def write_summary(
        self,
        *,
        status: Status,
        model: str,
        title: str,
        observables: Iterable[Observable],
        failure: str = "",
    ) -> None:
        """Write `summary.json`; a value that is not finite becomes null.

        ``failure``: the reason in words where the status is not "done".
        """
        content: dict[str, object] = {"status": status, "model": model, "title": title}
        if failure:
            content["failure"] = failure
        content["observables"] = {
            observable.name: {
                "value": observable.value,
                "unit": observable.unit,
                "error": observable.error,
                "description": observable.description,
            }
            for observable in observables
        }
        write_json(self.summary, content)

    def refuse(self, *, overwrite: bool) -> None:
        """Raise `CaseError` where `create` would, before any work is done; changes nothing."""
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return
        if not overwrite and self.resumable:
            raise CaseError(
                f"holds a run that did not end; go on with: fem-rd resume {self.path} "
                "(or choose another directory with --output, or --overwrite)",
                file=self.path,
            )
        if not overwrite:
            raise CaseError(
                "the results directory exists; choose another with --output DIR, "
                "or --overwrite to replace it",
                file=self.path,
            )
        if not (self.run.is_file() or self.summary.is_file() or self.log.is_file()):
            raise CaseError(
                "holds files but no results of a run, so --overwrite does not delete it; "
                "choose another with --output DIR",
                file=self.path,
            )

    def _clear(self) -> None:
        made = (self.molecular, self.equations)
        for directory in (self.checkpoints, self.figures, *made):
            shutil.rmtree(directory, ignore_errors=True)
        files = (self.fields, self.particles, self.series, self.report, self.summary, self.log)
        tables = (self.profiles, self.pair_correlation, *self.coefficients.values(), self.scan)
        for file in (*files, *tables, self.run):
            file.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write ``content`` beside ``path`` and rename it into place; not finite becomes null.

    A reader sees the old file or the new one, never half of one. Raises FemRdError where the
    file cannot be written.
    """
    text = json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise FemRdError(f"{path}: cannot be written: {error.strerror}") from error


def read_json(path: Path) -> dict[str, object]:
    """The object in a JSON file; FemRdError where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FemRdError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise FemRdError(f"{path}: cannot be read: not a JSON object")
    return content


def _finite(content: object) -> object:
    """The same content in the types of JSON, with None for what is not finite."""
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple, set, frozenset)):
        return [_finite(value) for value in content]
    if isinstance(content, (str, bool, int)) or content is None:
        return content
    if isinstance(content, Path):
        return str(content)
    tolist = getattr(content, "tolist", None)  # of NumPy's arrays and numbers
    if tolist is not None:
        return _finite(tolist())
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    raise TypeError(f"{type(content).__name__} has no place in a results file")
