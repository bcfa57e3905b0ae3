"""Particles and a reservoir that feed each other on a line: the mean of the scheme, exactly.

Particles on 0 < x < length cross x = 0 by the scheme `crossing` (absorbed with the bridge, inserted
at the concentration the reservoir shows); the reservoir, P1 with lumped mass on -cells width < x <
0, gets the net amount. One step of Lie splitting: the particles with frozen data, then the
reservoir. Particles are independent given the data, so their mean obeys this linear recursion in
the modes sin(k x), k = (n + 1/2) pi/length, without any further error. As crossing is exact for
frozen data, substeps of the particles change nothing. Our own analysis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fem_rd.exact.validity import Floats, floats, require, require_positive

FORGOTTEN = 40.0  # exponents of a step beyond which a mode has taken on the data
GOLDEN = 1 - 1 / math.sqrt(2)  # the diagonal of the two-stage schemes
Profile = Callable[[Floats], Floats]


@dataclass(frozen=True)
class HybridLine:
    """The coupled scheme; lengths, times and diffusions in any one set of units, cross-section 1.

    ``scheme`` of the reservoir: `backward-euler`, `ark2` (the damping of sdirk2 and trbdf2 too) or
    `exact`. ``source``: the net amount enters the reservoir as a `kick` before its step or
    `spread` over it. ``relaxation`` omega: the data follow the interface's node by c += omega
    (node - c). ``predicted``: the data are instead the mean of the node's value before and after
    the step, as foretold with the expected exchange. ``held``: the far end keeps the value 0, and
    all values are differences from it; otherwise it reflects.
    """

    length: float
    cells: int
    width: float
    step: float
    diffusion: float = 1.0
    reservoir_diffusion: float = 1.0
    scheme: str = "ark2"
    source: str = "spread"
    relaxation: float = 1.0
    predicted: bool = False
    held: bool = False

    def __post_init__(self) -> None:
        require_positive(length=self.length, width=self.width, step=self.step)
        require_positive(diffusion=self.diffusion, reservoir_diffusion=self.reservoir_diffusion)
        require(self.cells >= 2, f"cells must be at least 2; found {self.cells!r}")
        require(0 < self.relaxation <= 1, f"relaxation must lie in (0, 1]; found {self.relaxation}")
        require(self.source in ("kick", "spread"), f"no such source: {self.source!r}")
        require(self.scheme in FORCINGS, f"no such scheme: {self.scheme!r}")

    @property
    def nodes(self) -> Floats:
        """Places of the reservoir's nodes, from the interface outwards (x <= 0)."""
        return floats(-self.width * np.arange(self.cells + (not self.held)))

    @property
    def volumes(self) -> Floats:
        """Lumped volumes of the nodes; the interface's has half a cell."""
        volumes = np.full(self.cells + 1, self.width)
        volumes[[0, -1]] /= 2
        return volumes[: len(self.nodes)]

    @property
    def stiffness(self) -> Floats:
        """K of the reservoir, its diffusion included: dense (nodes, nodes)."""
        size = self.cells + 1
        ends = np.r_[1.0, np.full(size - 2, 2.0), 1.0]
        matrix = np.diag(ends) - np.eye(size, k=1) - np.eye(size, k=-1)
        count = len(self.nodes)
        return floats(matrix[:count, :count] * self.reservoir_diffusion / self.width)

    def modes(self) -> tuple[Floats, Floats, Floats]:
        """Wave numbers of the particles' modes, what a step leaves of each, capacities.

        A capacity is the amount in the mode at concentration 1. The last entry stands for all
        higher modes: they take on the data within a step.
        """
        reach = math.sqrt(FORGOTTEN / (self.diffusion * self.step)) * self.length / math.pi
        k = (np.arange(int(reach) + 2) + 0.5) * math.pi / self.length
        capacity = 2 / (self.length * k**2)
        left = np.exp(-self.diffusion * self.step * k**2)
        rest = self.length - float(capacity.sum())
        return floats(k), np.r_[left, 0.0], np.r_[capacity, rest]

    def reservoir(self) -> tuple[Floats, Floats]:
        """What a step makes of nodal values, and of a constant source (1/(volume step)): dense."""
        root = np.sqrt(self.volumes)
        values, vectors = np.linalg.eigh(self.stiffness / root[:, None] / root)
        a = np.maximum(values, 0) * self.step
        left, right = vectors / root[:, None], vectors.T * root
        return left * damping(self.scheme, a) @ right, left * forcing(self.scheme, a) @ right

    def response(self) -> Floats:
        """Nodal values after a step per net amount that came over the interface in it."""
        free, forced = self.reservoir()
        column = (forced if self.source == "spread" else free)[:, 0] / self.volumes[0]
        return floats(column)

    def matrix(self) -> Floats:
        """The recursion: state -> state of the next step.

        State: amounts in the particles' modes, nodal values, the data of the step before.
        """
        _, left, capacity = self.modes()
        free, response = self.reservoir()[0], self.response()
        inner, size = len(left), len(left) + len(response) + 1
        data = self._data(left, capacity, free, response)
        matrix = np.zeros((size, size))
        matrix[:inner, :inner] = np.diag(left)
        matrix[:inner] += np.outer(capacity * (1 - left), data)
        gain = matrix[:inner].sum(axis=0)
        gain[:inner] -= 1
        matrix[inner:-1, inner:-1] = free
        matrix[inner:-1] -= np.outer(response, gain)
        matrix[-1] = data
        return matrix

    def _data(self, left: Floats, capacity: Floats, free: Floats, response: Floats) -> Floats:
        """The concentration that the particles see, as a row over the state."""
        inner = len(left)
        row = np.zeros(inner + len(response) + 1)
        if not self.predicted:
            row[inner], row[-1] = self.relaxation, 1 - self.relaxation
            return row
        inserted = float(capacity @ (1 - left))
        row[inner] = 0.5
        row[inner:-1] += free[0] / 2
        row[:inner] = response[0] * (1 - left) / 2
        return row / (1 + response[0] * inserted / 2)

    def state(self, inside: Profile, outside: Profile) -> Floats:
        """The state of two profiles: inside(x) of the particles, outside(x) at the nodes."""
        k = self.modes()[0]
        panels = 2 * len(k) + 8
        points, weights = np.polynomial.legendre.leggauss(8)
        edges = self.length * (np.arange(panels)[:, None] + (points + 1) / 2) / panels
        x, w = edges.ravel(), np.tile(weights * self.length / (2 * panels), panels)
        profile = inside(x) * w
        amounts = np.sin(np.outer(k, x)) @ profile * 2 / (self.length * k)
        values = outside(self.nodes)
        return np.r_[amounts, profile.sum() - amounts.sum(), values, values[0]]

    def split(self, state: Floats) -> tuple[float, Floats]:
        """Number of particles and nodal values of the reservoir in a state."""
        inner = len(state) - len(self.nodes) - 1
        return float(state[:inner].sum()), state[inner:-1]

    def after(self, steps: int, state: Floats) -> Floats:
        """The state after that many steps."""
        return floats(np.linalg.matrix_power(self.matrix(), steps) @ state)

    def multipliers(self) -> NDArray[np.complex128]:
        """Eigenvalues of the recursion, largest modulus first (1: the conserved total)."""
        values = np.linalg.eigvals(self.matrix()).astype(complex)
        return values[np.argsort(-np.abs(values))]


def damping(scheme: str, a: Floats) -> Floats:
    """R(a) = 1 - a F(a): what one step of the scheme leaves of a mode of rate a/step."""
    return floats(1 - a * FORCINGS[scheme](a))


def forcing(scheme: str, a: Floats) -> Floats:
    """F(a): what one step makes of a constant source, per amount of it."""
    return FORCINGS[scheme](a)


FORCINGS: dict[str, Profile] = {
    "backward-euler": lambda a: 1 / (1 + a),
    "ark2": lambda a: (1 + GOLDEN**2 * a) / (1 + GOLDEN * a) ** 2,
    "exact": lambda a: np.where(a == 0, 1.0, -np.expm1(-a) / np.where(a == 0, 1.0, a)),
}
