"""What the identifiers of an SBML model stand for: numbers, species, formulas."""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fem_rd.chemistry.sbml.formulas import formula, number
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression
from fem_rd.expressions.functions import CONSTANTS, FUNCTIONS

if TYPE_CHECKING:
    import libsbml

_RESERVED = frozenset((*SPACE_TIME, *CONSTANTS, *FUNCTIONS, *keyword.kwlist))
_NOTHING: Mapping[str, str] = {}


@contextmanager
def at(key: str) -> Iterator[None]:
    """Name the element of the file in the mistakes that are found inside."""
    try:
        yield
    except CaseError as error:
        raise error.at(key=key) from None


class Symbols:
    """The identifiers of one model.

    ``names`` are the species, by their identifiers; ``size`` is what the compartment's size is
    called in formulas and ``volume`` its value; ``variables`` are the names in laws; ``rules`` are
    the assigned formulas, ``assigned`` all that have one; ``reacting`` are species in reactions.
    """

    def __init__(self, model: libsbml.Model) -> None:
        self.species = {each.getId(): each for each in model.getListOfSpecies()}
        self.rules = {each.getVariable(): each.getMath() for each in model.getListOfRules()}
        self._starts = {
            each.getSymbol(): each.getMath() for each in model.getListOfInitialAssignments()
        }
        self._functions = {
            each.getId(): each.getMath() for each in model.getListOfFunctionDefinitions()
        }
        self._compartments = {each.getId(): each for each in model.getListOfCompartments()}
        self._parameters = {each.getId(): each for each in model.getListOfParameters()}
        self.assigned = self.rules.keys() | self._starts.keys()
        self.reacting = {
            each.getSpecies()
            for reaction in model.getListOfReactions()
            for side in (reaction.getListOfReactants(), reaction.getListOfProducts())
            for each in side
        }
        self._values: dict[str, float] = {}
        self._open: set[str] = set()
        self.names = _renamed(self.species)
        self.variables = frozenset((*self.names.values(), "t"))
        self.size = unlike("V", self.variables)
        self._all_variables = self.variables | {self.size}
        self.volume = self._common_volume()

    def start(self, identifier: str) -> float:
        """The number an identifier is at time zero, as formulas see it. Raises `CaseError`."""
        if identifier not in self._values:
            with self._once(identifier), at(identifier):
                self._values[identifier] = self._start(identifier)
        return self._values[identifier]

    def concentration(self, identifier: str) -> float:
        """The concentration of a species at time zero."""
        value = self.start(identifier)
        if not 0 <= value < math.inf:
            message = "the initial value of a species must be finite and not negative"
            raise CaseError(message, key=identifier, found=value)
        amount = self.species[identifier].getHasOnlySubstanceUnits()
        return value / self.volume if amount else value

    def concentration_in_time(self, identifier: str) -> Expression:
        """The concentration of a species that no reaction changes."""
        if identifier not in self.rules:
            return Expression.constant(self.concentration(identifier))
        amount = self.species[identifier].getHasOnlySubstanceUnits()
        text = self._formula(self.rules[identifier], self._running)
        text = f"{text}/{self.size}" if amount else text
        sizes = {self.size: self.volume}
        return Expression.parse(text, names=("t",), where=identifier, parameters=sizes)

    def expression(self, node: libsbml.ASTNode, local: Mapping[str, str] = _NOTHING) -> Expression:
        """A formula of concentrations, the time and `size`; ``local`` texts come first."""
        text = self._formula(node, lambda name: local.get(name) or self._running(name))
        return Expression.parse(text, names=self._all_variables, where=None)

    def _running(self, identifier: str) -> str:
        """The text that stands for an identifier while time goes on."""
        if identifier in self.rules and identifier not in self.reacting:
            with self._once(identifier):
                return f"({self._formula(self.rules[identifier], self._running)})"
        if identifier in self.species:
            name = self.names[identifier]
            amount = self.species[identifier].getHasOnlySubstanceUnits()
            return f"({name}*{self.size})" if amount else name
        if identifier in self._compartments and self.start(identifier) == self.volume:
            return self.size
        with at(identifier):
            return number(self.start(identifier))

    def _start(self, identifier: str) -> float:
        node = self.rules.get(identifier) or self._starts.get(identifier)
        if node is not None:
            text = self._formula(node, lambda name: number(self.start(name)))
            value = Expression.parse(text, names=("t",), where=None).evaluate({"t": 0.0})
            return float(value)
        if identifier in self.species:
            return _given_start(self.species[identifier], self.start)
        if identifier in self._compartments:
            return float(self._compartments[identifier].getSize())
        if identifier in self._parameters:
            if not self._parameters[identifier].isSetValue():
                raise CaseError("a parameter has no value", valid="a value or a formula")
            return float(self._parameters[identifier].getValue())
        raise CaseError(
            "there is no species, compartment or parameter of this name",
            valid={*self.species, *self._compartments, *self._parameters},
        )

    def _formula(self, node: libsbml.ASTNode, lookup: Callable[[str], str]) -> str:
        if node is None:
            raise CaseError("there is no formula", valid="MathML")
        return formula(node, lookup, self._functions)

    def _common_volume(self) -> float:
        """The size of the compartments with species in them."""
        used = dict.fromkeys(each.getCompartment() for each in self.species.values())
        sizes = {each: self.start(each) for each in used or self._compartments}
        for name, size in sizes.items():
            if not 0 < size < math.inf:
                raise CaseError("a compartment has no size", key=name, valid="a positive number")
        if len(set(sizes.values())) > 1:
            raise CaseError(
                "species are in compartments of different sizes",
                found=", ".join(f"{name} = {size:.12g}" for name, size in sizes.items()),
                valid="one compartment, or several of one size",
            )
        return next(iter(sizes.values()), 1.0)

    @contextmanager
    def _once(self, identifier: str) -> Iterator[None]:
        """Refuse formulas that contain themselves."""
        if identifier in self._open:
            raise CaseError("a formula depends on itself", key=identifier)
        self._open.add(identifier)
        try:
            yield
        finally:
            self._open.discard(identifier)


def unlike(name: str, taken: Collection[str]) -> str:
    """The name, with underscores after it as long as it is taken."""
    while name in taken:
        name += "_"
    return name


def _given_start(species: libsbml.Species, start: Callable[[str], float]) -> float:
    """The initial amount or concentration, whichever formulas see."""
    amount = species.getHasOnlySubstanceUnits()
    if species.isSetInitialAmount():
        value = float(species.getInitialAmount())
        return value if amount else value / start(species.getCompartment())
    if species.isSetInitialConcentration():
        value = float(species.getInitialConcentration())
        return value * start(species.getCompartment()) if amount else value
    raise CaseError(
        "a species has no initial value", valid="initialAmount, initialConcentration or a formula"
    )


def _renamed(species: Collection[str]) -> dict[str, str]:
    """Names for the species: their identifiers, except for words that mean something else."""
    names: dict[str, str] = {}
    for identifier in species:
        others = (*species, *names.values()) if identifier in _RESERVED else ()
        names[identifier] = unlike(identifier, {*_RESERVED, *others})
    return names
