"""Random numbers that depend on what they are for, and on nothing else.

Every number is a function of seed, replica, step, particle, purpose and draw: trajectories are the
same for any number of ranks or threads and for any order of the particles. Kernels draw from
Philox4x32-7 (Salmon et al. 2011; passes BigCrush), the few numbers drawn here come from NumPy's
Philox4x64-10. The same bits need the same compiler and kind of processor; their law does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import ISeedSequence

from fem_rd.particles.build import kernels, pointer

Identities = npt.NDArray[np.uint64]


class Purpose(IntEnum):
    """What a random number is for (0 to 255): different purposes never share one."""

    MOVE = 0
    WALL = 1
    START = 2
    VELOCITY = 3
    MESH_WALK = 4
    ZEROTH_ORDER = 16
    FIRST_ORDER = 17
    PAIR = 18
    PLACE = 19
    THIN = 32
    INSERT_COUNT = 33
    INSERT_PLACE = 34
    ACROSS = 35
    RESERVOIR_FLUX = 36


@dataclass(frozen=True)
class Streams:
    """All random numbers of one replica: ``seed`` and ``replica`` are whole numbers from 0.

    ``branch``: 0 for particles of the system; others for what is not, such as trial steps.
    """

    seed: int
    replica: int = 0
    branch: int = 0

    @cached_property
    def key(self) -> int:
        """The 64-bit key of the kernels."""
        numbers = [self.seed, self.replica, self.branch][: 3 if self.branch else 2]
        words = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
        return int(words[0])

    def generator(self, step: int, purpose: Purpose, draw: int = 0) -> np.random.Generator:
        """A generator of its own for one step, purpose and draw (such as a wall's or species')."""
        counter = np.array([0, step, purpose, draw], dtype=np.uint64)
        seeds: Any = self._seeds  # numpy takes any seed sequence, its annotations one class
        return np.random.Generator(np.random.Philox(seeds, counter=counter))

    @cached_property
    def _seeds(self) -> _Key:
        return _Key(self.key)

    def normals(
        self, dimension: int, ids: Identities, step: int, purpose: Purpose
    ) -> npt.NDArray[np.float32]:
        """Standard normals, shape (dimension, particles), as the kernels see them; 1 to 4 rows."""
        ids = np.ascontiguousarray(ids, dtype=np.uint64)
        out = np.empty((dimension, ids.size), dtype=np.float32)
        _, lib = kernels()
        rows = pointer("float *", out)
        lib.fem_rd_fill_normals(
            dimension, ids.size, ids.size, rows, _ids(ids), self.key, step, purpose
        )
        return out

    def uniforms(
        self, ids: Identities, step: int, purpose: Purpose, draw: int = 0
    ) -> npt.NDArray[np.float64]:
        """Uniform numbers strictly between 0 and 1, one for each particle."""
        ids = np.ascontiguousarray(ids, dtype=np.uint64)
        out = np.empty(ids.size)
        _, lib = kernels()
        lib.fem_rd_fill_uniforms(
            ids.size, pointer("double *", out), _ids(ids), self.key, step, purpose, draw
        )
        return out


def branch(streams: Streams, number: int) -> Streams:
    """A branch of the same replica; the same object each time, which knows its key."""
    return _branch(streams.seed, streams.replica, number)


@lru_cache(maxsize=1 << 14)
def _branch(seed: int, replica: int, number: int) -> Streams:
    return Streams(seed, replica, number)


class _Key(ISeedSequence):
    """A key as it is: with ``key``, Philox would ask the system for entropy each time."""

    def __init__(self, key: int) -> None:
        self._words = np.array([key, 0], dtype=np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> npt.NDArray[np.uint64]:
        """The two words that Philox asks for."""
        return self._words


def _ids(ids: Identities) -> Any:
    return pointer("uint64_t *", ids)
