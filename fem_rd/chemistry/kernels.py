"""The compiled interpreter of `fem_rd.chemistry.program`: one compilation for all networks.

An instruction is (code, a, b, c, d) with two numbers k, h: row d becomes a function of the rows
a, b, c. The rows are, in this order, values, fields, numbers, temporaries and outputs. A row holds
one block of nodes: all stay in the fastest cache, and each instruction is a vectorised loop.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fem_rd.compiled import compiled

Floats = npt.NDArray[np.float64]
Index = np.uint64
Table = npt.NDArray[Index]

BLOCK = 256  # nodes: rows of 2 kB; the fastest of 64 ... 2048 for Gray-Scott

# what compilers vectorise; the choice among these is made outside the loop over nodes
AFFINE, COMBINE, MULTIPLY, DIVIDE, SQRT, ABS, MIN, MAX, WHERE, LT, LE, GT, GE = range(13)
# what they do not
POWER, SIN, COS, TAN, ASIN, ACOS, ATAN, ATAN2, SINH, COSH, TANH, EXP, LOG, ERF = range(13, 27)

CODES = {
    "*": MULTIPLY, "/": DIVIDE, "^": POWER, "sqrt": SQRT, "abs": ABS,
    "min": MIN, "max": MAX, "where": WHERE, "lt": LT, "le": LE, "gt": GT, "ge": GE, "sin": SIN,
    "cos": COS, "tan": TAN, "asin": ASIN, "acos": ACOS, "atan": ATAN, "atan2": ATAN2,
    "sinh": SINH, "cosh": COSH, "tanh": TANH, "exp": EXP, "log": LOG, "erf": ERF,
}  # fmt: skip
"""The codes of the functions and operators of case expressions."""


@compiled
def evaluate(
    table: Table,
    factors: Floats,
    numbers: Floats,
    values: Floats,
    fields: Floats,
    rows: int,
    out: Floats,
    nodes: int,
) -> None:
    """Run all instructions at each of ``nodes`` nodes.

    Shapes: table (instructions, 5), factors (instructions, 2), numbers (numbers,), values (values,
    at least nodes), fields (fields, at least nodes), out (outputs, at least nodes).
    """
    work = np.empty((rows, min(BLOCK, nodes)))
    _fill(work, numbers, values.shape[0] + fields.shape[0])
    for start in range(0, nodes, BLOCK):
        size = min(BLOCK, nodes - start)
        _load(work, 0, values, start, size)
        _load(work, values.shape[0], fields, start, size)
        _run(table, factors, work, size)
        _store(work, rows - out.shape[0], out, start, size)


@compiled
def integrate(
    table: Table,
    factors: Floats,
    numbers: Floats,
    values: Floats,
    fields: Floats,
    rows: int,
    weights: Floats,
    totals: Floats,
) -> None:
    """As `evaluate`, but each output is summed over the nodes with ``weights`` into ``totals``."""
    nodes = weights.size
    work = np.empty((rows, min(BLOCK, nodes)))
    _fill(work, numbers, values.shape[0] + fields.shape[0])
    totals[:] = 0.0
    for start in range(0, nodes, BLOCK):
        size = min(BLOCK, nodes - start)
        _load(work, 0, values, start, size)
        _load(work, values.shape[0], fields, start, size)
        _run(table, factors, work, size)
        for output in range(totals.size):
            totals[output] += _weighted(work, rows - totals.size + output, weights, start, size)


@compiled
def evaluate_point(table: Table, factors: Floats, row: Floats) -> None:
    """Run all instructions on single numbers: ``row`` has inputs, numbers, temporaries, outputs."""
    for step in range(table.shape[0]):
        code, a, b, d = table[step, 0], table[step, 1], table[step, 2], table[step, 4]
        if code < POWER:
            c, k, h = table[step, 3], factors[step, 0], factors[step, 1]
            row[d] = _arithmetic(code, row[a], row[b], row[c], k, h)
        else:
            row[d] = _function(code, row[a], row[b])


# Unsigned indices cannot be negative: Numba leaves out the test that would stop vectorisation.


@compiled
def _fill(work: Floats, numbers: Floats, first: int) -> None:
    for i in range(numbers.size):
        work[first + i] = numbers[i]


@compiled
def _load(work: Floats, first: int, values: Floats, start: int, size: int) -> None:
    offset = np.uint64(start)
    for i in range(values.shape[0]):
        source, row = np.uint64(i), np.uint64(first + i)
        for node in range(size):
            work[row, node] = values[source, offset + np.uint64(node)]


@compiled
def _store(work: Floats, first: int, out: Floats, start: int, size: int) -> None:
    offset = np.uint64(start)
    for i in range(out.shape[0]):
        target, row = np.uint64(i), np.uint64(first + i)
        for node in range(size):
            out[target, offset + np.uint64(node)] = work[row, node]


@compiled
def _weighted(work: Floats, output: int, weights: Floats, start: int, size: int) -> float:
    """Sum of a row with weights: four sums at a time, which do not wait for one another."""
    row, offset = np.uint64(output), np.uint64(start)
    whole = size - size % 4
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for node in range(0, whole, 4):
        s0 += _term(work, row, weights, offset, node)
        s1 += _term(work, row, weights, offset, node + 1)
        s2 += _term(work, row, weights, offset, node + 2)
        s3 += _term(work, row, weights, offset, node + 3)
    for node in range(whole, size):
        s0 += _term(work, row, weights, offset, node)
    return (s0 + s1) + (s2 + s3)


@compiled
def _term(work: Floats, row: Index, weights: Floats, offset: Index, node: int) -> float:
    i = np.uint64(node)
    return work[row, i] * weights[offset + i]


@compiled
def _run(table: Table, factors: Floats, work: Floats, size: int) -> None:
    for step in range(table.shape[0]):
        code, a, b, c = table[step, 0], table[step, 1], table[step, 2], table[step, 3]
        d, k, h = table[step, 4], factors[step, 0], factors[step, 1]
        if code < SQRT:
            _run_linear(code, work, a, b, d, size, k, h)
        elif code < POWER:
            _run_choice(code, work, a, b, c, d, size)
        else:
            for node in range(size):
                work[d, node] = _function(code, work[a, node], work[b, node])


@compiled
def _run_linear(
    code: int, work: Floats, a: int, b: int, d: int, size: int, k: float, h: float
) -> None:
    if code == AFFINE:
        _loop(AFFINE, work, a, a, a, d, size, k, h)
    elif code == COMBINE:
        _loop(COMBINE, work, a, b, a, d, size, k, h)
    elif code == MULTIPLY:
        _loop(MULTIPLY, work, a, b, a, d, size, k, h)
    else:
        _loop(DIVIDE, work, a, b, a, d, size, k, h)


@compiled
def _run_choice(code: int, work: Floats, a: int, b: int, c: int, d: int, size: int) -> None:
    if code == SQRT:
        _loop(SQRT, work, a, a, a, d, size, 0.0, 0.0)
    elif code == ABS:
        _loop(ABS, work, a, a, a, d, size, 0.0, 0.0)
    elif code == MIN:
        _loop(MIN, work, a, b, a, d, size, 0.0, 0.0)
    elif code == MAX:
        _loop(MAX, work, a, b, a, d, size, 0.0, 0.0)
    elif code == WHERE:
        _loop(WHERE, work, a, b, c, d, size, 0.0, 0.0)
    elif code == LT:
        _loop(LT, work, a, b, a, d, size, 0.0, 0.0)
    elif code == LE:
        _loop(LE, work, a, b, a, d, size, 0.0, 0.0)
    elif code == GT:
        _loop(GT, work, a, b, a, d, size, 0.0, 0.0)
    else:
        _loop(GE, work, a, b, a, d, size, 0.0, 0.0)


@compiled
def _loop(
    code: int, work: Floats, a: int, b: int, c: int, d: int, size: int, k: float, h: float
) -> None:
    """One instruction on a block. Every caller gives a constant code, so that no choice is left."""
    for i in range(size):
        work[d, i] = _arithmetic(code, work[a, i], work[b, i], work[c, i], k, h)


@compiled
def _arithmetic(code: int, a: float, b: float, c: float, k: float, h: float) -> float:
    """The instructions that are vectorised. Conditions are 0 and 1."""
    if code == AFFINE:
        return k * a + h
    if code == COMBINE:
        return k * a + h * b
    if code == MULTIPLY:
        return a * b
    if code == DIVIDE:
        return a / b
    return _choice(code, a, b, c)


@compiled
def _choice(code: int, a: float, b: float, c: float) -> float:
    if code == SQRT:
        return float(np.sqrt(a))
    if code == ABS:
        return abs(a)
    if code == MIN:  # nan from either side, as NumPy
        return a if a < b or a != a else b
    if code == MAX:
        return a if a > b or a != a else b
    if code == WHERE:
        return b if a != 0.0 else c
    if code == LT:
        return 1.0 if a < b else 0.0
    if code == LE:
        return 1.0 if a <= b else 0.0
    if code == GT:
        return 1.0 if a > b else 0.0
    return 1.0 if a >= b else 0.0


@compiled
def _function(code: int, a: float, b: float) -> float:
    """The instructions that are not vectorised."""
    if code == POWER:
        return float(a**b)
    if code == EXP:
        return float(np.exp(a))
    if code == LOG:
        return float(np.log(a))
    if code == SIN:
        return float(np.sin(a))
    if code == COS:
        return float(np.cos(a))
    if code == TAN:
        return float(np.tan(a))
    if code == ASIN:
        return float(np.arcsin(a))
    if code == ACOS:
        return float(np.arccos(a))
    if code == ATAN:
        return float(np.arctan(a))
    if code == ATAN2:
        return float(np.arctan2(a, b))
    if code == SINH:
        return float(np.sinh(a))
    if code == COSH:
        return float(np.cosh(a))
    if code == TANH:
        return float(np.tanh(a))
    return math.erf(a)
