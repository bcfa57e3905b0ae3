"""`fem-rd check`: all that can be done without solving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mpi4py import MPI

from fem_rd.case.case import Case
from fem_rd.case.loading import load_case
from fem_rd.commands.prepare import Prepared, prepare
from fem_rd.log import Log
from fem_rd.mesh.domain import DomainSummary
from fem_rd.output import provenance
from fem_rd.parallel import on_root


def check_case(case: Path, overrides: Sequence[str], *, trust: bool) -> None:
    """Mesh and assemble the case, and say what a run will do. Collective; writes nothing.

    Raises `CaseError` or `CaseErrors` as a run would, except for existing results.
    """
    comm = MPI.COMM_WORLD
    with Log(rank=comm.rank) as log:
        read = on_root(comm, lambda: load_case(case, overrides, trust))
        prepared = prepare(read, (), comm, log)
        memory = provenance.peak_memory(comm)
        lines = [*_lines(prepared, memory.total)]
        for line in lines:
            log.info(line)


def _lines(prepared: Prepared, memory: int) -> Iterator[str]:
    case = prepared.case
    yield f"{case.name}: {case.title}"
    if prepared.domain is not None:
        yield from _mesh_lines(prepared.domain.summary(), case.units.unit_name("length"))
    for name, text in prepared.model.describe().items():
        yield f"{name}: {text}"
    yield f"time: {_time(case)}"
    yield f"memory so far: {memory / 2**30:.2f} GiB over all ranks"
    yield "the case is right"


def _mesh_lines(mesh: DomainSummary, length: str) -> Iterator[str]:
    def sized(size: float, power: int) -> str:
        unit = f"{length}^{power}" if power > 1 else length if power else ""
        return f"{size:.8g} {unit}".rstrip()

    what = {1: "length", 2: "area", 3: "volume"}[mesh.dimension]
    yield (
        f"mesh: {mesh.cells} cells ({mesh.shape}, order {mesh.order}), {mesh.vertices} vertices, "
        f"{what} {sized(mesh.volume, mesh.dimension)}"
    )
    for kind, parts, power in (
        ("region", mesh.regions, mesh.dimension),
        ("boundary", mesh.boundaries, mesh.dimension - 1),
    ):
        for part in parts:
            inside = "" if part.exterior else " (inside the mesh)"
            yield f"  {kind} {part.name}: {part.count} entities, {sized(part.size, power)}{inside}"


def _time(case: Case) -> str:
    if case.time is None:
        return "steady state, one solve"
    unit = case.units.unit_name("time")
    if case.time.step is None:
        return f"0 to {case.time.end:g} {unit}, steps adapted to {case.time.tolerance:g}"
    steps = round(case.time.end / case.time.step)
    return f"0 to {case.time.end:g} {unit} in {steps} steps of {case.time.step:g}"
