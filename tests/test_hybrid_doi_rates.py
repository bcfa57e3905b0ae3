"""Rates of particles for rate constants of equations, and what they say they cannot do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import solve_banded
from scipy.sparse import block_array, diags_array
from scipy.sparse.linalg import spsolve

from fem_rd.chemistry.equations import mass_action
from fem_rd.errors import CaseError
from fem_rd.exact.doi import doi_rate
from fem_rd.exact.validity import OutOfRange
from fem_rd.expressions.expression import Expression
from fem_rd.hybrid.doi_rates import Motion, ball_volume, doi_rates, rate_lost

MOVING = {"A": 0.7, "B": 0.5, "C": 0.4, "D": 0.3}


def particle_rates(equations, radii, dimension=3, chemostats=None, **motion):
    network = mass_action(equations, chemostats=chemostats)
    given = {"diffusion": MOVING, "dt": 1e-6, "duration": 1e-3} | motion
    found = doi_rates(network, radii, Motion(dimension, **given))
    return {each.name: each.rate.value for each in found.network.reactions}, found


@pytest.mark.parametrize("fraction", [1e-3, 0.3, 0.95])
def test_pairs_have_the_rate_constant_in_three_dimensions(fraction):
    k = fraction * 4 * math.pi * 1.2 * 0.6
    rates, found = particle_rates({"a": ("A + B -> C", k)}, {"a": 0.6})
    assert doi_rate(0.6, 1.2, rates["a"]) == pytest.approx(k, rel=1e-10)
    volume = 4 / 3 * math.pi * 0.6**3
    assert found.multipliers["a"] == pytest.approx(rates["a"] * volume / k, rel=1e-12)


def test_equal_molecules_have_their_own_factor():
    # dc/dt = -2 k c^2: each meets others at the rate 2 k c, by pairs that react at 2 k'
    rates, _ = particle_rates({"a": ("2 A -> 0", 0.9)}, {"a": 0.6})
    assert doi_rate(0.6, 1.4, 2 * rates["a"]) == pytest.approx(1.8, rel=1e-10)
    plane, _ = particle_rates({"a": ("2 A -> 0", 0.9)}, {"a": 0.6}, 2)
    assert plane["a"] == pytest.approx(0.9 / (math.pi * 0.36), rel=1e-12)


def test_chemostats_are_factors():
    rates, _ = particle_rates({"a": ("F + A + B -> C", 0.5)}, {"a": 0.6}, chemostats={"F": 3.0})
    assert doi_rate(0.6, 1.2, 3.0 * rates["a"]) == pytest.approx(1.5, rel=1e-10)


@pytest.mark.parametrize(("dimension", "volume"), [(1, 1.2), (2, math.pi * 0.36)])
def test_small_limit_in_one_and_two_dimensions(dimension, volume):
    rates, found = particle_rates({"a": ("A + B <-> C", 0.01, 0.2)}, {"a": 0.6}, dimension)
    assert rates == pytest.approx({"a": 0.01 / volume, "a_reverse": 0.2}, rel=1e-12)
    assert found.warnings == () and found.multipliers == {"a": 1.0, "a_reverse": 1.0}
    assert ball_volume(dimension, 0.6) == pytest.approx(volume)


def test_what_undoes_a_reaction_keeps_the_equilibrium():
    k, back = 5.0, 0.4
    rates, found = particle_rates({"a": ("A + B <-> C", k, back), "b": ("C -> 0", 1.0)}, {"a": 0.6})
    assert rates["a"] * ball_volume(3, 0.6) / rates["a_reverse"] == pytest.approx(k / back)
    # a pair that parts uniformly in the ball escapes with the probability K/(lambda_0 V)
    escape = k / (rates["a"] * ball_volume(3, 0.6))
    assert rates["a_reverse"] * escape == pytest.approx(back, rel=1e-12)
    assert 0.3 < escape < 0.7
    m = pytest.approx(1 / escape, rel=1e-12)
    assert found.multipliers == {"a": m, "a_reverse": m, "b": 1.0} and rates["b"] == 1.0


def test_pairs_that_turn_into_pairs():
    # against the two coupled equations: pairs AB held far away, none of CD
    forth, back, sigma = 3.0, 1.0, 0.6
    rates, found = particle_rates({"a": ("A + B <-> C + D", forth, back)},
                                  {"a": sigma, "a_reverse": sigma})  # fmt: skip
    edges = np.concatenate([np.linspace(0, sigma, 801), np.geomspace(sigma, 50.0, 2001)[1:]])
    middle = (edges[1:] + edges[:-1]) / 2
    volume = 4 / 3 * np.pi * np.diff(edges**3) * (middle < sigma)
    # what flows from r to r' is 4 pi D/(1/r - 1/r') times the difference, also to infinity
    across = 4 * np.pi / -np.diff(1 / np.append(middle, np.inf))
    still = diags_array([np.append(0, across[:-1]) + across, -across[:-1], -across[:-1]],
                        offsets=[0, 1, -1])  # fmt: skip
    on, off = diags_array(rates["a"] * volume), diags_array(rates["a_reverse"] * volume)
    matrix = block_array([[1.2 * still + on, -off], [-on, 0.7 * still + off]]).tocsc()
    source = np.zeros(2 * middle.size)
    source[middle.size - 1] = 1.2 * across[-1]
    pairs = spsolve(matrix, source)[: middle.size]
    assert 1.2 * across[-1] * (1 - pairs[-1]) == pytest.approx(forth, rel=1e-4)
    assert rates["a"] / rates["a_reverse"] == pytest.approx(forth / back, rel=1e-12)
    assert found.multipliers["a"] == pytest.approx(found.multipliers["a_reverse"], rel=1e-12)


def test_pairs_that_stay_are_not_used_up():
    rates, _ = particle_rates({"a": ("A + B -> A + B + C", 500.0)}, {"a": 0.6})
    assert rates["a"] == pytest.approx(500.0 / ball_volume(3, 0.6), rel=1e-12)


def test_others_stay_as_they_are():
    found = particle_rates({"in": ("0 -> A", 3.0), "out": ("A -> 0", 0.2),
                            "a": ("A + B -> B", 0.1)}, {"a": 0.6})[0]  # fmt: skip
    assert found["in"] == 3.0 and found["out"] == 0.2


def test_rates_that_depend_on_time():
    rate = Expression.parse("0.01*(1 + t)", names=("t",), where=None)
    network = mass_action({"a": ("A + B -> C", rate)})
    found = doi_rates(network, {"a": 0.5}, Motion(1, MOVING, 1e-6, 1e-3)).network.reactions[0]
    assert found.rate.evaluate({"t": 2.0}) == pytest.approx(0.03)
    with pytest.raises(CaseError, match="is a number"):
        doi_rates(network, {"a": 0.5}, Motion(3, MOVING, 1e-6, 1e-3))


def radial_rate(dimension: int, rate: float, sigma: float, diffusion: float, time: float) -> float:
    """K(t)/k of Doi's target with uniform partners: finite volumes, implicit steps."""
    outer = sigma + 8 * math.sqrt(diffusion * time)
    beyond = sigma + (outer - sigma) * np.linspace(0, 1, 1500)[1:] ** 2
    edges = np.concatenate([np.linspace(0, sigma, 60), beyond])
    volume = ball_volume(dimension, 1.0) * np.diff(edges**dimension)
    middle = (edges[1:] + edges[:-1]) / 2
    area = dimension * ball_volume(dimension, 1.0) * edges[1:-1] ** (dimension - 1)
    across = diffusion * area / np.diff(middle)
    inside = middle < sigma
    speed = rate / ball_volume(dimension, sigma)
    c, steps = np.ones(middle.size), 4000
    times = time * np.linspace(0, 1, steps + 1) ** 2
    for dt in np.diff(times):
        bands = np.zeros((3, c.size))
        bands[0, 1:] = bands[2, :-1] = -across * dt
        bands[1] = volume * (1 + dt * speed * inside)
        bands[1, :-1] += across * dt
        bands[1, 1:] += across * dt
        c = solve_banded((1, 1), bands, volume * c)
    return float(speed * (volume * c)[inside].sum() / rate)


@pytest.mark.parametrize(
    ("dimension", "rate", "time"),
    [(1, 0.2, 40.0), (1, 1.0, 400.0), (2, 0.3, 40.0), (2, 1.5, 400.0)],
)
def test_rate_lost_is_that_of_uniform_partners(dimension, rate, time):
    found = rate_lost(dimension, rate, 0.5, 0.8, time)
    lost = 1 - radial_rate(dimension, rate, 0.5, 0.8, time)
    assert found == pytest.approx(lost, rel=0.03)
    assert 0.05 < lost < 0.97


def test_warnings_have_numbers():
    _, found = particle_rates({"a": ("A + B -> 0", 2.0)}, {"a": 0.5}, 2, duration=50.0)
    (text,) = found.warnings
    assert f"{rate_lost(2, 2.0, 0.5, 1.2, 50.0):.1%} less often" in text and text.startswith("a:")
    assert f"{0.5 * math.sqrt(2.0 / (math.pi * 0.25) / 1.2):.3g}" in text
    _, found = particle_rates({"a": ("A + B -> 0", 0.1)}, {"a": 0.5}, 1, duration=50.0)
    assert "less often" in found.warnings[0] and "1D" in found.warnings[0]
    still = {"A": 0.0, "B": 0.0}
    _, found = particle_rates({"a": ("A + B -> 0", 0.1)}, {"a": 0.5}, 1, diffusion=still)
    assert "do not move" in found.warnings[0]


def test_steps_are_checked():
    # sigma < 3 sqrt(2 D dt), on both sides of the limit
    limit = (0.6 / 3) ** 2 / 2.4
    assert particle_rates({"a": ("A + B -> C", 0.5)}, {"a": 0.6}, dt=0.99 * limit)[1].warnings == ()
    (text,) = particle_rates({"a": ("A + B -> C", 0.5)}, {"a": 0.6}, dt=1.01 * limit)[1].warnings
    assert "a third of the radius" in text


def test_what_pairs_cannot_do():
    k = 1.01 * 4 * math.pi * 1.2 * 0.6
    with pytest.raises(CaseError, match="do not meet so often") as caught:
        particle_rates({"a": ("A + B -> C", k)}, {"a": 0.6})
    assert caught.value.key == "chemistry.reactions.a.radius" and "0.606" in str(caught.value)
    # the radius that it names for s = 1 has just that
    radius = float(str(caught.value).split("; ")[-1].split(" has")[0])
    rates, _ = particle_rates({"a": ("A + B -> C", k)}, {"a": radius})
    assert radius * math.sqrt(rates["a"] / 1.2) == pytest.approx(1.0, rel=2e-3)
    with pytest.raises(CaseError, match="within a radius"):
        particle_rates({"a": ("A + B -> C", 0.1)}, {})
    with pytest.raises(CaseError, match="do not move"):
        particle_rates({"a": ("A + B -> C", 0.1)}, {"a": 0.6}, diffusion={"A": 0.0, "B": 0.0})
    with pytest.raises(CaseError, match="one radius in both directions"):
        particle_rates({"a": ("A + B <-> C + D", 1.0, 1.0)}, {"a": 0.6, "a_reverse": 0.5})
    with pytest.raises(CaseError, match="radius of a reaction"):
        particle_rates({"a": ("A + B -> C", 0.1)}, {"a": -0.6}, 2)
    with pytest.raises(OutOfRange):
        rate_lost(3, 1.0, 1.0, 1.0, 1.0)
