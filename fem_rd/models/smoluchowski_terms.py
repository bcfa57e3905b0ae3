"""From the section of a case to matrices, loads, the constraint and the channels of the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem
from dolfinx.fem import petsc as fem_petsc
from petsc4py import PETSc

from fem_rd.case.expressions import Expression
from fem_rd.case.quantities import Diffusion
from fem_rd.case.sections.smoluchowski import (
    Dirichlet,
    FarField,
    Flux,
    Robin,
    SmoluchowskiSection,
)
from fem_rd.equations import smoluchowski as equation
from fem_rd.equations.coefficients import Coefficients
from fem_rd.mesh.domain import Domain
from fem_rd.models.assembly import Array, OwnedVector, matrix, measures, owned_coordinates
from fem_rd.models.budget import Channel, Exchange, Reservoir
from fem_rd.numerics.semidiscrete import Constraint, Load, SemiDiscrete
from fem_rd.numerics.spaces import lagrange_space

EVERYWHERE = "everywhere"


class Terms:
    """The discrete terms of one case on one mesh.

    ``channels`` are the ways in and out of the domain; ``sinks`` names those of them that react.
    """

    def __init__(self, section: SmoluchowskiSection, domain: Domain) -> None:
        self._section, self._domain = section, domain
        self.space = lagrange_space(domain.mesh, section.degree)
        self.owned = self.space.dofmap.index_map.size_local
        self._coefficients = Coefficients(domain.mesh)
        self._dx, self._ds = measures(domain, section.degree)
        self._trial, self._test = ufl.TrialFunction(self.space), ufl.TestFunction(self.space)
        self._nodes = owned_coordinates(self.space)
        potential = section.potential
        self._boltzmann = (
            self._coefficients.number(1.0)
            if potential is None
            else ufl.exp(-self._coefficients.scalar(potential))
        )
        self.boltzmann_at_nodes = np.exp(-self._at_nodes(potential))
        self._constrained, positions = self._constrained_unknowns()
        self._uptakes: list[ufl.Form] = []
        self.loads: list[Load] = []
        self.channels: list[Channel] = [Reservoir(*item) for item in positions.items()]
        self._add_boundaries()
        self._add_rates()

    @property
    def channel_names(self) -> list[str]:
        """Names of the channels, in their order."""
        return [channel.name for channel in self.channels]

    @property
    def sinks(self) -> list[str]:
        """Channels that react: Robin and absorbing boundaries, and degradation."""
        boundaries = [
            name
            for name, boundary in self._section.boundaries.items()
            if isinstance(boundary, Robin)
            or (isinstance(boundary, Dirichlet) and _is_zero(boundary.concentration))
        ]
        decays = [
            name
            for name, rate in self._section.rates.items()
            if not _is_zero(rate.degradation) and _is_zero(rate.creation)
        ]
        return boundaries + decays

    @property
    def interpolation(self) -> PETSc.Mat | None:
        """From the P1 space of the same mesh, for p-multigrid; None where this is P1."""
        if self._section.degree == 1:
            return None
        coarse = lagrange_space(self._domain.mesh, 1)
        interpolation = fem_petsc.interpolation_matrix(coarse, self.space)
        interpolation.assemble()
        return interpolation

    def problem(self, *, steady: bool) -> SemiDiscrete:
        """The assembled problem. Collective."""
        stiffness = matrix(sum(self._uptakes, self._transport()))
        mass = None if steady else matrix(self._weighted(1.0, self._dx))
        return SemiDiscrete(stiffness, mass, self.loads, self._constraint())

    def content(self, region: str | None) -> ufl.Form:
        """The linear form whose product with the unknowns is the amount in a region."""
        measure = self._dx if region is None else self._dx(self._domain.regions[region])
        return self._boltzmann * self._test * measure

    def initial_activity(self) -> Array:
        """g at time 0 at the owned unknowns."""
        return self._at_nodes(self._section.initial) / self.boltzmann_at_nodes

    def _at_nodes(self, expression: Expression | None, time: float = 0.0) -> Array:
        value = 0.0 if expression is None else expression.evaluate({**self._nodes, "t": time})
        return np.broadcast_to(np.asarray(value, dtype=float), (self.owned,))

    def _weighted(self, weight: Any, measure: ufl.Measure) -> ufl.Form:
        return equation.weighted(self._trial, self._test, weight, self._boltzmann, measure)

    def _transport(self) -> ufl.Form:
        return sum(
            equation.diffusion(
                self._trial, self._test, self._coefficients.tensor(value), self._boltzmann, measure
            )
            for value, measure in self._diffusion_by_region()
        )

    def _diffusion_by_region(self) -> Iterator[tuple[Any, ufl.Measure]]:
        diffusion: Diffusion = self._section.diffusion
        if not isinstance(diffusion, dict):
            yield diffusion, self._dx
            return
        for region, value in diffusion.items():
            yield value, self._dx(self._domain.regions[region])

    def _constrained_unknowns(
        self,
    ) -> tuple[npt.NDArray[np.int32], dict[str, npt.NDArray[np.intp]]]:
        """Owned unknowns on Dirichlet boundaries, and where each boundary's are among them.

        An unknown on two of them belongs to the one named first.
        """
        owner = np.full(self.owned, -1)
        names = [n for n, b in self._section.boundaries.items() if isinstance(b, Dirichlet)]
        facet_dimension = self._domain.mesh.topology.dim - 1
        for index, name in reversed(list(enumerate(names))):
            facets = self._domain.facet_tags.find(self._domain.boundaries[name])
            unknowns = fem.locate_dofs_topological(self.space, facet_dimension, facets)
            owner[unknowns[unknowns < self.owned]] = index
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
                activity = self._at_nodes(concentration, time)[nodes]
                prescribed[positions] = activity / self.boltzmann_at_nodes[nodes]
            return prescribed

        varying = any("t" in concentration.names for _, concentration in parts)
        return Constraint(self._constrained, values, varying)

    def _add_boundaries(self) -> None:
        for name, boundary in self._section.boundaries.items():
            ds = self._ds(self._domain.boundaries[name])
            if isinstance(boundary, Robin):
                reactivity = self._reactivity(name, boundary)
                self._add(name, reactivity, boundary.concentration, ds)
            elif isinstance(boundary, FarField):
                diffusion = cast(Expression, self._section.diffusion)  # checked beforehand
                reactivity = equation.far_field_reactivity(
                    self._coefficients.scalar(diffusion),
                    ufl.SpatialCoordinate(self._domain.mesh),
                    self._coefficients.point(boundary.center),
                    ufl.FacetNormal(self._domain.mesh),
                )
                self._add(name, reactivity, Expression.constant(boundary.concentration), ds)
            elif isinstance(boundary, Flux):
                self.channels.append(
                    Exchange.of(name, None, self._load(name, boundary.flux, 1.0, ds))
                )

    def _add_rates(self) -> None:
        for name, rate in self._section.rates.items():
            dx = self._dx if name == EVERYWHERE else self._dx(self._domain.regions[name])
            functional = None
            if not _is_zero(rate.degradation):
                decay = self._coefficients.scalar(rate.degradation)
                self._uptakes.append(self._weighted(decay, dx))
                functional = OwnedVector(decay * self._boltzmann * self._test * dx)()
            load = None if _is_zero(rate.creation) else self._load(name, rate.creation, 1.0, dx)
            self.channels.append(Exchange.of(name, functional, load))

    def _add(self, name: str, reactivity: Any, outside: Expression, ds: ufl.Measure) -> None:
        """A surface that exchanges reactivity (c_outside - c) per area and time."""
        self._uptakes.append(self._weighted(reactivity, ds))
        functional = OwnedVector(reactivity * self._boltzmann * self._test * ds)()
        load = None if _is_zero(outside) else self._load(name, outside, reactivity, ds)
        self.channels.append(Exchange.of(name, functional, load))

    def _reactivity(self, name: str, boundary: Robin) -> Any:
        if boundary.kappa is not None:
            return self._coefficients.number(boundary.kappa / self._domain.area(name))
        reactivity = cast(Expression, boundary.reactivity)  # the section gives one of the two
        return self._coefficients.scalar(reactivity)

    def _load(self, name: str, density: Expression, factor: Any, measure: ufl.Measure) -> Load:
        form = equation.supply(self._test, factor * self._coefficients.scalar(density), measure)
        load = Load(name, _at_time(OwnedVector(form), self._coefficients), "t" in density.names)
        self.loads.append(load)
        return load


def _at_time(vector: OwnedVector, coefficients: Coefficients) -> Callable[[float], Array]:
    def assemble(time: float) -> Array:
        coefficients.time.value = time
        return vector()

    return assemble


def _is_zero(expression: Expression) -> bool:
    return expression.is_constant and expression.value == 0.0
