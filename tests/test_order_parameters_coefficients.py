"""Friction, theta, gamma, potential of mean force and D(R) of particles whose are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fem_rd.errors import CaseError, NumericalError
from fem_rd.order_parameters import langevin_kernels
from fem_rd.order_parameters.analysis import Choices, Coefficients, Series, analyse
from fem_rd.order_parameters.green_kubo import (
    Plateau,
    correlation,
    einstein,
    find_plateau,
    friction,
    friction_of,
    green_kubo,
    running_integral,
)
from fem_rd.order_parameters.langevin import (
    Landscape,
    Trajectories,
    simulate_brownian,
    simulate_inertial,
)
from fem_rd.order_parameters.mean_force import (
    Bins,
    local_diffusion,
    mean_force,
    potential_by_force,
    potential_by_histogram,
    potential_of,
    visited,
)
from fem_rd.order_parameters.statistics import Array, Estimate, in_blocks, jackknife

ZETA, MASS, HEAT, BARRIER = 3.0, 1.5, 0.8, 1.5  # friction, mass, k_B T, barrier in k_B T
POINTS = np.linspace(-2.5, 2.5, 2001)


def double_well(points: Array) -> Array:
    return np.asarray(HEAT * BARRIER * (points**2 - 1) ** 2)


def force(points: Array) -> Array:
    return np.asarray(-4 * HEAT * BARRIER * points * (points**2 - 1))


@pytest.fixture(scope="module")
def inertial() -> Trajectories:
    """40 particles in the double well, with inertia."""
    start = np.repeat([-1.0, 1.0], 20)
    made = simulate_inertial(
        Landscape(POINTS, double_well(POINTS), 1.0), start, mass=MASS, friction=ZETA,
        temperature=HEAT, dt=0.01, frames=60000, stride=2, seed=5,
    )  # fmt: skip
    assert made.velocities is not None
    return Trajectories(made.dt, made.places[:, 2000:], made.velocities[:, 2000:])


@pytest.fixture(scope="module")
def found(inertial: Trajectories) -> Coefficients:
    series = Series(inertial.dt, inertial.places, inertial.velocities)
    return analyse(series, Choices(temperature=HEAT, mass=MASS, blocks=40, bins=50, lags=200))


def within(estimate: Estimate, exact: float, most: float) -> None:
    """Within 3 standard errors, and these small and not absurdly so."""
    error = estimate.standard_error
    assert abs(estimate.number - exact) < 3 * error
    assert exact * most / 50 < error < exact * most


def test_random_words_are_the_known_answers() -> None:
    words = [int(word) for word in langevin_kernels.philox(0, 0, 0)]
    assert words == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = 2**64 - 1
    words = [int(w) for w in langevin_kernels.philox(np.uint64(ones), np.uint64(ones), np.uint64(ones))]  # noqa: E501
    assert words == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def test_replicas_do_not_depend_on_their_number() -> None:
    flat = Landscape(POINTS, 0 * POINTS, 1.0)
    few, many = (
        simulate_brownian(flat, np.zeros(count), dt=0.01, frames=5, seed=2).places
        for count in (3, 8)
    )
    assert np.array_equal(few, many[:3]) and not np.array_equal(many[0], many[1])
    other = simulate_brownian(flat, np.zeros(3), dt=0.01, frames=5, seed=3).places
    assert not np.any(few == other)


def test_trajectories_are_kept_as_plain_arrays(tmp_path: Path, inertial: Trajectories) -> None:
    part = Trajectories(inertial.dt, inertial.places[:2, :9])
    part.save(tmp_path / "run.npz")
    again = Trajectories.load(tmp_path / "run.npz")
    assert np.array_equal(again.places, part.places) and again.velocities is None


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    blocks = np.random.default_rng(1).normal(size=12)
    found = jackknife(lambda mean: mean, blocks)
    assert found.number == pytest.approx(blocks.mean(), rel=1e-14)
    assert found.standard_error == pytest.approx(blocks.std(ddof=1) / 12**0.5, rel=1e-12)


def test_correlations_by_the_fast_transform_are_those_by_hand() -> None:
    late, early = np.random.default_rng(1).normal(size=(2, 3, 50))
    found = correlation(late, early, 7)
    for lag in range(8):
        direct = np.mean(late[:, lag:] * early[:, : 50 - lag], axis=1)
        assert found[:, lag] == pytest.approx(direct, abs=1e-13)


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_the_memory_kernel_is_found_with_order_two(memory: float) -> None:
    """A free particle with the kernel (zeta/memory) e^(-t/memory), or without memory."""
    errors = []
    for dt in (0.02, 0.01):
        times = np.arange(round(4 / dt) + 1) * dt
        speeds = _free_velocity(times, memory)
        integral = friction(speeds, np.zeros_like(speeds), MASS, dt)
        middle = times[:-1] + 0.5 * dt
        exact = ZETA * (1 - np.exp(-middle / memory)) if memory else np.full(len(middle), ZETA)
        errors.append(np.abs(integral - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.15)


def _free_velocity(times: Array, memory: float) -> Array:
    """C_VV of the generalised Langevin equation with one exponential."""
    if memory == 0.0:
        return np.asarray(HEAT / MASS * np.exp(-ZETA / MASS * times))
    roots = np.roots([1.0, 1.0 / memory, ZETA / (MASS * memory)])
    weights = [(root + 1 / memory) / (2 * root + 1 / memory) for root in roots]
    curves = sum(w * np.exp(root * times) for w, root in zip(weights, roots, strict=True))
    return np.asarray(HEAT / MASS * np.real(curves))


def test_the_mean_force_is_taken_out_of_the_kernel() -> None:
    """A damped oscillator, exactly: C_fV = -k int C_VV, and the plain integrals vanish."""
    dt, stiffness, rate = 0.005, 6.0, ZETA / MASS
    times = np.arange(4001) * dt
    omega = (stiffness / MASS - rate**2 / 4) ** 0.5
    damped = np.exp(-0.5 * rate * times)
    speeds = damped * (np.cos(omega * times) - rate / (2 * omega) * np.sin(omega * times))
    speeds *= HEAT / MASS
    pulls = -stiffness * HEAT / MASS * damped * np.sin(omega * times) / omega
    found = friction(speeds, pulls, MASS, dt)
    assert found == pytest.approx(np.full(4000, ZETA), rel=2e-4)
    assert abs(running_integral(speeds, dt)[-1]) < 1e-5  # gamma without projection: zero


def test_gamma_and_theta_of_a_langevin_particle(found: Coefficients) -> None:
    assert found.friction is not None
    within(found.friction.zeta, ZETA, 0.02)
    within(found.friction.theta, HEAT * ZETA, 0.02)
    within(found.friction.diffusion, HEAT / ZETA, 0.02)
    within(found.friction.gamma, MASS**2 * HEAT / ZETA, 0.02)
    assert found.diffusion.value == pytest.approx(np.full(50, found.friction.diffusion.number))


def test_the_plain_integral_of_the_momentum_is_no_diffusion(found: Coefficients) -> None:
    """In a well it rises to less than D and falls; the projected one stays (eq. 28)."""
    plain = found.curves["velocity_integral"]
    exact = HEAT / ZETA
    assert plain.value.max() < 0.8 * exact
    assert plain.value[-1] < 0.5 * plain.value.max()


def test_the_mean_force_of_a_bound_particle_ends_at_theta() -> None:
    """int <f(R(0)) f(R(s))> ds = theta in a well: no velocity is needed."""
    stiffness = 4.0
    points = np.linspace(-5, 5, 1001)
    shape = Landscape(points, 0.5 * stiffness * points**2, 1.0)
    made = simulate_inertial(
        shape, np.zeros(100), mass=MASS, friction=ZETA, temperature=HEAT, dt=0.02,
        frames=10000, stride=2, seed=9,
    )  # fmt: skip
    _, plain = green_kubo(-stiffness * made.places[:, 200:], made.dt, 150)
    within(Estimate(plain.value[-1], plain.error[-1]), HEAT * ZETA, 0.04)
    assert plain.value.max() > 1.1 * HEAT * ZETA  # before it has come round


def test_mass_by_equipartition(inertial: Trajectories) -> None:
    series = Series(inertial.dt, inertial.places, inertial.velocities)
    found = analyse(series, Choices(temperature=HEAT, blocks=40, lags=100))
    assert found.mass is not None and found.friction is not None
    within(found.mass, MASS, 0.02)
    within(found.friction.theta, HEAT * ZETA, 0.03)


def test_a_free_particle_by_three_routes() -> None:
    """Friction, Einstein's relation and the plain Green-Kubo integral agree."""
    flat = Landscape(np.linspace(-1, 1, 3), np.zeros(3), 1.0)
    made = simulate_inertial(
        flat, np.zeros(100), mass=MASS, friction=ZETA, temperature=HEAT, dt=0.02,
        frames=15000, stride=2, seed=8,
    )  # fmt: skip
    assert made.velocities is not None
    series = Series(made.dt, made.places, made.velocities)
    found = analyse(series, Choices(temperature=HEAT, mass=MASS, free=True, blocks=100, lags=150))
    assert found.potential is None and found.friction is not None
    within(found.friction.diffusion, HEAT / ZETA, 0.02)
    within(einstein(made.places, made.dt, 100, 400), HEAT / ZETA, 0.04)
    _, plain = green_kubo(made.velocities, made.dt, 150)
    within(Estimate(plain.value[-1], plain.error[-1]), HEAT / ZETA, 0.03)


def test_standard_errors_cover() -> None:
    """Deviations of 60 independent analyses are as large as their errors say."""
    flat = Landscape(np.linspace(-1, 1, 3), np.zeros(3), 1.0)
    made = simulate_inertial(
        flat, np.zeros(600), mass=MASS, friction=ZETA, temperature=HEAT, dt=0.02,
        frames=2000, stride=2, seed=11,
    )  # fmt: skip
    assert made.velocities is not None
    deviations = []
    for speeds in made.velocities.reshape(60, 10, -1):
        blocks = in_blocks(speeds, 20)
        found = friction_of(
            blocks, np.zeros_like(blocks), temperature=HEAT, dt=made.dt, lags=60, mass=MASS,
            plateau=Plateau(0.4, 1.2),
        ).theta  # fmt: skip
        deviations.append((found.number - HEAT * ZETA) / found.standard_error)
    z = np.array(deviations)
    assert abs(z.mean()) < 3 / 60**0.5 + 0.1
    assert 0.75 < z.std() < 1.4  # 1.05 with the t distribution of 20 blocks, +- 0.1


def test_a_plateau_is_where_nothing_changes_any_more() -> None:
    times = (np.arange(400) + 0.5) * 0.05
    noise = 0.01 * np.random.default_rng(2).normal(size=(20, 400))
    rising = 2.0 * (1 - np.exp(-times / 0.5)) + 0.003 * noise
    found = find_plateau(times, rising)
    assert 1.0 < found.begin < 4.0 and found.end == pytest.approx(2 * found.begin)
    assert found.mean(times, rising) == pytest.approx(2.0, rel=0.03)
    with pytest.raises(NumericalError, match=r"no plateau within a lag of 19\.975"):
        find_plateau(times, times + 0.001 * noise)


def test_the_potential_by_two_routes(inertial: Trajectories, found: Coefficients) -> None:
    """By the histogram, and by the mean of dP/dt: both within their errors."""
    assert inertial.velocities is not None
    speeds, places = inertial.velocities, inertial.places
    change = MASS * (speeds[:, 2:] - speeds[:, :-2]) / (2 * inertial.dt)
    middle = 0.5 * (speeds[:, 2:] + speeds[:, :-2])
    pulled = in_blocks(change + ZETA * middle, 40)  # what is left is f and noise, mean f
    at = in_blocks(places[:, 1:-1], 40)
    bins = visited(at, 40, 400)
    for route in (
        potential_by_histogram(at, bins, HEAT),
        potential_by_force(at, pulled, bins, HEAT),
    ):
        z = _aligned(route, bins)
        assert len(z) == 40
        # neighbours go together, and all with the populations of the wells: no chi-square
        assert np.abs(z).max() < 4.5 and 0.1 < np.mean(z**2) < 4.0
    slope = mean_force(at, pulled, bins, HEAT)
    z = (slope.value - force(bins.centres)) / slope.error
    assert np.abs(z[2:-2]).max() < 4.0 and 0.4 < np.mean(z[2:-2] ** 2) < 2.0
    assert found.potential is not None


def _aligned(potential: Estimate, bins: Bins) -> Array:
    """Deviations from the double well in standard errors, apart from a constant."""
    off = potential.value - double_well(bins.centres)
    weights = np.exp(-potential.value / HEAT)
    return np.asarray((off - np.average(off, weights=weights)) / potential.error)


def test_means_over_bins_are_undone_with_order_four() -> None:
    errors = []
    for count in (20, 40):
        edges = np.linspace(-1.2, 1.2, count + 1)
        fine = np.linspace(edges[:-1], edges[1:], 201)
        means = np.trapezoid(np.exp(-double_well(fine) / HEAT), fine, axis=0)
        centres = 0.5 * (edges[1:] + edges[:-1])
        off = potential_of(means, edges[1] - edges[0], HEAT) - double_well(centres)
        inner = np.abs(centres) < 0.8
        errors.append(np.ptp(off[inner]))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.3)


@pytest.fixture(scope="module")
def brownian() -> Trajectories:
    """300 particles without inertia in a harmonic well, D = 1 + R^2/2 (units of k_B T)."""
    points = np.linspace(-6, 6, 2401)
    shape = Landscape(points, 0.5 * points**2, 1 + points**2 / 2)
    start = np.random.default_rng(0).normal(size=300)
    return simulate_brownian(shape, start, dt=5e-4, frames=20000, stride=4, seed=4)


def test_a_place_dependent_diffusion_keeps_boltzmann(brownian: Trajectories) -> None:
    """The drift D' is what does it: without it the density would be e^-U / D."""
    at, bins = brownian.places, Bins(-2.5, 2.5, 25)
    found = potential_by_histogram(at, bins, 1.0)
    off = found.value - 0.5 * bins.centres**2
    off -= np.average(off, weights=np.exp(-found.value))
    z = off / found.error
    assert np.abs(z).max() < 4.0 and np.mean(z**2) < 2.5
    assert found.error.min() < 0.02  # e^-U / D would be off by ln 4 = 1.4 at the ends


def test_diffusion_from_displacements(brownian: Trajectories) -> None:
    bins = Bins(-2.0, 2.0, 20)
    found = local_diffusion(brownian.places, bins, brownian.dt, (2, 4, 6, 8))
    edges = bins.edges  # what is found is the mean over the bin, weighted with e^-U
    fine = np.linspace(edges[:-1], edges[1:], 101)
    weight = np.exp(-(fine**2) / 2)
    exact = np.sum((1 + fine**2 / 2) * weight, axis=0) / np.sum(weight, axis=0)
    z = (found.value - exact) / found.error
    assert np.abs(z).max() < 4.0 and 0.3 < np.mean(z**2) < 2.0
    assert (found.error / exact).max() < 0.02


def test_a_drift_is_no_diffusion() -> None:
    """Displacements 0.02 + noise of variance 2e-4: D = 1e-4 at any lag, in frames."""
    noise = np.random.default_rng(4).normal(scale=2e-4**0.5, size=(20, 2000))
    places = np.cumsum(0.02 + noise, axis=1)
    found = local_diffusion(places, Bins(-1.0, 60.0, 1), 1.0, (5,))
    assert abs(found.value[0] - 1e-4) < 3 * found.error[0] < 1e-5


def test_too_little_is_refused() -> None:
    with pytest.raises(NumericalError, match="do not make 20 blocks"):
        in_blocks(np.zeros((1, 30)), 20)
    with pytest.raises(NumericalError, match="are too short for lags"):
        green_kubo(np.zeros((4, 20)), 1.0, 10)
    with pytest.raises(NumericalError, match="in one block only"):
        potential_by_histogram(np.array([[0.1, 0.2], [0.6, 0.7]]), Bins(0.0, 1.0, 2), 1.0)
    with pytest.raises(NumericalError, match="does not visit each of 10 bins"):
        visited(np.array([[0.0, 0.01, 1.0, 0.99]]), 10, 1)
    with pytest.raises(NumericalError, match="needs velocities"):
        analyse(Series(1.0, np.random.default_rng(0).normal(size=(4, 400))), Choices(route="friction"))  # noqa: E501
    with pytest.raises(NumericalError, match="no lag lies in the plateau"):
        Plateau(5.0, 6.0).mean(np.arange(3.0), np.zeros(3))
    with pytest.raises(CaseError, match="equally spaced"):
        Landscape(np.array([0.0, 1.0, 3.0]), np.zeros(3), 1.0)
    with pytest.raises(CaseError, match="must be positive"):
        Landscape(np.array([0.0, 1.0, 2.0]), np.zeros(3), np.array([1.0, 0.0, 1.0]))
