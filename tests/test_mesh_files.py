"""Existing meshes: formats, names, order of nodes, and mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi
from pathlib import Path

import gmsh
import meshio
import numpy as np
import pytest
from mpi4py import MPI

from fem_rd.case.schema import MeshFile
from fem_rd.errors import CaseError
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.domain import Domain

REGIONS = {"inner": 11, "outer": 12}
BOUNDARIES = {"hole": 21, "between": 22, "outside": 23}
RADII = (1.0, 1.5, 2.5)
SCRIPT = """
SetFactory("OpenCASCADE");
Sphere(1) = {0, 0, 0, 1}; Sphere(2) = {0, 0, 0, 1.5}; Sphere(3) = {0, 0, 0, 2.5};
BooleanFragments{ Volume{:}; Delete; }{}
Delete{ Volume{1}; }
b = 1.01; hole() = Surface In BoundingBox{-b, -b, -b, b, b, b};
b = 1.51; between() = Surface In BoundingBox{-b, -b, -b, b, b, b}; between() -= {hole()};
b = 1.51; inner() = Volume In BoundingBox{-b, -b, -b, b, b, b};
outer() = Volume{:}; outer() -= {inner()};
outside() = Surface{:}; outside() -= {hole(), between()};
Physical Volume("inner", 11) = {inner()}; Physical Volume("outer", 12) = {outer()};
Physical Surface("hole", 21) = {hole()}; Physical Surface("between", 22) = {between()};
Physical Surface("outside", 23) = {outside()};
Mesh.MeshSizeMax = 0.45;
"""


@pytest.fixture(scope="module", params=[1, 2], ids=["straight", "curved"])
def shells(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the same mesh of two shells in every format; its name is the order."""
    folder = tmp_path_factory.mktemp("shells") / str(request.param)
    folder.mkdir()
    (folder / "shells.geo").write_text(SCRIPT)
    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("Mesh.SaveGroupsOfElements", 1)
        gmsh.merge(str(folder / "shells.geo"))
        gmsh.model.mesh.generate(3)
        gmsh.model.mesh.setOrder(request.param)
        for version in (2.2, 4.1):
            for binary in (0, 1):
                gmsh.option.setNumber("Mesh.MshFileVersion", version)
                gmsh.option.setNumber("Mesh.Binary", binary)
                gmsh.write(str(folder / f"v{version}-{binary}.msh"))
        gmsh.write(str(folder / "shells.inp"))
    finally:
        gmsh.finalize()
    mesh = meshio.gmsh.read(folder / "v4.1-1.msh")
    bare = meshio.Mesh(mesh.points, mesh.cells, cell_data={"tags": mesh.cell_data["gmsh:physical"]})
    bare.write(folder / "shells.vtu")
    if request.param == 1:  # meshio cannot read its own mixture of curved cells
        bare.write(folder / "shells.xdmf")
    return folder


def read(folder: Path, name: str, log: Log | None = None, **more: object) -> Domain:
    section = MeshFile.model_validate({"file": name, **more})
    return build_domain(section, MPI.COMM_SELF, case_dir=folder, log=log)


def files(folder: Path) -> Iterator[str]:
    return (path.name for path in sorted(folder.iterdir()) if path.suffix in MESHES)


MESHES = (".msh", ".inp", ".vtu", ".xdmf")


def test_every_format_gives_the_same_mesh(shells: Path) -> None:
    order = int(shells.name)
    accuracy = {1: 0.06, 2: 2e-3}[order]
    for name in files(shells):
        named = name.endswith((".msh", ".inp"))
        domain = read(
            shells, name, **({} if named else {"regions": REGIONS, "boundaries": BOUNDARIES})
        )
        assert domain.summary().order == order
        assert domain.regions.keys() == REGIONS.keys()
        assert domain.boundaries.keys() == BOUNDARIES.keys()
        for boundary, radius in zip(("hole", "between", "outside"), RADII, strict=True):
            assert domain.area(boundary) == pytest.approx(4 * pi * radius**2, rel=accuracy)
        for region, low, high in zip(("inner", "outer"), RADII, RADII[1:], strict=False):
            exact = 4 / 3 * pi * (high**3 - low**3)
            assert domain.volume(region) == pytest.approx(exact, rel=accuracy)
        assert domain.inside == {"between"}
        if name.endswith(".msh"):
            assert domain.regions == REGIONS and domain.boundaries == BOUNDARIES


def test_scale(shells: Path) -> None:
    small, large = (read(shells, "v4.1-1.msh", scale=scale) for scale in (1.0, 3.0))
    assert large.volume("inner") == pytest.approx(27 * small.volume("inner"), rel=1e-12)
    assert large.area("hole") == pytest.approx(9 * small.area("hole"), rel=1e-12)


def test_names_of_the_case_go_first(shells: Path) -> None:
    domain = read(shells, "v2.2-0.msh", boundaries={"sink": 21})
    assert domain.boundaries == {"between": 22, "outside": 23, "sink": 21}
    with pytest.raises(CaseError, match=r"mesh.boundaries.sink: .* number 5; valid: 21, 22, 23"):
        read(shells, "v2.2-0.msh", boundaries={"sink": 5})
    with pytest.raises(CaseError, match=r"mesh.boundaries.hole: .* already, for the number 21"):
        read(shells, "v2.2-0.msh", boundaries={"hole": 22})


def test_numbers_without_a_name_are_listed(shells: Path) -> None:
    with pytest.raises(CaseError, match=r"\(11, 12\): write \[mesh.regions\] name = 11") as caught:
        read(shells, "shells.vtu", boundaries=BOUNDARIES)
    assert "shells.vtu: " in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(CaseError, match=r"\(21, 23\): write \[mesh.boundaries\] name = 21"):
        read(shells, "shells.vtu", regions=REGIONS, boundaries={"between": 22})


def tetrahedra(count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Points and cells of tetrahedra that share their first face."""
    apexes = [[0.2, 0.2, z] for z in (1.0, -1.0)][:count]
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], *apexes])
    return points, np.array([[0, 1, 2, 3 + index] for index in range(count)])


def written(path: Path, cells: list[tuple[str, object]], data: list[list[int]] | None) -> str:
    arrays = None if data is None else {"tags": [np.array(tags) for tags in data]}
    kinds = [(kind, np.array(nodes)) for kind, nodes in cells]
    meshio.Mesh(tetrahedra(2)[0], kinds, cell_data=arrays).write(path)
    return path.name


def test_hexahedra(tmp_path: Path) -> None:
    """A slanted box of two cells, with one of its six sides named."""
    grid = np.stack(np.meshgrid([0, 1, 3], [0, 2], [0, 1], indexing="ij"), -1).reshape(-1, 3)
    points = grid @ np.array([[1.0, 0.0, 0.0], [0.3, 1.0, 0.0], [0.2, 0.1, 1.0]])
    first = np.array([0, 4, 6, 2, 1, 5, 7, 3])
    blocks = [("hexahedron", np.array([first, first + 4])), ("quad", np.array([[8, 10, 11, 9]]))]
    data = {"tags": [np.array([4, 4]), np.array([9])]}
    meshio.Mesh(points, blocks, cell_data=data).write(tmp_path / "box.vtu")
    domain = read(tmp_path, "box.vtu", boundaries={"right": 9})
    assert domain.summary().shape == "hexahedron"
    assert domain.volume("domain") == pytest.approx(6.0, rel=1e-13)
    side = np.cross(points[10] - points[8], points[9] - points[8])
    assert domain.area("right") == pytest.approx(np.linalg.norm(side), rel=1e-13)
    assert domain.exterior("right")


def test_mistakes_in_a_mesh(tmp_path: Path) -> None:
    cells = tetrahedra(2)[1]
    no_facets = written(tmp_path / "a.vtu", [("tetra", cells)], [[1, 1]])
    with pytest.raises(CaseError, match="no tagged facets, so that no boundary has a name"):
        read(tmp_path, no_facets)
    wedge = ("wedge", [[0, 1, 2, 3, 4, 0]])
    unknown = written(tmp_path / "b.vtu", [("tetra", cells), wedge], [[1, 1], [1]])
    with pytest.raises(CaseError, match="cells of an unknown kind; found 'wedge'; valid: vertex"):
        read(tmp_path, unknown)
    hexahedron = ("hexahedron", [[0, 1, 2, 3, 4, 0, 1, 2]])
    mixed = written(tmp_path / "c.vtu", [("tetra", cells), hexahedron], [[1, 1], [1]])
    with pytest.raises(CaseError, match="cells of one kind; found 'hexahedron, tetra'"):
        read(tmp_path, mixed)
    lost = written(tmp_path / "d.vtu", [("tetra", cells), ("triangle", [[1, 3, 4]])], [[1, 1], [5]])
    with pytest.raises(CaseError, match=r"d\.vtu: 1 facets of the boundary 'wall' belong to no"):
        read(tmp_path, lost, boundaries={"wall": 5})
    surface = written(
        tmp_path / "e.vtu", [("triangle", [[0, 1, 3]]), ("line", [[0, 1]])], [[1], [2]]
    )
    with pytest.raises(CaseError, match="2D cells must not extend along z"):
        read(tmp_path, surface, boundaries={"wall": 2})


def test_several_arrays_of_integers(tmp_path: Path) -> None:
    points, cells = tetrahedra()
    blocks = [("tetra", cells), ("triangle", np.array([[0, 1, 2]]))]
    data = {"grain": [np.array([1]), np.array([2])], "rank": [np.array([0]), np.array([0])]}
    meshio.Mesh(points, blocks, cell_data=data).write(tmp_path / "a.vtu")
    with pytest.raises(CaseError, match="call it 'tags'; found 'grain, rank'"):
        read(tmp_path, "a.vtu")


@pytest.mark.parametrize("suffix", MESHES)
def test_missing_and_broken_files(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(CaseError, match=r"mesh.file: the mesh file does not exist; found"):
        read(tmp_path, f"none{suffix}")
    broken = tmp_path / f"broken{suffix}"
    broken.write_text("*ELEMENT, TYPE=C3D4\n1, 2\n" if suffix == ".inp" else "not a mesh\n")
    with pytest.raises(CaseError, match="cannot be read") as caught:
        read(tmp_path, broken.name)
    assert "\n" not in str(caught.value) and f"broken{suffix}: " in str(caught.value)


def test_a_script_that_calls_itself_a_mesh_does_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    (tmp_path / "a.msh").write_text(f'SystemCall "touch {proof}";\n')
    with pytest.raises(CaseError, match="cannot be read"):
        read(tmp_path, "a.msh")
    assert not proof.exists()


DECK = """*HEADING
two tetrahedra above each other, as a preprocessor writes them
*NODE
 10, 0., 0., 0.
 20, 1., 0., 0.
 30, 0., 1., 0.
 40, 0.2, 0.2, 1.
 50, 0.2, 0.2, -1.
*ELEMENT, TYPE=S3
 101, 10, 20, 40
*ELEMENT, TYPE=C3D4, ELSET=Solid
 1, 10, 20, 30, 40
*ELEMENT, TYPE=C3D4
 2, 10, 30, 20,
 50
*ELEMENT, TYPE=S3, ELSET=Shells
 102, 20, 30, 40
 103, 30, 10, 40
*ELSET, ELSET=All, GENERATE
 1, 103, 1
*ELSET, ELSET=_Floor_S2, INTERNAL
 2,
*ELSET, ELSET=_Picked, INTERNAL
 1,
*ELSET, ELSET=Front
 101
** what follows names faces of elements
*SURFACE, NAME=Floor, TYPE=ELEMENT
 _Floor_S2, S2
*SURFACE, NAME=Side
 2, S3
*SURFACE, NAME=Back
 2, S4
*MATERIAL, NAME=Water
"""


def test_abaqus_sets_and_surfaces(tmp_path: Path) -> None:
    (tmp_path / "deck.inp").write_text(DECK)
    domain = read(tmp_path, "deck.inp")
    assert set(domain.regions) == {"Solid", "domain"}
    assert domain.volume("Solid") == pytest.approx(1 / 6, rel=1e-13)
    assert domain.volume("domain") == pytest.approx(1 / 6, rel=1e-13)
    assert set(domain.boundaries) == {"Front", "Shells", "Floor", "Side", "Back"}
    points = tetrahedra(2)[0]

    def area(*corners: int) -> float:
        a, b, c = points[list(corners)]
        return float(np.linalg.norm(np.cross(b - a, c - a)) / 2)

    assert domain.area("Front") == pytest.approx(area(0, 1, 3), rel=1e-13)
    assert domain.area("Shells") == pytest.approx(area(1, 2, 3) + area(2, 0, 3), rel=1e-13)
    # of the second element, with corners 0, 2, 1, 4: S2 is 1-4-2, S3 is 2-4-3, S4 is 3-4-1
    assert domain.area("Floor") == pytest.approx(area(0, 4, 2), rel=1e-13)
    assert domain.area("Side") == pytest.approx(area(2, 4, 1), rel=1e-13)
    assert domain.area("Back") == pytest.approx(area(1, 4, 0), rel=1e-13)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("*ELSET, ELSET=Front\n 101", "*ELSET, ELSET=Front\n 101\n*ELSET, ELSET=Left\n 101, 102",
         "elements are in two sets.*found 'Left'"),
        ("TYPE=S3\n", "TYPE=T9\n", "line 9: elements of a type that cannot be used; found 'T9'"),
        ("*HEADING", "*INCLUDE, INPUT=a.inp", r"line 1: \*INCLUDE is not supported"),
        ("2, S4", "2, S5", "the surface 'Back' has a face unknown here: S5"),
        ("2, S4", "Top, S4", "a set of elements that it does not have; found 'Top'"),
        ("*ELSET, ELSET=Front\n 101", "*ELSET, ELSET=Front\n Sides", "not have; found 'Sides'"),
    ],
)  # fmt: skip
def test_mistakes_in_an_abaqus_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "deck.inp").write_text(DECK.replace(old, new, 1))
    with pytest.raises(CaseError, match=message) as caught:
        read(tmp_path, "deck.inp")
    assert "\n" not in str(caught.value)


def test_a_set_of_everything_is_a_name_where_there_is_no_other(tmp_path: Path) -> None:
    deck = DECK.replace(", ELSET=Solid", "").replace(
        "ELSET=All, GENERATE\n 1, 103", "ELSET=All, GENERATE\n 1, 2"
    )
    (tmp_path / "deck.inp").write_text(deck)
    domain = read(tmp_path, "deck.inp")
    assert set(domain.regions) == {"All"}
    assert domain.volume("All") == pytest.approx(1 / 3, rel=1e-13)


def test_folded_cells_of_a_file_are_straightened(shells: Path) -> None:
    if shells.name == "1":
        pytest.skip("straight cells do not fold")
    mesh = meshio.gmsh.read(shells / "v4.1-1.msh")
    blocks = {block.type: block.data for block in mesh.cells}
    cell = blocks["tetra10"][0]
    mesh.points[cell[4]] = mesh.points[cell[3]]  # a middle of an edge goes to another corner
    mesh.write(shells / "folded.vtu")
    tags = meshio.Mesh(mesh.points, mesh.cells, cell_data={"tags": mesh.cell_data["gmsh:physical"]})
    tags.write(shells / "folded.vtu")
    log = Log(quiet=True)
    domain = read(shells, "folded.vtu", log, regions=REGIONS, boundaries=BOUNDARIES)
    assert any("made straighter" in warning for warning in log.warnings)
    assert domain.volume() == pytest.approx(4 / 3 * pi * (2.5**3 - 1), rel=5e-3)
    (shells / "folded.vtu").unlink()
