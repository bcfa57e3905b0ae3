"""Cases of hybrid runs as texts, and what tests ask of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from cases import build, values_of

from fem_rd.models.hybrid.model import HybridModel

LINE = """
model = "hybrid"
[mesh]
builtin = "interval"
upper = [4.0]
cells = [32]
[mesh.regions.inside]
upper = [2.0]
[hybrid]
region = "inside"
replicas = 4
seed = 3
[hybrid.species.A]
diffusion = 1.0
initial = 40.0
[time]
end = 0.05
step = 0.0025
"""
PLANE = """
model = "hybrid"
[mesh]
builtin = "rectangle"
upper = [2.0, 1.0]
cells = [16, 8]
[mesh.regions.inside]
upper = [1.0, 1.0]
[hybrid]
region = "inside"
replicas = 4
seed = 1
[hybrid.species.A]
diffusion = 1.0
initial = {inside = 100.0, domain = 60.0}
[time]
end = 0.05
step = 0.0025
"""
PAIRS = """
model = "hybrid"
[mesh]
builtin = "rectangle"
upper = [2.0, 1.0]
cells = [16, 8]
[mesh.regions.inside]
upper = [1.0, 1.0]
[chemistry.reactions.pair]
equation = "A + B <-> C"
rate = 0.1
reverse_rate = 20.0
[hybrid]
region = "inside"
replicas = 4
seed = 5
substeps = 2
[hybrid.radii]
pair = 0.1
[hybrid.species.A]
diffusion = 1.0
initial = 300.0
[hybrid.species.B]
diffusion = 0.5
initial = "200 + 100*x"
[hybrid.species.C]
diffusion = 0.3
initial = 100.0
[time]
end = 0.02
step = 0.001
"""
CUBE = """
model = "hybrid"
[mesh]
builtin = "box"
upper = [2.0, 1.0, 1.0]
cells = [8, 4, 4]
[mesh.regions.inside]
upper = [1.0, 1.0, 1.0]
[hybrid]
region = "inside"
replicas = 3
seed = 2
[hybrid.species.A]
diffusion = 1.0
initial = "200*x"
[hybrid.species.A.boundaries.left]
type = "dirichlet"
concentration = 0.0
[hybrid.species.A.boundaries.right]
type = "dirichlet"
concentration = 400.0
[time]
end = 0.03
step = 0.003
"""
SHELL = """
model = "hybrid"
[mesh]
geometry = "spherical-shell"
order = 1
[mesh.parameters]
inner_radius = 1.0
outer_radius = 3.0
reactive_layer = 1.0
size = 0.7
[hybrid]
region = "reactive_layer"
domain = {type = "shell", inner = 1.0, outer = 2.0}
interface = "reservoir"
replicas = 3
seed = 1
substeps = 2
[hybrid.species.B]
diffusion = 1.0
initial = 5.0
[hybrid.species.B.boundaries]
reactive = {type = "robin", kappa = 12.0}
reservoir = {type = "dirichlet", concentration = 5.0}
[time]
end = 0.1
step = 0.01
"""
OWN = 'hybrid.reservoir="own"'


def hybrid(directory: Path, text: str, *overrides: str) -> HybridModel:
    """The model of a case, ready to advance."""
    model = build(directory, text, *overrides)
    assert isinstance(model, HybridModel)
    return model


def rows_of(model: HybridModel, end: float) -> Iterator[dict[str, float]]:
    """Observables of all rows to the end, the first one included."""
    yield values_of(model)
    while model.time < end:
        model.advance(end)
        yield values_of(model)


def replica_counts(model: HybridModel, species: str) -> np.ndarray:
    """The numbers of particles now, by replica."""
    row = model.measured().counts[list(model.species).index(species)]
    return np.asarray(row)


def restored_run_goes_on_to_the_bit(
    directory: Path, text: str, end: float, *overrides: str
) -> None:
    """Rows of a run after its middle, and of one that took over its state there."""
    first = hybrid(directory, text, *overrides)
    while first.time < end / 2:
        first.advance(end)
    second = hybrid(directory, text, *overrides)
    second.restore(first.state())
    assert second.time == first.time and second.steps == first.steps
    for one, other in zip(rows_of(first, end), rows_of(second, end), strict=True):
        assert np.array_equal(list(one.values()), list(other.values()), equal_nan=True)
