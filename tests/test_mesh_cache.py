"""Meshes kept between runs: found again, made again when broken, bounded, safe to share."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fem_rd.case.schema import BuiltinMesh
from fem_rd.log import Log
from fem_rd.mesh import cache, gmsh_geometry
from fem_rd.mesh.builtin import builtin_mesh
from fem_rd.mesh.cache import cache_directory, cached, mesh_key
from fem_rd.mesh.gmsh_geometry import Geometry, geometry_mesh
from fem_rd.mesh.packing import PackedMesh, pack


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FEM_RD_CACHE", str(tmp_path))
    return tmp_path / "meshes"


class Maker:
    """Makes a mesh and counts how often."""

    def __init__(self, cells: int = 3) -> None:
        self.times = 0
        section = BuiltinMesh(builtin="box", lower=(0.0,) * 3, upper=(1.0,) * 3, cells=(cells,) * 3)
        self.mesh = pack(builtin_mesh(section))

    def __call__(self) -> PackedMesh:
        self.times += 1
        return self.mesh


def same(first: PackedMesh, second: PackedMesh) -> bool:
    arrays = [
        (
            *(mesh.points, mesh.cells, mesh.labels.region_tags, mesh.labels.region_ends),
            *(mesh.labels.facets.cells, mesh.labels.facets.places, mesh.labels.facets.tags),
        )
        for mesh in (first, second)
    ]
    empty = replace(first.labels.facets, cells=None, places=None, tags=None)
    words = [
        replace(
            mesh.labels,
            region_tags=None,
            region_ends=None,
            facets=replace(empty, inside=mesh.labels.facets.inside),
        )
        for mesh in (first, second)
    ]
    return words[0] == words[1] and all(
        np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(*arrays, strict=True)
    )


def quiet(key: str, make: Maker) -> PackedMesh:
    return cached(key, make, Log(quiet=True))


def test_a_mesh_is_made_once(folder: Path) -> None:
    make = Maker()
    assert quiet("a", make) is make.mesh
    again = quiet("a", make)
    assert make.times == 1
    assert same(again, make.mesh)
    quiet("b", make)
    assert make.times == 2
    assert sorted(path.name for path in folder.iterdir()) == ["a.npz", "b.npz"]


def test_the_key_knows_everything_the_mesh_depends_on() -> None:
    parts = {"text": "a", "parameters": {"x": 1.0}, "order": 1, "refinements": 0, "gmsh": "4"}
    others = [
        {**parts, "text": "b"},
        {**parts, "parameters": {"x": 1.0000000000000002}},
        {**parts, "parameters": {"y": 1.0}},
        {**parts, "order": 2},
        {**parts, "refinements": 1},
        {**parts, "gmsh": "5"},
    ]
    keys = {mesh_key(**some) for some in [parts, *others]}
    assert len(keys) == 7
    assert mesh_key(**parts) == mesh_key(**parts)


def test_a_new_format_of_files_makes_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = mesh_key(text="a")
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    assert mesh_key(text="a") != before


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign", "pickle"])
def test_a_broken_file_is_made_again(folder: Path, damage: str) -> None:
    make = Maker()
    quiet("a", make)
    path = folder / "a.npz"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "empty":
        content = bytearray()
    path.write_bytes(content)
    if damage == "foreign":
        np.savez(path, a=np.zeros(3))
    elif damage == "pickle":
        np.savez(path, **{name: np.array([{}], dtype=object) for name in ("words", "points")})
    assert same(quiet("a", make), make.mesh)
    assert make.times == 2
    assert same(quiet("a", make), make.mesh)
    assert make.times == 2


def test_those_not_used_for_longest_are_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Maker()
    quiet("a", make)
    size = (folder / "a.npz").stat().st_size
    monkeypatch.setattr(cache, "LIMIT", int(2.5 * size))
    quiet("b", make)
    for age, name in enumerate(("a", "b")):
        os.utime(folder / f"{name}.npz", (age, age))
    quiet("a", make)  # written first, but used last
    quiet("c", make)
    assert sorted(path.stem for path in folder.iterdir()) == ["a", "c"]
    monkeypatch.setattr(cache, "LIMIT", size // 2)
    quiet("d", make)
    assert [path.stem for path in folder.iterdir()] == ["d"]  # the newest stays in any case


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FEM_RD_CACHE", str(tmp_path / "file"))
    make = Maker()
    assert quiet("a", make) is make.mesh
    assert quiet("a", make) is make.mesh


def test_nothing_is_left_of_a_write_that_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    make = Maker()
    assert quiet("a", make) is make.mesh
    assert list(folder.iterdir()) == []


def test_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_directory() == tmp_path / "meshes"
    monkeypatch.delenv("FEM_RD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_directory() == Path("/x/fem-rd/meshes")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_directory() == Path("/home/someone/.cache/fem-rd/meshes")


TWO_AT_ONCE = """
import sys
from test_mesh_cache import Maker, quiet, same
make = Maker(cells=12)
for count in range(20):
    assert same(quiet(f"a{count % 3}", make), make.mesh)
    if count % 5 == 0:
        import pathlib, os
        for path in pathlib.Path(os.environ["FEM_RD_CACHE"], "meshes").glob("a*.npz"):
            path.unlink(missing_ok=True)
"""


def test_two_runs_at_once(folder: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    runs = [
        subprocess.Popen([sys.executable, "-c", TWO_AT_ONCE], env=environment) for _ in range(2)
    ]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert not list(folder.glob("*.part"))


BALL = """
SetFactory("OpenCASCADE");
DefineConstant[ radius = 1 ];
Sphere(1) = {0, 0, 0, radius};
Physical Surface("wall") = {1};
Mesh.MeshSizeMax = 0.7;
"""


def test_a_geometry_is_meshed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ball.geo"
    path.write_text(BALL)
    made = []
    generate = gmsh_geometry.generate
    monkeypatch.setattr(gmsh_geometry, "generate", lambda *some: made.append(1) or generate(*some))
    log = Log(quiet=True)
    first = geometry_mesh(Geometry(path, {"radius": 2.0}), log)
    assert same(first, geometry_mesh(Geometry(path, {"radius": 2.0}), log))
    assert len(made) == 1
    geometry_mesh(Geometry(path, {"radius": 3.0}), log)
    geometry_mesh(Geometry(path, {"radius": 2.0}, order=1), log)
    geometry_mesh(Geometry(path, {"radius": 2.0}, refinements=1), log)
    path.write_text(BALL + "// another version\n")
    geometry_mesh(Geometry(path, {"radius": 2.0}), log)
    assert len(made) == 5


def test_what_a_trusted_script_includes_is_not_cached(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "size.geo").write_text("Mesh.MeshSizeMax = 0.7;\n")
    path = tmp_path / "ball.geo"
    path.write_text(BALL + 'Include "size.geo";\n')
    log = Log(quiet=True)
    coarse = geometry_mesh(Geometry(path, {}, trusted=True), log)
    (tmp_path / "size.geo").write_text("Mesh.MeshSizeMax = 0.2;\n")
    fine = geometry_mesh(Geometry(path, {}, trusted=True), log)
    assert fine.labels.cells > 2 * coarse.labels.cells
    assert not folder.exists()
