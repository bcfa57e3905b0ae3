"""The rate equations of a well-mixed network, dx/dt = sum_l nu_l R_l(x, t).

Source: chemical-thermodynamics eq. 4 (Kurtz 1972), the limit of many molecules of the master
equation. Concentrations have the shape (species,), or (times, species) along a trajectory.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.polynomial import polynomial
from numpy.typing import ArrayLike
from scipy.integrate import Radau
from scipy.optimize import brentq

from fem_rd.chemistry.kinetics import kinetics_of
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.nodal import NodalChemistry
from fem_rd.chemistry.structure import conservation_laws
from fem_rd.errors import CaseError, NumericalError
from fem_rd.expressions.expression import SPACE

Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-9
SMALL = 1e-4  # of the largest concentration: below it, errors are absolute
NEWTON_STEPS = 60
CONVERGED = 1e-12  # relative size of the last Newton step but one
BALANCED = 1e-9  # net rate of a steady state, relative to what is made and lost
RELAXATIONS = 12  # integrations, each ten times as long as the one before, until Newton converges
SEARCH_POINTS = 20_000
TINY = 1e-300
_REAL = 1e-7  # imaginary part, relative, up to which a root of a polynomial is taken for real


class RateEquations:
    """The rate equations of a network, whose coefficients may depend on time but not on place."""

    def __init__(self, network: Network) -> None:
        _check_no_place(network)
        self.network = network
        self.laws = conservation_laws(network)
        self.autonomous = "t" not in _variables(network)
        self._chemistry = NodalChemistry(network, np.zeros((1, 3)))
        rows, columns = np.array(self._chemistry.pattern, dtype=int).reshape(-1, 2).T
        self._rows, self._columns = rows, columns

    def velocity(self, time: float, x: Floats) -> Floats:
        """dx/dt (amount/volume/time). Raises `NumericalError` where it is not finite."""
        out = np.empty((len(x), 1))
        self._chemistry.sources(time, np.ascontiguousarray(x)[:, None], out)
        if not np.isfinite(out).all():
            raise NumericalError(
                f"the rates at time {time:.6g} are not finite: concentrations grow without bound, "
                "or a law is no number there",
                remedy="an earlier end, or laws that are numbers at all concentrations",
            )
        return out[:, 0]

    def jacobian(self, time: float, x: Floats) -> Floats:
        """d(dx_i/dt)/dx_j, shape (species, species), 1/time."""
        matrix = np.zeros((len(x), len(x)))
        values = self._chemistry.jacobian(time, np.ascontiguousarray(x)[:, None])
        matrix[self._rows, self._columns] = values[:, 0]
        return matrix

    def advance(
        self, x: Floats, begin: float, end: float, tolerance: float = TOLERANCE
    ) -> Floats:
        """The concentrations at ``end`` from those at ``begin``.

        Radau IIA of order 5 (Hairer and Wanner 1996): L-stable, and of one step, so that a
        trajectory that stops at given times and goes on is the same as one that is resumed there.
        ``tolerance`` of the local error is relative. Raises `NumericalError`.
        """
        scale = self._scale(x, begin, end)
        solver = Radau(
            self.velocity, begin, x, end, rtol=tolerance, atol=tolerance * SMALL * scale,
            jac=self.jacobian,
        )  # fmt: skip
        with np.errstate(all="ignore"):  # what overflows is found below
            while solver.status == "running":
                _step(solver)
        reached: Floats = solver.y
        return reached

    def integrate(
        self, initial: ArrayLike, times: ArrayLike, tolerance: float = TOLERANCE
    ) -> Floats:
        """Concentrations (times, species) at increasing ``times``, ``initial`` at time 0."""
        x, now = np.asarray(initial, dtype=float), 0.0
        trajectory = []
        for time in np.asarray(times, dtype=float):
            x = self.advance(x, now, float(time), tolerance) if time > now else x
            now = float(time)
            trajectory.append(x)
        return np.array(trajectory)

    def steady_state(self, start: ArrayLike) -> Floats:
        """A steady state with the conserved totals of ``start``.

        By Newton's method from there and, where that fails or gives negative concentrations, from
        where the network has relaxed to. It need not be stable: see the eigenvalues of `jacobian`.
        Raises `NumericalError` where none is found.
        """
        if not self.autonomous:
            raise CaseError("rates that depend on time have no steady state")
        origin = np.asarray(start, dtype=float)
        x, span = origin, 1.0 / max(float(np.linalg.norm(self.jacobian(0.0, origin))), TINY)
        for _ in range(RELAXATIONS):
            found = self._newton(x, self.laws @ origin)
            if found is not None:
                return found
            x, span = self._relaxed(x, span), 10 * span
        raise NumericalError(
            "no steady state is found from this start",
            remedy="another start; a network that oscillates can be run over time instead",
        )

    def steady_states(self, largest: float | None = None) -> Floats:
        """All steady concentrations >= 0 of a network of one species, in increasing order.

        By mass action the roots of a polynomial, all of them. With general laws those up to
        ``largest``, which must be given: a sign change is missed where two are nearer than a
        20,000th of it. Raises `CaseError`.
        """
        kinetics = kinetics_of(self.network)
        if len(self.network.species) != 1:
            message = "all steady states are found for networks of one species"
            raise CaseError(message, found=self.network.species)
        if kinetics.mass_action:
            coefficients = np.zeros(self.network.reactants.max(initial=0) + 1)
            terms = self.network.stoichiometry[0] * kinetics.constants
            np.add.at(coefficients, self.network.reactants[0], terms)
            return _roots(np.asarray(polynomial.polytrim(coefficients), dtype=float))
        if largest is None:
            raise CaseError("with general laws the largest concentration to look at is needed")
        points: Floats = np.linspace(0.0, largest, SEARCH_POINTS, dtype=float)
        values = kinetics.velocity(points[None, :])[0]
        brackets = np.flatnonzero(values[:-1] * values[1:] < 0)
        inner = [
            brentq(lambda x: kinetics.velocity(np.array([[x]]))[0, 0], points[i], points[i + 1])
            for i in brackets
        ]
        return np.unique([*points[values == 0.0], *inner])

    def _relaxed(self, x: Floats, span: float) -> Floats:
        """Where x leads to in this time, or x where concentrations explode before."""
        try:
            return self.advance(x, 0.0, span, 1e-6)
        except NumericalError:
            return x

    def _newton(self, x: Floats, totals: Floats) -> Floats | None:
        """Newton with the totals as further equations; None where it does not converge."""
        converged = False
        for _ in range(NEWTON_STEPS):
            scale = np.maximum(np.abs(x), SMALL * np.abs(x).max(initial=TINY))
            jacobian = self.jacobian(0.0, x) * scale
            weight = np.abs(jacobian).max(initial=TINY)
            missing = [-self.velocity(0.0, x), weight * (totals - self.laws @ x)]
            matrix = np.vstack([jacobian, weight * self.laws * scale])
            step = np.linalg.lstsq(matrix, np.concatenate(missing))[0]
            if not np.isfinite(step).all():
                return None
            largest = np.abs(step).max(initial=0.0)
            x = x + scale * step / max(1.0, largest)  # by no more than itself
            if converged:
                return x if self._at_rest(x) else None
            converged = largest < CONVERGED
        return None

    def _at_rest(self, x: Floats) -> bool:
        """Whether what is made is lost again, and no concentration is negative."""
        rates = self._chemistry.rates(0.0, np.ascontiguousarray(x)[:, None])[:, 0]
        turnover = np.abs(self.network.stoichiometry) @ np.abs(rates)
        net = np.abs(self.velocity(0.0, x)).max(initial=0.0)
        return bool((x >= 0).all() and net <= BALANCED * turnover.max(initial=0.0))

    def _scale(self, x: Floats, begin: float, end: float) -> float:
        """The size of concentrations: now or, where there are none, soon."""
        largest = float(np.abs(x).max(initial=0.0))
        soon = float(np.abs(self.velocity(begin, x)).max(initial=0.0)) * (end - begin)
        return largest or soon or 1.0


def _step(solver: Radau) -> None:
    """One step. Raises `NumericalError` where it fails."""
    try:
        solver.step()
    except ValueError:  # numbers that overflow, which SciPy's linear algebra refuses
        solver.status = "failed"
    if solver.status == "failed":
        raise NumericalError(
            f"the rate equations cannot be integrated beyond time {solver.t:.6g}",
            remedy="an earlier end where concentrations explode, or a larger tolerance",
        )


def _roots(coefficients: Floats) -> Floats:
    """The real roots >= 0 of a polynomial, polished; in increasing order."""
    found = polynomial.polyroots(coefficients)
    size = np.abs(found)
    real = found.real[np.abs(found.imag) <= _REAL * size]
    slope = polynomial.polyder(coefficients)
    for _ in range(3):
        change = polynomial.polyval(real, slope)
        step = np.divide(
            polynomial.polyval(real, coefficients), change, np.zeros_like(real), where=change != 0
        )
        real = real - np.where(np.abs(step) < _REAL * np.abs(real), step, 0.0)
    kept: Floats = np.sort(real[real >= 0])
    return kept


def _variables(network: Network) -> set[str]:
    expressions = [
        *(each.rate for each in network.reactions if each.rate is not None),
        *(each.law for each in network.reactions if each.law is not None),
        *network.chemostats.values(),
    ]
    return set().union(*(expression.names for expression in expressions))


def _check_no_place(network: Network) -> None:
    if place := _variables(network).intersection(SPACE):
        message = f"a rate depends on {min(place)}: there is no place in a well-mixed volume"
        raise CaseError(message, valid="rates that depend on t only")
