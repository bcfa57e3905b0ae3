"""Expressions as a graph in which each value occurs once, with its derivatives.

Values are built by arithmetic on `Value`, so that `Expression.build` makes them. Sums are linear
combinations: numbers factor out of products and quotients, and like terms meet.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fem_rd.expressions.functions import COMPARISONS, FUNCTIONS, SCALAR

WHOLE = range(-64, 65)  # exponents by products


@dataclass(frozen=True)
class Node:
    """An operation on earlier nodes.

    ``"input"`` has a name; ``"sum"`` is numbers[0] arguments[0] + ... + its last number, so that a
    sum without arguments is a constant; others are functions and operators of case expressions.
    """

    operation: str
    arguments: tuple[int, ...] = ()
    numbers: tuple[float, ...] = ()
    name: str = ""


class Graph:
    """Nodes, each after its arguments; the same operation on the same arguments is one node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._index: dict[Node, int] = {}

    def input(self, name: str) -> Value:
        """A value that comes from outside."""
        return self._add(Node("input", name=name))

    def number(self, value: float) -> Value:
        """A constant."""
        return self._add(Node("sum", numbers=(float(value),)))

    def combination(self, terms: Iterable[tuple[float, Value]], constant: float = 0.0) -> Value:
        """sum of coefficient times value, plus a constant."""
        coefficients: dict[int, float] = {}
        for factor, value in terms:
            inner = self.nodes[value.index]
            if inner.operation == "sum" and _simple(inner):
                constant += factor * inner.numbers[-1]
                pairs = zip(inner.arguments, inner.numbers[:-1], strict=True)
            else:
                pairs = zip((value.index,), (1.0,), strict=True)
            for index, coefficient in pairs:
                coefficients[index] = coefficients.get(index, 0.0) + factor * coefficient
        kept = {index: number for index, number in sorted(coefficients.items()) if number != 0}
        if list(kept.values()) == [1.0] and constant == 0:
            return Value(self, next(iter(kept)))
        return self._add(Node("sum", tuple(kept), (*kept.values(), constant)))

    def apply(self, operation: str, *arguments: Value) -> Value:
        """A function, comparison or operator other than + and - on values."""
        constants = [argument.constant for argument in arguments]
        if operation == "where":
            _, yes, no = arguments
            if constants[0] is not None:
                return yes if constants[0] else no
            if yes == no:
                return yes
        elif None not in constants:
            value = _value(operation, [number for number in constants if number is not None])
            if value is not None:
                return self.number(value)
        return self._add(Node(operation, tuple(argument.index for argument in arguments)))

    def needed(self, values: Iterable[Value], given: Iterable[Value] = ()) -> list[int]:
        """The nodes that the values are made of, each after its arguments, without those given."""
        stack = [(value.index, False) for value in values][::-1]
        seen = {value.index for value in given}
        order: list[int] = []
        while stack:
            index, ready = stack.pop()
            if ready:
                order.append(index)
            elif index not in seen:
                seen.add(index)
                stack.append((index, True))
                stack += [(argument, False) for argument in self.nodes[index].arguments[::-1]]
        return order

    def derivative(self, value: Value, variable: Value) -> Value:
        """d value / d variable; minimum, maximum, absolute value and `where` branch by branch."""
        zero, changes = self.number(0), {variable.index: self.number(1)}
        for index in self.needed([value]):
            node = self.nodes[index]
            inner = [changes.get(argument, zero) for argument in node.arguments]
            if index != variable.index and any(change != zero for change in inner):
                arguments = [Value(self, argument) for argument in node.arguments]
                changes[index] = _change(node, Value(self, index), arguments, inner)
        return changes.get(value.index, zero)

    def _add(self, node: Node) -> Value:
        if node not in self._index:
            self._index[node] = len(self.nodes)
            self.nodes.append(node)
        return Value(self, self._index[node])


@dataclass(frozen=True, eq=False)
class Value:
    """A node with Python's arithmetic."""

    graph: Graph
    index: int

    @property
    def constant(self) -> float | None:
        """The number that it is, if it is one."""
        node = self.graph.nodes[self.index]
        return node.numbers[0] if node.operation == "sum" and not node.arguments else None

    def split(self) -> tuple[float, Value]:
        """A number and the value that it multiplies."""
        node = self.graph.nodes[self.index]
        if node.operation == "sum" and len(node.arguments) == 1 and node.numbers[1] == 0:
            return node.numbers[0], Value(self.graph, node.arguments[0])
        return 1.0, self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self.index == other.index

    def __hash__(self) -> int:
        return hash(self.index)

    def __add__(self, other: Value) -> Value:
        return self.graph.combination([(1, self), (1, other)])

    def __sub__(self, other: Value) -> Value:
        return self.graph.combination([(1, self), (-1, other)])

    def __neg__(self) -> Value:
        return self.graph.combination([(-1, self)])

    def __rmul__(self, number: float) -> Value:
        return self.graph.combination([(number, self)])

    def __mul__(self, other: Value) -> Value:
        for number, value in ((self.constant, other), (other.constant, self)):
            if number is not None:
                return number * value
        (one, a), (two, b) = self.split(), other.split()
        first, second = sorted((a, b), key=lambda value: value.index)
        return one * two * self.graph.apply("*", first, second)

    def __truediv__(self, other: Value) -> Value:
        (one, a), (two, b) = self.split(), other.split()
        if b.constant:
            return (1 / b.constant) * self
        if self.constant == 0:
            return self
        return (one / two) * self.graph.apply("/", a, b)

    def __pow__(self, exponent: Value | int) -> Value:
        if isinstance(exponent, int):
            return self._whole_power(exponent)
        power = exponent.constant
        if power == 0.5:
            return self.graph.apply("sqrt", self)
        if power is not None and power in WHOLE:
            return self._whole_power(int(power))
        return self.graph.apply("^", self, exponent)

    def _whole_power(self, power: int) -> Value:
        """By products: x^5 = x (x^2)^2."""
        if power < 0:
            return self.graph.number(1) / self._whole_power(-power)
        if power == 0:
            return self.graph.number(1)
        half = self._whole_power(power // 2) if power > 1 else self.graph.number(1)
        return half * half * self if power % 2 else half * half


def functions(graph: Graph) -> Mapping[str, Callable[..., Value]]:
    """Everything that `Expression.build` needs. Conditions are 0 and 1."""
    table: dict[str, Callable[..., Value]] = {
        name: functools.partial(graph.apply, name) for name in (*FUNCTIONS, *COMPARISONS)
    }
    one = graph.number(1)
    table["and"] = lambda a, b: a * b
    table["or"] = lambda a, b: graph.apply("max", a, b)
    table["not"] = lambda a: one - a
    return table


def _simple(node: Node) -> bool:
    """Whether a sum in a sum is taken apart: a number or one term; longer ones may be shared."""
    return not node.arguments or (len(node.arguments) == 1 and node.numbers[1] == 0)


def _value(operation: str, numbers: list[float]) -> float | None:
    """The value of an operation on constants, if it has one."""
    function = COMPARISONS[operation] if operation in COMPARISONS else SCALAR[operation]
    try:
        value = function(*numbers)
    except (ArithmeticError, ValueError):
        return None
    return float(value) if isinstance(value, float | bool) and math.isfinite(value) else None


def _change(node: Node, y: Value, arguments: list[Value], changes: list[Value]) -> Value:
    """The derivative of a node from those of its arguments."""
    if node.operation == "sum":
        return y.graph.combination(zip(node.numbers[:-1], changes, strict=True))
    if node.operation in COMPARISONS:
        return y.graph.number(0)
    if node.operation in _SLOPES:
        return _SLOPES[node.operation](y, arguments[0]) * changes[0]
    return _CHANGES[node.operation](y, *arguments, *changes)


def _power_change(y: Value, a: Value, b: Value, da: Value, db: Value) -> Value:
    change = b * a ** (b - y.graph.number(1)) * da
    return change if db.constant == 0 else change + y * _call("log", a) * db


def _call(name: str, *arguments: Value) -> Value:
    return arguments[0].graph.apply(name, *arguments)


def _over(number: float, value: Value) -> Value:
    return value.graph.number(number) / value


def _plus(number: float, *terms: tuple[float, Value]) -> Value:
    return terms[0][1].graph.combination(terms, number)


_SLOPES: Mapping[str, Callable[[Value, Value], Value]] = {
    "sin": lambda y, a: _call("cos", a),
    "cos": lambda y, a: -_call("sin", a),
    "tan": lambda y, a: _plus(1, (1, y * y)),
    "asin": lambda y, a: _over(1, _call("sqrt", _plus(1, (-1, a * a)))),
    "acos": lambda y, a: _over(-1, _call("sqrt", _plus(1, (-1, a * a)))),
    "atan": lambda y, a: _over(1, _plus(1, (1, a * a))),
    "sinh": lambda y, a: _call("cosh", a),
    "cosh": lambda y, a: _call("sinh", a),
    "tanh": lambda y, a: _plus(1, (-1, y * y)),
    "exp": lambda y, a: y,
    "log": lambda y, a: _over(1, a),
    "sqrt": lambda y, a: _over(0.5, y),
    "erf": lambda y, a: 2 / math.sqrt(math.pi) * _call("exp", -(a * a)),
}
"""dy/da of y(a)."""

_CHANGES: Mapping[str, Callable[..., Value]] = {
    "*": lambda y, a, b, da, db: da * b + a * db,
    "/": lambda y, a, b, da, db: (da - y * db) / b,
    "^": _power_change,
    "atan2": lambda y, a, b, da, db: (da * b - a * db) / (a * a + b * b),
    "abs": lambda y, a, da: _call("where", _call("lt", a, y.graph.number(0)), -da, da),
    "min": lambda y, a, b, da, db: _call("where", _call("lt", a, b), da, db),
    "max": lambda y, a, b, da, db: _call("where", _call("gt", a, b), da, db),
    "where": lambda y, condition, a, b, _, da, db: _call("where", condition, da, db),
}
"""dy of y(a, b) from da, db."""
