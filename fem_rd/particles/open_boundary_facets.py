"""The facets of a wall as a place where a reservoir meets the particles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fem_rd.errors import CaseError
from fem_rd.particles.mesh_region import MeshRegion
from fem_rd.particles.simplices import Indices, simplices
from fem_rd.particles.state import Floats, Integers

_FLAT = 1e-9  # of the size of the facets, and of a cosine


@dataclass(frozen=True, eq=False)
class Facets:
    """Points, segments or triangles of any shape.

    ``vertices``: (facets, dimension, dimension), each row of the last two axes one vertex;
    ``normals``: (facets, dimension), into the domain, of any length. ``number``: the place of
    ``wall`` among those of the domain. Layers and the law of a plane need all facets in one plane;
    such a layer is what lies above the facets themselves, and ends at their edges. ``cells``
    (facets,): those of a mesh that the facets are of.
    """

    vertices: Floats
    normals: Floats
    wall: str
    reach: float
    number: int = 0
    cells: Indices | None = None

    def __post_init__(self) -> None:
        facets, dimension = self.normals.shape
        if self.vertices.shape != (facets, dimension, dimension) or not 1 <= dimension <= 3:
            raise CaseError(
                "the shapes of vertices and normals",
                found=(self.vertices.shape, self.normals.shape),
                valid="(facets, dimension, dimension) and (facets, dimension)",
            )

    @classmethod
    def of_wall(cls, region: MeshRegion, wall: str) -> Facets:
        """A wall of a mesh region; ``reach`` is how far that extends along the first normal."""
        if wall not in region.walls:
            raise CaseError("no such wall", found=wall, valid=region.walls)
        mesh, number = region.mesh, region.walls.index(wall)
        chosen = mesh.facet_walls == number
        planes = mesh.planes[mesh.facet_cells[chosen], mesh.facet_places[chosen]]
        vertices, normals = mesh.points[mesh.facets[chosen]], planes[:, :-1]
        corners = mesh.points[np.unique(mesh.cells)]
        reach = float(((corners - vertices[0, 0]) @ normals[0]).max())
        cells = mesh.facet_cells[chosen].astype(np.int32)
        return cls(vertices, normals, wall, reach, number, cells)

    @property
    def dimension(self) -> int:
        return self.normals.shape[1]

    def upright(self, region: MeshRegion, reach: float) -> tuple[str, ...] | None:
        """The walls around the part of a ``region`` up to ``reach`` above plane facets.

        None where the facets are not plane, or where that part is not a prism over them: then it
        matters to a particle that comes in what is above and beside them.
        """
        if not self.flat:
            return None
        mesh = region.mesh
        other = np.flatnonzero(mesh.facet_walls != self.number)
        corners = mesh.points[mesh.facets[other]].reshape(-1, self.dimension)
        lowest = self._heights(corners.T).reshape(len(other), -1).min(axis=1)
        near = other[lowest < reach]
        planes = mesh.planes[mesh.facet_cells[near], mesh.facet_places[near], :-1]
        if (np.abs(planes @ self._unit[0]) > _FLAT).any():
            return None
        return tuple(region.walls[wall] for wall in np.unique(mesh.facet_walls[near]))

    @property
    def area(self) -> float:
        return float(self.areas.sum())

    @property
    def curvature(self) -> float:
        self._check_flat()
        return 0.0

    @cached_property
    def flat(self) -> bool:
        """Whether the facets lie in one plane."""
        apart = self.vertices - self.vertices[0, 0]
        size = np.abs(apart).max() or 1.0
        heights, cosines = np.abs(apart @ self._unit[0]), self._unit @ self._unit[0]
        return bool(heights.max() <= _FLAT * size and cosines.min() >= 1 - _FLAT)

    @cached_property
    def areas(self) -> Floats:
        """The area of each facet: 1, a length, or an area."""
        edges = self.vertices[:, 1:] - self.vertices[:, :1]
        gram = np.einsum("fia,fja->fij", edges, edges)
        return np.sqrt(np.linalg.det(gram)) / math.factorial(self.dimension - 1)

    def depths(self, points: Floats) -> Floats:
        self._check_flat()
        heights = self._heights(points)
        if self.dimension == 1:
            return heights
        over = self._plane.locate(self._along @ (points - self._corner)) >= 0
        return np.where(over, heights, np.inf)

    def place(self, depths: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
        bounds = np.cumsum(self.areas) / self.area
        drawn = np.searchsorted(bounds, generator.random(depths.size), side="right")
        facet = np.minimum(drawn, self.areas.size - 1)
        shares = generator.standard_exponential((self.dimension, depths.size))
        shares /= shares.sum(axis=0)
        feet = np.einsum("vn,nva->an", shares, self.vertices[facet])
        return feet + depths * self._unit[facet].T, feet

    def feet(self, points: Floats) -> Floats:
        """Those of points above a plane; where facets are bent, points must be on them."""
        if not self.flat:
            return points
        return points - self._unit[0][:, None] * self._heights(points)

    def _check_flat(self) -> None:
        if not self.flat:
            raise CaseError(
                f"the facets of {self.wall} do not lie in one plane: there is no layer at them",
                valid="the scheme crossing",
            )

    def _heights(self, points: Floats) -> Floats:
        return np.asarray(self._unit[0] @ (points - self._corner))

    @cached_property
    def _corner(self) -> Floats:
        return self.vertices[0, 0][:, None]

    @cached_property
    def _unit(self) -> Floats:
        return self.normals / np.linalg.norm(self.normals, axis=1, keepdims=True)

    @cached_property
    def _along(self) -> Floats:
        """Unit vectors along the plane, (dimension - 1, dimension)."""
        return np.linalg.svd(self._unit[:1])[2][1:]

    @cached_property
    def _plane(self) -> MeshRegion:
        """The plane facets as a region of their plane."""
        inside = (self.vertices.reshape(-1, self.dimension) - self._corner.T) @ self._along.T
        places, cells = np.unique(inside, axis=0, return_inverse=True)
        cells = cells.reshape(len(self.vertices), self.dimension)
        return MeshRegion(simplices(places, cells, {"rim": _rim(cells)}))


def _rim(cells: Integers) -> Integers:
    """The sides that belong to one cell only."""
    width = cells.shape[1]
    sides = [np.delete(np.sort(cells, axis=1), k, axis=1) for k in range(width)]
    found, counts = np.unique(np.concatenate(sides), axis=0, return_counts=True)
    return np.asarray(found[counts == 1])
