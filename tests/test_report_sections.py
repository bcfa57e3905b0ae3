"""Sections of bodies, and numbers, units and cases as text."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import output_examples as examples
import pytest

from fem_rd.output.reading import Cells, read_fields
from fem_rd.report import formatting
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
