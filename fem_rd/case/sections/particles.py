"""The section of the particles model: single molecules that move in continuous space.

dX = -D grad U dt + sqrt(2 D) dW for each molecule of a species, reactions of [chemistry].
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, model_validator

from fem_rd.case.base import Section
from fem_rd.case.quantities import Bounds, Coefficient, Quantity, as_pydantic, at_least
from fem_rd.case.schema import NOT_NEGATIVE, POSITIVE, Point
from fem_rd.case.sections.particle_places import DomainField, MeshDomain, WallField, spaces_of
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE, Expression

Time = Annotated[float, Quantity("time", POSITIVE)]


class ParticleSpecies(Section):
    """How the molecules of one species move, where they begin and what walls do to them."""

    diffusion: Annotated[float, Quantity("length^2/time", Bounds(least=0.0))] = Field(
        description="diffusion coefficient", examples=["0.5 nm^2/ns"]
    )
    number: Annotated[StrictInt, at_least(0)] | None = Field(
        default=None,
        description="molecules at time 0; spread evenly where neither `place` nor "
        "`concentration` is given",
        examples=[1000],
    )
    concentration: Annotated[
        Expression | None, Coefficient("amount/volume", SPACE, NOT_NEGATIVE)
    ] = Field(
        default=None,
        description="concentration at time 0: the number is then drawn from Poisson's law in each "
        "replica; with `number` it is given, and this only says where they are",
        examples=["20.0"],
    )
    place: Point = Field(
        default=(), description="point at which all begin, with `number`", examples=[[0.5]]
    )
    potential: Annotated[Expression | None, Coefficient("1")] = Field(
        default=None,
        description="potential energy of a molecule, in k_B T, down which it drifts",
        examples=["-v*x/D"],
    )
    friction: Annotated[float | None, Quantity("1/time", POSITIVE)] = Field(
        default=None,
        description="rate at which velocities are forgotten, gamma = k_B T/(m D) (langevin)",
        examples=["10 /ns"],
    )
    walls: dict[str, WallField] = Field(
        default={},
        description="walls that are different for this species, by name",
        examples=[{"left": {"type": "absorbing"}}],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.place and self.number is None:
            error = CaseError("says where, but not how many", key=".place", valid="with `number`")
            raise as_pydantic(error)
        if self.place and self.concentration is not None:
            error = CaseError("give only one of", key=".place", found="place and concentration")
            raise as_pydantic(error)
        return self


class Average(Section):
    """The mean of an expression over the molecules of a species."""

    species: str = Field(description="whose mean", examples=["A"])
    of: Annotated[Expression, Coefficient("1", SPACE)] = Field(
        description="what is averaged", examples=["cos(pi*x)"]
    )


class PairSection(Section):
    """The pair correlation function of two species, in a box that is periodic throughout."""

    species: tuple[str, str] = Field(description="the two species", examples=[["A", "B"]])
    radius: Annotated[float, Quantity("length", POSITIVE)] = Field(
        description="largest distance", examples=[0.5]
    )
    bins: Annotated[StrictInt, at_least(1)] = Field(
        default=20, description="intervals of distance", examples=[20]
    )


class MeasureSection(Section):
    """What is measured over time, once the system has forgotten how it began."""

    begin: Annotated[float | None, Quantity("time", NOT_NEGATIVE)] = Field(
        default=None,
        description="when averages over time begin: means, variances, covariances of numbers, "
        "fluxes, profiles; without, fluxes are since the start, profiles those of the moment, and "
        "there are no others",
        examples=[1.0],
    )
    every: Time | None = Field(
        default=None,
        description="interval between rows of observables and between samples of profiles; a 200th "
        "of the run if not given",
        examples=[0.1],
    )
    flux: str | None = Field(
        default=None,
        description="wall whose outward flux of all species is the observable `flux`, and its "
        "integral over the wall the observable `rate`",
        examples=["right"],
    )
    lags: tuple[Time, ...] = Field(
        default=(),
        description="times over which the covariance of each number with itself is measured",
        examples=[[0.01, 0.1]],
    )
    axis: Literal["x", "y", "z", "r"] | None = Field(
        default=None,
        description="coordinate of the profiles: x, y, z of boxes, r of balls and shells, all of "
        "them of meshes; the first of these if not given",
        examples=["x"],
    )
    bins: Annotated[StrictInt, at_least(0)] = Field(
        default=0, description="intervals of the density profiles; 0: none", examples=[20]
    )
    pairs: PairSection | None = Field(
        default=None,
        description="pair correlation function to measure",
        examples=[{"species": ["A", "A"], "radius": 0.3}],
    )


class ParticlesSection(Section):
    """Molecules that diffuse, drift, meet walls and reservoirs, and react."""

    domain: DomainField = Field(
        description="where the molecules are", examples=[{"type": "interval", "upper": 1.0}]
    )
    species: dict[str, ParticleSpecies] = Field(
        description="species by name: all that [chemistry] has, chemostats excepted",
        examples=[{"A": {"diffusion": 1.0, "number": 100}}],
    )
    walls: dict[str, WallField] = Field(
        default={},
        description="what each wall does to all species, by its name; others reflect",
        examples=[{"left": {"type": "absorbing"}}],
    )
    dynamics: Literal["brownian", "langevin"] = Field(
        default="brownian",
        description="Brownian motion, or Langevin dynamics with inertia",
        examples=["langevin"],
    )
    replicas: Annotated[StrictInt, at_least(1)] = Field(
        default=1, description="number of independent copies of the system", examples=[16]
    )
    seed: Annotated[StrictInt, at_least(0)] = Field(
        default=0, description="seed of the random numbers", examples=[1]
    )
    averages: dict[str, Average] = Field(
        default={},
        description="further observables: means over the molecules of a species",
        examples=[{"mode": {"species": "A", "of": "cos(pi*x)"}}],
    )
    derived: dict[str, str] = Field(
        default={},
        description="further observables: expressions of other observables and parameters; their "
        "errors follow from those, taken as independent",
        examples=[{"rate_constant": "births*volume/mean_A"}],
    )
    measure: MeasureSection = Field(
        default=MeasureSection(),
        description="what is measured over time",
        examples=[{"begin": 1.0, "flux": "right"}],
    )

    @classmethod
    def spaces(cls, table: object) -> tuple[int, ...]:
        """The space dimensions that the domain may have, as a case file writes it; () if any."""
        return spaces_of(table.get("domain") if isinstance(table, dict) else None)

    @property
    def on_mesh(self) -> bool:
        """Whether the section [mesh] is needed; it is of no use otherwise."""
        return isinstance(self.domain, MeshDomain)
