"""Time integration schemes as tables; each claims an order that the tests measure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from fem_rd.errors import CaseError


@dataclass(frozen=True)
class RungeKutta:
    """A stiffly accurate diagonally implicit Runge-Kutta scheme with one diagonal coefficient.

    ``stages`` holds the lower-triangular rows; the last row is the weights, so that the last
    stage is the new value. A first row of zeros is an explicit first stage, which is the last
    slope of the step before. ``embedded`` are the weights of the companion whose difference from
    the scheme estimates the error; ``embedded_order`` is the lower order of the two.
    """

    name: str
    order: int
    stages: tuple[tuple[float, ...], ...]
    embedded: tuple[float, ...] | None = None
    embedded_order: int = 0

    @property
    def weights(self) -> tuple[float, ...]:
        return self.stages[-1]

    @property
    def nodes(self) -> tuple[float, ...]:
        return tuple(sum(row) for row in self.stages)

    @property
    def diagonal(self) -> float:
        return self.stages[-1][-1]

    @property
    def explicit_first(self) -> bool:
        return self.stages[0][0] == 0.0


@dataclass(frozen=True)
class Multistep:
    """A backward differentiation formula of constant step.

    u_new = sum_j past[j] u_(n-j) + dt * slope * u'_new, with `starter` for the first steps.
    """

    name: str
    order: int
    past: tuple[float, ...]
    slope: float
    starter: RungeKutta


def _sdirk2() -> RungeKutta:
    g = 1 - 1 / sqrt(2)
    return RungeKutta("sdirk2", 2, ((g,), (1 - g, g)), embedded=(1.0, 0.0), embedded_order=1)


def _trbdf2() -> RungeKutta:
    d, w = 1 - 1 / sqrt(2), sqrt(2) / 4
    return RungeKutta(
        "trbdf2",
        2,
        ((0.0,), (d, d), (w, w, d)),
        embedded=((1 - w) / 3, (3 * w + 1) / 3, d / 3),
        embedded_order=2,
    )


BACKWARD_EULER = RungeKutta("backward-euler", 1, ((1.0,),))
CRANK_NICOLSON = RungeKutta("crank-nicolson", 2, ((0.0,), (0.5, 0.5)))  # not L-stable: it rings
SDIRK2 = _sdirk2()  # Alexander 1977: L-stable
TRBDF2 = _trbdf2()  # Bank et al. 1985, Hosea and Shampine 1996: L-stable, third-order companion
BDF2 = Multistep("bdf2", 2, past=(4 / 3, -1 / 3), slope=2 / 3, starter=TRBDF2)

SCHEMES: dict[str, RungeKutta | Multistep] = {
    scheme.name: scheme for scheme in (BACKWARD_EULER, CRANK_NICOLSON, SDIRK2, TRBDF2, BDF2)
}


def scheme_named(name: str, *, adaptive: bool) -> RungeKutta | Multistep:
    """The scheme ``name``; `CaseError` where it lacks the estimate that ``adaptive`` needs."""
    scheme = SCHEMES[name]
    estimates = isinstance(scheme, RungeKutta) and scheme.embedded is not None
    if adaptive and not estimates:
        able = {
            known.name
            for known in SCHEMES.values()
            if isinstance(known, RungeKutta) and known.embedded
        }
        raise CaseError(
            "this scheme has no error estimate for adaptive steps; give time.step",
            key="time.scheme",
            found=name,
            valid=able,
        )
    return scheme
