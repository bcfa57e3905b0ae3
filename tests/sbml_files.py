"""SBML texts for tests, with formulas as people write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import libsbml

from fem_rd.chemistry.network import Reaction
from fem_rd.chemistry.sbml import SbmlModel, read_sbml

LEVEL_3 = "http://www.sbml.org/sbml/level3"
LEVEL_2 = "http://www.sbml.org/sbml/level2/version4"
V = 2.5  # size of the compartment
CONSTANTS = {"k": 0.3, "q": 0.7}


def math(formula: str) -> str:
    """The MathML of a formula in libSBML's infix."""
    node = libsbml.parseL3Formula(formula)
    assert node is not None, libsbml.getLastParseL3Error()
    return libsbml.writeMathMLToString(node).split("?>", 1)[1]


def species(name: str, start: float | None = 1.0, **attributes: object) -> str:
    """A species with a concentration at the start."""
    values = {
        "compartment": "cell",
        "initialConcentration": start,
        "hasOnlySubstanceUnits": "false",
        "boundaryCondition": "false",
        "constant": "false",
        **attributes,
    }
    texts = [f'{key}="{value}"' for key, value in values.items() if value is not None]
    return f'<species id="{name}" {" ".join(texts)}/>'


def amount(name: str, start: float = 1.0, **attributes: object) -> str:
    """A species that formulas take as an amount."""
    return species(
        name, None, initialAmount=start, **{"hasOnlySubstanceUnits": "true", **attributes}
    )


ABC = [species("A"), species("B"), species("C")]


def reaction(
    name: str,
    equation: str,
    law: str | None,
    *,
    reversible: bool = False,
    modifiers: str = "",
    local: Mapping[str, float] | None = None,
    attributes: str = "",
) -> str:
    """A reaction "A + 2 B -> C" with the kinetic law of a formula."""
    titles = ("listOfReactants", "listOfProducts")
    parts = [
        f"<{title}>{''.join(map(_reference, side.split('+')))}</{title}>"
        for title, side in zip(titles, equation.split("->"), strict=True)
        if side.strip()
    ]
    if modifiers:
        each = [f'<modifierSpeciesReference species="{name}"/>' for name in modifiers.split()]
        parts.append(f"<listOfModifiers>{''.join(each)}</listOfModifiers>")
    if law is not None:
        values = (local or {}).items()
        listed = [f'<localParameter id="{key}" value="{value}"/>' for key, value in values]
        inside = f"<listOfLocalParameters>{''.join(listed)}</listOfLocalParameters>"
        parts.append(f"<kineticLaw>{math(law)}{inside if listed else ''}</kineticLaw>")
    both = "true" if reversible else "false"
    return f'<reaction id="{name}" reversible="{both}" {attributes}>{"".join(parts)}</reaction>'


def document(
    all_species: Sequence[str],
    reactions: Sequence[str],
    *,
    parameters: Mapping[str, float] | None = None,
    volume: float | None = V,
    compartments: str = "",
    extra: Mapping[str, str] | None = None,
    root: str = "",
    version: int = 2,
) -> str:
    """The text of a model; ``extra`` are more lists, by their names."""
    size = "" if volume is None else f'size="{volume}"'
    cell = f'<compartment id="cell" spatialDimensions="3" {size} constant="true"/>'
    constants = [
        f'<parameter id="{key}" value="{value}" constant="true"/>'
        for key, value in (parameters or {}).items()
    ]
    more = dict(extra or {})
    lists = {
        "listOfFunctionDefinitions": "",
        "listOfCompartments": cell + compartments,
        "listOfSpecies": "".join(all_species),
        "listOfParameters": "".join(constants) + more.pop("listOfParameters", ""),
        "listOfInitialAssignments": "",
        "listOfRules": "",
        "listOfReactions": "".join(reactions),
        **{key: more.pop(key) for key in list(more) if key != "listOfEvents"},
        **more,
    }
    body = "".join(f"<{key}>{text}</{key}>" for key, text in lists.items() if text)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'<sbml xmlns="{LEVEL_3}/version{version}/core" level="3" version="{version}" {root}>'
        f'<model id="m">{_of_version(body, version)}</model></sbml>'
    )


def write(directory: Path, text: str | bytes) -> Path:
    """The text as a file."""
    path = directory / "model.xml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(directory: Path, *parts: object, **more: object) -> SbmlModel:
    """What the file of a `document` with these arguments is read as."""
    return read_sbml(write(directory, document(*parts, **more)))


def one(directory: Path, equation: str, law: str, **more: object) -> Reaction:
    """The reaction that a file with one reaction among A, B, C is read as."""
    model = read(directory, ABC, [reaction("R", equation, law, **more)], parameters=CONSTANTS)
    (found,) = model.network.reactions
    return found


def rate_of(found: Reaction, concentrations: dict[str, float]) -> float:
    """R, by the definition of `fem_rd.chemistry.network`."""
    if found.law is not None:
        return float(found.law.evaluate(concentrations))
    return found.rate.value * prod(concentrations[name] ** n for name, n in found.reactants)


def _of_version(body: str, version: int) -> str:
    """Version 1 wants to know whether a reaction is fast."""
    if version == 2 or "fast=" in body:
        return body
    return body.replace("<reaction ", '<reaction fast="false" ')


def _reference(term: str) -> str:
    count, name = term.split() if " " in term.strip() else ("1", term.strip())
    return f'<speciesReference species="{name}" stoichiometry="{count}" constant="true"/>'
