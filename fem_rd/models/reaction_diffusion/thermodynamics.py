"""Chemical thermodynamics at every point of a field, and its integrals.

Of the reactions: free energy phi, entropy production sigma and chemical motive force cmf per volume
(chemical-thermodynamics eq. 7, 10). Of diffusion: |J|^2/(D c) = D exp(-U) |grad g|^2 / g with the
activity g = c exp(U). Energies U in a potential count with the free energy, F = phi + sum c U, and
what reactions change of them with the motive force, cmf + sum_i U_i dc_i/dt. In a closed box
d(int F)/dt = int cmf - int sigma - dissipation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from dolfinx import fem
from mpi4py import MPI

from fem_rd.chemistry.network import Network
from fem_rd.chemistry.thermodynamics.macroscopic import thermodynamics_of
from fem_rd.models.assembly import Array, OwnedVector
from fem_rd.models.place import Place
from fem_rd.models.transport import Transport
from fem_rd.observables import Observable

ABSENT, TINY = 1e-20, 1e-200  # of the mean concentration; and absolute
TEXTS = {
    "free_energy": "free energy, relative to the balanced state",
    "entropy_production": "entropy production of the reactions",
    "motive_force": "chemical motive force: what chemostats supply",
    "diffusive_dissipation": "what diffusion dissipates",
}


class FieldThermodynamics:
    """Densities at the nodes and their integrals; degree 1 only. In units of k_B T."""

    def __init__(
        self,
        network: Network,
        transports: Sequence[Transport],
        place: Place,
        mean: Array,
    ) -> None:
        """``mean`` concentrations, shape (species,), fix the conserved totals.

        Raises `CaseError` where the network has no such thermodynamics. Collective.
        """
        self._place = place
        # the entropy of making what is not there at all is infinite: it counts as next to nothing
        self._absent = ABSENT * np.max(mean, initial=TINY)
        self._thermodynamics = thermodynamics_of(network, mean)
        self._activities = [place.function("g") for _ in transports]
        self._dissipation = [
            OwnedVector(sum(part * place.test * dx for part, dx in transport.dissipation(g)))
            for transport, g in zip(transports, self._activities, strict=True)
        ]
        self._potentials = -np.log([transport.boltzmann_at_nodes for transport in transports])
        self._functions = {name: place.function(name) for name in TEXTS}

    def densities(self, values: Array, concentrations: Array) -> dict[str, Array]:
        """Nodal densities by name, each (nodes,), from unknowns and c (species, nodes). Collective.

        The dissipation of diffusion is the mean over what belongs to the node.
        """
        present = np.maximum(concentrations, self._absent)
        found = self._thermodynamics.densities(present)
        energy, supply = found.phi, found.cmf
        if self._potentials.any():
            gained = self._thermodynamics.kinetics.velocity(present)
            energy = energy + (present * self._potentials).sum(axis=0)
            supply = supply + (gained * self._potentials).sum(axis=0)
        dissipated = np.zeros(self._place.owned)
        for g, row, form in zip(self._activities, values, self._dissipation, strict=True):
            self._place.fill(g, row)
            dissipated += form()
        dissipated /= self._place.volumes
        return dict(zip(TEXTS, (energy, found.sigma, supply, dissipated), strict=True))

    def observables(self, densities: Mapping[str, Array], units: Sequence[str]) -> list[Observable]:
        """Integrals over the domain; ``units``: of an amount, and of it per time. Collective."""
        local = np.array([self._place.volumes @ values for values in densities.values()])
        self._place.domain.mesh.comm.Allreduce(MPI.IN_PLACE, local)
        amount, rate = (f"k_B T {unit}" for unit in units)
        return [
            Observable(name, float(value), amount if name == "free_energy" else rate, TEXTS[name])
            for name, value in zip(densities, local, strict=True)
        ]

    def fields(self, densities: Mapping[str, Array]) -> Mapping[str, fem.Function]:
        """The densities as functions. Collective."""
        for name, values in densities.items():
            self._place.fill(self._functions[name], values)
        return self._functions

