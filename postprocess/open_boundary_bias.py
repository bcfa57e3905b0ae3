"""Draw how far open boundaries are off: flux against width, effective plane against time step.

    ./with-env python3 postprocess/open_boundary_bias.py cases/open-boundary-bias runs/ bias.png

Runs the case for four schemes and several widths and steps (some minutes; runs that are done are
taken as they are) and puts the closed forms of `fem_rd.exact` beside what was counted.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from fem_rd.exact.open_boundary import effective_plane, matched_strength, slab_flux
from fem_rd.exact.open_end_of_step import strang_plane, strang_plateau
from fem_rd.exact.open_layer_step import effective_plane_of_kicks
from fem_rd.output.results import ResultsDirectory, read_json

CONCENTRATION = 400.0
WIDTHS = (0.1, 0.15, 0.2, 0.3, 0.4)
STEPS = (0.01, 0.025, 0.05, 0.1)
WIDE, LARGE = 0.4, 400.0  # width and face of the layers whose small shift is looked at
SMALL = 0.025  # D dt/dx^2 at which widths are compared
LONG = 0.5  # of schemes whose layer is as wide as a step, dx = sqrt(2 D dt)
SCHEMES = ("layer", "layer-matched", "crossing", "layer-strang")
COLOURS = dict(zip(SCHEMES, ("tab:red", "tab:blue", "tab:green", "tab:orange"), strict=True))


@dataclass(frozen=True)
class Point:
    """One run: a scheme, the width dx of its layer (length), tau = D dt/dx^2, and its face."""

    scheme: str
    width: float
    tau: float
    face: float = 20.0

    @property
    def name(self) -> str:
        """The directory of its results."""
        return f"{self.scheme}-{self.width:g}-{self.tau:g}-{self.face:g}"

    def settings(self, duration: float) -> Iterator[str]:
        """What has to be changed in the case."""
        yield from (f"particles.walls.{wall}.scheme={self.scheme}" for wall in ("left", "right"))
        # the same seed would give points that err together
        yield f"particles.seed={zlib.crc32(self.name.encode())}"
        yield f"parameters.dx={self.width}"
        yield f"parameters.tau={self.tau}"
        yield f"parameters.A={self.face}"
        yield f"parameters.steps={math.ceil(duration / (self.tau * self.width**2))}"

    def measured(self, case: Path, runs: Path, duration: float) -> dict[str, tuple[float, float]]:
        """Flux and plane with their standard errors, from a run that is made if need be."""
        results = ResultsDirectory(runs / self.name)
        if not results.done:
            words = ["-m", "fem_rd", "run", str(case), "-o", str(results.path), "--overwrite"]
            for setting in self.settings(duration):
                words += ["--set", setting]
            subprocess.run([sys.executable, *words], check=True)
        found: Any = read_json(results.summary)["observables"]
        return {name: (found[name]["value"], found[name]["error"]) for name in ("flux", "plane")}


STRENGTHS = {"layer": 1.0, "layer-matched": matched_strength()}


def flux_expected(scheme: str) -> Callable[[float], float]:
    """The flux through the slab of length 1 with D = 1, by the width."""
    plane = {"crossing": 0.0, "layer-strang": -strang_plane()}.get(scheme)
    if plane is None:
        plane = effective_plane_of_kicks(STRENGTHS[scheme], SMALL)
    plateau = strang_plateau() if scheme == "layer-strang" else 1.0
    return lambda width: slab_flux(1.0, 1.0, plateau * CONCENTRATION, 0.0, (plane * width,) * 2)


def draw_fluxes(axes: Axes, measure: Callable[[Point], dict[str, tuple[float, float]]]) -> None:
    """Each scheme against its width."""
    fine = np.linspace(0.0, 1.05 * max(WIDTHS), 100)
    for scheme in SCHEMES:
        long = scheme in ("crossing", "layer-strang")
        # a layer may be half of the slab, a step a quarter, or a sixth where its end alone counts
        most = {"crossing": 0.25, "layer-strang": 0.16}.get(scheme, 0.5)
        widths = [width for width in WIDTHS if width <= most]
        found = [measure(Point(scheme, width, LONG if long else SMALL))["flux"] for width in widths]
        values, errors = np.transpose(found)
        expected = flux_expected(scheme)
        curve = fine[fine <= 1.05 * most] if long else fine
        axes.plot(curve, [expected(width) for width in curve], color=COLOURS[scheme], lw=1)
        axes.errorbar(widths, values, errors, fmt="o", color=COLOURS[scheme], ms=4, label=scheme)
        report(scheme, widths, values, errors, [expected(width) for width in widths])
    axes.set(xlabel="width of the layer, or sqrt(2 D dt)", ylabel="flux", xlim=(0, fine[-1]))
    axes.legend()


def draw_planes(axes: Axes, measure: Callable[[Point], dict[str, tuple[float, float]]]) -> None:
    """Layers against the time step."""
    fine = np.linspace(0.002, 0.105, 40)
    for scheme, strength in STRENGTHS.items():
        found = [measure(Point(scheme, WIDE, tau, LARGE))["plane"] for tau in STEPS]
        values, errors = np.transpose(found)
        still = effective_plane(strength)
        curve = [effective_plane_of_kicks(strength, tau) - still for tau in fine]
        axes.plot(fine, curve, color=COLOURS[scheme], lw=1)
        axes.errorbar(STEPS, values - still, errors, fmt="o", color=COLOURS[scheme], ms=4)
        expected = [effective_plane_of_kicks(strength, tau) for tau in STEPS]
        report(f"{scheme}, plane", STEPS, values, errors, expected)
    axes.axhline(0.0, color="0.7", lw=0.8)
    axes.set(xlabel="D dt/dx^2", ylabel="shift of the effective plane / dx", xlim=(0, 0.108))


def report(what: str, places: object, values: object, errors: object, expected: object) -> None:
    """Found and expected, line by line."""
    for row in zip(places, values, errors, expected, strict=True):  # type: ignore[call-overload]
        place, value, error, known = row
        score = (value - known) / error
        sys.stdout.write(f"{what:22} {place:6g} {value:10.4f} +- {error:.4f}  ")
        sys.stdout.write(f"expected {known:10.4f}  z = {score:+.1f}\n")


def main() -> None:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("case", type=Path, help="the case open-boundary-bias")
    parser.add_argument("runs", type=Path, help="directory for the runs")
    parser.add_argument("picture", type=Path, help="picture to draw, such as bias.png")
    parser.add_argument("--duration", type=float, default=60.0, help="time to measure in each run")
    arguments = parser.parse_args()
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    def measure(point: Point) -> dict[str, tuple[float, float]]:
        return point.measured(arguments.case, arguments.runs, arguments.duration)

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    draw_fluxes(left, measure)
    draw_planes(right, measure)
    figure.savefig(arguments.picture, dpi=100)


if __name__ == "__main__":
    main()
