"""What the model can do, and what this machine has room for."""

from __future__ import annotations

import math
import os

from fem_rd.case.base import joined
from fem_rd.case.case import Case
from fem_rd.case.unit_texts import read_unit
from fem_rd.errors import CaseError

_SHARE = 0.8  # of the machine's memory that particles may take


def check_case(case: Case) -> float:
    """The time step; `CaseError` for what the model cannot do."""
    if case.time is None or case.time.step is None:
        raise CaseError(
            "particles go on in time, by fixed steps: the key is missing",
            key="time" if case.time is None else "time.step",
            valid="step = a time",
        )
    amount = case.units.amount
    if amount and not math.isclose(read_unit(amount).factor, 1.0):
        raise CaseError("particles are counted one by one", key="units.amount", found=amount,
                        valid="particle")  # fmt: skip
    chemistry = case.chemistry
    if chemistry is not None and chemistry.regions:
        name = next(iter(chemistry.regions))
        key = joined("chemistry.reactions", name) + ".region"
        raise CaseError("this domain has no regions", key=key, found=chemistry.regions[name])
    return case.time.step


def check_memory(needed: float) -> None:
    """Refuse so many bytes where this machine has no room for them."""
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > _SHARE * there:
        raise CaseError(
            f"the particles need {needed / 2**30:.3g} GiB, and there are {there / 2**30:.3g}",
            key="particles.species",
            valid="fewer particles, fewer replicas, or more machines",
        )
