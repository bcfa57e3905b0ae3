"""Kinds of boundaries of a concentration, for every model that has one."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from fem_rd.case.base import Section
from fem_rd.case.quantities import Coefficient, Quantity, as_pydantic
from fem_rd.case.schema import NOT_NEGATIVE
from fem_rd.case.sections.kinds import kind_of, known_kind
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression

ZERO = Expression.constant(0.0)

Concentration = Annotated[Expression, Coefficient("amount/volume", SPACE_TIME, NOT_NEGATIVE)]


class Dirichlet(Section):
    """The concentration is given: a reservoir, or an absorbing surface (0)."""

    type: Literal["dirichlet"] = Field(default="dirichlet", description="kind of boundary")
    concentration: Concentration = Field(
        description="concentration at the boundary", examples=["1 mM"]
    )


class Robin(Section):
    """The surface reacts at a finite rate: the flux into it is proportional to c."""

    type: Literal["robin"] = Field(default="robin", description="kind of boundary")
    kappa: Annotated[float | None, Quantity("volume/time", NOT_NEGATIVE)] = Field(
        default=None,
        description="rate of the whole boundary: it takes up kappa c, spread evenly over its area",
        examples=["4*pi*sigma*D"],
    )
    reactivity: Annotated[Expression | None, Coefficient("length/time", bounds=NOT_NEGATIVE)] = (
        Field(
            default=None,
            description="rate per area: the flux into the surface is reactivity times c; "
            "give this or `kappa`",
            examples=["0.2 nm/ns"],
        )
    )
    concentration: Concentration = Field(
        default=ZERO,
        description="concentration with which the surface is in equilibrium: the flux into it is "
        "proportional to c minus this",
        examples=[0.0],
    )

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if self.kappa is not None and self.reactivity is not None:
            error = CaseError("give only one rate", found="kappa and reactivity", valid=_RATES)
            raise as_pydantic(error)
        if self.kappa is None and self.reactivity is None:
            raise as_pydantic(CaseError("the rate is missing", valid=_RATES))
        return self


_RATES = "kappa (volume/time, of the whole boundary) or reactivity (length/time)"


class Flux(Section):
    """The flux through the boundary is given."""

    type: Literal["flux"] = Field(default="flux", description="kind of boundary")
    flux: Annotated[Expression, Coefficient("amount/area/time", SPACE_TIME)] = Field(
        description="flux into the domain", examples=["1e-3 /nm^2/ns"]
    )


class Reflecting(Section):
    """Nothing passes: what a boundary is that is not named."""

    type: Literal["reflecting"] = Field(default="reflecting", description="kind of boundary")


class FarField(Section):
    """An unbounded solution beyond the boundary, with a given concentration far away.

    D dc/dn = D (c_inf - c) (x - x0).n / |x - x0|^2, exact for c = c_inf - a/|x - x0|.
    """

    type: Literal["far-field"] = Field(default="far-field", description="kind of boundary")
    concentration: Annotated[float, Quantity("amount/volume", NOT_NEGATIVE)] = Field(
        description="concentration far away", examples=[1.0]
    )
    center: tuple[Annotated[float, Quantity("length")], ...] = Field(
        default=(0.0, 0.0, 0.0),
        min_length=3,
        max_length=3,
        description="point from which the far field spreads",
        examples=[[0, 0, 0]],
    )


_KINDS: dict[str, type[Section]] = {
    "dirichlet": Dirichlet, "robin": Robin, "flux": Flux, "reflecting": Reflecting,
    "far-field": FarField,
}  # fmt: skip


Boundary = Dirichlet | Robin | Flux | Reflecting | FarField
BoundaryField = Annotated[
    Annotated[Dirichlet, Tag("<dirichlet>")]
    | Annotated[Robin, Tag("<robin>")]
    | Annotated[Flux, Tag("<flux>")]
    | Annotated[Reflecting, Tag("<reflecting>")]
    | Annotated[FarField, Tag("<far-field>")],
    Discriminator(kind_of),
    BeforeValidator(known_kind(_KINDS, "boundary")),
]
