"""The section of the Klein-Kramers model: one order parameter x and its velocity, with inertia."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, model_validator

from fem_rd.case.base import Section
from fem_rd.case.quantities import Coefficient, Quantity, as_pydantic, at_least
from fem_rd.case.schema import NOT_NEGATIVE, POSITIVE
from fem_rd.errors import CaseError, nearest
from fem_rd.expressions.expression import Expression

KINDS = ("reflecting", "absorbing", "periodic")
ENDS = ("left", "right")
LINE = ("x",)
MOST_WIDE = 2**0.5  # of the thermal velocity: a wider law of velocities is not in the space


def _even(count: int) -> int:
    if count % 2:
        raise as_pydantic(CaseError("must be even", found=count))
    return count


def _boundaries(value: object) -> object:
    """The table itself where its ends and what happens there are known."""
    if not isinstance(value, dict):
        raise as_pydantic(CaseError("must be a table", found=value))
    for end, kind in value.items():
        for name, valid, what in ((end, ENDS, "end"), (kind, KINDS, "kind")):
            if name not in valid:
                message = f"unknown {what} of a line{nearest(str(name), valid)}"
                raise as_pydantic(CaseError(message, key=f".{end}", found=name, valid=valid))
    return value


def _not_bool(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


Count = Annotated[StrictInt, at_least(1)]


class Start(Section):
    """A Gaussian law at time 0; a width of 0 is a point."""

    position: Annotated[float, Quantity("length")] = Field(
        description="mean of x", examples=["1 nm"]
    )
    position_width: Annotated[float, Quantity("length", NOT_NEGATIVE)] = Field(
        default=0.0, description="standard deviation of x", examples=["0.1 nm"]
    )
    velocity: Annotated[float, Quantity("length/time")] = Field(
        default=0.0, description="mean of the velocity", examples=[-0.4]
    )
    velocity_width: Annotated[float | None, Quantity("length/time", NOT_NEGATIVE)] = Field(
        default=None,
        description="standard deviation of the velocity, below sqrt(2) thermal velocities; the "
        "thermal velocity if not given",
        examples=[0.1],
    )


class Picture(Section):
    """The grid on which the density in phase space is written."""

    cells: tuple[Count, Count] = Field(
        default=(160, 120),
        description="cells along x and along the velocity",
        examples=[[160, 120]],
    )
    velocities: Annotated[float, Quantity("1", POSITIVE)] = Field(
        default=4.0,
        description="largest velocity shown, in thermal velocities",
        examples=[4.0],
    )


class KleinKramersSection(Section):
    """Motion with inertia and friction in a potential: dW/dt in the plane of x and velocity."""

    degree: Annotated[Literal[1, 2, 3, 4], BeforeValidator(_not_bool)] = Field(
        default=3, description="polynomial degree of the elements along x", examples=[3]
    )
    modes: Annotated[StrictInt, at_least(4), AfterValidator(_even)] = Field(
        default=32,
        description="Hermite modes in the velocity, an even number: more for less friction",
        examples=[64],
    )
    potential: Annotated[Expression, Coefficient("1", LINE)] = Field(
        default=Expression.constant(0.0),
        description="potential of mean force, in k_B T",
        examples=["5*(x^2 - 1)^2"],
    )
    force: Annotated[float, Quantity("1/length")] = Field(
        default=0.0,
        description="constant force besides that of the potential, in k_B T per length: a tilt, "
        "also of a periodic line",
        examples=[0.5],
    )
    friction: Annotated[Expression | None, Coefficient("1/time", LINE, NOT_NEGATIVE)] = Field(
        default=None,
        description="friction coefficient gamma = theta/(M k_B T) per mass",
        examples=["2 /ps"],
    )
    thermal_velocity: Annotated[float, Quantity("length/time", POSITIVE)] = Field(
        description="sqrt(k_B T/M), which says all that mass and temperature do",
        examples=["150 m/s"],
    )
    boundaries: Annotated[dict[str, str], BeforeValidator(_boundaries)] = Field(
        default={},
        description="what happens at the ends of the line: `reflecting` (those not named; a "
        "warning says where the potential does not keep particles away), `absorbing`, or "
        "`periodic`, both",
        examples=[{"right": "absorbing"}],
    )
    initial: Start | None = Field(
        default=None,
        description="the law at time 0; Boltzmann's law if not given",
        examples=[{"position": 1.0}],
    )
    eigenvalues: Count = Field(
        default=3, description="number of slowest modes (without [time])", examples=[3]
    )
    frictions: tuple[Annotated[float, Quantity("1/time", POSITIVE)], ...] = Field(
        default=(),
        description="friction coefficients in the place of `friction`, for each of which the "
        "slowest rate is computed: the turnover curve (without [time])",
        examples=[[0.1, 1.0, 10.0]],
    )
    picture: Picture = Field(
        default=Picture(), description="where the density is written", examples=[{"velocities": 4}]
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.friction is None) == (not self.frictions):
            found = None if self.friction is None else "both"
            message = "give the friction, or several in frictions"
            raise as_pydantic(CaseError(message, key=".friction", found=found))
        if len(set(self.frictions)) < len(self.frictions):
            twice = CaseError("has a value twice", key=".frictions", found=list(self.frictions))
            raise as_pydantic(twice)
        if "periodic" in self.boundaries.values() and not self.periodic:
            message, valid = "a line is periodic at both ends", "periodic for left and for right"
            found = ", ".join(f"{end} = {kind}" for end, kind in self.boundaries.items())
            raise as_pydantic(CaseError(message, key=".boundaries", found=found, valid=valid))
        width = self.initial.velocity_width if self.initial else None
        if width is not None and width >= MOST_WIDE * self.thermal_velocity:
            message = "must be below sqrt(2) thermal_velocity"
            raise as_pydantic(CaseError(message, key=".initial.velocity_width", found=width))
        return self

    @property
    def periodic(self) -> bool:
        """Whether the ends of the line are the same."""
        return all(self.boundaries.get(end) == "periodic" for end in ENDS)

    def absorbing(self, end: str) -> bool:
        """Whether particles leave at this end."""
        return self.boundaries.get(end) == "absorbing"
