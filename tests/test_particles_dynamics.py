"""Dynamics in force fields, Langevin dynamics at walls, and the steps and ledger of a system."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from fem_rd.errors import CaseError
from fem_rd.particles.domains import Box, Exits, Interval
from fem_rd.particles.domains_round import Ball, Shell
from fem_rd.particles.dynamics import Brownian, Langevin, in_potential
from fem_rd.particles.random import Purpose, Streams
from fem_rd.particles.state import Floats, Integers, System
from fem_rd.particles.stepper import Exchange, LedgerError, Stepper
from fem_rd.particles.walls import Absorbing, PartiallyAbsorbing, Periodic

N = 200_000
WIDE = Interval(-100.0, 100.0)


def stepper(system: System, domain: object, dynamics: object, **walls: object) -> Stepper:
    return Stepper(system, domain, {"A": dynamics}, {"A": walls})  # type: ignore[dict-item]


def at(place: list[float], count: int, velocity: list[float] | None = None) -> System:
    moving = velocity is not None
    system = System(len(place), ["A"], Streams(21), velocities=moving)
    ones = np.ones(count)
    start = np.outer(velocity, ones) if velocity is not None else None
    system.add("A", np.outer(place, ones), start)
    return system


# --- Brownian particles in a potential ---


def test_a_harmonic_potential_has_the_variance_of_euler_and_maruyama() -> None:
    """T/k / (1 - k D dt/(2 T)) exactly: the error of the scheme is there, and no other."""
    stiffness, temperature, diffusion, dt = 2.0, 0.7, 1.0, 0.1
    dynamics = in_potential(diffusion, lambda x: -stiffness * x, temperature)
    system = at([0.4], N)
    run = stepper(system, WIDE, dynamics)
    for _ in range(60):
        run.step(dt)
    x = system["A"].x[0]
    variance = temperature / stiffness / (1 - stiffness * diffusion * dt / (2 * temperature))
    assert abs(x.mean()) < 3 * math.sqrt(variance / N)
    assert abs(x.var() / variance - 1) < 3 * math.sqrt(2 / N)
    assert abs(x.var() / (temperature / stiffness) - 1) > 10 * math.sqrt(2 / N)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_the_stationary_density_is_that_of_boltzmann(dimension: int) -> None:
    """U = -a cos(pi x) on every axis of a box: no force at the walls; 40 bins of exp(-U/T)."""
    height, temperature = 0.8, 0.5
    dynamics = in_potential(1.0, lambda x: -height * math.pi * np.sin(math.pi * x), temperature)
    domain = Box((0.0,) * dimension, (1.0,) * dimension)
    system = System(dimension, ["A"], Streams(2))
    system.add("A", domain.sample(N, np.random.default_rng(1)))
    run = stepper(system, domain, dynamics)
    for _ in range(400):
        run.step(0.001)
    fine = (np.arange(4000) + 0.5) / 4000
    weights = np.exp(height / temperature * np.cos(math.pi * fine)).reshape(40, 100).sum(axis=1)
    for row in system["A"].x:
        counts = np.histogram(row, 40, (0, 1))[0]
        assert stats.chisquare(counts, N * weights / weights.sum()).pvalue > 1e-3


def test_constant_drifts_are_the_same_given_either_way() -> None:
    ends = []
    for drift in ((0.5, -1.0), lambda x: np.array([0.5, -1.0])[:, None] * np.ones_like(x)):
        system = at([0.0, 0.0], 1000)
        stepper(system, Box((-9.0, -9.0), (9.0, 9.0)), Brownian(1.0, drift)).step(0.01)
        ends.append(system["A"].x.copy())
    assert np.allclose(ends[0], ends[1], rtol=0, atol=1e-15)


# --- Langevin ---


@pytest.mark.parametrize(
    "friction, mean, covariance",
    [
        (0.5, (-0.30712852, -0.71434751), (0.229492859304, 0.090106781091, 0.305790503393)),
        (2.0, (0.223949, -0.35688036), (0.324876624455, 0.090729769984, 0.599797068988)),
        (6.0, (0.62888537, -0.18635796), (0.214916745808, 0.059015800029, 0.682523125687)),
    ],
)
def test_harmonic_moments_of_klein_and_kramers(
    friction: float, mean: tuple[float, ...], covariance: tuple[float, ...]
) -> None:
    omega, temperature, dt = 1.3, 0.7, 0.0125
    system = at([1.0], N, [-0.4])
    run = stepper(system, WIDE, Langevin(1.0, friction, temperature, lambda x: -(omega**2) * x))
    for _ in range(120):
        run.step(dt)
    x, p = system["A"].x[0], system["A"].v[0]
    xx, xp, pp = covariance
    assert abs(x.mean() - mean[0]) < 3 * math.sqrt(xx / N)
    assert abs(p.mean() - mean[1]) < 3 * math.sqrt(pp / N)
    assert abs(x.var() - xx) < 3 * xx * math.sqrt(2 / N)
    assert abs(p.var() - pp) < 3 * pp * math.sqrt(2 / N)
    cross = np.mean((x - x.mean()) * (p - p.mean()))
    assert abs(cross - xp) < 3 * math.sqrt((xx * pp + xp**2) / N)


def test_positions_in_a_harmonic_potential_are_exact_at_large_steps() -> None:
    """BAOAB at omega dt = 1: Var x = T/k, while Var v = (T/m)(1 - (omega dt)^2/4)."""
    system = at([0.0], N, [0.0])
    run = stepper(system, WIDE, Langevin(1.0, 1.0, 0.7, lambda x: -x))
    for _ in range(60):
        run.step(1.0)
    assert abs(system["A"].x.var() / 0.7 - 1) < 3 * math.sqrt(2 / N)
    assert abs(system["A"].v.var() / (0.7 * 0.75) - 1) < 3 * math.sqrt(2 / N)


def test_langevin_is_of_second_order() -> None:
    """Without noise: the damped oscillator x'' = -x - gamma x', from (1, 0) to t = 2."""
    gamma, time = 0.6, 2.0
    omega = math.sqrt(1 - gamma**2 / 4)
    exact = math.exp(-gamma * time / 2) * (
        math.cos(omega * time) + gamma / (2 * omega) * math.sin(omega * time)
    )
    errors = []
    for steps in (20, 40, 80):
        system = at([1.0], 1, [0.0])
        run = stepper(system, WIDE, Langevin(1.0, gamma, 0.0, lambda x: -x))
        for _ in range(steps):
            run.step(time / steps)
        errors.append(abs(system["A"].x[0, 0] - exact))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(orders - 2) < 0.15)


def test_friction_makes_langevin_particles_diffuse() -> None:
    """<x^2> = 2 D [t - (1 - exp(-gamma t))/gamma], D = T/(m gamma), from thermal velocities."""
    mass, friction, temperature, dt, steps = 2.0, 5.0, 0.8, 0.02, 100
    dynamics = Langevin(mass, friction, temperature)
    system = at([0.0, 0.0, 0.0], N, [0.0, 0.0, 0.0])
    dynamics.start(system["A"], system.streams)
    assert abs(system["A"].v.var() / (temperature / mass) - 1) < 3 * math.sqrt(2 / 3 / N)
    run = stepper(system, Box((-99.0,) * 3, (99.0,) * 3), dynamics)
    for _ in range(steps):
        run.step(dt)
    t = dt * steps
    expected = 2 * temperature / (mass * friction) * (t - -math.expm1(-friction * t) / friction)
    z = (system["A"].x.var() / expected - 1) / math.sqrt(2 / 3 / N)
    assert abs(z) < 3


@pytest.mark.parametrize("domain", [Box((0.0,) * 3, (1.0, 2.0, 1.5)), Ball(1.0), Shell(0.4, 1.2)])
def test_equilibrium_at_reflecting_walls_stays(domain: Box | Ball | Shell) -> None:
    dynamics = Langevin(1.0, 0.7, 0.9)
    system = System(3, ["A"], Streams(3), velocities=True)
    system.add("A", domain.sample(N, np.random.default_rng(4)))
    dynamics.start(system["A"], system.streams)
    run = stepper(system, domain, dynamics)
    for _ in range(20):
        run.step(0.3)
    x, v = system["A"].x, system["A"].v
    if isinstance(domain, Box):
        quantiles = list(x / np.array(domain.upper)[:, None])
    else:
        low, high = (domain.inner, domain.outer) if isinstance(domain, Shell) else (0.0, 1.0)
        quantiles = [(np.linalg.norm(x, axis=0) ** 3 - low**3) / (high**3 - low**3)]
        radial = np.sum(x * v, axis=0)
        assert abs(np.mean(radial)) < 4 * radial.std() / math.sqrt(N)
    for row in quantiles:
        assert stats.kstest(row, "uniform").pvalue > 1e-3
    for row in v:
        assert stats.kstest(row / dynamics.thermal_speed, "norm").pvalue > 1e-3


def test_free_flight_in_a_box_is_the_folded_line() -> None:
    free = Langevin(1.0, 0.0, 0.0)
    for walls in ({}, {"left": Periodic(), "right": Periodic()}):
        system = at([0.3, 0.6], 1, [7.3, -0.4])
        run = stepper(system, Box((0.0, 0.0), (1.0, 1.0)), free, **walls)
        for _ in range(10):
            run.step(0.37)
        line = 0.3 + 7.3 * 3.7
        turned = line % 2
        x = line % 1 if walls else min(turned, 2 - turned)
        assert system["A"].x[:, 0] == pytest.approx([x, abs(0.6 - 0.4 * 3.7)], abs=1e-12)
        sign = 1 if walls or turned < 1 else -1
        assert system["A"].v[:, 0] == pytest.approx([7.3 * sign, 0.4], abs=1e-13)


@pytest.mark.parametrize("domain", [Ball(1.0, 2), Shell(0.5, 1.0, 2), Shell(0.5, 1.0)])
def test_mirrors_keep_energy_and_angular_momentum(domain: Ball | Shell) -> None:
    place, velocity = [0.1, 0.7, 0.2][: domain.dimension], [1.3, -0.9, 0.4][: domain.dimension]
    system = at(place, 1, velocity)
    run = stepper(system, domain, Langevin(1.0, 0.0, 0.0))
    for _ in range(200):
        run.step(1.1)
        assert domain.contains(system["A"].x * (1 - 1e-13)).all() or isinstance(domain, Shell)
    x, v = system["A"].x[:, 0], system["A"].v[:, 0]
    assert v @ v == pytest.approx(np.dot(velocity, velocity), rel=1e-11)
    pairs = itertools.combinations(range(domain.dimension), 2)
    for a, b in pairs:
        turning = place[a] * velocity[b] - place[b] * velocity[a]
        assert x[a] * v[b] - x[b] * v[a] == pytest.approx(turning, rel=1e-9)


def test_absorbing_walls_take_langevin_particles_where_their_line_meets_them() -> None:
    system = at([0.25, 0.5], 1, [1.0, -0.5])
    box = Box((0.0, 0.0), (1.0, 1.0))
    run = stepper(system, box, Langevin(1.0, 0.0, 0.0), right=Absorbing(), bottom=Absorbing())
    assert run.step(0.7)["A"].particle.size == 0
    exits = run.step(0.7)["A"]
    assert exits.wall.tolist() == [1]
    assert exits.points is not None
    assert exits.points[:, 0] == pytest.approx([1.0, 0.125], abs=1e-15)
    system = at([0.0, 0.0, 1.0], 1, [0.0, 0.0, -3.0])
    run = stepper(system, Shell(0.5, 2.0), Langevin(1.0, 0.0, 0.0), reactive=Absorbing())
    exits = run.step(0.2)["A"]
    assert exits.wall.tolist() == [0]
    assert exits.points is not None
    assert exits.points[:, 0] == pytest.approx([0, 0, 0.5], abs=1e-15)


def test_what_langevin_cannot_do_is_refused() -> None:
    with pytest.raises(CaseError, match="mass"):
        Langevin(0.0, 1.0, 1.0)
    with pytest.raises(CaseError, match="temperature"):
        in_potential(1.0, lambda x: x, 0.0)
    system = at([0.3], 1, [1.0])
    run = stepper(system, Interval(0.0, 1.0), Langevin(1, 1, 1), left=PartiallyAbsorbing(1.0))
    with pytest.raises(CaseError, match="partially absorbing"):
        run.step(0.1)


# --- steps and ledger ---


class Source:
    """Puts three particles in before and takes the first out after each step."""

    name = "source"

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def before(self, system: System, dt: float) -> Exchange:
        self.seen.append(("before", system.step, system["A"].count))
        system.add("A", system.streams.generator(system.step, Purpose.INSERT_PLACE).random((2, 3)))
        return {"A": (3, 0)}

    def after(self, system: System, dt: float, exits: Mapping[str, Exits]) -> Exchange:
        self.seen.append(("after", system.step, system["A"].count))
        if not system["A"].count:
            return {}
        system["A"].remove(np.array([0]))
        return {"A": (0, 1)}


class Halving:
    """A -> B for the last A whenever there are reactions, A -> 0 for none."""

    names = ("first", "second")

    def __init__(self, reach: float = 0.0) -> None:
        self.reach = reach
        self.seen: list[tuple[float, float, int]] = []

    def apply(self, system: System, begin: float, duration: float, stage: int = 0) -> Integers:
        self.seen.append((begin, duration, stage))
        last = system["A"].count - 1
        if last < 0:
            return np.array([0, 0])
        system.add("B", system["A"].x[:, last:])
        system["A"].remove(np.array([last]))
        return np.array([1, 0])


def busy(seed: int = 1, reach: float = 0.0) -> Stepper:
    system = System(2, ["A", "B"], Streams(seed))
    system.add("A", np.random.default_rng(seed).random((2, 40)))
    walls = {"A": {"left": Absorbing()}, "B": {"right": Absorbing()}}
    moves = {"A": Brownian(1.0, (0.5, 0.0)), "B": Brownian(0.4)}
    return Stepper(system, Box((0.0, 0.0), (1.0, 1.0)), moves, walls, Halving(reach), [Source()])


def test_the_ledger_has_every_particle() -> None:
    run = busy()
    for _ in range(60):
        run.step(0.02)
        run.ledger.check(run.system)
    ledger = run.ledger
    assert ledger.initial.tolist() == [40, 0]
    assert ledger.inserted[:, 0].tolist() == [180, 0]
    assert ledger.taken[0, 0] <= 60
    assert ledger.left[0, 0] > 40  # A through left
    assert ledger.left[1, 1] > 10  # B through right
    assert ledger.left.sum() == ledger.left[0, 0] + ledger.left[1, 1]
    assert ledger.reacted.tolist() == [-ledger.events[0], ledger.events[0]]
    assert run.system.time == pytest.approx(1.2)
    run.system.add("B", [[0.5], [0.5]])
    with pytest.raises(LedgerError, match="ledger"):
        run.ledger.check(run.system)


def test_the_order_of_a_step() -> None:
    run = busy()
    run.step(0.02)
    source = run.boundaries[0]
    assert isinstance(source, Source)
    left = int(run.ledger.left[0].sum())
    assert source.seen == [("before", 0, 39), ("after", 0, 42 - left)]
    assert isinstance(run.reactions, Halving)
    assert run.reactions.seen == [(0.0, 0.01, 0), (0.01, 0.01, 1)]
    assert run.system.step == 1


def test_the_order_of_a_step_that_searches_for_pairs() -> None:
    """M(dt/2) R(dt) M(dt/2), each M with its boundaries; but with forces R(dt/2) M(dt) R(dt/2)."""
    run = busy(reach=0.1)
    exits = run.step(0.02)
    source, reactions = run.boundaries[0], run.reactions
    assert isinstance(source, Source)
    assert isinstance(reactions, Halving)
    first, second = (source.seen[k][2] for k in (1, 3))
    assert source.seen == [
        ("before", 0, 40), ("after", 0, first), ("before", 1, first - 2), ("after", 1, second)
    ]  # fmt: skip
    assert reactions.seen == [(0.0, 0.02, 0)]
    assert run.system.step == 2
    assert run.system.time == pytest.approx(0.02)
    left = exits["A"]
    assert left.points is not None
    assert left.particle.size == run.ledger.left[0].sum() == left.points.shape[1] > 2
    assert np.all(left.points[0] == 0.0)
    run.ledger.check(run.system)
    run.dynamics = {"A": Brownian(1.0, lambda x: 0 * x), "B": Brownian(0.4)}
    run.step(0.02)
    assert [span for _, span, _ in reactions.seen] == [0.02, 0.01, 0.01]


@pytest.mark.parametrize("reach", [0.0, 0.1])
def test_a_resumed_run_has_the_same_bits(reach: float) -> None:
    whole, first = busy(reach=reach), busy(reach=reach)
    for _ in range(30):
        whole.step(0.02)
    for _ in range(17):
        first.step(0.02)
    second = busy(reach=reach)
    second.system.restore(first.system.state())
    second.ledger.restore(first.ledger.state())
    for _ in range(13):
        second.step(0.02)
    for name, array in whole.system.state().items():
        assert np.array_equal(array, second.system.state()[name]), name
    for name, array in whole.ledger.state().items():
        assert np.array_equal(array, second.ledger.state()[name]), name


def test_another_replica_is_another_run() -> None:
    def ends(replica: int) -> Floats:
        system = System(1, ["A"], Streams(1, replica))
        system.add("A", np.zeros((1, 1000)))
        stepper(system, WIDE, Brownian(1.0)).step(0.5)
        return system["A"].x[0].copy()

    first, second = ends(0), ends(1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / math.sqrt(1000)
    assert np.array_equal(first, ends(0))
