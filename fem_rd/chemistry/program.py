"""Programs of a network: its rates, sources and propensities as a tape of vector instructions.

The graph of a network (`fem_rd.chemistry.graph`) becomes instructions for the interpreter in
`fem_rd.chemistry.kernels`: nothing is compiled for a network, and a program is plain data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fem_rd.chemistry import kernels
from fem_rd.chemistry.graph import Graph, Value, functions
from fem_rd.chemistry.kernels import Floats, Table
from fem_rd.chemistry.network import Network, Reaction
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE_TIME, Expression

_NO_FIELDS = np.empty((0, 0))


@dataclass(frozen=True, eq=False)
class Program:
    """Instructions that compute ``outputs`` from ``inputs``, both named.

    ``rows`` is how many rows the instructions use: inputs, constants, temporaries and, last,
    outputs. ``table`` has (code, a, b, c, d) of each instruction, ``factors`` its two numbers.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    table: Table
    factors: Floats
    constants: Floats
    rows: int

    def run(
        self,
        values: Floats,
        out: Floats,
        fields: Floats = _NO_FIELDS,
        uniforms: Sequence[float] | Floats = (),
        nodes: int | None = None,
    ) -> None:
        """Fill ``out``, shape (outputs, at least nodes), in one pass.

        The inputs are the rows of ``values`` and ``fields``, shapes (rows, at least nodes), and the
        numbers ``uniforms``, in this order. All are C-contiguous; ``out`` is none of the others.
        """
        nodes = out.shape[1] if nodes is None else nodes
        numbers = np.array([*uniforms, *self.constants])
        self._check(values, fields, len(uniforms), nodes)
        fits = out.shape[0] == len(self.outputs) and out.shape[1] >= nodes
        if not fits or not out.flags.c_contiguous:
            raise ValueError(
                f"{len(self.outputs)} outputs at {nodes} nodes do not fit into an array of shape "
                f"{out.shape} and strides {out.strides}"
            )
        tape = self.table, self.factors, numbers
        kernels.evaluate(*tape, values, fields, self.rows, out, nodes)

    def totals(
        self,
        values: Floats,
        weights: Floats,
        fields: Floats = _NO_FIELDS,
        uniforms: Sequence[float] | Floats = (),
    ) -> Floats:
        """Sum over the nodes of ``weights`` times each output; arguments as for `run`."""
        self._check(values, fields, len(uniforms), weights.size)
        totals = np.empty(len(self.outputs))
        tape = self.table, self.factors, np.array([*uniforms, *self.constants])
        kernels.integrate(*tape, values, fields, self.rows, weights, totals)
        return totals

    def at(self, *values: float) -> Floats:
        """The outputs where the inputs are single numbers."""
        row = self.row()
        row[: len(self.inputs)] = values
        kernels.evaluate_point(self.table, self.factors, row)
        return row[self.rows - len(self.outputs) :]

    def row(self) -> Floats:
        """A row for `kernels.evaluate_point`: inputs to be filled, constants in their places."""
        row = np.zeros(self.rows)
        row[len(self.inputs) :][: self.constants.size] = self.constants
        return row

    def _check(self, values: Floats, fields: Floats, uniforms: int, nodes: int) -> None:
        given = values.shape[0] + fields.shape[0] + uniforms
        if given != len(self.inputs):
            raise ValueError(f"{given} inputs are given; the program has {self.inputs}")
        for rows in (values, fields):
            if rows.size < nodes * rows.shape[0] or not rows.flags.c_contiguous:
                raise ValueError(
                    f"inputs at {nodes} nodes, C-contiguous, are wanted; found the shape "
                    f"{rows.shape} with strides {rows.strides}"
                )


def compile_values(
    graph: Graph, inputs: Mapping[str, Value], outputs: Mapping[str, Value]
) -> Program:
    """The program that computes the outputs where the inputs, any values of the graph, are given.

    Raises `ValueError` where an input is missing.
    """
    constants = _constants(graph, inputs.values(), outputs.values())
    tape = _Tape(graph, (*(value.index for value in inputs.values()), *constants))
    for index in graph.needed(outputs.values(), inputs.values()):
        tape.add(index)
    targets = tape.finish([value.index for value in outputs.values()])
    places, temporaries = tape.allocate(set(targets))
    first = len(inputs) + len(constants)
    rows = [*range(first), *(first + place for place in places)]
    for output, target in enumerate(targets):
        rows[target] = first + temporaries + output
    table = [(code, *(rows[result] for result in results)) for code, *results in tape.table]
    return Program(
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        table=np.array(table, dtype=np.uint64).reshape(-1, 5),
        factors=np.array(tape.factors, dtype=float).reshape(-1, 2),
        constants=np.array([graph.nodes[index].numbers[0] for index in constants]),
        rows=first + temporaries + len(outputs),
    )


class _Tape:
    """Instructions on results, which are counted from the inputs and constants on."""

    def __init__(self, graph: Graph, given: Sequence[int]) -> None:
        self.graph, self.given = graph, len(given)
        self.results = {index: result for result, index in enumerate(given)}
        self.table: list[tuple[int, int, int, int, int]] = []
        self.factors: list[tuple[float, float]] = []

    def add(self, index: int) -> None:
        """The instructions of a node whose arguments are there."""
        node = self.graph.nodes[index]
        if index in self.results:
            return
        if node.operation == "input":
            raise ValueError(f"{node.name!r} is not an input of the program")
        arguments = [self.results[argument] for argument in node.arguments]
        if node.operation == "sum":
            self.results[index] = self._sum(arguments, node.numbers)
        else:
            a, b, c = (*arguments, *arguments[:1] * 2)[:3]
            self.results[index] = self._emit(kernels.CODES[node.operation], a, b, c)

    def finish(self, outputs: Iterable[int]) -> list[int]:
        """The result that each output row holds: a copy where another row has it already."""
        targets: list[int] = []
        for index in outputs:
            result = self.results[index]
            if result < self.given or result in targets:
                result = self._sum([result], (1.0, 0.0))
            targets.append(result)
        return targets

    def allocate(self, kept: set[int]) -> tuple[list[int], int]:
        """A place for each computed result, 0 for those kept elsewhere, and how many there are."""
        last = {operand: step for step, row in enumerate(self.table) for operand in row[1:4]}
        places = [0] * len(self.table)
        free: list[int] = []
        count = 0
        for step, (_, a, b, c, target) in enumerate(self.table):
            if target not in kept:
                if not free:
                    free.append(count)
                    count += 1
                places[step] = free.pop()  # not that of an operand: the loops would not vectorise
            for operand in {a, b, c} - kept:
                if operand >= self.given and last[operand] == step:
                    free.append(places[operand - self.given])
        return places, count

    def _sum(self, terms: Sequence[int], numbers: Sequence[float]) -> int:
        """k a + h, or k a + h b, and one more for each further term."""
        (total, *rest), factors, constant = terms, list(numbers[:-1]), numbers[-1]
        factor = factors.pop(0)
        if constant or not rest:
            total, factor = self._emit(kernels.AFFINE, total, total, total, factor, constant), 1.0
        for term, number in zip(rest, factors, strict=True):
            total = self._emit(kernels.COMBINE, total, term, total, factor, number)
            factor = 1.0
        return total

    def _emit(self, code: int, a: int, b: int, c: int, k: float = 0.0, h: float = 0.0) -> int:
        target = self.given + len(self.table)
        self.table.append((code, a, b, c, target))
        self.factors.append((k, h))
        return target


def _constants(graph: Graph, inputs: Iterable[Value], outputs: Iterable[Value]) -> list[int]:
    """The constants that need a row; in sums they are part of the instruction."""
    inputs, outputs = tuple(inputs), tuple(outputs)
    needed = graph.needed(outputs, inputs)
    return [index for index in needed if Value(graph, index).constant is not None]


def rates_of(graph: Graph, network: Network) -> list[Value]:
    """R_l of each reaction from the inputs: species and x, y, z, r, t."""
    variables = {name: graph.input(name) for name in (*network.species, *SPACE_TIME)}
    for name, held in network.chemostats.items():
        variables[name] = build(held, graph, variables)
    return [_rate(reaction, network, graph, variables) for reaction in network.reactions]


def sources_of(graph: Graph, network: Network, rates: Sequence[Value]) -> list[Value]:
    """sum_l S_il R_l, the rate of change of each species by reactions."""
    return [
        graph.combination(
            (float(count), rate) for count, rate in zip(row, rates, strict=True) if count
        )
        for row in network.stoichiometry
    ]


def rates_program(network: Network) -> Program:
    """R_l of each reaction; the inputs are the species and those of x, y, z, r, t that occur."""
    graph = Graph()
    names = [reaction.name for reaction in network.reactions]
    return _program(graph, network, names, rates_of(graph, network))


def sources_program(network: Network) -> Program:
    """dc_i/dt of each species by reactions, with the inputs of `rates_program`."""
    graph = Graph()
    return _program(
        graph, network, network.species, sources_of(graph, network, rates_of(graph, network))
    )


def propensity_program(network: Network, volume: float) -> Program:
    """Events per time of each reaction from the numbers of molecules in a volume.

    Mass action: V k prod_i n_i!/(n_i - m_i)! / V^m_i; other laws: V R(n/V). The inputs are the
    species and, where a rate depends on it, t. Raises `CaseError` for a rate that depends on place.
    """
    graph = Graph()
    variables = {name: graph.input(name) for name in (*network.species, *SPACE_TIME)}
    concentrations = {**variables, **{s: (1 / volume) * variables[s] for s in network.species}}
    for name, held in network.chemostats.items():
        variables[name] = concentrations[name] = build(held, graph, variables)
    found = []
    for reaction in network.reactions:
        if reaction.law is not None:
            propensity = volume * build(reaction.law, graph, concentrations)
        else:
            met = [count for name, count in reaction.reactants if name in network.species]
            factor = volume ** (1 - sum(met))
            propensity = factor * _rate(reaction, network, graph, variables, falling=True)
        found.append(propensity)
    names = [reaction.name for reaction in network.reactions]
    program = _program(graph, network, names, found)
    if place := set(program.inputs).intersection("xyzr"):
        message = f"a rate depends on {min(place)}: there is no place in a well-mixed volume"
        raise CaseError(message, valid="rates that depend on t only")
    return program


def build(expression: Expression, graph: Graph, variables: Mapping[str, Value]) -> Value:
    """The value of an expression in a graph."""
    value: Value = expression.build(variables, functions(graph), graph.number)
    return value


def _rate(
    reaction: Reaction,
    network: Network,
    graph: Graph,
    variables: Mapping[str, Value],
    falling: bool = False,
) -> Value:
    """R of a reaction; with ``falling``, n (n-1) ... (n-m+1) in place of powers."""
    if reaction.law is not None:
        return build(reaction.law, graph, variables)
    constant = build(reaction.rate or Expression.constant(0), graph, variables)
    meeting = graph.number(1)
    for name, count in sorted(reaction.reactants):
        if name in network.chemostats:
            constant = constant * variables[name] ** count
        elif falling:
            for taken in range(count):
                meeting = meeting * graph.combination([(1, variables[name])], -float(taken))
        else:
            meeting = meeting * variables[name] ** count
    return constant * meeting


def _program(
    graph: Graph, network: Network, names: Sequence[str], values: Sequence[Value]
) -> Program:
    used = {graph.nodes[index].name for index in graph.needed(values)}
    inputs = [*network.species, *(name for name in SPACE_TIME if name in used)]
    return compile_values(
        graph,
        {name: graph.input(name) for name in inputs},
        dict(zip(names, values, strict=True)),
    )
