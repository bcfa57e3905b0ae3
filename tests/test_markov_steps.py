"""Steps in time of the probabilities of nodes: orders, conservation, sign, open boundaries."""

from __future__ import annotations

import numpy as np
import pytest
from markov_processes import Array, box, process

from fem_rd.exact.order_parameter import mean_first_passage_time
from fem_rd.numerics.markov import Generator
from fem_rd.numerics.markov_solves import modes
from fem_rd.numerics.markov_steps import Exit, OpenProcess, ProbabilityMarch
from fem_rd.numerics.schemes import BACKWARD_EULER, SDIRK2, TRBDF2, RungeKutta

SCHEMES = {scheme.name: scheme for scheme in (BACKWARD_EULER, SDIRK2, TRBDF2)}
EVER = 1e9


def double_well(cells: int) -> tuple[Generator, Array]:
    return process(box(1, cells, -2.0, 2.0), lambda x: 5 * (x[:, 0] ** 2 - 1) ** 2)


def peak(x: Array, at: float) -> Array:
    return (np.abs(x[:, 0] - at) < 1e-9).astype(float)


def marched(
    generator: Generator, scheme: RungeKutta, start: Array, step: float, steps: int
) -> ProbabilityMarch:
    march = ProbabilityMarch(OpenProcess(generator), scheme, start, step)
    for _ in range(steps):
        march.advance(EVER)
    return march


@pytest.mark.parametrize("name", SCHEMES)
def test_probability_is_kept_over_ten_thousand_steps(name: str) -> None:
    generator, x = double_well(40)
    march = marched(generator, SCHEMES[name], peak(x, -1.0), 0.02, 10_000)
    assert march.value.sum() == pytest.approx(1.0, abs=1e-12)
    assert march.value.array_r == pytest.approx(generator.boltzmann, rel=1e-3)


@pytest.mark.parametrize("step", [1e-5, 1e-2, 10.0, 1e5])
def test_backward_euler_is_never_negative(step: float) -> None:
    """Not by a rounding: from one node, over 900 k_B T, in two dimensions, at any step."""
    generator, x = process(
        box(2, 15), lambda x: 300 * (x**2).sum(axis=1) + 3 * np.sin(20 * x[:, 1])
    )
    start = np.zeros(len(x))
    start[np.argmax(x[:, 0] + x[:, 1])] = 1.0
    march = ProbabilityMarch(OpenProcess(generator), BACKWARD_EULER, start, step)
    for _ in range(30):
        march.advance(EVER)
        assert march.value.min()[1] >= 0.0
    assert march.value.sum() == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("name", ["sdirk2", "trbdf2"])
def test_schemes_of_second_order_may_pass_below_zero(name: str) -> None:
    generator, x = double_well(400)
    march = ProbabilityMarch(OpenProcess(generator), SCHEMES[name], peak(x, -1.0), 0.01)
    lowest = 0.0
    for _ in range(5):
        march.advance(EVER)
        lowest = min(lowest, march.value.min()[1])
    assert -0.1 < lowest < -1e-3


@pytest.mark.parametrize("name", SCHEMES)
def test_order_in_time(name: str) -> None:
    """Of the decay of a mode, which is known for the nodes themselves: exp(-lambda t)."""
    generator, x = double_well(40)
    found = modes(generator, 2, np.zeros(0, dtype=np.int64), None, x[:, 0])
    rate, law = found.rates[1], generator.boltzmann
    start = law * (1 + 0.5 * found.functions[1])
    exact = law * (1 + 0.5 * np.exp(-rate * 0.2) * found.functions[1])
    errors = [
        np.abs(marched(generator, SCHEMES[name], start, 0.2 / n, n).value.array_r - exact).max()
        for n in (8, 16, 32)
    ]
    scheme = SCHEMES[name]
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    assert order[-1] == pytest.approx(scheme.order, abs=0.15)


def test_what_leaves_through_absorbing_ends() -> None:
    """C6: survival in a slab of length 1 from x = 0.3, as nodes and as probability that left."""
    generator, x = process(box(1, 200), lambda x: 0 * x[:, 0])
    ends = [np.flatnonzero(np.abs(x[:, 0] - end) < 1e-9) for end in (0.0, 1.0)]
    exits = [Exit("left", held=ends[0]), Exit("right", held=ends[1])]
    march = ProbabilityMarch(OpenProcess(generator, exits), SDIRK2, peak(x, 0.3), 2.5e-4)
    survival = {0.05: 0.630401071140, 0.1: 0.383934269789, 0.5: 0.007408160762}
    for time, left in survival.items():
        while march.time < time - 1e-9:
            march.advance(time)
        assert march.value.sum() == pytest.approx(left, rel=2e-4)
        assert march.value.sum() + march.exchanged.sum() == pytest.approx(1.0, abs=1e-12)
    while march.time < 3.0:
        march.advance(3.0)
    assert march.exchanged == pytest.approx([0.7, 0.3], rel=1e-6)


def test_a_boundary_that_takes_up_and_gives_back() -> None:
    """In balance with a density of 2 everywhere; the account closes with source and loss."""
    generator, x = process(box(1, 30), lambda x: 0 * x[:, 0])
    wall = (np.abs(x[:, 0]) < 1e-9).astype(float)
    exit_ = Exit("left", loss=3.0 * wall / generator.volumes, source=3.0 * wall * 2.0)
    start = peak(x, 0.5)
    march = ProbabilityMarch(OpenProcess(generator, [exit_]), TRBDF2, start, 0.05)
    for _ in range(400):
        march.advance(EVER)
        assert march.value.sum() + march.exchanged.sum() == pytest.approx(1.0, abs=1e-12)
    assert march.value.array_r / generator.volumes == pytest.approx(np.full(len(x), 2.0), rel=1e-6)
    euler = ProbabilityMarch(OpenProcess(generator, [exit_]), BACKWARD_EULER, start, 0.05)
    for _ in range(400):
        euler.advance(EVER)
    assert euler.value.sum() + euler.exchanged.sum() == pytest.approx(1.0, abs=1e-12)
    assert euler.value.sum() == pytest.approx(2.0, rel=1e-6)


def test_the_mean_time_of_leaving_is_the_integral_of_survival() -> None:
    """Two routes: steps in time, and the double quadrature."""
    def potential(x: Array) -> Array:
        return 2 * (x**2 - 1) ** 2

    generator, x = process(box(1, 320, -2.0, 2.0), lambda x: potential(x[:, 0]))
    absorbing = np.flatnonzero(x[:, 0] > 1 - 1e-9)
    process_ = OpenProcess(generator, [Exit("right", held=absorbing)])
    march = ProbabilityMarch(process_, SDIRK2, peak(x, -1.0), 0.02)
    total = 0.5 * 0.02
    while march.value.sum() > 1e-9:
        march.advance(EVER)
        total += 0.02 * march.value.sum()
    assert total == pytest.approx(mean_first_passage_time(potential, -1, 1, -2.0), rel=5e-4)
