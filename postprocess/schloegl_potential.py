"""Draw the potential of a case with one species, and how finite volumes approach it.

    python postprocess/schloegl_potential.py potential.png
    python postprocess/schloegl_potential.py potential.png --case cases/schloegl \\
        --set parameters.k3=0.25 --volumes 5 10 20 40 80

Left: phi_ss and -ln p_V/V of the master equation's stationary law. Middle: its entropy production
per volume, which tends to sigma at the lowest minimum. Right: the rate of relaxation between the
minima. Needs fem_rd and Matplotlib, but not DOLFINx.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from fem_rd.case.loading import load_case
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.thermodynamics.finite_volume import MasterEquation, master_equation
from fem_rd.chemistry.thermodynamics.macroscopic import Thermodynamics, thermodynamics_of
from fem_rd.chemistry.thermodynamics.potential import OneSpeciesPotential


def main() -> None:
    """Draw what the command line asks for."""
    arguments = parser().parse_args()
    network = load_case(arguments.case, arguments.set).chemistry.network
    if len(network.species) != 1:
        raise SystemExit("the case has more than one species")
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    thermodynamics = thermodynamics_of(network)
    equations = [master_equation(network, volume) for volume in arguments.volumes]
    draw_potential(axes[0], thermodynamics, equations)
    draw_production(axes[1], thermodynamics, network, arguments.volumes)
    draw_relaxation(axes[2], thermodynamics, equations)
    figure.savefig(arguments.output, dpi=200)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("output", type=Path, help="the picture to write: png, pdf, svg")
    found.add_argument("--case", type=Path, default=Path("cases/schloegl"), help="case directory")
    found.add_argument("--set", action="append", default=[], help="override a key: KEY=VALUE")
    found.add_argument("--volumes", type=float, nargs="+", default=[5, 10, 20, 40, 80])
    return found


def draw_potential(
    axes: Axes, thermodynamics: Thermodynamics, equations: list[MasterEquation]
) -> None:
    """phi_ss, its extrema, and -ln p_V/V from its own minimum."""
    potential = thermodynamics.potential
    steady = steady_states(thermodynamics)
    top = 1.5 * steady[-1]
    colours = plt.get_cmap("viridis")(np.linspace(0.9, 0.1, len(equations)))
    for equation, colour in zip(equations, colours, strict=True):
        law, x = equation.stationary, equation.space.states[0] / equation.volume
        label = f"$V = {equation.volume:g}$"
        shown = x < top
        lowest = law.potential.min()
        axes.plot(x[shown], law.potential[shown] - lowest, color=colour, lw=1, label=label)
    x = np.linspace(0, top, 500)
    axes.plot(x, potential.value(x[None]), color="black", lw=2, label=r"$\varphi^{ss}$")
    axes.plot(steady, potential.value(steady[None]), "o", color="black", ms=4)
    axes.set(xlabel="$x$", ylabel=r"$-\ln p_V / V$,  $\varphi^{ss}$  ($k_BT$)", xlim=(0, top))
    axes.legend(frameon=False, fontsize=8)


def draw_production(
    axes: Axes, thermodynamics: Thermodynamics, network: Network, volumes: list[float]
) -> None:
    """e_p/V of the stationary law against V, and sigma at the steady states."""
    many = np.geomspace(min(volumes), max(volumes), 25)
    equations = [master_equation(network, volume) for volume in many]
    laws = [equation.thermodynamics(equation.stationary) for equation in equations]
    production = np.array([law.entropy_production for law in laws])
    axes.semilogx(many, production / many, color="black", label="stationary law")
    steady = steady_states(thermodynamics)
    for x, sigma in zip(steady, thermodynamics.densities(steady[None]).sigma, strict=True):
        axes.axhline(sigma, color="grey", lw=0.8, ls="--")
        axes.annotate(rf"$\sigma({x:.3g})$", (many[0], sigma), fontsize=8, va="bottom")
    axes.set(xlabel="$V$", ylabel="$e_p / V$  ($k_BT$ per volume and time)")
    axes.legend(frameon=False, fontsize=8, loc="center left")


def draw_relaxation(
    axes: Axes, thermodynamics: Thermodynamics, equations: list[MasterEquation]
) -> None:
    """The spectral gap against V, and the exponential of the lower barrier."""
    volumes = np.array([equation.volume for equation in equations])
    gaps = np.array([equation.gap for equation in equations])
    axes.semilogy(volumes, gaps, "o-", color="black", label="spectral gap")
    values = thermodynamics.potential.value(steady_states(thermodynamics)[None])
    if len(values) == 3:
        barrier = values[1] - values[[0, 2]].max()
        slope = gaps[-1] * np.exp(-barrier * (volumes - volumes[-1]))
        text = rf"$\propto e^{{-V\Delta\varphi}}$, $\Delta\varphi = {barrier:.4f}$"
        axes.semilogy(volumes, slope, "--", color="grey", label=text)
    axes.set(xlabel="$V$", ylabel="rate of relaxation (1/time)")
    axes.legend(frameon=False, fontsize=8)


def steady_states(thermodynamics: Thermodynamics) -> np.ndarray:
    """All of them, in increasing order."""
    potential = thermodynamics.potential
    one = isinstance(potential, OneSpeciesPotential)
    return potential.roots if one else potential.minimum


if __name__ == "__main__":
    main()
