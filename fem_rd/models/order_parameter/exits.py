"""The boundaries of the space of order parameters as exits of the process."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fem_rd.case.sections.order_parameter import OrderParameterSection
from fem_rd.case.sections.order_parameter_kinds import Absorbing, Closed, PartlyAbsorbing, Reservoir
from fem_rd.models.assembly import Array
from fem_rd.models.order_parameter.space import OrderParameterSpace
from fem_rd.numerics.markov import Generator
from fem_rd.numerics.markov_steps import Exit, OpenProcess


def open_process(
    section: OrderParameterSection,
    space: OrderParameterSpace,
    generator: Generator,
    sets: Mapping[str, Array],
) -> tuple[OpenProcess, Array]:
    """The process with its exits, and the probabilities (owned,) of held nodes, 0 elsewhere.

    A node of two sides is held by the one that is named first. Collective.
    """
    held_values = np.zeros(len(space.positions))
    taken = np.zeros(len(space.positions), dtype=bool)
    exits, cuts = [], []
    for name, kind in section.boundaries.items():
        if isinstance(kind, Closed):
            continue
        if name not in space.sides:
            cuts.append(sets[name])
            nodes = np.flatnonzero((sets[name] >= 0) & ~taken)
            exits.append(Exit(name, held=nodes))
            taken[nodes] = True
            continue
        nodes, areas = space.side(name)
        if isinstance(kind, PartlyAbsorbing):
            through = kind.reactivity * areas
            density = space.at_nodes(kind.density)
            exits.append(Exit(name, loss=through / space.volumes, source=through * density))
            continue
        nodes = nodes[~taken[nodes]]
        taken[nodes] = True
        exits.append(Exit(name, held=nodes))
        if isinstance(kind, Reservoir):
            held_values[nodes] = (space.volumes * space.at_nodes(kind.density))[nodes]
        elif isinstance(kind, Absorbing):
            held_values[nodes] = 0.0
    return OpenProcess(generator.cut(*cuts) if cuts else generator, exits), held_values
