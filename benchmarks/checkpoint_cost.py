"""A checkpoint against a plain write of the same bytes, both forced to disk, in one run.

    ./with-env python3 benchmarks/checkpoint_cost.py [--unknowns 1000000] [--repeat 9]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mpi4py import MPI

from fem_rd.checkpoint import Checkpoints
from fem_rd.state import State


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _plain(path: Path, arrays: list[np.ndarray]) -> None:
    with path.open("wb") as file:
        for array in arrays:
            file.write(array.data)
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--unknowns", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=9)
    arguments = parser.parse_args()
    random = np.random.default_rng(1)
    state = {name: random.standard_normal(arguments.unknowns) for name in ("value", "slope")}
    with tempfile.TemporaryDirectory(dir=".") as name:
        directory = Path(name)
        positions = random.standard_normal((arguments.unknowns, 3))
        checkpoints = Checkpoints(directory / "checkpoint", positions, MPI.COMM_SELF)
        checkpoints.save(0.0, 0, State(state))
        saves, writes = [], []
        for step in range(1, arguments.repeat + 1):
            saves.append(_timed(lambda step=step: checkpoints.save(0.0, step, State(state))))
            writes.append(_timed(lambda: _plain(directory / "plain", list(state.values()))))
    size = sum(array.nbytes for array in state.values()) / 2**20
    save, write = float(np.median(saves)), float(np.median(writes))
    print(f"{arguments.unknowns} unknowns, value and slope, {size:.1f} MiB")
    print(f"checkpoint {save * 1e3:.1f} ms, plain write {write * 1e3:.1f} ms", end=", ")
    print(f"ratio {save / write:.2f}")


if __name__ == "__main__":
    main()
