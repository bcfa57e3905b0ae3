"""Kinetic laws as mass action, where algebra shows that they are.

A law is expanded into a sum of products. Coefficients keep every digit: nothing is rounded as long
as a law is one product. A law is recognised as

    k prod_i c_i^m_i                              mass action, and
    k prod_i c_i (c_i - 1/V) .. (c_i - (m_i-1)/V)  the same law written for discrete molecules,

the propensity of which is the same (`fem_rd.chemistry.network`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from fem_rd.expressions.expression import Expression
from fem_rd.expressions.grammar import Call, Tree, write_tree

Monomial = frozenset[tuple[str, int]]
"""Powers of names, and of texts that have no name of the network in them, such as "sin(t)"."""
Polynomial = dict[Monomial, float]

MOST_TERMS = 200
_HIGHEST_POWER = 12
_ROUNDING = 1e-12  # of a sum that cancels, relative to its terms


@dataclass(frozen=True)
class Product:
    """constant * prod factors^power * prod concentrations^power.

    ``discrete``: the powers of species stand for n (n - 1) .. over V^m.
    """

    constant: float
    factors: Mapping[str, int]
    powers: Mapping[str, int]
    discrete: bool

    @property
    def rate(self) -> Expression:
        """The constant of mass action, a number or an expression of time."""
        if not self.factors:
            return Expression.constant(self.constant)
        texts = [f"({text})" + (f"^({n})" if n != 1 else "") for text, n in self.factors.items()]
        if self.constant != 1:
            texts.insert(0, repr(self.constant))
        return Expression.parse("*".join(texts), names=("t",), where=None)


@dataclass(frozen=True)
class Names:
    """What the names in a law are: ``species`` and ``held`` are concentrations.

    ``size`` is the name of the compartment's size, ``volume`` its value.
    """

    species: frozenset[str]
    held: frozenset[str]
    size: str
    volume: float

    @cached_property
    def all(self) -> frozenset[str]:
        """Whatever is no constant in a law."""
        return self.species | self.held | {self.size}


def one_way(law: Polynomial, names: Names, reactants: Mapping[str, int]) -> Product | None:
    """The product that the whole law is, or None; it has at least the powers of the reactants."""
    if not law:
        return Product(0.0, {}, dict(reactants), False)
    return next((found for found, rest in _peeled(law, names, reactants) if not rest), None)


def two_way(
    law: Polynomial, names: Names, reactants: Mapping[str, int], products: Mapping[str, int]
) -> tuple[Product, Product] | None:
    """The two products whose difference the law is, or None."""
    for forward, rest in _peeled(law, names, reactants):
        back = one_way({term: -value for term, value in rest.items()}, names, products)
        if back is not None:
            return forward, back
    return None


def difference(tree: Tree) -> tuple[Tree, Tree] | None:
    """Two trees free of subtraction whose difference the tree is, or None."""
    if isinstance(tree, float | str):
        return None
    first, *rest = tree.arguments
    if tree.function == "-":
        parts: tuple[Tree, Tree] | None = (first, rest[0])
    elif tree.function in ("*", "/") and (inner := difference(first)):
        parts = Call(tree.function, (inner[0], *rest)), Call(tree.function, (inner[1], *rest))
    elif tree.function == "*" and (inner := difference(rest[0])):
        parts = Call("*", (first, inner[0])), Call("*", (first, inner[1]))
    else:
        return None
    return None if parts is None or any(map(subtracts, parts)) else parts


def subtracts(tree: Tree) -> bool:
    """Whether a tree can be negative for want of a sign: it has a minus or a negative number."""
    if isinstance(tree, float):
        return tree < 0
    if isinstance(tree, str):
        return False
    return tree.function in ("-", "negative") or any(map(subtracts, tree.arguments))


def without_factor(tree: Tree, name: str) -> Tree:
    """The tree over the name: without the factor of that name where it has one."""
    found = _divided(tree, name)
    return Call("/", (tree, name)) if found is None else found


def polynomial(tree: Tree, symbols: Collection[str]) -> Polynomial | None:
    """The sum of products that a tree is in ``symbols``, or None where it is not one.

    Powers are integers of either sign; parts without symbols are factors as they stand.
    """
    if isinstance(tree, float):
        return {frozenset(): tree} if tree else {}
    if _free(tree, symbols):
        return {frozenset({(write_tree(tree), 1)}): 1.0}
    if isinstance(tree, str):
        return {frozenset({(tree, 1)}): 1.0}
    if tree.function == "^":
        return _power(polynomial(tree.arguments[0], symbols), tree.arguments[1])
    parts = [polynomial(argument, symbols) for argument in tree.arguments]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    match tree.function:
        case "+":
            return _sum(*known)
        case "-":
            return _sum(known[0], _negated(known[1]))
        case "negative":
            return _negated(known[0])
        case "*":
            return _times(known[0], known[1])
        case "/" if inverse := _inverse(known[1]):
            return _times(known[0], inverse, divide=True)
    return None


def _peeled(
    law: Polynomial, names: Names, side: Mapping[str, int]
) -> Iterator[tuple[Product, Polynomial]]:
    """Each product the law may begin with, highest power first, and what it leaves."""
    per_volume = _per_volume(law, names)
    found = []
    for term, constant in per_volume.items():
        powers = {name: n for name, n in term if name in names.all}  # the size is gone
        factors = {name: n for name, n in sorted(term) if name not in powers}
        enough = all(powers.get(name, 0) >= n for name, n in side.items())
        if constant > 0 and enough and all(n > 0 for n in powers.values()):
            found.append((powers, factors, constant))
    for powers, factors, constant in sorted(found, key=lambda each: -sum(each[0].values())):
        several = any(n > 1 for name, n in powers.items() if name in names.species)
        for discrete in (False, True) if several else (False,):
            whole = _expanded(powers, factors, constant, names if discrete else None)
            rest = _sum(per_volume, _negated(whole))
            yield Product(constant, factors, powers, discrete), _times_size(rest, names)


def _per_volume(law: Polynomial, names: Names) -> Polynomial:
    """The law over the compartment's size, and the size put in as a number."""
    result: Polynomial = {}
    for term, value in law.items():
        powers = dict(term)
        power = powers.pop(names.size, 0) - 1
        if power > 0:
            value *= names.volume**power
        elif power < 0:
            value /= names.volume**-power
        result = _sum(result, {frozenset(powers.items()): value})
    return result


def _times_size(law: Polynomial, names: Names) -> Polynomial:
    """The inverse of `_per_volume`."""
    return {term | {(names.size, 1)}: value for term, value in law.items()}


def _expanded(
    powers: Mapping[str, int], factors: Mapping[str, int], constant: float, names: Names | None
) -> Polynomial:
    """A product as a polynomial; discrete in the species of ``names``."""
    result: Polynomial = {frozenset(factors.items()): constant}
    for name, power in powers.items():
        for taken in range(power):
            factor: Polynomial = {frozenset({(name, 1)}): 1.0}
            if names and name in names.species and taken:
                factor[frozenset()] = -taken / names.volume
            result = _times(result, factor) or {}
    return result


def _free(tree: Tree, symbols: Collection[str]) -> bool:
    """Whether none of the symbols is in a tree."""
    if isinstance(tree, Call):
        return all(_free(argument, symbols) for argument in tree.arguments)
    return tree not in symbols


def _sum(*polynomials: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for each in polynomials:
        for term, value in each.items():
            before = total.pop(term, 0.0)
            if abs(before + value) > _ROUNDING * max(abs(before), abs(value)):
                total[term] = before + value
    return total


def _negated(law: Polynomial) -> Polynomial:
    return {term: -value for term, value in law.items()}


def _times(left: Polynomial, right: Polynomial, divide: bool = False) -> Polynomial | None:
    """The product; ``divide`` says that the coefficients of ``right`` are below the line."""
    if len(left) * len(right) > MOST_TERMS:
        return None
    total: Polynomial = {}
    for a, x in left.items():
        for b, y in right.items():
            powers = dict(a)
            for name, n in b:
                powers[name] = powers.get(name, 0) + n
            term = frozenset((name, n) for name, n in powers.items() if n)
            total = _sum(total, {term: x / y if divide else x * y})
    return total


def _inverse(law: Polynomial) -> Polynomial | None:
    """One over a single product, its coefficient left below the line."""
    if len(law) != 1:
        return None
    ((term, value),) = law.items()
    return {frozenset((name, -n) for name, n in term): value}


def _power(base: Polynomial | None, exponent: Tree) -> Polynomial | None:
    if base is None or not isinstance(exponent, float) or not exponent.is_integer():
        return None
    if not 0 < exponent <= _HIGHEST_POWER:
        return None
    result: Polynomial | None = base
    for _ in range(int(exponent) - 1):
        result = None if result is None else _times(result, base)
    return result


def _divided(tree: Tree, name: str) -> Tree | None:
    """The tree without the factor of that name, or None where it has none."""
    if tree == name:
        return 1.0
    if isinstance(tree, float | str) or tree.function not in ("*", "/"):
        return None
    left, right = tree.arguments
    inner = _divided(left, name)
    if inner is not None:
        joined = Call(tree.function, (inner, right))
        return right if tree.function == "*" and inner == 1.0 else joined
    if tree.function == "*" and (inner := _divided(right, name)) is not None:
        return left if inner == 1.0 else Call("*", (left, inner))
    return None
