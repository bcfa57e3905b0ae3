"""Compilation of the passes over nodal arrays; sums may be taken in an order that vectorises."""

from __future__ import annotations

from numba import njit

from fem_rd.compiled import Kernel

_FREEDOM = {"reassoc", "nsz", "contract"}  # what is not finite stays so


def compiled_sum(kernel: Kernel) -> Kernel:
    """As `fem_rd.compiled.compiled`, for kernels that add up over the nodes."""
    try:
        return njit(cache=True, error_model="numpy", nogil=True, fastmath=_FREEDOM)(kernel)
    except RuntimeError:  # no directory for the cache can be written
        return njit(error_model="numpy", nogil=True, fastmath=_FREEDOM)(kernel)
