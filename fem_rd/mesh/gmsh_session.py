"""Gmsh as this package uses it: quiet, the same for every user, and left as it was found."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fem_rd.errors import CaseError
from fem_rd.log import Log

_THROW = 2  # General.AbortOnError: an error of Gmsh becomes an exception of Python
_CONTINUE = 0
# from fast to robust; at 1e5 nodes HXT (10) is 6 times faster than Delaunay (1)
ALGORITHMS = (
    {"Mesh.Algorithm": 6, "Mesh.Algorithm3D": 10},
    {"Mesh.Algorithm": 5, "Mesh.Algorithm3D": 10},
    {"Mesh.Algorithm": 1, "Mesh.Algorithm3D": 1},
)
_TRIANGLE = 2  # Gmsh's number for it
_LEAST_QUALITY = 0.02  # of a triangle, 1 for an equilateral one: worse ones cut off parts
_FIXED = {  # whatever the script says
    "General.Terminal": 0,
    "General.NumThreads": 1,  # with more, HXT makes another mesh each time
    "General.AbortOnError": _THROW,
    "Mesh.ElementOrder": 1,  # curving.py does the rest
    "Mesh.Renumber": 0,  # nodes keep their tags when they get company
}


class MeshingError(CaseError):
    """Gmsh gave up: another of its algorithms may do better."""


@contextmanager
def gmsh_session(log: Log, algorithms: Mapping[str, int]) -> Iterator[Any]:
    """Gmsh with a model of its own and one of `ALGORITHMS`; its warnings go to the ``log``.

    Raises `CaseError` where Gmsh is missing.
    """
    gmsh = _gmsh()
    started = not gmsh.isInitialized()
    if started:
        gmsh.initialize(argv=[], readConfigFiles=False, interruptible=False)
    options = {**_FIXED, **algorithms}
    before = {name: gmsh.option.getNumber(name) for name in options}
    current = gmsh.model.getCurrent()
    for name, value in options.items():
        gmsh.option.setNumber(name, value)
    gmsh.logger.start()
    gmsh.model.add("fem_rd")
    try:
        with _kept_off_screen(log):
            yield gmsh
    finally:
        _tell_warnings(gmsh, log)
        gmsh.logger.stop()
        if started:
            gmsh.finalize()
        else:
            _restore(gmsh, before, current)


def gmsh_version() -> str:
    """The version of Gmsh. Raises `CaseError` where Gmsh is missing."""
    return str(_gmsh().GMSH_API_VERSION)


def parse(gmsh: Any, path: str, parameters: Mapping[str, float]) -> None:
    """Run the geometry script at ``path`` with values for its parameters.

    Raises `CaseError` with Gmsh's own words.
    """
    gmsh.parser.clear()
    for name, value in parameters.items():
        gmsh.parser.setNumber(name, [value])
    # an exception in the middle of parsing would leave Gmsh's parser in the middle
    gmsh.option.setNumber("General.AbortOnError", _CONTINUE)
    gmsh.merge(path)
    for name, value in _FIXED.items():
        gmsh.option.setNumber(name, value)
    errors = [line for line in gmsh.logger.get() if line.startswith("Error")]
    if errors:
        raise CaseError("Gmsh: " + errors[0].removeprefix("Error:").strip())


def generate(gmsh: Any, log: Log) -> None:
    """Mesh the model. Raises `MeshingError`: Gmsh is of no more use in this session."""
    dim = gmsh.model.getDimension()
    if dim < 1:
        raise CaseError("the geometry has no volume, surface or curve")
    try:
        for step in range(1, dim + 1):
            with log.phase(f"mesh: Gmsh {step}D"):
                gmsh.model.mesh.generate(step)
                if step == 2 and dim == 3:
                    # around the poles of spheres triangles are bad without it
                    gmsh.model.mesh.optimize("Relocate2D", niter=3)
                    _check_surfaces(gmsh)
    except MeshingError:
        raise
    except Exception as error:  # Gmsh raises nothing more special
        message = f"Gmsh could not mesh the geometry ({error}): finer sizes may help"
        raise MeshingError(message) from None


def _check_surfaces(gmsh: Any) -> None:
    """Raise `MeshingError` where a triangle is so flat that the surface cannot be right."""
    for _, surface in gmsh.model.getEntities(2):
        triangles, _ = gmsh.model.mesh.getElementsByType(_TRIANGLE, surface)
        if len(triangles):
            quality = gmsh.model.mesh.getElementQualities(triangles, "gamma")
            if quality.min() < _LEAST_QUALITY:
                message = f"Gmsh made useless triangles on the surface {surface}"
                raise MeshingError(f"{message}: finer sizes may help")


@contextmanager
def _kept_off_screen(log: Log) -> Iterator[None]:
    """What the libraries inside Gmsh print goes to the log: they know nothing of Gmsh's options."""
    sys.stdout.flush()
    screen = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield
        finally:
            ctypes.CDLL(None).fflush(None)
            os.dup2(screen, 1)
            os.close(screen)
            file.seek(0)
            printed = file.read().decode(errors="replace").splitlines()
    for line in dict.fromkeys(line.strip() for line in printed):
        if line:
            log.info(f"Gmsh: {line}")


def _gmsh() -> Any:
    try:
        import gmsh
    except (ImportError, OSError) as error:
        raise CaseError(f"a geometry needs Gmsh and its Python module ({error})") from None
    return gmsh


def _tell_warnings(gmsh: Any, log: Log) -> None:
    warnings = [line for line in gmsh.logger.get() if line.startswith("Warning")]
    for line in dict.fromkeys(warnings):
        log.warning("Gmsh: " + line.removeprefix("Warning:").strip())


def _restore(gmsh: Any, options: dict[str, float], model: str) -> None:
    gmsh.model.remove()
    gmsh.model.setCurrent(model)
    for name, value in options.items():
        gmsh.option.setNumber(name, value)
