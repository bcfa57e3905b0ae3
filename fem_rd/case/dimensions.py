"""Physical dimensions, written like "length^2/time", "amount/volume", "1"."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

BASES = ("amount", "length", "time", "temperature", "mass")

_WORD = re.compile(r"([a-z]+)(?:\^(\d+))?")


@dataclass(frozen=True)
class Dimension:
    """Integer exponents of amount, length, time, temperature and mass."""

    amount: int = 0
    length: int = 0
    time: int = 0
    temperature: int = 0
    mass: int = 0

    def times(self, other: Dimension, power: int = 1) -> Dimension:
        """The dimension of a product with the ``power`` of another quantity."""
        return Dimension(*(getattr(self, b) + power * getattr(other, b) for b in BASES))

    def written(self, names: Mapping[str, str] | None = None) -> str:
        """The text, with ``names`` (base to unit) in place of the bases: "particle/nm^3"."""
        words = {base: (names or {}).get(base, base) for base in BASES}
        powers = [(words[base], getattr(self, base)) for base in BASES]
        above = "*".join(_raised(word, power) for word, power in powers if power > 0)
        below = "".join(f"/{_raised(word, -power)}" for word, power in powers if power < 0)
        return (above or "1") + below


ENERGY = Dimension(mass=1, length=2, time=-2)


@functools.cache
def dimension(text: str, space: int = 3) -> Dimension:
    """The dimension that a text names; volume and area are those of ``space`` dimensions.

    In a plane a volume is an area and an area a length: "amount/volume" is per length^2.
    Raises `ValueError` for a text that is none (texts are written by programmers).
    """
    derived = {"volume": Dimension(length=space), "area": Dimension(length=space - 1)}
    bases = {base: Dimension(**{base: 1}) for base in BASES}
    result = Dimension()
    for position, part in enumerate(text.split("/")):
        for factor in part.split("*"):
            if factor == "1":
                continue
            match = _WORD.fullmatch(factor)
            word = {**bases, **derived}.get(match[1]) if match else None
            if match is None or word is None:
                raise ValueError(f"{text!r} is not a dimension")
            result = result.times(word, int(match[2] or 1) * (-1 if position else 1))
    return result


def depends_on_space(text: str) -> bool:
    """Whether the dimension differs between a line, a plane and space."""
    return dimension(text, 3) != dimension(text, 2)


def _raised(word: str, power: int) -> str:
    return word if power == 1 else f"{word}^{power}"
