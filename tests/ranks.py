"""Run a script on several ranks from a serial test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

_TIMEOUT = 120


def command_on_ranks(ranks: int, arguments: Sequence[str]) -> list[str]:
    """`mpirun -n RANKS python3 ARGUMENTS` as a list of words."""
    # More ranks than cores must be asked for; otherwise not, since it is slower and can hang.
    crowded = ranks > (os.cpu_count() or 1) and _is_open_mpi()
    options = ["--map-by", ":OVERSUBSCRIBE"] if crowded else []
    return ["mpirun", *options, "-n", str(ranks), sys.executable, *arguments]


def run_on_ranks(
    ranks: int, script: str | Path | Sequence[str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run a script, or python3 with a sequence of arguments, to its end."""
    arguments = [str(script)] if isinstance(script, (str, Path)) else list(script)
    return subprocess.run(
        command_on_ranks(ranks, arguments),
        cwd=cwd,
        env=dict(os.environ),  # without what MPI put into the environment of this process
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )


def printed_on_ranks(
    ranks: int, text: str, cwd: Path, arguments: Sequence[str] = ()
) -> Any:
    """What a script prints last, as JSON, on so many ranks; it may import what tests import."""
    here = Path(__file__).parent
    script = cwd / "on_ranks.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(here)!r})\n{text}", "utf-8")
    done = run_on_ranks(ranks, [str(script), *arguments], cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@cache
def _is_open_mpi() -> bool:
    version = subprocess.run(["mpirun", "--version"], capture_output=True, text=True, check=True)
    return "Open MPI" in version.stdout
