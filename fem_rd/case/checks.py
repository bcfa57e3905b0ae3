"""Checks that need more than one section of a case, or its directory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fem_rd.case.base import expressions_in
from fem_rd.case.expressions import shortened
from fem_rd.case.schema import (
    BuiltinMesh,
    GeometryMesh,
    MeshFile,
    MeshSection,
    OutputSection,
    TimeSection,
)
from fem_rd.errors import CaseError


def cross_checks(
    model: str, sections: Mapping[str, Any], spaces: Mapping[str, int], directory: Path
) -> list[CaseError]:
    """What is wrong between sections that are each right.

    ``spaces`` are the space dimensions that units imply, by the quantity that implies them.
    """
    mesh, section, time = sections["mesh"], sections[model], sections["time"]
    errors = [*_mesh_files(mesh, directory), *_output(sections["output"], time)]
    if time is None:
        errors += _steady(section, model)
    if isinstance(mesh, BuiltinMesh):
        errors += _coordinates(section, model, mesh)
    return [*errors, *_units_of_space(spaces)]


def _mesh_files(mesh: MeshSection, directory: Path) -> Iterator[CaseError]:
    if isinstance(mesh, GeometryMesh) and mesh.geometry.endswith(".geo"):
        missing = not os.path.isfile(directory / mesh.geometry)
        key, found = "mesh.geometry", mesh.geometry
    elif isinstance(mesh, MeshFile):
        missing = not os.path.isfile(directory / mesh.file)
        key, found = "mesh.file", mesh.file
    else:
        return
    if missing:
        message = "no such file in the case directory"
        yield CaseError(message, key=key, found=shortened(found))


def _output(output: OutputSection, time: TimeSection | None) -> Iterator[CaseError]:
    for key in ("times", "fields_every"):
        found = getattr(output, key)
        if time is None and found:
            shown = list(found) if isinstance(found, tuple) else found
            message = "is for transient runs: add the section [time], or leave it out"
            yield CaseError(message, key=f"output.{key}", found=shortened(shown))
    for index, instant in enumerate(output.times):
        if time is not None and instant > time.end:
            message = f"is after the end of the run, time.end = {time.end:g}"
            yield CaseError(message, key=f"output.times[{index}]", found=instant)


def _steady(section: Any, model: str) -> Iterator[CaseError]:
    for key, expression in expressions_in(section, model):
        if "t" in expression.names:
            message = "depends on the time t, but without the section [time] the run is steady"
            yield CaseError(message, key=key, found=shortened(expression.text))


def _coordinates(section: Any, model: str, mesh: BuiltinMesh) -> Iterator[CaseError]:
    missing = ("x", "y", "z")[mesh.dimension :]
    for key, expression in expressions_in(section, model):
        if found := expression.names.intersection(missing):
            message = f"depends on {', '.join(sorted(found))}, but the mesh is a {mesh.builtin}"
            yield CaseError(message, key=key, found=shortened(expression.text))


def _units_of_space(spaces: Mapping[str, int]) -> Iterator[CaseError]:
    """Per length^3 and per length^2 cannot be right in one case."""
    by_space = {space: source for source, space in spaces.items()}
    if len(by_space) > 1:
        told = ", ".join(f"{space} by {source}" for space, source in sorted(by_space.items()))
        yield CaseError(f"units disagree about the number of space dimensions: {told}")
