"""What is measured of a density of order parameters at every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from mpi4py import MPI

from fem_rd.models.assembly import Array
from fem_rd.models.order_parameter.space import OrderParameterSpace
from fem_rd.numerics.markov_steps import OpenProcess, ProbabilityMarch
from fem_rd.observables import Observable


class Measures:
    """Moments, probabilities of sets, extremes and flows; made once."""

    def __init__(
        self,
        space: OrderParameterSpace,
        process: OpenProcess,
        shares: Mapping[str, Array],
        unit: Callable[[str], str],
    ) -> None:
        self._space, self._process, self._unit = space, process, unit
        absorbing = {exit.name for exit in process.exits}
        self._shares = {  # nothing is where it is absorbed
            name: share * (name not in absorbing) for name, share in shares.items()
        }
        self._lines = [
            (name, axis)
            for axis, name in enumerate(space.names)
            if not np.isfinite(space.periods[axis])
        ]

    def steady(self, probability: Array) -> list[Observable]:
        """Of a stationary state. Collective."""
        found = self._density(probability)
        if self._process.closed:
            return found
        edges = self._process.generator.edges
        flows = self._process.slope(edges.vector(probability), edges.vector())
        found += self._flows(flows)
        moved = float(np.abs(flows).sum())
        text = "what the flows through the boundaries miss of adding up to zero, relative to them"
        lacking = float(flows.sum()) / moved if moved else 0.0
        return [*found, Observable("ledger_residual", lacking, "1", text)]

    def transient(self, march: ProbabilityMarch, start: float) -> list[Observable]:
        """Of a density in time; ``start``: its integral at time 0. Collective."""
        found = self._density(march.value.array_r)
        if not self._process.closed:
            found += self._flows(march.flows)
            found += [
                Observable(f"left_{exit.name}", float(value), "1",
                           f"probability that left through {exit.name} since the start")
                for exit, value in zip(self._process.exits, march.exchanged, strict=True)
            ]  # fmt: skip
        elif self._process.generator.work is None:
            found.append(self._distance(march.value.array_r))
        total = float(march.value.sum()) + float(march.exchanged.sum())
        scale = max(start, float(np.abs(march.exchanged).sum()), np.finfo(float).tiny)
        text = "what the account of probability and flows misses, relative to what there is"
        return [*found, Observable("ledger_residual", (total - start) / scale, "1", text)]

    def _density(self, probability: Array) -> list[Observable]:
        space, total = self._space, self._total(probability)
        found = [Observable("probability", total, "1", "integral of the density")]
        for name, axis in self._lines if total else ():
            at = space.positions[:, axis]
            mean = self._total(probability * at) / total
            variance = self._total(probability * (at - mean) ** 2) / total
            found += [
                Observable(f"mean_{name}", mean, self._unit("length"), f"mean of {name}"),
                Observable(f"variance_{name}", variance, self._unit("length^2"),
                           f"variance of {name}"),
            ]  # fmt: skip
        found += [
            Observable(f"probability_{name}", self._total(probability * share), "1",
                       f"probability of being in {name}")
            for name, share in self._shares.items()
        ]  # fmt: skip
        density = probability / space.volumes
        ends = np.array([-density.min(initial=np.inf), density.max(initial=-np.inf)])
        space.comm.Allreduce(MPI.IN_PLACE, ends, op=MPI.MAX)
        unit = self._unit("1/volume")
        return [
            *found,
            Observable("density_min", -float(ends[0]), unit, "smallest nodal value"),
            Observable("density_max", float(ends[1]), unit, "largest nodal value"),
        ]

    def _distance(self, probability: Array) -> Observable:
        """Free energy above equilibrium, in k_B T: sum P ln(P/pi), which only falls."""
        law = self._process.generator.boltzmann
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = probability * np.log(probability / law)
        parts = np.where((probability > 0) & (law > 0), parts, 0.0)
        text = "free energy above equilibrium (relative entropy), in k_B T"
        return Observable("excess_free_energy", self._total(parts), "1", text)

    def _flows(self, flows: Array) -> list[Observable]:
        return [
            Observable(f"rate_{exit.name}", float(value), self._unit("1/time"),
                       f"probability per time out through {exit.name}")
            for exit, value in zip(self._process.exits, flows, strict=True)
        ]  # fmt: skip

    def _total(self, values: Array) -> float:
        return float(self._space.comm.allreduce(float(np.sum(values))))
