"""Profiles with drift, or source and decay: printed digits, their equations, extreme numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fem_rd.errors import FemRdError
from fem_rd.exact.advection import advection_layer, source_decay_slab


def derivatives(profile, x: float) -> tuple[float, float]:
    h = 1e-4
    below, here, above = profile(np.array([x - h, x, x + h]))
    return (above - below) / (2 * h), (above - 2 * here + below) / h**2


def test_printed_digits():
    layer = advection_layer([0.9, 0.5], velocity=20, diffusion=1)
    assert layer[0] == pytest.approx(0.135335281454, abs=6e-13)
    assert layer[1] == pytest.approx(4.53978687e-5, abs=6e-14)
    assert source_decay_slab(0.5, 0.1, 1, 1) == pytest.approx(0.785934052696, abs=6e-13)


@pytest.mark.parametrize("velocity", [-3.1, 3.1])
def test_layer_solves_its_equation(velocity):
    profile = lambda x: advection_layer(x, velocity, 0.7, 2.0)  # noqa: E731
    slope, bend = derivatives(profile, 1.3)
    assert velocity * slope == pytest.approx(0.7 * bend, rel=1e-5)
    assert profile([0.0, 2.0]) == pytest.approx([0, 1], abs=1e-15)


def test_slab_solves_its_equation():
    profile = lambda x: source_decay_slab(x, 0.7, 1.9, 3.0, 2.0)  # noqa: E731
    _, bend = derivatives(profile, 0.6)
    assert 0.7 * bend == pytest.approx(3.0 * float(profile(0.6)) - 1.9, rel=1e-5)
    assert profile(0.0) == pytest.approx(0, abs=1e-15)
    # no slope at the reflecting wall: the profile is its own mirror image there
    assert profile(2.0) - profile(2.0 - 1e-4) == pytest.approx(0, abs=1e-8)


def test_extreme_numbers():
    assert advection_layer([0.5, 1.0], 1e6, 1) == pytest.approx([0, 1], abs=1e-300)
    assert advection_layer(0.5, -1e6, 1) == pytest.approx(1, rel=1e-15)
    assert advection_layer(0.3, 0, 1) == 0.3
    assert advection_layer(0.3, 1e-12, 1) == pytest.approx(0.3, rel=1e-11)
    assert source_decay_slab(0.5, 1e-9, 2.0, 4.0) == pytest.approx(0.5, rel=1e-15)


def test_without_meaning_is_refused():
    with pytest.raises(FemRdError, match="x must lie in"):
        advection_layer(1.1, 1, 1)
    with pytest.raises(FemRdError, match="velocity must be finite"):
        advection_layer(0.1, float("nan"), 1)
    with pytest.raises(FemRdError, match="decay must be positive"):
        source_decay_slab(0.1, 1, 1, 0)
