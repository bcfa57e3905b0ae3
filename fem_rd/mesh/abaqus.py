"""Meshes of Abaqus input files: nodes, elements, element sets and surfaces.

meshio reads these too, but gives a set to the wrong elements where only some of the *ELEMENT blocks
name one, and knows no *SURFACE, which is how Abaqus names boundaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fem_rd.errors import CaseError
from fem_rd.mesh.arrays import Floats, Integers
from fem_rd.mesh.file_mesh import CELL_TYPES, Block, FileMesh, node_order

_KINDS = {
    "line": "T2D2 T3D2 B21 B31 SAX1",
    "line3": "T2D3 T3D3 B22 B32 SAX2",
    "triangle": "S3 S3R S3RS STRI3 R3D3 M3D3 SFM3D3 CPS3 CPE3 CAX3 DC2D3 DS3",
    "triangle6": "STRI65 M3D6 SFM3D6 CPS6 CPE6 CAX6 DC2D6 DS6",
    "quad": "S4 S4R R3D4 M3D4 SFM3D4 CPS4 CPS4R CPE4 CPE4R CAX4 DC2D4 DS4",
    "tetra": "C3D4 C3D4H C3D4T DC3D4",
    "tetra10": "C3D10 C3D10H C3D10I C3D10M C3D10HS C3D10T DC3D10",
    "hexahedron": "C3D8 C3D8R C3D8H C3D8I C3D8T DC3D8",
}
_TYPES = {name: kind for kind, names in _KINDS.items() for name in names.split()}
# corners of the faces S1, S2, ... of an element
_FACES: dict[str, list[tuple[int, ...]]] = {
    "triangle": [(0, 1), (1, 2), (2, 0)],
    "quadrilateral": [(0, 1), (1, 2), (2, 3), (3, 0)],
    "tetrahedron": [(0, 1, 2), (0, 3, 1), (1, 3, 2), (2, 3, 0)],
    "hexahedron": [
        (0, 1, 2, 3), (4, 7, 6, 5), (0, 4, 5, 1), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 4, 0),
    ],
}  # fmt: skip
_FACE_KINDS = {2: "line", 3: "triangle", 4: "quad"}


@dataclass(frozen=True)
class _Keyword:
    """A keyword with its parameters, and the entries of the data lines that follow it."""

    name: str
    line: int
    parameters: dict[str, str]
    rows: list[list[str]]


@dataclass(frozen=True)
class _Elements:
    """Elements of one kind: numbers (n,), indices of their nodes (n, nodes), set of the header."""

    kind: str
    numbers: Integers
    nodes: Integers
    set_name: str | None


@dataclass
class _Deck:
    """What the file says, so far; names of sets are in capitals, as Abaqus takes them."""

    elements: list[_Elements] = field(default_factory=list)
    sets: dict[str, Integers] = field(default_factory=dict)
    surfaces: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    spelling: dict[str, str] = field(default_factory=dict)
    internal: set[str] = field(default_factory=set)

    def key(self, name: str) -> str:
        """The name in capitals; the first spelling is kept."""
        self.spelling.setdefault(name.upper(), name)
        return name.upper()

    def members(self, name: str) -> Integers:
        """Numbers of the elements of a set, or of the element of that number."""
        if name.isdigit():
            return np.array([int(name)])
        parts = [block.numbers for block in self.elements if block.set_name == name.upper()]
        parts += [self.sets[name.upper()]] if name.upper() in self.sets else []
        if not parts:
            raise CaseError("the file names a set of elements that it does not have", found=name)
        return np.unique(np.concatenate(parts))


def read_abaqus(path: Path) -> FileMesh:
    """The mesh of an input file, with the names of its element sets and surfaces.

    A set of all elements is no name of a part. Raises `CaseError` for what is not supported and
    for sets that overlap.
    """
    points, number = np.zeros((0, 3)), dict[int, int]()
    deck = _Deck()
    for keyword in _keywords(path.read_text(encoding="utf-8", errors="replace")):
        if keyword.name == "NODE":
            start = len(number)
            rows = keyword.rows
            number.update((int(row[0]), start + index) for index, row in enumerate(rows))
            more = np.array([([*map(float, row[1:4]), 0.0, 0.0])[:3] for row in rows])
            points = np.concatenate([points, more.reshape(-1, 3)])
        elif keyword.name == "ELEMENT":
            deck.elements.append(_elements(keyword, number, deck))
        elif keyword.name == "ELSET":
            name = deck.key(keyword.parameters["ELSET"])
            found = [deck.sets.get(name, np.zeros(0, dtype=np.int64)), *_set_parts(keyword, deck)]
            deck.sets[name] = np.unique(np.concatenate(found))
            if "INTERNAL" in keyword.parameters:
                deck.internal.add(name)
        elif keyword.name == "SURFACE" and keyword.parameters.get("TYPE", "ELEMENT") == "ELEMENT":
            faces = [(row[0], row[1].upper() if len(row) > 1 else "") for row in keyword.rows]
            deck.surfaces.setdefault(deck.key(keyword.parameters["NAME"]), []).extend(faces)
        elif keyword.name in ("INCLUDE", "PART", "INSTANCE"):
            message = (
                f"line {keyword.line}: *{keyword.name} is not supported: write a flat input file"
            )
            raise CaseError(message)
    return _file_mesh(points, deck)


def _keywords(text: str) -> Iterator[_Keyword]:
    current: _Keyword | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("**"):
            continue
        entries = [entry.strip() for entry in stripped.split(",")]
        if stripped.startswith("*"):
            if current is not None:
                yield current
            pairs = (entry.partition("=") for entry in entries[1:])
            parameters = {name.strip().upper(): value.strip() for name, _, value in pairs}
            current = _Keyword(entries[0][1:].strip().upper(), number, parameters, [])
        elif current is not None:
            current.rows.append(entries)
    if current is not None:
        yield current


def _elements(keyword: _Keyword, number: dict[int, int], deck: _Deck) -> _Elements:
    """The elements of a block; the entries of one may go over several lines."""
    kind = _TYPES.get(keyword.parameters.get("TYPE", "").upper())
    if kind is None:
        raise CaseError(
            f"line {keyword.line}: elements of a type that cannot be used",
            found=keyword.parameters.get("TYPE"),
            valid=_TYPES,
        )
    entries = [int(entry) for row in keyword.rows for entry in row if entry]
    width = len(node_order(kind)) + 1
    table = np.array(entries, dtype=np.int64).reshape(-1, width)
    nodes = np.array([number[node] for node in table[:, 1:].ravel().tolist()], dtype=np.int64)
    name = keyword.parameters.get("ELSET")
    return _Elements(kind, table[:, 0], nodes.reshape(-1, width - 1), name and deck.key(name))


def _set_parts(keyword: _Keyword, deck: _Deck) -> Iterator[Integers]:
    """The numbers of elements that the data lines of *ELSET list."""
    if "GENERATE" in keyword.parameters:
        for row in keyword.rows:
            first, last, step = [*(int(entry) for entry in row if entry), 1][:3]
            yield np.arange(first, last + 1, step)
        return
    entries = [entry for row in keyword.rows for entry in row if entry]
    yield np.array([int(entry) for entry in entries if entry.isdigit()], dtype=np.int64)
    for name in entries:
        if not name.isdigit():
            yield deck.members(name)


def _file_mesh(points: Floats, deck: _Deck) -> FileMesh:
    names: dict[int, dict[str, int]] = {}
    blocks = [
        Block(block.kind, block.nodes, tags)
        for block, tags in zip(deck.elements, _tags(deck, names), strict=True)
    ]
    for name, faces in deck.surfaces.items():
        for place, face in faces:
            for block in deck.elements:
                rows = np.flatnonzero(np.isin(block.numbers, deck.members(place)))
                if len(rows):
                    blocks.append(_face_block(deck, names, name, block, rows, face))
    return FileMesh(points, tuple(blocks), names)


def _tags(deck: _Deck, names: dict[int, dict[str, int]]) -> list[Integers]:
    """A number for each element of each block, from the sets; their ``names`` by dimension.

    A set of its own says more than the one in the header of the elements.
    """
    found: list[Integers] = []
    for block in deck.elements:
        dim = CELL_TYPES[block.kind].dim
        tags = np.zeros(len(block.numbers), dtype=np.int64)
        if block.set_name:
            tags[:] = _number(deck, names, dim, block.set_name)
        own = np.zeros(len(tags), dtype=bool)
        for name in _naming_sets(deck, dim):
            inside = np.isin(block.numbers, deck.sets[name])
            if (inside & own).any():
                message = "elements are in two sets, so that their part has no one name"
                raise CaseError(message, found=deck.spelling[name])
            if inside.any():
                tags[inside] = _number(deck, names, dim, name)
            own |= inside
        found.append(tags)
    return found


def _naming_sets(deck: _Deck, dim: int) -> list[str]:
    """The sets that name parts of dimension ``dim``: none of everything where there are others."""
    blocks = [block for block in deck.elements if CELL_TYPES[block.kind].dim == dim]
    numbers = np.concatenate([block.numbers for block in blocks])
    used = {place.upper() for faces in deck.surfaces.values() for place, _ in faces}
    candidates = [
        name
        for name, members in deck.sets.items()
        if name not in used | deck.internal and np.isin(members, numbers).any()
    ]
    headers = {block.set_name for block in blocks if block.set_name}
    others = [block.numbers for block in deck.elements if CELL_TYPES[block.kind].dim != dim]
    partial = [name for name in candidates if not _has_all(deck.sets[name], [numbers])]
    whole = [
        name
        for name in candidates
        if name not in partial and not (others and _has_all(deck.sets[name], others))
    ]
    return partial if partial or len(headers) > 1 else whole


def _has_all(members: Integers, parts: list[Integers]) -> bool:
    return all(bool(np.isin(part, members).all()) for part in parts)


def _number(deck: _Deck, names: dict[int, dict[str, int]], dim: int, name: str) -> int:
    """The number of a name among those of its dimension, from 1."""
    numbers = names.setdefault(dim, {})
    return numbers.setdefault(deck.spelling[name], len(numbers) + 1)


def _face_block(
    deck: _Deck,
    names: dict[int, dict[str, int]],
    name: str,
    block: _Elements,
    rows: Integers,
    face: str,
) -> Block:
    """The faces of some elements of a block: S1, S2, ... of cells; of shells the shells."""
    cell = CELL_TYPES[block.kind]
    if face in ("", "SPOS", "SNEG"):
        nodes, dim, kind = block.nodes[rows], cell.dim, block.kind
    else:
        places = _FACES.get(cell.shape, [])
        if face[:1] != "S" or not face[1:].isdigit() or not 1 <= int(face[1:]) <= len(places):
            raise CaseError(f"the surface {deck.spelling[name]!r} has a face unknown here: {face}")
        corners = list(places[int(face[1:]) - 1])
        nodes, dim = block.nodes[rows][:, corners], cell.dim - 1
        kind = _FACE_KINDS[len(corners)]
    tags = np.full(len(rows), _number(deck, names, dim, name), dtype=np.int64)
    return Block(kind, nodes, tags)
