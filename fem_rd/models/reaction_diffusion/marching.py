"""The numerics that a reaction-diffusion case asks for, from its time and solver sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from fem_rd.case.case import Case
from fem_rd.case.sections.reaction_diffusion import ReactionDiffusionSection
from fem_rd.errors import CaseError
from fem_rd.models.assembly import Array
from fem_rd.numerics.reactive.march import ReactiveMarch
from fem_rd.numerics.reactive.problem import ReactiveProblem
from fem_rd.numerics.reactive.schemes import (
    FED_SCHEMES,
    Stepping,
    reactive_march,
    steady_reactive_march,
)
from fem_rd.numerics.solver import SolverOptions


def march_for(
    case: Case, problem: ReactiveProblem, initial: Sequence[Array], dimension: int
) -> ReactiveMarch:
    """The march of the case on a mesh of this dimension, at its start. Collective."""
    name = case.solver.preconditioner
    if name == "auto" and dimension == 1:
        # direct on a line, where it costs least: what is 1e-90 ahead of a front stays right
        name = "icc" if problem.comm.size == 1 else "lu"
    options = SolverOptions(case.solver.tolerance, name)
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


def check_fed(case: Case, section: ReactionDiffusionSection) -> None:
    """Raise `CaseError` where amounts cannot be added to the nodes in steps."""
    if case.time is None or case.time.step is None:
        message = "what is exchanged with particles needs steps of one length"
        raise CaseError(message, key="time.step", valid="a time")
    if case.time.scheme not in FED_SCHEMES:
        raise CaseError(
            "this scheme cannot take what is exchanged with particles",
            key="time.scheme",
            found=case.time.scheme,
            valid=FED_SCHEMES,
        )
    if section.degree != 1:
        raise CaseError(
            "what is exchanged with particles needs the lumped mass of degree 1",
            key="reaction-diffusion.degree",
            found=section.degree,
            valid="1",
        )
