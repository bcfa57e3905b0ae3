"""The section of the reaction-diffusion model.

dc_i/dt = div(D_i (grad c_i + c_i grad U_i)) + R_i for each species i of [chemistry].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt

from fem_rd.case.base import Section
from fem_rd.case.quantities import (
    Bounds,
    CaseContext,
    Coefficient,
    Diffusion,
    DiffusionCoefficient,
    Quantity,
    RegionalCoefficient,
    read_expression,
    reader_schema,
)
from fem_rd.case.schema import NOT_NEGATIVE, Order, Point
from fem_rd.case.sections.boundaries import ZERO, BoundaryField
from fem_rd.expressions.expression import SPACE_TIME, Expression

Initial = Expression | dict[str, Expression]


@dataclass(frozen=True)
class Integrand:
    """What is integrated over the domain: concentrations, place and time, in the case's units."""

    kind = "expression of the species and x, y, z, r, t"
    dimension = "any"

    def read(self, value: object, context: CaseContext) -> Expression:
        """The expression. Raises `CaseError`."""
        return read_expression(value, None, (*context.species, *SPACE_TIME), context)

    def __get_pydantic_core_schema__(self, _: Any, __: Any) -> Any:
        return reader_schema(self.read)


class SpeciesSection(Section):
    """How one species moves, where it begins and what happens to it at boundaries."""

    diffusion: Annotated[Diffusion, DiffusionCoefficient()] = Field(
        description="diffusion coefficient: for all, or for each region by name",
        examples=["0.5 nm^2/ns"],
    )
    potential: Annotated[Expression | None, Coefficient("1")] = Field(
        default=None,
        description="potential energy of a molecule, in k_B T, down which it drifts; a uniform "
        "drift v along x is -v*x/D",
        examples=["-v*x/D"],
    )
    initial: Annotated[Initial, RegionalCoefficient("amount/volume", NOT_NEGATIVE)] = Field(
        default=ZERO,
        description="concentration at time 0, or the start of the search for a steady state",
        examples=[1.0],
    )
    noise: Annotated[float, Quantity("1", Bounds(least=0.0))] = Field(
        default=0.0,
        description="relative amplitude of a random perturbation of `initial`, uniform and "
        "independent at each node; the same for any number of ranks",
        examples=[0.01],
    )
    boundaries: dict[str, BoundaryField] = Field(
        default={},
        description="what happens at each boundary, by its name; others are reflecting",
        examples=[{"reservoir": {"type": "dirichlet", "concentration": 1.0}}],
    )


class ReactionDiffusionSection(Section):
    """Species of [chemistry] that diffuse, drift and react on a mesh."""

    degree: Order = Field(
        default=1,
        description="polynomial degree of the Lagrange elements; 1 has a lumped mass matrix",
        examples=[1],
    )
    species: dict[str, SpeciesSection] = Field(
        description="every species of the reactions, by name; chemostats excepted",
        examples=[{"A": {"diffusion": 1.0}}],
    )
    seed: StrictInt = Field(
        default=0, description="seed of the random perturbations", examples=[1]
    )
    thermodynamics: StrictBool = Field(
        default=False,
        description="whether to compute entropy production, chemical motive force and free energy, "
        "as fields and as integrals; needs reversible reactions",
        examples=[True],
    )
    integrals: dict[str, Annotated[Expression, Integrand()]] = Field(
        default={},
        description="further observables: integrals over the domain",
        examples=[{"mode4": "U*cos(4*pi*x)"}],
    )
    probes: dict[str, Point] = Field(
        default={},
        description="points at which every concentration is an observable, by name",
        examples=[{"centre": [0.5, 0.5]}],
    )
    derived: dict[str, str] = Field(
        default={},
        description="further observables: expressions of other observables and parameters",
        examples=[{"effectiveness": "events_decay/(k*amount_A)"}],
    )
