"""First-passage times: a boundary-value solver, averages, the rate they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_bvp

from fem_rd.exact.capture import steady_rate
from fem_rd.exact.first_passage import (
    first_passage_rate,
    mean_first_passage_time,
    mean_first_passage_time_uniform,
)
from fem_rd.exact.sphere import ReactiveSphere

SHELL = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=11.0, outer=2.3)


def test_times_agree_with_a_boundary_value_solver():
    def flow(r: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.vstack([y[1], -1 / SHELL.diffusion - 2 * y[1] / r])

    def walls(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        flux = 4 * math.pi * SHELL.sigma**2 * SHELL.diffusion * inner[1]
        return np.array([flux - SHELL.kappa * inner[0], outer[1]])

    r = np.linspace(SHELL.sigma, SHELL.outer, 100)
    solution = solve_bvp(flow, walls, r, np.ones((2, r.size)), tol=1e-10, max_nodes=20000)
    assert solution.success
    assert mean_first_passage_time(SHELL, r) == pytest.approx(solution.sol(r)[0], rel=1e-8)


@pytest.mark.parametrize("kappa", [0.1, 11.0, math.inf])
@pytest.mark.parametrize("outer", [0.7001, 2.3, 40.0])
def test_uniform_time_is_the_average_over_the_volume(kappa, outer):
    sphere = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=kappa, outer=outer)
    total = quad(
        lambda r: 4 * math.pi * r**2 * mean_first_passage_time(sphere, r), 0.7, outer, epsrel=1e-13
    )[0]
    assert mean_first_passage_time_uniform(sphere) == pytest.approx(total / sphere.volume, rel=1e-9)


def test_rate_tends_to_the_steady_rate_of_an_infinite_domain():
    limit = steady_rate(ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=11.0))
    far = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=11.0, outer=700.0)
    assert first_passage_rate(far) > limit
    # 1/k = 1/kappa + (1/k_S)(1 - 9/5 sigma/R), where a reservoir at R has (1 - sigma/R)
    difference = (1 / limit - 1 / first_passage_rate(far)) * far.diffusion_rate
    assert difference == pytest.approx(9 / 5 * 1e-3, rel=1e-5)
    with_reservoir = (1 / limit - 1 / steady_rate(far)) * far.diffusion_rate
    assert with_reservoir == pytest.approx(1e-3, rel=1e-9)


def test_reaction_limited_time_does_not_depend_on_the_start():
    slow = ReactiveSphere(sigma=0.7, diffusion=1.9, kappa=1e-8, outer=2.3)
    times = mean_first_passage_time(slow, [0.7, 1.5, 2.3])
    assert times == pytest.approx(slow.volume / 1e-8, rel=1e-7)
    volume = 4 * math.pi / 3 * (2.3**3 - 0.7**3)
    assert first_passage_rate(slow) * times[0] == pytest.approx(volume, rel=1e-7)


def test_outside_the_limits_of_validity_is_an_error():
    with pytest.raises(ValueError, match="finite outer radius"):
        first_passage_rate(ReactiveSphere(sigma=1, diffusion=1))
    with pytest.raises(ValueError, match="never reacts"):
        mean_first_passage_time(ReactiveSphere(sigma=1, diffusion=1, kappa=0, outer=2), 1.5)
    with pytest.raises(ValueError, match="r must lie in"):
        mean_first_passage_time(SHELL, 2.4)
