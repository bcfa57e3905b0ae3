"""Arithmetic expressions in x, y, z, r, t that a case file may contain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fem_rd.errors import CaseError
from fem_rd.expressions.functions import OPERATORS, numpy_functions
from fem_rd.expressions.grammar import (
    Call,
    ExpressionError,
    Tree,
    read_number,
    read_tree,
    write_tree,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPACE = ("x", "y", "z", "r")  # r is the distance from the origin
SPACE_TIME = (*SPACE, "t")
SHOWN = 70  # characters of a text that an error message repeats

_SMALL_INTEGERS = frozenset(range(-64, 65))
_NOTHING: Mapping[str, float] = {}


@dataclass(frozen=True)
class Expression:
    """An arithmetic expression: plain data that can be compared, hashed, pickled and broadcast.

    ``text`` is its canonical form, with parameters and constants put in as numbers; it reads back
    as the same expression. Two expressions are equal where their texts are.
    """

    text: str
    tree: Tree = field(repr=False, compare=False)

    @classmethod
    def parse(
        cls,
        text: str | float,
        *,
        names: Collection[str],
        where: str | None,
        parameters: Mapping[str, float] = _NOTHING,
    ) -> Expression:
        """Read a text or a number.

        ``names`` are the variables that may stay in it, ``parameters`` are put in as numbers,
        ``where`` is the key named in the error. Raises `CaseError` for an unknown symbol, for
        anything but arithmetic, and where a constant part is not a finite number.
        """
        try:
            if isinstance(text, bool) or not isinstance(text, str | int | float):
                raise ExpressionError("must be a number or an expression")
            if isinstance(text, str):
                tree = read_tree(" ".join(text.split()), names, parameters)
            else:
                tree = read_number(text)
        except ExpressionError as error:
            message, valid = error.message, error.valid
        else:
            return cls(write_tree(tree), tree)
        raise CaseError(message, key=where, found=shortened(text), valid=valid)

    @classmethod
    def constant(cls, value: float) -> Expression:
        """The expression that is this number everywhere."""
        return cls(write_tree(float(value)), float(value))

    @property
    def is_constant(self) -> bool:
        """Whether it is a number."""
        return isinstance(self.tree, float)

    @property
    def value(self) -> float:
        """The number that a constant expression is. Raises `ValueError` for any other."""
        if not isinstance(self.tree, float):
            raise ValueError(f"{self.text!r} is not constant")
        return self.tree

    @cached_property
    def names(self) -> frozenset[str]:
        """The variables that occur."""
        return frozenset(_names(self.tree))

    def evaluate(self, env: Mapping[str, NDArray[Any] | float]) -> NDArray[Any] | float:
        """The value where the variables have the values of ``env``, which broadcast.

        An expression without variables gives a float whatever the shapes in ``env``. Division by
        zero and the like give inf or nan without a warning: both branches of `where` are computed.
        """
        if isinstance(self.tree, float):
            return self.tree
        import numpy as np

        arrays = {name: np.asarray(env[name], dtype=float) for name in self.names}
        with np.errstate(all="ignore"):
            result: NDArray[Any] | float = self.build(arrays, numpy_functions())
        return result

    def build(
        self,
        env: Mapping[str, Any],
        functions: Mapping[str, Callable[..., Any]],
        number: Callable[[float], Any] = float,
    ) -> Any:
        """Fold the tree with any kind of values: arrays, forms, symbols.

        Variables are looked up in ``env``; functions, the comparisons lt, le, gt, ge and the
        connectives and, or, not in ``functions``; + - * / ** and the unary minus are Python's.
        ``number`` makes the value of a number, except for small integer exponents.
        """
        return _fold(self.tree, env, {**OPERATORS, **functions}, number)

    def __str__(self) -> str:
        return self.text


def shortened(value: object) -> object:
    """The value as an error shows it: the beginning of its text where that is too long."""
    try:
        text = " ".join(str(value).split())
    except (ValueError, RecursionError):  # Python writes neither a huge integer nor a deep table
        return "a value too large to show"
    if len(text) > SHOWN:
        return f"{text[:SHOWN]}..."
    return value if isinstance(value, bool | int | float | list | dict) else text


def _fold(
    tree: Tree,
    env: Mapping[str, Any],
    table: Mapping[str, Callable[..., Any]],
    number: Callable[[float], Any],
) -> Any:
    if isinstance(tree, str):
        return env[tree]
    if isinstance(tree, float):
        return number(tree)
    arguments = [_fold(argument, env, table, number) for argument in tree.arguments]
    exponent = tree.arguments[-1]
    if tree.function == "^" and isinstance(exponent, float) and exponent in _SMALL_INTEGERS:
        arguments[1] = int(exponent)  # forms know the polynomial degree of x**2, not of x**2.0
    return table[tree.function](*arguments)


def _names(tree: Tree) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Call):
        for argument in tree.arguments:
            yield from _names(argument)
