"""Two-way coupling on a line: the recursion of the mean, its stability and its orders."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fem_rd.exact import hybrid_coupling as coupling
from fem_rd.exact.hybrid_line import HybridLine, damping, forcing
from fem_rd.exact.open_crossing import GHOST_PLANE
from fem_rd.exact.open_numbers import OpenSlab
from fem_rd.exact.validity import OutOfRange
from fem_rd.numerics.schemes import BACKWARD_EULER, SDIRK2, TRBDF2

END = 0.08


def smooth(x):
    """Two modes of the closed box -1 < x < 1: a value and a flux at the interface that change."""
    return 1 + np.cos(np.pi * (x + 1) / 2) + np.cos(np.pi * (x + 1)) / 2


def smooth_after(x):
    y, slow = np.pi * (x + 1), math.exp(-(np.pi**2) * END / 4)
    return 1 + slow * np.cos(y / 2) + slow**4 * np.cos(y) / 2


SMOOTH_NUMBER = 1 - 2 / np.pi * math.exp(-(np.pi**2) * END / 4)


def line(cells, steps, **options):
    return HybridLine(1.0, cells, 1 / cells, END / steps, **options)


def step_state(line):
    return line.state(np.zeros_like, np.ones_like)


def relaxed(raw):
    depth = raw.volumes[0]
    gain = coupling.exchange_gain(raw.diffusion, raw.step, depth, raw.reservoir_diffusion)
    return replace(raw, relaxation=coupling.relaxation(gain))


def result(line, state):
    """Number of particles and nodal values at the end, in one vector."""
    number, values = line.split(line.after(round(END / line.step), state))
    return np.r_[number, values]


@pytest.mark.parametrize("scheme", [BACKWARD_EULER, SDIRK2, TRBDF2])
def test_damping_is_that_of_the_tables(scheme):
    a = np.array([0.0, 0.3, 2.0, 50.0])
    name = "ark2" if scheme.order == 2 else scheme.name
    slopes: list[np.ndarray] = []
    for row in scheme.stages:
        known = 1 - a * sum((w * k for w, k in zip(row, slopes, strict=False)), np.zeros(4))
        slopes.append(known / (1 + a * row[len(slopes)]))
    left = 1 - a * sum(w * k for w, k in zip(scheme.weights, slopes, strict=True))
    assert damping(name, a) == pytest.approx(left, abs=1e-13)
    assert 1 - a * forcing(name, a) == pytest.approx(left, abs=1e-13)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"source": "kick"},
        {"predicted": True},
        {"scheme": "backward-euler"},
        {"relaxation": 0.5, "reservoir_diffusion": 0.3},
    ],
)
def test_rest_is_exact_and_the_total_conserved(options):
    scheme = line(8, 40, **options)
    rest = scheme.state(np.ones_like, np.ones_like)
    assert scheme.matrix() @ rest == pytest.approx(rest, abs=1e-12)
    assert scheme.split(rest)[0] == pytest.approx(1, abs=1e-12)
    weights = np.r_[np.ones(len(rest) - 10), scheme.volumes, 0]
    assert weights @ scheme.matrix() == pytest.approx(weights, abs=1e-12)


def test_particles_alone_are_exact():
    """A reservoir so deep that it stays as it is: the particles fill as an open half slab."""
    scheme = HybridLine(1.0, 2, 1e9, END / 4)
    number, _ = scheme.split(scheme.after(4, step_state(scheme)))
    whole = OpenSlab(2.0, 1.0, 1.0)
    assert number == pytest.approx(float(whole.mean(END, 0.0)) / 2, abs=1e-8)


def test_half_and_half_after_a_step():
    """Equal halves, no matter how: the interface stays at 1/2 and the fine scheme finds N(t)."""
    scheme = line(40, 1000, predicted=True)
    number = result(scheme, step_state(scheme))[0]
    exact = 0.25 * (1 - float(OpenSlab(2.0, 1.0, 1.0).remaining(END))) * 2
    assert number == pytest.approx(exact, abs=6e-5) and abs(number - exact) > 1e-5


def orders(errors):
    return np.log2(np.array(errors[:-1]) / errors[1:])


def rms(difference):
    return math.sqrt(np.mean(difference**2))


@pytest.mark.parametrize(
    ("options", "kind", "order", "last"),
    [
        ({}, "step", 1.0, 4.1e-5),
        ({}, "smooth", 1.0, 4.8e-5),
        ({"source": "kick"}, "step", 1.0, 9.6e-4),
        ({"source": "kick"}, "smooth", 1.0, 9.2e-4),
        ({"scheme": "backward-euler"}, "smooth", 1.0, 9.6e-5),
        ({"predicted": True}, "step", 1.5, 7.1e-7),
        ({"predicted": True}, "smooth", 1.55, 5.6e-7),
    ],
)
def test_order_in_the_step(options, kind, order, last):
    cells = 20

    def state(line):
        return step_state(line) if kind == "step" else line.state(smooth, smooth)

    fine = line(cells, 2048, predicted=True)
    reference = result(fine, state(fine))
    errors = []
    for steps in (128, 256, 512):
        scheme = line(cells, steps, **options)
        errors.append(rms(result(scheme, state(scheme)) - reference))
    assert orders(errors) == pytest.approx([order] * 2, abs=0.15)
    assert errors[-1] == pytest.approx(last, rel=0.1)


@pytest.mark.parametrize(
    ("options", "law", "order"),
    [
        ({}, "square", 2.0),
        ({"source": "kick"}, "square", 1.0),
        ({"predicted": True}, "square", 2.0),
        ({}, "linear", 1.0),
        ({"predicted": True}, "linear", 1.85),
    ],
)
def test_order_in_the_cell(options, law, order):
    """Against the diffusion equation itself; Delta = 0.16 h^2, or h/10 with relaxed data."""
    errors = []
    for cells in (20, 40, 80):
        steps = round(END * cells**2 / 0.16) if law == "square" else round(END * cells * 10)
        scheme = line(cells, steps, **options)
        if law == "linear" and not scheme.predicted:
            scheme = relaxed(scheme)
        found = result(scheme, scheme.state(smooth, smooth))
        errors.append(rms(found - np.r_[SMOOTH_NUMBER, smooth_after(scheme.nodes)]))
    assert orders(errors) == pytest.approx([order] * 2, abs=0.15)


@pytest.mark.parametrize("number", [0.1, 1.0, 10.0])
def test_a_steady_flux_sees_no_interface_unless_kicked(number):
    """A reservoir that gets the same amount in each step, and gives it up at its held far end."""
    jump = {}
    for source in ("spread", "kick"):
        scheme = HybridLine(1.0, 100, 0.1, number * 0.01, source=source, held=True)
        free = scheme.reservoir()[0]
        values = np.linalg.solve(np.eye(len(free)) - free, scheme.response() * scheme.step)
        jump[source] = (10.0 - values[0]) / scheme.width
    assert jump["spread"] == pytest.approx(0, abs=1e-8)
    assert jump["kick"] == pytest.approx(coupling.kick_shift(number), rel=1e-6)


def test_shift_of_kicks():
    assert coupling.kick_shift(1e-3) == pytest.approx(1e-3, rel=1e-3)
    far = coupling.kick_shift(1e4, "exact") / 100
    assert far == pytest.approx(GHOST_PLANE * math.sqrt(2), rel=1e-4)
    assert coupling.kick_shift(1e3, "backward-euler") == pytest.approx(0, abs=1e-9)


def alternating(scheme):
    return float(np.real(scheme.multipliers()).min())


@pytest.mark.parametrize(
    ("number", "scheme", "source", "ratio"),
    [
        (0.36008, "ark2", "spread", 1.0),
        (0.34, "ark2", "spread", 0.1),
        (1.3526, "ark2", "spread", 3.0),
        (0.3880, "exact", "spread", 1.0),
        (1.0601, "backward-euler", "spread", 1.0),
        (1.0601, "backward-euler", "kick", 1.0),
        (0.4544, "ark2", "kick", 0.3),
    ],
)
def test_limits_on_half_lines(number, scheme, source, ratio):
    assert coupling.line_gain(number, scheme, source, ratio) == pytest.approx(1, abs=3e-4)
    h = 0.1
    limit = HybridLine(4.0, 40, h, number * h**2, 1.0, ratio, scheme, source)
    assert alternating(limit) == pytest.approx(-1, abs=2e-3)
    assert abs(limit.multipliers()[0]) == pytest.approx(1, abs=2e-3)
    beyond = replace(limit, step=1.1 * limit.step)
    assert abs(beyond.multipliers()[0]) > 1.001


def test_bounds():
    alternation = coupling.ALTERNATION
    assert alternation == pytest.approx(1.715609407446, abs=1e-11)
    assert coupling.stable_step(1.0, 0.5) == pytest.approx(0.33975289, abs=1e-8)
    assert coupling.stable_step(2.0, 0.5, 0.5) == pytest.approx(9 * 0.33975289 / 2, abs=1e-7)
    at_limit = coupling.exchange_gain(1.0, coupling.stable_step(1.0, 0.2), 0.2)
    assert at_limit == pytest.approx(1, abs=1e-12)
    assert coupling.relaxation(0.7) == 1.0
    assert coupling.relaxation(1.4) == pytest.approx(2 / 3)
    for number in (0.01, 0.3, 2.0, 50.0):
        for ratio in (0.1, 1.0, 8.0):
            bound = coupling.exchange_gain(1.0, number, 0.5, ratio)
            for scheme in ("ark2", "exact", "backward-euler"):
                assert coupling.line_gain(number, scheme, "spread", ratio) <= bound * 1.015
    assert coupling.exchange_gain(1.0, 1e4, 0.5, 4.0) == pytest.approx(alternation / 2)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("number", [0.1, 0.5, 3.0, 100.0])
def test_relaxed_data_are_stable_at_any_step(ratio, number):
    h = 0.1
    scheme = relaxed(HybridLine(4.0, 40, h, number * h**2, 1.0, ratio))
    multipliers = scheme.multipliers()
    assert multipliers[0] == pytest.approx(1, abs=1e-9) and abs(multipliers[1]) < 0.99999
    assert -0.76 < alternating(scheme) < -0.4


def test_kicked_ark2_and_predicted_data_are_stable_at_any_step():
    for number in (0.5, 5.0, 100.0):
        raw = HybridLine(4.0, 40, 0.1, number * 0.01)
        assert alternating(replace(raw, source="kick")) > -0.66
        assert alternating(replace(raw, predicted=True)) > -0.55
    assert alternating(raw) == pytest.approx(-1.58, abs=0.02)


def test_out_of_range():
    with pytest.raises(OutOfRange, match="relaxation"):
        line(4, 4, relaxation=1.5)
    with pytest.raises(OutOfRange, match="source"):
        line(4, 4, source="push")
    with pytest.raises(OutOfRange, match="scheme"):
        line(4, 4, scheme="rk4")
    with pytest.raises(OutOfRange, match="depth"):
        coupling.exchange_gain(1.0, 1.0, 0.0)
