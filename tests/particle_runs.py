"""Cases of particles as texts, and what tests ask of their runs."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from cases import values_of

from fem_rd.models.protocol import Model

BOX = """
model = "particles"
[particles]
seed = 2
replicas = 3
[particles.domain]
type = "box"
upper = [1, 1, 1]
[particles.species.A]
diffusion = 1.0
number = 2000
place = [0.25, 0.5, 0.5]
[particles.averages.mode]
species = "A"
of = "cos(pi*x)"
[particles.measure]
bins = 4
[time]
end = 0.1
step = 0.01
"""
SLAB = """
model = "particles"
[particles]
seed = 3
replicas = 3
[particles.domain]
type = "box"
upper = [1, 4]
[particles.species.A]
diffusion = 1.0
concentration = "200*(1 - x)"
[particles.walls.left]
type = "open"
concentration = 200.0
scheme = "crossing"
width = 0.2
[particles.walls.right]
type = "open"
concentration = 0.0
scheme = "crossing"
width = 0.2
[particles.walls.bottom]
type = "periodic"
[particles.walls.top]
type = "periodic"
[particles.measure]
begin = 0.5
flux = "right"
bins = 5
lags = [0.01]
[time]
end = 4.5
step = 0.002
"""
REACTING = """
model = "particles"
[chemistry.reactions.birth]
equation = "0 -> A"
rate = 20.0
[chemistry.reactions.pair]
equation = "A + B -> B"
combination_rate = 1.0
radius = 0.2
[chemistry.reactions.turn]
equation = "A <-> C"
rate = 1.0
reverse_rate = 2.0
[particles]
seed = 4
replicas = 5
[particles.domain]
type = "box"
upper = [1, 1]
[particles.species.A]
diffusion = 0.1
concentration = 20.0
[particles.species.B]
diffusion = 0.0
number = 3
[particles.species.C]
diffusion = 0.05
[particles.species.C.walls.left]
type = "absorbing"
[particles.walls.right]
type = "open"
concentration = "3 + t"
[particles.measure]
begin = 0.1
every = 0.05
bins = 3
lags = [0.02, 0.1]
[time]
end = 0.5
step = 0.01
[output]
fields_every = 0.1
"""


def to_end(model: Model, *stops: float) -> dict[str, float]:
    for stop in stops:
        while model.time < stop:
            model.advance(stop)
    return values_of(model)


def score(model: Model, name: str, expected: float) -> float:
    """Standard errors between an observable and what it should be."""
    found = next(one for one in model.observables() if one.name == name)
    assert found.error is not None and found.error > 0
    return (found.value - expected) / found.error


def without_mean_of_none(values: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def table(path: Path) -> dict[str, np.ndarray]:
    rows = list(csv.reader(path.open()))
    return dict(zip(rows[0], np.array(rows[1:], dtype=float).T, strict=True))


# ---- motion and walls


def with_scheme(text: str, scheme: str) -> str:
    changed = text.replace('"crossing"', f'"{scheme}"')
    return changed.replace("width = 0.2\n", "") if scheme == "layer-strang" else changed
