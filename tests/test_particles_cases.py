"""The cases of particles: small by default, at full size against the bars in slow tests."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cases import Run, run

from fem_rd.exact.doi import doi_periodic_rate
from fem_rd.exact.open_boundary import effective_plane, effective_radius, slab_flux
from fem_rd.exact.open_layer_step import effective_plane_of_kicks
from fem_rd.exact.open_numbers import OpenSlab

CASES = Path(__file__).parents[1] / "cases"


@dataclass(frozen=True)
class Variant:
    """A case with overrides, and what its observables should be; ``errors``: relative, at most."""

    case: str
    overrides: tuple[str, ...]
    exact: Mapping[str, float]
    errors: Mapping[str, float]


def schemes(name: str) -> tuple[str, ...]:
    return tuple(f"particles.walls.{wall}.scheme={name}" for wall in ("left", "right"))


SPHERE = 4 * math.pi * 10 / (1 - 1 / 5)
OPEN_SPHERE = 4 * math.pi * 100 / (1 - 1 / 2)
COVARIANCES = OpenSlab(2.0, 1.0, 10.0).covariance([0.05, 0.1, 0.2, 0.4])
POISSON = {"mean_A": 20.0, "variance_A": 20.0}
IN_TIME = {f"covariance_A_{i + 1}": float(value) for i, value in enumerate(COVARIANCES)}
PLANE = effective_plane_of_kicks(1.0, 0.025)
LAYER_SPHERE = 4 * math.pi * 100 / (1 - 1 / (2 * effective_radius(1.0, 0.2, inside=True)))

FULL = {
    "brownian-box": Variant("brownian-box", (), {
        "mode": math.cos(math.pi / 4) * math.exp(-math.pi**2 / 10),
        "mode_across": -math.exp(-4 * math.pi**2 / 10)}, {"mode": 0.01}),
    "absorbing-sphere": Variant(
        "absorbing-sphere", (), {"rate": SPHERE}, {"rate": 0.01}),
    "absorbing-sphere, long steps": Variant(
        "absorbing-sphere", ("time.step=0.125", "time.end=500"), {"rate": SPHERE}, {"rate": 0.01}),
    "partially-absorbing-sphere": Variant(
        "partially-absorbing-sphere", (), {"rate": 4 * math.pi * 10 / 1.8}, {"rate": 0.01}),
    "doi-annihilation": Variant(
        "doi-annihilation", (), {"k": doi_periodic_rate(1, 1, 1, 5)}, {"k": 0.01}),
    "doi-annihilation, slow": Variant(
        "doi-annihilation", ("parameters.lambda_0=0.09", "parameters.births=0.2",
                             "particles.species.A.concentration=67.6", "time.step=0.05",
                             "particles.measure.begin=300", "time.end=1500"),
        {"k": doi_periodic_rate(1, 1, 0.09, 5)}, {"k": 0.012}),
    "doi-annihilation, fast": Variant(
        "doi-annihilation", ("parameters.lambda_0=9.0", "parameters.births=4.0",
                             "particles.species.A.concentration=37.85", "time.step=0.005",
                             "particles.measure.begin=20", "time.end=60"),
        {"k": doi_periodic_rate(1, 1, 9, 5)}, {"k": 0.015}),
    "open-box": Variant("open-box", (), POISSON | IN_TIME, {"mean_A": 0.01}),
    "open-box, layer": Variant(
        "open-box", ("particles.walls.left.scheme=layer",), POISSON, {"mean_A": 0.02}),
    "open-box, layer-matched": Variant(
        "open-box", ("particles.walls.left.scheme=layer-matched",), POISSON, {"mean_A": 0.02}),
    "open-slab, crossing": Variant(
        "open-slab-two-reservoirs", (), {"flux": 400.0}, {"flux": 0.005}),
    "open-slab, layer-matched": Variant(
        "open-slab-two-reservoirs", schemes("layer-matched"), {"flux": 400.0}, {"flux": 0.005}),
    "open-slab, layer": Variant(
        "open-slab-two-reservoirs", schemes("layer"),
        {"flux": slab_flux(1, 1, 400, 0, (0.2 * effective_plane(1.0),) * 2)}, {"flux": 0.005}),
    "open-boundary-bias": Variant(
        "open-boundary-bias", (),
        {"plane": PLANE, "flux": slab_flux(1, 1, 400, 0, (0.2 * PLANE,) * 2)}, {"flux": 0.005}),
    "open-sphere": Variant("open-sphere", (), {"rate": OPEN_SPHERE}, {"rate": 0.005}),
    "open-sphere, layer": Variant(
        "open-sphere", ("particles.walls.reservoir.scheme=layer",), {"rate": LAYER_SPHERE},
        {"rate": 0.005}),
}  # fmt: skip

# the same in a few seconds; the errors are larger
SMALL = {
    "brownian-box": ("particles.species.A.number=5000",),
    "absorbing-sphere": ("time.end=2", "time.step=0.02"),
    "partially-absorbing-sphere": ("time.end=4", "time.step=0.02"),
    "doi-annihilation, fast": ("parameters.births=0.2", "particles.species.A.concentration=1.89",
                               "particles.replicas=6", "particles.measure.begin=10",
                               "time.end=50", "time.step=0.02"),
    "open-box": ("time.end=10", "time.step=0.01", "particles.measure.lags=[0.1]"),
    "open-slab, crossing": ("time.end=1.6", "particles.measure.begin=0.1", "time.step=0.002"),
    "open-slab, layer": ("time.end=1.6", "particles.measure.begin=0.6", "time.step=0.002"),
    "open-boundary-bias": ("parameters.steps=800", "particles.measure.begin=0.3"),
    "open-sphere": ("time.end=1", "particles.measure.begin=0.2", "time.step=0.01"),
}  # fmt: skip


def scores(found: Run, variant: Variant) -> dict[str, float]:
    """Standard errors between what was found and what should be."""
    observables = found.summary["observables"]
    assert observables["ledger_residual"]["value"] == 0
    return {
        name: (observables[name]["value"] - exact) / observables[name]["error"]
        for name, exact in variant.exact.items()
        if name in observables
    }


@pytest.mark.parametrize("name", SMALL)
def test_a_small_case_gets_its_number_right(name, tmp_path):
    variant = FULL[name]
    found = run(CASES / variant.case, tmp_path / "out", *variant.overrides, *SMALL[name])
    assert max(map(abs, scores(found, variant).values())) < 3.5


@pytest.mark.parametrize("case", sorted({variant.case for variant in FULL.values()}))
def test_expected_numbers_are_the_closed_forms(case):
    expected = tomllib.loads((CASES / case / "expected.toml").read_text())
    exact = next(variant.exact for variant in FULL.values() if variant.case == case)
    for name, number in expected.items():
        assert number["value"] == pytest.approx(exact[name], rel=1e-7), name
        assert 0 < number["tolerance"] <= 0.3


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_a_case_at_full_size(name, tmp_path):
    """Within three standard errors, which are as small as was promised."""
    variant = FULL[name]
    found = run(CASES / variant.case, tmp_path / "out", *variant.overrides)
    assert max(map(abs, scores(found, variant).values())) < 3, scores(found, variant)
    for observable, limit in variant.errors.items():
        error = found.summary["observables"][observable]["error"]
        assert error <= limit * abs(variant.exact[observable]), observable


@pytest.mark.slow
def test_the_schemes_are_told_apart(tmp_path):
    """Layers seen by their rate through a curved interface: 8 % apart, and by curvature 1.5 %."""
    rates = {}
    for scheme in ("layer", "layer-matched"):
        override = f"particles.walls.reservoir.scheme={scheme}"
        found = run(CASES / "open-sphere", tmp_path / scheme, override)
        rates[scheme] = found.value("rate"), found.summary["observables"]["rate"]["error"]
    plane_matched = 2476.059370680853
    (layer, _), (matched, error) = rates["layer"], rates["layer-matched"]
    assert matched - layer > 15 * error
    assert matched - plane_matched > 3 * error
