"""Meshing by Gmsh: geometries of a case, mistakes in them, and what Gmsh leaves as it was."""

from __future__ import annotations

import os
from math import cos, pi, radians
from pathlib import Path

import gmsh
import pytest
from meshing import built, meshed
from mpi4py import MPI

from fem_rd.case.schema import GeometryMesh
from fem_rd.errors import CaseError
from fem_rd.log import Log
from fem_rd.mesh import gmsh_geometry
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.gmsh_session import ALGORITHMS, MeshingError, generate, gmsh_session
from fem_rd.mesh.library import geometries


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEM_RD_CACHE", str(tmp_path / "cache"))


def cap(radius: float, angle: float) -> float:
    return 2 * pi * radius**2 * (1 - cos(radians(angle)))


DISK = """
SetFactory("OpenCASCADE");
DefineConstant[ radius = {2, Min 0, Name "radius"} ];
Disk(1) = {0, 0, 0, radius};
Mesh.MeshSizeMax = 0.5;
Physical Surface("inside") = {1};
Physical Curve("rim") = {1};
"""


@pytest.mark.parametrize(("order", "accuracy"), [(1, 2e-2), (2, 2e-4)])
def test_a_plane_geometry(tmp_path: Path, order: int, accuracy: float) -> None:
    domain = built(tmp_path, DISK, order=order, parameters={"radius": 3})
    assert domain.dimension == 2
    assert domain.volume("inside") == pytest.approx(9 * pi, rel=accuracy)
    assert domain.area("rim") == pytest.approx(6 * pi, rel=accuracy)


@pytest.mark.parametrize("order", [1, 2])
def test_a_line(tmp_path: Path, order: int) -> None:
    text = "Point(1) = {0, 0, 0}; Point(2) = {3, 0, 0}; Line(1) = {1, 2};\n"
    text += 'Physical Point("left") = {1}; Physical Point("right") = {2};\n'
    text += "Mesh.MeshSizeMax = 0.4;\n"
    domain = built(tmp_path, text, order=order)
    assert (domain.dimension, domain.summary().order) == (1, order)
    assert domain.volume() == pytest.approx(3.0, rel=1e-13)
    assert domain.area("left") == domain.area("right") == 1.0


def test_quadrilaterals(tmp_path: Path) -> None:
    text = 'SetFactory("OpenCASCADE");\nRectangle(1) = {0, 0, 0, 2, 1};\n'
    text += "Transfinite Surface{1}; Recombine Surface{1}; Mesh.MeshSizeMax = 0.3;\n"
    text += 'Physical Curve("left") = {4}; Physical Curve("rest") = {1, 2, 3};\n'
    domain = built(tmp_path, text, order=1)
    assert domain.summary().shape == "quadrilateral"
    assert domain.volume("domain") == pytest.approx(2.0, rel=1e-13)
    assert domain.area("left") == pytest.approx(1.0, rel=1e-13)
    assert domain.area("rest") == pytest.approx(5.0, rel=1e-13)
    with pytest.raises(CaseError, match="take order = 1; found 'quadrilateral'"):
        built(tmp_path, text, order=2)


def test_the_case_decides_the_order(tmp_path: Path) -> None:
    text = BALL + 'Physical Surface("wall") = {1};\nMesh.ElementOrder = 3;\n'
    assert [built(tmp_path, text, order=n).summary().order for n in (1, 2)] == [1, 2]


def test_what_is_in_no_group_is_no_part_of_the_mesh(tmp_path: Path) -> None:
    text = 'SetFactory("OpenCASCADE");\nBox(1) = {0, 0, 0, 1, 1, 1}; Box(2) = {1, 0, 0, 1, 1, 1};\n'
    text += "Coherence;\nMesh.MeshSizeMax = 0.6;\n"
    text += 'Physical Volume("first") = {1}; Physical Surface("between") = {2};\n'
    domain = built(tmp_path, text, order=1)
    assert domain.volume() == pytest.approx(1.0, rel=1e-13)
    assert domain.exterior("between")
    both = text.replace("= {1}; Physical S", "= {1, 2}; Physical S")
    domain = built(tmp_path, both, order=1)
    assert domain.volume() == pytest.approx(2.0, rel=1e-13)
    assert not domain.exterior("between")


BALL = 'SetFactory("OpenCASCADE");\nSphere(1) = {0, 0, 0, 1};\nMesh.MeshSizeMax = 0.7;\n'
MISTAKES = {
    "no boundary": (BALL, r'names no boundary: add Physical Surface\("name"\)'),
    "no name": (
        BALL + "Physical Surface(4) = {1};\n",
        r'Physical Surface\(4\) has no name: write Physical Surface\("name", 4\)',
    ),
    "two names": (
        BALL + 'Physical Surface("a") = {1}; Physical Surface("b") = {1};\n',
        "surface 1 of the geometry has two names; found 'a, b'",
    ),
    "one name for two": (
        BALL + 'Physical Surface("a") = {1}; Physical Volume("a") = {1};\n',
        "several physical groups have the same name; found 'a'",
    ),
    "syntax": (BALL + "Sphere(2) = ;\n", "own.geo', line 4: syntax error"),
    "unknown": (BALL + "x = y;\n", r"line 4: 'y' is no variable of the script"),
    "own error": (BALL + 'Error("too thick");\n', "Gmsh: too thick"),
    "nothing": ("x = 1;\n", "has no volume, surface or curve"),
    "bent": (
        BALL + 'Delete{ Volume{1}; }\nPhysical Curve("seam") = {2};\n',
        "2D cells must not extend along z",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_of_a_geometry(tmp_path: Path, kind: str) -> None:
    text, message = MISTAKES[kind]
    with pytest.raises(CaseError, match=message) as caught:
        built(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "own.geo: " in str(caught.value)
    assert built(tmp_path, BALL + 'Physical Surface("wall") = {1};\n').boundaries  # it recovers


def test_mistakes_of_the_case(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"no parameter 'radios'; did you mean 'radius'\?; valid"):
        built(tmp_path, DISK, parameters={"radios": 1})
    with pytest.raises(CaseError, match=r"mesh.geometry: there is no .* did you mean 'torus'"):
        build_domain(GeometryMesh(geometry="tours"), MPI.COMM_SELF, case_dir=tmp_path)
    with pytest.raises(CaseError, match=r"mesh.geometry: .* does not exist; found '.*none\.geo'"):
        build_domain(GeometryMesh(geometry="none.geo"), MPI.COMM_SELF, case_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("spherical-shell", {"inner_radius": 6, "outer_radius": 5}, "follow each other"),
        ("spherical-shell", {"reactive_layer": 3, "reservoir_layer": 2}, "follow each other"),
        ("ball-with-patch", {"angle": 180}, "between 0 and 180 degrees"),
        ("ball-with-patches", {"count": 8, "angle": 40}, "the patches overlap"),
        ("ball-with-patches", {"count": 1.5}, "whole number"),
        ("two-spheres", {"distance": 2}, "must not touch"),
        ("ellipsoid", {"a": -1}, "must fit into the outer sphere"),
        ("torus", {"tube_radius": 2}, "must not close the hole"),
        ("box-with-obstacles", {"radius": 0.5}, "must not touch"),
    ],
)
def test_impossible_parameters(name: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(CaseError, match=message):
        meshed(name, **parameters)


def test_nothing_reaches_the_screen(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    built(tmp_path, BALL + 'Physical Surface("wall") = {1};\nPrintf("here");\n')
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_what_the_libraries_of_gmsh_print_goes_to_the_log(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = Log(quiet=True)
    with gmsh_session(log, ALGORITHMS[0]):
        os.write(1, b"PLC Error\n")
    log.attach(tmp_path / "log.txt")
    assert "Gmsh: PLC Error" in (tmp_path / "log.txt").read_text()
    assert capfd.readouterr().out == ""


def test_gmsh_of_the_caller_is_left_as_it_was(tmp_path: Path) -> None:
    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.model.add("mine")
        gmsh.option.setNumber("Mesh.Algorithm3D", 4)
        built(tmp_path, BALL + 'Physical Surface("wall") = {1};\n')
        assert gmsh.model.getCurrent() == "mine"
        assert gmsh.model.list() == ["", "mine"]
        assert gmsh.option.getNumber("Mesh.Algorithm3D") == 4
    finally:
        gmsh.finalize()


def test_a_surface_with_useless_triangles_is_meshed_again() -> None:
    parameters = {
        "angle": 74.4204, "size_edge": 0.0118, "outer_radius": 13.1679, "edge_growth": 0.5075,
    }  # fmt: skip
    log = Log(quiet=True)
    geometry = Geometry(geometries()["ball-with-patch"], parameters)
    domain = distribute(geometry_mesh(geometry, log), MPI.COMM_SELF)
    assert domain.area("inert") == pytest.approx(cap(1, 180 - 74.4204), rel=1e-4)


def test_another_algorithm_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def failing(module: object, log: Log) -> None:
        tried.append(gmsh.option.getNumber("Mesh.Algorithm"))
        if len(tried) < 3:
            raise MeshingError("no luck")
        generate(module, log)

    monkeypatch.setattr(gmsh_geometry, "generate", failing)
    assert built(tmp_path, BALL + 'Physical Surface("wall") = {1};\n').boundaries
    assert tried == [6, 5, 1]
