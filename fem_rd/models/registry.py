"""Models by the name that a case gives; imported when they are needed."""

from __future__ import annotations

from importlib import import_module

from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.errors import CaseError
from fem_rd.log import Log
from fem_rd.mesh.domain import Domain
from fem_rd.models.protocol import Model

MODELS = {
    "smoluchowski": "fem_rd.models.smoluchowski.model:SmoluchowskiModel",
    "reaction-diffusion": "fem_rd.models.reaction_diffusion.model:ReactionDiffusionModel",
    "well-mixed": "fem_rd.models.well_mixed.model:WellMixedModel",
    "klein-kramers": "fem_rd.models.klein_kramers.model:KleinKramersModel",
    "hybrid": "fem_rd.models.hybrid.model:HybridModel",
    "particles": "fem_rd.models.particles.model:ParticlesModel",
    "order-parameter": "fem_rd.models.order_parameter.model:OrderParameterModel",
    "trajectory": "fem_rd.models.trajectory.model:TrajectoryModel",
}


def build_model(case: Case, domain: Domain | None, comm: MPI.Comm, log: Log) -> Model:
    """The model of ``case`` on ``domain``, None for models without a mesh, ready to advance.

    Raises `CaseError` or `CaseErrors` for what does not fit the mesh. Collective.
    """
    if domain is not None and case.space not in (None, domain.dimension):
        raise CaseError(
            f"the units of the case are those of {case.space} space dimensions",
            key="mesh",
            found=f"a mesh of {domain.dimension}",
        )
    module, name = MODELS[case.model].split(":")
    model: Model = getattr(import_module(module), name)(case, domain or comm, log)
    return model
