"""An SBML file to a network of reactions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fem_rd.chemistry.equations import HIGHEST_COUNT, network_of
from fem_rd.chemistry.network import Complex, Network, Reaction
from fem_rd.chemistry.sbml.file import read_model
from fem_rd.chemistry.sbml.formulas import number
from fem_rd.chemistry.sbml.laws import (
    Names,
    Product,
    difference,
    one_way,
    polynomial,
    subtracts,
    two_way,
    without_factor,
)
from fem_rd.chemistry.sbml.symbols import Symbols, at, unlike
from fem_rd.chemistry.sbml.units import notes_on_units
from fem_rd.errors import CaseError, located
from fem_rd.expressions.expression import Expression
from fem_rd.expressions.grammar import Tree, write_tree

if TYPE_CHECKING:
    import libsbml

Counts = dict[str, int]


@dataclass(frozen=True)
class SbmlModel:
    """What an SBML file says of its chemistry, in the units of the file.

    ``initial`` are the concentrations of the species of the network (amount/volume), ``volume`` is
    the size of the compartment. ``net_laws`` are the reactions whose law is a rate forwards less a
    rate backwards that could not be told apart. ``notes`` say what was read otherwise than it is
    written.
    """

    name: str
    network: Network
    initial: Mapping[str, float]
    volume: float
    net_laws: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_sbml(path: str | Path) -> SbmlModel:
    """The network, initial concentrations and volume of an SBML file (Level 2 or 3 core).

    Kinetic laws are substance per time: R is the law over the compartment's size. Laws of mass
    action become rate constants (`fem_rd.chemistry.sbml.laws`), all others laws. Raises `CaseError`
    with the file and the element for what is wrong or not supported.
    """
    with located(path):
        model = read_model(Path(path))
        try:
            return _Reader(model).read()
        except RecursionError:
            raise CaseError("formulas are nested too deeply") from None


@dataclass
class _Findings:
    """What the reactions of a file turn out to be, while they are read."""

    reactions: list[Reaction] = field(default_factory=list)
    net_laws: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Reader:
    """Reads one model."""

    def __init__(self, model: libsbml.Model) -> None:
        _refuse_dynamics(model)
        self._model = model
        self._symbols = Symbols(model)
        derived = self._symbols.rules.keys() - self._symbols.reacting
        names = {each: name for each, name in self._symbols.names.items() if each not in derived}
        self._held = {name: each for each, name in names.items() if self._is_held(each)}
        self._species = {name: each for each, name in names.items() if name not in self._held}
        self._names = Names(
            species=frozenset(self._species),
            held=frozenset(self._held),
            size=self._symbols.size,
            volume=self._symbols.volume,
        )
        self._rank = {name: i for i, name in enumerate((*self._species, *sorted(self._held)))}
        self._taken = {each.getId() for each in model.getListOfReactions()}
        self._found = _Findings()

    def read(self) -> SbmlModel:
        """The whole model."""
        for reaction in self._model.getListOfReactions():
            with at(f"reaction {reaction.getId()}"):
                self._read_reaction(reaction)
        symbols, found = self._symbols, self._found
        used = set(_names_in(found.reactions))
        chemostats = {
            name: symbols.concentration_in_time(self._held[name])
            for name in sorted(used & self._held.keys())
        }
        network = network_of(
            _paired(found.reactions), species=tuple(self._species), chemostats=chemostats
        )
        return SbmlModel(
            name=self._model.getName() or self._model.getId(),
            network=network,
            initial={name: symbols.concentration(each) for name, each in self._species.items()},
            volume=symbols.volume,
            net_laws=tuple(found.net_laws),
            notes=(*self._notes(), *found.notes),
        )

    def _is_held(self, identifier: str) -> bool:
        """Whether reactions do not change a species."""
        species = self._symbols.species[identifier]
        return bool(species.getBoundaryCondition() or species.getConstant())

    def _notes(self) -> Iterator[str]:
        for identifier, name in self._symbols.names.items():
            if identifier != name:
                yield f"species {identifier!r} is called {name!r}: expressions use the word"
        if len({each.getCompartment() for each in self._symbols.species.values()}) > 1:
            yield "several compartments of one size are read as one volume"
        if self._model.getNumConstraints():
            yield "constraints are not checked"
        yield from notes_on_units(self._model)

    def _read_reaction(self, reaction: libsbml.Reaction) -> None:
        name, law = reaction.getId(), reaction.getKineticLaw()
        if law is None:
            raise CaseError("a reaction has no kinetic law", valid="one kineticLaw for each")
        left = self._side(reaction.getListOfReactants())
        right = self._side(reaction.getListOfProducts())
        local = {each.getId(): number(each.getValue()) for each in _local_parameters(law)}
        tree = self._symbols.expression(law.getMath(), local).tree
        found = self._one_way(name, tree, left, right)
        if reaction.getReversible() and found.law is not None and subtracts(tree):
            self._found.reactions += self._two_ways(name, tree, left, right)
        else:
            self._found.reactions.append(found)

    def _one_way(self, name: str, tree: Tree, left: Counts, right: Counts) -> Reaction:
        """A reaction of mass action where the law is one product, else one with a law."""
        law = polynomial(tree, self._names.all)
        product = None if law is None else one_way(law, self._names, left)
        if product is not None:
            return self._mass_action(name, product, left, right)
        return Reaction(name, tuple(left.items()), tuple(right.items()), law=self._law(tree))

    def _two_ways(self, name: str, tree: Tree, left: Counts, right: Counts) -> tuple[Reaction, ...]:
        """A reaction and its reverse, or one with a net law where they cannot be told apart."""
        back = unlike(f"{name}_reverse", self._taken)
        law = polynomial(tree, self._names.all)
        products = None if law is None else two_way(law, self._names, left, right)
        parts = difference(tree)
        if products is not None:
            forward = self._mass_action(name, products[0], left, right)
            backward = self._mass_action(back, products[1], right, left)
        elif parts is not None:
            forward = self._one_way(name, parts[0], left, right)
            backward = self._one_way(back, parts[1], right, left)
        else:
            self._found.net_laws.append(name)
            return (Reaction(name, tuple(left.items()), tuple(right.items()), law=self._law(tree)),)
        if (forward.reactants, forward.products) != (backward.products, backward.reactants):
            return forward, backward  # a catalyst of one direction only: not each other's reverse
        return replace(forward, reverse=back), replace(backward, reverse=name)

    def _mass_action(self, name: str, law: Product, left: Counts, right: Counts) -> Reaction:
        """Concentrations in the law beyond the reactants are catalysts: they are on both sides."""
        reactants, products = dict(left), dict(right)
        for each in sorted(law.powers, key=self._rank.__getitem__):
            if count := law.powers[each] - left.get(each, 0):
                reactants[each] = reactants.get(each, 0) + count
                products[each] = products.get(each, 0) + count
        if law.discrete:
            message = f"reaction {name!r} has a law of discrete molecules: k = {law.rate}"
            self._found.notes.append(message)
        return Reaction(name, tuple(reactants.items()), tuple(products.items()), rate=law.rate)

    def _law(self, tree: Tree) -> Expression:
        """Events per volume and time."""
        text = write_tree(without_factor(tree, self._names.size))
        sizes = {self._names.size: self._names.volume}
        return Expression.parse(text, names=self._symbols.variables, where=None, parameters=sizes)

    def _side(self, references: libsbml.ListOfSpeciesReferences) -> Counts:
        """Species and how many of each."""
        counts: Counts = {}
        for each in references:
            count = each.getStoichiometry()
            if each.isSetStoichiometryMath() or each.getId() in self._symbols.assigned:
                raise CaseError("a stoichiometry is a formula", found=each.getSpecies())
            if not (0 <= count <= HIGHEST_COUNT and float(count).is_integer()):
                message = f"the stoichiometry of {each.getSpecies()!r} must be an integer"
                raise CaseError(message, found=count, valid=f"0, 1, 2, ... {HIGHEST_COUNT}")
            if count:
                name = self._name(each.getSpecies())
                counts[name] = counts.get(name, 0) + int(count)
        return counts

    def _name(self, identifier: str) -> str:
        """Our name of a species that reacts."""
        names = self._symbols.names
        if identifier not in names:
            raise CaseError("unknown species", found=identifier, valid=names)
        if identifier in self._symbols.rules and names[identifier] in self._species:
            raise CaseError("a species has a rule and reacts", key=identifier)
        return names[identifier]


def _refuse_dynamics(model: libsbml.Model) -> None:
    """Raise `CaseError` for what is not chemistry alone."""
    for event in model.getListOfEvents():
        raise CaseError("events are not supported", key=event.getId() or "event")
    compartments = {each.getId() for each in model.getListOfCompartments()}
    for rule in model.getListOfRules():
        kind = "algebraic" if rule.isAlgebraic() else "rate" if rule.isRate() else ""
        if kind:
            message = f"{kind} rules are not supported"
            raise CaseError(message, key=rule.getVariable() or "rule", valid="assignment rules")
        if rule.getVariable() in compartments:
            raise CaseError("a compartment changes its size", key=rule.getVariable())
    for species in model.getListOfSpecies():
        if model.isSetConversionFactor() or species.isSetConversionFactor():
            raise CaseError("conversion factors are not supported", key=species.getId())
    for reaction in model.getListOfReactions():
        if reaction.isSetFast() and reaction.getFast():
            message = "fast reactions are not supported"
            raise CaseError(message, key=f"reaction {reaction.getId()}", valid='fast="false"')


def _local_parameters(law: libsbml.KineticLaw) -> Iterator[libsbml.Parameter]:
    yield from (law.getParameter(i) for i in range(law.getNumParameters()))


def _names_in(reactions: list[Reaction]) -> Iterator[str]:
    for each in reactions:
        yield from (name for side in (each.reactants, each.products) for name, _ in side)
        yield from each.law.names if each.law else ()


def _paired(reactions: list[Reaction]) -> list[Reaction]:
    """NAME and NAME_reverse that undo each other know it."""

    def sides(each: Reaction) -> tuple[Complex, Complex]:
        return each.reactants, each.products

    by_name = {each.name: each for each in reactions}
    for name, forward in by_name.items():
        back = by_name.get(f"{name}_reverse")
        if back and not (forward.reverse or back.reverse) and sides(forward) == sides(back)[::-1]:
            by_name[name] = replace(forward, reverse=back.name)
            by_name[back.name] = replace(back, reverse=name)
    return list(by_name.values())
