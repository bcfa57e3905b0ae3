"""The units that an SBML file declares, which are told and not converted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import libsbml

_MOLECULES = "item"


def notes_on_units(model: libsbml.Model) -> Iterator[str]:
    """One line where substance, time or volume have units, stronger where substance is no number.

    Level 3 names the units of the model, or of each species and compartment; Level 2 redefines
    units of these names.
    """
    names = {
        "substance": [model.getSubstanceUnits(), *_each(model.getListOfSpecies())],
        "time": [model.getTimeUnits()],
        "volume": [model.getVolumeUnits(), *_each(model.getListOfCompartments())],
    }
    declared = {}
    for quantity, given in names.items():
        if model.getLevel() == 2 and model.getUnitDefinition(quantity) is not None:
            given.append(quantity)
        if texts := sorted({_written(model, name) for name in given if name}):
            declared[quantity] = " or ".join(texts)
    if not declared:
        return
    told = ", ".join(f"{quantity} in {text}" for quantity, text in declared.items())
    note = f"the file declares units ({told}): numbers are taken as they stand, not converted"
    if declared.get("substance", _MOLECULES) != _MOLECULES:
        note += "; substance is not counted in item, so amounts are NOT numbers of molecules"
    yield note


def _each(parts: libsbml.ListOf) -> Iterator[str]:
    """The units that species or compartments have of their own."""
    for part in parts:
        yield part.getSubstanceUnits() if hasattr(part, "getSubstanceUnits") else part.getUnits()


def _written(model: libsbml.Model, name: str) -> str:
    """A unit in base units: "item", "0.001 mole", "60 second"."""
    definition = model.getUnitDefinition(name)
    if definition is None:
        return name
    return " ".join(_factor(unit) for unit in definition.getListOfUnits()) or "dimensionless"


def _factor(unit: libsbml.Unit) -> str:
    import libsbml

    size = unit.getMultiplier() * 10.0 ** unit.getScale()
    power = unit.getExponentAsDouble()
    text = libsbml.UnitKind_toString(unit.getKind())
    text = text if size == 1.0 else f"{size:g} {text}"
    return text if power == 1.0 else f"({text})^{power:g}"
