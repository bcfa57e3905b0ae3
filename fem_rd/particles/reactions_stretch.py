"""One stretch of time without motion: what the kernels of reactions are told, and what they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fem_rd.errors import NumericalError
from fem_rd.particles.build import kernels, pointer
from fem_rd.particles.domains import Box
from fem_rd.particles.neighbours import Grid, Sorted
from fem_rd.particles.pairs import pairs_of
from fem_rd.particles.random import Purpose
from fem_rd.particles.reactions_births import Births, Space
from fem_rd.particles.reactions_table import Channel
from fem_rd.particles.state import Floats, Integers, System

_PURPOSES = (Purpose.ZEROTH_ORDER, Purpose.FIRST_ORDER, Purpose.PAIR)


@runtime_checkable
class Meshed(Protocol):
    """A domain whose particles know their cell of a mesh."""

    def locate(self, points: Floats) -> npt.NDArray[np.int32]:
        """The cells that the points (dimension, n) are in."""
        ...


@dataclass
class _Kept:
    """Arrays and structures that the kernels point to."""

    items: list[Any] = field(default_factory=list)

    def pointer(self, kind: str, array: npt.NDArray[Any]) -> Any:
        self.items.append(array)
        return pointer(kind, array)

    def of(self, item: Any) -> Any:
        self.items.append(item)
        return item


@dataclass(frozen=True)
class Setting:
    """Who reacts with whom, and where; what kernels are told of it is written once."""

    channels: Sequence[Channel]
    domain: Space
    species: tuple[str, ...]

    @cached_property
    def table(self) -> tuple[Any, _Kept]:
        """The channels but for rates and keys, those of a stretch; with what they point to."""
        ffi, _ = kernels()
        kept, row = _Kept(), {name: i for i, name in enumerate(self.species)}
        table = kept.of(ffi.new("fem_rd_channel[]", max(1, len(self.channels))))
        for entry, channel in zip(table, self.channels, strict=False):
            entry.order, entry.local = channel.order, not channel.rate.uniform
            for place, name in enumerate(channel.species):
                entry.species[place], entry.stays[place] = row[name], channel.stays[place]
            made = np.array([row[name] for name, _ in channel.made], dtype=np.int32)
            where = np.array([place for _, place in channel.made], dtype=np.int32)
            entry.products, entry.radius = made.size, channel.radius
            entry.product = kept.pointer("int32_t *", made)
            entry.place = kept.pointer("int32_t *", where)
        return table, kept

    @cached_property
    def contains(self) -> Any:
        """A function that the kernels ask whether a place is in a domain that is not a box."""
        ffi, _ = kernels()
        if isinstance(self.domain, Box):
            return ffi.NULL
        domain, dimension = self.domain, self.domain.dimension

        def contains(x: Any) -> int:
            return int(domain.contains(_point(x, dimension))[0])

        return ffi.callback("int32_t(const double *)", contains, error=0)


@dataclass(frozen=True)
class Span:
    """A stretch of time: its ``middle``, its ``duration``, and which of its step it is."""

    middle: float
    duration: float
    stage: int = 0


@dataclass(frozen=True)
class Arranged:
    """All species, those that react in pairs sorted by the cells of ``grid``."""

    grid: Grid
    sorted_by: Mapping[str, Sorted]


def react(
    system: System, setting: Setting, arranged: Arranged, span: Span, births: Mapping[int, Births]
) -> Integers:
    """Let everything happen; how often each reaction did.

    ``births`` by the index of the channel.
    """
    _, lib = kernels()
    stretch = _Stretch(system, setting, arranged, span)
    state = stretch.state
    try:
        stretch.start(births)
        lib.fem_rd_react(state)
        if state.exhausted:
            raise NumericalError(
                "there is no memory for the reactions of a step", remedy="a shorter step"
            )
        stretch.finish()
    finally:
        lib.fem_rd_react_free(state)
    return stretch.happened


class _Stretch:
    """The state that the kernels work on."""

    def __init__(self, system: System, setting: Setting, arranged: Arranged, span: Span) -> None:
        ffi, _ = kernels()
        self._system, self._setting, self._arranged, self._span = system, setting, arranged, span
        self._kept, self.state = _Kept(), ffi.new("fem_rd_reacting *")
        self._gone = {name: np.zeros(system[name].count, dtype=np.uint8) for name in system.species}
        self.happened: Integers = np.zeros(len(setting.channels), dtype=np.int64)
        state = self.state
        arranged.grid.fill(state.cells)
        state.duration, state.next_id = span.duration, system.next_id
        state.species, state.channels = len(system.species), len(setting.channels)
        state.molecules, state.channel = self._molecules(), self._channels()
        state.happened = self._kept.pointer("int64_t *", self.happened)
        state.contains = setting.contains
        if not all(channel.rate.uniform for channel in setting.channels):
            state.rate = self._kept.of(self._rate())

    def start(self, births: Mapping[int, Births]) -> None:
        """Start the clocks of all who are there, and of those who will be born."""
        self._start_births(births)
        for index, channel in enumerate(self._setting.channels):
            if channel.order == 1:
                self._start_singles(index, channel)
            elif channel.order == 2:
                self._start_pairs(index, channel)

    def finish(self) -> None:
        """Take out the reactants and put in the products that are still there."""
        system, (ffi, lib) = self._system, kernels()
        for row, name in enumerate(system.species):
            population, gone = system[name], self._gone[name]
            population.remove(gone.view(bool))
            number = lib.fem_rd_react_born(self.state, row, 0, ffi.NULL, ffi.NULL, ffi.NULL)
            if not number:
                continue
            places = np.empty((system.dimension, number))
            ids, mesh = np.empty(number, dtype=np.uint64), np.empty(number, dtype=np.int32)
            lib.fem_rd_react_born(
                self.state, row, number, pointer("double *", places),
                pointer("uint64_t *", ids), pointer("int32_t *", mesh),
            )  # fmt: skip
            population.append(places, ids, cells=self._located(places, mesh, population.cells))
        system.next_id = int(self.state.next_id)

    def _molecules(self) -> Any:
        ffi, _ = kernels()
        table = self._kept.of(ffi.new("fem_rd_molecules[]", len(self._system.species)))
        for row, name in enumerate(self._system.species):
            population, by_cell = self._system[name], self._arranged.sorted_by[name]
            table[row].sorted = self._kept.of(by_cell.struct(population))[0]
            table[row].ids = pointer("uint64_t *", population.ids)
            table[row].gone = pointer("uint8_t *", self._gone[name])
            if population.cells is not None:
                table[row].mesh = pointer("int32_t *", population.cells)
            if by_cell.head.size == self._arranged.grid.size:
                table[row].head = pointer("int32_t *", by_cell.head)
        return table

    def _channels(self) -> Any:
        table, _ = self._setting.table
        for index, channel in enumerate(self._setting.channels):
            if channel.rate.uniform and channel.order:
                table[index].rate = channel.rate.value(self._span.middle)
            table[index].key = self._key(index, channel)
        return table

    def _key(self, index: int, channel: Channel) -> int:
        _, lib = kernels()
        system = self._system
        purpose, key = _PURPOSES[channel.order], system.streams.key
        return int(lib.fem_rd_reaction_key(key, system.step, purpose, index, self._span.stage))

    def _rate(self) -> Any:
        """A function that kernels ask for rates that depend on place."""
        ffi, _ = kernels()
        channels, time = self._setting.channels, self._span.middle
        dimension = self._system.dimension

        def rate(channel: int, x: Any) -> float:
            return float(channels[channel].rate.at(_point(x, dimension), time)[0])

        return ffi.callback("double(int32_t, const double *)", rate, error=0.0)

    def _start_births(self, births: Mapping[int, Births]) -> None:
        if not births:
            return
        _, lib = kernels()
        times = np.concatenate([born.times for born in births.values()])
        places = np.concatenate([born.places for born in births.values()], axis=1)
        self.state.births = self._kept.pointer("double *", np.ascontiguousarray(places))
        self.state.birth_stride = times.size
        end = 0
        for index, born in births.items():
            begin, end = end, end + born.times.size
            lib.fem_rd_react_births(self.state, index, pointer("double *", times), begin, end)

    def _start_singles(self, index: int, channel: Channel) -> None:
        ffi, lib = kernels()
        rates = ffi.NULL
        if not channel.rate.uniform:
            found = channel.rate.at(self._system[channel.species[0]].x, self._span.middle)
            rates = self._kept.pointer("double *", found)
        lib.fem_rd_react_singles(self.state, index, rates)

    def _start_pairs(self, index: int, channel: Channel) -> None:
        """From the smaller population, which sees all of the larger that is near to it."""
        _, lib = kernels()
        sorted_by = self._arranged.sorted_by
        one, two = ((self._system[name], sorted_by[name]) for name in channel.species)
        turned = two[0].count < one[0].count
        ends = (two, one) if turned else (one, two)
        for found in pairs_of(self._arranged.grid, channel.radius, *ends):
            first, second = reversed(found) if turned else found
            pairs = pointer("int32_t *", first), pointer("int32_t *", second)
            lib.fem_rd_react_pairs(self.state, index, *pairs, first.size)

    def _located(
        self, places: Floats, mesh: npt.NDArray[np.int32], cells: npt.NDArray[np.int32] | None
    ) -> npt.NDArray[np.int32] | None:
        if cells is None:
            return None
        lost = np.flatnonzero(mesh < 0)
        if lost.size and isinstance(self._setting.domain, Meshed):
            mesh[lost] = self._setting.domain.locate(places[:, lost])
        return mesh


def _point(x: Any, dimension: int) -> Floats:
    """What the kernels point to, (dimension, 1)."""
    return np.array([x[axis] for axis in range(dimension)])[:, None]
