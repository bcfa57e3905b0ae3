"""Reactions beside open walls, and of pairs in regions of meshes, whose products must be inside."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mesh_regions import box_region, outer_facets
from particle_systems import z_scores
from scipy.special import iv

from fem_rd.chemistry.equations import mass_action
from fem_rd.particles.domains import Box
from fem_rd.particles.domains_round import Ball
from fem_rd.particles.dynamics import Brownian
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.open_boundary import OpenBoundary
from fem_rd.particles.open_boundary_places import Sphere
from fem_rd.particles.open_boundary_reversal import Reversal
from fem_rd.particles.random import Streams
from fem_rd.particles.reactions import Reactions
from fem_rd.particles.simplices import simplices
from fem_rd.particles.state import System
from fem_rd.particles.stepper import Stepper
from fem_rd.particles.walls import Open

BINDING = mass_action({"binding": ("A + B <-> C", 40.0, 5.0)})
MEETING = mass_action({"meeting": ("A + B -> C", 30.0, None)})


def run(domain, network, radius, counts, steps, dt, seed):
    """The numbers of C after some steps of one system that begins with uniform places."""
    meshed = isinstance(domain, MeshRegion)
    system = System(domain.dimension, network.species, Streams(seed), cells=meshed)
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        system.add(name, domain.sample(count, rng))
    (name,) = (one.name for one in network.reactions if len(one.reactants) == 2)
    reactions = Reactions(network, domain, {name: radius})
    moving = {one: Brownian(0.3) for one in network.species}
    stepper = Stepper(system, domain, moving, {}, reactions)
    for _ in range(steps):
        stepper.step(dt)
    stepper.ledger.check(system)
    places = np.concatenate([population.x for population in system.populations.values()], axis=1)
    assert domain.contains(places).all()
    return system["C"].count


@pytest.mark.parametrize("dimension", [2, 3])
def test_pairs_in_a_meshed_box_react_as_in_the_box(dimension):
    box, mesh = Box((0.0,) * dimension, (1.0,) * dimension), box_region([4] * dimension)
    found = [
        np.array([run(d, MEETING, 0.2, {"A": 60, "B": 40}, 8, 0.005, s) for s in range(150)])
        for d in (box, mesh)
    ]
    spread = math.sqrt(sum(numbers.var(ddof=1) / numbers.size for numbers in found))
    assert found[0].mean() > 5
    assert abs(found[0].mean() - found[1].mean()) < 3 * spread


def u_shape():
    """Two arms, 0.2 apart, and what joins them: pairs and products meet across the gap."""
    region = box_region([10, 6])
    mesh = region.mesh
    middle = mesh.points[mesh.cells].mean(axis=1)
    cells = mesh.cells[~((np.abs(middle[:, 0] - 0.5) < 0.1) & (middle[:, 1] > 1 / 6))]
    return MeshRegion(simplices(mesh.points, cells, {"wall": outer_facets(cells)}))


def test_binding_is_at_equilibrium_in_a_region_with_corners():
    """A radius longer than the gap: nobody is lost, and P(n) is that of the pairs within reach.

    One A and one B, or one C: odds of C are k/k_off times the probability that two are in reach.
    """
    region, radius = u_shape(), 0.3
    rng = np.random.default_rng(1)
    one, other = (region.sample(400_000, rng) for _ in range(2))
    reach = (((one - other) ** 2).sum(axis=0) < radius**2).mean()
    odds = 40.0 / 5.0 * reach
    pair = {"A": 1, "B": 1}
    bound = np.array([run(region, BINDING, radius, pair, 25, 0.05, s) for s in range(240)])
    share = odds / (1 + odds)
    mean, variance = z_scores(bound, share, share * (1 - share))
    assert abs(mean) < 3 and abs(variance) < 3


def test_who_comes_in_reacts_as_who_was_there():
    """A -> 0 in a disc beside c = 1: 2 I1(m)/(m I0(m)) of the number at rest, m^2 = k/D.

    If those who come in were spared until the next step, there would be 3.6 % too many.
    """
    disc, m, dt, number, walls = Ball(1.0, 2), 3.0, 0.01, 2e5, {"outer": Open()}
    end = OpenBoundary(
        "outer", Reversal(disc, walls), Sphere(1.0, "outer", 2), "A", 1.0, number / disc.volume
    )
    system = System(2, ["A"], Streams(3))
    exact = 2 * iv(1, m) / (m * iv(0, m))
    rng = np.random.default_rng(3)
    system.add("A", disc.sample(int(number * exact), rng))
    decay = Reactions(mass_action({"decay": ("A -> 0", m**2, None)}), disc)
    run = Stepper(system, disc, {"A": Brownian(1.0)}, {"A": walls}, decay, [end])
    for _ in range(60):
        run.step(dt)
    assert system["A"].count / number == pytest.approx(exact, rel=0.015)
