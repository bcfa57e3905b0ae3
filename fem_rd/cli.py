"""The command line: words to calls, failures to exit statuses.

0 done; 2 the case is wrong; 3 the numerics failed, with the state saved; 4 interrupted.
Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from fem_rd import __version__
from fem_rd.errors import FemRdError

app = typer.Typer(
    name="fem-rd",
    help="Finite-element solvers for open reaction-diffusion systems, coupled to particles.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CaseArgument = Annotated[Path, typer.Argument(help="Case directory (or its case.toml).")]
ResultsArgument = Annotated[Path, typer.Argument(help="Results directory.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the case; may be repeated."),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Allow the case's own geometry scripts to do more than draw. Read them first.",
    ),
]
PetscArguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="[-- PETSC OPTIONS]", help="Options for PETSc, after --."),
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fem-rd {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that come before the command."""


@app.command()
def new(
    directory: Annotated[Path, typer.Argument(help="Directory to make.")],
    template: Annotated[
        str, typer.Option("--from", help="Case to start from; see `fem-rd list`.")
    ] = "smoluchowski-sphere",
) -> None:
    """Make a new case directory from one that comes with the package."""
    from fem_rd.commands.cases import new_case

    typer.echo(new_case(directory, template))


@app.command(name="list")
def list_() -> None:
    """List the cases and geometries that come with the package."""
    from fem_rd.commands.cases import listing

    typer.echo(listing())


@app.command()
def check(case: CaseArgument, set_: SetOption = None, trust: TrustOption = False) -> None:
    """Do all that can be done without solving, and say what a run will do."""
    from fem_rd.commands.check import check_case

    check_case(case, set_ or (), trust=trust)


@app.command()
def run(
    case: CaseArgument,
    petsc: PetscArguments = None,
    set_: SetOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Results directory [CASE/results].")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")
    ] = False,
    trust: TrustOption = False,
) -> None:
    """Run a case; under mpirun, on all its ranks."""
    from fem_rd.commands.run import RunRequest, run_case

    run_case(RunRequest(case, tuple(set_ or ()), output, overwrite, trust, tuple(petsc or ())))


@app.command()
def resume(
    results: ResultsArgument,
    petsc: PetscArguments = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes", help="Go on although end time, output or checkpoints were changed."
        ),
    ] = False,
    trust: TrustOption = False,
) -> None:
    """Go on with an interrupted run, or with a finished one to a later end time."""
    from fem_rd.commands.resume import resume_case

    resume_case(results, tuple(petsc or ()), accept_changes=accept_changes, trust=trust)


@app.command()
def info(results: ResultsArgument) -> None:
    """Say what a results directory holds and how far its run got."""
    from fem_rd.commands.info import describe_results

    typer.echo(describe_results(results))


@app.command()
def report(results: ResultsArgument) -> None:
    """Write the report of a results directory again, from its files."""
    from fem_rd.report import write_report

    typer.echo(write_report(results))


def main() -> None:
    """Run the command line and end the process with its status."""
    try:
        app()
    except FemRdError as error:
        _end(error)
    except KeyboardInterrupt:
        _end_all_ranks("interrupted", 4)
    except Exception:  # a defect: say so, and leave no rank waiting for this one
        _end_all_ranks(f"{traceback.format_exc()}fem-rd: this is a defect of fem-rd", 3)


def _end(error: FemRdError) -> None:
    """A failure that all ranks share: one message, then the same exit status on each."""
    if _rank() == 0:
        for line in [*str(error).splitlines(), *getattr(error, "__notes__", ())]:
            sys.stderr.write(f"fem-rd: {line}\n")
    sys.exit(error.exit_status)


def _end_all_ranks(message: str, status: int) -> None:
    """A failure of this rank alone: the others may be waiting for it and are ended with it."""
    sys.stderr.write(f"fem-rd: {message}\n")
    sys.stderr.flush()
    if "mpi4py.MPI" in sys.modules:
        from mpi4py import MPI

        if MPI.COMM_WORLD.size > 1:
            MPI.COMM_WORLD.Abort(status)
    sys.exit(status)


def _rank() -> int:
    """This process's rank, without starting MPI for it."""
    if "mpi4py.MPI" in sys.modules:
        from mpi4py import MPI

        return int(MPI.COMM_WORLD.rank)
    names = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")
    return next((int(os.environ[name]) for name in names if name in os.environ), 0)
