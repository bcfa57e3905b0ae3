"""The package list, what is written from it, what with-env says, and which python3 it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from environment_sandbox import (
    ENVIRONMENT,
    REPOSITORY,
    Sandbox,
    copied_environment,
    only_line,
    render_module,
)

SHELL_FILES = [
    REPOSITORY / "with-env",
    *sorted(ENVIRONMENT.glob("*.sh")),
    *sorted(ENVIRONMENT.glob("bin/*")),
]


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return copied_environment(tmp_path)


# The list and what follows it


def test_rendered_files_follow_the_list() -> None:
    for name, text in render_module().rendered(render_module().read_packages()).items():
        assert (ENVIRONMENT / name).read_text() == text, f"run environment/render for {name}"


def test_every_package_has_a_place_and_a_reason() -> None:
    packages = render_module().read_packages()
    for package in packages:
        assert package.group in ("run", "test", "paraview"), package
        assert len(package.reason) > 3, package
        assert package.debian or package.conda or package.pypi, package
    debian = [package.debian for package in packages if package.debian]
    assert len(debian) == len(set(debian))


def test_project_requires_what_the_list_says() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    packages = render_module().read_packages()
    for group, required in (
        ("run", project["dependencies"]),
        ("test", project["optional-dependencies"]["test"]),
    ):
        listed = [package.pypi for package in packages if package.group == group and package.pypi]
        assert sorted(required) == sorted(listed)


def test_render_refuses_a_row_with_a_missing_field(tmp_path: Path) -> None:
    (tmp_path / "packages.txt").write_text("# heading\nrun | numpy | numpy\n")
    with pytest.raises(ValueError, match=r"packages\.txt:2: 3 fields"):
        render_module().read_packages(tmp_path / "packages.txt")


@pytest.mark.parametrize("path", SHELL_FILES, ids=lambda path: path.name)
def test_shell_files_parse(path: Path) -> None:
    assert subprocess.run(["sh", "-n", path], check=False).returncode == 0


# Words


def test_help_names_suites_and_groups(sandbox: Sandbox) -> None:
    told = sandbox.run("--help")
    assert told.returncode == 0
    for word in ("trixie", "sid", "paraview", "FEM_RD_CACHE", "FEM_RD_MIRROR"):
        assert word in told.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suite", "woody", "true"), "no suite 'woody'; valid: trixie, sid"),
        (("--suite",), "no suite ''; valid: trixie, sid"),
        (("--with", "emacs", "true"), "no group 'emacs'; valid: paraview"),
        (("--wiht", "paraview", "true"), "unknown option --wiht"),
    ],
)
def test_wrong_options(sandbox: Sandbox, arguments: tuple[str, ...], message: str) -> None:
    told = sandbox.run(*arguments)
    assert told.returncode == 125
    assert message in only_line(told.stderr)
    assert not sandbox.cache.exists()


def test_no_suite_inside_a_tree(sandbox: Sandbox) -> None:
    assert sandbox.run("echo", "here", FEM_RD_TREE="trixie").stdout == "here\n"
    told = sandbox.run("--suite", "sid", "true", FEM_RD_TREE="trixie")
    assert told.returncode == 125
    assert "inside a tree (this is trixie)" in only_line(told.stderr)


# This machine's own python3


def pretend_dolfinx(root: Path, version: str, scalar: str, *, without: str = "") -> dict[str, str]:
    """Modules of every name in the list, with a DOLFINx of that version and number type."""
    modules = [package.module for package in render_module().read_packages() if package.module]
    for name in modules:
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").write_text("")
    (root / "dolfinx/__init__.py").write_text(f"__version__ = '{version}'\n")
    (root / "dolfinx/fem").mkdir()
    (root / "dolfinx/fem/petsc.py").write_text("import os\nassert 'PMIX_RANK' not in os.environ\n")
    (root / "petsc4py/PETSc.py").write_text(
        f"class ScalarType: ...\nScalarType.__name__='{scalar}'"
    )
    if without:
        shutil.rmtree(root / without)
    return {"PYTHONPATH": str(root), "PYTHONSAFEPATH": "1"}


@pytest.mark.parametrize("version", ["0.9.0", "0.10.0.post2", "0.11.0"])
def test_own_python_with_a_known_dolfinx_is_used(sandbox: Sandbox, version: str) -> None:
    variables = pretend_dolfinx(sandbox.root / "own", version, "float64")
    told = sandbox.run(
        "sh", "-c", 'echo "$PYTHONPATH"; command -v fem-rd', PMIX_RANK="0", **variables
    )
    path, command = told.stdout.splitlines()
    assert path.split(":") == [str(sandbox.root), str(sandbox.root / "own")]
    assert command == str(sandbox.root / "environment/bin/fem-rd")
    assert told.stderr == ""
    assert sandbox.builds() == 0


@pytest.mark.parametrize(
    ("version", "scalar", "without", "reason"),
    [
        ("0.8.0", "float64", "", "has version 0.8.0"),
        ("0.12.0", "float64", "", "has version 0.12.0"),
        ("0.10.0", "complex128", "", "has it with complex128 numbers"),
        ("0.10.0", "float64", "dolfinx/fem", "does not import it: ModuleNotFoundError"),
    ],
)
def test_own_python_with_another_dolfinx_is_not_used(
    sandbox: Sandbox, version: str, scalar: str, without: str, reason: str
) -> None:
    variables = pretend_dolfinx(sandbox.root / "own", version, scalar, without=without)
    told = sandbox.run("true", **variables)
    assert f"your python3 has DOLFINx but {reason}" in told.stderr
    assert sandbox.trees() != []


# Installation


def test_pip_installs_geometries_and_cases(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("fem_rd", "meshes", "cases"):
        shutil.copytree(
            REPOSITORY / name,
            source / name,
            ignore=shutil.ignore_patterns("__pycache__", "results*"),
        )
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        shutil.copy(REPOSITORY / name, source)
    subprocess.run(
        [sys.executable, "-m", "venv", "--system-site-packages", tmp_path / "venv"], check=True
    )
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    environment["PIP_NO_INDEX"] = "1"
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", str(source)]
    subprocess.run([tmp_path / "venv/bin/pip", *install], check=True, env=environment)
    (installed,) = tmp_path.glob("venv/lib/python3*/site-packages/fem_rd")
    for folder, pattern in (("meshes", "*.geo"), ("cases", "*/case.toml")):
        there = {path.relative_to(source / folder) for path in (source / folder).glob(pattern)}
        assert there != set()
        found = {
            path.relative_to(installed / folder) for path in installed.glob(f"{folder}/{pattern}")
        }
        assert found == there
    told = subprocess.run(
        [tmp_path / "venv/bin/fem-rd", "--help"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "fem-rd" in told.stdout
