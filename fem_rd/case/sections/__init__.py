"""The models a case may name, and the class of each model's section.

A model is added by one file in this package and one line here.
"""

from __future__ import annotations

from importlib import import_module

from fem_rd.case.base import Section

SECTIONS = {
    "smoluchowski": "fem_rd.case.sections.smoluchowski:SmoluchowskiSection",
}


def section_class(model: str) -> type[Section]:
    """The class of a model's section. Raises `KeyError` for an unknown model."""
    module, name = SECTIONS[model].split(":")
    found: type[Section] = getattr(import_module(module), name)
    return found
