"""MathML of SBML to the text of case expressions, and their trees to MathML.

Texts are what `Expression.parse` reads: nothing here evaluates anything, and every limit of length
and depth that holds for a case file holds for an SBML file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from fem_rd.errors import CaseError
from fem_rd.expressions.grammar import LONGEST, Call, Tree

if TYPE_CHECKING:
    import libsbml

Lookup = Callable[[str], str]
"""The text that stands for an identifier of SBML."""

MATHML = "http://www.w3.org/1998/Math/MathML"
TIME = "http://www.sbml.org/sbml/symbols/time"

_AVOGADRO = 6.02214179e23  # the value that SBML Level 3 Version 1 and 2 prescribe
_READ = {
    **{name: f"{name}({{0}})" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"arc{name}": f"a{name}({{0}})" for name in ("sin", "cos", "tan")},
    "exp": "exp({0})",
    "ln": "log({0})",
    "abs": "abs({0})",
    "sec": "(1/cos({0}))",
    "csc": "(1/sin({0}))",
    "cot": "(1/tan({0}))",
    "sech": "(1/cosh({0}))",
    "csch": "(1/sinh({0}))",
    "coth": "(1/tanh({0}))",
    "divide": "({0}/{1})",
    "power": "({0}^{1})",
    "log": "(log({1})/log({0}))",  # the base comes first
    "root": "({1}^(1/{0}))",
    "not": "(not {0})",
}
_CHAINS = {"plus": "+", "times": "*", "and": " and ", "or": " or "}
_RELATIONS = {"lt": "<", "leq": "<=", "gt": ">", "geq": ">="}
_WRITE = {
    **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "abs")},
    **{f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan")},
    **{name: name for name in ("min", "max", "lt", "gt", "and", "or", "not")},
    **{"log": "ln", "sqrt": "root", "le": "leq", "ge": "geq", "negative": "minus"},
    **{"+": "plus", "-": "minus", "*": "times", "/": "divide", "^": "power"},
}


def formula(node: libsbml.ASTNode, lookup: Lookup, functions: Mapping[str, libsbml.ASTNode]) -> str:
    """The text of a formula; ``functions`` are the lambdas of function definitions, put in place.

    Raises `CaseError` for a function or number that expressions have not.
    """
    import libsbml

    kind = node.getType()
    if kind == libsbml.AST_FUNCTION:
        text = _inlined(node, lookup, functions)
    elif node.isName() and kind not in (libsbml.AST_NAME_TIME, libsbml.AST_NAME_AVOGADRO):
        text = lookup(node.getName())
    elif not node.getNumChildren() and (constant := _constant(node)):
        text = constant
    else:
        children = _operands(node)
        name = _names().get(kind, node.getName() or "an operator unknown to SBML")
        text = _applied(name, [formula(child, lookup, functions) for child in children])
    if len(text) > LONGEST:
        raise CaseError("a formula is too long", found=f"more than {LONGEST} characters")
    return text


def number(value: float) -> str:
    """A finite number as a text that keeps every digit, in brackets. Raises `CaseError`."""
    if not math.isfinite(value):
        raise CaseError("a number is not finite", found=value)
    return f"({value!r})"


def mathml(tree: Tree) -> ElementTree.Element:
    """The MathML of an expression's tree. Raises `CaseError` for what SBML cannot say."""
    if isinstance(tree, float):
        element = ElementTree.Element("cn")
        element.text = format(Decimal(repr(tree)), "f")  # MathML has no exponent in a real
        return element
    if isinstance(tree, str):
        return _symbol(tree)
    if tree.function == "where":
        condition, yes, no = map(mathml, tree.arguments)
        piecewise = ElementTree.Element("piecewise")
        ElementTree.SubElement(piecewise, "piece").extend([yes, condition])
        ElementTree.SubElement(piecewise, "otherwise").append(no)
        return piecewise
    if tree.function not in _WRITE:
        valid = {name for name in _WRITE if name.isidentifier()} - {"negative"}
        raise CaseError(f"SBML has no function {tree.function!r}", valid=valid)
    element = ElementTree.Element("apply")
    element.append(ElementTree.Element(_WRITE[tree.function]))
    element.extend(mathml(argument) for argument in _chain(tree))
    return element


def product(factors: Sequence[Tree]) -> Tree:
    """The tree of a product, from the left."""
    first, *rest = factors
    for factor in rest:
        first = Call("*", (first, factor))
    return first


def _operands(node: libsbml.ASTNode) -> list[libsbml.ASTNode]:
    """The arguments of an operator; a sum or product of many terms, which reads from the left."""
    kind = node.getType()
    operands = [node.getChild(i) for i in range(node.getNumChildren())]
    if _names().get(kind) in ("plus", "times"):
        while operands and operands[0].getType() == kind and operands[0].getNumChildren():
            first = operands[0]
            operands[:1] = [first.getChild(i) for i in range(first.getNumChildren())]
    return operands


def _chain(tree: Call) -> Sequence[Tree]:
    """The arguments of an operator; a sum or product of many terms, which reads from the left."""
    first, *rest = tree.arguments
    if tree.function in ("+", "*") and isinstance(first, Call) and first.function == tree.function:
        return (*_chain(first), *rest)
    return tree.arguments


def _symbol(name: str) -> ElementTree.Element:
    if name in ("x", "y", "z", "r"):
        raise CaseError("SBML has no place", found=name, valid="rates and laws free of x, y, z, r")
    if name == "t":
        element = ElementTree.Element("csymbol", {"encoding": "text", "definitionURL": TIME})
    else:
        element = ElementTree.Element("ci")
    element.text = name
    return element


@cache
def _names() -> Mapping[int, str]:
    """The kinds of libSBML's nodes by the names of MathML."""
    import libsbml

    functions = {name for name in _READ if name not in ("divide", "power", "not")}
    functions |= {"piecewise", "min", "max"}
    return {
        **{getattr(libsbml, f"AST_FUNCTION_{name.upper()}"): name for name in functions},
        **{getattr(libsbml, f"AST_LOGICAL_{name.upper()}"): name for name in ("and", "or", "not")},
        **{getattr(libsbml, f"AST_RELATIONAL_{name.upper()}"): name for name in _RELATIONS},
        libsbml.AST_PLUS: "plus",
        libsbml.AST_MINUS: "minus",
        libsbml.AST_TIMES: "times",
        libsbml.AST_DIVIDE: "divide",
        libsbml.AST_POWER: "power",
        libsbml.AST_FUNCTION_POWER: "power",
    }


def _constant(node: libsbml.ASTNode) -> str | None:
    """The text of a node that is a number, the time or a constant; None for anything else."""
    import libsbml

    kind = node.getType()
    if kind == libsbml.AST_REAL_E:  # its value is a rounded product
        return number(float(f"{node.getMantissa()!r}e{node.getExponent()}"))
    if node.isNumber():
        return number(node.getValue())
    symbols = {
        libsbml.AST_NAME_TIME: "t",
        libsbml.AST_NAME_AVOGADRO: repr(_AVOGADRO),
        libsbml.AST_CONSTANT_PI: repr(math.pi),
        libsbml.AST_CONSTANT_E: repr(math.e),
    }
    return symbols.get(kind)


def _applied(name: str, arguments: list[str]) -> str:
    count = len(arguments)
    if name in _CHAINS:
        empty = {"plus": "0", "times": "1"}
        return f"({_CHAINS[name].join(arguments)})" if arguments else empty.get(name, "()")
    if name in _RELATIONS and count > 1:
        return f"({_RELATIONS[name].join(arguments)})"
    if name == "minus" and count in (1, 2):
        return f"({'-'.join(arguments)})" if count == 2 else f"(-{arguments[0]})"
    if name in ("min", "max") and count:
        return f"{name}({', '.join(arguments)})" if count > 1 else arguments[0]
    if name == "piecewise" and count % 2:
        text = arguments[-1]
        for i in range(count - 3, -1, -2):
            text = f"where({arguments[i + 1]}, {arguments[i]}, {text})"
        return text
    if name == "root" and arguments[:1] in (["(2.0)"], ["(2)"]):
        return f"sqrt({arguments[1]})"
    if name in _READ and count == 1 + ("{1}" in _READ[name]):
        return _READ[name].format(*arguments)
    valid = {*_READ, *_CHAINS, *_RELATIONS, "minus", "min", "max", "piecewise with otherwise"}
    raise CaseError(f"a formula has {name!r} of {count} argument(s)", valid=valid)


def _inlined(
    node: libsbml.ASTNode, lookup: Lookup, functions: Mapping[str, libsbml.ASTNode]
) -> str:
    """The body of a function definition with the arguments in the place of its variables."""
    name, given = node.getName(), node.getNumChildren()
    if name not in functions:
        raise CaseError(f"unknown function {name!r}", valid=functions)
    function = functions[name]
    variables = [function.getChild(i).getName() for i in range(function.getNumChildren() - 1)]
    if len(variables) != given:
        raise CaseError(f"{name!r} takes {len(variables)} argument(s), not {given}")
    texts = [formula(node.getChild(i), lookup, functions) for i in range(given)]
    bound = dict(zip(variables, texts, strict=True))

    def inside(symbol: str) -> str:
        if symbol not in bound:
            raise CaseError(f"the function {name!r} has a free variable", found=symbol)
        return bound[symbol]

    return f"({formula(function.getChild(given), inside, functions)})"
