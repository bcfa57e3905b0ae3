"""The report: its page as a reader's browser gets it, whatever a run left behind."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import output_examples as examples
import pytest
from dolfinx import fem, mesh
from mpi4py import MPI
from report_examples import Page, synthetic_run

from fem_rd.errors import CaseError
from fem_rd.output.results import ResultsDirectory, write_json
from fem_rd.output.series import SeriesFile
from fem_rd.output.vtkhdf import FieldsFile
from fem_rd.report import write_report


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
