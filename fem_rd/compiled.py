"""Compilation of kernels to machine code, kept between runs where there is a place to keep it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(kernel: Kernel) -> Kernel:
    """The kernel, compiled when it is first called; division by zero gives inf or nan.

    The machine code is kept beside the source or, where that cannot be written, in the user's cache
    (``NUMBA_CACHE_DIR``); where there is neither, each run compiles again.
    """
    try:
        return njit(cache=True, error_model="numpy", nogil=True)(kernel)
    except RuntimeError:  # no directory for the cache can be written
        return njit(error_model="numpy", nogil=True)(kernel)
