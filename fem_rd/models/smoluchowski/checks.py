"""What a Smoluchowski section must satisfy on its mesh, checked before anything is assembled."""

from __future__ import annotations

from collections.abc import Iterator

from fem_rd.case.base import joined
from fem_rd.case.sections.smoluchowski import SmoluchowskiSection
from fem_rd.errors import CaseError
from fem_rd.mesh.domain import Domain
from fem_rd.models.transport_checks import (
    fixes_the_amount,
    mistakes_of_motion,
    raise_together,
    unknown,
)

EVERYWHERE = "everywhere"
SECTION = "smoluchowski"
RATES = joined(SECTION, "rates")


def check_section(section: SmoluchowskiSection, domain: Domain, *, steady: bool) -> None:
    """Raise `CaseErrors` on all ranks with every mistake found. Collective."""
    found = [*mistakes_of_motion(section, domain, SECTION), *_rates(section, domain)]
    if steady:
        found += _undetermined(section)
    raise_together(found, domain)


def _rates(section: SmoluchowskiSection, domain: Domain) -> Iterator[CaseError]:
    for name in section.rates:
        if name not in domain.regions and name != EVERYWHERE:
            key = joined(RATES, name)
            yield unknown("region", name, key, [*domain.regions, EVERYWHERE])
        if name in section.boundaries:
            yield CaseError(
                "a boundary and a region that both exchange need different names",
                key=joined(RATES, name),
            )


def _undetermined(section: SmoluchowskiSection) -> list[CaseError]:
    decays = any(
        not (rate.degradation.is_constant and rate.degradation.value == 0.0)
        for rate in section.rates.values()
    )
    if fixes_the_amount(section) or decays:
        return []
    return [
        CaseError(
            "nothing fixes the amount, so there is no unique steady state",
            key=joined(SECTION, "boundaries"),
            valid="a dirichlet, robin or far-field boundary, a degradation rate, "
            "or a [time] section",
        )
    ]
