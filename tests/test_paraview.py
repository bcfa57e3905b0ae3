"""fields.vtkhdf in a real ParaView: `./with-env --with paraview python3 -m pytest -m paraview`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import numpy as np
import output_examples as examples
import pytest
from ranks import run_on_ranks

from fem_rd.output.reading import Fields, read_fields
from fem_rd.report.cutting import simplices

pytestmark = [
    pytest.mark.paraview,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("pvbatch") is None or shutil.which("xvfb-run") is None,
        reason="no ParaView here; ./with-env --with paraview has it",
    ),
]

POSTPROCESS = Path(__file__).parents[1] / "postprocess"
SCRIPT = Path(examples.__file__)
# -noreset: a display that resets when its last window closes fails now and then
PVBATCH = ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24 -noreset", "pvbatch"]

_INTEGRATE = """
import json, sys
from paraview import servermanager, simple

reader = simple.OpenDataFile(sys.argv[1])
reader.UpdatePipeline()
found = {"times": list(reader.TimestepValues), "integrals": []}
integrals = simple.IntegrateVariables(Input=reader)
for time in reader.TimestepValues:
    integrals.UpdatePipeline(time)
    table = servermanager.Fetch(integrals)
    entry = {}
    for data in (table.GetCellData(), table.GetPointData()):
        for index in range(data.GetNumberOfArrays()):
            entry[data.GetArrayName(index)] = data.GetArray(index).GetTuple(0)
    found["integrals"].append(entry)
grid = servermanager.Fetch(reader)
found["types"] = sorted({grid.GetCellType(cell) for cell in range(grid.GetNumberOfCells())})
found["cells"] = grid.GetNumberOfCells()
json.dump(found, open(sys.argv[2], "w"))
"""


def pvbatch(script: Path, *arguments: object) -> None:
    command = [*PVBATCH, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def integrated_by_paraview(path: Path) -> dict:
    script, answer = path.with_name("integrate.py"), path.with_name("answer.json")
    script.write_text(_INTEGRATE)
    pvbatch(script, path, answer)
    return json.loads(answer.read_text())


def of_linear_parts(fields: Fields) -> tuple[float, dict[str, np.ndarray]]:
    """Volume and integrals over the linear tetrahedra that the cells are split in."""
    (cells,) = fields.cells
    tetrahedra = simplices(cells)
    corners = fields.points[tetrahedra]
    volumes = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6.0
    integrals = {
        name: np.tensordot(volumes, values[tetrahedra].mean(axis=1), 1)
        for name, values in fields.values.items()
    }
    return float(volumes.sum()), integrals


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    ("name", "degree", "vtk_type"), [("tetrahedron", 1, 10), ("curved", 2, 24)]
)
def test_paraview_integrates_what_was_written(
    name: str, degree: int, vtk_type: int, ranks: int, tmp_path: Path
) -> None:
    path = tmp_path / "fields.vtkhdf"
    written = run_on_ranks(ranks, [str(SCRIPT), str(path), name, str(degree)], tmp_path)
    assert written.returncode == 0, written.stderr
    found = integrated_by_paraview(path)
    assert found["times"] == list(examples.TIMES)
    assert found["types"] == [vtk_type]
    assert found["cells"] == {"tetrahedron": 216, "curved": 384}[name]
    exact = {"tetrahedron": 2.0, "curved": examples.CURVED_VOLUME}[name]
    for step, entry in enumerate(found["integrals"]):
        volume, integrals = of_linear_parts(read_fields(path, step))
        assert set(entry) == {"Volume", "concentration", "velocity"}
        assert entry["Volume"][0] == pytest.approx(volume, rel=1e-12)
        for field, value in integrals.items():
            np.testing.assert_allclose(entry[field], np.atleast_1d(value), rtol=1e-11, atol=1e-12)
        # straight tetrahedra on the same vertices would be 2.5 % off, the quadratic ones are .64 %
        assert entry["Volume"][0] == pytest.approx(exact, rel=1e-12 if degree == 1 else 7e-3)


def test_paraview_follows_a_run_resumed_on_fewer_ranks(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    arguments = [str(SCRIPT), str(path), "tetrahedron", "1"]
    assert run_on_ranks(2, arguments, tmp_path).returncode == 0
    assert run_on_ranks(1, [*arguments, "after", "0.5"], tmp_path).returncode == 0
    found = integrated_by_paraview(path)
    assert found["times"] == list(examples.TIMES)
    for step, entry in enumerate(found["integrals"]):
        _, integrals = of_linear_parts(read_fields(path, step))
        assert entry["Volume"][0] == pytest.approx(2.0, rel=1e-12)
        assert entry["concentration"][0] == pytest.approx(integrals["concentration"], rel=1e-12)


@pytest.mark.parametrize(("name", "degree"), [("tetrahedron", 1), ("curved", 2)])
def test_slice_draws_the_body(name: str, degree: int, tmp_path: Path) -> None:
    path, picture = tmp_path / "fields.vtkhdf", tmp_path / "pictures" / "slice.png"
    examples.write_example(path, name, degree)
    pvbatch(POSTPROCESS / "slice.py", path, picture, "--size", 400, 300, "--time", 0.5)
    image = matplotlib.image.imread(picture)[:, :, :3]
    assert image.shape == (300, 400, 3)
    coloured = (np.ptp(image, axis=2) > 0.1).mean()
    # the box is 2 by 1, the quarter ring fills .59 of its square; both fill most of the picture
    assert 0.2 < coloured < 0.7
    assert len(np.unique((image * 16).astype(int).reshape(-1, 3), axis=0)) > 30


def test_movie_draws_every_time(tmp_path: Path) -> None:
    path, frames = tmp_path / "fields.vtkhdf", tmp_path / "frames"
    examples.write_example(path, "triangle", 2)
    pvbatch(POSTPROCESS / "movie.py", path, frames, "--field", "velocity", "--size", 200, 150)
    pictures = sorted(frames.iterdir())
    assert [picture.name for picture in pictures] == [
        "frame.0000.png",
        "frame.0001.png",
        "frame.0002.png",
    ]
    first, *others = [matplotlib.image.imread(picture) for picture in pictures]
    assert all(not np.array_equal(first, other) for other in others)


def test_an_unknown_field_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    examples.write_example(path, "triangle", 1)
    command = [*PVBATCH, str(POSTPROCESS / "slice.py"), str(path), "x.png"]
    done = subprocess.run(
        [*command, "--field", "nope"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode != 0
    assert "no field 'nope'; valid: concentration, velocity" in done.stdout + done.stderr
    assert not (tmp_path / "x.png").exists()
