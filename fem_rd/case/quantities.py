"""Field types of the schema: a number with a dimension, an expression, a diffusion coefficient.

They are annotations, as in ``Annotated[float, Quantity("length^2/time")]``: they read what the
case file says in the units and with the parameters of the case (the validation context), and they
carry what the reference page says about the field.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import AfterValidator, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from fem_rd.case.base import joined
from fem_rd.case.units import UnitSystem, split_quantity
from fem_rd.errors import CaseError
from fem_rd.expressions.expression import SPACE, SPACE_TIME, Expression, shortened
from fem_rd.expressions.functions import CONSTANTS, FUNCTIONS
from fem_rd.expressions.grammar import words_in

T = TypeVar("T")
Tensor = tuple[tuple[Expression, ...], ...]
Diffusion = Expression | Tensor | dict[str, Expression | Tensor]


@dataclass(frozen=True)
class CaseContext:
    """What reading a value needs to know of its case.

    ``possible`` are the space dimensions that the mesh may have; ``spaces`` collects those that
    units imply, each with the quantity it is from. ``species`` are those of the chemistry.
    """

    units: UnitSystem = field(default_factory=UnitSystem)
    parameters: Mapping[str, float] = field(default_factory=dict)
    possible: tuple[int, ...] = (3, 2)
    spaces: dict[str, int] = field(default_factory=dict)
    species: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bounds:
    """The values a number may have: from ``least``, or above ``above``, to below ``below``."""

    least: float | None = None
    above: float | None = None
    below: float | None = None

    def check(self, value: float, found: object) -> None:
        """Raise `CaseError` for a value outside."""
        if self.least is not None and value < self.least:
            rule = "must not be negative" if self.least == 0 else f"must be at least {self.least:g}"
        elif self.above is not None and value <= self.above:
            rule = "must be positive" if self.above == 0 else f"must be above {self.above:g}"
        elif self.below is not None and value >= self.below:
            rule = f"must be below {self.below:g}"
        else:
            return
        raise CaseError(rule, found=shortened(found))


@dataclass(frozen=True)
class Quantity:
    """A number with this dimension, or of any dimension where it is None."""

    dimension: str | None
    bounds: Bounds = Bounds()

    kind = "number"

    def read(self, value: object, context: CaseContext) -> float:
        """The number in the case's units. Raises `CaseError`."""
        number = read_expression(value, self.dimension, (), context).value
        self.bounds.check(number, value)
        return number

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return reader_schema(self.read)


@dataclass(frozen=True)
class Coefficient:
    """An expression of ``names`` whose values have this dimension; bounds hold if constant."""

    dimension: str
    names: tuple[str, ...] = SPACE
    bounds: Bounds = Bounds()

    @property
    def kind(self) -> str:
        """What the reference page says."""
        return f"expression of {', '.join(self.names)}"

    def read(self, value: object, context: CaseContext) -> Expression:
        """The expression, with constants in the case's units. Raises `CaseError`."""
        expression = read_expression(value, self.dimension, self.names, context)
        if expression.is_constant:
            self.bounds.check(expression.value, value)
        return expression

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return reader_schema(self.read)


@dataclass(frozen=True)
class RegionalCoefficient:
    """A `Coefficient`, the same everywhere or one for each region."""

    dimension: str
    bounds: Bounds = Bounds()

    kind = "expression of x, y, z, r; or table region = expression"
    names = SPACE

    def read(self, value: object, context: CaseContext) -> Expression | dict[str, Expression]:
        """The expression, or one for each region. Raises `CaseError`."""
        one = Coefficient(self.dimension, self.names, self.bounds)
        return _by_region(value, lambda part: one.read(part, context))

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return reader_schema(self.read)


@dataclass(frozen=True)
class DiffusionCoefficient:
    """A scalar or a symmetric tensor, constant or in space, for all or for each region."""

    kind = "expression of x, y, z, r; 2x2 or 3x3 list of them; or table region = these"
    dimension = "length^2/time"
    names = SPACE

    def read(self, value: object, context: CaseContext) -> Diffusion:
        """The coefficient as given: one, or one for each region. Raises `CaseError`."""
        return _by_region(value, lambda part: self._one(part, context))

    def _one(self, value: object, context: CaseContext) -> Expression | Tensor:
        if isinstance(value, list | tuple):
            return self._tensor(value, context)
        return Coefficient(self.dimension, bounds=Bounds(above=0.0)).read(value, context)

    def _tensor(self, rows: list[Any] | tuple[Any, ...], context: CaseContext) -> Tensor:
        size = len(rows)
        square = all(isinstance(row, list | tuple) and len(row) == size for row in rows)
        if size not in (2, 3) or not square:
            raise CaseError(
                "a tensor is a list of rows", found=shortened(rows), valid="2x2 or 3x3 entries"
            )
        entry = Coefficient(self.dimension)
        tensor = tuple(tuple(entry.read(part, context) for part in row) for row in rows)
        _check_tensor(tensor, rows)
        return tensor

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return reader_schema(self.read)


def read_expression(
    value: object, dimension: str | None, names: tuple[str, ...], context: CaseContext
) -> Expression:
    """A number, a quantity with a unit, or an expression of ``names`` and the parameters.

    Raises `CaseError` with what is wrong and what was found.
    """
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        unit = "" if context.units.dimensionless else ", a quantity with a unit"
        raise CaseError(f"must be a number{unit} or an expression", found=shortened(value))
    if isinstance(value, str):
        symbols = {*names, *context.parameters, *CONSTANTS, *FUNCTIONS}
        if split_quantity(value, symbols):
            number, space = context.units.convert_in_space(value, dimension, context.possible)
            if space:
                context.spaces[f"{value!r} as {dimension}"] = space
            return Expression.constant(number)
        _check_coordinates(value, names, context)
    return Expression.parse(value, names=names, where=None, parameters=context.parameters)


def _by_region(value: object, read: Callable[[object], T]) -> T | dict[str, T]:
    """What ``read`` makes of a value, or of each entry of a table by region."""
    if not isinstance(value, dict):
        return read(value)
    if not value:
        raise CaseError("names no region", found={})
    regions: dict[str, T] = {}
    for region, part in value.items():
        try:
            regions[region] = read(part)
        except CaseError as error:
            raise error.at(key=f".{joined('', region)}") from None
    return regions


def reader_schema(read: Any) -> CoreSchema:
    """A pydantic schema of a reader ``(value, context) -> value`` that raises `CaseError`."""

    def validate(value: object, info: ValidationInfo) -> Any:
        context = (info.context or {}).get("case")
        try:
            return read(value, context or CaseContext())
        except CaseError as error:
            raise as_pydantic(error) from None

    return core_schema.with_info_plain_validator_function(validate)


def at_least(least: int) -> AfterValidator:
    """A check that a count is not below ``least``."""

    def check(count: int) -> int:
        if count < least:
            raise as_pydantic(CaseError(f"must be at least {least}", found=count))
        return count

    return AfterValidator(check)


def as_pydantic(error: CaseError) -> PydanticCustomError:
    """The error in the form in which pydantic collects it with others."""
    details = {"key": error.key, "found": error.found, "valid": error.valid}
    return PydanticCustomError("case", "{message}", {"message": error.message, **details})


def _check_coordinates(text: str, names: tuple[str, ...], context: CaseContext) -> None:
    """Raise `CaseError` for a coordinate that has no meaning here: unknown it is not."""
    for name in words_in(text):
        if name in SPACE_TIME and name not in (*names, *context.parameters):
            what = "the time" if name == "t" else "a coordinate"
            valid = "a constant" if not names else f"an expression of {', '.join(names)}"
            raise CaseError(f"cannot depend on {name} ({what})", found=shortened(text), valid=valid)


def _check_tensor(tensor: Tensor, found: object) -> None:
    """Raise `CaseError` where it is not symmetric or, if constant, not positive definite."""
    pairs = [(tensor[i][j], tensor[j][i]) for i in range(len(tensor)) for j in range(i)]
    if not all(_same(below, above) for below, above in pairs):
        valid = "the same number or expression on both sides of the diagonal"
        raise CaseError("the tensor must be symmetric", found=shortened(found), valid=valid)
    if all(entry.is_constant for row in tensor for entry in row):
        matrix = [[entry.value for entry in row] for row in tensor]
        if not _positive_definite(matrix):
            raise CaseError("the tensor must be positive definite", found=shortened(found))


def _same(one: Expression, other: Expression) -> bool:
    if one.is_constant and other.is_constant:
        return math.isclose(one.value, other.value, rel_tol=1e-12)
    return one == other


def _positive_definite(matrix: list[list[float]]) -> bool:
    """Whether elimination of a symmetric matrix meets positive pivots only."""
    while matrix:
        (pivot, *row), *rest = matrix
        if pivot <= 0:
            return False
        matrix = [
            [entry - line[0] * other / pivot for entry, other in zip(line[1:], row, strict=True)]
            for line in rest
        ]
    return True
