"""Exit status 0 if this python3 has a DOLFINx that fem_rd knows and all modules of packages.txt.

Silent where there is no DOLFINx at all. Where there is one that cannot be used, one line says why.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

OLDEST, NEWEST = (0, 9), (0, 11)

# Importing DOLFINx starts MPI. A rank may start it once only, so it happens in another process,
# and without the variables by which that process would take itself for the rank.
LAUNCHERS = ("OMPI_", "PMIX_", "PMI_", "PRTE_", "HYDI_", "HYDRA_", "MPI", "SLURM_")
PROBE = """
import dolfinx, dolfinx.fem.petsc
from petsc4py import PETSc
print(dolfinx.__version__, PETSc.ScalarType.__name__)
"""


def complaint(package_list: Path) -> str:
    """Why this Python cannot be used; empty if it can."""
    rows = [line.split("|") for line in package_list.read_text().splitlines() if line[:1] != "#"]
    modules = [row[4].strip() for row in rows if row[0].strip() in ("run", "test")]
    missing = [name for name in modules if name != "-" and importlib.util.find_spec(name) is None]
    if missing:
        return f"lacks {', '.join(missing)}"
    environment = {key: text for key, text in os.environ.items() if not key.startswith(LAUNCHERS)}
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:
        return "does not import it: " + (probe.stderr.strip().splitlines() or ["no message"])[-1]
    version, scalar = probe.stdout.split()[-2:]
    if not OLDEST <= tuple(int(part) for part in version.split(".")[:2]) <= NEWEST:
        return f"has version {version}, and fem_rd knows 0.9 to 0.11"
    if scalar != "float64":
        return f"has it with {scalar} numbers, and fem_rd needs float64"
    return ""


def main() -> int:
    if importlib.util.find_spec("dolfinx") is None:
        return 1
    reason = complaint(Path(sys.argv[1]))
    if reason:
        sys.stderr.write(f"with-env: your python3 has DOLFINx but {reason}; using a Debian tree\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
