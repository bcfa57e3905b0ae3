"""Reactions of particles: exact laws of well-mixed systems, conservation, order, placing."""

from __future__ import annotations

import numpy as np
import pytest
from particle_systems import by_cluster, clusters, cube, step, system, z_scores

from fem_rd.chemistry.equations import mass_action, reactions_of
from fem_rd.equations.nonlocal_reaction import changes_by_place
from fem_rd.errors import CaseError
from fem_rd.exact import stochastic_kinetics as exact
from fem_rd.expressions.expression import Expression
from fem_rd.particles.domains import Box
from fem_rd.particles.domains_round import Ball
from fem_rd.particles.dynamics import Brownian
from fem_rd.particles.pairs import pair_distances
from fem_rd.particles.random import Streams
from fem_rd.particles.reactions import Reactions
from fem_rd.particles.reactions_checks import coarse_steps
from fem_rd.particles.reactions_table import Place, channels_of, placed
from fem_rd.particles.state import System
from fem_rd.particles.stepper import Stepper
from fem_rd.particles.walls import Absorbing

LIMIT = 3.6  # 2 * 14 comparisons at the level of three standard deviations for each test


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 7])
def test_pair_annihilation_has_the_law_of_the_master_equation(dimension, steps):
    network, number = mass_action({"a": ("2 A -> 0", 0.05)}), 40_000
    box, particles = clusters(network, {"A": 20}, number, 5, dimension)
    reactions = Reactions(network, box, {"a": 1.0 * np.sqrt(dimension)})
    for _ in range(steps):
        step(particles, box, {}, reactions, {}, 1.0 / steps)
    law = exact.pair_annihilation(0.1, 20, 1.0)
    scores = z_scores(by_cluster(particles, "A", number), law.mean, law.variance)
    assert max(map(abs, scores)) < LIMIT


def test_stages_of_a_step_are_independent():
    network, number = mass_action({"a": ("2 A -> 0", 0.05), "b": ("A -> 0", 0.3)}), 40_000
    box, one = clusters(network, {"A": 2}, number, 5)
    reactions = Reactions(network, box, {"a": 1.0})
    for stage in range(4):
        reactions.apply(one, 0.0, 0.5, stage)
    counts = by_cluster(one, "A", number)
    both, decay = np.exp(-(0.1 + 0.6) * 2.0), np.exp(-0.3 * 2.0)
    single = 0.6 / (0.7 - 0.3) * (decay - both)  # one left: the other decayed before they met
    mean, square = 2 * both + single, 4 * both + single
    assert max(map(abs, z_scores(counts, mean, square - mean**2))) < LIMIT


def test_births_of_reactions_and_stages_are_independent():
    network = mass_action({"a": ("0 -> A", 50.0), "b": ("0 -> B", 50.0)})
    box = Box((0.0,), (1.0,))
    particles = system(network, {}, box)
    for stage in range(2):
        Reactions(network, box).apply(particles, 0.0, 1.0, stage)
    x = np.concatenate([particles[name].x[0] for name in "AB"])
    assert x.size > 120 and np.unique(x).size == x.size


def test_equal_reactants_have_no_first():
    # identities increase with x; the product must not care
    network = mass_action({"a": ("2 A -> B", 50.0)})
    box = Box((0.0,), (40_000.0,))
    particles = System(1, network.species, Streams(4))
    left = 4.0 * np.arange(10_000) + 1.0
    particles.add("A", left)
    particles.add("A", left + 0.5)
    step(particles, box, {}, Reactions(network, box, {"a": 1.0}), {}, 1.0)
    assert particles["B"].count == 10_000
    right = ((particles["B"].x[0] % 4.0) > 1.25).sum()
    assert abs(right - 5000) < LIMIT * 50


@pytest.mark.parametrize("steps", [1, 4])
def test_products_react_on_within_a_step(steps):
    # DSMTS 003-01: pairs that form and fall apart many times; first-order competition in one step
    network = mass_action({"join": ("2 P -> D", 0.0005), "part": ("D -> 2 P", 0.01)})
    box, particles = clusters(network, {"P": 100}, 4_000, 3)
    reactions = Reactions(network, box, {"join": 1.0})
    for _ in range(steps):
        step(particles, box, {}, reactions, {}, 25.0 / steps)
    law = exact.dimerisation(0.001, 0.01, 100, 25.0)
    assert law.mean == pytest.approx(34.887453377, abs=1e-8)
    scores = z_scores(by_cluster(particles, "P", 4_000), law.mean, law.variance)
    assert max(map(abs, scores)) < LIMIT


@pytest.mark.parametrize("steps", [1, 5])
def test_births_and_deaths(steps):
    number = 40_000
    network = mass_action({"in": ("0 -> X", 1.0 / 4.0), "out": ("X -> 0", 0.1)})
    box, particles = clusters(network, {"X": 3}, number, 4)
    reactions = Reactions(network, box)
    for _ in range(steps):
        step(particles, box, {}, reactions, {}, 10.0 / steps)
    law = exact.immigration_death(1.0, 0.1, 3, 10.0)
    counts = by_cluster(particles, "X", number)
    assert max(map(abs, z_scores(counts, law.mean, law.variance))) < LIMIT


@pytest.mark.parametrize("steps", [1, 5])
def test_one_that_doubles_stays_and_may_double_again(steps):
    network = mass_action({"birth": ("X -> 2 X", 0.1), "death": ("X -> 0", 0.11)})
    box, particles = clusters(network, {"X": 10}, 40_000, 9)
    for _ in range(steps):
        step(particles, box, {}, Reactions(network, box), {}, 10.0 / steps)
    law = exact.birth_death(0.1, 0.11, 10, 10.0)
    scores = z_scores(by_cluster(particles, "X", 40_000), law.mean, law.variance)
    assert max(map(abs, scores)) < LIMIT


def test_pairs_that_stay_react_again():
    # each of 3 * 2 pairs makes a Poisson number of D
    network = mass_action({"make": ("A + B -> A + B + D", 0.7)})
    box, particles = clusters(network, {"A": 3, "B": 2}, 40_000, 11)
    step(particles, box, {}, Reactions(network, box, {"make": 1.0}), {}, 1.0)
    made = by_cluster(particles, "D", 40_000)
    assert max(map(abs, z_scores(made, 4.2, 4.2))) < LIMIT


def test_competition_is_decided_by_rates():
    # A alone at 2, with B at 3: of as many A as B in pairs, 1 - e^-5T react, 2/5 of them alone
    network = mass_action({"alone": ("A -> C", 2.0), "meet": ("A + B -> D", 3.0)})
    box, particles = clusters(network, {"A": 1, "B": 1}, 40_000, 2)
    step(particles, box, {}, Reactions(network, box, {"meet": 1.0}), {}, 0.3)
    reacted = -np.expm1(-5 * 0.3)
    for name, share in (("C", 0.4), ("D", 0.6)):
        p = share * reacted
        scores = z_scores(by_cluster(particles, name, 40_000), p, p * (1 - p))
        assert abs(scores[0]) < LIMIT


@pytest.mark.parametrize(("dimension", "edge"), [(1, 400.0), (2, 30.0), (3, 9.0)])
def test_numbers_are_conserved_and_events_counted(dimension, edge):
    network = mass_action(
        {"on": ("A + B <-> C", 3.0, 1.0), "turn": ("A -> D", 0.5), "back": ("D -> A", "0.2 + x/9")}
    )
    box, walls = cube(edge, dimension)
    reactions = Reactions(network, box, {"on": 1.0}, walls)
    particles = system(network, {"A": 400, "B": 300, "C": 50}, box)
    before, total = np.array([*particles.counts.values()]), 0
    for _ in range(30):
        total = total + step(particles, box, walls, reactions, dict.fromkeys("ABCD", 0.3), 0.1)
    after = np.array([*particles.counts.values()])
    assert (total > 20).all()
    assert (after == before + network.stoichiometry @ total).all()
    ids = np.concatenate([particles[name].id for name in network.species])
    assert np.unique(ids).size == ids.size
    assert all(box.contains(particles[name].x).all() for name in network.species)


def test_trajectories_do_not_depend_on_the_order_of_particles():
    network = mass_action(
        {"on": ("2 A <-> C", 1.0, 1.0), "swap": ("A + C -> B", 2.0), "in": ("0 -> A", "x/10"),
         "out": ("B -> A", "y")}
    )  # fmt: skip
    box, walls = cube(10.0)
    found = []
    for shuffle in (False, True):
        reactions = Reactions(network, box, {"on": 1.0, "swap": 1.3}, walls)
        particles = system(network, {"A": 1500, "C": 500}, box, seed=8)
        for at in range(12):
            step(particles, box, walls, reactions, dict.fromkeys("ABC", 1.0), 0.05)
            if shuffle and at % 3 == 0:
                for population in particles.populations.values():
                    order = np.random.default_rng(at).permutation(population.count)
                    population.x[:], population.id[:] = population.x[:, order], population.id[order]
        found.append(particles)
    for name in network.species:
        one, other = (np.argsort(each[name].id) for each in found)
        assert (found[0][name].id[one] == found[1][name].id[other]).all()
        assert (found[0][name].x[:, one] == found[1][name].x[:, other]).all()
    assert found[0].counts["B"] > 100


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_detailed_balance_is_the_stationary_law_at_any_step(dimension):
    # product Poisson with c_C = K c_A c_B: also no correlation of A and B within the radius
    edge, sigma, k_off = {1: 40_000.0, 2: 140.0, 3: 28.0}[dimension], 1.0, 2.0
    ball = {1: 2.0, 2: np.pi, 3: 4 * np.pi / 3}[dimension]
    c_a, c_b, k = 0.4, 0.3, 5.0 / ball
    c_c = k * ball / k_off * c_a * c_b
    network = mass_action({"on": ("A + B <-> C", k, k_off)})
    box, walls = cube(edge, dimension)
    reactions = Reactions(network, box, {"on": sigma}, walls)
    numbers = np.random.default_rng(3).poisson(np.array([c_a, c_b, c_c]) * box.volume)
    particles = system(network, dict(zip("ABC", numbers, strict=True)), box, seed=6)
    events = np.zeros(2, dtype=int)
    for _ in range(12):
        events += step(particles, box, walls, reactions, dict.fromkeys("ABC", 0.3), 0.2)
    pieces = int(edge // 4)
    for name, density in zip("ABC", (c_a, c_b, c_c), strict=True):
        # number fluctuations in parts of the box
        index = np.minimum((particles[name].x * pieces / edge).astype(int), pieces - 1)
        flat = np.ravel_multi_index(tuple(index), (pieces,) * dimension)
        counts = np.bincount(flat, minlength=pieces**dimension)
        mean = density * box.volume / counts.size
        assert max(map(abs, z_scores(counts, mean, mean))) < LIMIT
    pairs = pair_distances(box, walls, sigma, particles["A"], particles["B"])
    mean = c_a * c_b * ball * box.volume
    widths = ball * (c_a + c_b) + 1  # a particle adds to all its pairs at once
    assert abs(pairs.size - mean) < LIMIT * np.sqrt(mean * widths)
    assert np.histogram(pairs**dimension, 4, (0, 1))[0] == pytest.approx(mean / 4, rel=0.06)
    assert events.min() > 10_000
    assert abs(events[0] - events[1]) < 5 * np.sqrt(events[0])


def test_detailed_balance_of_equal_reactants_next_to_walls():
    # 2 A <-> B in a closed box two radii wide: placing outside is refused, and balance still holds
    network = mass_action({"on": ("2 A <-> B", 0.5, 1.0)})
    box = Box((0.0, 0.0), (300.0, 2.0))
    reactions = Reactions(network, box, {"on": 1.0})
    c_a = 2.0
    c_b = 0.5 * np.pi * c_a**2
    particles = system(network, {"A": int(c_a * 600), "B": int(c_b * 600)}, box, seed=2)
    heights, events = [], 0
    for at in range(300):
        events = events + step(particles, box, {}, reactions, {"A": 2.0, "B": 2.0}, 0.1)
        assert box.contains(particles["A"].x).all()
        if at % 10 == 9:
            heights.append(particles["B"].x[1].copy())
    inside = [((x > 0.5) & (x < 1.5)).sum() / x.size for x in heights]
    assert np.mean(inside) == pytest.approx(0.5, abs=4 * np.std(inside) / np.sqrt(len(inside)))
    assert abs(int(events[0]) - int(events[1])) < 5 * np.sqrt(events[0])


def test_dissociation_without_room_tries_again():
    # of the places within 10, a twentieth lies in the interval, wherever C is
    network = mass_action({"on": ("A + B <-> C", 1e-12, 20.0)})
    box = Box((0.0,), (1.0,))
    particles = system(network, {"C": 4000}, box)
    step(particles, box, {}, Reactions(network, box, {"on": 10.0}), {}, 1.0)
    p = -np.expm1(-1.0)
    spread = np.sqrt(4000 * p * (1 - p))
    assert abs(particles["A"].count - 4000 * p) < LIMIT * spread
    assert box.contains(particles["B"].x).all()


def test_rates_depend_on_place_and_time():
    network = mass_action({"fade": ("A -> B", "x*t")})
    box = Box((0.0,), (2.0,))
    particles = system(network, {"A": 100_000}, box)
    step(particles, box, {}, Reactions(network, box), {}, 1.0)
    x = np.concatenate([particles[name].x[0] for name in "AB"])
    faded = np.arange(x.size) >= particles["A"].count
    p = -np.expm1(-x * 0.5)  # the rate of the middle of the step
    score = (faded - p) @ x / np.sqrt((p * (1 - p)) @ x**2)
    assert abs(score) < LIMIT
    assert abs((faded - p).sum() / np.sqrt((p * (1 - p)).sum())) < LIMIT


def test_newborns_have_the_rates_of_their_place():
    network = mass_action({"first": ("A -> B", 1.0), "second": ("B -> C", "3*x")})
    box = Box((0.0,), (1.0,))
    particles = system(network, {"A": 3000}, box)
    step(particles, box, {}, Reactions(network, box), {}, 1.0)
    x = np.concatenate([particles[name].x[0] for name in "ABC"])
    done = np.arange(x.size) >= particles["A"].count + particles["B"].count
    rate = 3 * x
    p = 1 - (rate * np.exp(-1.0) - np.exp(-rate)) / (rate - 1)
    assert abs((done - p).sum() / np.sqrt((p * (1 - p)).sum())) < LIMIT
    assert abs((done - p) @ x / np.sqrt((p * (1 - p)) @ x**2)) < LIMIT


def test_chemostats_are_factors_of_the_rate():
    network = mass_action({"feed": ("F + A -> F + B", 0.5)}, chemostats={"F": "2 + 0*x"})
    box = Box((0.0,), (1.0,))
    particles = system(network, {"A": 50_000}, box)
    step(particles, box, {}, Reactions(network, box), {}, 0.7)
    p = -np.expm1(-0.7)
    assert abs(particles["B"].count - 50_000 * p) < LIMIT * np.sqrt(50_000 * p * (1 - p))


@pytest.mark.parametrize(
    "equation",
    ["A + B -> C", "A + B -> B", "A + B -> 2 A", "A + B -> C + D", "2 A -> A", "2 A -> B + C + D",
     "A + B -> B + C + D", "A + B -> 0", "A + B -> 2 B", "A + B -> 3 C", "A + A -> 3 A"],
)  # fmt: skip
def test_products_are_placed_as_in_the_nonlocal_equations(equation):
    (reaction,) = reactions_of("r", equation, rate=Expression.constant(1.0))
    species = [name for name, count in reaction.reactants for _ in range(count)]
    products = [name for name, count in reaction.products for _ in range(count)]
    stays, made = placed(species, products)
    changes = [dict[str, int]() for _ in species]
    for place, (name, stay) in enumerate(zip(species, stays, strict=True)):
        changes[place][name] = changes[place].get(name, 0) - (not stay)
    for name, place in made:
        changes[place][name] = changes[place].get(name, 0) + 1
    wanted = changes_by_place(reaction)
    for ours, theirs in zip(changes, wanted, strict=True):
        assert {k: v for k, v in ours.items() if v} == {k: v for k, v in theirs.items() if v}


def test_dissociation_fills_the_place_that_association_leaves_empty():
    network = mass_action({"on": ("A + B <-> B", 1.0, 1.0), "join": ("A + B <-> C", 1.0, 1.0)})
    channels = {one.name: one for one in channels_of(network, {"on": 1.5, "join": 2.0})}
    back, part = channels["on_reverse"], channels["join_reverse"]
    assert (back.stays, back.made, back.radius) == ((True,), (("A", Place.BALL),), 1.5)
    assert part.made == (("A", Place.FIRST), ("B", Place.BALL))
    assert part.radius == 2.0


@pytest.mark.parametrize(
    ("equations", "radii", "words"),
    [
        ({"r": ("A + B -> C", 1.0)}, {}, "radius"),
        ({"r": ("A -> C", 1.0)}, {"r": 1.0}, "radius"),
        ({"r": ("A + B -> C", 1.0)}, {"s": 1.0}, "no reaction 's'"),
        ({"r": ("A + B -> C", 1.0)}, {"r": -1.0}, "radius"),
        ({"r": ("A + B -> C", "x")}, {"r": 1.0}, "not on place"),
        ({"r": ("2 A + B -> C", 1.0)}, {}, "alone or in pairs"),
    ],
)
def test_what_particles_cannot_do_is_refused(equations, radii, words):
    with pytest.raises(CaseError, match=words):
        Reactions(mass_action(equations), Box((0.0,), (9.0,)), radii)


def test_periodic_boxes_are_two_radii_long():
    network = mass_action({"r": ("A + B -> C", 1.0)})
    box, walls = cube(1.9)
    particles = System(3, network.species, Streams(1))
    with pytest.raises(CaseError, match="two reaction radii"):
        Reactions(network, box, {"r": 1.0}, walls).apply(particles, 0.0, 1.0)


def test_steps_that_do_not_resolve_the_radius_are_named():
    channels = channels_of(mass_action({"r": ("A + B -> C", 9.0)}), {"r": 1.0})
    largest = (1 / 3) ** 2 / 2
    assert coarse_steps(channels, {"A": 0.4, "B": 0.6}, 0.99 * largest, 3) == []
    (warning,) = coarse_steps(channels, {"A": 0.4, "B": 0.6}, 0.1, 3)
    assert "0.0556" in warning and "-4.9%" in warning


@pytest.mark.parametrize("dimension", [2, 3])
def test_round_domains(dimension):
    # detailed balance up to a curved wall: C stays uniform although its B often find no room
    ball, sigma = Ball(2.0, dimension), 1.0
    c_a, c_b, k, k_off = 60.0, 50.0, 0.02, 1.0
    c_c = k * {2: np.pi, 3: 4 * np.pi / 3}[dimension] / k_off * c_a * c_b
    network = mass_action({"on": ("A + B <-> C", k, k_off), "in": ("0 -> D", "100*r")})
    reactions = Reactions(network, ball, {"on": sigma})
    counts = {name: int(c * ball.volume) for name, c in zip("ABC", (c_a, c_b, c_c), strict=True)}
    particles = system(network, counts, ball, seed=3)
    balance, events = np.array([*particles.counts.values()]), 0
    for _ in range(20):
        events = events + step(particles, ball, {}, reactions, dict.fromkeys("ABC", 0.5), 0.05)
        assert all(ball.contains(particles[name].x).all() for name in "ABCD")
    counted = [particles[name].count for name in network.species]
    assert (np.array(counted) == balance + network.stoichiometry @ events).all()
    assert abs(int(events[0]) - int(events[1])) < 4 * np.sqrt(events[0])
    for name in "ABC":
        inner = (particles[name].x ** 2).sum(axis=0) < 1.0
        share = 0.5**dimension
        spread = np.sqrt(inner.size * share * (1 - share))
        assert abs(inner.sum() - inner.size * share) < LIMIT * spread
    born = 100 * dimension / (dimension + 1) * 2.0 * ball.volume  # in unit time
    assert abs(particles["D"].count - born) < LIMIT * np.sqrt(born)


def test_a_stepper_keeps_the_ledger_and_a_run_goes_on_with_the_same_bits():
    network = mass_action(
        {"on": ("A + B <-> C", 2.0, 1.0), "in": ("0 -> A", 5.0), "out": ("C -> 0", 0.5)}
    )
    box, _ = cube(6.0)
    absorbing = {"left": Absorbing()}

    def start() -> Stepper:
        particles = system(network, {"A": 300, "B": 300}, box)
        reactions = Reactions(network, box, {"on": 1.0})
        dynamics = {name: Brownian(0.5) for name in "ABC"}
        return Stepper(particles, box, dynamics, {"A": absorbing}, reactions)

    whole, half = start(), start()
    for _ in range(10):
        whole.step(0.1)
        half.step(0.1)
    resumed = start()
    resumed.system.restore(half.system.state())
    resumed.ledger.restore(half.ledger.state())
    for _ in range(10):
        whole.step(0.1)
        resumed.step(0.1)
    resumed.ledger.check(resumed.system)
    assert (whole.ledger.events == resumed.ledger.events).all()
    assert whole.ledger.events.min() > 20
    one, other = whole.system.state(), resumed.system.state()
    assert all((one[name] == other[name]).all() for name in one)
