"""How one species moves: stiffness, mass, loads, the constraint, and the ways in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem
from petsc4py import PETSc

from fem_rd.case.quantities import Diffusion
from fem_rd.case.sections.boundaries import Boundary, Dirichlet, FarField, Flux, Robin
from fem_rd.equations import smoluchowski as equation
from fem_rd.equations.coefficients import Coefficients
from fem_rd.expressions.expression import Expression
from fem_rd.models.assembly import Array, OwnedVector, add_to_diagonal, diagonal_matrix, matrix
from fem_rd.models.budget import Channel, Exchange, Reservoir
from fem_rd.models.place import Place
from fem_rd.numerics.semidiscrete import Constraint, Load, SemiDiscrete


class Mobile(Protocol):
    """What a section says of the motion of one species."""

    @property
    def diffusion(self) -> Diffusion: ...

    @property
    def potential(self) -> Expression | None: ...

    @property
    def boundaries(self) -> Mapping[str, Boundary]: ...


class Transport:
    """The discrete terms of one species in the activity g = c exp(U), as they are added up.

    ``channels`` are the ways in and out of the domain.
    """

    def __init__(self, section: Mobile, place: Place) -> None:
        self._section, self._place = section, place
        potential = section.potential
        self._boltzmann = (
            place.coefficients.number(1.0)
            if potential is None
            else ufl.exp(-place.coefficients.scalar(potential))
        )
        self.boltzmann_at_nodes = np.exp(-place.at_nodes(potential))
        self._constrained, positions = self._constrained_unknowns()
        self._uptakes: list[ufl.Form] = []
        self._lumped_uptake: Array = np.zeros(place.owned)
        self.loads: list[Load] = []
        self.channels: list[Channel] = [Reservoir(*item) for item in positions.items()]
        self._add_boundaries()

    @property
    def channel_names(self) -> list[str]:
        """Names of the channels, in their order."""
        return [channel.name for channel in self.channels]

    @property
    def reactive_boundaries(self) -> list[str]:
        """Boundaries that take up: Robin and absorbing ones."""
        return [
            name
            for name, boundary in self._section.boundaries.items()
            if isinstance(boundary, Robin)
            or (isinstance(boundary, Dirichlet) and is_zero(boundary.concentration))
        ]

    def problem(self, *, steady: bool) -> SemiDiscrete:
        """The assembled problem. Collective."""
        stiffness = matrix(sum(self._uptakes, self._transport()))
        if self._place.lump:
            add_to_diagonal(stiffness, self._lumped_uptake)
        mass = None if steady else self._mass(stiffness)
        return SemiDiscrete(stiffness, mass, self.loads, self._constraint())

    def content(self, region: str | None) -> Array:
        """The weights whose product with the owned unknowns is the amount in a region."""
        place = self._place
        if place.lump:
            return place.volumes_in(region) * self.boltzmann_at_nodes
        return OwnedVector(self._boltzmann * place.test * place.in_region(region))()

    def activity(self, concentration: Array) -> Array:
        """g of nodal concentrations."""
        return concentration / self.boltzmann_at_nodes

    def add_exchange(
        self, name: str, rate: Any, outside: Expression, measure: ufl.Measure
    ) -> None:
        """A channel through which rate (c_outside - c) flows per measure and time."""
        uptake = self._uptake(rate, measure)
        load = None if is_zero(outside) else self.load(name, outside, rate, measure)
        self.channels.append(Exchange.of(name, uptake, load))

    def add_reaction(
        self, name: str, decay: Expression, creation: Expression, measure: ufl.Measure
    ) -> None:
        """A channel that creates at one rate and degrades at another."""
        uptake = None
        if not is_zero(decay):
            uptake = self._uptake(self._place.coefficients.scalar(decay), measure)
        load = None if is_zero(creation) else self.load(name, creation, 1.0, measure)
        self.channels.append(Exchange.of(name, uptake, load))

    def _uptake(self, rate: Any, measure: ufl.Measure) -> Array:
        """Let rate times c leave per measure and time; what leaves for each unit of g, by unknown.

        Lumped with the mass: entries off the diagonal would make concentrations negative.
        """
        uptake = OwnedVector(rate * self._boltzmann * self._place.test * measure)()
        if self._place.lump:
            self._lumped_uptake += uptake
        else:
            self._uptakes.append(self._weighted(rate, measure))
        return uptake

    def dissipation(self, g: fem.Function) -> list[tuple[Any, ufl.Measure]]:
        """What the transport of the activity ``g`` dissipates, per volume of each measure."""
        tensor = self._place.coefficients.tensor
        return [
            (equation.dissipation(g, tensor(value), self._boltzmann), measure)
            for value, measure in self._diffusion_by_region()
        ]

    def load(self, name: str, density: Expression, factor: Any, measure: ufl.Measure) -> Load:
        """A supply of factor * density per measure and time."""
        coefficients = self._place.coefficients
        form = equation.supply(self._place.test, factor * coefficients.scalar(density), measure)
        load = Load(name, _at_time(OwnedVector(form), coefficients), "t" in density.names)
        self.loads.append(load)
        return load

    def _mass(self, stiffness: PETSc.Mat) -> PETSc.Mat:
        if self._place.lump:
            return diagonal_matrix(self.content(None), stiffness)
        return matrix(self._weighted(1.0, self._place.dx))

    def _weighted(self, weight: Any, measure: ufl.Measure) -> ufl.Form:
        place = self._place
        return equation.weighted(place.trial, place.test, weight, self._boltzmann, measure)

    def _transport(self) -> ufl.Form:
        place = self._place
        return sum(
            equation.diffusion(
                place.trial, place.test, place.coefficients.tensor(value), self._boltzmann, measure
            )
            for value, measure in self._diffusion_by_region()
        )

    def _diffusion_by_region(self) -> Iterator[tuple[Any, ufl.Measure]]:
        diffusion = self._section.diffusion
        if not isinstance(diffusion, dict):
            yield diffusion, self._place.dx
            return
        for region, value in diffusion.items():
            yield value, self._place.in_region(region)

    def _constrained_unknowns(
        self,
    ) -> tuple[npt.NDArray[np.int32], dict[str, npt.NDArray[np.intp]]]:
        """Owned unknowns on Dirichlet boundaries, and where each boundary's are among them.

        An unknown on two of them belongs to the one named first.
        """
        place, domain = self._place, self._place.domain
        owner = np.full(place.owned, -1)
        names = [n for n, b in self._section.boundaries.items() if isinstance(b, Dirichlet)]
        facet_dimension = domain.mesh.topology.dim - 1
        for index, name in reversed(list(enumerate(names))):
            facets = domain.facet_tags.find(domain.boundaries[name])
            unknowns = fem.locate_dofs_topological(place.space, facet_dimension, facets)
            owner[unknowns[unknowns < place.owned]] = index
        constrained = np.flatnonzero(owner >= 0).astype(np.int32)
        return constrained, {
            name: np.flatnonzero(owner[constrained] == index) for index, name in enumerate(names)
        }

    def _constraint(self) -> Constraint:
        boundaries = self._section.boundaries
        dirichlet = {name: b for name, b in boundaries.items() if isinstance(b, Dirichlet)}
        parts = [
            (channel.positions, dirichlet[channel.name].concentration)
            for channel in self.channels
            if isinstance(channel, Reservoir)
        ]

        def values(time: float) -> Array:
            prescribed = np.zeros(len(self._constrained))
            for positions, concentration in parts:
                nodes = self._constrained[positions]
                there = self._place.at_nodes(concentration, time)[nodes]
                prescribed[positions] = there / self.boltzmann_at_nodes[nodes]
            return prescribed

        varying = any("t" in concentration.names for _, concentration in parts)
        return Constraint(self._constrained, values, varying)

    def _add_boundaries(self) -> None:
        place = self._place
        for name, boundary in self._section.boundaries.items():
            ds = place.ds(place.domain.boundaries[name])
            if isinstance(boundary, Robin):
                reactivity = self._reactivity(name, boundary)
                self.add_exchange(name, reactivity, boundary.concentration, ds)
            elif isinstance(boundary, FarField):
                outside = Expression.constant(boundary.concentration)
                self.add_exchange(name, self._far_field(boundary), outside, ds)
            elif isinstance(boundary, Flux):
                self.channels.append(
                    Exchange.of(name, None, self.load(name, boundary.flux, 1.0, ds))
                )

    def _far_field(self, boundary: FarField) -> Any:
        place = self._place
        diffusion = cast(Expression, self._section.diffusion)  # checked beforehand
        return equation.far_field_reactivity(
            place.coefficients.scalar(diffusion),
            ufl.SpatialCoordinate(place.domain.mesh),
            place.coefficients.point(boundary.center),
            ufl.FacetNormal(place.domain.mesh),
        )

    def _reactivity(self, name: str, boundary: Robin) -> Any:
        coefficients = self._place.coefficients
        if boundary.kappa is not None:
            return coefficients.number(boundary.kappa / self._place.domain.area(name))
        reactivity = cast(Expression, boundary.reactivity)  # the section gives one of the two
        return coefficients.scalar(reactivity)


def _at_time(vector: OwnedVector, coefficients: Coefficients) -> Callable[[float], Array]:
    def assemble(time: float) -> Array:
        coefficients.time.value = time
        return vector()

    return assemble


def is_zero(expression: Expression) -> bool:
    """Whether an expression is the number 0."""
    return expression.is_constant and expression.value == 0.0
