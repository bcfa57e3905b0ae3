"""Doi's nonlocal reactions: conservation, places of products, the limit of mass action."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import numpy as np
import pytest
import ufl
from ball_examples import (
    MEAN_DEPTH,
    Array,
    averaging,
    box,
    dense,
    integrals,
    positions,
    shaken,
    weights_of,
)
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from scipy.integrate import solve_ivp

from fem_rd.chemistry.equations import mass_action
from fem_rd.chemistry.network import Reaction
from fem_rd.equations.nonlocal_reaction import NonlocalReactions, changes_by_place
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression
from fem_rd.mesh.cut_balls import ball_volume
from fem_rd.numerics.ball_average import BallAverage
from fem_rd.numerics.spaces import lagrange_space


def rate(value: float | str) -> Expression:
    return Expression.parse(str(value), names=("t", "x"), where=None)


def only(equation: str, value: float | str) -> Reaction:
    return mass_action({"r": (equation, rate(value), None)}).reactions[0]


def reactions_of(
    equation: str, value: float | str, average: BallAverage, species: str
) -> NonlocalReactions:
    return NonlocalReactions(tuple(species), [(only(equation, value), average)])


PLACES = [
    ("2 A -> 0", {"A": -1}, {"A": -1}),
    ("2 A -> A", {"A": 0}, {"A": -1}),
    ("2 A -> B", {"A": -1, "B": 1}, {"A": -1}),
    ("A + B -> 0", {"A": -1}, {"B": -1}),
    ("A + B -> C", {"A": -1, "C": 1}, {"B": -1}),
    ("A + B -> C + D", {"A": -1, "C": 1}, {"B": -1, "D": 1}),
    ("A + B -> 2 C", {"A": -1, "C": 1}, {"B": -1, "C": 1}),
    ("A + B -> 2 A", {"A": 0}, {"B": -1, "A": 1}),
    ("A + B -> B + C", {"A": -1, "C": 1}, {"B": 0}),
    ("A + B -> A", {"A": 0}, {"B": -1}),
    ("A + B -> 3 C", {"A": -1, "C": 2}, {"B": -1, "C": 1}),
]


@pytest.mark.parametrize(("equation", "first", "second"), PLACES)
def test_products_take_the_places_of_reactants(
    equation: str, first: dict[str, int], second: dict[str, int]
) -> None:
    assert changes_by_place(only(equation, 1.0)) == (first, second)


def test_uniform_reactants_react_by_mass_action_with_the_volume_of_the_ball() -> None:
    """2 A at the pair rate lambda: dc/dt = -lambda V c^2; the rate of events is half of that."""
    space = lagrange_space(shaken(2, 12), 1)
    average, weights = averaging(space, 0.2)
    c = np.array([np.full(len(weights), 1.7), np.full(len(weights), 0.4)])
    pair_rate = 3.0
    twice = reactions_of("2 A -> B", pair_rate / 2, average, "AB")
    out = np.zeros_like(c)
    twice.add_sources(0.0, c, out)
    assert out[0] == pytest.approx(-pair_rate * average.volumes * 1.7**2, rel=1e-12)
    assert out[1] == pytest.approx(pair_rate / 2 * average.volumes * 1.7**2, rel=1e-12)
    both = reactions_of("A + B -> 0", f"{pair_rate}*(1 + t)", average, "AB")
    out[:] = 1.0
    both.add_sources(0.5, c, out)
    expected = 1 - 1.5 * pair_rate * average.volumes * 1.7 * 0.4
    assert out == pytest.approx(np.array([expected, expected]), rel=1e-12)


@pytest.mark.parametrize("degree", [1, 2])
def test_what_one_loses_the_other_loses(degree: int) -> None:
    space = lagrange_space(shaken(2, 9), degree)
    average, weights = averaging(space, 0.25)
    values = np.random.default_rng(5).random((4, len(weights)))
    reactions = NonlocalReactions(
        ("A", "B", "C", "D"),
        [(only("A + B -> C + D", 2.0), average), (only("2 C -> A", "0.3"), average)],
    )
    out = np.zeros_like(values)
    reactions.add_sources(0.0, values, out)
    events = reactions.totals(0.0, values, weights)
    changes = np.array([[-1, 1], [-1, 0], [1, -2], [1, 0]])
    assert out @ weights == pytest.approx(changes @ events, rel=1e-12)
    near = [integrals(average, row) for row in values]
    at_a, at_b, at_c = (
        2 * values[0] * near[1],
        2 * values[1] * near[0],
        0.3 * values[2] * near[2],
    )
    places = [at_c - at_a, -at_b, at_a - 2 * at_c, at_b]
    assert out == pytest.approx(np.array(places), rel=1e-13)
    assert reactions.rates(0.0, values) @ weights == pytest.approx(events, rel=1e-14)
    assert np.all(events > 0)


MISTAKES = [
    ("A -> 0", 1.0, "two reactants, none of them a chemostat"),
    ("3 A -> 0", 1.0, "two reactants"),
    ("A + F -> 0", 1.0, "two reactants, none of them a chemostat"),
    ("A + B -> 0", "x", "may depend on time, not on place"),
]


@pytest.mark.parametrize(("equation", "value", "message"), MISTAKES)
def test_what_cannot_be_nonlocal(equation: str, value: float | str, message: str) -> None:
    average = averaging(lagrange_space(box(1, 10), 1), 0.3)[0]
    with pytest.raises(CaseError, match=message) as caught:
        reactions_of(equation, value, average, "AB")
    assert caught.value.key == "chemistry.reactions.r"


# The limit of a small radius


def test_well_mixed_in_reach_decays_by_the_law_of_mass_action() -> None:
    """Everything within reach of everything: V = |domain|, and c stays uniform for ever."""
    space = lagrange_space(shaken(2, 5), 1)
    average, weights = averaging(space, 1.5)
    end = decayed(average, np.full(len(weights), 2.0), pair_rate=3.0, time=1.0)
    assert end == pytest.approx(2.0 / (1 + 3.0 * 2.0), rel=1e-9)


def decayed(average: BallAverage, initial: Array, pair_rate: float, time: float) -> Array:
    """The concentration of 2 A -> 0 after ``time`` without diffusion."""
    reactions = reactions_of("2 A -> 0", pair_rate / 2, average, "A")

    def slope(_: float, values: Array) -> Array:
        out = np.zeros((1, len(values)))
        reactions.add_sources(0.0, values[None], out)
        return out[0]

    done = solve_ivp(slope, (0, time), initial, method="DOP853", rtol=1e-11, atol=1e-13)
    return np.asarray(done.y[:, -1])


@pytest.mark.parametrize(("dim", "cells", "ratio"), [(1, 100, 4.3), (2, 40, 3.2), (3, 20, 1.6)])
def test_uniform_start_decays_by_mass_action_away_from_walls(
    dim: int, cells: int, ratio: float
) -> None:
    space, sigma = lagrange_space(box(dim, cells), 1), ratio / cells
    average, weights = averaging(space, sigma)
    k, time = 2.0, 0.2
    values = decayed(average, np.ones(len(weights)), k / ball_volume(dim, sigma), time)
    x = positions(space)
    middle = np.argmin(((x - 0.5) ** 2).sum(axis=1))
    assert values[middle] == pytest.approx(1 / (1 + k * time), rel=1e-6)
    corner = np.argmin((x**2).sum(axis=1))
    assert 1 / (1 + k * time) + 0.05 < values[corner] < 1


@pytest.mark.parametrize(("dim", "cells"), [(1, 160), (2, 64), (3, 20)])
def test_small_radius_tends_to_mass_action_at_second_order_in_the_interior(
    dim: int, cells: int
) -> None:
    """At fixed V_sigma lambda_0, without diffusion, far from walls: eq. 22-23."""
    k, time, errors = 2.0, 0.5, []
    space = lagrange_space(box(dim, cells), 1)
    x = positions(space)
    initial = 1 + 0.5 * np.prod(np.sin(pi * x), axis=1)
    middle = np.argmin(((x - 0.5) ** 2).sum(axis=1))
    sigmas = np.array([2.4, 3.2, 4.2]) / cells
    for sigma in sigmas:
        average, _ = averaging(space, sigma)
        found = decayed(average, initial, k / ball_volume(dim, sigma), time)[middle]
        errors.append(abs(found - initial[middle] / (1 + k * time * initial[middle])))
    assert order(sigmas, errors) == pytest.approx(2, abs=0.15)


def amount_left(
    sigma: float | None, initial: Callable[[Array], Array], time: float, layer: float = 0.0
) -> float:
    """Amount of A left by 2 A -> 0 with diffusion 1 and k = 4 on the unit line.

    Without a radius, mass action, with a supply of ``layer`` k c^2 at both walls.
    """
    space = lagrange_space(box(1, 200), 1)
    weights, k = weights_of(space), 4.0
    u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
    matrix = fem_petsc.assemble_matrix(fem.form(ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx))
    matrix.assemble()
    count = len(weights)
    diffusion = matrix.getValues(range(count), range(count)) / weights[:, None]
    x = positions(space)[:, 0]
    walls = np.where((x < 1e-9) | (x > 1 - 1e-9), layer / weights, 0.0)
    local = np.diag(1.0 - walls)
    ball = local if sigma is None else dense(averaging(space, sigma)[0]) / (2 * sigma)

    def slope(_: float, c: Array) -> Array:
        return -diffusion @ c - k * c * (ball @ c)

    def jacobian(_: float, c: Array) -> Array:
        return -diffusion - k * (np.diag(ball @ c) + c[:, None] * ball)

    done = solve_ivp(
        slope, (0, time), initial(x), method="Radau", jac=jacobian, rtol=1e-9, atol=1e-11
    )
    return float(weights @ done.y[:, -1])


def test_walls_make_the_limit_first_order_and_a_supply_at_them_accounts_for_it() -> None:
    """The loss that is missing at a wall is that of a layer of depth sigma/4, supplied there."""
    sigmas = np.array([0.04, 0.06, 0.09])
    exact = amount_left(None, np.ones_like, 0.1)
    bare, corrected = [], []
    for sigma in sigmas:
        found = amount_left(float(sigma), np.ones_like, 0.1)
        supplied = amount_left(None, np.ones_like, 0.1, MEAN_DEPTH[1] * float(sigma))
        bare.append(found - exact)
        corrected.append(abs(found - supplied))
    assert order(sigmas, bare) == pytest.approx(1, abs=0.15)
    # gradients are of first order, and a source within sigma of a wall acts as if it were there
    assert order(sigmas, corrected) == pytest.approx(3, abs=0.25)
    assert max(corrected) < 0.1 * max(bare)


def test_limit_is_second_order_with_diffusion_where_walls_do_not_matter() -> None:
    def peak(x: Array) -> Array:
        return 4 * np.exp(-((x - 0.5) ** 2) / (2 * 0.08**2))

    sigmas = np.array([0.02, 0.03, 0.045])
    exact = amount_left(None, peak, 0.005)
    errors = [amount_left(float(sigma), peak, 0.005) - exact for sigma in sigmas]
    assert order(sigmas, errors) == pytest.approx(2, abs=0.15)


def order(sigmas: Array, errors: list[float]) -> float:
    """Slope of the errors over the radii, both logarithmic."""
    return float(np.polyfit(np.log(sigmas), np.log(errors), 1)[0])
