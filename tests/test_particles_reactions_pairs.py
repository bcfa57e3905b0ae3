"""Pairs within reach against all pairs; births by thinning; bounds of rates by intervals."""

from __future__ import annotations

import numpy as np
import pytest
from particle_systems import cube

from fem_rd.errors import NumericalError
from fem_rd.expressions.expression import SPACE_TIME, Expression
from fem_rd.particles.domains import Box
from fem_rd.particles.neighbours import Grid, Sorted, extent
from fem_rd.particles.pairs import pair_distances, pairs_of
from fem_rd.particles.reactions_births import Source
from fem_rd.particles.reactions_bound import bounds
from fem_rd.particles.reactions_rates import Rate
from fem_rd.particles.state import Population
from fem_rd.particles.walls import Periodic


def expression(text: str) -> Expression:
    return Expression.parse(text, names=SPACE_TIME, where="rate")


def population(points: np.ndarray, first: int = 0) -> Population:
    made = Population(points.shape[0])
    made.append(points, first + np.arange(points.shape[1]))
    return made


def all_pairs(box: Box, periodic, radius: float, a: Population, b: Population) -> set:
    apart = a.x[:, :, None] - b.x[:, None, :]
    for axis, side in enumerate(box.sides):
        if periodic[axis]:
            apart[axis] -= side * np.round(apart[axis] / side)
    near = np.argwhere((apart**2).sum(axis=0) <= radius**2)
    return {(int(a.id[i]), int(b.id[j])) for i, j in near if a is not b or i < j}


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("radius", [0.05, 0.31, 0.5, 1.0])
@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("same", [False, True])
def test_pairs_are_those_of_all_pairs(dimension, radius, repeats, same):
    box = Box((-1.0, 2.0, 0.0)[:dimension], (1.0, 4.7, 2.0)[:dimension])
    periodic = tuple(repeats and axis != 1 for axis in range(dimension))
    generator = np.random.default_rng(dimension)
    a = population(box.sample(150, generator))
    b = a if same else population(box.sample(90, generator), 1000)
    wanted = all_pairs(box, periodic, radius, a, b)
    grid = Grid.fitting(extent(box), periodic, radius, 150)
    ours, others = Sorted(), Sorted()
    ours.sort(a, grid)
    if not same:
        others.sort(b, grid)
    ends = (a, ours), (b, ours if same else others)
    found = []
    for i, j in pairs_of(grid, radius, *ends):
        found += zip(a.id[i].tolist(), b.id[j].tolist(), strict=True)
    if same:
        found = [(min(pair), max(pair)) for pair in found]
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert len(wanted) > 3 or radius < 0.1


def test_more_pairs_than_there_is_room_for():
    box = Box((0.0, 0.0), (1.0, 1.0))
    a = population(box.sample(700, np.random.default_rng(1)))
    assert pair_distances(box, {}, 2.0, a, a).size == 700 * 699 // 2
    one = population(box.sample(1, np.random.default_rng(2)))
    crowd = population(0.01 * box.sample(200_000, np.random.default_rng(1)))
    assert pair_distances(box, {}, 2.0, one, crowd).size == 200_000


def test_distances_are_those_of_the_nearest_image():
    box, walls = cube(3.0, 2)
    a, b = population(np.array([[0.1], [2.9]])), population(np.array([[2.8], [0.2]]))
    assert pair_distances(box, walls, 1.0, a, b) == pytest.approx([0.3 * np.sqrt(2)], abs=1e-12)
    assert pair_distances(box, {"left": Periodic(), "right": Periodic()}, 1.0, a, b).size == 0


def test_sorting_keeps_what_belongs_together():
    box = Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    points = box.sample(5000, np.random.default_rng(0))
    sorted_by, made = Sorted(), Population(3, velocities=True, cells=True)
    made.append(points, np.arange(5000), velocities=2 * points, cells=np.arange(5000))
    grid = Grid.fitting(extent(box), (False,) * 3, 0.05, 5000)
    for _ in range(3):
        sorted_by.sort(made, grid)
        assert (made.x == points[:, made.id.astype(int)]).all()
        assert (made.v == 2 * made.x).all() and (made.cell == made.id).all()
    index = (made.x * np.array(grid.cells)[:, None]).astype(int)
    flat = np.ravel_multi_index(tuple(index[::-1]), grid.cells[::-1])
    assert (np.diff(flat) >= 0).all()
    assert (sorted_by.start == np.searchsorted(flat, np.arange(grid.size + 1))).all()


@pytest.mark.parametrize(
    "text", ["x", "1 + x*y", "where(r < 0.3, 5, 0.1)", "exp(-9*x)*(2 + sin(5*y))"]
)
def test_births_have_the_density_of_their_rate(text):
    box, rate = Box((0.0, 0.0), (1.0, 1.0)), Rate((expression(text),), 1000.0)
    source, generator = Source(rate, box), np.random.default_rng(7)
    times, places = [], []
    for _ in range(40):
        born = source.births(0.0, 2.5, generator)
        times.append(born.times)
        places.append(born.places)
    x, when = np.concatenate(places, axis=1), np.concatenate(times)
    side = 200
    grid = (np.indices((side, side)).reshape(2, -1) + 0.5) / side
    per_cell = rate.at(grid, 0.0).reshape(side, side) * 100 / side**2
    expected = per_cell.reshape(5, side // 5, 5, side // 5).sum(axis=(1, 3))
    found = np.histogram2d(*x, bins=5, range=((0, 1), (0, 1)))[0]
    scores = (found - expected) / np.sqrt(expected)
    assert np.abs(scores).max() < 4
    assert 5 < (scores**2).sum() < 55  # 25 squares of normals
    assert when.mean() == pytest.approx(1.25, abs=4 * 2.5 / np.sqrt(12 * when.size))


def test_births_without_a_bound_are_refused():
    source = Source(Rate((expression("1/x"),)), Box((0.0,), (1.0,)))
    with pytest.raises(NumericalError, match="no bound"):
        source.births(0.0, 1.0, np.random.default_rng(1))
    negative = Source(Rate((expression("x - 0.5"),)), Box((0.0,), (1.0,)))
    with pytest.raises(NumericalError, match="negative"):
        negative.births(0.0, 1000.0, np.random.default_rng(1))


@pytest.mark.parametrize(
    "text",
    ["x*y - z", "(x - y)^2", "x^3 - 2*x", "exp(x)/(2 + sin(3*y))", "abs(x - 1)^0.5", "cos(9*r)",
     "cosh(x)*tanh(y)", "min(x, y, z) - max(x, z)", "where(x < 0 and not y > 1, 3*x, y)",
     "sqrt(x^2 + y^2)", "-x/(1 + r)", "log(2 + x)*atan(y)", "erf(x) + t*sinh(y)",
     "x^(-2)*0 + 1 - (y^2)^1.5", "asin(x/9) + atan2(y, x)"],
)  # fmt: skip
def test_bounds_are_above_every_value(text):
    generator = np.random.default_rng(5)
    low = generator.uniform(-1.5, 1.0, (3, 60))
    high = low + generator.uniform(0.0, 0.5, (3, 60))
    ends = dict(zip("xyz", zip(low, high, strict=True), strict=True))
    near = np.maximum(np.maximum(low, -high), 0.0)
    far = np.maximum(abs(low), abs(high))
    ends["r"] = np.sqrt((near**2).sum(axis=0)), np.sqrt((far**2).sum(axis=0))
    most = bounds((expression(text),), ends, 0.7)
    points = low[:, :, None] + (high - low)[:, :, None] * generator.random((3, 60, 400))
    env = dict(zip("xyz", points, strict=True)) | {"t": 0.7, "r": np.sqrt((points**2).sum(axis=0))}
    values = np.broadcast_to(expression(text).evaluate(env), (60, 400))
    assert (np.nan_to_num(values, nan=-np.inf) <= most[:, None] + 1e-12).all()
    if "^(-2)" not in text and "atan2" not in text:
        assert np.median(most - np.nanmax(values, axis=1)) < 1.5
