"""A nanoparticle in a bath of atoms by molecular dynamics, with OpenMM's Reference platform.

Atoms repel each other by the Weeks-Chandler-Andersen potential. The nanoparticle is an icosahedron
of 13 atoms held by stiff springs, or a single heavy atom; its centre of mass feels
U(x) = h ((x/a)^2 - 1)^2, which in a uniform bath is its potential of mean force, exactly. Only the
bath is coupled to a thermostat, weakly: the nanoparticle feels no friction but its collisions, and
the momentum that it gives to the bath is not kept there (without this, in a closed periodic box,
the integral of eq. 55 would be zero).

Units: the diameter, the mass and the energy parameter of a bath atom, k_B T = that energy. OpenMM
takes them as nm, Da, ps and kJ/mol, of which no constant is needed. The platform computes in double
precision in one thread: a seed gives the same trajectory every time on the same machine. It has one
generator of random numbers for a whole process, so that each replica is a process of its own: this
module, run with what `run_replica` tells it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fem_rd.errors import FemRdError, NumericalError
from fem_rd.order_parameters.statistics import Array

_KELVIN = 1.0 / 8.31446261815324e-3  # at which k_B T is 1 kJ/mol
_CUTOFF = 2.0 ** (1.0 / 6.0)  # the minimum of the potential: what is left is repulsion
_BOND, _SPRING = 1.05, 200.0
_ROOM = 0.95  # between the atoms of the nanoparticle and those of the bath at the start
_NM, _SINGLE = 0.1, np.float32  # TRR files are in nm: one diameter is 1 ångström to who reads them
_OF_RANKS = ("OMPI_", "PMIX_", "PMI_", "PRTE_", "MPI_")  # a replica is none of MPI's processes
_GOLDEN = 0.5 * (1.0 + 5.0**0.5)


@dataclass(frozen=True)
class Nanoparticle:
    """What is simulated; see the module for units.

    ``atoms``: 13 or 1, each of ``atom_mass``; ``bath``: number of atoms at ``density``;
    ``barrier`` h in k_B T and ``distance`` a of the potential; ``bath_friction``: rate at which the
    bath forgets its velocities; ``step`` of time, a frame ``every`` so many steps.
    """

    atoms: int = 13
    atom_mass: float = 2.0
    bath: int = 150
    density: float = 0.4
    barrier: float = 1.5
    distance: float = 0.5
    bath_friction: float = 0.5
    step: float = 0.008
    every: int = 5
    equilibration: float = 20.0

    @property
    def mass(self) -> float:
        """Of the nanoparticle."""
        return self.atoms * self.atom_mass

    @property
    def interval(self) -> float:
        """Time between frames."""
        return self.every * self.step

    @property
    def box(self) -> float:
        """The side of the periodic cube: the density is that outside the nanoparticle."""
        radius = _ROOM if self.atoms == 1 else _BOND + 0.5 * _ROOM
        return float((self.bath / self.density + 4 * np.pi / 3 * radius**3) ** (1 / 3))


def shape(atoms: int) -> Array:
    """The atoms of the nanoparticle about its centre of mass, (atoms, 3)."""
    if atoms == 1:
        return np.zeros((1, 3))
    corners = np.array([(0.0, s, t * _GOLDEN) for s in (1, -1) for t in (1, -1)])
    corners = np.concatenate([np.roll(corners, turn, axis=1) for turn in range(3)])
    corners *= _BOND / np.linalg.norm(corners[0])
    return np.concatenate([np.zeros((1, 3)), corners])


@dataclass(frozen=True)
class Frames:
    """Positions, velocities and forces of the nanoparticle's atoms, each (frames, atoms, 3)."""

    positions: Array
    velocities: Array
    forces: Array


def simulate(
    particle: Nanoparticle, duration: float, *, seed: int, replica: int = 0, chunk: int = 500
) -> Iterator[Frames]:
    """Frames of one replica over ``duration``, ``chunk`` at a time, after the equilibration.

    Raises `NumericalError` where a step was too long.
    """
    context, integrator = _context(particle, seed, replica)
    integrator.step(round(particle.equilibration / particle.step))
    frames = round(duration / particle.interval)
    for begin in range(0, frames, chunk):
        taken = [_frame(context, integrator, particle) for _ in range(min(chunk, frames - begin))]
        arrays = [np.array(parts) for parts in zip(*taken, strict=True)]
        if not all(np.isfinite(array).all() for array in arrays):
            raise NumericalError(
                f"the molecular dynamics of replica {replica} failed: coordinates are not finite",
                remedy="a shorter trajectory.simulate.step",
            )
        yield Frames(*arrays)


def _frame(context: Any, integrator: Any, particle: Nanoparticle) -> tuple[Array, Array, Array]:
    integrator.step(particle.every)
    state = context.getState(getPositions=True, getVelocities=True, getForces=True)
    own = slice(0, particle.atoms)
    return (
        state.getPositions(asNumpy=True)._value[own].copy(),
        state.getVelocities(asNumpy=True)._value[own].copy(),
        state.getForces(asNumpy=True)._value[own].copy(),
    )


def _context(particle: Nanoparticle, seed: int, replica: int) -> tuple[Any, Any]:
    """The system at its start, with its integrator."""
    import openmm

    words = np.random.SeedSequence([seed, replica]).generate_state(4)
    own, total = shape(particle.atoms), particle.atoms + particle.bath
    integrator = _integrator(openmm, particle, int(words[0] >> 2))
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(_system(openmm, particle, own), integrator, platform)
    keep = np.ones((total, 3))
    keep[particle.atoms :] = np.exp(-particle.bath_friction * particle.step)
    integrator.setPerDofVariableByName("keep", keep)
    masses = np.repeat([particle.atom_mass, 1.0], [particle.atoms, particle.bath])[:, np.newaxis]
    integrator.setPerDofVariableByName("kick", np.sqrt((1.0 - keep**2) / masses))
    context.setPositions(_start(particle, own, np.random.default_rng(words[1])))
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 200)
    context.setVelocitiesToTemperature(_KELVIN, int(words[2] >> 2))
    return context, integrator


def _system(openmm: Any, particle: Nanoparticle, own: Array) -> Any:
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in particle.box * np.eye(3)))
    repulsion = openmm.NonbondedForce()
    repulsion.setNonbondedMethod(repulsion.CutoffPeriodic)
    repulsion.setCutoffDistance(_CUTOFF)
    repulsion.setUseDispersionCorrection(False)
    for mass, count in ((particle.atom_mass, particle.atoms), (1.0, particle.bath)):
        for _ in range(count):
            system.addParticle(mass)
            repulsion.addParticle(0.0, 1.0, 1.0)
    springs = openmm.HarmonicBondForce()
    for i, j in zip(*np.triu_indices(len(own), 1), strict=True):
        repulsion.addException(int(i), int(j), 0.0, 1.0, 0.0)
        length = float(np.linalg.norm(own[i] - own[j]))
        if length < 1.3 * _BOND:
            springs.addBond(int(i), int(j), length, _SPRING)
    well = openmm.CustomCentroidBondForce(1, "h*((x1/a)^2 - 1)^2")
    well.addGlobalParameter("h", particle.barrier)
    well.addGlobalParameter("a", particle.distance)
    well.addGroup(list(range(particle.atoms)))
    well.addBond([0])
    for force in (repulsion, springs, well):
        system.addForce(force)
    return system


def _integrator(openmm: Any, particle: Nanoparticle, seed: int) -> Any:
    """BAOAB, with friction for the bath only: V <- keep V + kick N."""
    integrator = openmm.CustomIntegrator(particle.step)
    integrator.setRandomNumberSeed(seed)
    integrator.addPerDofVariable("keep", 1.0)
    integrator.addPerDofVariable("kick", 0.0)
    integrator.addUpdateContextState()
    for variable, change in (
        ("v", "v + 0.5*dt*f/m"),
        ("x", "x + 0.5*dt*v"),
        ("v", "keep*v + kick*gaussian"),
        ("x", "x + 0.5*dt*v"),
        ("v", "v + 0.5*dt*f/m"),
    ):
        integrator.addComputePerDof(variable, change)
    return integrator


def _start(particle: Nanoparticle, own: Array, generator: np.random.Generator) -> Array:
    """The nanoparticle in one of its wells, the bath at random sites of a lattice around it."""
    side, least = particle.box, np.linalg.norm(own, axis=1).max() + _ROOM
    sites = np.empty((0, 3))
    number = int(np.ceil(particle.bath ** (1 / 3)))
    while len(sites) < particle.bath:
        line = (np.arange(number) + 0.5) * side / number - 0.5 * side
        sites = np.stack(np.meshgrid(line, line, line), axis=-1).reshape(-1, 3)
        sites = sites[np.linalg.norm(sites, axis=1) > least]
        number += 1
    chosen = generator.permutation(sites)[: particle.bath]
    well = np.array([particle.distance * generator.choice([-1.0, 1.0]), 0.0, 0.0])
    return np.concatenate([own, chosen]) + well


def write_topology(path: Path, particle: Nanoparticle) -> None:
    """The nanoparticle's atoms as a GRO file; lengths are ångström to who reads it."""
    lines = [f"nanoparticle of {particle.atoms} atoms", f"{particle.atoms}"]
    for number, place in enumerate(_NM * shape(particle.atoms), 1):
        numbers = "".join(f"{part:8.3f}" for part in np.atleast_1d(place))
        lines.append(f"{1:5d}{'NP':<5}{'NP':>5}{number:5d}{numbers}")
    lines.append(" ".join([f"{_NM * particle.box:.5f}"] * 3))
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def write_trr(path: Path, frames: Iterator[Frames], particle: Nanoparticle) -> None:
    """The frames as a TRR file: positions, velocities and forces in single precision."""
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile

    box = np.asarray(_NM * particle.box * np.eye(3), dtype=_SINGLE)
    number = 0
    with TRRFile(str(path), "w") as file:
        for chunk in frames:
            held = (_NM * chunk.positions, _NM * chunk.velocities, chunk.forces / _NM)
            for frame in zip(*(part.astype(_SINGLE) for part in held), strict=True):
                number += 1
                time = number * particle.interval
                file.write(*frame, box, number, time, 0.0, particle.atoms)


def run_replica(
    particle: Nanoparticle, duration: float, *, seed: int, replica: int, path: Path
) -> None:
    """Simulate one replica into a TRR file, in a process of its own.

    Raises `NumericalError` where it fails.
    """
    told = json.dumps({"particle": asdict(particle), "duration": duration, "seed": seed,
                       "replica": replica, "path": str(path)})  # fmt: skip
    alone = {key: value for key, value in os.environ.items() if not key.startswith(_OF_RANKS)}
    alone["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    ended = subprocess.run(
        [sys.executable, "-m", __name__, told],
        env=alone, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode != 0:
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NumericalError(
            f"the molecular dynamics of replica {replica} failed: {last}",
            remedy="a shorter trajectory.simulate.step, or a look at the installation of OpenMM",
        )


def _main(words: Sequence[str]) -> None:
    """What a process of its own does."""
    told = json.loads(words[0])
    particle = Nanoparticle(**told["particle"])
    frames = simulate(particle, told["duration"], seed=told["seed"], replica=told["replica"])
    try:
        write_trr(Path(told["path"]), frames, particle)
    except (FemRdError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    _main(sys.argv[1:])
