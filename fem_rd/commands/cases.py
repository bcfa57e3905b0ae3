"""`fem-rd new` and `fem-rd list`: the cases that come with the package."""

from __future__ import annotations

import shutil
import tomllib
from itertools import takewhile
from pathlib import Path

import fem_rd
from fem_rd.errors import CaseError, nearest

LEFT_BEHIND = ("results", "__pycache__")


def cases_directory() -> Path:
    """Where the cases are: beside the package in a checkout, inside it once installed."""
    inside = Path(fem_rd.__file__).parent / "cases"
    return inside if inside.is_dir() else inside.parent.parent / "cases"


def case_titles() -> dict[str, str]:
    """Title of each case by name."""
    files = sorted(cases_directory().glob("*/case.toml"))
    return {file.parent.name: str(tomllib.loads(file.read_text())["title"]) for file in files}


def new_case(directory: Path, template: str) -> str:
    """Copy the case ``template`` to ``directory``; give the words that say what to do next."""
    titles = case_titles()
    if template not in titles:
        raise CaseError(
            f"there is no such case{nearest(template, titles)}",
            key="--from",
            found=template,
            valid=titles,
        )
    if directory.exists():
        raise CaseError("exists already; choose another directory", file=directory)
    try:
        shutil.copytree(
            cases_directory() / template, directory, ignore=shutil.ignore_patterns(*LEFT_BEHIND)
        )
    except OSError as error:
        raise CaseError(f"cannot be made: {error.strerror}", file=directory) from None
    then = f"Edit {directory}/case.toml, then: fem-rd run {directory}"
    return f"{directory}: a copy of {template}\n{then}"


def listing() -> str:
    """Cases with their titles, and geometries with theirs."""
    from fem_rd.mesh.library import geometries

    cases, shapes = case_titles(), {name: _purpose(file) for name, file in geometries().items()}
    width = max(map(len, [*cases, *shapes]), default=0)
    lines = ["Cases (fem-rd new DIRECTORY --from NAME):"]
    lines += [f"  {name:<{width}}  {title}" for name, title in cases.items()]
    lines += ["", "Geometries (mesh.geometry):"]
    lines += [f"  {name:<{width}}  {title}" for name, title in shapes.items()]
    return "\n".join(lines)


def _purpose(geometry: Path) -> str:
    """The first sentence of the comment that heads a geometry file."""
    head = takewhile(lambda line: line.startswith("//"), geometry.read_text().splitlines())
    text = " ".join(line.removeprefix("//").strip() for line in head)
    return text.split(". ")[0].rstrip(".:")
