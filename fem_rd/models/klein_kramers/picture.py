"""A law in phase space as a field on a grid of x and velocity."""

from __future__ import annotations

import numpy as np
from dolfinx import fem, mesh
from petsc4py import PETSc

from fem_rd.case.sections.klein_kramers import Picture
from fem_rd.models.klein_kramers.system import KleinKramersSystem
from fem_rd.models.protocol import Array
from fem_rd.numerics.hermite import hermite
from fem_rd.numerics.phase_space import Integers

HIGHEST = 12.0  # k_B T above the lowest energy: where W over Boltzmann's law is shown


class PhasePicture:
    """Piecewise linear fields over x and v/s, the velocity in thermal units. Collective."""

    def __init__(self, system: KleinKramersSystem, picture: Picture) -> None:
        self._system, line = system, system.line
        corners = [[line.lower, -picture.velocities], [line.upper, picture.velocities]]
        grid = mesh.create_rectangle(
            system.comm, np.array(corners), picture.cells, mesh.CellType.triangle
        )
        self._space = fem.functionspace(grid, ("Lagrange", 1))
        points = self._space.tabulate_dof_coordinates()
        self._x, self._at_x = np.unique(points[:, 0].round(12), return_inverse=True)
        self._v, self._at_v = np.unique(points[:, 1].round(12), return_inverse=True)
        self._functions: dict[str, fem.Function] = {}

    def of(self, name: str, law: PETSc.Vec, *, relative: bool = False) -> fem.Function:
        """W times the thermal velocity, per length: its integral over x and v/s is that of W.

        ``relative``: g instead, which is W over Boltzmann's law, and 0 where that is negligible:
        there polynomials stand for nothing.
        """
        function = self._functions.setdefault(name, fem.Function(self._space, name=name))
        modes = self._modes_at(law, 0.0 if relative else 1.0)
        p = self._v
        normal = np.ones_like(p) if relative else np.exp(-(p**2) / 2) / np.sqrt(2 * np.pi)
        table = modes.T @ (hermite(len(modes), p) * normal)
        if relative:
            energy = self._system.potential(self._x)[:, None] + p**2 / 2
            table[energy > HIGHEST] = 0.0
        function.x.array[:] = table[self._at_x, self._at_v]
        return function

    def _modes_at(self, law: PETSc.Vec, power: float) -> Array:
        """exp(-``power`` U) c_n at the grid's places, shape (modes, places)."""
        system, line = self._system, self._system.line
        space = system.space
        whole = np.concatenate(system.comm.allgather(law.array_r))
        scaled = (self._x - line.lower) / line.width
        cell = np.clip(np.floor(scaled).astype(int), 0, line.cells - 1)
        reference = 2 * (scaled - cell) - 1
        here = system.potential(self._x)
        found = np.zeros((space.modes, len(self._x)))
        for parity, (nodes, basis) in enumerate(
            (
                (line.reference.even_nodes, line.reference.even),
                (line.reference.odd_nodes, line.reference.odd),
            )
        ):
            places = line.lower + line.width * (cell[:, None] + (nodes + 1) / 2)
            exponent = system.potential(places) / 2 - power * here[:, None]
            values = basis(reference)[0] * np.exp(exponent)
            numbers = self._numbers(cell, parity)
            for mode in range(parity, space.modes, 2):
                found[mode] = np.sum(values * whole[numbers + mode // 2], axis=1)
        return found

    def _numbers(self, cell: Integers, parity: int) -> Integers:
        """Numbers of the first mode of a parity at the nodes of cells, (places, nodes)."""
        space, degree = self._system.space, self._system.line.degree
        if parity:
            within: Integers = (degree + np.arange(degree)) * space.half
        else:
            within = np.append(np.arange(degree) * space.half, space.block)
        found: Integers = (cell[:, None] * space.block + within) % space.size
        return found
