"""A network of reactions to an SBML file, Level 3 Version 2 core."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from fem_rd.chemistry.network import Complex, Network, Reaction
from fem_rd.chemistry.sbml.file import require_consistent
from fem_rd.chemistry.sbml.formulas import MATHML, mathml, product
from fem_rd.chemistry.sbml.symbols import at, unlike
from fem_rd.errors import CaseError, located
from fem_rd.expressions.expression import Expression
from fem_rd.expressions.grammar import Call, Tree

SBML = "http://www.sbml.org/sbml/level3/version2/core"

Element = ElementTree.Element
_sub = ElementTree.SubElement


def write_sbml(
    network: Network,
    path: str | Path,
    *,
    initial: Mapping[str, float],
    volume: float = 1.0,
    name: str = "network",
) -> None:
    """Write a network as SBML that libSBML finds consistent.

    ``initial`` are the concentrations (amount/volume) of all species, ``volume`` is the size of the
    compartment. Mass action is k A^m B^n V, a law R is V R, a chemostat a species with
    boundaryCondition; a reaction and its reverse are two. Raises `CaseError` for what depends on
    place, for functions that SBML has not, and for names that SBML cannot have.
    """
    path = Path(path)
    with located(path):
        if not 0 < volume < math.inf:
            raise CaseError("the volume must be positive and finite", found=volume)
        root = _Writer(network, volume).document(initial, name)
        ElementTree.indent(root)
        beside = path.with_name(f"{path.name}.part")
        ElementTree.ElementTree(root).write(beside, encoding="UTF-8", xml_declaration=True)
        try:
            require_consistent(beside)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


class _Writer:
    """Writes one network; identifiers of SBML share one set of names."""

    def __init__(self, network: Network, volume: float) -> None:
        self._network, self._volume = network, volume
        self._taken = {*network.species, *network.chemostats}
        self._size = self._new("compartment")
        self._constant = self._new("k")

    def document(self, initial: Mapping[str, float], name: str) -> Element:
        """The whole file."""
        root = Element("sbml", {"xmlns": SBML, "level": "3", "version": "2"})
        model = _sub(root, "model", {"name": name})
        compartment = {
            "id": self._size,
            "spatialDimensions": "3",
            "size": repr(float(self._volume)),
            "constant": "true",
        }
        _sub(_sub(model, "listOfCompartments"), "compartment", compartment)
        self._species(_sub(model, "listOfSpecies"), initial)
        changing = {k: v for k, v in self._network.chemostats.items() if not v.is_constant}
        if changing:
            rules = _sub(model, "listOfRules")
            for held, value in changing.items():
                with at(held):
                    _sub(rules, "assignmentRule", {"variable": held}).append(_math(value.tree))
        reactions = _sub(model, "listOfReactions")
        for reaction in self._network.reactions:
            with at(f"reaction {reaction.name}"):
                self._reaction(reactions, reaction)
        return root

    def _species(self, parent: Element, initial: Mapping[str, float]) -> None:
        for name in self._network.species:
            if name not in initial:
                raise CaseError("a species has no initial concentration", key=name, valid=initial)
            start = float(initial[name])
            if not 0 <= start < math.inf:
                message = "the initial concentration must be finite and not negative"
                raise CaseError(message, key=name, found=start)
            self._one_species(parent, name, start, held=None)
        for name, value in self._network.chemostats.items():
            start = float(value.evaluate({"t": 0.0}) if value.names <= {"t"} else 0.0)
            self._one_species(parent, name, start, held=value)

    def _one_species(
        self, parent: Element, name: str, start: float, held: Expression | None
    ) -> None:
        attributes = {
            "id": _identifier(name, "a species"),
            "compartment": self._size,
            "initialConcentration": repr(start),
            "hasOnlySubstanceUnits": "false",
            "boundaryCondition": "false" if held is None else "true",
            "constant": "true" if held is not None and held.is_constant else "false",
        }
        _sub(parent, "species", attributes)

    def _reaction(self, parent: Element, reaction: Reaction) -> None:
        name = _identifier(self._new(reaction.name), "a reaction")
        element = _sub(parent, "reaction", {"id": name, "reversible": "false"})
        self._side(element, "listOfReactants", reaction.reactants)
        self._side(element, "listOfProducts", reaction.products)
        law = reaction.law or reaction.rate or Expression.constant(0.0)
        sides = {each for side in (reaction.reactants, reaction.products) for each, _ in side}
        everybody = (*self._network.species, *self._network.chemostats)
        modifiers = [each for each in everybody if each in law.names - sides]
        if modifiers:
            listed = _sub(element, "listOfModifiers")
            for each in modifiers:
                _sub(listed, "modifierSpeciesReference", {"species": each})
        factors: list[Tree] = [law.tree]
        if reaction.law is None:
            powers = [(each, float(n)) for each, n in reaction.reactants]
            concentrations = [each if n == 1 else Call("^", (each, n)) for each, n in powers]
            factors = [self._constant if law.is_constant else law.tree, *concentrations]
        kinetic = _sub(element, "kineticLaw")
        kinetic.append(_math(product([self._size, *factors])))
        if reaction.law is None and law.is_constant:
            constant = {"id": self._constant, "value": repr(law.value)}
            _sub(_sub(kinetic, "listOfLocalParameters"), "localParameter", constant)

    def _side(self, parent: Element, title: str, side: Complex) -> None:
        if not side:
            return
        references = _sub(parent, title)
        for name, count in side:
            attributes = {"species": name, "stoichiometry": str(count), "constant": "true"}
            _sub(references, "speciesReference", attributes)

    def _new(self, name: str) -> str:
        """An identifier that nothing else has."""
        name = unlike(name, self._taken)
        self._taken.add(name)
        return name


def _math(tree: Tree) -> Element:
    element = Element("math", {"xmlns": MATHML})
    element.append(mathml(tree))
    return element


def _identifier(name: str, what: str) -> str:
    if not (name.isascii() and name.isidentifier()):
        valid = "letters, digits and underscores, no digit first"
        raise CaseError(f"the name of {what} is no identifier of SBML", found=name, valid=valid)
    return name
