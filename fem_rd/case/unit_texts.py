"""Texts of units, such as "nm^2/ns" or "kJ/mol", read to a factor and a dimension.

The grammar is ours; the values of single units come from Pint, which is imported when the first
unit is met. Only names that mean a unit in this field are known: Pint also calls physical
constants units (its "sigma" is Stefan and Boltzmann's), which would hide a forgotten "*".
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from fem_rd.case.dimensions import Dimension
from fem_rd.errors import CaseError

# what the reference page shows, and below what Pint calls each of them
EXAMPLES = {
    "length": "m, cm, mm, um, nm, pm, angstrom (or Å)",
    "time": "s, ms, us, ns, ps, fs, min, h, day",
    "amount": "particle, mol, mmol, umol, nmol",
    "volume": "L, mL, uL, fL, and powers of lengths: nm^3",
    "concentration": "M, mM, uM, nM, mol/L, and number densities: 0.6 /nm^3 or 0.6 particle/nm^3",
    "temperature": "K, degC",
    "energy": "kT, J, kJ/mol, kcal/mol, eV, meV",
    "force and pressure": "N, pN, kT/nm, kJ/mol/nm; Pa, bar, atm",
    "mass and viscosity": "g, kg, Da; mPa s, cP",
    "other": "Hz, %",
}
_PINT_NAMES = frozenset(
    {
        *("meter", "angstrom", "micron", "liter", "molar", "mole", "particle"),
        *("second", "minute", "hour", "day", "hertz", "kelvin", "percent"),
        *("joule", "calorie", "electron_volt", "hartree", "newton"),
        *("pascal", "bar", "standard_atmosphere", "poise", "gram", "dalton"),
    }
)
_SYNONYMS = {"molecule": "particle", "molecules": "particle", "°C": "degC", "celsius": "degC"}
THERMAL = ("kT", "kBT", "k_BT")  # the unit of energy; Pint's kT is a kilotesla

_TOKEN = re.compile(r"\s*([^\W\d]+|%|°C|[+-]?\d+|[*/^()])")
_SUPERSCRIPTS = str.maketrans("⁻¹²³", "-123")
_LONGEST = 100


class UnknownUnitError(CaseError):
    """A name that is no unit: it may be a parameter, and the "*" before it forgotten."""


@dataclass(frozen=True)
class Unit:
    """A unit: its value in SI units, with amounts counted in particles, and its dimension."""

    factor: float
    dimension: Dimension

    def times(self, other: Unit, power: int = 1) -> Unit:
        """The product with the ``power`` of another unit."""
        factor = self.factor * other.factor**power
        return Unit(factor, self.dimension.times(other.dimension, power))


@functools.lru_cache(maxsize=256)
def read_unit(text: str) -> Unit:
    """The unit that a text names.

    Products are written with a space or "*", quotients with "/", powers with "^", "**" or a
    plain number. Raises `CaseError` for an ambiguous text, `UnknownUnitError`.
    """
    plain = text.translate(_SUPERSCRIPTS).replace("**", "^").replace("·", "*")
    tokens, position = [], 0
    while position < len(plain.rstrip()):
        match = _TOKEN.match(plain, position)
        if match is None or len(text) > _LONGEST:
            raise CaseError(f"not a unit: {text[:_LONGEST]!r}")
        tokens.append(match[1])
        position = match.end()
    try:
        return _Reader(tokens).all()
    except (OverflowError, ZeroDivisionError):
        raise CaseError(f"not a unit: {text!r}") from None


@functools.lru_cache(maxsize=256)
def unit_named(name: str) -> Unit | None:
    """The unit with this single name, prefix included, or None."""
    if name in THERMAL:
        return Unit(1.0, Dimension())
    registry = _registry()
    candidates = registry.parse_unit_name(_SYNONYMS.get(name, name))
    if not candidates or candidates[0][1] not in _PINT_NAMES:
        return None
    prefix, base, _ = candidates[0]
    value = registry.Quantity(1.0, registry.Unit(prefix + base)).to_base_units()
    powers = {key.strip("[]"): round(power) for key, power in value.dimensionality.items()}
    moles = powers.pop("substance", 0)
    dimension = Dimension(amount=moles, **powers)
    return Unit(float(value.magnitude) * _avogadro() ** moles, dimension)


def boltzmann_constant() -> float:
    """k_B in J/K."""
    return float(_registry().Quantity(1.0, "boltzmann_constant").to("J/K").magnitude)


def _avogadro() -> float:
    return float(_registry().Quantity(1.0, "mole").to("particle").magnitude)


@functools.cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry()


class _Reader:
    """Recursive descent over the tokens of a unit."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]

    def all(self) -> Unit:
        unit = self._product()
        if self.tokens:
            raise CaseError(f"not a unit: unexpected {self.tokens[-1]!r}")
        return unit

    def _product(self) -> Unit:
        unit, divided = Unit(1.0, Dimension()), False
        if self._next("/"):
            unit, divided = unit.times(self._power(), -1), True
        else:
            unit = self._power()
        while self.tokens and self.tokens[-1] != ")":
            if self._next("/"):
                unit, divided = unit.times(self._power(), -1), True
            elif divided:
                raise CaseError("a product after '/' is ambiguous: use brackets, as in kJ/(mol nm)")
            else:
                self._next("*")
                unit = unit.times(self._power())
        return unit

    def _power(self) -> Unit:
        if self._next("("):
            unit = self._product()
            if not self._next(")"):
                raise CaseError("not a unit: a ')' is missing")
        else:
            unit = self._single()
        marked = self._next("^")
        if self.tokens and re.fullmatch(r"[+-]?\d+", self.tokens[-1]):
            power = int(self.tokens.pop())
            if abs(power) > 9:
                raise CaseError(f"not a unit: power {power} is too large")
            return Unit(1.0, Dimension()).times(unit, power)
        if marked:
            raise CaseError("not a unit: '^' needs a whole number after it")
        return unit

    def _single(self) -> Unit:
        name = self.tokens.pop() if self.tokens else ""
        if not re.fullmatch(r"[^\W\d]+|%|°C", name):
            raise CaseError("not a unit: a name is missing")
        unit = unit_named(name)
        if unit is None:
            raise UnknownUnitError(f"unknown unit {name!r}")
        return unit

    def _next(self, token: str) -> bool:
        if self.tokens and self.tokens[-1] == token:
            self.tokens.pop()
            return True
        return False
