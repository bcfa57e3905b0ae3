"""Reactions as people write them, and networks made of them.

``2 A + B -> C``, ``A + B <-> C``, ``0 -> A``, ``2 A -> 0``: a count before a name is how many,
``0`` or nothing is the empty side, ``<->`` is a reaction and the one that undoes it. The rates are
those of `fem_rd.chemistry.network`.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from fem_rd.chemistry.network import Complex, Network, Reaction, combinations
from fem_rd.errors import CaseError, nearest
from fem_rd.expressions.expression import SPACE_TIME, Expression
from fem_rd.expressions.functions import CONSTANTS, FUNCTIONS
from fem_rd.expressions.grammar import Call, write_tree

Rate = float | str | Expression
"""A number, the text of an expression of x, y, z, r, t, or that expression."""

HIGHEST_ORDER = 8  # molecules that meet by mass action: more is a slip of the pen
HIGHEST_COUNT = 10_000  # molecules of one species that one event takes or makes

_VALID = 'sides like "2 A + B" or "0", joined by -> or <->'
_ARROW = re.compile(r"<->|->")
_TERM = re.compile(r"(?P<count>\d+)?\s*(?P<name>[A-Za-z_]\w*)", re.ASCII)
_RESERVED = frozenset((*SPACE_TIME, *CONSTANTS, *FUNCTIONS, *keyword.kwlist))


def read_equation(text: str) -> tuple[Complex, Complex, bool]:
    """Reactants, products and whether the reaction is reversible.

    Raises `CaseError` for a text that is not a reaction or does not change anything.
    """
    arrows = _ARROW.findall(text)
    if len(arrows) != 1:
        missing = "no arrow" if not arrows else "more than one arrow"
        raise CaseError(f"a reaction with {missing}", found=text, valid=_VALID)
    reactants, products = (_side(part, text) for part in _ARROW.split(text))
    if dict(reactants) == dict(products):
        raise CaseError("the reaction changes nothing", found=text, valid=_VALID)
    return reactants, products, arrows[0] == "<->"


def reactions_of(
    name: str,
    equation: str,
    *,
    rate: Expression | None = None,
    law: Expression | None = None,
    reverse_rate: Expression | None = None,
    reverse_law: Expression | None = None,
) -> tuple[Reaction, ...]:
    """One reaction, or two for a reversible equation: NAME and NAME_reverse.

    Each direction has a ``rate`` of mass action or a ``law``. Raises `CaseError` for a bad
    equation and for a rate that is missing or too many.
    """
    reactants, products, reversible = read_equation(equation)
    _one_of(name, "rate", "law", rate, law)
    if not reversible:
        if reverse_rate is not None or reverse_law is not None:
            message = f"reaction {name!r} has a reverse rate but is not reversible"
            raise CaseError(message, found=equation, valid="A <-> B for a reversible reaction")
        return (Reaction(name, reactants, products, rate, law),)
    _one_of(name, "reverse rate", "reverse law", reverse_rate, reverse_law)
    back = f"{name}_reverse"
    return (
        Reaction(name, reactants, products, rate, law, reverse=back),
        Reaction(back, products, reactants, reverse_rate, reverse_law, reverse=name),
    )


def rate_of_combinations(combination_rate: Expression, reactants: Complex) -> Expression:
    """The k of mass action where each set of reactant molecules reacts at ``combination_rate``.

    k = lambda / prod_i m_i! (open-reaction-diffusion eq. 17).
    """
    sets = float(combinations(reactants))
    if sets == 1:
        return combination_rate
    if combination_rate.is_constant:
        return Expression.constant(combination_rate.value / sets)
    tree = Call("/", (combination_rate.tree, sets))
    return Expression(write_tree(tree), tree)


def mass_action(
    equations: Mapping[str, tuple[str, Rate] | tuple[str, Rate, Rate | None]],
    *,
    species: Sequence[str] | None = None,
    chemostats: Mapping[str, Rate] | None = None,
) -> Network:
    """The network of reactions ``name: (equation, k)`` or ``name: (equation, k, k_back)``.

    Species are in the order of first appearance where not given. Raises `CaseError`.
    """
    reactions: list[Reaction] = []
    for name, (equation, rate, *back) in equations.items():
        reverse = None if not back or back[0] is None else _expression(back[0], name)
        forward = _expression(rate, name)
        reactions += reactions_of(name, equation, rate=forward, reverse_rate=reverse)
    held = {name: _expression(value, name) for name, value in (chemostats or {}).items()}
    return network_of(reactions, species=species, chemostats=held)


def network_of(
    reactions: Iterable[Reaction],
    *,
    species: Sequence[str] | None = None,
    chemostats: Mapping[str, Expression] | None = None,
) -> Network:
    """The checked network of ``reactions``.

    ``species`` gives the order (that of first appearance by default) and may name more than react;
    ``chemostats`` are no species. Raises `CaseError` for names that are used twice, unknown or
    reserved, and for rates that depend on what they must not.
    """
    reactions, held = tuple(reactions), dict(chemostats or {})
    named = [
        name for each in reactions for side in (each.reactants, each.products) for name, _ in side
    ]
    known = tuple(dict.fromkeys(named if species is None else species))
    if species is None:
        known = tuple(name for name in known if name not in held)
    elif unknown := set(named).difference(species, held):
        wrong = min(unknown)
        message = f"unknown species {wrong!r}{nearest(wrong, known)}"
        raise CaseError(message, valid=(*known, *held))
    _check_names(reactions, known, held, named)
    for reaction in reactions:
        _check_rate(reaction, (*known, *held))
    for name, value in held.items():
        _check_variables(f"the concentration of {name!r}", value, SPACE_TIME)
    return Network(known, reactions, held)


def _side(text: str, equation: str) -> Complex:
    """Species and counts of one side; a species that is written twice is added up."""
    if text.strip() in ("", "0"):
        return ()
    counts: Counter[str] = Counter()
    for term in text.split("+"):
        found = _TERM.fullmatch(term.strip())
        count = int((found and found["count"]) or 1)
        if found is None or not 1 <= count <= HIGHEST_COUNT:
            what = f"the term {term.strip()!r} is not a species with a count before it"
            raise CaseError(what, found=equation, valid=_VALID)
        counts[found["name"]] += count
    return tuple(counts.items())


def _one_of(
    name: str, rate_word: str, law_word: str, rate: Expression | None, law: Expression | None
) -> None:
    if (rate is None) == (law is None):
        amount = "no" if rate is None else "both a"
        joined = f"{amount} {rate_word} {'or' if rate is None else 'and a'} {law_word}"
        raise CaseError(f"reaction {name!r} has {joined}", valid=f"one of {rate_word}, {law_word}")


def _expression(rate: Rate, name: str) -> Expression:
    if isinstance(rate, Expression):
        return rate
    return Expression.parse(rate, names=SPACE_TIME, where=name)


def _check_names(
    reactions: Sequence[Reaction],
    species: Sequence[str],
    held: Mapping[str, Expression],
    named: Sequence[str],
) -> None:
    names = {reaction.name: reaction for reaction in reactions}
    if len(names) < len(reactions):
        twice = Counter(reaction.name for reaction in reactions).most_common(1)[0][0]
        raise CaseError(f"two reactions have the name {twice!r}")
    for name in (*species, *held):
        if name in _RESERVED or not name.isidentifier():
            raise CaseError(f"{name!r} cannot be the name of a species: it has another meaning")
    if both := [name for name in species if name in held]:
        raise CaseError(f"{both[0]!r} is held fixed and cannot be a species as well")
    laws = {name for reaction in reactions if reaction.law for name in reaction.law.names}
    if idle := [name for name in held if name not in named and name not in laws]:
        message = f"no reaction has the chemostat {idle[0]!r}{nearest(idle[0], named)}"
        raise CaseError(message, valid=set(named))
    for reaction in reactions:
        back = names.get(reaction.reverse or "")
        if reaction.reverse and (back is None or back.reverse != reaction.name):
            raise CaseError(f"{reaction.reverse!r} is not the reverse of {reaction.name!r}")


def _check_rate(reaction: Reaction, concentrations: Sequence[str]) -> None:
    name, rate, law = reaction.name, reaction.rate, reaction.law
    _one_of(name, "rate", "law", rate, law)
    if law is not None:
        _check_variables(f"the law of {name!r}", law, (*concentrations, *SPACE_TIME))
    if rate is not None:
        _check_variables(f"the rate of {name!r}", rate, SPACE_TIME)
        if rate.is_constant and rate.value < 0:
            raise CaseError(f"the rate of {name!r} is negative", found=rate.value, valid=">= 0")
        if reaction.order > HIGHEST_ORDER:
            message = f"{reaction.order} molecules cannot meet in {name!r}"
            valid = f"at most {HIGHEST_ORDER} by mass action, any number with a law"
            raise CaseError(message, found=reaction.equation, valid=valid)


def _check_variables(what: str, expression: Expression, allowed: Sequence[str]) -> None:
    if unknown := expression.names.difference(allowed):
        wrong = min(unknown)
        message = f"{what} cannot depend on {wrong!r}{nearest(wrong, allowed)}"
        raise CaseError(message, found=expression.text, valid=set(allowed))
