"""Checks that need more than one section of a case, or its directory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fem_rd.case.base import expressions_in, joined
from fem_rd.case.chemistry import Chemistry
from fem_rd.case.schema import (
    BuiltinMesh,
    GeometryMesh,
    MeshFile,
    MeshSection,
    OutputSection,
    TimeSection,
)
from fem_rd.errors import CaseError, nearest
from fem_rd.expressions.expression import shortened


def cross_checks(
    model: str,
    sections: Mapping[str, Any],
    chemistry: Chemistry | None,
    spaces: Mapping[str, int],
    directory: Path,
) -> list[CaseError]:
    """What is wrong between sections that are each right.

    ``spaces`` are the space dimensions that units imply, by the quantity that implies them.
    """
    mesh, time = sections["mesh"], sections["time"]
    errors = [*_mesh_files(mesh, directory), *_output(sections["output"], time)]
    errors += _mesh_of_use(sections[model], model, mesh)
    for key in (model, "chemistry"):
        if time is None:
            errors += _steady(sections[key], key)
        if isinstance(mesh, BuiltinMesh):
            errors += _coordinates(sections[key], key, mesh)
    if chemistry is not None:
        errors += _species(sections[model], model, chemistry)
    return [*errors, *_units_of_space(spaces)]


def _species(section: Any, model: str, chemistry: Chemistry) -> Iterator[CaseError]:
    """The species of a model's section must be those of the network, all of them if it needs all.

    A species that takes part in no reaction is a slip: it would only diffuse.
    """
    known = chemistry.network.species
    for key, needed in (("species", True), ("initial", False)):
        given = getattr(section, key, None)
        if not isinstance(given, dict):
            continue
        for name in given:
            if name in chemistry.network.chemostats:
                message = "is a chemostat: its concentration is given in [chemistry]"
                yield CaseError(message, key=joined(f"{model}.{key}", name), valid=known)
            elif name not in known:
                message = f"takes part in no reaction{nearest(name, known)}"
                yield CaseError(message, key=joined(f"{model}.{key}", name), valid=known)
        missing = [name for name in known if name not in given] if needed else []
        if missing:
            message = "species of the reactions are missing"
            yield CaseError(message, key=f"{model}.{key}", found=list(given), valid=missing)


def _mesh_of_use(section: Any, model: str, mesh: MeshSection | None) -> Iterator[CaseError]:
    """Where a model can do without a mesh, its section tells whether it does."""
    on_mesh = getattr(section, "on_mesh", mesh is not None)
    if on_mesh and mesh is None:
        valid = f"a mesh, for {model}.domain.type = 'mesh'"
        yield CaseError("the section is missing", key="mesh", valid=valid)
    if mesh is not None and not on_mesh:
        found = section.domain.type
        message = "has a form of its own and needs no section [mesh]"
        yield CaseError(message, key=f"{model}.domain", found=found, valid=["mesh"])


def _mesh_files(mesh: MeshSection | None, directory: Path) -> Iterator[CaseError]:
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
