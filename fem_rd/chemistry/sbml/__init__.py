"""Networks from and to SBML, Level 2 and 3 core; docs/sbml.md says what is supported."""

from __future__ import annotations

from fem_rd.chemistry.sbml.reading import SbmlModel, read_sbml
from fem_rd.chemistry.sbml.writing import write_sbml

__all__ = ["SbmlModel", "read_sbml", "write_sbml"]
