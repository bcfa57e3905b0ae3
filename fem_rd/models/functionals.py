"""Further observables of fields: integrals, values at points, and expressions of observables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from dolfinx import geometry
from mpi4py import MPI
from numpy.typing import ArrayLike

from fem_rd.case.base import joined
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression
from fem_rd.models.assembly import Array
from fem_rd.models.place import Place
from fem_rd.observables import Observable


class Integrals:
    """Integrals over the domain of expressions of concentrations, place and time.

    They are sums over the nodes with the weights of the mass, as the reactions are.
    """

    def __init__(
        self, expressions: Mapping[str, Expression], species: Sequence[str], place: Place
    ) -> None:
        self._expressions, self._species, self._place = expressions, species, place

    def __call__(self, time: float, concentrations: Array) -> dict[str, float]:
        """By name, from concentrations of shape (species, nodes). Collective."""
        place = self._place
        named: dict[str, Array] = dict(zip(self._species, list(concentrations), strict=True))
        env: dict[str, Array | float] = {**place.nodes, **named, "t": time}
        local = np.array(
            [
                float(np.sum(place.volumes * expression.evaluate(env)))
                for expression in self._expressions.values()
            ]
        )
        place.domain.mesh.comm.Allreduce(MPI.IN_PLACE, local)
        return dict(zip(self._expressions, map(float, local), strict=True))


class Probes:
    """The finite-element function at given points, as products with weights made once."""

    def __init__(
        self, points: Mapping[str, tuple[float, ...]], place: Place, key: str
    ) -> None:
        """Raises `CaseError` for a point that is not in the mesh. Collective."""
        self._place, self._names = place, tuple(points)
        self._function = place.function("probe")
        self._cells: list[int | None] = []
        self._points: list[Array] = []
        for name, point in points.items():
            self._add(joined(key, name), point)

    def __call__(self, values: ArrayLike) -> dict[str, float]:
        """Values at the points by name, from owned nodal values. Collective."""
        if not self._names:
            return {}
        self._place.fill(self._function, values)
        found = np.zeros(len(self._names))
        for index, (cell, point) in enumerate(zip(self._cells, self._points, strict=True)):
            if cell is not None:
                found[index] = self._function.eval(point, np.array([cell]))[0]
        self._place.domain.mesh.comm.Allreduce(MPI.IN_PLACE, found)
        return dict(zip(self._names, map(float, found), strict=True))

    def _add(self, key: str, point: tuple[float, ...]) -> None:
        mesh = self._place.domain.mesh
        if len(point) != mesh.geometry.dim:
            valid = f"{mesh.geometry.dim} coordinates on this mesh"
            raise CaseError("the point has another dimension", key=key, found=point, valid=valid)
        at = np.zeros((1, 3))
        at[0, : len(point)] = point
        tree = geometry.bb_tree(mesh, mesh.topology.dim, padding=1e-10)
        colliding = geometry.compute_colliding_cells(
            mesh, geometry.compute_collisions_points(tree, at), at
        ).links(0)
        owned = colliding[colliding < mesh.topology.index_map(mesh.topology.dim).size_local]
        owner = mesh.comm.allreduce(mesh.comm.rank if len(owned) else mesh.comm.size, op=MPI.MIN)
        if owner == mesh.comm.size:
            raise CaseError("the point is not in the mesh", key=key, found=point)
        self._cells.append(int(owned[0]) if owner == mesh.comm.rank else None)
        self._points.append(at)


class Derived:
    """Observables that are expressions of other observables."""

    def __init__(
        self,
        texts: Mapping[str, str],
        names: Collection[str],
        parameters: Mapping[str, float],
        key: str,
    ) -> None:
        """``names`` are the observables there are. Raises `CaseError` for any other name."""
        known = list(names)
        self._expressions: dict[str, Expression] = {}
        for name, text in texts.items():
            if name in known:
                message = "there is an observable of this name already"
                raise CaseError(message, key=joined(key, name), found=name)
            where = joined(key, name)
            parsed = Expression.parse(text, names=known, where=where, parameters=parameters)
            self._expressions[name] = parsed
            known.append(name)

    def __call__(self, observables: Sequence[Observable]) -> list[Observable]:
        """Their values, from the values of the others."""
        values = {observable.name: observable.value for observable in observables}
        found = []
        for name, expression in self._expressions.items():
            values[name] = float(expression.evaluate(values))
            found.append(Observable(name, values[name], "", expression.text))
        return found

