"""What a section must satisfy in its space, checked before anything is assembled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fem_rd.case.base import expressions_in, joined
from fem_rd.case.case import Case
from fem_rd.case.quantities import Diffusion
from fem_rd.case.sections.order_parameter import OrderParameterSection
from fem_rd.case.sections.order_parameter_kinds import Absorbing, Closed, PartlyAbsorbing, Reservoir
from fem_rd.errors import CaseError, CaseErrors, FemRdError, nearest
from fem_rd.expressions.expression import Expression, shortened
from fem_rd.models.assembly import Array
from fem_rd.models.order_parameter.space import OrderParameterSpace
from fem_rd.parallel import agree

KEY = "order-parameter"


def check(case: Case, space: OrderParameterSpace) -> None:
    """Raise `CaseErrors` on all ranks with every mistake that any rank finds. Collective."""
    section: OrderParameterSection = case.section
    found = [
        *_names(section, space),
        *_boundaries(section, space),
        *_state(section, steady=case.time is None),
        *_start(section, space),
        *_diffusion(section, space),
        *_modes(section, space),
    ]
    error: FemRdError | None = CaseErrors(found) if found else None
    agree(space.comm, error)


def _names(section: OrderParameterSection, space: OrderParameterSpace) -> Iterator[CaseError]:
    for key, expression in expressions_in(section, KEY):
        if missing := expression.names.intersection("xyz"[space.dimension :]):
            message = f"depends on {min(missing)}, and the order parameters are"
            text = f"{message} {', '.join(space.names)}"
            yield CaseError(text, key=key, found=shortened(expression.text))
    if len(section.tilt) > space.dimension:
        yield CaseError("has too many components", key=f"{KEY}.tilt", found=list(section.tilt))


def _boundaries(
    section: OrderParameterSection, space: OrderParameterSpace
) -> Iterator[CaseError]:
    for name, kind in section.boundaries.items():
        key = joined(f"{KEY}.boundaries", name)
        known = list(dict.fromkeys([*space.sides, *section.sets]))
        if name not in known:
            message = f"there is no side or set of this name{nearest(name, known)}"
            yield CaseError(message, key=key, found=name, valid=known or "none: angles only")
        elif name not in space.sides and not isinstance(kind, Absorbing):
            message, valid = "a set can only absorb", "absorbing, or a side"
            yield CaseError(message, key=f"{key}.type", found=kind.type, valid=valid)
        elif name in space.sides and name in section.sets:
            message = "a side and a set have this name: rename the set"
            yield CaseError(message, key=joined(f"{KEY}.sets", name), found=name)


def _state(section: OrderParameterSection, *, steady: bool) -> Iterator[CaseError]:
    if steady and section.initial is not None:
        message = "is for transient runs: add the section [time], or leave it out"
        yield CaseError(message, key=f"{KEY}.initial")
    if not steady and section.initial is None:
        valid = "initial.at (a point), initial.boltzmann (a set) or initial.density"
        yield CaseError("the density at time 0 is missing", key=f"{KEY}.initial", valid=valid)
    kinds = section.boundaries.values()
    opened = [kind for kind in kinds if not isinstance(kind, Closed)]
    fed = [kind for kind in opened if isinstance(kind, Reservoir | PartlyAbsorbing)]
    if steady and opened and not any(kind.density != Expression.constant(0.0) for kind in fed):
        yield CaseError(
            "everything leaves, so there is no stationary state",
            key=f"{KEY}.boundaries",
            valid="a reservoir as well, or the section [time]",
        )


def _start(section: OrderParameterSection, space: OrderParameterSpace) -> Iterator[CaseError]:
    density = section.initial.density if section.initial else None
    if density is not None and not np.all(space.at_nodes(density) >= 0):  # nor NaN
        found = shortened(density.text)
        yield CaseError("is negative in the space", key=f"{KEY}.initial.density", found=found)


def _modes(section: OrderParameterSection, space: OrderParameterSpace) -> Iterator[CaseError]:
    most = space.unknowns - 1
    if section.modes > most:
        message, valid = "there are not so many", f"at most {most}, or a finer grid"
        yield CaseError(message, key=f"{KEY}.modes", found=section.modes, valid=valid)


def _diffusion(section: OrderParameterSection, space: OrderParameterSpace) -> Iterator[CaseError]:
    given: Any = section.diffusion
    key = f"{KEY}.diffusion"
    if section.friction is not None:
        given, key = section.friction, f"{KEY}.friction"
    parts: Mapping[str, Any] = given if isinstance(given, dict) else {"": given}
    for name, part in parts.items():
        where = joined(key, name) if name else key
        if name and name not in space.domain.regions:
            message = f"the mesh has no region of this name{nearest(name, space.domain.regions)}"
            yield CaseError(message, key=where, valid=space.domain.regions)
        elif isinstance(part, tuple) and len(part) != space.dimension:
            message = f"the tensor is {len(part)}x{len(part)}, the space has {space.dimension}"
            yield CaseError(message, key=where)
        elif not _positive(part, space):
            yield CaseError("is not positive everywhere in the space", key=where)


def _positive(value: Diffusion | None, space: OrderParameterSpace) -> bool:
    if isinstance(value, Expression):
        found = space.at_nodes(value)
        return bool(np.all(found > 0) and np.isfinite(found).all())
    if not isinstance(value, tuple):
        return True
    tensor: Array = np.array([[space.at_nodes(entry) for entry in row] for row in value])
    tensor = np.moveaxis(tensor, -1, 0)
    if not np.isfinite(tensor).all():
        return False
    return bool(np.all(np.linalg.eigvalsh(tensor) > 0))
