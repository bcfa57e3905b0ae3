"""Reservoirs whose flux fluctuates: its covariance, exact totals, and the law of the numbers.

On a line all second moments of the scheme are known (`fem_rd.exact.hybrid_fluctuations`), with the
noise too. Particles begin as a Poisson process, the PDE begins without noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import ufl
from dolfinx import fem
from hybrid_runs import (
    CUBE,
    LINE,
    OWN,
    PAIRS,
    PLANE,
    SHELL,
    hybrid,
    restored_run_goes_on_to_the_bit,
    rows_of,
)
from scipy.sparse import csr_array
from test_hybrid_model_ranks import killed_run_goes_on_to_the_bit, run
from test_hybrid_statistics import CELLS, HALF, HALVES, STEP, WIDTH, score, seen

from fem_rd.errors import CaseError
from fem_rd.exact.hybrid_coupling import exchange_gain, relaxation
from fem_rd.exact.hybrid_fluctuations import _noise_of_step, stationary_numbers
from fem_rd.exact.hybrid_line import HybridLine
from fem_rd.hybrid.flux_noise import CellFluxes, FluxNoise
from fem_rd.models.assembly import matrix
from fem_rd.models.hybrid.model import HybridModel
from fem_rd.models.place import Place
from fem_rd.particles.random import Streams

NOISE = (OWN, "hybrid.noise=true")
ROUND_OFF = 1e-12
MOST = 3.0
slow = pytest.mark.slow


def reservoir(model: HybridModel) -> Place:
    return model._sides.reservoirs[0].model.place


def gains(place: Place, concentrations: np.ndarray, duration: float) -> np.ndarray:
    """What nodes gain by each of the normal numbers alone, (numbers, nodes), at D = 1."""
    dim = place.domain.dimension
    cells = len(place.space.dofmap.list)
    fluxes = CellFluxes.of(place.domain, np.ones(dim * cells))
    one_each = np.eye(dim * cells).reshape(dim * cells, dim, cells).swapaxes(0, 1)
    fields = np.broadcast_to(concentrations, (dim * cells, place.owned))
    return fluxes.amounts(fields, duration, one_each)


def stiffness(place: Place, level: np.ndarray) -> np.ndarray:
    """That of a diffusion coefficient with one value per cell."""
    coefficient = fem.Function(fem.functionspace(place.domain.mesh, ("DG", 0)))
    coefficient.x.array[:] = level
    form = coefficient * ufl.inner(ufl.grad(place.trial), ufl.grad(place.test)) * place.dx
    rows, columns, values = matrix(form).getValuesCSR()
    return csr_array((values, columns, rows)).toarray()


@pytest.mark.parametrize(
    ("text", "overrides"),
    [(LINE, ()), (PLANE, ()), (SHELL, ("mesh.parameters.size=1.4", "hybrid.domain.outer=2.0"))],
    ids=["line", "plane", "shell"],
)
def test_covariance_of_a_step(tmp_path: Path, text: str, overrides: tuple[str, ...]) -> None:
    """2 Delta c K, with K of the FEM, also where entries off its diagonal are positive."""
    place = reservoir(hybrid(tmp_path, text, OWN, "hybrid.replicas=1", *overrides))
    found = gains(place, np.full(place.owned, 30.0), 0.01)
    flat = stiffness(place, np.full(len(place.space.dofmap.list), 30.0))
    assert found.T @ found == pytest.approx(2 * 0.01 * flat, abs=1e-13 * flat.max())
    if text == SHELL:
        assert (flat - np.diag(np.diag(flat))).max() > 0.05 * flat.max()
    values = 10 * np.cos(2 * place.positions @ [1.0, 1.3, 0.7])
    levels = values[place.space.dofmap.list].mean(axis=1)
    assert levels.min() < -1 and levels.max() > 1
    expected = 2 * 0.02 * stiffness(place, np.maximum(levels, 0.0))
    found = gains(place, values, 0.02)
    assert found.T @ found == pytest.approx(expected, abs=1e-13 * expected.max())
    assert np.abs(found.sum(axis=1)).max() < 1e-14 * np.abs(found).max()


def test_numbers_belong_to_replica_step_and_species(tmp_path: Path) -> None:
    """Each a draw of its own, the same again when asked again, of the strength of its species."""
    place = reservoir(hybrid(tmp_path, CUBE, OWN, "hybrid.replicas=1"))
    fluxes = CellFluxes.of(place.domain, np.array([1.0, 4.0]))
    level = np.full((2, place.owned), 5.0)
    keys = [(seed, replica, step) for seed in (0, 1) for replica in (0, 1) for step in range(50)]
    draws = [FluxNoise(fluxes, Streams(a, b)).amounts(level, 0.1, c) for a, b, c in keys]
    again = FluxNoise(fluxes, Streams(1, 0)).amounts(level, 0.1, 7)
    assert np.array_equal(again, draws[keys.index((1, 0, 7))])
    rows = np.array(draws).reshape(2 * len(keys), -1)
    likeness = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(likeness).max() < 6 / math.sqrt(place.owned)
    assert np.mean(likeness**2) * place.owned < 2
    squares = (np.array(draws) ** 2).mean(axis=(0, 2))
    assert squares[1] / squares[0] == pytest.approx(4, rel=0.03)


CONSERVED: dict[str, tuple[str, float, Callable[[dict[str, float]], float]]] = {
    "line": (LINE, 0.05, lambda row: row["amount_A"]),
    "plane": (PLANE, 0.05, lambda row: row["amount_A"]),
    "cube": (CUBE, 0.03, lambda row: (
        row["amount_A"] + row["left_A_left"] + row["reservoir_left_A_right"])),
    "shell": (SHELL, 0.1, lambda row: (
        row["amount_B"] + row["left_B_reactive"] + row["reservoir_left_B_reservoir"])),
    "pairs": (PAIRS, 0.02, lambda row: row["amount_A"] + row["amount_C"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSERVED)
def test_nothing_is_lost_at_any_step(tmp_path: Path, name: str) -> None:
    """In the mean of replicas, with what held boundaries have taken of the noise."""
    text, end, conserved = CONSERVED[name]
    rows = list(rows_of(hybrid(tmp_path, text, *NOISE), end))
    totals = np.array([conserved(row) for row in rows])
    assert len(rows) > 10 and np.abs(totals - totals[0]).max() <= ROUND_OFF * totals[0]
    assert max(row["ledger_residual"] for row in rows) <= ROUND_OFF


def test_restored_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    restored_run_goes_on_to_the_bit(tmp_path, PAIRS, 0.02, *NOISE)


NOISY_PLANE = PLANE.replace("replicas = 4", 'replicas = 4\nreservoir = "own"\nnoise = true')


@slow
def test_same_on_any_number_of_ranks(tmp_path: Path) -> None:
    text = NOISY_PLANE.replace("end = 0.05", "end = 0.02") + "[output]\nfields_every = 0.02\n"
    alone = run(tmp_path, text, 1)
    for ranks in (2, 3):
        found = run(tmp_path, text, ranks)
        assert found.series.keys() == alone.series.keys()
        assert np.array_equal(found.series["count_A"], alone.series["count_A"])
        for name in ("reservoir_amount_A", "reservoir_A_min", "reservoir_A_max"):
            assert found.series[name] == pytest.approx(alone.series[name], rel=1e-13), name


@slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_stopped_run_goes_on_to_the_bit(tmp_path: Path, ranks: int) -> None:
    text = NOISY_PLANE.replace("end = 0.05", "end = 0.5") + "[checkpoint]\nsteps = 4\n"
    killed_run_goes_on_to_the_bit(tmp_path, text, ranks)


HELD = '[hybrid.species.A.boundaries.right]\ntype = "dirichlet"\nconcentration = {c}\n[time]'


def scheme(step: float, *, held: bool) -> HybridLine:
    """The scheme of the model, with the mirror of the particles at the depth HALF."""
    omega = float(relaxation(exchange_gain(1.0, step, WIDTH / 2)))
    return HybridLine(HALF, CELLS, WIDTH, step, relaxation=omega, held=held)


def covariances(line: HybridLine, steps: int) -> np.ndarray:
    """Of (N, nodes) at concentration 1, after 0, 1, ... steps: (steps + 1, ...)."""
    matrix, capacity = line.matrix(), line.modes()[2]
    noise, inner = _noise_of_step(line, True), len(capacity)
    see = np.zeros((1 + len(line.nodes), len(matrix)))
    see[0, :inner] = 1.0
    see[1:, inner:-1] = np.eye(len(line.nodes))
    covariance = np.zeros_like(matrix)
    covariance[:inner, :inner] = np.diag(capacity)
    found = []
    for _ in range(steps + 1):
        found.append(see @ covariance @ see.T)
        covariance = matrix @ covariance @ matrix.T + noise
    return np.array(found)


COARSE, FINE = (60, STEP, 240), (120, 0.05 * WIDTH**2, 800)


@pytest.mark.parametrize("held", [False, True], ids=["closed", "held"])
@pytest.mark.parametrize(
    ("replicas", "step", "steps"),
    [COARSE, pytest.param(*FINE, marks=[slow, pytest.mark.timeout(900)])],
    ids=["", "fine"],
)
def test_numbers_and_nodes_at_rest(
    tmp_path: Path, held: bool, replicas: int, step: float, steps: int
) -> None:
    """Means, variances and covariances of numbers and nodes, at all times: z-scores.

    The law is binomial or, by a held end, Poisson, up to what a finite step adds.
    """
    c, every, end = 100.0, 4, steps * step
    text = LINE.replace("[time]", HELD.format(c=c)) if held else LINE
    model = hybrid(
        tmp_path, text, *HALVES, f"time.step={step}", f"time.end={end}", *NOISE,
        f"hybrid.measure.every={every * step}", f"hybrid.replicas={replicas}",
        f"hybrid.species.A.initial={c}", "hybrid.seed=11",
    )  # fmt: skip
    found, line = seen(model, end), scheme(step, held=held)
    exact = c * covariances(line, steps)[::every]
    nodes = found.nodes[:, :, : len(line.nodes)] - c
    state = np.concatenate([found.numbers[:, :, None] - c * HALF, nodes], axis=2)
    means = state[1:].mean(axis=0)
    assert max(abs(score(column)) for column in means.T) < MOST
    inside, amount = np.eye(state.shape[2])[0], np.r_[0.0, line.volumes]
    balance = inside - amount
    pairs = [(inside, inside), (inside, amount), (balance, balance), (amount, amount)]
    pairs += [(one_node(2, line), one_node(3, line))]
    for first, other in pairs:
        products = (state @ first) * (state @ other)
        expected = np.einsum("a,rab,b->r", first, exact, other)
        assert abs(score((products - expected[:, None])[1:].mean(axis=0))) < MOST
    for node in range(1, len(line.nodes)):
        square = (nodes[1:, :, node] ** 2 / exact[1:, 1 + node, 1 + node, None]).mean(axis=0)
        assert abs(score(square - 1)) < MOST and square.std(ddof=1) < 0.5, node
    total = found.numbers + nodes @ line.volumes
    assert held or np.abs(total - total[0]).max() < ROUND_OFF * c
    variance = stationary_numbers(line, noise=True)[0]
    excess = (variance - (HALF if held else HALF / 2)) / WIDTH
    assert excess == pytest.approx(0.13 if step < STEP else 0.6, abs=0.03)


def one_node(node: int, line: HybridLine) -> np.ndarray:
    return np.eye(1 + len(line.nodes))[1 + node] * line.volumes[node]


CLOSED_SHELL = SHELL[: SHELL.index("[hybrid.species.B.boundaries]")] + "[time]\n"


@slow
@pytest.mark.timeout(900)
def test_numbers_in_a_shell_of_tetrahedra(tmp_path: Path) -> None:
    """On an unstructured mesh: binomial about the share of the total, to some percent of h."""
    replicas, step, rows, c = 100, 0.005, 100, 20.0
    model = hybrid(
        tmp_path, CLOSED_SHELL, *NOISE, f"time.step={step}", f"time.end={4 * rows * step}",
        "hybrid.substeps=1", f"hybrid.measure.every={4 * step}", f"hybrid.replicas={replicas}",
        f"hybrid.species.B.initial={c}",
    )  # fmt: skip
    found = seen(model, 4 * rows * step)
    volumes = model._sides.reservoirs[0].model.volumes
    order = np.argsort(model._sides.reservoirs[0].model.positions()[:, 0])
    inner, outer = model._sides.ground.domain.volume, volumes.sum()
    share = inner / (inner + outer)
    away = found.numbers - share * (found.numbers + found.nodes @ volumes[order])
    ratio = (away[rows // 2 :] ** 2).mean(axis=0) / (c * inner * outer / (inner + outer))
    error = ratio.std(ddof=1) / math.sqrt(replicas)
    assert error < 0.06 and -3 * error < ratio.mean() - 1 < 0.1 + 3 * error


MISTAKES = {
    "shared": ("hybrid.noise=true",),
    "one-way": ("hybrid.noise=true", 'hybrid.coupling="one-way"'),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaseError) as caught:
        hybrid(tmp_path, LINE, *MISTAKES[name])
    said = str(caught.value)
    assert "hybrid.noise: only a reservoir that each replica has for itself can fluctuate" in said
    assert 'valid: with reservoir = "own"' in said and "\n" not in said.strip()


def test_rates_without_noise_are_worth_a_warning(tmp_path: Path) -> None:
    """Reactions, and boundaries but held ones."""

    def said(text: str, *overrides: str) -> str:
        warnings = hybrid(tmp_path, text, *overrides)._sides.warnings()
        return " ".join(one for one in warnings if "that of diffusion" in one)

    assert "matters: pair, pair_reverse" in said(PAIRS, *NOISE)
    assert not said(PAIRS, OWN) and not said(CUBE, *NOISE) and not said(SHELL, *NOISE)
    flux = CUBE.replace('"dirichlet"\nconcentration = 400.0', '"flux"\nflux = 1.0')
    assert said(flux, *NOISE).endswith("matters: A at right")
