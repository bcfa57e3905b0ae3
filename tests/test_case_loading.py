"""Case directories: what is read, how it is overridden, and what it costs."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time

import pytest
from example_cases import BOX, CASE, load_text

from fem_rd.case import BuiltinMesh, Expression, GeometryMesh, MeshFile, load_case
from fem_rd.case.case import read_case
from fem_rd.case.sections.boundaries import Dirichlet, FarField, Flux, Reflecting, Robin
from fem_rd.errors import CaseError


def expression(text):
    return Expression.parse(text, names=("x", "y", "z", "r", "t"), where=None)


def test_a_case_is_read(tmp_path):
    case = load_text(tmp_path, CASE)
    assert (case.name, case.path) == (tmp_path.name, tmp_path)
    assert (case.model, case.title) == ("smoluchowski", "A reactive sphere")
    assert case.parameters == {"sigma": 1.0, "D": 0.5, "k": pytest.approx(6.283185307179586)}
    assert case.mesh == GeometryMesh(
        geometry="spherical-shell", parameters={"inner_radius": 1.0, "outer_radius": 5.0}
    )
    section = case.section
    assert section.diffusion == expression("0.5")
    assert section.potential == expression("-2/r")
    assert section.initial == expression("where(z > 0, 1, 0)")
    assert section.degree == 2
    assert section.boundaries["reactive"] == Robin(kappa=case.parameters["k"])
    mM = 6.02214076e-4
    assert section.boundaries["reservoir"] == Dirichlet(concentration=mM)
    assert section.rates["layer"].degradation == expression("0.001")
    assert section.rates["layer"].creation == expression("0")
    assert case.time is not None
    assert (case.time.end, case.time.scheme, case.time.tolerance) == (1000.0, "trbdf2", 1e-4)
    assert case.time.step is None
    assert case.output.times == (1.0, 10.0)
    assert case.output.fields
    assert (case.solver.tolerance, case.solver.preconditioner) == (1e-10, "auto")
    assert case.units.unit_name("amount/time") == "particle/ns"
    assert case.space == 3
    assert case.trust is False


def test_a_small_case_without_units(tmp_path):
    case = load_text(tmp_path, BOX)
    assert case.mesh == BuiltinMesh(builtin="box", upper=(1, 1, 1), cells=(2, 2, 2))
    assert case.mesh.lower == (0.0, 0.0, 0.0)
    assert case.time is None
    assert case.units.dimensionless
    assert case.title == ""
    assert case.space is None
    assert case.section.boundaries == {}


def test_the_file_itself_may_be_named(tmp_path):
    assert load_text(tmp_path, BOX) == load_case(tmp_path / "case.toml")


def test_units_of_a_line(tmp_path):
    text = BOX.replace('"box"\nupper = [1, 1, 1]\ncells = [2, 2, 2]', """
        "interval"
        upper = 1
        cells = 4
        [units]
        length = "um"
        time = "s"
    """.strip()).replace("diffusion = 1", """
        diffusion = "1 um^2/s"
        initial = "0.6 /nm"
        boundaries.left = {type = "robin", kappa = "2 nm/ms"}
    """)  # fmt: skip
    case = load_text(tmp_path, text)
    assert case.mesh == BuiltinMesh(builtin="interval", upper=(1,), cells=(4,))
    assert case.section.initial == expression("600")
    assert case.section.boundaries["left"].kappa == 2.0
    assert case.space == 1


def test_all_kinds_of_boundaries_and_coefficients(tmp_path):
    text = BOX.replace("diffusion = 1", """
        diffusion = {core = [[1, "x/2", 0], ["x/2", 1, 0], [0, 0, 2]], shell = "1 + r"}
        [smoluchowski.boundaries]
        left = {type = "flux", flux = "-sin(y)"}
        right = {type = "reflecting"}
        bottom = {type = "far-field", concentration = 2, center = [0, 0, "1/2"]}
        top = {type = "robin", reactivity = "where(x > 0.5, 3, 0)", concentration = 1}
    """)  # fmt: skip
    section = load_text(tmp_path, text).section
    zero, half_x = expression("0"), expression("x/2")
    assert section.diffusion["core"] == (
        (expression("1"), half_x, zero), (half_x, expression("1"), zero),
        (zero, zero, expression("2")),
    )  # fmt: skip
    assert section.diffusion["shell"] == expression("1+r")
    assert section.boundaries == {
        "left": Flux(flux=expression("-sin(y)")),
        "right": Reflecting(),
        "bottom": FarField(concentration=2.0, center=(0.0, 0.0, 0.5)),
        "top": Robin(reactivity=expression("where(x > 0.5, 3, 0)"), concentration=1.0),
    }


def test_a_mesh_from_a_file(tmp_path):
    (tmp_path / "body.msh").touch()
    text = BOX.replace('builtin = "box"\nupper = [1, 1, 1]\ncells = [2, 2, 2]', """
        file = "body.msh"
        scale = "1 angstrom"
        boundaries = {surface = 3}
    """) + '[units]\nlength = "nm"\ntime = "ns"'  # fmt: skip
    mesh = MeshFile(file="body.msh", scale=0.1, boundaries={"surface": 3})
    assert load_text(tmp_path, text).mesh == mesh


def test_the_resolved_case_is_plain_and_reads_back(tmp_path):
    case = load_text(tmp_path, CASE)
    again = read_case(case.resolved, case.path)
    assert again.resolved == case.resolved
    for part in ("title", "units", "parameters", "mesh", "section", "time", "output", "solver"):
        assert getattr(again, part) == getattr(case, part), part
    assert case.resolved["smoluchowski"]["potential"] == "-2/r"
    assert case.resolved["smoluchowski"]["diffusion"] == 0.5
    assert case.resolved["time"] == {"end": 1000.0, "scheme": "trbdf2", "tolerance": 1e-4}

    def plain(value):
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(part) for key, part in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return type(value) in (str, float, int, bool)

    assert plain(dict(case.resolved))


def test_the_same_file_gives_the_same_case_in_the_same_order(tmp_path):
    first, second = load_text(tmp_path, CASE), load_text(tmp_path, CASE)
    assert first == second
    assert repr(first.resolved) == repr(second.resolved)


def test_a_case_travels_between_ranks(tmp_path):
    case = load_text(tmp_path, CASE)
    assert pickle.loads(pickle.dumps(case)) == case


def test_overrides(tmp_path):
    case = load_text(
        tmp_path,
        CASE,
        "parameters.sigma=2",
        "title=Another title",
        "smoluchowski.potential = 3*sigma/r",
        "smoluchowski.boundaries.reservoir.concentration=0.6 /nm^3",
        'smoluchowski.boundaries."the cap".type="reflecting"',
        "output.times=[]",
        "output.fields=false",
        "solver.preconditioner=lu",
    )
    assert case.title == "Another title"
    assert case.mesh.parameters["inner_radius"] == 2.0
    assert case.parameters["k"] == pytest.approx(4 * 3.141592653589793)
    assert case.section.potential == expression("6/r")
    assert case.section.boundaries["reservoir"].concentration == expression("0.6")
    assert case.section.boundaries["the cap"] == Reflecting()
    assert (case.output.times, case.output.fields) == ((), False)
    assert case.solver.preconditioner == "lu"


def test_importing_and_loading_are_light(tmp_path):
    """What `fem-rd --help` and a unitless case must not pay for."""
    (tmp_path / "case.toml").write_text(BOX, encoding="utf-8")
    script = """
import sys, time
from fem_rd.case import load_case
start = time.perf_counter()
load_case(sys.argv[1])
elapsed = time.perf_counter() - start
heavy = {"dolfinx", "matplotlib", "pint", "numpy", "scipy", "mpi4py"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else f"took {elapsed} s" if elapsed > 0.2 else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_loading_again_is_fast(tmp_path):
    load_text(tmp_path, BOX)
    start = time.perf_counter()
    load_text(tmp_path, BOX)
    assert time.perf_counter() - start < 0.06


def test_an_override_of_no_parameter_is_a_mistake(tmp_path):
    with pytest.raises(CaseError, match=r"parameters\.sigm: .*did you mean 'sigma'"):
        load_text(tmp_path, CASE, "parameters.sigm=2")
