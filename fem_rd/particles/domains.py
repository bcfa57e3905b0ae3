"""Where particles are: what a domain is, and boxes of one, two and three dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError, NumericalError, nearest
from fem_rd.particles.build import as_doubles, kernels, pointer
from fem_rd.particles.random import Streams
from fem_rd.particles.state import Floats, Integers, Population
from fem_rd.particles.walls import Kind, PartiallyAbsorbing, Periodic, Reflecting, Wall, wall_code

FACES = {
    1: ("left", "right"),
    2: ("left", "right", "bottom", "top"),
    3: ("left", "right", "front", "back", "bottom", "top"),
}
"""The names of the faces of a box, lower and upper along each axis, by its dimension."""


@dataclass(frozen=True)
class Mobility:
    """How particles move in one step: ``diffusion`` (length^2/time), ``dt`` (time).

    ``drift`` (length/time): (dimension,), the same for all, or (dimension, count), one each.
    """

    diffusion: float
    dt: float
    drift: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.diffusion < math.inf and 0 < self.dt < math.inf):
            raise CaseError(
                "diffusion and dt", found=(self.diffusion, self.dt), valid="not negative; dt > 0"
            )

    @property
    def spread(self) -> float:
        """The standard deviation of a step along one axis, sqrt(2 D dt)."""
        return math.sqrt(2 * self.diffusion * self.dt)


@dataclass(frozen=True)
class Flight:
    """Between two kicks of `fem_rd.particles.dynamics.Langevin`: straight on for ``half`` (time),
    velocities v -> ``decay`` v + ``noise`` (length/time) normal, straight on for ``half`` again.
    """

    half: float
    decay: float
    noise: float


@dataclass(frozen=True)
class Exits:
    """Who left in a step: ``particle``, their places in ascending order, and by which ``wall``.

    Their positions are where they crossed, which ``points`` (dimension, leavers) keeps once they
    have been removed. ``wall`` counts in ``Domain.walls``.
    """

    count: int
    particle: Integers
    wall: npt.NDArray[np.int32]
    points: Floats | None = None

    @property
    def walls(self) -> npt.NDArray[np.int32]:
        """For each of the ``count`` particles the wall through which it left, or -1."""
        dense = np.full(self.count, -1, dtype=np.int32)
        dense[self.particle] = self.wall
        return dense

    def by_wall(self, walls: int) -> Integers:
        """How many left through each of so many walls."""
        return np.bincount(self.wall, minlength=walls)


class Domain(Protocol):
    """A place for particles: its size, its walls, and how one moves in it."""

    @property
    def dimension(self) -> int: ...

    @property
    def volume(self) -> float:
        """Length^dimension."""
        ...

    @property
    def walls(self) -> tuple[str, ...]:
        """The names of the walls."""
        ...

    def area(self, wall: str) -> float:
        """Length^(dimension - 1); 1 in one dimension."""
        ...

    def contains(self, points: Floats) -> npt.NDArray[np.bool_]:
        """Which of the points (dimension, n) lie inside or on a wall."""
        ...

    def sample(self, count: int, generator: np.random.Generator) -> Floats:
        """Uniform points, (dimension, count)."""
        ...

    def move(
        self,
        population: Population,
        mobility: Mobility,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
    ) -> Exits:
        """One step of all particles, in place; a wall that is not named reflects."""
        ...


class FlyingDomain(Domain, Protocol):
    """A domain in which particles may also have velocities."""

    def fly(
        self,
        population: Population,
        flight: Flight,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
    ) -> Exits:
        """Flight, friction and noise, flight; straight lines meet walls exactly.

        A reflecting wall mirrors the velocity; `CaseError` at a partially absorbing wall.
        """
        ...


@dataclass(frozen=True)
class Box:
    """All points between two corners: an interval, a rectangle or a box.

    Faces (`FACES`): left, right (x), bottom, top (the last axis), front, back (y of three). Plane
    walls are exact at any dt: images, Brownian bridges (both faces of an axis at once), local time;
    with a constant drift too where faces are 6 sqrt(2 D dt) apart. Where drift varies, order dt.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        pairs = list(zip(self.lower, self.upper, strict=True))
        if not 1 <= len(pairs) <= 3 or not all(a < b and b - a < math.inf for a, b in pairs):
            corners = self.lower, self.upper
            raise CaseError("a box has 1 to 3 axes with lower < upper", found=corners)

    @property
    def dimension(self) -> int:
        return len(self.lower)

    @cached_property
    def sides(self) -> Floats:
        """The lengths of the edges."""
        return np.subtract(self.upper, self.lower)

    @property
    def volume(self) -> float:
        return float(self.sides.prod())

    @property
    def walls(self) -> tuple[str, ...]:
        return FACES[self.dimension]

    def area(self, wall: str) -> float:
        return float(np.delete(self.sides, self.walls.index(wall) // 2).prod())

    def contains(self, points: Floats) -> npt.NDArray[np.bool_]:
        low, high = np.array(self.lower)[:, None], np.array(self.upper)[:, None]
        return np.all((points >= low) & (points <= high), axis=0)

    def sample(self, count: int, generator: np.random.Generator) -> Floats:
        low, side = np.array(self.lower)[:, None], self.sides[:, None]
        return low + side * generator.random((self.dimension, count))

    def move(
        self,
        population: Population,
        mobility: Mobility,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
    ) -> Exits:
        axes = self._axes(complete_walls(self, walls), mobility)
        shift, row, each = shift_of(population, mobility)
        leaving = Leaving(population.count if self._loses(walls) else 0)
        _, lib = kernels()
        gone = lib.fem_rd_move_box(
            self.dimension, population.count, population.capacity,
            pointer("double *", population.positions), pointer("uint64_t *", population.ids),
            streams.key, step, mobility.spread, shift, row, each, axes, *leaving.pointers,
        )  # fmt: skip
        return leaving.exits(population.count, gone)

    def fly(
        self,
        population: Population,
        flight: Flight,
        walls: Mapping[str, Wall],
        streams: Streams,
        step: int,
    ) -> Exits:
        chosen = flying_walls(complete_walls(self, walls))
        leaving = Leaving(population.count if self._loses(walls) else 0)
        _, lib = kernels()
        gone = lib.fem_rd_fly_box(
            self.dimension, population.count, population.capacity,
            pointer("double *", population.positions), pointer("double *", population.moving),
            pointer("uint64_t *", population.ids), streams.key, step,
            flight.half, flight.decay, flight.noise,
            self._axes(chosen, Mobility(0.0, flight.half)), *leaving.pointers,
        )  # fmt: skip
        return leaving.exits(population.count, gone)

    def _loses(self, walls: Mapping[str, Wall]) -> bool:
        return any(not isinstance(wall, Reflecting | Periodic) for wall in walls.values())

    def _axes(self, walls: Sequence[Wall], mobility: Mobility) -> Any:
        ffi, _ = kernels()
        axes = ffi.new("fem_rd_axis[]", self.dimension)
        codes = [wall_code(wall, mobility.diffusion, mobility.dt) for wall in walls]
        for axis, (lower, upper) in enumerate(zip(self.lower, self.upper, strict=True)):
            (low_kind, low_rate), (high_kind, high_rate) = codes[2 * axis : 2 * axis + 2]
            _check_step(upper - lower, (low_kind, high_kind), mobility)
            if (low_kind == Kind.PERIODIC) != (high_kind == Kind.PERIODIC):
                raise CaseError(
                    f"{self.walls[2 * axis]} and {self.walls[2 * axis + 1]} must both be periodic, "
                    "or neither"
                )
            axes[axis] = (lower, upper, low_kind, high_kind, low_rate, high_rate)
        return axes


class Interval(Box):
    """The interval between two points; its walls are left and right."""

    def __init__(self, lower: float, upper: float) -> None:
        super().__init__((lower,), (upper,))


_AT_ONCE = {Kind.REFLECTING, Kind.ABSORBING, Kind.PERIODIC}


def _check_step(side: float, kinds: tuple[Kind, Kind], mobility: Mobility) -> None:
    """Two walls of which one is partially absorbing, or has no bridge, are met one at a time."""
    if mobility.spread > side / 6 and not _AT_ONCE.issuperset(kinds):
        raise NumericalError(
            f"a step of {mobility.spread:.3g} may meet both of two walls that are {side:.3g} apart",
            remedy=f"dt at most {longest_step(side / 6, mobility.diffusion):.3g}",
        )


@dataclass(frozen=True)
class Leaving:
    """Room for the kernels to write who leaves."""

    room: int

    @cached_property
    def arrays(self) -> tuple[Integers, npt.NDArray[np.int32]]:
        return np.empty(self.room, dtype=np.int64), np.empty(self.room, dtype=np.int32)

    @property
    def pointers(self) -> tuple[Any, Any]:
        who, wall = self.arrays
        return pointer("int64_t *", who), pointer("int32_t *", wall)

    def exits(self, count: int, gone: int) -> Exits:
        who, wall = self.arrays
        return Exits(count, who[:gone].copy(), wall[:gone].copy())


def complete_walls(domain: Domain, walls: Mapping[str, Wall]) -> tuple[Wall, ...]:
    """A wall for each name of the domain, in its order: reflecting where none was given."""
    for name in walls:
        if name not in domain.walls:
            hint = nearest(name, domain.walls)
            raise CaseError(f"no such wall{hint}", found=name, valid=domain.walls)
    return tuple(walls.get(name, Reflecting()) for name in domain.walls)


def flying_walls(walls: Sequence[Wall]) -> Sequence[Wall]:
    """The same walls; `CaseError` if particles with velocities cannot meet one of them."""
    if any(isinstance(wall, PartiallyAbsorbing) for wall in walls):
        raise CaseError(
            "Langevin particles cannot meet a partially absorbing wall",
            valid="reflecting, absorbing, open, periodic",
        )
    return walls


def longest_step(spread: float, diffusion: float) -> float:
    """A dt at which sqrt(2 D dt) is a little less than the spread."""
    return 0.99 * spread**2 / (2 * diffusion)


def shift_of(population: Population, mobility: Mobility) -> tuple[Any, int, int]:
    """drift dt for kernels: a pointer that keeps its data, its strides by axis and particle."""
    ffi, _ = kernels()
    if mobility.drift is None:
        return ffi.NULL, 0, 0
    shift = as_doubles(mobility.drift) * mobility.dt
    dimension, count = population.dimension, population.count
    if shift.shape == (dimension,):
        return ffi.from_buffer("double *", shift), 1, 0
    if shift.shape == (dimension, count):
        return ffi.from_buffer("double *", shift), count, 1
    raise CaseError("the shape of a drift", found=shift.shape, valid=f"({dimension}, {count})")
