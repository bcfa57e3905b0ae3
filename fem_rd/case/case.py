"""A case: everything a run needs to know, checked and frozen."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fem_rd.case.base import joined, plain
from fem_rd.case.checks import cross_checks
from fem_rd.case.chemistry import Chemistry, ChemistrySection, ambiguous, species_named
from fem_rd.case.messages import translated
from fem_rd.case.quantities import CaseContext, read_expression
from fem_rd.case.schema import (
    BuiltinMesh,
    CheckpointSection,
    MeshField,
    MeshSection,
    OutputSection,
    SolverSection,
    TimeSection,
    UnitsSection,
)
from fem_rd.case.sections import SECTIONS
from fem_rd.case.units import UnitSystem, split_quantity
from fem_rd.errors import CaseError, CaseErrors, nearest
from fem_rd.expressions.expression import SPACE_TIME, shortened
from fem_rd.expressions.functions import CONSTANTS, FUNCTIONS
from fem_rd.expressions.grammar import words_in

COMMON: dict[str, Any] = {
    "units": UnitsSection,
    "mesh": MeshField,
    "chemistry": ChemistrySection,
    "time": TimeSection,
    "output": OutputSection,
    "checkpoint": CheckpointSection,
    "solver": SolverSection,
}
OPTIONAL = ("units", "time")  # and those that a model does not take
DEFAULTED = ("output", "checkpoint", "solver")
HEADER = {
    "title": "one line about the case, for reports",
    "model": "what is solved",
    "parameters": "named numbers for expressions",
}


@dataclass(frozen=True)
class Case:
    """A case directory, read.

    ``section`` is the model's own section; ``mesh`` and ``chemistry`` are None for models that have
    none, ``time`` for a steady state. ``space`` is the
    space dimension that the units of the case's quantities imply, None where they do not tell.
    ``resolved`` is the case as plain tables with defaults filled in and numbers in its units: it
    reads back as the same case.
    """

    path: Path
    name: str
    title: str
    model: str
    units: UnitSystem
    parameters: Mapping[str, float]
    mesh: MeshSection | None
    chemistry: Chemistry | None
    section: Any
    time: TimeSection | None
    output: OutputSection
    checkpoint: CheckpointSection
    solver: SolverSection
    trust: bool
    space: int | None
    resolved: Mapping[str, Any]


def read_case(data: Mapping[str, Any], directory: Path, *, trust: bool = False) -> Case:
    """The case that the tables of a case file describe.

    ``directory`` is where files are looked for. Raises `CaseErrors` with every mistake found.
    """
    reader = _Reader(data)
    title, model = reader.header()
    units = reader.units()
    parameters = reader.parameters()
    sections = reader.sections(model)
    chemistry = reader.chemistry(sections["chemistry"], directory)
    reader.errors += cross_checks(model, sections, chemistry, reader.context.spaces, directory)
    reader.stop_if_wrong()
    tables = {"units": units, "parameters": parameters, **sections}
    filled = {key: plain(table) for key, table in tables.items() if table is not None}
    return Case(
        path=directory,
        name=directory.resolve().name,
        title=title,
        model=model,
        units=reader.context.units,
        parameters=parameters,
        mesh=sections["mesh"],
        chemistry=chemistry,
        section=sections[model],
        time=sections.get("time"),
        output=sections["output"],
        checkpoint=sections["checkpoint"],
        solver=sections["solver"],
        trust=trust,
        space=next(iter(reader.context.spaces.values()), None),
        resolved={"title": title, "model": model, **filled},
    )


class _Reader:
    """Reads the tables one after the other, collecting what is wrong with them."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.context = CaseContext()
        self.errors: list[CaseError] = []

    def stop_if_wrong(self) -> None:
        """Raise what has been found so far."""
        if self.errors:
            raise CaseErrors(self.errors)

    def header(self) -> tuple[str, str]:
        """The title and the model ("" where it is wrong); unknown tables are noted."""
        title, model = self.data.get("title", ""), self.data.get("model", "")
        if not isinstance(title, str):
            self.errors.append(CaseError("must be a text", key="title", found=shortened(title)))
        if "model" not in self.data:
            self.errors.append(CaseError("the key is missing", key="model", valid=SECTIONS))
        elif not isinstance(model, str) or model not in SECTIONS:
            found = shortened(model)
            message = f"unknown model{nearest(str(found), SECTIONS)}"
            self.errors.append(CaseError(message, key="model", found=found, valid=SECTIONS))
            return title, ""
        valid = [*HEADER, *_common(model), *([model] if model else SECTIONS)]
        for key in self.data:
            if key not in valid:
                message = f"unknown key{nearest(str(shortened(key)), valid)}"
                self.errors.append(CaseError(message, key=joined("", key), valid=valid))
        return title, model

    def units(self) -> UnitsSection | None:
        """The section [units]. Raises `CaseErrors`, for without it every number would be wrong."""
        before = len(self.errors)
        units: UnitsSection | None = self._section("units", UnitsSection)
        if len(self.errors) > before:
            self.stop_if_wrong()
        self.context = CaseContext(units.system() if units else UnitSystem())
        return units

    def parameters(self) -> dict[str, float]:
        """The parameters as numbers. Raises `CaseErrors`, for all expressions may need them."""
        before, given = len(self.errors), self.data.get("parameters", {})
        if not isinstance(given, dict):
            error = CaseError("must be a table", key="parameters", found=shortened(given))
            raise CaseErrors([*self.errors, error])
        values: dict[str, float] = {}
        for name, value in given.items():
            context = replace(self.context, parameters=values)
            try:
                values[name] = _parameter(name, value, context, given.keys() - values.keys())
            except CaseError as error:
                self.errors.append(error.at(key=joined("parameters", name)))
                values[name] = 1.0  # so that what depends on it is not reported as well
        if len(self.errors) > before:
            self.stop_if_wrong()
        self.context = replace(self.context, parameters=values)
        return values

    def sections(self, model: str) -> dict[str, Any]:
        """Every other section by its name, None where the model has it not.

        Raises `CaseErrors` where one cannot be read.
        """
        keys = [key for key in _common(model) if self._wanted(key, model)]
        mesh = self._section("mesh", MeshField) if "mesh" in keys else None
        if isinstance(mesh, BuiltinMesh):  # the dimension of a concentration is known, then
            self.context = replace(self.context, possible=(mesh.dimension,))
        told = getattr(SECTIONS[model].section, "spaces", None) if model else None
        if told and (spaces := told(self.data.get(model))):
            self.context = replace(self.context, possible=spaces)
        species = species_named(self.data.get("chemistry"))
        self.errors += ambiguous(species, self.context.parameters)
        self.context = replace(self.context, species=species)
        schemas = {model: SECTIONS[model].section} if model else {}
        schemas.update((key, COMMON[key]) for key in keys if key not in ("units", "mesh"))
        read = {key: self._section(key, schema) for key, schema in schemas.items()}
        self.stop_if_wrong()
        time = _completed(read["time"], model)
        return {"mesh": mesh, "chemistry": None, **read, "time": time}

    def chemistry(self, section: ChemistrySection | None, directory: Path) -> Chemistry | None:
        """The network of the case. Raises `CaseErrors` where it is none."""
        if section is None:
            return None
        try:
            return section.chemistry(directory)
        except CaseError as error:
            raise CaseErrors([*self.errors, error.at(key="chemistry")]) from None

    def _wanted(self, key: str, model: str) -> bool:
        """Whether the section is to be read: a model may take it without needing it."""
        if not model:
            return key != "chemistry"
        return getattr(SECTIONS[model], key, True) != "optional" or key in self.data

    def _section(self, key: str, schema: Any) -> Any:
        if key not in self.data and key in OPTIONAL:
            return None
        if key not in self.data and key not in DEFAULTED:
            self.errors.append(CaseError("the section is missing", key=key))
            return None
        try:
            adapter = TypeAdapter(schema)
            return adapter.validate_python(self.data.get(key, {}), context={"case": self.context})
        except ValidationError as error:
            self.errors += translated(error, schema, key)
            return None


def _common(model: str) -> list[str]:
    """The sections that cases of a model share with others."""
    if not model:
        return list(COMMON)
    kind = SECTIONS[model]
    absent = {key for key in ("mesh", "chemistry") if not getattr(kind, key)}
    return [key for key in COMMON if key not in absent]


def _completed(time: TimeSection | None, model: str) -> TimeSection | None:
    """The section with the model's scheme and tolerance where it gives none.

    Raises `CaseErrors` for a scheme that the model does not know.
    """
    if time is None:
        return None
    kind = SECTIONS[model]
    known = kind.schemes
    if time.scheme is not None and time.scheme not in known:
        hint, own = nearest(time.scheme, known), f"{model} has its own way with time"
        message = f"unknown scheme of {model}{hint}" if known else own
        valid = sorted(known) or "no scheme"
        raise CaseErrors([CaseError(message, key="time.scheme", found=time.scheme, valid=valid)])
    adaptive = time.step is None
    filled = {
        "scheme": time.scheme or next(iter(known), None),
        "tolerance": time.tolerance or (kind.tolerance if adaptive else None),
    }
    return time.model_copy(update=filled)


def _parameter(name: str, value: object, context: CaseContext, later: Collection[str]) -> float:
    """The value of a parameter. Raises `CaseError` for a bad name or value."""
    reserved = (*SPACE_TIME, *CONSTANTS, *FUNCTIONS)
    if name in reserved or keyword.iskeyword(name):
        raise CaseError("the name has a meaning already: choose another", valid=_NAMES)
    if not (name.isascii() and name.isidentifier()):
        raise CaseError("not a name for a parameter", valid=_NAMES)
    if isinstance(value, str) and split_quantity(value, context.parameters) is None:
        for word in words_in(value):
            if word in later:
                what = "itself" if word == name else f"{word!r}, which is defined later"
                earlier = tuple(context.parameters)
                raise CaseError(f"depends on {what}", found=shortened(value), valid=earlier)
    return read_expression(value, None, (), context).value


_NAMES = "letters, digits and '_', not a coordinate, constant, function or reserved word"
