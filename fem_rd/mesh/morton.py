"""Order along a Morton curve: neighbours in space become neighbours in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BITS = 21  # of each coordinate: three of them fit into 63
_SPREADING = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def morton_codes(points: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Place of each point along the curve through their bounding box.

    ``points`` has shape (n, 1 to 3); the result has shape (n,).
    """
    lower = points.min(axis=0, initial=np.inf)
    extent = float((points.max(axis=0, initial=-np.inf) - lower).max())
    scale = (2**_BITS - 1) / extent if extent > 0.0 else 0.0
    codes = np.zeros(len(points), dtype=np.uint64)
    for axis, column in enumerate(points.T):
        codes |= _spread(((column - lower[axis]) * scale).astype(np.uint64)) << np.uint64(axis)
    return codes


def _spread(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Put two zero bits behind each bit."""
    for shift, mask in _SPREADING:
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values
