"""The geometries that come with the package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import cos, log2, pi, radians
from pathlib import Path

import numpy as np
import pytest
from meshing import meshed
from mpi4py import MPI
from scipy.integrate import dblquad, quad
from scipy.special import elliprg

from fem_rd.log import Log
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.geo_text import declared_parameters
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.library import geometries


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEM_RD_CACHE", str(tmp_path / "cache"))


def ball(radius: float) -> float:
    return 4 / 3 * pi * radius**3


def sphere(radius: float) -> float:
    return 4 * pi * radius**2


def ellipsoid_area(a: float, b: float, c: float) -> float:
    return float(4 * pi * elliprg((a * b) ** 2, (b * c) ** 2, (c * a) ** 2))


def cap(radius: float, angle: float) -> float:
    return 2 * pi * radius**2 * (1 - cos(radians(angle)))


def stalk(head: float, neck: float, length: float, dendrite: float) -> float:
    """Volume of the neck of a spine, between the cylinder of the dendrite and the head."""
    centre = dendrite + length + (head**2 - neck**2) ** 0.5

    def height(angle: float, r: float) -> float:
        return r * (
            centre - (head**2 - r**2) ** 0.5 - (dendrite**2 - (r * np.sin(angle)) ** 2) ** 0.5
        )

    return float(dblquad(height, 0, neck, 0, 2 * pi)[0])


def membrane(head: float, neck: float, length: float, dendrite: float, ends: float) -> float:
    """Area of a spine without its synapse (45 degrees) and the two ends of its dendrite."""

    def hole(y: float) -> float:
        return 2 * (neck**2 - y**2) ** 0.5 * dendrite / (dendrite**2 - y**2) ** 0.5

    def side(angle: float) -> float:
        return neck * (dendrite + length - (dendrite**2 - (neck * np.sin(angle)) ** 2) ** 0.5)

    mouth = 2 * pi * head * (head - (head**2 - neck**2) ** 0.5)
    tube = 2 * pi * dendrite * ends - quad(hole, -neck, neck)[0] + quad(side, 0, 2 * pi)[0]
    return float(tube + sphere(head) - cap(head, 45) - mouth)


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
        "dendritic-spine",
        {"size": 0.02, "growth": 0.1},
        {"head": ball(0.3), "dendrite": 0.32 * pi + stalk(0.3, 0.1, 0.5, 0.4)},
        {
            "synapse": cap(0.3, 45),
            "ends": 0.32 * pi,
            "membrane": membrane(0.3, 0.1, 0.5, 0.4, 2.0),
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
