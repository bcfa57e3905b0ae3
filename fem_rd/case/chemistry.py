"""The section [chemistry]: species, reactions and rates as people write them, to a `Network`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from fem_rd.case.base import Section, joined
from fem_rd.case.quantities import (
    CaseContext,
    Coefficient,
    Quantity,
    as_pydantic,
    read_expression,
    reader_schema,
)
from fem_rd.case.schema import NOT_NEGATIVE, POSITIVE
from fem_rd.chemistry.equations import (
    network_of,
    rate_of_combinations,
    reactions_of,
    read_equation,
)
from fem_rd.chemistry.network import Complex, Network, Reaction
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression, shortened

TABLE = "chemistry.reactions"
KINDS = ("rate", "combination_rate", "law")
REVERSE = "reverse_"
LAW_DIMENSION = "amount/volume/time"
DOI_DIMENSION = "1/time"  # the rate of a pair within reach


@dataclass(frozen=True)
class Chemistry:
    """What a case says of its chemistry.

    ``regions``: where a reaction is confined to, by its name. ``radii``: the distance within which
    the molecules of a nonlocal (Doi) reaction meet; its rate constant is per pair within reach.
    ``initial`` and ``volume`` come from an SBML file, where there is one, with ``notes`` on how it
    was read; ``net_laws`` are its reactions whose law is the difference of both ways. ``keys`` say
    where the case gives the rate or law of a reaction.
    """

    network: Network
    regions: Mapping[str, str] = field(default_factory=dict)
    radii: Mapping[str, float] = field(default_factory=dict)
    initial: Mapping[str, float] = field(default_factory=dict)
    volume: float | None = None
    net_laws: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)

    def key(self, reaction: str) -> str:
        """Where the rate of a reaction comes from."""
        return self.keys.get(reaction, f"chemistry.sbml: reaction {reaction}")

    def key_of_chemostat(self, name: str) -> str:
        """Where the concentration of a chemostat comes from."""
        return joined("chemistry.chemostats", name) if self.keys else f"chemistry.sbml: {name}"


@dataclass(frozen=True)
class RateConstant:
    """The constant of a reaction; its dimension follows from the equation."""

    kind = "expression of x, y, z, r, t"
    dimension = "(volume/amount)^(order - 1)/time"
    names = SPACE_TIME

    def __get_pydantic_core_schema__(self, _: Any, __: Any) -> Any:
        return reader_schema(lambda value, _: value)  # read already, with the equation


@dataclass(frozen=True)
class Law:
    """The events of a reaction per volume and time, of the concentrations of the species."""

    kind = "expression of the species and x, y, z, r, t"
    dimension = LAW_DIMENSION

    def read(self, value: object, context: CaseContext) -> Expression:
        """The expression. Raises `CaseError`."""
        names = (*context.species, *SPACE_TIME)
        return read_expression(value, self.dimension, names, context)

    def __get_pydantic_core_schema__(self, _: Any, __: Any) -> Any:
        return reader_schema(self.read)


class ReactionSection(Section):
    """A reaction, and how often it happens.

    With m_i molecules of species i meeting, the events per volume and time are
    rate * prod c_i^m_i, or combination_rate * prod c_i^m_i / m_i!, or the law. One event makes the
    products from the reactants: `2 A -> 0` at the combination rate k gives dc/dt = -k c^2.
    """

    equation: str = Field(
        description="the reaction; `<->` goes both ways, `0` is nothing",
        examples=["A + B <-> C"],
    )
    rate: Annotated[Expression | None, RateConstant()] = Field(
        default=None, description="constant of the law of mass action", examples=["1e6 /M/s"]
    )
    combination_rate: Annotated[Expression | None, RateConstant()] = Field(
        default=None,
        description="rate of each set of molecules that can react (Gillespie's constant, times "
        "volume^(order - 1)); with `radius`, of each pair within it, in 1/time",
        examples=["k"],
    )
    law: Annotated[Expression | None, Law()] = Field(
        default=None,
        description="events per volume and time where mass action is not the law",
        examples=["vmax*S/(K + S)"],
    )
    reverse_rate: Annotated[Expression | None, RateConstant()] = Field(
        default=None, description="as `rate`, of the reaction backward", examples=["10 /s"]
    )
    reverse_combination_rate: Annotated[Expression | None, RateConstant()] = Field(
        default=None, description="as `combination_rate`, of the reaction backward", examples=["k"]
    )
    reverse_law: Annotated[Expression | None, Law()] = Field(
        default=None, description="as `law`, of the reaction backward", examples=["k*P"]
    )
    region: str | None = Field(
        default=None,
        description="region of the mesh to which the reaction is confined",
        examples=["core"],
    )
    radius: Annotated[float | None, Quantity("length", POSITIVE)] = Field(
        default=None,
        description="distance within which two molecules react (the Doi model): makes the "
        "reaction nonlocal",
        examples=["2 nm"],
    )

    @field_validator("equation")
    @classmethod
    def _readable(cls, text: str) -> str:
        _sides(text)
        return text

    @model_validator(mode="before")
    @classmethod
    def _rates(cls, data: Any, info: ValidationInfo) -> Any:
        """Read the constants, whose dimension depends on the equation."""
        if not isinstance(data, dict) or not isinstance(data.get("equation"), str):
            return data
        reactants, products, _ = _sides(data["equation"], ".equation")
        context: CaseContext = (info.context or {}).get("case") or CaseContext()
        read = dict(data)
        for start, side in (("", reactants), (REVERSE, products)):
            for kind in ("rate", "combination_rate"):
                if (key := start + kind) in data:
                    doi = kind == "combination_rate" and "radius" in data
                    dimension = DOI_DIMENSION if doi else rate_dimension(order_of(side))
                    read[key] = _constant(data[key], key, dimension, context)
        return read

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        reactants, _, reversible = _sides(self.equation)
        self._one_of("", needed=True)
        self._one_of(REVERSE, needed=reversible)
        pair = order_of(reactants) == 2 and self.combination_rate is not None
        if self.radius is not None and not pair:
            error = CaseError(
                "only a reaction of two molecules with a combination_rate can be nonlocal",
                key=".radius",
                found=self.equation,
                valid='such as equation = "A + B -> C", combination_rate = ..., radius = ...',
            )
            raise as_pydantic(error)
        return self

    def _one_of(self, start: str, *, needed: bool) -> None:
        given = [start + kind for kind in KINDS if getattr(self, start + kind) is not None]
        valid = [start + kind for kind in KINDS]
        if len(given) > 1:
            error = CaseError("give only one of", key=f".{given[1]}", found=given, valid=valid)
        elif given and not needed:
            error = CaseError(
                "the reaction does not go backward",
                key=f".{given[0]}",
                found=self.equation,
                valid="an equation with <->, or no reverse rate",
            )
        elif needed and not given:
            which = "backward" if start else "forward"
            error = CaseError(f"the rate of the {which} reaction is missing", valid=valid)
        else:
            return
        raise as_pydantic(error)


class ChemistrySection(Section):
    """Species and reactions. Species are those that the reactions name."""

    reactions: dict[str, ReactionSection] = Field(
        default={},
        description="reactions by name",
        examples=[{"decay": {"equation": "A -> 0", "rate": 0.1}}],
    )
    chemostats: dict[
        str, Annotated[Expression, Coefficient("amount/volume", SPACE_TIME, NOT_NEGATIVE)]
    ] = Field(
        default={},
        description="species that are held at given concentrations, as by an unlimited supply",
        examples=[{"A": 1.0}],
    )
    sbml: str | None = Field(
        default=None,
        description="SBML file to read the network from, in the place of `reactions`; its path is "
        "relative to the case directory",
        examples=["network.xml"],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = [key for key in ("reactions", "chemostats") if getattr(self, key)]
        if self.sbml is not None and given:
            error = CaseError(
                "the network comes from the SBML file", key=f".{given[0]}", found=given,
                valid="either sbml or reactions",
            )  # fmt: skip
            raise as_pydantic(error)
        if self.sbml is None and not self.reactions:
            error = CaseError("names no reaction", valid=("reactions", "sbml"))
            raise as_pydantic(error)
        return self

    def chemistry(self, directory: Path) -> Chemistry:
        """The network, from the tables or from the SBML file in ``directory``.

        Raises `CaseError`.
        """
        if self.sbml is not None:
            return _from_sbml(self.sbml, directory)
        made = [
            (name, part, reaction)
            for name, part in self.reactions.items()
            for reaction in _reactions(name, part)
        ]
        return Chemistry(
            network_of([reaction for _, _, reaction in made], chemostats=self.chemostats),
            {one.name: part.region for _, part, one in made if part.region is not None},
            {name: part.radius for name, part in self.reactions.items() if part.radius is not None},
            keys={one.name: _key(name, part, one) for name, part, one in made},
        )


def species_named(data: object) -> tuple[str, ...]:
    """Species that the tables of a [chemistry] section name; what is wrong in it is left out."""
    if not isinstance(data, dict):
        return ()
    chemostats = data.get("chemostats", {})
    found = dict.fromkeys(chemostats if isinstance(chemostats, dict) else ())
    reactions = data.get("reactions", {})
    for part in reactions.values() if isinstance(reactions, dict) else ():
        equation = part.get("equation") if isinstance(part, dict) else None
        try:
            reactants, products, _ = read_equation(equation if isinstance(equation, str) else "")
        except CaseError:
            continue
        found |= dict.fromkeys(name for name, _ in (*reactants, *products))
    return tuple(found)


def ambiguous(species: tuple[str, ...], parameters: Mapping[str, float]) -> list[CaseError]:
    """Species that are parameters too: in a law, the name could mean either."""
    message = "a species and a parameter have the same name: rename one"
    return [CaseError(message, key=TABLE, found=name) for name in species if name in parameters]


def order_of(side: Complex) -> int:
    """Molecules on one side of a reaction."""
    return sum(count for _, count in side)


def rate_dimension(order: int) -> str:
    """The dimension of a rate constant of mass action."""
    if order == 0:
        return LAW_DIMENSION
    return "*".join(["volume"] * (order - 1) or ["1"]) + "/amount" * (order - 1) + "/time"


def _sides(text: str, key: str | None = None) -> tuple[Complex, Complex, bool]:
    try:
        return read_equation(text)
    except CaseError as error:
        raise as_pydantic(error.at(key=key) if key else error) from None


def _constant(value: object, key: str, dimension: str, context: CaseContext) -> Expression:
    try:
        return Coefficient(dimension, SPACE_TIME, NOT_NEGATIVE).read(value, context)
    except CaseError as error:
        raise as_pydantic(error.at(key=f".{key}")) from None


def _reactions(name: str, part: ReactionSection) -> tuple[Reaction, ...]:
    reactants, products, _ = read_equation(part.equation)
    return reactions_of(
        name,
        part.equation,
        rate=_mass_action(part.rate, part.combination_rate, reactants),
        law=part.law,
        reverse_rate=_mass_action(part.reverse_rate, part.reverse_combination_rate, products),
        reverse_law=part.reverse_law,
    )


def _mass_action(
    rate: Expression | None, combination_rate: Expression | None, side: Complex
) -> Expression | None:
    return rate if combination_rate is None else rate_of_combinations(combination_rate, side)


def _key(name: str, part: ReactionSection, reaction: Reaction) -> str:
    start = "" if reaction.name == name else REVERSE
    kind = next(kind for kind in KINDS if getattr(part, start + kind) is not None)
    return joined(joined(TABLE, name), start + kind)


def _from_sbml(file: str, directory: Path) -> Chemistry:
    from fem_rd.chemistry.sbml import read_sbml

    key = "chemistry.sbml"
    if not os.path.isfile(directory / file):
        raise CaseError("no such file", key=key, found=shortened(file))
    try:
        read = read_sbml(directory / file)
    except CaseError as error:
        raise error.at(key=key) from None
    return Chemistry(
        read.network,
        initial=read.initial,
        volume=read.volume,
        net_laws=read.net_laws,
        notes=read.notes,
    )
