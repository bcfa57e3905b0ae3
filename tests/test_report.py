"""The report: its sections of fields by property, its page as a reader's browser gets it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import output_examples as examples
import pytest
from dolfinx import fem, mesh
from mpi4py import MPI

from fem_rd.errors import CaseError
from fem_rd.observables import Observable
from fem_rd.output.reading import Cells, read_fields
from fem_rd.output.results import ResultsDirectory, write_json
from fem_rd.output.series import SeriesFile
from fem_rd.output.vtkhdf import FieldsFile
from fem_rd.report import formatting, write_report
from fem_rd.report.contents import Comparison
from fem_rd.report.cutting import cut, plane_axes, simplices

# --- sections


def fields_of(name: str, degree: int, tmp_path: Path):
    path = tmp_path / "fields.vtkhdf"
    examples.write_example(path, name, degree)
    return read_fields(path)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("name", ["tetrahedron", "hexahedron"])
@pytest.mark.parametrize(
    ("origin", "normal", "area"),
    [
        ((1.0, 0.5, 0.5), (0.0, 0.0, 1.0), 2.0),
        ((1.0, 0.5, 0.5), (0.0, -3.0, 0.0), 2.0),
        ((1.0, 0.5, 0.5), (1.0, 0.0, 0.0), 1.0),
        ((1.0, 0.5, 0.5), (1.0, 1.0, 0.0), math.sqrt(2.0)),
        ((0.0, 0.0, 0.5), (1.0, 1.0, 1.0), math.sqrt(3.0) / 8.0),
        ((5.0, 0.0, 0.0), (1.0, 0.0, 0.0), 0.0),
    ],
)
def test_sections_have_the_right_area_and_values(
    name: str, degree: int, origin: tuple, normal: tuple, area: float, tmp_path: Path
) -> None:
    fields = fields_of(name, degree, tmp_path)
    (cells,) = fields.cells
    section = cut(fields.points, cells, np.array(origin), np.array(normal))
    assert section.areas().sum() == pytest.approx(area, rel=1e-12, abs=1e-12)
    if not area:
        return
    x, y, z = (section.values(coordinate) for coordinate in fields.points.T)
    where = np.column_stack([x, y, z])
    assert np.abs((where - origin) @ np.array(normal)).max() < 1e-12
    np.testing.assert_allclose(where @ plane_axes(np.array(normal)).T, section.xy, atol=1e-12)
    linear = 3.0 * fields.points[:, 0] - fields.points[:, 2] + 1.0
    np.testing.assert_allclose(section.values(linear), 3.0 * x - z + 1.0, atol=1e-12)


def test_a_plane_of_faces_is_drawn_once(tmp_path: Path) -> None:
    fields = fields_of("tetrahedron", 1, tmp_path)
    third = np.array([0.0, 0.0, 1.0 / 3.0])  # where the mesh has a layer of faces
    section = cut(fields.points, fields.cells[0], third, np.array([0.0, 0.0, 1.0]))
    assert section.areas().sum() == pytest.approx(2.0, rel=1e-12)


def ball(refinement: int, order: int):
    """Points, cells and type of a ball of order-1 or order-2 tetrahedra, by Gmsh."""
    gmsh = pytest.importorskip("gmsh")
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.model.occ.addSphere(0.0, 0.0, 0.0, 1.0)
        gmsh.model.occ.synchronize()
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.5)
        gmsh.model.mesh.generate(3)
        for _ in range(refinement):
            gmsh.model.mesh.refine()
        gmsh.model.mesh.setOrder(order)
        tags, points, _ = gmsh.model.mesh.getNodes()
        _, _, (nodes,) = gmsh.model.mesh.getElements(3)
    finally:
        gmsh.finalize()
    number = np.zeros(int(tags.max()) + 1, dtype=np.int64)
    number[tags.astype(int)] = np.arange(len(tags))
    connectivity = number[nodes.astype(int)].reshape(-1, 4 if order == 1 else 10)
    if order == 2:
        connectivity[:, [8, 9]] = connectivity[:, [9, 8]]  # where Gmsh and VTK differ
    return points.reshape(-1, 3), Cells(10 if order == 1 else 24, connectivity)


def test_the_section_of_a_ball_converges_and_looks_rounder_when_quadratic() -> None:
    origin, normal = np.array([0.0, 0.0, 0.3]), np.array([0.0, 0.0, 1.0])
    exact = math.pi * (1.0 - 0.3**2)
    errors = {
        order: [
            1.0 - cut(*ball(level, order), origin, normal).areas().sum() / exact
            for level in (0, 1, 2)
        ]
        for order in (1, 2)
    }
    for straight, split in zip(errors[1], errors[2], strict=True):
        assert 3.0 < straight / split < 5.0  # a chord of half the length: a quarter of the error
    for found in errors.values():
        orders = np.log2(np.divide(found[:-1], found[1:]))
        assert np.all(np.abs(orders - 2.0) < 0.25), (found, orders)


def test_quadratic_cells_are_split_without_gaps() -> None:
    points, cells = ball(0, 2)
    parts = points[simplices(cells)]
    volumes = np.linalg.det(parts[:, 1:] - parts[:, :1]) / 6.0
    assert len(volumes) == 8 * len(cells.connectivity)
    assert np.all(volumes > 0.0) or np.all(volumes < 0.0)


# --- numbers as text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6.981317007977, "6.981317008"),
        (1.0, "1"),
        (0.0, "0"),
        (-2.5, "\N{MINUS SIGN}2.5"),
        (123456.0, "123456"),
        (1.25e-7, "1.25&thinsp;&times;&thinsp;10<sup>\N{MINUS SIGN}7</sup>"),
        (-3e12, "\N{MINUS SIGN}3&thinsp;&times;&thinsp;10<sup>12</sup>"),
        (math.nan, "&ndash;"),
        (None, "&ndash;"),
    ],
)
def test_numbers_read_well(value: float | None, text: str) -> None:
    assert formatting.number(value) == text


def test_a_value_has_the_digits_its_error_leaves() -> None:
    assert formatting.measured(6.981317007977, 2.1e-6) == "6.9813170"
    assert formatting.measured(6.981317007977, 0.25) == "6.98"
    assert formatting.measured(1234.5678, 30.0) == "1235"
    assert formatting.measured(6.981317007977, None) == "6.981317008"
    assert formatting.measured(6.981317007977, 0.0) == "6.981317008"


def test_units_and_sizes_read_well() -> None:
    assert formatting.unit_html("nm^3/ns") == "nm<sup>3</sup>/ns"
    assert formatting.unit_html("<b>nm**-3") == "&lt;b&gt;nm<sup>\N{MINUS SIGN}3</sup>"
    assert formatting.unit_text("particle*nm^-12") == "particle nm⁻¹²"
    assert formatting.labelled("rate", "") == "rate"
    assert formatting.labelled("rate", "1/ns") == "rate (1/ns)"
    assert formatting.size(1.5e9) == "1.5 GB"
    assert formatting.size(12) == "12 B"
    assert formatting.brief_text(2.1e-7) == "2.1\N{MULTIPLICATION SIGN}10⁻⁷"
    assert formatting.sentence("c, from 0 to 1.") == "c, from 0 to 1."
    assert formatting.sentence("rate of all") == "Rate of all."


def test_a_case_is_shown_as_toml() -> None:
    tomllib = pytest.importorskip("tomllib")
    case = {
        "title": 'a "quoted" κ',
        "absent": None,
        "mesh": {"order": 2, "lower": [0.0, 1.5], "parameters": {"inner radius": "sigma"}},
        "empty": {},
        "smoluchowski": {"boundaries": {"reactive": {"type": "robin", "on": True}}},
    }
    read = tomllib.loads(formatting.toml(case))
    del case["absent"]
    assert read == case


@pytest.mark.parametrize(
    ("expected", "value", "tolerance", "passed"),
    [
        (2.0, 2.0 + 1.9e-5, 1e-5, True),
        (2.0, 2.0 - 2.1e-5, 1e-5, False),
        (-2.0, -2.0 - 2.1e-5, 1e-5, False),
        (0.0, 0.9e-5, 1e-5, True),
        (0.0, 1.1e-5, 1e-5, False),
        (2.0, 5.0, None, None),
    ],
)
def test_comparisons(expected: float, value: float, tolerance: float | None, passed) -> None:
    assert Comparison("expected", expected, "", tolerance).passed(value) is passed


# --- the page


class Page(HTMLParser):
    """What a browser would make of the page; fails on tags that do not match."""

    VOID = frozenset({"meta", "br", "img", "link", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            elif name in ("src", "href", "srcset", "data", "action"):
                (self.references if value.startswith("#") else self.loads).append(value)
            elif name in ("style", "clip-path") and "url(" in value:
                self.references.append(value.split("url(")[1].split(")")[0])

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words += data


def synthetic_run(path: Path, name: str = "tetrahedron", times: tuple = (0.0, 0.5, 1.0)) -> Path:
    """A results directory of a made-up run whose answers are known."""
    results = ResultsDirectory.create(path)
    domain = examples.example_mesh(name, MPI.COMM_SELF)
    space = fem.functionspace(domain, ("Lagrange", 2))
    field = fem.Function(space)
    with FieldsFile.create(results.fields, space, {"concentration": "nm^-3"}) as file:
        for time in times:
            field.interpolate(lambda x, time=time: 1.0 + (1.0 + time) * x[0] ** 2)
            file.write(time, {"concentration": field})
    with SeriesFile.create(results.series, ["rate", "volume"]) as series:
        for time in np.linspace(0.0, 1.0, 11):
            rate = Observable("rate", 2.0 * math.exp(-time) * (1.0 + 1e-4), "nm^3/ns")
            series.append(time, [rate, Observable("volume", 2.0, "nm^3")])
    results.write_summary(
        status="done",
        model="smoluchowski",
        title="Rate & <more>",
        observables=[
            Observable("rate", 0.735832, "nm^3/ns", "through the sphere", 2e-6),
            Observable("broken", math.nan, ""),
        ],
    )
    x = np.linspace(0.0, 2.0, 101)
    write_json(
        results.run,
        {
            "title": "Rate & <more>",
            "model": "smoluchowski",
            "case": {"smoluchowski": {"degree": 2}},
            "command": ["fem-rd", "run", "a case"],
            "environment": {
                "versions": {"dolfinx": "0.9.0"},
                "ranks": 2,
                "hosts": {"node": 2},
                "platform": "Linux",
                "revision": None,
            },
            "started": "2026-01-02T03:04:05+00:00",
            "units": {"length": "nm", "time": "ns"},
            "unknowns": {"concentration": 12345},
            "mesh": {
                "cells": 216,
                "volume": 2.0,
                "boundaries": [{"name": "left", "tag": 1, "count": 18, "size": 1.0}],
            },
            "phases": {"mesh": 2.99, "solve": 1.0, "trifle": 0.01},
            "wall_time": 4.5,
            "memory": {"largest_rank": 150_000_000, "total": 300_000_000},
            "warnings": ["the step is <long>"],
            "expected": {"rate": {"value": 0.7358, "tolerance": 1e-3, "source": "by hand"}},
            "predictions": {"rate": {"value": 0.9, "source": "theory of everything"}},
            "ledger": {
                "amount": {"residual": -3e-9, "scale": 2.0, "tolerance": 1e-10, "unit": "mol"}
            },
            "exact": {
                "series": {
                    "rate": {
                        "time": [0.0, 0.5, 1.0],
                        "value": 2.0 * np.exp(-np.array([0.0, 0.5, 1.0])),
                        "source": "closed form",
                    }
                },
                "profiles": {
                    "concentration": {
                        "coordinate": "x",
                        "x": x,
                        "value": 1.0 + 2.0 * x**2,
                        "time": 1.0,
                        "source": "eq. 1",
                    }
                },
            },
        },
    )
    return results.path


def test_the_page_is_valid_and_needs_nothing_else(tmp_path: Path) -> None:
    report = write_report(synthetic_run(tmp_path / "run"))
    assert report == tmp_path / "run" / "report.html"
    text = report.read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert {reference.lstrip("#") for reference in page.references} <= set(page.ids)
    assert all(source.startswith("data:") for source in page.loads)
    assert page.loads  # the section of the field
    assert "script" not in page.tags
    for outside in ("http:", "https:", "@import", "//cdn", "xmlns"):
        assert outside not in text


def test_the_page_says_what_the_files_say(tmp_path: Path) -> None:
    words = Page(write_report(synthetic_run(tmp_path / "run")).read_text(encoding="utf-8")).words
    for said in (
        "Rate & <more>",
        "the step is <long>",
        "done",
        "0.7358320",  # to the digits of its error
        "within 0.001",
        "by hand",
        "theory of everything",
        "outside 1",  # the ledger
        "12\N{NARROW NO-BREAK SPACE}345",
        "24.3 kB",  # per unknown
        "300 MB",
        "fem-rd run 'a case'",
        "dolfinx 0.9.0",
        "[smoluchowski]\ndegree = 2",
        "boundary left",
        "2026-01-02 03:04",
        "Largest relative difference 1.0\N{MULTIPLICATION SIGN}10⁻⁴",
        "75\N{NARROW NO-BREAK SPACE}%",
        "other",
    ):
        assert said in words, said
    assert "trifle" not in words
    assert "nan" not in words.lower()


@pytest.mark.parametrize(("dimension", "extent"), [(1, "length"), (2, "area"), (3, "volume")])
def test_the_extent_of_a_mesh_has_its_name(dimension: int, extent: str, tmp_path: Path) -> None:
    directory = synthetic_run(tmp_path / "run")
    run = json.loads((directory / "run.json").read_text())
    run["mesh"]["dimension"] = dimension
    write_json(directory / "run.json", run)
    page = write_report(directory).read_text(encoding="utf-8")
    said = [name for name in ("length", "area", "volume") if f"<dt>{name}</dt><dd>2</dd>" in page]
    assert said == [extent]


@pytest.mark.parametrize("first", [0.0, 1e-3])
def test_a_dense_exact_curve_is_interpolated(first: float, tmp_path: Path) -> None:
    """The run hits none of its times; 1 + 1e-4 times the exact values is 1e-4 off."""
    directory = synthetic_run(tmp_path / "run")
    run = json.loads((directory / "run.json").read_text())
    time = np.linspace(first, 1.07, 150) if first == 0.0 else np.geomspace(first, 1.07, 150)
    run["exact"]["series"]["rate"] = {"time": time, "value": 2.0 * np.exp(-time)}
    write_json(directory / "run.json", run)
    said = "Largest relative difference 1.0\N{MULTIPLICATION SIGN}10⁻⁴"
    assert said in write_report(directory).read_text(encoding="utf-8")


def test_a_long_run_makes_no_heavy_page(tmp_path: Path) -> None:
    directory = synthetic_run(tmp_path / "run")
    size = write_report(directory).stat().st_size
    time = np.linspace(0.0, 1.0, 100_001)
    rows = np.column_stack([time, 2.0 * np.exp(-time) * (1.0 + 1e-4), np.sin(1e4 * time)])
    path = directory / "observables.csv"
    np.savetxt(path, rows, fmt="%.17g", delimiter=",", header="time,rate,volume", comments="")
    text = write_report(directory).read_text(encoding="utf-8")
    assert len(text) < size + 500_000
    assert "Largest relative difference 1.0\N{MULTIPLICATION SIGN}10⁻⁴" in text


def test_figures_are_kept_as_pictures(tmp_path: Path) -> None:
    write_report(synthetic_run(tmp_path / "run"))
    figures = tmp_path / "run" / "figures"
    assert {path.name for path in figures.iterdir()} == {
        "field-concentration.png",
        "profile-concentration.png",
        "series-rate.png",  # the volume does not change
    }
    for path in figures.iterdir():
        picture = matplotlib.image.imread(path)
        assert min(picture.shape[:2]) > 300
        assert np.ptp(picture[:, :, :3]) > 0.5


def test_the_profile_is_right_to_interpolation(tmp_path: Path) -> None:
    directory = synthetic_run(tmp_path / "run")
    text = write_report(directory).read_text(encoding="utf-8")
    largest = text.split("relative to the largest exact value: at most ")[1].split(".<")[0]
    assert (
        "\N{MULTIPLICATION SIGN}10⁻¹" in largest
    )  # 1 + 2 x^2 is in the space, and its cubic spline is exact
    run = json.loads((directory / "run.json").read_text())
    run["exact"]["profiles"]["concentration"]["value"][50] += 0.9
    write_json(directory / "run.json", run)
    assert "at most 0.1." in write_report(directory).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*examples.STRAIGHT, "curved"])
@pytest.mark.parametrize("times", [(0.0,), (0.0, 0.5, 1.0)])
def test_every_kind_of_body_is_drawn(name: str, times: tuple, tmp_path: Path) -> None:
    directory = synthetic_run(tmp_path / "run", name, times)
    Page(write_report(directory).read_text(encoding="utf-8"))
    assert (directory / "figures" / "field-concentration.png").exists()


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0])
def test_a_uniform_field_is_drawn(value: float, tmp_path: Path) -> None:
    results = ResultsDirectory.create(tmp_path / "run")
    space = fem.functionspace(mesh.create_unit_cube(MPI.COMM_SELF, 2, 2, 2), ("Lagrange", 1))
    field = fem.Function(space)
    field.x.array[:] = value * (1.0 + 1e-15 * np.arange(len(field.x.array)))
    with FieldsFile.create(results.fields, space) as file:
        file.write(0.0, {"c": field})
    results.write_summary(status="done", model="m", title="t", observables=())
    words = Page(write_report(results.path).read_text(encoding="utf-8")).words
    assert "z = 0.5" in words
    assert "y = 0.5" not in words  # it would look the same


def test_what_one_section_misses_another_shows(tmp_path: Path) -> None:
    results = ResultsDirectory.create(tmp_path / "run")
    space = fem.functionspace(mesh.create_unit_cube(MPI.COMM_SELF, 8, 8, 8), ("Lagrange", 1))
    field = fem.Function(space)
    pole = np.array([[0.5], [0.5], [1.0]])
    field.interpolate(lambda x: np.exp(-50.0 * ((x - pole) ** 2).sum(axis=0)))
    with FieldsFile.create(results.fields, space) as file:
        file.write(0.0, {"c": field})
    results.write_summary(status="done", model="m", title="t", observables=())
    words = Page(write_report(results.path).read_text(encoding="utf-8")).words
    assert "z = 0.5" in words
    assert "y = 0.5" in words
    write_json(results.run, {"views": {"slice": {"normal": [-2, 0, 0], "origin": [0.25, 0, 0]}}})
    words = Page(write_report(results.path).read_text(encoding="utf-8")).words
    assert "x = 0.25" in words
    assert "z = 0.5" not in words


@pytest.mark.parametrize("lost", [(), ("summary.json",), ("run.json", "observables.csv")])
def test_a_run_that_failed_has_a_report(lost: tuple[str, ...], tmp_path: Path) -> None:
    results = ResultsDirectory.create(tmp_path / "run")
    results.write_summary(
        status="failed", model="m", title="t", observables=(), failure="the solver <diverged>"
    )
    write_json(results.run, {"title": "t", "phases": {}, "memory": None, "finished": None})
    SeriesFile.create(results.series, ["rate"]).close()
    for name in lost:
        (results.path / name).unlink()
    words = Page(write_report(results.path).read_text(encoding="utf-8")).words
    if "summary.json" in lost:
        assert "unfinished" in words
    else:
        assert "failed" in words
        assert "the solver <diverged>" in words


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["interval", "triangle", "tetrahedron"])
def test_a_run_that_ended_in_nan_has_a_report(name: str, tmp_path: Path) -> None:
    directory = synthetic_run(tmp_path / "run", name)
    with h5py.File(directory / "fields.vtkhdf", "r+") as file:
        data = file["VTKHDF/PointData/concentration"]
        data[len(data) // 2 :] = np.nan
    series = directory / "observables.csv"
    rows = series.read_text().splitlines()
    series.write_text("\n".join([*rows[:4], *(f"{row.split(',')[0]},nan,nan" for row in rows[4:])]))
    assert "nan" not in Page(write_report(directory).read_text(encoding="utf-8")).words.lower()
    assert (directory / "figures" / "field-concentration.png").exists()


def test_what_is_no_results_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="not a results directory"):
        write_report(tmp_path)


def test_results_load_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "postprocess")
    from load_results import Results

    results = Results(str(synthetic_run(tmp_path / "run")))
    assert results["rate"] == 0.735832
    assert math.isnan(results["broken"])
    assert results.run["unknowns"] == {"concentration": 12345}
    assert results.series["rate"][0] == 2.0 * (1.0 + 1e-4)
    assert results.times.tolist() == [0.0, 0.5, 1.0]
    assert results.fields(0).values["concentration"].max() == pytest.approx(5.0, rel=1e-14)
    assert results.fields().values["concentration"].max() == pytest.approx(9.0, rel=1e-14)


def test_the_report_needs_neither_dolfinx_nor_mpi(tmp_path: Path) -> None:
    directory = synthetic_run(tmp_path / "run")
    code = (
        "import sys; sys.modules |= dict.fromkeys(('dolfinx', 'mpi4py', 'petsc4py', 'basix'));"
        "from pathlib import Path; from fem_rd.report import write_report;"
        "write_report(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(directory)], check=True)
