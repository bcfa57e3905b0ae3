"""Mistakes in a case: one readable line for each, whatever the file contains."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path

import pytest
from example_cases import BOX, CASE, load_text
from hypothesis import given, settings
from hypothesis import strategies as st

from fem_rd.case import load_case
from fem_rd.case.case import read_case
from fem_rd.errors import CaseError, CaseErrors

KINDS = "valid: dirichlet, far-field, flux, reflecting, robin"
MISTAKES = {
    # keys
    "unknown key": ("diffusion = ", "difusion = ", [
        "smoluchowski.diffusion: the key is missing; valid: diffusion coefficient: for all, or for "
        "each region by name",
        "smoluchowski.difusion: unknown key; did you mean 'diffusion'?; valid: boundaries, degree, "
        "diffusion, initial, potential, rates",
    ]),
    "unknown section": ("[output]", "[outputs]", [
        "outputs: unknown key; did you mean 'output'?; valid: checkpoint, mesh, model, output, "
        "parameters, smoluchowski, solver, time, title, units"]),
    "no model": ('model = "smoluchowski"', "", [
        "model: the key is missing; "
        "valid: hybrid, klein-kramers, order-parameter, particles, reaction-diffusion, "
        "smoluchowski, trajectory, well-mixed"]),
    "unknown model": ('model = "smoluchowski"', 'model = "smoluchovski"', [
        "model: unknown model; did you mean 'smoluchowski'?; found 'smoluchovski'; "
        "valid: hybrid, klein-kramers, order-parameter, particles, reaction-diffusion, "
        "smoluchowski, trajectory, well-mixed"]),
    "model without section": ("[smoluchowski", "[smoluchovski", [
        "smoluchovski: unknown key; did you mean 'smoluchowski'?; valid: checkpoint, mesh, model, "
        "output, parameters, smoluchowski, solver, time, title, units",
        "smoluchowski: the section is missing"]),
    "key of another kind": ('kappa = "k"', 'kappa = "k"\nflux = 1', [
        "smoluchowski.boundaries.reactive.flux: unknown key; "
        "valid: concentration, kappa, reactivity, type"]),
    "unknown key in a boundary with a strange name": (
        "boundaries.reactive]", 'boundaries."<robin>"]\nrate = 1', [
            'smoluchowski.boundaries."<robin>".rate: unknown key; '
            "valid: concentration, kappa, reactivity, type"]),
    # types
    "title": ('title = "A reactive sphere"', "title = 3", ["title: must be a text; found 3"]),
    "section": ("[smoluchowski.rates.layer]\ndegradation", "[smoluchowski.rates]\nlayer", [
        "smoluchowski.rates.layer: must be a table; found '1 /us'"]),
    "parameters": ("[parameters]", "[[parameters]]", [
        "parameters: must be a table; found [{'sigma': 1.0, 'D': '0.5 nm^2/ns', "
        "'k': '4*pi*sigma*D'}]"]),
    "boolean": ("diffusion = \"D\"", "diffusion = true", [
        "smoluchowski.diffusion: must be a number, a quantity with a unit or an expression; "
        "found True"]),
    "date": ("diffusion = \"D\"", "diffusion = 2020-01-01", [
        "smoluchowski.diffusion: must be a number, a quantity with a unit or an expression; "
        "found '2020-01-01'"]),
    "not finite": ("sigma = 1.0", "sigma = inf", [
        "parameters.sigma: a number is not finite; found inf"]),
    "list": ('times = [1, "10 ns"]', "times = 1", ["output.times: must be a list; found 1"]),
    "flag": ('times = [1, "10 ns"]', 'fields = "no"', [
        "output.fields: must be true or false; found 'no'"]),
    "degree": ("[smoluchowski]", "[smoluchowski]\ndegree = true", [
        "smoluchowski.degree: unknown value; found 'true'; valid: 1, 2"]),
    "order": ("[mesh]", "[mesh]\norder = 3", [
        "mesh.order: unknown value; found 3; valid: 1, 2"]),
    # units and expressions
    "wrong unit": ('diffusion = "D"', 'diffusion = "0.5 nm/ns"', [
        "smoluchowski.diffusion: wrong unit (length/time); found '0.5 nm/ns'; "
        "valid: a unit of length^2/time, such as nm^2/ns"]),
    "forgotten product": ("sigma = 1.0", 'sigma = 1.0\nwide = "2 sigma"', [
        "parameters.wide: unknown unit 'sigma'; for a product write 2*sigma; found '2 sigma'"]),
    "unit of length": ('length = "nm"', 'length = "ns"', [
        "units.length: not a unit of length; found 'ns'; valid: nm, um, angstrom, m, ..."]),
    "kappa as reactivity": ('kappa = "k"', 'kappa = "1 nm/ns"', [
        "smoluchowski.boundaries.reactive.kappa: wrong unit (length/time); found '1 nm/ns'; "
        "valid: a unit of volume/time, such as nm^3/ns"]),
    "planes and space": ("degradation", 'creation = "1 /nm^2/ns"\ndegradation', [
        "units disagree about the number of space dimensions: "
        "2 by '1 /nm^2/ns' as amount/volume/time, 3 by '1 mM' as amount/volume"]),
    "unknown symbol": ("-2*sigma/r", "-2*sigm/r", [
        "smoluchowski.potential: unknown symbol 'sigm'; did you mean 'sigma'?; "
        "found '-2*sigm/r'; valid: D, e, k, pi, r, sigma, x, y, z"]),
    "code": ("-2*sigma/r", "__import__('os').system('x')", [
        "smoluchowski.potential: only arithmetic is allowed: unexpected \"'\"; "
        "found \"__import__('os').system('x')\""]),
    "potential in time": ("-2*sigma/r", "t", [
        "smoluchowski.potential: cannot depend on t (the time); found 't'; "
        "valid: an expression of x, y, z, r"]),
    "parameter in space": ("sigma = 1.0", 'sigma = "x"', [
        "parameters.sigma: cannot depend on x (a coordinate); found 'x'; valid: a constant"]),
    "later parameter": ("sigma = 1.0", 'sigma = "2*D"', [
        "parameters.sigma: depends on 'D', which is defined later; found '2*D'"]),
    "parameter of itself": ("sigma = 1.0", 'a = 1\nsigma = "2*sigma"', [
        "parameters.sigma: depends on itself; found '2*sigma'; valid: a"]),
    "name of a parameter": ("sigma = 1.0", "r = 1", [
        "parameters.r: the name has a meaning already: choose another; "
        "valid: letters, digits and '_', not a coordinate, constant, function or reserved word",
        "parameters.k: unknown symbol 'sigma'; found '4*pi*sigma*D'; valid: D, e, pi, r"]),
    "reserved word": ("sigma = 1.0", "sigma = 1\nlambda = 1", [
        "parameters.lambda: the name has a meaning already: choose another; "
        "valid: letters, digits and '_', not a coordinate, constant, function or reserved word"]),
    # values
    "negative D": ('diffusion = "D"', 'diffusion = "-D"', [
        "smoluchowski.diffusion: must be positive; found '-D'"]),
    "negative D in a region": ('diffusion = "D"', "diffusion = {core = 1, shell = -1}", [
        "smoluchowski.diffusion.shell: must be positive; found -1"]),
    "no region": ('diffusion = "D"', "diffusion = {}", [
        "smoluchowski.diffusion: names no region; found {}"]),
    "shape of a tensor": ('diffusion = "D"', "diffusion = [[1, 2], [3]]", [
        "smoluchowski.diffusion: a tensor is a list of rows; found [[1, 2], [3]]; "
        "valid: 2x2 or 3x3 entries"]),
    "skew tensor": ('diffusion = "D"', "diffusion = [[1, 0.5], [0.4, 1]]", [
        "smoluchowski.diffusion: the tensor must be symmetric; found [[1, 0.5], [0.4, 1]]; "
        "valid: the same number or expression on both sides of the diagonal"]),
    "skew tensor in space": ('diffusion = "D"', 'diffusion = {"a b" = [[1, "x"], [0, 1]]}', [
        'smoluchowski.diffusion."a b": the tensor must be symmetric; found '
        "[[1, 'x'], [0, 1]]; valid: the same number or expression on both sides of the diagonal"]),
    "indefinite tensor": ('diffusion = "D"', "diffusion = [[1, 2], [2, 1]]", [
        "smoluchowski.diffusion: the tensor must be positive definite; found [[1, 2], [2, 1]]"]),
    "negative kappa": ('kappa = "k"', "kappa = -1", [
        "smoluchowski.boundaries.reactive.kappa: must not be negative; found -1"]),
    "negative reactivity": ('kappa = "k"', "reactivity = -1", [
        "smoluchowski.boundaries.reactive.reactivity: must not be negative; found -1"]),
    "negative concentration": ('concentration = "1 mM"', "concentration = -1", [
        "smoluchowski.boundaries.reservoir.concentration: must not be negative; found -1"]),
    "two rates": ('kappa = "k"', "kappa = 1\nreactivity = 1", [
        "smoluchowski.boundaries.reactive: give only one rate; found 'kappa and reactivity'; "
        "valid: kappa (volume/time, of the whole boundary) or reactivity (length/time)"]),
    "no rate": ('kappa = "k"', "", [
        "smoluchowski.boundaries.reactive: the rate is missing; "
        "valid: kappa (volume/time, of the whole boundary) or reactivity (length/time)"]),
    "no volume rate": ('degradation = "1 /us"', "", [
        "smoluchowski.rates.layer: names no rate; valid: creation, degradation"]),
    "no type": ('type = "robin"', "", [
        f"smoluchowski.boundaries.reactive.type: the type of the boundary is missing; {KINDS}"]),
    "unknown type": ('type = "robin"', 'type = "robbin"', [
        "smoluchowski.boundaries.reactive.type: unknown type; did you mean 'robin'?; "
        f"found 'robbin'; {KINDS}"]),
    "type of a type": ('type = "robin"', "type = [1]", [
        f"smoluchowski.boundaries.reactive.type: unknown type; found [1]; {KINDS}"]),
    "far field in a potential": ('type = "dirichlet"', 'type = "far-field"', [
        "smoluchowski.boundaries.reservoir: a far field is exact only without a potential; "
        "found 'far-field'; valid: another type, or no smoluchowski.potential"]),
    "center": ('type = "dirichlet"', 'type = "far-field"\ncenter = [0, 0]', [
        "smoluchowski.boundaries.reservoir.center: must have 3 entries; found [0, 0]"]),
    # mesh
    "two sources": ("[mesh]", '[mesh]\nfile = "body.msh"', [
        "mesh: give only one source of the mesh; found 'geometry and file'; "
        "valid: builtin, file, geometry"]),
    "no source": ("geometry = ", "geometri = ", [
        "mesh: the source of the mesh is missing; did you mean 'geometry'?; "
        "valid: builtin, file, geometry"]),
    "kind of mesh file": ('geometry = "spherical-shell"', 'file = "a.stl"', [
        "mesh.file: unknown kind of mesh file; found 'a.stl'; valid: .inp, .msh, .vtu, .xdmf",
        "mesh.parameters: unknown key; valid: boundaries, file, regions, scale"]),
    "no geometry file": ('"spherical-shell"', '"shell.geo"', [
        "mesh.geometry: no such file in the case directory; found 'shell.geo'"]),
    "geometry": ('"spherical-shell"', "3", ["mesh.geometry: must be a text; found 3"]),
    # time and output
    "end": ('end = "1 us"', "end = 0", ["time.end: must be positive; found 0"]),
    "no end": ('end = "1 us"', "", [
        "time.end: the key is missing; valid: time at which the run ends; it begins at 0"]),
    "scheme": ('end = "1 us"', 'end = 1e3\nscheme = "crank-nicholson"', [
        "time.scheme: unknown scheme of smoluchowski; did you mean 'crank-nicolson'?; "
        "found 'crank-nicholson'; valid: backward-euler, bdf2, crank-nicolson, sdirk2, trbdf2"]),
    "step and tolerance": ('end = "1 us"', "end = 1e3\nstep = 1\ntolerance = 1e-3", [
        "time.tolerance: is for adaptive steps: leave it out, or leave out time.step; "
        "found 0.001"]),
    "long step": ('end = "1 us"', 'end = 1e3\nstep = "1 ms"', [
        "time.step: must not exceed end = 1000; found 1000000.0"]),
    "negative step": ('end = "1 us"', "end = 1e3\nstep = -1", [
        "time.step: must be positive; found -1"]),
    "first step": ('end = "1 us"', "end = 1e3\ninitial_step = 2\nmax_step = 1", [
        "time.initial_step: must not exceed max_step = 1; found 2.0"]),
    "tolerance": ('end = "1 us"', "end = 1e3\ntolerance = 1", [
        "time.tolerance: must be below 1; found 1"]),
    "late output": ('"10 ns"', '"2 us"', [
        "output.times[1]: is after the end of the run, time.end = 1000; found 2000.0"]),
    "order of times": ("times = [1,", "times = [20,", [
        "output.times[1]: times must increase; found 10.0"]),
    "time of a wrong unit": ('"10 ns"', '"10 nm"', [
        "output.times[1]: wrong unit (length); found '10 nm'; valid: a unit of time, such as ns"]),
    "steady with times": ('[time]\nend = "1 us"', "", [
        "output.times: is for transient runs: add the section [time], or leave it out; "
        "found [1.0, 10.0]"]),
    "fields or not": ("times = ", "fields = false\nfields_every = 1\ntimes = ", [
        "output.fields_every: no fields are written: fields = false"]),
    "solver": ("[output]", "[solver]\ntolerance = 0\n[output]", [
        "solver.tolerance: must be positive; found 0"]),
    "preconditioner": ("[output]", '[solver]\npreconditioner = "ilu"\n[output]', [
        "solver.preconditioner: unknown value; did you mean 'lu'?; found 'ilu'; "
        "valid: auto, gamg, hypre, icc, jacobi, lu, pmg, sor"]),
}  # fmt: skip

BOX_MISTAKES = {
    "region off the grid": ("cells = [2, 2, 2]",
        "cells = [2, 2, 2]\nregions = {cell = {upper = [1, 0.6, 1]}}",
        "mesh.regions.cell.upper: is no grid line: they go from 0 to 1 in steps of 0.5; "
        "found 0.6"),
    "region beyond the mesh": ("cells = [2, 2, 2]",
        "cells = [2, 2, 2]\nregions = {cell = {lower = [0.5, 0, -0.5]}}",
        "mesh.regions.cell.lower: is no grid line: they go from 0 to 1 in steps of 0.5; "
        "found -0.5"),
    "empty region": ("cells = [2, 2, 2]",
        "cells = [2, 2, 2]\nregions = {cell = {lower = [0.5, 0, 0], upper = [0.5, 1, 1]}}",
        "mesh.regions.cell.upper: must exceed the lowest corner, [0.5, 0.0, 0.0]; "
        "found [0.5, 1.0, 1.0]"),
    "flat region": ("cells = [2, 2, 2]",
        "cells = [2, 2, 2]\nregions = {cell = {upper = [0.5, 1]}}",
        "mesh.regions.cell.upper: the mesh 'box' needs 3 number(s); found [0.5, 1.0]"),
    "unknown key of a region": ("cells = [2, 2, 2]",
        "cells = [2, 2, 2]\nregions = {cell = {uper = [0.5, 1, 1]}}",
        "mesh.regions.cell.uper: unknown key; did you mean 'upper'?; valid: lower, upper"),
    "time in a steady run": ("diffusion = 1", """
        diffusion = 1
        [smoluchowski.boundaries]
        left = {type = "dirichlet", concentration = "exp(-t)"}
    """, "smoluchowski.boundaries.left.concentration: depends on the time t, but without the "
        "section [time] the run is steady; found 'exp(-t)'"),
    "z in a plane": ('"box"\nupper = [1, 1, 1]\ncells = [2, 2, 2]\n[smoluchowski]\ndiffusion = 1',
        '"rectangle"\nupper = [1, 1]\ncells = [2, 2]\n[smoluchowski]\ndiffusion = "1+z"',
        "smoluchowski.diffusion: depends on z, but the mesh is a rectangle; found '1+z'"),
    "too few numbers": ("upper = [1, 1, 1]", "upper = [1, 1]",
        "mesh.upper: the mesh 'box' needs 3 number(s); found [1.0, 1.0]"),
    "empty box": ("upper = [1, 1, 1]", "lower = 0\nupper = [1, 1, 1]",
        "mesh.lower: the mesh 'box' needs 3 number(s); found [0.0]"),
    "inverted box": ("upper = [1, 1, 1]", "upper = [1, 1, -1]",
        "mesh.upper: must exceed lower = [0.0, 0.0, 0.0]; found [1.0, 1.0, -1.0]"),
    "volume in a plane": ('"box"\nupper = [1, 1, 1]\ncells = [2, 2, 2]\n[smoluchowski]',
        '"rectangle"\nupper = [1, 1]\ncells = [2, 2]\n[units]\nlength = "nm"\ntime = "ns"\n'
        '[smoluchowski]\ninitial = "1 mM"',
        "smoluchowski.initial: wrong unit (amount/length^3); found '1 mM'; "
        "valid: a unit of amount/volume, such as particle/nm^2"),
    "no cells": ("[2, 2, 2]", "[2, 2, 0]", "mesh.cells: must be positive; found [2, 2, 0]"),
    "part of a cell": ("[2, 2, 2]", "[2, 2, 2.5]",
        "mesh.cells[2]: must be a whole number; found 2.5"),
    "no mesh file": ('builtin = "box"\nupper = [1, 1, 1]\ncells = [2, 2, 2]', 'file = "a.msh"',
        "mesh.file: no such file in the case directory; found 'a.msh'"),
    "unit without units": ("diffusion = 1", 'diffusion = "0.5 nm^2/ns"',
        "smoluchowski.diffusion: a unit needs the section [units] with length and time; without it "
        "all numbers are dimensionless; found '0.5 nm^2/ns'"),
    "energy without temperature": ("diffusion = 1", 'diffusion = 1\npotential = "2 kJ/mol"',
        "smoluchowski.potential: an energy needs the temperature: add it to [units], as in "
        "temperature = '298 K', or give the energy in k_B T, as a plain number; "
        "found '2 kJ/mol'"),
    "syntax": ("diffusion = 1", "diffusion 1",
        "line 7: not valid TOML: expected '=' after a key in a key/value pair"),
    "key twice": ("diffusion = 1", "diffusion = 1\ndiffusion = 2",
        "line 8: not valid TOML: cannot overwrite a value"),
    "open text": ("diffusion = 1", 'diffusion = """1',
        "at the end: not valid TOML: unterminated string"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_one_line(tmp_path, mistake):
    old, new, lines = MISTAKES[mistake]
    assert CASE.count(old), "the mistake is not made"
    with pytest.raises((CaseError, CaseErrors)) as caught:
        load_text(tmp_path, CASE.replace(old, new))
    assert str(caught.value).splitlines() == [f"{tmp_path}/case.toml: {line}" for line in lines]
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("mistake", BOX_MISTAKES)
def test_each_mistake_in_a_small_case_is_one_line(tmp_path, mistake):
    old, new, line = BOX_MISTAKES[mistake]
    with pytest.raises(CaseError) as caught:
        load_text(tmp_path, BOX.replace(old, new))
    assert str(caught.value) == f"{tmp_path}/case.toml: {line}"


def test_several_mistakes_are_all_told(tmp_path):
    text = CASE.replace('diffusion = "D"', "diffusion = -1").replace('"1 us"', "-1")
    with pytest.raises(CaseErrors) as caught:
        load_text(tmp_path, text, "solver.tolerance=2")
    assert [error.key for error in caught.value.errors] == [
        "smoluchowski.diffusion", "time.end", "solver.tolerance",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("sigma", "not an override; found 'sigma'; valid: key=value"),
        ("=1", "not an override; found '=1'; valid: key=value"),
        ("a b=1", "not an override; found 'a b=1'; valid: key=value"),
        ("a\nb=1", "not an override; found 'a\\nb=1'; valid: key=value"),
        ("title.x=1", "title: is not a table of keys; found 'A reactive sphere'"),
        ("smoluchowski.difusion=1", "smoluchowski.difusion: unknown key; did you mean "
         "'diffusion'?; valid: boundaries, degree, diffusion, initial, potential, rates"),
        ("tme.end=1", "tme: unknown key; did you mean 'time'?; valid: checkpoint, mesh, model, "
         "output, parameters, smoluchowski, solver, time, title, units"),
        ("smoluchowski.diffusion=1 nm", "smoluchowski.diffusion: wrong unit (length); "
         "found '1 nm'; valid: a unit of length^2/time, such as nm^2/ns"),
        ("output.times=[1, -1]", "output.times[1]: must not be negative; found -1"),
        ("parameters.sigma=", "parameters.sigma: the expression is empty; found ''"),
        ("mesh=4", "mesh: must be a table; found 4"),
        ("smoluchowski.diffusion=1\ndegree=1", "smoluchowski.diffusion: not an arithmetic "
         "expression (is a '*' or a ')' missing?); found '1 degree=1'"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_told_as_such(tmp_path, override, line):
    with pytest.raises(CaseError) as caught:
        load_text(tmp_path, CASE, override)
    assert str(caught.value) == f"--set: {line}"


def test_a_deeply_nested_override_is_a_text(tmp_path):
    with pytest.raises(CaseError, match="only arithmetic is allowed"):
        load_text(tmp_path, CASE, "smoluchowski.diffusion=" + "[" * 3000)


def test_missing_and_unreadable_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for path, line in [
        ("nowhere", "nowhere: no such case; valid: a directory with a case.toml"),
        ("empty", "empty: the directory has no case.toml"),
        ("a\0b", "no such case; valid: a directory with a case.toml"),
    ]:
        with pytest.raises(CaseError) as caught:
            load_case(path)
        assert str(caught.value).endswith(line)
    (tmp_path / "case.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CaseError, match="not a text in UTF-8"):
        load_case(".")


HOSTILE = {
    "deep list": "x = " + "[" * 5000,
    "deep table": "title" + ".a" * 3000 + " = 1",
    "deep boundary": "[smoluchowski.boundaries" + ".a" * 3000 + "]",
    "huge integer": "[smoluchowski]\ndegree = 0x" + "f" * 9000,
    "huge diffusion": "[smoluchowski]\ndiffusion = 0x" + "f" * 9000,
    "long key": "k" * 100_000 + " = 1",
    "control characters in a key": '"\\u001b[2J\\n" = 1',
    "long file name": f"[mesh]\nfile = '{'a' * 5000}.msh'\n[smoluchowski]\ndiffusion = 1",
    "null in a file name": "[mesh]\nfile = '''a\\u0000.msh'''\n[smoluchowski]\ndiffusion = 1",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_short_lines(tmp_path, name):
    with pytest.raises((CaseError, CaseErrors)) as caught:
        load_text(tmp_path, 'model = "smoluchowski"\n' + HOSTILE[name])
    for line in str(caught.value).splitlines():
        assert line.startswith(f"{tmp_path}/case.toml: ")
        assert len(line) < 400
        assert line.isprintable()


VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
        st.sampled_from(["1 nm", "x", "t", "2*x", "robin", "everywhere", "box", "a.msh", "1/nm"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "kappa", "concentration", "flux", "core", "x", "", "a b"]),
            inner, max_size=3,
        ),
    ),
    max_leaves=6,
)  # fmt: skip
KEYS = [
    ("title",), ("model",), ("units",), ("units", "length"), ("units", "temperature"),
    ("parameters",), ("parameters", "sigma"), ("mesh",), ("mesh", "geometry"), ("mesh", "order"),
    ("mesh", "builtin"), ("mesh", "file"), ("mesh", "parameters"), ("smoluchowski",),
    ("smoluchowski", "diffusion"), ("smoluchowski", "potential"), ("smoluchowski", "boundaries"),
    ("smoluchowski", "boundaries", "reactive"), ("smoluchowski", "rates"), ("time",),
    ("time", "end"), ("time", "step"), ("time", "scheme"), ("output", "times"), ("output",),
    ("output", "fields_every"), ("solver",), ("solver", "tolerance"), ("surprise",),
]  # fmt: skip
PYDANTIC = ("Input should", "Extra inputs", "Field required", "Value error", "valid dictionary",
            "pydantic", "is not valid here")  # fmt: skip


@settings(deadline=None, max_examples=600, database=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), min_size=1, max_size=3))
def test_any_values_make_a_case_or_readable_errors(changes):
    data = tomllib.loads(CASE)
    for path, value in changes:
        table = data
        for part in path[:-1]:
            table = table[part] if isinstance(table.get(part), dict) else table
        table[path[-1]] = value
    try:
        case = read_case(data, Path("here"))
    except CaseErrors as errors:
        for error in errors.errors:
            assert "\n" not in str(error)
            assert not any(words in str(error) for words in PYDANTIC), str(error)
        return
    assert read_case(case.resolved, Path("here")).resolved == case.resolved


@settings(deadline=None, max_examples=400, database=None, derandomize=True)
@given(st.text(max_size=80), st.text(max_size=40))
def test_any_text_and_override_end_in_a_case_or_an_error(tmp_path_factory, text, override):
    directory = tmp_path_factory.mktemp("case")
    (directory / "case.toml").write_text(BOX + text, encoding="utf-8")
    for overrides in ((), (override,), (f"smoluchowski.diffusion={override}",)):
        with contextlib.suppress(CaseError, CaseErrors):
            load_case(directory, overrides)
