"""The potential of mean force at the nodes: an expression, a table joined by splines, samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI
from scipy.interpolate import CubicSpline, RegularGridInterpolator

from fem_rd.case.sections.order_parameter import OrderParameterSection
from fem_rd.case.sections.order_parameter_kinds import Grid, PotentialSamples, PotentialTable
from fem_rd.errors import CaseError
from fem_rd.models.assembly import Array
from fem_rd.models.order_parameter.space import OrderParameterSpace
from fem_rd.parallel import agree, on_root

KEY = "order-parameter"
_SAME = 1e-9  # of the extent of a coordinate
_UNSEEN = 0.5  # counts that an empty bin stands for
_PERIODIC = 1e-6  # k_B T: a larger step at the seam of an angle is none of round-off


@dataclass(frozen=True)
class Potential:
    """``energy`` (owned,) in k_B T and, where it is known, its standard ``error`` (owned,).

    ``unseen``: bins without samples.
    """

    energy: Array
    error: Array | None = None
    unseen: int = 0


@dataclass(frozen=True)
class Table:
    """Values (n1, ...) on a grid of axes, with standard errors or without.

    ``bins``: values are those of the middle of bins, ``unseen`` of which have no sample.
    """

    axes: tuple[Array, ...]
    values: Array
    errors: Array | None
    bins: bool = False
    unseen: int = 0


def potential_at_nodes(
    section: OrderParameterSection, space: OrderParameterSpace, directory: Path
) -> Potential:
    """The potential of a section. Raises `CaseError` on all ranks. Collective."""
    table: Table | None = None
    if section.potential_table is not None:
        table, key = _of_table(section.potential_table, space, directory), f"{KEY}.potential_table"
    elif section.potential_samples is not None:
        table = _of_samples(section.potential_samples, space, directory)
        key = f"{KEY}.potential_samples"
    else:
        found, key = _of_expression(section, space), f"{KEY}.potential"
    if table is not None:
        found = _interpolated(table, space, key)
    bad = np.flatnonzero(~np.isfinite(found.energy))
    error = None
    if len(bad):
        place = tuple(float(x) for x in space.positions[bad[0], : space.dimension])
        valid = "numbers everywhere: min(..., 300) cuts off what is never reached"
        error = CaseError("the potential is not finite", key=key, found=place, valid=valid)
    agree(space.comm, error)
    return found


def _of_expression(section: OrderParameterSection, space: OrderParameterSpace) -> Potential:
    if section.potential is None:
        return Potential(np.zeros(len(space.positions)))
    energy = space.at_nodes(section.potential)
    copies = space.place.at_nodes(section.potential)
    with np.errstate(invalid="ignore"):
        step = np.abs(copies - space.everywhere(energy)).max(initial=0.0)
    error = None
    if step > _PERIODIC:
        message = "the potential is not the same at both ends of an angle"
        valid = "a periodic potential, with order-parameter.tilt for a constant force"
        error = CaseError(message, key=f"{KEY}.potential", found=float(step), valid=valid)
    agree(space.comm, error)
    return Potential(energy)


def _of_table(given: PotentialTable, space: OrderParameterSpace, directory: Path) -> Table:
    key, dimension = f"{KEY}.potential_table.file", space.dimension
    if dimension > 2:
        raise CaseError("tables are of one or two order parameters", key=key, found=dimension)

    def read() -> Table:
        rows = _rows(directory / given.file, (dimension + 1, dimension + 2), key)
        axes = tuple(np.unique(rows[:, axis]) for axis in range(dimension))
        shape = tuple(len(axis) for axis in axes)
        if len(rows) != np.prod(shape):
            valid = f"{' x '.join(map(str, shape))} rows, one for each pair of values"
            found = f"{len(rows)} rows"
            raise CaseError("the rows make no grid", key=key, found=found, valid=valid)
        order = np.lexsort(rows[:, :dimension].T[::-1])
        values = rows[order, dimension].reshape(shape) * given.scale
        errors = None
        if rows.shape[1] > dimension + 1:
            errors = rows[order, dimension + 1].reshape(shape) * given.scale
        return Table(axes, values, errors)

    return on_root(space.comm, read)


def _of_samples(given: PotentialSamples, space: OrderParameterSpace, directory: Path) -> Table:
    key, grid = f"{KEY}.potential_samples", space.grid
    if grid is None:
        raise CaseError("samples need the grid of the section", key=key)
    if len(given.bins) != space.dimension:
        message = f"{grid.coordinates!r} needs {space.dimension} number(s)"
        raise CaseError(message, key=f"{key}.bins", found=list(given.bins))

    def read() -> Table:
        rows = _rows(directory / given.file, (space.dimension,), f"{key}.file")
        return histogram(rows, grid, given.bins, given.independent)

    return on_root(space.comm, read)


def histogram(
    samples: Array, grid: Grid, bins: Sequence[int], independent: float = 1.0
) -> Table:
    """-ln of the density of samples (n, dim) in the middle of bins, with its standard error.

    The counts of independent samples are binomial: the error of ln n is sqrt((1 - n/N)/n), larger
    by the root of 1/``independent`` where samples are correlated. An empty bin counts half a
    sample, with the error 2 that a factor e^2 either way is.
    """
    lower, upper = np.array(grid.lower), np.array(grid.upper)
    periodic = np.array(grid.periodic)
    turned = np.where(periodic, lower + (samples - lower) % (upper - lower), samples)
    ranges = list(zip(lower, upper, strict=True))
    counts, edges = np.histogramdd(turned, bins=list(bins), range=ranges)
    total = counts.sum()
    if not total:
        raise CaseError("no sample lies in the grid", key=f"{KEY}.potential_samples.file")
    seen = np.where(counts > 0, counts, _UNSEEN)
    size = float(np.prod((upper - lower) / np.array(bins)))
    values = -np.log(seen / (total * size))
    shares = np.minimum(seen / total, 1.0)
    errors = np.where(counts > 0, np.sqrt((1 - shares) / (seen * independent)), 2.0)
    middles = tuple((edge[1:] + edge[:-1]) / 2 for edge in edges)
    return Table(middles, values, errors, bins=True, unseen=int((counts == 0).sum()))


def _rows(path: Path, columns: tuple[int, ...], key: str) -> Array:
    """The numbers of a CSV file, with or without a line of names. Raises `CaseError`."""
    try:
        text = path.read_text(encoding="utf-8").splitlines()
        skip = 1 if text and not _numbers(text[0]) else 0
        rows = np.loadtxt(text[skip:], delimiter=",", comments="#", ndmin=2)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CaseError(f"the file cannot be read: {error}", key=key, found=path.name) from None
    if rows.shape[1] not in columns or not len(rows):
        valid = " or ".join(map(str, columns)) + " columns"
        found = f"{rows.shape[1]} columns, {len(rows)} rows"
        raise CaseError("the file has another shape", key=key, found=found, valid=valid)
    if not np.isfinite(rows).all():
        raise CaseError("the file has values that are not finite numbers", key=key)
    return rows


def _numbers(line: str) -> bool:
    try:
        [float(word) for word in line.split(",")]
    except ValueError:
        return line.lstrip().startswith("#")
    return True


def _interpolated(table: Table, space: OrderParameterSpace, key: str) -> Potential:
    """Splines at the nodes; errors linearly. Collective."""
    axes, values, errors = list(table.axes), table.values, table.errors
    at = space.positions[:, : space.dimension].copy()
    for axis, period in enumerate(space.periods):
        line = table.axes[axis]
        if np.isfinite(period):
            _check_period(line, float(period), axis, key)
            at[:, axis] = line[0] + (at[:, axis] - line[0]) % period
            axes[axis], values = _wrapped(line, values, axis, float(period))
            if errors is not None:
                _, errors = _wrapped(line, errors, axis, float(period))
        else:
            _check_cover(line, space, axis, key, bins=table.bins)
            at[:, axis] = np.clip(at[:, axis], line[0], line[-1])
    energy = _spline(axes, values, at)
    error = None
    if errors is not None:
        error = RegularGridInterpolator(axes, errors)(at)
    return Potential(energy, error, table.unseen)


def _spline(axes: Sequence[Array], values: Array, at: Array) -> Array:
    """Cubic splines along one axis after the other, at points (n, dim)."""
    if len(axes) == 1:
        energy: Array = CubicSpline(axes[0], values)(at[:, 0])
        return energy
    method = "cubic" if len(axes) == 2 and min(map(len, axes)) > 3 else "linear"
    found: Array = RegularGridInterpolator(axes, values, method=method)(at)
    return found


def _wrapped(line: Array, values: Array, axis: int, period: float) -> tuple[Array, Array]:
    """The axis and the values continued over both ends of the period, far enough for splines."""
    if line[-1] - line[0] > period * (1 - _SAME):  # the last value repeats the first
        line = line[:-1]
        values = np.take(values, np.arange(len(line)), axis=axis)
    more = min(len(line), 8)
    before, after = np.arange(len(line) - more, len(line)), np.arange(more)
    longer = np.concatenate([line[before] - period, line, line[after] + period])
    parts = [np.take(values, before, axis=axis), values, np.take(values, after, axis=axis)]
    return longer, np.concatenate(parts, axis=axis)


def _check_period(line: Array, period: float, axis: int, key: str) -> None:
    """Raise `CaseError` where a table does not go around an angle once, as if in other units."""
    covered = float(line[-1] - line[0])
    gap = float(np.diff(line).max())
    if not period - 1.5 * gap <= covered <= period * (1 + _SAME):
        raise CaseError(
            f"the table does not go around the angle {'xyz'[axis]} once",
            key=key,
            found=f"{line[0]:g} to {line[-1]:g}",
            valid=f"the whole period of the grid, {period:g}, in its units",
        )


def _check_cover(
    line: Array, space: OrderParameterSpace, axis: int, key: str, *, bins: bool
) -> None:
    """Raise `CaseError` where the table ends before the grid does (bins end half a bin before)."""
    nodes = space.positions[:, axis]
    low = space.comm.allreduce(float(nodes.min(initial=np.inf)), op=MPI.MIN)
    high = space.comm.allreduce(float(nodes.max(initial=-np.inf)), op=MPI.MAX)
    slack = (line[1] - line[0] if bins else 0.0) + _SAME * (high - low)
    if line[0] > low + slack or line[-1] < high - slack:
        raise CaseError(
            f"the table does not cover the space along {'xyz'[axis]}",
            key=key,
            found=f"{line[0]:g} to {line[-1]:g}",
            valid=f"{low:g} to {high:g}",
        )
