"""Finished meshes kept between runs, so that the same geometry is meshed once.

One file for each mesh, named by a hash of all that the mesh depends on. Files are written beside
and renamed, so that two runs at once do no harm; whatever cannot be read is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fem_rd.log import Log
from fem_rd.mesh.packing import MeshLabels, PackedMesh, TaggedFacets

FORMAT = 1  # of the files; raise it when the order of cells or the content changes
LIMIT = 4 * 2**30  # bytes of all files together
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def cache_directory() -> Path:
    """Where finished meshes are kept."""
    if own := os.environ.get("FEM_RD_CACHE"):
        return Path(own) / "meshes"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fem-rd" / "meshes"


def mesh_key(**parts: str | int | float | dict[str, float]) -> str:
    """A name for a mesh from everything that it depends on."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def cached(key: str, make: Callable[[], PackedMesh], log: Log) -> PackedMesh:
    """The mesh kept under ``key``, or a new one, which is then kept.

    A cache that cannot be written is not an error: the log says so.
    """
    path = cache_directory() / f"{key}.npz"
    with suppress(*_UNREADABLE):
        mesh = _read(path)
        os.utime(path)  # the oldest are removed first: by use
        log.info(f"mesh from the cache: {path}")
        return mesh
    mesh = make()
    try:
        _write(path, mesh)
        _limit(path)
    except OSError as error:
        log.info(f"the mesh is not kept for the next run: {error}")
    return mesh


def _write(path: Path, mesh: PackedMesh) -> None:
    labels = asdict(mesh.labels)
    facets = labels.pop("facets")
    arrays = {
        "points": mesh.points,
        "cells": mesh.cells,
        "region_tags": labels.pop("region_tags"),
        "region_ends": labels.pop("region_ends"),
        **{f"facet_{name}": facets[name] for name in ("cells", "places", "tags")},
    }
    words = json.dumps({"inside": facets["inside"], **labels})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, words=np.frombuffer(words.encode(), dtype=np.uint8), **arrays)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _read(path: Path) -> PackedMesh:
    """The mesh of a file; raises one of `_UNREADABLE`: the format has checksums."""
    with np.load(path, allow_pickle=False) as file:
        words = json.loads(file["words"].tobytes())
        facets = TaggedFacets(
            file["facet_cells"], file["facet_places"], file["facet_tags"],
            tuple(words.pop("inside")),
        )  # fmt: skip
        labels = MeshLabels(
            **words,
            region_tags=file["region_tags"],
            region_ends=file["region_ends"],
            facets=facets,
        )
        return PackedMesh(file["points"], file["cells"], labels)


def _limit(newest: Path) -> None:
    """Remove the meshes not used for longest, but not the ``newest``, until all fit."""
    files = []
    for path in newest.parent.iterdir():
        with suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= LIMIT:
            return
        if path != newest:
            with suppress(OSError):
                path.unlink()
                total -= size
