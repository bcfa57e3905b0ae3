"""What quadrature knows of a case on a line or a circle, beside what was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fem_rd.case.case import Case
from fem_rd.case.sections.order_parameter import OrderParameterSection
from fem_rd.case.sections.order_parameter_kinds import Closed, Interval
from fem_rd.exact import order_parameter as exact
from fem_rd.expressions.expression import Expression
from fem_rd.models.assembly import Array
from fem_rd.models.protocol import Curve, Exact, Prediction

_POINTS = 400
_LARGEST = 600.0  # k_B T: a higher potential leaves double precision in the integrals


def exact_for(case: Case) -> Exact:
    """Predictions by their observable; nothing for more than one order parameter or a table."""
    section: OrderParameterSection = case.section
    grid = section.grid
    if grid is None or len(grid.cells) != 1 or not _by_expression(section):
        return Exact()
    line = _Line(section)
    if np.ptp(line.potential(np.linspace(*line.walls, 2001, dtype=np.float64))) > _LARGEST:
        return Exact()
    if grid.periodic[0]:
        return Exact(dict(line.transport()) if section.transport else {})
    predictions = {**dict(line.passages()), **dict(line.rates()), **dict(line.splitting())}
    closed = all(isinstance(kind, Closed) for kind in section.boundaries.values())
    curves = (line.density(),) if closed and case.time is None else ()
    return Exact(predictions, curves)


def _by_expression(section: OrderParameterSection) -> bool:
    known = section.potential_table is None and section.potential_samples is None
    return known and not isinstance(section.diffusion, tuple | dict)


class _Line:
    """One order parameter with a potential and a diffusion coefficient as functions."""

    def __init__(self, section: OrderParameterSection) -> None:
        self._section = section
        self.potential = _function(section.potential or Expression.constant(0.0))
        given: Any = section.friction if section.friction is not None else section.diffusion
        value = _function(given)
        self.diffusion: Callable[[Array], Array] = (
            value if section.friction is None else lambda x: 1 / value(x)
        )
        self.constant = given.is_constant
        grid = section.grid
        self.walls = (grid.lower[0], grid.upper[0]) if grid is not None else (0.0, 0.0)
        self.intervals = {
            name: (part.interval[0], part.interval[1])
            for name, part in section.sets.items()
            if isinstance(part, Interval)
        }

    def passages(self) -> Iterator[tuple[str, Prediction]]:
        """Mean first-passage times from points to sets."""
        for name in self._section.first_passage:
            for point, (start, *_) in self._section.points.items():
                if name not in self.intervals:
                    continue
                low, high = self.intervals[name]
                if low <= start <= high:
                    continue
                target, wall = (low, self.walls[0]) if start < low else (high, self.walls[1])
                value = exact.mean_first_passage_time(
                    self.potential, start, target, wall, self.diffusion
                )
                source = "double quadrature (Pontryagin; Gardiner 5.2.160)"
                yield f"mfpt_{name}_from_{point}", Prediction(value, source)

    def rates(self) -> Iterator[tuple[str, Prediction]]:
        """Rates between two sets."""
        if not self._section.committor:
            return
        a, b = self._section.committor
        if a not in self.intervals or b not in self.intervals:
            return
        first, second = sorted((a, b), key=lambda name: self.intervals[name])
        inner = self.intervals[first][1], self.intervals[second][0]
        outer = self.intervals[first][0], self.intervals[second][1]
        if outer[0] > self.walls[0] or outer[1] < self.walls[1]:
            return
        there, back = exact.transition_rate(self.potential, *inner, self.walls, self.diffusion)
        source = "flux of transitions over what was in the set last, by quadrature"
        yield f"k_{first}_{second}", Prediction(there, source)
        yield f"k_{second}_{first}", Prediction(back, source)

    def splitting(self) -> Iterator[tuple[str, Prediction]]:
        """Probabilities to reach one of two sets first."""
        names = self._section.splitting
        if len(names) != 2 or not all(name in self.intervals for name in names):
            return
        for point, (start, *_) in self._section.points.items():
            first, second = sorted(names, key=lambda name: self.intervals[name])
            low, high = self.intervals[first][1], self.intervals[second][0]
            if not low < start < high:
                continue
            up = exact.splitting_probability(self.potential, start, high, low, self.diffusion)
            source = "int exp(F)/D from the other set, over the whole"
            yield f"splitting_{second}_from_{point}", Prediction(up, source)
            yield f"splitting_{first}_from_{point}", Prediction(1 - up, source)

    def transport(self) -> Iterator[tuple[str, Prediction]]:
        """Drift and diffusion along an angle."""
        period = self.walls[1] - self.walls[0]
        force = self._section.tilt[0] if self._section.tilt else 0.0
        if force == 0.0:
            value = exact.lifson_jackson(self.potential, period, self.diffusion)
            yield "effective_diffusion_xx", Prediction(value, "Lifson and Jackson 1962")
        elif self.constant:
            diffusion = float(self.diffusion(np.zeros(1))[0])
            found = exact.tilted_periodic(self.potential, force, period, diffusion)
            yield "velocity_x", Prediction(found.velocity, "Stratonovich 1958")
            yield "effective_diffusion_xx", Prediction(found.diffusion, "Reimann et al. 2001")

    def density(self) -> Curve:
        """Boltzmann's law."""
        x = np.linspace(*self.walls, _POINTS, dtype=np.float64)
        energy = self.potential(x)
        lowest = float(energy.min())
        edges = np.linspace(*self.walls, exact.PANELS + 1, dtype=np.float64)
        fine, weights, _ = exact.panels(edges)
        total = float((weights * np.exp(lowest - self.potential(fine))).sum())
        return Curve("density", "x", x, np.exp(lowest - energy) / total, "exp(-F)/Z")


def _function(expression: Expression) -> Callable[[Array], Array]:
    def value(x: Array) -> Array:
        at = np.asarray(x, dtype=float)
        found = expression.evaluate({"x": at, "r": np.abs(at), "y": 0.0 * at, "z": 0.0 * at})
        return np.broadcast_to(np.asarray(found, dtype=float), at.shape)

    return value
