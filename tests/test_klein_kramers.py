"""The Klein-Kramers model: moments, spectrum, Boltzmann's law, conservation, orders, ranks."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cases import results, values_of, write_case
from cases import run as run_case
from phase_space_cases import DOUBLE, double_well, harmonic, model, run, text
from ranks import run_on_ranks
from scipy.integrate import quad

from fem_rd.errors import CaseError, CaseErrors
from fem_rd.exact.klein_kramers import Oscillator, rates
from fem_rd.expressions.expression import Expression
from fem_rd.numerics.hermite import gaussian_moments, hermite, wall_matrix

POINT = "position = 1.0\nvelocity = -0.4\nvelocity_width = 0.0"
CLOUD = "position = 0.8\nposition_width = 0.2\nvelocity = -0.4\nvelocity_width = 0.6"
MOMENTS = {  # from the point (1, -0.4), at t = 1.5: <x>, <v>, var x, cov, var v
    0.5: (-0.30712852, -0.71434751, 0.229492859304, 0.090106781091, 0.305790503393),
    2.0: (0.223949, -0.35688036, 0.324876624455, 0.090729769984, 0.599797068988),
    6.0: (0.62888537, -0.18635796, 0.214916745808, 0.059015800029, 0.682523125687),
}
NAMES = ("mean_position", "mean_velocity", "var_position", "covariance", "var_velocity")
SCHEMES = {"trbdf2": 2, "crank-nicolson": 2, "sdirk2": 2, "backward-euler": 1}


def steps(size: float, end: float, scheme: str = "crank-nicolson") -> str:
    return f'step = {size}\nend = {end}\nscheme = "{scheme}"'


def slope(errors: list[float]) -> float:
    """The order that errors at halved steps or cells show last."""
    return math.log2(errors[-2] / errors[-1])


def test_hermite_polynomials_are_orthonormal() -> None:
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    values = hermite(12, points)
    products = (values * weights / math.sqrt(2 * math.pi)) @ values.T
    assert products == pytest.approx(np.eye(12), abs=1e-12)


@pytest.mark.parametrize("variance", [0.0, 0.3, 1.7])
def test_modes_of_a_gaussian(variance: float) -> None:
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    at = 0.4 + math.sqrt(variance) * points
    means = hermite(9, at) @ weights / math.sqrt(2 * math.pi)
    assert gaussian_moments(9, 0.4, variance) == pytest.approx(means, abs=1e-11)


def test_the_wall_matrix_is_the_integral() -> None:
    def integrand(p: float, m: int, n: int) -> float:
        values = hermite(7, p)
        return float(2 * p * values[m] * values[n] * math.exp(-p * p / 2) / math.sqrt(2 * math.pi))

    by_quadrature = [[quad(integrand, 0, 12, (m, n))[0] for n in (0, 2, 4)] for m in (0, 2, 4)]
    assert wall_matrix(3) == pytest.approx(np.array(by_quadrature), abs=1e-9)
    assert np.linalg.eigvalsh(wall_matrix(20)).min() > 0.0


@pytest.mark.parametrize("extra", [{}, {"boundaries": '{left = "absorbing"}'}])
def test_transport_is_skew_and_friction_dissipates(tmp_path: Path, extra: dict[str, str]) -> None:
    """K + K^T is friction and walls alone, and K 1 = 0 where nothing leaves."""
    system = model(tmp_path, double_well(friction=0.7, cells=40, modes=8, **extra))._system
    found = system.matrices(Expression.constant(0.7)).stiffness[:, :]
    free = system.matrices(Expression.constant(0.0)).stiffness[:, :]
    friction = found - free
    assert np.linalg.eigvalsh((friction + friction.T) / 2).min() > -1e-13
    walls = free + free.T
    assert np.linalg.eigvalsh(walls).min() > -1e-12
    assert np.linalg.matrix_rank(walls, tol=1e-9) == (4 if extra else 0)
    if not extra:
        boltzmann = system.space.constant()
        assert np.abs(found @ boltzmann).max() < 1e-14
        assert np.abs(boltzmann @ found).max() < 1e-14


@pytest.mark.parametrize("friction", MOMENTS)
def test_moments_of_the_oscillator(tmp_path: Path, friction: float) -> None:
    """They are exact in space on any line that is long enough: time is all that errs."""
    found = values_of(run(tmp_path, harmonic(friction, start=POINT, time=steps(0.005, 1.5)), 1.5))
    assert [found[name] for name in NAMES] == pytest.approx(MOMENTS[friction], rel=1e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_in_time(tmp_path: Path, scheme: str) -> None:
    errors = []
    for count in (20, 40, 80):
        case = harmonic(2.0, start=POINT, time=steps(1.5 / count, 1.5, scheme))
        found = values_of(run(tmp_path, case, 1.5))
        errors.append(abs(found["mean_position"] - MOMENTS[2.0][0]))
    assert slope(errors) == pytest.approx(SCHEMES[scheme], abs=0.15)


@pytest.mark.parametrize("friction", MOMENTS)
def test_spectrum_of_the_oscillator(tmp_path: Path, friction: float) -> None:
    case = model(tmp_path, harmonic(friction, modes=24, cells=24, eigenvalues=6))
    case.advance(0.0)
    found = values_of(case)
    exact = rates(Oscillator(1.3, friction, math.sqrt(0.7)), 7)[1:]
    for number, rate in enumerate(exact, start=1):
        assert found[f"eigenvalue_{number}"] == pytest.approx(rate.real, rel=1e-3)
        assert found.get(f"frequency_{number}", 0.0) == pytest.approx(rate.imag, rel=1e-3)
    predicted = case.exact().predictions
    assert predicted["eigenvalue_6"].value == pytest.approx(exact[-1].real, rel=1e-9)
    assert found["stationary_residual"] < 1e-14


@pytest.mark.parametrize(
    ("degree", "number", "finest"), [(1, 2, 160), (2, 4, 40), (3, 2, 40)]
)
def test_order_of_rates_in_space(tmp_path: Path, degree: int, number: int, finest: int) -> None:
    """2 k: left and right eigenvectors differ by the sign of the velocity only."""
    exact = rates(Oscillator(1.3, 0.5, math.sqrt(0.7)), number + 1)[number]

    def error(cells: int) -> float:
        keys = {"cells": cells, "modes": 20, "degree": degree, "eigenvalues": number}
        case = model(tmp_path, harmonic(0.5, **keys))
        case.advance(0.0)
        found = values_of(case)
        turning = found.get(f"frequency_{number}", 0.0)
        return abs(found[f"eigenvalue_{number}"] + 1j * turning - exact)

    assert slope([error(finest // 2), error(finest)]) == pytest.approx(2 * degree, abs=0.15)


@pytest.mark.parametrize(("degree", "cells"), [(1, 80), (2, 20)])
def test_order_of_moments_in_space(tmp_path: Path, degree: int, cells: int) -> None:
    """2 k as well: moments are what the transposed equation sees of the law."""

    def variance(cells: int, degree: int) -> float:
        keys = {"friction": 1.0, "modes": 16, "degree": degree, "start": CLOUD}
        law = run(tmp_path, double_well(cells=cells, time=steps(0.02, 0.4), **keys), 0.4)
        return values_of(law)["var_position"]

    fine = variance(120, 3)
    errors = [abs(variance(count, degree) - fine) for count in (cells, 2 * cells)]
    assert slope(errors) == pytest.approx(2 * degree, abs=0.15)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_order_of_the_density_in_space(tmp_path: Path, degree: int) -> None:
    """k + 1 for the law of x where friction makes it smooth."""

    def law(cells: int) -> np.ndarray:
        keys = {"friction": 20.0, "modes": 16, "degree": degree, "start": CLOUD}
        picture = "{cells = [960, 60], velocities = 6}"
        case = double_well(cells=cells, picture=picture, time=steps(0.02, 0.4), **keys)
        function = run(tmp_path, case, 0.4).fields()["density"].function
        points = function.function_space.tabulate_dof_coordinates()
        order = np.lexsort((points[:, 1], points[:, 0]))
        return function.x.array[order].reshape(961, 61).sum(axis=1)

    fine = law(240)
    errors = [float(np.linalg.norm(law(cells) - fine)) for cells in (40, 80)]
    assert slope(errors) == pytest.approx(degree + 1, abs=0.15)


@pytest.mark.parametrize("friction", [0.0, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("scheme", ["trbdf2", "crank-nicolson"])
def test_boltzmanns_law_stays(tmp_path: Path, friction: float, scheme: str) -> None:
    """At any friction, step and mesh, also where friction depends on x."""
    case = double_well(
        friction=f'"{friction}*(1 + x^2)"', cells=7, modes=6, time=steps(1.0, 50.0, scheme)
    )
    still = model(tmp_path, case)
    before = still.fields()["density"].function.x.array.copy()
    while still.time < 50.0:
        still.advance(50.0)
    after = still.fields()["density"].function.x.array
    assert np.abs(after - before).max() < 1e-12 * before.max()
    found = values_of(still)
    assert found["probability"] == pytest.approx(1.0, abs=1e-14)
    assert found["chi_square"] < 1e-24


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_distance_from_equilibrium_never_grows(tmp_path: Path, scheme: str) -> None:
    """At any step; and without friction the scheme that damps nothing keeps it."""
    for friction, size in ((0.3, 0.5), (30.0, 0.05), (0.0, 0.2)):
        case = double_well(friction=friction, start=CLOUD, time=steps(size, 40 * size, scheme))
        law = model(tmp_path, case)
        distances = [values_of(law)["chi_square"]]
        while law.time < 40 * size:
            law.advance(40 * size)
            distances.append(values_of(law)["chi_square"])
        assert all(b <= a * (1 + 1e-12) for a, b in pairwise(distances))
        if friction == 0.0 and scheme == "crank-nicolson":
            assert distances[-1] == pytest.approx(distances[0], rel=1e-11)
        else:
            assert distances[-1] < 0.999 * distances[0]


def test_probability_over_ten_thousand_steps(tmp_path: Path) -> None:
    case = harmonic(0.5, start=CLOUD, time=steps(0.05, 500.0, "trbdf2"))
    law, worst = model(tmp_path, case), 0.0
    while law.time < 500.0:
        law.advance(500.0)
        if law.steps % 100 == 0:
            found = values_of(law)
            worst = max(worst, abs(found["probability"] - 1), abs(found["ledger_residual"]))
    assert law.steps == 10_000
    assert worst < 1e-12


def test_the_density_is_the_gaussian(tmp_path: Path) -> None:
    picture = "{cells = [60, 60], velocities = 5}"
    case = harmonic(
        0.5,
        cells=64,
        degree=4,
        modes=64,
        start=CLOUD,
        time=steps(0.0025, 1.0),
        picture=picture,
    )
    law = run(tmp_path, case, 1.0)
    function, found = law.fields()["density"].function, values_of(law)
    x, v = function.function_space.tabulate_dof_coordinates().T[:2]
    scale = math.sqrt(0.7)
    covariance = np.array(
        [
            [found["var_position"], found["covariance"]],
            [found["covariance"], found["var_velocity"]],
        ]
    )
    offset = np.array([x - found["mean_position"], v * scale - found["mean_velocity"]])
    exponent = -np.einsum("ip,ij,jp->p", offset, np.linalg.inv(covariance), offset) / 2
    exact = np.exp(exponent) / (2 * math.pi) / math.sqrt(np.linalg.det(covariance)) * scale
    assert np.abs(function.x.array - exact).max() < 1e-4 * exact.max()


def test_the_distance_from_equilibrium_of_a_shifted_law(tmp_path: Path) -> None:
    """e^(a^2) - 1 for Boltzmann's Gaussian that is shifted by a of its widths."""
    width = math.sqrt(0.7) / 1.3
    start = f"position = {0.5 * width}\nposition_width = {width}"
    law = model(tmp_path, harmonic(1.0, cells=40, start=start, time=steps(0.1, 1.0)))
    assert values_of(law)["chi_square"] == pytest.approx(math.expm1(0.25), rel=1e-6)


def test_a_force_on_a_free_particle(tmp_path: Path) -> None:
    """v is an Ornstein-Uhlenbeck process about F s^2/gamma: its variance feels no force."""
    ring = '{left = "periodic", right = "periodic"}'
    start = "position = 1.0\nposition_width = 0.1\nvelocity_width = 0.5"
    keys = {"friction": 0.7, "force": 0.8, "boundaries": ring, "start": start}
    found = values_of(run(tmp_path, text((0.0, 2.0), 8, time=steps(0.005, 1.0), **keys), 1.0))
    left = math.exp(-0.7)
    assert found["mean_velocity"] == pytest.approx(0.8 / 0.7 * (1 - left), rel=1e-5)
    assert found["var_velocity"] == pytest.approx(1 - 0.75 * left**2, rel=1e-5)
    assert found["probability"] == pytest.approx(1.0, abs=1e-13)


def test_a_tilted_line_that_closes(tmp_path: Path) -> None:
    """Free: <v> = F s^2/gamma. In a cosine, strongly damped: Stratonovich's drift, to 1/gamma^2."""
    ends = (0.0, 2 * math.pi)
    keys = {"boundaries": '{left = "periodic", right = "periodic"}', "force": 0.8}
    free = model(tmp_path, text(ends, 8, friction=2.0, modes=16, eigenvalues=1, **keys))
    free.advance(0.0)
    assert values_of(free)["mean_velocity"] == pytest.approx(0.4, rel=1e-10)
    ring = text(ends, 32, friction=50.0, potential='"cos(x)"', eigenvalues=1, **keys)
    damped = model(tmp_path, ring)
    damped.advance(0.0)

    def inner(x: float) -> float:
        def gain(y: float) -> float:
            return math.exp(math.cos(x) - 0.8 * x - math.cos(x - y) + 0.8 * (x - y))

        return quad(gain, 0, 2 * math.pi)[0]

    drift = 2 * math.pi * -math.expm1(-0.8 * 2 * math.pi) / quad(inner, 0, 2 * math.pi)[0]
    ratio = values_of(damped)["mean_velocity"] * 50.0 / drift
    assert ratio == pytest.approx(1.0, abs=1e-3)


def test_the_slowest_mode_tells_the_wells_apart(tmp_path: Path) -> None:
    """+1 in the right well and -1 in the left, 0 where both are one, no noise far up."""
    picture = "{cells = [38, 24], velocities = 6}"
    keys = {"friction": 0.2, "cells": 40, "modes": 96, "eigenvalues": 1, "picture": picture}
    case = model(tmp_path, double_well(**keys))
    case.advance(0.0)
    function = case.fields()["slowest_mode"].function
    x, v = function.function_space.tabulate_dof_coordinates().T[:2]
    still = np.abs(v) < 1e-9
    for bottom in (-1.0, 1.0):
        (value,) = function.x.array[still & (np.abs(x - bottom) < 1e-9)]
        assert value == pytest.approx(bottom, abs=0.05)
    assert np.abs(function.x.array).max() < 1.1
    assert not function.x.array[5 * (x**2 - 1) ** 2 + v**2 / 2 > 12.01].any()


def test_every_unknown_has_a_place(tmp_path: Path) -> None:
    """By which a checkpoint finds it again on other ranks; the ends of a ring are one."""
    ring = '{left = "periodic", right = "periodic"}'
    for case in (double_well(friction=1.0), text((0.0, 2.0), 8, friction=1.0, boundaries=ring)):
        made = model(tmp_path, case)
        positions = made.positions().round(9)
        assert len(np.unique(positions, axis=0)) == made.unknowns()["density"]
        assert positions[:, 0].max() == 1.9 or positions[:, 0].max() < 2.0


def test_a_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    case = double_well(
        friction=1.0,
        boundaries='{right = "absorbing"}',
        start=CLOUD,
        time="end = 2.0\ntolerance = 1e-4",
    )
    whole = model(tmp_path, case)
    while whole.time < 1.0:
        whole.advance(1.0)
    again = model(tmp_path, case)
    again.restore(whole.state())
    for law in (whole, again):
        while law.time < 2.0:
            law.advance(2.0)
    assert values_of(whole) == values_of(again)
    assert whole.steps == again.steps


RANKS = """
from pathlib import Path
from fem_rd.commands.run import RunRequest, run_case
for name in ("law", "modes"):
    run_case(RunRequest(Path(name), (), Path(f"{name}-on-SIZE")))
"""


@pytest.mark.mpi
def test_one_two_and_three_ranks(tmp_path: Path) -> None:
    """The same numbers to 1e-9, with less cells than would be even, and with a ring."""
    ends = '{left = "absorbing", right = "reflecting"}'
    write_case(
        tmp_path / "law",
        double_well(cells=7, friction=1.0, boundaries=ends, start=CLOUD, time=steps(0.02, 0.4)),
    )
    ring = '{left = "periodic", right = "periodic"}'
    write_case(
        tmp_path / "modes",
        text((0.0, 2 * math.pi), 10, friction=1.0, potential='"cos(x)"', boundaries=ring),
    )
    found = []
    for ranks in (1, 2, 3):
        if ranks == 1:
            for name in ("law", "modes"):
                run_case(tmp_path / name, tmp_path / f"{name}-on-1")
        else:
            script = tmp_path / f"on{ranks}.py"
            script.write_text(RANKS.replace("SIZE", str(ranks)))
            ended = run_on_ranks(ranks, script, tmp_path)
            assert ended.returncode == 0, ended.stderr
        numbers: dict[str, float] = {}
        for name in ("law", "modes"):
            summary = results(tmp_path / f"{name}-on-{ranks}").summary["observables"]
            numbers |= {f"{name} {key}": entry["value"] for key, entry in summary.items()}
        found.append(numbers)
    assert len(found[0]) > 10
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (double_well(), "give the friction"),
        (double_well(friction=1.0, frictions=[1.0]), "give the friction"),
        (double_well(friction=-1.0), "negative"),
        (double_well(friction='"x + 1"'), "negative"),
        (double_well(frictions=[1.0, 2.0], time="end = 1"), "without the section"),
        (double_well(frictions=[1.0, 1.0]), "twice"),
        (double_well(friction=1.0, modes=7), "must be even"),
        (double_well(friction=1.0, degree=5), "degree"),
        (double_well(friction=1.0, boundaries='{left = "periodic"}'), "periodic at both ends"),
        (double_well(friction=1.0, boundaries='{left = "open"}'), "absorbing"),
        (
            text(friction=1, potential='"x"', boundaries='{left = "periodic", right = "periodic"}'),
            "potential",
        ),
        (double_well(friction=1.0, start="position = 3.0", time="end = 1"), "outside the line"),
        (
            double_well(friction=1.0, start="position = 0\nvelocity_width = 1.5", time="end = 1"),
            "sqrt",
        ),
        (double_well(friction=1.0).replace(DOUBLE, "y"), "y"),
        (double_well(friction=1.0).replace(DOUBLE, "log(x)"), "not a number"),
        (double_well(friction=1.0).replace(DOUBLE, "1e5*x^2"), "k_B T in one cell"),
        (double_well(friction=1.0, time='end = 1\nscheme = "bdf2"\nstep = 1'), "unknown scheme"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, case: str, message: str) -> None:
    with pytest.raises((CaseError, CaseErrors), match=message):
        model(tmp_path, case)
