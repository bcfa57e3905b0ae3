"""The schemes for reactions and transport by name, and the march for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fem_rd.errors import CaseError
from fem_rd.numerics.control import LARGEST_GROWTH, AdaptiveSize
from fem_rd.numerics.reactive.additive import ADDITIVE, ARK2
from fem_rd.numerics.reactive.imex import AdditiveStepper
from fem_rd.numerics.reactive.imex_bdf2 import ImexBdf2Stepper
from fem_rd.numerics.reactive.implicit import ImplicitStepper
from fem_rd.numerics.reactive.march import (
    AdaptiveReactiveMarch,
    FixedReactiveMarch,
    ReactiveMarch,
    ReactiveStepper,
)
from fem_rd.numerics.reactive.newton import Newton
from fem_rd.numerics.reactive.positive import PatankarMovement, PatankarReacting, check_positivity
from fem_rd.numerics.reactive.problem import ReactiveProblem
from fem_rd.numerics.reactive.reacting import ExplicitReacting
from fem_rd.numerics.reactive.splitting import Sdirk2Movement, StrangStepper
from fem_rd.numerics.reactive.steady import SteadyReactiveMarch
from fem_rd.numerics.reactive.transport import Transport
from fem_rd.numerics.schemes import TRBDF2
from fem_rd.numerics.solver import SolverOptions

Array = npt.NDArray[np.float64]

FIRST_STEP = 1e-4  # of the end time, tried first by adaptive steps
LONGEST_STEP = 0.1  # of the end time
_LINEAR_PART = 1e-4  # of the tolerance of a step that the linear solves may spoil
_REACTING_PART = 1e-2  # of the tolerance of a step that the sub-steps of reactions may spoil
_REACTIONS = 1e-7  # relative error of their sub-steps, where steps are fixed
_NEWTON_PART = 1e-3  # of the tolerance of a step that Newton's method may spoil
_NEWTON = 1e-8  # relative size of its last correction, where steps are fixed
_TWO_STEP_GROWTH = 2.0  # two-step formulas are stable for ratios of steps below 1 + sqrt(2)


@dataclass(frozen=True)
class Stepping:
    """A scheme by name, with steps of size ``step`` or, where it is None, to a ``tolerance``."""

    scheme: str
    end: float
    step: float | None = None
    tolerance: float = 1e-4
    initial_step: float | None = None
    max_step: float | None = None


def reactive_march(
    problem: ReactiveProblem, initial: Array, stepping: Stepping, options: SolverOptions
) -> ReactiveMarch:
    """The march by ``stepping`` from ``initial``, shape (species, nodes), at time 0. Collective.

    Raises `CaseError` for an unknown scheme, or one that the mesh does not allow.
    """
    if stepping.scheme not in REACTIVE_SCHEMES:
        raise CaseError(
            "unknown scheme", key="time.scheme", found=stepping.scheme, valid=REACTIVE_SCHEMES
        )
    if stepping.step is None:
        coarsest = _LINEAR_PART * stepping.tolerance
        options = replace(options, tolerance=max(options.tolerance, coarsest))
    stepper = REACTIVE_SCHEMES[stepping.scheme](problem, stepping, options)
    if stepping.step is not None:
        return FixedReactiveMarch(stepper, stepping.step, initial)
    return AdaptiveReactiveMarch(problem, stepper, _control(stepping, stepper), initial)


def steady_reactive_march(
    problem: ReactiveProblem, initial: Array, options: SolverOptions
) -> ReactiveMarch:
    """The march to the steady state from ``initial``, shape (species, nodes). Collective.

    The species need their mass matrices: where Newton's method fails, a march in pseudo-time helps.
    """
    return SteadyReactiveMarch(problem, initial, options)


def _control(stepping: Stepping, stepper: ReactiveStepper) -> AdaptiveSize:
    largest = stepping.max_step or LONGEST_STEP * stepping.end
    two_step = isinstance(stepper, ImexBdf2Stepper)
    return AdaptiveSize(
        size=stepping.initial_step or min(FIRST_STEP * stepping.end, largest),
        tolerance=stepping.tolerance,
        order=stepper.error_order,
        largest=largest,
        end=stepping.end,
        growth=_TWO_STEP_GROWTH if two_step else LARGEST_GROWTH,
    )


def _additive(
    problem: ReactiveProblem, stepping: Stepping, options: SolverOptions
) -> AdditiveStepper:
    return AdditiveStepper(problem, ADDITIVE[stepping.scheme], Transport(problem, options))


def _imex_bdf2(
    problem: ReactiveProblem, stepping: Stepping, options: SolverOptions
) -> ImexBdf2Stepper:
    transport = Transport(problem, options)
    return ImexBdf2Stepper(problem, AdditiveStepper(problem, ARK2, transport), transport)


def _strang(
    problem: ReactiveProblem, stepping: Stepping, options: SolverOptions
) -> StrangStepper:
    transport = Transport(problem, options)
    tolerance = _REACTIONS if stepping.step is not None else _REACTING_PART * stepping.tolerance
    reacting = ExplicitReacting(problem, tolerance)
    return StrangStepper(problem, transport, Sdirk2Movement(problem, transport), reacting)


def _implicit(
    problem: ReactiveProblem, stepping: Stepping, options: SolverOptions
) -> ImplicitStepper:
    tolerance = _NEWTON if stepping.step is not None else _NEWTON_PART * stepping.tolerance
    transport = Transport(problem, options)
    newton = Newton(problem, transport, tolerance, options)
    return ImplicitStepper(problem, TRBDF2, transport, newton)


def _positive(
    problem: ReactiveProblem, stepping: Stepping, options: SolverOptions
) -> StrangStepper:
    events = check_positivity(problem)
    movement = PatankarMovement(problem, options)
    reacting = PatankarReacting(problem, events)
    return StrangStepper(problem, Transport(problem, options), movement, reacting)


Maker = Callable[[ReactiveProblem, Stepping, SolverOptions], ReactiveStepper]
REACTIVE_SCHEMES: dict[str, Maker] = {
    "imex-bdf2": _imex_bdf2,
    **{name: _additive for name in ADDITIVE},
    "strang": _strang,
    "implicit": _implicit,
    "positive": _positive,
}
FED_SCHEMES = ("ark2", "ark3", "ark4", "implicit")
"""Those of one step that take any sources: a supply that is constant in a step enters exactly."""
