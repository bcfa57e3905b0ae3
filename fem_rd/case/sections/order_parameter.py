"""The section of the Smoluchowski equation of order parameters, and what is asked of it.

dW/dt = d/dR [D(R) (d/dR + F'(R)) W] (Pankavich, Shreif and Ortoleva 2008, eq. 29).
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from fem_rd.case.base import Section, joined
from fem_rd.case.quantities import (
    Coefficient,
    Diffusion,
    DiffusionCoefficient,
    Quantity,
    as_pydantic,
)
from fem_rd.case.schema import POSITIVE, Point
from fem_rd.case.sections.order_parameter_kinds import (
    BoundaryField,
    Density,
    Grid,
    PotentialSamples,
    PotentialTable,
    SetField,
    Tilt,
    at_least,
)
from fem_rd.errors import CaseError, nearest
from fem_rd.expressions.expression import Expression


class Initial(Section):
    """The density at time 0, normalised to 1 if it is a point or a set."""

    at: str | None = Field(
        default=None, description="all at this named point", examples=["left"]
    )
    boltzmann: str | None = Field(
        default=None, description="in equilibrium within this named set", examples=["reactant"]
    )
    density: Density | None = Field(
        default=None, description="this density, taken as it is", examples=["0.25"]
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [key for key in ("at", "boltzmann", "density") if getattr(self, key) is not None]
        if len(given) != 1:
            message = "give one of at, boltzmann and density"
            raise as_pydantic(CaseError(message, found=given or "nothing"))
        return self


class OrderParameterSection(Section):
    """Diffusion of order parameters in a potential of mean force, and the rates it implies."""

    grid: Grid | None = Field(
        default=None,
        description="the space of the order parameters; a section [mesh] can take its place",
        examples=[{"coordinates": "line", "lower": [-2.0], "upper": [2.0], "cells": [400]}],
    )
    potential: Annotated[Expression | None, Coefficient("1")] = Field(
        default=None,
        description="potential of mean force in k_B T; 0 if neither it nor a file is given",
        examples=["5*(x^2 - 1)^2"],
    )
    potential_table: PotentialTable | None = Field(
        default=None, description="the same from a file of values", examples=[{"file": "f.csv"}]
    )
    potential_samples: PotentialSamples | None = Field(
        default=None,
        description="the same from samples of the order parameters",
        examples=[{"file": "samples.csv", "bins": [60]}],
    )
    highest: Annotated[float | None, Quantity("1", POSITIVE)] = Field(
        default=None,
        description="the space ends, reflecting, where the potential (an expression, on a line, "
        "plane or box) is higher than this above its lowest value, in k_B T",
        examples=[25.0],
    )
    diffusion: Annotated[Diffusion | None, DiffusionCoefficient()] = Field(
        default=None,
        description="diffusion coefficient D(R) (give this or `friction`)",
        examples=["1 + x^2/2"],
    )
    friction: Annotated[Expression | None, Coefficient("time/length^2", bounds=POSITIVE)] = Field(
        default=None,
        description="friction coefficient over k_B T: D = 1/friction",
        examples=[2.0],
    )
    positive_rates: StrictBool = Field(
        default=False,
        description="whether edges of the mesh with a negative rate are left out: what remains is "
        "a jump process on any mesh, but its diffusion is another one (by a quarter on usual "
        "meshes of tetrahedra); structured grids have no such edges",
        examples=[True],
    )
    tilt: Tilt = Field(
        default=(),
        description="constant force along each coordinate, in k_B T per length, that has no "
        "periodic potential; zero along those that are not angles",
        examples=[[0.5]],
    )
    sets: dict[str, SetField] = Field(
        default={},
        description="parts of the space, by name",
        examples=[{"product": {"interval": [1.0, 2.0]}}],
    )
    points: dict[str, Point] = Field(
        default={}, description="points of the space, by name", examples=[{"well": [-1.0]}]
    )
    boundaries: dict[str, BoundaryField] = Field(
        default={},
        description="what happens at each side of the space, or (absorbing only) in a set, by "
        "name; others are reflecting",
        examples=[{"right": {"type": "absorbing"}}],
    )
    initial: Initial | None = Field(
        default=None,
        description="the density at time 0 (transient runs)",
        examples=[{"at": "well"}],
    )
    first_passage: tuple[str, ...] = Field(
        default=(),
        description="sets to which the mean first-passage time is wanted: as a field, from every "
        "point, and from equilibrium in every other set",
        examples=[["product"]],
    )
    committor: tuple[str, ...] = Field(
        default=(),
        max_length=2,
        description="two sets A, B: the probability to reach B before A, the reactive flux and the "
        "rates in both directions",
        examples=[["reactant", "product"]],
    )
    splitting: tuple[str, ...] = Field(
        default=(),
        description="two or more sets: the probability to reach each of them first",
        examples=[["left", "right"]],
    )
    modes: Annotated[StrictInt, at_least(0)] = Field(
        default=0, description="number of slowest modes", examples=[3]
    )
    transport: StrictBool = Field(
        default=False,
        description="whether to compute mean velocity and effective diffusion along angles",
        examples=[True],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for message, key, found in _mistakes(self):
            raise as_pydantic(CaseError(message, key=f".{key}", found=found))
        for key in ("first_passage", "committor", "splitting"):
            for index, name in enumerate(getattr(self, key)):
                if name not in self.sets:
                    hint = nearest(name, self.sets)
                    error = CaseError(
                        f"there is no set of this name{hint}",
                        key=f".{joined(key, index)}",
                        found=name,
                        valid=self.sets or "a table of sets",
                    )
                    raise as_pydantic(error)
        return self


def _mistakes(section: OrderParameterSection) -> list[tuple[str, str, Any]]:
    """What does not fit together: message, key, found."""
    found: list[tuple[str, str, Any]] = []
    kinds = ("potential", "potential_table", "potential_samples")
    potentials = [key for key in kinds if getattr(section, key) is not None]
    if len(potentials) > 1:
        found.append(("the potential is given twice", potentials[1], " and ".join(potentials)))
    if (section.diffusion is None) == (section.friction is None):
        given = "both" if section.diffusion is not None else "neither"
        found.append(("give diffusion or friction", "diffusion", given))
    periodic = section.grid.periodic if section.grid is not None else ()
    if len(section.tilt) > len(periodic) or any(
        force and not angle for force, angle in zip(section.tilt, periodic, strict=False)
    ):
        message = "a tilt is along an angle of the grid; elsewhere it is part of the potential"
        found.append((message, "tilt", list(section.tilt)))
    if section.highest is not None and (section.potential is None or any(periodic) or not periodic):
        message = "needs a potential that is an expression, on a grid without angles"
        found.append((message, "highest", section.highest))
    if len(section.committor) == 1 or len(set(section.committor)) < len(section.committor):
        found.append(("must name two sets", "committor", list(section.committor)))
    if len(section.splitting) == 1:
        found.append(("must name two or more sets", "splitting", list(section.splitting)))
    if section.transport and not any(periodic):
        found.append(("is along angles, and there are none", "transport", True))
    if section.modes and any(section.tilt):
        found.append(("modes are those of a process without tilt", "modes", section.modes))
    initial = section.initial
    for key, names in (("at", section.points), ("boltzmann", section.sets)):
        name = getattr(initial, key, None)
        if name is not None and name not in names:
            what = "point" if key == "at" else "set"
            found.append((f"there is no {what} of this name", f"initial.{key}", name))
    return found
