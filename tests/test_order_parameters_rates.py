"""The loop from a trajectory through its coefficients to a rate, and back to what is counted."""

from __future__ import annotations

import numpy as np
import pytest

from fem_rd.errors import NumericalError
from fem_rd.order_parameters.analysis import Choices, Coefficients, Series, analyse
from fem_rd.order_parameters.langevin import Landscape, simulate_brownian, simulate_inertial
from fem_rd.order_parameters.rates import (
    END_OF_STEP,
    Profile,
    count_transitions,
    klein_kramers_times,
    smoluchowski_times,
)

LINE = np.linspace(-2.0, 2.0, 401)


def well(barrier: float, diffusion: object = 1.0) -> Profile:
    return Profile.of(LINE, barrier * (LINE**2 - 1) ** 2, np.asarray(diffusion, dtype=float))


@pytest.mark.parametrize(
    ("barrier", "goal", "exact"),
    [
        (2.0, 0.0, 2.303269806553), (2.0, 1.0, 5.129285033592), (5.0, 0.0, 18.095187975045),
        (5.0, 1.0, 36.483534597116), (8.0, 1.0, 437.504351398345),
    ],
)  # fmt: skip
def test_passages_over_a_barrier(barrier: float, goal: float, exact: float) -> None:
    assert smoluchowski_times(well(barrier), -1.0, goal)[0] == pytest.approx(exact, rel=1e-9)
    assert smoluchowski_times(well(barrier), -goal, 1.0)[1] == pytest.approx(exact, rel=1e-9)


def test_a_place_dependent_diffusion() -> None:
    exact = 35.433439032343
    times = smoluchowski_times(well(5.0, 1 + LINE**2 / 2), -1.0, 1.0)
    assert times == pytest.approx([exact, exact], rel=1e-9)


def test_an_uneven_double_well() -> None:
    beta, line = 4.0, np.linspace(-2.2, 2.2, 881)
    uneven = Profile.of(line, beta * (line**4 - 2 * line**2 + 0.3 * line), np.ones(881))
    slope = np.polynomial.Polynomial([0.3, -4.0, 0.0, 4.0]).roots().real
    found = smoluchowski_times(uneven, slope.min(), slope.max())
    assert found == pytest.approx([58.05161194311, 6.17328130295], rel=1e-7)


def test_inertia_disappears_with_much_friction() -> None:
    """Towards Smoluchowski's time between edges that lie a Milne length further out.

    What enters a half space that absorbs goes on by 1.4603 mean free paths, -zeta(1/2) of them.
    """
    slow, ratios = smoluchowski_times(well(2.0), -1.0, 1.0), []
    for rate in (10.0, 20.0, 40.0):
        found = klein_kramers_times(
            well(2.0), -1.0, 1.0, friction_rate=rate, thermal_speed=1.0, cells=(200, 140)
        )
        milne = 1.4603545 / rate
        outer = smoluchowski_times(well(2.0), -1.0 - milne, 1.0 + milne)
        ratios.append([found[0] / rate / slow[0] - 1, found[0] / rate / outer[0] - 1])
    plain, moved = np.abs(np.array(ratios)).T
    assert np.all(np.diff(plain) < 0) and plain[2] < 0.02
    assert np.all(moved < 0.5 * plain)


def test_uneven_wells_with_inertia() -> None:
    """Both ways with much friction; and twice as fast in twice the units of time."""
    uneven = Profile.of(LINE, 2.0 * (LINE**2 - 1) ** 2 + 0.4 * LINE, np.ones(401))
    slow = smoluchowski_times(uneven, -1.0, 1.0)
    fast = klein_kramers_times(uneven, -1.0, 1.0, friction_rate=40.0, thermal_speed=1.0) / 40.0
    assert slow[0] > 1.5 * slow[1]
    assert fast == pytest.approx(slow, rel=0.03)
    one, two = (
        klein_kramers_times(uneven, -1.0, 1.0, friction_rate=3.0 * pace, thermal_speed=pace)
        for pace in (1.0, 2.0)
    )
    assert one == pytest.approx(2 * two, rel=1e-12)


def test_the_grid_of_velocities_is_fine_enough() -> None:
    for rate in (0.3, 3.0, 30.0):
        coarse, fine = (
            klein_kramers_times(
                well(2.0), -1.0, 1.0, friction_rate=rate, thermal_speed=1.0, cells=cells
            )
            for cells in ((120, 100), (160, 150))
        )
        assert coarse == pytest.approx(fine, rel=2e-3)


def test_a_free_flight_takes_its_time() -> None:
    """Without friction to speak of and on a flat bottom, nu is the flux of Maxwell's law."""
    flat = Profile.of(LINE, np.zeros(401), np.ones(401))
    found = klein_kramers_times(flat, -1.0, 1.0, friction_rate=1e-4, thermal_speed=2.0)
    flux = 2.0 / np.sqrt(2 * np.pi) / 4.0  # of each direction, for density 1/4
    assert found == pytest.approx([0.5 / flux, 0.5 / flux], rel=2e-3)


def test_transitions_are_counted() -> None:
    row = [0.0, -1.2, -0.5, 0.5, 1.0, 0.9, 1.3, -1.0, -1.5, 2.0, 0.0]
    found = count_transitions(np.array([row, row]), -1.0, 1.0, 0.5)
    assert (found.number_up, found.number_down) == (4, 2)
    assert found.up.number == pytest.approx(2 * 5 * 0.5 / 4)  # frames 1-3 and 7-8 of each
    assert found.down.number == pytest.approx(2 * 5 * 0.5 / 2)  # 4-6, and 9-10, cut off
    rate = found.rate
    assert rate.number == pytest.approx(1 / found.up.number + 1 / found.down.number)
    with pytest.raises(NumericalError, match="0 transitions"):
        count_transitions(np.zeros((1, 9)), -1.0, 1.0, 1.0)


def closes(found: Coefficients, equation: str, most: float) -> float:
    """The deviation in standard errors of the predicted from the counted rate."""
    assert found.counted is not None
    rate, times = found.counted.rate, found.predicted[equation]
    error = np.hypot(rate.standard_error, times.error[2])
    assert error < most * rate.number
    assert float(times.error[2]) < most * rate.number
    return float((times.value[2] - rate.number) / error)


def test_the_loop_closes_with_inertia() -> None:
    """Eq. 56 gives the rate that is counted, eq. 29 one that is far too large."""
    points, mass, zeta = np.linspace(-2.2, 2.2, 1761), 1.0, 1.0
    shape = Landscape(points, 1.5 * (points**2 - 1) ** 2, 1.0)
    made = simulate_inertial(
        shape, np.repeat([-1.0, 1.0], 20), mass=mass, friction=zeta, dt=0.02,
        frames=100000, stride=2, seed=1,
    )  # fmt: skip
    series = Series(made.dt, made.places, made.velocities)
    found = analyse(series, Choices(mass=mass, blocks=40, lags=200, states=(-1.0, 1.0)))
    assert abs(closes(found, "fokker_planck", 0.02)) < 3.0
    assert closes(found, "smoluchowski", 0.02) > 20.0


@pytest.mark.parametrize("route", ["uniform", "local"])
def test_the_loop_closes_without_inertia(route: str) -> None:
    """D(R) from displacements. Frames find the states late by 0.5826 sqrt(2 D dt): edges move."""
    points = np.linspace(-2.2, 2.2, 1761)
    diffusion = 1 + points**2 / 2 if route == "local" else np.ones_like(points)
    shape = Landscape(points, 2.0 * (points**2 - 1) ** 2, diffusion)
    made = simulate_brownian(
        shape, np.repeat([-1.0, 1.0], 50), dt=5e-4, frames=32000, stride=4, seed=3
    )
    series = Series(made.dt, made.places)
    late = END_OF_STEP * np.sqrt(2 * (1.5 if route == "local" else 1.0) * made.dt)
    counted = analyse(
        series,
        Choices(blocks=100, bins=60, route=route, states=(-1.0, 1.0)),  # type: ignore[arg-type]
    )
    predicted = analyse(
        series,
        Choices(
            blocks=100, bins=60, route=route, states=(-1.0 - late, 1.0 + late),  # type: ignore[arg-type]
        ),
    )  # fmt: skip
    assert counted.counted is not None
    rate, times = counted.counted.rate, predicted.predicted["smoluchowski"]
    error = np.hypot(rate.standard_error, times.error[2])
    assert error < 0.03 * rate.number
    assert abs(times.value[2] - rate.number) < 3 * error
