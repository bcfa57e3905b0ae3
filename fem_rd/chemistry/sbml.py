"""Networks from and to SBML, Level 2 and 3 core; docs/sbml.md says what is supported."""

from __future__ import annotations

from fem_rd.chemistry.sbml_in import SbmlModel, read_sbml
from fem_rd.chemistry.sbml_out import write_sbml

__all__ = ["SbmlModel", "read_sbml", "write_sbml"]
