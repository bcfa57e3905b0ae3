"""The limiting factor of each node that keeps its species from going below zero."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fem_rd.compiled import compiled

Array = npt.NDArray[np.float64]

_CLOSE = 1e-15  # relative change of the factor at which Newton's method has arrived
_BELOW_ONE = 1.0 - 1e-14


def limited(values: Array, slope: Array, weights: Array, size: float, out: Array) -> Array:
    """``out`` = values + size q slope with q = prod_k out_k / weights_k over the slopes below zero.

    One q > 0 for each node, returned; 1 where no species is used up. All arrays have the shape
    (species, nodes), ``weights`` are approximations of ``out`` of at least first order.
    """
    return _limited(values, slope, weights, size, out)


@compiled
def _limited(values: Array, slope: Array, weights: Array, size: float, out: Array) -> Array:
    """F(q) = q - prod_k (values_k + size q slope_k) / weights_k is concave and rises: Newton's
    method from 0 comes to the root from below, where all factors are positive."""
    species, nodes = values.shape
    factors = np.empty(nodes)
    for node in range(nodes):
        most = np.inf
        for k in range(species):
            if slope[k, node] < 0.0:
                most = min(most, -values[k, node] / (size * slope[k, node]))
        q = 1.0 if most == np.inf else 0.0
        steps = 0
        while most < np.inf and steps < 200:
            product, relative = 1.0, 0.0
            for k in range(species):
                change = size * slope[k, node]
                if change < 0.0:
                    rest = values[k, node] + q * change
                    if rest <= 0.0 or weights[k, node] <= 0.0:
                        product = 0.0
                        break
                    product *= rest / weights[k, node]
                    relative += change / rest
            if product <= 0.0:
                break
            step = (product - q) / (1.0 - product * relative)
            if not step > _CLOSE * q:
                break
            q = min(q + step, most * _BELOW_ONE)
            steps += 1
        factors[node] = q
        for k in range(species):
            out[k, node] = values[k, node] + size * q * slope[k, node]
    return factors
