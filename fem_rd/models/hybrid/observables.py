"""What is measured in a hybrid run: of the particles, of the reservoir, and of both together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fem_rd.case.units import UnitSystem
from fem_rd.hybrid.across import Across
from fem_rd.models.hybrid.build import Sides
from fem_rd.models.particles.observables import Measured, gathered, observables_of
from fem_rd.models.particles.statistics import over_replicas
from fem_rd.numerics.reactive.problem import rows_of
from fem_rd.observables import Observable

Array = npt.NDArray[np.float64]
RESIDUAL = "ledger_residual"
_SCALE_FLOOR = 1e-300


def hybrid_observables(
    sides: Sides, measured: Measured, units: UnitSystem
) -> Sequence[Observable]:
    """All observables but those of comparisons and those that the case derives. Collective."""
    particles = [one for one in observables_of(sides.setup, measured, units) if not _checks(one)]
    reservoir = reservoir_observables(sides)
    across = [*_across(sides)]
    found = {one.name: one for one in [*particles, *reservoir]}
    totals = [*_totals(sides, found)]
    residual = max(
        float(measured.unaccounted),
        *(one.value for one in reservoir if _checks(one)),
        _interface_residual(sides, measured, found),
    )
    text = "what the accounts of particles, reservoir and interface miss, relative to what moved"
    ledger = Observable(RESIDUAL, residual, "1", text)
    kept = [one for one in reservoir if not _checks(one)]
    return [*particles, *across, *kept, *totals, ledger]


def reservoir_observables(sides: Sides) -> list[Observable]:
    """Of the PDE; where each replica has its own, their means and standard errors. Collective."""
    start = "reservoir_" if sides.two_way else "pde_"
    each = [reservoir.model.observables() for reservoir in sides.reservoirs]
    if sides.shared:
        return [replace(one, name=start + one.name) for one in each[0]]
    first = next(one for one in sides.comm.allgather(each[0] if each else None) if one)
    mine = np.array([[one.value for one in row] for row in each]).reshape(len(each), len(first)).T
    values = gathered(mine, sides.comm)
    found = []
    for one, row in zip(first, rows_of(values), strict=True):
        mean, error = over_replicas(row)[0]
        value = float(row.max()) if _checks(one) else float(mean)
        known = float(error) if np.isfinite(error) else None
        found.append(replace(one, name=start + one.name, value=value, error=known))
    return found


def _checks(observable: Observable) -> bool:
    return observable.name.endswith(RESIDUAL)


def _totals(sides: Sides, found: dict[str, Observable]) -> Iterator[Observable]:
    """Amounts on both sides together."""
    if not sides.two_way:
        return
    for name in sides.species:
        beside = found[f"reservoir_amount_{name}"]
        total = found[f"count_{name}"].value + beside.value
        text = f"amount of {name} in particles and reservoir, of one replica"
        yield Observable(f"amount_{name}", total, beside.unit, text)
    for name, held in zip(sides.species, sides.held_back(), strict=True):
        text = f"particles of {name} that were not inserted since the reservoir was below zero"
        yield Observable(f"held_back_{name}", held, "1", text)


def _across(sides: Sides) -> Iterator[Observable]:
    """Events of particles with the reservoir, a mean over replicas. Collective."""
    boundaries = _crossers(sides)
    if not sides.reach:
        return
    names = sides.setup.reactions
    for word, what in (("events", "of a particle with the reservoir"),
                       ("limited", "that the reservoir could not bear")):  # fmt: skip
        rows = [getattr(one.account, word) for one in boundaries]
        mine = np.array(rows, dtype=float).reshape(len(rows), len(names)).T
        for name, row in zip(names, rows_of(gathered(mine, sides.comm)), strict=True):
            mean, error = over_replicas(row)[0]
            text = f"events of {name} {what} so far, in each replica"
            known = float(error) if np.isfinite(error) else None
            if name in sides.section.radii:
                yield Observable(f"across_{word}_{name}", float(mean), "1", text, known)


def _interface_residual(
    sides: Sides, measured: Measured, found: dict[str, Observable]
) -> float:
    """What particles gave against what the PDE has got, relative to the larger. Collective."""
    if not sides.two_way:
        return 0.0
    given = np.array([one.account.given for one in _crossers(sides)], dtype=float)
    across = gathered(given.reshape(-1, len(sides.species)).T, sides.comm)
    missing = 0.0
    for row, name in enumerate(sides.species):
        rows = [
            place
            for place, (species, wall) in enumerate(sides.setup.exchanging)
            if species == name and wall in sides.ground.walls
        ]
        gave = float(measured.net[rows].sum(axis=0).mean())
        gave += float(across[row].mean()) if across.size else 0.0
        got = found[f"reservoir_entered_{name}_interface"].value
        there = found[f"reservoir_amount_{name}"].value
        scale = max(abs(gave), abs(got), abs(there), _SCALE_FLOOR)
        missing = max(missing, abs(gave - got) / scale)
    return missing


def _crossers(sides: Sides) -> list[Across]:
    return [
        boundary
        for replica in sides.ensemble.replicas
        for boundary in replica.stepper.boundaries
        if isinstance(boundary, Across)
    ]
