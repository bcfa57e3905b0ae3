"""The Klein-Kramers equation of a case as matrices and functionals, and its law at time 0."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from fem_rd.case.case import Case
from fem_rd.case.schema import BuiltinMesh
from fem_rd.case.sections.klein_kramers import ENDS, KleinKramersSection, Start
from fem_rd.equations.klein_kramers import transport
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import Expression
from fem_rd.log import Log
from fem_rd.models.protocol import Array
from fem_rd.numerics.hermite import gaussian_moments
from fem_rd.numerics.line_elements import Line
from fem_rd.numerics.phase_space import PhaseSpace, Walls

LEAKING = 1e-10  # of the largest weight: where a reflecting end is more than a cut
STEEPEST = 600.0  # k_B T in one cell: more would leave double precision
_WIDTHS = 9.0  # standard deviations of a start that count
_SAME = 1e-9  # k_B T
_FINE = 20  # points of the quadrature of a start in each of its pieces


@dataclass(frozen=True)
class Matrices:
    """K and M of M dy/dt = -K y."""

    stiffness: PETSc.Mat
    mass: PETSc.Mat


class KleinKramersSystem:
    """Phase space of so many ``modes`` and this ``degree``, and walls, of a case. Collective."""

    def __init__(self, case: Case, modes: int, degree: int, comm: MPI.Comm) -> None:
        section: KleinKramersSection = case.section
        mesh = _line_of(case)
        self.section, self.comm = section, comm
        self.thermal_velocity = section.thermal_velocity
        share = (comm.rank, comm.size)
        self.line = Line(
            (mesh.lower[0], mesh.upper[0]),
            mesh.cells[0],
            degree,
            share,
            periodic=section.periodic,
        )
        if section.frictions and case.time is not None:
            message = "are for the slowest rates, without the section [time]"
            valid = "friction, or no section [time]"
            found = list(section.frictions)
            raise CaseError(message, key="klein-kramers.frictions", found=found, valid=valid)
        self._lowest = _lowest(section.potential, self.line)
        if section.friction is not None:
            _check_friction(section.friction, self.line)
        self.space = PhaseSpace(self.line, modes, self.potential, comm)
        self.walls = Walls(*(section.absorbing(end) for end in ENDS))

    @property
    def absorbing(self) -> tuple[str, ...]:
        """Names of the ends at which particles leave."""
        return tuple(end for end in ENDS if self.section.absorbing(end))

    @property
    def closed(self) -> bool:
        """Whether there is a stationary law."""
        return not self.absorbing

    def potential(self, x: Array) -> Array:
        """U in k_B T above its lowest value on the line."""
        return _at(self.section.potential, x) - self._lowest

    def matrices(self, friction: Expression) -> Matrices:
        """Those with this friction. Collective."""
        forms = self.line.forms(self.potential, lambda x: _at(friction, x))
        couplings = transport(self.space.modes, self.thermal_velocity, self.section.force)
        return Matrices(
            *self.space.matrices(forms, couplings, self.walls, self.thermal_velocity)
        )

    def start(self, start: Start) -> PETSc.Vec:
        """The moments of a Gaussian law with the basis functions: M y at time 0. Collective."""
        s = self.thermal_velocity
        width = s if start.velocity_width is None else start.velocity_width
        moments = gaussian_moments(self.space.modes, start.velocity / s, (width / s) ** 2)
        even, odd = self._place_of(start)
        found = self.space.sum_up(
            (mode, moments[mode] * (odd if mode % 2 else even)) for mode in range(len(moments))
        )
        probability = self.comm.allreduce(float(np.sum(self._unweighted(even))))
        if not probability > 1 - 1e-6:
            raise CaseError(
                f"{1 - probability:.2g} of the law at time 0 lie outside the line",
                key="klein-kramers.initial.position",
                found=start.position,
                valid=f"a law between {self.line.lower:g} and {self.line.upper:g}",
            )
        found.scale(1 / probability)
        return found

    def boltzmann(self) -> PETSc.Vec:
        """The unknowns of Boltzmann's law, of probability 1. Collective."""
        vector = self.space.vector()
        vector.array[:] = self.space.constant() / self.weight
        return vector

    @cached_property
    def weight(self) -> float:
        """int exp(-U) dx over the line, U above its lowest value."""
        here = self.line.weights * np.exp(-self.potential(self.line.points))
        return float(self.comm.allreduce(float(here.sum())))

    def warn(self, log: Log) -> None:
        """Say where particles reach an end of the line that the case says nothing of."""
        for end, x in zip(ENDS, (self.line.lower, self.line.upper), strict=True):
            weight = float(np.exp(-self.potential(np.array([x])))[0])
            if end not in self.section.boundaries and weight > LEAKING:
                log.warning(
                    f"at the {end} end, x = {x:g}, the law of equilibrium is still {weight:.1e} of "
                    "its largest value: particles are reflected there. A longer line, or "
                    f"boundaries.{end} says that it is meant"
                )

    def _place_of(self, start: Start) -> tuple[Array, Array]:
        """int rho v / sqrt(exp(-U)) over owned cells, of the even and of the odd basis."""
        line, width = self.line, start.position_width
        cells = [_in_cell(line, int(cell), start.position, width) for cell in line.owned]
        even = np.zeros((len(cells), line.degree + 1))
        odd = np.zeros((len(cells), line.degree))
        for row, (points, weights) in enumerate(cells):
            even[row] = weights @ line.reference.even(points)[0]
            odd[row] = weights @ line.reference.odd(points)[0]
        return (
            even * np.exp(self.potential(line.even_nodes) / 2),
            odd * np.exp(self.potential(line.odd_nodes) / 2),
        )

    def _unweighted(self, even: Array) -> Array:
        found: Array = even * np.exp(-self.potential(self.line.even_nodes) / 2)
        return found


def _in_cell(line: Line, cell: int, mean: float, width: float) -> tuple[Array, Array]:
    """Points of the reference cell and weights that integrate a Gaussian of x over a cell."""
    low = line.lower + cell * line.width
    period = line.upper - line.lower
    images = mean + period * np.arange(-3, 4) if line.periodic else np.array([mean])
    last = cell == line.cells - 1 and not line.periodic
    points: list[Array] = [np.zeros(0)]
    weights: list[Array] = [np.zeros(0)]
    for centre in images:
        if width > 0.0:
            x, weight = _gaussian(low, low + line.width, centre, width)
        else:
            inside = low <= centre < low + line.width or (last and centre == low + line.width)
            x = np.full(int(inside), centre, dtype=np.float64)
            weight = np.ones(int(inside))
        points.append(np.asarray(2 * (x - low) / line.width - 1, dtype=np.float64))
        weights.append(np.asarray(weight, dtype=np.float64))
    return np.concatenate(points), np.concatenate(weights)


def _gaussian(low: float, high: float, mean: float, width: float) -> tuple[Array, Array]:
    """Points and weights of the normal law between ``low`` and ``high``."""
    begin, end = max(low, mean - _WIDTHS * width), min(high, mean + _WIDTHS * width)
    if begin >= end:
        return np.zeros(0), np.zeros(0)
    pieces = int(np.ceil((end - begin) / width))
    nodes, weights = np.polynomial.legendre.leggauss(_FINE)
    edges = np.linspace(begin, end, pieces + 1)
    half = np.diff(edges)[:, None] / 2
    points = ((edges[1:, None] + edges[:-1, None]) / 2 + half * nodes).ravel()
    density = np.exp(-(((points - mean) / width) ** 2) / 2) / (np.sqrt(2 * np.pi) * width)
    return points, (half * weights).ravel() * density


def _line_of(case: Case) -> BuiltinMesh:
    mesh = case.mesh
    if not isinstance(mesh, BuiltinMesh) or mesh.dimension != 1:
        found = getattr(mesh, "builtin", "another mesh")
        message = "the order parameter is on a line"
        raise CaseError(message, key="mesh", found=found, valid=["interval"])
    return mesh


def _at(expression: Expression, x: Array) -> Array:
    found: Array = np.broadcast_to(np.asarray(expression.evaluate({"x": x}), float), x.shape)
    return found


def _lowest(potential: Expression, line: Line) -> float:
    """The lowest value on a fine grid of the whole line, the same on all ranks."""
    x = _fine_grid(line)
    values = _at(potential, x)
    if not np.isfinite(values).all():
        bad = f"x = {float(x[~np.isfinite(values)][0]):g}"
        message = "is not a number everywhere"
        raise CaseError(message, key="klein-kramers.potential", found=bad)
    step = float(np.abs(np.diff(values)).max()) * 8
    if step > STEEPEST:
        message, valid = f"changes by about {step:.0f} k_B T in one cell", "a shorter line"
        raise CaseError(message, key="klein-kramers.potential", valid=f"{valid}, or more cells")
    if line.periodic and not np.isclose(values[0], values[-1], rtol=0.0, atol=_SAME):
        found = f"{values[0]:g} and {values[-1]:g}"
        message = "differs at the ends of a periodic line; a tilt is klein-kramers.force"
        raise CaseError(message, key="klein-kramers.potential", found=found)
    return float(values.min())


def _check_friction(friction: Expression, line: Line) -> None:
    x = _fine_grid(line)
    bad = ~(_at(friction, x) >= 0.0)  # or not a number
    if bad.any():
        value, place = float(_at(friction, x)[bad][0]), float(x[bad][0])
        found, valid = f"{value:g} at x = {place:g}", "no negative number on the line"
        message = "must not be negative"
        raise CaseError(message, key="klein-kramers.friction", found=found, valid=valid)


def _fine_grid(line: Line) -> Array:
    """Points of the whole line, the same on all ranks."""
    x: Array = np.linspace(line.lower, line.upper, 8 * line.cells + 1, dtype=np.float64)
    return x
