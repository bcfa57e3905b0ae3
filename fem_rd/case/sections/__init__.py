"""The models a case may name, and the class of each model's section.

A model is added by one file in this package and one line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from fem_rd.case.base import Section

PROBABILITY = ("trbdf2", "sdirk2", "backward-euler")
LINEAR = ("trbdf2", "sdirk2", "bdf2", "backward-euler", "crank-nicolson")
ONE_STEP = ("trbdf2", "sdirk2", "backward-euler", "crank-nicolson")
FED = ("ark2", "ark3", "ark4", "implicit")
REACTIVE = ("imex-bdf2", "ark2", "ark3", "ark4", "strang", "implicit", "positive")


@dataclass(frozen=True)
class ModelKind:
    """What a model reads: the class of its section, and which common sections it takes.

    ``schemes`` are those of time that it knows, the default first; none where it has its own way.
    ``tolerance`` is that of adaptive steps where a case gives none.
    """

    place: str
    schemes: tuple[str, ...]
    tolerance: float = 1e-4
    mesh: bool | Literal["optional"] = True
    chemistry: bool | Literal["optional"] = False

    @property
    def section(self) -> type[Section]:
        """The class of the model's section."""
        module, name = self.place.split(":")
        found: type[Section] = getattr(import_module(module), name)
        return found


_HERE = "fem_rd.case.sections"
SECTIONS = {
    "smoluchowski": ModelKind(f"{_HERE}.smoluchowski:SmoluchowskiSection", LINEAR),
    "reaction-diffusion": ModelKind(
        f"{_HERE}.reaction_diffusion:ReactionDiffusionSection", REACTIVE, chemistry=True
    ),
    "well-mixed": ModelKind(
        f"{_HERE}.well_mixed:WellMixedSection", (), tolerance=1e-8, mesh=False, chemistry=True
    ),
    "klein-kramers": ModelKind(
        f"{_HERE}.klein_kramers:KleinKramersSection", ONE_STEP, tolerance=1e-6
    ),
    "hybrid": ModelKind(f"{_HERE}.hybrid:HybridSection", FED, chemistry="optional"),
    "particles": ModelKind(
        f"{_HERE}.particles:ParticlesSection", (), mesh="optional", chemistry="optional"
    ),
    "order-parameter": ModelKind(
        f"{_HERE}.order_parameter:OrderParameterSection", PROBABILITY, mesh="optional"
    ),
    "trajectory": ModelKind(f"{_HERE}.trajectory:TrajectorySection", (), mesh=False),
}
