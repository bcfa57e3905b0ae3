"""From a case to a model on its mesh, ready to run; nothing is written on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.errors import located
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.mesh.domain import Domain
from fem_rd.models.protocol import Model
from fem_rd.models.registry import build_model
from fem_rd.schedule import Schedule


@dataclass(frozen=True)
class Prepared:
    """All that a run needs, checked; ``domain`` is None for a model without a mesh."""

    case: Case
    domain: Domain | None
    model: Model
    schedule: Schedule


def prepare(case: Case, petsc: Sequence[str], comm: MPI.Comm, log: Log) -> Prepared:
    """Mesh and assemble. Collective; raises `CaseError` or `CaseErrors` on every rank."""
    with located(case_file(case)):
        schedule = Schedule.of(case.time, case.output)
        give_to_petsc(petsc)
        for note in () if case.chemistry is None else case.chemistry.notes:
            log.info(note)
        domain = None
        if case.mesh is not None:
            with log.phase("mesh"):
                domain = build_domain(
                    case.mesh, comm, case_dir=case.path, trust=case.trust, log=log
                )
        return Prepared(case, domain, build_model(case, domain, comm, log), schedule)


def case_file(case: Case) -> Path:
    """The file that errors of a case are found in."""
    return case.path / "case.toml"


def give_to_petsc(options: Sequence[str]) -> None:
    """Put the user's options into PETSc's database; it names those that nothing used at the end."""
    if not options:
        return
    from petsc4py import PETSc

    PETSc.Options().insertString(" ".join(options))
    PETSc.Options()["options_left"] = "true"
