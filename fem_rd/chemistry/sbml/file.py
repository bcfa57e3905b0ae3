"""SBML files through libSBML: what is refused before it reads them, and what it finds wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

from fem_rd.errors import CaseError

if TYPE_CHECKING:
    import libsbml

LARGEST = 20_000_000  # bytes
DEEPEST = 200  # elements inside one another
LEVELS = ("2", "3")

_VALID = "SBML of Level 2 or 3 without required packages"


def read_model(path: Path) -> libsbml.Model:
    """The model of a file, checked. Raises `CaseError` with the line where something is wrong.

    libSBML's search for circles of formulas takes the third power of their number and more: the
    reader of formulas finds them itself.
    """
    import libsbml

    return _checked(path, libsbml.LIBSBML_CAT_GENERAL_CONSISTENCY).getModel()


def require_consistent(path: Path) -> None:
    """Raise `CaseError` where libSBML finds a file inconsistent in any way but units."""
    _checked(path)


def _checked(path: Path, *unchecked: int) -> libsbml.SBMLDocument:
    """The document of a file, with all but these categories of checks done."""
    import libsbml

    text = _text(path)
    _check_outside(text)
    # libSBML would put it on a line of its own, and count that line
    declared = text if text.startswith("<?xml") else f'<?xml version="1.0" encoding="UTF-8"?>{text}'
    document = libsbml.readSBMLFromString(declared)
    _raise_errors(document)
    if document.getModel() is None:
        raise CaseError("there is no model in the file", valid=_VALID)
    _check_functions(document.getModel())
    practice = (libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, libsbml.LIBSBML_CAT_MODELING_PRACTICE)
    for category in (*practice, *unchecked):
        document.setConsistencyChecks(category, False)
    document.checkConsistency()
    _raise_errors(document)
    document.getModel().document = document  # libSBML frees the model with its document
    return document


def _text(path: Path) -> str:
    """The text of the file; a compressed one is no text, and is not unpacked."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise CaseError("the file cannot be read", found=error.strerror) from None
    if len(data) > LARGEST:
        raise CaseError("the file is too large", valid=f"at most {LARGEST // 1_000_000} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {error.start} that is not UTF-8"
        raise CaseError("the file is not a text", found=found, valid=_VALID) from None


def _check_outside(text: str) -> None:
    """Refuse what could hurt the reader: entities, deep nesting, other levels, packages."""
    parser = expat.ParserCreate()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise CaseError(
                f"line {parser.CurrentLineNumber}: elements are nested too deeply",
                valid=f"at most {DEEPEST} inside one another",
            )
        if depth == 1:
            _check_root(name, attributes)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: object) -> None:
        raise CaseError("SBML has no document type", found="<!DOCTYPE", valid=_VALID)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise CaseError(f"line {error.lineno}: not XML: {reason}", valid=_VALID) from None


def _check_root(name: str, attributes: dict[str, str]) -> None:
    if name.rpartition(":")[2] != "sbml":
        raise CaseError("the file is not SBML", found=f"<{name}>", valid=_VALID)
    level = attributes.get("level")
    if level not in LEVELS:
        raise CaseError("this level of SBML is not supported", found=level, valid=_VALID)
    for attribute, value in attributes.items():
        package, _, word = attribute.rpartition(":")
        if word == "required" and package and value in ("true", "1"):
            raise CaseError("the model needs a package of SBML", found=package, valid=_VALID)


def _check_functions(model: libsbml.Model) -> None:
    """Refuse functions that contain themselves, in which libSBML's checks never end."""
    waiting = {
        each.getId(): _called(each.getMath()) for each in model.getListOfFunctionDefinitions()
    }
    while free := [name for name, called in waiting.items() if not called & waiting.keys()]:
        for name in free:
            del waiting[name]
    for name in waiting:
        raise CaseError("a function contains itself", key=name)


def _called(node: libsbml.ASTNode | None) -> set[str]:
    """The names of the functions that a formula calls."""
    import libsbml

    found, open_nodes = set(), [] if node is None else [node]
    while open_nodes:
        each = open_nodes.pop()
        if each.getType() == libsbml.AST_FUNCTION:
            found.add(each.getName())
        open_nodes += [each.getChild(i) for i in range(each.getNumChildren())]
    return found


def _raise_errors(document: libsbml.SBMLDocument) -> None:
    import libsbml

    for i in range(document.getNumErrors()):
        error = document.getError(i)
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR:
            raise CaseError(f"line {error.getLine()}: {error.getMessage().strip()}")
