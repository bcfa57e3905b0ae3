"""Compilation of kernels to machine code, kept between runs where there is a place to keep it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


_FREEDOM = {"reassoc", "nsz", "contract"}  # what is not finite stays so


def compiled(kernel: Kernel) -> Kernel:
    """The kernel, compiled when it is first called; division by zero gives inf or nan.

    The machine code is kept beside the source or, where that cannot be written, in the user's cache
    (``NUMBA_CACHE_DIR``); where there is neither, each run compiles again.
    """
    return _kept(kernel, set())


def compiled_sum(kernel: Kernel) -> Kernel:
    """The same for kernels that add up: sums may be taken in an order that vectorises."""
    return _kept(kernel, _FREEDOM)


def _kept(kernel: Kernel, freedom: set[str]) -> Kernel:
    options = {"error_model": "numpy", "nogil": True, "fastmath": freedom}
    try:
        return njit(cache=True, **options)(kernel)
    except RuntimeError:  # no directory for the cache can be written
        return njit(**options)(kernel)
