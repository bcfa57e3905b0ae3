"""Elements on a line whose cells are shared out over ranks, with forms weighted by exp(-U).

Two spaces: ``even``, continuous and of the degree k, on Gauss-Lobatto nodes, and ``odd``, of the
degree k - 1 and discontinuous, on Gauss nodes. Derivatives of the one lie in the other. Basis
functions are divided by the square root of the weight at their node, so that entries are of order
one where the cells resolve the weight, however much it varies over the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
OfPlace = Callable[[Array], Array]
_EXTRA = 4  # points of the quadrature more than the degree: weights are not polynomials


@dataclass(frozen=True)
class Reference:
    """Nodes, and bases with their slopes at given points, of the cell [-1, 1]."""

    even_nodes: Array
    odd_nodes: Array

    @classmethod
    def of(cls, degree: int) -> Reference:
        """Of the continuous degree ``degree``."""
        inner = np.polynomial.Legendre.basis(degree).deriv().roots()
        even: Array = np.concatenate([[-1.0], np.real(inner), [1.0]]).astype(np.float64)
        return cls(even, np.polynomial.legendre.leggauss(degree)[0])

    def even(self, points: Array) -> tuple[Array, Array]:
        """Values and slopes of the continuous basis, each (points, degree + 1)."""
        return _lagrange(self.even_nodes, points)

    def odd(self, points: Array) -> tuple[Array, Array]:
        """Values and slopes of the discontinuous basis, each (points, degree)."""
        return _lagrange(self.odd_nodes, points)


class Line:
    """The cells of [``lower``, ``upper``] that a rank owns: ``first`` to ``last`` - 1.

    Arrays of points have the shape (owned cells, points of a cell).
    """

    def __init__(
        self,
        ends: tuple[float, float],
        cells: int,
        degree: int,
        share: tuple[int, int],
        *,
        periodic: bool = False,
    ) -> None:
        """``share``: rank and number of ranks."""
        self.lower, self.upper = ends
        self.cells, self.degree, self.periodic = cells, degree, periodic
        rank, ranks = share
        self.first, self.last = cells * rank // ranks, cells * (rank + 1) // ranks
        self.reference = Reference.of(degree)
        self.width = (self.upper - self.lower) / cells
        points, weights = np.polynomial.legendre.leggauss(degree + _EXTRA)
        self._points = np.asarray(points, dtype=float)
        self.points = self.at(self._points)
        self.weights: Array = weights * self.width / 2
        self.even_nodes = self.at(self.reference.even_nodes)
        self.odd_nodes = self.at(self.reference.odd_nodes)

    @property
    def owned(self) -> npt.NDArray[np.int64]:
        """Numbers of the owned cells."""
        return np.arange(self.first, self.last)

    def at(self, reference: Array) -> Array:
        """Points of the owned cells at points of the reference cell."""
        middle = self.lower + (self.owned + 0.5) * self.width
        found: Array = middle[:, None] + self.width / 2 * reference
        return found

    def forms(self, potential: OfPlace, friction: OfPlace) -> Forms:
        """The element matrices of the weight exp(-``potential``) and of the ``friction``."""
        even, slope = self.reference.even(self._points)
        odd, odd_slope = self.reference.odd(self._points)
        slope, odd_slope = 2 / self.width * slope, 2 / self.width * odd_slope
        here = potential(self.points)
        at_even, at_odd = potential(self.even_nodes), potential(self.odd_nodes)
        damped = self.weights * friction(self.points)

        def integral(left: Array, right: Array, rows: Array, columns: Array, by: Array) -> Array:
            shift = rows[:, None, :, None] / 2 + columns[:, None, None, :] / 2
            weight = np.exp(shift - here[:, :, None, None])
            product: Array = np.einsum("cqij,cq,qi,qj->cij", weight, by, left, right)
            return product

        plain = np.broadcast_to(self.weights, here.shape)
        weighted = -integral(odd_slope, even, at_odd, at_even, plain)
        ends = self.reference.odd(np.array([-1.0, 1.0]))[0]
        for node, values, sign in ((0, ends[0], -1.0), (-1, ends[1], 1.0)):
            jump = np.exp((at_odd - at_even[:, [node]]) / 2)
            weighted[:, :, node] += sign * values * jump
        return Forms(
            even_mass=integral(even, even, at_even, at_even, plain),
            odd_mass=integral(odd, odd, at_odd, at_odd, plain),
            even_friction=integral(even, even, at_even, at_even, damped),
            odd_friction=integral(odd, odd, at_odd, at_odd, damped),
            gradient=integral(odd, slope, at_odd, at_even, plain),
            weighted_gradient=weighted,
            overlap=integral(odd, even, at_odd, at_even, plain),
        )

    def moments(self, potential: OfPlace, function: OfPlace) -> tuple[Array, Array]:
        """int exp(-U) f v over the owned cells, for the even and the odd basis functions v."""
        here = self.weights * function(self.points)
        found = []
        for basis, nodes in (
            (self.reference.even, self.even_nodes),
            (self.reference.odd, self.odd_nodes),
        ):
            shift = potential(nodes)[:, None, :] / 2 - potential(self.points)[:, :, None]
            values = basis(self._points)[0]
            found.append(np.einsum("cqj,cq,qj->cj", np.exp(shift), here, values))
        return found[0], found[1]


@dataclass(frozen=True)
class Forms:
    """Element matrices, each (owned cells, rows, columns); rows of mixed ones are odd.

    mass (w u, v) and friction (gamma w u, v) of either space; gradient (w u', v),
    weighted_gradient ((w u)', v) and overlap (w u, v) of an even u and an odd v. The second is
    integrated by parts in each cell: the potential is never differentiated.
    """

    even_mass: Array
    odd_mass: Array
    even_friction: Array
    odd_friction: Array
    gradient: Array
    weighted_gradient: Array
    overlap: Array


def _lagrange(nodes: Array, points: Array) -> tuple[Array, Array]:
    """Values and slopes of the Lagrange basis of ``nodes``, each (points, nodes)."""
    monomials: Array = np.linalg.inv(np.vander(nodes, increasing=True)).astype(np.float64)
    powers = np.vander(points, len(nodes), increasing=True)
    steeper = np.zeros_like(powers)
    steeper[:, 1:] = powers[:, :-1] * np.arange(1, len(nodes))
    values: Array = powers @ monomials
    slopes: Array = steeper @ monomials
    return values, slopes
