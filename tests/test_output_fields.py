"""fields.vtkhdf read back against the functions it was written from."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import basix
import h5py
import numpy as np
import output_examples as examples
import pytest
from dolfinx import fem
from mpi4py import MPI
from ranks import run_on_ranks

from fem_rd.errors import FemRdError
from fem_rd.numerics.spaces import lagrange_space
from fem_rd.output.grid_file import GridFile
from fem_rd.output.reading import Cells, Fields, read_fields, read_times
from fem_rd.output.vtkhdf import FieldsFile
from fem_rd.report.cutting import simplices

SCRIPT = Path(examples.__file__)
_EDGES = ((0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3))  # of VTK's quadratic tetrahedron


def measure(fields: Fields) -> float:
    """Length, area or volume of straight cells, as the sum of that of their simplices."""
    total = 0.0
    for cells in fields.cells:
        corners = fields.points[simplices(cells)]
        edges = corners[:, 1:] - corners[:, :1]
        gram = edges @ edges.transpose(0, 2, 1)
        total += np.sqrt(np.linalg.det(gram)).sum() / math.factorial(edges.shape[1])
    return total


def curved_volume(points: np.ndarray, cells: Cells) -> float:
    """Volume of quadratic tetrahedra by VTK's shape functions and exact quadrature."""
    at, weights = basix.make_quadrature(basix.CellType.tetrahedron, 3)
    bary = np.column_stack([1.0 - at.sum(axis=1), at])
    slope = np.vstack([-np.ones(3), np.eye(3)])
    vertices = [(4.0 * bary[:, [i]] - 1.0) * slope[i] for i in range(4)]
    edges = [4.0 * (bary[:, [i]] * slope[j] + bary[:, [j]] * slope[i]) for i, j in _EDGES]
    gradients = np.stack([*vertices, *edges])  # (node, quadrature point, direction)
    jacobians = np.einsum("cni,nqj->cqij", points[cells.connectivity], gradients)
    return float((np.abs(np.linalg.det(jacobians)) @ weights).sum())


def assert_values(fields: Fields, *, nodes: slice | np.ndarray = slice(None)) -> None:
    x, time = fields.points[nodes].T, fields.time
    found = fields.values["concentration"][nodes]
    np.testing.assert_allclose(found, examples.concentration(x, time), rtol=0, atol=1e-12)
    if "velocity" in fields.values:
        expected = examples.velocity(x, time)
        if np.ptp(fields.points[:, 2]) == 0.0:
            expected[2] = 0.0  # a plane field has no third component
        found = fields.values["velocity"][nodes]
        np.testing.assert_allclose(found, expected.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("name", examples.STRAIGHT)
def test_every_cell_type_comes_back(name: str, degree: int, tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    domain = examples.write_example(path, name, degree)
    np.testing.assert_array_equal(read_times(path), examples.TIMES)
    cells = domain.topology.index_map(domain.topology.dim).size_global
    for step, time in enumerate(examples.TIMES):
        fields = read_fields(path, step)
        assert fields.time == time
        assert sum(len(block.connectivity) for block in fields.cells) == cells
        assert measure(fields) == pytest.approx(2.0, rel=1e-12)
        assert_values(fields)
    assert fields.units == {key: examples.UNITS[key] for key in fields.values}
    assert len(np.unique(fields.points, axis=0)) == len(fields.points)


@pytest.mark.parametrize("degree", [1, 2])
def test_curved_cells_stay_curved(degree: int, tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    domain = examples.write_example(path, "curved", degree)
    exact = fem.assemble_scalar(fem.form(fem.Constant(domain, 1.0) * _dx(domain)))
    fields = read_fields(path)
    (cells,) = fields.cells
    assert cells.vtk_type == 24
    assert curved_volume(fields.points, cells) == pytest.approx(exact, rel=1e-13)
    assert exact == pytest.approx(examples.CURVED_VOLUME, rel=1e-4)
    vertices = np.unique(cells.connectivity[:, :4])
    assert_values(fields, nodes=vertices)
    if degree == 2:
        assert_values(fields)
    else:  # linear on the reference cell: at the middle of an edge the mean of its ends
        values = fields.values["concentration"][cells.connectivity]
        for node, (i, j) in enumerate(_EDGES, 4):
            mean = 0.5 * (values[:, i] + values[:, j])
            np.testing.assert_allclose(values[:, node], mean, rtol=0, atol=1e-12)


def _dx(domain):
    import ufl

    return ufl.dx(domain=domain)


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize(("name", "degree"), [("tetrahedron", 1), ("curved", 2)])
def test_ranks_write_owned_cells_only(ranks: int, name: str, degree: int, tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    done = run_on_ranks(ranks, [str(SCRIPT), str(path), name, str(degree)], tmp_path)
    assert done.returncode == 0, done.stderr
    cells = {"tetrahedron": 4 * 3 * 3 * 6, "curved": 4 * 4 * 4 * 6}[name]
    with h5py.File(path) as file:
        group = file["VTKHDF"]
        counts = group["NumberOfPoints"][:]
        assert len(counts) == ranks
        assert group["NumberOfCells"][:].sum() == cells
        for piece in np.split(group["Points"][:], np.cumsum(counts)[:-1]):
            assert len(np.unique(piece, axis=0)) == len(piece)
    for step in range(len(examples.TIMES)):
        fields = read_fields(path, step)
        assert_values(fields)
        if name == "tetrahedron":
            assert measure(fields) == pytest.approx(2.0, rel=1e-12)
        else:
            volume = curved_volume(fields.points, fields.cells[0])
            assert volume == pytest.approx(examples.CURVED_VOLUME, rel=1e-4)


@pytest.mark.parametrize("degree", [1, 2])
def test_a_rank_may_own_nothing(degree: int, tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    done = run_on_ranks(3, [str(SCRIPT), str(path), "two cells", str(degree)], tmp_path)
    assert done.returncode == 0, done.stderr
    with h5py.File(path) as file:
        assert file["VTKHDF/NumberOfCells"][:].min() == 0
    fields = read_fields(path)
    assert measure(fields) == pytest.approx(2.0, rel=1e-12)
    assert_values(fields)


def test_fields_of_other_spaces_are_evaluated(tmp_path: Path) -> None:
    """A linear field, and one whose unknowns are numbered otherwise, in a quadratic file."""
    domain = examples.example_mesh("tetrahedron")
    shown = lagrange_space(domain, 2)
    linear = fem.Function(fem.functionspace(domain, ("Lagrange", 1)))
    linear.interpolate(lambda x: 2.0 * x[0] - x[1] + 3.0 * x[2])
    quadratic = fem.Function(fem.functionspace(domain, ("Lagrange", 2)))
    quadratic.interpolate(lambda x: x[0] * x[1] - x[2] ** 2)
    assert not np.array_equal(shown.dofmap.list, quadratic.function_space.dofmap.list)
    path = tmp_path / "fields.vtkhdf"
    with FieldsFile.create(path, shown) as file:
        file.write(0.0, {"linear": linear, "quadratic": quadratic})
    fields = read_fields(path)
    x, y, z = fields.points.T
    np.testing.assert_allclose(fields.values["linear"], 2 * x - y + 3 * z, rtol=0, atol=1e-13)
    np.testing.assert_allclose(fields.values["quadratic"], x * y - z**2, rtol=0, atol=1e-13)


def test_other_spaces_are_refused(tmp_path: Path) -> None:
    domain = examples.example_mesh("triangle")
    for element in (("Lagrange", 3), ("Discontinuous Lagrange", 1), ("N1curl", 1)):
        with pytest.raises(ValueError, match="continuous Lagrange"):
            FieldsFile.create(tmp_path / "f.vtkhdf", fem.functionspace(domain, element))


def test_other_fields_than_before_are_refused(tmp_path: Path) -> None:
    fields = examples.example_fields(examples.example_mesh("triangle"), 1)
    space = fields["concentration"].function_space
    with FieldsFile.create(tmp_path / "f.vtkhdf", space) as file:
        file.write(0.0, fields)
        with pytest.raises(ValueError, match="velocity"):
            file.write(1.0, {"concentration": fields["concentration"]})


def test_resume_cuts_off_what_is_later(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    examples.write_example(path, "tetrahedron", 2)
    size = path.stat().st_size
    for after, kept in ((0.5, 2), (1.9, 2), (0.0, 1)):
        file = FieldsFile.resume(
            path, fem.functionspace(examples.example_mesh("tetrahedron"), ("Lagrange", 2)), after
        )
        file.close()
        np.testing.assert_array_equal(read_times(path), examples.TIMES[:kept])
    examples.write_example(path, "tetrahedron", 2, after=0.0)
    np.testing.assert_array_equal(read_times(path), examples.TIMES)
    for step in range(3):
        assert_values(read_fields(path, step))
    with h5py.File(path) as group:
        assert len(group["VTKHDF/NumberOfPoints"]) == 1  # the mesh is still stored once
    assert path.stat().st_size < 1.2 * size


@pytest.mark.parametrize(("before", "later"), [(2, 1), (1, 2)])
def test_resume_on_another_number_of_ranks(before: int, later: int, tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    arguments = [str(SCRIPT), str(path), "tetrahedron", "2"]
    assert run_on_ranks(before, arguments, tmp_path).returncode == 0
    resumed = run_on_ranks(later, [*arguments, "after", "0.5"], tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    with h5py.File(path) as file:
        np.testing.assert_array_equal(
            file["VTKHDF/Steps/NumberOfParts"][:], [before, before, later]
        )
    for step, time in enumerate(examples.TIMES):
        fields = read_fields(path, step)
        assert fields.time == time
        assert measure(fields) == pytest.approx(2.0, rel=1e-12)
        assert_values(fields)


def test_resume_with_another_mesh_of_the_same_size_keeps_both(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    domain = examples.write_example(path, "triangle", 1)
    domain.geometry.x[:, 1] += 10.0
    fields = examples.example_fields(domain, 1)
    with FieldsFile.resume(path, fields["concentration"].function_space, 0.5) as file:
        examples.set_fields(fields, 2.0)
        file.write(2.0, fields)
    for step, lowest in enumerate((0.0, 0.0, 10.0)):
        assert_values(read_fields(path, step))
        assert read_fields(path, step).points[:, 1].min() == lowest


def test_resume_before_the_first_step_starts_over(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    examples.write_example(path, "triangle", 1)
    examples.write_example(path, "triangle", 1, after=-1.0)
    np.testing.assert_array_equal(read_times(path), examples.TIMES)
    assert_values(read_fields(path, 0))


def test_an_unfinished_step_is_not_seen_and_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    examples.write_example(path, "triangle", 1)
    grid = GridFile.reopen(path, math.inf, {})
    grid.begin_step({"concentration": 1, "velocity": 3})
    grid.write_values("concentration", 0, np.full(grid.sizes[0].points, np.nan))
    grid.close()
    np.testing.assert_array_equal(read_times(path), examples.TIMES)
    assert_values(read_fields(path))
    examples.write_example(path, "triangle", 1, after=0.5)
    np.testing.assert_array_equal(read_times(path), examples.TIMES)
    assert_values(read_fields(path))
    with h5py.File(path) as file:
        data = file["VTKHDF/PointData/concentration"]
        assert len(data) == len(examples.TIMES) * len(read_fields(path).points)


_ENDLESS = """
import itertools, sys
import output_examples as examples
from fem_rd.output.vtkhdf import FieldsFile
fields = examples.example_fields(examples.example_mesh("tetrahedron"), 2)
with FieldsFile.create(sys.argv[1], fields["concentration"].function_space) as file:
    for step in itertools.count():
        examples.set_fields(fields, float(step))
        file.write(float(step), fields)
        print(step, flush=True)
"""


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_a_killed_writer_leaves_a_readable_file(steps: int, tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    environment = os.environ | {"PYTHONPATH": f"{SCRIPT.parent}:{os.environ['PYTHONPATH']}"}
    writer = subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    for _ in range(steps):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    times = read_times(path)
    assert len(times) >= steps
    np.testing.assert_array_equal(times, np.arange(len(times)))
    for step in (0, len(times) - 1):
        assert_values(read_fields(path, step))


_NO_ROOM = """
import resource, sys
import output_examples as examples
from fem_rd.errors import FemRdError
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    examples.TIMES = range(1000)
    examples.write_example(sys.argv[1], "tetrahedron", 2)
except FemRdError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_full_disk_is_one_error_on_all_ranks(ranks: int, tmp_path: Path) -> None:
    script = tmp_path / "no_room.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r})\n{_NO_ROOM}")
    done = run_on_ranks(ranks, [str(script), str(tmp_path / "fields.vtkhdf")], tmp_path)
    assert done.stdout.count("refused:") == ranks, done.stdout + done.stderr
    assert "fields.vtkhdf: cannot be written" in done.stdout
    fields = read_fields(tmp_path / "fields.vtkhdf")  # the steps before are all there
    assert fields.time > 1.0
    assert_values(fields)


def test_a_path_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FemRdError, match="cannot be written"):
        examples.write_example(tmp_path / "absent" / "fields.vtkhdf", "triangle", 1)


def test_reading_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    with pytest.raises(FemRdError, match="cannot be read"):
        read_times(path)
    examples.write_example(path, "interval", 1)
    with pytest.raises(IndexError, match="no step 3 among 3"):
        read_fields(path, 3)
    assert read_fields(path, -3).time == examples.TIMES[0]


def test_the_file_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "fields.vtkhdf"
    fields = examples.example_fields(examples.example_mesh("triangle", MPI.COMM_SELF), 1)
    with FieldsFile.create(path, fields["concentration"].function_space) as file:
        for count, time in enumerate(examples.TIMES, 1):
            examples.set_fields(fields, time)
            file.write(time, fields)
            code = (
                "import sys; from pathlib import Path; from fem_rd.output.reading import *;"
                "print(len(read_times(Path(sys.argv[1]))), read_fields(Path(sys.argv[1])).time)"
            )
            seen = subprocess.run(
                [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
            )
            assert seen.stdout.split() == [str(count), str(time)]
