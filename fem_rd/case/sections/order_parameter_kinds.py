"""What the section of order parameters is made of: grids, potentials, sets, boundaries."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictInt,
    Tag,
    model_validator,
)

from fem_rd.case.base import Section
from fem_rd.case.quantities import (
    Coefficient,
    Quantity,
    as_pydantic,
)
from fem_rd.case.schema import NOT_NEGATIVE, POSITIVE, Point
from fem_rd.case.sections.kinds import kind_of, known_kind
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE, Expression

ZERO = Expression.constant(0.0)
PERIODIC = {
    "line": (False,), "circle": (True,), "plane": (False, False), "cylinder": (True, False),
    "torus": (True, True), "box": (False, False, False),
}  # fmt: skip
Density = Annotated[Expression, Coefficient("1/volume", SPACE, NOT_NEGATIVE)]


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple | dict) else [value]


def _csv(name: str) -> str:
    if not name.lower().endswith(".csv"):
        raise as_pydantic(CaseError("must be a .csv file of the case directory", found=name))
    return name


def at_least(least: int) -> AfterValidator:
    """A check of a count."""
    def check(count: int) -> int:
        if count < least:
            raise as_pydantic(CaseError(f"must be at least {least}", found=count))
        return count

    return AfterValidator(check)


File = Annotated[str, AfterValidator(_csv)]
Tilt = Annotated[
    tuple[Annotated[float, Quantity("1/length")], ...], BeforeValidator(_as_list)
]
Bins = Annotated[tuple[Annotated[StrictInt, at_least(4)], ...], BeforeValidator(_as_list)]


class Grid(Section):
    """The space of the order parameters, as a structured mesh.

    Sides that are not periodic are named left, right (x), bottom, top (y; z of a box) and front,
    back (y of a box).
    """

    coordinates: Literal["line", "circle", "plane", "cylinder", "torus", "box"] = Field(
        description="`line` (x), `circle` (x is an angle), `plane` (x, y), `cylinder` (x is an "
        "angle), `torus` (two angles), `box` (x, y, z); the range of an angle is its period",
        examples=["plane"],
    )
    lower: Point = Field(description="lowest values of the order parameters", examples=[[-2.0]])
    upper: Point = Field(description="highest values", examples=[[2.0]])
    cells: Annotated[tuple[StrictInt, ...], BeforeValidator(_as_list)] = Field(
        description="number of cells along each coordinate", examples=[[400]]
    )

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Whether each coordinate is an angle."""
        return PERIODIC[self.coordinates]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        dimension = len(self.periodic)
        for key in ("lower", "upper", "cells"):
            found = getattr(self, key)
            if len(found) != dimension:
                message = f"{self.coordinates!r} needs {dimension} number(s)"
                raise as_pydantic(CaseError(message, key=f".{key}", found=list(found)))
        least = [3 if periodic else 1 for periodic in self.periodic]
        if any(count < few for count, few in zip(self.cells, least, strict=True)):
            message = "needs at least 1 cell, and 3 along an angle"
            raise as_pydantic(CaseError(message, key=".cells", found=list(self.cells)))
        if any(low >= high for low, high in zip(self.lower, self.upper, strict=True)):
            message = f"must exceed lower = {list(self.lower)}"
            raise as_pydantic(CaseError(message, key=".upper", found=list(self.upper)))
        return self


class PotentialTable(Section):
    """Values of the potential on a grid of one or two order parameters, joined by cubic splines."""

    file: File = Field(
        description="CSV file: a column for each order parameter, then the potential in k_B T, "
        "then its standard error if it is known; the rows make a grid; an angle's last value may "
        "repeat the first one",
        examples=["free-energy.csv"],
    )
    scale: Annotated[float, Quantity("1", POSITIVE)] = Field(
        default=1.0,
        description="what the values of the file are multiplied with to be in k_B T",
        examples=["1/0.593"],
    )


class PotentialSamples(Section):
    """Samples of the order parameters in equilibrium: F = -ln of their histogram."""

    file: File = Field(
        description="CSV file with a column for each order parameter and a row for each sample",
        examples=["samples.csv"],
    )
    bins: Bins = Field(
        description="number of bins along each coordinate of the grid", examples=[[60]]
    )
    independent: Annotated[float, Quantity("1", POSITIVE)] = Field(
        default=1.0,
        description="share of the samples that counts as independent (1 over the statistical "
        "inefficiency): standard errors grow with its inverse root",
        examples=[0.1],
    )


class Interval(Section):
    """Values of one order parameter between two ends."""

    interval: Annotated[tuple[Annotated[float, Quantity("length")], ...], Field(max_length=2)] = (
        Field(min_length=2, description="both ends, which belong to it", examples=[[1.0, 2.0]])
    )


class Ball(Section):
    """All that is near a point: a disc, a ball."""

    center: Point = Field(description="the point in the middle", examples=[[-0.558, 1.442]])
    radius: Annotated[float, Quantity("length", POSITIVE)] = Field(
        description="distance up to which points belong to it", examples=[0.1]
    )


class Where(Section):
    """Where an expression is not negative."""

    inside: Annotated[Expression, Coefficient("1")] = Field(
        description="positive inside, zero at the boundary, negative outside; best if it grows "
        "evenly across the boundary",
        examples=["x - 0.2"],
    )


_SETS = {"interval": Interval, "center": Ball, "inside": Where}


def _one_set(value: object) -> object:
    if isinstance(value, dict) and sum(key in value for key in _SETS) != 1:
        valid = ("interval = [a, b]", "center = [...] with radius", "inside = 'expression'")
        raise as_pydantic(CaseError("a set is described in one way", found=value, valid=valid))
    return value


def _set_tag(value: object) -> str | None:
    if isinstance(value, dict):
        return next((f"<{key}>" for key in _SETS if key in value), None)
    return next((f"<{key}>" for key, kind in _SETS.items() if type(value) is kind), None)


SetField = Annotated[
    Annotated[Interval, Tag("<interval>")]
    | Annotated[Ball, Tag("<center>")]
    | Annotated[Where, Tag("<inside>")],
    Discriminator(_set_tag),
    BeforeValidator(_one_set),
]


class Absorbing(Section):
    """What reaches the boundary leaves for good."""

    type: Literal["absorbing"] = Field(default="absorbing", description="kind of boundary")


class Reservoir(Section):
    """The density at the boundary is given."""

    type: Literal["reservoir"] = Field(default="reservoir", description="kind of boundary")
    density: Density = Field(description="density at the boundary", examples=[1.0])


class PartlyAbsorbing(Section):
    """Takes up and gives back at a finite rate: flux out = reactivity (W - density)."""

    type: Literal["robin"] = Field(default="robin", description="kind of boundary")
    reactivity: Annotated[float, Quantity("length/time", NOT_NEGATIVE)] = Field(
        description="flux out over density", examples=[1.0]
    )
    density: Density = Field(
        default=ZERO, description="density with which the boundary is in balance", examples=[0.0]
    )


class Closed(Section):
    """Nothing passes: what a boundary is that is not named."""

    type: Literal["reflecting"] = Field(default="reflecting", description="kind of boundary")


_BOUNDARIES: dict[str, type[Section]] = {
    "absorbing": Absorbing, "reservoir": Reservoir, "robin": PartlyAbsorbing, "reflecting": Closed,
}  # fmt: skip
BoundaryField = Annotated[
    Annotated[Absorbing, Tag("<absorbing>")]
    | Annotated[Reservoir, Tag("<reservoir>")]
    | Annotated[PartlyAbsorbing, Tag("<robin>")]
    | Annotated[Closed, Tag("<reflecting>")],
    Discriminator(kind_of),
    BeforeValidator(known_kind(_BOUNDARIES, "boundary")),
]
