"""What reactions across an interface need: who is near, points of a ball, what nodes can bear."""

from __future__ import annotations

import numpy as np
import pytest
from particle_systems import z_scores

from fem_rd.hybrid.across_draws import in_ball
from fem_rd.hybrid.across_limits import bearable
from fem_rd.hybrid.across_near import NearFacets, near_opening
from fem_rd.particles.domains import Box
from fem_rd.particles.open_boundary_places import Face, Sphere

LIMIT = 3.3  # a handful of comparisons, at the level of three standard deviations


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_raster_finds_all_who_are_near(dimension):
    generator = np.random.default_rng(dimension)
    vertices = generator.random((20, 1, dimension)) + 0.1 * generator.random(
        (20, dimension, dimension)
    )
    near = NearFacets(vertices, 0.2)
    points = 4.0 * generator.random((dimension, 20_000)) - 1.5
    points[:, :2] = 1e6, -1e6
    shares = generator.dirichlet(np.ones(dimension), (20, 50))
    samples = np.einsum("fsv,fva->fsa", shares, vertices).reshape(-1, dimension)
    distance = np.full(points.shape[1], np.inf)
    for sample in samples:
        distance = np.minimum(distance, np.linalg.norm(points - sample[:, None], axis=0))
    found = near(points, 0.2)
    assert np.isin(np.flatnonzero(distance < 0.2), found).all()
    assert distance[found].max() < 0.2 * 2.6  # a box, its diagonal, and the gaps of the samples
    with pytest.raises(ValueError, match="reach"):
        near(points, 0.21)


def test_depths_below_openings():
    x = np.array([[-0.1, -0.7, -0.9], [0.5, 0.5, 0.5]])
    assert near_opening(Face(Box((-1.0, 0.0), (0.0, 1.0)), "right"))(x, 0.8).tolist() == [0, 1]
    outside = Sphere(2.0, opposite=5.0, wall="inner", dimension=2)
    assert near_opening(outside)(np.array([[2.1, 0.0], [0.0, 2.9]]), 0.8).tolist() == [0]


def test_points_of_the_ball_are_uniform():
    for dimension in (1, 2, 3):
        radii = np.sqrt((in_ball(dimension, 100_000, np.random.default_rng(1)) ** 2).sum(axis=0))
        scores = z_scores(radii**dimension, 0.5, 1 / 12)
        assert radii.max() <= 1 and max(map(abs, scores)) < LIMIT


def test_bearable_asks_one_after_the_other():
    generator = np.random.default_rng(4)
    nodes = np.array([generator.permutation(30)[:3] for _ in range(400)])
    shares = generator.dirichlet(np.ones(3), 400) * (generator.random((400, 3)) < 0.9)
    amounts = 10.0 * generator.random(30)
    left, expected = amounts.copy(), []
    for node, share in zip(nodes, shares, strict=True):
        expected.append(bool(np.all((share <= left[node]) | (share == 0))))
        left[node] -= share * expected[-1]
    assert bearable(nodes, shares, amounts).tolist() == expected
    assert 100 < sum(expected) < 300
