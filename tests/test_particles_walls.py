"""Absorbing and partially absorbing walls against exact survival, exits and rates."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from scipy import linalg, special, stats

from fem_rd.errors import CaseError, NumericalError
from fem_rd.particles.domains import Box, Domain, Interval, Mobility
from fem_rd.particles.domains_round import Ball, Shell
from fem_rd.particles.random import Streams
from fem_rd.particles.state import System
from fem_rd.particles.walls import (
    BEHIND,
    Absorbing,
    Detection,
    Open,
    PartiallyAbsorbing,
    Wall,
    adsorption_probability,
)

N = 200_000
BOTH = {"left": Absorbing(), "right": Absorbing()}


def leave(
    domain: Domain,
    start: float,
    mobility: Mobility,
    walls: Mapping[str, Wall],
    steps: int,
    count: int = N,
) -> np.ndarray:
    """How many left through each wall in each step, from (start, 0, 0): (steps, walls)."""
    system = System(domain.dimension, ["A"], Streams(11))
    system.add("A", start * np.eye(domain.dimension)[:, :1] * np.ones(count))
    left = np.zeros((steps, len(domain.walls)), dtype=int)
    for step in range(steps):
        exits = domain.move(system["A"], mobility, walls, system.streams, step)
        left[step] = exits.by_wall(left.shape[1])
        system["A"].remove(exits.particle)
        if not system["A"].count:
            break
    return left


def z_score(found: float, probability: float, count: int = N) -> float:
    return (found - count * probability) / math.sqrt(count * probability * (1 - probability))


@pytest.mark.parametrize("dt", [0.01, 0.05])
def test_survival_between_absorbing_walls_is_exact_at_any_step(dt: float) -> None:
    steps = round(0.5 / dt)
    left = leave(Interval(0.0, 1.0), 0.3, Mobility(1.0, dt), BOTH, steps)
    survivors = N - left.sum(axis=1).cumsum()
    exact = {0.01: 0.966104403377, 0.05: 0.630401071140, 0.1: 0.383934269789, 0.5: 0.007408160762}
    for time, survival in exact.items():
        if time >= dt:
            assert abs(z_score(survivors[round(time / dt) - 1], survival)) < 3, time


def test_one_step_of_ten_relaxation_times_still_survives_as_often() -> None:
    """All images matter: the reflection series of both walls, in one step."""
    for time, survival in ((0.1, 0.383934269789), (0.5, 0.007408160762)):
        left = leave(Interval(0.0, 1.0), 0.3, Mobility(1.0, time), BOTH, 1)
        assert abs(z_score(N - left.sum(), survival)) < 3, time


def test_mean_exit_time_and_sides() -> None:
    dt = 0.005
    left = leave(Interval(0.0, 1.0), 0.3, Mobility(1.0, dt), BOTH, 600)
    times = (np.arange(600) + 0.5) * dt
    mean = left.sum(axis=1) @ times / N
    # T_2 = second moment: E T^2 = x (1 - 2 x^2 + x^3)/12 for D = 1
    second = 0.3 * (1 - 2 * 0.09 + 0.027) / 12
    error = math.sqrt((second - 0.105**2) / N)
    assert left.sum() == N
    assert abs(mean - 0.105) < 3 * error
    assert abs(left.sum(axis=1) @ times**2 / N - second) < 4 * second / math.sqrt(N) + dt**2 / 12
    assert abs(z_score(left.sum(axis=0)[1], 0.3)) < 3


@pytest.mark.parametrize("each", [False, True])
def test_exits_with_a_drift(each: bool) -> None:
    dt, count = 0.005, N
    system = System(1, ["A"], Streams(12))
    system.add("A", np.full((1, count), 0.3))
    right, mean, square = 0, 0.0, 0.0
    for step in range(400):
        n = system["A"].count
        drift = np.full((1, n), 2.0) if each else [2.0]
        mobility = Mobility(1.0, dt, drift)
        exits = Interval(0.0, 1.0).move(system["A"], mobility, BOTH, system.streams, step)
        system["A"].remove(exits.particle)
        right += exits.by_wall(2)[1]
        mean += exits.particle.size * (step + 0.5) * dt / count
        square += exits.particle.size * ((step + 0.5) * dt) ** 2 / count
    assert system["A"].count == 0
    assert abs(z_score(right, 0.521807303061)) < 3
    assert abs(mean - 0.110903651530) < 3 * math.sqrt((square - mean**2) / count)


@pytest.mark.parametrize("mirrored", [False, True])
def test_one_absorbing_and_one_reflecting_wall_are_exact_at_any_step(mirrored: bool) -> None:
    """Survival of 1D diffusion between an absorbing and a reflecting end, in three steps."""
    walls = {"right": Absorbing()} if mirrored else {"left": Absorbing()}
    start = 0.7 if mirrored else 0.3
    k = (np.arange(50) + 0.5) * math.pi
    survival = np.sum(2 / k * np.sin(k * 0.3) * np.exp(-(k**2) * 0.6))
    left = leave(Interval(0.0, 1.0), start, Mobility(1.0, 0.2), walls, 3)
    assert abs(z_score(N - left.sum(), survival)) < 3
    assert left[:, 1 - mirrored * 1 if not mirrored else 0].sum() == 0


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_survival_in_a_box_is_a_product(dimension: int) -> None:
    """Left and right absorb, the others reflect, or all absorb: C6 to a power, side by side."""
    box = Box((0.0,) * dimension, (1.0,) * dimension)
    system = System(dimension, ["A"], Streams(13))
    system.add("A", np.full((dimension, N), 0.3))
    walls = {face: Absorbing() for face in box.walls}
    left = np.zeros(2 * dimension)
    for step in range(5):
        exits = box.move(system["A"], Mobility(1.0, 0.01), walls, system.streams, step)
        points = system["A"].x[:, exits.particle]
        axis, side = np.divmod(exits.wall, 2)
        assert np.array_equal(points[axis, np.arange(axis.size)], side)
        assert box.contains(points).all()
        left += exits.by_wall(left.size)
        system["A"].remove(exits.particle)
    assert abs(z_score(system["A"].count, 0.630401071140**dimension)) < 3
    if dimension > 1:
        # all axes are alike
        assert abs(left[0] - left[2]) < 4 * math.sqrt(left[0] + left[2])
        assert abs(left[1] - left[3]) < 4 * math.sqrt(left[1] + left[3])


@pytest.mark.parametrize("kappa", [0.2, 3.0, 50.0])
def test_a_partially_absorbing_plane_is_exact_at_any_step(kappa: float) -> None:
    """1 - S = erfc(a) - exp(-a^2) erfcx(a + h sqrt(D t)), a = x/sqrt(4 D t), h = kappa/D."""
    diffusion, time, x = 0.8, 0.9, 0.7
    h = kappa / diffusion
    a, b = x / math.sqrt(4 * diffusion * time), h * math.sqrt(diffusion * time)
    taken = special.erfc(a) - math.exp(-a * a) * special.erfcx(a + b)
    for steps in (1, 3, 30):
        mobility = Mobility(diffusion, time / steps)
        walls = {"left": PartiallyAbsorbing(kappa)}
        left = leave(Interval(0.0, 30.0), x, mobility, walls, steps)
        assert abs(z_score(left.sum(), taken)) < 3, steps


@pytest.mark.parametrize("dt", [0.05, 0.4])
def test_a_drift_towards_a_reflecting_wall_keeps_the_barometric_density(dt: float) -> None:
    """exp(-v x/D) is stationary at any step: the mirror image alone lifts the mean by v dt/2."""
    system = System(2, ["A"], Streams(4))
    heights = np.random.default_rng(1).exponential(0.5, (2, N))
    system.add("A", [heights[0], 40 - heights[1]])
    box, mobility = Box((0.0, 0.0), (40.0, 40.0)), Mobility(0.5, dt, (-1.0, 1.0))
    for step in range(round(4 / dt)):
        box.move(system["A"], mobility, {}, system.streams, step)
    for found in (system["A"].x[0], 40 - system["A"].x[1]):
        assert stats.kstest(found, "expon", args=(0, 0.5)).pvalue > 1e-3
        assert found.min() >= 0


@pytest.mark.parametrize("steps", [1, 8])
def test_a_drift_at_a_partially_absorbing_wall_is_exact(steps: int) -> None:
    """The mean of exp(-h L) over a drifted reflected path, against its Fokker-Planck equation.

    Solved by finite volumes: (D c' - v c) = kappa c at 0.
    """
    diffusion, drift, kappa, start, time = 0.5, -0.8, 0.6, 0.5, 0.8
    n, length = 600, 6.0
    h = length / n
    rate = diffusion / h**2
    up, down = rate * bernoulli(-drift * h / diffusion), rate * bernoulli(drift * h / diffusion)
    diagonal = np.full(n, -up - down)
    # half a cell to the wall, where the flux D c' - v c = kappa c leaves
    gate = half_cell_rate(diffusion, drift, kappa, h)
    diagonal[0], diagonal[-1] = -up - gate / h, -down
    matrix = np.diag(diagonal) + np.diag(np.full(n - 1, down), 1) + np.diag(np.full(n - 1, up), -1)
    first = np.zeros(n)
    below = int(start / h - 0.5)
    share = start / h - 0.5 - below
    first[below], first[below + 1] = 1 - share, share
    survival = (linalg.expm(matrix * time) @ first).sum()
    mobility = Mobility(diffusion, time / steps, (drift,))
    walls = {"left": PartiallyAbsorbing(kappa)}
    left = leave(Interval(0.0, 40.0), start, mobility, walls, steps)
    assert abs(z_score(N - left.sum(), survival)) < 3


def bernoulli(x: float) -> float:
    return x / math.expm1(x)


def half_cell_rate(diffusion: float, drift: float, kappa: float, h: float) -> float:
    """kappa c(0) over the mean of the first cell: c(0) = c(h/2) r, from D c' - v c = kappa c(0)."""
    peclet = drift * h / (2 * diffusion)
    lift = math.exp(peclet) + kappa / drift * math.expm1(peclet)
    return kappa / lift


def test_limits_of_a_partially_absorbing_wall() -> None:
    domain, mobility = Interval(0.0, 10.0), Mobility(1.0, 0.3)
    hardly = leave(domain, 0.5, mobility, {"left": PartiallyAbsorbing(0.0)}, 3)
    wholly = leave(domain, 0.5, mobility, {"left": PartiallyAbsorbing(1e7)}, 3)
    assert hardly.sum() == 0
    assert abs(z_score(wholly.sum(), special.erfc(0.5 / math.sqrt(3.6)))) < 3
    with pytest.raises(CaseError, match="kappa"):
        leave(domain, 0.5, mobility, {"left": PartiallyAbsorbing(-1.0)}, 1)


@pytest.mark.parametrize(
    "probability, length",
    [
        (0.01, 124.6227964545), (0.05, 24.3590997162), (0.1, 11.8277620101), (0.2, 5.5648352783),
        (0.5, 1.8161260270), (1.0, 0.5825971579),
    ],
)  # fmt: skip
def test_adsorption_probability_gives_the_extrapolation_length(
    probability: float, length: float
) -> None:
    kappa, dt = 0.7, 0.03
    diffusion = length**2 * kappa**2 * 2 * dt  # D/kappa = length sqrt(2 D dt)
    at_end = adsorption_probability(kappa, diffusion, dt, Detection.END_OF_STEP)
    bridged = adsorption_probability(kappa, diffusion, dt, Detection.BRIDGE)
    assert at_end == pytest.approx(probability, rel=2e-9)
    assert bridged == pytest.approx(probability / 2, rel=2e-9)


def test_adsorption_probability_at_its_limits() -> None:
    # at leading order kappa sqrt(pi dt/D)/2 with the bridge, twice that without
    assert adsorption_probability(1e-6, 1.0, 0.1) == pytest.approx(
        1e-6 * math.sqrt(math.pi * 0.1) / 2, rel=1e-6
    )
    assert adsorption_probability(1e9, 1.0, 0.1) == pytest.approx(1.0, rel=1e-7)
    longest = 1 / (2 * BEHIND**2)  # kappa = D = 1
    assert adsorption_probability(1.0, 1.0, longest, Detection.END_OF_STEP) == pytest.approx(1)
    with pytest.raises(NumericalError, match=f"dt at most {0.99 * longest:.3g}"):
        adsorption_probability(1.0, 1.0, 1.01 * longest, Detection.END_OF_STEP)


@pytest.mark.parametrize("detection", list(Detection))
def test_every_detection_of_partial_absorption_has_the_right_plane(detection: Detection) -> None:
    """Between kappa at 0 and an absorbing wall at L, (x + l)/(L + l) leave right, l = D/kappa.

    With a probability per step, who starts within a few steps of the wall sees the step.
    """
    kappa, spread, length = 2.0, 0.2, 2.4
    walls = {"left": PartiallyAbsorbing(kappa, detection), "right": Absorbing()}
    start = 0.1 if detection is Detection.LOCAL_TIME else 1.2
    mobility = Mobility(1.0, spread**2 / 2)
    left = leave(Interval(0.0, length), start, mobility, walls, 1500, 400_000)
    assert left.sum() == 400_000
    expected = (start + 1 / kappa) / (length + 1 / kappa)
    assert abs(z_score(left[:, 1].sum(), expected, 400_000)) < 3


def test_without_the_bridge_the_wall_lies_behind_its_place() -> None:
    """.5825971579 sqrt(2 D dt) behind: the chance to leave right is that of the longer interval."""
    spread, length, start = 0.2, 2.4, 1.2
    walls = {"left": Absorbing(bridge=False), "right": Open()}
    left = leave(Interval(0.0, length), start, Mobility(1.0, spread**2 / 2), walls, 2000)
    behind = BEHIND * spread
    found = left[:, 1].sum()
    assert left.sum() == N
    assert abs(z_score(found, (start + behind) / (length + behind))) < 3
    assert z_score(found, start / length) > 15


@pytest.mark.parametrize("relative", [0.1, 0.5])
@pytest.mark.parametrize("bridge", [True, False])
def test_rate_of_an_absorbing_sphere(relative: float, bridge: bool) -> None:
    """4 pi sigma D from the chance of capture, (1/r - 1/R)/(1/sigma - 1/R) before R is reached.

    Without the bridge sigma is .5825971579 sqrt(2 D dt) less, for steps short beside sigma.
    """
    sigma, outer, start, count = 1.0, 4.0, 1.5 + 0.5 * (relative > 0.2), N
    mobility = Mobility(0.5, relative**2)
    walls = {"reactive": Absorbing(bridge), "reservoir": Absorbing()}
    left = leave(Shell(sigma, outer), start, mobility, walls, 20_000, count)
    captured = left[:, 0].sum() / count
    assert left.sum() == count

    def effective(share: float) -> float:
        return 1 / (1 / outer + (1 / start - 1 / outer) / share)

    slope = (effective(captured + 1e-6) - effective(captured - 1e-6)) / 2e-6
    error = slope * math.sqrt(captured * (1 - captured) / count)
    rate, rate_error = effective(captured) / sigma, error / sigma  # in units of 4 pi sigma D
    assert rate_error < 0.01
    if bridge:
        assert abs(rate - 1) < 3 * rate_error
    else:
        assert abs(rate - 1) > 10 * rate_error
        if relative <= 0.2:
            assert abs(rate - (1 - BEHIND * relative)) < 3 * rate_error


@pytest.mark.parametrize("kappa", [0.5, 5.0, math.inf])
def test_reaction_at_a_sphere_is_exact_at_any_step(kappa: float) -> None:
    """The share that has reacted by t (Collins and Kimball 1949), by steps of .33, .16, .05 sigma.

    (sigma/r) k [erfc(a) - exp(-a^2) erfcx(a + b)], k = kappa/(kappa + D/sigma), h = kappa/D +
    1/sigma, a = (r - sigma)/sqrt(4 D t), b = h sqrt(D t); all end within the first diffusion times.
    """
    diffusion, start, spread, steps = 0.5, 1.4, 0.33, 6
    time = steps * spread**2
    a = (start - 1) / math.sqrt(4 * diffusion * time)
    if math.isinf(kappa):
        taken = special.erfc(a) / start
        wall: Wall = Absorbing()
    else:
        b = (kappa / diffusion + 1) * math.sqrt(diffusion * time)
        share = kappa / (kappa + diffusion)
        taken = share / start * (special.erfc(a) - math.exp(-a * a) * special.erfcx(a + b))
        wall = PartiallyAbsorbing(kappa)
    for finer in (1, 2, 6):
        mobility = Mobility(diffusion, time / (steps * finer**2))
        left = leave(Shell(1.0, 12.0), start, mobility, {"reactive": wall}, steps * finer**2)
        assert abs(z_score(left.sum(), taken)) < 3, finer


@pytest.mark.parametrize("steps", [1, 3])
def test_absorption_by_a_sphere_is_exact_for_steps_of_its_size(steps: int) -> None:
    """1 - S = (sigma/r) erfc((r - sigma)/sqrt(4 D t)) in steps of 1.2 sigma."""
    mobility = Mobility(0.5, 1.2**2)
    left = leave(Shell(1.0, 30.0), 1.3, mobility, {"reactive": Absorbing()}, steps, 1_000_000)
    taken = special.erfc(0.3 / math.sqrt(2 * steps * 1.2**2)) / 1.3
    assert abs(z_score(left.sum(), taken, 1_000_000)) < 3


def test_who_crosses_a_wall_is_put_on_the_line_of_its_step() -> None:
    system = System(2, ["A"], Streams(1))
    system.add("A", [[0.1], [0.3]])
    mobility = Mobility(1e-16, 0.2, (-1.0, 0.5))
    walls = {"left": Absorbing()}
    exits = Box((0.0, 0.0), (1.0, 1.0)).move(system["A"], mobility, walls, system.streams, 0)
    assert exits.wall.tolist() == [0]
    assert system["A"].x[:, 0] == pytest.approx([0.0, 0.35], abs=1e-6)


@pytest.mark.parametrize("dimension", [2, 3])
def test_exit_from_a_ball(dimension: int) -> None:
    """The mean time (R^2 - r^2)/(2 d D), and survival as the first eigenfunctions have it."""
    dt, start = 0.002, 0.4
    walls = {"outer": Absorbing()}
    left = leave(Ball(1.0, dimension), start, Mobility(1.0, dt), walls, 1500, 100_000)[:, 0]
    times = (np.arange(1500) + 0.5) * dt
    mean = left @ times / 100_000
    error = math.sqrt((left @ times**2 / 100_000 - mean**2) / 100_000)
    assert left.sum() == 100_000
    assert abs(mean - (1 - start**2) / (2 * dimension)) < 3 * error
    if dimension == 3:
        k = np.arange(1, 60) * math.pi
        series = 2 * (-1.0) ** np.arange(2, 61) * np.sin(k * start) / (k * start)
    else:
        k = special.jn_zeros(0, 60)
        series = 2 * special.j0(k * start) / (k * special.j1(k))
    for time in (0.02, 0.1, 0.3):
        survival = np.sum(series * np.exp(-(k**2) * time))
        found = 100_000 - left[: round(time / dt)].sum()
        assert abs(z_score(found, survival, 100_000)) < 3, time


def test_who_leaves_a_shell_is_put_on_its_walls() -> None:
    shell = Shell(0.5, 1.5, 3, (1.0, 2.0, 3.0))
    system = System(3, ["A"], Streams(1))
    system.add("A", shell.sample(20_000, np.random.default_rng(1)))
    walls = {"reactive": Absorbing(), "reservoir": Open()}
    exits = shell.move(system["A"], Mobility(0.5, 0.02), walls, system.streams, 0)
    radii = np.linalg.norm(system["A"].x[:, exits.particle] - [[1.0], [2.0], [3.0]], axis=0)
    assert np.all(exits.by_wall(2) > 200)
    assert np.allclose(radii, np.where(exits.wall == 0, 0.5, 1.5), rtol=1e-14)
    assert np.all(np.diff(exits.particle) > 0)
