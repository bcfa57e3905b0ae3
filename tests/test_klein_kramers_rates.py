"""The Klein-Kramers model where particles leave, and its rates from weak to strong friction."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cases import run as run_case
from cases import values_of, write_case
from phase_space_cases import DOUBLE, double_well, model, text

from fem_rd.exact import turnover

CASES = Path(__file__).parents[1] / "cases"
MILNE = 1.4603545088  # -zeta(1/2): Marshall and Watson, J. Phys. A 18 (1985) 3531
LEFT = '{left = "absorbing", right = "reflecting"}'
BOTH = '{left = "absorbing", right = "absorbing"}'
WELL = turnover.Well(lambda x: 5 * (x * x - 1) ** 2, 1.0, 0.0, 1.8, 1.0)
VARIABLE = 35.433439032343  # of D = 1 + x^2/2, from -1 to 1 in the double well of 5 k_B T


def steady(directory: Path, case: str) -> dict[str, float]:
    made = model(directory, case)
    made.advance(0.0)
    return values_of(made)


def excess(directory: Path, length: float, modes: int, cells: int) -> float:
    """(T - L^2/2D)/(L/D) for those who start thermal at a reflecting wall, of D = 1."""
    start = f"position = {length}"
    case = text((0.0, length), cells, friction=1.0, modes=modes, boundaries=LEFT, start=start)
    found = steady(directory, case)
    assert found["splitting_left"] == pytest.approx(1.0, abs=1e-10)
    return (found["mean_exit_time"] - length**2 / 2) / length


def test_milnes_length(tmp_path: Path) -> None:
    """An absorbing wall is felt 1.46 s/gamma behind it, from far: 1/L is extrapolated away."""
    shorter, longer = (excess(tmp_path, length, 32, int(8 * length)) for length in (10.0, 20.0))
    assert 2 * longer - shorter == pytest.approx(MILNE, abs=3e-3)
    coarse = 2 * excess(tmp_path, 20.0, 8, 160) - excess(tmp_path, 10.0, 8, 80)
    assert 3e-3 < abs(coarse - MILNE) < 3e-2


def test_an_exit_in_the_overdamped_limit(tmp_path: Path) -> None:
    """Friction that depends on x is D = s^2/gamma(x), in the operator d/dx [D (d/dx + U') W].

    T/gamma_0 is 35.4334 with a correction of order 1/gamma_0 (Milne's), extrapolated away.
    """
    times = []
    for gamma in (200.0, 400.0):
        friction = f'"{gamma}/(1 + x^2/2)"'
        case = text(
            (-2.0, 1.0),
            120,
            potential=f'"{DOUBLE}"',
            friction=friction,
            modes=8,
            boundaries='{left = "reflecting", right = "absorbing"}',
            start="position = -1.0",
        )
        times.append(steady(tmp_path, case)["mean_exit_time"] / gamma)
    assert 2 * times[1] - times[0] == pytest.approx(VARIABLE, rel=1e-3)
    assert times[0] > times[1] > VARIABLE  # an absorbing wall is felt behind it


def test_free_flight(tmp_path: Path) -> None:
    """Without friction x is normal with the width sqrt(w^2 + s^2 t^2) until somebody is out.

    Those who left never come back: P(t) = P(|x + v t| < 1) for a flight that starts within.
    """
    start = "position = 0.0\nposition_width = 0.1"
    case = text(
        (-1.0, 1.0),
        20,
        friction=0.0,
        modes=64,
        boundaries=BOTH,
        start=start,
        time="end = 1.0\ntolerance = 1e-5\n[output]\ntimes = [0.5]",
    )
    law = model(tmp_path, case)
    for time, error in ((0.5, 1.5e-4), (1.0, 5e-3)):
        while law.time < time:
            law.advance(time)
        found = values_of(law)
        inside = math.erf(1 / math.sqrt(2 * (0.01 + time**2)))
        assert found["probability"] == pytest.approx(inside, abs=error)
        assert found["left_left"] == pytest.approx(found["left_right"], abs=1e-9)
        out = found["left_left"] + found["left_right"]
        assert out + found["probability"] == pytest.approx(1.0, abs=1e-13)


def test_the_mean_time_is_the_integral_of_what_is_left(tmp_path: Path) -> None:
    """Two independent routes: one solve, and a march to the end."""
    keys = {"friction": 1.0, "modes": 16, "boundaries": LEFT, "start": "position = 0.5"}
    once = steady(tmp_path, text((0.0, 1.0), 16, **keys))
    size = 0.02
    time = f'step = {size}\nend = 40.0\nscheme = "crank-nicolson"'
    law = model(tmp_path, text((0.0, 1.0), 16, time=time, **keys))
    total, before = 0.0, values_of(law)["probability"]
    while law.time < 40.0:
        law.advance(40.0)
        now = values_of(law)["probability"]
        total, before = total + size * (before + now) / 2, now
    assert total + before / once["eigenvalue_1"] == pytest.approx(once["mean_exit_time"], rel=1e-6)


def test_a_start_from_boltzmanns_law_is_the_mean_over_places(tmp_path: Path) -> None:
    keys = {"friction": 1.0, "modes": 8, "boundaries": LEFT}
    whole = steady(tmp_path, text((0.0, 1.0), 16, **keys))["mean_exit_time"]
    points, weights = np.polynomial.legendre.leggauss(8)
    times = [
        steady(tmp_path, text((0.0, 1.0), 16, start=f"position = {place}", **keys))
        for place in (points + 1) / 2
    ]
    mean = sum(w / 2 * found["mean_exit_time"] for w, found in zip(weights, times, strict=True))
    assert whole == pytest.approx(mean, rel=1e-3)


def slowest(
    directory: Path, friction: float, modes: int, cells: int = 40, degree: int = 3
) -> float:
    case = double_well(
        ends=(-1.8, 1.8), cells=cells, friction=friction, modes=modes, degree=degree, eigenvalues=1
    )
    return steady(directory, case)["eigenvalue_1"]


def test_the_overdamped_end(tmp_path: Path) -> None:
    """The ratio to the Smoluchowski rate is 1 - 16.4/gamma^2: it tends to 1 at order 2."""
    missing = [
        1 - slowest(tmp_path, gamma, 8) / turnover.overdamped_rate(WELL, gamma)
        for gamma in (100.0, 200.0, 400.0)
    ]
    assert missing[-1] * 400**2 == pytest.approx(16.4, abs=0.2)
    for strong, stronger in pairwise(missing):
        assert math.log2(strong / stronger) == pytest.approx(2.0, abs=0.03)


def test_the_bridge_between(tmp_path: Path) -> None:
    """Mel'nikov and Meshkov within the 1/barrier of their theory, and computed from below."""
    for gamma in (0.5, 2.0, 10.0):
        rate = slowest(tmp_path, gamma, 64)
        assert 0.85 < rate / turnover.bridging_rate(WELL, gamma) < 1.0


def test_more_modes_bring_a_rate_down(tmp_path: Path) -> None:
    """At weak friction too few modes make it too fast; what is converged is known."""
    found = [slowest(tmp_path, 0.1, modes) for modes in (16, 32, 64, 128)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(2.1984e-3, rel=8e-3)


@pytest.mark.slow
def test_the_underdamped_end(tmp_path: Path) -> None:
    """The ratio to energy diffusion is 1 - c sqrt(delta): it tends to 1 at order 1/2.

    delta is the energy lost in an orbit; theory for high barriers has c = 0.8239 (2 - sqrt 2)
    = 0.483 (Mel'nikov and Meshkov), here c is 0.34.
    """
    missing = []
    for gamma in (0.04, 0.02, 0.01):
        rate = slowest(tmp_path, gamma, 1024, 48, 4)
        ratio = rate / turnover.underdamped_rate(WELL, gamma)
        missing.append((1 - ratio) / math.sqrt(turnover.energy_loss(WELL, gamma)))
    assert all(0.33 < coefficient < 0.36 for coefficient in missing), missing


def test_the_harmonic_case(tmp_path: Path) -> None:
    found = run_case(CASES / "klein-kramers-harmonic", tmp_path / "h", "time.step=0.01")
    assert found.summary["status"] == "done" and not found.record["warnings"]
    for name, known in found.record["predictions"].items():
        assert found.value(name) == pytest.approx(known["value"], rel=2e-3, abs=1e-4)
    assert (tmp_path / "h" / "figures" / "field-density.png").is_file()


def test_the_turnover_case(tmp_path: Path) -> None:
    changes = ("klein-kramers.frictions=[50, 2, 0.5]", "klein-kramers.modes=64")
    found = run_case(CASES / "klein-kramers-turnover", tmp_path / "t", *changes)
    assert found.summary["status"] == "done" and not found.record["warnings"]
    for gamma, rate in {50: 0.00110325958, 2: 0.01006436824, 0.5: 0.0071151728}.items():
        assert found.value(f"eigenvalue_at_{gamma}") == pytest.approx(rate, rel=2e-4)
    rows = (tmp_path / "t" / "scan.csv").read_text().splitlines()
    assert rows[0] == "friction,rate,error,overdamped,underdamped,Mel'nikov-Meshkov"
    table = np.array([[float(word) for word in row.split(",")] for row in rows[1:]])
    limits = [
        [law(WELL, gamma) for law in (
            turnover.overdamped_rate, turnover.underdamped_rate, turnover.bridging_rate
        )]
        for gamma in (50.0, 2.0, 0.5)
    ]  # fmt: skip
    assert table[:, 3:] == pytest.approx(np.array(limits), rel=1e-6)
    # the estimate covers what 64 modes leave, and is not much more
    missing = table[2, 1] - 0.0071151711
    assert abs(missing) < table[2, 2] < max(100 * abs(missing), 1e-6)
    assert (tmp_path / "t" / "figures" / "scan-friction.png").is_file()


def test_a_line_that_is_too_short_is_told(tmp_path: Path) -> None:
    short = text((-0.5, 6.0), 20, friction=1.0, potential='"x^2"', time="end = 0.1\nstep = 0.1")
    found = run_case(write_case(tmp_path / "short", short), tmp_path / "s")
    (warning,) = found.record["warnings"]
    assert "left end" in warning and "reflected" in warning
    said = short.replace("[klein-kramers]", '[klein-kramers]\nboundaries = {left = "reflecting"}')
    again = run_case(write_case(tmp_path / "said", said), tmp_path / "r")
    assert not any("left end" in warning for warning in again.record["warnings"])
