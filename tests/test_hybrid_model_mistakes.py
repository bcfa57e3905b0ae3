"""Mistakes in hybrid cases: one clear line with the key, what was found and what is valid."""

from __future__ import annotations

from pathlib import Path

import pytest
from hybrid_runs import CUBE, LINE, PAIRS, PLANE, SHELL, hybrid

from fem_rd.errors import CaseError, CaseErrors

INSIDE = 'region = "inside"'
MISTAKES = {
    "region": (PLANE, INSIDE, 'region = "insid"', (
        "hybrid.region: the mesh has no such region; did you mean 'inside'?; found 'insid'; "
        "valid: domain, inside")),
    "no time": (PLANE, "end = 0.05\nstep = 0.0025", "end = 0.05", (
        "time.step: particles go on in time, by fixed steps: the key is missing; "
        "valid: step = a time")),
    "end": (PLANE, "end = 0.05", "end = 0.051", (
        "time.end: must be a multiple of time.step = 0.0025; found 0.051")),
    "steady": (PLANE, "[time]\nend = 0.05\nstep = 0.0025", "", "time"),
    "flux": (CUBE, 'type = "dirichlet"\nconcentration = 0.0', 'type = "flux"\nflux = 1.0', (
        "hybrid.species.A.boundaries.left: where particles are, a boundary cannot be this; "
        "found 'flux'; valid: dirichlet, reflecting, robin with concentration 0")),
    "boundary": (CUBE, "boundaries.left", "boundaries.lft", (
        "hybrid.species.A.boundaries.lft: the mesh has no boundary of this name; "
        "did you mean 'left'?; valid: back, bottom, front, left, right, top")),
    "initial": (PLANE, "inside = 100.0", "insde = 100.0", (
        "hybrid.species.A.initial.insde: the mesh has no region of this name; "
        "did you mean 'inside'?; valid: domain, inside")),
    "wall": (SHELL, "boundaries]\nreactive", "boundaries]\ninterface", (
        "hybrid.species.B.boundaries.interface: ")),
    "interface": (SHELL, 'interface = "reservoir"', 'interface = "outer"', (
        "hybrid.interface: the domain has no such wall; found 'outer'; "
        "valid: reactive, reservoir")),
    "volume": (SHELL, "outer = 2.0", "outer = 2.5", (
        "hybrid.domain: is not where the region is: their volumes differ by 1")),
    "radius of nothing": (PAIRS, "pair = 0.1", "pair = 0.1\npairs = 0.1", (
        "hybrid.radii.pairs: no reaction of two has this name; did you mean 'pair'?; "
        "valid: pair")),
    "no radius": (PAIRS, "[hybrid.radii]\npair = 0.1", "", (
        "hybrid.radii.pair: particles react in pairs within a radius; found 'A + B -> C'")),
    "two radii": (PAIRS, "rate = 0.1\n", "combination_rate = 0.1\nradius = 0.1\n", (
        "chemistry.reactions.pair.radius: in a hybrid run the radius is for the particles alone; "
        "valid: hybrid.radii.pair")),
    "radii of one": (LINE, "[time]", "[hybrid.radii]\nx = 0.1\n[time]", (
        "hybrid.radii.x: no reaction of two has this name; valid: no radius")),
    "flux wall": (PLANE, "[time]", "[hybrid.measure]\nflux = 'nowhere'\n[time]", (
        "hybrid.measure.flux: nothing passes this wall; found 'nowhere'; valid: to_domain")),
    "begin": (PLANE, "[time]", "[hybrid.measure]\nbegin = 5.0\n[time]", (
        "hybrid.measure.begin: must be before the end of the run, 0.05; found 5.0")),
    "lags": (PLANE, "[time]", "[hybrid.measure]\nlags = [0.0025]\n[time]", (
        "hybrid.measure.lags: needs averages over time; valid: with measure.begin")),
    "every": (PLANE, "[time]", "[hybrid.measure]\nevery = 0.0031\n[time]", (
        "hybrid.measure.every: must be a multiple of time.step = 0.0025; found 0.0031")),
    "average": (PLANE, "[time]", "[hybrid.averages.m]\nspecies = 'Q'\nof = 'x'\n[time]", (
        "hybrid.averages.m.species: no such species; found 'Q'; valid: A")),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    text, old, new, line = MISTAKES[name]
    assert old in text
    with pytest.raises((CaseError, CaseErrors)) as caught:
        hybrid(tmp_path, text.replace(old, new))
    said = str(caught.value).replace(f"{tmp_path}/case.toml: ", "")
    assert line in said and "\n" not in said.strip(), said


def test_coarse_closed_form_is_worth_a_warning(tmp_path: Path) -> None:
    warnings = hybrid(tmp_path, SHELL, "hybrid.domain.outer=2.06")._sides.warnings()
    assert any("differs by +" in one and "finer mesh" in one for one in warnings), warnings


def test_few_particles_at_a_node_are_worth_a_warning(tmp_path: Path) -> None:
    """50 per area, the corner of one triangle of h = 1/8 has h^2/6; 4 replicas share it."""
    few = hybrid(tmp_path, PLANE, "hybrid.species.A.initial.domain=50.0")._sides.warnings()
    assert any("holds 0.52 particles" in one for one in few), few
    many = hybrid(tmp_path, PLANE, "hybrid.replicas=40")._sides.warnings()
    assert not many
    own = hybrid(tmp_path, PLANE, "hybrid.replicas=40", 'hybrid.reservoir="own"')
    assert own._sides.warnings()


def test_long_step_is_worth_a_warning(tmp_path: Path) -> None:
    model = hybrid(tmp_path, LINE, "time.step=0.025", "hybrid.replicas=40", "mesh.cells=[64]")
    assert any("time.step below" in one for one in model._sides.warnings())
