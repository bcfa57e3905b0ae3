"""The kernels: C, compiled by the system's compiler when first used, and kept between runs.

``kernels/*.h`` declare the functions, one header per topic, in plain C that cffi reads (lines that
begin with ``#`` are left out; ``shapes.h``, with the structures, comes first); ``kernels/*.c``
define them; ``kernels/inline`` has what they share.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import numpy.typing as npt

from fem_rd.errors import FemRdError

SOURCES = Path(__file__).parent / "kernels"
# No errno and no traps: square roots and choices vectorise. Infinities, nan and the order of sums
# are as the C standard has them.
FLAGS = ("-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-fPIC")
NATIVE = "-march=native"


class CompilerError(FemRdError):
    """The kernels could not be compiled."""


@cache
def kernels() -> tuple[Any, Any]:
    """cffi's ``ffi`` and the library with all functions that the headers declare.

    `CompilerError` where there is no compiler (``CC``, otherwise ``cc``) or it fails.
    """
    ffi = cffi.FFI()
    headers = sorted(SOURCES.glob("*.h"), key=lambda path: (path.name != "shapes.h", path.name))
    for header in headers:
        ffi.cdef(_declarations(header.read_text("utf-8")))
    return ffi, ffi.dlopen(str(_library(_compiler(), _directory())))


def pointer(kind: str, array: npt.NDArray[Any]) -> Any:
    """A C pointer, such as ``double *``, to the data of an array in one piece, which it keeps."""
    ffi, _ = kernels()
    return ffi.from_buffer(kind, array)


def _declarations(header: str) -> str:
    """What cffi reads of a header; nothing of one that defines functions for other sources."""
    if "static inline" in header:
        return ""
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


def _compiler() -> str:
    wanted = os.environ.get("CC", "cc")
    found = shutil.which(wanted)
    if found is None:
        raise CompilerError(
            f"particles need a C compiler, and {wanted!r} is not there: "
            "install gcc or clang, or name one in the environment variable CC"
        )
    return found


def _directory() -> Path:
    """Where compiled kernels are kept; a directory of this process where none can be written."""
    if own := os.environ.get("FEM_RD_CACHE"):
        place = Path(own) / "kernels"
    else:
        base = os.environ.get("XDG_CACHE_HOME")
        place = (Path(base) if base else Path.home() / ".cache") / "fem-rd" / "kernels"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="fem-rd-kernels-"))
    return place if os.access(place, os.W_OK) else Path(tempfile.mkdtemp(prefix="fem-rd-kernels-"))


def _library(compiler: str, directory: Path) -> Path:
    """The shared object of these sources, this compiler and this processor; made if missing."""
    kept = directory / f"fem-rd-{_key(compiler)}.so"
    if kept.exists():
        return kept
    with tempfile.TemporaryDirectory(prefix="build-", dir=directory) as scratch:
        made = Path(scratch) / "kernels.so"
        message = _compile(compiler, made, (*FLAGS, NATIVE))
        if message and _compile(compiler, made, FLAGS):
            raise CompilerError(f"{compiler} could not compile the particle kernels:\n{message}")
        made.replace(kept)  # at once: whoever compiles at the same time makes the same file
    return kept


def _compile(compiler: str, target: Path, flags: tuple[str, ...]) -> str:
    """What the compiler complained about; nothing if it succeeded."""
    sources = [str(source) for source in sorted(SOURCES.glob("*.c"))]
    include = [f"-I{SOURCES}", f"-I{SOURCES / 'inline'}"]
    command = [compiler, *flags, *include, "-shared", "-o", str(target), *sources, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr or f"status {done.returncode}" if done.returncode else ""


def _key(compiler: str) -> str:
    digest = hashlib.sha256(" ".join((*FLAGS, NATIVE)).encode())
    for source in sorted(SOURCES.rglob("*.[ch]")):
        digest.update(source.name.encode() + source.read_bytes())
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False)
    digest.update(compiler.encode() + version.stdout + _processor().encode())
    return digest.hexdigest()[:24]


def _processor() -> str:
    """What ``-march=native`` depends on: machines that share a cache may differ in it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    first = {line.split(":")[0].strip(): line for line in reversed(lines) if ":" in line}
    return "\n".join(first[name] for name in wanted if name in first)


def as_doubles(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The values as doubles in one piece, as kernels read them."""
    return np.ascontiguousarray(values, dtype=np.float64)
