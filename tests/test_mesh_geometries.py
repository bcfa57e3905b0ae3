"""The geometries that come with the package, and meshing by Gmsh in general."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from math import cos, log2, pi, radians
from pathlib import Path

import gmsh
import numpy as np
import pytest
from mpi4py import MPI
from scipy.special import elliprg

from fem_rd.case.schema import GeometryMesh
from fem_rd.errors import CaseError
from fem_rd.log import Log
from fem_rd.mesh import gmsh_geometry
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.geo_text import declared_parameters
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.gmsh_session import ALGORITHMS, MeshingError, generate, gmsh_session
from fem_rd.mesh.library import geometries


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEM_RD_CACHE", str(tmp_path / "cache"))


def meshed(name: str, order: int = 2, refinements: int = 0, **parameters: float) -> Domain:
    geometry = Geometry(geometries()[name], parameters, order, refinements)
    return distribute(geometry_mesh(geometry, Log(quiet=True)), MPI.COMM_SELF)


def ball(radius: float) -> float:
    return 4 / 3 * pi * radius**3


def sphere(radius: float) -> float:
    return 4 * pi * radius**2


def ellipsoid_area(a: float, b: float, c: float) -> float:
    return float(4 * pi * elliprg((a * b) ** 2, (b * c) ** 2, (c * a) ** 2))


def cap(radius: float, angle: float) -> float:
    return 2 * pi * radius**2 * (1 - cos(radians(angle)))


# name, parameters, exact volumes by region, exact areas by boundary
Example = tuple[str, Mapping[str, float], Mapping[str, float], Mapping[str, float]]
COARSE = {"size": 0.4, "outer_radius": 4.0}
SPHERES = {"reactive": sphere(1), "reservoir": sphere(4)}
EXAMPLES: list[Example] = [
    ("ball", {"radius": 2.0, "size": 0.4}, {"domain": ball(2)}, {"surface": sphere(2)}),
    (
        "ball",
        {"layer": 0.3},
        {"domain": ball(0.7), "surface_layer": ball(1) - ball(0.7)},
        {"surface": sphere(1)},
    ),
    ("spherical-shell", {}, {"domain": ball(5) - ball(1)}, {**SPHERES, "reservoir": sphere(5)}),
    (
        "spherical-shell",
        {**COARSE, "inner_radius": 2.0, "reactive_layer": 0.5},
        {"domain": ball(4) - ball(2.5), "reactive_layer": ball(2.5) - ball(2)},
        {"reactive": sphere(2), "reservoir": sphere(4)},
    ),
    (
        "spherical-shell",
        {**COARSE, "reservoir_layer": 1.0},
        {"domain": ball(3) - ball(1), "reservoir_layer": ball(4) - ball(3)},
        SPHERES,
    ),
    (
        "spherical-shell",
        {**COARSE, "reactive_layer": 0.3, "reservoir_layer": 0.7},
        {
            "domain": ball(3.3) - ball(1.3),
            "reactive_layer": ball(1.3) - ball(1),
            "reservoir_layer": ball(4) - ball(3.3),
        },
        SPHERES,
    ),
    (
        "ball-with-patch",
        {"size_edge": 0.05},
        {"domain": ball(20) - ball(1)},
        {"patch": cap(1, 60), "inert": cap(1, 120), "reservoir": sphere(20)},
    ),
    (
        "ball-with-patch",
        {**COARSE, "inner_radius": 1.5, "angle": 150.0, "size_edge": 0.1},
        {"domain": ball(4) - ball(1.5)},
        {"patch": cap(1.5, 150), "inert": cap(1.5, 30), "reservoir": sphere(4)},
    ),
    (
        "ball-with-patches",
        {"size_edge": 0.04},
        {"domain": ball(20) - ball(1)},
        {"patches": 6 * cap(1, 10), "inert": sphere(1) - 6 * cap(1, 10), "reservoir": sphere(20)},
    ),
    *(
        (
            "ball-with-patches",
            {"count": float(count), "angle": angle, "size_edge": 0.06, "outer_radius": 4.0},
            {"domain": ball(4) - ball(1)},
            {
                "patches": count * cap(1, angle),
                "inert": sphere(1) - count * cap(1, angle),
                "reservoir": sphere(4),
            },
        )
        for count, angle in ((1, 90.0), (2, 40.0), (3, 30.0), (12, 12.0))
    ),
    (
        "box-with-obstacles",
        {"size": 0.12},
        {"domain": 8 - 8 * ball(0.3)},
        {
            "obstacles": 8 * sphere(0.3),
            **dict.fromkeys(("left", "right", "front", "back", "bottom", "top"), 4.0),
        },
    ),
    (
        "box-with-obstacles",
        {"spacing": 2.0, "radius": 0.5, "nx": 3, "ny": 1, "nz": 2},
        {"domain": 48 - 6 * ball(0.5)},
        {
            "obstacles": 6 * sphere(0.5),
            **{"left": 8.0, "right": 8.0, "front": 24.0, "back": 24.0, "bottom": 12.0, "top": 12.0},
        },
    ),
    (
        "two-spheres",
        {},
        {"domain": ball(30) - 2 * ball(1)},
        {"first": sphere(1), "second": sphere(1), "reservoir": sphere(30)},
    ),
    (
        "two-spheres",
        {"second_radius": 0.5, "distance": 1.7, "outer_radius": 8.0},
        {"domain": ball(8) - ball(1) - ball(0.5)},
        {"first": sphere(1), "second": sphere(0.5), "reservoir": sphere(8)},
    ),
    (
        "ellipsoid",
        {"size": 0.3},
        {"domain": ball(40) - ball(1) * 2},
        {"reactive": ellipsoid_area(2, 1, 1), "reservoir": sphere(40)},
    ),
    (
        "ellipsoid",
        {"a": 1.0, "b": 3.0, "c": 2.0, "size": 0.3, "outer_radius": 10.0},
        {"domain": ball(10) - ball(1) * 6},
        {"reactive": ellipsoid_area(1, 3, 2), "reservoir": sphere(10)},
    ),
    (
        "torus",
        {"size": 0.4},
        {"domain": ball(60) - 4 * pi**2},
        {"reactive": 8 * pi**2, "reservoir": sphere(60)},
    ),
    (
        "torus",
        {"ring_radius": 4.0, "tube_radius": 0.5, "outer_radius": 9.0},
        {"domain": ball(9) - 2 * pi**2},
        {"reactive": 8 * pi**2, "reservoir": sphere(9)},
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example[0]}-{len(example[1])}")
def test_sizes_and_names(example: Example) -> None:
    name, parameters, volumes, areas = example
    domain = meshed(name, **parameters)
    assert set(domain.regions) == set(volumes)
    assert set(domain.boundaries) == set(areas)
    for region, volume in volumes.items():
        assert domain.volume(region) == pytest.approx(volume, rel=2e-3)
    for boundary, area in areas.items():
        assert domain.area(boundary) == pytest.approx(area, rel=2e-3)
        assert domain.exterior(boundary)


@pytest.mark.parametrize("name", geometries())
def test_every_geometry_is_tried_and_says_what_it_is(name: str) -> None:
    assert name in {example[0] for example in EXAMPLES}
    text = geometries()[name].read_text()
    head = text.split("SetFactory")[0]
    assert "Regions:" in head and "Boundaries:" in head
    declared = declared_parameters(text)
    assert "size" in declared and re.search(r"^// \S.*\.$", head, re.MULTILINE)
    explained = re.findall(r'^  (\w+) = \{.*Name "[a-z].*"\},?$', text, re.MULTILINE)
    assert explained == list(declared)


@pytest.mark.parametrize("order", [1, 2])
def test_geometry_converges_with_twice_its_order(order: int) -> None:
    coarse, fine = (
        meshed("spherical-shell", order, count, size=0.5, size_far=1.25) for count in (0, 1)
    )
    for boundary, radius in (("reactive", 1.0), ("reservoir", 5.0)):
        errors = [abs(domain.area(boundary) - sphere(radius)) for domain in (coarse, fine)]
        assert log2(errors[0] / errors[1]) == pytest.approx(2 * order, abs=0.2)
    exact = ball(5) - ball(1)
    errors = [abs(domain.volume() - exact) for domain in (coarse, fine)]
    assert log2(errors[0] / errors[1]) == pytest.approx(2 * order, abs=0.2)


def test_refinement_splits_every_cell_and_keeps_the_parts() -> None:
    parameters = {"size": 0.5, "reactive_layer": 0.5}
    coarse, fine = (meshed("spherical-shell", 1, count, **parameters) for count in (0, 1))
    for before, after in zip(coarse.summary().regions, fine.summary().regions, strict=True):
        assert (after.name, after.count) == (before.name, 8 * before.count)
    for before, after in zip(coarse.summary().boundaries, fine.summary().boundaries, strict=True):
        assert (after.name, after.count) == (before.name, 4 * before.count)


def test_new_nodes_lie_on_the_geometry() -> None:
    domain = meshed("spherical-shell", 2, 1, size=0.5)
    radii = np.linalg.norm(domain.mesh.geometry.x, axis=1)
    on_surface = np.minimum(np.abs(radii - 1.0), np.abs(radii - 5.0)) < 1e-12
    # of a triangulation of two spheres with f faces in all: f/2 + 4 vertices, 3f/2 edges
    faces = sum(part.count for part in domain.summary().boundaries)
    assert np.count_nonzero(on_surface) == faces // 2 + 4 + 3 * faces // 2


def test_cells_do_not_fold_where_the_mesh_is_too_coarse_for_the_surface() -> None:
    log = Log(quiet=True)
    geometry = Geometry(geometries()["two-spheres"], {"size": 0.9})
    domain = distribute(geometry_mesh(geometry, log), MPI.COMM_SELF)
    assert any("would fold over themselves" in warning for warning in log.warnings)
    assert domain.area("first") == pytest.approx(sphere(1), rel=0.1)


DISK = """
SetFactory("OpenCASCADE");
DefineConstant[ radius = {2, Min 0, Name "radius"} ];
Disk(1) = {0, 0, 0, radius};
Mesh.MeshSizeMax = 0.5;
Physical Surface("inside") = {1};
Physical Curve("rim") = {1};
"""


def own(folder: Path, text: str, **more: object) -> GeometryMesh:
    (folder / "own.geo").write_text(text)
    return GeometryMesh.model_validate({"geometry": "own.geo", **more})


def built(folder: Path, text: str, **more: object) -> Domain:
    return build_domain(own(folder, text, **more), MPI.COMM_SELF, case_dir=folder)


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
