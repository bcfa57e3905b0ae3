"""Case expressions: the same numbers as Python, their own text again, and never any code."""

from __future__ import annotations

import math
import pickle
import re
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression
from fem_rd.expressions.functions import CONSTANTS, FUNCTIONS, numpy_functions

quick = settings(deadline=None, max_examples=300, database=None, derandomize=True)

POINTS = {
    "x": np.array([-1.7, -0.3, 0.0, 0.4, 1.0, 2.6]),
    "y": np.array([0.2, -2.0, 1.1, 3.0, -0.5, 0.9]),
    "t": 0.75,
}
VALUES = {**POINTS, "a": 1.5, "b": -0.25}
PARAMETERS = {"a": 1.5, "b": -0.25}


def parse(text, names=("x", "y", "t"), parameters=PARAMETERS):
    return Expression.parse(text, names=names, where="key", parameters=parameters)


# Trees of our own, (function, arguments...) or a leaf, with an evaluation that shares nothing with
# the package: it is the meaning that the text must have.

PYTHON = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: a**b,
    "negative": lambda a: -a,
    "sin": np.sin,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "atan2": np.arctan2,
    "min": np.minimum,
    "max": np.maximum,
    "tanh": np.tanh,
    "where<": lambda a, b, c, d: np.where(a < b, c, d),
    "where>=": lambda a, b, c, d: np.where(a >= b, c, d),
}
ARGUMENTS = {1: ("negative", "sin", "exp", "log", "sqrt", "abs", "tanh"), 4: ("where<", "where>=")}
TWO = ("+", "-", "*", "/", "^", "atan2", "min", "max")

leaves = st.one_of(
    st.sampled_from(["x", "y", "t", "a", "b"]),
    st.integers(0, 9).map(float),
    st.floats(0.01, 100.0).map(lambda value: round(value, 3)),
)


def branches(children):
    return st.one_of(
        st.tuples(st.sampled_from(TWO), children, children),
        st.tuples(st.sampled_from(ARGUMENTS[1]), children),
        st.tuples(st.sampled_from(ARGUMENTS[4]), children, children, children, children),
    )


trees = st.recursive(leaves, branches, max_leaves=14)


def written(tree):
    """The text of a tree with every bracket there can be."""
    if not isinstance(tree, tuple):
        return str(tree)
    name, *arguments = tree
    texts = [written(argument) for argument in arguments]
    if name == "negative":
        return f"(-{texts[0]})"
    if name in "+-*/^":
        return f"({texts[0]} {name} {texts[1]})"
    if name.startswith("where"):
        return f"where({texts[0]} {name[5:]} {texts[1]}, {texts[2]}, {texts[3]})"
    return f"{name}({', '.join(texts)})"


def computed(tree):
    """The value of a tree at the points, its variables, and whether a constant is not finite.

    A `where` whose condition is constant is one of its branches.
    """
    if not isinstance(tree, tuple):
        value = VALUES[tree] if isinstance(tree, str) else tree
        return np.asarray(value)[()], {tree} & POINTS.keys(), False
    name, *arguments = tree
    values, names, wrong = zip(*(computed(argument) for argument in arguments), strict=True)
    value, wrong = PYTHON[name](*values), any(wrong)
    if name.startswith("where") and not names[0] | names[1]:
        chosen = 2 if bool(values[0] < values[1]) == (name == "where<") else 3
        return values[chosen], names[chosen], wrong
    used = set().union(*names)
    return value, used, wrong or not (used or np.isfinite(value))


@quick
@given(trees)
def test_value_is_that_of_an_independent_evaluation(tree):
    with np.errstate(all="ignore"):
        expected, names, wrong = computed(tree)
    text = written(tree)
    try:
        expression = parse(text)
    except CaseError as error:
        assert wrong, f"{text} was refused: {error}"
        return
    assert not wrong
    assert expression.names == names
    found = np.broadcast_to(expression.evaluate(POINTS), np.shape(POINTS["x"]))
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-12)


@quick
@given(trees)
def test_text_reads_back_as_the_same_expression(tree):
    try:
        expression = parse(written(tree))
    except CaseError:
        assume(False)
    again = parse(expression.text, parameters={})
    assert again == expression
    assert again.tree == expression.tree
    assert hash(again) == hash(expression)
    assert pickle.loads(pickle.dumps(expression)).tree == expression.tree


signs = st.sampled_from(["+", "-", "*", "/", "^", "**", "+-", "*-", "/-", "^-"])


@quick
@given(st.lists(st.tuples(st.sampled_from(["x", "y", "2", "3.5", "a"]), signs), max_size=8))
def test_precedence_is_that_of_python(parts):
    text = "-" + "".join(name + sign for name, sign in parts) + "x"
    points = {"x": np.array([0.7, 1.3]), "y": np.array([0.4, 2.2])}
    arrays = re.sub(r"([0-9.]+)", r"number(\1)", text).replace("^", "**")
    with np.errstate(all="ignore"):
        # the text is made of the names and signs above and nothing else
        expected = eval(arrays, {}, {**points, "a": np.float64(1.5), "number": np.float64})
    try:
        found = parse(text).evaluate(points)
    except CaseError as error:
        assert "finite" in str(error)
        return
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2^2", -4.0),
        ("2^-1", 0.5),
        ("2^3^2", 512.0),
        ("2 - 3 - 4", -5.0),
        ("8/4/2", 1.0),
        ("4*pi*a^2", 4 * math.pi * 1.5**2),
        ("e^1", math.e),
        ("min(3, 1, 2) + max(1, 5, 2)", 6.0),
        ("where(1 < 2 < 3 and not 2 <= 1, 10, 20)", 10.0),
        ("where(1 > 2 or 3 >= 4, 10, 20)", 20.0),
        ("1e3 + .5", 1000.5),
        ("  2\n *  3 ", 6.0),
        (7, 7.0),
        (0.1, 0.1),
        ("erf(0.5)", 0.520499877813047),
    ],
)
def test_constants_are_folded(text, value):
    expression = parse(text)
    assert expression.is_constant
    assert expression.value == pytest.approx(value, rel=1e-14)
    assert expression.names == frozenset()
    assert expression.evaluate({}) == expression.value


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_folded_and_array_functions_agree(name):
    count = FUNCTIONS[name].arguments
    if name == "where":
        folded, general = parse("where(0.3 < 0.6, 0.2, 0.9)"), parse("where(x < 2*x, x - 0.1, 0.9)")
    else:
        folded = parse(f"{name}({', '.join(['0.3', '0.6'][:count])})")
        general = parse(f"{name}({', '.join(['x', '2*x'][:count])})")
    assert general.evaluate({"x": np.array([0.3])}) == pytest.approx(folded.value, rel=1e-14)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("x < 0 or x > 1", [1, 1, 0, 0, 0, 1]),
        ("0 <= x < 1", [0, 0, 1, 1, 0, 0]),
        ("not (x < 0) and y > 0", [0, 0, 1, 1, 0, 1]),
        ("x < 0 or y > 2 and t > 0.5", [1, 1, 0, 1, 0, 0]),
        ("1 < 2 and x > 0", [0, 0, 0, 1, 1, 1]),
    ],
)
def test_conditions(condition, expected):
    expression = parse(f"where({condition}, 1, 0)")
    np.testing.assert_array_equal(expression.evaluate(POINTS), expected)
    assert parse(expression.text) == expression


def test_both_branches_of_where_may_be_singular():
    expression = parse("where(x > 0, 1/x, 0)")
    np.testing.assert_allclose(expression.evaluate({"x": np.array([0.0, 2.0])}), [0.0, 0.5])
    assert parse("1/x").evaluate({"x": 0.0}) == math.inf


def test_build_folds_with_any_values():
    """With texts for values and functions that wrap texts: the order and the table are seen."""

    class Text(str):
        def __add__(self, other):
            return Text(f"({self} + {other})")

        def __pow__(self, other):
            return Text(f"({self} ^ {other!r})")

    def wrap(name):
        return lambda *arguments: Text(f"{name}[{' '.join(map(str, arguments))}]")

    table = {name: wrap(name) for name in numpy_functions()}
    expression = parse("where(x < 1 and not y >= 2, sin(x) + x^2, x^0.5)")
    built = expression.build({name: Text(name) for name in ("x", "y")}, table)
    assert built == "where[and[lt[x 1.0] not[ge[y 2.0]]] (sin[x] + (x ^ 2)) (x ^ 0.5)]"


def test_build_makes_every_number_but_whole_exponents():
    made = []

    def number(value):
        made.append(value)
        return value

    assert parse("3*x + x^0.5").build({"x": 4.0}, {}, number=number) == 14.0
    assert made == [3.0, 0.5]
    assert parse("x^2").build({"x": np.array([3])}, {}).dtype == np.dtype(int)


def test_equality_is_that_of_the_canonical_text():
    assert parse("2*a*x") == parse("3*x", parameters={})
    assert parse("x+y") != parse("y+x")
    assert Expression.constant(2) == parse("2.0") == parse("a + 0.5")
    assert repr(parse("2 * x")) == "Expression(text='2*x')"
    assert str(parse("-(x**2)*(y**(-t))")) == "-x^2*y^-t"
    with pytest.raises(ValueError, match="not constant"):
        _ = parse("x").value


SYMBOLS = "valid: a, b, e, pi, t, x, y"
REAL = "only arithmetic is allowed: "
OPERATORS = "; valid: + - * / ^, and < <= > >= in where"
WRONG = [
    ("foo", "unknown symbol 'foo'; found 'foo'; " + SYMBOLS),
    ("x + z", "unknown symbol 'z'; found 'x + z'; " + SYMBOLS),
    ("sin", "'sin' is a function: write sin(...); found 'sin'"),
    ("sinn(x)", f"unknown function: 'sinn'; did you mean 'sin'?; found 'sinn(x)'; valid: "
     f"{', '.join(sorted(FUNCTIONS))}"),
    ("a(3)", f"not a function: 'a'; found 'a(3)'; valid: {', '.join(sorted(FUNCTIONS))}"),
    ("sin(1, 2)", "sin takes 1 argument(s), not 2; found 'sin(1, 2)'"),
    ("min(1)", "min takes at least 2 argument(s), not 1; found 'min(1)'"),
    ("", "the expression is empty; found ''"),
    ("x" * 4001, f"the expression is longer than 4000 characters; found '{'x' * 70}...'"),
    ("2*", "not an arithmetic expression (is a '*' or a ')' missing?); found '2*'"),
    ("(x", "not an arithmetic expression (is a '*' or a ')' missing?); found '(x'"),
    ("lambda", "'lambda' is a reserved word: choose another name; found 'lambda'"),
    ("Δ", REAL + "unexpected 'Δ'; found 'Δ'"),
    ("x < 1", REAL + "found a comparison outside the condition of where(condition, a, b); "
     "found 'x < 1'" + OPERATORS),
    ("where(x, 1, 2)", "the first argument of where(condition, a, b) must compare two values; "
     "found 'where(x, 1, 2)'; valid: < <= > >="),
    ("where(x == 1, 1, 2)", REAL + "found '=='; found 'where(x == 1, 1, 2)'" + OPERATORS),
    ("x % 2", REAL + "found '%'; found 'x % 2'" + OPERATORS),
    ("1/0", "1/0 is not a finite number; found '1/0'"),
    ("x + log(-1)", "log(-1) is not a finite number; found 'x + log(-1)'"),
    ("(-8)^(1/3)", "(-8)^0.3333333333333333 is not a finite number; found '(-8)^(1/3)'"),
    ("9**9**9", "9^387420489 is not a finite number; found '9**9**9'"),
    ("exp(1000)", "exp(1000) is not a finite number; found 'exp(1000)'"),
    ("1e999", "a number is not finite; found '1e999'"),
    ("1j", REAL + "found something else than a real number; found '1j'" + OPERATORS),
    ("True", "'True' is a reserved word: choose another name; found 'True'"),
    (True, "must be a number or an expression; found True"),
    (math.inf, "a number is not finite; found inf"),
    (-(10**400), f"a number is not finite; found '-1{'0' * 68}...'"),
    ("...", REAL + "found something else than a real number; found '...'" + OPERATORS),
    # attempts at code
    ("__import__('os').system('x')", REAL + "unexpected \"'\"; "
     "found \"__import__('os').system('x')\""),
    ("().__class__", REAL + "found '.__class__'; found '().__class__'" + OPERATORS),
    ("x.real", REAL + "found '.real'; found 'x.real'" + OPERATORS),
    ("sin.__globals__", REAL + "found '.__globals__'; found 'sin.__globals__'" + OPERATORS),
    ("x if x else y", REAL + "found 'if ... else' (write where(condition, a, b)); "
     "found 'x if x else y'" + OPERATORS),
    ("(q:=1)", REAL + "unexpected ':'; found '(q:=1)'"),
    ("[x for x in y]", REAL + "unexpected '['; found '[x for x in y]'"),
    ("f'{x}'", REAL + "unexpected \"'\"; found \"f'{x}'\""),
    ("lambda: 1", REAL + "unexpected ':'; found 'lambda: 1'"),
    ("x[0]", REAL + "unexpected '['; found 'x[0]'"),
    ("eval(x)",
     f"unknown function: 'eval'; found 'eval(x)'; valid: {', '.join(sorted(FUNCTIONS))}"),
    ("sin(x=1)", REAL + "found 'name=value' in a call; found 'sin(x=1)'" + OPERATORS),
    ("sin(*x)", REAL + "found '*' before an argument; found 'sin(*x)'" + OPERATORS),
    ("sin(x)(y)", REAL + "found brackets after a value (is a '*' missing?); "
     "found 'sin(x)(y)'" + OPERATORS),
    ("(x, y)", REAL + "found a list of values; found '(x, y)'" + OPERATORS),
    ("x # y", REAL + "unexpected '#'; found 'x # y'"),
    ("x; y", REAL + "unexpected ';'; found 'x; y'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG, ids=lambda value: str(value)[:20])
def test_what_is_wrong_is_said_in_one_line(text, message):
    with pytest.raises(CaseError) as caught:
        parse(text)
    assert str(caught.value) == f"key: {message}"


HOSTILE = [
    "9" * 3999,
    "9" * 10**6,
    "9**" * 500 + "9",
    "(" * 1000 + "x" + ")" * 1000,
    "-" * 3999 + "x",
    "not " * 900 + "x",
    "x+" * 1900 + "x",
    "x^" * 1900 + "x",
    "sin(" * 300 + "x" + ")" * 300,
    f"min({', '.join('x' * 1000)})",
    f"where({' and '.join(['x<1'] * 400)}, 1, 2)",
    f"where({'<'.join('x' * 1000)}, 1, 2)",
    "1" + "e1" * 1000,
    "\\" * 100,
    "\0",
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:8].encode("unicode_escape"))
def test_hostile_texts_are_refused_at_once(text):
    start = time.perf_counter()
    with pytest.raises(CaseError) as caught:
        parse(text)
    assert time.perf_counter() - start < 0.5
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_long_sum_is_allowed_and_reads_back():
    expression = parse("+".join(f"x^{power}" for power in range(140)))
    assert parse(expression.text) == expression
    assert expression.evaluate({"x": 1.0}) == 140.0


pieces = st.sampled_from(
    [*"xyt0123456789.+-*/^()<>=,_ !&|%~@'\"[]{}:;\\", "**", "<=", "where(", "sin(", "and", "or",
     "not", "if", "else", "lambda", "e", "pi", "1e", "0x", "1j", "__class__", "\n", "Δ", "∞"]
)  # fmt: skip


@settings(deadline=None, max_examples=1500, database=None, derandomize=True)
@given(st.one_of(st.text(max_size=60), st.lists(pieces, max_size=20).map("".join)))
def test_any_text_is_an_expression_or_a_case_error(text):
    try:
        expression = parse(text)
    except CaseError as error:
        assert "\n" not in str(error)
        return
    assert expression.names <= {"x", "y", "t"}
    assert parse(expression.text) == expression
    expression.evaluate(POINTS)


def test_the_names_of_coordinates_constants_and_functions_do_not_collide():
    names = [*SPACE_TIME, *CONSTANTS, *FUNCTIONS]
    assert len(names) == len(set(names))
