"""The section of the hybrid model: particles in one region of a mesh, a PDE on the rest of it.

What a species does (diffusion, initial concentration, boundaries) is said once, for both sides:
the PDE takes it as `reaction-diffusion` does, the particles in its microscopic form.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from fem_rd.case.base import Section
from fem_rd.case.quantities import (
    Bounds,
    Quantity,
    RegionalCoefficient,
    as_pydantic,
    at_least,
)
from fem_rd.case.schema import NOT_NEGATIVE, POSITIVE, Point
from fem_rd.case.sections.boundaries import ZERO, BoundaryField
from fem_rd.case.sections.particle_places import SCHEMES, DomainField, MeshDomain
from fem_rd.case.sections.particles import Average, MeasureSection
from fem_rd.case.sections.reaction_diffusion import Initial
from fem_rd.errors import CaseError


class HybridSpecies(Section):
    """How the molecules of one species move, where they begin and what boundaries do to them."""

    diffusion: Annotated[float, Quantity("length^2/time", Bounds(above=0.0))] = Field(
        description="diffusion coefficient, on both sides", examples=["0.5 nm^2/ns"]
    )
    initial: Annotated[Initial, RegionalCoefficient("amount/volume", NOT_NEGATIVE)] = Field(
        default=ZERO,
        description="concentration at time 0: of the PDE, and of the particles, whose number is "
        "drawn from Poisson's law in each replica",
        examples=[1.0],
    )
    boundaries: dict[str, BoundaryField] = Field(
        default={},
        description="what happens at each boundary of the mesh, by its name; others reflect. Where "
        "the particles are, `dirichlet` is an absorbing wall (0) or an open one, `robin` a "
        "partially absorbing one; other kinds are for the PDE",
        examples=[{"reactive": {"type": "robin", "kappa": "k"}}],
    )


class HybridSection(Section):
    """Particles in a region of the mesh, fed by the PDE that is solved on the rest."""

    region: str = Field(
        description="region of the mesh in which the molecules are particles", examples=["inside"]
    )
    domain: DomainField = Field(
        default=MeshDomain(),
        description="a form of its own for the place of the particles, which the region of the "
        "mesh then only stands for: a shell or a ball about the origin, a box, an interval; "
        "without, they walk through the cells of the region",
        examples=[{"type": "shell", "inner": "sigma", "outer": "2*sigma"}],
    )
    interface: str | None = Field(
        default=None,
        description="wall of `domain` behind which the PDE begins; its other walls have the names "
        "of boundaries of the mesh, or reflect",
        examples=["reservoir"],
    )
    coupling: Literal["two-way", "one-way"] = Field(
        default="two-way",
        description="`two-way`: the PDE is solved outside of the region, and gains and loses what "
        "crosses; `one-way`: it is solved on the whole mesh, and feeds the particles without "
        "noticing them",
        examples=["one-way"],
    )
    reservoir: Literal["shared", "own"] = Field(
        default="shared",
        description="`shared`: all replicas feed one PDE, which has their mean; `own`: each has a "
        "PDE of its own, so that each conserves its amounts, and numbers of particles vary less "
        "than they should, unless there is `noise`",
        examples=["own"],
    )
    noise: StrictBool = Field(
        default=False,
        description="whether the flux in the reservoirs fluctuates as that of particles does, so "
        'that numbers of particles vary as they should (`reservoir = "own"`)',
        examples=[True],
    )
    stored: str | None = Field(
        default=None,
        description="results directory of a reaction-diffusion run with fields of all species, "
        "relative to the case directory: it takes the place of the PDE (one-way)",
        examples=["results"],
    )
    substeps: Annotated[StrictInt, at_least(1)] = Field(
        default=1,
        description="steps of the particles within one step of the PDE, time.step",
        examples=[4],
    )
    scheme: SCHEMES = Field(
        default="crossing",
        description="how particles cross the interface: as open walls of the model particles",
        examples=["layer-matched"],
    )
    width: Annotated[float | None, Quantity("length", POSITIVE)] = Field(
        default=None,
        description="width of the layer, of the schemes that have one",
        examples=[0.1],
    )
    species: dict[str, HybridSpecies] = Field(
        description="species by name: all that [chemistry] has, chemostats excepted",
        examples=[{"A": {"diffusion": 1.0, "initial": 20.0}}],
    )
    radii: dict[str, Annotated[float, Quantity("length", POSITIVE)]] = Field(
        default={},
        description="distance within which the particles of a reaction of two react (Doi), by the "
        "name of the reaction; their rate follows from the rate constant that the PDE has",
        examples=[{"annihilation": 0.1}],
    )
    replicas: Annotated[StrictInt, at_least(1)] = Field(
        default=1, description="number of copies of the particles", examples=[100]
    )
    seed: Annotated[StrictInt, at_least(0)] = Field(
        default=0, description="seed of the random numbers", examples=[1]
    )
    compare: tuple[Literal["pde", "particles"], ...] = Field(
        default=(),
        description="`pde`: also solve the PDE on the whole mesh, and hold the mean of the "
        "particles against it; `particles`: also run as many replicas of particles everywhere",
        examples=[["pde"]],
    )
    measure: MeasureSection = Field(
        default=MeasureSection(),
        description="what is measured of the particles over time",
        examples=[{"begin": 1.0, "flux": "reactive"}],
    )
    averages: dict[str, Average] = Field(
        default={},
        description="further observables: means over the particles of a species",
        examples=[{"mode": {"species": "A", "of": "cos(pi*x)"}}],
    )
    probes: dict[str, Point] = Field(
        default={},
        description="points of the PDE at which every concentration is an observable, by name",
        examples=[{"far": [0.9, 0.5]}],
    )
    derived: dict[str, str] = Field(
        default={},
        description="further observables: expressions of other observables and parameters",
        examples=[{"total": "count_A + reservoir_amount_A"}],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        in_closed_form = not isinstance(self.domain, MeshDomain)
        for error in (
            CaseError("says where the PDE begins: the key is missing", key=".interface",
                      valid="a wall of the domain")
            if in_closed_form and self.interface is None
            else None,
            CaseError("is a wall of a domain of its own form", key=".interface",
                      found=self.interface, valid="with `domain`")
            if self.interface is not None and not in_closed_form
            else None,
            CaseError("a stored run does not notice particles", key=".coupling",
                      found=self.coupling, valid=["one-way"])
            if self.stored is not None and self.coupling == "two-way"
            else None,
            CaseError("a PDE that does not notice particles is the same for all replicas",
                      key=".reservoir", found=self.reservoir, valid=["shared"])
            if self.coupling == "one-way" and self.reservoir == "own"
            else None,
            CaseError("only a reservoir that each replica has for itself can fluctuate",
                      key=".noise", found=self.noise, valid='with reservoir = "own"')
            if self.noise and self.reservoir == "shared"
            else None,
        ):  # fmt: skip
            if error is not None:
                raise as_pydantic(error)
        return self
