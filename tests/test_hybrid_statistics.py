"""Means and fluctuations of the hybrid model at rest and on the way there, against exact moments.

On a line all first and second moments of the scheme are known: `fem_rd.exact.hybrid_line`. So z-
scores need no assumption about mesh or step. Particles begin as a Poisson process, the PDE begins
without noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hybrid_runs import LINE, OWN, PLANE, hybrid

from fem_rd.exact.hybrid_coupling import exchange_gain, relaxation
from fem_rd.exact.hybrid_fluctuations import _noise_of_step
from fem_rd.exact.hybrid_line import HybridLine
from fem_rd.models.hybrid.model import HybridModel

HALF, CELLS = 0.5, 4  # of the line on either side
WIDTH, STEP = HALF / CELLS, 0.0025
MOST = 3.0
HALVES = (
    f"mesh.upper=[{2 * HALF}]", f"mesh.cells=[{2 * CELLS}]",
    f"mesh.regions.inside.upper=[{HALF}]", f"time.step={STEP}",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """Of a run: (rows, replicas) numbers of particles, (rows, reservoirs, nodes) of the PDE.

    Nodes begin at the interface.
    """

    numbers: np.ndarray
    nodes: np.ndarray


def seen(model: HybridModel, end: float) -> Seen:
    numbers, nodes = zip(*_rows(model, end), strict=True)
    return Seen(np.array(numbers), np.array(nodes))


def _rows(model: HybridModel, end: float) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    while True:
        reservoirs = [one.model for one in model._sides.reservoirs]
        order = np.argsort(reservoirs[0].positions()[:, 0])
        yield model.measured().counts[0], [one.concentrations()[0, order] for one in reservoirs]
        if model.time >= end:
            return
        model.advance(end)


def line() -> HybridLine:
    """The scheme of the model; the particles' wall is the mirror at depth HALF."""
    omega = float(relaxation(exchange_gain(1.0, STEP, WIDTH / 2)))
    return HybridLine(HALF, CELLS, WIDTH, STEP, relaxation=omega)


def moments(begin: np.ndarray, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Mean and covariance at concentration 1, of (N, nodes), after 0, 1, ... steps.

    Modes of a Poisson process are independent, and their variances are the capacities.
    """
    scheme = line()
    matrix, noise, capacity = scheme.matrix(), _noise_of_step(scheme, False), scheme.modes()[2]
    inner = len(capacity)
    see = np.zeros((1 + len(scheme.nodes), len(matrix)))
    see[0, :inner] = 1.0
    see[1:, inner:-1] = np.eye(len(scheme.nodes))
    covariance = np.zeros_like(matrix)
    covariance[:inner, :inner] = np.diag(capacity)
    mean = begin
    for _ in range(steps + 1):
        yield see @ mean, see @ covariance @ see.T
        mean, covariance = matrix @ mean, matrix @ covariance @ matrix.T + noise


def score(samples: np.ndarray) -> float:
    """Of independent samples that should be 0 on average."""
    return float(samples.mean() / samples.std(ddof=1) * math.sqrt(len(samples)))


def rest(steps: int) -> tuple[np.ndarray, np.ndarray]:
    state = line().state(np.ones_like, np.ones_like)
    means, covariances = zip(*moments(state, steps), strict=True)
    return np.array(means), np.array(covariances)


def test_own_reservoirs_at_rest(tmp_path: Path) -> None:
    """Mean, and covariances of the number, the PDE's amount and the nodes.

    Totals do not change: half the difference of both sides tells most about what does.
    """
    replicas, steps, c = 40, 240, 100.0
    end = steps * STEP
    model = hybrid(
        tmp_path, LINE, *HALVES, f"time.end={end}", f"hybrid.measure.every={4 * STEP}", OWN,
        f"hybrid.replicas={replicas}", f"hybrid.species.A.initial={c}", "hybrid.seed=7",
    )  # fmt: skip
    found, exact = seen(model, end), c * rest(steps)[1][::4]
    number, nodes = found.numbers - c * HALF, found.nodes - c
    assert abs(score(number.mean(axis=0))) < MOST
    differences = np.r_[0.5, -0.5 * line().volumes]
    variance = np.einsum("a,rab,b->r", differences, exact, differences)
    balance = differences[0] * number + nodes @ differences[1:]
    square = (balance**2 / variance[:, None]).mean(axis=0) - 1
    assert abs(score(square)) < MOST and square.std(ddof=1) / math.sqrt(replicas) < 0.08
    for node in (0, CELLS):
        product = (balance * nodes[:, :, node])[1:]
        expected = (exact[1:, 1 + node] @ differences)[:, None]
        assert abs(score((product - expected).mean(axis=0))) < MOST, node
        square = (nodes[1:, :, node] ** 2 / exact[1:, 1 + node, 1 + node, None]).mean(axis=0)
        assert abs(score(square - 1)) < MOST, node


def test_shared_reservoir_at_rest(tmp_path: Path) -> None:
    """Deviations from the mean of the replicas are Poisson; the mean is one line of its own."""
    replicas, steps, c = 200, 120, 100.0
    end = steps * STEP
    model = hybrid(
        tmp_path, LINE, *HALVES, f"time.end={end}", f"hybrid.measure.every={4 * STEP}",
        f"hybrid.replicas={replicas}", f"hybrid.species.A.initial={c}",
    )  # fmt: skip
    found = seen(model, end)
    _, covariances = rest(steps)
    exact = c * covariances[::4] / replicas
    mean = found.numbers.mean(axis=1)
    away = np.abs(mean - c * HALF) / np.sqrt(exact[:, 0, 0])
    assert away[[0, -1]].max() < MOST and away.mean() < 1.6
    assert np.abs(found.nodes[-1, 0] - c)[0] < MOST * np.sqrt(exact[-1, 1, 1])
    apart = (found.numbers - mean[:, None]) ** 2 * replicas / (replicas - 1)
    assert abs(score(apart.mean(axis=0) - c * HALF)) < MOST


def test_step_relaxes_as_the_scheme_has_it(tmp_path: Path) -> None:
    """From 100 and 60: the number of particles and each node, within what the noise leaves."""
    replicas, steps, high, low = 1500, 40, 100.0, 60.0
    model = hybrid(
        tmp_path, LINE, *HALVES, f"time.end={steps * STEP}", f"hybrid.measure.every={4 * STEP}",
        f"hybrid.replicas={replicas}", f"hybrid.species.A.initial={{inside={high}, domain={low}}}",
    )  # fmt: skip
    found = seen(model, steps * STEP)
    begin = line().state(lambda x: np.full_like(x, high), lambda x: np.full_like(x, low))
    means, covariances = (np.array(part)[4::4] for part in zip(*moments(begin, steps), strict=True))
    amounts = np.column_stack([found.numbers.mean(axis=1), found.nodes[:, 0]])[1:]
    errors = np.sqrt(high * np.einsum("raa->ra", covariances) / replicas)
    assert (np.abs(amounts - means) < MOST * errors).all()
    assert errors[-1, -1] < 0.015 * (means[-1, -1] - low)


def columns(x: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Sums of amounts (replicas, nodes) over the nodes with the same x, (replicas, columns)."""
    places = np.round(x / 0.125).astype(int)
    return np.array([amounts[:, places == one].sum(axis=1) for one in np.unique(places)]).T


def test_step_profile_relaxes_as_the_equation_has_it(tmp_path: Path) -> None:
    """Profile of particles and of the PDE beside them, each column of nodes, from 100 and 60."""
    text = PLANE.replace("replicas = 4", "replicas = 60")
    model = hybrid(tmp_path, text, OWN, 'hybrid.compare=["pde"]', "hybrid.measure.every=0.05")
    model.advance(0.05)
    sides, hats, pde = model._sides, model._hats, model._compared["whole-pde"].model
    expected = hats.exchange.gather(pde.concentrations())[0] * hats.volumes
    amounts = [hats.amounts(one.system, sides.species)[0] for one in sides.ensemble.replicas]
    x = sides.ground.region.mesh.points[:, 0]
    away = columns(x, np.array(amounts) - expected)
    beside = [one.model for one in sides.reservoirs]
    places, whole = beside[0].positions(), pde.positions()
    same = np.argmin(((places[:, None] - whole) ** 2).sum(axis=2), axis=1)
    known = pde.concentrations()[0, same]
    values = np.array([one.concentrations()[0] for one in beside])
    apart = columns(places[:, 0], (values - known) * beside[0].volumes)
    assert away.shape == apart.shape == (60, 9)
    scores = [score(column) for column in (*away.T, *apart.T)]
    assert np.abs(scores).max() < MOST, scores
    assert abs(known[places[:, 0] == 1.0] - 80).max() < 2  # much has happened since the step


RESTING = """
model = "hybrid"
[mesh]
builtin = "interval"
lower = [-1.5]
upper = [1.5]
cells = [120]
[mesh.regions.inside]
lower = [-1.5]
upper = [0.0]
[hybrid]
region = "inside"
replicas = 4
[parameters]
c = 2000.0
[hybrid.species.A]
diffusion = 1.0
initial = "c"
[time]
end = 0.4
step = 0.001
"""
REACTING = """
[chemistry.reactions.birth]
equation = "0 -> A"
rate = "8*c"
[chemistry.reactions.feed]
equation = "0 -> B"
rate = "8*c"
[chemistry.reactions.pair]
equation = "A + B -> 0"
rate = "8/c"
[hybrid.radii]
pair = 0.04
[hybrid.species.B]
diffusion = 1.0
initial = "c"
"""


def at_interface(model: HybridModel, width: float, c: float) -> tuple[float, float]:
    """The level next to the interface over c, less 1, and the step to the particles there.

    Means over species and both sides, in strips of a width.
    """
    sides, found = model._sides, []
    reservoir = sides.reservoirs[0].model
    near = reservoir.positions()[:, 0] < width
    volumes = reservoir.volumes[near]
    for row, name in enumerate(sides.species):
        counts = [(one.system[name].x[0] > -width).sum() for one in sides.ensemble.replicas]
        beside = reservoir.concentrations()[row, near] @ volumes / volumes.sum()
        found.append((np.mean(counts) / (c * width), beside / c))
    inside, outside = np.mean(found, axis=0)
    return (inside + outside) / 2 - 1, inside - outside


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("reacting", "c"), [(False, 20000.0), (True, 2000.0)])
def test_uniform_state_stays_uniform(tmp_path: Path, reacting: bool, c: float) -> None:
    """No step at the interface above 0.3 %, and the right level with pairs across it.

    They would react so much less there, if they did not across it, that the level were 1 % higher.
    Pairs are many and slow, so that correlations do not change their rate; the walls, where
    partners are missing, are far. With pairs the step is known to some 0.25 % only.
    """
    runs, text = 12, RESTING + REACTING * reacting
    found = np.array([of_run(tmp_path, text, c, seed) for seed in range(runs)])
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / math.sqrt(runs)
    assert (error < (1.5e-3, 3.5e-3 if reacting else 1.5e-3)).all()
    assert (np.abs(mean) < MOST * error).all(), (mean, error)
    assert abs(mean[0 if reacting else 1]) < 3e-3


def of_run(directory: Path, text: str, c: float, seed: int) -> np.ndarray:
    """Level and step of one run, means over time."""
    model = hybrid(
        directory, text, "hybrid.measure.every=0.002", f"parameters.c={c}", f"hybrid.seed={seed}"
    )
    rows = []
    while model.time < 0.4:
        model.advance(0.4)
        rows.append(at_interface(model, 0.1, c))
    return np.mean(rows[20:], axis=0)
