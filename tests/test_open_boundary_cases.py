"""Open walls of cases: of meshes, along x, y and t, of finite volume, and put in by a program."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from cases import build, values_of, write_case
from mesh_regions import box_region, disc_region
from particle_runs import score, to_end

from fem_rd.case.loading import load_case
from fem_rd.case.sections.particle_places import (
    AbsorbingWall,
    BallDomain,
    BoxDomain,
    MeshDomain,
    OpenWall,
)
from fem_rd.case.sections.particles import ParticleSpecies, ParticlesSection
from fem_rd.errors import CaseError, CaseErrors
from fem_rd.models.particles.open import Behind
from fem_rd.models.particles.setup import Setup
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.open_boundary_facets import Facets
from fem_rd.particles.open_boundary_reversal import Reversal
from fem_rd.particles.open_boundary_schemes import Crossing
from fem_rd.particles.open_boundary_supply import Profile, WellMixed
from fem_rd.particles.random import Streams
from fem_rd.particles.state import System
from fem_rd.state import State

SQUARE = """
model = "particles"
[mesh]
builtin = "rectangle"
upper = [1.0, 1.0]
cells = [3, 3]
[particles]
seed = 5
replicas = 4
[particles.domain]
type = "mesh"
[particles.species.A]
diffusion = 1.0
concentration = 500.0
[particles.walls.left]
type = "open"
concentration = 500.0
[particles.walls.bottom]
type = "open"
concentration = 500.0
[particles.measure]
begin = 0.2
[time]
end = 1.2
step = 0.02
"""
CLOSED = """
[particles.domain]
type = "box"
upper = [1.0, 1.0]
"""
BOTTOM = '[particles.walls.bottom]\ntype = "open"\nconcentration = 500.0\n'
MESHED = SQUARE[SQUARE.index("[mesh]") : SQUARE.index("[particles]")]


def boxed(text: str) -> str:
    """The same in closed form."""
    return text.replace(MESHED, "").replace('[particles.domain]\ntype = "mesh"\n', CLOSED)


@pytest.mark.parametrize("form", [lambda text: text, boxed], ids=["mesh", "box"])
def test_two_open_sides_of_a_corner_are_at_rest(tmp_path, form):
    model = build(tmp_path, form(SQUARE), "time.end=5.2")
    found = to_end(model, 5.2)
    assert abs(score(model, "mean_A", 500.0)) < 3
    assert found["ledger_residual"] == 0


def test_crossing_is_in_closed_form_where_that_is_exact():
    def scheme(domain, walls, name="left"):
        section = ParticlesSection(
            domain=domain, species={"A": ParticleSpecies(diffusion=1.0)}, walls=walls
        )
        region = box_region([2, 2]) if isinstance(domain, MeshDomain) else None
        setup = Setup(made(section), 0.001, region)
        return type(setup.entrances["A", name].scheme)

    square, side = BoxDomain(upper=(1.0, 1.0)), OpenWall(concentration=1.0)
    assert scheme(square, {"left": side}) is Crossing
    assert scheme(square, {"left": side, "right": side}) is Crossing
    assert scheme(square, {"left": side, "top": side}) is Reversal
    assert scheme(square, {"left": side, "bottom": AbsorbingWall()}) is Reversal
    assert scheme(BallDomain(radius=1.0), {"outer": side}, "outer") is Crossing
    assert scheme(BallDomain(radius=1.0, dimension=2), {"outer": side}, "outer") is Crossing
    assert scheme(MeshDomain(), {"left": side}) is Crossing  # cells of a square
    assert scheme(MeshDomain(), {"left": side, "right": side}) is Crossing
    assert scheme(MeshDomain(), {"left": side, "top": side}) is Reversal
    assert scheme(MeshDomain(), {"left": side, "top": AbsorbingWall()}) is Reversal


def test_a_prism_over_an_interface_is_known():
    """Unless something else begins within reach of it, or leans."""
    square = box_region([8, 8])
    left = Facets.of_wall(square, "left")
    assert left.upright(square, 0.9) == ("bottom", "top")
    assert left.upright(square, 1.1) is None  # the opposite side
    leaning = shear(square, 0.1)
    assert Facets.of_wall(leaning, "left").upright(leaning, 0.5) is None
    disc = disc_region(16, 0.5)
    assert all(Facets.of_wall(disc, wall).upright(disc, 0.1) is None for wall in disc.walls)


def shear(region, slope):
    """The same cells, displaced along y in proportion to x."""
    mesh = region.mesh
    points = mesh.points.copy()
    points[:, 1] += slope * points[:, 0]
    return MeshRegion(replace(mesh, points=points))


@pytest.mark.parametrize("form", [lambda text: text, boxed], ids=["mesh", "box"])
def test_a_concentration_of_place_and_time(tmp_path, form):
    """c = 500 (1 + cos(pi y)/2) at the left: its mode, which other walls do not see."""
    text = form(SQUARE).replace(BOTTOM, "")
    text = text.replace('"open"\nconcentration = 500.0', '"open"\nconcentration = "C"')
    text += '[particles.averages.wave]\nspecies = "A"\nof = "cos(pi*y)"\n'
    exact = 0.25 * math.tanh(math.pi) / math.pi
    for rises in ("1", "min(1, 5*t)"):
        expression = f"10000*(1 + cos(pi*y)/2*{rises})"
        changed = text.replace('"C"', f'"{expression}"').replace("= 500.0", "= 10000.0")
        model = build(tmp_path, changed, "time.step=0.005", "time.end=0.6")
        to_end(model, 0.6)
        assert abs(score(model, "wave", exact)) < 3


FINITE = boxed(SQUARE).replace(BOTTOM, "").replace(
    'type = "open"\nconcentration = 500.0', 'type = "open"\nconcentration = 150.0\nvolume = 2'
)


def test_a_reservoir_of_finite_volume(tmp_path):
    """100 molecules and 300 in a volume of 2: each is inside with probability 1/3."""
    text = FINITE.replace("concentration = 500.0", "number = 100").replace("= 4", "= 100")
    model = build(tmp_path, text, "time.end=3")
    assert values_of(model)["reservoir_A_left"] == 300
    found = to_end(model, 1.0, 3.0)
    assert found["ledger_residual"] == 0
    assert found["count_A"] + found["reservoir_A_left"] == pytest.approx(400, rel=1e-14)
    assert found["left_A_left"] == pytest.approx(found["reservoir_A_left"] - 300, abs=1e-9)
    assert abs(found["count_A"] - 400 / 3) < 3 * math.sqrt(400 * 2 / 9 / 100)
    spread = 400 * 2 / 9
    assert abs(found["count_A_variance"] - spread) < 3 * spread * math.sqrt(2 / 100)


def test_a_finite_reservoir_is_saved(tmp_path):
    text = FINITE.replace("concentration = 500.0", "number = 100")
    whole, first, second = (build(tmp_path, text) for _ in range(3))
    expected = to_end(whole, 0.6, 1.2)
    to_end(first, 0.6)
    saved = first.state()
    kept = {name: np.array(value) for name, value in saved.distributed.items()}
    second.restore(State(kept, dict(saved.replicated)))
    assert to_end(second, 1.2) == expected
    assert expected["reservoir_A_left"] > 120


def made(section, **more):
    """A case whose section a program has made."""
    case = load_case(write_case(made.path, SQUARE.replace("step = 0.02", "step = 0.001")))
    return replace(case, section=section, **more)


@pytest.fixture(autouse=True)
def _path(tmp_path):
    made.path = tmp_path / "made"


class Noting:
    """A boundary of the engine that does nothing but say that it was there."""

    name = "noting"

    def __init__(self):
        self.steps = 0

    def before(self, system, dt):
        return {}

    def after(self, system, dt, exits):
        self.steps += 1
        return {}


@pytest.mark.parametrize("meshed", [True, False])
def test_another_model_gives_the_particles_their_surroundings(meshed):
    """A section without a file: each replica has a reservoir of its own, and is told."""
    region = box_region([3, 3]) if meshed else None
    section = ParticlesSection(
        domain=MeshDomain() if meshed else BoxDomain(upper=(1.0, 1.0)),
        species={"A": ParticleSpecies(diffusion=1.0, number=10)},
        walls={"left": OpenWall(concentration=0.0)},
        replicas=2,
    )
    told, noting = {0: 0, 1: 0}, {0: Noting(), 1: Noting()}

    def count(replica):
        def exchanged(came, left):
            told[replica] += came.shape[1] - left.shape[1]

        return exchanged

    def reservoirs(replica):
        profile = Profile(lambda feet, t: 1e4 * replica * feet[1], lambda t: 1e4 * replica)
        return {("A", "left"): Behind(profile, count(replica))}

    setup = Setup(made(section), 0.001, region, reservoirs, lambda replica: [noting[replica]])
    for replica in (0, 1):
        system = System(2, ["A"], Streams(1, replica), cells=meshed)
        setup.fill(system)
        stepper = setup.stepper(system)
        for _ in range(20):
            stepper.step(setup.dt)
        stepper.ledger.check(system)
        assert stepper.ledger.boundaries == ("A at left", "noting")
        assert system["A"].count == 10 + told[replica]
        assert noting[replica].steps == 20
    expected = 1e4 / 2 * 2 * math.sqrt(0.02 / math.pi)
    assert abs(system["A"].count - expected) < 4 * math.sqrt(expected)
    assert system["A"].x[1].mean() == pytest.approx(2 / 3, abs=0.04)


def test_a_program_may_give_a_volume():
    section = ParticlesSection(
        domain=BoxDomain(upper=(1.0, 1.0)),
        species={"A": ParticleSpecies(diffusion=1.0)},
        walls={"left": OpenWall(concentration=0.0)},
    )
    bucket = WellMixed(3.0, 500)
    setup = Setup(made(section), 0.001, None, lambda replica: {("A", "left"): Behind(bucket)})
    system = System(2, ["A"], Streams(1))
    stepper = setup.stepper(system)
    for _ in range(50):
        stepper.step(0.001)
    assert 0 < system["A"].count == 500 - bucket.number


def test_faces_have_the_names_of_meshes():
    for counts in ([2], [2, 2], [2, 2, 2]):
        upper = (1.0,) * len(counts)
        walls = box_region(counts).walls
        section = ParticlesSection(
            domain=BoxDomain(upper=upper) if len(counts) > 1 else {"type": "interval", "upper": 1},
            species={},
        )
        assert Setup(made(section), 0.001).domain.walls == walls


def test_units_of_an_interval(tmp_path):
    text = boxed(SQUARE).replace('"box"\nupper = [1.0, 1.0]', '"interval"\nupper = "2 nm"')
    text = text.replace(BOTTOM, "")
    text = text.replace("= 500.0", '= "300 /nm"').replace("= 1.0", '= "1 nm^2/ns"')
    text += '[units]\nlength = "nm"\ntime = "ns"\n'
    model = build(tmp_path, text)
    assert abs(values_of(model)["count_A"] - 600) < 4 * math.sqrt(600 / 4)
    with pytest.raises(CaseErrors, match=r"such as particle/nm"):
        build(tmp_path, text.replace("300 /nm", "1 mM"))
    square = text.replace('"interval"\nupper = "2 nm"', '"box"\nupper = ["2 nm", "2 nm"]')
    with pytest.raises(CaseErrors, match=r"particle/nm\^2"):
        build(tmp_path, square)
    build(tmp_path, square.replace("300 /nm", "300 /nm^2"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('volume = 2', 'volume = 2\nscheme = "crossing"'), None),
        (("concentration = 150.0", 'concentration = "150 + t"'), "begins with one concentration"),
        (("volume = 2", "volume = 0.1"), r"walls.left: .*less than what a step sweeps"),
        (("volume = 2", "volume = 0"), "must be positive"),
        (("concentration = 150.0", 'concentration = "150*w"'), "unknown"),
    ],
)
def test_mistakes_of_reservoirs(tmp_path, change, message):
    text = FINITE.replace(*change)
    assert text != FINITE
    if message is None:
        build(tmp_path, text)
        return
    with pytest.raises((CaseError, CaseErrors), match=message):
        build(tmp_path, text)


def test_layers_at_bent_walls_of_meshes_are_refused(tmp_path):
    (tmp_path / "disc.geo").write_text(
        'SetFactory("OpenCASCADE");\nDisk(1) = {0, 0, 0, 1};\nPhysical Surface("inside") = {1};\n'
        'Physical Curve("rim") = {1};\nMesh.MeshSizeMax = 0.4;\n'
    )
    text = SQUARE.replace(MESHED, '[mesh]\ngeometry = "disc.geo"\n').replace("left", "rim")
    text = text.replace(BOTTOM, "")
    build(tmp_path, text)
    with pytest.raises(CaseError, match=r"particles.walls.rim: .*rim do not lie in one plane"):
        build(tmp_path, text.replace('"open"', '"open"\nscheme = "layer"\nwidth = 0.3'))
