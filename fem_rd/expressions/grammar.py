"""The grammar of case expressions: text to a tree of plain data, and back.

Python's own parser reads the text (it only builds a syntax tree, nothing is run); every node that
is not arithmetic is refused here. A tree is a float, a name, or a `Call` of a function or operator
on trees. Constants are folded while reading, so a mistake such as 1/0 is found at once.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fem_rd.errors import nearest
from fem_rd.expressions.functions import COMPARISONS, CONSTANTS, FUNCTIONS, SCALAR

LONGEST = 4000  # characters
DEEPEST = 150  # nested operations: well within Python's recursion limit

_STRANGE = re.compile(r"[^A-Za-z0-9_+\-*/^().,<>=!&|%~ ]")
_WORD = re.compile(r"[A-Za-z_]\w*")
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}
_COMPARE = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_REFUSED = {
    ast.IfExp: "'if ... else' (write where(condition, a, b))",
    ast.BoolOp: "'and' or 'or' outside the condition of where(condition, a, b)",
    ast.Compare: "a comparison outside the condition of where(condition, a, b)",
    ast.Tuple: "a list of values",
    ast.Starred: "'*' before an argument",
    ast.Constant: "something else than a real number",
    ast.Eq: "'=='",
    ast.NotEq: "'!='",
    ast.Not: "'not' outside the condition of where(condition, a, b)",
    ast.Invert: "'~'",
    ast.Mod: "'%'",
    ast.FloorDiv: "'//'",
    ast.BitAnd: "'&' (write 'and')",
    ast.BitOr: "'|' (write 'or')",
}
_OPERATORS = "+ - * / ^, and < <= > >= in where"


class ExpressionError(Exception):
    """What is wrong with a text; `Expression.parse` adds the place and the text."""

    def __init__(self, message: str, valid: Collection[str] | str | None = None) -> None:
        self.message, self.valid = message, valid
        super().__init__(message)


@dataclass(frozen=True)
class Call:
    """A function or operator of `fem_rd.expressions.functions` applied to trees."""

    function: str
    arguments: tuple[Tree, ...]


Tree = float | str | Call
Condition = bool | Call


def read_tree(text: str, names: Collection[str], parameters: Mapping[str, float]) -> Tree:
    """The tree of ``text`` with the parameters put in and the constants folded.

    Raises `ExpressionError` for anything but arithmetic in the names and parameters.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression is longer than {LONGEST} characters")
    if not text:
        raise ExpressionError("the expression is empty")
    if strange := _STRANGE.search(text):
        raise ExpressionError(f"only arithmetic is allowed: unexpected {strange.group()!r}")
    if reserved := next(filter(_reserved, words_in(text)), None):
        raise ExpressionError(f"{reserved!r} is a reserved word: choose another name")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "1if" and the like: reported as errors below
            parsed = ast.parse(text.replace("^", "**"), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError("not an arithmetic expression (is a '*' or a ')' missing?)") from None
    return _Reader(names, parameters).tree(parsed.body, 0)


def words_in(text: str) -> list[str]:
    """The names that occur in a text, whatever they mean."""
    return _WORD.findall(text)


class _Reader:
    """Reads syntax nodes with the names that are valid in this place."""

    def __init__(self, names: Collection[str], parameters: Mapping[str, float]) -> None:
        self.names, self.parameters = names, parameters

    def tree(self, node: ast.AST, depth: int) -> Tree:
        if depth > DEEPEST:
            raise ExpressionError(f"more than {DEEPEST} operations inside one another")
        match node:
            case ast.Constant(value=int() | float() as value):
                return read_number(value)
            case ast.Name(id=name):
                return self._symbol(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _apply("negative", self.tree(operand, depth + 1))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.tree(operand, depth + 1)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in _BINARY:
                function = _BINARY[type(op)]
                return _apply(function, self.tree(left, depth + 1), self.tree(right, depth + 1))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                # two arguments at a time: min(a, b, c) is min(min(a, b), c)
                return self._call(name, arguments, depth + max(1, len(arguments) - 1))
        raise _refused(node)

    def condition(self, node: ast.AST, depth: int) -> Condition:
        """The first argument of ``where``: comparisons joined by and, or, not."""
        if depth > DEEPEST:
            raise ExpressionError(f"more than {DEEPEST} conditions inside one another")
        match node:
            case ast.BoolOp(op=op, values=values):
                join, inside = "and" if isinstance(op, ast.And) else "or", depth + len(values) - 1
                return _join(join, [self.condition(value, inside) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.condition(operand, depth + 1)
                return not inner if isinstance(inner, bool) else Call("not", (inner,))
            case ast.Compare(left=left, ops=ops, comparators=rest):
                if refused := [op for op in ops if type(op) not in _COMPARE]:
                    raise _refused(refused[0])
                sides = [self.tree(side, depth + len(ops)) for side in (left, *rest)]
                pairs = zip(sides[:-1], ops, sides[1:], strict=True)
                return _join("and", [_compare(_COMPARE[type(op)], a, b) for a, op, b in pairs])
        raise ExpressionError(
            "the first argument of where(condition, a, b) must compare two values", "< <= > >="
        )

    def _call(self, name: str, arguments: list[ast.expr], depth: int) -> Tree:
        if name not in FUNCTIONS:
            hint = nearest(name, FUNCTIONS)
            kind = "not a function" if self._known(name) else "unknown function"
            raise ExpressionError(f"{kind}: {name!r}{hint}", FUNCTIONS)
        wanted, given = FUNCTIONS[name].arguments, len(arguments)
        several = name in ("min", "max")
        if given < wanted or (given > wanted and not several):
            least = "at least " if several else ""
            raise ExpressionError(f"{name} takes {least}{wanted} argument(s), not {given}")
        if name == "where":
            condition = self.condition(arguments[0], depth)
            return _where(condition, *(self.tree(node, depth) for node in arguments[1:]))
        first, *rest = (self.tree(node, depth) for node in arguments)
        if not rest:
            return _apply(name, first)
        for other in rest:
            first = _apply(name, first, other)
        return first

    def _symbol(self, name: str) -> Tree:
        if name in self.parameters:
            return float(self.parameters[name])
        if name in self.names:
            return name
        if name in CONSTANTS:
            return CONSTANTS[name][0]
        if name in FUNCTIONS:
            raise ExpressionError(f"{name!r} is a function: write {name}(...)")
        valid = sorted({*self.names, *self.parameters, *CONSTANTS})
        raise ExpressionError(f"unknown symbol {name!r}{nearest(name, valid)}", valid)

    def _known(self, name: str) -> bool:
        return name in self.names or name in self.parameters or name in CONSTANTS


def _reserved(word: str) -> bool:
    """Whether Python's grammar has a use for the word that expressions have not."""
    return keyword.iskeyword(word) and word not in ("and", "or", "not", "if", "else")


def _refused(node: ast.AST) -> ExpressionError:
    """What to say about a node that is not arithmetic."""
    match node:
        case ast.Attribute(attr=name):
            what = f"'.{name}'"
        case ast.Call(keywords=[_, *_]):
            what = "'name=value' in a call"
        case ast.Call():
            what = "brackets after a value (is a '*' missing?)"
        case ast.BinOp(op=operator) | ast.UnaryOp(op=operator):
            what = _REFUSED.get(type(operator), "an unknown operator")
        case _:
            what = _REFUSED.get(type(node), "an unknown operator")
    return ExpressionError(f"only arithmetic is allowed: found {what}", _OPERATORS)


def read_number(value: float) -> float:
    """A number as a tree. Raises `ExpressionError` where no float can hold it."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionError("a number is not finite")
    return number


def _apply(function: str, *arguments: Tree) -> Tree:
    """A call, or its value where all arguments are constants."""
    constants = [argument for argument in arguments if isinstance(argument, float)]
    if len(constants) < len(arguments):
        return Call(function, arguments)
    try:
        value = SCALAR[function](*constants)
    except OverflowError:
        value = math.inf
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if isinstance(value, complex) or not math.isfinite(value):
        raise ExpressionError(f"{write_tree(Call(function, arguments))} is not a finite number")
    return float(value)


def _compare(function: str, left: Tree, right: Tree) -> Condition:
    if isinstance(left, float) and isinstance(right, float):
        return COMPARISONS[function](left, right)
    return Call(function, (left, right))


def _join(join: str, conditions: list[Condition]) -> Condition:
    """Conditions joined by and (or): constants decide or drop out."""
    decisive = join == "or"
    if any(condition is decisive for condition in conditions):
        return decisive
    open_ones = [condition for condition in conditions if isinstance(condition, Call)]
    if not open_ones:
        return not decisive
    first, *rest = open_ones
    for other in rest:
        first = Call(join, (first, other))
    return first


def _where(condition: Condition, yes: Tree, no: Tree) -> Tree:
    if isinstance(condition, bool):
        return yes if condition else no
    return Call("where", (condition, yes, no))


# how tightly each binds, from the loosest; the rest are atoms
_BINDING = {
    "or": 1, "and": 2, "not": 3, "lt": 4, "le": 4, "gt": 4, "ge": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "negative": 7, "^": 8,
}  # fmt: skip
_ATOM = 9
_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": " and ", "or": " or "}


def write_tree(tree: Tree) -> str:
    """The text of a tree, which reads back as the same tree."""
    return _written(tree)[0]


def _written(tree: Tree) -> tuple[str, int]:
    """The text of a tree and how tightly its outermost operation binds."""
    if isinstance(tree, str):
        return tree, _ATOM
    if isinstance(tree, float):
        text = repr(tree).removesuffix(".0")
        return text, _BINDING["negative"] if text.startswith("-") else _ATOM
    binding = _BINDING.get(tree.function, _ATOM)
    if binding == _ATOM:
        return f"{tree.function}({', '.join(map(write_tree, tree.arguments))})", _ATOM
    if tree.function in ("negative", "not"):
        sign = "-" if tree.function == "negative" else "not "
        return sign + _wrapped(tree.arguments[0], binding), binding
    left, right = tree.arguments
    # a power groups to the right and takes a sign without brackets on that side
    least = (_ATOM, _BINDING["negative"]) if tree.function == "^" else (binding, binding + 1)
    sign = _SIGNS.get(tree.function, tree.function)
    return f"{_wrapped(left, least[0])}{sign}{_wrapped(right, least[1])}", binding


def _wrapped(tree: Tree, least: int) -> str:
    text, binding = _written(tree)
    return text if binding >= least else f"({text})"
