"""The section of the trajectory model: from molecular dynamics to coefficients."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator

from fem_rd.case.base import Section
from fem_rd.case.quantities import Bounds, Quantity, as_pydantic, at_least
from fem_rd.case.schema import NOT_NEGATIVE, POSITIVE
from fem_rd.errors import CaseError

TOPOLOGIES = (".psf", ".pdb", ".gro", ".prmtop")
TRAJECTORIES = (".dcd", ".trr", ".xtc", ".nc")
MASS = "time^2/length^2"  # of k_B T
Time = Annotated[float, Quantity("time", POSITIVE)]
Length = Annotated[float, Quantity("length")]


def _one_of(kinds: tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if not name.lower().endswith(kinds):
            raise as_pydantic(CaseError("unknown kind of file", found=name, valid=kinds))
        return name

    return AfterValidator(check)


class SimulateSection(Section):
    """A nanoparticle in a bath of atoms, made by molecular dynamics: no file is needed.

    Numbers are in the diameter, mass and energy of an atom of the bath; k_B T is that energy.
    """

    atoms: Literal[1, 13] = Field(
        default=13, description="atoms of the nanoparticle: one, or an icosahedron", examples=[13]
    )
    atom_mass: Annotated[float, Quantity("1", POSITIVE)] = Field(
        default=2.0, description="mass of each of them", examples=[2.0]
    )
    bath: Annotated[StrictInt, at_least(20)] = Field(
        default=150, description="number of atoms of the bath", examples=[150]
    )
    density: Annotated[float, Quantity("1", Bounds(above=0.0, below=0.9))] = Field(
        default=0.4, description="number density of the bath", examples=[0.4]
    )
    barrier: Annotated[float, Quantity("1", NOT_NEGATIVE)] = Field(
        default=1.5, description="h of the potential h ((x/a)^2 - 1)^2", examples=[1.5]
    )
    distance: Annotated[float, Quantity("1", POSITIVE)] = Field(
        default=0.5, description="a of that potential", examples=[0.5]
    )
    bath_friction: Annotated[float, Quantity("1", POSITIVE)] = Field(
        default=0.5,
        description="rate at which atoms of the bath forget their velocities: the thermostat, "
        "which does not act on the nanoparticle",
        examples=[0.5],
    )
    step: Annotated[float, Quantity("1", POSITIVE)] = Field(
        default=0.008, description="time step", examples=[0.008]
    )
    every: Annotated[StrictInt, at_least(1)] = Field(
        default=5, description="steps between frames", examples=[5]
    )
    equilibration: Annotated[float, Quantity("1", NOT_NEGATIVE)] = Field(
        default=20.0, description="time before the first frame", examples=[20.0]
    )
    duration: Annotated[float, Quantity("1", POSITIVE)] = Field(
        description="time of each replica", examples=[1000.0]
    )
    replicas: Annotated[StrictInt, at_least(1)] = Field(
        default=2, description="independent trajectories", examples=[2]
    )
    seed: Annotated[StrictInt, at_least(0)] = Field(
        default=0, description="seed of the random numbers", examples=[1]
    )


class PlateauSection(Section):
    """The lags over which the running integral is taken as flat."""

    begin: Time = Field(description="shortest lag", examples=["1 ps"])
    end: Time = Field(description="longest lag", examples=["3 ps"])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.begin:
            error = CaseError(f"must exceed begin = {self.begin:g}", key=".end", found=self.end)
            raise as_pydantic(error)
        return self


class TrajectorySection(Section):
    """Order parameter, friction, diffusion and mean force from a trajectory."""

    files: tuple[Annotated[str, _one_of(TRAJECTORIES)], ...] = Field(
        default=(),
        description="trajectories, one for each replica, of the same length (.dcd, .trr, .xtc, "
        ".nc)",
        examples=[["run1.dcd", "run2.dcd"]],
    )
    topology: Annotated[str, _one_of(TOPOLOGIES)] | None = Field(
        default=None,
        description="what the atoms are (.psf, .pdb, .gro, .prmtop)",
        examples=["system.psf"],
    )
    selection: str = Field(
        default="all",
        description="the atoms of the order parameter, in MDAnalysis's selection language",
        examples=["resname NP"],
    )
    interval: Time | None = Field(
        default=None, description="time between frames of the files", examples=["0.04 ps"]
    )
    unwrap: StrictBool = Field(
        default=False,
        description="whether to undo jumps by a side of the periodic box between frames",
        examples=[True],
    )
    simulate: SimulateSection | None = Field(
        default=None,
        description="molecular dynamics to be made first, in the place of files",
        examples=[{"duration": 1000.0}],
    )
    axis: Literal["x", "y", "z"] = Field(
        default="x", description="component of the order parameter", examples=["x"]
    )
    mode: tuple[Annotated[StrictInt, at_least(0)], ...] = Field(
        default=(0, 0, 0),
        min_length=3,
        max_length=3,
        description="degrees in x, y and z of the basis function (Legendre polynomials of the "
        "positions in the topology, mass-weighted orthogonal); [0, 0, 0] is the centre of mass",
        examples=[[1, 0, 0]],
    )
    masses: Literal["topology", "equal"] = Field(
        default="topology",
        description="masses of the atoms: those of the topology, or all the same",
        examples=["equal"],
    )
    mass: Annotated[float | None, Quantity(MASS, POSITIVE)] = Field(
        default=None,
        description="effective mass of the order parameter; by equipartition from its velocities "
        "if not given",
        examples=["5 kDa"],
    )
    atom_mass: Annotated[float | None, Quantity(MASS, POSITIVE)] = Field(
        default=None,
        description="mass of a typical atom, for the ratio epsilon and the scaled theta",
        examples=["12 Da"],
    )
    discard: Annotated[float, Quantity("time", NOT_NEGATIVE)] = Field(
        default=0.0, description="time at the beginning that is left out", examples=["1 ns"]
    )
    blocks: Annotated[StrictInt, at_least(4)] = Field(
        default=20,
        description="blocks of time, of all replicas together, for standard errors; each should be "
        "long beside the slowest relaxation",
        examples=[20],
    )
    potential: Literal["histogram", "none"] = Field(
        default="histogram",
        description="whether there is a mean force: the potential of mean force is that of the "
        "histogram, or there is none (the order parameter is free)",
        examples=["none"],
    )
    bins: Annotated[StrictInt, at_least(8)] = Field(
        default=40, description="bins of the order parameter", examples=[40]
    )
    limits: tuple[Length, ...] = Field(
        default=(),
        description="range of the order parameter in the tables; what is visited if not given",
        examples=[[-1.0, 1.0]],
    )
    correlation_time: Time | None = Field(
        default=None,
        description="longest lag of correlations; a tenth of a block if not given",
        examples=["10 ps"],
    )
    plateau: PlateauSection | None = Field(
        default=None,
        description="lags over which the friction is averaged; the earliest octave that agrees "
        "with all later ones if not given",
        examples=[{"begin": 1.0, "end": 3.0}],
    )
    diffusion: Literal["friction", "uniform", "local"] | None = Field(
        default=None,
        description="D from the friction (needs velocities, the default where there are any), or "
        "from displacements: one for all places, or in each bin",
        examples=["local"],
    )
    lags: tuple[Time, ...] = Field(
        default=(),
        description="lags of the displacements, extrapolated to 0; the first four frames if not "
        "given",
        examples=[["1 ps", "2 ps", "3 ps"]],
    )
    states: tuple[Length, ...] = Field(
        default=(),
        description="two values a < b of the order parameter: transitions between below a and "
        "above b are counted and predicted",
        examples=[[-0.5, 0.5]],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for message, key, found in _mistakes(self):
            raise as_pydantic(CaseError(message, key=f".{key}", found=found))
        return self


def _mistakes(section: TrajectorySection) -> list[tuple[str, str, object]]:
    """What does not fit together: message, key, found."""
    found: list[tuple[str, str, object]] = []
    if (section.simulate is None) == (not section.files):
        given = "both" if section.files else "neither"
        found.append(("give files or simulate", "files", given))
    for key in ("topology", "interval"):
        value = getattr(section, key)
        if section.files and value is None:
            found.append(("is needed with files", key, None))
        if section.simulate is not None and value is not None:
            found.append(("is not for a simulated trajectory, which has its own", key, value))
    for key in ("limits", "states"):
        pair = getattr(section, key)
        if pair and (len(pair) != 2 or pair[0] >= pair[1]):
            found.append(("must be two numbers, the smaller one first", key, list(pair)))
    if section.potential == "none" and section.states:
        message = "need a potential of mean force: a free order parameter has no states"
        found.append((message, "states", list(section.states)))
    if section.simulate is not None and (section.mode != (0, 0, 0) or section.unwrap):
        message = "a simulated nanoparticle is whole, and its order parameter the centre of mass"
        found.append((message, "mode" if section.mode != (0, 0, 0) else "unwrap", True))
    return found
