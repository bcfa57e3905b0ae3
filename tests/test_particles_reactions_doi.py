"""The rate constant of Doi's reaction by particles, and the error of its splitting from motion.

Estimator: a periodic cube has one partner B and many A, which do not see each other; they are born
uniformly and B takes them. In the stationary state the events per time over the mean concentration
are the rate constant of the cube, which `doi_periodic_rate` knows exactly: there is no boundary, no
reservoir and no correction to fit, and all steps count. If B rests, A are independent of each
other; their flux is then known better than to the root of the number of events, since what is born
must die.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from particle_systems import cube, step, system
from scipy.integrate import solve_bvp

from fem_rd.chemistry.equations import mass_action
from fem_rd.exact.doi import doi_periodic_rate, doi_rate, doi_rate_within, doi_step_bias
from fem_rd.particles.reactions import Reactions

LIMIT = 3.0


def estimated(s: float, edge: float, number: int, dt: float, steps: int, moving: float = 0.0):
    """The rate constant of the cube and its standard error, for sigma = D = 1; by 20 blocks."""
    volume, expected = edge**3, doi_periodic_rate(1.0, 1.0, s**2, edge)
    network = mass_action(
        {"take": ("A + B -> B", s**2), "birth": ("0 -> A", expected * number / volume**2)}
    )
    box, walls = cube(edge)
    reactions = Reactions(network, box, {"take": 1.0}, walls)
    particles = system(network, {"A": number, "B": 1}, box, seed=17)
    diffusion = {"A": 1.0 - moving, "B": moving} if moving else {"A": 1.0}
    taken, there = [], []
    settled = math.ceil(edge**2 / 6 / dt)  # the slowest mode has decayed by exp(-6.6)
    for at in range(settled + steps):
        before = particles["A"].count
        events = step(particles, box, walls, reactions, diffusion, dt)
        if at >= settled:
            taken.append(events[0])
            there.append((before + particles["A"].count) / 2)
    blocks = [
        volume * np.sum(events) / (np.sum(numbers) * dt)
        for events, numbers in zip(
            np.array_split(taken, 20), np.array_split(there, 20), strict=True
        )
    ]
    return np.mean(blocks), np.std(blocks, ddof=1) / math.sqrt(20)


@pytest.mark.parametrize(
    ("s", "dt", "steps"), [(0.3, 0.05, 600), (1.0, 0.02, 400), (3.0, 0.003, 600)]
)
def test_doi_rate_constant(s, dt, steps):
    found, error = estimated(s, 3.0, 60_000, dt, steps)
    cube_rate, free = doi_periodic_rate(1.0, 1.0, s**2, 3.0), doi_rate(1.0, 1.0, s**2)
    # as a rate constant in infinite space: 1/k differs by what depends on the cube
    constant = 1 / (1 / found - 1 / cube_rate + 1 / free)
    error *= (constant / found) ** 2
    assert error < 0.01 * free
    assert abs(doi_step_bias(1.0, 1.0, s**2, dt)) < 0.6 * error / free
    assert abs(constant - free) < LIMIT * error


def test_both_diffusion_coefficients_add():
    found, error = estimated(1.0, 3.0, 5_000, 0.03, 6000, moving=0.4)
    wanted = doi_periodic_rate(1.0, 1.0, 1.0, 3.0)
    assert error < 0.012 * wanted
    assert abs(found - wanted) < LIMIT * error


def test_large_steps_have_the_error_of_the_kicked_equation():
    tau, s, edge = 0.1, 3.0, 8.0
    found, error = estimated(s, edge, 150_000, tau, 250)
    free = doi_rate(1.0, 1.0, s**2)
    constant = 1 / (1 / found - 1 / doi_periodic_rate(1.0, 1.0, s**2, edge) + 1 / free)
    error *= (constant / found) ** 2
    wanted = 1 / (1 / kicked_rate(s, tau) + 1 / (4 * math.pi * 6))
    assert wanted / free == pytest.approx(0.9536, abs=1e-4)
    assert error < 0.003 * free
    assert abs(constant - wanted) < LIMIT * error
    assert abs(constant - free) > 10 * error


def kicked_rate(s: float, tau: float, outer: float = 6.0) -> float:
    """Steady rate of the equation that diffuses for a step and reacts at once, sigma = D = 1.

    Concentration 1 at ``outer``. r (c - 1) = sum of b_n sin(n pi r/outer): diffusion damps each
    mode, and a reaction multiplies r c by exp(-lambda dt) for r < 1.
    """
    modes = np.arange(1, math.ceil(outer / math.pi * math.sqrt(40 / tau)) + 20)
    k = modes * math.pi / outer
    difference = k[:, None] - k
    near = np.where(difference == 0, 1.0, np.sin(difference) / np.where(difference, difference, 1))
    overlap = (near - np.sin(k[:, None] + k) / (k[:, None] + k)) / outer
    moment = np.sin(k) / k**2 - np.cos(k) / k
    damped, lost = np.exp(-(k**2) * tau), -math.expm1(-(s**2) * tau)
    matrix = np.eye(k.size) - (np.eye(k.size) - lost * overlap) * damped
    b = np.linalg.solve(matrix, -lost * 2 / outer * moment)
    return lost / tau * 4 * math.pi * (1 / 3 + (damped * b) @ moment)


@pytest.mark.parametrize("s", [0.3, 1.0, 3.0])
def test_splitting_errs_by_the_power_three_halves(s):
    exact = doi_rate(1.0, 1.0, s**2, outer=6.0)
    errors = [kicked_rate(s, tau) / exact - 1 for tau in (0.001, 0.002)]
    assert math.log2(errors[1] / errors[0]) == pytest.approx(1.5, abs=0.003)
    # 1/k of the ball and of the rest add: k has the relative error of the ball times k/k_ball
    wanted = doi_step_bias(1.0, 1.0, s**2, 0.001) * exact / doi_rate(1.0, 1.0, s**2)
    assert errors[0] == pytest.approx(wanted, rel=2e-3)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_steady_rates_agree_with_a_boundary_value_solver(dimension):
    sigma, diffusion, rate, outer = 0.7, 1.9, 5.0, 2.3
    area = {1: 2.0, 2: 2 * math.pi, 3: 4 * math.pi}[dimension]

    def slopes(r, y):
        # y: c and r^(d-1) c', inside r < sigma and outside at once
        stretch = (outer - sigma) / sigma
        outside, safe = sigma + stretch * r, np.maximum(r, 1e-12) ** (dimension - 1)
        return np.array(
            [y[1] / safe, rate / diffusion * y[0] * r ** (dimension - 1),
             stretch * y[3] / outside ** (dimension - 1), 0 * y[3]]
        )  # fmt: skip

    def ends(a, b):
        return np.array([a[1], b[0] - a[2], b[1] - a[3], b[2] - 1.0])

    r = np.linspace(0, sigma, 400)
    found = solve_bvp(slopes, ends, r, np.ones((4, r.size)), tol=1e-9, max_nodes=100_000)
    assert found.success
    flux = area * diffusion * found.y[3, 0]
    wanted = doi_rate_within(dimension, sigma, diffusion, rate, outer)
    assert wanted == pytest.approx(flux, rel=1e-6)


def test_the_cube_tends_to_infinite_space():
    free = doi_rate(1.0, 1.0, 9.0)
    for edge in (20.0, 40.0):
        leading = 1 / (1 / free - 2.837297479 / (4 * math.pi * edge))
        assert doi_periodic_rate(1.0, 1.0, 9.0, edge) == pytest.approx(leading, rel=12 / edge**3)
    # weak reactions see the mean concentration
    weak = doi_periodic_rate(1.0, 1.0, 1e-7, 3.0)
    assert weak == pytest.approx(1e-7 * 4 * math.pi / 3, rel=1e-6)
