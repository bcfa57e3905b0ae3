"""Where the numbers of a run come from: `run.json`.

Written when the run starts, so that a run that was killed can be told from its directory, and
again when it ends, with what it cost. The keys of the file are the fields of `RunRecord`; the
report reads them by these names.
"""

from __future__ import annotations

import platform
import resource
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import import_module, metadata
from pathlib import Path

from mpi4py import MPI

import fem_rd
from fem_rd.output.results import write_json
from fem_rd.parallel import on_root

# Looked up without importing: what a run did not need is not worth its start-up time.
_LIBRARIES = ("gmsh", "numpy", "scipy", "h5py", "matplotlib")
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Environment:
    """The machine and the software. ``hosts``: ranks by name of host."""

    versions: dict[str, str]
    ranks: int
    hosts: dict[str, int]
    platform: str
    revision: str | None


@dataclass(frozen=True)
class Memory:
    """Peak resident memory in bytes: of the largest rank and of all together."""

    largest_rank: int
    total: int


@dataclass(frozen=True)
class RunRecord:
    """Everything `run.json` says; at the end `dataclasses.replace` fills in the last fields.

    - ``case``: the resolved case, every default filled in; ``case_revision``: its git revision
    - ``overrides``: what `--set` said; ``resumed``: [{"from_time": .., "at": .., "ranks": ..}]
    - ``units``: unit by dimension, as {"length": "nm", "time": "ns"}; empty if dimensionless
    - ``observables``: {name: {"unit": .., "description": ..}}
    - ``mesh``: what is worth knowing of it, as {"cells": .., "volume": ..}
    - ``unknowns``: number by field
    - ``expected``: {name: {"value": .., "tolerance": .., "source": ..}}, the case's own
      `expected.toml`; the tolerance is relative, or absolute where the value is 0
    - ``predictions``: {name: {"value": .., "source": ..}}, the theory's number for an observable
    - ``exact``: {"series": {observable: {"time": [..], "value": [..], "source": ..}},
      "profiles": {field: {"coordinate": "r", "x": [..], "value": [..], "time": .., "source": ..}
      or a list of these}}; coordinate "x", "y", "z", or "r" from "center" (default: the origin);
      "time" may be left out of a steady run's
    - ``views``: {"slice": {"normal": [0, 1, 0], "origin": [..]}}, where the model knows better than
      the report how to cut its fields
    - ``ledger``: {quantity: {"residual": .., "scale": .., "tolerance": .., "unit": ..}}, the
      tolerance relative to the scale
    - ``phases``: wall time in seconds by phase, which add up to ``wall_time``
    """

    title: str
    model: str
    case: Mapping[str, object]
    case_directory: str
    command: Sequence[str]
    environment: Environment
    started: str
    overrides: Sequence[str] = ()
    resumed: Sequence[Mapping[str, object]] = ()
    case_revision: str | None = None
    petsc_options: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    observables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    mesh: Mapping[str, object] = field(default_factory=dict)
    unknowns: Mapping[str, int] = field(default_factory=dict)
    expected: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    predictions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    exact: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    views: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    ledger: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    finished: str | None = None
    wall_time: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    memory: Memory | None = None
    warnings: Sequence[str] = ()

    def write(self, path: Path) -> None:
        """Write `run.json`. For rank 0; FemRdError where it cannot be written."""
        write_json(path, asdict(self))


def environment(comm: MPI.Comm) -> Environment:
    """The machine and the software of this run. Collective."""
    hosts = Counter(comm.allgather(socket.gethostname()))
    return Environment(
        versions=versions(),
        ranks=comm.size,
        hosts=dict(hosts),
        platform=platform.platform(),
        revision=on_root(comm, package_revision),
    )


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on, by name."""
    dolfinx, petsc4py = import_module("dolfinx"), import_module("petsc4py.PETSc")
    found = {
        "fem_rd": fem_rd.__version__,
        "dolfinx": dolfinx.__version__,
        "PETSc": ".".join(map(str, petsc4py.Sys.getVersion())),
        "MPI": MPI.Get_library_version().split(",")[0].split("\n")[0].strip(),
        "Python": platform.python_version(),
    }
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:  # installed by other means than pip
            loaded = getattr(sys.modules.get(library), "__version__", None)
            found |= {library: str(loaded)} if loaded else {}
    return found


def petsc_options() -> dict[str, str]:
    """The options that were given to PETSc, by name."""
    return dict(import_module("petsc4py.PETSc").Options().getAll())


def now() -> str:
    """The local time with its zone, ISO 8601, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def peak_memory(comm: MPI.Comm) -> Memory:
    """Peak resident memory of the ranks so far. Collective."""
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES
    return Memory(comm.allreduce(mine, op=MPI.MAX), comm.allreduce(mine, op=MPI.SUM))


def case_revision(directory: Path) -> str | None:
    """The git revision a case directory is at, or None.

    Whether its files were changed since is not asked: `git status` runs filters and hooks that the
    repository itself names, and the case may be a stranger's.
    """
    return _git(directory, "rev-parse", "HEAD")


def package_revision() -> str | None:
    """The git revision of this package, with "-dirty" where files differ; None if not from git."""
    directory = Path(fem_rd.__file__).parent
    if not (directory.parent / ".git").exists():
        return None  # installed: a repository further up is another project's
    revision = _git(directory, "rev-parse", "HEAD")
    changes = _git(directory, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{revision}-dirty" if revision and changes else revision


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
