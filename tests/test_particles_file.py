"""particles.vtkhdf: what is in it, and that it outlives interruptions."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from fem_rd.errors import FemRdError
from fem_rd.output.particles_file import ParticlesFile

FRAMES = [
    (0.0, np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]), [0, 1, 0], [0, 1, 2]),
    (0.5, np.zeros((2, 0)), [], []),
    (1.0, np.array([[0.4, 0.5], [4.0, 5.0]]), [1, 1], [1, 7]),
]


def write(path: Path, frames=FRAMES) -> Path:
    with ParticlesFile.create(path, ["A", "B"]) as file:
        for time, points, species, ids in frames:
            file.append(time, points, np.array(species, dtype=int), np.array(ids, dtype=int))
    return path


def read(path: Path) -> list[tuple]:
    """The steps, by the rules of the format."""
    found = []
    with h5py.File(path) as file:
        group = file["VTKHDF"]
        assert group.attrs["Type"] == b"PolyData"
        assert json.loads(group["PointData/species"].attrs["names"]) == ["A", "B"]
        steps = group["Steps"]
        assert len(steps["Values"]) == steps.attrs["NSteps"]
        for step in range(steps.attrs["NSteps"]):
            part, first = steps["PartOffsets"][step], steps["PointOffsets"][step]
            assert steps["NumberOfParts"][step] == 1
            count = group["NumberOfPoints"][part]
            vertices = group["Vertices"]
            assert vertices["NumberOfCells"][part] == count
            cell = steps["CellOffsets"][step][0]
            assert steps["ConnectivityIdOffsets"][step][0] == cell
            # each part before this one has one offset more than cells
            offsets = vertices["Offsets"][cell + part : cell + part + count + 1]
            assert list(offsets) == list(range(count + 1))
            assert list(vertices["Connectivity"][cell : cell + count]) == list(range(count))
            for other in ("Lines", "Polygons", "Strips"):
                assert group[other]["NumberOfCells"][part] == 0
                assert group[other]["Offsets"][part] == 0
            data = [
                group["PointData"][name][(at := steps["PointDataOffsets"][name][step]) : at + count]
                for name in ("species", "id")
            ]
            points = group["Points"][first : first + count]
            found.append((steps["Values"][step], points, *map(list, data)))
    return found


def check(path: Path, frames=FRAMES) -> None:
    found = read(path)
    assert len(found) == len(frames)
    for (time, points, species, ids), frame in zip(found, frames, strict=True):
        assert (time, species, ids) == (frame[0], frame[2], frame[3])
        assert (points[:, :2] == frame[1].T).all() and (points[:, 2] == 0).all()


def test_what_is_written_is_there(tmp_path):
    check(write(tmp_path / "particles.vtkhdf"))


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_a_resumed_file_goes_on_where_it_was_cut(tmp_path, kept):
    path = write(tmp_path / "particles.vtkhdf")
    after = FRAMES[kept - 1][0] if kept else -1.0
    with ParticlesFile.resume(path, after) as file:
        for time, points, species, ids in FRAMES[kept:]:
            file.append(time, points, np.array(species, dtype=int), np.array(ids, dtype=int))
    check(path)


def test_an_unfinished_step_is_not_seen_and_goes(tmp_path):
    path = write(tmp_path / "particles.vtkhdf")
    with h5py.File(path, "r+") as file:
        points = file["VTKHDF/Points"]
        points.resize(len(points) + 4, axis=0)
        file["VTKHDF/NumberOfPoints"].resize(4, axis=0)
    with ParticlesFile.resume(path, 1.0) as file:
        file.append(2.0, *FRAMES[0][1:2], np.array([0, 1, 0]), np.array([0, 1, 2]))
    check(path, [*FRAMES, (2.0, *FRAMES[0][1:])])


def test_a_file_that_cannot_be_written_is_a_failure(tmp_path):
    with pytest.raises(FemRdError, match="cannot be written"):
        ParticlesFile.create(tmp_path / "nowhere" / "particles.vtkhdf", ["A"])
    (tmp_path / "text").write_text("no HDF5")
    with pytest.raises(FemRdError, match="cannot be written"):
        ParticlesFile.resume(tmp_path / "text", 0.0)


_READ = """
import json, sys
from paraview import servermanager, simple
reader = simple.OpenDataFile(sys.argv[1])
reader.UpdatePipeline()
found = {"times": list(reader.TimestepValues), "ids": [], "last": []}
for time in reader.TimestepValues:
    reader.UpdatePipeline(time)
    data = servermanager.Fetch(reader)
    while data.IsA("vtkCompositeDataSet"):
        data = data.GetBlock(0)
    ids = data.GetPointData().GetArray("id")
    found["ids"].append([int(ids.GetValue(i)) for i in range(data.GetNumberOfPoints())])
    found["last"] = [data.GetPoint(i) for i in range(data.GetNumberOfPoints())]
    found["cells"] = data.GetNumberOfCells()
json.dump(found, open(sys.argv[2], "w"))
"""


@pytest.mark.paraview
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pvbatch") is None, reason="no ParaView here")
def test_paraview_reads_it(tmp_path):
    path = write(tmp_path / "particles.vtkhdf")
    script, answer = tmp_path / "read.py", tmp_path / "answer.json"
    script.write_text(_READ)
    display = ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24 -noreset"]
    command = [*display, "pvbatch", str(script), str(path), str(answer)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(answer.read_text())
    assert found["times"] == [0.0, 0.5, 1.0]
    assert found["ids"] == [frame[3] for frame in FRAMES]
    assert found["last"] == [[0.4, 4.0, 0.0], [0.5, 5.0, 0.0]]
    assert found["cells"] == 2
