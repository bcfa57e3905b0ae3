"""Trajectories of one order parameter in a given potential: the model that the equations are of.

Without inertia (eq. 29), for dW/dt = d/dR [D (d/dR - beta f) W]:

    dR = (D beta f + dD/dR) dt + sqrt(2 D) dW      (Ito),

where the term dD/dR is what keeps exp(-beta U) stationary when D depends on R. With inertia
(eq. 56): dR = V dt, m dV = f dt - zeta V dt + sqrt(2 k_B T zeta) dW.

Every random number is a function of (seed, replica, step): the first replicas of a larger ensemble
are those of a smaller one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError
from fem_rd.order_parameters import langevin_kernels as kernels
from fem_rd.order_parameters.statistics import Array


@dataclass(frozen=True)
class Landscape:
    """Potential U (energy) and diffusion D at equally spaced points of R, linear between them.

    ``periodic``: the last point is the first again. ``diffusion`` may be a number. Forces are
    central differences of U, so that intervals should be short beside the wells' curvature.
    """

    points: Array
    potential: Array
    diffusion: Array | float
    periodic: bool = False

    def __post_init__(self) -> None:
        widths = np.diff(self.points)
        if len(self.points) < 3 or not np.allclose(widths, widths[0], rtol=1e-6):
            message = "a landscape needs at least three equally spaced points"
            raise CaseError(message, found=len(self.points))
        if not np.all(np.asarray(self.diffusion) > 0.0):
            raise CaseError("must be positive", key="diffusion")

    @property
    def width(self) -> float:
        """The distance of two points."""
        return float((self.points[-1] - self.points[0]) / (len(self.points) - 1))

    @property
    def period(self) -> float:
        """The length of the circle; 0 on a line."""
        return float(self.points[-1] - self.points[0]) if self.periodic else 0.0

    def slope(self, values: Array) -> Array:
        """d/dR of values at the points, of second order."""
        if not self.periodic:
            return np.asarray(np.gradient(values, self.width, edge_order=2))
        inner = values[:-1]
        around = (np.roll(inner, -1) - np.roll(inner, 1)) / (2 * self.width)
        return np.append(around, around[0])


@dataclass(frozen=True)
class Trajectories:
    """Frames of all replicas, (replicas, frames), ``dt`` apart; no velocities without inertia."""

    dt: float
    places: Array
    velocities: Array | None = None

    def save(self, path: Path) -> None:
        """Write plain arrays (.npz); `load` reads them."""
        arrays = {"dt": np.array(self.dt), "places": self.places}
        if self.velocities is not None:
            arrays["velocities"] = self.velocities
        np.savez(path, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> Trajectories:
        """Read what `save` wrote; nothing in the file is run."""
        with np.load(path, allow_pickle=False) as held:
            return cls(float(held["dt"]), held["places"], held.get("velocities"))


def simulate_brownian(
    landscape: Landscape,
    start: npt.ArrayLike,
    *,
    temperature: float = 1.0,
    dt: float,
    frames: int,
    stride: int = 1,
    seed: int = 0,
) -> Trajectories:
    """Replicas from ``start`` (replicas,) without inertia, by Euler and Maruyama.

    A frame every ``stride`` steps of length ``dt``; the start is no frame. Weak order 1 in dt.
    """
    place = np.array(start, dtype=float)
    diffusion = np.broadcast_to(np.asarray(landscape.diffusion, float), landscape.points.shape)
    force = -landscape.slope(landscape.potential) / temperature
    drift = dt * (diffusion * force + landscape.slope(diffusion))
    out = np.empty((len(place), frames))
    kernels.brownian(
        place, drift, np.sqrt(2.0 * dt * diffusion), landscape.points[0], landscape.width,
        landscape.period, 0, frames * stride, stride, _key(seed), out,
    )  # fmt: skip
    return Trajectories(dt * stride, out)


def simulate_inertial(
    landscape: Landscape,
    start: npt.ArrayLike,
    *,
    mass: float,
    friction: float,
    temperature: float = 1.0,
    dt: float,
    frames: int,
    stride: int = 1,
    seed: int = 0,
) -> Trajectories:
    """Replicas from ``start`` with thermal velocities, by BAOAB; ``friction`` zeta is mass/time.

    The landscape's diffusion is not used: it is k_B T / zeta. Weak order 2 in dt.
    Source: Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34.
    """
    place = np.array(start, dtype=float)
    rate, thermal = friction / mass, math.sqrt(temperature / mass)
    generator = np.random.Generator(np.random.Philox(key=_key(seed)))
    velocity = thermal * generator.standard_normal(len(place))
    keep = math.exp(-rate * dt)
    shape = (len(place), frames)
    places, velocities = np.empty(shape), np.empty(shape)
    kernels.inertial(
        place, velocity, -landscape.slope(landscape.potential), landscape.points[0],
        landscape.width, landscape.period, mass, keep, thermal * math.sqrt(1.0 - keep**2), dt,
        0, frames * stride, stride, _key(seed), places, velocities,
    )  # fmt: skip
    return Trajectories(dt * stride, places, velocities)


def _key(seed: int) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))
