"""Where geometries are: those that come with the package, by name, and those of a case."""

from __future__ import annotations

from pathlib import Path

from fem_rd.errors import CaseError, nearest

_HERE = Path(__file__).resolve()
# installed: inside the package; in a source tree: beside it
_FOLDERS = (_HERE.parents[1] / "meshes", _HERE.parents[2] / "meshes")


def geometries() -> dict[str, Path]:
    """The geometries that come with the package: name -> file."""
    for folder in _FOLDERS:
        if found := {path.stem: path for path in sorted(folder.glob("*.geo"))}:
            return found
    return {}


def find_geometry(name: str, case_dir: Path) -> tuple[Path, bool]:
    """The file of a geometry, and whether it comes with the package.

    A name that ends in `.geo` is a file of the case directory. Raises `CaseError` where there is
    none, with the names there are.
    """
    if not name.endswith(".geo"):
        known = geometries()
        if name not in known:
            message = f"there is no geometry of this name{nearest(name, known)}"
            valid = [*known, "a .geo file of the case directory"]
            raise CaseError(message, key="mesh.geometry", found=name, valid=", ".join(valid))
        return known[name], True
    path = case_dir / name
    if not path.is_file():
        raise CaseError("the geometry file does not exist", key="mesh.geometry", found=str(path))
    return path, False
