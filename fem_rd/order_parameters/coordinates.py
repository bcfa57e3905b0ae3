"""Order parameters of a set of atoms: the centre of mass, and slower deformations of the whole.

Each is linear in the positions (continuum-of-scales eq. II.10-II.13): with basis functions U_k of a
reference configuration r0, orthogonal in the mass-weighted inner product,

    Phi_k = (1/mu_k) sum_i m_i U_k(r0_i) r_i,   mu_k = sum_i m_i U_k(r0_i)^2,

with conjugate momentum Pi_k = mu_k dPhi_k/dt = sum_i U_k(r0_i) p_i and force sum_i U_k(r0_i) F_i.
U = 1 gives the centre of mass R (eq. 1), the total momentum P (eq. 2) and the net force (eq. 12).

Source: Pankavich and Ortoleva, Multiscale theory with a continuum of scales (II.10-II.13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.polynomial import legendre

from fem_rd.errors import CaseError
from fem_rd.order_parameters.statistics import Array

_DEPENDENT = 1e-8  # of its size: what is left of a function that the others span


@dataclass(frozen=True)
class OrderParameter:
    """One basis function: ``basis`` U_k at the atoms, shape (atoms,), and their ``masses``."""

    basis: Array
    masses: Array

    @property
    def effective_mass(self) -> float:
        """mu_k: the total mass where U = 1."""
        return float(np.sum(self.masses * self.basis**2))

    def of(self, positions: Array) -> Array:
        """Phi_k of positions or velocities (..., atoms, 3), shape (..., 3)."""
        weights = self.masses * self.basis / self.effective_mass
        return np.asarray(np.einsum("i,...ij->...j", weights, positions))

    def force(self, forces: Array) -> Array:
        """The force conjugate to Phi_k, of forces (..., atoms, 3), shape (..., 3)."""
        return np.asarray(np.einsum("i,...ij->...j", self.basis, forces))


def centre_of_mass(masses: Array) -> OrderParameter:
    """R, of which the velocity is P/m (eq. 1-2)."""
    _require_masses(masses)
    return OrderParameter(np.ones(len(masses)), np.asarray(masses, dtype=float))


def modes(reference: Array, masses: Array, orders: Sequence[tuple[int, int, int]]) -> list[OrderParameter]:  # fmt: skip  # noqa: E501
    """Order parameters for products of Legendre polynomials of the reference positions.

    ``reference``: (atoms, 3); ``orders``: degrees in x, y and z, lowest first, such as (0, 0, 0)
    for the centre of mass and (1, 0, 0) for stretching along x. The polynomials of coordinates
    scaled to [-1, 1] are made orthogonal one after the other (eq. II.12). Raises `CaseError` for a
    function that the earlier ones span on these atoms.
    """
    _require_masses(masses)
    middle, half = 0.5 * (reference.max(0) + reference.min(0)), 0.5 * np.ptp(reference, axis=0)
    scaled = (reference - middle) / np.where(half > 0.0, half, 1.0)
    found: list[OrderParameter] = []
    for degrees in orders:
        factors = [
            legendre.legval(scaled[:, axis], np.eye(degree + 1)[degree])
            for axis, degree in enumerate(degrees)
        ]
        function = size = np.prod(factors, axis=0)
        for _, earlier in product(range(2), found):  # twice: round-off of the first pass
            weight = np.sum(masses * function * earlier.basis) / earlier.effective_mass
            function = function - weight * earlier.basis
        if np.sum(masses * function**2) <= _DEPENDENT**2 * np.sum(masses * size**2):
            message = "the basis function is spanned by the earlier ones on these atoms"
            raise CaseError(message, found=list(degrees), valid="fewer or other orders")
        found.append(OrderParameter(function, np.asarray(masses, dtype=float)))
    return found


def up_to(orders: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """All degrees below and including ``orders``, by their sum: itself is the last."""
    below = product(*(range(order + 1) for order in orders))
    return sorted(((a, b, c) for a, b, c in below), key=lambda degrees: (sum(degrees), degrees))


def residuals(parameters: Sequence[OrderParameter], positions: Array) -> Array:
    """sigma_i = r_i - sum_k Phi_k U_k (eq. II.10), shape of ``positions`` (..., atoms, 3)."""
    coherent = sum(one.of(positions)[..., np.newaxis, :] * one.basis[:, np.newaxis] for one in parameters)  # fmt: skip  # noqa: E501
    return np.asarray(positions - coherent)


def scaled(place: Array, momentum: Array, epsilon: float) -> tuple[Array, Array]:
    """Phi = epsilon^(1/2) R and Pi = epsilon^(1/2) P (eq. 31-32), epsilon = atom's mass / mass."""
    root = np.sqrt(epsilon)
    return root * place, root * momentum


def _require_masses(masses: Array) -> None:
    if len(masses) == 0 or not np.all(np.asarray(masses) > 0.0):
        raise CaseError(
            "the masses of the atoms must be positive",
            found="no atoms" if len(masses) == 0 else float(np.min(masses)),
            valid="a topology with masses, or masses = 'equal'",
        )
