"""The section of the Smoluchowski model: dc/dt = div(D (grad c + c grad U)) + creation - decay."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from fem_rd.case.base import Section, joined
from fem_rd.case.quantities import (
    Coefficient,
    Diffusion,
    DiffusionCoefficient,
    as_pydantic,
)
from fem_rd.case.schema import NOT_NEGATIVE, Order
from fem_rd.case.sections.boundaries import ZERO, BoundaryField, FarField
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression


class VolumeRate(Section):
    """Reactions in a region: dc/dt = ... + creation - degradation c."""

    degradation: Annotated[Expression, Coefficient("1/time", bounds=NOT_NEGATIVE)] = Field(
        default=ZERO, description="rate of decay of each particle", examples=["1 /ns"]
    )
    creation: Annotated[Expression, Coefficient("amount/volume/time", SPACE_TIME, NOT_NEGATIVE)] = (
        Field(default=ZERO, description="rate of creation per volume", examples=["1e-6 /nm^3/ns"])
    )

    @model_validator(mode="after")
    def _some_rate(self) -> Self:
        if not self.model_fields_set:
            error = CaseError("names no rate", valid=("degradation", "creation"))
            raise as_pydantic(error)
        return self


class SmoluchowskiSection(Section):
    """Diffusion, drift in a potential, and reactions at boundaries and in regions."""

    degree: Order = Field(
        default=2, description="polynomial degree of the Lagrange elements", examples=[2]
    )
    diffusion: Annotated[Diffusion, DiffusionCoefficient()] = Field(
        description="diffusion coefficient: for all, or for each region by name",
        examples=["0.5 nm^2/ns"],
    )
    potential: Annotated[Expression | None, Coefficient("1")] = Field(
        default=None,
        description="potential energy of a particle, in k_B T; none if not given",
        examples=["rc/r"],
    )
    initial: Annotated[Expression, Coefficient("amount/volume", bounds=NOT_NEGATIVE)] = Field(
        default=ZERO, description="concentration at time 0 (transient runs)", examples=[1.0]
    )
    boundaries: dict[str, BoundaryField] = Field(
        default={},
        description="what happens at each boundary, by its name; others are reflecting",
        examples=[{"reservoir": {"type": "dirichlet", "concentration": 1.0}}],
    )
    rates: dict[str, VolumeRate] = Field(
        default={},
        description="reactions in each region, by its name; `everywhere` is the whole domain",
        examples=[{"everywhere": {"degradation": 0.1}}],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, boundary in self.boundaries.items():
            if isinstance(boundary, FarField) and self.potential is not None:
                error = CaseError(
                    "a far field is exact only without a potential",
                    key=f".{joined('boundaries', name)}",
                    found="far-field",
                    valid="another type, or no smoluchowski.potential",
                )
                raise as_pydantic(error)
        return self
