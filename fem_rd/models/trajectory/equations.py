"""Cases of the Smoluchowski and Fokker-Planck equations with coefficients from a trajectory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.polynomial import Polynomial

from fem_rd.case.case import Case
from fem_rd.errors import FemRdError
from fem_rd.models.particles.output import write_table
from fem_rd.models.particles.samples import Table
from fem_rd.order_parameters.analysis import Coefficients
from fem_rd.order_parameters.statistics import Array, Estimate

_DEGREES = (0, 2, 4, 6, 8, 10, 12)
_HIGH = 15.0  # k_B T above the lowest: nobody gets there
_GOOD = 1.5  # mean square of the deviations in standard errors


def write_equations(
    directory: Path, case: Case, found: Coefficients, tables: Mapping[str, Table]
) -> None:
    """Write the cases that can be made of what was found, each a directory ready to run."""
    if found.potential is None:
        return
    cases = {"smoluchowski": _smoluchowski(case, found)}
    if found.friction is not None:
        cases["fokker-planck"] = _fokker_planck(case, found)
    try:
        for name, text in cases.items():
            (directory / name).mkdir(parents=True, exist_ok=True)
            (directory / name / "case.toml").write_text(text, encoding="utf-8")
    except OSError as error:
        raise FemRdError(f"{directory}: cannot be written: {error.strerror}") from error
    for name in ("potential", "diffusion"):
        write_table(directory / "smoluchowski" / f"{name}.csv", tables[name])


def _smoluchowski(case: Case, found: Coefficients) -> str:
    lower, upper = float(found.bins.centres[0]), float(found.bins.centres[-1])
    states = case.section.states
    text = f"""\
# Eq. 29 with the coefficients that {case.name} found.
title = "Smoluchowski equation: {_plain(case.title)}"
model = "order-parameter"
{_units(case)}
[order-parameter]
diffusion = {_diffusion(found)}
potential_table = {{file = "potential.csv"}}
modes = 3
"""
    if states:
        text += 'committor = ["low", "high"]\n'
    text += f"""
[order-parameter.grid]
coordinates = "line"
lower = [{lower!r}]
upper = [{upper!r}]
cells = [800]
"""
    if states:
        text += f"""
[order-parameter.sets]
low = {{interval = [{lower!r}, {states[0]!r}]}}
high = {{interval = [{states[1]!r}, {upper!r}]}}
"""
    return text


def _fokker_planck(case: Case, found: Coefficients) -> str:
    mass, centres = found.mass, found.bins.centres
    if mass is None or found.friction is None or found.potential is None:
        raise FemRdError("the Fokker-Planck equation needs friction and mass")
    fit = _fitted(centres, found.potential)
    lower, upper = _ends(fit, found)
    return f"""\
# Eq. 56 with the coefficients that {case.name} found; the potential is a polynomial through the
# table of the Smoluchowski case.
title = "Fokker-Planck equation: {_plain(case.title)}"
model = "klein-kramers"
{_units(case)}
[mesh]
builtin = "interval"
lower = {lower!r}
upper = {upper!r}
cells = 80

[klein-kramers]
potential = "{_written(fit)}"
friction = {found.friction.zeta.number / mass.number!r}
thermal_velocity = {1.0 / math.sqrt(mass.number)!r}
"""


def _diffusion(found: Coefficients) -> str:
    """A number where D is the same everywhere, or where it comes out negative somewhere."""
    local = found.diffusion
    if np.ptp(local.value) == 0.0 or not np.all(local.value > 0.0):
        return repr(found.diffusion_constant.number)
    log = Estimate(np.log(local.value), np.asarray(local.error / local.value))
    return f'"exp({_written(_fitted(found.bins.centres, log))})"'


def _fitted(x: Array, estimate: Estimate) -> Polynomial:
    """The polynomial of lowest even degree that fits within the errors."""
    for degree in _DEGREES:
        fit = Polynomial.fit(x, estimate.value, degree, w=1.0 / estimate.error)
        if np.mean(((fit(x) - estimate.value) / estimate.error) ** 2) < _GOOD:
            break
    return fit.convert()


def _ends(potential: Polynomial, found: Coefficients) -> tuple[float, float]:
    """Where the potential is high enough, if it goes on to rise beyond what was visited."""
    lowest, width = float(potential(found.bins.centres).min()), found.bins.width
    ends = []
    for end, step in ((found.bins.low, -width), (found.bins.high, width)):
        for _ in range(found.bins.count):
            here, beyond = potential(end), potential(end + step)
            if here - lowest > _HIGH or beyond < here:
                break
            end += step
        ends.append(round(float(end), 12))
    return ends[0], ends[1]


def _written(polynomial: Polynomial) -> str:
    """As an expression of x."""
    terms = [f"{value:+.12g}*x^{power}" for power, value in enumerate(polynomial.coef)]
    return " ".join(terms).replace("*x^0", "").replace("x^1 ", "x ").lstrip("+")


def _units(case: Case) -> str:
    units = case.units
    if units.dimensionless:
        return ""
    kelvin = "" if units.temperature is None else f'temperature = "{units.temperature!r} K"\n'
    return f'\n[units]\nlength = "{units.length}"\ntime = "{units.time}"\n{kelvin}'


def _plain(text: str) -> str:
    return text.replace("\\", " ").replace('"', "'")
