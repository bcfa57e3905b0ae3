"""Variances next to a deterministic reservoir: closed forms, the recursion, and walkers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fem_rd.exact import hybrid_fluctuations as fluctuations
from fem_rd.exact.hybrid_line import HybridLine
from fem_rd.exact.validity import OutOfRange


def test_shares_of_a_closed_slab():
    assert fluctuations.slab_share(0.5) == pytest.approx(0.5, abs=1e-12)
    beside = fluctuations.BESIDE_HALF_LINE
    assert beside == pytest.approx(0.279364400, abs=1e-9)
    assert fluctuations.slab_share(1e-5) == pytest.approx(beside, abs=3e-6)
    for fraction, share in [(0.1, 0.310349), (0.2, 0.348204), (0.3, 0.393341), (0.9, 0.689651)]:
        assert fluctuations.slab_share(fraction) == pytest.approx(share, abs=1e-6)
        other = fluctuations.slab_share(1 - fraction)
        assert fluctuations.slab_share(fraction) + other == pytest.approx(1, abs=1e-9)


def test_shares_by_finite_volumes():
    for fraction in (0.1, 0.5, 0.7):
        share = fluctuations.layered_share(fraction, 1 - fraction)
        assert share == pytest.approx(fluctuations.slab_share(fraction), abs=3e-5)
    thin = fluctuations.layered_share(0.01, 0.99)
    assert thin == pytest.approx(fluctuations.slab_share(0.01), abs=1e-4)
    fast = fluctuations.layered_share(1, 2, 3.0, 1.0)
    assert fast + fluctuations.layered_share(2, 1, 1.0, 3.0) == pytest.approx(1, abs=1e-9)
    assert fast == pytest.approx(fluctuations.layered_share(0.1, 0.2, 0.3, 0.1), abs=1e-9)


def test_shares_with_a_held_end():
    """From Poisson where the held end is close to a slab beside a half line where it is far."""
    shares = [fluctuations.layered_share(1, r, held=True) for r in (0.01, 0.25, 0.5, 1, 2, 50)]
    assert shares[1:5] == pytest.approx([0.54589, 0.41460, 0.32469, 0.28858], abs=3e-5)
    assert shares[0] == pytest.approx(0.94358, abs=3e-5)
    assert shares[5] == pytest.approx(fluctuations.BESIDE_HALF_LINE, abs=1e-4)


def test_bins_at_the_interface():
    """The bin at a wall as an integral of thin bins' covariances, -1/(2 pi x) each; and far off."""
    at_interface = fluctuations.BIN_AT_INTERFACE
    assert at_interface == pytest.approx(0.639682200, abs=1e-9)
    y, w = np.polynomial.legendre.leggauss(200)
    y, w = (y + 1) / 2, w / 2

    def excess(lower: float) -> float:  # (1/pi) ln((a^2 + b^2)/(2 a b)), integrated over the images
        z = y / (1 - y)
        a, b = z + lower, z + lower + 1
        return float(np.sum(w / (1 - y) ** 2 * np.log((a**2 + b**2) / (2 * a * b)))) / math.pi

    assert 1 - excess(0) == pytest.approx(at_interface, abs=1e-4)
    assert 1 - excess(4.5) == pytest.approx(float(fluctuations.thin_bin(5.0, 1.0)), abs=2e-4)


@pytest.mark.parametrize("reservoir", [1.0, 0.5])
def test_recursion_tends_to_the_shares(reservoir):
    """The excess at finite h is of first order in h: extrapolated, the closed form remains."""
    for held in (False, True):
        found = []
        for cells in (10, 20):
            h = reservoir / cells
            scheme = HybridLine(1.0, cells, h, 0.1 * h**2, held=held)
            found.append(fluctuations.stationary_numbers(scheme)[0])
        exact = 1.0 if held else reservoir / (1 + reservoir)
        share = fluctuations.layered_share(1.0, reservoir, held=held)
        assert 2 * found[1] - found[0] == pytest.approx(share * exact, abs=8e-4)
        assert (found[0] - share * exact) * cells / reservoir == pytest.approx(0.8, abs=0.05)


def test_total_does_not_fluctuate():
    number, mixed = fluctuations.stationary_numbers(HybridLine(1.0, 10, 0.1, 0.001))
    assert mixed == pytest.approx(-number, abs=1e-9)


def test_noise_on_edges_restores_the_exact_law():
    h = 0.05
    for held, exact in ((False, 0.5), (True, 1.0)):
        excess = []
        for number in (0.025, 0.05):
            scheme = HybridLine(1.0, 20, h, number * h**2, held=held)
            covariance = fluctuations.stationary_covariance(scheme, noise=True)
            variance = fluctuations.stationary_numbers(scheme, noise=True)[0]
            excess.append((variance - exact) / h)
        assert excess == pytest.approx([0.069, 0.133], abs=0.006)
        nodes = covariance[-2 - len(scheme.nodes) : -1, -2 - len(scheme.nodes) : -1][1:, 1:]
        amounts = nodes[1:-1, 1:-1] * h
        ideal = np.eye(len(amounts)) - (0.0 if held else h / 2)  # a multinomial's off-diagonals
        assert amounts == pytest.approx(ideal, abs=0.01)


def test_noise_of_fast_modes():
    assert fluctuations.edge_noise_variance([0.0, 1e-4]) == pytest.approx([1, 1], abs=1e-6)
    exact = fluctuations.edge_noise_variance(2.0, "exact")
    assert float(exact) == pytest.approx(math.tanh(1.0), abs=1e-12)
    euler = fluctuations.edge_noise_variance(2.0, "backward-euler")
    assert float(euler) == pytest.approx(0.5, abs=1e-12)


def test_replicas_that_share():
    assert fluctuations.shared_variance(1.0, 0.25, 1) == 0.25
    assert fluctuations.shared_variance(1.0, 0.25, 4) == pytest.approx(1 - 0.75 / 4)
    assert fluctuations.shared_covariance(1.0, 0.25, 4) == pytest.approx(-0.75 / 4)
    mean = fluctuations.shared_variance(1.0, 0.25, 4) / 4
    mean += fluctuations.shared_covariance(1.0, 0.25, 4) * 3 / 4
    assert mean == pytest.approx(0.25 / 4)  # their mean: one with a reservoir of its own, over n


def test_limits():
    with pytest.raises(OutOfRange, match="not stable"):
        fluctuations.stationary_covariance(HybridLine(1.0, 10, 0.1, 0.006))
    with pytest.raises(OutOfRange, match="fraction"):
        fluctuations.slab_share(1.0)
    with pytest.raises(OutOfRange, match="distance"):
        fluctuations.thin_bin(1.0, 0.6)
