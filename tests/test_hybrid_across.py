"""Reactions across an interface: rates against cut balls, laws, conservation, uniform states."""

from __future__ import annotations

import numpy as np
import pytest
from hybrid_fields import (
    HalfSpace,
    Triangles,
    across,
    cut_ball,
    near_plane,
    particles_at,
    uniform,
)
from particle_systems import z_scores

from fem_rd.chemistry.equations import mass_action
from fem_rd.errors import CaseError, NumericalError
from fem_rd.hybrid.across_near import near_opening
from fem_rd.hybrid.doi_rates import ball_volume
from fem_rd.particles.domains import Box
from fem_rd.particles.dynamics import Brownian
from fem_rd.particles.open_boundary import OpenBoundary
from fem_rd.particles.open_boundary_places import Face
from fem_rd.particles.open_boundary_schemes import Crossing
from fem_rd.particles.random import Streams
from fem_rd.particles.reactions import Reactions
from fem_rd.particles.state import System
from fem_rd.particles.stepper import Stepper

SIGMA = 0.8
LIMIT = 3.3  # a handful of comparisons in each test, at the level of three standard deviations


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.6, 0.8])
@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_rate_is_that_of_the_cut_ball(dimension, share, slope):
    volume, moment = cut_ball(dimension, SIGMA, share * SIGMA)
    integral = 1.5 * volume + slope * moment
    rate, groups, each = 1.2 / integral, 4000, 40
    network = mass_action({"a": ("A + B -> 0", rate)})
    linear = HalfSpace({"B": (lambda x: 1.5 + slope * x[0], 1.5 + slope * SIGMA),
                        "A": (lambda x: 0 * x[0], 0.0)})  # fmt: skip
    particles = particles_at(share * SIGMA, dimension, {"A": groups * each}, network.species)
    boundary = across(network, {"a": SIGMA}, linear)
    boundary.before(particles, 0.7)
    boundary.after(particles, 0.7, {})
    survived = np.bincount(particles["A"].id.astype(int) // each, minlength=groups)
    probability = np.exp(-rate * integral * 0.7)  # binomial
    scores = z_scores(survived, each * probability, each * probability * (1 - probability))
    assert max(map(abs, scores)) < LIMIT
    assert linear.total("B") == particles["A"].count - groups * each


def test_equal_molecules_react_at_the_rate_of_their_pairs():
    # 2 A -> 0 with k = lambda/2: each particle is lost at lambda times what it sees
    volume, _ = cut_ball(3, SIGMA, 0.3)
    network = mass_action({"a": ("2 A -> 0", 0.5 * 0.9)})
    particles = particles_at(0.3, 3, {"A": 200_000})
    reservoir = uniform(A=2.0)
    across(network, {"a": SIGMA}, reservoir).react(particles, 1.5, 0)
    probability = np.exp(-0.9 * 2.0 * volume * 1.5)
    count, spread = particles["A"].count, np.sqrt(200_000 * probability * (1 - probability))
    assert abs(count - 200_000 * probability) < LIMIT * spread
    assert reservoir.total("A") == count - 200_000


@pytest.mark.parametrize(
    ("equation", "kept", "changed", "given"),
    [
        # of particles A: survivors keep their places, "changed" are made there; then of B
        ("A + B -> 0", {}, {}, {"A": {"B": -1}, "B": {"A": -1}}),
        ("A + B -> C", {}, {"A": "C"}, {"A": {"B": -1}, "B": {"A": -1, "C": 1}}),
        ("A + B -> 2 B", {"B"}, {"A": "B"}, {"A": {}, "B": {"A": -1, "B": 1}}),
        ("A + B -> B", {"B"}, {}, {"A": {}, "B": {"A": -1}}),
        (
            "A + B -> 2 C",
            {},
            {"A": "C", "B": "C"},
            {"A": {"B": -1, "C": 1}, "B": {"A": -1, "C": 1}},
        ),
    ],
)
def test_products_go_where_the_reactants_were(equation, kept, changed, given):
    network = mass_action({"a": (equation, 0.7)}, species=("A", "B", "C"))
    for start in "AB":
        number = 20_000
        # the partner alone: what is made does not react on
        other = "B" if start == "A" else "A"
        reservoir = uniform(**({"A": 0.0, "B": 0.0, "C": 0.0} | {other: 1.0}))
        particles = particles_at(0.2, 2, {start: number}, network.species)
        x = particles[start].x.copy()
        boundary = across(network, {"a": SIGMA}, reservoir)
        counted = boundary.react(particles, 0.5, 0)
        events = int(boundary.account.events[0])
        assert events > number / 10
        for name in "ABC":
            assert reservoir.total(name) == events * given[start].get(name, 0)
            assert boundary.account.given["ABC".index(name)] == reservoir.total(name)
        if start in kept:
            assert np.array_equal(particles[start].x, x)
            assert counted[start] == (0, 0)
            continue
        old = particles[start].id.astype(int)
        assert np.array_equal(particles[start].x, x[:, old]) and counted[start] == (0, events)
        if start in changed:
            gone = np.setdiff1d(np.arange(number), old)
            made = particles[changed[start]]
            assert np.array_equal(np.sort(made.x[1]), np.sort(x[1, gone]))
            assert made.id.min() >= number and np.unique(made.id).size == events


def test_equal_molecules_take_the_roles_by_lot():
    network = mass_action({"a": ("2 A -> A + B", 1.0)})
    particles = particles_at(0.2, 2, {"A": 100_000}, network.species)
    reservoir = uniform(A=1.0, B=0.0)
    boundary = across(network, {"a": SIGMA}, reservoir)
    boundary.react(particles, 0.1, 0)
    made, given = particles["B"].count, reservoir.total("B")
    assert particles["A"].count == 100_000 - made
    assert reservoir.total("A") == -given
    # those that stay may react again: the first events of all are half and half
    rate = 2.0 * cut_ball(2, SIGMA, 0.2)[0] * 0.1 / 2
    assert abs(made - 100_000 * (1 - np.exp(-rate))) < LIMIT * np.sqrt(made)
    expected = 100_000 * (1 - np.exp(-rate))  # rate * time before the particle is lost
    assert abs(given - expected) < LIMIT * 1.2 * np.sqrt(expected)


def test_reversible_pairs_have_the_law_of_two_states():
    # A + B <-> C with B in the reservoir only: chains of events within one stretch of time
    cut = cut_ball(3, SIGMA, 0.25)[0]
    network = mass_action({"a": ("A + B <-> C", 1.0, 3.0)})
    slower = {"a": 1.6, "a_reverse": 1.3}
    reservoir = uniform(A=0.0, B=1.7, C=0.0)
    boundary = across(network, {"a": SIGMA}, reservoir, multipliers=slower)
    on, off = 1.7 * cut / 1.6, 3.0 * cut / ball_volume(3, SIGMA) / 1.3
    for duration in (0.6, 4.0):
        particles = particles_at(0.25, 3, {"A": 200_000}, network.species)
        boundary.react(particles, duration, 0)
        bound = on / (on + off) * (1 - np.exp(-(on + off) * duration))
        found, spread = particles["C"].count, np.sqrt(200_000 * bound * (1 - bound))
        assert particles["A"].count + found == 200_000
        assert abs(found - 200_000 * bound) < LIMIT * spread
        particles.step += 1


def test_rates_that_depend_on_place():
    # C -> A + B with B into the ball: it counts where B falls into the reservoir
    network = mass_action({"a": ("A + B <-> C", 1.0, "y/(1 + t)")}, species=("A", "B", "C"))
    particles = particles_at(0.25, 2, {"C": 400_000}, network.species)
    rows = np.array([0.4, 1.0, 2.0, 5.0])
    particles["C"].x[1] = np.repeat(rows, 100_000)
    boundary = across(network, {"a": SIGMA}, uniform(A=0.0, B=0.0, C=0.0))
    particles.time = 0.7
    boundary.react(particles, 0.6, 0)
    survived = np.array([np.count_nonzero(particles["C"].x[1] == row) for row in rows])
    share = cut_ball(2, SIGMA, 0.25)[0] / ball_volume(2, SIGMA)
    expected = np.exp(-rows / (1 + 0.7 + 0.3) * share * 0.6)  # the rate of the middle
    spread = np.sqrt(100_000 * expected * (1 - expected))
    assert np.abs((survived - 100_000 * expected) / spread).max() < LIMIT
    assert particles["A"].count == 400_000 - survived.sum()


def reacting_with_particles(depth: float, rate: float, b: float, length: float) -> float:
    """lambda times the number of B at x < 0 that an A at this depth sees, measured by reactions."""
    duration, number = 0.08 / rate, 800_000
    network = mass_action({"a": ("A + B -> B", rate)})
    box = Box((-2 * SIGMA, -SIGMA), (0.0, length + SIGMA))
    generator = np.random.default_rng(11)
    particles = System(2, network.species, Streams(7))
    places = length * generator.random((2, number))
    places[0] = -depth
    particles.add("A", places)
    particles.add("B", box.sample(generator.poisson(b * box.volume), generator))
    Reactions(network, box, {"a": SIGMA}).apply(particles, 0.0, duration)
    # it sees a Poisson number of B, at each of which it survives with exp(-lambda t)
    survived = particles["A"].count / number
    return -rate * np.log(survived) / -np.expm1(-rate * duration)


def reacting_across(depth: float, rate: float, b: float) -> float:
    """lambda_hat, measured by survivors."""
    duration, number = 0.08 / rate, 2_000_000
    network = mass_action({"a": ("A + B -> B", rate)})
    particles = particles_at(depth, 2, {"A": number}, network.species)
    across(network, {"a": SIGMA}, uniform(A=0.0, B=b)).react(particles, duration, 0)
    return -np.log(particles["A"].count / number) / duration


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75])
def test_uniform_state_reacts_uniformly_among_particles(share):
    b, rate, depth = 20.0, 0.5, share * SIGMA
    inside = reacting_with_particles(depth, rate, b, 40_000.0)
    beyond = reacting_across(depth, rate, b)
    total = rate * ball_volume(2, SIGMA) * b
    assert abs(inside + beyond - total) < 0.003 * total
    assert abs(beyond - rate * cut_ball(2, SIGMA, depth)[0] * b) < 0.002 * total


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75])
def test_uniform_state_reacts_uniformly_in_the_reservoir(share):
    # of A in the reservoir: the equations' part with the share of the ball, and across
    a, b, rate, length, duration = 50.0, 30.0, 0.5, 40_000.0, 0.3  # to 0.1 %
    network = mass_action({"a": ("A + B -> B", rate)})  # B stays: all of its events happen
    particles = System(2, network.species, Streams(5))
    generator = np.random.default_rng(5)
    box = Box((-SIGMA, 0.0), (0.0, length))
    particles.add("B", box.sample(generator.poisson(b * box.volume), generator))
    reservoir = uniform(A=a, B=0.0)
    across(network, {"a": SIGMA}, reservoir).react(particles, duration, 0)
    depth = reservoir.places("A")[0]
    low, high = max(share - 0.05, 0.0) * SIGMA, (share + 0.05) * SIGMA
    density = np.count_nonzero((depth > low) & (depth < high)) / ((high - low) * length * duration)
    at = np.linspace(low, high, 101)
    cut = np.mean([cut_ball(2, SIGMA, each)[0] for each in at])
    total = rate * ball_volume(2, SIGMA) * a * b
    own = rate * (ball_volume(2, SIGMA) - cut) * a * b  # k share(y) a b
    assert abs(own + density - total) < 0.003 * total
    # events of one B are together: a Poisson number of it, each with a Poisson number of events
    assert density > 0.01 * total


def strip(spacing: float, angle: float) -> Triangles:
    """0 < x < 1, |y| < 6, turned; B is linear in x."""
    n, m = int(np.ceil(1.0 / spacing)), int(np.ceil(12.0 / spacing))
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(-6, 6, m + 1))
    x, y = x.ravel(), y.ravel()
    generator = np.random.default_rng(n)
    inner = (x > 0) & (x < 1) & (abs(y) < 6)
    shake = 0.25 * spacing * (2 * generator.random((2, x.size)) - 1) * inner
    points = np.stack([x, y]) + shake
    return Triangles("B", (turned(angle) @ points).T, 1.0 + 3.0 * points[0])


def turned(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def through(reservoir: Triangles, angle: float, seed: int = 3):
    """Particles at a depth of .2 below the turned strip, after some time."""
    network = mass_action({"a": ("A + B -> C", 0.8)}, species=("A", "B", "C"))
    generator = np.random.default_rng(1)
    places = np.stack([np.full(150_000, -0.2), 8.0 * generator.random(150_000) - 4.0])
    particles = System(2, network.species, Streams(seed))
    particles.add("A", turned(angle) @ places)
    everybody = lambda points, radius: np.arange(points.shape[1])  # noqa: E731
    boundary = across(network, {"a": SIGMA}, reservoir, everybody)
    boundary.react(particles, 0.6, 0)
    return particles


def test_meshing_of_the_interface_does_not_matter():
    volume, moment = cut_ball(2, SIGMA, 0.2)
    survive = np.exp(-0.8 * (volume + 3.0 * moment) * 0.6)
    found = {}
    for spacing, angle in ((0.5, 0.0), (0.07, 0.0), (0.25, 0.7)):
        reservoir = strip(spacing, angle)
        particles = through(reservoir, angle)
        count, spread = particles["A"].count, np.sqrt(150_000 * survive * (1 - survive))
        assert abs(count - 150_000 * survive) < LIMIT * spread
        assert reservoir.given.sum() == pytest.approx(count - 150_000, rel=1e-12)
        found[spacing] = particles["A"].id.copy(), reservoir.given @ reservoir.mesh.points
    # a linear field is the same on all meshes: so are the events, and where they take from
    assert np.array_equal(found[0.5][0], found[0.07][0])
    assert found[0.5][1] == pytest.approx(found[0.07][1], rel=1e-9)


def test_order_of_particles_does_not_matter():
    network = mass_action({"a": ("A + B -> C", 2.0), "b": ("C + B -> A", 1.0)})
    states = []
    for shuffled in (False, True):
        particles = particles_at(0.2, 2, {"A": 3000}, network.species)
        if shuffled:
            order = np.random.default_rng(2).permutation(3000)
            population = particles["A"]
            population.x[:], population.id[:] = population.x[:, order], population.id[order]
        boundary = across(network, {"a": SIGMA, "b": SIGMA}, uniform(A=0.0, B=2.0, C=0.0))
        boundary.react(particles, 1.0, 0)
        states.append({
            name: dict(zip(particles[name].id.tolist(), particles[name].x.T.tolist(), strict=True))
            for name in network.species
        })  # fmt: skip
    assert states[0] == states[1] and all(len(states[0][name]) > 500 for name in "AC")


def test_every_molecule_is_accounted_for():
    # motion, reactions of particles, an open boundary and reactions across, step by step
    network = mass_action({
        "bind": ("A + B <-> C", 60.0, 40.0),
        "eat": ("C + B -> 2 B", 20.0),
        "pair": ("2 A -> B", 20.0),
    })  # fmt: skip
    radii = {"bind": 0.3, "eat": 0.3, "pair": 0.2}
    box = Box((-1.0, 0.0, 0.0), (0.0, 1.5, 1.5))
    particles = System(3, network.species, Streams(9))
    generator = np.random.default_rng(9)
    for name in network.species:
        particles.add(name, box.sample(300, generator))
    reservoir = HalfSpace({
        name: (lambda x: np.where(np.abs(x[1:] - 0.75).max(axis=0) < 0.75, 130.0, 0.0), 130.0)
        for name in network.species
    })  # fmt: skip
    opening = Face(box, "right")
    opened = [
        OpenBoundary(f"open {name}", Crossing(), opening, name, 0.1, 130.0)
        for name in network.species
    ]
    boundary = across(network, radii, reservoir, near_opening(opening))
    stepper = Stepper(
        particles, box, {name: Brownian(0.1) for name in network.species},
        {name: {"right": each.wall} for name, each in zip(network.species, opened, strict=True)},
        Reactions(network, box, radii), [*opened, boundary],
    )  # fmt: skip
    for _ in range(20):
        stepper.step(0.02)
        stepper.ledger.check(particles)
        account, ledger = boundary.account, stepper.ledger
        assert np.array_equal(
            account.given + ledger.inserted[:, -1] - ledger.taken[:, -1],
            network.stoichiometry @ account.events,
        )
        for name, given in zip(network.species, account.given, strict=True):
            assert reservoir.total(name) == given
    assert np.all(account.events > 50)


def test_limited_events_do_not_happen():
    network = mass_action({"a": ("A + B -> 0", 50.0)})
    reservoir = strip(0.5, 0.0)
    reservoir.species = ("B",)
    corners = reservoir.mesh.points[reservoir.mesh.simplices]
    areas = abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 2
    volumes = np.zeros(len(reservoir.values))
    np.add.at(volumes, reservoir.mesh.simplices, areas[:, None] / 3)
    there = (reservoir.values * volumes).sum()
    particles = System(2, network.species, Streams(1))
    places = 8.0 * np.random.default_rng(1).random((2, 200)) - 4.0
    places[0] = -0.1
    particles.add("A", places)
    boundary = across(network, {"a": SIGMA}, reservoir, bears=reservoir.bears(volumes))
    boundary.react(particles, 1.0, 0)
    assert boundary.account.limited[0] > 100 and there < 40
    assert particles["A"].count == 200 - boundary.account.events[0]
    assert reservoir.given.sum() == pytest.approx(-boundary.account.events[0])
    assert (reservoir.values * volumes + reservoir.given).min() >= -1e-12
    assert boundary.account.events[0] > 3


def test_account_is_restored_and_stages_differ():
    network = mass_action({"a": ("A + B -> B", 1.0)})
    left = []
    for stage in (0, 1):
        particles = particles_at(0.2, 2, {"A": 1000}, network.species)
        boundary = across(network, {"a": SIGMA}, uniform(A=0.0, B=1.0))
        boundary.react(particles, 0.5, stage)
        left.append(set(particles["A"].id.tolist()))
    assert left[0] != left[1]
    other = across(network, {"a": SIGMA}, uniform(A=0.0, B=1.0))
    other.account.restore(boundary.account.state())
    assert other.account.events[0] == boundary.account.events[0] > 0


def test_who_is_far_does_not_react_and_costs_nothing():
    network = mass_action({"a": ("A + B -> 0", 1.0)})
    asked = []
    reservoir = uniform(A=1.0, B=1.0)
    found = reservoir.concentration_within
    reservoir.concentration_within = lambda name, points: (
        asked.append(points) or found(name, points)
    )
    particles = particles_at(1.001 * SIGMA, 3, {"A": 1000}, network.species)
    across(network, {"a": SIGMA}, reservoir).react(particles, 5.0, 0)
    assert particles["A"].count == 1000 and not asked


def test_what_the_reservoir_does_not_hold():
    network = mass_action({"a": ("A + B -> C", 1.0)})
    with pytest.raises(CaseError, match="a product in the reservoir"):
        across(network, {"a": SIGMA}, uniform(A=1.0, B=1.0))
    assert across(network, {"a": SIGMA}, uniform(B=1.0)).roles[0].species == "A"
    false = HalfSpace({"B": (lambda x: np.full(x.shape[1], 2.0), 1.0)})
    with pytest.raises(NumericalError, match="candidates are drawn for"):
        across(network, {"a": SIGMA}, false, near_plane).react(
            particles_at(0.1, 2, {"A": 1000}, network.species), 1.0, 0
        )
