"""Run a script on several ranks from a serial test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_TIMEOUT = 120


def run_on_ranks(
    ranks: int, script: str | Path | Sequence[str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """`mpirun -n RANKS python3 SCRIPT`, or with a sequence of arguments for python3."""
    arguments = [str(script)] if isinstance(script, (str, Path)) else list(script)
    # More ranks than cores must be asked for; otherwise not, since it is slower and can hang.
    crowded = ranks > (os.cpu_count() or 1) and _is_open_mpi()
    options = ["--map-by", ":OVERSUBSCRIBE"] if crowded else []
    return subprocess.run(
        ["mpirun", *options, "-n", str(ranks), sys.executable, *arguments],
        cwd=cwd,
        env=dict(os.environ),  # without what MPI put into the environment of this process
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )


@cache
def _is_open_mpi() -> bool:
    version = subprocess.run(["mpirun", "--version"], capture_output=True, text=True, check=True)
    return "Open MPI" in version.stdout
