"""The unit system of a case, and quantities such as "0.5 nm^2/ns" read into it.

Lengths, times and amounts become numbers in the units that [units] names. Amounts count particles:
moles are converted by Avogadro's number, so a concentration may be molar or a number density.
Energies have no unit but k_B T, which needs the temperature.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fem_rd.case.dimensions import ENERGY, Dimension, depends_on_space, dimension
from fem_rd.case.unit_texts import Unit, UnknownUnitError, boltzmann_constant, read_unit, unit_named
from fem_rd.errors import CaseError

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# "0.5 nm", "1 /ns" and, as outputs show it, "0.5 1/ns"; but "1e3" is a number alone
_QUANTITY = re.compile(
    rf"\s*({_NUMBER})(?![eE][+-]?[0-9])(?:\s+1(?=\s*/))?\s*(/?\s*[^\W\d_(].*|/?\s*\(.*|%.*|°.*)",
    re.DOTALL,
)
_UNIT = re.compile(r"[\w\s%°·*^/()⁻¹²³-]*")
_NAME = re.compile(r"[^\W\d]+")
_CELSIUS = ("degC", "°C", "celsius")
_ZERO_CELSIUS = 273.15


@dataclass(frozen=True)
class UnitSystem:
    """The units in which a case's numbers are meant; without any, they are dimensionless.

    ``length``, ``time`` and ``amount`` are names of units, ``temperature`` is in kelvin.
    """

    length: str | None = None
    time: str | None = None
    amount: str | None = None
    temperature: float | None = None

    @property
    def dimensionless(self) -> bool:
        """Whether the case states no units."""
        return self.length is None

    def convert(self, text: str, wanted: str | None) -> float:
        """The number that a quantity such as "0.5 nm^2/ns" is in these units.

        ``wanted`` is its dimension ("length^2/time"), or None to accept any. Raises `CaseError`
        for an unknown or wrong unit.
        """
        return self.convert_in_space(text, wanted, (3,))[0]

    def convert_in_space(
        self, text: str, wanted: str | None, spaces: Sequence[int]
    ) -> tuple[float, int | None]:
        """As `convert`, with the one of the space dimensions that the unit implies: 3 for "1 mM".

        None where the dimension is the same on a line, in a plane and in space.
        """
        parts = split_quantity(text)
        if parts is None:
            raise CaseError("not a number with a unit", found=text)
        number, unit_text = parts
        if unit_text in _CELSIUS and wanted in (None, "temperature"):
            return _scaled(number + _ZERO_CELSIUS, 1.0, 1.0, text), None
        try:
            unit = self._without_mass(read_unit(unit_text))
            scale = self._factor(unit.dimension)
        except UnknownUnitError as error:
            message = f"{error.message}; for a product write {number:g}*{unit_text}"
            valid = self._example(wanted, spaces[0])
            raise CaseError(message, found=text, valid=valid) from None
        except CaseError as error:
            raise CaseError(error.message, found=text) from None
        if wanted is None:
            return _scaled(number, unit.factor, scale, text), None
        for space in spaces:
            meant = dimension(wanted, space)
            if _fits(unit.dimension, meant):
                told = space if depends_on_space(wanted) else None
                return _scaled(number, unit.factor, self._factor(meant), text), told
        message = f"wrong unit ({unit.dimension.written()})"
        raise CaseError(message, found=text, valid=self._example(wanted, spaces[0]))

    def unit_name(self, wanted: str, *, space: int = 3) -> str:
        """The text of the unit of a dimension, for outputs: "particle/ns", or "amount/time".

        Volume and area are those of ``space`` dimensions; "1" for a pure number.
        """
        names = {"length": self.length, "time": self.time, "amount": self.amount}
        given = {base: name for base, name in names.items() if name}
        return dimension(wanted, space).written({**given, "temperature": "K"})

    def _example(self, wanted: str | None, space: int) -> str | None:
        """What an error says would be valid."""
        if wanted is None:
            return None
        if wanted == "1":
            return "a number without unit, or an energy"
        unit = self.unit_name(wanted, space=space)
        return f"a unit of {wanted}" + ("" if self.dimensionless else f", such as {unit}")

    def _without_mass(self, unit: Unit) -> Unit:
        """Energies in k_B T: a mass is k_B T time^2/length^2, and "per mole" is per particle."""
        power = unit.dimension.mass
        if power == 0:
            return unit
        if self.temperature is None:
            raise CaseError(
                "an energy needs the temperature: add it to [units], as in temperature = '298 K', "
                "or give the energy in k_B T, as a plain number"
            )
        thermal = Unit(boltzmann_constant() * self.temperature, ENERGY)
        if unit.dimension.amount == -power:
            unit = Unit(unit.factor, unit.dimension.times(Dimension(amount=power)))
        return unit.times(thermal, -power)

    def _factor(self, wanted: Dimension) -> float:
        """What the unit of a dimension is in SI units and particles."""
        factor = 1.0
        for base in ("length", "time", "amount"):
            unit, power = getattr(self, base), getattr(wanted, base)
            if power and unit is None:
                raise CaseError(
                    "a unit needs the section [units] with length and time; without it all "
                    "numbers are dimensionless"
                )
            if power:
                factor *= read_unit(unit).factor ** power
        return factor


def base_unit(text: str, base: str) -> str:
    """The name of a unit for a base of a system. Raises `CaseError` where it is not one."""
    name = text.strip()
    if not _NAME.fullmatch(name):
        raise CaseError("must be the name of one unit", found=text, valid=_BASE_EXAMPLES[base])
    found = read_unit(name).dimension
    if found != dimension(base):
        raise CaseError(f"not a unit of {base}", found=text, valid=_BASE_EXAMPLES[base])
    return name


def split_quantity(text: str, symbols: Collection[str] = ()) -> tuple[float, str] | None:
    """The number and the unit of "0.5 nm^2/ns"; None for a text that is an expression.

    A number followed by a word is a quantity. A number followed by a slash is one where every
    word is a unit and none is among ``symbols``: "1/ns", but not "1/r".
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or not _UNIT.fullmatch(match[2]):
        return None
    number, unit = float(match[1]), match[2].strip()
    if unit.startswith(("/", "(")):
        words = _NAME.findall(unit)
        if any(word in symbols or unit_named(word) is None for word in words) or not words:
            return None
    return number, unit


_BASE_EXAMPLES = {
    "length": "nm, um, angstrom, m, ...",
    "time": "ns, us, s, ps, ...",
    "amount": "particle, mol, nmol, ...",
}


def _fits(found: Dimension, wanted: Dimension) -> bool:
    """Whether a quantity of one dimension may stand where another is wanted.

    Particles are counted, so "particle" may be left out of a number density, and a rate constant
    (volume/time for one partner) may be given per amount: L/mol/s.
    """
    if found.times(Dimension(amount=wanted.amount - found.amount)) != wanted:
        return False
    per_amount = wanted.amount == 0 and wanted.length == 3 and found.amount == -1
    return found.amount in (0, wanted.amount) or per_amount


def _scaled(number: float, factor: float, scale: float, text: str) -> float:
    """The number in other units, to fifteen digits: 0.5 nm stays 0.5 in nm.

    The digits dropped are the conversion's round-off. Raises `CaseError` for an overflow.
    """
    value = number * (factor / scale) if scale else math.nan
    if not math.isfinite(value):
        raise CaseError("is too large or too small a number", found=text)
    return float(f"{value:.15g}")
