"""The sections of a case file that all models share, with every key's meaning and default."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    Tag,
    model_validator,
)

from fem_rd.case.base import Section, joined
from fem_rd.case.quantities import Bounds, Quantity, as_pydantic
from fem_rd.case.sections import SECTIONS
from fem_rd.case.units import UnitSystem, base_unit
from fem_rd.errors import CaseError, nearest

POSITIVE = Bounds(above=0.0)
NOT_NEGATIVE = Bounds(least=0.0)

Preconditioner = Literal["auto", "icc", "sor", "hypre", "gamg", "pmg", "lu", "jacobi"]

ON_LINE = 1e-6  # of a cell: corners of regions nearer than this to a grid line are on it

MESH_FILES = (".msh", ".inp", ".xdmf", ".vtu")


def _unit_of(base: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            return base_unit(text, base)
        except CaseError as error:
            raise as_pydantic(error) from None

    return AfterValidator(check)


def _positive(count: int) -> int:
    if count < 1:
        raise as_pydantic(CaseError("must be positive", found=count))
    return count


def _as_list(value: object) -> object:
    """A single number stands for the list of it: an interval's ends."""
    return value if isinstance(value, list | tuple | dict) else [value]


def _not_bool(value: object) -> object:
    """Python takes True for 1; a case file must not."""
    return str(value).lower() if isinstance(value, bool) else value


def _mesh_file(name: str) -> str:
    if not name.lower().endswith(MESH_FILES):
        error = CaseError("unknown kind of mesh file", found=name, valid=MESH_FILES)
        raise as_pydantic(error)
    return name


Point = Annotated[tuple[Annotated[float, Quantity("length")], ...], BeforeValidator(_as_list)]
Order = Annotated[Literal[1, 2], BeforeValidator(_not_bool)]


class UnitsSection(Section):
    """The units that numbers without a unit are in; without this section they are dimensionless."""

    length: Annotated[str, _unit_of("length")] = Field(
        description="unit of length", examples=["nm"]
    )
    time: Annotated[str, _unit_of("time")] = Field(description="unit of time", examples=["ns"])
    amount: Annotated[str, _unit_of("amount")] = Field(
        default="particle",
        description="unit of amount: `particle` or moles; Avogadro's number converts between them",
        examples=["particle"],
    )
    temperature: Annotated[float | None, Quantity("temperature", POSITIVE)] = Field(
        default=None,
        description="temperature, in kelvin; needed only where an energy is given with a unit",
        examples=["298 K"],
    )

    def system(self) -> UnitSystem:
        """The unit system that the section states."""
        return UnitSystem(self.length, self.time, self.amount, self.temperature)


class GeometryMesh(Section):
    """A mesh made by Gmsh from a parametric geometry."""

    geometry: str = Field(
        min_length=1,
        description="name of a geometry that comes with the package, or a `.geo` file of the case",
        examples=["spherical-shell"],
    )
    order: Order = Field(
        default=2,
        description="order of the cells' geometry: 2 follows curved boundaries closely",
        examples=[2],
    )
    parameters: dict[str, Annotated[float, Quantity(None)]] = Field(
        default={},
        description="values of the geometry's own parameters, by name",
        examples=[{"inner_radius": "sigma", "outer_radius": "5*sigma"}],
    )


class MeshFile(Section):
    """An existing mesh, read from a file."""

    file: Annotated[str, AfterValidator(_mesh_file)] = Field(
        description=f"mesh file of the case directory: {', '.join(MESH_FILES)}",
        examples=["body.msh"],
    )
    scale: Annotated[float, Quantity("length", POSITIVE)] = Field(
        default=1.0,
        description="length of the file's unit: a number in the case's unit, or with a unit",
        examples=["1 angstrom"],
    )
    boundaries: dict[str, StrictInt] = Field(
        default={},
        description="names for boundaries that the file knows by a number only: name = number",
        examples=[{"surface": 3}],
    )
    regions: dict[str, StrictInt] = Field(
        default={},
        description="names for regions that the file knows by a number only: name = number",
        examples=[{"solvent": 1}],
    )


class BoxRegion(Section):
    """A region of a structured mesh: the cells between two corners, which lie on its grid lines."""

    lower: Point = Field(
        default=(),
        description="lowest corner; that of the mesh if not given",
        examples=[[0, 0, 0]],
    )
    upper: Point = Field(
        default=(),
        description="highest corner; that of the mesh if not given",
        examples=[[0.5, 1, 2]],
    )


class BuiltinMesh(Section):
    """A structured mesh of an interval, a rectangle or a box.

    Its boundaries are named left and right (x), bottom and top (the last axis), front and back
    (y of a box). Its cells are the region `domain`, except those of the regions that are given.
    """

    builtin: Literal["interval", "rectangle", "box"] = Field(
        description="shape; its boundaries are `left`, `right` (x) of an interval, and `bottom`, "
        "`top` (y) of a rectangle, or `front`, `back` (y) and `bottom`, `top` (z) of a box",
        examples=["box"],
    )
    lower: Point = Field(
        default=(), description="lowest corner; the origin if not given", examples=[[0, 0, 0]]
    )
    upper: Point = Field(description="highest corner", examples=[[1, 1, 2]])
    cells: Annotated[tuple[StrictInt, ...], BeforeValidator(_as_list)] = Field(
        description="number of cells along each axis", examples=[[10, 10, 20]]
    )
    regions: dict[str, BoxRegion] = Field(
        default={},
        description="boxes of cells that are regions of their own, by name; they do not overlap",
        examples=[{"particles": {"upper": [0.5, 1, 2]}}],
    )

    @property
    def dimension(self) -> int:
        """The space dimension."""
        return {"interval": 1, "rectangle": 2, "box": 3}[self.builtin]

    @model_validator(mode="before")
    @classmethod
    def _from_the_origin(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "lower" in data or "upper" not in data:
            return data
        upper = _as_list(data["upper"])
        return {**data, "lower": [0.0] * len(upper) if isinstance(upper, list | tuple) else 0.0}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("upper", "cells", "lower"):
            found = getattr(self, key)
            if len(found) != self.dimension:
                message = f"the mesh {self.builtin!r} needs {self.dimension} number(s)"
                raise as_pydantic(CaseError(message, key=f".{key}", found=list(found)))
        if any(count < 1 for count in self.cells):
            error = CaseError("must be positive", key=".cells", found=list(self.cells))
            raise as_pydantic(error)
        if any(low >= high for low, high in zip(self.lower, self.upper, strict=True)):
            error = CaseError(
                f"must exceed lower = {list(self.lower)}", key=".upper", found=list(self.upper)
            )
            raise as_pydantic(error)
        for name in self.regions:
            self.region_range(name)
        return self

    def region_range(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The first cells of a region along each axis of the grid, and those behind its last ones.

        Raises an error for pydantic where the region does not fit the grid.
        """
        region, key = self.regions[name], joined(".regions", name)
        first = self._grid_lines(f"{key}.lower", region.lower or self.lower)
        last = self._grid_lines(f"{key}.upper", region.upper or self.upper)
        if any(low >= high for low, high in zip(first, last, strict=True)):
            message = f"must exceed the lowest corner, {list(region.lower or self.lower)}"
            found = list(region.upper or self.upper)
            raise as_pydantic(CaseError(message, key=f"{key}.upper", found=found))
        return first, last

    def _grid_lines(self, key: str, corner: tuple[float, ...]) -> tuple[int, ...]:
        """The number of the grid line along each axis that a corner lies on."""
        if len(corner) != self.dimension:
            message = f"the mesh {self.builtin!r} needs {self.dimension} number(s)"
            raise as_pydantic(CaseError(message, key=key, found=list(corner)))
        lines = []
        for place, low, high, count in zip(
            corner, self.lower, self.upper, self.cells, strict=True
        ):
            line = (place - low) / (high - low) * count
            if abs(line - round(line)) > ON_LINE or not 0 <= round(line) <= count:
                step = (high - low) / count
                message = f"is no grid line: they go from {low:g} to {high:g} in steps of {step:g}"
                raise as_pydantic(CaseError(message, key=key, found=place))
            lines.append(round(line))
        return tuple(lines)


_SOURCES: dict[str, type[Section]] = {
    "geometry": GeometryMesh, "file": MeshFile, "builtin": BuiltinMesh,
}  # fmt: skip


def _one_source(value: object) -> object:
    """The section itself where it names exactly one source of the mesh."""
    if not isinstance(value, dict):
        return value
    named = [source for source in _SOURCES if source in value]
    if len(named) == 1:
        return value
    if named:
        error = CaseError("give only one source of the mesh", found=" and ".join(named))
    else:
        hint = next(filter(None, (nearest(key, _SOURCES) for key in value)), "")
        error = CaseError(f"the source of the mesh is missing{hint}")
    raise as_pydantic(CaseError(error.message, found=error.found, valid=_SOURCES))


def _source(value: object) -> str | None:
    kinds = {kind: f"<{source}>" for source, kind in _SOURCES.items()}
    if isinstance(value, dict):
        return next((f"<{source}>" for source in _SOURCES if source in value), None)
    return kinds.get(type(value))  # type: ignore[arg-type]


MeshSection = GeometryMesh | MeshFile | BuiltinMesh
MeshField = Annotated[
    Annotated[GeometryMesh, Tag("<geometry>")]
    | Annotated[MeshFile, Tag("<file>")]
    | Annotated[BuiltinMesh, Tag("<builtin>")],
    Discriminator(_source),
    BeforeValidator(_one_source),
]


def _schemes() -> str:
    """The schemes of each model that has any, in words."""
    return "; ".join(
        f"{', '.join(kind.schemes)} ({model})" for model, kind in SECTIONS.items() if kind.schemes
    )


class TimeSection(Section):
    """A transient run; without this section the steady state is computed."""

    end: Annotated[float, Quantity("time", POSITIVE)] = Field(
        description="time at which the run ends; it begins at 0", examples=["100 ns"]
    )
    scheme: str | None = Field(
        default=None,
        description=f"time-stepping scheme of the model, the first if not given: {_schemes()}",
        examples=["sdirk2"],
    )
    step: Annotated[float | None, Quantity("time", POSITIVE)] = Field(
        default=None,
        description="fixed time step; if not given, steps adapt to `tolerance`",
        examples=["10 ps"],
    )
    tolerance: Annotated[float | None, Quantity("1", Bounds(above=0.0, below=1.0))] = Field(
        default=None,
        description="relative local error of adaptive steps (if not given 1e-4, klein-kramers "
        "1e-6, well-mixed 1e-8); not with `step`",
        examples=[1e-4],
    )
    initial_step: Annotated[float | None, Quantity("time", POSITIVE)] = Field(
        default=None,
        description="first adaptive step; chosen if not given; not with `step`",
        examples=["1 ps"],
    )
    max_step: Annotated[float | None, Quantity("time", POSITIVE)] = Field(
        default=None, description="longest adaptive step; not with `step`", examples=["1 ns"]
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("tolerance", "initial_step", "max_step"):
            found = getattr(self, key)
            if self.step is not None and found is not None:
                message = "is for adaptive steps: leave it out, or leave out time.step"
                raise as_pydantic(CaseError(message, key=f".{key}", found=found))
        for key in ("step", "initial_step"):
            found = getattr(self, key)
            limits = {"end": self.end, "max_step": self.max_step}
            for limit, value in limits.items():
                if found is not None and value is not None and found > value:
                    message = f"must not exceed {limit} = {value:g}"
                    raise as_pydantic(CaseError(message, key=f".{key}", found=found))
        return self


class OutputSection(Section):
    """What is written, and when."""

    times: tuple[Annotated[float, Quantity("time", NOT_NEGATIVE)], ...] = Field(
        default=(),
        description="increasing times that steps hit exactly and at which fields are written "
        "(transient runs); observables are written at every step",
        examples=[[0.05, 0.1, 0.5]],
    )
    fields_every: Annotated[float | None, Quantity("time", POSITIVE)] = Field(
        default=None,
        description="interval between fields (transient runs), besides `times`",
        examples=["1 ns"],
    )
    fields: StrictBool = Field(
        default=True, description="whether to write fields at all", examples=[False]
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for index, (time, following) in enumerate(zip(self.times, self.times[1:], strict=False)):
            if following <= time:
                key = f".times[{index + 1}]"
                error = CaseError("times must increase", key=key, found=following)
                raise as_pydantic(error)
        if self.fields_every is not None and not self.fields:
            error = CaseError("no fields are written: fields = false", key=".fields_every")
            raise as_pydantic(error)
        return self


class CheckpointSection(Section):
    """When a transient run saves its state, from which `fem-rd resume` goes on.

    It also does so at its end, when it is asked to stop and when its numerics fail.
    """

    steps: Annotated[StrictInt, AfterValidator(_positive)] | None = Field(
        default=None, description="number of steps between checkpoints", examples=[100]
    )
    minutes: Annotated[float, Quantity("1", POSITIVE)] = Field(
        default=10.0,
        description="minutes of wall time between checkpoints, whatever `steps` says",
        examples=[30.0],
    )


class SolverSection(Section):
    """How the linear systems are solved."""

    tolerance: Annotated[float, Quantity("1", Bounds(above=0.0, below=1.0))] = Field(
        default=1e-10, description="relative residual at which iterations stop", examples=[1e-8]
    )
    preconditioner: Preconditioner = Field(
        default="auto",
        description="preconditioner of the iterations; `auto` chooses by size and problem, "
        "`lu` solves directly",
        examples=["hypre"],
    )
