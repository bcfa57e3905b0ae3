"""Where a reservoir meets the particles: a face of a box, a sphere.

Depths are distances from the interface into the domain of the particles. The facets of a mesh are
in `open_boundary_facets`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from fem_rd.errors import CaseError
from fem_rd.particles.domains import Box
from fem_rd.particles.state import Floats


class Opening(Protocol):
    """An interface; ``wall`` is its name among the walls of the domain."""

    @property
    def wall(self) -> str: ...

    @property
    def number(self) -> int:
        """Its place among the walls of the domain."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def area(self) -> float:
        """Length^(dimension - 1); 1 in one dimension."""
        ...

    @property
    def reach(self) -> float:
        """How far the domain goes on behind the interface, along its normal (length)."""
        ...

    @property
    def curvature(self) -> float:
        """1/R (1/length): positive with the particles inside, negative outside, 0 for a plane.

        `CaseError` for a shape that is none of these: only `crossing` by trial steps is for it.
        """
        ...

    def depths(self, points: Floats) -> Floats:
        """The depth (n,) of each of the points (dimension, n); infinite beside the interface."""
        ...

    def place(self, depths: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Points at the depths over places drawn uniformly on the interface, and those places."""
        ...

    def feet(self, points: Floats) -> Floats:
        """The points of the interface below the points, (dimension, n).

        Points of the interface are their own feet.
        """
        ...


@dataclass(frozen=True)
class Face:
    """A face of a box in one, two or three dimensions, by its name ("left", ...)."""

    box: Box
    wall: str

    def __post_init__(self) -> None:
        if self.wall not in self.box.walls:
            raise CaseError("no such face", found=self.wall, valid=self.box.walls)

    @property
    def number(self) -> int:
        return self.box.walls.index(self.wall)

    @property
    def dimension(self) -> int:
        return self.box.dimension

    @property
    def area(self) -> float:
        return self.box.area(self.wall)

    @property
    def reach(self) -> float:
        return float(self.box.sides[self._axis])

    @property
    def curvature(self) -> float:
        return 0.0

    def depths(self, points: Floats) -> Floats:
        return self._inward * (points[self._axis] - self._plane)

    def place(self, depths: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
        feet = self.feet(self.box.sample(depths.size, generator))
        points = feet.copy()
        points[self._axis] += self._inward * depths
        return points, feet

    def feet(self, points: Floats) -> Floats:
        feet = points.copy()
        feet[self._axis] = self._plane
        return feet

    @cached_property
    def vertices(self) -> Floats:
        """Of the point, the segment or the two triangles that it is made of, as in `Facets`."""
        others = [axis for axis in range(self.dimension) if axis != self._axis]
        corners = np.full((2 ** len(others), self.dimension), self._plane)
        for row, axis in enumerate(others):
            upper = (np.arange(len(corners)) >> row) % 2
            corners[:, axis] = np.where(upper, self.box.upper[axis], self.box.lower[axis])
        return np.stack([corners[k : k + self.dimension] for k in range(max(1, len(others)))])

    @cached_property
    def normals(self) -> Floats:
        """Into the box, one for each of these."""
        return np.tile(self._inward * np.eye(self.dimension)[self._axis], (len(self.vertices), 1))

    @cached_property
    def _axis(self) -> int:
        return self.number // 2

    @cached_property
    def _inward(self) -> float:
        return 1.0 if self.number % 2 == 0 else -1.0

    @cached_property
    def _plane(self) -> float:
        corner = self.box.lower if self._inward > 0 else self.box.upper
        return corner[self._axis]


@dataclass(frozen=True)
class Sphere:
    """A sphere (or circle) of ``radius``.

    The particles are between it and the sphere of radius ``opposite``: inside where that is
    smaller (0: the whole ball), around it where that is larger.
    """

    radius: float
    wall: str
    dimension: int = 3
    centre: tuple[float, ...] = ()
    opposite: float = 0.0

    def __post_init__(self) -> None:
        if self.dimension not in (2, 3):
            raise CaseError("the dimension of a sphere", found=self.dimension, valid="2 or 3")
        if not (self.radius > 0 and self.opposite >= 0 and self.reach > 0):
            raise CaseError("the radii of an open sphere", found=(self.radius, self.opposite))
        if self.centre and len(self.centre) != self.dimension:
            raise CaseError("the centre", found=self.centre, valid=f"{self.dimension} numbers")

    @property
    def number(self) -> int:
        return int(0 < self.opposite < self.radius)  # the outer wall of a shell is its second

    @property
    def area(self) -> float:
        return 2 * math.pi * self.radius * (2 * self.radius if self.dimension == 3 else 1)

    @property
    def reach(self) -> float:
        return abs(self.radius - self.opposite)

    @property
    def curvature(self) -> float:
        return self._side / self.radius

    def depths(self, points: Floats) -> Floats:
        apart = points - self._middle
        return self._side * (self.radius - _lengths(apart))

    def place(self, depths: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
        normals = generator.standard_normal((self.dimension, depths.size))
        normals /= _lengths(normals)
        radii = self.radius - self._side * depths
        return self._middle + radii * normals, self._middle + self.radius * normals

    def feet(self, points: Floats) -> Floats:
        apart = points - self._middle
        return self._middle + self.radius * apart / _lengths(apart)

    @property
    def _side(self) -> float:
        return 1.0 if self.opposite < self.radius else -1.0

    @cached_property
    def _middle(self) -> Floats:
        return np.array(self.centre or (0.0,) * self.dimension)[:, None]


def _lengths(vectors: Floats) -> Floats:
    """Of vectors (dimension, n)."""
    return np.asarray(np.sqrt(np.einsum("an,an->n", vectors, vectors)))
