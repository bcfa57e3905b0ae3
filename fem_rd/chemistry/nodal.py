"""Reactions at the nodes of a mesh: one compiled pass over the arrays of concentrations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from fem_rd.chemistry.graph import Graph, Value
from fem_rd.chemistry.kernels import Floats
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.program import Program, compile_values, rates_of, sources_of
from fem_rd.expressions.expression import SPACE


class NodalChemistry:
    """The reactions of a network at given points.

    ``points`` has the shape (n, 3). The rate of a reaction named in ``where`` is multiplied by its
    share, shape (n,): the part of what belongs to each point in which it happens, 0 to 1. Arrays
    of values are C-contiguous with the shape (species, n), or with more columns, of which the
    first n are used.
    What depends on place but on no concentration is computed once, or, if it changes with time,
    whenever the time does.
    """

    def __init__(
        self, network: Network, points: Floats, where: Mapping[str, Floats] | None = None
    ) -> None:
        self.network, self.nodes = network, points.shape[0]
        graph, shares = Graph(), dict(where or {})
        names = [reaction.name for reaction in network.reactions]
        if unknown := set(shares).difference(names):
            raise ValueError(f"a share for {min(unknown)!r}, which is no reaction of {names}")
        self._rates = rates_of(graph, network)
        for index, name in enumerate(names):
            if name in shares:
                share, zero = graph.input(f"share {name}"), graph.number(0)
                inside = graph.apply("*", share, self._rates[index])
                self._rates[index] = graph.apply("where", share, inside, zero)  # it may be singular
        self._sources = sources_of(graph, network, self._rates)
        self._graph = graph
        self._species = {name: graph.input(name) for name in network.species}
        self._places = _places(points, shares)
        self._known = _Known(graph, self._places, (*self._rates, *self._sources))
        self._rates_program = self._program(self._known, names, self._rates)
        self._sources_program = self._program(self._known, network.species, self._sources)

    def sources(self, time: float, values: Floats, out: Floats) -> None:
        """Set ``out`` to dc_i/dt by reactions, shape of the values: amount/volume/time."""
        self._sources_program.run(values, out, *self._known.at(time), nodes=self.nodes)

    def rates(self, time: float, values: Floats) -> Floats:
        """R_l at each point, shape (reactions, n)."""
        out = np.empty((len(self._rates), self.nodes))
        self._rates_program.run(values, out, *self._known.at(time))
        return out

    def totals(self, time: float, values: Floats, weights: Floats) -> Floats:
        """Sum over the points of ``weights``, shape (n,), times R_l; shape (reactions,)."""
        return self._rates_program.totals(values, weights, *self._known.at(time))

    @property
    def pattern(self) -> tuple[tuple[int, int], ...]:
        """The pairs (i, j) where the source of species i depends on the concentration of j."""
        return tuple(self._slopes)

    def jacobian(self, time: float, values: Floats) -> Floats:
        """d source_i / d c_j for the pairs of `pattern`, shape (pairs, n)."""
        known, program = self._jacobian
        out = np.empty((len(self.pattern), self.nodes))
        program.run(values, out, *known.at(time))
        return out

    @cached_property
    def _slopes(self) -> dict[tuple[int, int], Value]:
        graph, counts = self._graph, self.network.stoichiometry
        needed = [set(graph.needed([rate])) for rate in self._rates]
        found: dict[tuple[int, int], Value] = {}
        for j, variable in enumerate(self._species.values()):
            slopes = {
                column: graph.derivative(rate, variable)
                for column, rate in enumerate(self._rates)
                if variable.index in needed[column]
            }
            for i in range(len(counts)):
                terms = [(float(counts[i, column]), slope) for column, slope in slopes.items()]
                total = graph.combination(terms)
                if total.constant != 0:
                    found[i, j] = total
        return dict(sorted(found.items()))

    @cached_property
    def _jacobian(self) -> tuple[_Known, Program]:
        slopes = self._slopes
        known = _Known(self._graph, self._places, slopes.values())
        names = [f"{i} {j}" for i, j in slopes]
        return known, self._program(known, names, tuple(slopes.values()))

    def _program(self, known: _Known, names: Sequence[str], values: Sequence[Value]) -> Program:
        inputs = {**self._species, **known.fields, **known.uniforms}
        return compile_values(self._graph, inputs, dict(zip(names, values, strict=True)))


class _Known:
    """The largest parts of some values that no concentration enters, and their numbers.

    ``fields`` depend on place, ``uniforms`` on time only; ``places`` has what place is: coordinates
    and shares.
    """

    def __init__(self, graph: Graph, places: Mapping[str, Floats], values: Iterable[Value]) -> None:
        parts = _parts(graph, tuple(values), {*places, "t"})
        self.fields = {f"field {v.index}": v for v, names in parts.items() if names != {"t"}}
        self.uniforms = {f"uniform {v.index}": v for v, names in parts.items() if names == {"t"}}
        self._moving = any("t" in names for names in parts.values())
        time = {"t": graph.input("t")}
        inputs = {**{name: graph.input(name) for name in places}, **time}
        self._fields_program = compile_values(graph, inputs, self.fields)
        self._uniforms_program = compile_values(graph, time, self.uniforms)
        self._places = np.array(list(places.values()))
        self._time: float | None = None
        self._numbers: tuple[Floats, Floats]

    def at(self, time: float) -> tuple[Floats, Floats]:
        """Fields, shape (fields, n), and uniforms, shape (uniforms,), at a time."""
        if self._time is None or (self._moving and time != self._time):
            fields = np.empty((len(self.fields), self._places.shape[1]))
            if self.fields:
                self._fields_program.run(self._places, fields, uniforms=(time,))
            self._numbers = fields, self._uniforms_program.at(time)
            self._time = time
        return self._numbers


def _parts(
    graph: Graph, values: Sequence[Value], known: Collection[str]
) -> dict[Value, frozenset[str]]:
    """The largest parts that depend on ``known`` inputs only, with the names of these inputs."""
    names: dict[int, frozenset[str]] = {}
    largest = dict.fromkeys(value.index for value in values)
    for index in graph.needed(values):
        node = graph.nodes[index]
        inner = frozenset().union(*(names[argument] for argument in node.arguments))
        names[index] = frozenset((node.name,)) if node.operation == "input" else inner
        if not names[index].issubset(known):
            largest.update(dict.fromkeys(node.arguments))
    return {
        Value(graph, index): names[index]
        for index in largest
        if names[index] and names[index].issubset(known)
    }


def _places(points: Floats, shares: Mapping[str, Floats]) -> dict[str, Floats]:
    """Coordinates and shares, by the names of the inputs that they are."""
    coordinates = (*points.T, np.sqrt(np.sum(points**2, axis=1)))
    inside = {f"share {name}": share.astype(float) for name, share in shares.items()}
    return {**dict(zip(SPACE, coordinates, strict=True)), **inside}
