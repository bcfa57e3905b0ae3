"""Named points and sets in the space of order parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from dolfinx import fem, geometry, la
from mpi4py import MPI

from fem_rd import compat
from fem_rd.case.base import joined
from fem_rd.case.sections.order_parameter import OrderParameterSection
from fem_rd.case.sections.order_parameter_kinds import Ball, Interval, Where
from fem_rd.errors import CaseError
from fem_rd.models.assembly import Array, OwnedVector
from fem_rd.models.order_parameter.space import OrderParameterSpace
from fem_rd.numerics.markov import Indices
from fem_rd.parallel import agree

KEY = "order-parameter"
_SLACK = 1e-12  # of the extent of the space: what is so near the boundary of a set belongs to it


class Points:
    """Points by name, as weights of the corners of the cells they are in."""

    def __init__(self, points: Mapping[str, tuple[float, ...]], space: OrderParameterSpace) -> None:
        """Raises `CaseError` for a point outside. Collective."""
        self._space = space
        self._function = space.place.function("points")
        self._found: dict[str, tuple[Indices, Array] | None] = {}
        for name, point in points.items():
            self._found[name] = self._weights(name, point)

    def __call__(self, values: Array) -> dict[str, float]:
        """Values of a function with these nodal values, by name. Collective."""
        if not self._found:
            return {}
        place = self._space.place
        place.fill(self._function, self._space.everywhere(values))
        nodal = self._function.x.array
        local = np.array(
            [0.0 if at is None else float(nodal[at[0]] @ at[1]) for at in self._found.values()]
        )
        self._space.comm.Allreduce(MPI.IN_PLACE, local)
        return dict(zip(self._found, map(float, local), strict=True))

    def delta(self, name: str) -> Array:
        """Probability 1 at a point, on the corners of its cell: mean and place are kept."""
        vector, at = self._function.x, self._found[name]
        vector.array[:] = 0.0
        if at is not None:
            np.add.at(vector.array, at[0], at[1])
        vector.scatter_reverse(la.InsertMode.add)
        unfolded = vector.array[: self._space.place.owned].copy()
        return self._space.sums(unfolded)

    def _weights(self, name: str, point: tuple[float, ...]) -> tuple[Indices, Array] | None:
        space, mesh = self._space, self._space.domain.mesh
        key = joined(f"{KEY}.points", name)
        if len(point) != space.dimension:
            valid = f"{space.dimension} number(s)"
            message = "the point has another dimension"
            raise CaseError(message, key=key, found=list(point), valid=valid)
        at = np.zeros((1, 3))
        at[0, : len(point)] = point
        tree = geometry.bb_tree(mesh, mesh.topology.dim, padding=1e-10)
        near = geometry.compute_collisions_points(tree, at)
        cells = geometry.compute_colliding_cells(mesh, near, at).links(0)
        cells = cells[cells < mesh.topology.index_map(mesh.topology.dim).size_local]
        owner = mesh.comm.allreduce(mesh.comm.rank if len(cells) else mesh.comm.size, op=MPI.MIN)
        if owner == mesh.comm.size:
            lower, upper = space.extent
            valid = f"a point between {lower} and {upper}"
            message = "the point is not in the space"
            raise CaseError(message, key=key, found=list(point), valid=valid)
        if owner != mesh.comm.rank:
            return None
        cell = int(cells[0])
        unknowns = space.place.space.dofmap.cell_dofs(cell)
        corners = mesh.geometry.x[compat.geometry_dofmap(mesh)[cell]][:, : space.dimension]
        system = np.vstack([corners.T, np.ones(len(corners))])
        return unknowns, np.linalg.solve(system, np.append(at[0, : space.dimension], 1.0))


def levels(section: OrderParameterSection, space: OrderParameterSpace) -> dict[str, Array]:
    """Each set as a level (owned,), not negative inside. Raises `CaseError`. Collective."""
    found = {name: _level(name, part, space) for name, part in section.sets.items()}
    for name, level in found.items():
        key = joined(f"{KEY}.sets", name)
        bad = None if np.isfinite(level).all() else CaseError("is not a number somewhere", key=key)
        agree(space.comm, bad)
        members = space.comm.allreduce(int((level >= 0).sum()))
        if members in (0, space.unknowns):
            message, valid = "the set is the whole space", "a part of the space"
            if not members:
                lower, upper = space.extent
                message = "the set holds no node of the space"
                valid = f"a set between {lower} and {upper}, larger than a cell"
            raise CaseError(message, key=key, found=_text(section.sets[name]), valid=valid)
    return found


def shares(sets: Mapping[str, Array], space: OrderParameterSpace) -> dict[str, Array]:
    """The part of each node's volume (owned,) that lies in each set, 0 to 1. Collective.

    From the part of each cell, where the level is linear: so that the probability of a set is as
    accurate as the density, wherever the boundary of the set is.
    """
    place = space.place
    level = place.function("level")
    part = fem.Function(fem.functionspace(space.domain.mesh, ("Discontinuous Lagrange", 0)))
    total = OwnedVector(place.test * part * place.dx)
    found = {}
    for name, values in sets.items():
        place.fill(level, space.everywhere(values))
        corners = level.x.array[place.space.dofmap.list]
        part.x.array[part.function_space.dofmap.list[:, 0]] = inside_part(corners)
        found[name] = np.clip(space.sums(total()) / space.volumes, 0.0, 1.0)
    return found


def inside_part(corners: Array) -> Array:
    """The part of each simplex where a linear level with these ``corners`` is not negative.

    ``corners`` (cells, dim + 1). It is the divided difference of max(l, 0)^dim at the corners
    (Hermite and Genocchi), here as a recursion of means, which has no cancellation.
    """
    return _sorted_part(np.sort(corners, axis=1))


def _sorted_part(levels: Array) -> Array:
    low, high = levels[:, 0], levels[:, -1]
    if levels.shape[1] == 1:
        return (low >= 0).astype(float)
    cut = (low < 0) & (high >= 0)
    weight = np.where(cut, high / np.where(cut, high - low, 1.0), 0.0)
    part: Array = weight * _sorted_part(levels[:, 1:])
    part += (1 - weight) * _sorted_part(levels[:, :-1])
    return part


def _text(part: Interval | Ball | Where) -> str:
    """A set as the case has it."""
    if isinstance(part, Where):
        return part.inside.text
    if isinstance(part, Interval):
        return f"{list(part.interval)}"
    return f"center {list(part.center)}, radius {part.radius:g}"


def apart(names: tuple[str, ...], sets: Mapping[str, Array], key: str, comm: MPI.Comm) -> None:
    """Raise `CaseError` where two of the sets have a node in common. Collective."""
    for index, one in enumerate(names):
        for other in names[:index]:
            common = comm.allreduce(int(((sets[one] >= 0) & (sets[other] >= 0)).sum()))
            if common:
                message = f"the sets {other!r} and {one!r} have {common} nodes in common"
                raise CaseError(message, key=key)


def _level(name: str, part: Interval | Ball | Where, space: OrderParameterSpace) -> Array:
    key = joined(f"{KEY}.sets", name)
    extent = float(np.ptp(space.positions, axis=0).max(initial=0.0))
    slack = _SLACK * space.comm.allreduce(extent, op=MPI.MAX)
    if isinstance(part, Where):
        if missing := part.inside.names.intersection("xyz"[space.dimension :]):
            message = f"depends on {min(missing)}, and the space has {space.names}"
            raise CaseError(message, key=f"{key}.inside", found=part.inside.text)
        return space.at_nodes(part.inside) + slack
    if isinstance(part, Interval):
        low, high = part.interval
        if space.dimension != 1 or high < low:
            message = "an interval is two increasing values of one order parameter"
            raise CaseError(message, key=f"{key}.interval", found=list(part.interval))
        middle = np.array([(low + high) / 2])
        return (high - low) / 2 - np.abs(space.away(middle)[:, 0]) + slack
    if len(part.center) != space.dimension:
        valid = f"{space.dimension} number(s)"
        message = "the center has another dimension"
        raise CaseError(message, key=f"{key}.center", found=list(part.center), valid=valid)
    return part.radius - np.linalg.norm(space.away(np.array(part.center)), axis=1) + slack
