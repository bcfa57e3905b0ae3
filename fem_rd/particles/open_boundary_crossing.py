"""Who crosses an open plane or sphere in closed form: drawn by a kernel, for many steps at once.

Depths, places and the steps in which they come belong to seed, replica, step and boundary, whether
they are drawn for one replica or for several together (kernels/cross.c).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx

from fem_rd.exact.open_crossing import inserted
from fem_rd.particles.build import as_doubles, kernels, pointer
from fem_rd.particles.open_boundary_places import Opening, Sphere
from fem_rd.particles.open_boundary_round import round_law
from fem_rd.particles.random import Purpose
from fem_rd.particles.simplices import Indices
from fem_rd.particles.state import Floats, Integers


@runtime_checkable
class Plane(Protocol):
    """An opening in one plane: points, segments or triangles, as `Facets` has them."""

    @property
    def area(self) -> float: ...

    @property
    def vertices(self) -> Floats: ...

    @property
    def normals(self) -> Floats: ...


_SIGMAS, _ROOM = 8, 32  # more than a Poisson number is above its mean


@dataclass(frozen=True)
class Arrivals:
    """Who comes in: ``points`` and ``feet`` (dimension, n), ``depths`` (n,) in sqrt(4 D dt).

    ``chances`` (n,): uniform numbers to accept them by. ``facets`` (n,): those that they came
    through. ``ends`` (groups, steps): one past the last of each step.
    """

    points: Floats
    feet: Floats
    depths: Floats
    chances: Floats
    facets: Indices
    ends: Integers

    @property
    def moments(self) -> Floats:
        """The mean time within a step, (n,) from 0 to 1, at which those at a depth came in.

        First passage from z at the time s dt before the end has the density z s^(-3/2)
        exp(-z^2/s) for s < 1: its mean is 2 z exp(-z^2)/(sqrt(pi) erfc z) - 2 z^2.
        """
        z = self.depths
        return np.asarray(1 - 2 * z / (math.sqrt(math.pi) * erfcx(z)) + 2 * z**2)


class Doorway:
    """An opening and a step, as the kernel knows them.

    ``volume``: times c, how many come in in a step. ``spread``: sqrt(4 D dt) (length).
    """

    def __init__(self, opening: Opening, diffusion: float, dt: float) -> None:
        self.dimension, self.spread = opening.dimension, math.sqrt(4 * diffusion * dt)
        ffi, _ = kernels()
        self._kept: list[npt.NDArray[Any]] = []  # what the struct points to
        self._door = ffi.new("fem_rd_door *")
        self._door.dimension, self._door.spread = self.dimension, self.spread
        if opening.curvature and isinstance(opening, Sphere):
            law = round_law(opening, self.spread)
            self.volume = law.volume
            self._door.pieces, self._door.width = len(law.cubics), law.width
            self._door.cubics = self._pointer("double *", law.cubics)
            self._door.centre = [*opening.centre, 0.0, 0.0, 0.0][:3]
            self._door.radius = 1 / opening.curvature
        elif isinstance(opening, Plane):
            self.volume = opening.area * inserted(diffusion, dt)
            self._plane(opening.vertices, opening.normals[0])
        else:
            raise TypeError(f"{opening.wall} is neither a plane nor a sphere")

    def draw(
        self, keys: npt.ArrayLike, step: int, mean: float, steps: int, most: int | None = None
    ) -> Arrivals:
        """Who comes in with each of the ``keys`` in so many steps, ``mean`` of them in a step.

        With ``most`` just so many, all of them in the first step.
        """
        keys = np.asarray(keys, dtype=np.uint64)
        expected = mean * steps
        room = int(expected + _SIGMAS * math.sqrt(expected)) + _ROOM if most is None else most
        rate = mean if most is None else math.inf
        while (found := self._draw(keys, step, rate, steps, room)) is None:
            room *= 2
        return found

    def _draw(
        self, keys: npt.NDArray[np.uint64], step: int, mean: float, steps: int, most: int
    ) -> Arrivals | None:
        """None where there are more than ``most`` with one of the keys."""
        room = most * keys.size
        places = np.empty((2, self.dimension, room))
        numbers, facets = np.empty((2, room)), np.empty(room, dtype=np.int32)
        ends = np.empty((keys.size, steps), dtype=np.int64)
        _, lib = kernels()
        found = lib.fem_rd_cross(
            self._door, keys.size, pointer("uint64_t *", keys), step, Purpose.INSERT_PLACE, mean,
            steps, most, room, pointer("double *", places[0]), pointer("double *", places[1]),
            pointer("double *", numbers[0]), pointer("double *", numbers[1]),
            pointer("int32_t *", facets), pointer("int64_t *", ends),
        )  # fmt: skip
        if found < 0:
            return None
        points, feet = places[:, :, :found]
        depths, chances = numbers[:, :found]
        return Arrivals(points, feet, depths, chances, facets[:found], ends)

    def _plane(self, vertices: Floats, normal: Floats) -> None:
        corners = vertices.copy()
        corners[:, 1:] -= vertices[:, :1]
        gram = np.einsum("fia,fja->fij", corners[:, 1:], corners[:, 1:])
        ends = np.cumsum(np.sqrt(np.linalg.det(gram)))
        parts = np.arange(len(ends)) * (ends[-1] / len(ends))
        first = np.maximum(np.searchsorted(ends, parts, side="right") - 1, 0)  # less by round-off
        self._door.facets = len(corners)
        self._door.corners = self._pointer("double *", as_doubles(corners))
        self._door.ends = self._pointer("double *", ends)
        self._door.first = self._pointer("int64_t *", first.astype(np.int64))
        self._door.normal = [*(normal / np.linalg.norm(normal)), 0.0, 0.0, 0.0][:3]

    def _pointer(self, kind: str, array: npt.NDArray[Any]) -> Any:
        self._kept.append(array)
        return pointer(kind, array)
