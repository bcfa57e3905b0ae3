"""The space of order parameters: a grid or a mesh, with angles folded, as nodes and edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from dolfinx import fem
from mpi4py import MPI

from fem_rd import compat
from fem_rd.case.case import Case
from fem_rd.case.quantities import Diffusion
from fem_rd.case.schema import BuiltinMesh
from fem_rd.case.sections.order_parameter import OrderParameterSection
from fem_rd.case.sections.order_parameter_kinds import Grid
from fem_rd.equations.order_parameter import stiffness
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression
from fem_rd.log import Log
from fem_rd.mesh.arrays import MeshArrays
from fem_rd.mesh.builtin import builtin_mesh
from fem_rd.mesh.distribution import distribute
from fem_rd.mesh.domain import Domain
from fem_rd.mesh.packing import pack
from fem_rd.models.assembly import Array, OwnedVector, coordinates_by_name, matrix
from fem_rd.models.order_parameter.cutoff import below
from fem_rd.models.place import Place
from fem_rd.numerics.markov import Edges, Indices
from fem_rd.numerics.periodic import Folding

_SHAPES = {1: "interval", 2: "rectangle", 3: "box"}
_MIRRORED = {"left": "right", "right": "left"}


class OrderParameterSpace:
    """Nodes and edges. Arrays are over this rank's own nodes, those of an angle's seam once."""

    def __init__(self, case: Case, domain: Domain | MPI.Comm, log: Log) -> None:
        """Raises `CaseError` where there is not one of a grid and a mesh. Collective."""
        section: OrderParameterSection = case.section
        self.grid = section.grid
        self.domain = _domain(section, domain, log)
        self.comm: MPI.Comm = self.domain.mesh.comm
        self.place = Place(self.domain, 1)
        self._folding = self._fold(section.grid)
        self.positions: Array = (
            self.place.positions
            if self._folding is None
            else self.place.positions[self._folding.kept]
        )
        self.named = coordinates_by_name(self.positions)
        self.volumes = self.sums(OwnedVector(self.place.test * self.place.dx)())

    @property
    def dimension(self) -> int:
        """Number of order parameters."""
        return self.domain.dimension

    @property
    def names(self) -> str:
        """Their names."""
        return "xyz"[: self.dimension]

    @property
    def periods(self) -> Array:
        """The period of each angle, infinite where there is none, shape (dim,)."""
        if self.grid is None:
            return np.full(self.dimension, np.inf)
        extent = np.subtract(self.grid.upper, self.grid.lower)
        return np.where(self.grid.periodic, extent, np.inf)

    @property
    def extent(self) -> tuple[list[float], list[float]]:
        """The corners of the box around the space. Collective."""
        at = self.place.positions[:, : self.dimension]
        ends = np.stack([-at.min(axis=0, initial=np.inf), at.max(axis=0, initial=-np.inf)])
        self.comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
        return (-ends[0]).round(9).tolist(), ends[1].round(9).tolist()

    @property
    def unknowns(self) -> int:
        """Nodes over all ranks."""
        return int(self.comm.allreduce(len(self.positions)))

    def at_nodes(self, expression: Expression) -> Array:
        """An expression at the nodes."""
        value = np.asarray(expression.evaluate(self.named), dtype=float)
        return np.array(np.broadcast_to(value, len(self.positions)))

    def edges(
        self, diffusion: Diffusion | None, friction: Expression | None, *, positive: bool
    ) -> Edges:
        """The edges with their conductances, all or the ``positive`` ones. Collective."""
        place = self.place
        coefficients = place.coefficients
        if friction is not None:
            value: Any = 1 / coefficients.scalar(friction)
        elif isinstance(diffusion, Mapping):
            parts = [
                matrix(stiffness(coefficients.tensor(part), place.trial, place.test,
                                 place.in_region(region)))
                for region, part in diffusion.items()
            ]  # fmt: skip
            for other in parts[1:]:
                parts[0].axpy(1.0, other)
            return Edges(self._folded(parts[0]), positive=positive)
        else:
            value = coefficients.tensor(diffusion)  # type: ignore[arg-type]
        whole = matrix(stiffness(value, place.trial, place.test, place.dx))
        return Edges(self._folded(whole), positive=positive)

    def steps(self, edges: Edges) -> Array:
        """From tail to head of each edge, the short way around, shape (edges, dim)."""
        ends = [edges.at_ends(axis) for axis in self.positions[:, : self.dimension].T]
        steps = np.stack([high - low for low, high in ends], axis=1)
        periods, turns = self.periods, np.zeros_like(steps)
        finite = np.isfinite(periods)
        turns[:, finite] = np.rint(steps[:, finite] / periods[finite])
        steps[:, finite] -= turns[:, finite] * periods[finite]
        return steps

    def away(self, center: Array) -> Array:
        """Vectors from a point to the nodes, the short way around, shape (owned, dim)."""
        away = self.positions[:, : self.dimension] - center
        periods = self.periods
        finite = np.isfinite(periods)
        away[:, finite] -= np.rint(away[:, finite] / periods[finite]) * periods[finite]
        return away

    def side(self, name: str) -> tuple[Indices, Array]:
        """The owned nodes of a side, and the area that belongs to each of its nodes. Collective."""
        tag, tags = self.domain.boundaries[name], self.domain.facet_tags
        unfolded = fem.locate_dofs_topological(
            self.place.space, self.domain.mesh.topology.dim - 1, tags.find(tag)
        )
        unfolded = unfolded[unfolded < self.place.owned]
        areas = self.sums(OwnedVector(self.place.test * self.place.ds(tag))())
        if self._folding is None:
            return np.sort(unfolded).astype(np.int64), areas
        kept = self._folding.kept
        return np.flatnonzero(np.isin(kept, unfolded)), areas

    def sums(self, unfolded: Array) -> Array:
        """What all copies of a node have, added up at the nodes. Collective."""
        return unfolded if self._folding is None else self._folding.sums(unfolded)

    def everywhere(self, values: Array) -> Array:
        """Values at the nodes and at their copies, as functions on the mesh have them."""
        return values if self._folding is None else self._folding.unfolded(values)

    @cached_property
    def sides(self) -> dict[str, int]:
        """The sides that are not identified with each other."""
        if self.grid is None:
            return dict(self.domain.boundaries)
        seams = {
            name
            for axis, periodic in enumerate(self.grid.periodic)
            if periodic
            for name in (("left", "right"), ("bottom", "top"))[axis]
        }
        return {name: tag for name, tag in self.domain.boundaries.items() if name not in seams}

    def _fold(self, grid: Grid | None) -> Folding | None:
        if grid is None or not any(grid.periodic):
            return None
        corners = grid.lower, grid.upper
        return Folding(self.place.positions, *corners, grid.cells, grid.periodic, self.comm)

    def _folded(self, stiffness: Any) -> Any:
        return stiffness if self._folding is None else self._folding.folded(stiffness)


def _domain(section: OrderParameterSection, domain: Domain | MPI.Comm, log: Log) -> Domain:
    if isinstance(domain, Domain):
        if section.grid is not None:
            message = "the space is given twice: leave out this or the section [mesh]"
            raise CaseError(message, key="order-parameter.grid")
        if (order := compat.geometry_degree(domain.mesh)) > 1:
            message, valid = "jumps are along straight edges", "1"
            raise CaseError(message, key="mesh.order", found=order, valid=valid)
        return domain
    if section.grid is None:
        message = "the space of the order parameters is missing"
        valid = "a grid, or a section [mesh]"
        raise CaseError(message, key="order-parameter.grid", valid=valid)
    arrays = builtin_mesh(_builtin(section.grid))
    if _falls(section.diffusion):
        arrays = _mirror(arrays, section.grid)
    if section.highest is not None and section.potential is not None:
        energy = section.potential.evaluate(coordinates_by_name(_in_space(arrays.points)))
        arrays = below(arrays, np.broadcast_to(energy, len(arrays.points)), section.highest)
    return distribute(pack(arrays) if domain.rank == 0 else None, domain, log)


def _in_space(points: Array) -> Array:
    """Points with zeros for the coordinates they lack, shape (n, 3)."""
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def _builtin(grid: Grid) -> BuiltinMesh:
    shape = _SHAPES[len(grid.cells)]
    return BuiltinMesh.model_construct(
        builtin=shape, lower=grid.lower, upper=grid.upper, cells=grid.cells
    )


def _falls(diffusion: Diffusion | None) -> bool:
    """Whether two order parameters go against each other: D_xy < 0.

    The diagonals of the grid must then fall, or jumps along them would have negative rates.
    """
    if not isinstance(diffusion, tuple) or len(diffusion) != 2:
        return False
    mixed = diffusion[0][1]
    return mixed.is_constant and mixed.value < 0


def _mirror(arrays: MeshArrays, grid: Grid) -> MeshArrays:
    """The same grid with falling diagonals."""
    points = arrays.points.copy()
    points[:, 0] = grid.lower[0] + grid.upper[0] - points[:, 0]
    boundaries = {_MIRRORED.get(name, name): tag for name, tag in arrays.boundaries.items()}
    return replace(arrays, points=points, boundaries=boundaries)
