"""A file that outlives a full disk.

HDF5 does not: after a failed write it can neither close the file nor end the process in order, and
what it still writes may spoil what was good. Under this file it never learns of the failure: from
the first one on nothing reaches the disk, so that the file stays as it was, and `check` raises.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Literal


class GuardedFile:
    """A binary file as h5py wants one, open for reading and writing."""

    def __init__(self, path: Path, mode: Literal["w+b", "r+b"]) -> None:
        self._file = io.FileIO(path, mode)
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self._error is not None:
            raise self._error

    def write(self, data: memoryview) -> int:
        """Write all of ``data`` where the file stands, or nothing after a failure."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while len(rest) and self._error is None:
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                self._error = error
        return size

    def truncate(self, size: int) -> int:
        """Set the size of the file, or leave it after a failure."""
        if self._error is None:
            try:
                self._file.truncate(size)
            except OSError as error:
                self._error = error
        return size

    def readinto(self, buffer: memoryview) -> int:
        """Read from where the file stands."""
        return self._file.readinto(buffer) or 0

    def read(self, size: int = -1) -> bytes:
        """Read from where the file stands."""
        return self._file.read(size) or b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the file stands."""
        return self._file.tell()

    def flush(self) -> None:
        """Nothing is held back that could be flushed."""

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()
