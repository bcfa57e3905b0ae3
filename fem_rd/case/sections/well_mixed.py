"""The section of the well-mixed model: a network without place, as rates or as single events."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from fem_rd.case.base import Section
from fem_rd.case.quantities import Quantity, as_pydantic, at_least
from fem_rd.case.schema import NOT_NEGATIVE, POSITIVE
from fem_rd.errors import CaseError

REPLICAS = 1000
STOCHASTIC, DETERMINISTIC = ("volume", "replicas", "seed"), ("thermodynamics", "cycle")


class WellMixedSection(Section):
    """The rate equations of the network, or exact samples of its master equation."""

    initial: dict[str, Annotated[float, Quantity("amount/volume", NOT_NEGATIVE)]] = Field(
        default={},
        description="concentrations at time 0, or from which the steady state is looked for; "
        "those of an SBML file, otherwise 0, where not given",
        examples=[{"X": 1.0}],
    )
    method: Literal["deterministic", "stochastic"] = Field(
        default="deterministic",
        description="rate equations, or stochastic simulation of single reactions",
        examples=["stochastic"],
    )
    volume: Annotated[float | None, Quantity("volume", POSITIVE)] = Field(
        default=None,
        description="volume, which makes concentrations numbers of molecules; that of an SBML file "
        "if not given (stochastic)",
        examples=["1 um^3"],
    )
    replicas: Annotated[StrictInt, at_least(1)] | None = Field(
        default=None,
        description=f"number of independent copies of the system, {REPLICAS} if not given "
        "(stochastic)",
        examples=[10000],
    )
    seed: Annotated[StrictInt, at_least(0)] | None = Field(
        default=None,
        description="seed of the random numbers, 0 if not given (stochastic)",
        examples=[1],
    )
    thermodynamics: StrictBool = Field(
        default=False,
        description="whether to compute phi, sigma, cmf and dphi_dt; needs reversible reactions "
        "(deterministic)",
        examples=[True],
    )
    cycle: StrictBool = Field(
        default=False,
        description="whether to compute the period of the limit cycle that the start leads to "
        "(deterministic)",
        examples=[True],
    )

    @model_validator(mode="before")
    @classmethod
    def _ensemble(cls, data: Any) -> Any:
        stochastic = isinstance(data, dict) and data.get("method") == "stochastic"
        return {"replicas": REPLICAS, "seed": 0, **data} if stochastic else data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        other = DETERMINISTIC if self.method == "stochastic" else STOCHASTIC
        for key in other:
            found = getattr(self, key)
            if found is not None and found is not False:
                message = f"is not for the method {self.method}"
                raise as_pydantic(CaseError(message, key=f".{key}", found=found))
        return self
