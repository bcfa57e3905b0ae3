"""The numerics that a reaction-diffusion case asks for, from its time and solver sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from fem_rd.case.case import Case
from fem_rd.models.assembly import Array
from fem_rd.numerics.reactive import ReactiveProblem
from fem_rd.numerics.reactive_march import ReactiveMarch
from fem_rd.numerics.reactive_schemes import Stepping, reactive_march, steady_reactive_march
from fem_rd.numerics.solver import SolverOptions


def march_for(case: Case, problem: ReactiveProblem, initial: Sequence[Array]) -> ReactiveMarch:
    """The march of the case, at its start. Collective."""
    name = case.solver.preconditioner
    options = SolverOptions(case.solver.tolerance, "icc" if name == "auto" else name)
    time, start = case.time, np.array(initial)
    if time is None:
        return steady_reactive_march(problem, start, options)
    stepping = Stepping(
        cast(str, time.scheme),  # the case is read with its model's default
        time.end,
        time.step,
        time.tolerance or 0.0,
        time.initial_step,
        time.max_step,
    )
    return reactive_march(problem, start, stepping, options)
