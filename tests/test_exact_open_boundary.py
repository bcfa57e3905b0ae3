"""Open boundaries: layers, crossings, ends of steps and numbers, digit by digit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfc

from fem_rd.exact import open_boundary as layer
from fem_rd.exact import open_crossing as crossing
from fem_rd.exact import open_end_of_step as end
from fem_rd.exact import open_layer_step as step
from fem_rd.exact import open_layer_transient as transient
from fem_rd.exact import open_numbers as numbers

STAR = 1.199678640258


def digits(value: float, places: int = 10) -> object:
    """Equal in all printed decimal places."""
    return pytest.approx(value, rel=0, abs=0.6 * 10**-places)


@pytest.mark.parametrize(
    ("strength", "plane"),
    [(0.5, -3.3279068275), (1, -0.3130352855), (2, 0.4813426396), (3, 0.6650100589)],
)
def test_effective_plane(strength, plane):
    assert layer.effective_plane(strength) == digits(plane)
    assert layer.strength_for_plane(plane) == pytest.approx(strength, rel=1e-9)


def test_effective_plane_by_finite_volumes():
    """Flux 1 from outside, 400 cells in the layer and as many outside; second order in the cell."""
    cells, s = 400, 1.0
    h, size = 1 / cells, 800
    loss = np.where(np.arange(size) < cells, s**2 * h, 0.0)
    matrix = np.diag(loss + np.r_[1, np.full(size - 2, 2), 1] / h)
    matrix -= (np.eye(size, k=1) + np.eye(size, k=-1)) / h
    u = np.linalg.solve(matrix, np.r_[np.zeros(size - 1), 1.0])
    x = h * (np.arange(size) + 0.5)
    assert x[-1] - u[-1] == digits(-0.31303650, 8)
    assert x[-1] - u[-1] == pytest.approx(layer.effective_plane(s), abs=2e-6)


def test_matched_layer_and_its_rates():
    assert layer.matched_strength() == digits(STAR, 12)
    assert layer.layer_rate(0.2, STAR, 3.0) == digits(1.439228839892 * 3 / 0.04, 9)
    assert layer.layer_strength(0.2, 25.0, 1.0) == pytest.approx(1.0)
    half = layer.strength_for_plane(0.5)
    assert half == digits(2.0653381390) and half**2 == digits(4.2656216283)


def test_flux_between_two_layers():
    planes = (layer.effective_plane(1) * 0.2,) * 2
    assert layer.slab_flux(1, 1, 400, 0, planes) == digits(355.488, 3)
    assert layer.slab_flux(1, 1, 400, 0) == 400


def test_other_layers():
    assert layer.plateau_of_absorbing_layer(1) == digits(0.352, 3)
    for s, shift in [(1, 0.8509), (STAR, 0.5524), (3, 0.0333), (5, 0.0027)]:
        assert layer.gradient_offset(s, 1.0, 1.0) == digits(shift, 4)
    # a uniform reservoir: c - c_R at the inner face is what the effective plane says
    assert layer.gradient_offset(2.0, 0.0, 1.0) == pytest.approx(1 - layer.effective_plane(2.0))


SPHERES = [
    (0.02, 1.2047940790, 1.4515287729, 1.1946182975, 1.4271128768, 1.0065581412, 0.9940215078),
    (0.05, 1.2125723611, 1.4703317309, 1.1871293048, 1.4092759864, 1.0175891085, 0.9860468714),
    (0.10, 1.2258235860, 1.5026434640, 1.1749117376, 1.3804175911, 1.0396385648, 0.9750967137),
    (0.20, 1.2534535811, 1.5711458799, 1.1514238796, 1.3257769506, 1.1018838995, 0.9603315652),
    (0.30, 1.2826838855, 1.6452779501, 1.1291237146, 1.2749203628, 1.2014286316, 0.9528395791),
]
PLANAR_ON_SPHERES = [
    (0.02, 1.0001246, 1.0001197),
    (0.05, 1.0008031, 1.0007266),
    (0.10, 1.0033909, 1.0027744),
    (0.20, 1.0152592, 1.0101728),
    (0.30, 1.0392379, 1.0211281),
]


@pytest.mark.parametrize("row", SPHERES)
def test_matched_spheres(row):
    eps, s_in, gamma_in, s_out, gamma_out, r_in, r_out = row
    found = layer.matched_strength_sphere(eps, inside=True)
    assert (found, found**2) == (digits(s_in), digits(gamma_in))
    assert layer.effective_radius(found, eps, inside=True) == pytest.approx(1, abs=1e-12)
    found = layer.matched_strength_sphere(eps, inside=False)
    assert (found, found**2) == (digits(s_out), digits(gamma_out))
    assert layer.effective_radius(found, eps, inside=False) == pytest.approx(1, abs=1e-12)
    assert layer.effective_radius(1, eps, inside=True) == digits(r_in)
    assert layer.effective_radius(1, eps, inside=False) == digits(r_out)


@pytest.mark.parametrize("row", PLANAR_ON_SPHERES)
def test_planar_match_on_spheres(row):
    eps, r_in, r_out = row
    assert layer.effective_radius(STAR, eps, inside=True) == digits(r_in, 7)
    assert layer.effective_radius(STAR, eps, inside=False) == digits(r_out, 7)


def test_cylinders_and_modes():
    rows = [(True, 1.2129473169, 1.4712411935), (False, 1.1874524636, 1.4100433533)]
    for inside, s, gamma in rows:
        found = layer.matched_strength_cylinder(0.1, inside=inside)
        assert (found, found**2) == (digits(s), digits(gamma))
    for match in (layer.matched_strength_sphere, layer.matched_strength_cylinder):
        thin = [match(1e-5, inside=side) - STAR for side in (True, False)]
        assert thin[0] == pytest.approx(-thin[1], rel=1e-3)
        assert 0 < thin[0] < 3e-6
    s = layer.matched_strength_sphere(0.1, inside=True)
    for mode, radius in [(1, 0.99962207), (2, 0.99887749), (4, 0.99638696)]:
        assert layer.effective_radius_of_mode(s, 0.1, mode) == digits(radius, 8)
    assert layer.effective_radius_of_mode(0.7, 0.1, 0) == pytest.approx(
        layer.effective_radius(0.7, 0.1, inside=True), rel=1e-12
    )


FILLING = [
    (1.0, 0.0, [0.10783036, 0.40528794, 0.74241686, 0.86992071]),
    (STAR, 0.0, [0.14162175, 0.46666105, 0.77611061, 0.88738229]),
    (STAR, 0.280385580, [0.17805135, 0.47798073, 0.77696877, 0.88749156]),
]


@pytest.mark.parametrize(("strength", "filled", "expected"), FILLING)
def test_filling_of_a_half_line(strength, filled, expected):
    assert transient.filling(2.0, [1, 4, 25, 100], strength, filled) == digits_of(expected, 8)


def digits_of(values: list[float], places: int) -> object:
    return pytest.approx(np.array(values), rel=0, abs=0.6 * 10**-places)


def test_filling_at_second_order():
    found = transient.filling_of_dirichlet(2.0, [1, 4, 25, 100])
    assert found == digits_of([0.15729921, 0.47950012, 0.77729741, 0.88753708], 8)
    assert transient.second_order(STAR) == digits(-0.194816538, 9)
    assert transient.second_order(STAR, 1.0) == digits(0.5, 9)
    assert transient.best_filling(STAR) == digits(0.280385580, 9)
    # c - erfc = alpha x exp(-x^2/4t)/(2 sqrt(pi) t^(3/2)) when x and t are long
    t, x = 1e6, 1e3
    late = transient.filling(x, t, STAR) - transient.filling_of_dirichlet(x, t)
    dipole = x * math.exp(-0.25) / (2 * math.sqrt(math.pi) * t**1.5)
    assert late == pytest.approx(transient.second_order(STAR) * dipole, rel=0.01)


def test_relaxation_of_a_slab():
    assert transient.slab_relaxation(1.0, 10) == digits(0.086654973, 9)
    assert transient.slab_relaxation(STAR, 10) == digits(0.098040147, 9)
    # a strong layer is a wall at its inner face
    assert transient.slab_relaxation(1e4, 10) == pytest.approx((math.pi / 8) ** 2, rel=1e-4)


KICKS = [
    (1.0, False, [-0.31323745, -0.31360702, -0.31529463, -0.31942528]),
    (STAR, False, [-0.00024284, -0.00068658, -0.00271130, -0.00765970]),
    (STAR, True, [0.00494828, 0.00971973, 0.02347601, 0.04525434]),
]


@pytest.mark.parametrize(("strength", "linear", "expected"), KICKS)
def test_effective_plane_in_steps(strength, linear, expected):
    for tau, plane in zip([0.01, 0.02, 0.05, 0.1], expected, strict=True):
        # at tau = 0.1 the reference is good to 7e-8, in all three rows alike
        tolerance = 0.6e-8 if tau < 0.1 else 1e-7
        found = step.effective_plane_of_kicks(strength, tau, linear=linear)
        assert found == pytest.approx(plane, rel=0, abs=tolerance)


def test_shift_of_the_plane_in_steps():
    assert digits(0.117287243, 9) == step.SHIFT
    for s in (1.0, STAR):
        leading = step.effective_plane_of_steps(s, 0.02) - layer.effective_plane(s)
        exact = step.effective_plane_of_kicks(s, 0.02) - layer.effective_plane(s)
        assert leading == pytest.approx(exact, rel=1e-3)


def test_inconsistent_thinning():
    assert step.excess_unthinned(0.1) == digits(1.0508, 4)
    assert step.excess_unthinned(0.5) == digits(1.2707, 4)
    assert step.excess_thinned(0.1) == digits(0.9508, 4)
    assert step.excess_thinned(0.5) == digits(0.7707, 4)
    s = math.sqrt(step.rate_of_linear_thinning(STAR**2, 0.05))
    assert step.effective_plane_of_kicks(s, 0.05) == digits(0.02347601, 8)


QUANTILES = {
    0.10: 0.05833798815,
    0.25: 0.15445335191,
    0.50: 0.34972740095,
    0.75: 0.63907560504,
    0.90: 0.96269341171,
    0.99: 1.60555500062,
}


def test_depth_of_insertions():
    diffusion, dt = 0.7, 0.3
    spread = math.sqrt(4 * diffusion * dt)
    for probability, z in QUANTILES.items():
        found = crossing.depth_distribution(z * spread, diffusion, dt)
        assert found == pytest.approx(probability, abs=1e-10)

    def moment(n: int) -> float:
        return quad(lambda x: x**n * crossing.depth_density(x, diffusion, dt), 0, 9 * spread)[0]

    assert moment(0) == pytest.approx(1, abs=1e-9)
    assert moment(1) == pytest.approx(0.8862269255 * math.sqrt(diffusion * dt), rel=1e-9)
    assert moment(2) == pytest.approx(4 * diffusion * dt / 3, rel=1e-9)


def test_sampler_has_the_law_of_the_depth():
    """The law of U1 sqrt(-4 D dt ln U2): P(depth < x) by integration over U1."""
    for x in (0.1, 0.7, 1.9):
        below = quad(lambda u, x=x: -math.expm1(-((x / u) ** 2) / 4), 0, 1, epsabs=1e-12)[0]
        assert below == pytest.approx(float(crossing.depth_distribution(x, 1, 1)), abs=1e-10)
    depth = crossing.depth_from_uniforms(0.5, math.exp(-4), 0.7, 0.3)
    assert depth == pytest.approx(0.5 * 2 * math.sqrt(4 * 0.21))


def test_numbers_of_insertions():
    d, t = 1.0, 0.01
    assert crossing.inserted_ghost_ball(1.0, d, t) == digits(0.7042549968)
    assert crossing.inserted_sphere(1.0, d, t, inside=False) == digits(1.5436267868, 9)
    assert crossing.inserted_sphere(1.0, d, t, inside=True) == digits(1.2922993746)
    assert crossing.inserted(d, t) == pytest.approx(2 * math.sqrt(t / math.pi))
    spread = math.sqrt(4 * t)
    number = quad(lambda r: 4 * math.pi * r * erfc((r - 1) / spread), 1, 3)[0]
    assert crossing.inserted_sphere(1.0, d, t, inside=False) == pytest.approx(number, rel=1e-9)
    number = quad(lambda r: 4 * math.pi * r * erfc((1 - r) / spread), 0, 1)[0]
    assert crossing.inserted_sphere(1.0, d, t, inside=True) == pytest.approx(number, rel=1e-9)
    # the half space c + g x, x < 0, carried across by the propagator
    for x in (0.05, 0.3):
        sent = quad(lambda y, x=x: (3 + 2 * y) * math.exp(-((x - y) ** 2) / (4 * t)), -3, 0)[0]
        expected = sent / math.sqrt(4 * math.pi * t)
        assert crossing.ghost_density(x, d, t, 3.0, 2.0) == pytest.approx(expected, rel=1e-7)
    total = quad(lambda x: crossing.ghost_density(x, d, t, 3.0, 2.0), 0, 3)[0]
    assert crossing.inserted_ghost(d, t, 3.0, 2.0) == pytest.approx(total, rel=1e-7)


def test_ghost_reservoirs_lie_behind_their_plane():
    assert digits(0.5825971579) == crossing.GHOST_PLANE
    assert crossing.ghost_slab_flux(1, 1, 0.001, 1, 0) == digits(0.950471795, 9)
    assert crossing.ghost_slab_flux(1, 1, 0.01, 1, 0) == digits(0.858528748, 9)
    with pytest.raises(ValueError, match="at most L/5"):
        crossing.ghost_slab_flux(1, 1, 0.05, 1, 0)


ADSORPTION = {
    0.01: 124.6227964545,
    0.05: 24.3590997162,
    0.1: 11.8277620101,
    0.2: 5.5648352783,
    0.5: 1.8161260270,
    1.0: 0.5825971579,
}


@pytest.mark.parametrize(("probability", "length"), ADSORPTION.items())
def test_walls_at_the_end_of_a_step(probability, length):
    assert end.extrapolation_length(probability) == digits(length, 9)
    assert end.extrapolation_length(probability / 2, bridge=True) == digits(length, 9)
    if probability < 0.1:
        assert length == pytest.approx(math.sqrt(math.pi / 2) / probability - 0.709, abs=2e-2)


def test_naive_sphere():
    found = end.naive_sphere_rate(1.0, 1.0, 0.02)
    assert found == pytest.approx(4 * math.pi * (1 - 0.5825971579 * 0.2), rel=1e-10)


def test_plateau_of_half_step_insertions():
    """By stepping the mean density itself on a grid, insertions between steps."""
    h, size, sources = 0.02, 700, 50  # a layer of width 1 in units of sqrt(2 D dt)
    x = h * (np.arange(size) + 0.5)
    kernel = h * np.exp(-((x[:, None] - x) ** 2) / 2) / math.sqrt(2 * math.pi)
    # reflecting at the far end, so that the state of rest is flat there
    far = 2 * h * size
    kernel += h * np.exp(-((far - x[:, None] - x) ** 2) / 2) / math.sqrt(2 * math.pi)
    source = np.where(np.arange(size) < sources, 0.5, 0.0)
    rest = np.linalg.solve(np.eye(size) - kernel, kernel @ source)
    assert end.strang_plateau() == pytest.approx(rest[-100], rel=1e-3)
    assert end.strang_plateau() == pytest.approx(1.1275225, abs=1e-6)
    assert end.strang_plateau(6.0) == pytest.approx(0.5 + 0.5825971579 / 6, abs=2e-3)


def test_numbers_in_open_slabs():
    slab = numbers.OpenSlab(1.0, 1.0, 20.0)
    t = [0.01, 0.05, 0.1]
    assert slab.mean(t, 50) == digits_of([43.229724997, 34.877365394, 29.063542813], 9)
    assert slab.variance(t, 50) == digits_of([13.250829250, 22.580920890, 24.499775684], 9)
    times = [0.001, 0.01, 0.05, 0.1, 0.2]
    expected = [0.928635035354, 0.774324166581, 0.495912179797, 0.302118093773, 0.112597125184]
    assert slab.remaining(times) == digits_of(expected, 12)
    assert slab.covariance(times) == digits_of([20 * p for p in expected], 10)
    assert slab.remaining(0.0) == 1


def test_numbers_with_creation_and_decay():
    case = dict(diffusion=1.0, creation=10.0, decay=4.0, reservoir=20.0)
    assert numbers.open_slab_profile(0.5, 1.0, **case) == digits(13.840949789118, 12)
    assert numbers.open_slab_number(1.0, **case) == digits(15.827897729226, 12)
    ball = dict(diffusion=0.5, creation=6.0, decay=2.0, reservoir=10.0)
    assert numbers.open_ball_profile(0.0, 1.0, **ball) == digits(6.860087906805, 12)
    assert numbers.open_ball_number(1.0, **ball) == digits(36.198706324606, 12)
    total = quad(lambda r: 4 * math.pi * r**2 * numbers.open_ball_profile(r, 1.0, **ball), 0, 1)[0]
    assert total == pytest.approx(36.198706324606, rel=1e-10)


@pytest.mark.parametrize(
    "call",
    [
        lambda: layer.effective_plane(0.0),
        lambda: layer.strength_for_plane(1.0),
        lambda: layer.effective_radius(1.0, 1.5, inside=True),
        lambda: layer.slab_flux(1, 1, 1, 0, (0.5, 0.5)),
        lambda: transient.filling(0.5, 1.0, 1.0),
        lambda: transient.slab_relaxation(1.0, 2.0),
        lambda: step.effective_plane_of_steps(1.0, 0.2),
        lambda: step.rate_of_linear_thinning(2.0, 1.0),
        lambda: crossing.inserted_sphere(1.0, 1.0, 0.1, inside=True),
        lambda: end.extrapolation_length(0.6, bridge=True),
        lambda: end.naive_sphere_rate(1.0, 1.0, 1.0),
        lambda: numbers.OpenSlab(1.0, 1.0, -1.0),
    ],
)
def test_outside_the_limits_of_validity_is_an_error(call):
    with pytest.raises(ValueError, match=r"found|must be less"):
        call()
