"""Programs of reactions: the numbers of the expressions, their derivatives, and no waste."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fem_rd.chemistry.equations import mass_action, network_of, reactions_of
from fem_rd.chemistry.graph import Graph
from fem_rd.chemistry.nodal import NodalChemistry
from fem_rd.chemistry.program import build, compile_values, rates_program, sources_program
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression
from fem_rd.expressions.functions import COMPARISONS, FUNCTIONS, numpy_functions

quick = settings(deadline=None, max_examples=300, database=None, derandomize=True)

NAMES = ("a", "b", "c")
F, K = 0.04, 0.06
GRAY_SCOTT = mass_action(
    {
        "autocatalysis": ("U + 2 V -> 3 V", 1.0),
        "feed": ("0 -> U", F),
        "washout_U": ("U -> 0", F),
        "washout_V": ("V -> 0", F),
        "decay": ("V -> P", K),
    },
    chemostats={"P": 1.0},
)


def parse(text, names=NAMES):
    return Expression.parse(text, names=(*names, *SPACE_TIME), where=None)


def compiled(expressions, derivative=None):
    """A program of a, b, c that computes expressions, or their derivatives."""
    graph = Graph()
    variables = {name: graph.input(name) for name in NAMES}
    values = {str(i): build(each, graph, variables) for i, each in enumerate(expressions)}
    if derivative:
        inner = variables[derivative]
        values = {name: graph.derivative(value, inner) for name, value in values.items()}
    return compile_values(graph, variables, values)


def ran(program, values):
    out = np.full((len(program.outputs), values.shape[1]), -77.0)
    program.run(values, out)
    return out


# Every function where its values and its branches are, with NumPy as the reference.

EDGES = np.array([-np.inf, -2.5, -1.0, -0.3, 0.0, 0.3, 1.0, 2.5, np.inf, np.nan])
GRID = np.array([[x, y, z] for x in EDGES for y in EDGES for z in (-1.0, 2.0)]).T.copy()
TEXTS = {
    **{name: f"{name}(a)" for name, function in FUNCTIONS.items() if function.arguments == 1},
    **{name: f"{name}(a, b)" for name, function in FUNCTIONS.items() if function.arguments == 2},
    "lt": "where(a < b, a, c)",
    "le": "where(a <= b, a, c)",
    "gt": "where(a > b, a, c)",
    "ge": "where(a >= b, a, c)",
    "where": "where(a < 1, b, c)",
    "and": "where(a < 1 and b < 1, a, c)",
    "or": "where(a < 1 or b < 1, a, c)",
    "not": "where(not (a < 1 or b < 1), a, c)",
    "/": "a/b",
    "^": "a^b",
    "roots": "a^0.5 + abs(a)^-1.5",
    "powers": "a^2 - a^3 + a^-4 + a^7",
    "signs": "-a - b*-2 + 3 - (c - 1)*(-4)",
    "alone": "a",
    "number": "2.5",
    "minimum of a number": "min(a, 0.5)",
}


def test_the_table_of_texts_has_every_function():
    assert {*FUNCTIONS, *COMPARISONS, "and", "or", "not"} <= {*TEXTS}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_each_function_has_the_values_of_numpy(text):
    expression = parse(text)
    expected = expression.evaluate(dict(zip(NAMES, GRID, strict=True)))
    found = ran(compiled([expression]), GRID)[0]
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=4e-15, atol=0)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_one_point_and_many_are_the_same(text):
    program = compiled([parse(text)])
    many = ran(program, GRID)[0]
    # vectorised loops and single instructions may differ by how the compiler joins operations
    np.testing.assert_allclose([program.at(*point)[0] for point in GRID.T], many, rtol=1e-15)


# Random expressions. The reference is computed twice, in double and in extended precision: their
# difference says how well the expression determines its value. Conditions compare inputs with
# numbers they do not take, so that rounding cannot decide a branch.

leaves = st.sampled_from([*NAMES, "0", "1", "2", "-1", "0.5", "3.25", "-0.7"])
conditions = st.builds(
    "{} {} {}".format,
    st.sampled_from(NAMES),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.sampled_from(["-0.61", "0.13", "1.9"]),
)


def larger(inner):
    unary = st.sampled_from(["-({})", "sin({})", "exp({})", "sqrt({})", "tanh({})", "log({})"])
    whole = st.sampled_from(["({})^2", "({})^3", "({})^-1", "({})^5"])
    pairs = ["({})+({})", "({})-({})", "({})*({})", "({})/({})", "min({},{})", "max({},{})"]
    return st.one_of(
        st.builds(str.format, st.one_of(unary, whole), inner),
        st.builds(str.format, st.sampled_from(pairs), inner, inner),
        st.builds("where({} and not ({}), {}, {})".format, conditions, conditions, inner, inner),
    )


texts = st.recursive(leaves, larger, max_leaves=14)
SAMPLE = np.random.default_rng(4).uniform(-2, 3, (3, 300))


@quick
@given(texts)
def test_programs_compute_their_expressions(text):
    try:
        expression = parse(text)
    except CaseError as error:
        assume("finite" not in error.message)  # a constant part such as 1/0
        raise
    reference = extended(expression, SAMPLE)
    with np.errstate(all="ignore"):
        rounding = np.abs(expression.evaluate(dict(zip(NAMES, SAMPLE, strict=True))) - reference)
        found = ran(compiled([expression]), SAMPLE)[0]
        good = np.isfinite(reference.astype(float)) & np.isfinite(rounding.astype(float))
        bound = 1e-12 * np.abs(reference) + 1e3 * rounding + 1e-13
        assert np.all(np.abs(found - reference)[good] <= bound[good])


def extended(expression, values):
    env = dict(zip(NAMES, values.astype(np.longdouble), strict=True))
    with np.errstate(all="ignore"):
        result = expression.build(env, numpy_functions(), np.longdouble)
        return np.broadcast_to(np.asarray(result, dtype=np.longdouble), values.shape[1:])


SMOOTH = [
    "sin(a*b)", "cos(a*b)", "tan(a/4)", "asin(a/4)", "acos(a/4)", "atan(a*b)", "atan2(a, b + 5)",
    "sinh(a)", "cosh(a*b)", "tanh(a)", "exp(-a*b)", "log(a + 4)", "sqrt(a + 4)", "erf(a*b)",
    "abs(a*b)", "min(a, b)", "max(a^2, b)", "where(a < 0.123, a*b, a^3)", "(a + 4)^b",
    "b^(a + 4)", "a^5*b/(1 + a^2)", "(a + 4)^2.5", "a^-3", "2.5", "b*c", "1/(a + 4) - 3*a",
    "min(a, 2)*max(1, a*b) + a",
]  # fmt: skip


@pytest.mark.parametrize("text", SMOOTH)
def test_derivatives_are_those_of_differences(text):
    points = np.random.default_rng(5).uniform(0.2, 2.8, (3, 64))
    points[0] *= np.random.default_rng(6).choice([-1, 1], 64)
    expression = parse(text)
    found = ran(compiled([expression], derivative="a"), points)[0]
    step = np.zeros((3, 1))
    step[0] = 1e-4
    near = difference(expression, points, step)
    far = difference(expression, points, 2 * step)
    np.testing.assert_allclose(found, (4 * near - far) / 3, rtol=1e-10, atol=1e-10)


def difference(expression, points, step):
    ends = [
        np.asarray(expression.evaluate(dict(zip(NAMES, points + sign * step, strict=True))))
        for sign in (1, -1)
    ]
    return np.broadcast_to((ends[0] - ends[1]) / (2 * step[0]), points.shape[1:])


@pytest.mark.parametrize("nodes", [1, 3, 255, 256, 257, 700])
def test_blocks_of_any_size_and_nothing_beyond_the_nodes(nodes):
    values = np.random.default_rng(1).random((2, nodes + 5))
    out = np.full((2, nodes + 5), -77.0)
    chemistry = NodalChemistry(GRAY_SCOTT, np.zeros((nodes, 3)))
    chemistry.sources(0.0, values, out)
    u, v = values[:, :nodes]
    np.testing.assert_allclose(out[0, :nodes], F * (1 - u) - u * v * v, rtol=0, atol=4e-16)
    np.testing.assert_allclose(out[1, :nodes], u * v * v - (F + K) * v, rtol=0, atol=4e-16)
    assert np.all(out[:, nodes:] == -77)
    weights = np.random.default_rng(2).random(nodes)
    expected = chemistry.rates(0.0, values) @ weights
    assert chemistry.totals(0.0, values, weights) == pytest.approx(expected, rel=1e-13)
    assert expected[0] == pytest.approx(np.sum(weights * u * v * v), rel=1e-13)


def test_nothing_is_computed_twice():
    # v v, u (v v), F - F u, minus the first, and the rest of the second
    assert len(sources_program(GRAY_SCOTT).table) == 5
    # one product for two reactions; the change of A, of C; B changes as A does
    three = mass_action({"r": ("A + B <-> C", 2.0, 3.0), "s": ("A + B -> 0", 1.0)})
    assert len(sources_program(three).table) == 4
    assert len(compiled([parse("a^12")]).table) == 4  # a^2, a^3, a^6, a^12
    assert len(compiled([parse("a^0.5 + sqrt(a)")]).table) == 2
    assert len(compiled([parse("2*a*3*b/4 + b*a")]).table) == 2  # one product, once 2.5
    assert len(compiled([parse("sin(a + b) - sin(b + a) + c")]).table) == 1  # c
    zero = mass_action({"r": ("A -> B", 0.0), "s": ("B -> A", 1.0)})
    assert len(sources_program(zero).table) == 2


def test_temporaries_share_rows():
    program = compiled([parse(" + ".join(f"sin(a*b + {i})*exp(c - {i})" for i in range(40)))])
    assert program.rows <= 3 + 6 + 1
    a, b, c = SAMPLE
    expected = sum(np.sin(a * b + i) * np.exp(c - i) for i in range(40))
    np.testing.assert_allclose(ran(program, SAMPLE)[0], expected, rtol=1e-13, atol=1e-13)


def test_outputs_that_are_inputs_numbers_or_the_same():
    program = compiled([parse(text) for text in ("a", "2", "a*b", "a*b", "2", "2*a*b")])
    a, b, _ = SAMPLE
    two = np.full_like(a, 2)
    np.testing.assert_array_equal(ran(program, SAMPLE), [a, two, a * b, a * b, two, 2 * (a * b)])


# Rates that depend on place and time, laws, chemostats and regions, against the formulas.

POINTS = np.random.default_rng(7).uniform(-1, 1, (500, 3))
VALUES = np.random.default_rng(8).uniform(0.1, 2, (2, 500))
X, Y, _ = POINTS.T
R = np.sqrt(np.sum(POINTS**2, axis=1))


def everything():
    laws = ("A", "B", "G")
    return network_of(
        [
            *reactions_of("local", "2 A + G <-> B + G", rate=parse("exp(-r)*2"),
                          reverse_rate=parse("1 + x*t")),
            *reactions_of("timed", "0 -> A", rate=parse("sin(t)^2*3")),
            *reactions_of("law", "A -> B", law=parse("exp(-y)*t*A/(1 + A*B) + G*r", laws)),
            *reactions_of("regional", "B -> 0", rate=Expression.constant(0.5)),
            *reactions_of("singular", "A -> 0", law=parse("A/where(x < 0, 0, 1)", laws)),
        ],
        chemostats={"G": parse("1 + y^2*t")},
    )  # fmt: skip


def formulas(t):
    a, b = VALUES
    g = 1 + Y**2 * t
    return np.array(
        [
            2 * np.exp(-R) * a**2 * g,
            (1 + X * t) * b * g,
            np.full_like(a, 3 * np.sin(t) ** 2),
            np.exp(-Y) * t * a / (1 + a * b) + g * R,
            np.where(Y > 0, 0.5 * b, 0),
            np.where(X < 0, 0, a),
        ]
    )


def test_place_time_laws_chemostats_and_regions():
    network = everything()
    where = {"regional": Y > 0, "singular": X >= 0}
    chemistry = NodalChemistry(network, POINTS, where)
    out = np.empty((2, 500))
    for t in (0.7, 2.0, 0.7, 0.0):  # the numbers of another time must not stay
        expected = formulas(t)
        np.testing.assert_allclose(chemistry.rates(t, VALUES), expected, rtol=1e-13)
        chemistry.sources(t, VALUES, out)
        change = network.stoichiometry @ expected
        np.testing.assert_allclose(out, change, rtol=1e-12, atol=1e-13)
        totals = chemistry.totals(t, VALUES, X + 2)
        np.testing.assert_allclose(totals, expected @ (X + 2), rtol=1e-12)


def test_what_place_alone_decides_is_computed_once():
    network = mass_action({"r": ("A + B -> 0", "exp(-r)/(1 + x^2)")})
    points = POINTS.copy()
    chemistry = NodalChemistry(network, points)
    program = chemistry._sources_program
    assert len(program.table) == 4  # A B, times k, minus it for A, the same for B
    assert len(program.inputs) == 3
    first, second = chemistry._known.at(0.0)[0], chemistry._known.at(1.0)[0]
    assert first is second


def test_jacobian_is_that_of_differences_and_its_pattern_has_no_zeros():
    network = everything()
    chemistry = NodalChemistry(network, POINTS, {"regional": Y > 0, "singular": X >= 0})
    found, t, h = chemistry.jacobian(1.3, VALUES), 1.3, 1e-5
    assert chemistry.pattern == ((0, 0), (0, 1), (1, 0), (1, 1))
    for (i, j), entry in zip(chemistry.pattern, found, strict=True):
        ends = []
        for sign in (1, -1):
            values, out = VALUES.copy(), np.empty((2, 500))
            values[j] += sign * h
            chemistry.sources(t, values, out)
            ends.append(out[i])
        np.testing.assert_allclose(entry, (ends[0] - ends[1]) / (2 * h), rtol=1e-7, atol=1e-8)


def test_the_pattern_is_sparse_and_entries_may_be_constant():
    network = mass_action({"a": ("A -> B", 2.0), "b": ("B + C -> D", 3.0)})
    chemistry = NodalChemistry(network, np.zeros((4, 3)))
    assert chemistry.pattern == ((0, 0), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2))
    values = np.arange(16.0).reshape(4, 4)
    b, c = values[1], values[2]
    two = np.full(4, 2.0)
    expected = [-two, two, -3 * c, -3 * b, -3 * c, -3 * b, 3 * c, 3 * b]
    np.testing.assert_array_equal(chemistry.jacobian(0.0, values), expected)
    cancelling = mass_action({"a": ("A -> 2 A", 2.0), "b": ("A -> 0", 2.0)})
    assert NodalChemistry(cancelling, np.zeros((1, 3))).pattern == ()


def test_a_network_without_reactions_or_nodes_is_no_exception():
    empty = network_of([], species=("A",))
    out = np.full((1, 3), -77.0)
    NodalChemistry(empty, np.zeros((3, 3))).sources(0.0, np.ones((1, 3)), out)
    assert np.all(out == 0)
    nowhere = NodalChemistry(GRAY_SCOTT, np.zeros((0, 3)))
    nowhere.sources(0.0, np.ones((2, 0)), np.ones((2, 0)))
    assert np.all(nowhere.totals(0.0, np.ones((2, 0)), np.ones(0)) == 0)
    assert nowhere.jacobian(0.0, np.ones((2, 0))).shape == (4, 0)


def test_arrays_that_do_not_fit_are_refused():
    chemistry = NodalChemistry(GRAY_SCOTT, np.zeros((9, 3)))
    good = np.ones((2, 9))
    for values in (np.ones((2, 8)), np.ones((9, 2)).T, np.ones((2, 20))[:, ::2]):
        with pytest.raises(ValueError, match="inputs at 9 nodes"):
            chemistry.sources(0.0, values, good)
        with pytest.raises(ValueError, match="2 outputs at 9 nodes"):
            chemistry.sources(0.0, good, values)
    with pytest.raises(ValueError, match="3 inputs are given"):
        chemistry.sources(0.0, np.ones((3, 9)), good)
    with pytest.raises(ValueError, match="no reaction of"):
        NodalChemistry(GRAY_SCOTT, np.zeros((9, 3)), {"fed": np.ones(9, dtype=bool)})
    with pytest.raises(ValueError, match="'x' is not an input"):
        graph = Graph()
        compile_values(graph, {}, {"x": graph.input("x")})


def test_rates_of_a_network_have_the_inputs_that_occur():
    assert rates_program(everything()).inputs == ("A", "B", "x", "y", "r", "t")
    assert sources_program(GRAY_SCOTT).inputs == ("U", "V")


def test_gray_scott_takes_nanoseconds_per_node():
    """Measured: 0.8 ns per node for both species, of which a bare compiled loop needs 0.25."""
    nodes = 262_144
    values, out = np.random.default_rng(3).random((2, nodes)), np.empty((2, nodes))
    chemistry = NodalChemistry(GRAY_SCOTT, np.zeros((nodes, 3)))
    took = []
    for _ in range(30):
        begin = time.perf_counter()
        chemistry.sources(0.0, values, out)
        took.append(time.perf_counter() - begin)
    assert min(took) / nodes < 5e-9
