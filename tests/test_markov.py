"""Diffusion as jumps between nodes: rates, detailed balance, order, spectra, conservation."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from dolfinx import mesh
from markov_processes import Array, box, discretised, process, torus, whole
from mpi4py import MPI
from ranks import run_on_ranks

from fem_rd.errors import NumericalError
from fem_rd.exact.order_parameter import mean_first_passage_time, tilted_periodic
from fem_rd.numerics.markov import Edges, Generator, bernoulli
from fem_rd.numerics.markov_solves import (
    first_passage,
    hitting_probability,
    modes,
    stationary,
    transitions,
    transport,
)

NOBODY = np.zeros(0, dtype=np.int64)


def steep(x: Array) -> Array:
    """Rises by some 900 k_B T, by 70 and more from node to node on coarse meshes."""
    return 300 * (x**2).sum(axis=1) + 2 * np.sin(9 * x[:, 0])


def double_well(height: float) -> object:
    return lambda x: height * (x[:, 0] ** 2 - 1) ** 2


def test_bernoulli_function() -> None:
    x = np.array([-1000.0, -1.0, -1e-5, 0.0, 1e-12, 1e-5, 2.0, 600.0, 1000.0])
    exact = [1000.0, 1 / (1 - math.exp(-1)), 1 + 5e-6, 1.0, 1.0, 1 - 5e-6, 2 / (math.e**2 - 1)]
    assert bernoulli(x)[:7] == pytest.approx(exact, rel=1e-10)
    assert bernoulli(x)[7] == pytest.approx(600 * math.exp(-600), rel=1e-12)
    assert bernoulli(x)[8] == 0.0


@pytest.mark.parametrize(("dimension", "cells"), [(1, 12), (2, 9), (3, 6)])
def test_rates_are_those_of_a_jump_process(dimension: int, cells: int) -> None:
    generator, _ = process(box(dimension, cells), steep)
    matrix = whole(generator.matrix).toarray()
    off = matrix - np.diag(np.diag(matrix))
    assert off.min() >= 0.0
    assert generator.edges.negative.edges == 0
    assert np.abs(matrix.sum(axis=0)).max() <= 1e-13 * np.abs(matrix).max()
    # detailed balance, in logarithms: neither side of pi_i k_ij = pi_j k_ji need be a number
    edges = generator.edges
    log_law = np.log(generator.volumes) - generator.energy
    start, end = edges.at_ends(log_law)
    both = (generator.forward > 0) & (generator.backward > 0)
    assert both.any()
    ratio = np.log(generator.forward[both]) - np.log(generator.backward[both])
    assert ratio == pytest.approx((end - start)[both], rel=1e-12, abs=1e-11)


def test_rates_follow_the_closed_form_on_a_line() -> None:
    """D/h^2 B(F_j - F_i) inside, Scharfetter and Gummel."""
    generator, x = process(box(1, 10), lambda x: 3 * x[:, 0], diffusion=2.0)
    edges = generator.edges
    start, end = edges.at_ends(x[:, 0])
    inner = (np.minimum(start, end) > 0.05) & (np.maximum(start, end) < 0.95)
    rate = 2.0 / 0.01 * bernoulli(3 * (end - start))
    assert generator.forward[inner] == pytest.approx(rate[inner], rel=1e-12)


@pytest.mark.parametrize(("dimension", "cells"), [(1, 40), (2, 12), (3, 6)])
def test_the_stationary_law_is_boltzmanns(dimension: int, cells: int) -> None:
    def potential(x: Array) -> Array:
        return 4 * np.cos(5 * x[:, 0]) + 3 * (x**2).sum(axis=1)

    generator, _ = process(box(dimension, cells), potential)
    assert stationary(generator) == pytest.approx(generator.boltzmann, rel=1e-12)


def test_no_number_overflows_in_a_potential_of_hundreds() -> None:
    generator, x = process(box(2, 60, -1.0, 1.0), steep)
    assert np.isfinite(generator.forward).all() and np.isfinite(generator.backward).all()
    times = first_passage(generator, 0.3 - np.hypot(x[:, 0], x[:, 1]))
    assert np.isfinite(times).all() and times.min() >= 0.0
    # down a slope of this steepness it is a fall: dt = dr/(2 a r)
    at = np.argmin(np.hypot(x[:, 0] - 1, x[:, 1]))
    assert times[at] == pytest.approx(math.log(1 / 0.3) / 600, rel=0.1)
    found = modes(generator, 3, NOBODY, None, x[:, 0])
    assert found.rates.min() > 450.0  # none that lives on what is far above the bottom


def test_a_mesh_with_obtuse_angles_is_corrected_and_said_so() -> None:
    domain = mesh.create_rectangle(
        MPI.COMM_WORLD, [np.zeros(2), np.ones(2)], [12, 12], diagonal=mesh.DiagonalType.right
    )
    x = domain.geometry.x
    x[:, 0] += 0.7 * x[:, 1]  # a shear that makes the angles along the diagonals obtuse
    matrix, volumes, positions = discretised(domain)
    edges = Edges(matrix, positive=True)
    generator = Generator(edges, volumes, 5 * positions[:, 0])
    above = np.triu(whole(matrix).toarray(), 1)
    wrong = above > 1e-12
    assert edges.negative.edges == wrong.sum() > 0
    share = above[wrong].sum() / np.abs(above).sum()
    assert edges.negative.share == pytest.approx(share, rel=1e-9)
    assert generator.forward.min() >= 0 and generator.backward.min() >= 0
    assert stationary(generator) == pytest.approx(generator.boltzmann, rel=1e-12)
    # as it is, the equation is consistent: a linear function along the force grows at its rate
    kept = Generator(Edges(matrix), volumes, 0 * positions[:, 0])
    change = kept.edges.vector()
    kept.expected_change(kept.edges.vector(positions[:, 0]), change)
    inner = (np.abs(positions[:, 1] - 0.5) < 0.49) & (
        np.abs(positions[:, 0] - 0.7 * positions[:, 1] - 0.5) < 0.49
    )
    assert inner.sum() == 121
    assert change.array_r[inner] == pytest.approx(np.zeros(121), abs=1e-10)
    assert kept.forward.min() < 0
    assert stationary(kept) == pytest.approx(kept.boltzmann, rel=1e-12)


@pytest.mark.parametrize("mixed", [0.4, -0.4])
def test_a_tensor_needs_diagonals_that_go_its_way(mixed: float) -> None:
    tensor = [[1.0, mixed], [mixed, 1.0]]
    matrix, _, _ = discretised(box(2, 8), tensor)  # rising diagonals
    found = Edges(matrix).negative
    assert (found.edges == 0) == (mixed > 0)
    assert found.share == pytest.approx(0.0 if mixed > 0 else 0.4 / 3.6, abs=0.03)


def well_numbers(height: float, cells: int) -> tuple[float, Array, float]:
    generator, x = process(box(1, cells, -2.5, 2.5), double_well(height))
    at = generator.edges.total
    times = first_passage(generator, x[:, 0] - 1)
    time = at(times[np.abs(x[:, 0] + 1) < 1e-9])
    rates = modes(generator, 2, NOBODY, None, x[:, 0]).rates
    both = transitions(generator, -1 - x[:, 0], x[:, 0] - 1, generator.boltzmann)
    return time, rates, both.rate


@pytest.mark.parametrize(
    ("height", "time", "first", "second"),
    [
        (2.0, 5.129285033592, 0.454546602, 8.15655978),
        (5.0, 36.483534597116, 0.0555228127, 16.4449425),
        (8.0, 437.504351398345, 0.00457495112, None),
    ],
)
def test_double_well(height: float, time: float, first: float, second: float | None) -> None:
    found, rates, rate = well_numbers(height, 1000)
    assert found == pytest.approx(time, rel=1e-4)
    assert rates[0] == pytest.approx(first, rel=1e-4)
    if second is not None:
        assert rates[1] == pytest.approx(second, rel=1e-4)
    assert rate == pytest.approx(1 / time, rel=1e-4)  # between points it is the inverse of the time


def test_second_order_in_one_dimension() -> None:
    errors = np.array([
        [found / 36.483534597116 - 1, rates[0] / 0.0555228127 - 1]
        for found, rates, _ in (well_numbers(5.0, cells) for cells in (100, 200))
    ])  # fmt: skip
    assert np.log2(np.abs(errors[0] / errors[1])) == pytest.approx([2.0, 2.0], abs=0.15)


def test_a_rate_beside_which_the_fastest_is_1e16_times_faster() -> None:
    """A barrier of 20 k_B T: the slow rate keeps its digits, from squares along edges."""
    height = 20.0
    generator, x = process(box(1, 4000, -2.0, 2.0), double_well(height))
    slow = modes(generator, 1, NOBODY, None, x[:, 0]).rates[0]
    exact = 1 / mean_first_passage_time(lambda x: height * (x**2 - 1) ** 2, -1, 0, -2.0)
    assert exact < 1e-6 and generator.exit_rates().max() / slow > 1e12
    assert slow == pytest.approx(exact, rel=1e-3)  # beyond the digits of a two-state chain
    rates = transitions(generator, -1 - x[:, 0], x[:, 0] - 1, generator.boltzmann)
    assert rates.rate + rates.rate_back == pytest.approx(slow, rel=1e-6)


def test_a_long_time_keeps_its_digits() -> None:
    """Factors alone are off by some percent of a time of 1e7: refinement is by fluxes."""
    height = 20.0
    generator, x = process(box(1, 4000, -2.0, 2.0), double_well(height))
    times = first_passage(generator, x[:, 0] - 1)
    found = generator.edges.total(times[np.abs(x[:, 0] + 1) < 1e-9])
    exact = mean_first_passage_time(lambda x: height * (x**2 - 1) ** 2, -1, 1, -2.0)
    assert exact > 1e6
    assert found == pytest.approx(exact, rel=2e-5)


def test_a_time_that_double_precision_cannot_hold_is_an_error() -> None:
    generator, x = process(box(1, 4000, -2.0, 2.0), double_well(60.0))
    with pytest.raises(NumericalError, match="double precision"):
        first_passage(generator, x[:, 0] - 1)


def ring(x: Array) -> Array:
    """Two wells on a ring, smooth."""
    return 6 * (x[:, 0] ** 2 + x[:, 1] ** 2 - 1) ** 2 + 2 * x[:, 0] * x[:, 1] + 0.5 * x[:, 0]


def committor_and_rate(cells: int) -> tuple[float, float]:
    generator, x = process(box(2, cells, -1.75, 1.75), ring)
    a, b = (0.3 - np.hypot(x[:, 0] - s * 0.6, x[:, 1] + s * 0.7) for s in (1, -1))
    found = transitions(generator, a, b, generator.boltzmann)
    near = np.hypot(x[:, 0] - 0.7, x[:, 1] - 0.7) < 1e-9
    return float(found.committor[near].sum()), found.rate


def test_second_order_in_two_dimensions() -> None:
    """Committor at a node and rate between discs whose edges cut those of the mesh."""
    coarse, middle, fine = (np.array(committor_and_rate(n)) for n in (40, 80, 160))
    assert fine[0] == pytest.approx(0.4, abs=0.2)
    assert np.log2((coarse - middle) / (middle - fine)) == pytest.approx([2.0, 2.0], abs=0.15)


def test_hitting_probabilities_add_up() -> None:
    generator, x = process(box(2, 16), lambda x: np.sin(7 * x[:, 0]) + x[:, 1])
    corners = [0.2 - np.hypot(x[:, 0] - a, x[:, 1] - b) for a, b in ((0, 0), (1, 0), (0.5, 1))]
    found = [
        hitting_probability(generator, corners[k], *(corners[:k] + corners[k + 1 :]))
        for k in range(3)
    ]
    assert sum(found) == pytest.approx(np.ones(len(x)), abs=1e-13)
    assert min(one.min() for one in found) >= 0.0


def test_modes_of_a_circle_and_a_torus() -> None:
    """k^2 twice each; on a torus 1 four times. The sums of squares on a grid of h = 2 pi/n."""
    generator, x, _ = torus([64], lambda x: 0 * x[:, 0], [0.0])
    grid = (2 - 2 * np.cos(np.arange(1, 3) * 2 * np.pi / 64)) / (2 * np.pi / 64) ** 2
    found = modes(generator, 4, NOBODY, None, x[:, 0])
    assert found.rates == pytest.approx(np.repeat(grid, 2), rel=1e-9)
    generator, x, _ = torus([24, 24], lambda x: 0 * x[:, 0], [0.0, 0.0])
    grid = (2 - 2 * np.cos(2 * np.pi / 24)) / (2 * np.pi / 24) ** 2
    assert modes(generator, 4, NOBODY, None, x[:, 0]).rates == pytest.approx(np.full(4, grid), 1e-9)


@pytest.mark.parametrize(("height", "force"), [(1.0, 0.0), (2.0, 0.0), (2.0, 1.0), (1.0, 3.0)])
def test_transport_in_a_cosine(height: float, force: float) -> None:
    exact = tilted_periodic(lambda x: height * np.cos(x), force, 2 * np.pi)
    generator, _, steps = torus([600], lambda x: height * np.cos(x[:, 0]), [force])
    found = transport(generator, steps, stationary(generator))
    assert found.drift[0] == pytest.approx(exact.velocity, rel=1e-4, abs=1e-14)
    assert found.diffusion[0, 0] == pytest.approx(exact.diffusion, rel=1e-4)


def test_transport_is_of_second_order() -> None:
    exact = tilted_periodic(lambda x: 2 * np.cos(x), 1.0, 2 * np.pi)
    errors = []
    for cells in (50, 100):
        generator, _, steps = torus([cells], lambda x: 2 * np.cos(x[:, 0]), [1.0])
        found = transport(generator, steps, stationary(generator))
        errors.append([found.drift[0] - exact.velocity, found.diffusion[0, 0] - exact.diffusion])
    order = np.log2(np.array(errors[0]) / np.array(errors[1]))
    assert order == pytest.approx([2.0, 2.0], abs=0.15)


def test_transport_on_a_torus_is_that_of_each_angle() -> None:
    def potential(x: Array) -> Array:
        return 2 * np.cos(x[:, 0]) + np.cos(x[:, 1])

    generator, _, steps = torus([60, 40], potential, [1.0, 0.0])
    found = transport(generator, steps, stationary(generator))
    line, _, along = torus([60], lambda x: 2 * np.cos(x[:, 0]), [1.0])
    alone = transport(line, along, stationary(line))
    assert found.drift == pytest.approx([alone.drift[0], 0.0], rel=1e-9, abs=1e-13)
    assert found.diffusion[0, 0] == pytest.approx(alone.diffusion[0, 0], rel=1e-9)
    assert found.diffusion[0, 1] == pytest.approx(0.0, abs=1e-12)


RANKS = """
import json
import numpy as np
from markov_processes import box, process, torus
from fem_rd.numerics.markov_solves import first_passage, modes, stationary, transitions, transport

generator, x = process(box(2, 24, -1.5, 1.5), lambda x: 4 * (x[:, 0]**2 - 1)**2 + x[:, 1]**2)
a, b = (0.4 - np.hypot(x[:, 0] - s, x[:, 1]) for s in (-1, 1))
found = transitions(generator, a, b, generator.boltzmann)
slow = modes(generator, 3, np.zeros(0, dtype=int), None, x[:, 0])
total = generator.edges.total
numbers = [found.rate, found.flux, total(found.committor * x[:, 1]**2), *slow.rates,
           total(slow.functions[0] * x[:, 0]), total(first_passage(generator, b))]
line, at, steps = torus([50, 30], lambda x: np.cos(x[:, 0]) * np.sin(x[:, 1]), [1.0, 0.5])
law = stationary(line)
moved = transport(line, steps, law)
numbers += [*moved.drift, *moved.diffusion.ravel(), line.edges.total(law * np.cos(at[:, 0]))]
if generator.comm.rank == 0:
    print(json.dumps([float(number) for number in numbers]))
"""


@pytest.mark.mpi
def test_one_two_and_three_ranks_find_the_same(tmp_path: Path) -> None:
    script = tmp_path / "ranks.py"
    here = Path(__file__).parent
    script.write_text(f"import sys\nsys.path.insert(0, {str(here)!r})\n{RANKS}")
    found = []
    for ranks in (1, 2, 3):
        ended = run_on_ranks(ranks, script, tmp_path)
        assert ended.returncode == 0, ended.stderr
        found.append(json.loads(ended.stdout))
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-11)
    assert found[2] == pytest.approx(found[0], rel=1e-9, abs=1e-11)


def test_edges_that_enter_a_set_end_at_its_boundary() -> None:
    """A free walk to a point between two nodes: (L^2 - x^2)/2 from a reflecting wall at 0.

    Exact up to the volume of the node next to the point.
    """
    for end in (0.8, 0.7651, 0.75001):
        generator, x = process(box(1, 40), lambda x: 0 * x[:, 0])
        times = first_passage(generator, x[:, 0] - end)
        start = generator.edges.total(times[x[:, 0] < 1e-9])
        assert start == pytest.approx(end**2 / 2, abs=0.025**2)
    