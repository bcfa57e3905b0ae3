"""Domains of the particles model and what their walls do, as a case names them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, StrictBool, Tag, model_validator

from fem_rd.case.base import Section
from fem_rd.case.quantities import Coefficient, Quantity, as_pydantic
from fem_rd.case.schema import NOT_NEGATIVE, POSITIVE, Point
from fem_rd.case.sections.kinds import kind_of, known_kind
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression

Length = Annotated[float, Quantity("length", POSITIVE)]
Dimension = Annotated[Literal[2, 3], BeforeValidator(lambda value: _whole(value))]
SCHEMES = Literal["crossing", "layer", "layer-matched", "layer-strang"]


class IntervalDomain(Section):
    """The interval between two points. Walls: left, right."""

    type: Literal["interval"] = Field(default="interval", description="kind of domain")
    lower: Annotated[float, Quantity("length")] = Field(
        default=0.0, description="place of the left end", examples=[0.0]
    )
    upper: Annotated[float, Quantity("length")] = Field(description="right end", examples=[1.0])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_corners((self.lower,), (self.upper,))
        return self


class BoxDomain(Section):
    """A rectangle or a box between two corners.

    Walls: left, right (x), bottom, top (the last axis) and, of a box, front, back (y).
    """

    type: Literal["box"] = Field(default="box", description="kind of domain")
    lower: Point = Field(
        default=(), description="lowest corner; the origin if not given", examples=[[0, 0, 0]]
    )
    upper: Point = Field(description="highest corner", examples=[[1, 1, 2]])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.upper) not in (2, 3):
            error = CaseError("must have 2 or 3 entries", key=".upper", found=list(self.upper))
            raise as_pydantic(error)
        if self.lower and len(self.lower) != len(self.upper):
            message = f"must have {len(self.upper)} entries, as upper has"
            raise as_pydantic(CaseError(message, key=".lower", found=list(self.lower)))
        _check_corners(self.lower or (0.0,) * len(self.upper), self.upper)
        return self


class BallDomain(Section):
    """A ball about the origin, or a disc. Wall: outer."""

    type: Literal["ball"] = Field(default="ball", description="kind of domain")
    radius: Length = Field(description="radius of the ball", examples=[1.0])
    dimension: Dimension = Field(default=3, description="space dimension", examples=[3])


class ShellDomain(Section):
    """The space between two spheres, or circles, about the origin. Walls: reactive (the inner
    one), reservoir (the outer one).
    """

    type: Literal["shell"] = Field(default="shell", description="kind of domain")
    inner: Length = Field(description="radius of the inner sphere", examples=["sigma"])
    outer: Length = Field(description="radius of the outer sphere", examples=["5*sigma"])
    dimension: Dimension = Field(default=3, description="space dimension", examples=[3])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.inner >= self.outer:
            message = f"must exceed inner = {self.inner:g}"
            raise as_pydantic(CaseError(message, key=".outer", found=self.outer))
        return self


class MeshDomain(Section):
    """A region of the mesh of the section [mesh], of straight cells. Walls: its boundaries, and
    to_OTHER where another region of that name begins.
    """

    type: Literal["mesh"] = Field(default="mesh", description="kind of domain")
    region: str | None = Field(
        default=None,
        description="region of the mesh; the whole mesh if not given, which must be one region",
        examples=["domain"],
    )


class ReflectingWall(Section):
    """Nothing passes: what a wall is that is not named."""

    type: Literal["reflecting"] = Field(default="reflecting", description="kind of wall")


class PeriodicWall(Section):
    """Who leaves here comes in through the opposite face, which must be periodic too."""

    type: Literal["periodic"] = Field(default="periodic", description="kind of wall")


class AbsorbingWall(Section):
    """Who touches it is gone."""

    type: Literal["absorbing"] = Field(default="absorbing", description="kind of wall")
    bridge: StrictBool = Field(
        default=True,
        description="whether touches within a step count, by the Brownian bridge; without, the "
        "wall seems to lie 0.5826 sqrt(2 D dt) behind its place",
        examples=[False],
    )


class PartiallyAbsorbingWall(Section):
    """Takes up particles at a finite rate: D dc/dn = reactivity c."""

    type: Literal["partially-absorbing"] = Field(
        default="partially-absorbing", description="kind of wall"
    )
    kappa: Annotated[float | None, Quantity("volume/time", NOT_NEGATIVE)] = Field(
        default=None,
        description="rate of the whole wall: it takes up kappa c, spread evenly over its area",
        examples=["4*pi*sigma*D"],
    )
    reactivity: Annotated[float | None, Quantity("length/time", NOT_NEGATIVE)] = Field(
        default=None,
        description="rate per area: the flux into the wall is reactivity times c; give this or "
        "`kappa`",
        examples=["0.2 nm/ns"],
    )

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        given = [key for key in ("kappa", "reactivity") if getattr(self, key) is not None]
        if len(given) != 1:
            message = "give only one rate" if given else "the rate is missing"
            valid = "kappa (volume/time, of the whole wall) or reactivity (length/time)"
            raise as_pydantic(CaseError(message, found=" and ".join(given) or None, valid=valid))
        return self


class OpenWall(Section):
    """A reservoir behind the wall: particles leave into it, and others come in from it."""

    type: Literal["open"] = Field(default="open", description="kind of wall")
    concentration: Annotated[
        Expression, Coefficient("amount/volume", SPACE_TIME, NOT_NEGATIVE)
    ] = Field(
        description="concentration of the reservoir, where it may vary that along the wall",
        examples=["400"],
    )
    scheme: SCHEMES = Field(
        default="crossing",
        description="`crossing`: leave and enter through the wall itself, exact for a plane; "
        "`layer-matched`, `layer`: exchange in a layer before a reflecting wall, at a rate that "
        "puts the plane of the given concentration onto the wall, or at D/width^2, which puts it "
        "0.3130 width behind; `layer-strang`: half steps of exchange, width = sqrt(2 D dt)",
        examples=["layer-matched"],
    )
    width: Annotated[float | None, Quantity("length", POSITIVE)] = Field(
        default=None,
        description="width of the layer, of the schemes that have one; that of layer-strang "
        "follows from the step",
        examples=[0.2],
    )
    volume: Annotated[float | None, Quantity("volume", POSITIVE)] = Field(
        default=None,
        description="volume of a well-mixed reservoir, for each species: it begins with "
        "`concentration`, and changes by what passes the wall; without end if not given",
        examples=[2.0],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.volume is not None and not self.concentration.is_constant:
            error = CaseError(
                "a reservoir of finite volume begins with one concentration",
                key=".concentration", found=str(self.concentration), valid="a number",
            )  # fmt: skip
            raise as_pydantic(error)
        if self.scheme in ("layer", "layer-matched") and self.width is None:
            message = f"the scheme {self.scheme} needs the width of its layer"
            raise as_pydantic(CaseError(message, key=".width", valid="a length"))
        return self


DOMAINS: dict[str, type[Section]] = {
    "interval": IntervalDomain, "box": BoxDomain, "ball": BallDomain, "shell": ShellDomain,
    "mesh": MeshDomain,
}  # fmt: skip
WALLS: dict[str, type[Section]] = {
    "reflecting": ReflectingWall, "periodic": PeriodicWall, "absorbing": AbsorbingWall,
    "partially-absorbing": PartiallyAbsorbingWall, "open": OpenWall,
}  # fmt: skip


def spaces_of(domain: object) -> tuple[int, ...]:
    """The space dimensions that a domain may have, as a case file writes it; () if any."""
    table = domain if isinstance(domain, dict) else {}
    match table.get("type"), table.get("upper"):
        case "interval", _:
            return (1,)
        case "box", list() as corner if len(corner) in (2, 3):
            return (len(corner),)
        case "ball" | "shell", _:
            dimension = table.get("dimension", 3)
            return (dimension,) if dimension in (2, 3) else ()
    return ()


def _whole(value: object) -> object:
    """Python takes True for 1; a case file must not."""
    return str(value).lower() if isinstance(value, bool) else value


def _check_corners(lower: tuple[float, ...], upper: tuple[float, ...]) -> None:
    if any(low >= high for low, high in zip(lower, upper, strict=True)):
        found = upper[0] if len(upper) == 1 else list(upper)
        error = CaseError(f"must exceed lower = {list(lower)}", key=".upper", found=found)
        raise as_pydantic(error)


DomainSection = IntervalDomain | BoxDomain | BallDomain | ShellDomain | MeshDomain
DomainField = Annotated[
    Annotated[IntervalDomain, Tag("<interval>")]
    | Annotated[BoxDomain, Tag("<box>")]
    | Annotated[BallDomain, Tag("<ball>")]
    | Annotated[ShellDomain, Tag("<shell>")]
    | Annotated[MeshDomain, Tag("<mesh>")],
    Discriminator(kind_of),
    BeforeValidator(known_kind(DOMAINS, "domain")),
]
WallSection = ReflectingWall | PeriodicWall | AbsorbingWall | PartiallyAbsorbingWall | OpenWall
WallField = Annotated[
    Annotated[ReflectingWall, Tag("<reflecting>")]
    | Annotated[PeriodicWall, Tag("<periodic>")]
    | Annotated[AbsorbingWall, Tag("<absorbing>")]
    | Annotated[PartiallyAbsorbingWall, Tag("<partially-absorbing>")]
    | Annotated[OpenWall, Tag("<open>")],
    Discriminator(kind_of),
    BeforeValidator(known_kind(WALLS, "wall")),
]
