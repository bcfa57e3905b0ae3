"""Reservoirs for tests: closed forms, and a triangulated strip."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.spatial import Delaunay

from fem_rd.hybrid.across import Across
from fem_rd.hybrid.across_limits import bearable
from fem_rd.particles.random import Streams
from fem_rd.particles.reactions_table import channels_of
from fem_rd.particles.state import System


class HalfSpace:
    """The points with x > 0; ``concentrations``: functions of points, and their largest values."""

    def __init__(self, concentrations: Mapping[str, tuple[Callable, float]]) -> None:
        self.species = tuple(concentrations)
        self.concentrations = concentrations
        self.deposits: list[tuple[str, np.ndarray, np.ndarray]] = []

    def concentration_within(self, species, points):
        inside = points[0] > 0
        values = self.concentrations[species][0](points)
        return np.where(inside, values, 0.0), inside

    def highest(self, species):
        return self.concentrations[species][1]

    def deposit_within(self, species, points, amounts):
        assert np.all(points[0] > 0)
        self.deposits.append((species, points, np.asarray(amounts)))

    def total(self, species) -> float:
        return sum(amounts.sum() for name, _, amounts in self.deposits if name == species)

    def places(self, species) -> np.ndarray:
        """Where something was given or taken."""
        return np.concatenate([x for name, x, _ in self.deposits if name == species], axis=1)


def uniform(dimension: int = 0, **concentrations: float) -> HalfSpace:
    """The same everywhere."""
    return HalfSpace({
        name: (lambda x, c=c: np.full(x.shape[1], c), c) for name, c in concentrations.items()
    })  # fmt: skip


class Triangles:
    """A field that is linear on triangles; of one species."""

    def __init__(self, species: str, points: np.ndarray, values: np.ndarray) -> None:
        self.species = (species,)
        self.mesh, self.values = Delaunay(points), values
        self.given = np.zeros(len(points))

    def weights(self, points):
        cell = self.mesh.find_simplex(points.T)
        frame = self.mesh.transform[cell]
        first = np.einsum("nij,nj->ni", frame[:, :2], points.T - frame[:, 2])
        weights = np.column_stack([first, 1 - first.sum(axis=1)])
        return self.mesh.simplices[cell], weights, cell >= 0

    def concentration_within(self, species, points):
        nodes, weights, inside = self.weights(points)
        return np.where(inside, (weights * self.values[nodes]).sum(axis=1), 0.0), inside

    def highest(self, species):
        return float(self.values.max())

    def deposit_within(self, species, points, amounts):
        nodes, weights, inside = self.weights(points)
        assert inside.all()
        np.add.at(self.given, nodes, weights * np.asarray(amounts)[:, None])

    def bears(self, volumes: np.ndarray):
        """For `Across`: no node may give more than it has."""

        def ask(species, points):
            nodes, weights, _ = self.weights(points)
            return bearable(nodes, np.maximum(weights, 0), self.values * volumes + self.given)

        return ask


def near_plane(points, radius):
    """Interface x = 0, particles at x < 0."""
    return np.flatnonzero(points[0] > -radius)


def across(network, radii, reservoir, near=near_plane, **more) -> Across:
    return Across("across", channels_of(network, radii), reservoir, near, **more)


def particles_at(depth: float, dimension: int, counts: Mapping[str, int], species=None, seed=1):
    """Particles at one depth below the plane x = 0, anywhere along it."""
    made = System(dimension, species or tuple(counts), Streams(seed))
    generator = np.random.default_rng(seed)
    for name, count in counts.items():
        places = 1000.0 * generator.random((dimension, count))
        places[0] = -depth
        made.add(name, places)
    return made


def cut_ball(dimension: int, radius: float, depth: float) -> tuple[float, float]:
    """Volume of the part of a ball beyond a plane at ``depth`` >= 0 from its centre, and the
    integral of the distance from the plane over it."""
    a, s = depth, radius
    if dimension == 1:
        volume, moment = s - a, (s**2 - a**2) / 2
    elif dimension == 2:
        chord = np.sqrt(s**2 - a**2)
        volume, moment = s**2 * np.arccos(a / s) - a * chord, 2 / 3 * chord**3
    else:
        volume = np.pi * (s - a) ** 2 * (2 * s + a) / 3
        moment = np.pi * (s**2 - a**2) ** 2 / 4
    return volume, moment - a * volume
