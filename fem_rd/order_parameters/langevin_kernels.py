"""Compiled steps of a particle with tabulated force and diffusion, and its random numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fem_rd.compiled import compiled

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_SCALE = 1.0 / 4294967296.0


@compiled
def philox(step: Any, replica: Any, key: Any) -> Any:
    """Four words of 32 bits: Philox4x32-10 of the counter (step, replica) with this key.

    Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011).
    """
    a, b = np.uint64(step) & _LOW, np.uint64(step) >> _HALF
    c, d = np.uint64(replica) & _LOW, np.uint64(replica) >> _HALF
    k0, k1 = np.uint64(key) & _LOW, np.uint64(key) >> _HALF
    for _ in range(10):
        p, q = _M0 * a, _M1 * c
        a, b, c, d = (q >> _HALF) ^ b ^ k0, q & _LOW, (p >> _HALF) ^ d ^ k1, p & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return a, b, c, d


@compiled
def normal_pair(step: Any, replica: Any, key: Any) -> Any:
    """Two independent standard normals, by Box and Muller."""
    a, b, c, _ = philox(step, replica, key)
    radius = math.sqrt(-2.0 * math.log((a + 0.5) * _SCALE))
    angle = 2.0 * math.pi * (b + c * _SCALE) * _SCALE
    return radius * math.cos(angle), radius * math.sin(angle)


@compiled
def interpolate(table: Any, begin: Any, width: Any, period: Any, place: Any) -> Any:
    """Linear between the values of a table; beyond its ends the last interval goes on.

    Periodic where ``period`` is not zero.
    """
    if period > 0.0:
        place = place - math.floor((place - begin) / period) * period
    at = (place - begin) / width
    index = min(max(math.floor(at), 0), len(table) - 2)
    return table[index] + (at - index) * (table[index + 1] - table[index])


@compiled
def brownian(
    place: Any, drift: Any, spread: Any, begin: Any, width: Any, period: Any,
    first: Any, steps: Any, stride: Any, key: Any, out: Any,
) -> None:  # fmt: skip
    """Steps of dR = drift dt + spread dW (tables are for one step), in place.

    Every ``stride`` steps the places are put into ``out`` (replicas, frames).
    """
    for replica in range(len(place)):
        r = place[replica]
        other = 0.0
        for step in range(steps):
            if step % 2 == 0:
                noise, other = normal_pair((first + step) // 2, replica, key)
            else:
                noise = other
            move = interpolate(drift, begin, width, period, r)
            r += move + interpolate(spread, begin, width, period, r) * noise
            if (step + 1) % stride == 0:
                out[replica, (step + 1) // stride - 1] = r
        place[replica] = r


@compiled
def inertial(
    place: Any, velocity: Any, force: Any, begin: Any, width: Any, period: Any,
    mass: Any, keep: Any, kick: Any, dt: Any, first: Any, steps: Any, stride: Any, key: Any,
    places: Any, velocities: Any,
) -> None:  # fmt: skip
    """Steps of BAOAB in place: V <- keep V + kick N in the middle of each."""
    half = 0.5 * dt / mass
    for replica in range(len(place)):
        r, v = place[replica], velocity[replica]
        pull = interpolate(force, begin, width, period, r)
        other = 0.0
        for step in range(steps):
            if step % 2 == 0:
                noise, other = normal_pair((first + step) // 2, replica, key)
            else:
                noise = other
            v += half * pull
            r += 0.5 * dt * v
            v = keep * v + kick * noise
            r += 0.5 * dt * v
            pull = interpolate(force, begin, width, period, r)
            v += half * pull
            if (step + 1) % stride == 0:
                places[replica, (step + 1) // stride - 1] = r
                velocities[replica, (step + 1) // stride - 1] = v
        place[replica], velocity[replica] = r, v
