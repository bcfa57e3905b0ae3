"""Geometry scripts of a case directory: what they may say, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from mpi4py import MPI

from fem_rd.case.schema import GeometryMesh
from fem_rd.errors import CaseError
from fem_rd.mesh import gmsh_geometry
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.geo_text import declared_parameters, tokens, without_comments
from fem_rd.mesh.library import geometries
from fem_rd.mesh.trust import check_geometry

HARMLESS = """
/* A macro, loops, lists, fields: "SystemCall" in a comment says nothing.
   // */
SetFactory("OpenCASCADE");
DefineConstant[ n = {2, Min 1, Max 9, Step 1, Name "Parameters/number"}, r = 0.1, h = {r / 2} ];
Macro Cavity
  thehole = newv; Sphere(thehole) = {x, 0.5, 0.5, r};
  holes[] += {thehole};
Return
holes[] = {};
Box(1) = {0, 0, 0, 1, 1, 1};
For t In {1:n}
  x = t / (n + 1);
  Call Cavity;
EndFor
If (n > 1 && r != 0)
  Printf("%g holes of radius %g", #holes[], r);
ElseIf (n == 1)
  Printf('one "hole"');
Else
  Error("no hole");
EndIf
all() = BooleanDifference{ Volume{1}; Delete; }{ Volume{holes[]}; Delete; };
outside() = Surface In BoundingBox{-1, -1, -1, 0.001, 2, 2};
sides() = Abs(Boundary{ Volume{all()}; });
sides() -= outside();
Physical Volume("domain", 1) = {all()};
Physical Surface("left") = {outside()};
Physical Surface(Sprintf("the other %g", n), 7) = {sides()};
Field[1] = Distance; Field[1].SurfacesList = {sides()}; Field[1].Sampling = 20;
Field[2] = Threshold; Field[2].InField = 1; Field[2].SizeMin = 2 * h; Field[2].SizeMax = 0.3;
Field[2].DistMin = 0; Field[2].DistMax = 0.5;
x~{1} = newf; Field[x~{1}] = MathEval; Field[x~{1}].F = StrCat("0.2 + ", "F1");
Field[9] = Min; Field[9].FieldsList = {2, x~{1}};
Background Field = 9;
Mesh.Algorithm = 6; Mesh.MeshSizeExtendFromBoundary = 0; Geometry.Tolerance = 1e-8;
MeshAlgorithm Surface {1} = 5;
Characteristic Length{ PointsOf{ Volume{all()}; } } = (h > 0.01) ? h : 0.01;
"""

HOSTILE = [
    *("SystemCall 'id';", 'systemcall "id";', 'NonBlockingSystemCall "id";', 'System "id";'),
    *('OnelabRun("a", "b");', 'Include "a.geo";', 'Merge "a.msh";', 'Save "a.msh";'),
    *('Print "a.png";', 'Printf("a") > "f";', 'Printf("%g", 1) >> "f";', 'Error("a") > "f";'),
    *('f = "f"; Printf("a") > f;', 'Printf("%g", 1) > Str("f");'),
    *('CreateDir "a";', 'DeleteFile "a";', "Plugin(MathEval).Run;", "Exit;", "Abort;", "Exit 3;"),
    *('x = GetEnv("HOME");', 'x = GetValue("a", 3);', 'Solver.Executable0 = "a";'),
    *('General.FileName = "a";', 'General . FileName = "a";', "x = General.FileName;"),
    *("Field[1] = ExternalProcess;", "Field(1) = Structured;", "Mesh.A.B = 3;", "Mesh 3;"),
    *('x() = ShapeFromFile("a.step");', 'x() = ListFromFile("/etc/passwd");', 'Parse "a";'),
    *('View "a" {};', "Delete View[0];", "NewModel;", "Sleep 5;", 'Call "a";', '"id";', "@"),
    'SetString("Solver.Executable0", "a");',
    # names made at run time
    'Field[1] = StringToName["ExternalProcess"];',
    'x = "System"; S2N(x) "id";',
    'x = Str("System", "Call"); x "id";',
    # words that pretend to be variables
    "ExternalProcess = 1; Field[1] = ExternalProcess;",
    "Future = 1; Field[1] = Future;",
    'SystemCall = 1; SystemCall "id";',
    'DefineConstant[ SystemCall = 1 ]; SystemCall "id";',
    'Future = 1; Future "id";',
    'Future = 1; Future Str("id");',
    'Future = 1; command = "id"; Future command;',
    'Future~{1} = 2; Future~{1} "id";',
    'For Future In {1:1} Future "id"; EndFor',
    *("Future;", 'Future("id");', 'x = Future("id");', "x = Future;"),
    # where one reader sees a comment or a string and another a command
    'System/* */Call "id";',
    'System\nCall "id";',
    'SystemCall\n\n  "id";',
    'x = 1; // a comment \\\nSystemCall "id";',
    '/* " */ SystemCall "id"; /* " */',
    'a = "/*"; SystemCall "id"; b = "*/";',
    "a = '\"'; SystemCall \"id\"; b = '\"';",
    'x = 1; // a comment\rSystemCall "id";',
    'a = "' + 1100 * "x" + "; SystemCall 'id';",
    'x = 1;\0 SystemCall "id";',
    '/* not closed; SystemCall "id";',
    'a = "not closed; SystemCall id;',
    # inside of something else
    'Macro a\n  SystemCall "id";\nReturn\nCall a;',
    'If (1) SystemCall "id"; EndIf',
    'For i In {1:2} SystemCall "id"; EndFor',
    'Sphere(1) = {0, 0, 0, 1}\n  SystemCall "id";',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_scripts_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(CaseError) as caught:
        check_geometry(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("line ")


def test_harmless_scripts_are_not() -> None:
    check_geometry(HARMLESS)


@pytest.mark.parametrize("name", geometries())
def test_own_geometries_need_no_trust(name: str) -> None:
    check_geometry(geometries()[name].read_text())


def test_the_word_and_its_line_are_named() -> None:
    with pytest.raises(CaseError, match=r"line 4: 'Merge' is not allowed .* --trust"):
        check_geometry('x = 1;\n/* two\nlines */\nMerge "a.msh";')


def test_declared_parameters() -> None:
    assert declared_parameters(HARMLESS) == {"n": "2", "r": "0.1", "h": "r / 2"}


def test_comments_are_blanked_line_by_line() -> None:
    bare = without_comments(HARMLESS)
    assert "comment" not in bare and "two" not in without_comments("a /* two\n\n */ b")
    assert bare.count("\n") == HARMLESS.count("\n")
    assert [token.text for token in tokens(bare)] == [token.text for token in tokens(HARMLESS)]


def geometry(folder: Path, text: str) -> GeometryMesh:
    (folder / "own.geo").write_text(text)
    return GeometryMesh(geometry="own.geo")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEM_RD_CACHE", str(tmp_path / "cache"))


def test_a_harmless_script_is_meshed(tmp_path: Path) -> None:
    domain = build_domain(geometry(tmp_path, HARMLESS), MPI.COMM_SELF, case_dir=tmp_path)
    assert set(domain.boundaries) == {"left", "the other 2"}
    assert domain.area("left") == pytest.approx(1.0, rel=1e-12)


BALL = """
SetFactory("OpenCASCADE");
Sphere(1) = {0, 0, 0, 1};
Physical Surface("wall") = {1};
Mesh.MeshSizeMax = 0.7;
"""


def test_a_script_that_calls_the_system_runs_only_if_trusted(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    section = geometry(tmp_path, BALL + f'SystemCall "touch {proof}";\n')
    with pytest.raises(CaseError, match=r"own\.geo: line 6: 'SystemCall' is not allowed"):
        build_domain(section, MPI.COMM_SELF, case_dir=tmp_path)
    assert not proof.exists()
    build_domain(section, MPI.COMM_SELF, case_dir=tmp_path, trust=True)
    assert proof.exists()


def test_gmsh_sees_no_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    parse = gmsh_geometry.parse

    def looking(gmsh: object, path: str, parameters: dict[str, float]) -> None:
        seen.append(Path(path).read_text())
        parse(gmsh, path, parameters)

    monkeypatch.setattr(gmsh_geometry, "parse", looking)
    section = geometry(tmp_path, BALL + "// a remark")
    build_domain(section, MPI.COMM_SELF, case_dir=tmp_path)
    assert seen[0].split("\n")[:-2] == BALL.split("\n")[:-1]
    assert "remark" not in seen[0] and seen[0].endswith("\n")


def test_options_beside_the_script_are_not_read(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    section = geometry(tmp_path, BALL)
    (tmp_path / "own.geo.opt").write_text(f'SystemCall "touch {proof}";\n')
    build_domain(section, MPI.COMM_SELF, case_dir=tmp_path)
    assert not proof.exists()
