"""Cases: from the text of a case directory to a checked, frozen `Case`."""

from __future__ import annotations

from fem_rd.case.base import Section, expressions_in
from fem_rd.case.case import Case
from fem_rd.case.loading import load_case
from fem_rd.case.schema import (
    BuiltinMesh,
    GeometryMesh,
    MeshFile,
    MeshSection,
    OutputSection,
    SolverSection,
    TimeSection,
)
from fem_rd.case.units import UnitSystem
from fem_rd.expressions.expression import Expression

__all__ = [
    "BuiltinMesh",
    "Case",
    "Expression",
    "GeometryMesh",
    "MeshFile",
    "MeshSection",
    "OutputSection",
    "Section",
    "SolverSection",
    "TimeSection",
    "UnitSystem",
    "expressions_in",
    "load_case",
]
