"""Small meshes and fields for the tests of output; run as a script it writes a file on all ranks.

`python3 output_examples.py PATH NAME DEGREE [after TIME]`
"""

from __future__ import annotations

import sys
from pathlib import Path

import basix.ufl
import numpy as np
from dolfinx import fem, mesh
from mpi4py import MPI

from fem_rd.output.vtkhdf import FieldsFile

UNITS = {"concentration": "nm^-3", "velocity": "nm/ns"}
TIMES = (0.0, 0.5, 2.0)
CURVED_VOLUME = 0.75 * np.pi  # a quarter of a hollow cylinder: radii 1 and 2, height 1

_BUILT_IN = {
    "interval": lambda comm: mesh.create_interval(comm, 7, (0.0, 2.0)),
    "triangle": lambda comm: mesh.create_rectangle(comm, ((0.0, 0.0), (2.0, 1.0)), (4, 3)),
    "quadrilateral": lambda comm: mesh.create_rectangle(
        comm, ((0.0, 0.0), (2.0, 1.0)), (4, 3), mesh.CellType.quadrilateral
    ),
    "tetrahedron": lambda comm: mesh.create_box(
        comm, ((0.0, 0.0, 0.0), (2.0, 1.0, 1.0)), (4, 3, 3)
    ),
    "hexahedron": lambda comm: mesh.create_box(
        comm, ((0.0, 0.0, 0.0), (2.0, 1.0, 1.0)), (4, 3, 3), mesh.CellType.hexahedron
    ),
}
STRAIGHT = tuple(_BUILT_IN)
_BUILT_IN["two cells"] = lambda comm: mesh.create_rectangle(comm, ((0.0, 0.0), (2.0, 1.0)), (1, 1))


def example_mesh(name: str, comm: MPI.Comm = MPI.COMM_WORLD) -> mesh.Mesh:
    """A straight mesh of size 2 (measure of the domain), or a curved one."""
    return curved_mesh(comm) if name == "curved" else _BUILT_IN[name](comm)


def curved_mesh(comm: MPI.Comm, cells: int = 4) -> mesh.Mesh:
    """The hollow cylinder's quarter of order-2 tetrahedra."""
    box = mesh.create_unit_cube(comm, cells, cells, cells)
    space = fem.functionspace(box, ("Lagrange", 2))
    owned = space.dofmap.index_map.size_local
    a, b, c = space.tabulate_dof_coordinates()[:owned].T
    radius, angle = 1.0 + a, 0.5 * np.pi * b
    points = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), c])
    count = box.topology.index_map(3).size_local
    local = space.dofmap.list[:count]
    nodes = space.dofmap.index_map.local_to_global(local.ravel().astype(np.int32))
    element = basix.ufl.element("Lagrange", "tetrahedron", 2, shape=(3,))
    return mesh.create_mesh(comm, cells=nodes.reshape(local.shape), x=points, e=element)


def concentration(x: np.ndarray, time: float) -> np.ndarray:
    """What the nodes of the scalar field hold; ``x`` of shape (3, n)."""
    return 1.0 + time * x[0] + x[1] ** 2 - x[2]


def velocity(x: np.ndarray, time: float) -> np.ndarray:
    """What the nodes of the vector field hold, shape (3, n)."""
    return np.stack([x[1] - time, 2.0 * x[0], 3.0 + 0.0 * x[2]])


def example_fields(domain: mesh.Mesh, degree: int) -> dict[str, fem.Function]:
    """A scalar and, but on a line, a vector, each in a space of its own."""
    size = domain.geometry.dim
    fields = {"concentration": fem.Function(fem.functionspace(domain, ("Lagrange", degree)))}
    if size > 1:
        fields["velocity"] = fem.Function(fem.functionspace(domain, ("Lagrange", degree, (size,))))
    return fields


def set_fields(fields: dict[str, fem.Function], time: float) -> None:
    """The values of all fields at a time."""
    size = fields["concentration"].function_space.mesh.geometry.dim
    fields["concentration"].interpolate(lambda x: concentration(x, time))
    if "velocity" in fields:
        fields["velocity"].interpolate(lambda x: velocity(x, time)[:size])


def write_example(path: Path, name: str, degree: int, *, after: float | None = None) -> mesh.Mesh:
    """Write the fields at `TIMES`, or those later than ``after`` into a file that exists."""
    domain = example_mesh(name)
    fields = example_fields(domain, degree)
    space = fields["concentration"].function_space
    if after is None:
        file = FieldsFile.create(path, space, UNITS)
    else:
        file = FieldsFile.resume(path, space, after, UNITS)
    with file:
        for time in TIMES:
            if after is None or time > after:
                set_fields(fields, time)
                file.write(time, fields)
    return domain


if __name__ == "__main__":
    write_example(
        Path(sys.argv[1]),
        sys.argv[2],
        int(sys.argv[3]),
        after=float(sys.argv[5]) if len(sys.argv) > 5 else None,
    )
