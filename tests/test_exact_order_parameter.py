"""Closed forms of one order parameter against published and independent digits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import i0

from fem_rd.exact.order_parameter import (
    lifson_jackson,
    mean_first_passage_time,
    relaxation_rates,
    splitting_probability,
    tilted_periodic,
    transition_rate,
)
from fem_rd.exact.validity import OutOfRange

Array = NDArray[np.float64]
TURN = 2 * np.pi


def well(height: float) -> tuple[object, object]:
    return lambda x: height * (x**2 - 1) ** 2, lambda x: 4 * height * x * (x**2 - 1)


@pytest.mark.parametrize(
    ("height", "start", "target", "time"),
    [
        (2, -1, 0, 2.303269806553),
        (2, -1, 1, 5.129285033592),
        (5, -1, 0, 18.095187975045),
        (5, -1, 1, 36.483534597116),
        (5, -1.5, 1, 36.518360578480),
        (8, -1, 1, 437.504351398345),
    ],
)
def test_passage_over_a_barrier(height: float, start: float, target: float, time: float) -> None:
    potential, _ = well(height)
    assert mean_first_passage_time(potential, start, target, -3.0) == pytest.approx(time, rel=1e-12)
    back = mean_first_passage_time(potential, -start, -target, 3.0)
    assert back == pytest.approx(time, rel=1e-12)


def test_passage_with_a_diffusion_that_varies() -> None:
    potential, _ = well(5)
    time = mean_first_passage_time(potential, -1, 1, -3.0, lambda x: 1 + x**2 / 2)
    assert time == pytest.approx(35.433439032343, rel=1e-12)


def test_passage_in_both_directions_of_a_skew_well() -> None:
    def potential(x: Array) -> Array:
        return 4 * (x**4 - 2 * x**2 + 0.3 * x)

    left, _, right = np.sort(np.roots([4, 0, -4, 0.3]).real)  # the minima
    assert mean_first_passage_time(potential, left, right, -3.0) == pytest.approx(
        58.05161194311, rel=1e-11
    )
    assert mean_first_passage_time(potential, right, left, 3.0) == pytest.approx(
        6.17328130295, rel=1e-11
    )
    slowest = relaxation_rates(lambda x: 16 * x**3 - 16 * x + 1.2, 3.0, 1)[0]
    assert slowest == pytest.approx(0.187793056, rel=1e-8)


def test_a_wall_must_be_behind_the_start() -> None:
    with pytest.raises(OutOfRange, match="behind"):
        mean_first_passage_time(lambda x: 0 * x, 0.0, 1.0, 0.5)


@pytest.mark.parametrize(
    ("height", "rates"),
    [
        (2, (0.454546602, 8.15655978)),
        (5, (0.0555228127, 16.4449425, 26.2831064)),
        (8, (0.00457495112,)),
    ],
)
def test_spectrum(height: float, rates: tuple[float, ...]) -> None:
    _, slope = well(height)
    found = relaxation_rates(slope, 3.0, len(rates))
    assert found == pytest.approx(rates, rel=5e-9)


def test_the_rate_between_sets_closes_the_chain_of_two_states() -> None:
    """With sets that meet, the rates are flux over their probabilities, and infinite together."""
    potential, _ = well(5)
    there, back = transition_rate(potential, -1.0, 1.0, (-3.0, 3.0))
    assert there == pytest.approx(back, rel=1e-12)
    # from the last visit of A to the first of B: the mean time from A's edge, both ways
    cycle = mean_first_passage_time(potential, -1, 1, -3.0)
    cycle += mean_first_passage_time(potential, 1, -1, 3.0)
    assert 1 / there + 1 / back == pytest.approx(cycle, rel=1e-12)


def test_free_passage_between_two_ends() -> None:
    assert splitting_probability(lambda x: -2 * x, 0.3, 1.0, 0.0) == pytest.approx(
        0.521807303061, rel=1e-12
    )
    assert splitting_probability(lambda x: 0 * x, 0.3, 0.0, 1.0) == pytest.approx(0.7, rel=1e-12)


@pytest.mark.parametrize("height", [1.0, 2.0])
def test_diffusion_in_a_cosine(height: float) -> None:
    found = lifson_jackson(lambda x: height * np.cos(x), TURN)
    assert found == pytest.approx(1 / i0(height) ** 2, rel=1e-12)
    assert found == pytest.approx({1.0: 0.623860360432, 2.0: 0.192436878492}[height], rel=1e-11)
    slow = tilted_periodic(lambda x: height * np.cos(x), 1e-6, TURN)
    assert slow.diffusion == pytest.approx(found, rel=1e-9)
    assert slow.velocity / 1e-6 == pytest.approx(found, rel=1e-9)  # Einstein's relation


def test_drift_in_a_tilted_cosine() -> None:
    """Against the largest eigenvalue of the tilted Bloch operator: v and D from its derivatives."""
    height, force, waves = 2.0, 1.0, 24
    index = np.arange(-waves, waves + 1)

    def eigenvalue(k: float) -> complex:
        q = index + k
        up = np.diag(np.ones(2 * waves), 1)
        sine = height * (up.T - up) / 2j  # sin x in Fourier modes
        matrix = -np.diag(q**2).astype(complex) - np.diag(1j * q) @ (
            force * np.eye(len(q)) + sine
        )
        values = np.linalg.eigvals(matrix)
        return complex(values[np.argmax(values.real)])

    small = 1e-3
    found = tilted_periodic(lambda x: height * np.cos(x), force, TURN)
    assert -eigenvalue(small / 10).imag / small * 10 == pytest.approx(found.velocity, rel=1e-6)
    assert -eigenvalue(small).real / small**2 == pytest.approx(found.diffusion, rel=1e-5)


def test_a_free_particle_drifts_with_the_force() -> None:
    found = tilted_periodic(lambda x: 0 * x, 0.7, 3.0, 2.0)
    assert (found.velocity, found.diffusion) == pytest.approx((1.4, 2.0), rel=1e-12)
