"""How fast the mean of the particles of a hybrid run comes near the PDE, for four published cases.

    ./with-env python3 benchmarks/hybrid_errors.py runs/ docs/images/hybrid-errors.png

Runs each case with more and more replicas (an hour in all on one core; what is done is kept in
``runs`` and taken as it is) and draws the squared distance of the mean over replicas from the PDE,
in the half that has particles, beside what fluctuations alone give.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from mpi4py import MPI

from fem_rd.case.loading import load_case
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.models.registry import build_model

CASES = Path(__file__).parents[1] / "cases"
REPLICAS = (10, 30, 100, 300, 1000)
COLOURS = ("tab:blue", "tab:red", "tab:green")
Errors = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Study:
    """A case with changes, for several numbers of replicas. ``key``: of directories."""

    key: str
    case: str
    species: tuple[str, ...]
    changes: tuple[str, ...] = ()
    replicas: tuple[int, ...] = REPLICAS
    title: str = ""

    def measured(self, runs: Path, replicas: int) -> Errors:
        """Error and noise by species, from the file of a run that is made if need be."""
        kept = runs / f"{self.key}-{replicas}.json"
        if not kept.exists():
            found = self._run(replicas)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found, indent=1))
        found = json.loads(kept.read_text())
        return {
            name: (found[f"pde_error_{name}"], found[f"pde_noise_{name}"]) for name in self.species
        }

    def _run(self, replicas: int) -> dict[str, float]:
        """Observables at the end. Seeds differ, so that runs do not err together."""
        changes = (*self.changes, f"hybrid.replicas={replicas}", f"hybrid.seed={replicas}")
        plain = load_case(CASES / self.case, changes)
        if plain.time is None or plain.mesh is None:
            raise SystemExit(f"{self.case}: not a case over time, on a mesh")
        end = plain.time.end
        case = load_case(CASES / self.case, (*changes, f"hybrid.measure.every={end}"))
        domain = build_domain(plain.mesh, MPI.COMM_SELF, case_dir=CASES / self.case)
        model = build_model(case, domain, MPI.COMM_SELF, Log(quiet=True))
        while model.time < end:
            model.advance(end)
        return {one.name: one.value for one in model.observables()}


STUDIES = (
    Study("diffusion", "hybrid-diffusion-2d", ("A",), ("parameters.peak=500",), title="diffusion"),
    Study("proliferation", "hybrid-proliferation", ("A",), title="proliferation"),
    Study("lotka-volterra", "hybrid-lotka-volterra", ("prey", "predator"), title="Lotka-Volterra"),
    Study("sir", "hybrid-sir", ("S", "I", "R"), title="SIR, a tenth as many"),
    Study("sir-published", "hybrid-sir", ("S", "I", "R"), ("parameters.scale=1",),
          REPLICAS[:3]),  # only a table
)  # fmt: skip


def draw(axes: Axes, study: Study, found: Sequence[tuple[int, Errors]]) -> None:
    """Errors as points, noise as lines, against the number of replicas."""
    replicas = [count for count, _ in found]
    for name, colour in zip(study.species, COLOURS, strict=False):
        errors, noises = np.transpose([errors[name] for _, errors in found])
        axes.loglog(replicas, noises, color=colour, lw=1)
        axes.loglog(replicas, errors, "o", color=colour, ms=4, label=name)
    axes.set(title=study.title, xlabel="replicas")
    axes.legend(frameon=False)


def report(study: Study, found: Sequence[tuple[int, Errors]]) -> None:
    """A row for each species and number, and the slope of the error."""
    for name in study.species:
        for count, errors in found:
            error, noise = errors[name]
            sys.stdout.write(f"{study.key:18} {name:9} {count:5} {error:10.3e} {noise:10.3e} "
                             f"{error / noise:6.3f}\n")  # fmt: skip
        if len(found) > 1:
            x = [math.log(count) for count, _ in found]
            slope = np.polyfit(x, [math.log(errors[name][0]) for _, errors in found], 1)[0]
            sys.stdout.write(f"{study.key:18} {name:9} slope {slope:.3f}\n")
        sys.stdout.flush()


def main() -> None:
    """Run and draw what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, help="directory for the results of runs")
    parser.add_argument("picture", type=Path, help="picture to draw, such as errors.png")
    parser.add_argument("--only", nargs="*", help="keys of studies", default=None)
    parser.add_argument("--most", type=int, default=REPLICAS[-1], help="no more replicas")
    arguments = parser.parse_args()
    studies = [one for one in STUDIES if arguments.only is None or one.key in arguments.only]
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, places = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for study in studies:
        counts = [count for count in study.replicas if count <= arguments.most]
        found = [(count, study.measured(arguments.runs, count)) for count in counts]
        report(study, found)
        if study in STUDIES[:4]:
            draw(places.flat[STUDIES.index(study)], study, found)
    figure.supylabel("squared distance from the PDE, relative")
    figure.savefig(arguments.picture, dpi=100)


if __name__ == "__main__":
    main()
